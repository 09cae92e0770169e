//! What the page looks like: no text over other text, contrast, figures in sight, points by keyboard. A script in the page measures it.

use std::path::{Path, PathBuf};

use bench_harness::page::{Options, write};
use serde_json::Value;

use crate::{browser, look, report};

const PROBE: &str = include_str!("looks.js");

/// A page with the script that looks at it.
fn probed(page: &Path) -> PathBuf {
    let html = std::fs::read_to_string(page).unwrap();
    let path = page.with_file_name("probed.html");
    std::fs::write(&path, html.replacen("</body>", &format!("<script>{PROBE}</script></body>"), 1)).unwrap();
    path
}

/// The report of a study that is archived, below `dir`.
fn archived(study: &str, dir: &Path) -> PathBuf {
    let raw = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results").join(study).join("raw.jsonl");
    let out = dir.join("report.html");
    write(&Options { raw: vec![raw], out: out.clone(), svg: None, png: None, markdown: None }).unwrap();
    out
}

/// No fault in windows of both sizes, light and dark.
fn check(page: &Path, hash: &str) -> Vec<Value> {
    let Some(browser) = browser() else { return Vec::new() };
    let page = probed(page);
    let windows = [(1400, false), (1400, true), (390, false), (390, true)];
    let look = |(width, dark)| {
        let seen = look(&browser, &page, hash, width, dark);
        assert_eq!(seen["faults"], serde_json::json!([]), "{width}, dark: {dark}");
        assert_eq!((&seen["width"], &seen["dark"]), (&width.into(), &dark.into()));
        assert!(seen["texts"].as_u64().unwrap() > 100, "text was looked at: {}", seen["texts"]);
        seen
    };
    windows.into_iter().map(look).collect()
}

#[test]
fn points_are_reached_by_keyboard_and_all_can_be_read() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for seen in check(&report(dir.path()).out, "walk") {
        assert!(seen["walked"].as_u64().unwrap() > 400, "{}", seen["walked"]);
    }
    // What is pressed hides points, and among them those where Tab came to.
    check(&dir.path().join("report.html"), "walk&press=zstd:3&layout=10x5-zstd:3");
}

#[test]
fn a_study_of_readers_can_be_read() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let page = archived("2026-11-28-readers", dir.path());
    check(&page, "");
}

#[test]
fn a_study_of_many_shapes_can_be_read() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let page = archived("2026-11-21-layouts", dir.path());
    let bytes = std::fs::metadata(&page).unwrap().len();
    assert!(bytes < 3_000_000, "{bytes} bytes");
    check(&page, "");
}
