//! The hot path allocates nothing for a request.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; an allocator is unsafe")]

#[path = "support/counted.rs"]
mod counted;

use counted::allocations as count;
use zarrange_io::{Access, Extent, Location, Opener, ReadRequest, Source, Store, WriteRequest};

const FILES: usize = 600;

/// Opening an object allocates its key and its handle.
const FOR_AN_OBJECT: u64 = 2;

/// A pool hands a batch over in blocks of its queue, whatever the number of requests.
const FOR_A_BATCH: u64 = 2;

fn keys() -> Vec<String> {
    (0..FILES).map(|k| format!("c/{}/{k}", k % 3)).collect()
}

fn write(store: &Store, keys: &[String], atomic: bool) -> u64 {
    let mut batch: Vec<_> = keys.iter().map(|key| WriteRequest::whole(key, key.as_bytes(), atomic)).collect();
    let allocations = count(|| store.write(&mut batch));
    assert!(batch.iter().all(|r| r.result.is_ok()));
    allocations
}

fn read_by_key(store: &Store, keys: &[String], buffers: &mut [[u8; 32]]) -> u64 {
    let requests = keys.iter().zip(buffers);
    let mut batch: Vec<_> =
        requests.map(|(key, b)| ReadRequest::new(Source::Key(key), Extent::Whole, b)).collect();
    let allocations = count(|| store.read(&mut batch));
    assert!(batch.iter().all(|r| r.result.is_ok()));
    allocations
}

fn read_open(store: &Store, keys: &[String], buffers: &mut [[u8; 32]]) -> u64 {
    let object = store.open(&keys[0], Access::Read).unwrap().unwrap();
    let extent = |k: usize| Extent::From(k as u64 % 3);
    let requests = buffers
        .iter_mut()
        .enumerate()
        .map(|(k, b)| ReadRequest::new(Source::Open(&object), extent(k), &mut b[..2]));
    let mut batch: Vec<_> = requests.collect();
    let allocations = count(|| store.read(&mut batch));
    assert!(batch.iter().all(|r| r.result.is_ok()));
    allocations
}

fn open(store: &Store, keys: &[String]) -> u64 {
    let (mut objects, mut allocations) = (Vec::with_capacity(9), 0);
    for key in &keys[..9] {
        allocations += count(|| objects.push(store.open(key, Access::Read).unwrap()));
    }
    allocations / 9
}

/// The only test of its binary, for other tests would allocate meanwhile.
#[test]
fn nothing_is_allocated_for_a_request() {
    // SAFETY: nobody changes the files while they are read.
    let mmap = unsafe { Opener::mmap() };
    let openers = [
        ("std", Opener::default()),
        ("std with a pool", Opener::std_pool(2)),
        ("mmap", mmap),
        ("io_uring", Opener::io_uring().unwrap()),
    ];
    for (name, opener) in openers {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Its keys have to be put together.
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap().below("below/it").unwrap();
        let (keys, mut buffers) = (keys(), vec![[0; 32]; FILES]);
        // The first time, directories are made and a thread's ring and slots come to their size.
        write(&store, &keys, false);
        read_by_key(&store, &keys, &mut buffers);
        read_open(&store, &keys, &mut buffers);
        let check = |what: &str, allocations: u64| {
            assert!(
                allocations <= FOR_A_BATCH,
                "{name}, {what}: {allocations} allocations for {FILES} requests"
            );
        };
        check("writes", write(&store, &keys, false));
        check("reads by key", read_by_key(&store, &keys, &mut buffers));
        check("reads of an open object", read_open(&store, &keys, &mut buffers));
        let opened = open(&store, &keys);
        assert!(opened <= FOR_AN_OBJECT, "{name}: {opened} allocations for an object");
    }
}
