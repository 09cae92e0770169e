//! Removing everything below a name, never through a link.
//!
//! Not by the standard library: it panics where closing a directory fails, which servers may let it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat, unlinkat};
use rustix::io::Errno;

/// Flags to open a directory that is one itself, and no link to one.
pub(crate) const REAL_DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Directories of one that are remembered while others are emptied.
const TOGETHER: usize = 256;

/// Removes the directory `key` of `root`, and all that is in it. It takes one descriptor, however deep that is: what is removed may be
/// what used all others up.
pub(crate) fn remove_directory(root: impl AsFd, key: &str) -> Result<(), Errno> {
    empty(&root, key)?;
    unlinkat(&root, key, AtFlags::REMOVEDIR)
}

fn empty(root: &impl AsFd, key: &str) -> Result<(), Errno> {
    loop {
        let within = remove_entries(root, key)?;
        if within.is_empty() {
            return Ok(());
        }
        // The next turn removes them.
        for name in within {
            match empty(root, &format!("{key}/{name}")) {
                // Somebody else was faster.
                Err(Errno::NOENT) => {}
                other => other?,
            }
        }
    }
}

/// Removes what can be at once: files, links, directories that are empty. Some of the others.
fn remove_entries(root: &impl AsFd, key: &str) -> Result<Vec<String>, Errno> {
    let mut entries = Dir::new(open(root, key)?)?;
    let mut within = Vec::new();
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let dir = entries.fd()?;
        let kind = match entry.file_type() {
            FileType::Unknown => {
                FileType::from_raw_mode(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            known => known,
        };
        let flags = if kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(dir, name, flags) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if within.len() == TOGETHER => break,
            // A name of ours; another one is not known, and cannot be gone through by its key.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                within.push(name.to_str().map_err(|_| Errno::ILSEQ)?.to_owned());
            }
            Err(e) => return Err(e),
        }
    }
    Ok(within)
}

/// Opens a directory below `root`, no link on the way.
fn open(root: &impl AsFd, key: &str) -> Result<OwnedFd, Errno> {
    match openat2(root, key, REAL_DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // Kernels before 5.6, and what filters calls.
        Err(Errno::NOSYS | Errno::PERM) => openat(root, key, REAL_DIRECTORY, Mode::empty()),
        other => other,
    }
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
        remove_directory(&root, "old").unwrap();
        assert!(!place("old").exists());
        assert_eq!(fs::read(place("kept/file")).unwrap(), b"kept");
        for k in 0..600 {
            fs::create_dir_all(place(&format!("wide/{k}/deep"))).unwrap();
        }
        remove_directory(&root, "wide").unwrap();
        assert!(!place("wide").exists());
        symlink("kept", place("alias")).unwrap();
        assert!(remove_directory(&root, "alias").is_err());
        assert!(place("kept/file").exists());
    }
}
