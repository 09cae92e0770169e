//! The rules of the house, held by the repository itself: who may depend on whom, where `unsafe` may stand, and what only
//! the outermost layer does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod code;
mod files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use files::Crate;

/// Crates by layer (ARCHITECTURE.md).
const LAYERS: [&[&str]; 5] = [
    &["zarrange-grid", "zarrange-io"],
    &["zarrange-codec", "zarrange-plan"],
    &["zarrange-array"],
    &["zarrange-rechunk", "zarrange-lightcurve"],
    &["zarrange"],
];

/// The files that may hold `unsafe`.
const UNSAFE: [&str; 13] = [
    "zarrange-codec/src/bytes/blosc.rs",
    "zarrange-grid/src/kernel.rs",
    "zarrange-grid/src/kernel/moves.rs",
    "zarrange-grid/src/kernel/transpose.rs",
    "zarrange-grid/src/kernel/vector.rs",
    "zarrange-grid/src/tile.rs",
    "zarrange-io/src/advice.rs",
    "zarrange-io/src/backends/io_uring/machines.rs",
    "zarrange-io/src/backends/io_uring/ring.rs",
    "zarrange-io/src/backends/mmap.rs",
    "zarrange-io/src/cachestat.rs",
    "zarrange-io/src/opener.rs",
    "zarrange/src/backend.rs",
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// Every source file of every crate: path below `crates`, and text without comments.
fn sources() -> Vec<(String, String)> {
    fn visit(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(crates()).unwrap() {
        visit(&entry.unwrap().path().join("src"), &mut paths);
    }
    let code = |text: &str| {
        let lines = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let name = |path: &Path| path.strip_prefix(crates()).unwrap().to_str().unwrap().to_owned();
    let mut out: Vec<_> = paths.iter().map(|p| (name(p), code(&fs::read_to_string(p).unwrap()))).collect();
    out.sort();
    out
}

#[test]
fn every_crate_has_its_layer_and_uses_only_lower_ones() {
    let mut seen = 0;
    for entry in fs::read_dir(crates()).unwrap() {
        let dir = entry.unwrap().path();
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let own =
            layer(&name).unwrap_or_else(|| panic!("{name} has no layer: add it here and to ARCHITECTURE.md"));
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        let section = manifest.split("[dependencies]").nth(1).unwrap_or("");
        let section = section.split("\n[").next().unwrap();
        for used in section
            .lines()
            .filter_map(|l| l.split(['.', ' ', '=']).next())
            .filter(|n| n.starts_with("zarrange"))
        {
            assert!(layer(used).unwrap() < own, "{name} (layer {own}) must not use {used}");
        }
        seen += 1;
    }
    assert_eq!(seen, LAYERS.iter().map(|l| l.len()).sum::<usize>());
}

#[test]
fn unsafe_stands_in_named_files_only() {
    let with: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(with, UNSAFE);
}

#[test]
fn only_the_outermost_layer_prints_and_reads_the_environment() {
    for (path, text) in sources() {
        if layer(path.split('/').next().unwrap()) == Some(LAYERS.len() - 1) {
            continue;
        }
        for word in ["println!", "eprintln!", "print!(", "std::env", "env::var", "process::exit"] {
            assert!(!text.contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn the_planner_is_pure_and_the_codecs_open_no_file() {
    for (path, text) in sources() {
        let forbidden: &[&str] = match path.split('/').next().unwrap() {
            "zarrange-plan" => &["std::fs", "std::io", "Instant", "SystemTime", "std::thread", "HashMap"],
            "zarrange-codec" => &["std::fs", "File::", "std::thread"],
            _ => continue,
        };
        for word in forbidden {
            assert!(!text.contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn no_open_ends_and_no_long_files() {
    for (path, text) in sources() {
        for word in ["todo!", "unimplemented!", "FIXME", "XXX"] {
            assert!(!text.contains(word), "{path} holds {word}");
        }
        assert!(text.lines().count() <= 600, "{path} is long: is it two?");
    }
}

#[test]
fn no_circles_of_files() {
    let sources = sources();
    let mut crates: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (path, text) in &sources {
        let (name, file) = path.split_once("/src/").unwrap();
        if !file.ends_with("tests.rs") {
            crates.entry(name).or_default().push((file, text));
        }
    }
    // Those that have not been opened yet.
    let closed =
        ["zarrange-array: array.rs", "zarrange-array: staging.rs", "zarrange-io: ", "zarrange-rechunk: "];
    let circles: Vec<String> = crates
        .into_iter()
        .flat_map(|(name, files)| {
            Crate::new(files).circles().into_iter().map(move |c| format!("{name}: {c}"))
        })
        .filter(|circle| !closed.iter().any(|closed| circle.starts_with(closed)))
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}
