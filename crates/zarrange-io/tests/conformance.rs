//! One suite over every backend: the same calls, the same answers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use zarrange_io::wrappers::counting::{IoCounters, IoCounts, counting};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Access, Change, Entry, IoError, Location, Store};

fn over_every_store(check: impl Fn(&Store)) {
    let dir = tempfile::tempdir().unwrap();
    check(&Location::Path(dir.path().to_owned()).open().unwrap());
    let name = dir.path().file_name().unwrap().to_str().unwrap();
    check(&Location::parse(&format!("memory://{name}")).unwrap().open().unwrap());
    let local = || Location::Path(dir.path().to_owned()).open().unwrap();
    check(&local().below("x/y").unwrap());
    check(&counting(local().below("counted").unwrap(), &Arc::default()));
    check(&faulty(local().below("sound").unwrap(), &Faults::new(Fault::Fail(5), u64::MAX)));
}

fn read(store: &Store, key: &str, room: usize) -> Result<Option<Vec<u8>>, IoError> {
    let mut buffer = vec![0; room];
    let read = store.read_whole(key, &mut buffer, &mut String::new())?;
    Ok(read.map(|n| buffer[..n].to_vec()))
}

fn entry(name: &str, bytes: Option<u64>) -> Entry {
    Entry { name: name.to_owned(), bytes }
}

#[test]
fn whole_objects() {
    over_every_store(|store| {
        let scratch = &mut String::new();
        assert_eq!(read(store, "a/b", 9).unwrap(), None);
        store.write_whole("a/b", b"hello", scratch).unwrap();
        assert_eq!(read(store, "a/b", 5).unwrap().unwrap(), b"hello");
        assert_eq!(read(store, "a/b", 50).unwrap().unwrap(), b"hello");
        assert!(matches!(read(store, "a/b", 4), Err(IoError::TooLarge { bytes: 5, bytes_max: 4, .. })));
        store.write_whole("a/b", b"hi", scratch).unwrap();
        assert_eq!(store.get("a/b", 2).unwrap().unwrap(), b"hi");
        assert!(matches!(store.get("a/b", 1), Err(IoError::TooLarge { .. })));
        store.put("a/c", b"").unwrap();
        assert_eq!(store.list("a").unwrap(), [entry("b", Some(2)), entry("c", Some(0))]);
        assert_eq!(store.list("").unwrap(), [entry("a", None)]);
        assert_eq!(store.list("nothing").unwrap(), []);
        let mut seen = Vec::new();
        store.walk("", &mut |key, bytes| seen.push((key.to_owned(), bytes))).unwrap();
        assert_eq!(seen, [("a/b".to_owned(), 2), ("a/c".to_owned(), 0)]);
    });
}

#[test]
fn open_objects() {
    over_every_store(|store| {
        assert!(store.open("s", Access::Read).unwrap().is_none());
        let object = store.open("s", Access::Create).unwrap().unwrap();
        store.write_at(&object, "s", 3, b"def").unwrap();
        store.write_at(&object, "s", 0, b"abc").unwrap();
        let object = store.open("s", Access::Read).unwrap().unwrap();
        assert_eq!(object.bytes().unwrap(), 6);
        let mut buffer = [0; 4];
        store.read_at(&object, "s", 1, &mut buffer).unwrap();
        assert_eq!(&buffer, b"bcde");
        for offset in [3, 6, 100, u64::MAX / 2] {
            let result = store.read_at(&object, "s", offset, &mut buffer);
            assert!(matches!(result, Err(IoError::Short { available: 6, .. })), "{offset}: {result:?}");
        }
    });
}

#[test]
fn names() {
    over_every_store(|store| {
        let scratch = &mut String::new();
        store.write_whole("old/1", b"1", scratch).unwrap();
        store.write_whole("new/2", b"2", scratch).unwrap();
        store.change(Change::Exchange { a: "old", b: "new" }).unwrap();
        assert_eq!(read(store, "old/2", 9).unwrap().unwrap(), b"2");
        store.change(Change::Remove("new")).unwrap();
        store.change(Change::Remove("new")).unwrap();
        assert_eq!(read(store, "new/1", 9).unwrap(), None);
        store.change(Change::Rename { from: "old", to: "fresh/place" }).unwrap();
        assert_eq!(read(store, "fresh/place/2", 9).unwrap().unwrap(), b"2");
        store.change(Change::Sync).unwrap();
        assert!(store.change(Change::Rename { from: "old", to: "x" }).is_err());
    });
}

#[test]
fn keys_stay_inside() {
    over_every_store(|store| {
        let scratch = &mut String::new();
        for bad in ["../x", "a/../../x", "/etc/passwd", "a//b"] {
            assert!(store.write_whole(bad, b"", scratch).is_err(), "{bad}");
            assert!(store.open(bad, Access::Create).is_err(), "{bad}");
            assert!(store.below(bad).is_err(), "{bad}");
        }
    });
}

#[test]
fn a_symlink_is_not_written_through() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("real"), b"safe").unwrap();
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    let store = Location::Path(dir.path().to_owned()).open().unwrap();
    assert!(store.write_whole("link", b"evil", &mut String::new()).is_err());
    assert_eq!(std::fs::read(dir.path().join("real")).unwrap(), b"safe");
}

#[test]
fn places_within_places() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("a.zarr");
    std::fs::create_dir(&base).unwrap();
    std::os::unix::fs::symlink(&base, dir.path().join("alias")).unwrap();
    let place = |name: &str| Location::Path(dir.path().join(name));
    for (path, within) in [
        ("a.zarr", true),
        ("a.zarr/new/b", true),
        ("alias", true),
        ("alias/b", true),
        ("a.zarr2", false),
        ("b/a.zarr", false),
    ] {
        assert_eq!(place(path).is_within(&place("a.zarr")), within, "{path}");
    }
}

#[test]
fn what_passes_is_counted() {
    let counters = Arc::new(IoCounters::default());
    let store = counting(Location::Memory("counted".to_owned()).open().unwrap(), &counters);
    let scratch = &mut String::new();
    store.write_whole("a", b"12345", scratch).unwrap();
    assert_eq!(read(&store, "a", 9).unwrap().unwrap(), b"12345");
    assert_eq!(read(&store, "b", 9).unwrap(), None);
    let object = store.open("a", Access::Read).unwrap().unwrap();
    store.read_at(&object, "a", 1, &mut [0; 3]).unwrap();
    store.list("").unwrap();
    store.change(Change::Sync).unwrap();
    let expected = IoCounts {
        reads: 3,
        read_bytes: 8,
        writes: 1,
        written_bytes: 5,
        opens: 4,
        batches: 4,
        lists: 1,
        changes: 1,
    };
    assert_eq!(counters.counts(), expected);
}

#[test]
fn faults_happen_once_and_say_where() {
    let check = |fault: Fault, at: u64, expected: &str| {
        let store = Location::Memory(format!("faulty-{expected}-{at}")).open().unwrap();
        let store = faulty(store, &Faults::new(fault, at));
        let scratch = &mut String::new();
        let outcomes = [
            store.write_whole("key", b"12345678", scratch).map(|()| None),
            read(&store, "key", 9),
            read(&store, "key", 9),
        ];
        for (call, outcome) in outcomes.into_iter().enumerate() {
            if call as u64 != at {
                assert!(!matches!(outcome, Ok(Some(data)) if data != b"12345678"));
            } else if expected.is_empty() {
                assert_ne!(outcome.unwrap().unwrap(), b"12345678");
            } else {
                let message = outcome.unwrap_err().to_string();
                assert!(message.contains(expected) && message.contains("key"), "{message}");
            }
        }
    };
    check(Fault::Fail(5), 0, "cannot write");
    check(Fault::Fail(28), 1, "No space left");
    check(Fault::Shorten, 2, "truncated");
    check(Fault::Corrupt, 1, "");
}
