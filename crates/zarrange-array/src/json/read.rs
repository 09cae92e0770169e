//! Reading JSON, as Python's `json.loads` does.

mod strings;

use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read};

use zarrange_io::METADATA_BYTES_MAX;

use super::grammar::{is_number, is_word, unescape};
use super::text::join_members;
use super::{Fields, Json, Keep, Member, Members, Number, Text};
use strings::Escapes;

/// Deepest nesting accepted.
const DEPTH_MAX: usize = 64;

/// The same in what is passed over: documents that repeat others are deeper than those.
const SKIPPED_DEPTH_MAX: usize = 256;

/// How much is read at a time.
const BUFFER_BYTES: usize = 16 << 10;

/// The most memory that what is looked into takes. Text is held in several forms until it is understood.
const TREE_BYTES_MAX: usize = 16 << 20;
const TEXT_FORMS: usize = 4;

/// A member takes so much beside its value.
const MEMBER_BYTES: usize = 64;

/// Keys of an object among which none is looked for twice before it ends.
const KEYS_UNSEEN_MAX: usize = 1 << 16;

/// Text that is not JSON, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// What is not JSON.
    #[error("line {line}, column {column}: {detail}")]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// Byte of the line, from 1.
        column: u64,
        /// What is wrong there.
        detail: String,
    },
    /// More than anybody's metadata.
    #[error("more than {bytes_max} bytes of metadata")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// More small values, where a few are looked into, than anybody has.
    #[error(
        "members that describe the array take more than {bytes_max} bytes of memory: attributes may be larger"
    )]
    TooMany {
        /// The limit.
        bytes_max: usize,
    },
    /// The source fails.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a whole document as a tree.
///
/// # Errors
/// [`JsonError`] if it is not JSON, is too large or too deep, or the source fails.
pub fn read(source: impl Read) -> Result<Json, JsonError> {
    let mut reader = Reader::new(source)?;
    let value = reader.value(0)?;
    reader.end().map(|()| value)
}

/// Reads a whole document as text.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_text(source: impl Read) -> Result<Text, JsonError> {
    let mut reader = Reader::new(source)?;
    let mut out = Out::default();
    reader.pass(0, &mut out)?;
    reader.end()?;
    reader.text(out)
}

/// Reads a whole document by its members, each as `keep` says; `None` if it is no object.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_fields(
    source: impl Read,
    keep: impl Fn(&str) -> Keep,
) -> Result<Option<Fields>, JsonError> {
    let mut reader = Reader::new(source)?;
    let fields = if reader.visible()? == Some(b'{') {
        Some(reader.fields(keep)?)
    } else {
        reader.pass(0, &mut Out::default())?;
        None
    };
    reader.end().map(|()| fields)
}

struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// What is left in the buffer.
    at: usize,
    end: usize,
    /// Where the next byte is.
    line: u64,
    column: u64,
    /// Bytes that count for the limit.
    kept: u64,
    /// Within a member that is passed over.
    skipping: bool,
    /// Memory of what is looked into.
    tree_bytes: usize,
}

/// Text in the making.
#[derive(Default)]
struct Out {
    text: Vec<u8>,
    /// Of the keys of objects that have no end yet.
    hashes: Vec<u64>,
}

impl<R: Read> Reader<R> {
    fn new(source: R) -> Result<Self, JsonError> {
        let buffer = vec![0; BUFFER_BYTES];
        let (line, column) = (1, 1);
        let mut reader =
            Self { source, buffer, at: 0, end: 0, line, column, kept: 0, skipping: false, tree_bytes: 0 };
        if reader.peek()? == Some(0xEF) {
            // Bytes of no other meaning: whatever stands here instead of a byte order mark is no value either.
            for _ in 0..3 {
                reader.next()?;
            }
            reader.column = 1;
        }
        Ok(reader)
    }

    /// Nothing follows.
    fn end(&mut self) -> Result<(), JsonError> {
        match self.token()? {
            None => Ok(()),
            Some(found) => Err(self.wrong(format!("found {found:?} after the end of the value"))),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, JsonError> {
        if self.at == self.end {
            (self.at, self.end) = (0, self.source.read(&mut self.buffer)?);
        }
        Ok(self.buffer[..self.end].get(self.at).copied())
    }

    fn next(&mut self) -> Result<Option<u8>, JsonError> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        self.at += 1;
        self.count(1)?;
        (self.line, self.column) =
            if byte == b'\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        Ok(Some(byte))
    }

    /// Counts bytes for the limit.
    fn count(&mut self, bytes: u64) -> Result<(), JsonError> {
        self.kept += if self.skipping { 0 } else { bytes };
        if self.kept > METADATA_BYTES_MAX {
            return Err(JsonError::TooLarge { bytes_max: METADATA_BYTES_MAX });
        }
        Ok(())
    }

    fn wrong(&self, detail: String) -> JsonError {
        JsonError::Syntax { line: self.line, column: self.column, detail }
    }

    /// The first byte that is no white space.
    fn visible(&mut self) -> Result<Option<u8>, JsonError> {
        while matches!(self.peek()?, Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.next()?;
        }
        self.peek()
    }

    /// What stands next, for a message; the place stays that of its begin.
    fn token(&mut self) -> Result<Option<String>, JsonError> {
        let Some(first) = self.visible()? else { return Ok(None) };
        let (line, column) = (self.line, self.column);
        let mut token = Vec::new();
        while let Some(byte) = self.peek()?
            && token.len() < 20
            && (token.is_empty() || (is_word(first) && is_word(byte)))
        {
            token.push(byte);
            self.next()?;
        }
        (self.line, self.column) = (line, column);
        Ok(Some(String::from_utf8_lossy(&token).into_owned()))
    }

    fn expected<T>(&mut self, what: &str) -> Result<T, JsonError> {
        let detail = match self.token()? {
            Some(found) => format!("found {found:?} where {what} is expected"),
            None => format!("the document ends where {what} is expected"),
        };
        Err(self.wrong(detail))
    }

    /// A value as a tree.
    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.grow(size_of::<Json>())?;
        match self.visible()? {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                let mut text = Vec::new();
                self.number(&mut text)?;
                self.grow(text.len())?;
                Ok(Json::Number(Number(String::from_utf8_lossy(&text).into())))
            }
            Some(b'n') => self.word("null").map(|()| Json::Null),
            Some(b't') => self.word("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Json::Bool(false)),
            Some(b'N') => self.word("NaN").map(|()| Json::Number(Number("NaN".into()))),
            Some(b'I') => self.word("Infinity").map(|()| Json::Number(Number("Infinity".into()))),
            _ => self.expected("a value"),
        }
    }

    /// Notes memory of what is looked into.
    fn grow(&mut self, bytes: usize) -> Result<(), JsonError> {
        self.tree_bytes = self.tree_bytes.saturating_add(bytes);
        if self.tree_bytes > TREE_BYTES_MAX {
            return Err(JsonError::TooMany { bytes_max: TREE_BYTES_MAX });
        }
        Ok(())
    }

    /// A value as text.
    fn pass(&mut self, depth: usize, out: &mut Out) -> Result<(), JsonError> {
        make_room(&mut out.text);
        match self.visible()? {
            Some(b'{') => self.pass_object(self.deeper(depth)?, out),
            Some(b'[') => self.pass_array(self.deeper(depth)?, out),
            Some(b'"') => self.pass_string(out).map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(&mut out.text),
            Some(b'n') => self.pass_word("null", out),
            Some(b't') => self.pass_word("true", out),
            Some(b'f') => self.pass_word("false", out),
            Some(b'N') => self.pass_word("NaN", out),
            Some(b'I') => self.pass_word("Infinity", out),
            _ => self.expected("a value"),
        }?;
        if self.skipping {
            out.text.clear();
        }
        Ok(())
    }

    /// A value of which nothing is kept; whether it is one, and not `null`.
    fn passed_over(&mut self, depth: usize) -> Result<bool, JsonError> {
        let is_null = self.visible()? == Some(b'n');
        let outside = std::mem::replace(&mut self.skipping, true);
        let passed = self.pass(depth, &mut Out::default());
        self.skipping = outside;
        passed.map(|()| !is_null)
    }

    /// What was read, in no more room than it needs.
    fn text(&self, out: Out) -> Result<Text, JsonError> {
        let mut text =
            String::from_utf8(out.text).map_err(|_| self.wrong("a string is not UTF-8".to_owned()))?;
        text.shrink_to_fit();
        Ok(Text::new(text))
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        let most = if self.skipping { SKIPPED_DEPTH_MAX } else { DEPTH_MAX };
        if depth < most {
            Ok(depth + 1)
        } else {
            Err(self.wrong(format!("nested deeper than {most} levels")))
        }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        let (line, column) = (self.line, self.column);
        let found = self.token()?.unwrap_or_default();
        if found == word {
            self.column += found.len() as u64;
            return Ok(());
        }
        (self.line, self.column) = (line, column);
        Err(self.wrong(format!("found {found:?} where a value is expected")))
    }

    fn pass_word(&mut self, word: &str, out: &mut Out) -> Result<(), JsonError> {
        self.word(word)?;
        out.text.extend_from_slice(word.as_bytes());
        Ok(())
    }

    /// The members of the outermost object.
    fn fields(&mut self, keep: impl Fn(&str) -> Keep) -> Result<Fields, JsonError> {
        let mut fields = Fields::new();
        self.members(&mut |reader| {
            let name = reader.key()?;
            reader.colon(|| name.clone())?;
            reader.grow(name.len() + MEMBER_BYTES + size_of::<Member>())?;
            let value = match keep(&name) {
                Keep::Tree => Member::Tree(reader.value(1)?),
                Keep::Presence if reader.passed_over(1)? => Member::Tree(Json::Bool(true)),
                Keep::Presence => Member::Tree(Json::Null),
                Keep::Text => {
                    let mut out = Out::default();
                    reader.pass(1, &mut out)?;
                    Member::Text(reader.text(out)?)
                }
            };
            fields.insert(name, value);
            Ok(())
        })?;
        Ok(fields)
    }

    /// Calls `member` where each member of an object begins.
    fn members(
        &mut self,
        member: &mut dyn FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.next()?;
        if self.visible()? == Some(b'}') {
            self.next()?;
            return Ok(());
        }
        loop {
            if self.visible()? != Some(b'"') {
                return self.expected("a key in quotes");
            }
            member(self)?;
            match self.visible()? {
                Some(b',') => self.next()?,
                Some(b'}') => break,
                _ => return self.expected(", or }"),
            };
        }
        self.next()?;
        Ok(())
    }

    fn key(&mut self) -> Result<String, JsonError> {
        match self.string()? {
            Json::String(name) => Ok(name),
            other => Err(self.wrong(format!("key {other} has half of a surrogate pair"))),
        }
    }

    fn colon(&mut self, name: impl FnOnce() -> String) -> Result<(), JsonError> {
        if self.visible()? != Some(b':') {
            return self.expected(":").map_err(|error| after_key(error, &name()));
        }
        self.next()?;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        let mut members = Members::new();
        self.members(&mut |reader| {
            let name = reader.key()?;
            reader.colon(|| name.clone())?;
            reader.grow(MEMBER_BYTES)?;
            members.insert(name, reader.value(depth)?);
            Ok(())
        })?;
        Ok(Json::Object(members))
    }

    fn pass_object(&mut self, depth: usize, out: &mut Out) -> Result<(), JsonError> {
        let (begin, first, mut unseen) = (out.text.len(), out.hashes.len(), KEYS_UNSEEN_MAX);
        out.text.push(b'{');
        self.members(&mut |reader| {
            if !reader.skipping && out.text.len() > begin + 1 {
                out.text.push(b',');
            }
            let key = out.text.len();
            if reader.pass_string(out)? == Escapes::Odd {
                let key = String::from_utf8_lossy(&out.text[key..]).into_owned();
                return Err(reader.wrong(format!("key {key} has half of a surrogate pair")));
            }
            reader.colon(|| {
                let key = String::from_utf8_lossy(&out.text[key..]).into_owned();
                unescape(key.trim_matches('"')).unwrap_or(key)
            })?;
            if reader.skipping {
                return reader.pass(depth, out);
            }
            let mut hasher = DefaultHasher::new();
            hasher.write(&out.text[key..]);
            out.hashes.push(hasher.finish());
            out.text.push(b':');
            reader.pass(depth, out)?;
            if out.hashes.len() - first >= unseen {
                out.join(begin, first);
                unseen = 2 * (out.hashes.len() - first).max(KEYS_UNSEEN_MAX);
            }
            Ok(())
        })?;
        if !self.skipping {
            out.join(begin, first);
            out.hashes.truncate(first);
            out.text.push(b'}');
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        let mut elements = Vec::new();
        self.elements(&mut |reader| {
            elements.push(reader.value(depth)?);
            Ok(())
        })?;
        Ok(Json::Array(elements))
    }

    fn pass_array(&mut self, depth: usize, out: &mut Out) -> Result<(), JsonError> {
        out.text.push(b'[');
        let begin = out.text.len();
        self.elements(&mut |reader| {
            if !reader.skipping && out.text.len() > begin {
                out.text.push(b',');
            }
            reader.pass(depth, out)
        })?;
        out.text.push(b']');
        Ok(())
    }

    /// Calls `element` where each element of an array begins.
    fn elements(
        &mut self,
        element: &mut dyn FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.next()?;
        if self.visible()? == Some(b']') {
            self.next()?;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.visible()? {
                Some(b',') => self.next()?,
                Some(b']') => break,
                _ => return self.expected(", or ]"),
            };
        }
        self.next()?;
        Ok(())
    }

    /// Appends a number as it is written.
    fn number(&mut self, text: &mut Vec<u8>) -> Result<(), JsonError> {
        let (line, column, begin) = (self.line, self.column, text.len());
        while let Some(byte) = self.peek()?
            && (is_word(byte) || matches!(byte, b'-' | b'+' | b'.'))
        {
            text.push(byte);
            self.next()?;
        }
        let number = std::str::from_utf8(&text[begin..]).unwrap_or_default();
        if number == "-Infinity" || is_number(number) {
            return Ok(());
        }
        let detail = format!("{number:?} is not a number of JSON");
        (self.line, self.column) = (line, column);
        Err(self.wrong(detail))
    }
}

impl Out {
    /// Joins members with one key of the object that begins at `begin`, the hashes of whose keys begin at `first`.
    fn join(&mut self, begin: usize, first: usize) {
        let hashes = &mut self.hashes[first..];
        hashes.sort_unstable();
        if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
            return;
        }
        join_members(&mut self.text, begin);
        let mut own = self.hashes.split_off(first);
        own.dedup();
        self.hashes.append(&mut own);
    }
}

/// Makes room for all that can follow at once: it is no memory before it is written, and copying what is there to ever larger places is.
fn make_room(text: &mut Vec<u8>) {
    const LARGE: usize = 1 << 20;
    let all = 2 * BUFFER_BYTES + usize::try_from(METADATA_BYTES_MAX).unwrap_or(usize::MAX / 2);
    if text.len() > LARGE && text.capacity() < all {
        text.reserve_exact(all - text.len());
    }
}

fn after_key(error: JsonError, name: &str) -> JsonError {
    match error {
        JsonError::Syntax { line, column, detail } => {
            JsonError::Syntax { line, column, detail: format!("{detail} after key {name:?}") }
        }
        other => other,
    }
}
