//! Lists of any codecs in any number: what is encoded is decoded; and streams as other libraries write them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};
use zarrange_codec::{ArrayCodec, Chain, CodecError, CodecMetadata, ElementType, Scratch};

const TYPES: [&str; 10] =
    ["bool", "int8", "uint16", "int32", "uint64", "float16", "float32", "float64", "complex64", "r24"];

fn element(name: &str) -> ElementType {
    let metadata = CodecMetadata::new(name);
    ElementType::new(&metadata).unwrap()
}

fn chain(list: &Value, kind: &str, shape: &[u64]) -> Result<Chain, CodecError> {
    let (codecs, element) = (serde_json::from_value::<Vec<_>>(list.clone()).unwrap(), element(kind));
    match ArrayCodec::new(&codecs, &element, shape, &vec![0; element.bytes()])? {
        ArrayCodec::Chunks(chain) => Ok(chain),
        other => panic!("{list} is decoded as a whole, not as {other:?}"),
    }
}

fn decode(chain: &Chain, encoded: &[u8], scratch: &mut Scratch) -> Result<Vec<u8>, CodecError> {
    let mut chunk = vec![0xEE; chain.chunk_bytes()];
    chain.decode(encoded, &mut chunk, scratch).map(|()| chunk)
}

fn encode(chain: &Chain, chunk: &[u8], scratch: &mut Scratch) -> Result<Vec<u8>, CodecError> {
    let mut encoded = vec![0xEE; chain.encoded_bytes_max()];
    let n = chain.encode(chunk, &mut encoded, scratch)?;
    encoded.truncate(n);
    Ok(encoded)
}

#[expect(clippy::needless_pass_by_value, reason = "most are made where they are passed")]
fn codec(name: &str, configuration: Value) -> Value {
    json!({"name": name, "configuration": configuration})
}

/// Numbers that depend on their index, as bytes; bools are bools.
fn data(kind: &str, bytes: usize) -> Vec<u8> {
    let value = |k: usize| (k * k % 251 + k / 97).to_le_bytes()[0];
    (0..bytes).map(|k| if kind == "bool" { value(k) & 1 } else { value(k) }).collect()
}

/// What can be told of stored bytes without decoding them: their number, and the checksum at the end of a list, in two pieces.
fn check_stored(chain: &Chain, encoded: &[u8], at: usize, bit: u8) {
    chain.check_stored_bytes(encoded.len() as u64).unwrap();
    let most = chain.encoded_bytes_max() as u64;
    let error = chain.check_stored_bytes(most + 1).unwrap_err();
    assert!(
        matches!(error, CodecError::Stored { .. }) && error.to_string().contains("can be valid"),
        "{error}"
    );
    if !chain.ends_in_checksum() {
        return;
    }
    let check = |encoded: &[u8]| {
        let mut sum = chain.sum_check(encoded.len() as u64).unwrap().unwrap();
        sum.add(&encoded[..at]);
        sum.add(&encoded[at..]);
        sum.finish()
    };
    check(encoded).unwrap();
    let mut changed = encoded.to_vec();
    changed[at] ^= 1 << bit;
    check(&changed).unwrap_err();
}

/// Codecs on numbers that lose nothing, for elements of a type.
fn filters(kind: &'static str, rank: usize) -> impl Strategy<Value = Vec<Value>> {
    let transpose = Just((0..rank).collect::<Vec<_>>()).prop_shuffle();
    let transpose = transpose.prop_map(|order| codec("transpose", json!({"order": order})));
    let numbers = match kind {
        "bool" => codec("numcodecs.packbits", json!({})),
        "int32" => codec("numcodecs.delta", json!({"astype": "i4"})),
        "int8" => codec("numcodecs.astype", json!({"encode_dtype": "f4"})),
        "uint16" => codec("cast_value", json!({"data_type": "float32", "rounding": "towards-zero"})),
        "uint64" => codec("numcodecs.delta", json!({"dtype": ">u8"})),
        "float16" => codec("numcodecs.astype", json!({"encode_dtype": "<u2", "decode_dtype": "<u2"})),
        "float32" | "complex64" => codec("numcodecs.bitround", json!({"keepbits": 23})),
        _ => codec("transpose", json!({"order": (0..rank).rev().collect::<Vec<_>>()})),
    };
    let usable = kind != "complex64";
    let before = prop::collection::vec(transpose, 0..3);
    (before, any::<bool>()).prop_map(move |(mut list, number)| {
        list.extend((number && usable).then(|| numbers.clone()));
        list
    })
}

fn packer() -> impl Strategy<Value = Value> {
    let level = |name: &'static str, levels: std::ops::RangeInclusive<i32>| {
        levels.prop_map(move |level| codec(name, json!({"level": level})))
    };
    let blosc = (prop::sample::select(vec!["lz4", "zstd", "blosclz"]), -1..=2)
        .prop_map(|(cname, shuffle)| codec("numcodecs.blosc", json!({"cname": cname, "shuffle": shuffle})));
    let sums = prop::sample::select(vec![
        "crc32",
        "crc32c",
        "adler32",
        "fletcher32",
        "jenkins_lookup3",
        "base64",
        "lz4",
    ])
    .prop_map(|name| codec(&format!("numcodecs.{name}"), json!({})));
    let lzma = prop::sample::select(vec![
        json!({"preset": 0}),
        json!({"format": 2, "preset": 1}),
        json!({"format": 3, "filters": [{"id": 3, "dist": 2}, {"id": 33, "preset": 0}]}),
    ]);
    prop_oneof![
        1 => level("gzip", 0..=9),
        1 => level("numcodecs.zlib", -1..=9),
        1 => level("numcodecs.bz2", 1..=9),
        1 => level("numcodecs.zstd", -3..=6),
        1 => lzma.prop_map(|configuration| codec("numcodecs.lzma", configuration)),
        1 => blosc,
        4 => sums,
        // Elements of any size divide a multiple of twelve.
        1 => Just(codec("numcodecs.shuffle", json!({"elementsize": 1}))),
    ]
}

fn list() -> impl Strategy<Value = (Value, &'static str, Vec<u64>)> {
    (prop::sample::select(TYPES.to_vec()), prop::collection::vec(1u64..9, 0..4)).prop_flat_map(
        |(kind, shape)| {
            let endian = prop::sample::select(vec!["little", "big"]);
            let packers = prop::collection::vec(packer(), 0..4);
            (filters(kind, shape.len()), endian, any::<bool>(), packers).prop_map(
                move |(mut list, endian, shuffled, packers)| {
                    list.push(codec("bytes", json!({"endian": endian})));
                    list.extend(shuffled.then(|| codec("numcodecs.shuffle", json!({}))));
                    list.extend(packers);
                    (json!(list), kind, shape.clone())
                },
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Codecs that lose nothing give back what they got, cold and warm, within the bound; damage is no panic.
    #[test]
    fn a_chunk_survives_its_encoding((list, kind, shape) in list(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let chain = chain(&list, kind, &shape).unwrap();
        prop_assert!(!chain.is_fallback() && !chain.loses(), "{}", list);
        let chunk = data(kind, chain.chunk_bytes());
        let scratch = &mut Scratch::new(&chain);
        let encoded = encode(&chain, &chunk, scratch).unwrap();
        prop_assert_eq!(&decode(&chain, &encoded, scratch).unwrap(), &chunk);
        let mut changed = encoded.clone();
        changed[at.index(encoded.len())] ^= 1 << bit;
        drop(decode(&chain, &changed, scratch));
        drop(decode(&chain, &encoded[..at.index(encoded.len())], scratch));
        check_stored(&chain, &encoded, at.index(encoded.len()), bit);
        prop_assert_eq!(encode(&chain, &chunk, scratch).unwrap(), encoded, "damage leaves nothing behind");
    }
}

/// What `zarrs` or shards make of an array, any codecs on bytes may follow.
#[test]
fn serializers_of_others_are_followed_by_ours() {
    let bytes = || codec("bytes", json!({"endian": "little"}));
    let pcodec = codec("numcodecs.pcodec", json!({"level": 8, "equal_pages_up_to": 100}));
    let shards = codec(
        "sharding_indexed",
        json!({"chunk_shape": [4, 3], "index_codecs": [bytes()],
            "codecs": [codec("numcodecs.delta", json!({})), bytes(), codec("numcodecs.lz4", json!({}))]}),
    );
    let packers = [
        vec![codec("numcodecs.lz4", json!({})), codec("numcodecs.crc32", json!({}))],
        vec![codec("numcodecs.lzma", json!({})), codec("crc32c", json!({}))],
        vec![codec("numcodecs.jenkins_lookup3", json!({})), codec("numcodecs.base64", json!({}))],
    ];
    for (serializer, packers) in
        [&pcodec, &shards].into_iter().flat_map(|s| packers.iter().map(move |p| (s, p)))
    {
        let list = json!([std::slice::from_ref(serializer), packers].concat());
        let chain = chain(&list, "int32", &[8, 12]).unwrap();
        let (scratch, chunk) = (&mut Scratch::new(&chain), data("int32", chain.chunk_bytes()));
        let encoded = encode(&chain, &chunk, scratch).unwrap();
        assert_eq!(decode(&chain, &encoded, scratch).unwrap(), chunk, "{list}");
        assert!(decode(&chain, &encoded[..encoded.len() / 2], scratch).is_err(), "{list}");
        check_stored(&chain, &encoded, encoded.len() / 3, 5);
    }
    let error = chain(&json!([pcodec, codec("numcodecs.delta", json!({"dtype": "f3"}))]), "int32", &[4]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("not in order"), "{error}");
}

/// Numbers that were cast are in the type that they then have for whatever follows: a codec of numcodecs, one of `zarrs`, or shards,
/// which may be much larger than their chunk.
#[test]
fn casts_are_followed_by_codecs_of_others() {
    let (bytes, packed) = (codec("bytes", json!({"endian": "big"})), codec("numcodecs.lz4", json!({})));
    let shards = codec(
        "sharding_indexed",
        json!({"chunk_shape": [3, 8], "index_codecs": [bytes], "codecs": [bytes, packed]}),
    );
    let check = |fallback: bool, codecs: &[Value]| {
        let order = || codec("transpose", json!({"order": [1, 0]}));
        let to = |kind: &str| codec("cast_value", json!({"data_type": kind}));
        let scale = codec("scale_offset", json!({"offset": -128}));
        let list = json!([&[to("int16"), scale, order(), to("float64")], codecs].concat());
        let chain = chain(&list, "int8", &[8, 12]).unwrap();
        assert_eq!((chain.is_fallback(), chain.loses()), (fallback, false), "{list}");
        let (scratch, chunk) = (&mut Scratch::new(&chain), data("int8", chain.chunk_bytes()));
        let encoded = encode(&chain, &chunk, scratch).unwrap();
        assert_eq!(decode(&chain, &encoded, scratch).unwrap(), chunk, "{list}");
        assert!(decode(&chain, &encoded[..encoded.len() / 2], scratch).is_err(), "{list}");
        // Filters of `zarrs` have arrays of their own: one before and one behind, of 8 bytes for each number.
        let filtered =
            if fallback { 2 * chain.encoded_bytes_max() + 2 * 8 * chunk.len() } else { 8 * chunk.len() };
        assert!(chain.scratch_bytes() >= filtered, "{list}");
    };
    check(false, std::slice::from_ref(&bytes));
    check(false, &[bytes.clone(), packed.clone()]);
    check(true, &[codec("numcodecs.pcodec", json!({"level": 8, "equal_pages_up_to": 100}))]);
    check(true, std::slice::from_ref(&shards));
    check(true, &[shards, packed.clone()]);
    // Integers are rounded by `zarrs`.
    let list = json!([
        codec("cast_value", json!({"data_type": "uint64"})),
        codec("bitround", json!({"keepbits": 1})),
        bytes
    ]);
    let chain = chain(&list, "uint8", &[4096]).unwrap();
    assert!(chain.is_fallback() && !chain.loses());
    let encoded = encode(&chain, &[5; 4096], &mut Scratch::new(&chain)).unwrap();
    assert_eq!(encoded, 4u64.to_be_bytes().repeat(4096));
    assert_eq!(decode(&chain, &encoded, &mut Scratch::new(&chain)).unwrap(), [4; 4096]);
}

/// Integers are rounded by `zarrs`, which knows how; not to nothing, which it does not.
#[test]
fn integers_are_rounded_to_some_bits() {
    let list = |keep| {
        json!([codec("bitround", json!({"keepbits": keep})), codec("bytes", json!({"endian": "little"}))])
    };
    let check = |keep: u32, number: u16, expected: u16| {
        let chain = chain(&list(keep), "uint16", &[1]).unwrap();
        let encoded = encode(&chain, &number.to_ne_bytes(), &mut Scratch::new(&chain)).unwrap();
        assert_eq!(encoded, expected.to_le_bytes(), "{keep} {number}");
    };
    check(1, 0xFFFF, 0x8000);
    check(2, 0b101, 0b100);
    check(16, 0xFFFF, 0xFFFF);
    let error = chain(&list(0), "uint16", &[1]).unwrap_err().to_string();
    assert!(error.contains("bitround") && error.contains("keepbits is 0"), "{error}");
}

/// One order of axes after the other is one order.
#[test]
fn orders_of_axes_are_composed() {
    let check = |orders: &[[usize; 3]], shape: [u64; 3], whole: [usize; 3]| {
        let of = |orders: &[[usize; 3]], more: Value| {
            let mut list: Vec<Value> =
                orders.iter().map(|order| codec("transpose", json!({"order": order}))).collect();
            list.extend([codec("bytes", json!({"endian": "little"})), more]);
            let chain = chain(&json!(list), "uint16", &shape).unwrap();
            let chunk = data("uint16", chain.chunk_bytes());
            let encoded = encode(&chain, &chunk, &mut Scratch::new(&chain)).unwrap();
            assert_eq!(decode(&chain, &encoded, &mut Scratch::new(&chain)).unwrap(), chunk, "{orders:?}");
            encoded
        };
        let sum = codec("crc32c", json!({}));
        assert_eq!(of(orders, sum.clone()), of(&[whole], sum), "{orders:?}");
    };
    check(&[[1, 2, 0], [1, 2, 0]], [2, 3, 5], [2, 0, 1]);
    check(&[[1, 0, 2], [0, 2, 1]], [2, 3, 5], [1, 2, 0]);
    check(&[[2, 0, 1], [1, 2, 0]], [2, 3, 5], [0, 1, 2]);
    check(&[[2, 1, 0], [2, 1, 0], [0, 2, 1]], [4, 3, 2], [0, 2, 1]);
}

/// Streams that follow each other, and what follows the last, are as in Python.
#[test]
fn streams_end_as_in_python() {
    let check = |codec: &Value, after: &[&[u8]], expected: Result<&[u8], &str>| {
        let list = json!([{"name": "bytes"}, codec, {"name": "numcodecs.crc32", "configuration": {"location": "end"}}]);
        let of = |bytes: &[u8]| {
            let chain = chain(&list, "uint8", &[bytes.len() as u64]).unwrap();
            let mut encoded = encode(&chain, bytes, &mut Scratch::new(&chain)).unwrap();
            encoded.truncate(encoded.len() - 4);
            encoded
        };
        let mut stored = of(b"abc");
        for part in after {
            if part == b"def" { stored.extend(of(part)) } else { stored.extend_from_slice(part) }
        }
        stored.extend(crc32fast::hash(&stored).to_le_bytes());
        let bytes = expected.map_or(3, <[u8]>::len) as u64;
        let chain = chain(&list, "uint8", &[bytes]).unwrap();
        match (decode(&chain, &stored, &mut Scratch::new(&chain)), expected) {
            (Ok(chunk), Ok(expected)) => assert_eq!(chunk, expected, "{codec} {after:?}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{codec} {after:?}: {error}");
            }
            (result, expected) => panic!("{codec} {after:?}: {result:?} instead of {expected:?}"),
        }
    };
    let (gzip, zlib) = (codec("gzip", json!({"level": 1})), codec("numcodecs.zlib", json!({})));
    let (bz2, lzma) = (codec("numcodecs.bz2", json!({})), codec("numcodecs.lzma", json!({"preset": 1})));
    for several in [&gzip, &bz2, &lzma] {
        check(several, &[b"def"], Ok(b"abcdef"));
        check(several, &[b"def", b"def"], Ok(b"abcdefdef"));
        check(several, &[b"def"], Ok(b"abcdef"));
    }
    check(&gzip, &[b"\0\0\0"], Ok(b"abc"));
    check(&gzip, &[b"\0\0", b"def", b"\0"], Ok(b"abcdef"));
    check(&gzip, &[b"xx"], Err("gzip"));
    check(&zlib, &[b"xx"], Ok(b"abc"));
    check(&zlib, &[b"def"], Ok(b"abc"));
    for ignoring in [&bz2, &lzma] {
        check(ignoring, &[b"what is no stream at all"], Ok(b"abc"));
        check(ignoring, &[b"def", b"what is no stream at all"], Ok(b"abcdef"));
    }
    check(&bz2, &[b"BZh9"], Err("truncated"));
    check(&lzma, &[b"\xFD7zXZ\0"], Err("truncated"));
}

/// Also where no codec of the list does anything.
#[test]
fn chunks_of_another_size_are_refused() {
    let record = json!({"name": "struct", "configuration": {"fields": [
        {"name": "a", "data_type": "int32"}, {"name": "b", "data_type": "uint8"}]}});
    let check = |data_type: Value, codecs: Value| {
        let element = ElementType::new(&serde_json::from_value(data_type.clone()).unwrap()).unwrap();
        let list: Vec<CodecMetadata> = serde_json::from_value(codecs.clone()).unwrap();
        let chain = Chain::new(&list, &element, &[3, 2], &vec![0; element.bytes()]).unwrap();
        let chunk: Vec<u8> = (0..6 * element.bytes()).map(|k| k.to_le_bytes()[0]).collect();
        let mut scratch = Scratch::new(&chain);
        assert_eq!(decode(&chain, &chunk, &mut scratch).unwrap(), chunk, "{data_type} {codecs}");
        for bytes in [0, 1, chunk.len() - 1, chunk.len() + 1, 2 * chunk.len()] {
            let other = chunk.iter().cycle().take(bytes).copied().collect::<Vec<u8>>();
            let decoded = decode(&chain, &other, &mut scratch);
            assert!(decoded.is_err(), "{bytes} bytes of {data_type} {codecs}");
            let stored = chain.check_stored_bytes(bytes as u64).unwrap_err();
            let expected = format!("{bytes} bytes are stored, {} can be valid", chunk.len());
            assert_eq!(stored.to_string(), expected, "{data_type} {codecs}");
        }
    };
    let little = json!({"name": "bytes", "configuration": {"endian": "little"}});
    check(record, json!([little]));
    check(json!("complex128"), json!([little]));
    check(json!("float32"), json!([{"name": "bitround", "configuration": {"keepbits": 23}}, little]));
    check(json!("int16"), json!([{"name": "transpose", "configuration": {"order": [0, 1]}}, little]));
    check(json!("uint8"), json!([{"name": "bytes"}, codec("numcodecs.shuffle", json!({"elementsize": 1}))]));
}
