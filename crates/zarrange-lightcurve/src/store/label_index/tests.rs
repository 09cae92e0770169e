//! What is found by an index is what reading all labels finds, and none is used of labels as they were.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use zarrange_array::{Array, Node, Without, open, survey};
use zarrange_grid::Region;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Location, Store};

use super::entry::{ENTRY_BYTES, Entry};
use super::error::NoIndex;
use super::file::{HEADER_BYTES, IndexFile, name};
use super::make::make;
use super::stamp::Stamp;
use super::{LabelIndex, LabelIndexes, Places};
use crate::store::memory::Share;

const EVERYTHING: Share = Share::all(1 << 40);
const ENOUGH: u64 = 1 << 20;

/// Elements of a chunk of labels.
const CHUNK: usize = 700;

const TEXT: &str = "string";
const TYPES: [&str; 4] = [TEXT, "fixed_length_utf32", "null_terminated_bytes", "int64"];

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Location::Path(dir.path().to_owned()).open().unwrap();
    (dir, store)
}

/// Writes `labels` to `store` as an array of a type, and opens it.
fn write(store: &Store, data_type: &str, labels: &[String]) -> Array {
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(1);
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let (data_type, fill_value, codec): (Value, Value, Value) = match data_type {
        TEXT => (json!(TEXT), json!(""), json!({"name": "vlen-utf8"})),
        "int64" => (json!("int64"), json!(0), bytes),
        "fixed_length_utf32" => {
            let length = json!({"length_bytes": 4 * width});
            (json!({"name": data_type, "configuration": length}), json!(""), bytes)
        }
        _ => {
            let length = json!({"length_bytes": width});
            (json!({"name": data_type, "configuration": length}), json!(""), json!({"name": "bytes"}))
        }
    };
    let document = json!({
        "zarr_format": 3, "node_type": "array", "shape": [labels.len()], "data_type": data_type, "fill_value": fill_value,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [codec], "attributes": {}, "dimension_names": ["object"],
    });
    store.put("zarr.json", document.to_string().as_bytes()).unwrap();
    let array = opened(store);
    if array.variable().is_some() {
        array.write_strings(labels).unwrap();
        return array;
    }
    let item = array.elements().unwrap().item_bytes();
    let mut data = Vec::new();
    for label in labels {
        let begin = data.len();
        match data_type.as_str() {
            Some(_) => data.extend(label.parse::<i64>().unwrap().to_ne_bytes()),
            None if item == width => data.extend(label.bytes()),
            None => data.extend(label.chars().flat_map(|c| u32::from(c).to_ne_bytes())),
        }
        data.resize(begin + item, 0);
    }
    array.write_region(&Region::whole(array.shape()), &data).unwrap();
    array
}

fn opened(store: &Store) -> Array {
    match open(store).unwrap() {
        Node::Array(array) => *array,
        Node::Group(_) => panic!("it is an array"),
    }
}

/// A new index of the labels in `store`.
fn made(store: &Store, bytes_max: u64) -> LabelIndex {
    let labels = opened(store);
    let stamp = Stamp::of(&labels).unwrap();
    make(&labels, &stamp, (bytes_max, EVERYTHING)).unwrap();
    current(store).unwrap()
}

/// The index of the labels in `store`, if there is one of them as they are.
fn current(store: &Store) -> Option<LabelIndex> {
    let labels = opened(store);
    let file = IndexFile::open(&labels, &Stamp::of(&labels).unwrap()).unwrap()?;
    Some(LabelIndex { labels, file })
}

/// The first two places of each of `wanted` among `labels`.
fn places(labels: &[String], wanted: &[String]) -> Vec<Places> {
    let of = |wanted: &String| {
        let mut places = (0..).zip(labels).filter(|(_, label)| *label == wanted).map(|(place, _)| place);
        [places.next(), places.next()]
    };
    wanted.iter().map(of).collect()
}

/// Some of `labels`, out of order, and some that are not there.
fn wanted(labels: &[String]) -> Vec<String> {
    let step = labels.len() / 50 + 1;
    let others = ["-7", "", "2", "I2x", "größe"].map(str::to_owned);
    labels.iter().rev().step_by(step).cloned().chain(others).collect()
}

fn numbers(count: u64) -> Vec<String> {
    (0..count).map(|k| (k * 7919 % 100_003).to_string()).collect()
}

#[test]
fn what_is_found_is_what_reading_finds() {
    let check = |data_type: &str, labels: &[String], bytes_max: u64| {
        let (_dir, store) = store();
        write(&store, data_type, labels);
        let (index, wanted) = (made(&store, bytes_max), wanted(labels));
        let told = format!("{data_type}, {} labels, {bytes_max} bytes", labels.len());
        assert_eq!(index.find(&wanted, EVERYTHING).unwrap(), places(labels, &wanted), "{told}");
        for wanted in wanted.iter().map(std::slice::from_ref) {
            assert_eq!(index.find(wanted, EVERYTHING).unwrap(), places(labels, wanted), "{told}: {wanted:?}");
        }
        assert_eq!(survey(&store, Without::NOTHING).unwrap().beside.files.count, 0, "{told}");
    };
    for data_type in TYPES {
        for count in [0, 1, 2, 3, 701, 20_000] {
            check(data_type, &numbers(count), ENOUGH);
        }
        // Labels that are there twice, many times, and everywhere.
        for different in [1, 3, 4000] {
            let labels: Vec<String> = (0..9000_u64).map(|k| (k % different).to_string()).collect();
            check(data_type, &labels, ENOUGH);
        }
        // In many passes.
        check(data_type, &numbers(20_000), 20_000 * ENTRY_BYTES as u64 / 10);
    }
    let same = "one long begin that all labels have ".repeat(3);
    let labels: Vec<String> = (0..3000).map(|k| format!("{same}{k}")).chain([String::new()]).collect();
    check(TEXT, &labels, ENOUGH);
}

/// An open index is read once for a label, after its labels were looked at; one that is opened for it twice more.
#[test]
fn a_label_takes_one_read() {
    let (_dir, store) = store();
    let labels = numbers(20_000);
    write(&store, TEXT, &labels);
    made(&store, ENOUGH);
    let counters = Arc::<IoCounters>::default();
    let counted = counting(store, &counters);
    let indexes = LabelIndexes::default();
    let find = |place: usize| {
        let before = counters.counts();
        let found = indexes
            .find(("a", &|| Ok(opened(&counted))), &labels[place..=place], (EVERYTHING, false))
            .unwrap();
        assert_eq!(found, [[Some(place as u64), None]]);
        let after = counters.counts();
        (after.reads - before.reads, after.opens - before.opens)
    };
    opened(&counted);
    let to_open = counters.counts().reads;
    assert_eq!(find(3).0, to_open + 2, "its header and its entries");
    for place in (0..labels.len()).step_by(611) {
        assert_eq!(find(place), (1, 0), "{place}");
    }
}

#[test]
fn too_little_memory_makes_none() {
    let (_dir, store) = store();
    let labels = write(&store, TEXT, &numbers(20_000));
    let stamp = Stamp::of(&labels).unwrap();
    for bytes_max in [0, 1, 16, 32, 5000] {
        assert_eq!(make(&labels, &stamp, (bytes_max, EVERYTHING)), Err(NoIndex), "{bytes_max}");
    }
    assert!(current(&store).is_none());
}

#[test]
fn none_is_used_of_labels_as_they_were() {
    let key = "c/1";
    let check = |what: &str, change: &dyn Fn(&std::path::Path)| {
        let (dir, store) = store();
        write(&store, "int64", &numbers(3000));
        made(&store, ENOUGH);
        // The clock of the file system goes on.
        std::thread::sleep(Duration::from_millis(30));
        change(dir.path());
        assert!(current(&store).is_none(), "{what}");
        // A new one is of the labels as they are.
        let labels = opened(&store);
        let mut all = vec![0; 8 * usize::try_from(labels.shape()[0]).unwrap()];
        let mut reader = zarrange_array::RegionReader::new(&labels).unwrap();
        reader.read_into(&Region::whole(labels.shape()), &mut all).unwrap();
        let all: Vec<String> = all.as_chunks().0.iter().map(|b| i64::from_ne_bytes(*b).to_string()).collect();
        assert_eq!(made(&store, ENOUGH).find(&all, EVERYTHING).unwrap(), places(&all, &all), "{what}");
    };
    let other = |path: &std::path::Path| {
        let mut chunk = std::fs::read(path.join(key)).unwrap();
        chunk[0] ^= 1;
        chunk
    };
    check("written in place", &|dir| std::fs::write(dir.join(key), other(dir)).unwrap());
    check("written in place, with the time that it had", &|dir| {
        let time = dir.join(key).metadata().unwrap().modified().unwrap();
        std::fs::write(dir.join(key), other(dir)).unwrap();
        std::fs::File::options().write(true).open(dir.join(key)).unwrap().set_modified(time).unwrap();
    });
    check("replaced", &|dir| {
        std::fs::write(dir.join("new"), other(dir)).unwrap();
        std::fs::rename(dir.join("new"), dir.join(key)).unwrap();
    });
    check("removed", &|dir| std::fs::remove_file(dir.join(key)).unwrap());
    check("appended", &|dir| {
        let text = std::fs::read_to_string(dir.join("zarr.json")).unwrap();
        std::fs::write(dir.join("zarr.json"), text.replace("[3000]", "[3001]")).unwrap();
    });
}

#[test]
fn an_index_that_is_damaged_is_not_used() {
    let check = |what: &str, opens: bool, damage: &dyn Fn(&mut Vec<u8>)| {
        let (dir, store) = store();
        let labels = numbers(3000);
        write(&store, TEXT, &labels);
        made(&store, ENOUGH);
        let path = dir.path().join(name());
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), HEADER_BYTES + labels.len() * ENTRY_BYTES);
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(current(&store).is_some(), opens, "{what}");
        if let Some(index) = current(&store) {
            assert_eq!(index.find(&labels[..1], EVERYTHING), Err(NoIndex), "{what}");
        }
        let found =
            LabelIndexes::default().find(("a", &|| Ok(opened(&store))), &labels[..1], (EVERYTHING, true));
        assert_eq!((found, opens && path.exists()), (Err(NoIndex), false), "{what}: labels are new");
    };
    check("cut", false, &|bytes| bytes.truncate(bytes.len() / 2));
    check("empty", false, &Vec::clear);
    check("of another version", false, &|bytes| bytes[15] += 1);
    check("of another count", false, &|bytes| bytes[32] += 1);
    check("nothing written", true, &|bytes| bytes[HEADER_BYTES..].fill(0));
    check("out of order", true, &|bytes| bytes[HEADER_BYTES..].reverse());
    check("places beyond the end", true, &|bytes| {
        bytes[HEADER_BYTES..].chunks_exact_mut(ENTRY_BYTES).for_each(|entry| entry[8 + 2] = 0xff);
    });
}

#[test]
fn labels_that_have_just_changed_have_none() {
    let (dir, store) = store();
    let before = numbers(3000);
    write(&store, "int64", &before);
    let indexes = LabelIndexes::default();
    let find = |label: &String| {
        indexes.find(("a", &|| Ok(opened(&store))), std::slice::from_ref(label), (EVERYTHING, true))
    };
    assert_eq!(find(&before[7]), Err(NoIndex));
    assert!(!dir.path().join(name()).exists());
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(find(&before[7]), Ok(vec![[Some(7), None]]));
    assert!(dir.path().join(name()).exists());
    // An open index is not used of others either.
    let mut after = before.clone();
    after.swap(7, 8);
    write(&store, "int64", &after);
    assert_eq!(find(&before[7]), Err(NoIndex));
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(find(&before[7]), Ok(vec![[Some(8), None]]));
}

#[test]
fn several_that_make_it_at_once_make_one() {
    let (dir, store) = store();
    let labels = numbers(20_000);
    write(&store, TEXT, &labels);
    let left = format!(".{}.partial-of-somebody-0", name());
    std::fs::write(dir.path().join(&left), "begun").unwrap();
    assert_eq!(survey(&store, Without::NOTHING).unwrap().beside.files.count, 0);
    let done: Vec<Result<(), NoIndex>> = std::thread::scope(|scope| {
        let make_one = || {
            let labels = opened(&store);
            make(&labels, &Stamp::of(&labels)?, (ENOUGH, EVERYTHING))
        };
        let running: Vec<_> = (0..4).map(|_| scope.spawn(make_one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(done.contains(&Ok(())), "{done:?}");
    assert_eq!(current(&store).unwrap().find(&labels, EVERYTHING).unwrap(), places_of_each(&labels));
    let names: Vec<String> = store.list("").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [name().as_str(), "c", "zarr.json"]);
}

fn places_of_each(labels: &[String]) -> Vec<Places> {
    (0..labels.len() as u64).map(|place| [Some(place), None]).collect()
}

/// Whatever call fails, or is the last, there is no index or the whole of it, and it can be made afterwards.
#[test]
fn an_end_at_any_call_leaves_labels_that_are_found() {
    let labels = numbers(2000);
    let mut ended = 0;
    for at in 0.. {
        let (_dir, store) = store();
        write(&store, TEXT, &labels);
        let faults = Faults::new(Fault::Fail(28), at);
        let done = match open(&faulty(store.clone(), &faults)) {
            Ok(Node::Array(labels)) => {
                Stamp::of(&labels).and_then(|stamp| make(&labels, &stamp, (10_000, EVERYTHING)))
            }
            Ok(Node::Group(_)) | Err(_) => Err(NoIndex),
        };
        assert_eq!(done.is_ok(), current(&store).is_some(), "call {at}");
        assert_eq!(survey(&store, Without::NOTHING).unwrap().beside.files.count, 0, "call {at}");
        assert_eq!(
            made(&store, ENOUGH).find(&labels, EVERYTHING).unwrap(),
            places_of_each(&labels),
            "call {at}"
        );
        ended += u64::from(done.is_err());
        if faults.calls() <= at {
            break;
        }
    }
    assert!(ended > 20, "{ended}");
}

#[test]
fn a_store_that_does_not_tell_has_none() {
    let store = "memory://labels-without-marks".parse::<Location>().unwrap().open().unwrap();
    let labels = write(&store, TEXT, &numbers(10));
    assert!(Stamp::of(&labels).is_err());
}

#[test]
fn entries_come_back() {
    for (label, place) in [("", 0), ("a", 1), ("größe", super::entry::PLACES_MAX - 1)] {
        let entry = Entry::new(label, place);
        assert_eq!((Entry::from_bytes(&entry.to_bytes()), entry.place()), (entry, place));
        assert!(entry.has_hash_of(Entry::new(label, 5)) && !entry.has_hash_of(Entry::new("b", place)));
    }
}
