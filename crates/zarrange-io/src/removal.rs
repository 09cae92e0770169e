//! Removing everything below a name, never through a link.
//!
//! Not by the standard library: it panics where closing a directory fails, which servers may let it.

use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

/// Flags to open a directory that is one itself, and no link to one.
pub(crate) const REAL_DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes the directory `name` of `around`, and all that is in it.
pub(crate) fn remove_directory(around: impl AsFd, name: &CStr) -> Result<(), Errno> {
    let mut entries = Dir::new(openat(&around, name, REAL_DIRECTORY, Mode::empty())?)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let within = entries.fd()?;
        let kind = match entry.file_type() {
            FileType::Unknown => {
                FileType::from_raw_mode(statat(within, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            known => known,
        };
        let removed = match kind {
            FileType::Directory => remove_directory(within, name),
            _ => unlinkat(within, name, AtFlags::empty()),
        };
        match removed {
            // Somebody else was faster.
            Err(Errno::NOENT) => {}
            other => other?,
        }
    }
    unlinkat(&around, name, AtFlags::REMOVEDIR)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_removed_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        fs::create_dir_all(place("old/a/b")).unwrap();
        fs::create_dir_all(place("kept")).unwrap();
        fs::write(place("kept/file"), "kept").unwrap();
        fs::write(place("old/a/file"), "gone").unwrap();
        symlink(place("kept"), place("old/a/link")).unwrap();
        symlink("nowhere", place("old/dangling")).unwrap();
        let root = fs::File::open(dir.path()).unwrap();
        remove_directory(&root, c"old").unwrap();
        assert!(!place("old").exists());
        assert_eq!(fs::read(place("kept/file")).unwrap(), b"kept");
        symlink("kept", place("alias")).unwrap();
        assert!(remove_directory(&root, c"alias").is_err());
        assert!(place("kept/file").exists());
    }
}
