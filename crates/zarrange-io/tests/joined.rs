//! Several stores as one: whatever key is asked for, from wherever, is that of the right store.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/callbacks.rs"]
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use tables::Map;
use zarrange_io::backends::callbacks;
use zarrange_io::wrappers::joined::{Part, joined};
use zarrange_io::{Access, Change, Coalescing, Entry, Extent, IoError, Location, ReadRequest, Source, Store};

/// A base in memory with an array of its own, and a folder at `a/b` whose document is that of the base.
fn store() -> (Store, tempfile::TempDir) {
    let base = callbacks::store(Arc::<Map>::default(), "base");
    for (key, data) in [("zarr.json", "root"), ("a/b/zarr.json", "of the base"), ("own/c/0", "own chunk")] {
        base.put(key, data.as_bytes()).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = Location::Path(dir.path().to_owned()).open().unwrap();
    for (key, data) in [("zarr.json", "of the folder"), ("c/0", "chunk 0"), ("c/1", "chunk 1")] {
        folder.put(key, data.as_bytes()).unwrap();
    }
    let part = Part { store: folder, documents: vec!["zarr.json".to_owned(), "missing".to_owned()] };
    (joined(&base, BTreeMap::from([("a/b".to_owned(), part)])).unwrap(), dir)
}

/// Where what is seen from: the whole store, what is around a part, a part, and something in it.
const VIEWS: [&str; 4] = ["", "a", "a/b", "a/b/c"];

#[test]
fn reads() {
    let (store, _dir) = store();
    let check = |place: &str, expected: Option<&str>| {
        for view in VIEWS {
            let Some(key) = place.strip_prefix(view) else { continue };
            let (below, key) = (store.below(view).unwrap(), key.trim_start_matches('/'));
            let (mut whole, mut part) = ([0; 100], [0; 3]);
            let read = below.read_whole(key, &mut whole).unwrap();
            let read = read.map(|bytes| std::str::from_utf8(&whole[..bytes]).unwrap());
            assert_eq!(read, expected, "{key} below {view}");
            let opened = below.open(key, Access::Read).unwrap();
            assert_eq!(opened.is_some(), expected.is_some(), "{key} below {view}");
            let (Some(object), Some(text)) = (opened, expected) else { continue };
            assert_eq!(object.bytes().unwrap(), text.len() as u64);
            assert_eq!(object.key(), key);
            below.read_at(&object, 1, &mut part).unwrap();
            assert_eq!(part, text.as_bytes()[1..4], "{key} below {view}");
            below.close(object).unwrap();
        }
    };
    check("zarr.json", Some("root"));
    check("own/c/0", Some("own chunk"));
    check("a/b/zarr.json", Some("of the base"));
    check("a/b/c/0", Some("chunk 0"));
    check("a/b/c/1", Some("chunk 1"));
    check("a/b/c/2", None);
    check("a/b/missing", None);
    check("a/c/0", None);
}

#[test]
fn a_batch_finds_all_its_objects() {
    let (store, _dir) = store();
    for (view, keys) in [
        ("", ["a/b/c/1", "zarr.json", "a/b/zarr.json", "own/c/0"]),
        ("a/b", ["c/1", "c/0", "zarr.json", "c/1"]),
        ("a/b", ["c/1", "c/0", "c/0", "c/1"]),
    ] {
        let below = store.below(view).unwrap();
        let mut opened: Vec<_> =
            keys.iter().map(|key| below.open(key, Access::Read).unwrap().unwrap()).collect();
        opened.extend(below.open_all(&keys).into_iter().map(|object| object.unwrap().unwrap()));
        let mut rooms = [[0; 20]; 12];
        let mut rooms = rooms.iter_mut();
        let mut request = |source, extent, bytes: usize| {
            ReadRequest::new(source, extent, &mut rooms.next().unwrap()[..bytes])
        };
        let mut batch: Vec<_> = keys.iter().map(|key| request(Source::Key(key), Extent::Whole, 20)).collect();
        batch.extend(opened.iter().map(|object| request(Source::Open(object), Extent::From(1), 3)));
        below.read(&mut batch);
        for (key, request) in keys.iter().cycle().zip(&batch) {
            let expected = match *key {
                "zarr.json" if view.is_empty() => "root",
                "a/b/zarr.json" | "zarr.json" => "of the base",
                "own/c/0" => "own chunk",
                chunk => {
                    if chunk.ends_with('1') {
                        "chunk 1"
                    } else {
                        "chunk 0"
                    }
                }
            };
            let bytes = *request.result.as_ref().unwrap();
            let expected = if bytes == 3 { &expected[1..4] } else { expected };
            assert_eq!(&request.buffer[..bytes], expected.as_bytes(), "{key} below {view}");
        }
    }
}

#[test]
fn names() {
    let (store, _dir) = store();
    let check = |place: &str, expected: &[(&str, Option<u64>)]| {
        let expected: Vec<Entry> =
            expected.iter().map(|(name, bytes)| Entry { name: (*name).to_owned(), bytes: *bytes }).collect();
        for view in VIEWS.iter().filter(|view| place.starts_with(**view)) {
            let key = place[view.len()..].trim_start_matches('/');
            assert_eq!(store.below(view).unwrap().list(key).unwrap(), expected, "{place} below {view}");
        }
    };
    check("", &[("a", None), ("own", None), ("zarr.json", Some(4))]);
    check("a", &[("b", None)]);
    check("a/b", &[("c", None), ("zarr.json", Some(11))]);
    check("a/b/c", &[("0", Some(7)), ("1", Some(7))]);
    let mut seen = 0;
    store
        .visit("a/b", true, &mut |_, _| {
            seen += 1;
            false
        })
        .unwrap();
    assert_eq!(seen, 1, "the listing ends where the visitor says");
}

#[test]
fn a_file_of_a_part_has_its_identity() {
    let (store, dir) = store();
    let folder = Location::Path(dir.path().to_owned()).open().unwrap();
    assert!(folder.identity("c/0").unwrap().is_some());
    assert_eq!(store.identity("a/b/c/0").unwrap(), folder.identity("c/0").unwrap());
    assert_eq!(store.below("a/b").unwrap().mark("c/0").unwrap(), folder.mark("c/0").unwrap());
    assert_eq!(store.identity("a/b/zarr.json").unwrap(), None);
    assert!(store.identity("a/b/c/2").unwrap_err().is_not_found());
}

#[test]
fn nothing_is_written() {
    let (store, dir) = store();
    let unable = |result: Result<(), IoError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, IoError::Unable { .. }), "{error}");
    };
    for key in ["zarr.json", "a/b/c/0", "new"] {
        unable(store.put(key, b"x"));
        unable(store.write_whole(key, b"x"));
        unable(store.change(Change::Remove(key)));
        unable(store.open(key, Access::Create).map(drop));
    }
    assert!(dir.path().join("c/0").exists());
    store.change(Change::Sync).unwrap();
}

#[test]
fn what_can_be_done_is_that_of_the_part() {
    let (store, dir) = store();
    let local = Location::Path(dir.path().to_owned()).open().unwrap().coalescing();
    for view in VIEWS {
        let abilities = store.below(view).unwrap().abilities();
        assert!(abilities.partial_reads && !abilities.partial_writes && !abilities.renames, "{view}");
    }
    assert_eq!(store.coalescing(), local);
    assert_eq!(joined(&store, BTreeMap::new()).unwrap().coalescing(), local);
    let parts = ["x", "y"].map(|key| {
        let store = if key == "x" {
            store.below("a/b").unwrap()
        } else {
            callbacks::store(Arc::<Map>::default(), "far")
        };
        (key.to_owned(), Part { store, documents: Vec::new() })
    });
    assert_eq!(joined(&store, BTreeMap::from(parts)).unwrap().coalescing(), Coalescing::OBJECT_STORE);
    let part = Part { store: store.clone(), documents: Vec::new() };
    assert!(matches!(joined(&store, BTreeMap::from([("../x".to_owned(), part)])), Err(IoError::BadKey(_))));
}
