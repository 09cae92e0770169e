//! Reading regions: the same values whatever the codecs, and no more bytes than needed where the codecs allow that.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use zarrange_array::{
    Array, ArraySpec, ChunkEncoder, Document, Layout, RegionReader, ShardFile, ShardWriter,
};
use zarrange_codec::CodecMetadata;
use zarrange_grid::{Dims, Filled, Region, copy_region};
use zarrange_io::wrappers::counting::counting;
use zarrange_io::{Change, Location};

const ITEM: usize = 4;

fn lists() -> Vec<Value> {
    let (little, big) = (
        json!({"name": "bytes", "configuration": {"endian": "little"}}),
        json!({"name": "bytes", "configuration": {"endian": "big"}}),
    );
    let blosc = |cname: &str, shuffle: &str, typesize: u32| {
        json!({"name": "blosc", "configuration":
            {"cname": cname, "clevel": 3, "shuffle": shuffle, "typesize": typesize, "blocksize": 128}})
    };
    let crc = json!({"name": "crc32c"});
    let transpose = json!({"name": "transpose", "configuration": {"order": [1, 0]}});
    vec![
        json!([little]),
        json!([big]),
        json!([little, crc]),
        json!([transpose, little]),
        json!([little, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]),
        json!([big, blosc("lz4", "shuffle", 4)]),
        json!([little, blosc("zstd", "bitshuffle", 4), crc]),
        // Items of the frame that are no elements.
        json!([big, blosc("lz4", "noshuffle", 3)]),
        json!([little, blosc("lz4", "shuffle", 2)]),
        json!([little, blosc("blosclz", "shuffle", 4)]),
        json!([transpose, big, blosc("lz4", "shuffle", 4)]),
    ]
}

/// Values that differ from element to element; every fourth chunk-sized run is the fill value.
fn values(shape: &[u64]) -> Vec<u8> {
    let count = u32::try_from(shape.iter().product::<u64>()).unwrap();
    (0..count).flat_map(|k| if k % 64 < 16 { 7 } else { k * 3 / 2 }.to_le_bytes()).collect()
}

/// An array of `shape` in memory, whose chunks lie in shards if there is a shard shape.
fn array(shape: &[u64], chunk: &[u64], shard: Option<&[u64]>, list: &Value) -> Array {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let name = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    array_in(&Location::Memory(format!("region-{name}")), (shape, chunk, shard), list)
}

fn array_in(
    place: &Location,
    (shape, chunk, shard): (&[u64], &[u64], Option<&[u64]>),
    list: &Value,
) -> Array {
    let codecs: Vec<CodecMetadata> = serde_json::from_value(list.clone()).unwrap();
    let document = Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(7),
        layout: Layout { chunk: chunk.to_vec(), shard: shard.map(<[u64]>::to_vec), codecs },
        dimension_names: vec!["a", "b"],
        attributes: Map::new(),
    });
    let array = Array::new(place.open().unwrap(), document, 3).unwrap();
    let (whole, data) = (Region::whole(shape), values(shape));
    if shard.is_none() {
        array.write_region(&whole, &data).unwrap();
        return array;
    }
    let chunks = array.chunks().unwrap();
    let mut codecs = ChunkEncoder::new(&chunks).unwrap();
    let chain = chunks.chain();
    let (mut plain, mut encoded) = (vec![0; chain.chunk_bytes()], vec![0; chain.encoded_bytes_max()]);
    let strides = zarrange_grid::Strides::c_order(whole, ITEM as u64);
    for object in (0..array.objects().count()).map(|k| array.objects().all().unravel(k)) {
        let mut writer = ShardWriter::new(&chunks).unwrap();
        let file = ShardFile::create(&chunks, &object, false).unwrap();
        let inside = chunks.grid().covering(&array.objects().region(&object));
        // Inner chunks that are all fill are missing; the others are written backwards.
        for chunk in (0..inside.elements()).rev().map(|k| inside.unravel(k)) {
            let elements = Filled { data: &data, strides: &strides };
            let Some(bytes) = codecs.encode(&chunk, elements, &mut plain, &mut encoded).unwrap() else {
                continue;
            };
            let offset = writer.reserve(chunks.number_in(&object, &chunk), bytes as u64);
            file.write(offset, &encoded[..bytes]).unwrap();
        }
        writer.finish(&chunks, file).unwrap();
    }
    array
}

fn naive(shape: &[u64], region: &Region) -> Vec<u8> {
    let strides = |region: &Region| zarrange_grid::Strides::c_order(region.clone(), ITEM as u64);
    let mut out = vec![0; usize::try_from(region.elements()).unwrap() * ITEM];
    let whole = Region::whole(shape);
    copy_region(region, (&values(shape), &strides(&whole)), (&mut out, &strides(region)), ITEM);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// One reader for many regions gives what the array holds, whatever its chunks, shards and codecs.
    #[test]
    fn any_region(
        list in prop::sample::select(lists()),
        shape in prop::array::uniform2(1u64..60),
        chunk in prop::array::uniform2(1u64..20),
        shards in prop::option::of(prop::array::uniform2(1u64..4)),
        corners in prop::collection::vec(prop::array::uniform4(0.0f64..1.0), 1..6),
    ) {
        let shard = shards.map(|s| [s[0] * chunk[0], s[1] * chunk[1]]);
        let array = array(&shape, &chunk, shard.as_ref().map(|s| &s[..]), &list);
        let mut reader = RegionReader::new(&array).unwrap();
        for corner in corners {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
            let at = |d: usize, share: f64| (share * shape[d] as f64) as u64;
            let start: Dims = (0..2).map(|d| at(d, corner[d])).collect();
            let size: Dims = (0..2).map(|d| (1 + at(d, corner[2 + d])).min(shape[d] - start[d])).collect();
            let region = Region::new(start, size);
            let mut out = vec![0xEE; usize::try_from(region.elements()).unwrap() * ITEM];
            reader.read_into(&region, &mut out).unwrap();
            prop_assert!(out == naive(&shape, &region), "{:?}", region);
        }
    }
}

/// Parts of chunks without compression are read alone, and a shard's index is read once.
#[test]
fn no_more_is_read_than_needed() {
    let check = |shard: Option<&[u64]>, expected: &[(u64, u64)]| {
        let little = json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
        let array = array(&[64, 100], &[16, 100], shard, &little);
        let mut reader = RegionReader::new(&array).unwrap();
        let mut before = (0, 0);
        for (row, expected) in [20u64, 21].iter().zip(expected) {
            let region = Region::new(vec![*row, 10], vec![1, 50]);
            let mut out = vec![0; 50 * ITEM];
            reader.read_into(&region, &mut out).unwrap();
            assert_eq!(out, naive(&[64, 100], &region));
            let cost = (reader.cost().requests, reader.cost().bytes);
            assert_eq!((cost.0 - before.0, cost.1 - before.1), *expected, "{shard:?}, row {row}");
            before = cost;
        }
    };
    check(None, &[(1, 200), (1, 200)]);
    // The index of four inner chunks has 4 * 16 bytes and a checksum.
    check(Some(&[64, 100]), &[(2, 200 + 68), (1, 200)]);
}

/// Neighbouring inner chunks are read in one request, as many as fit when they are encoded: not as many as could be sure to.
#[test]
fn a_shard_is_read_in_one_request() {
    let zstd = json!([{"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
    let array = array(&[1000, 400], &[1, 400], Some(&[1000, 400]), &zstd);
    let (data, cost) = array.read_region(&Region::whole(&[1000, 400])).unwrap();
    assert!(data == values(&[1000, 400]));
    assert!(data.len() > 1 << 20 && cost.bytes < 1 << 20, "{cost:?}");
    assert_eq!(cost.requests, 2, "the index and the chunks: {cost:?}");
}

/// What lies in many shards waits for the store once: to open them, for their indexes, and for the chunks.
#[test]
fn shards_are_read_together() {
    let crc = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]);
    // Shape, chunk, shard, the columns wanted, and how many steps that takes which wait for the one before, first and again.
    let check = |[shape, chunk, shard]: [[u64; 2]; 3], columns: u64, missing: &[u64], hops: [u64; 2]| {
        let written = array(&shape, &chunk, Some(&shard), &crc);
        for shard in missing {
            written.store().change(Change::Remove(&written.key(&[*shard, 0]))).unwrap();
        }
        let counters = Arc::default();
        let counted = counting(written.store().clone(), &counters);
        let array = Array::new(counted, written.document().clone(), 3).unwrap();
        let mut reader = RegionReader::new(&array).unwrap();
        let region = Region::new(vec![0, 0], vec![shape[0], columns]);
        let mut expected = naive(&shape, &region);
        for shard_of in missing {
            let rows = shard[0] * columns;
            let at = usize::try_from(shard_of * rows).unwrap() * ITEM;
            let fill = 7_u32.to_le_bytes().repeat(usize::try_from(rows).unwrap());
            expected[at..at + fill.len()].copy_from_slice(&fill);
        }
        for expected_hops in hops {
            let before = counters.counts().hops;
            let mut out = vec![0xEE; expected.len()];
            reader.read_into(&region, &mut out).unwrap();
            assert!(out == expected, "{shape:?}");
            assert_eq!(counters.counts().hops - before, expected_hops, "{shape:?} {columns}");
        }
    };
    check([[64, 100], [4, 100], [8, 100]], 100, &[], [3, 1]);
    check([[64, 100], [4, 100], [8, 100]], 10, &[2, 5], [3, 1]);
    check([[64, 100], [4, 100], [8, 100]], 10, &[0, 1, 2, 3, 4, 5, 6, 7], [1, 0]);
    // More than stay open: 64 of them, then the others, which closes as many.
    check([[400, 10], [2, 10], [4, 10]], 10, &[], [6, 6]);
    // Shards of 480 kB: two fill the buffer, and no third begins in what is left. In one of 1.6 MB, two thirds fit.
    check([[1800, 400], [4, 400], [300, 400]], 400, &[], [5, 3]);
    check([[2000, 400], [4, 400], [1000, 400]], 400, &[], [2 + 4, 4]);
}

/// Chunks that lie a little apart are read with what lies between them, also where not all of them fit the buffer at once.
#[test]
fn chunks_that_lie_apart_are_read_together() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // No parts of chunks can be read.
    let whole = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]);
    let check = |columns: u64, requests: u64| {
        let (shape, chunk) = ([24_000, columns], [16, 4]);
        let path = dir.path().join(columns.to_string());
        std::fs::create_dir(&path).unwrap();
        let array = array_in(&Location::Path(path), (&shape, &chunk, Some(&shape)), &whole);
        let region = Region::new(vec![0, 4], vec![24_000, 1]);
        let (data, cost) = array.read_region(&region).unwrap();
        assert!(data == naive(&shape, &region));
        // One is for the index.
        assert_eq!(cost.requests - 1, requests, "{columns}: {cost:?}");
    };
    // 1,500 chunks of 260 bytes: 390 kB one behind the other, and with all of them a megabyte and 1.17 MB; 4 kB apart each is read alone.
    check(8, 1);
    check(12, 2);
    check(68, 1500);
}

/// Room that is taken ahead (on ext4) is given back once the shard is complete.
#[test]
fn a_shard_takes_the_room_of_its_bytes() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let plain = json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
    let (shape, chunk) = ([1600, 1000], [100, 1000]);
    let array =
        array_in(&dir.path().to_str().unwrap().parse().unwrap(), (&shape, &chunk, Some(&shape)), &plain);
    assert!(array.read_region(&Region::whole(&shape)).unwrap().0 == values(&shape));
    let file = std::fs::metadata(dir.path().join(array.key(&[0, 0]))).unwrap();
    let (room, bytes) = (file.blocks() * 512, file.size());
    assert!(bytes > 6_000_000 && room < bytes + (64 << 10), "{bytes} bytes take room for {room}");
}

/// A part of a damaged chunk is an error, though the part itself would be there.
#[test]
fn a_chunk_of_another_size_is_refused() {
    for shard in [None, Some(&[64u64, 100][..])] {
        let zstd = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]);
        let stored = array(&[64, 100], &[16, 100], shard, &zstd);
        let plain = json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
        let layout = Layout {
            chunk: vec![16, 100],
            shard: shard.map(<[u64]>::to_vec),
            codecs: serde_json::from_value(plain).unwrap(),
        };
        // Four bytes of checksum more than the metadata says.
        let array = Array::new(stored.store().clone(), stored.document().with_layout(&layout), 3).unwrap();
        let error = array.read_region(&Region::new(vec![20, 10], vec![1, 50])).unwrap_err().to_string();
        assert!(error.contains("6404 bytes") && error.contains("6400"), "{error}");
    }
}
