//! JSON that is passed on: kept as text, walked where it is, never made a tree of.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::grammar::unescape;
use super::{Json, Number, number_value, read, write};

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
    pub fn is_object(&self) -> bool {
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
    let _ = write::write_string(name, &mut key);
    key
}

/// A value of text as a tree; `None` for one that would take much memory.
fn tree(text: &str) -> Option<Json> {
    read(text.as_bytes()).ok()
}

/// Behind the string that begins at `at`.
pub(super) fn end_of_string(text: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        match text.get(at) {
            Some(b'\\') => at += 1,
            Some(b'"') => return at + 1,
            Some(_) => {}
            None => return text.len(),
        }
    }
}

/// Behind the value that begins at `at`.
pub(super) fn end_of_value(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(text, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The elements between brackets, or members between braces, one after the other.
struct Elements<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Elements<'t> {
    const fn of(text: &'t str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let bytes = self.text.as_bytes();
        if self.at + 1 >= bytes.len() {
            return None;
        }
        let end = end_of_value(bytes, self.at);
        let element = &self.text[self.at..end];
        self.at = end + 1;
        Some(element)
    }
}

/// The members of an object: keys in quotes, and values.
struct Members<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Members<'t> {
    const fn of(text: &'t str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<(&'t str, &'t str)> {
        let bytes = self.text.as_bytes();
        if self.at + 1 >= bytes.len() {
            return None;
        }
        let key_end = end_of_string(bytes, self.at);
        let end = end_of_value(bytes, key_end + 1);
        let member = (&self.text[self.at..key_end], &self.text[key_end + 1..end]);
        self.at = end + 1;
        Some(member)
    }
}

/// Whether two texts mean values that are equal as trees.
fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (a.as_bytes()[0], b.as_bytes()[0]) {
        (b'{', b'{') => first_difference(a, b).is_none(),
        (b'[', b'[') => {
            let (mut a, mut b) = (Elements::of(a), Elements::of(b));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if same(a, b) => {}
                    _ => return false,
                }
            }
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

/// A number, or a token of Python's.
fn number(text: &str) -> Option<Number> {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | 'N' | 'I'));
    begins.then(|| Number(text.into()))
}

type Differing<'t> = (&'t str, Option<&'t str>, Option<&'t str>);

/// The first member, in the order of `a` and then of `b`, that objects do not share.
fn first_difference<'t>(a: &'t str, b: &'t str) -> Option<Differing<'t>> {
    let (mut ours, mut theirs) = (Members::of(a), Members::of(b));
    // Most have one order: then nothing is sorted.
    loop {
        let (at_a, at_b) = (ours.at, theirs.at);
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (Some((key, one)), Some((other, two))) if key == other => {
                if !same(one, two) {
                    return Some((key, Some(one), Some(two)));
                }
            }
            _ => {
                (ours.at, theirs.at) = (at_a, at_b);
                return in_any_order(ours, theirs);
            }
        }
    }
}

/// As [`first_difference`], of the members from here on.
fn in_any_order<'t>(a: Members<'t>, b: Members<'t>) -> Option<Differing<'t>> {
    let (a_text, b_text, from) = (a.text, b.text, a.at);
    let ours = Index::of(a);
    let theirs = Index::of(b);
    for (key, one) in (Members { text: a_text, at: from }) {
        match theirs.get(key) {
            Some(two) if same(one, two) => {}
            two => return Some((key, Some(one), two)),
        }
    }
    let only = (theirs.sorted.iter().copied()).filter(|at| ours.get(theirs.key(*at)).is_none()).min()?;
    let (key, two) = Members { text: b_text, at: only as usize }.next()?;
    Some((key, None, Some(two)))
}

/// Members by key: only where they begin is kept, for there may be millions.
struct Index<'t> {
    text: &'t str,
    sorted: Vec<u32>,
}

impl<'t> Index<'t> {
    fn of(mut members: Members<'t>) -> Self {
        let text = members.text;
        let mut sorted = Vec::new();
        loop {
            // No text is longer than what is read of a document.
            let at = u32::try_from(members.at).unwrap_or(u32::MAX);
            if members.next().is_none() {
                break;
            }
            sorted.push(at);
        }
        let mut index = Self { text, sorted: Vec::new() };
        sorted.sort_unstable_by_key(|at| index.key(*at));
        index.sorted = sorted;
        index
    }

    fn key(&self, at: u32) -> &'t str {
        let at = at as usize;
        &self.text[at..end_of_string(self.text.as_bytes(), at)]
    }

    fn get(&self, key: &str) -> Option<&'t str> {
        let found = self.sorted.binary_search_by_key(&key, |at| self.key(*at)).ok()?;
        let member = Members { text: self.text, at: self.sorted[found] as usize }.next()?;
        Some(member.1)
    }
}

/// Joins members with one key, from `begin` on, where an object begins that has no end yet: the last value counts, where the first one
/// stands.
pub(super) fn join_members(text: &mut Vec<u8>, begin: usize) {
    text.push(b'}');
    let joined = match std::str::from_utf8(&text[begin..]) {
        Ok(object) => joined(object),
        // The reader has seen that it is.
        Err(_) => return,
    };
    text.truncate(begin);
    text.extend_from_slice(joined.as_bytes());
}

fn joined(object: &str) -> String {
    let (mut members, mut starts) = (Members::of(object), Vec::new());
    loop {
        // No text is longer than what is read of a document.
        let at = u32::try_from(members.at).unwrap_or(u32::MAX);
        if members.next().is_none() {
            break;
        }
        starts.push(at);
    }
    let key = |at: u32| &object[at as usize..end_of_string(object.as_bytes(), at as usize)];
    let mut sorted = starts.clone();
    sorted.sort_unstable_by_key(|at| (key(*at), *at));
    // Where the value of each member stands; nowhere for one that is left out.
    let mut values = starts.clone();
    for group in sorted.chunk_by(|a, b| key(*a) == key(*b)) {
        for at in group {
            let Ok(k) = starts.binary_search(at) else { continue };
            values[k] = if *at == group[0] { group[group.len() - 1] } else { u32::MAX };
        }
    }
    let mut joined = String::with_capacity(object.len());
    joined.push('{');
    for value in values.into_iter().filter(|value| *value != u32::MAX) {
        let Some((key, value)) = (Members { text: object, at: value as usize }).next() else { continue };
        if joined.len() > 1 {
            joined.push(',');
        }
        joined.push_str(key);
        joined.push(':');
        joined.push_str(value);
    }
    joined
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
            _ => number_value(&Number(self.simple().into())).serialize(serializer),
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
