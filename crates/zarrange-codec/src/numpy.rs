//! numpy's names of data types, as Zarr v2 and the codecs of numcodecs write them.

use std::fmt;

use crate::ElementType;

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
    /// There is none: numbers of one byte, and bytes that are no numbers.
    None,
}

/// A data type of numpy. Its `Display` is the name that numpy gives it (`dtype.str`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumpyType {
    /// One of `b`, `i`, `u`, `f`, `c` (numbers), `M`, `m` (times), `S`, `U` (text), `V` (bytes) and `O` (objects).
    pub kind: u8,
    /// Of each number; for complex ones of each part, for `U` of each character.
    pub order: Order,
    /// Bytes of an element; 8 for an object, which has no bytes of its own.
    pub bytes: usize,
    /// What a time counts, and how many of them together; `None` for other kinds and times without a unit.
    pub unit: Option<(u32, String)>,
}

/// More than any real type has.
const BYTES_MAX: usize = 1 << 20;

/// Bytes of a character of a `U` type.
const CHARACTER_BYTES: usize = 4;

const UNITS: [&str; 14] = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as"];

/// Names without a byte order, as `str(dtype)` gives them, and their kinds and sizes.
const NAMES: [(&str, u8, usize); 15] = [
    ("?", b'b', 1),
    ("bool", b'b', 1),
    ("int8", b'i', 1),
    ("int16", b'i', 2),
    ("int32", b'i', 4),
    ("int64", b'i', 8),
    ("uint8", b'u', 1),
    ("uint16", b'u', 2),
    ("uint32", b'u', 4),
    ("uint64", b'u', 8),
    ("float16", b'f', 2),
    ("float32", b'f', 4),
    ("float64", b'f', 8),
    ("complex64", b'c', 8),
    ("complex128", b'c', 16),
];

impl Order {
    /// The order of this machine.
    pub(crate) const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

impl NumpyType {
    /// The type with this name: `<i4`, `i4`, `int32`, `<M8[25s]`, `datetime64[ns]`, `|S5`, `<U3`, `|O`; `None` if numpy knows none, or
    /// it has more than 1 MiB.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some((_, kind, bytes)) = NAMES.iter().find(|(full, ..)| *full == name) {
            return Some(Self::new(*kind, *bytes, Order::NATIVE));
        }
        if name == "object" {
            return Some(Self::new(b'O', 8, Order::None));
        }
        for (long, kind) in [("datetime64", b'M'), ("timedelta64", b'm')] {
            if let Some(unit) = name.strip_prefix(long) {
                return Self::new(kind, 8, Order::NATIVE).with_unit(unit);
            }
        }
        let (order, code) = match name.as_bytes().first()? {
            b'<' => (Order::Little, &name[1..]),
            b'>' => (Order::Big, &name[1..]),
            b'=' | b'|' => (Order::NATIVE, &name[1..]),
            _ => (Order::NATIVE, name),
        };
        Self::from_code(code, order)
    }

    /// The type of a code without its order, as `i4`.
    fn from_code(code: &str, order: Order) -> Option<Self> {
        let kind = *code.as_bytes().first()?;
        let rest = code.get(1..)?;
        if kind == b'M' || kind == b'm' {
            return Self::new(kind, 8, order).with_unit(rest.strip_prefix('8')?);
        }
        if kind == b'O' {
            return matches!(rest, "" | "8").then(|| Self::new(kind, 8, Order::None));
        }
        if !rest.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let count: usize = rest.parse().ok()?;
        let bytes = if kind == b'U' { count.checked_mul(CHARACTER_BYTES)? } else { count };
        let exists = match kind {
            b'b' => bytes == 1,
            b'i' | b'u' => matches!(bytes, 1 | 2 | 4 | 8),
            b'f' => matches!(bytes, 2 | 4 | 8),
            b'c' => matches!(bytes, 8 | 16),
            b'S' | b'U' | b'V' => bytes <= BYTES_MAX,
            _ => false,
        };
        exists.then(|| Self::new(kind, bytes, order))
    }

    /// A type without a unit; what has no byte order gets none.
    pub(crate) fn new(kind: u8, bytes: usize, order: Order) -> Self {
        let unordered = matches!(kind, b'b' | b'S' | b'V' | b'O') || bytes == 1;
        Self { kind, bytes, order: if unordered { Order::None } else { order }, unit: None }
    }

    /// That of bytes.
    pub(crate) fn byte() -> Self {
        Self::new(b'u', 1, Order::None)
    }

    /// The integer with these bytes, unless it is negative.
    pub(crate) fn natural(&self, bytes: &[u8]) -> Option<usize> {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        if self.order == Order::Big {
            word[..bytes.len()].reverse();
        }
        let negative = self.kind == b'i' && word[bytes.len() - 1] & 0x80 != 0;
        usize::try_from(u64::from_le_bytes(word)).ok().filter(|_| !negative)
    }

    /// With a unit in brackets, as `[ns]`, or none.
    fn with_unit(mut self, text: &str) -> Option<Self> {
        if text.is_empty() || text == "[generic]" {
            return Some(self);
        }
        let text = text.strip_prefix('[')?.strip_suffix(']')?;
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let count = if digits == 0 { 1 } else { count.parse().ok().filter(|n| (1..=1 << 31).contains(n))? };
        self.unit = UNITS.contains(&unit).then(|| (count, unit.to_owned()));
        self.unit.is_some().then_some(self)
    }

    /// The elements of an array in memory: in native byte order.
    pub(crate) fn of(element: &ElementType) -> Self {
        let bytes = element.bytes();
        if let Some((_, kind, _)) = NAMES.iter().find(|(full, ..)| *full == element.name()) {
            return Self::new(*kind, bytes, Order::NATIVE);
        }
        let kind = match element.name() {
            "numpy.datetime64" => b'M',
            "numpy.timedelta64" => b'm',
            "null_terminated_bytes" => b'S',
            "fixed_length_utf32" => b'U',
            _ => b'V',
        };
        Self::new(kind, bytes, Order::NATIVE)
    }

    /// Bytes that swap together with the byte order.
    pub const fn unit_bytes(&self) -> usize {
        match self.kind {
            _ if matches!(self.order, Order::None) => 1,
            b'c' => self.bytes / 2,
            b'U' => CHARACTER_BYTES,
            _ => self.bytes,
        }
    }

    /// In another byte order, if it has one.
    pub(crate) fn ordered(mut self, order: Order) -> Self {
        if self.order != Order::None {
            self.order = order;
        }
        self
    }

    /// Whether its bytes are not in the order of this machine.
    pub(crate) fn is_swapped(&self) -> bool {
        self.order != Order::None && self.order != Order::NATIVE
    }
}

impl fmt::Display for NumpyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            Order::Little => '<',
            Order::Big => '>',
            Order::None => '|',
        };
        write!(f, "{order}{}", char::from(self.kind))?;
        match self.kind {
            b'O' => {}
            b'U' => write!(f, "{}", self.bytes / CHARACTER_BYTES)?,
            _ => write!(f, "{}", self.bytes)?,
        }
        match &self.unit {
            Some((1, unit)) => write!(f, "[{unit}]"),
            Some((count, unit)) => write!(f, "[{count}{unit}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numpys() {
        let check = |name: &str, expected: Option<&str>| {
            let shown = NumpyType::parse(name).map(|kind| kind.to_string());
            assert_eq!(shown.as_deref(), expected, "{name}");
            // What numpy writes means itself.
            let again = shown.as_deref().map(|shown| NumpyType::parse(shown).unwrap().to_string());
            assert_eq!(again, shown, "{name}");
        };
        let native = if cfg!(target_endian = "big") { ">i4" } else { "<i4" };
        for name in ["=i4", "i4", "int32", "|i4"] {
            check(name, Some(native));
        }
        for name in
            ["|b1", "|u1", "|i1", "<f2", ">f8", "<c16", "<M8[ns]", ">m8[25s]", "<M8", "|S5", "<U3", "|V8"]
        {
            check(name, Some(name));
        }
        for (name, expected) in [
            ("bool", "|b1"),
            ("?", "|b1"),
            ("<u1", "|u1"),
            (">i1", "|i1"),
            (">S4", "|S4"),
            ("|O8", "|O"),
            ("object", "|O"),
            ("<M8[generic]", "<M8"),
            (">M8[1D]", ">M8[D]"),
            ("<U262144", "<U262144"),
        ] {
            check(name, Some(expected));
        }
        for name in [
            "",
            "<",
            "i3",
            "f16",
            "<M8[]",
            "<M8[0s]",
            "<M8[ns",
            "<M8[parsec]",
            "U",
            "S+1",
            "S-1",
            "<U262145",
            "|S1048577",
            "S99999999999999999999",
            "x4",
            "µ",
            "<µ4",
            "b2",
            "int32 ",
            "datetime64 [ns]",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn units_of_swapping_and_sizes() {
        let check = |name: &str, bytes: usize, unit: usize| {
            let kind = NumpyType::parse(name).unwrap();
            assert_eq!((kind.bytes, kind.unit_bytes()), (bytes, unit), "{name}");
        };
        check("<c16", 16, 8);
        check(">U3", 12, 4);
        check("<M8[25s]", 8, 8);
        check("|S5", 5, 1);
        check("bool", 1, 1);
        assert_eq!(NumpyType::parse(">M8[25s]").unwrap().unit, Some((25, "s".to_owned())));
    }
}
