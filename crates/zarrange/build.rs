//! Tells the program the commit that it is built from, for `--version`, and so that a record of a sweep names the code that measured.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is built from.
const SOURCES: [&str; 4] = ["crates", "bench-harness", "Cargo.toml", "Cargo.lock"];

fn main() {
    let root = Path::new("../..");
    // Every commit and every change of branch adds a line to the log of HEAD.
    let git = [".git/HEAD", ".git/logs/HEAD"].map(|path| root.join(path));
    for path in SOURCES.into_iter().flat_map(|path| watched(&root.join(path))).chain(git) {
        // A path that is not there would run this script in every build.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    println!("cargo::rustc-env=ZARRANGE_COMMIT={}", commit(root));
}

/// What is watched of a source: of crates their code, for what is built of a crate of Python lies beside it.
fn watched(source: &Path) -> Vec<PathBuf> {
    if !source.ends_with("crates") {
        return vec![source.to_owned()];
    }
    let crates = std::fs::read_dir(source).into_iter().flatten().flatten();
    crates.flat_map(|one| ["src", "Cargo.toml"].map(|name| one.path().join(name))).collect()
}

fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    let mut status = vec!["status", "--porcelain", "--untracked-files=no", "--"];
    status.extend(SOURCES);
    let changed = git(&status).is_some_and(|text| !text.is_empty());
    if changed { commit + "+" } else { commit }
}
