//! Strings with their escapes, and numbers.

use std::fmt;

/// The character of the escape that `text` begins with, and its bytes.
fn escaped(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let short = |c: char| Some((c, 2));
    match text.as_bytes().get(1)? {
        b'b' => short('\u{8}'),
        b'f' => short('\u{c}'),
        b'n' => short('\n'),
        b'r' => short('\r'),
        b't' => short('\t'),
        b'u' => {
            let first = unit(2)?;
            match char::from_u32(first) {
                Some(c) => Some((c, 6)),
                None if first < 0xDC00 && text.get(6..8)? == "\\u" => {
                    let second = unit(8)?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                    Some((char::from_u32(0x10000 + ((first - 0xD800) << 10) + second)?, 12))
                }
                None => None,
            }
        }
        other => short(char::from(*other)),
    }
}

/// Writes a string, with quotes.
pub(super) fn write_string(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    text.chars().try_for_each(|c| write_character(c, out))?;
    out.write_char('"')
}

/// Writes a character of a string.
fn write_character(c: char, out: &mut impl fmt::Write) -> fmt::Result {
    match c {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control)),
        other => out.write_char(other),
    }
}

/// What the inside of a string means; `None` if it has half of a surrogate pair.
pub(super) fn unescape(inner: &str) -> Option<String> {
    let (mut text, mut rest) = (String::with_capacity(inner.len()), inner);
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (c, bytes) = escaped(&rest[at..])?;
        text.push(c);
        rest = &rest[at + bytes..];
    }
    text.push_str(rest);
    Some(text)
}

/// Replaces escapes of the string that begins at `begin` by what is written here for their characters, which is never longer.
pub(super) fn shorten_escapes(text: &mut Vec<u8>, begin: usize) {
    let (mut from, mut to) = (begin, begin);
    while from < text.len() {
        if text[from] != b'\\' {
            text[to] = text[from];
            (from, to) = (from + 1, to + 1);
            continue;
        }
        // No escape is longer than this, a pair of surrogates.
        let end = text[from..].iter().take(12).position(|b| !b.is_ascii()).map_or(text.len(), |n| from + n);
        let escape = std::str::from_utf8(&text[from..end.min(from + 12)]).unwrap_or_default();
        let Some((c, bytes)) = escaped(escape) else { return };
        let mut short = String::new();
        // Writing to a String does not fail.
        let _ = write_character(c, &mut short);
        text[to..to + short.len()].copy_from_slice(short.as_bytes());
        (from, to) = (from + bytes, to + short.len());
    }
    text.truncate(to);
}

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`
pub(super) fn is_number(text: &str) -> bool {
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
