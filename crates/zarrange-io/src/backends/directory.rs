//! Local files by name: what all backends of local files have in common.
//!
//! Names are resolved relative to an open directory, without building a path for each chunk.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::direct::Alignment;
use super::look;
use super::mapping::Mapping;
use super::patience;
use crate::backend::{
    Abilities, Access, Change, Extent, FileId, Handle, Lock, Mark, Namespace, Object, Visit,
};
use crate::error::is_full;
use crate::removal::remove_directory;
use crate::{IoError, advice, key, token};

pub(super) const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const DIR_MODE: Mode = Mode::from_raw_mode(0o777);

/// A directory of local files.
#[derive(Debug)]
pub(crate) struct Directory {
    root: OwnedFd,
    path: PathBuf,
    direct: bool,
    /// A ring was told that reads of files, opened as they are here, would block.
    reads_block: AtomicBool,
}

/// An open local file.
#[derive(Debug)]
pub(crate) struct LocalFile {
    pub(super) file: File,
    /// Its reads bypass the page cache, in units of this.
    pub(super) direct: Option<Alignment>,
    /// Its mapping, made by the first read of the `mmap` backend; `None` for a file that is being written.
    pub(super) mapping: Option<OnceLock<Mapping>>,
}

impl Handle for LocalFile {
    fn bytes(&self) -> io::Result<u64> {
        sized(&self.file, self.file.metadata()?.len())
    }

    fn begin_writeback(&self, offset: u64, bytes: u64) {
        advice::begin_writeback(&self.file, offset, bytes);
    }

    fn reserve(&self, offset: u64, bytes: u64) -> bool {
        advice::reserve(&self.file, offset, bytes)
    }

    fn trim(&self) {
        // Only room on the disk depends on it.
        let _ = self.bytes().and_then(|bytes| self.file.set_len(bytes));
    }

    fn lock(&self) -> io::Result<Lock> {
        match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock::Taken { local: is_local(&self.file) }),
            Err(Errno::WOULDBLOCK) => Ok(Lock::Busy),
            Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => Ok(Lock::Unknown),
            Err(e) => Err(e.into()),
        }
    }

    fn lock_range(&self, offset: u64, bytes: u64) -> io::Result<Lock> {
        match advice::lock_range(&self.file, offset, bytes).map_err(|e| (e.raw_os_error(), e)) {
            Ok(()) => Ok(Lock::Taken { local: is_local(&self.file) }),
            Err((Some(libc::EAGAIN | libc::EACCES), _)) => Ok(Lock::Busy),
            Err((Some(libc::ENOLCK | libc::ENOSYS | libc::EOPNOTSUPP | libc::EINVAL), _)) => {
                Ok(Lock::Unknown)
            }
            Err((_, error)) => Err(error),
        }
    }

    fn release(&self, offset: u64, bytes: u64) {
        advice::release(&self.file, offset, bytes);
    }
}

impl Directory {
    /// Opens an existing directory. With `direct`, files are read past the page cache.
    ///
    /// # Errors
    /// If `path` is not a directory that can be opened.
    pub(crate) fn open(path: &Path, direct: bool) -> Result<Self, IoError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| look::not_found(path, "open directory", e.into()))?;
        Ok(Self { root, path: path.to_owned(), direct, reads_block: AtomicBool::new(false) })
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

    /// Why something failed; [`IoError::NotFound`] only where there is nothing.
    pub(super) fn error(&self, operation: &'static str, key: &str, source: impl Into<io::Error>) -> IoError {
        let source = source.into();
        // A name that is taken is taken, whatever has it.
        let obstacle = match source.kind() {
            io::ErrorKind::AlreadyExists => None,
            _ => look::obstacle(&self.root, &self.path, Path::new(key)),
        };
        obstacle.unwrap_or_else(|| IoError::os(operation, self.locate(key), source))
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
        if is_full(&source) {
            return IoError::no_descriptor(operation, location, &source);
        }
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

    /// Flags to open a file for reading. What is no file is neither waited for nor becomes a terminal of this process.
    pub(super) fn read_flags(&self) -> OFlags {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
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
        match rustix::fs::statat(&self.root, key, AtFlags::empty()).map(|stat| kind(&stat)) {
            Ok(FileType::RegularFile) | Err(_) => IoError::NoDirect { location: self.locate(key) },
            Ok(kind) => look::not_a_file(&self.path.join(key), kind),
        }
    }

    /// What an open file is known by; an error if it is none.
    fn stat(&self, file: &impl AsFd, key: &str) -> Result<Stat, IoError> {
        let stat = rustix::fs::fstat(file).map_err(|e| self.error("read size", key, e))?;
        match kind(&stat) {
            FileType::RegularFile => Ok(stat),
            kind => Err(look::not_a_file(&self.path.join(key), kind)),
        }
    }

    /// Whether this machine makes names in it, rather than a server.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.root)
    }

    /// Whether files have to be told that their reads may block.
    pub(super) fn reads_block(&self) -> bool {
        self.reads_block.load(Ordering::Relaxed)
    }

    /// Lets reads of a file block. Where a file system cannot do without (FUSE, NFS, stacked ones), a ring would otherwise give up
    /// instead of handing them to its threads.
    pub(super) fn let_block(&self, file: &impl AsFd) {
        self.reads_block.store(true, Ordering::Relaxed);
        // Otherwise the read itself tells what is wrong.
        let _ = rustix::fs::fcntl_setfl(file, self.read_flags().intersection(OFlags::DIRECT));
    }

    /// An existing file to read.
    pub(super) fn file(&self, key: &str) -> Result<LocalFile, IoError> {
        let open = || rustix::fs::openat(&self.root, key, self.read_flags(), Mode::empty());
        match patiently(open) {
            Ok(fd) => self.opened(fd, key),
            Err(Errno::INVAL) if self.direct => Err(self.no_direct(key)),
            Err(Errno::AGAIN) => self.leased(key),
            Err(e) => Err(self.error("open", key, e)),
        }
    }

    /// A file on which somebody has a lease (a file server): it is waited for, until they give it up or the kernel takes it.
    pub(super) fn leased(&self, key: &str) -> Result<LocalFile, IoError> {
        let stat = rustix::fs::statat(&self.root, key, AtFlags::empty());
        match stat.map(|stat| kind(&stat)).map_err(|e| self.error("look at", key, e))? {
            FileType::RegularFile => {
                let flags = self.read_flags().difference(OFlags::NONBLOCK);
                let open = || rustix::fs::openat(&self.root, key, flags, Mode::empty());
                self.opened(patiently(open).map_err(|e| self.error("open", key, e))?, key)
            }
            kind => Err(look::not_a_file(&self.path.join(key), kind)),
        }
    }

    /// An empty file to write; missing directories on the way are made.
    pub(super) fn create(&self, key: &str) -> Result<LocalFile, IoError> {
        self.create_as(key, Self::create_flags())
    }

    fn create_as(&self, key: &str, flags: OFlags) -> Result<LocalFile, IoError> {
        let create = || rustix::fs::openat(&self.root, key, flags, FILE_MODE);
        let open = || patiently(create);
        let fd = match open() {
            Err(Errno::NOENT) => {
                self.make_parents(key)?;
                open()
            }
            other => other,
        };
        let file = fd.map_err(|e| self.error("create", key, e))?.into();
        Ok(LocalFile { file, direct: None, mapping: None })
    }

    /// Closes a file that was written.
    pub(super) fn close(&self, file: impl Into<OwnedFd>, key: &str) -> Result<(), IoError> {
        advice::close(file.into()).map_err(|e| self.error("close", key, e))
    }

    /// Offset and number of the bytes that `extent` of a file means, for a buffer of `room` bytes. One that was opened only for
    /// this is `new`: nobody has seen yet that it is a file.
    pub(super) fn wanted(
        &self,
        (file, new): (&File, bool),
        key: &str,
        extent: Extent,
        room: usize,
    ) -> Result<(u64, usize), IoError> {
        if let (Extent::From(offset), false) = (extent, new) {
            return Ok((offset, room));
        }
        let stat = self.stat(file, key)?;
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        match extent {
            Extent::From(offset) => Ok((offset, room)),
            Extent::Part { offset, of } if bytes == of => Ok((offset, room)),
            Extent::Part { of, .. } => Err(IoError::Size { location: self.locate(key), bytes, expected: of }),
            Extent::Whole => match usize::try_from(bytes) {
                Ok(0) => self.empty(file, key).map(|()| (0, 0)),
                Ok(bytes) if bytes <= room => Ok((0, bytes)),
                _ => Err(IoError::TooLarge { location: self.locate(key), bytes, bytes_max: room as u64 }),
            },
        }
    }

    /// Refuses a file of no size that has bytes, as those of `/proc`.
    fn empty(&self, file: &File, key: &str) -> Result<(), IoError> {
        sized(file, 0).map(|_| ()).map_err(|e| self.error("read size", key, e))
    }

    /// Makes the directories around `key`; whether any was missing.
    pub(super) fn make_parents(&self, key: &str) -> Result<bool, IoError> {
        key.rsplit_once('/').map_or(Ok(false), |(parent, _)| self.make_directory(parent))
    }

    /// Makes a directory, those around it only where they are missing: each call costs a journal entry. Whether it is new.
    fn make_directory(&self, key: &str) -> Result<bool, IoError> {
        match self.make_new_directory(key) {
            Err(e) if e.is_taken() => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Makes a directory that must be new.
    fn make_new_directory(&self, key: &str) -> Result<(), IoError> {
        let make = || rustix::fs::mkdirat(&self.root, key, DIR_MODE);
        let outcome = match (make(), key.rsplit_once('/')) {
            (Err(Errno::NOENT), Some((parent, _))) => {
                self.make_directory(parent)?;
                make()
            }
            (other, _) => other,
        };
        outcome.map_err(|e| self.error("create directory", key, e))
    }

    fn remove(&self, key: &str) -> Result<(), IoError> {
        let is_dir = match rustix::fs::statat(&self.root, key, AtFlags::SYMLINK_NOFOLLOW) {
            Err(e) => {
                let error = self.error("remove", key, e);
                return if error.is_not_found() { Ok(()) } else { Err(error) };
            }
            Ok(stat) => kind(&stat) == FileType::Directory,
        };
        let removed = if is_dir {
            remove_directory(&self.root, key)
        } else {
            rustix::fs::unlinkat(&self.root, key, AtFlags::empty())
        };
        removed.map_err(|e| self.error("remove", key, e))
    }

    /// Removes a temporary file after a failure, which is what is reported.
    pub(super) fn discard(&self, temp: &str) {
        let _ = rustix::fs::unlinkat(&self.root, temp, AtFlags::empty());
    }

    /// Gives what is at `from` the name `to`, which must be free.
    fn rename_new(&self, from: &str, to: &str) -> Result<(), IoError> {
        match self.rename(from, to, RenameFlags::NOREPLACE) {
            // Where it cannot be had in one step: between the two, somebody may take the name, and lose an empty directory.
            Err(e) if e.is_unsupported() => {
                match rustix::fs::statat(&self.root, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => self.rename(from, to, RenameFlags::empty()),
                    Ok(_) => Err(self.error("rename to", to, Errno::EXIST)),
                    Err(e) => Err(self.error("rename to", to, e)),
                }
            }
            other => other,
        }
    }

    pub(super) fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), IoError> {
        let rename = || {
            // The old call where it does: there are systems that know no other.
            if flags.is_empty() {
                rustix::fs::renameat(&self.root, from, &self.root, to)
            } else {
                rustix::fs::renameat_with(&self.root, from, &self.root, to, flags)
            }
        };
        let outcome = match rename() {
            Err(Errno::NOENT) => {
                self.make_parents(to)?;
                rename()
            }
            other => other,
        };
        outcome.map_err(|e| self.error("rename to", to, e))
    }

    /// Calls `visit` with everything directly below `prefix`.
    fn visit(&self, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        let failed = |e: Errno| self.error("list", prefix, e);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.root, or_itself(prefix), flags, Mode::empty());
        let mut entries = match patiently(open).and_then(Dir::new).map_err(failed) {
            Err(e) if e.is_not_found() => return Ok(()),
            other => other?,
        };
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let path = || self.path.join(prefix).join(OsStr::from_bytes(name.to_bytes()));
            let goes_on = match name.to_str() {
                Ok(text) => {
                    let directory = entries.fd().map_err(failed)?;
                    visit(text, look::seen(directory, name, entry.file_type(), sizes, &path))
                }
                Err(_) => visit(&name.to_string_lossy(), look::not_utf8(&path())),
            };
            if !goes_on {
                return Ok(());
            }
        }
        match entries.stat().map_err(failed)?.st_nlink {
            0 => Err(look::removed(&self.path.join(prefix))),
            _ => Ok(()),
        }
    }
}

/// Whether a file or directory lies on a file system that this machine alone has.
fn is_local(file: impl AsFd) -> bool {
    const LOCAL: [libc::c_long; 6] = [
        libc::EXT4_SUPER_MAGIC,
        libc::XFS_SUPER_MAGIC,
        libc::BTRFS_SUPER_MAGIC,
        libc::F2FS_SUPER_MAGIC,
        libc::TMPFS_MAGIC,
        libc::OVERLAYFS_SUPER_MAGIC,
    ];
    rustix::fs::fstatfs(file).is_ok_and(|fs| LOCAL.contains(&fs.f_type))
}

/// What a file is, or something that is none.
fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The size of a file that the system says has `bytes`: where it is none, there may be some all the same (`/proc`).
fn sized(file: &File, bytes: u64) -> io::Result<u64> {
    if bytes == 0 && file.read_at(&mut [0], 0).is_ok_and(|read| read > 0) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the system does not tell it"));
    }
    Ok(bytes)
}

/// A key as a path: that of the directory itself is empty.
fn or_itself(key: &str) -> &str {
    if key.is_empty() { "." } else { key }
}

/// Whether the end of a range is one that the operating system does not take for a negative number.
fn is_possible((offset, bytes): (u64, usize)) -> bool {
    offset.checked_add(bytes as u64).is_some_and(|end| i64::try_from(end).is_ok())
}

/// Opens something; where no descriptor is free, waits for one.
fn patiently(open: impl Fn() -> Result<OwnedFd, rustix::io::Errno>) -> Result<OwnedFd, rustix::io::Errno> {
    loop {
        match open() {
            Err(Errno::MFILE | Errno::NFILE) if patience::wait() => {}
            Err(full @ (Errno::MFILE | Errno::NFILE)) => return Err(full),
            other => {
                patience::found();
                return other;
            }
        }
    }
}

/// Writes a name for the new content of `key` to `temp`: beside it, and nobody else's.
pub(crate) fn temporary(key: &str, temp: &mut String) {
    use std::fmt::Write as _;
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Not the number of the process: those of two containers are the same.
    static TOKEN: OnceLock<String> = OnceLock::new();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let token = TOKEN.get_or_init(token);
    let (parent, name) = key.rsplit_once('/').map_or(("", key), |(parent, name)| (parent, name));
    let slash = if parent.is_empty() { "" } else { "/" };
    temp.clear();
    // Writing to a String does not fail.
    let _ = write!(temp, "{parent}{slash}.{name}.partial-{token}-{number}");
}

/// Whether `name`, the last part of a key, is one that objects have while they are written: left by whoever was ended meanwhile, if nobody
/// writes any more.
pub fn is_temporary(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|name| name.rsplit_once(".partial-"));
    let Some((token, number)) = parts.and_then(|(_, made)| made.split_once('-')) else { return false };
    let hexadecimal = token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit());
    hexadecimal && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

impl Namespace for Directory {
    fn abilities(&self, _: &str) -> Abilities {
        Abilities::ALL
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        let place = key::join(within, key)?;
        let file = match access {
            Access::Read => {
                let file = self.file(&place)?;
                self.stat(&file.file, &place)?;
                file
            }
            Access::Write => {
                let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let open = || rustix::fs::openat(&self.root, &place, flags, Mode::empty());
                let file = patiently(open).map_err(|e| self.error("open", &place, e))?.into();
                self.stat(&file, &place)?;
                LocalFile { file, direct: None, mapping: None }
            }
            Access::Create => self.create(&place)?,
            Access::New => self.create_as(&place, Self::create_flags() | OFlags::EXCL)?,
        };
        Ok(Object::new(within, place, file))
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        let (file, place) = object.into_handle::<LocalFile>()?;
        self.close(file.file, &place)
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        self.visit(&key::join(within, prefix)?, sizes, visit)
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        key::with(within, key, |key| {
            let stat = rustix::fs::statat(&self.root, or_itself(key), AtFlags::empty());
            let stat = stat.map_err(|e| self.error("look at", key, e))?;
            Ok(Some(FileId { device: stat.st_dev, inode: stat.st_ino }))
        })
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        key::with(within, key, |key| {
            let stat = rustix::fs::statat(&self.root, or_itself(key), AtFlags::empty());
            let stat = stat.map_err(|e| self.error("look at", key, e))?;
            Ok(Some(Mark {
                inode: stat.st_ino,
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
                modified: (stat.st_mtime, stat.st_mtime_nsec),
                changed: (stat.st_ctime, stat.st_ctime_nsec),
            }))
        })
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        let both = |from, to, rename: &dyn Fn(&str, &str) -> Result<(), IoError>| {
            key::with(within, from, |from| key::with(within, to, |to| rename(from, to)))
        };
        match change {
            Change::Remove(key) => key::with(within, key, |key| self.remove(key)),
            Change::Rename { from, to } => {
                both(from, to, &|from, to| self.rename(from, to, RenameFlags::empty()))
            }
            Change::Move { from, to } => both(from, to, &|from, to| self.rename_new(from, to)),
            Change::RemoveEmpty(key) => key::with(within, key, |key| {
                let removed = rustix::fs::unlinkat(&self.root, key, AtFlags::REMOVEDIR);
                removed.map_err(|e| self.error("remove", key, e))
            }),
            Change::MakeDirectory(key) => key::with(within, key, |key| self.make_new_directory(key)),
            Change::Exchange { a, b } => both(a, b, &|a, b| self.rename(a, b, RenameFlags::EXCHANGE)),
            // The whole file system at once: far cheaper than an fsync for each of thousands of chunks.
            Change::Sync => rustix::fs::syncfs(&self.root).map_err(|e| self.error("sync", "", e)),
            Change::SyncNames => rustix::fs::fsync(&self.root).map_err(|e| self.error("sync", "", e)),
        }
    }
}
