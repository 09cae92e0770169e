//! What zarr-python made of numbers and chunks with `cast_value` and `scale_offset` (`vectors/make_casts.py`): ours are the same bits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use zarrange_codec::{
    ArrayCodec, Chain, CodecError, CodecMetadata, ElementType, Scratch, ShardCodec, same_values,
};

const ROUNDINGS: [&str; 5] =
    ["nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"];
const OUT_OF_RANGE: [Option<&str>; 3] = [None, Some("clamp"), Some("wrap")];

/// More than a block, so that numbers stand at its end and behind it.
const MANY: usize = 700;

#[derive(Deserialize)]
struct Vectors {
    casts: Vec<Cast>,
    maps: Vec<Mapped>,
    scales: Vec<Scaled>,
    chunks: Vec<Chunk>,
}

#[derive(Deserialize)]
struct Cast {
    from: String,
    to: String,
    numbers: String,
    results: Vec<Results>,
}

#[derive(Deserialize)]
struct Results {
    /// Five ways of rounding, for each of three ways out of range.
    ways: Vec<usize>,
    numbers: String,
    fine: String,
}

#[derive(Deserialize)]
struct Mapped {
    from: String,
    to: String,
    pairs: Value,
    numbers: String,
    result: String,
    fine: String,
}

#[derive(Deserialize)]
struct Scaled {
    r#type: String,
    offset: Value,
    scale: Value,
    numbers: String,
    encoded: String,
    encodes: String,
    decoded: String,
    decodes: String,
}

#[derive(Deserialize)]
struct Chunk {
    r#type: String,
    shape: Vec<u64>,
    codecs: Value,
    fill: String,
    data: String,
    encoded: String,
    decoded: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/casts.json")).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(text).unwrap()
}

fn element(name: &str) -> ElementType {
    let metadata = CodecMetadata::new(name);
    ElementType::new(&metadata).unwrap()
}

fn chain(codecs: &Value, kind: &str, shape: &[u64]) -> Result<Chain, CodecError> {
    let (codecs, element): (Vec<_>, _) = (serde_json::from_value(codecs.clone()).unwrap(), element(kind));
    Chain::new(&codecs, &element, shape, &vec![0; element.bytes()])
}

fn decode(chain: &Chain, encoded: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut chunk = vec![0xEE; chain.chunk_bytes()];
    chain.decode(encoded, &mut chunk, &mut Scratch::new(chain)).map(|()| chunk)
}

fn encode(chain: &Chain, chunk: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut encoded = vec![0xEE; chain.encoded_bytes_max()];
    let n = chain.encode(chunk, &mut encoded, &mut Scratch::new(chain))?;
    encoded.truncate(n);
    Ok(encoded)
}

fn one(name: &str, configuration: &Value) -> Value {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    json!([{"name": name, "configuration": configuration}, bytes])
}

/// A codec on one number, and on many.
struct Pair {
    one: Chain,
    many: Chain,
    name: String,
}

impl Pair {
    fn new(codec: &str, configuration: &Value, kind: &str) -> Self {
        let list = one(codec, configuration);
        let of = |elements: u64| chain(&list, kind, &[elements]).unwrap_or_else(|e| panic!("{list}: {e}"));
        let (one, many) = (of(1), of(MANY as u64));
        assert!(!one.is_fallback(), "{list}");
        Self { one, many, name: format!("{kind} {configuration}") }
    }

    /// Numbers of `from` bytes become those of `to`, but where it is not `fine`: alone and together.
    fn check(
        &self,
        what: &str,
        run: fn(&Chain, &[u8]) -> Result<Vec<u8>, CodecError>,
        (numbers, from): (&[u8], usize),
        (expected, to): (&[u8], usize),
        fine: &str,
    ) {
        let name = &self.name;
        let pairs: Vec<_> = numbers.chunks(from).zip(expected.chunks(to)).collect();
        let (mut good, mut bad) = (Vec::new(), None);
        assert_eq!(pairs.len(), fine.len());
        for ((x, y), fine) in pairs.iter().zip(fine.bytes()) {
            let ours = run(&self.one, x);
            if fine == b'1' {
                let ours = ours.unwrap_or_else(|e| panic!("{what} {name}: {x:?}: {e}"));
                assert_eq!(&ours, y, "{what} {name}: {x:?}");
                good.push((x, y));
            } else {
                let error = ours.expect_err(&format!("{what} {name}: {x:?}")).to_string();
                assert!(error.contains("cast_value: ") || error.contains("scale_offset: "), "{error}");
                bad = Some(x);
            }
        }
        if good.is_empty() {
            return;
        }
        let many = || good.iter().cycle().take(MANY);
        let mut numbers: Vec<u8> = many().flat_map(|(x, _)| x.to_vec()).collect();
        let expected: Vec<u8> = many().flat_map(|(_, y)| y.to_vec()).collect();
        let ours = run(&self.many, &numbers).unwrap_or_else(|e| panic!("{what} {name}: {e}"));
        assert_eq!(ours, expected, "{what} {name}");
        // Blocks of the same number, which have no other reason to be converted one by one.
        for (x, y) in &good {
            assert_eq!(run(&self.many, &x.repeat(MANY)).unwrap(), y.repeat(MANY), "{what} {name}: {x:?}");
        }
        if let Some(bad) = bad {
            numbers[(MANY - 1) * from..].copy_from_slice(bad);
            assert!(run(&self.many, &numbers).is_err(), "{what} {name}: {bad:?} at the end");
        }
    }
}

fn is_float(kind: &str) -> bool {
    kind.starts_with('f')
}

#[test]
fn numbers_are_cast_as_in_zarr_python() {
    for Cast { from, to, numbers, results } in vectors().casts {
        let (numbers, from_bytes, to_bytes) = (bytes(&numbers), element(&from).bytes(), element(&to).bytes());
        for Results { ways, numbers: expected, fine } in results {
            let expected = bytes(&expected);
            for way in ways {
                let (rounding, out_of_range) = (ROUNDINGS[way % 5], OUT_OF_RANGE[way / 5]);
                let configuration = |kind: &str| json!({"data_type": kind, "rounding": rounding, "out_of_range": out_of_range});
                let (src, dst) = ((&numbers[..], from_bytes), (&expected[..], to_bytes));
                if out_of_range != Some("wrap") || !is_float(&to) {
                    let pair = Pair::new("cast_value", &configuration(&to), &from);
                    pair.check("encode", encode, src, dst, &fine);
                }
                if out_of_range != Some("wrap") || !is_float(&from) {
                    let pair = Pair::new("cast_value", &configuration(&from), &to);
                    pair.check("decode", decode, src, dst, &fine);
                }
            }
        }
    }
}

#[test]
fn scalar_maps_are_those_of_zarr_python() {
    for Mapped { from, to, pairs, numbers, result, fine } in vectors().maps {
        let (numbers, result) = (bytes(&numbers), bytes(&result));
        let (src, dst) = ((&numbers[..], element(&from).bytes()), (&result[..], element(&to).bytes()));
        let configuration = json!({"data_type": to, "scalar_map": {"encode": pairs}});
        Pair::new("cast_value", &configuration, &from).check("encode", encode, src, dst, &fine);
        let configuration = json!({"data_type": from, "scalar_map": {"decode": pairs, "encode": null}});
        Pair::new("cast_value", &configuration, &to).check("decode", decode, src, dst, &fine);
    }
}

#[test]
fn numbers_are_scaled_as_in_zarr_python() {
    for Scaled { r#type: kind, offset, scale, numbers, encoded, encodes, decoded, decodes } in
        vectors().scales
    {
        let (numbers, encoded, decoded) = (bytes(&numbers), bytes(&encoded), bytes(&decoded));
        let pair = Pair::new("scale_offset", &json!({"offset": offset, "scale": scale}), &kind);
        let bytes = element(&kind).bytes();
        pair.check("encode", encode, (&numbers, bytes), (&encoded, bytes), &encodes);
        pair.check("decode", decode, (&numbers, bytes), (&decoded, bytes), &decodes);
    }
}

/// What zarr-python lets overflow is an error, and what only overflows in between is not.
#[test]
fn large_integers_are_scaled_exactly() {
    let check = |offset: i64, scale: i64, x: i64, encoded: Option<i64>, decoded: Option<i64>| {
        let configuration = json!({"offset": offset, "scale": scale});
        let pair = Pair::new("scale_offset", &configuration, "int64");
        let of = |y: Option<i64>| (y.unwrap_or(0).to_le_bytes(), if y.is_some() { "1" } else { "0" });
        let x = x.to_le_bytes();
        let (expected, fine) = of(encoded);
        pair.check("encode", encode, (&x, 8), (&expected, 8), fine);
        let (expected, fine) = of(decoded);
        pair.check("decode", decode, (&x, 8), (&expected, 8), fine);
    };
    check(0, 1 << 62, 2, None, None);
    check(-1, 1, i64::MAX, None, Some(i64::MAX - 1));
    check(1, 1, i64::MIN, None, Some(i64::MIN + 1));
    check(0, -1, i64::MIN, None, None);
    check(-1, -1, i64::MAX, Some(i64::MIN), Some(-i64::MAX - 1));
    check(-5, -1, i64::MIN, Some(i64::MAX - 4), Some(i64::MAX - 4));
}

/// Whole chunks with other codecs before and after, in shards and before them: bytes are those of zarr-python, but where a
/// compressor may choose.
#[test]
fn chunks_are_those_of_zarr_python() {
    for Chunk { r#type: kind, shape, codecs, fill, data, encoded, decoded } in vectors().chunks {
        let (element, list): (_, Vec<_>) = (element(&kind), serde_json::from_value(codecs.clone()).unwrap());
        let (data, theirs, expected) = (bytes(&data), bytes(&encoded), bytes(&decoded));
        let codec = ArrayCodec::new(&list, &element, &shape, &bytes(&fill)).unwrap();
        let chain = match codec {
            ArrayCodec::Chunks(chain) => chain,
            ArrayCodec::Shards(shards) => {
                inner_chunks_decode(&shards, &theirs, &expected, &bytes(&fill));
                Chain::new(&list, &element, &shape, &bytes(&fill)).unwrap()
            }
            ArrayCodec::Slices(_) => panic!("{codecs} has slices"),
        };
        assert_eq!(decode(&chain, &theirs).unwrap(), expected, "{codecs}");
        let ours = encode(&chain, &data).unwrap();
        let text = codecs.to_string();
        // What zstd makes depends on its version, and inner chunks stand in another order: as many are left out.
        if text.contains("sharding") && !text.contains("zstd") {
            assert_eq!(ours.len(), theirs.len(), "{codecs}");
        } else if !text.contains("zstd") {
            assert_eq!(ours, theirs, "{codecs}");
        }
        assert_eq!(decode(&chain, &ours).unwrap(), expected, "{codecs}");
        assert_eq!(chain.loses(), loses(&codecs), "{codecs}");
        for end in [0, 1, theirs.len() / 2, theirs.len() - 1] {
            assert!(decode(&chain, &theirs[..end]).is_err(), "{codecs}: {end} bytes");
        }
    }
}

/// Each inner chunk of a shard decodes to its part.
fn inner_chunks_decode(shards: &ShardCodec, stored: &[u8], expected: &[u8], fill: &[u8]) {
    let at = usize::try_from(shards.index_offset(stored.len() as u64).unwrap()).unwrap();
    let index = shards.decode_index(&stored[at..at + shards.index_bytes()], stored.len() as u64).unwrap();
    let mut there = 0;
    for k in 0..usize::try_from(shards.grid().count()).unwrap() {
        let Some((offset, bytes)) = index.get(k) else { continue };
        let (offset, bytes) = (usize::try_from(offset).unwrap(), usize::try_from(bytes).unwrap());
        let chunk = decode(shards.inner(), &stored[offset..offset + bytes]).unwrap();
        assert!(chunk.chunks(fill.len()).all(|x| expected.chunks(fill.len()).any(|y| x == y)));
        there += 1;
    }
    assert!(there > 0, "a shard of nothing tests nothing");
}

/// Of the lists of the chunks here, only those do not.
fn loses(codecs: &Value) -> bool {
    let text = codecs.to_string();
    !text.contains("\"data_type\":\"float64\"") && !text.starts_with("[{\"name\":\"scale_offset\"},")
        || text.contains("-10.5")
}

#[test]
fn what_loses_values_is_known() {
    let check = |kind: &str, codec: &str, configuration: Value, expected: bool| {
        let list = one(codec, &configuration);
        assert_eq!(chain(&list, kind, &[4]).unwrap().loses(), expected, "{kind} {list}");
        // Before shards too.
        let shards = json!([list[0], {"name": "sharding_indexed", "configuration": {
            "chunk_shape": [2], "codecs": [list[1]], "index_codecs": [list[1]]}}]);
        let shards = chain(&shards, kind, &[4]).unwrap();
        assert!(shards.is_fallback());
        assert_eq!(shards.loses(), expected, "{kind} {list}");
    };
    let to = |kind: &str| json!({"data_type": kind});
    check("int16", "cast_value", to("float64"), false);
    check("int16", "cast_value", to("float32"), false);
    check("int16", "cast_value", to("float16"), true);
    check("uint32", "cast_value", to("int64"), false);
    check("uint32", "cast_value", to("int32"), true);
    check("int64", "cast_value", to("float64"), true);
    check("float16", "cast_value", to("float32"), false);
    check("float64", "cast_value", to("float32"), true);
    check("float64", "cast_value", to("float64"), false);
    check("float64", "cast_value", json!({"data_type": "float64", "scalar_map": {"decode": [[1, 2]]}}), true);
    check("int8", "cast_value", json!({"data_type": "int16", "scalar_map": {}}), false);
    check("float32", "scale_offset", json!({}), true);
    check("int32", "scale_offset", json!({"scale": 7}), false);
}

const TYPES: [&str; 11] = [
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
];

fn scalar() -> impl Strategy<Value = Value> {
    let some =
        [json!(0), json!(1), json!(-7), json!(200), json!(0.5), json!("NaN"), json!(1u64 << 63), json!(-0.0)];
    prop::sample::select(some.to_vec())
}

/// A codec, which may not fit the numbers that it gets.
fn any_codec() -> impl Strategy<Value = Value> {
    let scale = (scalar(), scalar()).prop_map(|(offset, scale)| {
        json!({"name": "scale_offset", "configuration": {"offset": offset, "scale": scale}})
    });
    let pairs = || prop::collection::vec((scalar(), scalar()), 0..12);
    let settings = (prop::sample::select(ROUNDINGS.to_vec()), prop::sample::select(OUT_OF_RANGE.to_vec()));
    let maps = prop_oneof![2 => Just(Value::Null), 1 => (pairs(), pairs()).prop_map(|(a, b)| json!({"encode": a, "decode": b}))];
    let cast =
        (prop::sample::select(TYPES.to_vec()), settings, maps).prop_map(|(kind, (rounding, range), map)| {
            json!({"name": "cast_value", "configuration": {
            "data_type": kind, "rounding": rounding, "out_of_range": range, "scalar_map": map}})
        });
    prop_oneof![1 => scale, 3 => cast]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Any bytes are a chunk or an error, alone and before shards; and numbers that were decoded come back if that is said.
    #[test]
    fn any_bytes_are_a_chunk_or_an_error(
        codecs in prop::collection::vec(any_codec(), 1..4),
        kind in prop::sample::select(TYPES.to_vec()),
        sharded in any::<bool>(),
        part in prop::collection::vec(any::<u8>(), 1..80),
        small in any::<bool>(),
    ) {
        let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
        let shards = json!({"name": "sharding_indexed", "configuration": {
            "chunk_shape": [13], "codecs": [bytes], "index_codecs": [bytes]}});
        let list = json!([codecs, vec![if sharded { shards } else { bytes }]].concat());
        let Ok(chain) = chain(&list, kind, &[1040]) else { return Ok(()) };
        // Small integers have zeros in their upper bytes.
        let byte = |(k, x): (usize, &u8)| if small && k % 8 > 0 { 0 } else { *x };
        let data = |n: usize| part.iter().cycle().take(n).enumerate().map(byte).collect::<Vec<u8>>();
        let mut chunks = vec![data(chain.chunk_bytes())];
        chunks.extend([1, 2, 4, 8].into_iter().find_map(|k| decode(&chain, &data(1040 * k)).ok()));
        for chunk in chunks {
            let Ok(encoded) = encode(&chain, &chunk) else { continue };
            match decode(&chain, &encoded) {
                Ok(again) if !chain.loses() => {
                    prop_assert_eq!(same_values(&again, &chunk, &element(kind), false), None, "{}", list);
                }
                Ok(_) => {}
                Err(error) => prop_assert!(chain.loses(), "{}: {}", list, error),
            }
        }
    }
}

/// What an inner chunk, or a whole one, cannot be made of says which number it was.
#[test]
fn numbers_that_do_not_fit_are_named() {
    let check = |kind: &str, codec: &str, configuration: Value, [x, y]: [&[u8]; 2], expected: [&str; 2]| {
        let chain = chain(&one(codec, &configuration), kind, &[1]).unwrap();
        assert_eq!(encode(&chain, x).unwrap_err().to_string(), expected[0], "{configuration}");
        assert_eq!(decode(&chain, y).unwrap_err().to_string(), expected[1], "{configuration}");
    };
    check(
        "float32",
        "cast_value",
        json!({"data_type": "int64"}),
        [&f32::NAN.to_le_bytes(), &[0]],
        [
            "cast_value: cannot encode 4 bytes: NaN is none of the integers of int64, and scalar_map has none for it",
            "cast_value: 1 bytes are not whole elements of 8 bytes",
        ],
    );
    check(
        "uint8",
        "cast_value",
        json!({"data_type": "int8"}),
        [&[200], &[0xFF]],
        [
            "cast_value: cannot encode 1 bytes: 200 is out of the range of int8, from -128 to 127",
            "cast_value: -1 is out of the range of uint8, from 0 to 255",
        ],
    );
    check(
        "float16",
        "cast_value",
        json!({"data_type": "int32"}),
        [&0x7C00u16.to_le_bytes(), &70_000i32.to_le_bytes()],
        [
            "cast_value: cannot encode 2 bytes: Infinity is none of the integers of int32, and scalar_map has none for it",
            "cast_value: 70000 is out of the range of float16, from -65504.0 to 65504.0",
        ],
    );
    check(
        "uint8",
        "scale_offset",
        json!({"offset": 5, "scale": 2}),
        [&[3], &[7]],
        [
            "scale_offset: cannot encode 1 bytes: (3 - 5) * 2 = -4 is out of the range of uint8, from 0 to 255",
            "scale_offset: 7 is not 2 times a whole number, as scale says",
        ],
    );
}

/// Every list is an error that says what is wrong with which codec, and what would be right.
#[test]
fn configurations_that_are_wrong_say_so() {
    let error = |kind: &str, codecs: &Value| {
        chain(codecs, kind, &[6]).err().unwrap_or_else(|| panic!("{codecs} is taken")).to_string()
    };
    let check = |kind: &str, name: &str, configuration: &str, expected: &[&str]| {
        let list = one(name, &serde_json::from_str(configuration).unwrap());
        // Before shards the same.
        let shards = json!([list[0], {"name": "sharding_indexed", "configuration": {
            "chunk_shape": [2], "codecs": [list[1]], "index_codecs": [list[1]]}}]);
        for error in [error(kind, &list), error(kind, &shards)] {
            for part in expected.iter().chain([&name]) {
                assert!(error.contains(part), "{configuration}: {error}");
            }
        }
    };
    let types =
        "expected one of int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64";
    check("int8", "cast_value", "{}", &["data_type is missing", types]);
    check("int8", "cast_value", r#"{"data_type": "bool"}"#, &["data_type is \"bool\"", types]);
    check("int8", "cast_value", r#"{"data_type": "<i2"}"#, &["data_type is \"<i2\"", types]);
    check(
        "int8",
        "cast_value",
        r#"{"data_type": {"name": "int8"}}"#,
        &["data_type is {\"name\":\"int8\"}", types],
    );
    let takes = "takes integers and floats of up to 8 bytes, not ";
    for kind in ["bool", "complex64", "r16", "bfloat16", "complex_float16"] {
        check(kind, "cast_value", r#"{"data_type": "int8"}"#, &[&format!("{takes}{kind}")]);
        check(kind, "scale_offset", "{}", &[&format!("{takes}{kind}")]);
    }
    let to = |more: &str| format!(r#"{{"data_type": "int8", {more}}}"#);
    let cast = |more: &str, expected: &[&str]| check("float32", "cast_value", &to(more), expected);
    cast(r#""rounding": "up""#, &["rounding is \"up\"", "nearest-even, towards-zero, towards-positive"]);
    cast(r#""out_of_range": "error""#, &["out_of_range is \"error\"", "one of clamp, wrap"]);
    cast(r#""order": "C""#, &["\"order\" is none of data_type, rounding, out_of_range, scalar_map"]);
    let wraps = r#"{"data_type": "float16", "out_of_range": "wrap"}"#;
    check("int8", "cast_value", wraps, &["out_of_range is \"wrap\"", "integers wrap, float16 does not"]);
    cast(r#""scalar_map": []"#, &["scalar_map is []", "encode and decode"]);
    cast(r#""scalar_map": {"both": []}"#, &["\"both\" in scalar_map is none of encode, decode"]);
    cast(r#""scalar_map": {"encode": {}}"#, &["scalar_map is {}", "a list of pairs as encode"]);
    cast(r#""scalar_map": {"encode": [[1, 2, 3]]}"#, &["scalar_map is [1,2,3]", "pairs in encode"]);
    cast(
        r#""scalar_map": {"encode": [[1, 300]]}"#,
        &["scalar_map is 300", "numbers in encode that int8 holds"],
    );
    cast(
        r#""scalar_map": {"decode": [["NaN", 0]]}"#,
        &["scalar_map is \"NaN\"", "numbers in decode that int8 holds"],
    );
    cast(
        r#""scalar_map": {"encode": [["none", 0]]}"#,
        &["scalar_map is \"none\"", "in encode that float32 holds"],
    );
    let scale = |kind: &str, configuration: &str, expected: &[&str]| {
        check(kind, "scale_offset", configuration, expected);
    };
    scale("uint8", r#"{"offset": -1}"#, &["offset is -1", "a number that uint8 holds"]);
    scale("int16", r#"{"scale": 0.5}"#, &["scale is 0.5", "a number that int16 holds"]);
    scale("float32", r#"{"scale": "half"}"#, &["scale is \"half\"", "a number that float32 holds"]);
    scale("float32", r#"{"scale": true}"#, &["scale is true", "a number that float32 holds"]);
    scale("float32", r#"{"scale": 1e-60}"#, &["scale is 1e-60", "a number that is not zero in float32"]);
    scale("int16", r#"{"scale": "0"}"#, &["scale is \"0\"", "not zero in int16"]);
    scale("int16", r#"{"offset": 1, "factor": 2}"#, &["\"factor\" is none of offset, scale"]);
    // Where they do not belong, and by names that they do not have.
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let cast = json!({"name": "cast_value", "configuration": {"data_type": "int8"}});
    assert!(error("int8", &json!([bytes, cast])).contains("not in order"));
    let named = json!({"name": "numcodecs.cast_value", "configuration": {"data_type": "int8"}});
    assert!(error("int8", &json!([named, bytes])).contains("numcodecs.cast_value"));
    // Offsets are of the type that numbers have then.
    let half = json!({"name": "scale_offset", "configuration": {"offset": 0.5}});
    assert!(error("float32", &json!([cast, half, bytes])).contains("a number that int8 holds"));
    // Missing inner chunks would have a value that is none.
    let shards = json!({"name": "sharding_indexed", "configuration": {
        "chunk_shape": [2], "codecs": [bytes], "index_codecs": [bytes]}});
    let five = json!({"name": "scale_offset", "configuration": {"offset": 5}});
    let unfilled = error("uint8", &json!([five, shards]));
    assert!(unfilled.contains("the fill value") && unfilled.contains("(0 - 5) * 1 = -5"), "{unfilled}");
}
