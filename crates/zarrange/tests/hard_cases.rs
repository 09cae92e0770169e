//! The hard cases that are small enough to run, through the command: right, and within their memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};
use support::{check_memory, dims, document, hard_cases, text, write, zarrange};
use zarrange_array::{Array, Group, Layout, Node, open, publish_metadata};
use zarrange_codec::CodecMetadata;
use zarrange_io::{Location, Store};

/// Fills the array with elements that depend on their position, or sets only the first one.
fn fill(array: &Array, only_first: bool) {
    let item = array.elements().unwrap().item_bytes();
    let chunks = array.objects().count();
    write(array, 0..if only_first { chunks.min(1) } else { chunks }, |k, data| {
        if only_first {
            data[..item].fill(7);
            return;
        }
        for (n, element) in data.chunks_exact_mut(item).enumerate() {
            let value = (u64::try_from(n).unwrap() + k * 1_000_003).to_le_bytes();
            element[..item.min(4)].copy_from_slice(&value[..item.min(4)]);
        }
    });
}

fn source(dir: &Path, case: &Value) -> String {
    let path = dir.join("source.zarr");
    std::fs::create_dir(&path).unwrap();
    let store = Location::Path(path.clone()).open().unwrap();
    let name = case["name"].as_str().unwrap();
    if name == "nested-group" {
        nested(&store, case);
        return path.display().to_string();
    }
    let array = Array::new(store, document(case, dims(&case["source"]).unwrap()), 3).unwrap();
    fill(&array, name == "almost-empty");
    let Some(shard) = dims(&case["source_shards"]) else { return path.display().to_string() };
    let sharded = dir.join("sharded.zarr").display().to_string();
    let (chunks, shards) = (text(&dims(&case["source"]).unwrap()), text(&shard));
    let made =
        zarrange(&["rechunk", path.to_str().unwrap(), &sharded, "--chunks", &chunks, "--shards", &shards]);
    assert!(made.status.success(), "{made:?}");
    sharded
}

/// Arrays five groups deep, attributes at every level.
fn nested(root: &Store, case: &Value) {
    let mut groups = Vec::new();
    let mut path = String::new();
    for depth in 0..5 {
        let attributes = Map::from_iter([("depth".to_owned(), json!(depth))]);
        groups.push((path.clone(), Group::new(root.below(&path).unwrap(), attributes)));
        path = format!("{path}{}g{depth}", if path.is_empty() { "" } else { "/" });
    }
    groups.push((path.clone(), Group::new(root.below(&path).unwrap(), Map::new())));
    let below = root.below(&format!("{path}/a")).unwrap();
    let array = Array::new(below, document(case, dims(&case["source"]).unwrap()), 3).unwrap();
    fill(&array, false);
    publish_metadata(root, &[], &groups, false).unwrap();
}

#[test]
fn hard_cases_run_within_their_memory() {
    let runnable: Vec<Value> = hard_cases().into_iter().filter(|c| c["run"] == json!(true)).collect();
    assert!(runnable.len() >= 12);
    for case in runnable {
        let name = case["name"].as_str().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path(), &case);
        let target = dir.path().join("target.zarr").display().to_string();
        let max_mem = case["max_mem"].as_u64().unwrap();
        let chunks = text(&dims(&case["target"]).unwrap());
        let (max, shards) = (max_mem.to_string(), dims(&case["target_shards"]).map(|s| text(&s)));
        let mut args = vec!["rechunk", &source, &target, "--max-mem", &max, "--chunks", &chunks, "--json"];
        args.extend(["--durability", "none"]);
        if let Some(shards) = &shards {
            args.extend(["--shards", shards]);
        }
        let output = zarrange(&args);
        assert!(output.status.success(), "{name}: {output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        check_memory(&report, max_mem, name);
        if name == "merge-rows" {
            assert_eq!(report["strategy"], "direct");
        }
        let output = zarrange(&["verify", &source, &target, "--json"]);
        let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success() && verified["equal"] == json!(true), "{name}: {verified}");
        if name == "almost-empty" {
            let store = target.parse::<Location>().unwrap().open().unwrap();
            let mut objects = 0;
            store.walk("", &mut |_, _| objects += 1).unwrap();
            assert_eq!(objects, 2, "one chunk and the metadata");
        }
        if name == "nested-group" {
            let store = target.parse::<Location>().unwrap().open().unwrap().below("g0/g1/g2").unwrap();
            let Node::Group(group) = open(&store).unwrap() else { panic!("{name}: a group was kept") };
            assert_eq!(group.attributes().get("depth").and_then(|depth| depth.as_u64()), Some(3));
        }
    }
}

/// Every case plans from metadata alone: no chunk exists.
#[test]
fn hard_cases_plan_in_a_second() {
    for case in hard_cases() {
        let name = case["name"].as_str().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (chunk, shard) = (dims(&case["source"]).unwrap(), dims(&case["source_shards"]));
        let plain = document(&case, chunk.clone());
        let codecs: Vec<CodecMetadata> = serde_json::from_value(plain.get("codecs").to_value()).unwrap();
        let document = plain.with_layout(&Layout { chunk, shard, codecs });
        let store = Location::Path(dir.path().to_owned()).open().unwrap();
        Array::new(store, document, 3).unwrap().write_metadata().unwrap();
        let (source, target) = (dir.path().to_str().unwrap(), dir.path().with_extension("target"));
        let (chunks, max) = (text(&dims(&case["target"]).unwrap()), case["max_mem"].to_string());
        let shards = dims(&case["target_shards"]).map(|s| text(&s));
        let target = target.to_str().unwrap();
        let mut args =
            vec!["rechunk", source, target, "--chunks", &chunks, "--max-mem", &max, "--dry-run", "--json"];
        if let Some(shards) = &shards {
            args.extend(["--shards", shards]);
        }
        let begin = Instant::now();
        let output = zarrange(&args);
        let elapsed = begin.elapsed();
        if name == "wide" {
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert!(message.contains("source chunk [10, 100000000] has 8000000000 bytes"), "{message}");
        } else {
            // Few machines have the room for intermediates of terabytes.
            let lacks_room = String::from_utf8_lossy(&output.stderr).contains("make room");
            assert!(output.status.success() || lacks_room, "{name}: {output:?}");
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(
                report["peak_budget_bytes"].as_u64().unwrap() <= case["max_mem"].as_u64().unwrap(),
                "{name}"
            );
            // The same on a thousand workers.
            args[0] = "plan";
            let cluster = "workers=1000,store=s3,failures=0.01,stragglers=0.02x5,bandwidth=100GB";
            args.retain(|arg| *arg != "--dry-run" && *arg != "--json");
            args.extend(["--simulate", cluster]);
            let (begin, output) = (Instant::now(), zarrange(&args));
            let told = String::from_utf8(output.stdout).unwrap();
            println!("{name}: {:?}: {told}", begin.elapsed());
            assert!(output.status.success() && told.starts_with("1,000 workers: "), "{name}: {told}");
        }
        // Not a measurement: a plan that enumerates chunks would take minutes or all memory.
        assert!(elapsed.as_secs() < 20, "{name}: {elapsed:?}");
    }
}
