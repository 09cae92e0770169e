//! Which file of a crate uses which: read from `use` declarations and paths in the code, re-exports followed to where a name is
//! defined.

use std::collections::{BTreeMap, BTreeSet};

/// The files of one crate, by path below its `src`, and their code.
pub(crate) struct Crate {
    files: BTreeMap<Vec<String>, File>,
}

struct File {
    name: String,
    /// Paths that its code uses, the names of items at their ends.
    uses: BTreeSet<Vec<String>>,
    /// Names that it passes on, and from where.
    passed_on: BTreeMap<String, Vec<String>>,
}

/// The module that a file is, by names from the root of its crate.
fn module(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        path => path.split('/').filter(|name| *name != "mod").map(str::to_owned).collect(),
    }
}

/// The code without tests at its end.
fn without_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod ").next().unwrap_or(code)
}

/// Every path of a `use` tree such as `a::{b, c::{d as e}}`, with the name that it has here.
fn paths(tree: &str, before: &[String], out: &mut Vec<(Vec<String>, String)>) {
    let (mut depth, mut begin) = (0, 0);
    let mut parts = Vec::new();
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[begin..]);
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        if let Some((head, rest)) = part.split_once('{') {
            let head = head.trim().trim_end_matches("::").split("::").filter(|s| !s.is_empty());
            let before: Vec<String> = before.iter().cloned().chain(head.map(str::to_owned)).collect();
            paths(rest.trim_end().strip_suffix('}').unwrap_or(rest), &before, out);
            continue;
        }
        let (path, name) = part.split_once(" as ").unwrap_or((part, ""));
        let path: Vec<String> =
            before.iter().cloned().chain(path.trim().split("::").map(str::to_owned)).collect();
        let last = path.last().cloned().unwrap_or_default();
        out.push((path, if name.is_empty() { last } else { name.trim().to_owned() }));
    }
}

/// Paths in the code that begin with `crate::` or `super::`.
fn inline_paths(code: &str, out: &mut BTreeSet<Vec<String>>) {
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let inside = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let end = code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let path = &code[at..end.map_or(code.len(), |end| at + end)];
            if !inside {
                out.insert(path.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect());
            }
        }
    }
}

impl File {
    fn new(name: &str, module: &[String], code: &str, children: &BTreeSet<String>) -> Self {
        let code = without_tests(code);
        let (mut uses, mut passed_on) = (BTreeSet::new(), BTreeMap::new());
        let absolute = |path: Vec<String>| -> Option<Vec<String>> {
            let (mut from, mut rest) = (module.to_vec(), &path[..]);
            match rest.first().map(String::as_str)? {
                "crate" => (from, rest) = (Vec::new(), &rest[1..]),
                "self" => rest = &rest[1..],
                "super" => {}
                child if children.contains(child) => {}
                _ => return None,
            }
            while rest.first().is_some_and(|name| name == "super") {
                from.pop();
                rest = &rest[1..];
            }
            from.extend(rest.iter().cloned());
            Some(from)
        };
        let mut others = String::new();
        for (k, statement) in format!("\n{code}").split("\nuse ").enumerate() {
            let (declared, rest) =
                if k == 0 { ("", statement) } else { statement.split_once(';').unwrap_or((statement, "")) };
            let mut found = Vec::new();
            paths(declared, &[], &mut found);
            uses.extend(found.into_iter().filter_map(|(path, _)| absolute(path)));
            others.push_str(rest);
        }
        let mut left = String::new();
        for (k, statement) in others.split("\npub").enumerate() {
            let declaration = statement.split_once("use ").filter(|(visible, _)| {
                k > 0
                    && (visible.trim().is_empty() || visible.trim_start().starts_with('('))
                    && visible.len() < 20
            });
            let Some((_, rest)) = declaration else {
                left.push_str(statement);
                continue;
            };
            let (declared, rest) = rest.split_once(';').unwrap_or((rest, ""));
            let mut found = Vec::new();
            paths(declared, &[], &mut found);
            passed_on.extend(found.into_iter().filter_map(|(path, name)| Some((name, absolute(path)?))));
            left.push_str(rest);
        }
        let mut inline = BTreeSet::new();
        inline_paths(&left, &mut inline);
        uses.extend(inline.into_iter().filter_map(absolute));
        for child in children {
            if left.contains(&format!(" {child}::")) || left.contains(&format!("({child}::")) {
                uses.insert(module.iter().chain([child]).cloned().collect());
            }
        }
        Self { name: name.to_owned(), uses, passed_on }
    }
}

impl Crate {
    /// The crate of these files: path below `src`, and code without comments.
    pub(crate) fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let sources: Vec<_> = files.into_iter().map(|(path, code)| (module(path), path, code)).collect();
        let children = |of: &[String]| -> BTreeSet<String> {
            let below =
                sources.iter().filter(|(module, ..)| module.len() == of.len() + 1 && module.starts_with(of));
            below.filter_map(|(module, ..)| module.last().cloned()).collect()
        };
        let file = |(module, path, code): &(Vec<String>, &str, &str)| {
            (module.clone(), File::new(path, module, code, &children(module)))
        };
        Self { files: sources.iter().map(file).collect() }
    }

    /// The file that defines what a path leads to.
    fn definition(&self, path: &[String]) -> Option<&Vec<String>> {
        let longest = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, file) = self.files.get_key_value(&path[..longest])?;
        match path.get(longest).and_then(|name| file.passed_on.get(name)) {
            Some(from) if *from != path => {
                let path: Vec<String> = from.iter().chain(&path[longest + 1..]).cloned().collect();
                self.definition(&path)
            }
            _ => Some(module),
        }
    }

    /// The files that each file uses.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let used = |module: &Vec<String>, file: &File| {
            let used = file.uses.iter().filter_map(|path| self.definition(path));
            used.filter(|of| *of != module).map(|of| self.files[of].name.as_str()).collect()
        };
        self.files.iter().map(|(module, file)| (file.name.as_str(), used(module, file))).collect()
    }

    /// The files that use each other, directly or through others: one line for each circle.
    pub(crate) fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let all: BTreeMap<&str, BTreeSet<&str>> =
            edges.keys().map(|file| (*file, reached(&edges, file))).collect();
        let circle = |file: &str| -> Vec<&str> {
            all[file].iter().filter(|other| all[**other].contains(file)).copied().collect()
        };
        let circles: BTreeSet<Vec<&str>> =
            all.keys().map(|file| circle(file)).filter(|c| !c.is_empty()).collect();
        let line = |circle: Vec<&str>| {
            let inside = |file: &str| {
                edges[file].iter().filter(|used| circle.contains(used)).copied().collect::<Vec<_>>()
            };
            let uses: Vec<String> =
                circle.iter().map(|file| format!("{file} uses {}", inside(file).join(", "))).collect();
            uses.join("; ")
        };
        circles.into_iter().map(line).collect()
    }
}

/// The files that a file uses, directly or through others.
fn reached<'c>(edges: &BTreeMap<&'c str, BTreeSet<&'c str>>, from: &'c str) -> BTreeSet<&'c str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(edges[file].iter().copied().filter(|used| seen.insert(*used)));
    }
    seen
}

#[test]
fn circles_are_found() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(Crate::new(files.iter().copied()).circles(), expected);
    };
    let (root, a) = ("mod a;\nmod b;\npub use b::B;\n", "use crate::B;\nfn f(b: B) {}\n");
    check(&[("lib.rs", root), ("a.rs", a), ("b.rs", "struct B;\n")], &[]);
    let circle = "a.rs uses b.rs; b.rs uses a.rs";
    check(&[("lib.rs", root), ("a.rs", a), ("b.rs", "struct B;\nfn g() { crate::a::f(B) }\n")], &[circle]);
    check(&[("lib.rs", root), ("a.rs", a), ("b.rs", "use super::{a::{f as g}};\n")], &[circle]);
    let within = "a.rs uses a/c.rs; a/c.rs uses a.rs";
    check(
        &[("lib.rs", "mod a;"), ("a.rs", "mod c;\nuse c::C;\nstruct A;\n"), ("a/c.rs", "use super::A;\n")],
        &[within],
    );
    check(
        &[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod c;\npub use c::C;\nstruct A;\n"),
            ("a/c.rs", "use super::A;\n"),
        ],
        &[],
    );
}
