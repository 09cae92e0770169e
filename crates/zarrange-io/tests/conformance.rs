//! One suite over every backend: the same calls, the same answers.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; mmap wants a promise")]

#[path = "support/callbacks.rs"]
mod tables;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tables::{Files, Map};
use zarrange_io::backends::callbacks;
use zarrange_io::wrappers::counting::{IoCounters, IoCounts, counting};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::wrappers::stopping::stopping;
use zarrange_io::wrappers::throttled::{Profile, throttled};
use zarrange_io::{
    Abilities, Access, Change, Entry, Extent, IoError, Location, Lock, Opener, ReadRequest, Source, Stop,
    Store, WriteRequest,
};

/// A directory on a disk: what is tested here includes what a file system in memory cannot do.
fn scratch_dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn mmap() -> Opener {
    // SAFETY: the tests change a file only after the last read of it.
    unsafe { Opener::mmap() }
}

/// Every backend of local files. `io_uring` is a part of what is built here: a machine without it fails.
fn openers() -> Vec<(&'static str, Opener)> {
    let mut all = vec![
        ("std", Opener::default()),
        ("std with a pool", Opener::std_pool(3)),
        ("mmap", mmap()),
        ("io_uring", Opener::io_uring().unwrap()),
        ("auto", Opener::auto()),
    ];
    let dir = scratch_dir();
    std::fs::write(dir.path().join("probe"), b"probe").unwrap();
    for (name, opener) in
        [("std direct", Opener::default()), ("io_uring direct", Opener::io_uring().unwrap())]
    {
        let opener = opener.direct(true);
        match opener.open(&Location::Path(dir.path().to_owned())).unwrap().open("probe", Access::Read) {
            Err(IoError::NoDirect { .. }) => println!("{name}: not supported by this file system, skipped"),
            other => {
                other.unwrap();
                all.push((name, opener));
            }
        }
    }
    all
}

/// Runs `check` over every backend, and over every wrapper around each, in an empty store each time.
fn over_every_store(check: impl Fn(&Store)) {
    for (name, opener) in openers() {
        println!("{name}");
        let dir = scratch_dir();
        let store = |below: &str| {
            let path = dir.path().join(below);
            std::fs::create_dir_all(&path).unwrap();
            opener.open(&Location::Path(path)).unwrap()
        };
        wrapped(&store, &check);
    }
    wrapped(&|below| callbacks::store(Arc::<Map>::default(), &format!("map-{below}")), &check);
    let dir = scratch_dir();
    let files = |below: &str| {
        let path = dir.path().join(below);
        std::fs::create_dir_all(&path).unwrap();
        callbacks::store(Arc::new(Files(path)), "files")
    };
    wrapped(&files, &check);
    let dir = scratch_dir();
    let name = dir.path().file_name().unwrap().to_str().unwrap();
    check(&format!("memory://{name}").parse::<Location>().unwrap().open().unwrap());
}

/// A new store as it is, below a key, and behind every wrapper.
fn wrapped(store: &dyn Fn(&str) -> Store, check: &impl Fn(&Store)) {
    check(&store("plain"));
    check(&store("parent").below("x/y").unwrap());
    check(&counting(store("counted"), &Arc::default()));
    check(&faulty(store("sound"), &Faults::new(Fault::Fail(5), u64::MAX)));
    check(&stopping(store("stopping"), &Stop::default()));
    check(&throttled(store("slow"), Profile { latency: Duration::from_micros(1), ..Profile::NVME }));
}

/// Whether `store` can write parts and rename. One that cannot says so, and has done nothing.
fn is_able(store: &Store) -> bool {
    let Abilities { partial_writes, renames, partial_reads: _ } = store.abilities();
    assert_eq!(partial_writes, renames, "here is no store with one of them alone");
    renames
}

fn read(store: &Store, key: &str, room: usize) -> Result<Option<Vec<u8>>, IoError> {
    let mut buffer = vec![0; room];
    let read = store.read_whole(key, &mut buffer)?;
    Ok(read.map(|n| buffer[..n].to_vec()))
}

fn entry(name: &str, bytes: Option<u64>) -> Entry {
    Entry { name: name.to_owned(), bytes }
}

#[test]
fn whole_objects() {
    over_every_store(|store| {
        assert_eq!(read(store, "a/b", 9).unwrap(), None);
        store.write_whole("a/b", b"hello").unwrap();
        assert_eq!(read(store, "a/b", 5).unwrap().unwrap(), b"hello");
        assert_eq!(read(store, "a/b", 50).unwrap().unwrap(), b"hello");
        assert!(matches!(read(store, "a/b", 4), Err(IoError::TooLarge { bytes: 5, bytes_max: 4, .. })));
        store.write_whole("a/b", b"hi").unwrap();
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

/// An object is replaced when all of it is there, in whatever pieces it came; until then, and where that fails, it is as it was.
#[test]
fn objects_replaced_piece_by_piece() {
    over_every_store(|store| {
        store.put("d/r", b"before").unwrap();
        for (bytes, step) in [(0, 1), (10, 3), (65_536, 65_536), (65_537, 1000), (300_000, 299_999)] {
            let data = pattern(bytes, step);
            let mut replacement = store.replacement("d/r");
            data.chunks(step).for_each(|piece| replacement.write_all(piece).unwrap());
            assert_ne!(store.get("d/r", 1 << 20).unwrap().unwrap(), data);
            replacement.finish().unwrap();
            assert_eq!(store.get("d/r", 1 << 20).unwrap().unwrap(), data);
            let mut dropped = store.replacement("d/r");
            dropped.write_all(&pattern(100_000, 1)).unwrap();
            drop(dropped);
            assert_eq!(store.get("d/r", 1 << 20).unwrap().unwrap(), data);
            assert_eq!(store.list("d").unwrap().len(), 1, "nothing else is left");
        }
    });
}

#[test]
fn open_objects() {
    over_every_store(|store| {
        assert!(store.open("s", Access::Read).unwrap().is_none());
        if is_able(store) {
            let object = store.open("s", Access::Create).unwrap().unwrap();
            store.write_at(&object, 3, b"def").unwrap();
            store.write_at(&object, 0, b"abc").unwrap();
            store.close(object).unwrap();
        } else {
            store.write_whole("s", b"abcdef").unwrap();
        }
        let object = store.open("s", Access::Read).unwrap().unwrap();
        assert_eq!(object.bytes().unwrap(), 6);
        let mut buffer = [0; 4];
        store.read_at(&object, 1, &mut buffer).unwrap();
        assert_eq!(&buffer, b"bcde");
        store.read_at(&object, 6, &mut []).unwrap();
        for offset in [3, 6, 100, u64::MAX / 2, u64::MAX - 1] {
            let result = store.read_at(&object, offset, &mut buffer);
            assert!(matches!(result, Err(IoError::Short { available: 6, .. })), "{offset}: {result:?}");
        }
    });
}

#[test]
fn several_are_opened_at_once() {
    over_every_store(|store| {
        let keys = ["a/b", "missing", "a/../b", "c"];
        store.write_whole("a/b", b"of b").unwrap();
        store.write_whole("c", b"of c and more").unwrap();
        let opened = store.open_all(&keys);
        assert!(
            matches!(&opened[1..3], [Ok(None), Err(IoError::BadKey(key))] if key == keys[2]),
            "{opened:?}"
        );
        for (at, data) in [(0, &b"of b"[..]), (3, b"of c and more")] {
            let object = opened[at].as_ref().unwrap().as_ref().unwrap();
            assert_eq!((object.key(), object.bytes().unwrap()), (keys[at], data.len() as u64));
            let mut buffer = vec![0; data.len()];
            store.read_at(object, 0, &mut buffer).unwrap();
            assert_eq!(buffer, data);
        }
        assert!(store.open_all(&[]).is_empty());
    });
    let stop = Stop::default();
    stop.request();
    let stopped =
        stopping(Location::Memory("stopped".to_owned()).open().unwrap(), &stop).open_all(&["a", "b"]);
    assert!(matches!(&stopped[..], [Err(IoError::Stopped(_)), Err(IoError::Stopped(_))]), "{stopped:?}");
}

/// An object is read, written and closed by who opened it; another backend says so, and what it is called.
#[test]
fn objects_of_another_backend() {
    let memory = Location::Memory("foreign".to_owned()).open().unwrap();
    memory.put("here", b"123").unwrap();
    let dir = scratch_dir();
    std::fs::write(dir.path().join("here"), b"123").unwrap();
    let files = Location::Path(dir.path().to_owned()).open().unwrap();
    let foreign = |result: Result<(), IoError>| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains("here") && message.contains("another backend"), "{message}");
    };
    over_every_store(|store| {
        store.put("here", b"123").unwrap();
        let other = if store.label().starts_with("memory") { &files } else { &memory };
        let object = other.open("here", Access::Read).unwrap().unwrap();
        assert_eq!(object.key(), "here");
        foreign(store.read_at(&object, 0, &mut [0; 3]));
        foreign(store.write_at(&object, 0, b"456"));
        foreign(store.close(object));
    });
}

/// Bytes that tell where they are.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|k| u8::try_from((k * 31 + k / 251 + seed * 7) % 256).unwrap()).collect()
}

#[test]
fn a_batch_of_many_objects() {
    over_every_store(|store| {
        // More requests than any backend keeps in flight, every size around a page, missing ones between them.
        let size = |k: usize| [0, 1, 511, 512, 4095, 4096, 4097, 20_000][k % 8];
        let keys: Vec<String> = (0..300).map(|k| format!("d{}/{k}", k % 5)).collect();
        let data: Vec<Vec<u8>> = (0..300).map(|k| pattern(size(k), k)).collect();
        for atomic in [false, true] {
            let mut batch: Vec<_> = keys
                .iter()
                .zip(&data)
                .filter(|(key, _)| !key.ends_with('7'))
                .map(|(key, data)| WriteRequest::whole(key, data, atomic))
                .collect();
            store.write(&mut batch);
            assert!(batch.iter().all(|r| r.result.is_ok()), "{:?}", batch.iter().find(|r| r.result.is_err()));
        }
        let mut buffers = vec![vec![0; 20_001]; 300];
        let mut batch: Vec<_> = keys
            .iter()
            .zip(&mut buffers)
            .map(|(key, buffer)| ReadRequest::new(Source::Key(key), Extent::Whole, buffer))
            .collect();
        store.read(&mut batch);
        for (k, request) in batch.iter().enumerate() {
            match &request.result {
                Err(e) => assert!(e.is_not_found() && keys[k].ends_with('7'), "{}: {e}", keys[k]),
                Ok(read) => assert!(request.buffer[..*read] == data[k], "{}", keys[k]),
            }
        }
        let mut seen = 0;
        store.walk("", &mut |_, _| seen += 1).unwrap();
        assert_eq!(seen, 270, "no temporary names are left");
    });
}

#[test]
fn a_batch_of_ranges() {
    over_every_store(|store| {
        let data = pattern(3_000_000, 0);
        store.write_whole("big", &data).unwrap();
        let object = store.open("big", Access::Read).unwrap().unwrap();
        let key = "big";
        // Offsets and lengths on and off block borders; one range far larger than any block buffer.
        let mut ranges: Vec<(usize, usize)> =
            (0..200).map(|k| (k * 14_983 % 2_900_000, 1 + k * 577 % 40_000)).collect();
        ranges.extend([(0, 4096), (4096, 8192), (512, 512), (1, 2_999_999), (2_999_999, 1), (5, 0)]);
        let mut buffers: Vec<Vec<u8>> = ranges.iter().map(|(_, length)| vec![0; *length]).collect();
        let source = |k: usize| if k.is_multiple_of(3) { Source::Key(key) } else { Source::Open(&object) };
        let mut batch: Vec<_> = ranges
            .iter()
            .zip(&mut buffers)
            .enumerate()
            .map(|(k, ((offset, _), buffer))| {
                ReadRequest::new(source(k), Extent::From(*offset as u64), buffer)
            })
            .collect();
        store.read(&mut batch);
        for ((offset, length), request) in ranges.iter().zip(&batch) {
            assert_eq!(*request.result.as_ref().unwrap(), *length);
            assert!(request.buffer[..] == data[*offset..offset + length], "{offset} {length}");
        }
        // Beyond the end, by name and open: refused with the numbers, the others of the batch unharmed.
        let (mut one, mut two, mut three, mut four) = ([0; 10], [0; 10], [0; 10], [0; 10]);
        let mut batch = [
            ReadRequest::new(Source::Key(key), Extent::From(2_999_995), &mut one),
            ReadRequest::new(Source::Open(&object), Extent::From(2_999_990), &mut two),
            ReadRequest::new(Source::Open(&object), Extent::From(u64::MAX - 3), &mut three),
            // The largest offset means "where the file stands" to some calls of the kernel.
            ReadRequest::new(Source::Key(key), Extent::From(u64::MAX), &mut four),
        ];
        store.read(&mut batch);
        assert!(matches!(batch[0].result, Err(IoError::Short { available: 3_000_000, .. })), "{batch:?}");
        assert!(batch[1].buffer[..] == data[2_999_990..], "{batch:?}");
        assert!(matches!(batch[2].result, Err(IoError::Short { available: 3_000_000, .. })), "{batch:?}");
        assert!(matches!(batch[3].result, Err(IoError::Short { available: 3_000_000, .. })), "{batch:?}");
        // A part of an object of a known size: another size is refused.
        let (mut one, mut two) = ([0; 10], [0; 10]);
        let mut batch = [
            ReadRequest::new(Source::Key(key), Extent::Part { offset: 77, of: 3_000_000 }, &mut one),
            ReadRequest::new(Source::Key(key), Extent::Part { offset: 77, of: 2_999_999 }, &mut two),
        ];
        store.read(&mut batch);
        assert!(batch[0].result.is_ok() && batch[0].buffer[..] == data[77..87], "{batch:?}");
        let size = &batch[1].result;
        assert!(matches!(size, Err(IoError::Size { bytes: 3_000_000, expected: 2_999_999, .. })), "{size:?}");
        if !is_able(store) {
            return;
        }
        let object = store.open("new", Access::Create).unwrap().unwrap();
        for offset in [u64::MAX, u64::MAX - 1, 1 << 63] {
            let message = store.write_at(&object, offset, b"12").unwrap_err().to_string();
            assert!(message.contains("cannot write 2 bytes at offset"), "{message}");
        }
        assert_eq!(object.bytes().unwrap(), 0, "nothing was written");
    });
}

#[test]
fn what_cannot_be_read_says_why() {
    over_every_store(|store| {
        store.write_whole("dir/file", b"1234").unwrap();
        let missing = matches!(read(store, "dir", 10), Ok(None));
        assert!(!missing || store.identity("dir").unwrap().is_none(), "only without directories it is");
        assert!(missing || read(store, "dir", 10).is_err(), "a directory");
        let message = read(store, "dir/file", 3).unwrap_err().to_string();
        assert!(message.contains("dir/file") && message.contains('4') && message.contains('3'), "{message}");
    });
}

#[test]
fn an_object_that_is_replaced_has_another_mark() {
    over_every_store(|store| {
        store.write_whole("dir/file", b"1234").unwrap();
        let Some(first) = store.mark("dir/file").unwrap() else {
            assert!(store.identity("dir/file").unwrap().is_none(), "files tell");
            return;
        };
        assert_eq!((first.bytes, store.mark("dir/file").unwrap()), (4, Some(first)));
        let inode = store.identity("dir/file").unwrap().map(|id| id.inode);
        assert_eq!(inode, Some(first.inode));
        // The same bytes at the same moment, but not the same file.
        store.put("dir/file", b"1234").unwrap();
        let second = store.mark("dir/file").unwrap();
        assert!(second.is_some_and(|second| second != first && second.changed >= first.changed));
        assert!(store.mark("dir/none").unwrap_err().is_not_found());
    });
}

#[test]
fn a_file_that_shrinks_is_an_error() {
    for (name, opener) in openers() {
        let dir = scratch_dir();
        std::fs::write(dir.path().join("f"), pattern(100_000, 1)).unwrap();
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        let object = store.open("f", Access::Read).unwrap().unwrap();
        store.read_at(&object, 90_000, &mut [0; 1000]).unwrap();
        std::fs::OpenOptions::new().write(true).open(dir.path().join("f")).unwrap().set_len(10_000).unwrap();
        let result = store.read_at(&object, 90_000, &mut [0; 1000]);
        assert!(matches!(result, Err(IoError::Short { available: 10_000, .. })), "{name}: {result:?}");
    }
}

#[test]
fn a_file_that_is_being_written_is_not_mapped() {
    let dir = scratch_dir();
    let store = mmap().open(&Location::Path(dir.path().to_owned())).unwrap();
    let writer = store.open("f", Access::Create).unwrap().unwrap();
    store.write_at(&writer, 0, b"12345678").unwrap();
    let mut buffer = [0; 8];
    // Its own open object is read without a mapping.
    store.read_at(&writer, 0, &mut buffer).unwrap();
    assert_eq!(&buffer, b"12345678");
    let message = read(&store, "f", 8).unwrap_err().to_string();
    assert!(message.contains("open for writing") && message.contains("--backend std"), "{message}");
    drop(writer);
    assert_eq!(read(&store, "f", 8).unwrap().unwrap(), b"12345678");
}

#[test]
fn names() {
    over_every_store(|store| {
        if !is_able(store) {
            return;
        }
        store.write_whole("old/1", b"1").unwrap();
        store.write_whole("new/2", b"2").unwrap();
        store.change(Change::Exchange { a: "old", b: "new" }).unwrap();
        assert_eq!(read(store, "old/2", 9).unwrap().unwrap(), b"2");
        store.change(Change::Remove("new")).unwrap();
        store.change(Change::Remove("new")).unwrap();
        assert_eq!(read(store, "new/1", 9).unwrap(), None);
        store.change(Change::Rename { from: "old", to: "fresh/place" }).unwrap();
        assert_eq!(read(store, "fresh/place/2", 9).unwrap().unwrap(), b"2");
        store.change(Change::Sync).unwrap();
        store.change(Change::SyncNames).unwrap();
        assert!(store.change(Change::Rename { from: "old", to: "x" }).is_err());
    });
}

#[test]
fn names_that_must_be_new() {
    over_every_store(|store| {
        if !is_able(store) {
            return;
        }
        let taken = |result: Result<(), IoError>| assert!(result.unwrap_err().is_taken());
        let make = |key| store.change(Change::MakeDirectory(key));
        let new = |key| store.open(key, Access::New).map(|object| drop(object.unwrap()));
        make("run/deep").unwrap();
        new("run/deep/lock").unwrap();
        taken(new("run/deep/lock"));
        taken(make("run/deep"));
        store.write_whole("other/1", b"1").unwrap();
        taken(store.change(Change::Move { from: "run/deep", to: "other" }));
        store.change(Change::Move { from: "other", to: "run/other" }).unwrap();
        assert_eq!(read(store, "run/other/1", 9).unwrap().unwrap(), b"1");
        store.change(Change::Remove("run/other")).unwrap();
        store.change(Change::Remove("run/deep/lock")).unwrap();
        store.change(Change::RemoveEmpty("run/deep")).unwrap();
        make("run/deep").unwrap();
    });
}

/// What a store cannot do is an error that says so, and nothing of it is done.
#[test]
fn an_object_that_must_be_new() {
    over_every_store(|store| {
        if !is_able(store) {
            assert!(matches!(store.put_new("n/e", b"x"), Err(IoError::Unable { .. })));
            return;
        }
        assert!(store.put_new("n/e/w", b"first").unwrap());
        assert!(!store.put_new("n/e/w", b"second").unwrap());
        assert_eq!(read(store, "n/e/w", 9).unwrap().as_deref(), Some(&b"first"[..]));
        assert_eq!(store.list("n/e").unwrap(), [entry("w", Some(5))], "nothing is left beside it");
        assert!(matches!(store.put_new("../n", b"x"), Err(IoError::BadKey(_))));
    });
}

#[test]
fn what_a_store_cannot_do() {
    over_every_store(|store| {
        if is_able(store) {
            return;
        }
        store.put("a/b", b"12").unwrap();
        let unable = |result: Result<(), IoError>| {
            let Err(error @ IoError::Unable { .. }) = result else { panic!("{result:?}") };
            let message = error.to_string();
            assert!(message.contains("this store cannot") && message.contains("a/"), "{message}");
        };
        for access in [Access::Write, Access::Create, Access::New] {
            unable(store.open("a/b", access).map(drop));
            unable(store.open("a/new", access).map(drop));
        }
        let object = store.open("a/b", Access::Read).unwrap().unwrap();
        unable(store.write_at(&object, 1, b"x"));
        assert_eq!(object.lock().unwrap(), Lock::Unknown);
        for change in [
            Change::Rename { from: "a/b", to: "a/c" },
            Change::Move { from: "a/b", to: "a/c" },
            Change::Exchange { a: "a/b", b: "a/c" },
            Change::MakeDirectory("a/c"),
            Change::RemoveEmpty("a/c"),
        ] {
            unable(store.change(change));
        }
        let mut replacement = store.replacement("a/b");
        let result = pattern(17 << 20, 1).chunks(1 << 20).try_for_each(|piece| replacement.write_all(piece));
        unable(result.map_err(|e| e.downcast::<IoError>().unwrap()));
        drop(replacement);
        assert_eq!(store.list("a").unwrap(), [entry("b", Some(2))]);
        assert_eq!(store.get("a/b", 9).unwrap().unwrap(), b"12");
        store.change(Change::Sync).unwrap();
        store.change(Change::SyncNames).unwrap();
        store.change(Change::Remove("a")).unwrap();
        assert_eq!(store.list("").unwrap(), []);
    });
}

#[test]
fn a_lock_has_one_owner() {
    let dir = scratch_dir();
    for (name, opener) in openers() {
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        let owner = store.open(name, Access::New).unwrap().unwrap();
        let taken = owner.lock().unwrap();
        assert!(matches!(taken, Lock::Taken { .. }), "{name}: {taken:?}");
        let other = store.open(name, Access::Read).unwrap().unwrap();
        assert_eq!(other.lock().unwrap(), Lock::Busy, "{name}");
        drop(owner);
        assert_eq!(other.lock().unwrap(), taken, "{name}");
    }
}

#[test]
fn nothing_new_is_made_through_a_link() {
    for (name, opener) in openers() {
        let dir = scratch_dir();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        for key in ["link", "dangling"] {
            assert!(store.change(Change::MakeDirectory(key)).unwrap_err().is_taken(), "{name}");
            assert!(store.open(key, Access::New).unwrap_err().is_taken(), "{name}");
        }
        assert!(store.change(Change::RemoveEmpty("link")).is_err(), "{name}");
        assert!(!dir.path().join("nowhere").exists());
    }
}

#[test]
fn keys_stay_inside() {
    over_every_store(|store| {
        for bad in ["../x", "a/../../x", "/etc/passwd", "a//b"] {
            assert!(store.write_whole(bad, b"").is_err(), "{bad}");
            assert!(store.open(bad, Access::Create).is_err(), "{bad}");
            assert!(store.below(bad).is_err(), "{bad}");
        }
    });
}

#[test]
fn a_symlink_is_not_written_through() {
    for (name, opener) in openers() {
        let dir = scratch_dir();
        std::fs::write(dir.path().join("real"), b"safe").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        assert!(store.write_whole("link", b"evil").is_err(), "{name}");
        assert_eq!(std::fs::read(dir.path().join("real")).unwrap(), b"safe", "{name}");
    }
}

#[test]
fn places_within_places() {
    let dir = scratch_dir();
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
    store.write_whole("a", b"12345").unwrap();
    assert_eq!(read(&store, "a", 9).unwrap().unwrap(), b"12345");
    assert_eq!(read(&store, "b", 9).unwrap(), None);
    let object = store.open("a", Access::Read).unwrap().unwrap();
    store.read_at(&object, 1, &mut [0; 3]).unwrap();
    assert_eq!(store.open_all(&["a", "b"]).len(), 2);
    store.list("").unwrap();
    store.change(Change::Sync).unwrap();
    let expected = IoCounts {
        reads: 3,
        read_bytes: 8,
        writes: 1,
        written_bytes: 5,
        opens: 6,
        batches: 4,
        hops: 8,
        lists: 1,
        changes: 1,
    };
    assert_eq!(counters.counts(), expected);
}

#[test]
fn faults_happen_once_and_say_where() {
    over_every_store(|sound| {
        let check = |fault: Fault, at: u64, expected: &str| {
            let below = sound.below(&format!("faulty{at}{}", expected.replace(' ', "-"))).unwrap();
            let store = faulty(below, &Faults::new(fault, at));
            let outcomes = [
                store.write_whole("key", b"12345678").map(|()| None),
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
    });
}

/// A fault in the midst of a batch: that request fails, the others have their bytes.
#[test]
fn a_fault_hits_one_request_of_a_batch() {
    over_every_store(|sound| {
        let keys: Vec<String> = (0..9).map(|k| format!("batch/{k}")).collect();
        for at in 0..9 {
            let store = faulty(sound.clone(), &Faults::new(Fault::Fail(28), at));
            let mut writes: Vec<_> =
                keys.iter().map(|key| WriteRequest::whole(key, key.as_bytes(), true)).collect();
            store.write(&mut writes);
            let failed: Vec<_> = (0..9).filter(|k| writes[*k].result.is_err()).collect();
            assert_eq!(failed, [usize::try_from(at).unwrap()]);
            let store = faulty(sound.clone(), &Faults::new(Fault::Fail(5), at));
            let mut buffers = vec![[0; 100]; 9];
            let mut reads: Vec<_> = keys
                .iter()
                .zip(&mut buffers)
                .map(|(key, buffer)| ReadRequest::new(Source::Key(key), Extent::Whole, buffer))
                .collect();
            store.read(&mut reads);
            for (k, request) in reads.iter().enumerate() {
                match &request.result {
                    Ok(read) => assert_eq!(&request.buffer[..*read], keys[k].as_bytes()),
                    // What failed to be written is missing in the first round.
                    Err(e) => assert!(k as u64 == at, "{e}"),
                }
            }
        }
    });
}
