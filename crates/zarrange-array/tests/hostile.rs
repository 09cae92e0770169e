//! Metadata from strangers: whatever a document says, opening it gives a node or an error, never a panic.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use zarrange_array::{Node, open};
use zarrange_io::{Location, Store};

/// Values that no member expects.
fn extremes() -> Vec<Value> {
    let deep = (0..40).fold(json!(0), |inner, _| json!([inner]));
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("x"),
        json!("../.."),
        json!("0x"),
        json!("0xFFFFFFFFFFFFFFFFFF"),
        json!([]),
        json!([0]),
        json!([u64::MAX, u64::MAX, u64::MAX]),
        json!([4, 4, 4, 4, 4]),
        json!(vec![1; 100]),
        json!({}),
        json!({"name": "x", "configuration": {}}),
        json!({"name": "sharding_indexed", "configuration": {"chunk_shape": [2, 2], "codecs": [], "index_codecs": []}}),
        deep,
    ]
}

/// Every document that differs from `good` in one value.
fn variations(good: &Value) -> Vec<Value> {
    fn paths(value: &Value, at: &str, out: &mut Vec<String>) {
        out.push(at.to_owned());
        match value {
            Value::Object(members) => members.iter().for_each(|(k, v)| paths(v, &format!("{at}/{k}"), out)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(k, v)| paths(v, &format!("{at}/{k}"), out));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    paths(good, "", &mut all);
    let replaced = all.iter().flat_map(|path| {
        extremes().into_iter().map(|extreme| {
            let mut document = good.clone();
            *document.pointer_mut(path).unwrap() = extreme;
            document
        })
    });
    let removed = good.as_object().unwrap().keys().map(|name| {
        let mut document = good.clone();
        document.as_object_mut().unwrap().remove(name);
        document
    });
    replaced.chain(removed).collect()
}

fn store(name: &str) -> Store {
    Location::Memory(format!("hostile-{name}")).open().unwrap()
}

fn put(store: &Store, key: &str, text: &[u8]) {
    store.write_whole(key, text).unwrap();
}

fn v3() -> Value {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let inner = json!([
        {"name": "transpose", "configuration": {"order": [1, 0]}},
        bytes,
        {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0}},
    ]);
    json!({
        "zarr_format": 3, "node_type": "array", "shape": [20, 30], "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4, 6]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN", "attributes": {"a": 1}, "dimension_names": ["x", null],
        "codecs": [{"name": "sharding_indexed", "configuration": {
            "chunk_shape": [2, 3], "codecs": inner, "index_location": "end",
            "index_codecs": [bytes, {"name": "crc32c"}],
        }}],
    })
}

fn v2() -> Value {
    json!({
        "zarr_format": 2, "shape": [20, 30], "chunks": [4, 6], "dtype": ">f8", "fill_value": "NaN", "order": "F",
        "compressor": {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1, "blocksize": 0},
        "filters": null, "dimension_separator": ".",
    })
}

#[test]
fn strange_documents_never_panic() {
    let check = |name: &str, key: &str, good: &Value| {
        let store = store(name);
        put(&store, key, &serde_json::to_vec(good).unwrap());
        assert!(
            matches!(open(&store), Ok(Node::Array(_))),
            "{name}: the document without a change is an array"
        );
        let mut refused = 0;
        for document in variations(good) {
            let text = serde_json::to_vec(&document).unwrap();
            put(&store, key, &text);
            let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| open(&store)));
            let opened = opened.unwrap_or_else(|_| panic!("opening panicked on {document}"));
            if let Err(error) = opened {
                refused += 1;
                let message = error.to_string();
                assert!(message.contains(name) && !message.contains('\n'), "{document}: {message}");
            }
        }
        assert!(refused > 100, "{name}: only {refused} were refused");
    };
    check("v3", "zarr.json", &v3());
    check("v2", ".zarray", &v2());
}

#[test]
fn what_is_not_json_or_not_zarr_is_named() {
    let check = |name: &str, key: &str, text: &[u8], expected: &str| {
        let store = store(name);
        put(&store, key, text);
        let error = open(&store).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(name), "{error}");
    };
    check("empty", "zarr.json", b"", "not valid JSON");
    check("binary", "zarr.json", &[0xFF; 100], "not valid JSON");
    check("list", "zarr.json", b"[1]", "not a JSON object");
    check("deep", "zarr.json", &b"[".repeat(100_000), "nested deeper than 64");
    check("long", "zarr.json", &vec![b' '; (16 << 20) + 1], "more than 16777216 bytes");
    check("version", "zarr.json", br#"{"zarr_format": 4}"#, "zarr_format is 4, expected 3");
    check("node", "zarr.json", br#"{"zarr_format": 3, "node_type": "tree"}"#, "node_type");
    check("nothing", "other", b"", "no Zarr array or group here");
    let overflow = r#"{"zarr_format": 3, "node_type": "array", "shape": [9000000000000000000, 9], "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1]}}, "fill_value": 0,
        "chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}"#;
    check("overflow", "zarr.json", overflow.as_bytes(), "overflow");
    let (mut long_v3, mut long_v2) = (v3(), v2());
    long_v3["data_type"] =
        json!({"name": "fixed_length_utf32", "configuration": {"length_bytes": 1u64 << 50}});
    long_v3["fill_value"] = json!("");
    check(
        "long-v3",
        "zarr.json",
        long_v3.to_string().as_bytes(),
        "elements of 1125899906842624 bytes: at most 1048576",
    );
    long_v2["dtype"] = json!("<U1000000000");
    long_v2["fill_value"] = json!("");
    check("long-v2", ".zarray", long_v2.to_string().as_bytes(), "\"<U1000000000\" has no counterpart");
}
