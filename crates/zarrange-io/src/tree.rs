//! What lies at a place that shall be replaced: whether it can be, and whether it is still the same later.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Dir, FileType, Mode, Statx, StatxAttributes, StatxFlags};

use crate::removal::REAL_DIRECTORY;
use crate::{IoError, Store};

/// Everything at and below a place, looked at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Its root: device and inode, or another mark of it.
    root: (u32, u32, u64),
    /// Changes with every name, and with the size and times of every file.
    digest: u64,
    entries: u64,
}

/// Why a place is not replaced.
#[derive(Debug)]
pub enum Kept {
    /// It cannot be removed.
    Cannot(IoError),
    /// Something that is neither a file nor a directory, or cannot be looked at: nobody knows what would be lost.
    Unknown(IoError),
}

impl Tree {
    /// Looks at everything at `path`, which exists.
    ///
    /// # Errors
    /// [`Kept`], by the first reason found.
    pub(crate) fn of(path: &Path) -> Result<Self, Kept> {
        let stat = look(path)?;
        if FileType::from_raw_mode(stat.stx_mode.into()) != FileType::Directory {
            check_attributes(path, stat.stx_attributes)?;
            return Ok(Self { root: id(&stat), digest: mark(path.as_os_str(), &stat), entries: 1 });
        }
        check_holder(path, &stat)?;
        let mut tree = Self { root: id(&stat), digest: 0, entries: 0 };
        check_directory(path, &stat)?;
        // One open listing for each level: however many entries there are, few are in memory.
        let (mut at, mut levels) = (path.to_owned(), vec![list(path)?]);
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.read() else {
                levels.pop();
                at.pop();
                continue;
            };
            let entry = entry.map_err(|e| unknown("list", &at, e))?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            at.push(OsStr::from_bytes(entry.file_name().to_bytes()));
            if tree.entry(&at)? {
                levels.push(list(&at)?);
            } else {
                at.pop();
            }
        }
        Ok(tree)
    }

    /// What lies below a key of the memory store, which nobody else can change and nothing keeps from being removed.
    pub(crate) fn of_memory(name: &str) -> Self {
        Self { root: (0, 0, hash(name)), digest: 0, entries: 0 }
    }

    /// What lies at and below a key of a store. Of objects that are replaced by others of the same size nothing is noticed.
    pub(crate) fn of_store(store: &Store, key: &str) -> Result<Self, Kept> {
        let mut tree = Self { root: mark_of(store, key).map_err(Kept::Unknown)?, digest: 0, entries: 0 };
        let walked = store.walk(key, &mut |name, bytes| {
            tree.entries += 1;
            tree.digest = tree.digest.wrapping_add(hash((name, bytes)));
        });
        walked.map(|()| tree).map_err(Kept::Unknown)
    }

    /// Whether its root is still the one at a key of a store, whatever is in it; where nothing has an identity, it is.
    pub(crate) fn is_in(&self, store: &Store, key: &str) -> bool {
        match store.identity(key) {
            Ok(None) => true,
            Ok(Some(id)) => self.root == (0, 0, hash(id)),
            Err(_) => false,
        }
    }

    /// Whether its root is still the one at `path`, whatever is in it.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        look(path).is_ok_and(|stat| id(&stat) == self.root)
    }

    /// Notes an entry; whether it is a directory.
    fn entry(&mut self, path: &Path) -> Result<bool, Kept> {
        let stat = look(path)?;
        if path.file_name().is_some_and(|name| name.to_str().is_none()) {
            let source = io::Error::new(io::ErrorKind::InvalidData, "the name is not UTF-8");
            return Err(unknown("look at", path, source));
        }
        check_attributes(path, stat.stx_attributes)?;
        self.entries += 1;
        self.digest = self.digest.wrapping_add(mark(path.as_os_str(), &stat));
        match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::RegularFile => Ok(false),
            FileType::Directory => check_directory(path, &stat).map(|()| true),
            FileType::Symlink => {
                let target = std::fs::metadata(path);
                target.map(|_| false).map_err(|source| Kept::Unknown(IoError::link(path, source)))
            }
            _ => {
                let source = io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a directory");
                Err(unknown("look at", path, source))
            }
        }
    }
}

/// What tells the root of a tree in a store from others.
fn mark_of(store: &Store, key: &str) -> Result<(u32, u32, u64), IoError> {
    Ok((0, 0, store.identity(key)?.map_or_else(|| hash(key), hash)))
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn look(path: &Path) -> Result<Statx, Kept> {
    let stat = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
    stat.map_err(|e| unknown("look at", path, e))
}

fn unknown(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Kept {
    Kept::Unknown(IoError::Os { operation, location: path.display().to_string(), source: source.into() })
}

fn list(path: &Path) -> Result<Dir, Kept> {
    let opened = rustix::fs::openat(CWD, path, REAL_DIRECTORY, Mode::empty()).and_then(Dir::new);
    opened.map_err(|e| Kept::Cannot(IoError::os("list", path.display().to_string(), e)))
}

const fn id(stat: &Statx) -> (u32, u32, u64) {
    (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino)
}

/// What changes when an entry does.
fn mark(name: &OsStr, stat: &Statx) -> u64 {
    let mut hasher = DefaultHasher::new();
    let (modified, changed) = (stat.stx_mtime, stat.stx_ctime);
    name.as_bytes().hash(&mut hasher);
    (id(stat), stat.stx_mode, stat.stx_size).hash(&mut hasher);
    (modified.tv_sec, modified.tv_nsec, changed.tv_sec, changed.tv_nsec).hash(&mut hasher);
    hasher.finish()
}

fn cannot(path: &Path, source: impl Into<io::Error>) -> Kept {
    Kept::Cannot(IoError::os("remove", path.display().to_string(), source))
}

/// Whether the entries of a directory can be removed: it can be written, and is no place where another file system begins.
fn check_directory(path: &Path, stat: &Statx) -> Result<(), Kept> {
    if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        let busy = io::Error::new(io::ErrorKind::ResourceBusy, "something is mounted there");
        return Err(cannot(path, busy));
    }
    check_attributes(path, stat.stx_attributes)?;
    check_writable(path).map_err(|source| cannot(path, source))
}

/// Whether the name of a directory can be taken: its parent can be written, and does not keep what others own.
fn check_holder(path: &Path, stat: &Statx) -> Result<(), Kept> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    check_writable(parent).map_err(|source| cannot(path, source))?;
    let holder = rustix::fs::statx(CWD, parent, AtFlags::empty(), StatxFlags::BASIC_STATS);
    let Ok(holder) = holder else { return Ok(()) };
    check_attributes(parent, holder.stx_attributes)?;
    let user = rustix::process::geteuid().as_raw();
    let sticky = u32::from(holder.stx_mode) & 0o1000 != 0;
    if sticky && user != 0 && user != holder.stx_uid && user != stat.stx_uid {
        return Err(cannot(path, io::Error::from(io::ErrorKind::PermissionDenied)));
    }
    Ok(())
}

fn check_attributes(path: &Path, attributes: StatxAttributes) -> Result<(), Kept> {
    if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        return Err(cannot(
            path,
            io::Error::new(io::ErrorKind::PermissionDenied, "it is immutable (chattr)"),
        ));
    }
    Ok(())
}

/// Whether names can be made and removed in a directory.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    match rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        // A kernel that cannot tell will tell when it matters.
        Ok(()) | Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
