//! Control of the page cache, so that a cold run is cold and a warm run is warm, and a report can prove it.
//!
//! The kernel takes advice without a promise, so it is asked afterwards (`cachestat`), and first whether it can be
//! asked: on overlays and other stacked file systems the call succeeds and sees nothing. Not seen from here: what lies
//! below this kernel, such as the cache of a disk, or of the host of a virtual machine.

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;

use crate::IoError;
use crate::cachestat::{CacheStat, cachestat};
use crate::device::DeviceFacts;

/// Whether files are cold, or a run was warm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// No page of the files is in the page cache.
    Cold,
    /// Nothing was read from a device.
    Warm,
    /// Not cold: at least this many pages are in the page cache.
    Resident {
        /// Pages of the size that the system has.
        pages: u64,
    },
    /// Not warm: this much was read from devices.
    Fetched {
        /// Bytes that devices delivered.
        bytes: u64,
    },
    /// It cannot be known here.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cold => f.write_str("cold: no page was cached"),
            Self::Warm => f.write_str("warm: nothing was read from a device"),
            Self::Resident { pages } => write!(f, "not cold: {pages} pages were cached"),
            Self::Fetched { bytes } => write!(f, "not warm: {bytes} bytes were read from devices"),
            Self::Unknown { reason } => write!(f, "unknown: {reason}"),
        }
    }
}

/// What the page cache holds of some files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residency {
    /// Files looked at.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Pages in the page cache.
    pub cached_pages: u64,
    /// Those of them that are not on the device yet.
    pub dirty_pages: u64,
    /// Why the pages of some file are not known; the counts are those of the others.
    pub unknown: Option<String>,
}

impl Residency {
    fn add(&mut self, path: &Path, bytes: u64, pages: io::Result<CacheStat>) {
        self.files += 1;
        self.bytes += bytes;
        match pages {
            Ok(stat) => {
                self.cached_pages += stat.cached;
                self.dirty_pages += stat.dirty + stat.writeback;
            }
            Err(e) if self.unknown.is_none() => {
                self.unknown = Some(format!("{}: cachestat: {e}", path.display()));
            }
            Err(_) => {}
        }
    }
}

/// What an eviction left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// What is still in the page cache.
    pub left: Residency,
    /// [`Proof::Cold`] if that is nothing.
    pub proof: Proof,
}

/// What the page cache holds of the file at `path`, or of every file below it, symlinks followed.
///
/// Nothing is read, so a file system whose pages `cachestat` does not see looks like one without cached pages: only
/// [`evict`] can tell the two apart.
///
/// # Errors
/// If a file cannot be opened.
pub fn residency(path: &Path) -> Result<Residency, IoError> {
    let mut found = Residency::default();
    visit_files(path, &mut |path, file, meta| {
        found.add(path, meta.len(), cachestat(file));
        Ok(())
    })?;
    Ok(found)
}

/// Drops the pages of the file at `path`, or of every file below it, symlinks followed, from the page cache.
///
/// Needs no rights but to open the files; `cachestat` answers for files that the caller owns or may write.
///
/// # Errors
/// If a file cannot be opened or made clean. Pages that stay are no error: the result says so.
pub fn evict(path: &Path) -> Result<Evicted, IoError> {
    let (mut left, mut seen) = (Residency::default(), HashSet::new());
    sync_directory(path)?;
    visit_files(path, &mut |path, file, meta| {
        let visible = check_visible(file, meta, &mut seen);
        // Only clean pages can be dropped.
        let dropped =
            file.sync_data().and_then(|()| Ok(rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?));
        dropped.map_err(|e| IoError::os("evict", path.display().to_string(), e))?;
        left.add(path, meta.len(), visible.and_then(|()| cachestat(file)));
        Ok(())
    })?;
    let proof = match &left {
        Residency { cached_pages: pages @ 1.., .. } => Proof::Resident { pages: *pages },
        Residency { unknown: Some(reason), .. } => Proof::Unknown { reason: reason.clone() },
        _ => Proof::Cold,
    };
    Ok(Evicted { left, proof })
}

/// Whether the system dropped what it was told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It was told to; what is in use stays.
    Done,
    /// It was not allowed.
    Refused {
        /// By what.
        reason: String,
    },
}

/// Drops the names and inodes that the kernel keeps of all file systems, so that the next lookups go to the device.
/// Concerns every process of the machine and needs root.
pub fn drop_names() -> Dropped {
    // Only clean inodes can be dropped.
    rustix::fs::sync();
    drop_through(Path::new("/proc/sys/vm/drop_caches"))
}

fn drop_through(switch: &Path) -> Dropped {
    match File::options().write(true).open(switch).and_then(|file| file.write_all_at(b"2", 0)) {
        Ok(()) => Dropped::Done,
        Err(e) => Dropped::Refused { reason: format!("{}: {e}", switch.display()) },
    }
}

/// What this process, all its threads together, moved so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceBytes {
    /// Bytes that devices delivered, whoever asked: reads, page faults, rings. Those of the program's own code count too.
    pub read_bytes: u64,
    /// Bytes that will go to devices, counted when pages became dirty.
    pub write_bytes: u64,
    /// Bytes that read calls returned, from wherever; mappings and rings are not counted.
    pub rchar_bytes: u64,
}

impl DeviceBytes {
    /// What moved since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            write_bytes: self.write_bytes.saturating_sub(earlier.write_bytes),
            rchar_bytes: self.rchar_bytes.saturating_sub(earlier.rchar_bytes),
        }
    }

    /// Whether a run that moved this much was warm, given where its data lies: reads that bypass the block devices of
    /// this kernel (network, FUSE, stacked file systems) are not sure to be counted, so there 0 proves nothing.
    pub fn proof_of_warm(&self, place: &DeviceFacts) -> Proof {
        let file_system = place.file_system.as_deref().unwrap_or("unknown");
        if self.read_bytes > 0 {
            Proof::Fetched { bytes: self.read_bytes }
        } else if place.block_device.is_none() || file_system.starts_with("fuse") {
            Proof::Unknown { reason: format!("reads of file system {file_system} may not be counted") }
        } else {
            Proof::Warm
        }
    }
}

/// What this process moved so far.
///
/// # Errors
/// If the system does not count (`/proc/self/io` is missing or says something else).
pub fn device_bytes() -> Result<DeviceBytes, IoError> {
    let location = "/proc/self/io";
    let text = std::fs::read_to_string(location).map_err(|e| IoError::os("read", location, e))?;
    parse_io(&text).ok_or_else(|| IoError::os("understand", location, io::ErrorKind::InvalidData))
}

fn parse_io(text: &str) -> Option<DeviceBytes> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line?.trim().parse().ok()
    };
    Some(DeviceBytes {
        read_bytes: value("read_bytes")?,
        write_bytes: value("write_bytes")?,
        rchar_bytes: value("rchar")?,
    })
}

/// Whether `cachestat` sees the pages of this file system: a file that has just been read has some.
fn check_visible(file: &File, meta: &Metadata, seen: &mut HashSet<u64>) -> io::Result<()> {
    if meta.len() == 0 || seen.contains(&meta.dev()) {
        return Ok(());
    }
    if cachestat(file)?.cached == 0 {
        // One page is enough: no read-ahead.
        rustix::fs::fadvise(file, 0, None, Advice::Random)?;
        file.read_at(&mut [0], 0)?;
        if cachestat(file)?.cached == 0 {
            return Err(io::Error::other("does not see the pages of this file system"));
        }
    }
    seen.insert(meta.dev());
    Ok(())
}

/// Makes the pages of a tree clean at once: far cheaper than for each of thousands of files.
fn sync_directory(path: &Path) -> Result<(), IoError> {
    if !path.is_dir() {
        return Ok(());
    }
    let synced = File::open(path).and_then(|dir| Ok(rustix::fs::syncfs(dir)?));
    synced.map_err(|e| IoError::os("sync", path.display().to_string(), e))
}

type Visit<'a> = dyn FnMut(&Path, &File, &Metadata) -> Result<(), IoError> + 'a;

/// Opens every regular file at or below `root`. Directories are entered once, however many links lead there.
fn visit_files(root: &Path, visit: &mut Visit<'_>) -> Result<(), IoError> {
    let (mut pending, mut entered) = (Vec::new(), HashSet::new());
    let mut look_at = |path: PathBuf, meta: &Metadata, pending: &mut Vec<PathBuf>| {
        if meta.is_dir() && entered.insert((meta.dev(), meta.ino())) {
            pending.push(path);
        } else if meta.is_file() {
            let file = File::open(&path).map_err(|e| IoError::os("open", path.display().to_string(), e))?;
            visit(&path, &file, meta)?;
        }
        Ok::<(), IoError>(())
    };
    let failed = |path: &Path, e| IoError::os("look at", path.display().to_string(), e);
    look_at(root.to_owned(), &root.metadata().map_err(|e| failed(root, e))?, &mut pending)?;
    while let Some(dir) = pending.pop() {
        for entry in dir.read_dir().map_err(|e| failed(&dir, e))? {
            let path = entry.map_err(|e| failed(&dir, e))?.path();
            match path.metadata() {
                // A symlink that leads nowhere has no pages.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(&path, e)),
                Ok(meta) => look_at(path, &meta, &mut pending)?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DeviceBytes, Dropped, Proof, drop_through, parse_io};
    use crate::device::DeviceFacts;

    #[test]
    fn counters_are_understood() {
        let io = "rchar: 6976\nwchar: 1\nread_bytes: 4096\nwrite_bytes: 512\ncancelled_write_bytes: 7\n";
        let expected = DeviceBytes { read_bytes: 4096, write_bytes: 512, rchar_bytes: 6976 };
        assert_eq!(parse_io(io), Some(expected));
        for bad in ["", "rchar: 1", "rchar: 1\nread_bytes: -1\nwrite_bytes: 0"] {
            assert_eq!(parse_io(bad), None, "{bad:?}");
        }
        let later = DeviceBytes { read_bytes: 5000, ..expected };
        assert_eq!(later.since(&expected), DeviceBytes { read_bytes: 904, ..Default::default() });
    }

    #[test]
    fn warm_only_where_reads_are_counted() {
        let check = |read_bytes, file_system: Option<&str>, device: Option<&str>, expected: &str| {
            let place = DeviceFacts {
                file_system: file_system.map(str::to_owned),
                block_device: device.map(str::to_owned),
                ..Default::default()
            };
            let proof = DeviceBytes { read_bytes, ..Default::default() }.proof_of_warm(&place);
            assert!(proof.to_string().starts_with(expected), "{proof}");
        };
        check(0, Some("ext4"), Some("vda"), "warm");
        check(1, Some("ext4"), Some("vda"), "not warm: 1 bytes");
        check(1, None, None, "not warm");
        check(0, Some("overlay"), None, "unknown: reads of file system overlay");
        check(0, Some("fuseblk"), Some("sda1"), "unknown");
        check(0, None, None, "unknown");
    }

    #[test]
    fn a_refusal_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let switch = dir.path().join("switch");
        assert!(matches!(drop_through(&switch), Dropped::Refused { reason } if reason.contains("switch")));
        std::fs::write(&switch, "0").unwrap();
        assert_eq!(drop_through(&switch), Dropped::Done);
        assert_eq!(std::fs::read(&switch).unwrap(), b"2");
    }

    #[test]
    fn proofs_are_readable() {
        assert_eq!(Proof::Resident { pages: 3 }.to_string(), "not cold: 3 pages were cached");
    }
}
