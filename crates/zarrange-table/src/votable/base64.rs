//! The bytes of a STREAM, decoded as they are asked for.

use base64::DecodeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::xml::Xml;
use crate::error::TableError;

/// Bytes that are written as base64, between tags.
#[derive(Default)]
pub(super) struct Base64 {
    /// Letters that are not decoded yet: less than four, but while it reads.
    letters: Vec<u8>,
    /// Bytes that are decoded, and how many of them were taken.
    bytes: Vec<u8>,
    taken: usize,
    /// The letters ended in padding: none may follow.
    padded: bool,
    state: State,
}

/// Whether there is more than is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    More,
    Complete,
    /// What comes is no base64.
    Broken,
}

impl Base64 {
    /// Whether there are no more bytes.
    pub(super) fn is_at_end(&mut self, xml: &mut Xml) -> Result<bool, TableError> {
        Ok(!self.has(xml, 1)? && self.state == State::Complete)
    }

    /// The next `bytes` bytes, of what is called `what`.
    pub(super) fn take(&mut self, xml: &mut Xml, bytes: usize, what: &str) -> Result<&[u8], TableError> {
        if !self.has(xml, bytes)? {
            return Err(self.failed(xml, what));
        }
        self.taken += bytes;
        Ok(&self.bytes[self.taken - bytes..self.taken])
    }

    /// Passes over the next `bytes` bytes.
    pub(super) fn skip(&mut self, xml: &mut Xml, mut bytes: u64, what: &str) -> Result<(), TableError> {
        loop {
            let left = self.bytes.len() - self.taken;
            let skipped = usize::try_from(bytes).map_or(left, |bytes| bytes.min(left));
            self.taken += skipped;
            bytes -= skipped as u64;
            if bytes == 0 {
                return Ok(());
            }
            if !self.has(xml, 1)? {
                return Err(self.failed(xml, what));
            }
        }
    }

    fn failed(&self, xml: &Xml, what: &str) -> TableError {
        xml.failed(match self.state {
            State::Broken => format!("what should be base64 is none, in {what}"),
            State::More | State::Complete => format!("its STREAM ends within {what}"),
        })
    }

    /// Whether there are so many bytes more, which are decoded then.
    fn has(&mut self, xml: &mut Xml, bytes: usize) -> Result<bool, TableError> {
        while self.bytes.len() - self.taken < bytes {
            if self.state != State::More {
                return Ok(false);
            }
            if self.taken > 0 {
                self.bytes.drain(..self.taken);
                self.taken = 0;
            }
            let letters = &mut self.letters;
            let more = xml
                .text_bytes(|text| letters.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace())))?;
            if !more {
                self.state = State::Complete;
            }
            self.decode();
        }
        Ok(true)
    }

    /// Decodes the letters that make whole bytes.
    fn decode(&mut self) {
        let beyond = if self.state == State::More { self.letters.len() % 4 } else { 0 };
        let letters = &self.letters[..self.letters.len() - beyond];
        if letters.is_empty() {
            return;
        }
        let before = self.bytes.len();
        let good = if self.padded {
            0
        } else {
            match STANDARD.decode_vec(letters, &mut self.bytes) {
                Ok(()) => letters.len(),
                Err(DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _)) => at - at % 4,
                Err(DecodeError::InvalidLength(_) | DecodeError::InvalidPadding) => {
                    letters.len().saturating_sub(1) / 4 * 4
                }
            }
        };
        if good < letters.len() {
            // What comes before can be read, so that the row that cannot is named.
            self.state = State::Broken;
            self.bytes.truncate(before);
            let decoded = STANDARD.decode_vec(&letters[..good], &mut self.bytes);
            if decoded.is_err() {
                self.bytes.truncate(before);
            }
        }
        self.padded = letters.ends_with(b"=");
        self.letters.drain(..self.letters.len() - beyond);
    }
}
