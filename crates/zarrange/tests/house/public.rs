//! What a crate offers, and whether anybody takes it. A name is looked for as a word, so a method that has the name of another one
//! may pass by accident. A type that stands in what is offered, as what a function returns, is taken with it: nobody has to name it.

use std::collections::BTreeSet;

use crate::code::{behind_generics, behind_group, tokens};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A type or a trait.
    Type,
    /// A function, a method or a constant.
    Value,
    Field,
}

/// What is public.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The words of its declaration: of functions and constants without what they do, of enums with their variants.
    pub(crate) words: BTreeSet<String>,
}

/// The public items of the code, fields included.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let tokens = tokens(text);
    let public = tokens.iter().enumerate().filter(|(_, token)| **token == "pub");
    public.filter_map(|(at, _)| item(&tokens, at + 1)).collect()
}

/// The item whose first word is at `at`.
fn item(tokens: &[&str], at: usize) -> Option<Item> {
    let is_modifier = |at: usize| match tokens[at] {
        "const" => matches!(tokens[at + 1], "fn" | "unsafe" | "async" | "extern"),
        word => matches!(word, "unsafe" | "async" | "extern" | "\"\""),
    };
    let first = (at..tokens.len()).find(|at| !is_modifier(*at))?;
    let kind = match tokens[first] {
        "struct" | "enum" | "trait" | "type" | "union" => Kind::Type,
        "fn" | "const" | "static" => Kind::Value,
        _ if tokens.get(first + 1) == Some(&":") => Kind::Field,
        _ => return None,
    };
    let is_field = kind == Kind::Field;
    let name = if is_field { first } else { first + 1 };
    let mut end = name + 1;
    while end < tokens.len() && !matches!(tokens[end], "{" | ";" | "}") && !(is_field && tokens[end] == ",") {
        let generics = tokens[end] == "<" && is_field;
        end = if generics { behind_generics(tokens, end) } else { behind_group(tokens, end) };
    }
    if tokens[first] == "enum" {
        end = behind_group(tokens, end);
    }
    let words = tokens[name + 1..end].iter().map(|word| (*word).to_owned()).collect();
    Some(Item { name: tokens[name].to_owned(), kind, words })
}

/// The words of the code, and of what its comments show as code.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    tokens(text).into_iter().map(str::to_owned).chain(words_of_doctests(text)).collect()
}

/// The words of the code that comments show and tests run.
pub(crate) fn words_of_doctests(text: &str) -> BTreeSet<String> {
    let (mut code, mut inside, mut counts) = (String::new(), false, false);
    let lines = text.lines().map(str::trim_start);
    for line in lines.filter_map(|line| line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))) {
        if let Some(language) = line.trim().strip_prefix("```") {
            inside = !inside;
            counts = inside && matches!(language, "" | "rust" | "no_run" | "should_panic");
        } else if counts {
            code.push_str(line.trim_start().trim_start_matches("# "));
            code.push('\n');
        }
    }
    tokens(&code).into_iter().map(str::to_owned).collect()
}

#[test]
fn public_items_and_words_are_found() {
    let text = "pub const fn a() {}\npub const B: u8 = 1;\npub(crate) fn c() {}\npub struct D { pub e: u8 }\n\
        pub unsafe extern \"C\" fn f() {}\npub use g::H;\n// pub fn i() {}\npub type J = K;\npub mod l;\n\
        #[cfg(test)]\nmod tests { pub fn m() {} }\nimpl D { pub async fn n(self) {} }";
    let names = items(text).into_iter().map(|item| item.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "B", "D", "e", "f", "J", "n"]);
    let check = |text: &str, kind: Kind, expected: &str| {
        let [item] = &items(text)[..] else { panic!("{text}") };
        assert_eq!(item.kind, kind, "{text}");
        let words = item.words.iter().filter(|word| word.starts_with(char::is_alphabetic));
        assert_eq!(words.cloned().collect::<String>(), expected, "{text}");
    };
    check("pub fn a<B: C>(d: E) -> F<G> where H: I { J }", Kind::Value, "BCEFGHIdwhere");
    check("struct A { pub b: C<D, E>, f: G }", Kind::Field, "CDE");
    check("pub enum A { B(C), D { e: F } }\nfn g() {}", Kind::Type, "BCDFe");
    check("pub struct A { b: C }", Kind::Type, "");
    let text = "//! `a`\n//! ```\n//! # b::c(\"d\");\n//! ```\n/// ```text\n/// e\n/// ```\nfn f() { g(\"h\") } // i";
    let words = words(text);
    let found =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i"].into_iter().filter(|word| words.contains(*word));
    assert_eq!(found.collect::<String>(), "bcfg");
}
