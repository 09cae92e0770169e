//! Whole jobs from and to a store of callbacks, which cannot rename, nor write parts of an object.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../zarrange-io/tests/support/callbacks.rs"]
mod tables;

use std::sync::Arc;

use serde_json::{Map as Members, json};
use tables::{Files, Map};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_codec::CodecMetadata;
use zarrange_grid::Region;
use zarrange_io::backends::callbacks;
use zarrange_io::{Location, Opener, Stop, Store};
use zarrange_plan::Way;
use zarrange_rechunk::{
    ChunkSpec, Codecs, Foreign, Named, NoProgress, RechunkError, Request, Verify, prepare, run, verify,
};

const SHAPE: [u64; 2] = [24, 20];

fn zstd() -> Vec<CodecMetadata> {
    Codecs::Zstd(1).resolve(&Layout { chunk: vec![], shard: None, codecs: vec![] }, 4)
}

/// Paths of arrays: one alone, some in groups, one in another.
const HIERARCHIES: [&[&str]; 3] = [&[""], &["deep/one", "two"], &["", "inner"]];

/// Arrays of elements that are their own positions.
fn create(root: &Store, paths: &[&str], codecs: &[CodecMetadata]) {
    let data: Vec<u8> =
        (1..=SHAPE[0] * SHAPE[1]).flat_map(|k| u32::try_from(k).unwrap().to_ne_bytes()).collect();
    for path in paths {
        let document = Document::new(&ArraySpec {
            shape: SHAPE.to_vec(),
            data_type: "uint32",
            fill_value: json!(0),
            layout: Layout { chunk: vec![24, 3], shard: None, codecs: codecs.to_vec() },
            dimension_names: vec!["a", "b"],
            attributes: Members::new(),
        });
        let array = Array::new(root.below(path).unwrap(), document, 3).unwrap();
        array.write_region(&Region::whole(&SHAPE), &data).unwrap();
        array.write_metadata().unwrap();
    }
    if !paths.contains(&"") {
        let group = br#"{"zarr_format": 3, "node_type": "group", "attributes": {"kept": 1.50}}"#;
        root.put("zarr.json", group).unwrap();
        root.put("deep/zarr.json", group).unwrap();
        // Something that is not Zarr.
        root.put("notes.txt", &[b'n'; 5000]).unwrap();
    }
}

fn map() -> Arc<Map> {
    Arc::default()
}

fn place(map: &Arc<Map>, label: &str) -> Location {
    callbacks::store(map.clone(), label).into()
}

fn job(source: &Location, target: &Location, chunk: &[i64], way: Option<Way>) -> Request {
    Request {
        chunks: vec![Named { array: None, spec: ChunkSpec::Sizes(chunk.to_vec()) }],
        shards: vec![],
        memory_bytes_max: 1 << 20,
        threads: 2,
        verify: Verify::Full,
        skip: vec![],
        foreign: Foreign::Copy,
        way,
        ..Request::new(source.clone(), target.clone())
    }
}

fn is_same(a: &Location, b: &Location) -> bool {
    verify((a, b), &Opener::default(), (1 << 20, 1), false, &NoProgress).unwrap().difference.is_none()
}

/// Jobs that a store of whole objects can take.
const WAYS: [(&[i64], Option<Way>); 4] = [
    (&[24, 3], Some(Way::Copy)),
    (&[5, 20], Some(Way::Tiles)),
    (&[24, 4], Some(Way::Sweep)),
    (&[7, 9], None),
];

#[test]
fn from_and_to_callbacks() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for paths in HIERARCHIES {
        let from = map();
        create(&callbacks::store(from.clone(), "from"), paths, &zstd());
        let source = place(&from, "from");
        for (k, (chunk, way)) in WAYS.into_iter().enumerate() {
            let path = dir.path().join(format!("{}-{k}", paths.join("-").replace('/', "-")));
            std::fs::create_dir(&path).unwrap();
            let files = callbacks::store(Arc::new(Files(path)), "files");
            for target in [place(&map(), "to"), place(&map(), "to").below("deep/er"), files.into()] {
                let report = run(prepare(job(&source, &target, chunk, way)).unwrap(), &NoProgress).unwrap();
                assert_eq!(report.warnings, Vec::<String>::new());
                assert!(is_same(&source, &target), "{paths:?} {chunk:?} to {target}");
                // Sources of either kind.
                let again = place(&map(), "again");
                run(prepare(job(&target, &again, &[6, 6], None)).unwrap(), &NoProgress).unwrap();
                assert!(is_same(&source, &again), "{paths:?} {chunk:?} from {target}");
            }
        }
    }
}

/// Whatever answer fails, or is lost: everything is there, or no metadata of the root, and nothing else either.
#[test]
fn every_answer_may_fail() {
    for paths in HIERARCHIES {
        let from = map();
        create(&callbacks::store(from.clone(), "from"), paths, &zstd());
        let source = place(&from, "from");
        for ((chunk, way), done) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
            let (mut at, mut failed) = (0, 0);
            loop {
                let to = Arc::new(Map::failing(at, done));
                let target = place(&to, "to");
                let outcome = prepare(job(&source, &target, chunk, way)).and_then(|p| run(p, &NoProgress));
                let calls = to.calls();
                let objects = to.objects.lock().unwrap().clone();
                match outcome {
                    Ok(_) => assert!(is_same(&source, &place(&Arc::new(copy(&objects)), "copy")), "{at}"),
                    Err(error) => {
                        let message = error.to_string();
                        assert!(
                            message.contains("the server is not there") && message.contains("to"),
                            "{message}"
                        );
                        assert!(objects.is_empty(), "{at} {done}: {:?}", objects.keys());
                        failed += 1;
                    }
                }
                if calls <= at {
                    break;
                }
                at += 1;
            }
            assert!(failed > 10, "{chunk:?}: {failed} of {at} failed");
        }
    }
}

fn copy(objects: &std::collections::BTreeMap<String, Vec<u8>>) -> Map {
    let map = Map::default();
    map.objects.lock().unwrap().clone_from(objects);
    map
}

/// The answer to the last put is lost, so that the job fails, and then the server goes while the target is removed: either all of it is
/// still there, or it has no root.
#[test]
fn the_root_goes_first() {
    for paths in HIERARCHIES {
        let from = map();
        create(&callbacks::store(from.clone(), "from"), paths, &zstd());
        let (source, whole) = (place(&from, "from"), map());
        run(prepare(job(&source, &place(&whole, "to"), &[5, 20], None)).unwrap(), &NoProgress).unwrap();
        let stuck = Map { stuck: Some("zarr.json"), ..Map::ending("zarr.json", u64::MAX >> 1) };
        let ending = (0..).map(|then| Map::ending("zarr.json", then));
        for (then, to) in std::iter::once(stuck).chain(ending).enumerate() {
            let to = Arc::new(to);
            let prepared = prepare(job(&source, &place(&to, "to"), &[5, 20], None)).unwrap();
            let message = run(prepared, &NoProgress).unwrap_err().to_string();
            let objects = to.objects.lock().unwrap();
            if objects.is_empty() {
                break;
            }
            assert!(message.contains("what was written to to is left over"), "{message}");
            let all = objects.len() == whole.objects.lock().unwrap().len();
            assert!(all || !objects.contains_key("zarr.json"), "{then}: {:?}", objects.keys());
        }
    }
}

/// While a job writes, its target has no metadata at the root until everything else is there.
#[test]
fn the_root_is_last() {
    for paths in HIERARCHIES {
        let from = map();
        create(&callbacks::store(from.clone(), "from"), paths, &zstd());
        let to = map();
        run(prepare(job(&place(&from, "from"), &place(&to, "to"), &[5, 20], None)).unwrap(), &NoProgress)
            .unwrap();
        let puts = to.puts.lock().unwrap();
        let root = puts.iter().position(|key| key == "zarr.json");
        assert_eq!(root, Some(puts.len() - 1), "{puts:?}");
    }
}

#[test]
fn what_such_a_target_cannot_take() {
    let from = map();
    create(&callbacks::store(from.clone(), "from"), HIERARCHIES[0], &zstd());
    let source = place(&from, "from");
    let check = |change: &dyn Fn(&mut Request), expected: &[&str]| {
        let to = map();
        let target = place(&to, "to");
        let mut job = job(&source, &target, &[24, 4], None);
        change(&mut job);
        let before = to.objects.lock().unwrap().clone();
        let message = prepare(job).and_then(|p| run(p, &NoProgress)).unwrap_err().to_string();
        assert!(expected.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(*to.objects.lock().unwrap(), before, "{message}");
    };
    let shards = |job: &mut Request| {
        job.shards = vec![Named { array: None, spec: ChunkSpec::Sizes(vec![24, 8]) }];
        job.memory_bytes_max = 3000;
    };
    check(&shards, &["the memory limit of 3000 bytes is too small"]);
    let staged = |job: &mut Request| {
        (job.chunks, job.memory_bytes_max) =
            (vec![Named { array: None, spec: ChunkSpec::Sizes(vec![1, 20]) }], 3000);
        job.way = Some(Way::Staged);
    };
    check(&staged, &["target to", "cannot hold an intermediate", "another place"]);
    let mut beforehand = job(&source, &place(&map(), "to"), &[24, 4], None);
    staged(&mut beforehand);
    assert!(prepare(beforehand).is_err(), "that is said before anything is written");
    check(&|job| job.temp = Some(place(&map(), "temp")), &["temp is in a store", "another place"]);
    for overwrite in [false, true] {
        let there = |job: &mut Request| {
            job.overwrite = overwrite;
            let Location::Store(store, _) = &job.target else { panic!() };
            store.put("zarr.json", b"{}").unwrap();
        };
        // What is there stays.
        let to = map();
        let target = place(&to, "to");
        let mut job = job(&source, &target, &[24, 4], None);
        there(&mut job);
        let message = prepare(job).unwrap_err().to_string();
        assert!(message.contains("target to exists") && message.contains("cannot rename"), "{message}");
        assert_eq!(to.objects.lock().unwrap().len(), 1);
    }
    check(&|job| job.target = source.below("within"), &["inside source from"]);
}

/// With a place for intermediates that can hold them, they are no obstacle.
#[test]
fn intermediates_elsewhere() {
    let from = map();
    create(&callbacks::store(from.clone(), "from"), HIERARCHIES[0], &zstd());
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (source, target) = (place(&from, "from"), place(&map(), "to"));
    let job = Request {
        memory_bytes_max: 3000,
        temp: Some(Location::Path(dir.path().to_owned())),
        ..job(&source, &target, &[1, 20], Some(Way::Staged))
    };
    run(prepare(job).unwrap(), &NoProgress).unwrap();
    assert!(is_same(&source, &target));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left there");
}

/// A job that is asked to stop, at each of its answers in turn: everything is there, or nothing.
#[test]
fn a_stop_leaves_nothing() {
    for paths in HIERARCHIES {
        let from = map();
        create(&callbacks::store(from.clone(), "from"), paths, &zstd());
        let source = place(&from, "from");
        let (mut at, mut stopped) = (0, 0);
        loop {
            let stop = Stop::default();
            let to = Arc::new(Map::asking(at, stop.clone()));
            let target = place(&to, "to");
            let io = Opener::default().stopped_by(stop);
            let job = Request { io, ..job(&source, &target, &[5, 20], Some(Way::Tiles)) };
            let outcome = prepare(job).and_then(|prepared| run(prepared, &NoProgress));
            let (calls, is_empty) = (to.calls(), to.objects.lock().unwrap().is_empty());
            match outcome {
                Ok(_) => assert!(is_same(&source, &target), "{at}"),
                Err(RechunkError::Stopped { .. }) => {
                    assert!(is_empty, "{at}");
                    stopped += 1;
                }
                // While planning.
                Err(error) => assert!(is_empty, "{at}: {error}"),
            }
            if calls <= at {
                break;
            }
            at += 1;
        }
        assert!(stopped > 10, "{paths:?}: stopped by {stopped} answers of {at}");
    }
}

/// Objects that a batch of copies has no room for are still put whole, as long as one has room; another is refused.
#[test]
fn large_objects_are_copied_whole() {
    let plain: CodecMetadata =
        serde_json::from_value(json!({"name": "bytes", "configuration": {"endian": "little"}})).unwrap();
    let from = map();
    create(&callbacks::store(from.clone(), "from"), HIERARCHIES[0], &[plain]);
    let source = place(&from, "from");
    let copy = |memory_bytes_max: u64| {
        let target = place(&map(), "to");
        let job = Request {
            memory_bytes_max,
            threads: 1,
            verify: Verify::None,
            ..job(&source, &target, &[24, 3], Some(Way::Copy))
        };
        let report = run(prepare(job)?, &NoProgress)?;
        assert!(is_same(&source, &target) && report.cost.peak_budget_bytes <= memory_bytes_max);
        Ok::<_, RechunkError>(())
    };
    // A chunk has 288 bytes.
    copy(1 << 20).unwrap();
    copy(600).unwrap();
    let message = copy(500).unwrap_err().to_string();
    assert!(message.contains("the memory does not hold all of this one"), "{message}");
}

/// A store of local files that somebody opened is a place as any other: what is there can be replaced in one step.
#[test]
fn a_place_in_a_store_of_files() {
    let from = map();
    create(&callbacks::store(from.clone(), "from"), HIERARCHIES[1], &zstd());
    let source = place(&from, "from");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let files = Location::Path(dir.path().to_owned());
    let target = Location::from(files.open().unwrap()).below("made/target");
    let job = |overwrite: bool, chunk: &[i64]| Request { overwrite, ..job(&source, &target, chunk, None) };
    run(prepare(job(false, &[5, 20])).unwrap(), &NoProgress).unwrap();
    let message = prepare(job(false, &[7, 20])).unwrap_err().to_string();
    assert!(message.contains("exists") && message.contains("replaced"), "{message}");
    run(prepare(job(true, &[7, 20])).unwrap(), &NoProgress).unwrap();
    assert!(is_same(&source, &target) && is_same(&source, &files.below("made/target")));
    assert_eq!(std::fs::read_dir(dir.path().join("made")).unwrap().count(), 1, "nothing else is left");
}

/// A plan in a file names places as text, which cannot name a store.
#[test]
fn a_plan_file_cannot_name_a_store() {
    let from = map();
    create(&callbacks::store(from.clone(), "from"), HIERARCHIES[0], &zstd());
    let prepared = prepare(job(&place(&from, "from"), &place(&map(), "to"), &[5, 20], None)).unwrap();
    let message = prepared.write_plan(&mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("from"), "{message}");
}

/// Where objects are written only whole, shards are held in memory until they are complete: two of them, whatever the threads, and
/// the bytes are those of any other store.
#[test]
fn shards_are_written_whole() {
    let source = Location::Memory("whole-shards-source".to_owned());
    create(&source.open().unwrap(), HIERARCHIES[0], &zstd());
    let check = |chunk: &[i64], shard: &[i64], way: Way, threads: u64| {
        let with = |target: Location| Request {
            shards: vec![Named { array: None, spec: ChunkSpec::Sizes(shard.to_vec()) }],
            threads,
            ..job(&source, &target, chunk, Some(way))
        };
        let to = map();
        let whole = with(place(&to, "to"));
        let memory_bytes_max = whole.memory_bytes_max;
        let prepared = prepare(whole).unwrap();
        let report = run(prepared, &NoProgress).unwrap();
        assert!(report.cost.peak_budget_bytes <= memory_bytes_max, "{report:?}");
        assert_eq!(report.as_planned, Some(true), "{report:?}");
        let other = Location::Memory(format!("whole-shards-{chunk:?}{shard:?}{threads}{}", way.name()));
        run(prepare(with(other.clone())).unwrap(), &NoProgress).unwrap();
        let mut keys = Vec::new();
        let (store, expected) = (place(&to, "to").open().unwrap(), other.open().unwrap());
        expected.walk("", &mut |key, _| keys.push(key.to_owned())).unwrap();
        assert!(keys.iter().any(|key| key.contains("c/0/0")), "{keys:?}");
        for key in keys {
            let bytes = |store: &Store| store.get(&key, u64::MAX).unwrap();
            assert_eq!(bytes(&store), bytes(&expected), "{key}, {chunk:?} in {shard:?} on {threads}");
        }
    };
    for threads in [1, 2, 5] {
        check(&[24, 4], &[24, 8], Way::Tiles, threads);
        check(&[3, 5], &[6, 10], Way::Tiles, threads);
        check(&[1, 1], &[24, 20], Way::Tiles, threads);
        check(&[3, 5], &[6, 5], Way::Tiles, threads);
    }
}

/// Arrays have codecs of their own, with or without new chunks; one that is not there is an error.
#[test]
fn codecs_of_single_arrays() {
    let from = map();
    create(&callbacks::store(from.clone(), "from"), &["deep/one", "two", "three"], &zstd());
    let (source, target) = (place(&from, "from"), place(&map(), "to"));
    let own = |names: &[&str]| {
        let own = names.iter().zip([Codecs::None, Codecs::Gzip(2)]);
        own.map(|(name, codecs)| ((*name).to_owned(), codecs)).collect()
    };
    let request = Request {
        chunks: vec![Named { array: Some("two".to_owned()), spec: ChunkSpec::Sizes(vec![6, 6]) }],
        array_codecs: own(&["two", "three"]),
        ..job(&source, &target, &[], None)
    };
    run(prepare(request).unwrap(), &NoProgress).unwrap();
    assert!(is_same(&source, &target));
    let codecs = |path: &str| {
        let zarrange_array::Node::Array(array) =
            zarrange_array::open(&target.below(path).open().unwrap()).unwrap()
        else {
            panic!("{path} is an array")
        };
        let codecs = &array.elements().unwrap().layout.codecs;
        codecs.iter().map(|codec| codec.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codecs("deep/one"), ["bytes", "zstd"]);
    assert_eq!(codecs("two"), ["bytes"]);
    assert_eq!(codecs("three"), ["bytes", "gzip"]);
    let unknown =
        Request { array_codecs: own(&["four"]), ..job(&source, &place(&map(), "no"), &[6, 6], None) };
    let error = prepare(unknown).unwrap_err().to_string();
    assert!(error.contains("no array \"four\""), "{error}");
}
