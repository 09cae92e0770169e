//! Plans that are read from files: what they make is what the request makes, and only of the source that was planned.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::ways::{SHAPE, cases, digest};
use support::{create, place};
use zarrange_array::{Group, publish_metadata};
use zarrange_io::{Change, Location, Opener};
use zarrange_rechunk::{
    Durability, NoProgress, PlanFile, PlanFileError, Prepared, Request, Verify, prepare, prepare_planned, run,
};

fn written(prepared: &Prepared) -> Vec<u8> {
    let mut file = Vec::new();
    prepared.write_plan(&mut file).unwrap();
    file
}

fn read(file: &[u8]) -> Result<Prepared, PlanFileError> {
    prepare_planned(&PlanFile::parse(file)?, Opener::default())
}

#[test]
fn a_plan_makes_what_its_request_makes() {
    for case in cases() {
        let (from, whole, to) = (create(&SHAPE, &case.source), place(), place());
        // Planned where codecs are faster than others take them to be.
        let request = |to| Request { codec_times: 0.4, ..case.request(&from, to, 2) };
        let report = run(prepare(request(&whole)).unwrap(), &NoProgress).unwrap();
        let file = written(&prepare(request(&to)).unwrap());
        let planned = read(&file).unwrap();
        assert_eq!(written(&planned), file, "{}", case.name());
        let again = run(planned, &NoProgress).unwrap();
        assert_eq!(digest(&to, true), digest(&whole, true), "{}", case.name());
        assert_eq!(again.cost.counts, report.cost.counts, "{}", case.name());
    }
}

/// A group with the array of a case, and its plan.
fn group() -> (Location, Vec<u8>) {
    let case = &cases()[5];
    let (from, root) = (create(&SHAPE, &case.source), place());
    let (array, store) = (from.open().unwrap(), root.open().unwrap());
    array
        .walk("", &mut |key, _| {
            store.put(&format!("deep/a/{key}"), &array.get(key, u64::MAX).unwrap().unwrap()).unwrap();
        })
        .unwrap();
    let group = |path: &str| (path.to_owned(), Group::new(store.below(path).unwrap(), json!({"of": path})));
    publish_metadata(&store, &[], &[group(""), group("deep")], false).unwrap();
    let request = Request { durability: Durability::None, ..Request::new(root.clone(), place()) };
    let request = request.chunks("deep/a:7,50").unwrap().within(case.memory).verified(Verify::Full);
    let file = written(&prepare(request).unwrap());
    (root, file)
}

#[test]
fn a_source_that_changed_is_refused() {
    let check = |key: &str, change: &dyn Fn(&mut Value), expected: Option<&str>| {
        let (root, file) = group();
        let store = root.open().unwrap();
        let mut document = serde_json::from_slice(&store.get(key, u64::MAX).unwrap().unwrap()).unwrap();
        change(&mut document);
        match document {
            Value::Null => store.change(Change::Remove(key)).unwrap(),
            document => store.put(key, document.to_string().as_bytes()).unwrap(),
        }
        match (read(&file), expected) {
            (Err(error @ PlanFileError::Changed { .. }), Some(expected)) => {
                assert_eq!(error.to_string(), format!("{expected} since it was planned: plan again"));
            }
            (Ok(planned), None) => drop(run(planned, &NoProgress).unwrap()),
            (other, _) => panic!("{key}, {expected:?}: {other:?}"),
        }
    };
    let (group, array) = ("deep/zarr.json", "deep/a/zarr.json");
    check(array, &|_| (), None);
    check(
        "zarr.json",
        &|document| document["attributes"]["of"] = json!(1),
        Some("\"\" of the source got other metadata"),
    );
    check(
        group,
        &|document| document["attributes"] = json!({}),
        Some("\"deep\" of the source got other metadata"),
    );
    check(
        array,
        &|document| document["shape"] = json!([61, 50]),
        Some("\"deep/a\" of the source got other metadata"),
    );
    check(
        array,
        &|document| document["attributes"]["x"] = json!(1),
        Some("\"deep/a\" of the source got other metadata"),
    );
    check(array, &|document| *document = Value::Null, Some("\"deep/a\" of the source is gone"));
    check(
        array,
        &|document| *document = json!({"zarr_format": 3, "node_type": "group"}),
        Some("\"deep/a\" of the source became a group"),
    );
}

/// A file whose fingerprint is right, but that this program would not have written.
#[test]
fn a_plan_that_does_not_fit_is_refused() {
    let check = |change: &dyn Fn(&mut Value)| {
        let (_, file) = group();
        let mut json: Value = serde_json::from_slice(&file).unwrap();
        change(&mut json);
        let PlanFileError::Fingerprint { expected, .. } =
            PlanFile::parse(json.to_string().as_bytes()).unwrap_err()
        else {
            panic!("a changed plan is noticed")
        };
        json["fingerprint"] = json!(expected);
        let error = read(json.to_string().as_bytes()).unwrap_err();
        assert!(matches!(&error, PlanFileError::Other { array } if array == "deep/a"), "{error}");
    };
    check(&|json| json["arrays"][0]["plan"]["problem"]["source"]["scratch_bytes"] = json!(1));
    check(&|json| json["arrays"][0]["plan"]["problem"]["threads"] = json!(4096));
    check(&|json| json["arrays"][0]["plan"]["problem"]["shape"] = json!([30, 50]));
    check(&|json| json["arrays"][0]["plan"] = Value::Null);
    check(&|json| json["arrays"][0]["target"]["fill_value"] = json!(0));
    check(&|json| json["arrays"][0]["target"]["attributes"] = json!({"more": 1}));
    check(&|json| json["options"]["part_bytes"] = json!(1));
}
