//! Local files through positioned reads and writes of the standard library, one request after the other.
//!
//! Names are resolved relative to an open directory, without building a path for each chunk.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};

use crate::backend::{
    Access, Backend, Change, Entry, Extent, Namespace, Object, ReadRequest, Source, WriteRequest,
};
use crate::{IoError, key};

const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const DIR_MODE: Mode = Mode::from_raw_mode(0o777);

/// A directory of local files: both the names and the bytes.
#[derive(Debug)]
pub struct Directory {
    root: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens an existing directory.
    ///
    /// # Errors
    /// If `path` is not a directory that can be opened.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| IoError::os("open directory", path.display().to_string(), e))?;
        Ok(Self { root, path: path.to_owned() })
    }

    fn locate(&self, key: &str) -> String {
        self.path.join(key).display().to_string()
    }

    fn error(&self, operation: &'static str, key: &str, source: impl Into<io::Error>) -> IoError {
        IoError::os(operation, self.locate(key), source)
    }

    /// An existing file to read.
    fn file(&self, key: &str) -> Result<File, IoError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.root, key, flags, Mode::empty());
        Ok(File::from(fd.map_err(|e| self.error("open", key, e))?))
    }

    /// A new, empty file to write; missing directories on the way are made. Symlinks are not followed.
    fn create(&self, key: &str) -> Result<File, IoError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.root, key, flags, FILE_MODE);
        let fd = match open() {
            Err(rustix::io::Errno::NOENT) => {
                self.make_parents(key)?;
                open()
            }
            other => other,
        };
        Ok(File::from(fd.map_err(|e| self.error("create", key, e))?))
    }

    fn make_parents(&self, key: &str) -> Result<(), IoError> {
        key.rsplit_once('/').map_or(Ok(()), |(parent, _)| self.make_directory(parent))
    }

    /// Makes a directory, those around it only where they are missing: each call costs a journal entry.
    fn make_directory(&self, key: &str) -> Result<(), IoError> {
        let make = || match rustix::fs::mkdirat(&self.root, key, DIR_MODE) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            other => other,
        };
        let outcome = match (make(), key.rsplit_once('/')) {
            (Err(rustix::io::Errno::NOENT), Some((parent, _))) => {
                self.make_directory(parent)?;
                make()
            }
            (other, _) => other,
        };
        outcome.map_err(|e| self.error("create directory", key, e))
    }

    fn read_one(&self, request: &mut ReadRequest<'_>) -> Result<usize, IoError> {
        match request.source {
            Source::Key(key) => {
                key::check(key)?;
                self.read_file(&self.file(key)?, key, request.extent, request.buffer)
            }
            Source::Open(Object::File(file), key) => {
                self.read_file(file, key, request.extent, request.buffer)
            }
            Source::Open(Object::Memory(object), key) => object.read(key, request.extent, request.buffer),
        }
    }

    fn read_file(&self, file: &File, key: &str, extent: Extent, buffer: &mut [u8]) -> Result<usize, IoError> {
        let (offset, wanted) = match extent {
            Extent::From(offset) => (offset, buffer.len()),
            Extent::Whole => {
                let meta = file.metadata().map_err(|e| self.error("read size", key, e))?;
                if meta.is_dir() {
                    return Err(self.error("read", key, io::Error::from(io::ErrorKind::IsADirectory)));
                }
                let bytes_max = buffer.len() as u64;
                if meta.len() > bytes_max {
                    return Err(IoError::TooLarge {
                        location: self.locate(key),
                        bytes: meta.len(),
                        bytes_max,
                    });
                }
                // `bytes_max` is the length of a buffer, so the size fits too.
                (0, usize::try_from(meta.len()).unwrap_or(buffer.len()))
            }
        };
        file.read_exact_at(&mut buffer[..wanted], offset).map(|()| wanted).map_err(|e| {
            let available = file.metadata().map_or(u64::MAX, |m| m.len());
            let ends_before = offset.checked_add(wanted as u64).is_none_or(|end| end > available);
            if e.kind() == io::ErrorKind::UnexpectedEof || ends_before {
                IoError::Short { location: self.locate(key), offset, bytes: wanted as u64, available }
            } else {
                self.error("read", key, e)
            }
        })
    }

    fn write_one(&self, request: &WriteRequest<'_>) -> Result<(), IoError> {
        let (file, key, offset) = match request.target {
            Source::Key(key) => {
                key::check(key)?;
                (&self.create(key)?, key, 0)
            }
            Source::Open(Object::File(file), key) => (file, key, request.offset),
            Source::Open(Object::Memory(object), _) => {
                object.write(request.offset, request.data);
                return Ok(());
            }
        };
        file.write_all_at(request.data, offset).map_err(|e| self.error("write", key, e))
    }

    fn remove(&self, key: &str) -> Result<(), IoError> {
        let is_dir = match rustix::fs::statat(&self.root, key, AtFlags::SYMLINK_NOFOLLOW) {
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(e) => return Err(self.error("remove", key, e)),
            Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
        };
        let path = self.path.join(key);
        let removed = if is_dir { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.map_err(|e| self.error("remove", key, e))
    }

    fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), IoError> {
        self.make_parents(to)?;
        rustix::fs::renameat_with(&self.root, from, &self.root, to, flags)
            .map_err(|e| self.error("rename to", to, e))
    }
}

impl Backend for Directory {
    fn name(&self) -> &'static str {
        "std"
    }

    fn read(&self, batch: &mut [ReadRequest<'_>]) {
        for request in batch {
            request.result = self.read_one(request);
        }
    }

    fn write(&self, batch: &mut [WriteRequest<'_>]) {
        for request in batch {
            request.result = self.write_one(request);
        }
    }
}

impl Namespace for Directory {
    fn open(&self, key: &str, access: Access) -> Result<Object, IoError> {
        key::check(key)?;
        match access {
            Access::Read => self.file(key).map(Object::File),
            Access::Create => self.create(key).map(Object::File),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, IoError> {
        key::check(prefix)?;
        let entries = match std::fs::read_dir(self.path.join(prefix)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| self.error("list", prefix, e))?,
        };
        let mut out = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| self.error("list", prefix, e))?;
            // A symlink counts as what it points to, as when its bytes are read; a dangling one is skipped.
            let Ok(meta) = std::fs::metadata(entry.path()) else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            out.push(Entry { name, bytes: (!meta.is_dir()).then_some(meta.len()) });
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    fn change(&self, change: Change<'_>) -> Result<(), IoError> {
        match change {
            Change::Remove(key) => key::check(key).and_then(|()| self.remove(key)),
            Change::Rename { from, to } => {
                key::check(from).and_then(|()| key::check(to))?;
                self.rename(from, to, RenameFlags::empty())
            }
            Change::Exchange { a, b } => {
                key::check(a).and_then(|()| key::check(b))?;
                self.rename(a, b, RenameFlags::EXCHANGE)
            }
            // The whole file system at once: far cheaper than an fsync for each of thousands of chunks.
            Change::Sync => rustix::fs::syncfs(&self.root).map_err(|e| self.error("sync", "", e)),
        }
    }
}
