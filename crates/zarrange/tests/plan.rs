//! Plans in files: whole, small, the same for the same job, and whatever changed is noticed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use support::{dims, document, hard_cases, text, write, zarrange};
use zarrange_array::{Array, Group, publish_metadata};
use zarrange_io::Location;
use zarrange_rechunk::{PlanFile, PlanFileError};

const OPTIONS: [&str; 8] =
    ["--chunks", "a:5,60", "--max-mem", "100kB", "--threads", "2", "--codecs", "zstd:1"];

/// A group with `a`, one index of the second dimension in a chunk, and `deep/b`, whose elements have a type that is not known.
fn group(dir: &Path) -> String {
    let path = dir.join("source.zarr");
    fs::create_dir(&path).unwrap();
    let root = Location::Path(path.clone()).open().unwrap();
    let document = document(&json!({"name": "small", "shape": [40, 60]}), vec![40, 1]);
    let array = Array::new(root.below("a").unwrap(), document, 3).unwrap();
    write(&array, 0..60, |k, data| data.fill(u8::try_from(k).unwrap()));
    write(&Array::new(root.below("deep/b").unwrap(), array.document().clone(), 3).unwrap(), [], |_, _| ());
    change(&path.join("deep/b/zarr.json"), |array| array["data_type"] = json!("unheard_of"));
    let attributes = Map::from_iter([("größe".to_owned(), json!([1.5, 1e300, -0.0, u64::MAX, null]))]);
    let group = |path: &str| (path.to_owned(), Group::new(root.below(path).unwrap(), attributes.clone()));
    publish_metadata(&root, &[], &[group(""), group("deep")], true).unwrap();
    path.display().to_string()
}

fn change(document: &Path, how: impl FnOnce(&mut Value)) {
    let mut members = serde_json::from_slice(&fs::read(document).unwrap()).unwrap();
    how(&mut members);
    fs::write(document, members.to_string()).unwrap();
}

/// Plans for `OPTIONS` and these; the file.
fn plan(dir: &Path, options: &[&str]) -> Vec<u8> {
    let (source, target) = (dir.join("source.zarr"), dir.join("target.zarr"));
    let args = ["plan", source.to_str().unwrap(), target.to_str().unwrap(), "--out", "-"];
    let output = zarrange(&[&args[..], &OPTIONS, options].concat());
    assert!(output.status.success(), "{options:?}: {output:?}");
    output.stdout
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    names
}

/// What is planned is what a run with the same options makes, and what it says it would do.
#[test]
fn a_plan_holds_what_rechunk_does() {
    let dir = tempfile::tempdir().unwrap();
    let source = group(dir.path());
    let file = plan(dir.path(), &["--key-separator", ".", "--verify", "sample", "--overwrite"]);
    let parsed = PlanFile::parse(&file).unwrap();
    assert_eq!(parsed.to_json().as_bytes(), file);

    let json: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(json["version"], 4);
    assert_eq!(json["fingerprint"], parsed.fingerprint());
    let target = dir.path().join("target.zarr");
    assert_eq!((&json["source"], &json["target"]), (&json!(source), &json!(target)));
    let expected = json!({
        "memory_bytes_max": 100_000, "threads": 2, "codecs": "zstd:1", "key_separator": ".", "temp": null,
        "verify": "sample", "durability": "commit", "overwrite": true, "replaces": null,
        "skip": [], "only": null, "foreign": "skip", "part_bytes": 256_000_000,
    });
    assert_eq!(json["options"], expected);

    let args =
        [&["rechunk", &source, target.to_str().unwrap(), "--key-separator", "."], &OPTIONS[..]].concat();
    let dry = zarrange(&[&args[..], &["--dry-run", "--json"]].concat());
    let predicted: Value = serde_json::from_slice(&dry.stdout).unwrap();
    let plan = &json["arrays"][0]["plan"];
    assert_eq!(plan["route"]["tiled"]["spills"], json!([]), "{plan}");
    assert_eq!(predicted["strategy"], "direct");
    assert_eq!(plan["predicted"]["counts"]["requests"], predicted["requests"]);
    assert!(json["arrays"][1]["plan"].is_null());
    assert!(zarrange(&args).status.success());
    let stored = |root: &Path, path: &Value| -> Value {
        let document = root.join(path.as_str().unwrap()).join("zarr.json");
        let mut document: Value = serde_json::from_slice(&fs::read(document).unwrap()).unwrap();
        document.as_object_mut().unwrap().remove("consolidated_metadata");
        document
    };
    let list = |key: &str| json[key].as_array().unwrap().clone();
    for array in list("arrays") {
        assert_eq!(array["source"], stored(Path::new(&source), &array["path"]));
        assert_eq!(array["target"], stored(&target, &array["path"]));
    }
    for group in list("groups") {
        assert_eq!(group["metadata"], stored(&target, &group["path"]));
    }
    assert_eq!((list("arrays").len(), list("groups").len(), &json["consolidated"]), (2, 2, &json!(true)));
}

#[test]
fn the_same_job_has_the_same_plan_and_another_source_another() {
    let dir = tempfile::tempdir().unwrap();
    let source = group(dir.path());
    let first = plan(dir.path(), &[]);
    assert!(plan(dir.path(), &[]) == first);
    let fingerprint = |options: &[&str]| PlanFile::parse(&plan(dir.path(), options)).unwrap().fingerprint();
    let unchanged = fingerprint(&[]);
    for other in [["--verify", "full"], ["--foreign", "copy"], ["--skip", "deep"]] {
        assert_ne!(fingerprint(&other), unchanged, "{other:?}");
    }

    fs::write(dir.path().join("source.zarr/a/c/0/0"), "chunks are not looked at").unwrap();
    assert_eq!(fingerprint(&[]), unchanged);
    let mut seen = vec![unchanged];
    let mut check = |document: &str, how: fn(&mut Value)| {
        change(&Path::new(&source).join(document), how);
        seen.push(fingerprint(&[]));
        let (last, before) = seen.split_last().unwrap();
        assert!(!before.contains(last), "{document}");
    };
    check("zarr.json", |group| group["attributes"]["größe"] = json!(1));
    check("deep/zarr.json", |group| group["attributes"] = json!({}));
    check("a/zarr.json", |array| array["fill_value"] = json!(1.0));
    check("a/zarr.json", |array| array["codecs"].as_array_mut().unwrap().truncate(1));
    check("deep/b/zarr.json", |array| array["shape"] = json!([41, 60]));
}

#[test]
fn a_changed_plan_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    group(dir.path());
    let file = plan(dir.path(), &[]);
    let value = |json: &[u8]| serde_json::from_slice::<Value>(json).ok();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        // The last digit of a float may make no difference.
        let same = file[at].is_ascii_digit() && value(&changed) == value(&file);
        assert!(same || PlanFile::parse(&changed).is_err(), "byte {at}, {:?}", char::from(file[at]));
    }
    let text = String::from_utf8(file.clone()).unwrap();
    let reformatted: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(PlanFile::parse(reformatted.to_string().as_bytes()).unwrap(), PlanFile::parse(&file).unwrap());

    let check = |from: &str, to: &str, expected: &str| {
        assert!(text.contains(from), "{from}");
        let error = PlanFile::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{to}: {error}");
        error
    };
    let error = check("\"version\": 4", "\"version\": 5", "the version of the plan is 5, only 4 is known");
    assert!(matches!(error, PlanFileError::Version { known: 4, .. }));
    let error = check("\"threads\": 2", "\"threads\": 3", "changed after it was made: its fingerprint is \"");
    assert!(matches!(error, PlanFileError::Fingerprint { .. }));
    check("\"overwrite\"", "\"added\": 1, \"overwrite\"", "changed after it was made");
    check("\"fingerprint\"", "\"fingerprints\"", "its fingerprint is null");
    check("{", "[", "not a plan");

    // With the fingerprint put right, other versions and members are still refused.
    let sealed = |how: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_str(&text).unwrap();
        how(&mut json);
        let error = PlanFile::parse(json.to_string().as_bytes()).unwrap_err();
        let PlanFileError::Fingerprint { expected, .. } = error else { panic!("{error}") };
        json["fingerprint"] = json!(expected);
        PlanFile::parse(json.to_string().as_bytes()).unwrap_err().to_string()
    };
    let error = sealed(&|json| json["arrays"][0]["plan"]["version"] = json!(1));
    assert!(error.contains("plan for array \"a\" is 1"), "{error}");
    let stage = |what: &'static str, value: Value| {
        let change =
            |json: &mut Value| json["arrays"][0]["plan"]["route"]["tiled"]["stages"][0][what] = value.clone();
        let error = sealed(&change);
        assert!(error.contains("a stage or an intermediate"), "{what}: {error}");
    };
    stage("group", json!([0, 1]));
    stage("tile", json!([1]));
    stage("sweep", json!(2));
    stage("order", json!([1, 1]));
    let error = sealed(&|json| json["arrays"][0]["plan"]["problem"]["source"]["chunk"] = json!([0, 3]));
    assert!(error.contains("the plan for array \"a\" cannot be understood"), "{error}");
    let error = sealed(&|json| json["options"]["colour"] = json!("red"));
    assert!(error.contains("cannot be understood: unknown field `colour`"), "{error}");
}

/// A plan does not grow with the number of chunks.
#[test]
fn a_survey_has_a_small_plan() {
    let case = hard_cases().into_iter().find(|case| case["name"] == "survey").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = Location::Path(dir.path().to_owned()).open().unwrap();
    let array = Array::new(store, document(&case, dims(&case["source"]).unwrap()), 3).unwrap();
    write(&array, [], |_, _| ());
    let (source, target) = (dir.path().to_str().unwrap(), dir.path().with_extension("target"));
    let [chunks, shards] = ["target", "target_shards"].map(|key| text(&dims(&case[key]).unwrap()));
    let max_mem = case["max_mem"].to_string();
    let options = ["--chunks", &chunks, "--shards", &shards, "--max-mem", &max_mem];
    let output =
        zarrange(&[&["plan", source, target.to_str().unwrap(), "--out", "-"], &options[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let plan = PlanFile::parse(&output.stdout).unwrap().arrays[0].plan.clone().unwrap();
    assert!(plan.predicted.counts.target_chunks > 600_000_000);
    assert!(output.stdout.len() < 20_000, "{} bytes", output.stdout.len());
}

#[test]
fn files_are_not_replaced_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let source = group(dir.path());
    let (target, out) = (dir.path().join("target.zarr"), dir.path().join("plan.json"));
    let args = ["plan", &source, target.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let args = [&args[..], &OPTIONS].concat();
    let output = zarrange(&args);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    let file = fs::read(&out).unwrap();
    assert!(file == plan(dir.path(), &[]), "the file is what - prints");
    let words = String::from_utf8(output.stderr).unwrap();
    let fingerprint = PlanFile::parse(&file).unwrap().fingerprint();
    let note =
        "zarrange: deep/b: its stored bytes are copied without being read: data type unheard_of is not known";
    let (begin, end) = (format!("{note}\n[a]\nstrategy "), format!("\n\nfingerprint {fingerprint}\n"));
    assert!(words.starts_with(&begin) && words.ends_with(&end), "{words}");

    let check = |options: &[&str], code: i32, expected: &str| {
        let before = (names(dir.path()), fs::read(&out).unwrap());
        let output = zarrange(&[&args[..], options].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{options:?}: {message}");
        assert!(message.contains(expected), "{options:?}: {message}");
        assert!(output.stdout.is_empty());
        assert!(before == (names(dir.path()), fs::read(&out).unwrap()), "{options:?}");
    };
    check(&[], 1, "plan.json exists: choose another name, or replace it with --overwrite-plan");
    check(&["--overwrite"], 1, "plan.json exists");
    check(&["--overwrite-plan", "--chunks", "nix:1"], 2, "no array \"nix\"");
    check(&["--dry-run"], 2, "unexpected argument '--dry-run'");
    check(&["--progress", "never"], 2, "unexpected argument '--progress'");
    fs::create_dir(&target).unwrap();
    check(&["--overwrite-plan"], 1, "target.zarr exists");
    fs::remove_dir(&target).unwrap();
    let output = zarrange(&[&args[..], &["--overwrite-plan", "--verify", "full"]].concat());
    assert!(output.status.success() && fs::read(&out).unwrap() != file, "{output:?}");

    let check = |out: &[&str], code: i32, expected: &str| {
        let args = [&["plan", &source, target.to_str().unwrap()], out, &OPTIONS[..]].concat();
        let output = zarrange(&args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{out:?}: {message}");
        assert!(message.contains(expected), "{out:?}: {message}");
    };
    check(&[], 2, "--out <PLAN.json>");
    let nowhere = dir.path().join("none/plan.json").display().to_string();
    check(&["--out", &nowhere], 1, "none");
    check(&["--out", ".."], 1, "exists");
    check(&["--out", "-", "--temp", "memory://t"], 1, "memory://t is in the memory of one process");
}
