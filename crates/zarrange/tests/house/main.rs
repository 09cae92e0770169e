//! The rules of the house, held by the repository itself: who may depend on whom, where `unsafe` may stand, and what only
//! the outermost layer does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arguments;
mod catch_all;
mod code;
mod files;
mod public;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use catch_all::{Enums, add_enums, catch_alls};
use files::Crate;
use public::Kind;

/// Crates by layer (ARCHITECTURE.md).
const LAYERS: [&[&str]; 7] = [
    &["zarrange-grid", "zarrange-io", "zarrange-plot", "zarrange-table"],
    &["zarrange-codec", "zarrange-plan"],
    &["zarrange-array"],
    &["zarrange-rechunk"],
    &["zarrange-lightcurve"],
    &["zarrange"],
    &["zarrange-python"],
];

/// The files that may hold `unsafe`.
const UNSAFE: [&str; 16] = [
    "zarrange-codec/src/bytes/blosc.rs",
    "zarrange-grid/src/kernel.rs",
    "zarrange-grid/src/kernel/moves.rs",
    "zarrange-grid/src/kernel/transpose.rs",
    "zarrange-grid/src/kernel/vector.rs",
    "zarrange-grid/src/tile.rs",
    "zarrange-io/src/advice.rs",
    "zarrange-io/src/backends/io_uring/requests.rs",
    "zarrange-io/src/backends/io_uring/ring.rs",
    "zarrange-io/src/backends/mapping.rs",
    "zarrange-io/src/backends/mmap.rs",
    "zarrange-io/src/cachestat.rs",
    "zarrange-io/src/opener.rs",
    "zarrange-python/src/backend.rs",
    "zarrange-python/src/buffers.rs",
    "zarrange/src/backend.rs",
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// The Rust files below a folder, if there is one.
fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every source file of every crate: path below `crates`, and text.
fn texts() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(crates()).unwrap() {
        rust_files(&entry.unwrap().path().join("src"), &mut paths);
    }
    let name = |path: &Path| path.strip_prefix(crates()).unwrap().to_str().unwrap().to_owned();
    let mut out: Vec<_> = paths.iter().map(|p| (name(p), fs::read_to_string(p).unwrap())).collect();
    out.sort();
    out
}

/// The same without comments.
fn sources() -> Vec<(String, String)> {
    let code = |text: &str| {
        let lines = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    texts().into_iter().map(|(path, text)| (path, code(&text))).collect()
}

/// Fails with what was found in files, but for files and crates that are `open`: there, so much may be found until it is mended.
fn nothing(found: &[(String, String)], open: &[(&str, usize)]) {
    let is_open = |path: &str| open.iter().position(|(begin, _)| path.starts_with(begin));
    let line = |(path, what): &(String, String)| format!("{path}: {what}");
    let wrong: Vec<String> = found.iter().filter(|(path, _)| is_open(path).is_none()).map(line).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (k, (begin, most)) in open.iter().enumerate() {
        let inside: Vec<String> =
            found.iter().filter(|(path, _)| is_open(path) == Some(k)).map(line).collect();
        assert!(inside.len() <= *most, "{begin} had {most} of these:\n{}", inside.join("\n"));
    }
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
        if layer(path.split('/').next().unwrap()) >= layer("zarrange") {
            continue;
        }
        for word in ["println!", "eprintln!", "print!(", "std::env", "env::var", "process::exit"] {
            assert!(!text.contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn libraries_name_no_options() {
    let rid = ["zarrange-plan/", "zarrange-array/", "zarrange-rechunk/"];
    let is_option = |text: &str| {
        text.match_indices("--").any(|(at, _)| {
            let before = text[..at].chars().next_back();
            before.is_none_or(|c| " \"({".contains(c))
                && text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
        })
    };
    assert!(
        is_option("raise --max-mem") && is_option("(--temp)") && !is_option("a -- b") && !is_option("---")
    );
    for (path, text) in sources() {
        if !rid.iter().any(|name| path.starts_with(name)) {
            continue;
        }
        // What tests pass on is no error.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let line = text.lines().find(|line| is_option(line));
        assert_eq!(line, None, "{path} names an option of a command");
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
    let circles: Vec<String> = crates
        .into_iter()
        .flat_map(|(name, files)| {
            Crate::new(files).circles().into_iter().map(move |c| format!("{name}: {c}"))
        })
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn functions_have_few_arguments() {
    let found: Vec<(String, String)> = texts()
        .into_iter()
        .flat_map(|(path, text)| arguments::more_than(7, &text).into_iter().map(move |f| (path.clone(), f)))
        .collect();
    nothing(&found, &[]);
}

#[test]
fn the_engine_matches_all_variants() {
    let engine = ["zarrange-codec/", "zarrange-plan/", "zarrange-array/", "zarrange-rechunk/"];
    let open = [
        // Over an enum of zarrange-io that says it may grow.
        ("zarrange-array/src/listing.rs", 1),
        ("zarrange-array/src/survey.rs", 1),
    ];
    let (texts, mut enums) = (texts(), Enums::new());
    for (_, text) in &texts {
        add_enums(text, &mut enums);
    }
    let found: Vec<(String, String)> = texts
        .iter()
        .filter(|(path, _)| engine.iter().any(|name| path.starts_with(name)))
        .flat_map(|(path, text)| catch_alls(text, &enums).into_iter().map(|found| (path.clone(), found)))
        .collect();
    nothing(&found, &open);
}

#[test]
fn what_is_public_is_used() {
    let read = |paths: &[PathBuf]| -> BTreeSet<String> {
        paths.iter().flat_map(|path| public::words(&fs::read_to_string(path).unwrap())).collect()
    };
    // What tests, benches, examples and tools use.
    let mut outside = Vec::new();
    for entry in fs::read_dir(crates()).unwrap() {
        let dir = entry.unwrap().path();
        for name in ["tests", "benches", "examples"] {
            rust_files(&dir.join(name), &mut outside);
        }
    }
    let root = crates().parent().unwrap().to_owned();
    for name in ["bench-harness", "fuzz/src", "fuzz/fuzz_targets"] {
        rust_files(&root.join(name), &mut outside);
    }
    let mut used = read(&outside);
    let texts = texts();
    // What crates use of each other, and what comments show.
    let mut by_crate: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in &texts {
        let words = public::words(text);
        by_crate.entry(path.split('/').next().unwrap()).or_default().extend(words);
        used.extend(public::words_of_doctests(text));
    }
    let items: Vec<(&str, public::Item)> = texts
        .iter()
        .flat_map(|(path, text)| public::items(text).into_iter().map(|item| (path.as_str(), item)))
        .collect();
    let declared: BTreeSet<&String> = items.iter().flat_map(|(_, item)| &item.words).collect();
    let is_used = |own: &str, item: &public::Item| {
        let elsewhere = || by_crate.iter().any(|(name, words)| *name != own && words.contains(&item.name));
        used.contains(&item.name) || (item.kind == Kind::Type && declared.contains(&item.name)) || elsewhere()
    };
    let found: Vec<(String, String)> = items
        .iter()
        .filter(|(_, item)| item.kind != Kind::Field)
        .filter(|(path, item)| !is_used(path.split('/').next().unwrap(), item))
        .map(|(path, item)| ((*path).to_owned(), item.name.clone()))
        .collect();
    nothing(&found, &[]);
}
