//! What is planned can be run: with the least memory that a plan is made for, to the byte, through every way and for lists of codecs
//! that need memory of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use support::{End, MEMORY_MAX, create, job, place, values};
use zarrange_array::{Node, open};
use zarrange_grid::Region;
use zarrange_io::Location;
use zarrange_plan::Way;
use zarrange_rechunk::{NoProgress, Prepared, RechunkError, Request, Sparse, prepare, run};

#[derive(Clone, Debug)]
struct Case {
    shape: Vec<u64>,
    source: End,
    target: End,
    threads: u64,
    /// Of the tiles and objects, only those with something stored are visited.
    sparse: bool,
}

/// Codec lists for elements of four bytes; what decodes some of them needs a buffer as large as a chunk, or several.
fn codecs(rank: usize) -> impl proptest::strategy::Strategy<Value = Value> {
    let codec = |name: &str, configuration: Value| json!({"name": name, "configuration": configuration});
    let bytes = |endian: &str| codec("bytes", json!({"endian": endian}));
    let transposed = codec("transpose", json!({"order": (0..rank).rev().collect::<Vec<_>>()}));
    let zstd = codec("zstd", json!({"level": 1, "checksum": false}));
    let blosc = codec(
        "blosc",
        json!({"cname": "lz4", "clevel": 1, "shuffle": "shuffle", "typesize": 4, "blocksize": 0}),
    );
    let shards = codec(
        "sharding_indexed",
        json!({
            "chunk_shape": vec![1; rank],
            "codecs": [bytes("big"), zstd],
            "index_codecs": [bytes("little"), {"name": "crc32c"}],
        }),
    );
    prop::sample::select(vec![
        json!([bytes("little")]),
        json!([bytes("big")]),
        json!([bytes("big"), zstd]),
        json!([transposed, bytes("little"), {"name": "crc32c"}]),
        json!([transposed, bytes("big"), codec("gzip", json!({"level": 1}))]),
        json!([bytes("little"), blosc]),
        json!([bytes("big"), blosc, {"name": "crc32c"}]),
        json!([codec("numcodecs.delta", json!({"dtype": ">u4"})), bytes("little"), zstd]),
        json!([
            bytes("big"),
            codec("numcodecs.shuffle", json!({"elementsize": 4})),
            codec("numcodecs.lz4", json!({}))
        ]),
        json!([
            bytes("little"),
            codec("numcodecs.bz2", json!({"level": 1})),
            codec("numcodecs.fletcher32", json!({}))
        ]),
        json!([codec("numcodecs.pcodec", json!({"level": 1}))]),
        json!([transposed, codec("numcodecs.pcodec", json!({"level": 1})), {"name": "crc32c"}]),
        json!([transposed, shards]),
        json!([transposed, shards, codec("gzip", json!({"level": 1}))]),
    ])
}

fn case() -> impl proptest::strategy::Strategy<Value = Case> {
    (1usize..4)
        .prop_flat_map(|rank| {
            let of = |range: std::ops::Range<u64>| prop::collection::vec(range, rank);
            let end = || (of(1..14), prop::option::weighted(0.4, of(1..5)), codecs(rank));
            let same = (prop::bool::weighted(0.4), prop::bool::weighted(0.6));
            (of(1..[600, 40, 16][rank - 1]), end(), end(), same, 1u64..9, any::<bool>())
        })
        .prop_map(|(shape, source, target, (same_chunks, same_codecs), threads, sparse)| {
            let end = |(chunk, times, codecs): (Vec<u64>, Option<Vec<u64>>, Value)| {
                let shard = times.map(|times| times.iter().zip(&chunk).map(|(k, c)| k * c).collect());
                End { chunk, shard, codecs }
            };
            let mut target = target;
            if same_chunks {
                target.0.clone_from(&source.0);
            }
            if same_chunks || same_codecs {
                target.2.clone_from(&source.2);
            }
            Case { shape, source: end(source), target: end(target), threads, sparse }
        })
}

/// The least memory that the job is planned for, if it is planned at all.
fn least(planned: &dyn Fn(u64) -> Option<Prepared>) -> Option<u64> {
    planned(MEMORY_MAX)?;
    let (mut too_little, mut enough) = (0, MEMORY_MAX);
    while enough - too_little > 1 {
        let middle = u64::midpoint(too_little, enough);
        if planned(middle).is_some() { enough = middle } else { too_little = middle }
    }
    Some(enough)
}

fn within_least_memory(
    case: &Case,
    seen: &Mutex<BTreeMap<&'static str, usize>>,
) -> Result<(), TestCaseError> {
    let Case { shape, source, target, threads, sparse } = case;
    let from = create(shape, source);
    for way in Way::ALL.into_iter().map(Some).chain([None]) {
        let planned_to = |to: &Location, memory: u64| {
            let this = Request { way, memory_bytes_max: memory, ..job(&from, to, target, *threads) };
            let mut prepared = prepare(this).ok()?;
            if *sparse {
                prepared.sparse = Sparse { objects_min: 0, one_in: 1 };
            }
            Some(prepared)
        };
        let Some(least) = least(&|memory| planned_to(&place(), memory)) else { continue };
        let name = way.map_or("best", Way::name);
        // Buffers become larger with the memory there is, and threads more.
        for memory in [least, least + least / 3, 9 * least] {
            let to = place();
            let Some(prepared) = planned_to(&to, memory) else { continue };
            let planned = prepared.to_string();
            let report = match run(prepared, &NoProgress) {
                Err(error @ RechunkError::Budget { .. }) => {
                    let message = format!("{name} with {memory}: {error}\n{planned}");
                    return Err(TestCaseError::fail(message));
                }
                report => report.unwrap(),
            };
            prop_assert!(report.cost.peak_budget_bytes <= memory, "{}: {:?}", name, report);
            let Node::Array(array) = open(&to.open().unwrap()).unwrap() else { panic!("it was an array") };
            let (data, _) = array.read_region(&Region::whole(shape)).unwrap();
            prop_assert!(data == values(shape), "{} with {}:\n{}", name, memory, planned);
        }
        *seen.lock().unwrap().entry(name).or_default() += 1;
    }
    Ok(())
}

#[test]
fn whatever_is_planned_can_be_run() {
    let seen = Mutex::default();
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, cases: 40, ..Default::default() });
    runner.run(&case(), |case| within_least_memory(&case, &seen)).unwrap();
    let seen = seen.into_inner().unwrap();
    for way in Way::ALL {
        assert!(seen.contains_key(way.name()), "no case went the way {:?}: {seen:?}", way.name());
    }
}

/// Large chunks without compression are read in slices, which may be the chunks of the target.
#[test]
fn slices_that_are_the_chunks_of_the_target() {
    let check = |endian: &str, chunk: &[u64], shard: Option<&[u64]>| {
        let codecs = json!([{"name": "bytes", "configuration": {"endian": endian}}]);
        let source = End { chunk: vec![40, 3000], shard: None, codecs: codecs.clone() };
        let target = End { chunk: chunk.to_vec(), shard: shard.map(<[u64]>::to_vec), codecs };
        let case = Case { shape: vec![80, 3000], source, target, threads: 2, sparse: false };
        within_least_memory(&case, &Mutex::default()).unwrap();
    };
    for endian in ["little", "big"] {
        check(endian, &[4, 3000], None);
        check(endian, &[4, 3000], Some(&[40, 3000]));
        check(endian, &[4, 3000], Some(&[20, 3000]));
        check(endian, &[5, 1500], Some(&[40, 3000]));
    }
}
