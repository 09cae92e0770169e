//! Every codec against `zarrs` as the oracle, on random shapes, types and parameters; and damaged bytes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::num::NonZeroU64;

use proptest::prelude::*;
use serde_json::{Value, json};
use zarrange_codec::{ArrayCodec, Chain, CodecMetadata, ElementType, Scratch, ShardIndex, same_values};
use zarrs::array::{ArrayBytes, CodecChain, DataType, FillValue};
use zarrs::array::{ArrayToBytesCodecTraits, CodecOptions};

const TYPES: [&str; 15] = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "float16",
    "int32",
    "uint32",
    "float32",
    "int64",
    "uint64",
    "float64",
    "complex64",
    "complex128",
    "r24",
];

fn element(name: &str) -> ElementType {
    let metadata = CodecMetadata::new(name);
    ElementType::new(&metadata).unwrap()
}

fn codecs(list: &Value) -> Vec<CodecMetadata> {
    serde_json::from_value(list.clone()).unwrap()
}

/// A codec list for arrays of `rank` dimensions.
fn list(rank: usize) -> impl Strategy<Value = Value> {
    let transpose = Just((0..rank).collect::<Vec<_>>()).prop_shuffle().prop_flat_map(move |order| {
        let codec = json!({"name": "transpose", "configuration": {"order": order}});
        prop::option::of(Just(codec)).prop_map(move |c| c.filter(|_| rank > 0))
    });
    let endian =
        prop_oneof!["little", "big"].prop_map(|e| json!({"name": "bytes", "configuration": {"endian": e}}));
    let blosc = (
        prop::sample::select(vec!["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"]),
        0..=9,
        prop::sample::select(vec!["noshuffle", "shuffle", "bitshuffle"]),
        prop::sample::select(vec![1, 2, 4, 8, 13]),
        prop::sample::select(vec![0, 64, 4096]),
    )
        .prop_map(|(cname, clevel, shuffle, typesize, blocksize)| {
            json!({"name": "blosc", "configuration": {
                "cname": cname, "clevel": clevel, "shuffle": shuffle, "typesize": typesize, "blocksize": blocksize}})
        });
    let compressor = prop_oneof![
        2 => Just(None),
        3 => blosc.prop_map(Some),
        3 => (-3..12, any::<bool>()).prop_map(|(level, checksum)| Some(json!({"name": "zstd", "configuration": {"level": level, "checksum": checksum}}))),
        2 => (0..=9).prop_map(|level| Some(json!({"name": "gzip", "configuration": {"level": level}}))),
        // As steps.
        1 => (0..=9).prop_map(|level| Some(json!({"name": "numcodecs.zlib", "configuration": {"level": level}}))),
    ];
    let checksum = prop_oneof![Just(None), Just(Some(json!({"name": "crc32c"})))];
    (transpose, endian, compressor, checksum)
        .prop_map(|(t, e, c, s)| Value::Array([t, Some(e), c, s].into_iter().flatten().collect()))
}

#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    shape: Vec<u64>,
    list: Value,
    data: Vec<u8>,
    /// Each byte of the fill value.
    fill: u8,
}

impl Case {
    fn fill(&self) -> Vec<u8> {
        vec![self.fill; element(self.name).bytes()]
    }
}

fn case() -> impl Strategy<Value = Case> {
    (0usize..4)
        .prop_flat_map(|rank| {
            (
                prop::sample::select(TYPES.to_vec()),
                prop::collection::vec(1u64..14, rank),
                list(rank),
                any::<u64>(),
                0..3,
            )
        })
        .prop_map(|(name, shape, list, seed, kind)| {
            let data = random_data(name, &shape, seed, kind);
            Case { name, shape, list, data, fill: 0 }
        })
}

/// Bytes of a chunk: noise, a ramp, or all the same.
fn random_data(name: &str, shape: &[u64], seed: u64, kind: i32) -> Vec<u8> {
    let bytes = element(name).bytes() * usize::try_from(shape.iter().product::<u64>()).unwrap();
    let mut state = seed | 1;
    let value = |k: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let value = match kind {
            0 => state.to_le_bytes()[7],
            1 => k.to_le_bytes()[0],
            _ => 3,
        };
        if name == "bool" { value & 1 } else { value }
    };
    (0..bytes).map(value).collect()
}

fn decode(chain: &Chain, encoded: &[u8]) -> Result<Vec<u8>, zarrange_codec::CodecError> {
    let mut chunk = vec![0xEE; chain.chunk_bytes()];
    chain.decode(encoded, &mut chunk, &mut Scratch::new(chain)).map(|()| chunk)
}

fn encode(chain: &Chain, chunk: &[u8], scratch: &mut Scratch) -> Vec<u8> {
    // More room than needed, as in a batch of chunks: the bytes must not depend on it.
    let mut encoded = vec![0xEE; 3 * chain.encoded_bytes_max()];
    let n = chain.encode(chunk, &mut encoded, scratch).unwrap();
    encoded.truncate(n);
    encoded
}

fn zarrs_encode(case: &Case) -> Result<Vec<u8>, String> {
    let chain = CodecChain::from_metadata(&codecs(&case.list)).unwrap();
    let shape: Vec<NonZeroU64> = case.shape.iter().map(|n| NonZeroU64::new(*n).unwrap()).collect();
    let kind = DataType::from_metadata(&CodecMetadata::new(case.name)).unwrap();
    let fill = FillValue::from(case.fill());
    let data = ArrayBytes::new_flen(Cow::Borrowed(&case.data[..]));
    // With more threads the order of inner chunks is that in which they are done.
    let options = CodecOptions::default().with_concurrent_target(1);
    chain.encode(data, &shape, &kind, &fill, &options).map(Cow::into_owned).map_err(|e| e.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The same values as zarrs, and the same bytes: both call the same libraries.
    #[test]
    fn codecs_agree_with_zarrs(case in case()) {
        let chain = Chain::new(&codecs(&case.list), &element(case.name), &case.shape, &case.fill()).unwrap();
        let theirs = zarrs_encode(&case).unwrap();
        prop_assert_eq!(decode(&chain, &theirs).unwrap(), &case.data[..]);
        let scratch = &mut Scratch::new(&chain);
        let ours = encode(&chain, &case.data, scratch);
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(encode(&chain, &case.data, scratch), ours, "a warm context gives the same bytes");
        prop_assert!(!chain.is_fallback());
    }

    /// Damaged bytes give an error or some chunk of the right size, never a panic; a checksum always tells.
    #[test]
    fn damage_is_found_or_harmless(case in case(), at in any::<prop::sample::Index>(), bit in 0..8, cut in any::<prop::sample::Index>()) {
        let chain = Chain::new(&codecs(&case.list), &element(case.name), &case.shape, &case.fill()).unwrap();
        let good = zarrs_encode(&case).unwrap();
        let summed = case.list.to_string().contains("crc32c");
        let mut flipped = good.clone();
        flipped[at.index(good.len())] ^= 1u8 << bit;
        let result = decode(&chain, &flipped);
        prop_assert!(!summed || result.is_err());
        prop_assert!(decode(&chain, &good[..cut.index(good.len())]).is_err());
        let longer = [&good[..], &[0]].concat();
        prop_assert!(!summed || decode(&chain, &longer).is_err());
    }
}

/// A list that begins with pcodec, and a chunk that it can hold.
fn pcodec_case() -> impl Strategy<Value = Case> {
    let kinds = prop::sample::select(vec![
        "int16",
        "uint16",
        "float16",
        "int32",
        "uint32",
        "float32",
        "int64",
        "uint64",
        "float64",
        "complex64",
    ]);
    // Every way to choose and to refer to earlier numbers; several parts in a stream.
    let delta = prop::sample::select(vec!["auto", "none", "try_consecutive", "try_lookback"]);
    (kinds, prop::collection::vec(1u64..30, 1..3), delta, 0..=8, 40..2000, any::<u64>(), 0..3).prop_map(
        |(name, shape, delta, level, pages, seed, kind)| {
            let list = json!([{"name": "numcodecs.pcodec", "configuration": {
                "level": level, "mode_spec": "auto", "delta_spec": delta, "paging_spec": "equal_pages_up_to",
                "delta_encoding_order": if delta == "try_consecutive" { json!(2) } else { json!(null) },
                "equal_pages_up_to": pages}}]);
            let data = random_data(name, &shape, seed, kind);
            Case { name, shape, list, data, fill: 0 }
        },
    )
}

/// Two or three levels of shards around any list of inner chunks, with a filter before and a compressor after some of them;
/// much of the chunk is the fill value, so that inner chunks of all levels are missing.
fn nested_case() -> impl Strategy<Value = Case> {
    // Few, for zarrs, which is compared with, takes every inner chunk to be as large as the outermost shard when it encodes.
    let levels = |rank| {
        let counts = prop::collection::vec(1u64..3, rank);
        prop::collection::vec((counts, any::<[bool; 5]>()), 2..if rank < 3 { 4 } else { 3 })
    };
    (0usize..4)
        .prop_flat_map(move |rank| {
            let inner = (prop::collection::vec(1u64..4, rank), list(rank));
            (
                prop::sample::select(TYPES.to_vec()),
                inner,
                levels(rank),
                any::<u64>(),
                any::<[prop::sample::Index; 2]>(),
            )
        })
        .prop_map(|(name, (mut shape, mut list), levels, seed, zeros)| {
            for (counts, [start, big, checksum, transpose, gzip]) in levels {
                list = shards(&shape, &list, (start, big, checksum));
                let outside = list.as_array_mut().unwrap();
                shape.iter_mut().zip(counts).for_each(|(s, n)| *s *= n);
                if transpose && !shape.is_empty() {
                    let order: Vec<_> = (0..shape.len()).rev().collect();
                    shape.reverse();
                    outside.insert(0, json!({"name": "transpose", "configuration": {"order": order}}));
                }
                if gzip {
                    outside.push(json!({"name": "gzip", "configuration": {"level": 1}}));
                }
            }
            let mut data = random_data(name, &shape, seed, 1);
            let [a, b] = zeros.map(|at| at.index(data.len() + 1));
            data[a.min(b)..a.max(b)].fill(1);
            Case { name, shape, list, data, fill: 1 }
        })
}

fn shards(inner: &[u64], list: &Value, (start, big, checksum): (bool, bool, bool)) -> Value {
    let mut index =
        vec![json!({"name": "bytes", "configuration": {"endian": if big { "big" } else { "little" }}})];
    index.extend(checksum.then(|| json!({"name": "crc32c"})));
    json!([{"name": "sharding_indexed", "configuration": {
        "chunk_shape": inner, "codecs": list, "index_codecs": index,
        "index_location": if start { "start" } else { "end" }}}])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// What zarrs encodes is decoded here to the same values; damage gives an error or some chunk.
    #[test]
    fn what_zarrs_would_not_bound_agrees_with_it(
        case in prop_oneof![pcodec_case(), nested_case()], at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let Ok(ArrayCodec::Chunks(chain)) = ArrayCodec::new(&codecs(&case.list), &element(case.name), &case.shape, &case.fill())
        else {
            panic!("a list that is decoded as a whole: {}", case.list)
        };
        let theirs = zarrs_encode(&case);
        // zarrs reckons with too few bytes for a few elements in zlib.
        prop_assume!(theirs.is_ok() || !case.list.to_string().contains("zlib"));
        let theirs = theirs.unwrap();
        prop_assert_eq!(decode(&chain, &theirs).unwrap(), &case.data[..]);
        prop_assert_eq!(encode(&chain, &case.data, &mut Scratch::new(&chain)), &theirs[..]);
        prop_assert!(theirs.len() <= chain.encoded_bytes_max());
        let mut flipped = theirs.clone();
        if !flipped.is_empty() {
            flipped[at.index(theirs.len())] ^= 1u8 << bit;
            drop(decode(&chain, &flipped));
            // Without checksums, what is left may be a chunk too.
            drop(decode(&chain, &theirs[..at.index(theirs.len())]));
        }
    }
}

/// Numbers that are compressed one by one take many times their own bytes: what is written can be read all the same.
#[test]
fn pcodec_of_tiny_parts() {
    for outside in [None, Some(json!({"name": "zstd", "configuration": {"level": 1, "checksum": false}}))] {
        let pcodec = json!({"name": "numcodecs.pcodec", "configuration": {
            "level": 8, "mode_spec": "auto", "delta_spec": "auto", "paging_spec": "equal_pages_up_to",
            "delta_encoding_order": null, "equal_pages_up_to": 1}});
        let list = Value::Array([Some(pcodec), outside].into_iter().flatten().collect());
        let chain = Chain::new(&codecs(&list), &element("uint16"), &[4000], &[0; 2]).unwrap();
        let data = random_data("uint16", &[4000], 7, 0);
        let encoded = encode(&chain, &data, &mut Scratch::new(&chain));
        assert_eq!(decode(&chain, &encoded).unwrap(), data, "{list}");
    }
}

/// What the C library writes with blosclz, our own decoder reads: long runs, near and far matches, noise, every shuffle; and
/// damage never leads out of bounds.
#[test]
fn blosclz_is_decoded_here() {
    let repeating = |period: usize, noise: usize| -> Vec<u8> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        };
        let pattern: Vec<u8> = (0..period).map(|_| next()).collect();
        (0..300_000).map(|k| if k % noise == 0 { next() } else { pattern[k % period] }).collect()
    };
    let check = |data: &[u8], shuffle: &str, typesize: usize, clevel: usize| {
        let list = json!([{"name": "bytes"}, {"name": "blosc", "configuration": {
            "cname": "blosclz", "clevel": clevel, "shuffle": shuffle, "typesize": typesize, "blocksize": 0}}]);
        let chain = Chain::new(&codecs(&list), &element("uint8"), &[data.len() as u64], &[0]).unwrap();
        let good = encode(&chain, data, &mut Scratch::new(&chain));
        assert!(decode(&chain, &good).unwrap() == data, "{shuffle} {typesize} {clevel}");
        for at in (16..good.len()).step_by(good.len() / 25 + 1) {
            let mut damaged = good.clone();
            damaged[at] ^= 0xA5;
            // An error or other values; what counts is that it comes back.
            drop(decode(&chain, &damaged));
        }
        good.len() < data.len()
    };
    let mut compressed = 0;
    for data in [
        repeating(1, 5000),
        repeating(7, 300),
        repeating(5000, 900),
        repeating(20_000, 2000),
        repeating(70_000, 7),
    ] {
        for shuffle in ["noshuffle", "shuffle", "bitshuffle"] {
            for typesize in [1, 2, 4, 8, 16, 17] {
                compressed += usize::from(check(&data, shuffle, typesize, 5));
            }
        }
        compressed += usize::from(check(&data[..1000], "noshuffle", 4, 9));
    }
    assert!(compressed > 40, "only {compressed} frames were compressed");
}

#[test]
fn a_chunk_of_another_size_is_refused() {
    let check = |list: Value| {
        let kind = element("uint16");
        let of = |shape: &[u64]| Chain::new(&codecs(&list), &kind, shape, &[0, 0]).unwrap();
        let (small, right, large) = (of(&[99]), of(&[100]), of(&[101]));
        for wrong in [small, large] {
            let encoded = encode(&wrong, &vec![7; wrong.chunk_bytes()], &mut Scratch::new(&wrong));
            let error = decode(&right, &encoded).unwrap_err();
            assert!(!error.to_string().is_empty(), "{list}: {error}");
        }
    };
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    check(json!([bytes]));
    check(json!([bytes, {"name": "zstd", "configuration": {"level": 1}}]));
    check(json!([bytes, {"name": "gzip", "configuration": {"level": 1}}]));
    check(
        json!([bytes, {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 1, "shuffle": "shuffle", "typesize": 2, "blocksize": 0}}]),
    );
    check(json!([bytes, {"name": "crc32c"}]));
    check(json!([bytes, {"name": "numcodecs.zlib", "configuration": {"level": 1}}]));
    check(json!([{"name": "transpose", "configuration": {"order": [0]}}, bytes]));
}

/// Bytes that decompress to more than a chunk are left where it shows, also in lists of several steps.
#[test]
fn decompression_ends_where_a_chunk_does() {
    let check = |packers: Value| {
        let mut list = vec![json!({"name": "bytes"})];
        list.extend(packers.as_array().unwrap().iter().cloned());
        let of = |bytes| Chain::new(&codecs(&json!(list)), &element("uint8"), &[bytes], &[0]).unwrap();
        let (small, large) = (of(100), of(5 << 20));
        assert!(!small.is_fallback());
        let bomb = encode(&large, &vec![0; large.chunk_bytes()], &mut Scratch::new(&large));
        assert!(bomb.len() < 20_000, "{packers}: {}", bomb.len());
        let error = decode(&small, &bomb).unwrap_err().to_string();
        assert!(error.contains("decodes to more bytes than the metadata says"), "{packers}: {error}");
    };
    let zlib = json!({"name": "numcodecs.zlib", "configuration": {"level": 9}});
    let bz2 = json!({"name": "numcodecs.bz2", "configuration": {"level": 9}});
    let zstd = json!({"name": "zstd", "configuration": {"level": 1, "checksum": false}});
    let gzip = json!({"name": "gzip", "configuration": {"level": 9}});
    let blosc = json!({"name": "blosc", "configuration": {
        "cname": "zstd", "clevel": 5, "shuffle": "noshuffle", "blocksize": 0}});
    let sum = json!({"name": "numcodecs.adler32"});
    for packer in [&zlib, &bz2, &zstd, &gzip, &blosc] {
        check(json!([packer, sum]));
        check(json!([packer, packer]));
    }
}

/// The formats before the first stable one, which the library may still read, are not those of the codec.
#[test]
fn only_frames_of_zstd_are_decoded() {
    let list = json!([{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1}}]);
    let chain = Chain::new(&codecs(&list), &element("uint8"), &[9], &[0]).unwrap();
    let good = encode(&chain, &[7; 9], &mut Scratch::new(&chain));
    let skippable = [&[0x5F, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 1, 1][..], &good].concat();
    assert_eq!(decode(&chain, &skippable).unwrap(), [7; 9]);
    for old in 0xFD2F_B522u32..=0xFD2F_B527 {
        let error = decode(&chain, &[&old.to_le_bytes(), &good[4..]].concat()).unwrap_err().to_string();
        assert!(error.contains("not a frame"), "{old:x}: {error}");
    }
}

#[test]
fn nan_equals_nan_and_nothing_else_is_forgiven() {
    let check = |name: &str, a: &[u8], b: &[u8], expected: Option<usize>| {
        assert_eq!(same_values(a, b, &element(name), false), expected, "{name}: {a:?} {b:?}");
    };
    let quiet = f32::NAN.to_ne_bytes();
    let other = f32::from_bits(0xFF80_0001).to_ne_bytes();
    check("float32", &quiet, &other, None);
    check("uint32", &quiet, &other, Some(0));
    check("float32", &0f32.to_ne_bytes(), &(-0f32).to_ne_bytes(), Some(0));
    check("complex64", &[quiet, quiet].concat(), &[other, quiet].concat(), None);
    check("complex64", &[quiet, quiet].concat(), &[other, 1f32.to_ne_bytes()].concat(), Some(0));
    check("float16", &0x7C01u16.to_ne_bytes(), &0xFE00u16.to_ne_bytes(), None);
    check("float16", &0x7C00u16.to_ne_bytes(), &0xFC00u16.to_ne_bytes(), Some(0));
}

fn shard_list(location: &str, index: &Value) -> Vec<CodecMetadata> {
    codecs(&json!([{"name": "sharding_indexed", "configuration": {
        "chunk_shape": [2, 5], "index_location": location, "index_codecs": index,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]}}]))
}

/// An index that we write is one that zarrs reads: the inner chunks come back.
#[test]
fn shards_agree_with_zarrs() {
    let little = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let big = json!({"name": "bytes", "configuration": {"endian": "big"}});
    for location in ["start", "end"] {
        for index_codecs in
            [json!([little]), json!([little, {"name": "crc32c"}]), json!([big, {"name": "crc32c"}])]
        {
            let list = shard_list(location, &index_codecs);
            let kind = element("uint16");
            let ArrayCodec::Shards(codec) = ArrayCodec::new(&list, &kind, &[6, 10], &[9, 0]).unwrap() else {
                panic!("a plain shard is ours")
            };
            // Inner chunks 1 and 4 are missing.
            let (mut shard, mut index) =
                (vec![0; usize::try_from(codec.data_offset()).unwrap()], ShardIndex::empty(6));
            for k in [0u8, 2, 3, 5] {
                let encoded = encode(codec.inner(), &[k; 20], &mut Scratch::new(codec.inner()));
                index.set(usize::from(k), shard.len() as u64, encoded.len() as u64);
                shard.extend(encoded);
            }
            let mut encoded_index = vec![0; codec.index_bytes()];
            codec.encode_index(&index, &mut encoded_index);
            if location == "end" {
                shard.extend(&encoded_index);
            } else {
                shard[..encoded_index.len()].copy_from_slice(&encoded_index);
            }
            let bytes = shard.len() as u64;
            assert_eq!(codec.decode_index(&encoded_index, bytes).unwrap(), index);
            let start = usize::try_from(codec.index_offset(bytes).unwrap()).unwrap();
            assert_eq!(&shard[start..start + encoded_index.len()], encoded_index);

            let theirs = CodecChain::from_metadata(&list).unwrap();
            let shape = [6, 10].map(|n| NonZeroU64::new(n).unwrap());
            let zarrs_type = DataType::from_metadata(&CodecMetadata::new("uint16")).unwrap();
            let decoded = theirs
                .decode(
                    Cow::Owned(shard),
                    &shape,
                    &zarrs_type,
                    &FillValue::from(vec![9, 0]),
                    &CodecOptions::default(),
                )
                .unwrap()
                .into_fixed()
                .unwrap();
            for (at, pair) in decoded.chunks(2).enumerate() {
                let k = at / 10 / 2 * 2 + at % 10 / 5;
                let expected = if k == 1 || k == 4 { [9, 0] } else { [u8::try_from(k).unwrap(); 2] };
                assert_eq!(pair, expected, "element {at}");
            }
        }
    }
}

#[test]
fn hostile_indexes_are_refused() {
    let little = json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
    let check = |location: &str, entries: &[(usize, u64, u64)], expected: &str| {
        let ArrayCodec::Shards(codec) =
            ArrayCodec::new(&shard_list(location, &little), &element("uint8"), &[6, 10], &[0]).unwrap()
        else {
            panic!("a plain shard is ours")
        };
        let mut index = ShardIndex::empty(6);
        for (k, offset, bytes) in entries {
            index.set(*k, *offset, *bytes);
        }
        let mut encoded = vec![0; codec.index_bytes()];
        codec.encode_index(&index, &mut encoded);
        let result = codec.decode_index(&encoded, 200);
        match expected {
            "" => assert_eq!(result.unwrap(), index),
            _ => assert!(result.unwrap_err().to_string().contains(expected), "{entries:?}"),
        }
    };
    check("end", &[(0, 0, 50), (1, 50, 54)], "");
    check("start", &[(0, 96, 50), (5, 146, 54)], "");
    check("end", &[(0, 0, 105)], "outside");
    check("start", &[(0, 95, 5)], "outside");
    check("end", &[(0, u64::MAX - 1, 5)], "outside");
    check("end", &[(0, u64::MAX, 5)], "outside");
    check("end", &[(0, 5, u64::MAX)], "outside");
    check("end", &[(0, 0, 50), (1, 49, 5)], "overlap");
    check("end", &[(3, 10, 5), (1, 0, 11)], "overlap");
    // Nothing lies before something, whichever is listed first.
    check("end", &[(0, 5, 10), (1, 5, 0)], "");
    check("end", &[(0, 5, 0), (1, 5, 10)], "");
}

#[test]
fn an_index_of_another_length_is_refused() {
    let little = json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
    let list = shard_list("end", &little);
    let Ok(ArrayCodec::Shards(codec)) = ArrayCodec::new(&list, &element("uint8"), &[6, 10], &[0]) else {
        panic!("a plain shard is ours")
    };
    for bytes in [0, 16, 95, 97, 112] {
        let error = codec.decode_index(&vec![0xFF; bytes], 200).unwrap_err().to_string();
        assert!(error.contains(&format!("{bytes} bytes instead of 96")), "{error}");
    }
    assert_eq!(ShardIndex::memory_bytes(u64::MAX), u64::MAX);
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let check = |list: Value, shape: &[u64], expected: &str| {
        let error =
            ArrayCodec::new(&codecs(&list), &element("uint16"), shape, &[0, 0]).unwrap_err().to_string();
        assert!(error.contains(expected), "{list}: {error}");
    };
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    check(json!([]), &[4], "");
    check(json!([bytes, {"name": "unheard-of"}]), &[4], "unheard-of");
    check(json!([bytes, {"name": "gzip", "configuration": {"level": 77}}]), &[4], "gzip");
    check(json!([{"name": "transpose", "configuration": {"order": [0, 0]}}, bytes]), &[4, 4], "transpose");
    check(json!([{"name": "crc32c"}, bytes]), &[4], "not in order");
    check(json!([bytes]), &[1 << 62, 4], "overflow");
    check(json!([{"name": "vlen-bytes"}]), &[4], "nothing is known");
    let pages = json!({"level": 8, "equal_pages_up_to": 0});
    check(json!([{"name": "numcodecs.pcodec", "configuration": pages}]), &[4], "pages of no elements");
    let shards = |inner: u64, codecs: Value, index: Value| {
        json!([{"name": "sharding_indexed", "configuration": {
            "chunk_shape": [inner], "codecs": codecs, "index_codecs": index}}])
    };
    check(shards(3, json!([bytes]), json!([bytes])), &[4], "multiple");
    let sum = json!({"name": "numcodecs.adler32"});
    check(shards(2, json!([bytes]), json!([bytes, sum])), &[4], "index_codecs");
    let nested = |levels| (0..levels).fold(json!([bytes]), |inner, _| shards(2, inner, json!([bytes])));
    let deepest = ArrayCodec::new(&codecs(&nested(4)), &element("uint16"), &[4], &[0, 0]).unwrap();
    assert!(matches!(deepest, ArrayCodec::Chunks(_)));
    check(nested(5), &[4], "more than 4 levels deep");
}
