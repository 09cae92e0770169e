//! Strings of JSON: their characters and escapes.

use std::io::Read;

use super::source::{JsonError, Source};

/// What there is of escapes in a string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    None,
    Some,
    /// Half of a surrogate pair, which has no meaning: it is kept as it is written.
    Odd,
}

impl<R: Read> Source<R> {
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
    fn characters(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        self.take_until(|byte| matches!(byte, b'"' | b'\\' | 0..0x20), out)
    }

    /// Appends an escape; whether it means a character.
    fn escape(&mut self, written: &mut Vec<u8>) -> Result<bool, JsonError> {
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

    /// Appends the second half of a surrogate pair, where `first` is one; whether it means a character.
    fn pair(&mut self, first: u32, written: &mut Vec<u8>) -> Result<bool, JsonError> {
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
