//! What the command says of itself: its version, and what shells and `man` read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Command;

fn said(args: &[&str]) -> String {
    let output = support::zarrange(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_version_has_the_commit() {
    let version = said(&["--version"]);
    assert_eq!(version.trim(), format!("zarrange {}", zarrange::VERSION));
    let git = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map_or("unknown".to_owned(), |output| String::from_utf8(output.stdout).unwrap());
    assert!(version.contains(commit.trim()), "{version} {commit}");
}

#[test]
fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for word in ["rechunk", "advise", "lightcurve", "max-mem"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    // What a shell cannot read would break its start.
    let script = said(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(checked.success());
}

#[test]
fn every_command_has_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("man1");
    said(&["man", pages.to_str().unwrap()]);
    for name in ["zarrange", "zarrange-rechunk", "zarrange-advise", "zarrange-lightcurve-get"] {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{name}");
    }
}
