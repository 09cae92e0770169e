//! JSON that is passed on: kept as text, walked where it is, never made a tree of.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::grammar::{unescape, write_string};
use super::read::read;
use super::value::{Json, Number, number_value};
use super::walk::{Members, end_of_string, end_of_value, first_difference, same};

/// A value as its text on one line, as short as it gets: as [`Json`] is displayed. Small values by the million take no more room
/// than they have bytes. Cheap to clone.
#[derive(Clone)]
pub struct Text(Arc<String>);

/// Values that are shown to people are cut to so many bytes.
const SHOWN_BYTES: usize = 300;

impl Text {
    /// Text that the reader has made, or the writer.
    pub(super) fn new(text: String) -> Self {
        Self(Arc::new(text))
    }

    /// An object without members.
    pub(crate) fn empty() -> Self {
        Self::new("{}".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether strict JSON has everything in it: outside of strings only Python's tokens have capital N and I.
    pub fn is_strict(&self) -> bool {
        let (text, mut at) = (self.0.as_bytes(), 0);
        while at < text.len() {
            match text[at] {
                b'"' => at = end_of_string(text, at),
                b'N' | b'I' => return false,
                _ => at += 1,
            }
        }
        true
    }

    /// Whether an object has a member.
    pub fn holds(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// Whether an object has a member that is not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| value != "null")
    }

    /// A member of an object, as a tree.
    pub fn get(&self, name: &str) -> Option<Json> {
        tree(self.member(name)?)
    }

    /// The text of a member of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        if !self.is_object() {
            return None;
        }
        let key = quoted(name);
        Members::of(&self.0).find(|(other, _)| *other == key).map(|(_, value)| value)
    }

    /// Gives a member of an object another value, behind the others if it is new.
    pub(crate) fn set(&mut self, name: &str, value: &Json) {
        let (key, value) = (quoted(name), value.to_string());
        if let Some((_, from, to)) = self.range(&key) {
            self.replace(from..to, &value);
            return;
        }
        let end = self.0.len() - 1;
        let comma = if end > 1 { "," } else { "" };
        self.replace(end..end, &format!("{comma}{key}:{value}"));
    }

    /// Takes out a member of an object.
    pub(crate) fn remove(&mut self, name: &str) {
        let Some((mut from, _, mut to)) = self.range(&quoted(name)) else { return };
        if self.0.as_bytes()[to] == b',' {
            to += 1;
        } else if from > 1 {
            from -= 1;
        }
        self.replace(from..to, "");
    }

    /// Where the member with a key begins, its value begins, and ends.
    fn range(&self, key: &str) -> Option<(usize, usize, usize)> {
        let (_, value) = Members::of(&self.0).find(|(other, _)| *other == key)?;
        let from = value.as_ptr().addr() - self.0.as_ptr().addr();
        Some((from - 1 - key.len(), from, from + value.len()))
    }

    fn replace(&mut self, range: std::ops::Range<usize>, with: &str) {
        Arc::make_mut(&mut self.0).replace_range(range, with);
    }

    /// The first member that two objects do not share: its name, and what each has there, cut to a length that people read.
    pub fn first_difference(&self, other: &Self) -> Option<(String, Option<String>, Option<String>)> {
        let (key, a, b) = first_difference(&self.0, &other.0)?;
        Some((unquoted(key).into_owned(), a.map(shown), b.map(shown)))
    }
}

/// As much of a value as people read.
pub(crate) fn shown(text: &str) -> String {
    if text.len() <= SHOWN_BYTES {
        return text.to_owned();
    }
    let end = (0..=SHOWN_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}... ({} bytes)", &text[..end], text.len())
}

impl From<&Json> for Text {
    fn from(json: &Json) -> Self {
        Self::new(json.to_string())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// Equal as trees are.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || same(&self.0, &other.0)
    }
}

/// A name as text has it.
fn quoted(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 2);
    // Writing to a String does not fail.
    let _ = write_string(name, &mut key);
    key
}

/// A value of text as a tree; `None` for one that would take much memory.
fn tree(text: &str) -> Option<Json> {
    read(text.as_bytes()).ok()
}

/// As the tree would be.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Walk { text: &self.0, at: Cell::new(0) }.serialize(serializer)
    }
}

/// A walk through text: each value that is serialised is passed.
struct Walk<'t> {
    text: &'t str,
    at: Cell<usize>,
}

impl<'t> Walk<'t> {
    /// Passes a bracket, or a comma between values; whether a value follows.
    fn more(&self) -> bool {
        let at = self.at.get();
        self.at.set(at + 1);
        match self.text.as_bytes().get(at) {
            Some(b'[' | b'{') => {
                let empty = matches!(self.text.as_bytes().get(at + 1), Some(b']' | b'}'));
                self.at.set(at + 1 + usize::from(empty));
                !empty
            }
            Some(b',') => true,
            _ => false,
        }
    }

    /// Passes what is neither an array nor an object.
    fn simple(&self) -> &'t str {
        let from = self.at.get();
        let to = end_of_value(self.text.as_bytes(), from);
        self.at.set(to);
        &self.text[from..to]
    }
}

impl Serialize for Walk<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text.as_bytes()[self.at.get()] {
            b'{' => {
                let mut map = serializer.serialize_map(None)?;
                while self.more() {
                    let from = self.at.get();
                    let to = end_of_string(self.text.as_bytes(), from);
                    self.at.set(to + 1);
                    map.serialize_entry(&unquoted(&self.text[from..to]), self)?;
                }
                map.end()
            }
            b'[' => {
                let mut list = serializer.serialize_seq(None)?;
                while self.more() {
                    list.serialize_element(self)?;
                }
                list.end()
            }
            b'"' => serializer.serialize_str(&unquoted(self.simple())),
            b'n' => {
                self.simple();
                serializer.serialize_unit()
            }
            b't' | b'f' => serializer.serialize_bool(self.simple() == "true"),
            _ => number_value(&Number::new(self.simple())).serialize(serializer),
        }
    }
}

/// What a string means; as it is written if that is no text.
fn unquoted(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(quoted);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    unescape(inner).map_or(Cow::Borrowed(quoted), Cow::Owned)
}
