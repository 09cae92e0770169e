//! Strings of JSON: their characters and escapes.

use std::io::Read;

use super::{JsonError, Out, Reader, TEXT_FORMS, make_room};
use crate::json::Json;
use crate::json::grammar::{shorten_escapes, unescape};

/// What there is of escapes in a string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    None,
    Some,
    /// Half of a surrogate pair, which has no meaning: it is kept as it is written.
    Odd,
}

impl<R: Read> Reader<R> {
    /// A string as a tree has it.
    pub(super) fn string(&mut self) -> Result<Json, JsonError> {
        let mut written = Vec::new();
        let escapes = self.written(&mut written)?;
        self.grow(written.len().saturating_mul(TEXT_FORMS))?;
        let text = String::from_utf8(written).map_err(|_| self.wrong("a string is not UTF-8".to_owned()))?;
        let inner = &text[1..text.len() - 1];
        Ok(match escapes {
            Escapes::Odd => Json::Surrogates(text.into()),
            Escapes::None => Json::String(inner.to_owned()),
            Escapes::Some => Json::String(unescape(inner).unwrap_or_default()),
        })
    }

    /// A string as text has it: the characters that it means, and escapes only where they are needed.
    pub(super) fn pass_string(&mut self, out: &mut Out) -> Result<Escapes, JsonError> {
        let begin = out.text.len();
        let escapes = self.written(&mut out.text)?;
        if self.skipping {
            out.text.truncate(begin);
            return Ok(escapes);
        }
        if std::str::from_utf8(&out.text[begin..]).is_err() {
            return Err(self.wrong("a string is not UTF-8".to_owned()));
        }
        if escapes == Escapes::Some {
            shorten_escapes(&mut out.text, begin);
        }
        Ok(escapes)
    }

    /// Appends a string as it is written, quotes included.
    pub(super) fn written(&mut self, out: &mut Vec<u8>) -> Result<Escapes, JsonError> {
        let (mut escapes, begin) = (Escapes::None, out.len());
        self.next()?;
        out.push(b'"');
        loop {
            let Some(byte) = self.peek()? else {
                return Err(self.wrong("the document ends within a string".to_owned()));
            };
            match byte {
                b'"' => break,
                b'\\' => {
                    let means = self.escape(out)?;
                    escapes = if means && escapes != Escapes::Odd { Escapes::Some } else { Escapes::Odd };
                }
                0..0x20 => {
                    let detail = format!("a control character stands in a string: write \\u{byte:04x}");
                    return Err(self.wrong(detail));
                }
                _ => self.characters(out)?,
            }
            if self.skipping {
                out.truncate(begin);
            }
        }
        self.next()?;
        out.push(b'"');
        Ok(escapes)
    }

    /// Appends what stands before the next quote, escape, or end of the buffer.
    pub(super) fn characters(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let rest = &self.buffer[self.at..self.end];
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let bytes = rest.iter().position(ends).unwrap_or(rest.len());
        make_room(out);
        out.extend_from_slice(&rest[..bytes]);
        self.at += bytes;
        self.column += bytes as u64;
        self.count(bytes as u64)
    }

    /// Appends an escape; whether it means a character.
    pub(super) fn escape(&mut self, written: &mut Vec<u8>) -> Result<bool, JsonError> {
        self.next()?;
        written.push(b'\\');
        let kind = self.peek()?.unwrap_or_default();
        match kind {
            b'u' => {
                let first = self.unit(written)?;
                self.pair(first, written)
            }
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.next()?;
                written.push(kind);
                Ok(true)
            }
            other => Err(self.wrong(format!("\\{} is no escape of JSON", char::from(other)))),
        }
    }

    /// Four digits after `u`.
    pub(super) fn unit(&mut self, written: &mut Vec<u8>) -> Result<u32, JsonError> {
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

    /// Appends the second half of a surrogate pair, where `first` is one; whether it means a character.
    pub(super) fn pair(&mut self, first: u32, written: &mut Vec<u8>) -> Result<bool, JsonError> {
        if char::from_u32(first).is_some() {
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
        Ok((0xDC00..0xE000).contains(&second))
    }
}
