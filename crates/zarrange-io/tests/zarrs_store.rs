//! The store as zarrs sees it: its own tests of stores, its corner cases, and arrays through it.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; mmap wants a promise")]

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::wrappers::throttled::{Profile, throttled};
use zarrange_io::zarrs::ZarrsStore;
use zarrange_io::{Access, IoError, Location, Opener, Store};
use zarrs::array::{Array, ArrayBuilder, ArraySubset, data_type};
use zarrs::group::GroupBuilder;
use zarrs::node::Node;
use zarrs_filesystem::FilesystemStore;
use zarrs_storage::byte_range::ByteRange::{self, FromStart, Suffix};
use zarrs_storage::store_test::{store_list, store_list_size, store_read, store_write};
use zarrs_storage::{
    ListableStorageTraits, ReadableStorageTraits, ReadableWritableListableStorage, StorageError, StoreKey,
    StorePrefix, WritableStorageTraits,
};

const QUICK: Profile =
    Profile { latency: Duration::from_micros(20), bytes_per_second: 1 << 32, requests_at_once: 4 };

/// A directory on a disk: a file system in memory cannot bypass the page cache.
fn scratch_dir() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn openers() -> [Opener; 4] {
    // SAFETY: the adapter replaces files and never changes one in place.
    let mmap = unsafe { Opener::mmap() };
    [Opener::default(), Opener::std_pool(3), mmap, Opener::io_uring().unwrap()]
}

/// Runs `check` over every backend and every wrapper, in an empty store each time.
fn over_every_store(check: impl Fn(Store)) {
    for opener in openers() {
        println!("{opener:?}");
        let dir = scratch_dir();
        check(opener.open(&Location::Path(dir.path().to_owned())).unwrap());
    }
    let dir = scratch_dir();
    let name = dir.path().file_name().unwrap().to_str().unwrap();
    let local = || local(&dir);
    let memory = || Location::Memory(name.to_owned()).open().unwrap();
    check(local().below("x/y").unwrap());
    check(memory());
    check(counting(local().below("counted").unwrap(), &Arc::default()));
    check(throttled(memory().below("throttled").unwrap(), QUICK));
    check(faulty(local().below("sound").unwrap(), &Faults::new(Fault::Fail(5), u64::MAX)));
}

fn local(dir: &TempDir) -> Store {
    Location::Path(dir.path().to_owned()).open().unwrap()
}

fn key(key: &str) -> StoreKey {
    StoreKey::new(key).unwrap()
}

fn prefix(prefix: &str) -> StorePrefix {
    StorePrefix::new(prefix).unwrap()
}

fn run_the_tests_of_zarrs(store: Store) {
    let store = ZarrsStore::new(store);
    store_write(&store).unwrap();
    store_read(&store).unwrap();
    store_list(&store).unwrap();
    store_list_size(&store).unwrap();
}

#[test]
fn the_tests_of_zarrs() {
    over_every_store(run_the_tests_of_zarrs);
}

#[test]
fn the_tests_of_zarrs_past_the_page_cache() {
    for opener in [Opener::default(), Opener::io_uring().unwrap()] {
        let dir = scratch_dir();
        std::fs::write(dir.path().join("probe"), b"probe").unwrap();
        let store = opener.direct(true).open(&Location::Path(dir.path().to_owned())).unwrap();
        if let Err(IoError::NoDirect { .. }) = store.open("probe", Access::Read) {
            return println!("not supported by this file system, skipped");
        }
        run_the_tests_of_zarrs(store);
    }
}

#[test]
fn keys_without_a_value() {
    over_every_store(|store| {
        let store = ZarrsStore::new(store);
        store.set(&key("a/b"), vec![0, 1, 2, 3].into()).unwrap();
        // A prefix, a key that leads through an object, and the store itself.
        for none in ["a", "a/b/c", "c", ""] {
            assert_eq!(store.get(&key(none)).unwrap(), None, "{none:?}");
            assert_eq!(store.size_key(&key(none)).unwrap(), None, "{none:?}");
            store.erase(&key(none)).unwrap();
        }
        assert_eq!(store.list_prefix(&prefix("a/b/")).unwrap(), []);
        for none in ["a/b/", "a/b/c/", "c/"] {
            store.erase_prefix(&prefix(none)).unwrap();
        }
        for bad in ["", "../a", "a/./b"] {
            assert!(store.set(&key(bad), vec![1].into()).is_err(), "{bad:?}");
        }
        assert_eq!(store.list().unwrap(), [key("a/b")]);
        store.erase_prefix(&prefix("a/")).unwrap();
        assert_eq!(store.list_dir(&StorePrefix::root()).unwrap().prefixes(), &[]);
        store.set(&key("a"), vec![1].into()).unwrap();
        assert_eq!(store.list_dir(&StorePrefix::root()).unwrap().keys(), &[key("a")]);
    });
}

#[test]
fn ranges_are_one_batch() {
    let counters = Arc::new(IoCounters::default());
    let store = Location::Memory("zarrs-ranges".to_owned()).open().unwrap();
    let store = ZarrsStore::new(counting(store, &counters));
    store.set(&key("a"), (0..100).collect::<Vec<u8>>().into()).unwrap();
    let before = counters.counts();
    let read = |ranges: Vec<ByteRange>| -> Result<Vec<Vec<u8>>, StorageError> {
        let parts = store.get_partial_many(&key("a"), Box::new(ranges.into_iter()))?.unwrap();
        parts.map(|part| Ok(part?.into())).collect()
    };
    let ranges = vec![FromStart(90, None), FromStart(3, Some(2)), FromStart(100, Some(0)), Suffix(1)];
    assert_eq!(read(ranges).unwrap(), [(90..100).collect(), vec![3, 4], vec![], vec![99]]);
    let after = counters.counts();
    assert_eq!((after.batches - before.batches, after.opens - before.opens), (1, 1));
    assert_eq!((after.reads - before.reads, after.read_bytes - before.read_bytes), (4, 13));
    for bad in [FromStart(101, None), FromStart(99, Some(2)), FromStart(u64::MAX, Some(1)), Suffix(101)] {
        assert!(read(vec![bad]).is_err(), "{bad}");
    }
    assert_eq!(read(vec![]).unwrap(), Vec::<Vec<u8>>::new());
}

#[test]
fn parts_set_at_once_are_all_kept() {
    over_every_store(|store| {
        let store = ZarrsStore::new(store);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    for i in (thread..32).step_by(4) {
                        store.set_partial(&key("a"), u64::from(i), vec![i].into()).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.get(&key("a")).unwrap().unwrap(), (0..32).collect::<Vec<u8>>());
        let beyond = store.set_partial(&key("a"), u64::MAX, vec![1].into());
        assert!(beyond.unwrap_err().to_string().contains("cannot allocate"));
    });
}

#[test]
fn faults_become_errors_that_name_the_key() {
    let check =
        |fault: Fault, at: u64, expected: &str, call: &dyn Fn(&ZarrsStore) -> Option<StorageError>| {
            let store = Location::Memory(format!("zarrs-faults-{expected}")).open().unwrap();
            let sound = ZarrsStore::new(store.clone());
            sound.set(&key("some/key"), vec![1, 2, 3, 4].into()).unwrap();
            let error = call(&ZarrsStore::new(faulty(store, &Faults::new(fault, at)))).unwrap();
            assert!(matches!(error, StorageError::IOError(_)), "{error:?}");
            let message = error.to_string();
            assert!(message.contains(expected) && message.contains("some/key"), "{message}");
        };
    let get = |store: &ZarrsStore| store.get(&key("some/key")).err();
    check(Fault::Fail(5), 0, "cannot open", &get);
    check(Fault::Fail(5), 1, "cannot read", &get);
    check(Fault::Shorten, 1, "truncated", &get);
    check(Fault::Fail(28), 0, "No space left", &|store| store.set(&key("some/key"), vec![1].into()).err());
    check(Fault::Fail(13), 0, "cannot list", &|store| store.list_prefix(&prefix("some/key/")).err());
}

const SHAPE: [u64; 2] = [33, 50];

fn values() -> Vec<u16> {
    (0..33 * 50).collect()
}

/// A sharded and compressed array in a group; the shards at the edges are cut off.
fn write_array(store: &ReadableWritableListableStorage) {
    GroupBuilder::new().build(store.clone(), "/group").unwrap().store_metadata().unwrap();
    let array = ArrayBuilder::new(SHAPE.to_vec(), vec![16, 20], data_type::uint16(), 0u16)
        .subchunk_shape(vec![8, 5])
        .build(store.clone(), "/group/array")
        .unwrap();
    array.store_metadata().unwrap();
    array.store_array_subset(&array.subset_all(), values()).unwrap();
}

fn check_array(store: &ReadableWritableListableStorage) {
    let array = Array::open(store.clone(), "/group/array").unwrap();
    let read = |subset: &ArraySubset| array.retrieve_array_subset::<Vec<u16>>(subset).unwrap();
    assert_eq!(read(&array.subset_all()), values());
    // Parts of shards: their indexes and inner chunks are ranges.
    let rows = (14..19).flat_map(|y| (18..27).map(move |x| y * 50 + x)).collect::<Vec<u16>>();
    assert_eq!(read(&ArraySubset::new_with_ranges(&[14..19, 18..27])), rows);
    let tree = Node::open(store, "/group").unwrap().hierarchy_tree();
    assert!(tree.contains("array"), "{tree}");
}

#[test]
fn arrays_through_every_store() {
    over_every_store(|store| {
        let store: ReadableWritableListableStorage = Arc::new(ZarrsStore::new(store));
        write_array(&store);
        check_array(&store);
    });
}

#[test]
fn the_same_files_as_through_the_store_of_zarrs() {
    let (ours, theirs) = (scratch_dir(), scratch_dir());
    let adapter =
        |dir: &TempDir| -> ReadableWritableListableStorage { Arc::new(ZarrsStore::new(local(dir))) };
    let plain = |dir: &TempDir| -> ReadableWritableListableStorage {
        Arc::new(FilesystemStore::new(dir.path()).unwrap())
    };
    write_array(&adapter(&ours));
    write_array(&plain(&theirs));
    check_array(&plain(&ours));
    check_array(&adapter(&theirs));
    let keys = adapter(&ours).list().unwrap();
    assert!(keys.len() > 9, "{keys:?}");
    assert_eq!(plain(&theirs).list().unwrap(), keys);
    for key in keys {
        assert_eq!(adapter(&ours).get(&key).unwrap(), plain(&theirs).get(&key).unwrap(), "{key}");
    }
}
