//! Local files by name: what all backends of local files have in common.
//!
//! Names are resolved relative to an open directory, without building a path for each chunk.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};

use super::direct::Alignment;
use super::mmap::Mapping;
use crate::backend::{Access, Change, Extent, Namespace, Object, Seen, Visit};
use crate::{IoError, advice, key};

pub(super) const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const DIR_MODE: Mode = Mode::from_raw_mode(0o777);

/// How long an opening waits for a free descriptor: others give theirs back with every chunk that they finish.
pub(super) const DESCRIPTOR_PATIENCE: Duration = Duration::from_secs(10);
pub(super) const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(1);

/// A directory of local files.
#[derive(Debug)]
pub struct Directory {
    root: OwnedFd,
    path: PathBuf,
    direct: bool,
}

/// An open local file.
#[derive(Debug)]
pub struct LocalFile {
    pub(super) file: File,
    /// Its reads bypass the page cache, in units of this.
    pub(super) direct: Option<Alignment>,
    /// Its mapping, made by the first read of the `mmap` backend; `None` for a file that is being written.
    pub(super) mapping: Option<OnceLock<Mapping>>,
}

impl LocalFile {
    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Begins to write a range to the device without waiting for it.
    pub(crate) fn begin_writeback(&self, offset: u64, bytes: u64) {
        advice::begin_writeback(&self.file, offset, bytes);
    }

    /// Takes room for a range behind the end; whether that was done.
    pub(crate) fn reserve(&self, offset: u64, bytes: u64) -> bool {
        advice::reserve(&self.file, offset, bytes)
    }

    /// Gives back what was reserved behind the end.
    pub(crate) fn trim(&self) {
        // Only room on the disk depends on it.
        let _ = self.bytes().and_then(|bytes| self.file.set_len(bytes));
    }

    /// Gives the room of a range back; it then reads as zeros.
    pub(crate) fn release(&self, offset: u64, bytes: u64) {
        advice::release(&self.file, offset, bytes);
    }

    /// Its size in bytes; `None` for a directory, which can be opened to read as well.
    pub(crate) fn value_bytes(&self) -> io::Result<Option<u64>> {
        let meta = self.file.metadata()?;
        Ok((!meta.is_dir()).then_some(meta.len()))
    }
}

impl Directory {
    /// Opens an existing directory. With `direct`, files are read past the page cache.
    ///
    /// # Errors
    /// If `path` is not a directory that can be opened.
    pub fn open(path: &Path, direct: bool) -> Result<Self, IoError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| IoError::os("open directory", path.display().to_string(), e))?;
        Ok(Self { root, path: path.to_owned(), direct })
    }

    /// What an entry is; a link counts as what it leads to, as when its bytes are read.
    fn look(entry: &std::fs::DirEntry, sizes: bool) -> Seen {
        let kind = entry.file_type();
        if let Ok(kind) = &kind
            && !kind.is_symlink()
            && (!sizes || kind.is_dir())
        {
            return if kind.is_dir() {
                Seen::Directory
            } else if kind.is_file() {
                Seen::Object(None)
            } else {
                Seen::Other
            };
        }
        match std::fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() => Seen::Directory,
            Ok(meta) if meta.is_file() => Seen::Object(Some(meta.len())),
            Ok(_) => Seen::Other,
            Err(source) => {
                let location = entry.path().display().to_string();
                let link = kind.is_ok_and(|kind| kind.is_symlink());
                let operation = if link { "follow the link" } else { "look at" };
                Seen::Unseen(IoError::Os { operation, location, source })
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(super) const fn is_direct(&self) -> bool {
        self.direct
    }

    pub(super) fn locate(&self, key: &str) -> String {
        self.path.join(key).display().to_string()
    }

    pub(super) fn error(&self, operation: &'static str, key: &str, source: impl Into<io::Error>) -> IoError {
        IoError::os(operation, self.locate(key), source)
    }

    /// The error of a request that did not move its bytes.
    pub(super) fn transfer_error(
        &self,
        operation: &'static str,
        key: &str,
        (offset, bytes): (u64, usize),
        source: impl Into<io::Error>,
    ) -> IoError {
        let (location, bytes, source) = (self.locate(key), bytes as u64, source.into());
        IoError::Transfer { operation, location, offset, bytes, source }
    }

    /// The error of a read that met the end of the file.
    pub(super) fn short(&self, key: &str, file: &File, (offset, bytes): (u64, usize)) -> IoError {
        let available = file.metadata().map_or(0, |m| m.len());
        IoError::Short { location: self.locate(key), offset, bytes: bytes as u64, available }
    }

    /// Refuses to read a range that no file can have.
    pub(super) fn check_range(&self, key: &str, file: &File, range: (u64, usize)) -> Result<(), IoError> {
        if is_possible(range) { Ok(()) } else { Err(self.short(key, file, range)) }
    }

    /// Refuses to write a range that no file can have.
    pub(super) fn check_room(&self, key: &str, range: (u64, usize)) -> Result<(), IoError> {
        let error = || self.transfer_error("write", key, range, io::ErrorKind::FileTooLarge);
        if is_possible(range) { Ok(()) } else { Err(error()) }
    }

    /// Flags to open a file for reading.
    pub(super) fn read_flags(&self) -> OFlags {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        if self.direct { flags | OFlags::DIRECT } else { flags }
    }

    /// Flags to create a file. Symlinks are not followed; what is created can also be read again.
    pub(super) const fn create_flags() -> OFlags {
        OFlags::RDWR.union(OFlags::CREATE).union(OFlags::TRUNC).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC)
    }

    /// A file just opened with [`Self::read_flags`].
    pub(super) fn opened(&self, fd: OwnedFd, key: &str) -> Result<LocalFile, IoError> {
        let direct = if self.direct {
            let alignment = Alignment::of(&fd).map_err(|e| self.error("read alignment", key, e))?;
            Some(alignment.ok_or_else(|| self.no_direct(key))?)
        } else {
            None
        };
        Ok(LocalFile { file: fd.into(), direct, mapping: Some(OnceLock::new()) })
    }

    /// Why `key` cannot be read past the page cache.
    pub(super) fn no_direct(&self, key: &str) -> IoError {
        match rustix::fs::statat(&self.root, key, AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                self.error("read", key, io::Error::from(io::ErrorKind::IsADirectory))
            }
            _ => IoError::NoDirect { location: self.locate(key) },
        }
    }

    /// Whether this machine makes names in it, rather than a server.
    pub(super) fn is_local(&self) -> bool {
        const LOCAL: [libc::c_long; 6] = [
            libc::EXT4_SUPER_MAGIC,
            libc::XFS_SUPER_MAGIC,
            libc::BTRFS_SUPER_MAGIC,
            libc::F2FS_SUPER_MAGIC,
            libc::TMPFS_MAGIC,
            libc::OVERLAYFS_SUPER_MAGIC,
        ];
        rustix::fs::fstatfs(&self.root).is_ok_and(|fs| LOCAL.contains(&fs.f_type))
    }

    /// An existing file to read.
    pub(super) fn file(&self, key: &str) -> Result<LocalFile, IoError> {
        let open = || rustix::fs::openat(&self.root, key, self.read_flags(), Mode::empty());
        match patiently(open) {
            Ok(fd) => self.opened(fd, key),
            Err(rustix::io::Errno::INVAL) if self.direct => Err(self.no_direct(key)),
            Err(e) => Err(self.error("open", key, e)),
        }
    }

    /// A new, empty file to write; missing directories on the way are made.
    pub(super) fn create(&self, key: &str) -> Result<LocalFile, IoError> {
        let create = || rustix::fs::openat(&self.root, key, Self::create_flags(), FILE_MODE);
        let open = || patiently(create);
        let fd = match open() {
            Err(rustix::io::Errno::NOENT) => {
                self.make_parents(key)?;
                open()
            }
            other => other,
        };
        let file = fd.map_err(|e| self.error("create", key, e))?.into();
        Ok(LocalFile { file, direct: None, mapping: None })
    }

    /// Offset and number of the bytes that `extent` of a file means, for a buffer of `room` bytes.
    pub(super) fn wanted(
        &self,
        file: &File,
        key: &str,
        extent: Extent,
        room: usize,
    ) -> Result<(u64, usize), IoError> {
        if let Extent::From(offset) = extent {
            return Ok((offset, room));
        }
        let meta = file.metadata().map_err(|e| self.error("read size", key, e))?;
        if meta.is_dir() {
            return Err(self.error("read", key, io::Error::from(io::ErrorKind::IsADirectory)));
        }
        if let Extent::Part { offset, of } = extent {
            return match meta.len() {
                bytes if bytes == of => Ok((offset, room)),
                bytes => Err(IoError::Size { location: self.locate(key), bytes, expected: of }),
            };
        }
        match usize::try_from(meta.len()) {
            Ok(bytes) if bytes <= room => Ok((0, bytes)),
            _ => {
                let (bytes, bytes_max) = (meta.len(), room as u64);
                Err(IoError::TooLarge { location: self.locate(key), bytes, bytes_max })
            }
        }
    }

    /// Makes the directories around `key`; whether any was missing.
    pub(super) fn make_parents(&self, key: &str) -> Result<bool, IoError> {
        key.rsplit_once('/').map_or(Ok(false), |(parent, _)| self.make_directory(parent))
    }

    /// Makes a directory, those around it only where they are missing: each call costs a journal entry. Whether it is new.
    fn make_directory(&self, key: &str) -> Result<bool, IoError> {
        let make = || match rustix::fs::mkdirat(&self.root, key, DIR_MODE) {
            Err(rustix::io::Errno::EXIST) => Ok(false),
            other => other.map(|()| true),
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

    /// Removes a temporary file after a failure, which is what is reported.
    pub(super) fn discard(&self, temp: &str) {
        let _ = rustix::fs::unlinkat(&self.root, temp, AtFlags::empty());
    }

    pub(super) fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), IoError> {
        let rename = || rustix::fs::renameat_with(&self.root, from, &self.root, to, flags);
        let outcome = match rename() {
            Err(rustix::io::Errno::NOENT) => {
                self.make_parents(to)?;
                rename()
            }
            other => other,
        };
        outcome.map_err(|e| self.error("rename to", to, e))
    }
}

/// Whether the end of a range is one that the operating system does not take for a negative number.
fn is_possible((offset, bytes): (u64, usize)) -> bool {
    offset.checked_add(bytes as u64).is_some_and(|end| i64::try_from(end).is_ok())
}

/// Opens something; where no descriptor is free, waits for one.
fn patiently(open: impl Fn() -> Result<OwnedFd, rustix::io::Errno>) -> Result<OwnedFd, rustix::io::Errno> {
    let begin = Instant::now();
    loop {
        match open() {
            Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
                if begin.elapsed() < DESCRIPTOR_PATIENCE =>
            {
                std::thread::sleep(DESCRIPTOR_PAUSE);
            }
            other => return other,
        }
    }
}

/// Writes a name for the new content of `key` to `temp`: beside it, and nobody else's.
pub(crate) fn temporary(key: &str, temp: &mut String) {
    use std::fmt::Write as _;
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let (parent, name) = key.rsplit_once('/').map_or(("", key), |(parent, name)| (parent, name));
    let slash = if parent.is_empty() { "" } else { "/" };
    temp.clear();
    // Writing to a String does not fail.
    let _ = write!(temp, "{parent}{slash}.{name}.partial-{}-{number}", std::process::id());
}

impl Namespace for Directory {
    fn open(&self, key: &str, access: Access) -> Result<Object, IoError> {
        key::check(key)?;
        match access {
            Access::Read => self.file(key).map(Object::File),
            Access::Create => self.create(key).map(Object::File),
        }
    }

    fn list(&self, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        key::check(prefix)?;
        let directory = self.path.join(prefix);
        let entries = match std::fs::read_dir(&directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| self.error("list", prefix, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| self.error("list", prefix, e))?;
            let name = entry.file_name();
            let goes_on = if let Some(name) = name.to_str() {
                visit(name, Self::look(&entry, sizes))
            } else {
                let source = io::Error::new(io::ErrorKind::InvalidData, "the name is not UTF-8");
                let location = directory.join(&name).display().to_string();
                let unseen = IoError::Os { operation: "look at", location, source };
                visit(&name.to_string_lossy(), Seen::Unseen(unseen))
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
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
            Change::SyncNames => rustix::fs::fsync(&self.root).map_err(|e| self.error("sync", "", e)),
        }
    }
}
