//! What tests of several files need: arrays in memory, and jobs that rechunk them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod ways;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_grid::Region;
use zarrange_io::Location;
use zarrange_rechunk::{ChunkSpec, Durability, Named, NoProgress, Request, prepare, run};

/// The most memory that a job of these tests has.
pub(crate) const MEMORY_MAX: u64 = 1 << 28;

/// A place of its own in memory.
pub(crate) fn place() -> Location {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    Location::Memory(format!("memory-test-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

/// The layout of one end of a job.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) chunk: Vec<u64>,
    pub(crate) shard: Option<Vec<u64>>,
    pub(crate) codecs: Value,
}

/// Elements that are their own positions, with stretches of fill.
pub(crate) fn values(shape: &[u64]) -> Vec<u8> {
    let elements: u64 = shape.iter().product();
    let value = |k: u64| if (k / 64).is_multiple_of(5) { u32::MAX } else { u32::try_from(k).unwrap() };
    (0..elements).flat_map(|k| value(k).to_ne_bytes()).collect()
}

pub(crate) fn job(from: &Location, to: &Location, end: &End, threads: u64) -> Request {
    let named = |shape: &[u64]| Named {
        array: None,
        spec: ChunkSpec::Sizes(shape.iter().map(|n| i64::try_from(*n).unwrap()).collect()),
    };
    let none = Named { array: None, spec: ChunkSpec::None };
    Request {
        chunks: vec![named(&end.chunk)],
        shards: vec![end.shard.as_deref().map_or(none, named)],
        codecs: end.codecs.to_string().parse().unwrap(),
        memory_bytes_max: MEMORY_MAX,
        threads,
        durability: Durability::None,
        ..Request::new(from.clone(), to.clone())
    }
}

pub(crate) fn create(shape: &[u64], end: &End) -> Location {
    create_of(shape, end, &values(shape))
}

/// An array of these elements; the fill value is the largest.
pub(crate) fn create_of(shape: &[u64], end: &End, values: &[u8]) -> Location {
    let (plain, sharded) = (place(), place());
    let codecs = serde_json::from_value(end.codecs.clone()).unwrap();
    let document = Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(u32::MAX),
        layout: Layout { chunk: end.chunk.clone(), shard: None, codecs },
        dimension_names: ["a", "b", "c"][..shape.len()].to_vec(),
        attributes: Map::new(),
    });
    let array = Array::new(plain.open().unwrap(), document, 3).unwrap();
    array.write_region(&Region::whole(shape), values).unwrap();
    array.write_metadata().unwrap();
    if end.shard.is_none() {
        return plain;
    }
    run(prepare(job(&plain, &sharded, end, 2)).unwrap(), &NoProgress).unwrap();
    sharded
}
