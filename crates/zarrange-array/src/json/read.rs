//! Reading JSON, as Python's `json.loads` does.

mod source;
mod strings;

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read;

use super::grammar::{shorten_escapes, unescape};
use super::value::{Json, Members, Number};
use super::walk::join_members;
pub use source::JsonError;
use source::{Source, make_room};
use strings::Escapes;

/// Deepest nesting accepted.
const DEPTH_MAX: usize = 64;

/// The same in what is passed over: documents that repeat others are deeper than those.
const SKIPPED_DEPTH_MAX: usize = 256;

/// The most memory that what is looked into takes. Text is held in several forms until it is understood.
const TREE_BYTES_MAX: usize = 16 << 20;
const TEXT_FORMS: usize = 4;

/// A member takes so much beside its value.
const MEMBER_BYTES: usize = 64;

/// Keys of an object among which none is looked for twice before it ends.
const KEYS_UNSEEN_MAX: usize = 1 << 16;

/// Reads a whole document as a tree.
///
/// # Errors
/// [`JsonError`] if it is not JSON, is too large or too deep, or the source fails.
pub fn read(source: impl Read) -> Result<Json, JsonError> {
    let mut reader = Reader::new(source)?;
    let value = reader.value(0)?;
    reader.end().map(|()| value)
}

/// Makes values of what is read.
pub(super) struct Reader<R> {
    source: Source<R>,
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
    pub(super) fn new(source: R) -> Result<Self, JsonError> {
        Ok(Self { source: Source::new(source)?, tree_bytes: 0 })
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        self.source.end()
    }

    /// Whether an object follows.
    pub(super) fn is_object(&mut self) -> Result<bool, JsonError> {
        Ok(self.source.visible()? == Some(b'{'))
    }

    /// A value as a tree.
    pub(super) fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.grow(size_of::<Json>())?;
        match self.source.visible()? {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                let mut text = Vec::new();
                self.source.number(&mut text)?;
                self.grow(text.len())?;
                Ok(Json::Number(Number::new(&String::from_utf8_lossy(&text))))
            }
            Some(b'n') => self.source.word("null").map(|()| Json::Null),
            Some(b't') => self.source.word("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.source.word("false").map(|()| Json::Bool(false)),
            Some(b'N') => self.source.word("NaN").map(|()| Json::Number(Number::new("NaN"))),
            Some(b'I') => self.source.word("Infinity").map(|()| Json::Number(Number::new("Infinity"))),
            _ => self.source.expected("a value"),
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
        match self.source.visible()? {
            Some(b'{') => self.pass_object(self.deeper(depth)?, out),
            Some(b'[') => self.pass_array(self.deeper(depth)?, out),
            Some(b'"') => self.pass_string(out).map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.source.number(&mut out.text),
            Some(b'n') => self.pass_word("null", out),
            Some(b't') => self.pass_word("true", out),
            Some(b'f') => self.pass_word("false", out),
            Some(b'N') => self.pass_word("NaN", out),
            Some(b'I') => self.pass_word("Infinity", out),
            _ => self.source.expected("a value"),
        }?;
        if self.source.skipping {
            out.text.clear();
        }
        Ok(())
    }

    /// A value of which nothing is kept; whether it is one, and not `null`.
    pub(super) fn passed_over(&mut self, depth: usize) -> Result<bool, JsonError> {
        let is_null = self.source.visible()? == Some(b'n');
        let outside = std::mem::replace(&mut self.source.skipping, true);
        let passed = self.pass(depth, &mut Out::default());
        self.source.skipping = outside;
        passed.map(|()| !is_null)
    }

    /// A value as text, in no more room than it needs.
    pub(super) fn passed(&mut self, depth: usize) -> Result<String, JsonError> {
        let mut out = Out::default();
        self.pass(depth, &mut out)?;
        let mut text =
            String::from_utf8(out.text).map_err(|_| self.source.wrong("a string is not UTF-8".to_owned()))?;
        text.shrink_to_fit();
        Ok(text)
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        let most = if self.source.skipping { SKIPPED_DEPTH_MAX } else { DEPTH_MAX };
        if depth < most {
            Ok(depth + 1)
        } else {
            Err(self.source.wrong(format!("nested deeper than {most} levels")))
        }
    }

    fn pass_word(&mut self, word: &str, out: &mut Out) -> Result<(), JsonError> {
        self.source.word(word)?;
        out.text.extend_from_slice(word.as_bytes());
        Ok(())
    }

    /// Calls `member` where each member of an object begins.
    pub(super) fn members(
        &mut self,
        member: &mut dyn FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.source.next()?;
        if self.source.visible()? == Some(b'}') {
            self.source.next()?;
            return Ok(());
        }
        loop {
            if self.source.visible()? != Some(b'"') {
                return self.source.expected("a key in quotes");
            }
            member(self)?;
            match self.source.visible()? {
                Some(b',') => self.source.next()?,
                Some(b'}') => break,
                _ => return self.source.expected(", or }"),
            };
        }
        self.source.next()?;
        Ok(())
    }

    /// The name of a member, up to its value, which takes so much memory beside what is read of it.
    pub(super) fn name(&mut self, bytes: usize) -> Result<String, JsonError> {
        let name = self.key()?;
        self.colon(|| name.clone())?;
        self.grow(MEMBER_BYTES + bytes)?;
        Ok(name)
    }

    fn key(&mut self) -> Result<String, JsonError> {
        match self.string()? {
            Json::String(name) => Ok(name),
            other => Err(self.source.wrong(format!("key {other} has half of a surrogate pair"))),
        }
    }

    /// A string as a tree has it.
    fn string(&mut self) -> Result<Json, JsonError> {
        let mut written = Vec::new();
        let escapes = self.source.written(&mut written)?;
        self.grow(written.len().saturating_mul(TEXT_FORMS))?;
        let text =
            String::from_utf8(written).map_err(|_| self.source.wrong("a string is not UTF-8".to_owned()))?;
        let inner = &text[1..text.len() - 1];
        Ok(match escapes {
            Escapes::Odd => Json::Surrogates(text.into()),
            Escapes::None => Json::String(inner.to_owned()),
            Escapes::Some => Json::String(unescape(inner).unwrap_or_default()),
        })
    }

    /// A string as text has it: the characters that it means, and escapes only where they are needed.
    fn pass_string(&mut self, out: &mut Out) -> Result<Escapes, JsonError> {
        let begin = out.text.len();
        let escapes = self.source.written(&mut out.text)?;
        if self.source.skipping {
            out.text.truncate(begin);
            return Ok(escapes);
        }
        if std::str::from_utf8(&out.text[begin..]).is_err() {
            return Err(self.source.wrong("a string is not UTF-8".to_owned()));
        }
        if escapes == Escapes::Some {
            shorten_escapes(&mut out.text, begin);
        }
        Ok(escapes)
    }

    fn colon(&mut self, name: impl FnOnce() -> String) -> Result<(), JsonError> {
        if self.source.visible()? != Some(b':') {
            return self.source.expected(":").map_err(|error| after_key(error, &name()));
        }
        self.source.next()?;
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        let mut members = Members::new();
        self.members(&mut |reader| {
            let name = reader.name(0)?;
            members.insert(name, reader.value(depth)?);
            Ok(())
        })?;
        Ok(Json::Object(members))
    }

    fn pass_object(&mut self, depth: usize, out: &mut Out) -> Result<(), JsonError> {
        let (begin, first, mut unseen) = (out.text.len(), out.hashes.len(), KEYS_UNSEEN_MAX);
        out.text.push(b'{');
        self.members(&mut |reader| {
            if !reader.source.skipping && out.text.len() > begin + 1 {
                out.text.push(b',');
            }
            let key = out.text.len();
            if reader.pass_string(out)? == Escapes::Odd {
                let key = String::from_utf8_lossy(&out.text[key..]).into_owned();
                return Err(reader.source.wrong(format!("key {key} has half of a surrogate pair")));
            }
            reader.colon(|| {
                let key = String::from_utf8_lossy(&out.text[key..]).into_owned();
                unescape(key.trim_matches('"')).unwrap_or(key)
            })?;
            if reader.source.skipping {
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
        if !self.source.skipping {
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
            if !reader.source.skipping && out.text.len() > begin {
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
        self.source.next()?;
        if self.source.visible()? == Some(b']') {
            self.source.next()?;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.source.visible()? {
                Some(b',') => self.source.next()?,
                Some(b']') => break,
                _ => return self.source.expected(", or ]"),
            };
        }
        self.source.next()?;
        Ok(())
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

fn after_key(error: JsonError, name: &str) -> JsonError {
    match error {
        JsonError::Syntax { line, column, detail } => {
            JsonError::Syntax { line, column, detail: format!("{detail} after key {name:?}") }
        }
        other => other,
    }
}
