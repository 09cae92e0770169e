//! Layouts chosen for a mix of accesses, through the command.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::{Map, Value, json};
use support::zarrange;
use zarrange_array::{Array, ArraySpec, Document, Group, Layout, publish_metadata};
use zarrange_grid::Region;
use zarrange_io::{Location, Store};

/// An array with one index of the last dimension in a chunk.
fn document(shape: &[u64], names: &[&'static str]) -> Document {
    let mut chunk: Vec<u64> = shape.iter().map(|n| (*n).max(1)).collect();
    if let Some(last) = chunk.last_mut() {
        *last = 1;
    }
    let codecs = serde_json::from_value(json!([{"name": "bytes", "configuration": {"endian": "little"}}]));
    Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(u32::MAX),
        layout: Layout { chunk, shard: None, codecs: codecs.unwrap() },
        dimension_names: names.to_vec(),
        attributes: Map::new(),
    })
}

/// Writes an array of elements that are their own positions.
fn array(store: &Store, path: &str, shape: &[u64], names: &[&'static str]) {
    let array = Array::new(store.below(path).unwrap(), document(shape, names), 3).unwrap();
    let whole = Region::whole(shape);
    let values: Vec<u8> =
        (0..whole.elements()).flat_map(|k| u32::try_from(k).unwrap().to_ne_bytes()).collect();
    array.write_region(&whole, &values).unwrap();
    array.write_metadata().unwrap();
}

/// `mag` and `empty` over (object, epoch), `ra` over objects, `scalar` without dimensions, `plain` without their names.
fn group(dir: &Path) -> String {
    let path = dir.join("source.zarr");
    std::fs::create_dir(&path).unwrap();
    let store = Location::Path(path.clone()).open().unwrap();
    array(&store, "mag", &[400, 120], &["object", "epoch"]);
    array(&store, "empty", &[0, 120], &["object", "epoch"]);
    array(&store, "ra", &[400], &["object"]);
    array(&store, "scalar", &[], &[]);
    array(&store, "plain", &[8, 6], &["", ""]);
    let document = path.join("plain/zarr.json");
    let mut members: Value = serde_json::from_slice(&std::fs::read(&document).unwrap()).unwrap();
    members["dimension_names"] = json!([null, null]);
    std::fs::write(document, members.to_string()).unwrap();
    publish_metadata(
        &store,
        &[],
        &[(String::new(), Group::new(store.below("").unwrap(), Map::new()))],
        false,
    )
    .unwrap();
    path.display().to_string()
}

/// Chunk and shard of each array.
fn layouts(location: &str) -> Value {
    let info: Value = serde_json::from_slice(&zarrange(&["info", location, "--json"]).stdout).unwrap();
    let nodes = info["nodes"].as_array().unwrap().iter().filter(|node| node["node_type"] == "array");
    nodes.map(|n| (n["path"].as_str().unwrap().to_owned(), json!([n["chunks"], n["shards"]]))).collect()
}

#[test]
fn arrays_get_the_layout_that_suits_a_mix() {
    let dir = tempfile::tempdir().unwrap();
    let source = group(dir.path());
    let check = |number: u32, options: &[&str], expected: Value| {
        let target = dir.path().join(format!("target-{number}.zarr")).display().to_string();
        let fixed = ["rechunk", &source, &target, "--verify", "full", "--durability", "none", "--json"];
        let output = zarrange(&[&fixed, options].concat());
        assert!(output.status.success(), "{options:?}: {output:?}");
        assert_eq!(layouts(&target), expected, "{options:?}");
        let equal = zarrange(&["verify", &source, &target]).status.success();
        assert!(equal || options.contains(&"--only-named"), "{options:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let unchanged = json!({
        "empty": [[1, 1], null], "mag": [[400, 1], null], "plain": [[8, 1], null], "ra": [[1], null],
        "scalar": [[], null],
    });
    let with = |changes: Value| {
        let mut expected = unchanged.as_object().unwrap().clone();
        expected.extend(changes.as_object().unwrap().clone());
        Value::Object(expected)
    };
    // a / b = 0.2 * 400 / (0.8 * 120) = 0.83, with 1600 bytes for 400 elements.
    let mix = ["--for", "epoch=0.2,object=0.8", "--chunk-bytes", "1600"];
    let small = with(json!({"empty": [[1, 120], null], "mag": [[20, 20], [400, 120]]}));
    let report = check(1, &mix, small);
    let arrays = report["arrays"].as_array().unwrap();
    let layout = &arrays.iter().find(|a| a["array"] == "mag").unwrap()["layout"];
    let expected = 0.2 * 20.0 + 0.8 * 6.0;
    assert_eq!(layout["chunks_per_access"], expected);
    assert_eq!(layout["bytes_per_access"], expected * 1600.0);
    assert_eq!(layout["objects"], 1);
    assert_eq!(arrays.iter().filter(|a| a["layout"].is_null()).count(), 3, "{report}");

    let only = json!({"mag": [[20, 20], [400, 120]]});
    check(2, &[&mix[..], &["--array", "mag", "--only-named"]].concat(), only);
    let by_object = json!({"empty": [[1, 120], null], "mag": [[400, 120], null], "ra": [[400], null]});
    check(3, &["--for", "object=1"], with(by_object));
    let large = json!({"empty": [[1, 120], null], "mag": [[400, 40], [400, 120]]});
    check(4, &["--for", "epoch=1,object=4", "--chunk-bytes", "64kB"], with(large));
    // One object at one epoch is in one chunk; of 361 runs of 40 objects 37 begin with a chunk of ten.
    let joint = [
        "--for",
        "object+epoch=0.9,object:40=0.1",
        "--chunk-bytes",
        "1600",
        "--array",
        "mag",
        "--only-named",
    ];
    let report = check(6, &joint, json!({"mag": [[10, 40], [400, 120]]}));
    let accesses = &report["arrays"][0]["layout"]["accesses"];
    assert_eq!(accesses[0]["chunks"], 1.0, "{accesses}");
    let expected = 3.0 * (37.0 * 4.0 + 324.0 * 5.0) / 361.0;
    assert!((accesses[1]["chunks"].as_f64().unwrap() - expected).abs() < 1e-12, "{accesses}");
    assert_eq!(accesses[1]["picks"], json!([{"axis": 0, "count": 40, "scattered": false}]), "{accesses}");
    check(5, &["--for", "1=1", "--chunk-bytes", "70"], with(json!({"plain": [[8, 2], [8, 6]]})));
}

#[test]
fn a_dry_run_says_what_was_chosen_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (group(dir.path()), dir.path().join("target.zarr"));
    let mix = ["--for", "epoch=1,object=4", "--chunk-bytes", "1600", "--array", "mag", "--only-named"];
    let args = [&["rechunk", &source, target.to_str().unwrap(), "--dry-run"][..], &mix].concat();
    let output = zarrange(&args);
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = "\
layout     chunks of 1.60 kB, in shards of 192 kB, 1 file; on average an access fetches 8.8 chunks, 14.1 kB
           one epoch (20.0 % of accesses) is in 20 chunks, one object (80.0 % of accesses) is in 6 chunks
";
    assert!(text.contains(expected), "{text}");
    assert!(!target.exists());
    let joint = ["--for", "epoch=1,object~30+epoch:7=4"];
    let joint =
        [&["rechunk", &source, target.to_str().unwrap(), "--dry-run", "--array", "mag"][..], &joint].concat();
    let said = String::from_utf8(zarrange(&joint).stdout).unwrap();
    assert!(said.contains(", object~30+epoch:7 (80.0 % of accesses) is in 1 chunk\n"), "{said}");
    let json: Value = serde_json::from_slice(&zarrange(&[&args[..], &["--json"]].concat()).stdout).unwrap();
    let layout = &json["arrays"][0]["layout"];
    assert_eq!((&layout["chunk"], &layout["shard"]), (&json!([20, 20]), &json!([400, 120])));
}

#[test]
fn dimensions_and_mixes_that_nothing_has_are_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (group(dir.path()), dir.path().join("target.zarr"));
    let large = document(&[1_000_000, 1000], &["object", "epoch"]);
    let store = source.parse::<Location>().unwrap().open().unwrap().below("large").unwrap();
    Array::new(store, large, 3).unwrap().write_metadata().unwrap();
    let check = |options: &[&str], part: &str| {
        let output = zarrange(&[&["rechunk", &source, target.to_str().unwrap()], options].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {message}");
        assert!(message.contains(part), "{options:?}: {message}");
        assert!(!target.exists(), "{options:?}");
    };
    check(&["--for", ""], "no dimension is named");
    check(&["--for", "epoch=0"], "the weight \"0\" of \"epoch\" is not a positive number; use epoch=0.2");
    check(&["--for", "epoch=-1"], "the weight \"-1\"");
    check(&["--for", "epoch=NaN"], "the weight \"NaN\"");
    check(&["--for", "epoch=1,epoch=2"], "\"epoch\" has two weights");
    check(&["--for", "epoch=1,band=2"], "[\"band\"] are missing: there are empty (object, epoch), large");
    check(&["--for", "2=1"], "[\"2\"] are missing");
    check(&["--for", "object+band=1"], "[\"band\"] are missing: there are empty (object, epoch), large");
    check(&["--for", "object+object=1"], "\"object+object\" has dimension \"object\" twice: name it once");
    check(
        &["--for", "object~500=1", "--array", "mag"],
        "\"object~500\" reads 500 of dimension \"object\": from 1 to 400",
    );
    check(&["--for", "object:0=1", "--array", "mag"], "from 1 to 400 are possible");
    check(&["--for", "object+epoch=1,epoch+object=2", "--array", "mag"], "named twice, as number 1 and 2");
    check(
        &["--for", "object~5=x"],
        "the weight \"x\" of \"object~5\" is not a positive number; use epoch=0.2",
    );
    check(&["--for", "epoch=1", "--array", "ra"], "[\"epoch\"] are missing: there are ra (object)");
    check(&["--for", "epoch=1", "--array", "nix"], "no array \"nix\"");
    check(&["--for", "epoch=1", "--chunks", "1,2"], "cannot be used with");
    check(&["--for", "epoch=1", "--shards", "1,2"], "cannot be used with");
    check(&["--chunks", "band=2,epoch=1"], "of the chunks, [\"band\"] are missing: there are empty (object");
    check(&["--shards", "band=2"], "of the shards, [\"band\"] are missing");
    check(&["--max-files", "5"], "--for");
    check(&["--reader", "zarrange"], "--for");
    check(
        &["--for", "epoch=1", "--reader", "dask"],
        "\"dask\" is no reader: use zarr-python, zarr-python-3.3, xarray,",
    );
    check(&["--for", "epoch=1", "--max-files", "5"], "(--max-files 16)");
    check(&["--for", "epoch=1", "--max-files", "0"], "0 is not in 1..");
    check(&["--for", "epoch=1", "--chunk-bytes", "0"], "not a size");
}

#[test]
fn advice_is_what_a_rechunk_takes() {
    let dir = tempfile::tempdir().unwrap();
    let source = group(dir.path());
    let target = dir.path().join("target.zarr").display().to_string();
    let asked =
        ["--reader", "tensorstore", "--profile", "object", "--max-files", "50", "--chunk-bytes", "64kB"];
    let (mix, array) = ("object~20+epoch=0.7,epoch=0.3", format!("{source}/mag"));
    let fixed = ["rechunk", &source, &target, "--array", "mag", "--for", mix, "--dry-run", "--json"];
    let taken: Value = serde_json::from_slice(&zarrange(&[&fixed[..], &asked].concat()).stdout).unwrap();
    let taken = &taken["arrays"].as_array().unwrap().iter().find(|a| a["array"] == "mag").unwrap()["layout"];
    // The codecs of the array, which nobody measures.
    let fixed = ["advise", "--shape", "400,120", "--dtype", "f4", "--mix", mix, "--codecs", "none", "--json"];
    let advised: Value = serde_json::from_slice(&zarrange(&[&fixed[..], &asked].concat()).stdout).unwrap();
    let (best, reader) = (&advised["layouts"][0], &advised["reader"]);
    assert_eq!(
        (&best["chunk"], &best["shard"], reader),
        (&taken["chunk"], &taken["shard"], &json!("tensorstore"))
    );

    let sampled = zarrange(&["advise", "--sample", &array, "--mix", "epoch=1,object=1"]);
    let said = String::from_utf8(sampled.stdout).unwrap();
    let command = format!("zarrange rechunk {array} DST --chunks");
    assert!(said.contains("Codecs, measured on") && said.contains(&command), "{said}");
    let wrong = zarrange(&["advise", "--shape", "400,120", "--dtype", "f4", "--mix", "night=1"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8(wrong.stderr)
            .unwrap()
            .contains("\"night\" is none of the dimensions object, epoch")
    );
}
