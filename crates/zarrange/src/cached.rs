//! What a probed place costs where the page cache helps: what is read lies there already, or what is written stays there for a while.
//!
//! A probe drops the page cache before it reads and waits for the device after it writes. Who rechunks what was just downloaded finds it in
//! memory, and who does not wait for the disk writes to memory, up to what the kernel lets pages be dirty.

use std::fs;
use std::path::{Path, PathBuf};

use zarrange_io::Location;
use zarrange_io::cache::residency;
use zarrange_plan::StoreProfile;

use crate::memory;

/// Files that are listed at most; of them so many are asked, spread evenly.
const LISTED_MAX: usize = 4096;
const ASKED: usize = 64;

/// What lies at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// The part of its bytes that is in the page cache.
    pub(crate) cached: f64,
    /// Its bytes.
    bytes: f64,
}

impl Seen {
    /// Looks at a place; `None` where nobody tells, or there are too many files to say.
    #[expect(clippy::cast_precision_loss, reason = "shares")]
    pub(crate) fn at(location: &Location) -> Option<Self> {
        let Location::Path(path) = location else { return None };
        let files = list(path)?;
        let step = files.len().div_ceil(ASKED).max(1);
        let (mut asked, mut bytes, mut cached) = (0, 0, 0);
        for file in files.iter().step_by(step) {
            let found = residency(file).ok().filter(|found| found.unknown.is_none())?;
            let pages = found.cached_pages.saturating_mul(rustix::param::page_size() as u64);
            (asked, bytes, cached) = (asked + 1, bytes + found.bytes, cached + pages.min(found.bytes));
        }
        let all = bytes as f64 * files.len() as f64 / f64::from(asked.max(1));
        (bytes > 0).then(|| Self { cached: cached as f64 / bytes as f64, bytes: all })
    }

    /// What the place costs whoever reads it now.
    pub(crate) fn reading(&self, place: &StoreProfile, cache: &StoreProfile) -> StoreProfile {
        let mixed = |device: f64, memory: f64| mixed(device, memory, self.cached);
        StoreProfile {
            read_ns_per_byte: mixed(place.read_ns_per_byte, cache.read_ns_per_byte),
            // As long as requests that wait side by side are no more than those of the device.
            read_request_ns: mixed(place.read_request_ns, cache.read_request_ns * place.in_flight),
            open_ns: mixed(place.open_ns, cache.open_ns),
            ..place.clone()
        }
    }

    /// What a place costs where about as much is written, and nobody waits until it is on the disk.
    pub(crate) fn writing(&self, place: &StoreProfile, cache: &StoreProfile) -> StoreProfile {
        let stays = self.stays(1.0);
        let mixed = |device: f64, memory: f64| mixed(device, memory, stays);
        StoreProfile {
            write_ns_per_byte: mixed(place.write_ns_per_byte, cache.write_ns_per_byte),
            write_request_ns: mixed(place.write_request_ns, cache.write_request_ns * place.in_flight),
            create_ns: mixed(place.create_ns, cache.create_ns),
            ..place.clone()
        }
    }
}

impl Seen {
    /// What a place costs where all is written, not packed, and read again.
    pub(crate) fn between(&self, place: &StoreProfile, cache: &StoreProfile) -> StoreProfile {
        /// Array bytes for each that is stored, as photometry has them.
        const UNPACKED: f64 = 2.0;
        let read = Self { cached: self.stays(UNPACKED), ..*self };
        let written = Self { bytes: self.bytes * UNPACKED, ..*self };
        written.writing(&read.reading(place, cache), cache)
    }

    /// The part of so many times its bytes that stays in the page cache when it is written.
    fn stays(&self, times: f64) -> f64 {
        dirty_bytes_max().map_or(0.0, |max| (max / (self.bytes * times)).min(1.0))
    }
}

/// Between two costs; memory is never dearer.
fn mixed(device: f64, memory: f64, in_memory: f64) -> f64 {
    device + (memory.min(device) - device) * in_memory
}

/// Files below a path, in no order; `None` if there are too many.
fn list(path: &Path) -> Option<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
            if files.len() > LISTED_MAX || folders.len() > LISTED_MAX {
                return None;
            }
        }
    }
    Some(files)
}

/// Bytes that are written before the kernel makes writers wait: half-way between where it begins to write and its limit
/// (`vm.dirty_background_ratio` and `vm.dirty_ratio`, of what is available, or `_bytes`).
fn dirty_bytes_max() -> Option<f64> {
    let number = |name: &str| -> Option<f64> {
        fs::read_to_string(Path::new("/proc/sys/vm").join(name)).ok()?.trim().parse().ok()
    };
    #[expect(clippy::cast_precision_loss, reason = "a share of it")]
    let available = memory::available() as f64;
    let limit = |name: &str| match number(&format!("{name}_bytes"))? {
        bytes if bytes > 0.0 => Some(bytes),
        _ => Some(number(&format!("{name}_ratio"))? / 100.0 * available),
    };
    Some(f64::midpoint(limit("dirty_background")?, limit("dirty")?))
}

#[cfg(test)]
mod tests {
    use zarrange_io::cache::{Proof, evict};

    use super::*;

    #[test]
    fn what_is_in_memory_costs_as_much_as_memory() {
        let [disk, cache] = ["nvme", "page-cache"].map(|name| StoreProfile::built_in(name).unwrap());
        let seen = |cached, bytes| Seen { cached, bytes };
        assert_eq!(seen(0.0, 1.0).reading(&disk, &cache), disk);
        let warm = seen(1.0, 1.0);
        assert!((warm.reading(&disk, &cache).read_ns_per_byte - cache.read_ns_per_byte).abs() < 1e-12);
        assert!((warm.writing(&disk, &cache).write_ns_per_byte - cache.write_ns_per_byte).abs() < 1e-12);
        let half = seen(0.5, 1.0).reading(&disk, &cache).read_ns_per_byte;
        assert!(half < disk.read_ns_per_byte && half > cache.read_ns_per_byte, "{half}");
        // What does not fit is written as fast as the disk takes it.
        let much = seen(1.0, 1e18).writing(&disk, &cache).write_ns_per_byte;
        assert!((much / disk.write_ns_per_byte - 1.0).abs() < 1e-3, "{much}");
        assert_eq!(
            seen(1.0, 1.0).reading(&cache, &cache),
            StoreProfile { read_request_ns: 800.0, ..cache.clone() }
        );
    }

    #[test]
    fn what_was_just_written_is_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Seen::at(&Location::Path(folder.path().to_owned())), None);
        fs::create_dir(folder.path().join("c")).unwrap();
        for k in 0..3 {
            fs::write(folder.path().join(format!("c/{k}")), vec![1; 10_000]).unwrap();
        }
        let seen = Seen::at(&Location::Path(folder.path().to_owned()));
        // Without `cachestat` nobody knows, and of some file systems it sees nothing.
        let is_seen = matches!(evict(folder.path()).unwrap().proof, Proof::Cold);
        let expected = Seen { cached: 1.0, bytes: 30_000.0 };
        assert!(!is_seen || seen.is_none_or(|seen| seen == expected), "{seen:?}");
        assert_eq!(Seen::at(&Location::Memory("a".to_owned())), None);
    }
}
