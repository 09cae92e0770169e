//! Every way, through codecs and layouts of all kinds.

use serde_json::{Value, json};
use twox_hash::XxHash3_128;
use zarrange_io::Location;
use zarrange_plan::Way;
use zarrange_rechunk::Request;

use super::{End, job};

/// The shape of all arrays.
pub(crate) const SHAPE: [u64; 2] = [60, 50];

/// A way, and a pair of layouts that it leads between.
pub(crate) struct Case {
    pub(crate) way: Way,
    pub(crate) source: End,
    pub(crate) target: End,
    pub(crate) memory: u64,
}

/// Chunks, and shards if there are any.
type Shapes<'a> = (&'a [u64], Option<&'a [u64]>);

impl Case {
    /// Its request.
    pub(crate) fn request(&self, from: &Location, to: &Location, threads: u64) -> Request {
        let request = job(from, to, &self.target, threads);
        Request { way: Some(self.way), memory_bytes_max: self.memory, ..request }
    }

    /// What it is, for messages.
    pub(crate) fn name(&self) -> String {
        let shapes = |end: &End| format!("{:?}", (&end.chunk, &end.shard));
        format!("{} {} to {}", self.way.name(), shapes(&self.source), shapes(&self.target))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let zstd = json!([bytes, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
    let sums = json!([bytes, {"name": "crc32c"}]);
    let big = json!([{"name": "bytes", "configuration": {"endian": "big"}}]);
    let turned = json!([{"name": "transpose", "configuration": {"order": [1, 0]}}, bytes]);
    let blosc = json!([bytes, {"name": "blosc", "configuration":
        {"typesize": 4, "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}}]);
    let case = |way: Way, codecs: [&Value; 2], source: Shapes<'_>, target: Shapes<'_>, memory: u64| {
        let end = |(chunk, shard): Shapes<'_>, codecs: &Value| End {
            chunk: chunk.to_vec(),
            shard: shard.map(<[u64]>::to_vec),
            codecs: codecs.clone(),
        };
        Case { way, source: end(source, codecs[0]), target: end(target, codecs[1]), memory }
    };
    let large = 1 << 20;
    vec![
        case(Way::Copy, [&zstd, &zstd], (&[60, 3], None), (&[60, 3], None), large),
        case(Way::Copy, [&zstd, &zstd], (&[12, 5], Some(&[24, 50])), (&[12, 5], Some(&[24, 50])), large),
        case(Way::Repack, [&zstd, &zstd], (&[6, 5], None), (&[6, 5], Some(&[12, 25])), large),
        case(Way::Repack, [&sums, &sums], (&[6, 5], Some(&[12, 25])), (&[6, 5], Some(&[60, 10])), large),
        case(Way::Repack, [&blosc, &blosc], (&[6, 5], Some(&[12, 25])), (&[6, 5], None), large),
        case(Way::Tiles, [&zstd, &zstd], (&[60, 3], None), (&[7, 50], None), large),
        case(Way::Tiles, [&zstd, &blosc], (&[60, 3], None), (&[5, 10], Some(&[30, 20])), large),
        case(Way::Tiles, [&zstd, &zstd], (&[10, 50], None), (&[5, 10], Some(&[60, 50])), 11_500),
        case(Way::Tiles, [&big, &zstd], (&[60, 50], None), (&[5, 10], None), large),
        case(Way::Tiles, [&turned, &turned], (&[24, 10], None), (&[20, 12], None), large),
        case(Way::Tiles, [&sums, &big], (&[12, 5], Some(&[24, 50])), (&[24, 10], None), large),
        case(Way::Tiles, [&zstd, &zstd], (&[60, 3], None), (&[7, 50], None), 6000),
        case(Way::Tiles, [&zstd, &blosc], (&[20, 50], None), (&[5, 10], Some(&[10, 50])), 20_000),
        case(Way::Sweep, [&zstd, &zstd], (&[60, 3], None), (&[7, 5], None), 4500),
        case(Way::Sweep, [&zstd, &zstd], (&[12, 5], Some(&[24, 50])), (&[7, 9], Some(&[14, 9])), 10_000),
        case(Way::Staged, [&zstd, &zstd], (&[60, 1], None), (&[1, 50], None), 4000),
        case(Way::Staged, [&zstd, &zstd], (&[60, 1], None), (&[1, 50], Some(&[10, 50])), 9000),
        case(Way::Staged2, [&zstd, &blosc], (&[60, 1], None), (&[1, 50], None), 4000),
        case(Way::Staged3, [&zstd, &zstd], (&[60, 1], None), (&[1, 50], None), 4000),
    ]
}

/// A hash of every key of a place and of its bytes, documents apart if they are not written yet.
pub(crate) fn digest(place: &Location, with_documents: bool) -> String {
    let store = place.open().unwrap();
    let mut keys = Vec::new();
    store.walk("", &mut |key, _| keys.push(key.to_owned())).unwrap();
    keys.retain(|key| with_documents || key != "zarr.json");
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
