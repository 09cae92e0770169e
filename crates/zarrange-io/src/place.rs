//! Where a path really is, and how much room there is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Room on the file system of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this process may still write.
    pub bytes: u64,
    /// Files that can still be made; `None` where the file system does not limit them.
    pub files: Option<u64>,
}

/// Whether `path` is `other` or lies inside it, by whatever links and mounts they are named. What does not exist yet lies where its
/// nearest directory does.
pub(crate) fn is_within(path: &Path, other: &Path) -> bool {
    let (real, around) = (resolve(path), resolve(other));
    if real.starts_with(&around) {
        return true;
    }
    let id = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let wanted = id(&around);
    if wanted.is_some() && real.ancestors().any(|ancestor| id(ancestor) == wanted) {
        return true;
    }
    // A mount may show a part of one below the other, under a name of its own.
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    match (on_device(&table, &real), on_device(&table, &around)) {
        (Some((device, path)), Some((other, around))) => device == other && path.starts_with(around),
        _ => false,
    }
}

/// The real path, where the last segments may not exist yet.
fn resolve(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in absolute.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return match absolute.strip_prefix(ancestor) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    absolute
}

/// The device that a real path is on, and the path there, by the kernel's table of mounts (`proc_pid_mountinfo(5)`).
fn on_device(table: &[u8], path: &Path) -> Option<(Vec<u8>, PathBuf)> {
    let mut nearest: Option<(&[u8], PathBuf, PathBuf)> = None;
    for line in table.split(|b| *b == b'\n') {
        let mut fields = line.split(|b| *b == b' ').skip(2);
        let (Some(device), Some(root), Some(at)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let at = unescaped(at);
        // Of several at one place the last one is seen.
        if path.starts_with(&at) && nearest.as_ref().is_none_or(|(_, other, _)| at.starts_with(other)) {
            nearest = Some((device, at, unescaped(root)));
        }
    }
    let (device, at, root) = nearest?;
    let rest = path.strip_prefix(at).ok()?;
    let there = if rest.as_os_str().is_empty() { root } else { root.join(rest) };
    Some((device.to_owned(), there))
}

/// A path as the table writes it: blanks and such as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        rest = after;
        let code =
            after.get(..3).filter(|code| *first == b'\\' && code.iter().all(|b| (b'0'..b'8').contains(b)));
        match code {
            Some(code) => {
                bytes.push(code.iter().fold(0, |n: u8, digit| n.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &after[3..];
            }
            None => bytes.push(*first),
        }
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

/// The nearest directory around a path that exists, itself included.
pub(crate) fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = |ancestor: &&Path| ancestor.symlink_metadata().is_ok();
    absolute.ancestors().find(there).unwrap_or(&absolute).to_owned()
}

/// Whether a path is on an overlay file system.
pub(crate) fn is_layered(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|fs| fs.f_type == libc::OVERLAYFS_SUPER_MAGIC)
}

/// The room where `path` is or will be; `None` where nobody tells.
pub(crate) fn room(path: &Path) -> Option<Room> {
    let fs = rustix::fs::statvfs(nearest(path)).ok()?;
    // File systems without blocks of their own say that they have none at all.
    let files = (fs.f_files > 0).then_some(fs.f_favail);
    (fs.f_blocks > 0).then_some(Room { bytes: fs.f_bavail.saturating_mul(fs.f_frsize), files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_seen_through() {
        let table = b"21 1 8:1 / / rw - ext4 /dev/a rw\n\
            30 21 8:2 / /data rw shared:1 - ext4 /dev/b rw\n\
            31 21 8:2 /deep/x.zarr/sub /mnt/with\\040blank rw - ext4 /dev/b rw\n\
            32 21 0:40 / /data/over rw - tmpfs none rw\n";
        let check = |path: &str, device: &str, there: &str| {
            let found = on_device(table, Path::new(path));
            assert_eq!(found, Some((device.into(), there.into())), "{path}");
        };
        check("/home/o.zarr", "8:1", "/home/o.zarr");
        check("/data/deep/x.zarr", "8:2", "/deep/x.zarr");
        check("/mnt/with blank/o.zarr", "8:2", "/deep/x.zarr/sub/o.zarr");
        check("/mnt/with blank", "8:2", "/deep/x.zarr/sub");
        check("/data/over/o", "0:40", "/o");
        assert_eq!(on_device(b"garbage\n1 2\n", Path::new("/a")), None);
    }
}
