//! Where a `match` over an enum of ours has an arm `_`: a new variant would take it in silence.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{behind_generics, behind_group, split_commas, tokens};

/// Variants by the name of their enum; enums of one name are taken together.
pub(crate) type Enums = BTreeMap<String, BTreeSet<String>>;

/// Adds the enums of the code.
pub(crate) fn add_enums(text: &str, enums: &mut Enums) {
    let tokens = tokens(text);
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| **token == "enum") {
        let open = behind_generics(&tokens, at + 2);
        let inside = &tokens[open + 1..behind_group(&tokens, open) - 1];
        let variants = split_commas(inside).into_iter().filter_map(|variant| {
            let mut at = 0;
            while variant.get(at) == Some(&"#") {
                at = behind_group(variant, at + 1);
            }
            variant.get(at).map(|name| (*name).to_owned())
        });
        enums.entry(tokens[at + 1].to_owned()).or_default().extend(variants);
    }
}

/// The matches of the code over an enum with an arm `_` that takes everything: the variants that the other arms name.
pub(crate) fn catch_alls(text: &str, enums: &Enums) -> Vec<String> {
    let mut own = Enums::new();
    add_enums(text, &mut own);
    let own: BTreeSet<String> = own.into_values().flatten().collect();
    let tokens = tokens(text);
    let renamed: BTreeMap<&str, &str> = tokens
        .windows(3)
        .filter(|words| words[1] == "as" && enums.contains_key(words[0]))
        .map(|words| (words[2], words[0]))
        .collect();
    let is_variant = |words: &[&str]| {
        let name = renamed.get(words[0]).unwrap_or(&words[0]);
        let variants = if *name == "Self" { Some(&own) } else { enums.get(*name) };
        words[1] == "::" && variants.is_some_and(|variants| variants.contains(words[2]))
    };
    let mut out = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| **token == "match") {
        let patterns = patterns(&tokens, at);
        if !patterns.iter().any(|pattern| takes_all(pattern)) {
            continue;
        }
        let named: Vec<String> = patterns
            .iter()
            .map(|pattern| pattern.split(|token| *token == "if").next().unwrap_or_default())
            .flat_map(|pattern| pattern.windows(3).filter(|words| is_variant(words)))
            .map(<[&str]>::concat)
            .collect();
        if !named.is_empty() {
            out.push(format!("{} and _", named.join(", ")));
        }
    }
    out
}

/// Whether a pattern is `_`, or a tuple of nothing else.
fn takes_all(pattern: &[&str]) -> bool {
    pattern.contains(&"_") && pattern.iter().all(|token| matches!(*token, "_" | "(" | ")" | "," | ".."))
}

/// The patterns of the `match` at `at`; those with a condition end with it.
fn patterns<'t, 's>(tokens: &'t [&'s str], at: usize) -> Vec<&'t [&'s str]> {
    let mut open = at + 1;
    while open < tokens.len() && (tokens[open] != "{" || tokens[open - 1] == "unsafe") {
        open = behind_group(tokens, open);
    }
    let end = behind_group(tokens, open).saturating_sub(1);
    let (mut at, mut out) = (open + 1, Vec::new());
    while at < end {
        while tokens[at] == "#" {
            at = behind_group(tokens, at + 1);
        }
        let begin = at + usize::from(tokens[at] == "|");
        while at < end && tokens[at] != "=>" {
            at = behind_group(tokens, at);
        }
        out.push(&tokens[begin..at]);
        at = behind_arm(tokens, at + 1, end);
    }
    out
}

/// Where the arm ends whose value begins at `at`.
fn behind_arm(tokens: &[&str], mut at: usize, end: usize) -> usize {
    if tokens[at] == "{" {
        at = behind_group(tokens, at);
    } else {
        while at < end && tokens[at] != "," {
            let generics = tokens[at] == "<" && tokens[at - 1] == "::";
            at = if generics { behind_generics(tokens, at) } else { behind_group(tokens, at) };
        }
    }
    if tokens[at] == "," { at + 1 } else { at }
}

#[test]
fn catch_alls_are_found() {
    let enums = "pub enum A<T> { #[b] B(T), C { d: u8 }, /** e */ E = 1 }\n";
    let check = |text: &str, expected: &[&str]| {
        let mut known = Enums::new();
        add_enums(enums, &mut known);
        assert_eq!(catch_alls(text, &known), expected, "{text}");
    };
    check("match a { A::B(x) => 1, A::C { .. } | A::E => 2 }", &[]);
    check("match a { A::B(x) => 1, _ if x => 2, other => 3 }", &[]);
    check("match a { Other::B => 1, A::NONE => 2, Some(_) => 3, _ => 4 }", &[]);
    check("match a { Some(x) if x == A::E => 1, _ => 2 }", &[]);
    check("match a { (A::E, 1) => 1, (_, _) => 2 }", &["A::E and _"]);
    check("match a { \"A::B\" => 1, _ => { if let A::B(x) = y { 2 } else { 3 } } }", &[]);
    check("match f(|| {}) { crate::A::B(x) if y => g::<T, U>(x), _ => 4, }", &["A::B and _"]);
    check("match unsafe { a } { #[c] | (Some(A::E), _) => { b } _ => c }", &["A::E and _"]);
    check("match a { Some(x) => match x { A::C { d: _ } => 1, _ => 2 }, None => 3 }", &["A::C and _"]);
    check("use b::A as Z;\nmatch a { Z::E => 1, _ => 2 }", &["Z::E and _"]);
    check("enum F { G, H }\nmatch self { Self::G => 1, _ => 2 }", &["Self::G and _"]);
    check("match self { Self::G => 1, _ => 2 }", &[]);
    check("#[cfg(test)]\nmod tests { fn f() { match a { A::E => 1, _ => 2 } } }", &[]);
}
