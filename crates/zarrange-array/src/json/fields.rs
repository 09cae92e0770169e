//! Documents by their members: some are looked into, others passed on.

use std::fmt;
use std::io::Read;

use indexmap::IndexMap;

use super::grammar::write_string;
use super::read::{JsonError, Reader};
use super::text::Text;
use super::value::Json;
use super::walk::{end_of_string, end_of_value};
use super::write::{write, write_all};

/// What becomes of a member of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is looked into.
    Tree,
    /// It is passed on.
    Text,
    /// Whether it is there is all that matters: it may be of any size.
    Presence,
}

/// A member of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// One that is looked into; of one of which only the presence matters `true`, or `null` if it is that.
    Tree(Json),
    /// One that is passed on.
    Text(Text),
}

/// The members of a document, in the order in which they are written.
pub type Fields = IndexMap<String, Member>;

/// As [`Json::to_value`] of what it is.
impl serde::Serialize for Member {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tree(json) => json.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// A member that is looked into; `null` if there is none of this name.
pub(crate) fn tree<'f>(members: &'f Fields, name: &str) -> &'f Json {
    match members.get(name) {
        Some(Member::Tree(json)) => json,
        Some(Member::Text(_)) | None => &Json::Null,
    }
}

/// Reads a whole document as text.
///
/// # Errors
/// As [`read`](super::read()).
pub(crate) fn read_text(source: impl Read) -> Result<Text, JsonError> {
    let mut reader = Reader::new(source)?;
    let text = reader.passed(0)?;
    reader.end().map(|()| Text::new(text))
}

/// Reads a whole document by its members, each as `keep` says; `None` if it is no object.
///
/// # Errors
/// As [`read`](super::read()).
pub(crate) fn read_fields(
    source: impl Read,
    keep: impl Fn(&str) -> Keep,
) -> Result<Option<Fields>, JsonError> {
    let mut reader = Reader::new(source)?;
    if !reader.is_object()? {
        reader.passed(0)?;
        return reader.end().map(|()| None);
    }
    let mut fields = Fields::new();
    reader.members(&mut |reader| {
        let name = reader.name(size_of::<Member>())?;
        let value = match keep(&name) {
            Keep::Tree => Member::Tree(reader.value(1)?),
            Keep::Presence if reader.passed_over(1)? => Member::Tree(Json::Bool(true)),
            Keep::Presence => Member::Tree(Json::Null),
            Keep::Text => Member::Text(Text::new(reader.passed(1)?)),
        };
        fields.insert(name, value);
        Ok(())
    })?;
    reader.end().map(|()| Some(fields))
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
