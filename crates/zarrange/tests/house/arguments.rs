//! How many arguments a function has. Members of a tuple are one each: a tuple of four is no way to give five.

use crate::code::{behind_generics, behind_group, split_commas, tokens};

/// The functions with more than `most` arguments, `self` and those of closures apart: a line for each.
pub(crate) fn more_than(most: usize, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut out = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| **token == "fn") {
        let Some(name) = tokens.get(at + 1).filter(|name| **name != "(") else { continue };
        let open = behind_generics(&tokens, at + 2);
        let inside = &tokens[open + 1..behind_group(&tokens, open) - 1];
        let count: usize = split_commas(inside).into_iter().map(arguments).sum();
        if count > most {
            out.push(format!("{name} has {count}"));
        }
    }
    out
}

/// How many arguments one between commas is.
fn arguments(mut parameter: &[&str]) -> usize {
    while parameter.first() == Some(&"#") {
        parameter = &parameter[behind_group(parameter, 1)..];
    }
    let mut at = 0;
    while at < parameter.len() && parameter[at] != ":" {
        at = behind_group(parameter, at);
    }
    let (pattern, kind) = (without_reference(&parameter[..at]), parameter.get(at + 1..).unwrap_or_default());
    if pattern.first() == Some(&"self") { 0 } else { members(pattern).max(members(kind)) }
}

/// Members of a tuple, of a pattern or a type, and of those in it; 1 for anything else.
fn members(part: &[&str]) -> usize {
    let part = without_reference(part);
    if part.first() != Some(&"(") || behind_group(part, 0) != part.len() {
        return 1;
    }
    split_commas(&part[1..part.len() - 1]).into_iter().map(members).sum::<usize>().max(1)
}

fn without_reference<'t, 's>(part: &'t [&'s str]) -> &'t [&'s str] {
    let reference = |token: &&str| matches!(*token, "&" | "mut") || token.starts_with('\'');
    &part[part.iter().take_while(|token| reference(token)).count()..]
}

#[test]
fn arguments_are_counted() {
    let check = |text: &str, expected: &[&str]| assert_eq!(more_than(2, text), expected, "{text}");
    check("fn f(a: u8, b: &[(u8, u8)]) {}", &[]);
    check("fn f(&'a mut self, a: u8, b: u8) { let c = |d, e, f| 0; }", &[]);
    check("fn f<T: Fn(u8, u8, u8) -> u8>(a: T, b: HashMap<u8, u8>) {}", &[]);
    check("struct A { f: fn(u8, u8, u8) }", &[]);
    check("pub(crate) const fn f(a: u8, #[b] mut b: u8, self_: u8,) {}", &["f has 3"]);
    check("fn f((a, b): (&[u8], &[u64]), c: u8) {}", &["f has 3"]);
    check("fn f((a, b): Pair, c: u8) {}", &["f has 3"]);
    check("fn f(a: &mut (A, (B, C<D, E>))) {}", &["f has 3"]);
    check("fn f(Work { a, b: [c, _], .. }: &mut Work, d: (), e: (F)) {}", &["f has 3"]);
    check("trait A { fn f(&self, a: u8, b: u8, c: u8) -> u8; }", &["f has 3"]);
    check("#[cfg(test)]\nmod tests { fn f(a: u8, b: u8, c: u8) {} }\n// fn f(a: u8, b: u8, c: u8)", &[]);
}
