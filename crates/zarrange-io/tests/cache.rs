//! The page cache, controlled and observed on real files. A binary of its own: it reads the counters of its process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use zarrange_io::IoError;
use zarrange_io::cache::{DeviceBytes, Proof, device_bytes, evict, residency};
use zarrange_io::device::facts;

const BYTES: usize = 8 << 20;

/// One test at a time: each would see what another reads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the build lies: temporary directories may be in memory.
fn on_disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn data(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i ^ (i >> 8) ^ (i >> 16)).to_le_bytes()[0]).collect()
}

fn read_and_count(path: &Path) -> DeviceBytes {
    let before = device_bytes().unwrap();
    let read = std::fs::read(path).unwrap();
    let moved = device_bytes().unwrap().since(&before);
    assert_eq!(read, data(BYTES));
    moved
}

#[test]
fn cold_then_warm() {
    let _alone = alone();
    let dir = on_disk();
    let (path, place) = (dir.path().join("file"), facts(dir.path()));
    std::fs::write(&path, data(BYTES)).unwrap();
    let evicted = evict(&path).unwrap();
    assert_eq!((evicted.left.files, evicted.left.bytes), (1, BYTES as u64));
    match evicted.proof {
        Proof::Cold => {}
        // An old kernel, a sandbox, or no disk below: not to call it cold is all there is to test.
        Proof::Unknown { .. } => return,
        Proof::Resident { .. } if place.block_device.is_none() => return,
        other => panic!("{other} on {place}"),
    }
    assert_eq!((evicted.left.cached_pages, evicted.left.dirty_pages), (0, 0));

    let cold = read_and_count(&path);
    if place.block_device.is_some() {
        let bytes = BYTES as u64;
        assert!((bytes..2 * bytes).contains(&cold.read_bytes), "{cold:?} on {place}");
        assert_eq!(cold.proof_of_warm(&place), Proof::Fetched { bytes: cold.read_bytes });
    }
    let left = residency(&path).unwrap();
    assert!(left.cached_pages > 0 && left.dirty_pages == 0, "{left:?}");

    // Others on the machine may push pages out, of the file or of this program, but not every time.
    let warm = (0..20).map(|_| read_and_count(&path)).find(|moved| moved.read_bytes == 0);
    let proof = warm.unwrap().proof_of_warm(&place);
    assert!(proof == Proof::Warm || place.block_device.is_none(), "{proof} on {place}");
}

#[test]
fn trees() {
    let _alone = alone();
    let dir = on_disk();
    let (root, beside) = (dir.path().join("root"), dir.path().join("beside"));
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    for (path, bytes) in [("a/1", 5000), ("a/b/2", 1), ("a/b/empty", 0)] {
        std::fs::write(root.join(path), data(bytes)).unwrap();
    }
    std::fs::write(&beside, data(70_000)).unwrap();
    for (target, link) in [("../../beside", "a/file"), ("..", "a/loop"), ("nowhere", "dangling")] {
        symlink(target, root.join(link)).unwrap();
    }
    let check = |path: &Path, files: u64, bytes: u64| {
        let found = residency(path).unwrap();
        assert_eq!((found.files, found.bytes), (files, bytes), "{}", path.display());
        let left = evict(path).unwrap().left;
        assert_eq!((left.files, left.bytes), (files, bytes), "{}", path.display());
        left
    };
    check(&root.join("a/b"), 2, 1);
    check(&root, 4, 75_001);
    let left = check(dir.path(), 5, 145_001);
    // What was reached through a link was evicted as well.
    assert!(left.cached_pages == 0 || facts(dir.path()).block_device.is_none(), "{left:?}");
    let error = evict(&root.join("missing")).unwrap_err();
    assert!(matches!(&error, IoError::NotFound { location } if location.ends_with("missing")), "{error}");
}

#[test]
fn files_in_memory_are_never_called_cold() {
    let _alone = alone();
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else { return };
    if facts(dir.path()).file_system.as_deref() != Some("tmpfs") {
        return;
    }
    let path = dir.path().join("file");
    std::fs::write(&path, data(BYTES)).unwrap();
    let evicted = evict(dir.path()).unwrap();
    assert!(matches!(evicted.proof, Proof::Resident { .. } | Proof::Unknown { .. }), "{evicted:?}");
    let warm = read_and_count(&path).proof_of_warm(&facts(&path));
    assert_ne!(warm, Proof::Warm, "reads of memory are not counted");
}
