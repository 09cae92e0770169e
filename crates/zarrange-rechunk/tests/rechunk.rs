//! Rechunking index-valued arrays through every way, within every memory: each element arrives once, in its place.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; mmap wants a promise")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Layout, Node, open};
use zarrange_codec::{CodecMetadata, Scratch};
use zarrange_grid::{Dims, Region};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Change, Location, Opener, Store};
use zarrange_plan::{Costs, Way};
use zarrange_rechunk::{
    ChunkSpec, Codecs, Difference, Durability, Foreign, Job, KeySeparator, Named, NoProgress, RechunkError,
    Report, SpecError, Verify, prepare, run, verify,
};

/// A place of its own in memory.
fn place() -> Location {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    Location::Memory(format!("rechunk-test-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

fn zstd() -> Vec<CodecMetadata> {
    Codecs::Zstd(1).resolve(&Layout { chunk: vec![], shard: None, codecs: vec![] }, 4)
}

/// Every element is its own position; every seventh chunk-sized stretch is fill, so that chunks go missing.
fn values(shape: &[u64]) -> Vec<u8> {
    let whole = Region::whole(shape);
    let value = |k: u64| if (k / 16).is_multiple_of(7) { u32::MAX } else { u32::try_from(k).unwrap() };
    (0..whole.elements()).flat_map(|k| value(k).to_ne_bytes()).collect()
}

fn create(location: &Location, shape: &[u64], chunk: &[u64]) {
    create_with(location, shape, chunk, zstd());
}

fn create_with(location: &Location, shape: &[u64], chunk: &[u64], codecs: Vec<CodecMetadata>) {
    let document = Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(u32::MAX),
        layout: Layout { chunk: chunk.to_vec(), shard: None, codecs },
        dimension_names: ["a", "b", "c", "d"][..shape.len()].to_vec(),
        attributes: Map::from_iter([("units".to_owned(), json!("mag"))]),
    });
    let array = Array::new(location.open().unwrap(), document, 3).unwrap();
    let mut scratch = Scratch::new(array.elements().unwrap().chain());
    array.write_region(&Region::whole(shape), &values(shape), &mut scratch).unwrap();
    array.write_metadata().unwrap();
}

fn job(
    source: &Location,
    target: &Location,
    chunk: &[u64],
    shard: Option<&[u64]>,
    memory: u64,
    threads: u64,
) -> Job {
    let named = |shape: &[u64]| Named {
        array: None,
        spec: ChunkSpec::Sizes(shape.iter().map(|n| i64::try_from(*n).unwrap()).collect()),
    };
    Job {
        source: source.clone(),
        target: target.clone(),
        chunks: vec![named(chunk)],
        shards: shard.map(named).into_iter().collect(),
        mix: None,
        arrays: vec![],
        only_named: false,
        codecs: Codecs::Keep,
        key_separator: KeySeparator::Auto,
        memory_bytes_max: memory,
        threads,
        temp: None,
        verify: Verify::None,
        durability: Durability::None,
        overwrite: false,
        skip: Vec::new(),
        foreign: Foreign::Skip,
        io: Opener::default(),
        costs: Costs::default(),
        way: None,
    }
}

fn rechunk(job: Job) -> Result<Report, RechunkError> {
    run(prepare(job)?, &NoProgress)
}

fn array(location: &Location) -> Array {
    let Node::Array(array) = open(&location.open().unwrap()).unwrap() else { panic!("an array was written") };
    *array
}

/// Every object of a store with its bytes.
fn objects(store: &Store) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    store.walk("", &mut |key, _| drop(out.insert(key.to_owned(), Vec::new()))).unwrap();
    for (key, bytes) in &mut out {
        *bytes = store.get(key, u64::MAX).unwrap().unwrap();
    }
    out
}

#[derive(Clone, Debug)]
struct Case {
    shape: Vec<u64>,
    source: Vec<u64>,
    target: Vec<u64>,
    shard: Option<Vec<u64>>,
    threads: u64,
    memory: u64,
}

fn case() -> impl Strategy<Value = Case> {
    (0usize..4)
        .prop_flat_map(|rank| {
            let of = |range: std::ops::Range<u64>| prop::collection::vec(range, rank);
            (of(0..50), of(1..14), of(1..14), prop::option::of(of(1..5)), 1u64..5, 0u32..9)
        })
        .prop_map(|(shape, source, target, shards, threads, memory)| {
            let shard = shards.map(|s| s.iter().zip(&target).map(|(k, c)| k * c).collect());
            Case { shape, source, target, shard, threads, memory: 8000 << memory }
        })
}

/// Counters and the target's values are right, the memory holds, and the same job gives the same bytes.
fn check(case: &Case, seen: &Mutex<BTreeMap<&'static str, usize>>) -> Result<(), TestCaseError> {
    let Case { shape, source, target, shard, threads, memory } = case;
    let (from, to) = (place(), place());
    create(&from, shape, source);
    let this = job(&from, &to, target, shard.as_deref(), *memory, *threads);
    let report = match prepare(this.clone()) {
        Err(RechunkError::Plan { .. }) => return Ok(()),
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
        Ok(prepared) => {
            let predicted = prepared.predicted();
            let report = run(prepared, &NoProgress).unwrap();
            prop_assert!(report.cost.peak_budget_bytes <= *memory, "{report:?}");
            prop_assert_eq!(predicted.cost.strategy, report.cost.strategy);
            prop_assert_eq!(report.as_planned, Some(true), "{:?}", report);
            report
        }
    };
    *seen.lock().unwrap().entry(report.cost.strategy).or_default() += 1;
    let written = array(&to);
    let (data, _) = written.read_region(&Region::whole(shape)).unwrap();
    prop_assert!(data == values(shape), "{} differs", report.cost.strategy);
    prop_assert_eq!(written.document().attributes(), array(&from).document().attributes());
    let differs =
        verify((&from, &to), &Opener::default(), (1 << 20, *threads), false, &NoProgress).unwrap().difference;
    prop_assert_eq!(differs, None);

    let again = place();
    rechunk(Job { target: again.clone(), threads: 1 + threads % 4, ..this.clone() }).unwrap();
    let (a, b) = (objects(&to.open().unwrap()), objects(&again.open().unwrap()));
    prop_assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    check_forced(case, &this, seen)?;
    check_regrouped(case, &to, &this, seen)
}

/// Every way that applies moves every element to its place, as it was planned.
fn check_forced(
    case: &Case,
    job: &Job,
    seen: &Mutex<BTreeMap<&'static str, usize>>,
) -> Result<(), TestCaseError> {
    for way in Way::ALL {
        let to = place();
        let this = Job { target: to.clone(), way: Some(way), ..job.clone() };
        let Ok(prepared) = prepare(this) else { continue };
        let planned = prepared.to_string();
        let report = run(prepared, &NoProgress).unwrap();
        prop_assert_eq!(report.as_planned, Some(true), "{}: {:?}\n{}", way.name(), report, planned);
        prop_assert!(report.cost.peak_budget_bytes <= case.memory, "{}: {report:?}", way.name());
        let (data, _) = array(&to).read_region(&Region::whole(&case.shape)).unwrap();
        prop_assert!(data == values(&case.shape), "{} differs:\n{planned}", way.name());
        *seen.lock().unwrap().entry(way.name()).or_default() += 1;
    }
    Ok(())
}

/// The same chunks without shards, and in larger ones: no chunk is decoded, and the values are the same.
fn check_regrouped(
    case: &Case,
    from: &Location,
    job: &Job,
    seen: &Mutex<BTreeMap<&'static str, usize>>,
) -> Result<(), TestCaseError> {
    let Case { shape, target, .. } = case;
    let larger: Vec<i64> = target.iter().map(|c| i64::try_from(*c * 3).unwrap()).collect();
    let mut from = from.clone();
    for shards in [ChunkSpec::None, ChunkSpec::Sizes(larger)] {
        let to = place();
        let shards = vec![Named { array: None, spec: shards }];
        let this = Job { source: from, target: to.clone(), shards, ..job.clone() };
        let Ok(prepared) = prepare(this) else { return Ok(()) };
        let report = run(prepared, &NoProgress).unwrap();
        prop_assert!(report.cost.peak_budget_bytes <= case.memory, "{report:?}");
        if report.cost.strategy == "regroup" {
            prop_assert_eq!(report.cost.source_chunk_decodes, 0);
        }
        *seen.lock().unwrap().entry(report.cost.strategy).or_default() += 1;
        let (data, _) = array(&to).read_region(&Region::whole(shape)).unwrap();
        prop_assert!(data == values(shape), "{} differs", report.cost.strategy);
        from = to;
    }
    Ok(())
}

#[test]
fn every_element_arrives_once() {
    let seen = Mutex::default();
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, cases: 400, ..Default::default() });
    runner.run(&case(), |case| check(&case, &seen)).unwrap();
    let seen = seen.into_inner().unwrap();
    for way in ["direct", "reread"].into_iter().chain(Way::ALL.map(Way::name)) {
        assert!(seen.contains_key(way), "no case went the way {way:?}: {seen:?}");
    }
}

#[test]
fn the_same_job_gives_the_same_bytes() {
    let check = |chunk: &[u64], shard: Option<&[u64]>, memory: u64| {
        let from = place();
        create(&from, &[60, 50], &[7, 50]);
        let bytes = |_| {
            let to = place();
            rechunk(job(&from, &to, chunk, shard, memory, 3)).unwrap();
            objects(&to.open().unwrap())
        };
        let runs: Vec<_> = (0..5).map(bytes).collect();
        assert!(runs.windows(2).all(|w| w[0] == w[1]), "{chunk:?} {shard:?} {memory}");
    };
    check(&[10, 10], None, 1 << 20);
    check(&[5, 5], Some(&[30, 25]), 1 << 20);
    check(&[5, 5], Some(&[60, 50]), 20_000);
    check(&[60, 2], None, 8000);
}

/// Chunks without compression are read in slices where the memory holds no more, or need not: whatever the byte order, and where
/// chunks reach beyond the array or are missing.
#[test]
fn slices_of_uncompressed_chunks() {
    let check = |rows: u64, endian: &str, shard: &[u64], memory: u64, requests: u64| {
        let (from, to) = (place(), place());
        let bytes: CodecMetadata =
            serde_json::from_value(json!({"name": "bytes", "configuration": {"endian": endian}})).unwrap();
        create_with(&from, &[rows, 3], &[60_000, 1], vec![bytes]);
        let removed = array(&from).key(&[0, 1]);
        from.open().unwrap().change(Change::Remove(&removed)).unwrap();
        let report = rechunk(job(&from, &to, &[100, 3], Some(shard), memory, 1)).unwrap();
        assert_eq!(report.cost.source_chunk_decodes, requests, "{rows} {endian} {shard:?} {memory}");
        let whole = Region::whole(&[rows, 3]);
        let (a, b) = (array(&from).read_region(&whole).unwrap().0, array(&to).read_region(&whole).unwrap().0);
        assert!(a == b, "{rows} {endian} {shard:?} {memory}");
        // A chunk of another size is damaged, though the slice that is read would be there.
        let key = array(&from).key(&[0, 0]);
        from.open().unwrap().put(&key, &vec![1; 4 * 60_000 + 1]).unwrap();
        let error = rechunk(job(&from, &place(), &[100, 3], Some(shard), memory, 1)).unwrap_err();
        assert!(error.to_string().contains("240000 can be valid"), "{error}");
    };
    check(60_000, "little", &[20_000, 3], 1 << 22, 2);
    check(60_000, "little", &[20_000, 3], 1 << 19, 2 * 3);
    check(60_000, "big", &[20_000, 3], 1 << 19, 2 * 3);
    check(50_000, "little", &[30_000, 3], 1 << 19, 2 * 7);
    check(25_000, "big", &[20_000, 3], 1 << 18, 2 * 5);
}

#[test]
fn chunks_of_nothing_but_fill_are_left_out() {
    let (from, to) = (place(), place());
    create(&from, &[160], &[16]);
    rechunk(job(&from, &to, &[8], None, 1 << 20, 2)).unwrap();
    let keys: Vec<String> = objects(&to.open().unwrap()).into_keys().collect();
    assert!(!keys.contains(&"c/0".to_owned()) && keys.contains(&"c/2".to_owned()), "{keys:?}");
    // The first sixteen elements are fill.
    let all_fill = place();
    create(&all_fill, &[16], &[4]);
    let sharded = place();
    rechunk(job(&all_fill, &sharded, &[4], Some(&[8]), 1 << 20, 2)).unwrap();
    let keys: Vec<String> = objects(&sharded.open().unwrap()).into_keys().collect();
    assert_eq!(keys, ["zarr.json"]);
}

#[test]
fn verification_finds_one_changed_element() {
    let (a, b) = (place(), place());
    for location in [&a, &b] {
        create(location, &[30, 20], &[4, 6]);
    }
    let changed = array(&b);
    let region = Region::new(Dims::from_slice(&[8, 6]), Dims::from_slice(&[4, 6]));
    let (mut data, _) = changed.read_region(&region).unwrap();
    data[4 * (2 * 6 + 3)] ^= 1;
    let mut scratch = Scratch::new(changed.elements().unwrap().chain());
    changed.write_region(&region, &data, &mut scratch).unwrap();
    let difference =
        verify((&a, &b), &Opener::default(), (1 << 20, 2), false, &NoProgress).unwrap().difference;
    assert!(
        matches!(&difference, Some(Difference::Value { index, .. }) if *index == [10, 9]),
        "{difference:?}"
    );
}

/// Comparing may take more memory than moving: the peak that stands beside the planned one is that of moving alone.
#[test]
fn verification_has_a_peak_of_its_own() {
    let check = |chunk: &[u64], shard: Option<&[u64]>, strategy: &str| {
        let from = place();
        create(&from, &[1200, 500], &[60, 50]);
        let run = |verify: Verify| {
            rechunk(Job { verify, ..job(&from, &place(), chunk, shard, 1 << 26, 1) }).unwrap()
        };
        let (moved, sampled, verified) = (run(Verify::None), run(Verify::Sample), run(Verify::Full));
        assert_eq!(moved.cost.strategy, strategy);
        assert_eq!(moved.verify_peak_budget_bytes, 0, "{strategy}");
        let planned = moved.arrays[0].planned.as_ref().unwrap().peak_budget_bytes;
        assert!((1..=planned).contains(&moved.cost.peak_budget_bytes), "{strategy}: {planned}, {moved:?}");
        for report in [sampled, verified] {
            assert_eq!(report.cost.peak_budget_bytes, moved.cost.peak_budget_bytes, "{strategy}");
            let peak = report.verify_peak_budget_bytes;
            assert!((1..=1 << 26).contains(&peak), "{strategy}: {peak}");
            // Copying holds a few stored chunks, comparing takes whole tiles.
            let larger = peak > moved.cost.peak_budget_bytes;
            assert!(larger || strategy != "copy", "{strategy}: {peak}, {moved:?}");
        }
    };
    check(&[60, 50], None, "copy");
    check(&[60, 50], Some(&[300, 250]), "regroup");
    check(&[1200, 10], None, "direct");
}

#[test]
fn a_failed_job_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let local = |name: &str| Location::Path(dir.path().join(name));
    let names = || {
        let names =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    std::fs::create_dir(dir.path().join("a.zarr")).unwrap();
    create(&local("a.zarr"), &[40, 40], &[40, 5]);
    rechunk(job(&local("a.zarr"), &local("keep.zarr"), &[8, 40], None, 1 << 20, 2)).unwrap();
    let kept = objects(&local("keep.zarr").open().unwrap());
    let chunk = dir.path().join("a.zarr/c/0/3");
    let good = std::fs::read(&chunk).unwrap();
    for (damage, expected) in
        [(&good[..good.len() / 2], "chunk c/0/3"), (&[][..], "chunk c/0/3"), (&[0; 5000][..], "chunk c/0/3")]
    {
        std::fs::write(&chunk, damage).unwrap();
        for memory in [1 << 20, 8000] {
            for target in ["b.zarr", "keep.zarr"] {
                let this = job(&local("a.zarr"), &local(target), &[5, 40], None, memory, 3);
                let error = rechunk(Job { overwrite: true, ..this }).unwrap_err().to_string();
                assert!(error.contains(expected) && error.contains("a.zarr"), "{error}");
                assert_eq!(names(), ["a.zarr", "keep.zarr"], "{error}");
            }
        }
    }
    assert!(kept == objects(&local("keep.zarr").open().unwrap()), "the target is as it was");
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let from = place();
    create(&from, &[20, 30], &[4, 6]);
    let check = |change: &dyn Fn(&mut Job), expected: &str| {
        let mut this = job(&from, &place(), &[5, 5], None, 1 << 20, 1);
        change(&mut this);
        let error = prepare(this).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        error
    };
    let spec = |text: &str| Named::parse(text).unwrap();
    check(&|j| j.chunks = vec![spec("5")], "1 numbers, 2 are needed");
    check(&|j| j.chunks = vec![spec("5,0")], "chunk length 0");
    check(&|j| j.chunks = vec![spec("time=5")], "no dimension \"time\"");
    check(&|j| j.chunks = vec![spec("mag:5,5")], "no array \"mag\"");
    check(&|j| j.chunks = vec![spec("5,5"), spec("6,6")], "two SPECs");
    check(&|j| j.shards = vec![spec("12,10")], "[15, 10] would be");
    check(&|j| j.arrays = vec!["x".to_owned()], "no array \"x\"");
    check(&|j| j.chunks = vec![spec("9000000000000000000,9000000000000000000")], "overflow");
    check(&|j| j.memory_bytes_max = 100, "raise --max-mem to at least");
    let error = check(&|j| j.chunks = vec![spec("-7,5")], "chunk length -7");
    assert!(matches!(error, RechunkError::Spec(SpecError::Length { .. })));
    check(&|j| j.target = from.clone(), "the same as source");
    check(&|j| j.source = place(), "no Zarr array or group");
}

/// Every backend of local files.
fn backends() -> Vec<(&'static str, Opener)> {
    // SAFETY: nobody changes the files while they are read.
    let mmap = unsafe { Opener::mmap() };
    vec![
        ("std", Opener::default()),
        ("std with a pool", Opener::std_pool(3).unwrap()),
        ("mmap", mmap),
        ("io_uring", Opener::io_uring().unwrap()),
    ]
}

/// Through every way and every backend the target is the same, byte for byte, and verified.
#[test]
fn the_same_bytes_whichever_backend_ran() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = |name: &str| Location::Path(dir.path().join(name));
    std::fs::create_dir(dir.path().join("source")).unwrap();
    create(&place("source"), &[60, 50], &[60, 3]);
    rechunk(job(&place("source"), &place("sharded"), &[12, 5], Some(&[24, 50]), 1 << 20, 2)).unwrap();
    let check = |way: Way, source: &str, chunk: &[u64], shard: Option<&[u64]>, memory: u64| {
        let name_of_way = way.name();
        let mut expected: Option<BTreeMap<String, Vec<u8>>> = None;
        for (name, io) in backends() {
            let target = place(&format!("{name_of_way} {source} {name}"));
            let durability = Durability::Commit;
            let this = Job { way: Some(way), ..job(&place(source), &target, chunk, shard, memory, 2) };
            let report = rechunk(Job { io: io.clone(), verify: Verify::Full, durability, ..this }).unwrap();
            assert_eq!(report.backend, name.split(' ').next().unwrap());
            let written = objects(&target.open().unwrap());
            assert!(written.len() > 3, "{written:?}");
            assert!(expected.get_or_insert_with(|| written.clone()) == &written, "{way:?} {name}");
            let threads = 2;
            let differs = verify((&place(source), &target), &io, (1 << 20, threads), false, &NoProgress)
                .unwrap()
                .difference;
            assert_eq!(differs, None, "{way:?} {name}");
        }
    };
    check(Way::Tiles, "source", &[7, 50], None, 1 << 20);
    check(Way::Sweep, "source", &[7, 5], None, 3500);
    check(Way::Staged, "source", &[1, 50], None, 4000);
    check(Way::Staged2, "source", &[1, 50], None, 4000);
    check(Way::Copy, "source", &[60, 3], None, 1 << 20);
    check(Way::Regroup, "source", &[60, 3], Some(&[60, 12]), 1 << 20);
    check(Way::Tiles, "sharded", &[24, 10], Some(&[48, 20]), 1 << 20);
    check(Way::Sweep, "sharded", &[7, 9], None, 10_000);
}

/// Every call of a job on local files fails in turn, whatever the backend.
#[test]
fn every_call_on_local_files_may_fail() {
    for (name, backend) in backends() {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let place = |name: &str| Location::Path(dir.path().join(name));
        std::fs::create_dir(dir.path().join("source")).unwrap();
        create(&place("source"), &[24, 20], &[24, 4]);
        for fault in [Fault::Fail(5), Fault::Fail(28)] {
            let mut failed = 0;
            for at in 0.. {
                let faults = Faults::new(fault, at);
                let wrap = faults.clone();
                let io = backend.clone().wrapped(move |store| faulty(store, &wrap));
                let this = job(&place("source"), &place("target"), &[6, 5], Some(&[12, 20]), 1 << 20, 2);
                let outcome = rechunk(Job { io, overwrite: true, ..this });
                if faults.calls() <= at {
                    outcome.unwrap();
                    break;
                }
                failed += u32::from(outcome.is_err());
            }
            assert!(failed > 10, "{name}, {fault:?}: only {failed} calls failed");
            let io = &backend;
            let differs = verify((&place("source"), &place("target")), io, (1 << 20, 1), false, &NoProgress)
                .unwrap()
                .difference;
            assert_eq!(differs, None, "{name}");
        }
    }
}

/// Every call of a job fails in turn, reads and writes, opens and renames: the job ends with an error that tells where, the
/// target does not appear (or is complete), and the same job succeeds afterwards.
#[test]
fn every_call_may_fail() {
    let check = |source: &[u64],
                 chunk: &[u64],
                 shard: Option<&[u64]>,
                 way: Way,
                 (memory, threads): (u64, u64),
                 fault| {
        let from = place();
        create(&from, &[24, 20], source);
        let mut failed = 0;
        for at in 0.. {
            let to = place();
            let faults = Faults::new(fault, at);
            let wrap = faults.clone();
            let io = Opener::default().wrapped(move |store| faulty(store, &wrap));
            let this = job(&from, &to, chunk, shard, memory, threads);
            let outcome = rechunk(Job { io, verify: Verify::Full, way: Some(way), ..this });
            if faults.calls() <= at {
                assert!(outcome.is_ok(), "without a fault: {outcome:?}");
                break;
            }
            match outcome {
                // A fault of the cleaning up, or of a wait for durability.
                Ok(_) => assert_eq!(
                    verify((&from, &to), &Opener::default(), (1 << 20, 1), false, &NoProgress)
                        .unwrap()
                        .difference,
                    None
                ),
                Err(error) => {
                    failed += 1;
                    assert!(!error.to_string().is_empty());
                    assert!(!to.exists().unwrap(), "call {at}: {error}");
                }
            }
        }
        assert!(failed > 20, "{fault:?}: only {failed} calls failed");
    };
    for fault in [Fault::Fail(5), Fault::Fail(28), Fault::Shorten] {
        check(&[24, 3], &[5, 20], None, Way::Tiles, (1 << 20, 1), fault);
        check(&[24, 3], &[4, 5], Some(&[12, 10]), Way::Tiles, (1 << 20, 3), fault);
        check(&[24, 3], &[24, 3], Some(&[24, 9]), Way::Regroup, (1 << 20, 2), fault);
        check(&[24, 3], &[24, 4], None, Way::Sweep, (4000, 2), fault);
        check(&[24, 1], &[1, 20], None, Way::Staged, (3000, 2), fault);
        check(&[24, 1], &[1, 20], None, Way::Staged2, (3000, 2), fault);
    }
}

/// A bit that flips on the way is found by verification, if not before.
#[test]
fn a_flipped_bit_does_not_get_through() {
    let from = place();
    create(&from, &[24, 20], &[24, 3]);
    for at in 0.. {
        let to = place();
        let faults = Faults::new(Fault::Corrupt, at);
        let wrap = faults.clone();
        let io = Opener::default().wrapped(move |store| faulty(store, &wrap));
        let outcome =
            rechunk(Job { io, verify: Verify::Full, ..job(&from, &to, &[5, 20], None, 1 << 20, 2) });
        if faults.calls() <= at {
            break;
        }
        let differs = outcome.is_ok().then(|| {
            verify((&from, &to), &Opener::default(), (1 << 20, 1), false, &NoProgress).unwrap().difference
        });
        assert!(matches!(differs, None | Some(None)), "call {at}: {differs:?}");
    }
}
