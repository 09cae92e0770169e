//! What a store of callbacks asks, how it takes wrong answers, and places in stores.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/callbacks.rs"]
mod tables;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tables::Map;
use zarrange_io::backends::callbacks::{self, Callbacks, Failure, Get, Listed, Put, Wanted};
use zarrange_io::{
    Access, Change, Coalescing, Extent, Handle, IoError, Location, Object, Opener, ReadRequest, Source,
    Store, WriteRequest,
};

/// Answers as it was told to.
type Answer = Box<dyn Fn(&mut Get<'_>) + Send + Sync>;

/// Callbacks of which one is wrong, and what they were asked.
#[derive(Default)]
struct Wrong {
    answer: Option<Answer>,
    names: Vec<&'static str>,
    /// Sizes of the batches.
    gets: Mutex<Vec<usize>>,
    puts: Mutex<Vec<usize>>,
}

impl std::fmt::Debug for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wrong")
    }
}

impl Callbacks for Wrong {
    fn get(&self, gets: &mut [Get<'_>]) {
        self.gets.lock().unwrap().push(gets.len());
        if let Some(answer) = &self.answer {
            gets.iter_mut().for_each(answer);
        }
    }

    fn put(&self, puts: &mut [Put<'_>]) {
        self.puts.lock().unwrap().push(puts.len());
        puts.iter_mut().filter(|put| put.data() != b"unanswered").for_each(Put::done);
    }

    fn list(&self, _: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<(), Failure> {
        self.names.iter().all(|name| visit(Listed::Prefix(name)));
        if self.names.is_empty() { Err("no names today".into()) } else { Ok(()) }
    }

    fn delete(&self, _: &str) -> Result<(), Failure> {
        Err("nothing is deleted here".into())
    }
}

fn wrong(answer: impl Fn(&mut Get<'_>) + Send + Sync + 'static) -> Arc<Wrong> {
    Arc::new(Wrong { answer: Some(Box::new(answer)), ..Wrong::default() })
}

/// Reads of one batch: their results.
fn read(store: &Store, requests: &[(&str, Extent, usize)]) -> Vec<Result<usize, IoError>> {
    let mut buffers: Vec<Vec<u8>> = requests.iter().map(|(.., room)| vec![0; *room]).collect();
    let requests = requests.iter().zip(&mut buffers);
    let mut batch: Vec<_> = requests
        .map(|((key, extent, _), buffer)| ReadRequest::new(Source::Key(key), *extent, buffer))
        .collect();
    store.read(&mut batch);
    batch.into_iter().map(|request| request.result).collect()
}

#[test]
fn a_batch_is_handed_over_as_a_whole() {
    let object: &'static [u8] = &[7; 100];
    let part = move |get: &mut Get<'_>| match get.wanted().clone() {
        Wanted::Range(range) => {
            let at = |n: u64| usize::try_from(n.min(100)).unwrap();
            get.found(&object[at(range.start)..at(range.end)]);
        }
        Wanted::Whole | Wanted::Size => get.found(object),
    };
    let told = move |get: &mut Get<'_>| {
        part(get);
        get.has(100);
    };
    let requests = [
        ("a/0", Extent::Whole, 200),
        ("a/../b", Extent::Whole, 200),
        ("a/1", Extent::From(50), 50),
        ("a/2", Extent::Part { offset: 50, of: 100 }, 10),
        ("a/3", Extent::Part { offset: 50, of: 101 }, 10),
        ("a/4", Extent::From(50), 51),
        ("a/5", Extent::From(u64::MAX), 2),
        ("a/6", Extent::From(100), 0),
    ];
    let check = |callbacks: &Arc<Wrong>, batches: &[usize]| {
        let store = callbacks::store(callbacks.clone(), "label").below("deep").unwrap();
        assert_eq!(store.coalescing(), Coalescing::OBJECT_STORE);
        let results = read(&store, &requests);
        assert_eq!(*callbacks.gets.lock().unwrap(), batches);
        let [whole, key, range, right, size, short, beyond, nothing] = &results[..] else { panic!() };
        assert!(matches!(whole, Ok(100)) && matches!(range, Ok(50)), "{results:?}");
        assert!(matches!(right, Ok(10)) && matches!(nothing, Ok(0)), "{results:?}");
        assert!(matches!(key, Err(IoError::BadKey(key)) if key == "a/../b"), "{key:?}");
        assert!(matches!(size, Err(IoError::Size { bytes: 100, expected: 101, .. })), "{size:?}");
        let message = short.as_ref().unwrap_err().to_string();
        assert!(message.contains("label/deep/a/4: truncated") && message.contains("100"), "{message}");
        assert!(matches!(beyond, Err(IoError::Short { available: 100, .. })), "{beyond:?}");
        let (data, keys) = ([1; 10], ["x", "y", "../z"]);
        let mut writes: Vec<_> = keys.iter().map(|key| WriteRequest::whole(key, &data, false)).collect();
        store.write(&mut writes);
        assert_eq!(*callbacks.puts.lock().unwrap(), [2]);
        assert!(matches!(&writes[2].result, Err(IoError::BadKey(_))) && writes[1].result.is_ok());
    };
    // Sizes that are told need not be asked for; the others are asked for together.
    check(&wrong(told), &[5, 2]);
    check(&wrong(part), &[5, 5]);
    // An open object has its size.
    let callbacks = wrong(part);
    let store = callbacks::store(callbacks.clone(), "label");
    let open = store.open("a", Access::Read).unwrap().unwrap();
    assert_eq!(open.bytes().unwrap(), 100);
    for (offset, room, right) in [(0, 100, true), (99, 2, false), (101, 0, false)] {
        assert_eq!(store.read_at(&open, offset, &mut vec![0; room]).is_ok(), right, "{offset}");
    }
    assert_eq!(*callbacks.gets.lock().unwrap(), [1, 1], "what cannot be there is not asked for");
    // Several are asked for their sizes at once.
    let opened = store.open_all(&["a", "../b", "c", "d"]);
    let sizes: Vec<_> =
        opened.iter().map(|object| Some(object.as_ref().ok()?.as_ref()?.bytes().unwrap())).collect();
    assert_eq!(sizes, [Some(100), None, Some(100), Some(100)]);
    assert_eq!(*callbacks.gets.lock().unwrap(), [1, 1, 3]);
}

fn missing(get: &mut Get<'_>) {
    get.missing();
}

#[test]
fn wrong_answers_are_errors() {
    let check = |answer: fn(&mut Get<'_>), extent: Extent, expected: &str| {
        let store = callbacks::store(wrong(answer), "label");
        let result = read(&store, &[("key", extent, 4)]).pop().unwrap();
        let message = result.unwrap_err().to_string();
        assert!(message.contains("label/key") && message.contains(expected), "{message}");
    };
    for extent in [Extent::Whole, Extent::From(1), Extent::Part { offset: 1, of: 5 }] {
        check(|_| {}, extent, "gave no answer");
        check(|get| get.failed("the server is not there"), extent, "cannot read: the server is not there");
        check(missing, extent, "not found");
    }
    check(|get| get.found(b"12345"), Extent::Whole, "5 bytes stored, but at most 4");
    check(|get| get.has(5), Extent::Whole, "5 bytes stored, but at most 4");
    // A server that does not know ranges.
    check(|get| get.found(b"12345"), Extent::From(1), "5 bytes were answered where 4 were asked for");
    check(|get| get.has(5), Extent::From(1), "told the size only");
    // An answer without bytes is none.
    check(|get| get.has(3), Extent::Whole, "told the size only");
    let store = callbacks::store(Arc::new(Wrong::default()), "label");
    let message = |result: Result<(), IoError>| result.unwrap_err().to_string();
    assert!(
        message(store.put("key", b"unanswered")).contains("label/key: cannot write: the callback gave no")
    );
    assert!(message(store.list("key").map(drop)).contains("label/key: cannot list: no names today"));
    let removed = store.change(Change::Remove("key"));
    assert!(message(removed).contains("label/key: cannot remove: nothing is deleted here"));
    for name in ["", "a/b", "..", "\0", "/"] {
        let store =
            callbacks::store(Arc::new(Wrong { names: vec!["good", name], ..Wrong::default() }), "label");
        assert!(matches!(store.list("key"), Err(IoError::BadKey(_))), "{name:?}");
        assert!(store.change(Change::Remove("key")).is_err(), "{name:?}");
    }
}

#[test]
fn places_as_text() {
    let check = |text: &str, place: Location, shown: &str| {
        assert_eq!(text.parse::<Location>().unwrap(), place, "{text}");
        assert_eq!(place.to_string(), shown);
        assert_eq!(shown.parse::<Location>().unwrap(), place, "{shown}");
    };
    check("a/b.zarr", Location::Path("a/b.zarr".into()), "a/b.zarr");
    check("file:///a/b", Location::Path("/a/b".into()), "/a/b");
    check("memory://a/b/", Location::Memory("a/b".to_owned()), "memory://a/b");
    let message = "s3://bucket/key".parse::<Location>().unwrap_err().to_string();
    assert!(message.contains("s3://bucket/key") && message.contains("memory://"), "{message}");
}

#[test]
fn places_in_stores() {
    let (map, other) = (Arc::<Map>::default(), Arc::<Map>::default());
    let store = callbacks::store(map, "mine");
    let place = |key: &str| Location::from(store.clone()).below(key);
    store.put("a/b/c", b"12").unwrap();
    let root = Location::from(store.clone());
    assert_eq!(root.to_string(), "mine");
    assert_eq!(place("a/b").to_string(), "mine/a/b");
    // The same key of the same store, however it is said; another store is another place, whatever it is called.
    let said = Location::from(store.below("a").unwrap()).below("b");
    assert_eq!((&said, said.to_string()), (&place("a/b"), "mine/a/b".to_owned()));
    assert_ne!(place("a"), place("b"));
    assert_ne!(root, Location::from(callbacks::store(other, "mine")));
    assert_ne!(root, Location::Memory("mine".to_owned()));
    assert_eq!(place("a/b").parent().unwrap(), (place("a"), "b".to_owned()));
    assert!(matches!(root.parent(), Err(IoError::NoName(_))));
    let within = |inner: &str, outer: &str, is: bool| {
        assert_eq!(place(inner).is_within(&place(outer)), is, "{inner} in {outer}");
        assert!(place(inner).is_within(&root) && !place(inner).is_within(&Location::Memory(String::new())));
    };
    within("a/b", "a", true);
    within("a", "a", true);
    within("ab", "a", false);
    within("a", "a/b", false);
    assert!(said.is_within(&place("a")) && place("a/b/c").is_within(&said));
    for (key, exists) in [("a", true), ("a/b/c", true), ("a/b/d", false), ("b", false)] {
        assert_eq!(place(key).exists().unwrap(), exists, "{key}");
    }
    assert!(root.exists().unwrap());
    assert_eq!(place("a").open().unwrap().get("b/c", 9).unwrap().unwrap(), b"12");
    assert!(matches!(place("../x").open(), Err(IoError::BadKey(_))));
    let absolute = place("a").absolute();
    assert_eq!((absolute, place("a").link(), place("a").room()), (place("a"), None, None));
    assert!(place("a").check_writable().is_ok() && !place("a").is_layered());
    assert_eq!(place("new/one").make_directories().unwrap(), []);
    let tree = place("a").tree().unwrap();
    assert!(place("a").holds(&tree));
    assert_eq!(place("a").tree().unwrap(), tree);
    store.put("a/b/d", b"").unwrap();
    assert_ne!(place("a").tree().unwrap(), tree);
}

/// A store of local files is a place as well, with all that they can do; what opens places wraps it as others.
#[test]
fn places_in_stores_of_files() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Location::Path(dir.path().to_owned()).open().unwrap();
    store.put("a/b", b"12").unwrap();
    let place = Location::from(store).below("a");
    assert!(place.exists().unwrap() && !place.below("c").exists().unwrap());
    assert_eq!(place.abilities(), Location::Path(dir.path().to_owned()).abilities());
    let tree = place.tree().unwrap();
    assert!(place.holds(&tree));
    std::fs::rename(dir.path().join("a"), dir.path().join("old")).unwrap();
    assert!(!place.holds(&tree));
    std::fs::create_dir(dir.path().join("a")).unwrap();
    assert!(place.exists().unwrap() && !place.holds(&tree), "another directory of this name");
    let calls = Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    let opener = Opener::default().wrapped(move |store| {
        counted.fetch_add(1, Ordering::Relaxed);
        store
    });
    opener.open(&place).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// What wraps stores goes around what wrapped them before.
#[test]
fn wrappers_go_around_each_other() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let wrap = |name: &'static str| {
        let told = told.clone();
        move |store: Store| {
            told.lock().unwrap().push(name);
            store
        }
    };
    let opener = Opener::default().wrapped(wrap("inner")).wrapped(wrap("middle")).wrapped(wrap("outer"));
    opener.open(&Location::Memory("wrapped".to_owned())).unwrap();
    assert_eq!(*told.lock().unwrap(), ["inner", "middle", "outer"]);
}

/// A backend from elsewhere gives its own handles, and finds them again.
#[test]
fn a_handle_of_ones_own() {
    #[derive(Debug, PartialEq)]
    struct Mine(u64);
    impl Handle for Mine {
        fn bytes(&self) -> std::io::Result<u64> {
            Ok(self.0)
        }
    }
    #[derive(Debug)]
    struct Other;
    impl Handle for Other {
        fn bytes(&self) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let object = || Object::new("below", "below/a/b".to_owned(), Mine(7));
    assert_eq!((object().key(), object().place(), object().bytes().unwrap()), ("a/b", "below/a/b", 7));
    assert_eq!(object().handle::<Mine>().unwrap(), &Mine(7));
    assert!(matches!(object().handle::<Other>(), Err(IoError::Foreign { .. })));
    assert_eq!(*object().into_handle::<Mine>().unwrap().0, Mine(7));
    assert!(matches!(object().into_handle::<Other>(), Err(IoError::Foreign { .. })));
}
