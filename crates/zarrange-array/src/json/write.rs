//! Writing JSON.

use std::fmt;

use super::grammar::write_string;
use super::value::Json;

/// On one line, as short as it gets.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, None, f)
    }
}

/// Writes `value`; where it is indented, `depth` says how deep.
pub(super) fn write(value: &Json, depth: Option<usize>, out: &mut impl fmt::Write) -> fmt::Result {
    match value {
        Json::Null => out.write_str("null"),
        Json::Bool(value) => write!(out, "{value}"),
        Json::Number(number) => out.write_str(number.text()),
        Json::String(text) => write_string(text, out),
        Json::Surrogates(text) => out.write_str(text),
        Json::Array(elements) => {
            write_all(elements, ('[', ']'), depth, out, |element, depth, out| write(element, depth, out))
        }
        Json::Object(members) => write_all(members, ('{', '}'), depth, out, |(name, value), depth, out| {
            write_string(name, out)?;
            out.write_str(if depth.is_some() { ": " } else { ":" })?;
            write(value, depth, out)
        }),
    }
}

/// Writes what stands between brackets.
pub(super) fn write_all<T, W: fmt::Write>(
    items: impl IntoIterator<Item = T>,
    (open, close): (char, char),
    depth: Option<usize>,
    out: &mut W,
    mut one: impl FnMut(T, Option<usize>, &mut W) -> fmt::Result,
) -> fmt::Result {
    let inside = depth.map(|depth| depth + 1);
    let line = |depth: Option<usize>, out: &mut W| match depth {
        Some(depth) => write!(out, "\n{:1$}", "", 2 * depth),
        None => Ok(()),
    };
    out.write_char(open)?;
    let mut empty = true;
    for item in items {
        if !empty {
            out.write_char(',')?;
        }
        empty = false;
        line(inside, out)?;
        one(item, inside, out)?;
    }
    if !empty {
        line(depth, out)?;
    }
    out.write_char(close)
}
