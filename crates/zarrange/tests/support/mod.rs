//! What the tests of the command share: running it, the hard cases, and arrays to run it on.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Map, Value, json};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_codec::CodecMetadata;

/// What the process may take beside `--max-mem`.
const ALLOWANCE: u64 = 64 << 20;

/// Runs the command, whatever profiles somebody keeps on this machine.
pub(crate) fn zarrange(args: &[&str]) -> Output {
    zarrange_at(Path::new("/dev/null"), args)
}

/// Runs the command where profiles are kept below `config`.
pub(crate) fn zarrange_at(config: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zarrange"));
    command.env("XDG_CONFIG_HOME", config).args(args).output().unwrap()
}

/// Whether a run kept its promise; `what` it was.
pub(crate) fn check_memory(report: &Value, max_mem: u64, what: &str) {
    let peak = |key: &str| report[key].as_u64().unwrap();
    assert!(peak("peak_budget_bytes").max(peak("verify_peak_budget_bytes")) <= max_mem, "{what}: {report}");
    assert!(peak("peak_resident_bytes") <= max_mem + ALLOWANCE, "{what}: {report}");
}

/// Lengths as an option takes them.
pub(crate) fn text(dims: &[u64]) -> String {
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// The cases of datasets/hard-cases.json.
pub(crate) fn hard_cases() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../../../datasets/hard-cases.json")).unwrap();
    file["cases"].as_array().unwrap().clone()
}

/// A list of lengths, if there is one.
pub(crate) fn dims(value: &Value) -> Option<Vec<u64>> {
    value.as_array().map(|a| a.iter().map(|n| n.as_u64().unwrap()).collect())
}

/// The source array of a hard case in these chunks.
pub(crate) fn document(case: &Value, chunk: Vec<u64>) -> Document {
    let data_type = match case["dtype"].as_str().unwrap_or("f4") {
        "u1" => "uint8",
        "i8" => "int64",
        "f8" => "float64",
        _ => "float32",
    };
    let little = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
    let codecs: Vec<CodecMetadata> = serde_json::from_value(little).unwrap();
    Document::new(&ArraySpec {
        shape: dims(&case["shape"]).unwrap(),
        data_type,
        fill_value: case.get("fill_value").cloned().unwrap_or_else(|| json!(0)),
        layout: Layout { chunk, shard: None, codecs },
        dimension_names: vec!["d"; case["shape"].as_array().unwrap().len()],
        attributes: Map::from_iter([("case".to_owned(), case["name"].clone())]),
    })
}

/// Writes the array's metadata and some of its chunks, by number: `elements` gets each full of the fill value.
pub(crate) fn write(
    array: &Array,
    chunks: impl IntoIterator<Item = u64>,
    mut elements: impl FnMut(u64, &mut [u8]),
) {
    let (fill, item) = (&array.elements().unwrap().fill, array.elements().unwrap().item_bytes());
    let grid = array.objects();
    for k in chunks {
        let region = grid.region(&grid.all().unravel(k));
        let items = usize::try_from(region.elements()).unwrap();
        let mut data: Vec<u8> = fill.iter().copied().cycle().take(items * item).collect();
        elements(k, &mut data);
        array.write_region(&region, &data).unwrap();
    }
    array.write_metadata().unwrap();
}
