//! Elements as people read them.

use super::{ElementType, Kind};

impl ElementType {
    /// An element, in native byte order, for people: a number or text where the type is one, else its bytes.
    pub fn format(&self, value: &[u8]) -> String {
        match &self.kind {
            Kind::Bool => (value != [0]).to_string(),
            Kind::Integer { signed } => integer(value, *signed).unwrap_or_else(|| hex(value)),
            Kind::Float => float(value).unwrap_or_else(|| hex(value)),
            Kind::Complex => {
                let (re, im) = value.split_at(self.bytes / 2);
                let part = |half: &[u8]| float(half).unwrap_or_else(|| hex(half));
                format!("({}, {})", part(re), part(im))
            }
            Kind::Time => match value.try_into().map(i64::from_ne_bytes) {
                Ok(i64::MIN) => "NaT".to_owned(),
                Ok(count) => count.to_string(),
                Err(_) => hex(value),
            },
            Kind::Utf32 | Kind::NullTerminated => {
                self.text(value).map_or_else(|| hex(value), |text| format!("{text:?}"))
            }
            Kind::Struct(fields) => {
                let field = |f: &super::Field| {
                    let value = &value[f.offset..f.offset + f.element.bytes()];
                    format!("{}: {}", f.name, f.element.format(value))
                };
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            Kind::Raw | Kind::Other => hex(value),
        }
    }

    /// An element, in native byte order, as a table would have it: text without quotes, a number, or a point in time; `None` if it is none
    /// of these.
    pub fn text(&self, value: &[u8]) -> Option<String> {
        match &self.kind {
            Kind::Utf32 => utf32(value),
            Kind::NullTerminated => {
                let end = value.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
                std::str::from_utf8(&value[..end]).ok().map(str::to_owned)
            }
            Kind::Bool | Kind::Integer { .. } | Kind::Float => Some(self.format(value)),
            Kind::Time => self.iso(value),
            Kind::Complex | Kind::Raw | Kind::Struct(_) | Kind::Other => None,
        }
    }
}

fn hex(value: &[u8]) -> String {
    value.iter().fold("0x".to_owned(), |text, b| format!("{text}{b:02x}"))
}

/// The text of code points, without the zeros at its end.
fn utf32(value: &[u8]) -> Option<String> {
    let text: Option<String> =
        value.as_chunks::<4>().0.iter().map(|unit| char::from_u32(u32::from_ne_bytes(*unit))).collect();
    text.map(|text| text.trim_end_matches('\0').to_owned())
}

fn integer(value: &[u8], signed: bool) -> Option<String> {
    macro_rules! number {
        ($type:ty) => {
            value.try_into().ok().map(|bytes| <$type>::from_ne_bytes(bytes).to_string())
        };
    }
    match (value.len(), signed) {
        (1, true) => number!(i8),
        (2, true) => number!(i16),
        (4, true) => number!(i32),
        (8, true) => number!(i64),
        (1, false) => number!(u8),
        (2, false) => number!(u16),
        (4, false) => number!(u32),
        (8, false) => number!(u64),
        _ => None,
    }
}

/// A float as text; NaN without its payload, for it is one value to a reader.
fn float(value: &[u8]) -> Option<String> {
    let half = |bytes: [u8; 2]| half::f16::from_ne_bytes(bytes).to_string();
    match value.len() {
        2 => value.try_into().ok().map(half),
        4 => value.try_into().ok().map(|bytes| f32::from_ne_bytes(bytes).to_string()),
        8 => value.try_into().ok().map(|bytes| f64::from_ne_bytes(bytes).to_string()),
        _ => None,
    }
}
