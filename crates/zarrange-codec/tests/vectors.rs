//! What numcodecs made of chunks (`vectors/make.py`): it is decoded to the values that numcodecs decodes, and encoded to the same
//! bytes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use zarrange_codec::{Chain, CodecError, CodecMetadata, ElementType, Scratch, same_values};

#[derive(Deserialize)]
struct Vectors {
    data: HashMap<String, Data>,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Data {
    r#type: String,
    bytes: String,
}

#[derive(Deserialize)]
struct Entry {
    data: String,
    /// Configurations of numcodecs; the byte order, `<` or `>`, stands for `bytes`.
    codecs: Vec<Value>,
    encoded: String,
    /// Where it is not the data itself.
    decoded: Option<String>,
    /// Whether there is only one way to encode.
    #[serde(default = "yes")]
    exact: bool,
}

fn yes() -> bool {
    true
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/numcodecs.json")).unwrap()
}

impl Entry {
    /// The list as Zarr v3 writes it.
    fn list(&self) -> Value {
        let codec = |codec: &Value| {
            if let Some(order) = codec.as_str() {
                let endian = if order == ">" { "big" } else { "little" };
                return json!({"name": "bytes", "configuration": {"endian": endian}});
            }
            let mut configuration = codec.as_object().unwrap().clone();
            let id = configuration.remove("id").unwrap();
            json!({"name": format!("numcodecs.{}", id.as_str().unwrap()), "configuration": configuration})
        };
        self.codecs.iter().map(codec).collect()
    }
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(text).unwrap()
}

fn element(name: &str) -> ElementType {
    let metadata = CodecMetadata::new(name);
    ElementType::new(&metadata).unwrap()
}

fn chain(codecs: &Value, element: &ElementType, shape: &[u64]) -> Result<Chain, CodecError> {
    let codecs: Vec<CodecMetadata> = serde_json::from_value(codecs.clone()).unwrap();
    Chain::new(&codecs, element, shape, &vec![0; element.bytes()])
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

#[test]
fn chunks_are_those_of_numcodecs() {
    let Vectors { data, entries } = vectors();
    for entry in entries {
        let codecs = entry.list();
        let Entry { data: name, encoded, decoded, exact, .. } = entry;
        let data = &data[&name];
        let (element, chunk, theirs) = (element(&data.r#type), bytes(&data.bytes), bytes(&encoded));
        let expected = decoded.map_or_else(|| chunk.clone(), |decoded| bytes(&decoded));
        let chain = chain(&codecs, &element, &[(chunk.len() / element.bytes()) as u64]).unwrap();
        assert!(!chain.is_fallback(), "{codecs}");
        assert!(theirs.len() <= chain.encoded_bytes_max(), "{name} {codecs}: {} bytes", theirs.len());
        let scratch = &mut Scratch::new(&chain);
        for _ in 0..2 {
            let ours = decode(&chain, &theirs, scratch).unwrap_or_else(|e| panic!("{name} {codecs}: {e}"));
            if let Some(at) = same_values(&ours, &expected, &element, false) {
                panic!("{name} {codecs}: byte {at}: {ours:?} instead of {expected:?}");
            }
            let ours = encode(&chain, &chunk, scratch).unwrap_or_else(|e| panic!("{name} {codecs}: {e}"));
            if exact {
                assert!(ours == theirs, "{name} {codecs}: {ours:?} instead of {theirs:?}");
            } else {
                let again = decode(&chain, &ours, scratch).unwrap();
                assert_eq!(same_values(&again, &expected, &element, false), None, "{name} {codecs}");
            }
        }
        // What is said to come back does.
        assert!(
            chain.loses() || codecs.to_string().contains("bitround") || expected == chunk,
            "{name} {codecs}"
        );
    }
}

/// Cut or changed bytes give an error or some chunk, and a checksum tells.
#[test]
fn damage_is_found_or_harmless() {
    let Vectors { data, entries } = vectors();
    for (k, entry) in entries.iter().enumerate() {
        let (codecs, good, data) = (entry.list(), bytes(&entry.encoded), &data[&entry.data]);
        let element = element(&data.r#type);
        let elements = bytes(&data.bytes).len() / element.bytes();
        let chain = chain(&codecs, &element, &[elements as u64]).unwrap();
        let scratch = &mut Scratch::new(&chain);
        for at in [0, 1, 2, 4, 5, 8, 15, good.len() / 2, good.len().saturating_sub(5), good.len() - 1] {
            let (mut changed, at) = (good.clone(), at % good.len());
            changed[at] ^= 1 << (k % 8);
            let result = decode(&chain, &changed, scratch);
            let last = codecs.as_array().unwrap().last().unwrap()["name"].to_string();
            let summed = ["crc32", "adler32", "fletcher32", "jenkins"].iter().any(|sum| last.contains(sum));
            assert!(!summed || result.is_err(), "{codecs}: byte {at}");
            drop(decode(&chain, &good[..at % good.len()], scratch));
        }
    }
}

/// Every list is an error of the crate, which says what is wrong with which codec, and what would be right.
#[test]
fn configurations_that_are_wrong_say_so() {
    let check = |kind: &str, codecs: &str, expected: &[&str]| {
        let codecs: Value = serde_json::from_str(codecs).unwrap();
        let error = chain(&codecs, &element(kind), &[6]).unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{codecs}: {error}");
        }
        assert!(!error.contains("untagged"), "{error}");
    };
    // One codec with its configuration, after `bytes`; and before it.
    let behind = |name: &str, configuration: &str, expected: &[&str]| {
        let bytes = r#"{"name": "bytes", "configuration": {"endian": "little"}}"#;
        let codec = format!(r#"{{"name": "{name}", "configuration": {{{configuration}}}}}"#);
        check("int32", &format!("[{bytes}, {codec}]"), &[&[name], expected].concat());
    };
    let before = |kind: &str, name: &str, configuration: &str, expected: &[&str]| {
        let bytes = r#"{"name": "bytes", "configuration": {"endian": "little"}}"#;
        let codec = format!(r#"{{"name": "{name}", "configuration": {{{configuration}}}}}"#);
        check(kind, &format!("[{codec}, {bytes}]"), &[&[name], expected].concat());
    };
    behind("gzip", r#""level": 10"#, &["level is 10", "from -1 to 9"]);
    behind("numcodecs.zlib", r#""level": "high""#, &["level is \"high\"", "from -1 to 9"]);
    behind("numcodecs.bz2", r#""level": 0"#, &["level is 0", "from 1 to 9"]);
    behind("numcodecs.bz2", r#""lvl": 1"#, &["\"lvl\" is none of level"]);
    behind("numcodecs.fletcher32", r#""x": 1"#, &["\"x\" is not known"]);
    behind("numcodecs.blosc", r#""cname": "lzo""#, &["cname is \"lzo\"", "blosclz, lz4"]);
    behind("numcodecs.blosc", r#""shuffle": "shuffle""#, &["shuffle is \"shuffle\"", "from -1 to 2"]);
    behind("blosc", r#""shuffle": 1"#, &["shuffle is 1", "noshuffle, shuffle, bitshuffle"]);
    behind("numcodecs.zstd", r#""level": 1.5"#, &["level is 1.5", "a whole number"]);
    behind("numcodecs.shuffle", r#""elementsize": 5"#, &["24 bytes", "5 bytes"]);
    behind("numcodecs.crc32", r#""location": "middle""#, &["location is \"middle\"", "start, end"]);
    behind("numcodecs.jenkins_lookup3", r#""prefix": "ab""#, &["prefix is \"ab\"", "a list of bytes"]);
    behind("numcodecs.lzma", r#""format": 3"#, &["filters is missing"]);
    behind("numcodecs.lzma", r#""format": 2, "check": 4"#, &["check is 4", "[-1, 0]"]);
    behind("numcodecs.lzma", r#""preset": 10"#, &["preset is 10", "from 0 to 9"]);
    behind("numcodecs.lzma", r#""filters": [{"id": 33, "lc": 5}]"#, &["lc is 5, expected 0 to 4"]);
    behind("numcodecs.lzma", r#""filters": [{"id": 3}]"#, &["stands at the end"]);
    behind("numcodecs.lzma", r#""preset": 1, "filters": [{"id": 33}]"#, &["none where there is a preset"]);
    behind("numcodecs.delta", r#""dtype": "i7""#, &["dtype is \"i7\"", "a data type of numpy"]);
    behind("numcodecs.delta", r#""dtype": "<M8[ns]""#, &["dtype is \"<M8[ns]\"", "a type of numbers"]);
    behind("numcodecs.delta", r#""dtype": "<c16""#, &["24 bytes", "16 bytes"]);
    before(
        "int32",
        "numcodecs.delta",
        r#""dtype": "i8""#,
        &["takes elements of type <i8", "type <i4", "4 bytes"],
    );
    before("int32", "numcodecs.quantize", r#""digits": 1"#, &["dtype is \"<i4\"", "a type of floats"]);
    before("float32", "numcodecs.quantize", r#""digits": 999"#, &["digits is 999", "-300 to 300"]);
    before("float32", "numcodecs.bitround", r#""keepbits": 24"#, &["keepbits is 24", "from 0 to 23"]);
    before("float32", "numcodecs.bitround", "", &["keepbits is missing"]);
    before("float32", "numcodecs.fixedscaleoffset", r#""offset": 1"#, &["scale is missing", "a number"]);
    before("float32", "numcodecs.astype", r#""decode_dtype": "f4""#, &["encode_dtype is missing"]);
    before("int32", "numcodecs.packbits", "", &["packs elements of one byte, not <i4"]);
    before("int32", "transpose", r#""order": [1]"#, &["order is [1]", "each of the 1 dimensions once"]);
    check("int32", r#"[{"name": "bytes"}, {"name": "numcodecs.lz4"}]"#, &["bytes", "endian is missing"]);
    check("int32", r#"[{"name": "numcodecs.delta"}]"#, &["`bytes`", "missing"]);
    check("uint8", r#"[{"name": "numcodecs.lz4"}, {"name": "bytes"}]"#, &["not in order"]);
    check("uint8", r#"[{"name": "bytes"}, {"name": "transpose"}]"#, &["not in order"]);
}

/// Numbers that numpy cannot compute with are an error when a chunk is encoded; decoding works all the same.
#[test]
fn what_numpy_cannot_encode_is_decoded() {
    let codecs = json!([
        {"name": "numcodecs.fixedscaleoffset", "configuration": {"offset": 0, "scale": 1000, "dtype": "u1"}},
        {"name": "bytes"},
    ]);
    let chain = chain(&codecs, &element("uint8"), &[3]).unwrap();
    let scratch = &mut Scratch::new(&chain);
    assert_eq!(decode(&chain, &[7, 0, 255], scratch).unwrap(), [0, 0, 0]);
    let error = encode(&chain, &[1, 2, 3], scratch).unwrap_err().to_string();
    assert!(error.contains("scale 1000 is not in the range of uint8"), "{error}");
}

#[test]
fn what_loses_values_is_known() {
    let check = |kind: &str, codec: &str, configuration: Value, loses: bool| {
        let codecs = json!([
            {"name": format!("numcodecs.{codec}"), "configuration": configuration},
            {"name": "bytes", "configuration": {"endian": "little"}},
        ]);
        assert_eq!(chain(&codecs, &element(kind), &[4]).unwrap().loses(), loses, "{codecs}");
    };
    let types = |dtype: &str, astype: &str| json!({"dtype": dtype, "astype": astype});
    check("int32", "delta", types("i4", "i4"), false);
    check("int32", "delta", types("i4", "u4"), false);
    check("int32", "delta", types("i4", "i2"), true);
    check("int32", "delta", types("i4", "f8"), true);
    check("float32", "delta", types("f4", "f4"), true);
    // numpy adds these as floats, and bools with "or".
    check("uint64", "delta", types("u8", "i8"), true);
    check("bool", "delta", types("?", "?"), true);
    check("bool", "packbits", json!({}), false);
    check("float64", "bitround", json!({"keepbits": 3}), false);
    check("float64", "quantize", json!({"digits": 3}), true);
    check("float64", "fixedscaleoffset", json!({"offset": 0, "scale": 1}), true);
    let cast = |to: &str| json!({"encode_dtype": to});
    check("int32", "astype", cast("f8"), false);
    check("int64", "astype", cast("f8"), true);
    check("int32", "astype", cast("f4"), true);
    check("float32", "astype", cast("c8"), false);
    check("float64", "astype", cast("f4"), true);
}
