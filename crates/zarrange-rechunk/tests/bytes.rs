//! The bytes of every way, as they were recorded: how the engine is built may change, what it writes may not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{End, create, job, place};
use twox_hash::XxHash3_128;
use zarrange_io::Location;
use zarrange_plan::{Counts, Way};
use zarrange_rechunk::{NoProgress, Request, prepare, run};

/// A hash of every key of a place and of its bytes.
fn digest(place: &Location) -> String {
    let store = place.open().unwrap();
    let mut keys = Vec::new();
    store.walk("", &mut |key, _| keys.push(key.to_owned())).unwrap();
    keys.sort();
    let mut hash = XxHash3_128::new();
    for key in keys {
        let bytes = store.get(&key, u64::MAX).unwrap().unwrap();
        for part in [key.as_bytes(), &(bytes.len() as u64).to_le_bytes(), &bytes] {
            hash.write(part);
        }
    }
    format!("{:032x}", hash.finish_128())
}

/// Chunks, and shards if there are any.
type Shapes<'a> = (&'a [u64], Option<&'a [u64]>);

/// One line for each way, codec list and pair of layouts: what came of it, and what it counted.
fn recorded() -> String {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let zstd = json!([bytes, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
    let sums = json!([bytes, {"name": "crc32c"}]);
    let big = json!([{"name": "bytes", "configuration": {"endian": "big"}}]);
    let turned = json!([{"name": "transpose", "configuration": {"order": [1, 0]}}, bytes]);
    let blosc = json!([bytes, {"name": "blosc", "configuration":
        {"typesize": 4, "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}}]);
    let mut lines = Vec::new();
    let mut check = |way: Way, codecs: [&Value; 2], source: Shapes<'_>, target: Shapes<'_>, memory: u64| {
        let end = |(chunk, shard): Shapes<'_>, codecs: &Value| End {
            chunk: chunk.to_vec(),
            shard: shard.map(<[u64]>::to_vec),
            codecs: codecs.clone(),
        };
        let from = create(&[60, 50], &end(source, codecs[0]));
        let line = |threads: u64| {
            let to = place();
            let this = job(&from, &to, &end(target, codecs[1]), threads);
            let prepared = prepare(Request { way: Some(way), memory_bytes_max: memory, ..this }).unwrap();
            let report = run(prepared, &NoProgress).unwrap();
            assert_eq!(report.as_planned, Some(true), "{report:?}");
            let Counts { source_chunk_decodes, target_chunks, bytes_read, bytes_written, .. } =
                report.cost.counts;
            format!(
                "{} {source:?} to {target:?}: {} decodes {source_chunk_decodes} chunks {target_chunks} read \
                 {bytes_read} written {bytes_written}",
                way.name(),
                digest(&to)
            )
        };
        let one = line(1);
        for threads in [2, 3] {
            assert_eq!(line(threads), one, "on {threads} threads");
        }
        lines.push(one);
    };
    let large = 1 << 20;
    check(Way::Copy, [&zstd, &zstd], (&[60, 3], None), (&[60, 3], None), large);
    check(Way::Copy, [&zstd, &zstd], (&[12, 5], Some(&[24, 50])), (&[12, 5], Some(&[24, 50])), large);
    check(Way::Repack, [&zstd, &zstd], (&[6, 5], None), (&[6, 5], Some(&[12, 25])), large);
    check(Way::Repack, [&sums, &sums], (&[6, 5], Some(&[12, 25])), (&[6, 5], Some(&[60, 10])), large);
    check(Way::Repack, [&blosc, &blosc], (&[6, 5], Some(&[12, 25])), (&[6, 5], None), large);
    check(Way::Tiles, [&zstd, &zstd], (&[60, 3], None), (&[7, 50], None), large);
    check(Way::Tiles, [&zstd, &blosc], (&[60, 3], None), (&[5, 10], Some(&[30, 20])), large);
    check(Way::Tiles, [&zstd, &zstd], (&[10, 50], None), (&[5, 10], Some(&[60, 50])), 11_500);
    check(Way::Tiles, [&big, &zstd], (&[60, 50], None), (&[5, 10], None), large);
    check(Way::Tiles, [&turned, &turned], (&[24, 10], None), (&[20, 12], None), large);
    check(Way::Tiles, [&sums, &big], (&[12, 5], Some(&[24, 50])), (&[24, 10], None), large);
    check(Way::Sweep, [&zstd, &zstd], (&[60, 3], None), (&[7, 5], None), 4500);
    check(Way::Sweep, [&zstd, &zstd], (&[12, 5], Some(&[24, 50])), (&[7, 9], Some(&[14, 9])), 10_000);
    check(Way::Staged, [&zstd, &zstd], (&[60, 1], None), (&[1, 50], None), 4000);
    check(Way::Staged, [&zstd, &zstd], (&[60, 1], None), (&[1, 50], Some(&[10, 50])), 9000);
    check(Way::Staged2, [&zstd, &blosc], (&[60, 1], None), (&[1, 50], None), 4000);
    check(Way::Staged3, [&zstd, &zstd], (&[60, 1], None), (&[1, 50], None), 4000);
    lines.join("\n") + "\n"
}

/// With other libraries of the codecs, or where another layout of the bytes is wanted: `UPDATE=1` records them anew.
#[test]
fn every_way_writes_the_bytes_that_were_recorded() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bytes.txt");
    let found = recorded();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    for (found, known) in found.lines().zip(known.lines()) {
        assert_eq!(found, known);
    }
    assert_eq!(found.lines().count(), known.lines().count());
}
