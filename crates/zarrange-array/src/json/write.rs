//! Writing JSON.

use std::fmt;

use super::text::{Text, end_of_string, end_of_value};
use super::{Fields, Json, Member};

/// On one line, as short as it gets.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, None, f)
    }
}

impl Json {
    /// Indented by two spaces, as a file that people read.
    pub fn to_pretty(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = write(self, Some(0), &mut text);
        text
    }
}

/// The name of a member, and what writes it at a depth.
type More<'a, W> = (&'a str, &'a mut dyn FnMut(&mut W, usize) -> fmt::Result);

/// Writes a document, indented; its outermost members stand at `depth`. What `more` writes stands behind them.
pub(crate) fn write_fields<W: fmt::Write>(
    fields: &Fields,
    depth: usize,
    more: Option<More<'_, W>>,
    out: &mut W,
) -> fmt::Result {
    let line = |depth: usize, out: &mut W| write!(out, "\n{:1$}", "", 2 * depth);
    let inside = depth + 1;
    out.write_char('{')?;
    let mut empty = true;
    let mut begin = |name: &str, out: &mut W| {
        if !std::mem::take(&mut empty) {
            out.write_char(',')?;
        }
        line(inside, out)?;
        write_string(name, out)?;
        out.write_str(": ")
    };
    for (name, member) in fields {
        begin(name, out)?;
        match member {
            Member::Tree(json) => write(json, Some(inside), out)?,
            Member::Text(text) => write_text(text, inside, out)?,
        }
    }
    if let Some((name, write_more)) = more {
        begin(name, out)?;
        write_more(out, inside)?;
    }
    if !empty {
        line(depth, out)?;
    }
    out.write_char('}')
}

/// Writes consolidated metadata: documents by path, each written by `each`.
pub(crate) fn write_consolidated<W: fmt::Write>(
    paths: impl Iterator<Item = String>,
    mut each: impl FnMut(String, usize, &mut W) -> fmt::Result,
    depth: usize,
    out: &mut W,
) -> fmt::Result {
    let indent = 2 * (depth + 1);
    write!(out, "{{\n{:indent$}\"kind\": \"inline\",\n{:indent$}\"must_understand\": false,", "", "")?;
    write!(out, "\n{:indent$}\"metadata\": ", "")?;
    let mut paths = paths.peekable();
    if paths.peek().is_none() {
        return write!(out, "{{}}\n{:1$}}}", "", 2 * depth);
    }
    write_all(paths, ('{', '}'), Some(depth + 1), out, |path, depth, out| {
        write_string(&path, out)?;
        out.write_str(": ")?;
        each(path, depth.unwrap_or_default(), out)
    })?;
    write!(out, "\n{:1$}}}", "", 2 * depth)
}

/// Writes `value`; where it is indented, `depth` says how deep.
fn write(value: &Json, depth: Option<usize>, out: &mut impl fmt::Write) -> fmt::Result {
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
fn write_all<T, W: fmt::Write>(
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

pub(super) fn write_string(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    text.chars().try_for_each(|c| write_character(c, out))?;
    out.write_char('"')
}

/// Writes a character of a string.
pub(super) fn write_character(c: char, out: &mut impl fmt::Write) -> fmt::Result {
    match c {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control)),
        other => out.write_char(other),
    }
}

/// Text that takes more room than this when it is indented stays on one line, and so no longer than it was read.
const INDENTED_BYTES_MAX: usize = 1 << 20;

/// Writes what is passed on, indented from `depth` on unless that makes it large.
pub(super) fn write_text(text: &Text, depth: usize, out: &mut impl fmt::Write) -> fmt::Result {
    if indent(text.as_str(), depth, &mut Room(INDENTED_BYTES_MAX)).is_ok() {
        indent(text.as_str(), depth, out)
    } else {
        out.write_str(text.as_str())
    }
}

/// Counts what is written, and fails where it is too much.
struct Room(usize);

impl fmt::Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn indent(text: &str, mut depth: usize, out: &mut impl fmt::Write) -> fmt::Result {
    let line = |depth: usize, out: &mut dyn fmt::Write| write!(out, "\n{:1$}", "", 2 * depth);
    let (bytes, mut at) = (text.as_bytes(), 0);
    while at < bytes.len() {
        let begin = at;
        at = match bytes[at] {
            b'"' => end_of_string(bytes, at),
            b'{' | b'[' | b'}' | b']' | b',' | b':' => at + 1,
            _ => end_of_value(bytes, at),
        };
        let piece = &text[begin..at];
        match bytes[begin] {
            b'{' | b'[' if matches!(bytes.get(at), Some(b'}' | b']')) => {
                out.write_str(piece)?;
                out.write_str(&text[at..=at])?;
                at += 1;
            }
            b'{' | b'[' => {
                depth += 1;
                out.write_str(piece)?;
                line(depth, out)?;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(depth, out)?;
                out.write_str(piece)?;
            }
            b',' => {
                out.write_str(piece)?;
                line(depth, out)?;
            }
            b':' => out.write_str(": ")?,
            _ => out.write_str(piece)?,
        }
    }
    Ok(())
}
