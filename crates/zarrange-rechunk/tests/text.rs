//! Arrays of text: shards where objects are written only whole, and indexes within the memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../zarrange-io/tests/support/callbacks.rs"]
mod tables;

use std::sync::Arc;

use serde_json::{Map as Members, json};
use tables::Map;
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_codec::CodecMetadata;
use zarrange_io::backends::callbacks;
use zarrange_io::{Location, Opener, Store};
use zarrange_rechunk::{NoProgress, RechunkError, Request, prepare, run, verify};

const LENGTH: u64 = 1000;

fn document(length: u64, chunk: u64, shard: Option<u64>) -> Document {
    Document::new(&ArraySpec {
        shape: vec![length],
        data_type: "string",
        fill_value: json!(""),
        layout: Layout {
            chunk: vec![chunk],
            shard: shard.map(|n| vec![n]),
            codecs: vec![CodecMetadata::new("vlen-utf8")],
        },
        dimension_names: vec!["object"],
        attributes: Members::new(),
    })
}

fn place() -> Location {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Location::Memory(format!("text-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Names, of which every seventh is the fill value.
fn create() -> Location {
    let source = place();
    let array = Array::new(source.open().unwrap(), document(LENGTH, 30, None), 3).unwrap();
    let name = |k: u64| if k.is_multiple_of(7) { String::new() } else { format!("object {k}") };
    array.write_strings(&(0..LENGTH).map(name).collect::<Vec<_>>()).unwrap();
    array.write_metadata().unwrap();
    source
}

fn request(source: &Location, target: &Location, (chunk, shard): (&str, &str), threads: u64) -> Request {
    Request { threads, ..Request::new(source.clone(), target.clone()) }
        .within(1 << 20)
        .chunks(chunk)
        .unwrap()
        .shards(shard)
        .unwrap()
}

#[test]
fn shards_of_text_are_written_whole() {
    let source = create();
    let check = |shapes: (&str, &str), threads: u64| {
        let whole: Location = callbacks::store(Arc::new(Map::default()), "whole").into();
        let other = place();
        for target in [&whole, &other] {
            run(prepare(request(&source, target, shapes, threads)).unwrap(), &NoProgress).unwrap();
        }
        let (whole, other) = (whole.open().unwrap(), other.open().unwrap());
        let mut keys = Vec::new();
        other.walk("", &mut |key, _| keys.push(key.to_owned())).unwrap();
        assert!(keys.len() > 1, "{keys:?}");
        for key in keys {
            let bytes = |store: &Store| store.get(&key, u64::MAX).unwrap();
            assert_eq!(bytes(&whole), bytes(&other), "{key}, {shapes:?} on {threads}");
        }
    };
    for threads in [1, 2, 5] {
        check(("10", "100"), threads);
        check(("7", "1001"), threads);
        check(("1000", "1000"), threads);
    }
    let target: Location = callbacks::store(Arc::new(Map::default()), "small").into();
    let small = request(&source, &target, ("10", "1000"), 1).within(60_000);
    let error = prepare(small).and_then(|prepared| run(prepared, &NoProgress)).unwrap_err();
    assert!(matches!(&error, RechunkError::TextMemory { needed, .. } if *needed > 60_000), "{error}");
}

#[test]
fn indexes_are_within_the_memory() {
    let outcome = |request: Request| prepare(request).and_then(|prepared| run(prepared, &NoProgress));
    let source = create();
    // A shard of ten million chunks that is written, with an index of 160 MB.
    let many = request(&source, &place(), ("1", "10000000"), 2);
    let error = outcome(many).unwrap_err();
    let RechunkError::TextIndexes { bytes, needed, .. } = error else { panic!("{error}") };
    assert!(bytes > 160_000_000 && needed > bytes, "{bytes}, {needed}");
    // Fewer threads are used where the indexes of all would not fit.
    let target = place();
    outcome(request(&source, &target, ("1", "100"), 50).within(40_000)).unwrap();
    let compared = verify((&source, &target), &Opener::default(), (1 << 20, 50), false, &NoProgress).unwrap();
    assert!(compared.difference.is_none());
    // One that is read, and is not long enough for its index: no memory is taken for that.
    let (huge, length) = (place(), 1 << 40);
    let array = Array::new(huge.open().unwrap(), document(length, 1, Some(length)), 3).unwrap();
    array.write_metadata().unwrap();
    huge.open().unwrap().put("c/0", &[0]).unwrap();
    let check = |memory: u64, expected: &str| {
        let compared = verify((&huge, &huge), &Opener::default(), (memory, 1), false, &NoProgress);
        let error = compared.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(1 << 30, "indexes of a shard");
    check(u64::MAX >> 1, "1 bytes");
}
