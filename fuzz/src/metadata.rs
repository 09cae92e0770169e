//! Metadata: whatever a hierarchy's documents say, opening it gives nodes or an error, and what can be opened can be read.

use std::sync::{Arc, LazyLock};

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};
use zarrange_array::{Array, Contents, Node, Without, open, survey};
use zarrange_grid::Region;
use zarrange_io::backends::memory::Memory;
use zarrange_io::{Coalescing, Store};

use crate::size;

/// Regions and chunks of at most this many bytes are read; how much is read at once is a caller's choice.
const READ_BYTES_MAX: u64 = 1 << 16;

/// Opens what `data` describes: a document as it is where it begins like one, else changes of a valid hierarchy.
pub fn run(data: &[u8]) {
    if data.first() == Some(&b'{') {
        for key in ["zarr.json", ".zarray", ".zattrs"] {
            let store = store();
            put(&store, key, data);
            put(&store, ".zgroup", b"{}");
            visit(&store, data);
        }
    } else {
        // An input that ends early is a shorter problem, not a finding.
        let _ = solve(&mut Unstructured::new(data));
    }
}

fn solve(u: &mut Unstructured<'_>) -> Result<()> {
    static TEMPLATES: LazyLock<Vec<(&str, Value)>> = LazyLock::new(templates);
    let (key, mut document) = u.choose(&TEMPLATES)?.clone();
    for _ in 0..u.int_in_range(0..=4)? {
        change(u, &mut document)?;
    }
    let store = store();
    let mut path = String::new();
    for _ in 0..u.int_in_range(0..=2)? {
        put(&store, &format!("{path}{}", u.choose(&["zarr.json", ".zgroup"])?), GROUP.as_bytes());
        path.push_str(u.choose(&["a/", "b/", "c/"])?);
    }
    put(&store, &format!("{path}{key}"), &serde_json::to_vec(&document).unwrap_or_default());
    if u.ratio(1, 4)? {
        put(&store, &format!("{path}.zattrs"), &serde_json::to_vec(&value(u, 3)?).unwrap_or_default());
    }
    visit(&store, u.bytes(u.len())?);
    Ok(())
}

const GROUP: &str = r#"{"zarr_format": 3, "node_type": "group", "attributes": {}}"#;

/// Valid documents, and where each is stored.
fn templates() -> Vec<(&'static str, Value)> {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let blosc = json!({"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle",
        "typesize": 4, "blocksize": 0}});
    let v3 = |data_type: Value, fill: Value, chunk: Value, codecs: Value| {
        json!({
            "zarr_format": 3, "node_type": "array", "shape": [20, 30], "data_type": data_type,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": fill, "attributes": {"a": 1}, "dimension_names": ["x", null], "codecs": codecs,
        })
    };
    let v2 = |dtype: Value, fill: Value, compressor: Value, filters: Value| {
        json!({
            "zarr_format": 2, "shape": [20, 30], "chunks": [4, 6], "dtype": dtype, "fill_value": fill, "order": "F",
            "compressor": compressor, "filters": filters, "dimension_separator": ".",
        })
    };
    let inner = json!([{"name": "transpose", "configuration": {"order": [1, 0]}}, bytes, blosc]);
    let shards = json!([{"name": "sharding_indexed", "configuration": {
        "chunk_shape": [2, 3], "codecs": inner, "index_location": "end",
        "index_codecs": [bytes, {"name": "crc32c"}]}}]);
    let utf32 = json!({"name": "fixed_length_utf32", "configuration": {"length_bytes": 8}});
    let time = json!({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 10}});
    let zstd =
        json!([bytes, {"name": "zstd", "configuration": {"level": 3, "checksum": true}}, {"name": "crc32c"}]);
    let gzip = json!([bytes, {"name": "gzip", "configuration": {"level": 5}}]);
    let zlib = json!([bytes, {"name": "numcodecs.zlib", "configuration": {"level": 5}}]);
    let bitround = json!([{"name": "bitround", "configuration": {"keepbits": 3}}, bytes]);
    let cast = json!([{"name": "scale_offset", "configuration": {"offset": -10.5, "scale": 4}},
        {"name": "cast_value", "configuration": {"data_type": "int16", "rounding": "nearest-away", "out_of_range": "wrap",
            "scalar_map": {"encode": [["NaN", -32768]], "decode": [[-32768, "NaN"]]}}}, bytes]);
    let pcodec = json!([{"name": "numcodecs.pcodec", "configuration": {"level": 8, "mode_spec": "auto",
        "delta_spec": "auto", "paging_spec": "equal_pages_up_to", "delta_encoding_order": null,
        "equal_pages_up_to": 262_144}}]);
    let vlen = json!([{"name": "vlen-utf8"}]);
    let rectilinear = |codecs: Value| {
        let mut document = v3(json!("uint32"), json!(7), json!(null), codecs);
        document["chunk_grid"] = json!({"name": "rectilinear", "configuration": {"kind": "inline",
            "chunk_shapes": [[2, [4, 3], 6], [[6, 1], 3, [9, 4]]]}});
        document
    };
    vec![
        ("zarr.json", rectilinear(gzip.clone())),
        ("zarr.json", rectilinear(json!([bytes]))),
        ("zarr.json", rectilinear(shards.clone())),
        ("zarr.json", v3(json!("float32"), json!("NaN"), json!([4, 6]), shards)),
        ("zarr.json", v3(json!("complex64"), json!([0.5, "Infinity"]), json!([4, 6]), zstd)),
        ("zarr.json", v3(json!("r24"), json!([1, 2, 3]), json!([20, 30]), gzip.clone())),
        ("zarr.json", v3(utf32, json!("é"), json!([7, 7]), gzip)),
        ("zarr.json", v3(time, json!("NaT"), json!([7, 7]), zlib)),
        ("zarr.json", v3(json!("float64"), json!("0x7ff8000000000000"), json!([7, 7]), bitround)),
        ("zarr.json", v3(json!("float32"), json!("NaN"), json!([7, 7]), cast)),
        ("zarr.json", v3(json!("uint32"), json!(7), json!([7, 7]), pcodec)),
        ("zarr.json", v3(json!("string"), json!(""), json!([7, 7]), vlen)),
        (
            ".zarray",
            v2(
                json!(">f8"),
                json!("NaN"),
                json!({"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1,
            "blocksize": 0}),
                json!(null),
            ),
        ),
        (".zarray", v2(json!("<U8"), json!(""), json!({"id": "zlib", "level": 1}), json!(null))),
        (
            ".zarray",
            v2(
                json!("|S8"),
                json!(""),
                json!({"id": "zstd", "level": 1}),
                json!([{"id": "shuffle",
            "elementsize": 8}]),
            ),
        ),
        (".zarray", v2(json!("<M8[10s]"), json!(0), json!({"id": "gzip", "level": 1}), json!([]))),
        (".zarray", v2(json!("|O"), json!(""), json!(null), json!([{"id": "vlen-utf8"}]))),
        (".zarray", v2(json!([["a", "<i4"], ["b", "|u1", [2, 2]]]), json!(null), json!(null), json!(null))),
        (
            "zarr.json",
            json!({"zarr_format": 3, "node_type": "group", "attributes": {}, "consolidated_metadata":
            {"kind": "inline", "must_understand": false, "metadata": {"a": {"zarr_format": 3}}}}),
        ),
    ]
}

/// Replaces, removes or adds one value.
fn change(u: &mut Unstructured<'_>, document: &mut Value) -> Result<()> {
    let mut paths = Vec::new();
    pointers(document, String::new(), &mut paths);
    let path = u.choose(&paths)?;
    let new = value(u, 3)?;
    let Some(at) = document.pointer_mut(path) else { return Ok(()) };
    match (u.int_in_range(0..=7)?, at) {
        (0, Value::Object(members)) => drop(members.insert(word(u)?, new)),
        (0, Value::Array(items)) => items.push(new),
        (1, Value::Object(members)) => {
            let names: Vec<String> = members.keys().cloned().collect();
            if !names.is_empty() {
                members.remove(u.choose(&names)?);
            }
        }
        (1, Value::Array(items)) => drop(items.pop()),
        (2, Value::Array(items)) => items.extend(items.first().cloned()),
        (_, at) => *at = new,
    }
    Ok(())
}

fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, v)| pointers(v, format!("{at}/{name}"), out));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(k, v)| pointers(v, format!("{at}/{k}"), out));
        }
        _ => {}
    }
    out.push(at);
}

/// Any JSON value; more often than not one that some member expects.
fn value(u: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 8 } else { 11 })? {
        0 => Value::Null,
        1 => json!(u.arbitrary::<bool>()?),
        2 | 3 => json!(size(u)?),
        4 => json!(-i128::from(size(u)?.min(1 << 63))),
        5 => json!(f64::from_bits(u.arbitrary()?)),
        6..=8 => Value::String(word(u)?),
        9 => Value::Array((0..u.int_in_range(0..=5)?).map(|_| value(u, depth - 1)).collect::<Result<_>>()?),
        10 => json!({"name": word(u)?, "configuration": {word(u)?: value(u, depth - 1)?}}),
        _ => {
            let members = (0..u.int_in_range(0..=3)?).map(|_| Ok((word(u)?, value(u, depth - 1)?)));
            Value::Object(members.collect::<Result<Map<_, _>>>()?)
        }
    })
}

/// A word of the specification, one with a number in it, or any text.
fn word(u: &mut Unstructured<'_>) -> Result<String> {
    const WORDS: [&str; 46] = [
        "bytes",
        "transpose",
        "blosc",
        "zstd",
        "gzip",
        "crc32c",
        "sharding_indexed",
        "numcodecs.zlib",
        "numcodecs.bz2",
        "numcodecs.shuffle",
        "numcodecs.pcodec",
        "vlen-utf8",
        "vlen-bytes",
        "bitround",
        "cast_value",
        "scale_offset",
        "towards-zero",
        "clamp",
        "adler32",
        "fletcher32",
        "uint8",
        "float16",
        "complex128",
        "string",
        "numpy.timedelta64",
        "null_terminated_bytes",
        "optional",
        "struct",
        "fixed_length_utf32",
        "packbits",
        "fixedscaleoffset",
        "squeeze",
        "reshape",
        "default",
        "rectilinear",
        "chunk_shapes",
        "v2",
        "start",
        "end",
        "big",
        "Infinity",
        "NaN",
        "configuration",
        "name",
        "must_understand",
        "../..",
    ];
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => (*u.choose(&WORDS)?).to_owned(),
        4 | 5 => {
            let before = u.choose(&["r", "<U", "|S", "|V", ">f", "<M8[", "0x", "int", "uint", "-", "c/"])?;
            let after = u.choose(&["", "", "s]", "]"])?;
            format!("{before}{}{after}", size(u)?)
        }
        _ => u.arbitrary()?,
    })
}

fn store() -> Store {
    let memory = Arc::new(Memory::default());
    Store::new(memory.clone(), memory, "memory".to_owned(), Coalescing::MEMORY)
}

fn put(store: &Store, key: &str, data: &[u8]) {
    store.write_whole(key, data).expect("memory takes what it is given");
}

/// Opens everything below `store`; `stored` are the bytes of each array's first chunk.
fn visit(store: &Store, stored: &[u8]) {
    let walked = survey(store, Without::NOTHING).map(|found| {
        for found in found.nodes {
            match found.open(store).expect("it was opened before") {
                Node::Group(group) => drop(group.attributes()),
                Node::Array(array) => check(&array, stored),
            }
        }
    });
    if let Err(error) = walked {
        assert!(!error.to_string().is_empty());
    }
}

fn check(array: &Array, stored: &[u8]) {
    let document = array.document();
    let _ = (document.attributes(), document.dimension_names(), array.metadata_location());
    let Contents::Elements(elements) = array.contents() else { return };
    let (shape, item_bytes) = (array.shape(), elements.item_bytes() as u64);
    assert_eq!(elements.fill.len() as u64, item_bytes);
    assert_eq!(elements.layout.chunk, elements.chunks.chunk_shape());
    check_copy(array, &elements.layout.chunk);
    let _ = elements.element.format(&elements.fill);
    let corner: Vec<u64> = shape.iter().map(|n| *n.min(&3)).collect();
    let last: Vec<u64> = shape.iter().zip(&corner).map(|(n, c)| n - c).collect();
    for corner in [Region::whole(&corner), Region::new(last, corner)] {
        check_read(array, &corner, stored);
    }
}

fn check_read(array: &Array, corner: &Region, stored: &[u8]) {
    let Ok(elements) = array.elements() else { return };
    let (chain, item_bytes) = (elements.chain(), elements.item_bytes() as u64);
    let small =
        corner.elements().saturating_mul(item_bytes).max(chain.chunk_bytes() as u64) <= READ_BYTES_MAX;
    if small && chain.context_bytes() as u64 <= READ_BYTES_MAX * 64 {
        let objects = array.objects().covering(corner);
        if !objects.is_empty() {
            put(array.store(), &array.key(objects.start()), stored);
        }
        match array.read_region(corner) {
            Ok((data, _)) => assert_eq!(data.len() as u64, corner.elements() * item_bytes),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// The document that a copy of the array gets describes the same array.
fn check_copy(array: &Array, chunk: &[u64]) {
    let copy = store();
    put(&copy, "zarr.json", &array.document().to_json());
    match open(&copy) {
        Ok(Node::Array(again)) => {
            assert_eq!(again.shape(), array.shape());
            let elements = again.elements().expect("a copy can be read");
            assert_eq!(elements.layout.chunk, chunk);
        }
        other => panic!("the copy's metadata is not that of an array: {other:?}"),
    }
}
