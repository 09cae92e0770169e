//! Which file of a crate uses which: read from `use` declarations and paths in the code, re-exports followed to where a name is
//! defined.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{behind_group, split_commas, tokens};

/// The files of one crate, by path below its `src`, and what they use.
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

/// Every path of a `use` tree such as `a::{b, c::{d as e}}`, with the name that it has here.
fn paths(tree: &[&str], before: &[String], out: &mut Vec<(Vec<String>, String)>) {
    for part in split_commas(tree) {
        let head = part.iter().position(|token| matches!(*token, "{" | "as")).unwrap_or(part.len());
        let names = part[..head].iter().filter(|token| **token != "::").map(|name| (*name).to_owned());
        let path: Vec<String> = before.iter().cloned().chain(names).collect();
        match part.get(head) {
            Some(&"{") => paths(&part[head + 1..behind_group(part, head) - 1], &path, out),
            Some(_) => out.push((path, part[head + 1].to_owned())),
            None => {
                let last = path.last().cloned().unwrap_or_default();
                out.push((path, last));
            }
        }
    }
}

/// What a file is read with.
struct Reader<'a> {
    module: &'a [String],
    children: &'a BTreeSet<String>,
    file: File,
    /// Every word of the code that is not in a `use`.
    words: BTreeSet<&'a str>,
}

impl<'a> Reader<'a> {
    /// A path from the root of the crate, if it leads into the crate; `inside` modules that stand in the file.
    fn absolute(&self, inside: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut from: Vec<String> = self.module.iter().chain(inside).cloned().collect();
        let mut rest = path;
        match rest.first().map(String::as_str)? {
            "crate" => (from, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {}
            child if inside.is_empty() && self.children.contains(child) => {}
            _ => return None,
        }
        while rest.first().is_some_and(|name| name == "super") {
            from.pop();
            rest = &rest[1..];
        }
        from.extend(rest.iter().cloned());
        Some(from)
    }

    /// A `use` declaration, of which the tree is given.
    fn declared(&mut self, inside: &[String], tree: &[&str], is_public: bool) {
        let mut found = Vec::new();
        paths(tree, &[], &mut found);
        for (path, name) in found {
            let Some(path) = self.absolute(inside, &path) else { continue };
            if is_public {
                self.file.passed_on.insert(name, path);
            } else {
                self.file.uses.insert(path);
            }
        }
    }

    fn read(&mut self, tokens: &[&'a str]) {
        // Modules that stand in the file, and where they end.
        let mut inside: Vec<(String, usize)> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            inside.retain(|(_, end)| at < *end);
            let modules: Vec<String> = inside.iter().map(|(name, _)| name.clone()).collect();
            let before = at.checked_sub(1).map_or("", |before| tokens[before]);
            match tokens[at] {
                "use" => {
                    let end =
                        tokens[at..].iter().position(|token| *token == ";").map_or(tokens.len(), |n| at + n);
                    let is_public = matches!(before, "pub" | ")");
                    self.declared(&modules, &tokens[at + 1..end], is_public);
                    at = end;
                }
                "mod" if tokens.get(at + 2) == Some(&"{") => {
                    inside.push((tokens[at + 1].to_owned(), behind_group(tokens, at + 2)));
                    at += 3;
                }
                "mod" => at += 2,
                word => {
                    // Not where something is visible, `pub(in super)`.
                    let is_scope = at > 1 && tokens[at - 2..at] == ["(", "in"];
                    if before != "::" && !is_scope && tokens.get(at + 1) == Some(&"::") {
                        self.inline(&modules, &tokens[at..]);
                    }
                    self.words.insert(word);
                    at += 1;
                }
            }
        }
    }

    /// A path in the code.
    fn inline(&mut self, inside: &[String], tokens: &[&str]) {
        let mut path = vec![tokens[0].to_owned()];
        for pair in tokens[1..].chunks(2) {
            let ["::", name] = pair else { break };
            if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                break;
            }
            path.push((*name).to_owned());
        }
        if let Some(path) = self.absolute(inside, &path) {
            self.file.uses.insert(path);
        }
    }

    /// What is passed on and used here too.
    fn finish(mut self) -> File {
        let used = self.file.passed_on.iter().filter(|(name, _)| self.words.contains(name.as_str()));
        self.file.uses.extend(used.map(|(_, path)| path.clone()));
        self.file
    }
}

impl File {
    fn new(name: &str, module: &[String], code: &str, children: &BTreeSet<String>) -> Self {
        let file = Self { name: name.to_owned(), uses: BTreeSet::new(), passed_on: BTreeMap::new() };
        let mut reader = Reader { module, children, file, words: BTreeSet::new() };
        reader.read(&tokens(code));
        reader.finish()
    }
}

impl Crate {
    /// The crate of these files: path below `src`, and code.
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
    let after_tests = "#[cfg(test)]\nmod tests;\nuse super::a::f;\n";
    check(&[("lib.rs", root), ("a.rs", a), ("b.rs", after_tests)], &[circle]);
    check(&[("lib.rs", root), ("a.rs", a), ("b.rs", "mod c { use super::super::a; }\n")], &[circle]);
    check(&[("lib.rs", root), ("a.rs", a), ("b.rs", "mod c { use super::a; } // crate::a::f\n")], &[]);
    let within = "a.rs uses a/c.rs; a/c.rs uses a.rs";
    let used = "use super::A;\n";
    check(&[("lib.rs", "mod a;"), ("a.rs", "mod c;\nuse c::C;\nstruct A;\n"), ("a/c.rs", used)], &[within]);
    let passed_on = "mod c;\npub(crate) use c::C;\nstruct A;\n";
    check(&[("lib.rs", "mod a;"), ("a.rs", passed_on), ("a/c.rs", used)], &[]);
    let both = "mod c;\npub(crate) use c::C;\nstruct A(C);\n";
    check(&[("lib.rs", "mod a;"), ("a.rs", both), ("a/c.rs", used)], &[within]);
    let called = "mod c;\nstruct A(u8);\nfn f() { c::g(1) }\n";
    check(&[("lib.rs", "mod a;"), ("a.rs", called), ("a/c.rs", used)], &[within]);
}
