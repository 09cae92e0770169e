//! The numbers that numpy computes with: promotion and rounding.

use std::fmt;

use crate::NumpyType;
use crate::numpy::Order;

/// A type of numbers, whatever the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Bool,
    Int {
        bytes: usize,
        signed: bool,
    },
    Float {
        bytes: usize,
    },
    /// Of both parts together.
    Complex {
        bytes: usize,
    },
}

/// Integers that numpy uses where none is given.
pub(crate) const DEFAULT_INT: Number = Number::Int { bytes: 8, signed: true };
pub(crate) const DEFAULT_FLOAT: Number = Number::Float { bytes: 8 };

impl Number {
    /// The numbers of a type; `None` if it has none. Times are none: they have units and a value for "not a time".
    pub(crate) fn of(kind: &NumpyType) -> Option<Self> {
        let bytes = kind.bytes;
        match kind.kind {
            b'b' => Some(Self::Bool),
            b'i' => Some(Self::Int { bytes, signed: true }),
            b'u' => Some(Self::Int { bytes, signed: false }),
            b'f' => Some(Self::Float { bytes }),
            b'c' => Some(Self::Complex { bytes }),
            _ => None,
        }
    }

    /// As elements of an array in memory.
    pub(crate) fn elements(self) -> NumpyType {
        let kind = match self {
            Self::Bool => b'b',
            Self::Int { signed: true, .. } => b'i',
            Self::Int { .. } => b'u',
            Self::Float { .. } => b'f',
            Self::Complex { .. } => b'c',
        };
        NumpyType::new(kind, self.bytes(), Order::NATIVE)
    }

    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Int { bytes, .. } | Self::Float { bytes } | Self::Complex { bytes } => bytes,
        }
    }

    /// Reals that it consists of.
    pub(crate) const fn parts(self) -> usize {
        if matches!(self, Self::Complex { .. }) { 2 } else { 1 }
    }

    /// The type of its parts.
    pub(crate) const fn part(self) -> Self {
        match self {
            Self::Complex { bytes } => Self::Float { bytes: bytes / 2 },
            real => real,
        }
    }

    pub(crate) const fn is_integer(self) -> bool {
        matches!(self, Self::Bool | Self::Int { .. })
    }

    /// Whether it holds every value of `other`. Floats of eight bytes do not hold all integers of eight.
    pub(crate) fn holds(self, other: Self) -> bool {
        other.promoted(self) == self && (other.bytes() < 8 || !other.is_integer() || self.is_integer())
    }

    /// The type that holds the values of both (`numpy.result_type`).
    pub(crate) fn promoted(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bool, number) | (number, Self::Bool) => number,
            (Self::Int { bytes: a, signed: x }, Self::Int { bytes: b, signed: y }) => {
                if x == y {
                    return Self::Int { bytes: a.max(b), signed: x };
                }
                let (signed, unsigned) = if x { (a, b) } else { (b, a) };
                match (signed.max(2 * unsigned), unsigned) {
                    (_, 8) => DEFAULT_FLOAT,
                    (bytes, _) => Self::Int { bytes, signed: true },
                }
            }
            (Self::Int { bytes, .. }, Self::Float { bytes: float })
            | (Self::Float { bytes: float }, Self::Int { bytes, .. }) => {
                let exact = if bytes < 4 { 2 * bytes } else { 8 };
                Self::Float { bytes: float.max(exact) }
            }
            (Self::Float { bytes: a }, Self::Float { bytes: b }) => Self::Float { bytes: a.max(b) },
            (Self::Complex { bytes: a }, Self::Complex { bytes: b }) => Self::Complex { bytes: a.max(b) },
            (Self::Complex { bytes }, real) | (real, Self::Complex { bytes }) => {
                let part = Self::Float { bytes: bytes / 2 }.promoted(real);
                Self::Complex { bytes: 2 * part.bytes() }
            }
        }
    }
}

/// The name in Zarr v3.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = 8 * self.bytes();
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int { signed: true, .. } => write!(f, "int{bits}"),
            Self::Int { .. } => write!(f, "uint{bits}"),
            Self::Float { .. } => write!(f, "float{bits}"),
            Self::Complex { .. } => write!(f, "complex{bits}"),
        }
    }
}

/// The lowest bytes of `value`, as a number of so many: what is too large wraps around.
pub(crate) const fn wrapped(value: i64, bytes: usize, signed: bool) -> i64 {
    let shift = match bytes {
        1 => 56,
        2 => 48,
        4 => 32,
        _ => 0,
    };
    if signed { (value << shift) >> shift } else { ((value.cast_unsigned() << shift) >> shift).cast_signed() }
}

/// Towards zero, to the lowest bytes of an integer, as C compilers do it for numpy on x86-64: what does not fit (which C leaves
/// undefined) gives the conversion's lowest number, cut to size. For 4 unsigned bytes numpy gives that only for the last few elements
/// of an array; this is what it gives for those before.
pub(crate) fn truncated(value: f64, bytes: usize, signed: bool) -> i64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    let whole = match (bytes, signed) {
        (1 | 2, _) | (4, true) => {
            let fits = value > f64::from(i32::MIN) - 1.0 && value < f64::from(i32::MAX) + 1.0;
            if fits { to_int(value) } else { i64::from(i32::MIN) }
        }
        (4, false) if value >= -f64::from(i32::MIN) => {
            truncated(value + f64::from(i32::MIN), 4, true) ^ i64::from(i32::MIN)
        }
        (4, false) => truncated(value, 4, true),
        (8, false) if value >= HALF => int_or_lowest(value - HALF) ^ i64::MIN,
        _ => int_or_lowest(value),
    };
    wrapped(whole, bytes, signed)
}

fn int_or_lowest(value: f64) -> i64 {
    if value.abs() < 9_223_372_036_854_775_808.0 { to_int(value) } else { i64::MIN }
}

#[expect(clippy::cast_possible_truncation, reason = "truncation is what is asked for, and the value fits")]
const fn to_int(value: f64) -> i64 {
    value as i64
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest, as numpy does")]
pub(crate) const fn to_single(value: f64) -> f32 {
    value as f32
}

/// The nearest integer value as a float, half to even.
#[expect(clippy::cast_precision_loss, reason = "rounds to the nearest, as numpy does")]
pub(crate) const fn int_to_double(value: i64, signed: bool) -> f64 {
    if signed { value as f64 } else { value.cast_unsigned() as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "rounds to the nearest, as numpy does")]
pub(crate) const fn int_to_single(value: i64, signed: bool) -> f32 {
    if signed { value as f32 } else { value.cast_unsigned() as f32 }
}

/// Bits of the nearest number of two bytes, half to even; in one rounding, which conversions through four bytes are not.
#[expect(clippy::cast_possible_truncation, reason = "what is left has 16 bits")]
pub(crate) fn half_bits(value: f64) -> u16 {
    /// From the first of these on, numbers round to infinity; below the second they have fewer bits.
    const INFINITE: f64 = 65520.0;
    const NORMAL: f64 = 6.103_515_625e-5;
    /// Bits of a double's fraction that a half has no room for, and how much its exponents are smaller.
    const CUT: u32 = 42;
    const BIAS: u64 = (1023 - 15) << 10;
    let bits = value.to_bits();
    let (sign, size) = ((bits >> 48) as u16 & 0x8000, value.abs());
    let magnitude = if size.is_nan() {
        // Its payload, as far as there is room; none would be infinity.
        0x7C00 | ((bits >> CUT) as u16 & 0x03FF).max(1)
    } else if size >= INFINITE {
        0x7C00
    } else if size < NORMAL {
        to_int((size * f64::from(1 << 24)).round_ties_even()).cast_unsigned() as u16
    } else {
        let bits = size.to_bits();
        let to_even = (1 << (CUT - 1)) - 1 + (bits >> CUT & 1);
        (((bits + to_even) >> CUT) - BIAS) as u16
    };
    sign | magnitude
}

pub(crate) fn half_to_single(bits: u16) -> f32 {
    half::f16::from_bits(bits).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_once() {
        let check = |value: f64, expected: f64| {
            assert_eq!(f64::from(half_to_single(half_bits(value))).to_bits(), expected.to_bits(), "{value}");
        };
        check(1.000_488_281_250_000_2, 1.000_976_562_5);
        check(1.000_488_281_25, 1.0);
        check(65_519.999, 65_504.0);
        check(65_520.0, f64::INFINITY);
        check(-1e300, f64::NEG_INFINITY);
        check(2f64.powi(-25), 0.0);
        check(-2f64.powi(-25), -0.0);
        check(2f64.powi(-25) * 1.000_000_1, 2f64.powi(-24));
        check(2f64.powi(-14) * 0.9999, 2f64.powi(-14));
        assert!(half_to_single(half_bits(f64::NAN)).is_nan());
        for bits in 0..=u16::MAX {
            let value = f64::from(half_to_single(bits));
            assert!(value.is_nan() || half_bits(value) == bits, "{bits:04x}");
        }
    }

    /// `numpy.result_type`, where it surprises.
    #[test]
    fn promotion_is_numpys() {
        let number = |name: &str| Number::of(&NumpyType::parse(name).unwrap()).unwrap();
        let check = |a: &str, b: &str, expected: &str| {
            assert_eq!(number(a).promoted(number(b)), number(expected), "{a} {b}");
            assert_eq!(number(b).promoted(number(a)), number(expected), "{b} {a}");
        };
        check("u8", "i1", "f8");
        check("u4", "i8", "i8");
        check("u4", "i4", "i8");
        check("u1", "i1", "i2");
        check("u1", "i4", "i4");
        check("f2", "i1", "f2");
        check("f2", "u2", "f4");
        check("f4", "u2", "f4");
        check("f4", "i4", "f8");
        check("c8", "f2", "c8");
        check("c8", "i4", "c16");
        check("c8", "u1", "c8");
        check("?", "f2", "f2");
        check("?", "?", "?");
    }
}
