//! How much is said: with `-q` errors and what was asked for, with `-v` what is used and done, too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::{Command, Output};

use serde_json::json;
use support::{document, write};
use zarrange_array::Array;
use zarrange_io::Location;

#[test]
fn quiet_keeps_errors_and_answers_and_verbose_adds_what_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("a.zarr");
    std::fs::create_dir(&place).unwrap();
    let store = Location::Path(place).open().unwrap();
    let array =
        Array::new(store, document(&json!({"name": "a", "shape": [40, 60]}), vec![40, 1]), 3).unwrap();
    write(&array, 0..60, |k, data| data.fill(u8::try_from(k).unwrap()));
    let run = |line: &str, option: &str| -> Output {
        let line = format!("{line} {option}").replace("OUT", &format!("out{option}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_zarrange"));
        command.args(line.split_whitespace()).current_dir(dir.path()).output().unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    // Whether there is an answer, which everybody gets alike, and what is said besides to who wants to know.
    let check = |line: &str, answers: bool, details: &[&str]| {
        let [usual, quiet, verbose] = ["", "-q", "-v"].map(|option| run(line, option));
        assert!(usual.status.success(), "{line}: {usual:?}");
        assert_eq!((quiet.status, verbose.status), (usual.status, usual.status), "{line}");
        assert_eq!(text(&quiet.stderr), "", "{line}");
        assert_eq!(!quiet.stdout.is_empty(), answers, "{line}: {quiet:?}");
        let told = text(&verbose.stderr);
        for detail in details {
            assert!(told.contains(detail), "{line}: no {detail:?} in {told}");
            assert!(!text(&usual.stderr).contains(detail), "{line}: {detail:?} without being asked");
        }
    };
    let used = ["backend: ", "memory: "];
    let moved = [
        "a.zarr: groups: 0, arrays: 1 (0 only copied), read by ",
        "/: float32 of Zarr v3, codecs bytes {\"endian\":\"little\"} zstd",
        "keys such as c/0/0 become c/0/0",
        "strategy   direct",
        "costs      source on nvme",
        "rechunk begins",
        "stage 1 of 1 begins",
        "stage 1 of 1 ended after ",
        "rechunk ended after ",
        "verify begins",
        "verify ended after ",
    ];
    check("rechunk a.zarr OUT --chunks 5,60 --verify full", false, &[&used[..], &moved].concat());
    check("rechunk a.zarr OUT.json --chunks 5,60 --json", true, &used);
    check("rechunk a.zarr OUT.none --chunks 5,60 --dry-run", true, &used);
    check("plan a.zarr OUT.none --chunks 5,60 --out OUT.plan", false, &["backend: ", "codecs bytes"]);
    check(
        "run OUT.plan",
        false,
        &["for data; threads: ", "as planned", "strategy   direct", "rechunk ended"],
    );
    check("plan a.zarr OUT.more --chunks 5,60 --out OUT.plan --overwrite-plan", false, &[]);
    check("worker OUT.plan --stage 0 --part 0/1", false, &["stage 1 of 1 ended after "]);
    check("worker OUT.plan --status", true, &[]);
    check("finish OUT.plan", false, &["finish ended after "]);
    check("verify a.zarr a.zarr", true, &[&used[..], &["verify begins", "verify ended"]].concat());
    check("digest a.zarr", true, &[&used[..], &["digest ended"]].concat());
    check("info a.zarr", true, &used[..1]);
    check("demo --dir OUT.demo --objects 20 --epochs 5", true, &used);
    check("lightcurve create OUT.s --objects 5 --epochs 3", false, &used);
    check("lightcurve append OUT.s --epochs 1", false, &used);
    check("lightcurve rechunk OUT.s OUT.c", false, &[&used[..], &["rechunk ended after "]].concat());
    check("lightcurve sync OUT.c", false, &used);
    check("lightcurve info OUT.s", true, &used[..1]);
    for line in ["info none.zarr", "rechunk none.zarr OUT.missing", "digest none.zarr"] {
        let quiet = run(line, "-q");
        assert_eq!(quiet.status.code(), Some(1), "{line}");
        assert!(text(&quiet.stderr).contains("none.zarr"), "{line}: {quiet:?}");
    }
}
