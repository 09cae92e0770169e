//! A small sweep through the command: amplification as predicted, stopped and continued, and what it says to wrong names.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use bench_harness::sweep::record::{Measures, Record, read};

const LAYOUTS: &str = r#"
[[grid]]
objects = [1, 7, 50, -1]
epochs = [1, 4, -1]

[[grid]]
objects = [10]
epochs = [5]
shard = { object = 100, epoch = -1 }
codecs = ["none", "zstd:1", "gzip:1"]
"#;

/// Loose chunks and shards.
const GATED: &str = r#"
[[layout]]
name = "chunks"
chunk = { object = 10, epoch = 4 }

[[layout]]
name = "shards"
chunk = { object = 5, epoch = -1 }
shard = { object = 20, epoch = -1 }
"#;

fn sweep(dir: &Path, out: &Path, more: &[&str]) -> Output {
    sweep_of(LAYOUTS, dir, out, more)
}

fn sweep_of(text: &str, dir: &Path, out: &Path, more: &[&str]) -> Output {
    let layouts = dir.join("layouts.toml");
    std::fs::write(&layouts, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_zarrange-bench"))
        .args(["sweep", "--operations", "5", "--cache", "warm"])
        .args(["--layouts", layouts.to_str().unwrap(), "--dir", dir.to_str().unwrap()])
        .args(["--out", out.to_str().unwrap()])
        .args(more)
        .output()
        .unwrap()
}

fn measures(record: &Record) -> &Measures {
    record.measures().unwrap_or_else(|| panic!("{record:?}"))
}

#[test]
fn amplification_is_as_predicted_and_a_sweep_goes_on() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let out = dir.path().join("raw.jsonl");
    let options = [
        "--sizes",
        "150x20",
        "--backends",
        "std,mmap",
        "--workloads",
        "epoch",
        "object",
        "random:3",
        "window:3",
        "epoch=1,block:20=2",
    ];
    let done = sweep(dir.path(), &out, &options);
    assert!(done.status.success(), "{done:?}");
    let records = read(&out).unwrap();
    assert_eq!(records.len(), 15 * 2 * 5);
    for record in &records {
        let (cell, found) = (&record.cell, measures(record));
        assert_eq!(found.ra_geometry.to_bits(), found.predicted_ra_geometry.to_bits(), "{record:?}");
        assert!((found.ra_store / found.predicted_ra_store - 1.0).abs() < 0.01, "{record:?}");
        assert_eq!((found.backend.as_str(), found.latency.count), (cell.backend.as_str(), cell.operations));
        assert!(found.ra_backend >= found.ra_store && found.chunks <= found.predicted_chunks);
        #[expect(clippy::cast_precision_loss, reason = "ratios")]
        let near = |predicted: Option<f64>, counted: u64| predicted.unwrap() / counted as f64 - 1.0;
        let (requests, bytes) = (
            near(found.predicted_requests, found.requests),
            near(found.predicted_backend_bytes, found.backend_bytes),
        );
        // Of 5 operations, where each is as likely as any other; but for mixes, of which 5 have any share.
        let mixed = cell.workload.name.contains('=');
        assert!(mixed || (requests.abs() < 0.07 && bytes.abs() < 0.1), "{requests} {bytes} {record:?}");
        // Where chunks divide the array, amplification is their extent.
        let [objects, epochs] = [cell.layout.chunk[0], cell.layout.chunk[1]];
        if 150 % objects == 0 && 20 % epochs == 0 {
            let expected = match cell.workload.name.as_str() {
                "epoch" => epochs,
                "object" | "random:3" => objects,
                _ => continue,
            };
            assert_eq!(
                found.ra_geometry.to_bits(),
                f64::from(u32::try_from(expected).unwrap()).to_bits(),
                "{record:?}"
            );
        }
    }
    // Cut off within a line, as if it had been killed: what is there stays, the rest is measured again.
    let text = std::fs::read_to_string(&out).unwrap();
    let kept = text.match_indices('\n').nth(39).unwrap().0 + 1;
    std::fs::write(&out, &text[..kept + 200]).unwrap();
    let done = sweep(dir.path(), &out, &options);
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.starts_with("110 cells measured, 40 were known, 0 could not"), "{said}");
    let again = read(&out).unwrap();
    for (before, after) in records.iter().zip(&again) {
        let counts = |m: &Measures| (m.requests, m.backend_bytes, m.stored_bytes, m.chunks, m.hops, m.opens);
        assert_eq!(before.cell, after.cell);
        assert_eq!(counts(measures(before)), counts(measures(after)), "the same in every run");
    }
}

#[test]
fn wrong_names_are_told_what_there_is() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let out = dir.path().join("raw.jsonl");
    let check = |more: &[&str], part: &str| {
        let output = sweep(dir.path(), &out, more);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && message.contains(part), "{more:?}: {message}");
    };
    check(&["--backends", "aio"], "std, mmap, io_uring");
    check(&["--workloads", "epok"], "window:N");
    check(&["--dataset", "nothing"], "photometry");
    check(&["--sizes", "0x5"], "OBJECTSxEPOCHS");
    check(&["--cache", "lukewarm"], "neither cold nor warm");
    std::fs::write(&out, "{\"schema\": 99}\n").unwrap();
    check(&[], "schema is 99");
}

/// Fifty runs of the same pass, fifty that read twice or ask once more for each chunk fail.
#[test]
fn the_gate_lets_the_same_pass_and_catches_what_got_worse() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let baseline = dir.path().join("baseline.jsonl");
    let raw = dir.path().join("raw.jsonl");
    let run = |inject: &[&str]| {
        let _ = std::fs::remove_file(&raw);
        let fixed = ["--backends", "std", "--workloads", "epoch", "object", "--sizes", "60x8"];
        let options = [&fixed[..], inject].concat();
        let done = sweep_of(GATED, dir.path(), &raw, &options);
        assert!(done.status.success(), "{done:?}");
    };
    let gate = |more: &[&str]| {
        let (raw, baseline) = (raw.to_str().unwrap(), baseline.to_str().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_zarrange-bench"));
        command.args(["gate", raw, "--baseline", baseline]).args(more).output().unwrap()
    };
    run(&[]);
    assert_eq!(gate(&[]).status.code(), Some(1), "there is no baseline yet");
    assert!(gate(&["--update"]).status.success());
    for (inject, passes, word) in
        [("", true, "0 worse"), ("bytes", false, "backend bytes"), ("requests", false, "requests")]
    {
        let options = ["--inject", inject];
        for k in 0..50 {
            run(if inject.is_empty() { &[] } else { &options });
            let output = gate(&[]);
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.success(), passes, "{inject} {k}: {said}");
            assert!(said.contains(word), "{said}");
        }
    }
}
