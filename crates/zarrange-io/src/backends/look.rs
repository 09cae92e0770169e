//! Looking at names: what is there, and why something is not found. Not seen is not absent: `NotFound` is said only where nothing is.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use crate::IoError;
use crate::backend::Seen;

/// What is neither a file nor a directory is not opened, read or waited for.
pub(crate) fn not_a_file(path: &Path, kind: FileType) -> IoError {
    let what = match kind {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Directory => return os("read", path, io::ErrorKind::IsADirectory.into()),
        _ => "something else",
    };
    let text = format!("it is {what}, neither a file nor a directory");
    os("read", path, io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn os(operation: &'static str, path: &Path, source: io::Error) -> IoError {
    IoError::Os { operation, location: path.display().to_string(), source }
}

/// A link that cannot be followed.
fn broken_link(path: &Path, source: io::Error) -> IoError {
    let source = match std::fs::read_link(path) {
        Ok(to) if source.kind() == io::ErrorKind::NotFound => {
            io::Error::other(format!("it leads to {}, where nothing is", to.display()))
        }
        _ => source,
    };
    os("follow the link", path, source)
}

/// What a name in the open directory `dir` is; a link counts as what it leads to, as when its bytes are read. `path` is its whole
/// name, for messages; `kind` is what the listing says, if it does.
pub(super) fn seen(
    dir: impl AsFd,
    name: &std::ffi::CStr,
    kind: FileType,
    sizes: bool,
    path: &dyn Fn() -> std::path::PathBuf,
) -> Seen {
    match kind {
        FileType::Directory => return Seen::Directory { link: false },
        FileType::RegularFile if !sizes => return Seen::Object(None),
        FileType::RegularFile | FileType::Symlink | FileType::Unknown => {}
        _ => return Seen::Other,
    }
    // Whether it is a link is asked only where the listing does not tell.
    let link = match kind {
        FileType::Unknown => match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Symlink,
            Err(e) => return Seen::Unseen(os("look at", &path(), e.into())),
        },
        kind => kind == FileType::Symlink,
    };
    match statat(&dir, name, AtFlags::empty()) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Seen::Directory { link },
            FileType::RegularFile => Seen::Object(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            _ => Seen::Other,
        },
        Err(e) if link => Seen::Unseen(broken_link(&path(), e.into())),
        Err(e) => Seen::Unseen(os("look at", &path(), e.into())),
    }
}

/// A name that no key can be.
pub(super) fn not_utf8(path: &Path) -> Seen {
    Seen::Unseen(os("look at", path, io::Error::new(io::ErrorKind::InvalidData, "the name is not UTF-8")))
}

/// What keeps `path`, relative to the open directory `dir` at `base`, from being found or led through, unless it is that nothing is
/// there: a link on the way that leads nowhere, something else in the place of a directory, what may not be looked at.
pub(crate) fn obstacle(dir: impl AsFd, base: &Path, path: &Path) -> Option<IoError> {
    for at in path.ancestors().filter(|at| !at.as_os_str().is_empty()) {
        let whole = || base.join(at);
        let stat = match statat(&dir, at, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            Err(e) => return Some(os("look at", &whole(), e.into())),
            Ok(stat) => stat,
        };
        let mut kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Symlink {
            match statat(&dir, at, AtFlags::empty()) {
                Err(e) => return Some(broken_link(&whole(), e.into())),
                Ok(stat) => kind = FileType::from_raw_mode(stat.st_mode),
            }
        }
        return match kind {
            FileType::Directory | FileType::RegularFile => None,
            kind => Some(not_a_file(&whole(), kind)),
        };
    }
    // Only then can the directory itself be gone.
    match statat(&dir, ".", AtFlags::empty()) {
        Ok(stat) if stat.st_nlink == 0 => Some(removed(base)),
        Ok(_) => None,
        Err(e) => Some(os("look at", base, e.into())),
    }
}

/// Why `path` could not be opened or looked at; [`IoError::NotFound`] only where there is nothing.
pub(crate) fn not_found(path: &Path, operation: &'static str, source: io::Error) -> IoError {
    let obstacle = obstacle(rustix::fs::CWD, Path::new(""), path);
    obstacle.unwrap_or_else(|| IoError::os(operation, path.display().to_string(), source))
}

/// A directory that was removed while it is open: what was in it is not missing.
pub(super) fn removed(path: &Path) -> IoError {
    os("look into", path, io::Error::new(io::ErrorKind::StaleNetworkFileHandle, "it was removed meanwhile"))
}
