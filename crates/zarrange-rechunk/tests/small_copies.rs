//! Groups of small arrays that are only copied: the same bytes and reports however many are copied at once, within the memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Map, json};
use support::{place, values, ways};
use zarrange_array::{Array, ArraySpec, Document, Group, Layout, publish_metadata};
use zarrange_grid::Region;
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Location, Opener};
use zarrange_plan::Counts;
use zarrange_rechunk::{Codecs, NoProgress, Report, Request, prepare, run};

/// Arrays of a group, of which the first gets other chunks. Half of them are in a group of their own.
const ARRAYS: usize = 9;
const SHAPE: [u64; 2] = [40, 30];

/// Arrays with attributes of so many bytes.
fn create(attributes: usize) -> Location {
    let source = place();
    let root = source.open().unwrap();
    for path in paths() {
        let layout = Layout { chunk: vec![10, 30], shard: None, codecs: Vec::new() };
        let document = Document::new(&ArraySpec {
            shape: SHAPE.to_vec(),
            data_type: "uint32",
            fill_value: json!(0),
            layout: Layout { codecs: Codecs::Zstd(1).resolve(&layout, 4), ..layout },
            dimension_names: vec!["a", "b"],
            attributes: Map::from_iter([("note".to_owned(), json!("n".repeat(attributes)))]),
        });
        let array = Array::new(root.below(&path).unwrap(), document, 3).unwrap();
        array.write_region(&Region::whole(&SHAPE), &values(&SHAPE)).unwrap();
        array.write_metadata().unwrap();
    }
    let group = Group::new(root.clone(), Map::new());
    publish_metadata(&root, &[], &[(String::new(), group)], false).unwrap();
    source
}

/// Their paths, in the order of reports.
fn paths() -> Vec<String> {
    let path = |k: usize| if k.is_multiple_of(2) { format!("a{k}") } else { format!("below/a{k}") };
    let mut paths: Vec<String> = (0..ARRAYS).map(path).collect();
    paths.sort();
    paths
}

fn request(source: &Location, target: &Location, memory: u64, threads: u64) -> Request {
    Request { threads, ..Request::new(source.clone(), target.clone()) }
        .within(memory)
        .chunks("a0:20,15")
        .unwrap()
}

#[test]
fn the_same_whatever_is_copied_at_once() {
    let (small, large) = (create(10), create(1 << 16));
    let check_of = |source: &Location, memory: u64, threads: u64, at_once: u64| {
        let target = place();
        let prepared = prepare(request(source, &target, memory, threads)).unwrap();
        let predicted = prepared.predicted();
        let report = run(prepared, &NoProgress).unwrap();
        assert_eq!(report.as_planned, Some(true), "{report:?}");
        let (planned, peak) = (predicted.cost.peak_budget_bytes, report.cost.peak_budget_bytes);
        assert!(peak <= planned && planned <= memory, "{peak} of {planned} of {memory}");
        let one = predicted.arrays.iter().map(|a| a.cost.peak_budget_bytes).max().unwrap();
        let together = if at_once > 1 { at_once * (2 << 20) } else { 0 };
        assert_eq!(planned, together.max(one), "{threads} threads within {memory}");
        let of = |report: &Report| -> Vec<(String, Counts)> {
            report.arrays.iter().map(|a| (a.array.clone(), a.cost.counts)).collect()
        };
        (of(&predicted), of(&report), ways::digest(&target, true))
    };
    let check = |memory: u64, threads: u64, at_once: u64| check_of(&small, memory, threads, at_once);
    let expected = check(1 << 30, 1, 1);
    assert_eq!(expected.1.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), paths());
    for (memory, threads, at_once) in [
        (1 << 30, 2, 2),
        (1 << 30, 5, 5),
        // There are no more of them.
        (1 << 30, 50, ARRAYS as u64 - 1),
        // Half of the memory is for two.
        (9 << 20, 5, 2),
        (7 << 20, 5, 1),
        (100_000, 5, 1),
    ] {
        assert_eq!(check(memory, threads, at_once), expected, "{threads} threads within {memory}");
    }
    // Their documents would be in memory together.
    check_of(&large, 1 << 30, 5, 1);
}

/// Whichever call fails, all workers end, and nothing is left.
#[test]
fn a_copy_among_several_fails() {
    let source = create(10);
    let mut failed = 0;
    for at in 0.. {
        let (target, faults) = (place(), Faults::new(Fault::Fail(5), at));
        let wrap = faults.clone();
        let io = Opener::default().wrapped(move |store| faulty(store, &wrap));
        let outcome = prepare(Request { io, ..request(&source, &target, 1 << 30, 3) })
            .and_then(|prepared| run(prepared, &NoProgress));
        if faults.calls() <= at {
            outcome.unwrap();
            break;
        }
        if outcome.is_err() {
            failed += 1;
            assert!(!target.exists().unwrap(), "call {at}");
        }
    }
    assert!(failed > ARRAYS, "{failed} calls failed");
}
