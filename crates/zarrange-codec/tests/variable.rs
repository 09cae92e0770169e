//! Chunks of text and bytes: those that numcodecs made, damaged ones, and ones that need more memory than is allowed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use zarrange_codec::{
    CodecError, CodecMetadata, Scratch, ShardIndex, Variable, VariableChain, VariableCodec, VariableKind,
};

const ROOM: usize = 1 << 20;

#[derive(Deserialize)]
struct Vectors {
    variable: Vec<Entry>,
}

/// Three rows of four elements.
#[derive(Deserialize)]
struct Entry {
    order: String,
    codecs: Vec<Value>,
    items: Vec<String>,
    encoded: String,
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(text).unwrap()
}

fn codecs(list: &Value) -> Vec<CodecMetadata> {
    serde_json::from_value(list.clone()).unwrap()
}

fn chain(list: &Value, kind: VariableKind, shape: &[u64]) -> Result<VariableChain, CodecError> {
    VariableChain::new(&codecs(list), kind, shape, b"fill")
}

fn decode(chain: &VariableChain, encoded: &[u8], room: usize) -> Result<Variable, CodecError> {
    let mut elements = Variable::new();
    elements.push(b"what was there before");
    chain.decode(encoded, room, &mut elements, &mut Scratch::default()).map(|()| elements)
}

fn encode(chain: &VariableChain, elements: &Variable) -> Result<Vec<u8>, CodecError> {
    let (mut encoded, scratch) = (b"what was there before".to_vec(), &mut Scratch::default());
    chain.encode(elements, &mut encoded, scratch)?;
    let first = encoded.clone();
    chain.encode(elements, &mut encoded, scratch)?;
    assert_eq!(first, encoded, "a warm scratch gives the same bytes");
    Ok(encoded)
}

fn elements<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Variable {
    let mut elements = Variable::new();
    items.into_iter().for_each(|item| elements.push(item.as_ref()));
    elements
}

#[test]
fn chunks_are_those_of_numcodecs() {
    let Vectors { variable } = serde_json::from_str(include_str!("vectors/numcodecs.json")).unwrap();
    for Entry { order, codecs, items, encoded } in variable {
        let mut list = Vec::new();
        if order == "F" {
            list.push(json!({"name": "transpose", "configuration": {"order": [1, 0]}}));
        }
        for codec in &codecs {
            let mut configuration = codec.as_object().unwrap().clone();
            let id = configuration.remove("id").unwrap();
            list.push(json!({"name": format!("numcodecs.{}", id.as_str().unwrap()), "configuration": configuration}));
        }
        let list = json!(list);
        let text = list.to_string();
        let kind = if text.contains("vlen-bytes") { VariableKind::Bytes } else { VariableKind::Text };
        let chain = chain(&list, kind, &[3, 4]).unwrap();
        let (expected, theirs) = (elements(items.iter().map(|item| bytes(item))), bytes(&encoded));
        assert_eq!(decode(&chain, &theirs, ROOM).unwrap(), expected, "{list}");
        assert!(theirs.len() <= chain.encoded_bytes_max(Variable::memory_bytes(12, expected.data_bytes())));
        let Ok(ours) = encode(&chain, &expected) else {
            assert!(text.contains("categorize"), "{list}");
            continue;
        };
        if codecs.len() == 1 {
            assert_eq!(ours, theirs, "{list}");
        }
        assert_eq!(decode(&chain, &ours, ROOM).unwrap(), expected, "{list}");
        let scratch = &mut Scratch::default();
        for at in 0..theirs.len() {
            let mut changed = theirs.clone();
            changed[at] ^= 1 << (at % 8);
            let mut elements = Variable::new();
            drop(chain.decode(&changed, ROOM, &mut elements, scratch));
            assert!(chain.decode(&theirs[..at], ROOM, &mut elements, scratch).is_err(), "{list}: {at} bytes");
        }
    }
}

fn packers() -> impl Strategy<Value = Vec<Value>> {
    let codec = |name: &str, configuration: Value| json!({"name": name, "configuration": configuration});
    let one = prop::sample::select(vec![
        codec("zstd", json!({"level": 1})),
        codec("gzip", json!({"level": 1})),
        codec("numcodecs.lz4", json!({})),
        codec("numcodecs.bz2", json!({})),
        codec("numcodecs.lzma", json!({"preset": 1})),
        codec("numcodecs.base64", json!({})),
        codec("numcodecs.crc32", json!({})),
        codec("numcodecs.blosc", json!({})),
        codec("crc32c", json!({})),
    ]);
    prop::collection::vec(one, 0..4)
}

proptest! {
    /// What is encoded is decoded, in exactly the memory that it takes.
    #[test]
    fn a_chunk_survives_its_encoding(
        packers in packers(),
        shape in prop::collection::vec(1u64..5, 0..4),
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
        bytes in any::<bool>(),
        seed in any::<u8>(),
    ) {
        let (name, kind) = if bytes { ("vlen-bytes", VariableKind::Bytes) } else { ("vlen-utf8", VariableKind::Text) };
        let order: Vec<usize> = order.into_iter().filter(|axis| *axis < shape.len()).collect();
        let mut list = vec![json!({"name": "transpose", "configuration": {"order": order}}), json!({"name": name})];
        list.extend(packers);
        let chain = chain(&json!(list), kind, &shape).unwrap();
        let count = usize::try_from(shape.iter().product::<u64>()).unwrap();
        prop_assert_eq!(chain.elements(), count);
        let item = |k: usize| format!("{k}").repeat((k * usize::from(seed)) % 40);
        let chunk = elements((0..count).map(item));
        let encoded = encode(&chain, &chunk).unwrap();
        let room = Variable::memory_bytes(count, chunk.data_bytes());
        prop_assert!(encoded.len() <= chain.encoded_bytes_max(room));
        prop_assert_eq!(&decode(&chain, &encoded, room).unwrap(), &chunk);
        let error = decode(&chain, &encoded, room - 1).unwrap_err();
        let is_memory = matches!(error, CodecError::Memory { bytes, bytes_max } if bytes > bytes_max);
        prop_assert!(is_memory, "{}", error);
    }
}

/// Buffers grow until a chunk fits that is hundreds of times as large as what is stored.
#[test]
fn text_may_compress_well() {
    let chunk = elements((0..3).map(|k| k.to_string().repeat(100_000)));
    let room = Variable::memory_bytes(3, chunk.data_bytes());
    for name in [
        "zstd",
        "gzip",
        "numcodecs.zlib",
        "numcodecs.bz2",
        "numcodecs.lz4",
        "numcodecs.lzma",
        "numcodecs.blosc",
    ] {
        let list =
            json!([{"name": "vlen-utf8"}, {"name": name}, {"name": "numcodecs.crc32"}, {"name": name}]);
        let chain = chain(&list, VariableKind::Text, &[3]).unwrap();
        let encoded = encode(&chain, &chunk).unwrap();
        assert!(encoded.len() < 10_000, "{name}: {} bytes", encoded.len());
        assert_eq!(decode(&chain, &encoded, room).unwrap(), chunk, "{name}");
        let error = decode(&chain, &encoded, room - 1).unwrap_err();
        assert!(matches!(error, CodecError::Memory { .. }), "{name}: {error}");
    }
}

#[test]
fn chunks_that_are_wrong_say_how() {
    let check = |kind: VariableKind, encoded: &[u8], expected: &str| {
        let name = if kind == VariableKind::Text { "vlen-utf8" } else { "vlen-bytes" };
        let chain = chain(&json!([{"name": name}]), kind, &[2]).unwrap();
        match decode(&chain, encoded, ROOM) {
            Ok(elements) => assert_eq!(format!("{:?}", elements.iter().collect::<Vec<_>>()), expected),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        }
    };
    let (text, any) = (VariableKind::Text, VariableKind::Bytes);
    check(text, &[2, 0, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0, 0], "[[65], []]");
    check(any, &[2, 0, 0, 0, 1, 0, 0, 0, 255, 0, 0, 0, 0], "[[255], []]");
    check(text, &[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 255], "element 1 is not valid UTF-8");
    check(text, &[], "ends within an element");
    check(text, &[2, 0, 0, 0, 0, 0, 0, 0], "ends within an element");
    check(text, &[2, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 65], "(1 bytes are left)");
    check(text, &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "3 elements, the metadata says 2");
    check(any, &[255; 4], "4294967295 elements, the metadata says 2");
    check(any, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], "1 bytes follow the last element");
    let chain = chain(&json!([{"name": "vlen-utf8"}]), text, &[1]).unwrap();
    let error = encode(&chain, &elements([[255]])).unwrap_err().to_string();
    assert!(error.contains("element 0 is not valid UTF-8"), "{error}");
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let check = |list: Value, kind: VariableKind, shape: &[u64], expected: &str| {
        let error = VariableCodec::new(&codecs(&list), kind, shape, b"").unwrap_err().to_string();
        assert!(error.contains(expected), "{list}: {error}");
    };
    let (text, any) = (VariableKind::Text, VariableKind::Bytes);
    let utf8 = json!({"name": "vlen-utf8"});
    check(json!([]), text, &[4], "is missing");
    check(json!([{"name": "zstd"}]), text, &[4], "text is stored by vlen-utf8");
    check(json!([utf8]), any, &[4], "bytes are stored by vlen-bytes");
    check(json!([{"name": "vlen-utf8", "configuration": {"x": 1}}]), text, &[4], "\"x\" is not known");
    check(json!([utf8, {"name": "unheard-of"}]), text, &[4], "unheard-of");
    check(json!([utf8, {"name": "bytes"}]), text, &[4], "not in order");
    check(json!([utf8, {"name": "gzip", "configuration": {"level": 77}}]), text, &[4], "level is 77");
    check(json!([utf8]), text, &[1 << 62, 4], "overflow");
    let transpose = json!({"name": "transpose", "configuration": {"order": [0, 0]}});
    check(json!([transpose, utf8]), text, &[4, 4], "each of the 2 dimensions once");
    let categorize = |labels: Value, dtype: &str, astype: &str| json!([{"name": "numcodecs.categorize", "configuration": {"labels": labels, "dtype": dtype, "astype": astype}}]);
    check(categorize(json!("a"), "|O", "u1"), text, &[4], "a list of texts");
    check(categorize(json!(["a"]), "<U4", "u1"), text, &[4], "dtype is \"<U4\"");
    check(categorize(json!(["a"]), "|O", "f4"), text, &[4], "astype is \"<f4\"");
    check(categorize(json!(["a"]), "|O", "u1"), any, &[4], "vlen-bytes");
    let shards = |codecs: Value| {
        json!([{"name": "sharding_indexed", "configuration": {"chunk_shape": [2], "codecs": codecs,
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}}])
    };
    check(shards(json!([utf8])), text, &[5], "multiple");
    check(shards(shards(json!([utf8]))), text, &[4], "text is stored by vlen-utf8");
}

/// A shard has the same index, whatever its inner chunks are.
#[test]
fn shards_hold_inner_chunks() {
    let list = json!([{"name": "sharding_indexed", "configuration": {
        "chunk_shape": [2], "codecs": [{"name": "vlen-utf8"}, {"name": "zstd"}], "index_codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]}}]);
    let Ok(VariableCodec::Shards { inner, layout }) =
        VariableCodec::new(&codecs(&list), VariableKind::Text, &[4], b"fill")
    else {
        panic!("shards of text are known")
    };
    let chunk = elements(["αβ", ""]);
    let mut shard = encode(&inner, &chunk).unwrap();
    let mut index = ShardIndex::empty(2);
    index.set(1, 0, shard.len() as u64);
    let mut stored = vec![0; layout.index_bytes()];
    layout.encode_index(&index, &mut stored);
    shard.extend(&stored);
    let at = usize::try_from(layout.index_offset(shard.len() as u64).unwrap()).unwrap();
    let read = layout.decode_index(&shard[at..], shard.len() as u64).unwrap();
    assert_eq!(read.get(0), None);
    let (offset, bytes) = read.get(1).unwrap();
    assert_eq!(
        (offset, decode(&inner, &shard[..usize::try_from(bytes).unwrap()], ROOM).unwrap()),
        (0, chunk)
    );
    let mut missing = Variable::new();
    inner.fill(ROOM, &mut missing).unwrap();
    assert_eq!(missing, elements(["fill", "fill"]));
    assert!(matches!(inner.fill(23, &mut missing), Err(CodecError::Memory { bytes: 24, bytes_max: 23 })));
}
