//! The bytes of a document, one after the other, and where they stand.

use std::io::{self, Read};

use zarrange_io::METADATA_BYTES_MAX;

use crate::json::grammar::{is_number, is_word};

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

/// What is read.
pub(super) struct Source<R> {
    bytes: R,
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
    pub(super) skipping: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(source: R) -> Result<Self, JsonError> {
        let buffer = vec![0; BUFFER_BYTES];
        let (line, column) = (1, 1);
        let mut reader =
            Self { bytes: source, buffer, at: 0, end: 0, line, column, kept: 0, skipping: false };
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
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        match self.token()? {
            None => Ok(()),
            Some(found) => Err(self.wrong(format!("found {found:?} after the end of the value"))),
        }
    }

    pub(super) fn peek(&mut self) -> Result<Option<u8>, JsonError> {
        if self.at == self.end {
            (self.at, self.end) = (0, self.bytes.read(&mut self.buffer)?);
        }
        Ok(self.buffer[..self.end].get(self.at).copied())
    }

    pub(super) fn next(&mut self) -> Result<Option<u8>, JsonError> {
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

    pub(super) fn wrong(&self, detail: String) -> JsonError {
        JsonError::Syntax { line: self.line, column: self.column, detail }
    }

    /// The first byte that is no white space.
    pub(super) fn visible(&mut self) -> Result<Option<u8>, JsonError> {
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

    pub(super) fn expected<T>(&mut self, what: &str) -> Result<T, JsonError> {
        let detail = match self.token()? {
            Some(found) => format!("found {found:?} where {what} is expected"),
            None => format!("the document ends where {what} is expected"),
        };
        Err(self.wrong(detail))
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), JsonError> {
        let (line, column) = (self.line, self.column);
        let found = self.token()?.unwrap_or_default();
        if found == word {
            self.column += found.len() as u64;
            return Ok(());
        }
        (self.line, self.column) = (line, column);
        Err(self.wrong(format!("found {found:?} where a value is expected")))
    }

    /// Appends a number as it is written.
    pub(super) fn number(&mut self, text: &mut Vec<u8>) -> Result<(), JsonError> {
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

    /// Appends what stands before the next byte that `ends`, or the end of the buffer.
    pub(super) fn take_until(
        &mut self,
        ends: impl Fn(&u8) -> bool,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        let rest = &self.buffer[self.at..self.end];
        let bytes = rest.iter().position(ends).unwrap_or(rest.len());
        make_room(out);
        out.extend_from_slice(&rest[..bytes]);
        self.at += bytes;
        self.column += bytes as u64;
        self.count(bytes as u64)
    }
}

/// Makes room for all that can follow at once: it is no memory before it is written, and copying what is there to ever larger places is.
pub(super) fn make_room(text: &mut Vec<u8>) {
    const LARGE: usize = 1 << 20;
    let all = 2 * BUFFER_BYTES + usize::try_from(METADATA_BYTES_MAX).unwrap_or(usize::MAX / 2);
    if text.len() > LARGE && text.capacity() < all {
        text.reserve_exact(all - text.len());
    }
}
