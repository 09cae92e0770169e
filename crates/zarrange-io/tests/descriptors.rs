//! Few descriptors: a batch of many files waits for those that are free, and not forever.
#![expect(unsafe_code, reason = "mmap wants a promise")]

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use zarrange_io::{Extent, IoError, Location, Opener, ReadRequest, Source, Store, WriteRequest};

/// The only test of its binary, for it limits the whole process.
#[test]
fn sixty_four_descriptors_suffice() {
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    // SAFETY: nobody changes the files.
    let mmap = unsafe { Opener::mmap() };
    let openers = [
        ("std", Opener::default()),
        ("std with a pool", Opener::std_pool(4)),
        ("mmap", mmap),
        ("io_uring", Opener::io_uring().unwrap()),
    ];
    for (name, opener) in openers {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        let keys: Vec<String> = (0..500).map(|k| format!("{}/{k}", k % 7)).collect();
        // Four threads, each with more requests in flight than there are descriptors, and a ring to make.
        std::thread::scope(|scope| {
            for half in keys.chunks(125) {
                let store = &store;
                scope.spawn(move || {
                    let mut batch: Vec<_> =
                        half.iter().map(|key| WriteRequest::whole(key, key.as_bytes(), false)).collect();
                    store.write(&mut batch);
                    for request in &batch {
                        request.result.as_ref().unwrap_or_else(|e| panic!("{name}: {e}"));
                    }
                });
            }
        });
        let mut buffers = vec![[0; 16]; keys.len()];
        let requests = keys.iter().zip(&mut buffers);
        let mut batch: Vec<_> =
            requests.map(|(key, b)| ReadRequest::new(Source::Key(key), Extent::Whole, b)).collect();
        store.read(&mut batch);
        for (key, request) in keys.iter().zip(&batch) {
            let read = request.result.as_ref().unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(&request.buffer[..*read], key.as_bytes(), "{name}");
        }
        without_any(name, &store, &keys);
    }
}

/// Somebody holds all descriptors, and keeps them: every one of many openings fails, and they have waited together, not one by one.
fn without_any(name: &str, store: &Store, keys: &[String]) {
    let begin = Instant::now();
    let held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    for key in keys {
        let mut buffer = [0; 16];
        let read = store.read_whole(key, &mut buffer);
        assert!(matches!(read, Err(IoError::Descriptors { limit: Some(64), .. })), "{name}: {read:?}");
    }
    assert!(
        begin.elapsed() < Duration::from_mins(2),
        "{name}: one by one they would take more than half an hour"
    );
    drop(held);
    assert!(store.read_whole(&keys[0], &mut [0; 16]).is_ok(), "{name}");
}
