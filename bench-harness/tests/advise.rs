//! Advice through the command: by the model, by a sample, by measuring, and what it says to wrong requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use bench_harness::sweep::dataset::{Size, dataset};
use serde_json::Value;

fn advise(more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zarrange-bench")).arg("advise").args(more).output().unwrap()
}

fn json(more: &[&str]) -> Value {
    let done = advise(&[more, &["--json"]].concat());
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).unwrap()
}

fn survey(dir: &Path) -> String {
    dataset("photometry", Some(Size { objects: 120, epochs: 30 }), dir).unwrap();
    let made = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    made.filter(|path| path.extension().is_some_and(|e| e == "zarr"))
        .map(|path| path.to_str().unwrap().to_owned())
        .next()
        .unwrap()
}

#[test]
fn by_the_model() {
    let wide = ["--shape", "1000000,1000", "--dtype", "f4"];
    let advice = json(&[&wide[..], &["--mix", "epoch=0.2,object=0.8"]].concat());
    let layouts = advice["layouts"].as_array().unwrap();
    assert_eq!(layouts.len(), 5);
    let costs: Vec<f64> = layouts.iter().map(|layout| layout["weighted_ms"].as_f64().unwrap()).collect();
    assert!(costs.is_sorted(), "{costs:?}");
    for layout in layouts {
        let accesses = layout["accesses"].as_array().unwrap();
        let mean: f64 =
            accesses.iter().map(|a| a["share"].as_f64().unwrap() * a["ms"].as_f64().unwrap()).sum();
        assert!((mean / layout["weighted_ms"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{layout}");
        assert!(layout["files"].as_u64().unwrap() <= 10_000, "{layout}");
    }
    assert!(advice["why"].as_str().unwrap().starts_with("The first"), "{advice}");
    let copies = &advice["copies"];
    assert!(copies["weighted_ms"].as_f64().unwrap() <= costs[0], "{copies}");
    let command = advice["command"].as_str().unwrap();
    assert!(command.starts_with("zarrange rechunk SRC DST --chunks "), "{command}");
    // Only objects are read: each is in one chunk, whole.
    let advice = json(&[&wide[..], &["--mix", "object=1", "--top", "1"]].concat());
    assert_eq!(advice["layouts"][0]["chunk"][1], 1000, "{advice}");
    assert!(advice["copies"].is_null());
}

#[test]
fn by_a_sample_and_by_measuring() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (array, work) = (survey(dir.path()), dir.path().join("work"));
    let work = work.to_str().unwrap();
    let mix = ["--mix", "epoch=1,object=1", "--max-mem", "8kB", "--dir", work, "--measure"];
    let check = |source: &[&str], sampled: bool| {
        let advice = json(&[source, &mix[..]].concat());
        for codec in advice["codecs"].as_array().unwrap() {
            assert_eq!(codec["by_size"].as_array().unwrap().is_empty(), !sampled, "{codec}");
        }
        let measured = advice["measured"].as_array().unwrap();
        assert!(measured.len() > 1, "{measured:?}");
        let times = |key: &str| measured.iter().map(|m| m[key].as_f64().unwrap()).collect::<Vec<_>>();
        assert!(times("measured_ms").is_sorted() && times("measured_ms")[0] > 0.0);
        assert!(times("predicted_ms").iter().all(|ms| *ms > 0.0));
        assert!(measured.iter().all(|m| m["stored_bytes"].as_u64().unwrap() > 0));
        advice
    };
    let advice = check(&["--sample", &array], true);
    assert_eq!(advice["subject"]["shape"], serde_json::json!([120, 30, 2]));
    let ratio =
        |codec: &Value| codec["by_size"].as_array().unwrap().last().unwrap()[1]["ratio"].as_f64().unwrap();
    let codecs = advice["codecs"].as_array().unwrap();
    assert!((ratio(&codecs[0]) - 1.0).abs() < 1e-12 && ratio(&codecs[3]) > 1.1, "{codecs:?}");
    assert!(advice["command"].as_str().unwrap().contains(&array));
    check(&["--shape", "120,30", "--dtype", "float32"], false);
    let left: Vec<_> = std::fs::read_dir(work).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn people_read_tables() {
    let done = advise(&["--shape", "1000,50", "--dtype", "f8", "--mix", "epoch=1,object=3"]);
    let said = String::from_utf8(done.stdout).unwrap();
    for part in
        ["one epoch: ms", "weighted ms", "stored", "copies, ", "ratios are 1", "zarrange rechunk SRC DST"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn wrong_requests_are_told_what_there_is() {
    let check = |shape: &str, dtype: &str, mix: &str, more: &[&str], part: &str| {
        let output = advise(&[&["--shape", shape, "--dtype", dtype, "--mix", mix], more].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{shape} {dtype} {mix} {more:?}: {message}");
        assert!(message.contains(part), "{message}");
    };
    check("10,10", "f4", "epok=1", &[], "object, epoch");
    check("10,10", "f4", "epoch=-1", &[], "positive");
    check("10,10", "f4", "epoch=1,1=1", &[], "named twice");
    check("10,x", "f4", "epoch=1", &[], "list of lengths");
    check("10,0", "f4", "epoch=1", &[], "length from 1");
    check("10,10", "float33", "epoch=1", &[], "f4 (float32)");
    check("10,10", "f4", "a=1", &["--names", "a"], "2 different names");
    check("10,10", "f4", "a=1", &["--names", "a,b", "--max-object-ms", "1"], "named object");
    check("10,10", "f4", "epoch=1", &["--max-object-ms", "0"], "positive number");
    check("10,10", "f4", "epoch=1", &["--max-mem", "much"], "256MiB");
    check("10,10", "f4", "epoch=1", &["--profile", "tape"], "nvme");
    check("10,10", "f4", "epoch=1", &["--sample", "nowhere.zarr"], "nowhere.zarr");
    check(
        "64,64",
        "f4",
        "epoch=1",
        &["--max-files", "3", "--max-mem", "4096"],
        "--max-files 4, or --max-mem 5632 would",
    );
    check("64,64", "f4", "epoch=1", &["--max-object-ms", "0.001"], "--max-object-ms 0.0");
    check("5,4,3", "f4", "0=1,1=1,2=1", &["--names", "a,b,c", "--measure"], "one or two dimensions");
}
