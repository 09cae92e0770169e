//! Reading JSON, as Python's `json.loads` does.

use std::io::{self, Read};

use zarrange_io::METADATA_BYTES_MAX;

use super::{Json, Members, Number};

/// Deepest nesting accepted.
const DEPTH_MAX: usize = 64;

/// The same in what is passed over: documents that repeat others are deeper than those.
const SKIPPED_DEPTH_MAX: usize = 256;

/// How much is read at a time.
const BUFFER_BYTES: usize = 16 << 10;

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
    /// The source fails.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a whole document. Of members of the outermost object that `skip` names, only whether they are there is read: they may be of
/// any size and become `true`, or `null` if they are that.
///
/// # Errors
/// [`JsonError`] if it is not JSON, is too large or too deep, or the source fails.
pub fn read(source: impl Read, skip: &[&str]) -> Result<Json, JsonError> {
    let buffer = vec![0; BUFFER_BYTES];
    let mut reader = Reader { source, buffer, at: 0, end: 0, line: 1, column: 1, kept: 0, skipping: false };
    if reader.peek()? == Some(0xEF) {
        // Bytes of no other meaning: whatever stands here instead of a byte order mark is no value either.
        (reader.next()?, reader.next()?, reader.next()?);
        reader.column = 1;
    }
    let value = reader.value(0, skip)?;
    match reader.token()? {
        None => Ok(value),
        Some(found) => Err(reader.wrong(format!("found {found:?} after the end of the value"))),
    }
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
}

impl<R: Read> Reader<R> {
    fn peek(&mut self) -> Result<Option<u8>, JsonError> {
        if self.at == self.end {
            (self.at, self.end) = (0, self.source.read(&mut self.buffer)?);
        }
        Ok(self.buffer[..self.end].get(self.at).copied())
    }

    fn next(&mut self) -> Result<Option<u8>, JsonError> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        self.at += 1;
        self.kept += u64::from(!self.skipping);
        if self.kept > METADATA_BYTES_MAX {
            return Err(JsonError::TooLarge { bytes_max: METADATA_BYTES_MAX });
        }
        (self.line, self.column) =
            if byte == b'\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        Ok(Some(byte))
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

    fn value(&mut self, depth: usize, skip: &[&str]) -> Result<Json, JsonError> {
        match self.visible()? {
            Some(b'{') => self.object(self.deeper(depth)?, skip),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'N') => self.word("NaN", Json::Number(Number("NaN".into()))),
            Some(b'I') => self.word("Infinity", Json::Number(Number("Infinity".into()))),
            _ => self.expected("a value"),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        let most = if self.skipping { SKIPPED_DEPTH_MAX } else { DEPTH_MAX };
        if depth < most {
            Ok(depth + 1)
        } else {
            Err(self.wrong(format!("nested deeper than {most} levels")))
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        let (line, column) = (self.line, self.column);
        let found = self.token()?.unwrap_or_default();
        if found == word {
            self.column += found.len() as u64;
            return Ok(value);
        }
        (self.line, self.column) = (line, column);
        Err(self.wrong(format!("found {found:?} where a value is expected")))
    }

    fn object(&mut self, depth: usize, skip: &[&str]) -> Result<Json, JsonError> {
        let mut members = Members::new();
        self.next()?;
        if self.visible()? == Some(b'}') {
            self.next()?;
            return Ok(Json::Object(members));
        }
        loop {
            if self.visible()? != Some(b'"') {
                return self.expected("a key in quotes");
            }
            let name = match self.string()? {
                Json::String(name) => name,
                other => return Err(self.wrong(format!("key {other} has half of a surrogate pair"))),
            };
            if self.visible()? != Some(b':') {
                return self.expected(":").map_err(|error| after_key(error, &name));
            }
            self.next()?;
            let outside = self.skipping;
            self.skipping |= skip.contains(&name.as_str());
            let passed_over = self.skipping && !outside;
            let value = self.value(depth, &[])?;
            self.skipping = outside;
            let value = if passed_over && !value.is_null() { Json::Bool(true) } else { value };
            if !outside {
                members.insert(name, value);
            }
            match self.visible()? {
                Some(b',') => self.next()?,
                Some(b'}') => break,
                _ => return self.expected(", or }"),
            };
        }
        self.next()?;
        Ok(Json::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        let mut elements = Vec::new();
        self.next()?;
        if self.visible()? == Some(b']') {
            self.next()?;
            return Ok(Json::Array(elements));
        }
        loop {
            let element = self.value(depth, &[])?;
            if !self.skipping {
                elements.push(element);
            }
            match self.visible()? {
                Some(b',') => self.next()?,
                Some(b']') => break,
                _ => return self.expected(", or ]"),
            };
        }
        self.next()?;
        Ok(Json::Array(elements))
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let (line, column) = (self.line, self.column);
        let mut text = String::new();
        while let Some(byte) = self.peek()?
            && (is_word(byte) || matches!(byte, b'-' | b'+' | b'.'))
        {
            text.push(char::from(byte));
            self.next()?;
        }
        if text == "-Infinity" || is_number(&text) {
            return Ok(Json::Number(Number(text.into())));
        }
        (self.line, self.column) = (line, column);
        Err(self.wrong(format!("{text:?} is not a number of JSON")))
    }

    fn string(&mut self) -> Result<Json, JsonError> {
        // As it means, and as it is written if it has no meaning: half of a surrogate pair.
        let (mut text, mut written, mut odd) = (Vec::new(), vec![b'"'], false);
        self.next()?;
        loop {
            let Some(byte) = self.peek()? else {
                return Err(self.wrong("the document ends within a string".to_owned()));
            };
            match byte {
                b'"' => break,
                b'\\' => odd |= !self.escape(&mut text, &mut written)?,
                0..0x20 => {
                    let detail = format!("a control character stands in a string: write \\u{byte:04x}");
                    return Err(self.wrong(detail));
                }
                _ => {
                    self.next()?;
                    text.push(byte);
                    written.push(byte);
                }
            }
            if self.skipping {
                (text.clear(), written.clear());
            }
        }
        self.next()?;
        written.push(b'"');
        let text = String::from_utf8(if odd { written } else { text });
        let text = text.map_err(|_| self.wrong("a string is not UTF-8".to_owned()))?;
        Ok(if odd { Json::Surrogates(text.into()) } else { Json::String(text) })
    }

    /// Reads an escape; whether it means a character.
    fn escape(&mut self, text: &mut Vec<u8>, written: &mut Vec<u8>) -> Result<bool, JsonError> {
        self.next()?;
        written.push(b'\\');
        let kind = self.peek()?.unwrap_or_default();
        let meant = match kind {
            b'"' | b'\\' | b'/' => kind,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.unit(written)?;
                return self.character(first, text, written);
            }
            other => return Err(self.wrong(format!("\\{} is no escape of JSON", char::from(other)))),
        };
        self.next()?;
        written.push(kind);
        text.push(meant);
        Ok(true)
    }

    /// Four digits after `u`.
    fn unit(&mut self, written: &mut Vec<u8>) -> Result<u32, JsonError> {
        self.next()?;
        written.push(b'u');
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.peek()?.unwrap_or_default();
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(self.wrong("\\u is not followed by four hexadecimal digits".to_owned()));
            };
            self.next()?;
            written.push(byte);
            unit = 16 * unit + digit;
        }
        Ok(unit)
    }

    /// The character that begins with the unit `first`; whether it is one.
    fn character(
        &mut self,
        first: u32,
        text: &mut Vec<u8>,
        written: &mut Vec<u8>,
    ) -> Result<bool, JsonError> {
        let mut push = |c: char| text.extend(c.encode_utf8(&mut [0; 4]).bytes());
        if let Some(c) = char::from_u32(first) {
            push(c);
            return Ok(true);
        }
        if first >= 0xDC00 || self.peek()? != Some(b'\\') {
            return Ok(false);
        }
        self.next()?;
        written.push(b'\\');
        if self.peek()? != Some(b'u') {
            // Another escape after half of a pair: it is kept as it is written.
            let kind = self.peek()?.unwrap_or_default();
            if !matches!(kind, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
                return Err(self.wrong(format!("\\{} is no escape of JSON", char::from(kind))));
            }
            self.next()?;
            written.push(kind);
            return Ok(false);
        }
        let second = self.unit(written)?;
        if !(0xDC00..0xE000).contains(&second) {
            return Ok(false);
        }
        let c = char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        c.map(push);
        Ok(c.is_some())
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

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}
