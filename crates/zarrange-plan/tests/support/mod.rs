//! Problems that users of other tools met.

use serde_json::Value;
use zarrange_plan::{Costs, Format, PART_BYTES, Problem, Purpose};

/// A format with the sizes of zstd.
pub(crate) fn format(chunk: Vec<u64>, shard: Option<Vec<u64>>, item_bytes: u64) -> Format {
    let bytes = chunk.iter().product::<u64>() * item_bytes;
    let inner =
        shard.as_ref().map_or(0, |s| s.iter().product::<u64>() / chunk.iter().product::<u64>().max(1));
    Format {
        encoded_bytes_max: bytes + bytes / 256 + 128,
        scratch_bytes: 0,
        context_bytes: 1 << 20,
        shard_index_bytes: if shard.is_some() { inner * 48 + 4 } else { 0 },
        whole_shard_bytes: 0,
        decode_ns_per_byte: 1.6,
        encode_ns_per_byte: 8.0,
        stored_ratio: 1.0,
        edges: None,
        slices: false,
        chunk,
        shard,
    }
}

fn dims(value: &Value) -> Option<Vec<u64>> {
    value.as_array().map(|a| a.iter().map(|n| n.as_u64().unwrap()).collect())
}

/// A case of datasets/hard-cases.json as a problem on two threads.
fn hard_case(case: &Value) -> Problem {
    let item_bytes = match case["dtype"].as_str().unwrap_or("f4") {
        "u1" => 1,
        "u2" => 2,
        "f4" => 4,
        _ => 8,
    };
    let side =
        |name: &str| format(dims(&case[name]).unwrap(), dims(&case[format!("{name}_shards")]), item_bytes);
    Problem {
        shape: dims(&case["shape"]).unwrap(),
        item_bytes,
        source: side("source"),
        target: side("target"),
        same_encoding: true,
        memory_bytes_max: case["max_mem"].as_u64().unwrap(),
        threads: 2,
        purpose: Purpose::Write,
        costs: Costs::default(),
        way: None,
        part_bytes: PART_BYTES,
    }
}

/// The hard cases by name.
pub(crate) fn hard_cases() -> Vec<(String, Problem)> {
    let file = include_str!("../../../../datasets/hard-cases.json");
    let cases: Value = serde_json::from_str(file).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    cases.iter().map(|c| (c["name"].as_str().unwrap().to_owned(), hard_case(c))).collect()
}
