//! Rechunking index-valued arrays through every way, within every memory: each element arrives once, in its place.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; mmap wants a promise")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use zarrange_array::{Array, ArrayError, ArraySpec, Document, Layout, Node, open};
use zarrange_codec::CodecMetadata;
use zarrange_grid::{Dims, Region};
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Change, Location, Opener, Store};
use zarrange_plan::Way;
use zarrange_rechunk::{
    ChunkSpec, Codecs, Difference, Durability, Named, NoProgress, RechunkError, Report, Request, Sparse,
    SpecError, Verify, prepare, run, verify,
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
    let layout = Layout { chunk: chunk.to_vec(), shard: None, codecs };
    create_of(location, shape, layout, &values(shape));
}

fn document(shape: &[u64], layout: Layout) -> Document {
    Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(u32::MAX),
        layout,
        dimension_names: ["a", "b", "c", "d"][..shape.len()].to_vec(),
        attributes: Map::from_iter([("units".to_owned(), json!("mag"))]),
    })
}

fn create_of(location: &Location, shape: &[u64], layout: Layout, data: &[u8]) {
    let array = Array::new(location.open().unwrap(), document(shape, layout), 3).unwrap();
    array.write_region(&Region::whole(shape), data).unwrap();
    array.write_metadata().unwrap();
}

/// An array whose objects have these lengths in each dimension, the last of them again and again: shards of `inner` chunks, or chunks.
/// Each object is the only one of an array of its shape.
fn create_rectilinear(location: &Location, shape: &[u64], lengths: &[Vec<u64>], inner: Option<&[u64]>) {
    let largest: Vec<u64> = lengths.iter().map(|axis| *axis.iter().max().unwrap()).collect();
    let layout = |object: &[u64]| Layout {
        chunk: inner.unwrap_or(object).to_vec(),
        shard: inner.map(|_| object.to_vec()),
        codecs: zstd(),
    };
    let mut json: Value = serde_json::from_slice(&document(shape, layout(&largest)).to_json()).unwrap();
    let axes: Vec<Value> = lengths
        .iter()
        .zip(shape)
        .map(|(axis, n)| {
            let last = *axis.last().unwrap();
            axis.iter().map(|length| json!(length)).chain([json!([last, n.div_ceil(last).max(1)])]).collect()
        })
        .collect();
    json["chunk_grid"] =
        json!({"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": axes}});
    let store = location.open().unwrap();
    store.put("zarr.json", json.to_string().as_bytes()).unwrap();
    let (array, all) = (array(location), values(shape));
    let whole = Region::whole(shape);
    for object in (0..array.objects().count()).map(|k| array.objects().all().unravel(k)) {
        let cell = array.objects().cell(&object);
        let element = |k: u64| match cell.unravel(k) {
            at if at.iter().zip(shape).all(|(at, n)| at < n) => {
                let at = zarrange_grid::index(whole.linear(&at)) * 4;
                [all[at], all[at + 1], all[at + 2], all[at + 3]]
            }
            _ => u32::MAX.to_ne_bytes(),
        };
        let data: Vec<u8> = (0..cell.elements()).flat_map(element).collect();
        let (plain, mut one) = (place(), place());
        create_of(&plain, cell.shape(), Layout { shard: None, ..layout(cell.shape()) }, &data);
        if let Some(inner) = inner {
            rechunk(job(&plain, &one, inner, Some(cell.shape()), 1 << 24, 1)).unwrap();
        } else {
            one = plain;
        }
        let key = array.key(&cell.start().iter().map(|_| 0).collect::<Dims>());
        if let Some(bytes) = one.open().unwrap().get(&key, u64::MAX).unwrap() {
            store.put(&array.key(&object), &bytes).unwrap();
        }
    }
}

fn job(
    source: &Location,
    target: &Location,
    chunk: &[u64],
    shard: Option<&[u64]>,
    memory: u64,
    threads: u64,
) -> Request {
    let named = |shape: &[u64]| Named {
        array: None,
        spec: ChunkSpec::Sizes(shape.iter().map(|n| i64::try_from(*n).unwrap()).collect()),
    };
    Request {
        chunks: vec![named(chunk)],
        shards: shard.map(named).into_iter().collect(),
        memory_bytes_max: memory,
        threads,
        durability: Durability::None,
        ..Request::new(source.clone(), target.clone())
    }
}

fn rechunk(job: Request) -> Result<Report, RechunkError> {
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
    /// Of the objects of a rectilinear source, and whether these are shards of chunks `source`.
    lengths: Option<(Vec<Vec<u64>>, bool)>,
    target: Vec<u64>,
    shard: Option<Vec<u64>>,
    threads: u64,
    memory: u64,
}

fn case() -> impl Strategy<Value = Case> {
    (0usize..4)
        .prop_flat_map(|rank| {
            let of = |range: std::ops::Range<u64>| prop::collection::vec(range, rank);
            let lengths = prop::collection::vec(prop::collection::vec(1u64..14, 1..5), rank);
            let lengths = prop::option::weighted(0.3, (lengths, any::<bool>()));
            (of(0..50), (of(1..14), lengths), of(1..14), prop::option::of(of(1..5)), 1u64..5, 0u32..9)
        })
        .prop_map(|(shape, (source, lengths), target, shards, threads, memory)| {
            let shard = shards.map(|s| s.iter().zip(&target).map(|(k, c)| k * c).collect());
            let lengths = lengths.map(|(mut lengths, sharded)| {
                let objects = |lengths: &[Vec<u64>]| -> u64 {
                    let least = |axis: &Vec<u64>| *axis.iter().min().unwrap();
                    shape.iter().zip(lengths).map(|(n, axis)| n.div_ceil(least(axis)).max(1)).product()
                };
                for (axis, chunk) in lengths.iter_mut().zip(&source).filter(|_| sharded) {
                    for length in axis {
                        *length = (*length % 3 + 1) * chunk;
                    }
                }
                // Each is an array of its own before.
                while objects(&lengths) > 100 {
                    lengths.iter_mut().flatten().for_each(|length| *length *= 2);
                }
                (lengths, sharded)
            });
            Case { shape, source, lengths, target, shard, threads, memory: 8000 << memory }
        })
}

impl Case {
    fn create(&self, location: &Location) {
        match &self.lengths {
            None => create(location, &self.shape, &self.source),
            Some((lengths, sharded)) => {
                create_rectilinear(location, &self.shape, lengths, sharded.then_some(&self.source));
            }
        }
    }
}

/// Counters and the target's values are right, the memory holds, and the same job gives the same bytes.
fn check(case: &Case, seen: &Mutex<BTreeMap<&'static str, usize>>) -> Result<(), TestCaseError> {
    let Case { shape, target, shard, threads, memory, .. } = case;
    let (from, to) = (place(), place());
    case.create(&from);
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
    rechunk(Request { target: again.clone(), threads: 1 + threads % 4, ..this.clone() }).unwrap();
    let (a, b) = (objects(&to.open().unwrap()), objects(&again.open().unwrap()));
    prop_assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    check_forced(case, &this, seen)?;
    check_repacked(case, &to, &this, seen)
}

/// Every way that applies moves every element to its place, as it was planned.
fn check_forced(
    case: &Case,
    job: &Request,
    seen: &Mutex<BTreeMap<&'static str, usize>>,
) -> Result<(), TestCaseError> {
    for way in Way::ALL {
        let to = place();
        let this = Request { target: to.clone(), way: Some(way), ..job.clone() };
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
fn check_repacked(
    case: &Case,
    from: &Location,
    job: &Request,
    seen: &Mutex<BTreeMap<&'static str, usize>>,
) -> Result<(), TestCaseError> {
    let Case { shape, target, .. } = case;
    let larger: Vec<i64> = target.iter().map(|c| i64::try_from(*c * 3).unwrap()).collect();
    let mut from = from.clone();
    for shards in [ChunkSpec::None, ChunkSpec::Sizes(larger)] {
        let to = place();
        let shards = vec![Named { array: None, spec: shards }];
        let this = Request { source: from, target: to.clone(), shards, ..job.clone() };
        let Ok(prepared) = prepare(this) else { return Ok(()) };
        let report = run(prepared, &NoProgress).unwrap();
        prop_assert!(report.cost.peak_budget_bytes <= case.memory, "{report:?}");
        if report.cost.strategy == "repack" {
            prop_assert_eq!(report.cost.counts.source_chunk_decodes, 0);
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
        TestRunner::new(ProptestConfig { failure_persistence: None, cases: 250, ..Default::default() });
    runner.run(&case(), |case| check(&case, &seen)).unwrap();
    let seen = seen.into_inner().unwrap();
    for way in ["direct", "reread"].into_iter().chain(Way::ALL.map(Way::name)) {
        assert!(seen.contains_key(way), "no case went the way {way:?}: {seen:?}");
    }
}

/// An array of which only the chunks at `points` are stored (in their shards, if there are any), with every element its own position.
fn create_sparse(location: &Location, shape: &[u64], layout: &Layout, points: &[Vec<u64>]) {
    let Layout { chunk, shard, .. } = layout;
    let document = Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(7),
        layout: Layout { shard: None, ..layout.clone() },
        dimension_names: ["a", "b", "c"][..shape.len()].to_vec(),
        attributes: Map::new(),
    });
    let plain = if shard.is_some() { place() } else { location.clone() };
    let array = Array::new(plain.open().unwrap(), document, 3).unwrap();
    let whole = Region::whole(shape);
    for point in points {
        let at: Dims = point.iter().zip(chunk).map(|(p, c)| p / c).collect();
        let region = array.objects().region(&at);
        let value = |k: u64| u32::try_from(whole.linear(&region.unravel(k)) % 4_000_000_007).unwrap();
        let data: Vec<u8> = (0..region.elements()).flat_map(|k| value(k).to_ne_bytes()).collect();
        array.write_region(&region, &data).unwrap();
    }
    array.write_metadata().unwrap();
    if let Some(shard) = shard {
        rechunk(job(&plain, location, chunk, Some(shard), 1 << 24, 2)).unwrap();
    }
}

#[derive(Clone, Debug)]
struct SparseCase {
    case: Case,
    source_shard: Option<Vec<u64>>,
    points: Vec<Vec<u64>>,
    compressed: bool,
}

fn sparse_case() -> impl Strategy<Value = SparseCase> {
    let multiple = |chunk: &[u64], times: Option<Vec<u64>>| {
        times.map(|times| times.iter().zip(chunk).map(|(k, c)| k * c).collect::<Vec<u64>>())
    };
    (1usize..4)
        .prop_flat_map(|rank| {
            let of = |range: std::ops::Range<u64>| prop::collection::vec(range, rank);
            let chunks = (of(1..14), of(1..14), prop::bool::weighted(0.3));
            let shards = (prop::option::weighted(0.3, of(1..4)), prop::option::weighted(0.3, of(1..5)));
            let points = prop::collection::vec(of(0..1000), 0..5);
            (of(1..[200, 60, 36][rank - 1]), chunks, shards, points, (1u64..5, 0u32..9, any::<bool>()))
        })
        .prop_map(move |(shape, (source, target, same), shards, points, (threads, memory, compressed))| {
            let target = if same { source.clone() } else { target };
            let inside = |point: Vec<u64>| point.iter().zip(&shape).map(|(p, n)| p % n).collect();
            let points = points.into_iter().map(inside).collect();
            let (source_shard, shard) = (multiple(&source, shards.0), multiple(&target, shards.1));
            let case = Case { shape, source, lengths: None, target, shard, threads, memory: 8000 << memory };
            SparseCase { case, source_shard, points, compressed }
        })
}

/// Whether only what is stored is visited, or everything, the target is the same, byte for byte, and so are all counters.
fn check_sparse(case: &SparseCase, seen: &Mutex<BTreeMap<&'static str, usize>>) -> Result<(), TestCaseError> {
    let SparseCase { case: Case { shape, source, target, shard, threads, memory, .. }, .. } = case;
    let codecs = if case.compressed {
        zstd()
    } else {
        Codecs::None.resolve(&Layout { chunk: vec![], shard: None, codecs: vec![] }, 4)
    };
    let layout = Layout { chunk: source.clone(), shard: case.source_shard.clone(), codecs };
    let from = place();
    create_sparse(&from, shape, &layout, &case.points);
    let nothing = ChunkSpec::None;
    for way in Way::ALL.into_iter().map(Some).chain([None]) {
        let run_with = |sparse: Sparse, verify: Verify| {
            let to = place();
            let mut this =
                Request { way, verify, ..job(&from, &to, target, shard.as_deref(), *memory, *threads) };
            if shard.is_none() {
                this.shards = vec![Named { array: None, spec: nothing.clone() }];
            }
            let mut prepared = prepare(this).ok()?;
            prepared.sparse = sparse;
            let report = match run(prepared, &NoProgress) {
                // Comparing may take more memory than moving.
                Err(RechunkError::Plan { .. }) if verify != Verify::None => return None,
                report => report.unwrap(),
            };
            let mut cost = report.cost.clone();
            (cost.elapsed_s, cost.peak_budget_bytes) = (0.0, 0);
            Some((objects(&to.open().unwrap()), cost, report))
        };
        let everything = Sparse { objects_min: u64::MAX, one_in: 1 };
        let stored = Sparse { objects_min: 0, one_in: 1 };
        let Some((bytes, cost, _)) = run_with(everything, Verify::None) else { continue };
        let (few_bytes, few_cost, report) = run_with(stored, Verify::None).unwrap();
        let name = way.map_or("best", Way::name);
        prop_assert!(bytes == few_bytes, "{name}: {:?} and {:?}", bytes.keys(), few_bytes.keys());
        prop_assert_eq!(&cost, &few_cost, "{}", name);
        prop_assert_eq!(report.as_planned, Some(true), "{}: {:?}", name, report);
        prop_assert!(report.cost.peak_budget_bytes <= *memory, "{name}: {report:?}");
        *seen.lock().unwrap().entry(name).or_default() += 1;
        for verify in [Verify::Full, Verify::Sample] {
            if let Some((verified, ..)) = run_with(stored, verify) {
                prop_assert!(bytes == verified, "{name}");
            }
        }
    }
    Ok(())
}

#[test]
fn visiting_what_is_stored_is_visiting_everything() {
    let seen = Mutex::default();
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, cases: 30, ..Default::default() });
    runner.run(&sparse_case(), |case| check_sparse(&case, &seen)).unwrap();
    let seen = seen.into_inner().unwrap();
    for way in Way::ALL {
        assert!(seen.contains_key(way.name()), "no case went the way {:?}: {seen:?}", way.name());
    }
}

/// A grid of 10^13 chunks of which three are stored: nothing may follow the grid, or the test does not end.
#[test]
fn three_chunks_of_ten_trillion() {
    let shape = [32_000_000, 32_000_000];
    let points = [vec![0, 0], vec![1_000_000, 20_000_001], vec![31_999_999, 31_999_999]];
    let create = |shard: Option<Vec<u64>>| {
        let location = place();
        create_sparse(&location, &shape, &Layout { chunk: vec![10, 10], shard, codecs: zstd() }, &points);
        location
    };
    let from = create(None);
    let check = |from: &Location, chunk: [u64; 2], shard: Option<&[u64]>, way: Way| {
        // An intermediate is written for everything: where the planner would take one, it is left out.
        let way = Some(way).filter(|way| *way != Way::Staged);
        let name = way.map_or("best", Way::name);
        let to = place();
        let mut this = job(from, &to, &chunk, shard, 1 << 22, 2);
        if shard.is_none() {
            this.shards = vec![Named { array: None, spec: ChunkSpec::None }];
        }
        let report = rechunk(Request { way, verify: Verify::Full, ..this }).unwrap();
        assert_ne!(report.cost.strategy, "staged");
        assert_eq!(report.as_planned, Some(true), "{name}: {report:?}");
        let (a, b) = (array(from), array(&to));
        for point in &points {
            let start: Vec<u64> = point.iter().map(|at| at.saturating_sub(40)).collect();
            let extent = |d: usize| (point[d] + 40).min(shape[d]) - start[d];
            let region = Region::new(&start[..], vec![extent(0), extent(1)]);
            assert!(a.read_region(&region).unwrap().0 == b.read_region(&region).unwrap().0, "{name}");
        }
        let compared = verify((from, &to), &Opener::default(), (1 << 22, 2), false, &NoProgress).unwrap();
        assert_eq!(compared.difference, None);
    };
    check(&from, [10, 10], None, Way::Copy);
    check(&from, [10, 10], Some(&[100, 100]), Way::Repack);
    check(&from, [20, 20], None, Way::Tiles);
    check(&from, [15, 15], None, Way::Tiles);
    check(&from, [16, 16], None, Way::Sweep);
    check(&from, [16, 16], Some(&[64, 64]), Way::Sweep);
    check(&from, [1, 10_000], None, Way::Staged);
    check(&from, [20_000, 1], None, Way::Staged);
    let sharded = create(Some(vec![50, 50]));
    check(&sharded, [10, 10], Some(&[50, 50]), Way::Copy);
    check(&sharded, [10, 10], None, Way::Repack);
    check(&sharded, [7, 30], Some(&[70, 60]), Way::Tiles);
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
        assert_eq!(report.cost.counts.source_chunk_decodes, requests, "{rows} {endian} {shard:?} {memory}");
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
    changed.write_region(&region, &data).unwrap();
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
            rechunk(Request { verify, ..job(&from, &place(), chunk, shard, 1 << 26, 1) }).unwrap()
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
    check(&[60, 50], Some(&[300, 250]), "repack");
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
                let error = rechunk(Request { overwrite: true, ..this }).unwrap_err().to_string();
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
    let check = |change: &dyn Fn(&mut Request), expected: &str| {
        let mut this = job(&from, &place(), &[5, 5], None, 1 << 20, 1);
        change(&mut this);
        let error = prepare(this).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        error
    };
    let spec = |text: &str| text.parse::<Named>().unwrap();
    check(&|j| j.chunks = vec![spec("5")], "1 numbers, 2 are needed");
    check(&|j| j.chunks = vec![spec("5,0")], "chunk length 0");
    check(&|j| j.chunks = vec![spec("time=5")], "[\"time\"] are missing");
    check(&|j| j.chunks = vec![spec("a=5,a=6")], "\"a\" is given two lengths");
    check(&|j| j.chunks = vec![spec("mag:5,5")], "no array \"mag\"");
    check(&|j| j.chunks = vec![spec("5,5"), spec("6,6")], "two SPECs");
    check(&|j| j.shards = vec![spec("12,10")], "[15, 10] would be");
    check(&|j| j.arrays = vec!["x".to_owned()], "no array \"x\"");
    check(&|j| j.chunks = vec![spec("9000000000000000000,9000000000000000000")], "overflow");
    check(&|j| j.memory_bytes_max = 100, "raise it to at least");
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
        ("std with a pool", Opener::std_pool(3)),
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
            let this = Request { way: Some(way), ..job(&place(source), &target, chunk, shard, memory, 2) };
            let report =
                rechunk(Request { io: io.clone(), verify: Verify::Full, durability, ..this }).unwrap();
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
    check(Way::Repack, "source", &[60, 3], Some(&[60, 12]), 1 << 20);
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
                let outcome = rechunk(Request { io, overwrite: true, ..this });
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
            let outcome = rechunk(Request { io, verify: Verify::Full, way: Some(way), ..this });
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
        check(&[24, 3], &[24, 3], Some(&[24, 9]), Way::Repack, (1 << 20, 2), fault);
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
            rechunk(Request { io, verify: Verify::Full, ..job(&from, &to, &[5, 20], None, 1 << 20, 2) });
        if faults.calls() <= at {
            break;
        }
        let differs = outcome.is_ok().then(|| {
            verify((&from, &to), &Opener::default(), (1 << 20, 1), false, &NoProgress).unwrap().difference
        });
        assert!(matches!(differs, None | Some(None)), "call {at}: {differs:?}");
    }
}

/// Digests are worth something where reading the source costs: it is read once.
#[test]
fn with_digests_the_source_is_read_once() {
    let check = |source: &[u64], chunk: &[u64], way: Way, (memory, threads): (u64, u64)| {
        let from = place();
        create(&from, &[24, 20], source);
        let source_reads = |verify| {
            let counters = Arc::new(IoCounters::default());
            let (count, source) = (counters.clone(), from.to_string());
            let wrap = move |store: Store| {
                if store.label() == source { counting(store, &count) } else { store }
            };
            let io = Opener::default().wrapped(wrap);
            let job = job(&from, &place(), chunk, None, memory, threads);
            rechunk(Request { io, verify, way: Some(way), ..job }).unwrap();
            counters.counts().read_bytes
        };
        let once = source_reads(Verify::None);
        let document = from.open().unwrap().get("zarr.json", 1 << 20).unwrap().unwrap().len() as u64;
        assert!(once > document);
        assert_eq!(source_reads(Verify::Digest), once + document, "{way}");
        assert!(source_reads(Verify::Full) > once + document, "{way}");
    };
    check(&[24, 3], &[5, 20], Way::Tiles, (1 << 20, 2));
    check(&[24, 3], &[24, 4], Way::Sweep, (8000, 2));
    check(&[24, 1], &[1, 20], Way::Staged, (8000, 2));
    check(&[24, 1], &[1, 20], Way::Staged2, (8000, 2));
}

/// What was planned is what runs: metadata that is another one by then is not guessed at.
#[test]
fn metadata_that_changes_after_the_plan_is_noticed() {
    let (from, to) = (place(), place());
    create(&from, &[24, 20], &[4, 4]);
    let prepared = prepare(job(&from, &to, &[6, 5], None, 1 << 20, 1)).unwrap();
    let store = from.open().unwrap();
    let mut document = store.get("zarr.json", 1 << 20).unwrap().unwrap();
    document.push(b' ');
    store.put("zarr.json", &document).unwrap();
    let error = run(prepared, &NoProgress).unwrap_err();
    assert!(matches!(error, RechunkError::Array(ArrayError::Changed { .. })), "{error}");
    assert!(!to.exists().unwrap());
}
