//! Numbers as they are, whatever their type, and the nearest number of a type in some direction.

use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::steps::number::{Number, half_bits, half_to_single, to_single};

/// Any integer of up to 8 bytes, or any float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Exact {
    Int(i128),
    Float(f64),
}

/// Which neighbour a number becomes that its new type does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    NearestEven,
    TowardsZero,
    TowardsPositive,
    TowardsNegative,
    NearestAway,
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(x) if x.is_infinite() => f.write_str(if *x > 0.0 { "Infinity" } else { "-Infinity" }),
            Self::Float(x) => write!(f, "{x:?}"),
        }
    }
}

impl Exact {
    /// The number that a fill value of this type and form is: a number, text of one, `NaN`, `Infinity`, `-Infinity` or the bits of a
    /// float as `0x7fc00000`. Floats are the nearest that the type holds, integers one that it holds; `None` for anything else.
    pub(crate) fn parse(value: &Value, number: Number) -> Option<Self> {
        let Number::Int { bytes, signed } = number else {
            return float(value).map(|x| Self::Float(nearest(x, number.bytes())));
        };
        let whole = match value {
            Value::String(text) => text.trim().parse().ok()?,
            value => {
                let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                match whole {
                    Some(whole) => whole,
                    None => value.as_f64().filter(|x| x.fract() == 0.0).map(to_whole)?,
                }
            }
        };
        range(bytes, signed).contains(&whole).then_some(Self::Int(whole))
    }
}

fn float(value: &Value) -> Option<f64> {
    let Value::String(text) = value else { return value.as_f64() };
    let Some(digits) = text.strip_prefix("0x") else { return text.trim().parse().ok() };
    let bits = u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
    match digits.len() {
        4 => u16::try_from(bits).ok().map(|bits| half_to_single(bits).into()),
        8 => u32::try_from(bits).ok().map(|bits| f32::from_bits(bits).into()),
        16 => Some(f64::from_bits(bits)),
        _ => None,
    }
}

/// The nearest float of so many bytes, half to even; infinity where that is too large.
pub(crate) fn nearest(value: f64, bytes: usize) -> f64 {
    match bytes {
        2 => half_to_single(half_bits(value)).into(),
        4 => to_single(value).into(),
        _ => value,
    }
}

/// The integers of a type.
pub(crate) const fn range(bytes: usize, signed: bool) -> RangeInclusive<i128> {
    let values = 1i128 << (8 * bytes);
    if signed { -values / 2..=values / 2 - 1 } else { 0..=values - 1 }
}

/// Digits of a float of so many bytes in base two, and the exponent of its smallest number.
const fn format(bytes: usize) -> (i32, i32) {
    match bytes {
        2 => (11, -24),
        4 => (24, -149),
        _ => (53, -1074),
    }
}

/// The largest float of so many bytes.
pub(crate) const fn largest(bytes: usize) -> f64 {
    match bytes {
        2 => 65504.0,
        // Not `into`, which is not constant.
        4 => f32::MAX as f64,
        _ => f64::MAX,
    }
}

/// The whole part of a float, or the last integer on its side.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and no type of integers is that large")]
pub(crate) const fn to_whole(value: f64) -> i128 {
    value as i128
}

impl Rounding {
    /// The names in metadata.
    pub(crate) const NAMES: [&str; 5] =
        ["nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"];
    pub(crate) const ALL: [Self; 5] = [
        Self::NearestEven,
        Self::TowardsZero,
        Self::TowardsPositive,
        Self::TowardsNegative,
        Self::NearestAway,
    ];

    pub(crate) const fn whole(self, value: f64) -> f64 {
        match self {
            Self::NearestEven => value.round_ties_even(),
            Self::TowardsZero => value.trunc(),
            Self::TowardsPositive => value.ceil(),
            Self::TowardsNegative => value.floor(),
            Self::NearestAway => value.round(),
        }
    }

    /// The float with as many digits as one of so many bytes has, with no end to its exponents upwards: it may be more than
    /// [`largest`]. Not for NaN.
    #[expect(clippy::cast_precision_loss, reason = "what is left has no more digits than the float")]
    pub(crate) fn float(self, value: Exact, bytes: usize) -> f64 {
        let (negative, significand, exponent) = match value {
            Exact::Int(n) => (n < 0, u64::try_from(n.unsigned_abs()).unwrap_or(u64::MAX), 0),
            Exact::Float(x) if !x.is_finite() => return x,
            Exact::Float(x) => parts(x),
        };
        let (digits, smallest) = format(bytes);
        let used = u64::BITS.cast_signed() - significand.leading_zeros().cast_signed();
        let last = (exponent + used - digits).max(smallest);
        let Some(cut) = u32::try_from(last - exponent).ok().filter(|cut| *cut > 0) else {
            return match value {
                Exact::Int(n) => n as f64,
                Exact::Float(x) => x,
            };
        };
        let kept = significand.checked_shr(cut).unwrap_or(0);
        let rest = significand ^ kept.checked_shl(cut).unwrap_or(0);
        let half = 1u64.checked_shl(cut - 1).map_or(Ordering::Less, |half| rest.cmp(&half));
        let up = rest > 0
            && match self {
                Self::NearestEven => half.is_gt() || (half.is_eq() && kept % 2 == 1),
                Self::TowardsZero => false,
                Self::TowardsPositive => !negative,
                Self::TowardsNegative => negative,
                Self::NearestAway => half.is_ge(),
            };
        let size = (kept + u64::from(up)) as f64 * power(last);
        if negative { -size } else { size }
    }
}

/// Sign, significand and exponent of a finite float.
fn parts(value: f64) -> (bool, u64, i32) {
    const FRACTION_BITS: u32 = 52;
    let bits = value.abs().to_bits();
    let (exponent, fraction) = ((bits >> FRACTION_BITS) as i32, bits & ((1 << FRACTION_BITS) - 1));
    let significand = if exponent == 0 { fraction } else { fraction | 1 << FRACTION_BITS };
    (value.is_sign_negative(), significand, exponent.max(1) - 1075)
}

/// A power of two that is a normal float.
fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::from((1023 + exponent).cast_unsigned()) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rounding::{NearestAway, NearestEven, TowardsNegative, TowardsPositive, TowardsZero};

    /// What a conversion through floats of four bytes would get wrong.
    #[test]
    fn numbers_are_rounded_once() {
        let check = |value: Exact, bytes: usize, expected: [f64; 5]| {
            let rounded = Rounding::ALL.map(|rounding| rounding.float(value, bytes));
            assert_eq!(rounded.map(f64::to_bits), expected.map(f64::to_bits), "{value}: {rounded:?}");
        };
        assert_eq!(Rounding::ALL, [NearestEven, TowardsZero, TowardsPositive, TowardsNegative, NearestAway]);
        let up = 1.0 + 2f64.powi(-10);
        check(Exact::Float(1.0 + 2f64.powi(-11) + 2f64.powi(-40)), 2, [up, 1.0, up, 1.0, up]);
        check(Exact::Float(1.0 + 2f64.powi(-11)), 2, [1.0, 1.0, up, 1.0, up]);
        check(Exact::Float(-1.0 - 2f64.powi(-11)), 2, [-1.0, -1.0, -1.0, -up, -up]);
        let least = 2f64.powi(-24);
        check(Exact::Float(1e-300), 2, [0.0, 0.0, least, 0.0, 0.0]);
        check(Exact::Float(-1e-300), 2, [-0.0, -0.0, -0.0, -least, -0.0]);
        check(Exact::Float(least / 2.0), 2, [0.0, 0.0, least, 0.0, least]);
        check(Exact::Float(-0.0), 2, [-0.0; 5]);
        check(Exact::Float(65519.999), 2, [65504.0, 65504.0, 65536.0, 65504.0, 65504.0]);
        check(Exact::Float(f64::NEG_INFINITY), 2, [f64::NEG_INFINITY; 5]);
        check(Exact::Float(5e-324), 8, [5e-324; 5]);
        let (low, high) = (9_007_199_254_740_992.0, 9_007_199_254_740_994.0);
        check(Exact::Int((1 << 53) + 1), 8, [low, low, high, low, high]);
        let (low, high) = (18_446_744_073_709_549_568.0, 18_446_744_073_709_551_616.0);
        check(Exact::Int(u64::MAX.into()), 8, [high, low, high, low, high]);
        check(Exact::Int(0), 4, [0.0; 5]);
    }

    #[test]
    fn scalars_are_those_of_metadata() {
        let check = |text: &str, kind: &str, expected: Option<Exact>| {
            let number = Number::of(&crate::NumpyType::parse(kind).unwrap()).unwrap();
            let parsed = Exact::parse(&serde_json::from_str(text).unwrap(), number);
            assert_eq!(format!("{parsed:?}"), format!("{expected:?}"), "{text} {kind}");
        };
        let (int, float) = (|n| Some(Exact::Int(n)), |x| Some(Exact::Float(x)));
        check("5", "i1", int(5));
        check("5.0", "u1", int(5));
        check("\"-5\"", "i8", int(-5));
        check("18446744073709551615", "u8", int(u64::MAX.into()));
        check("0.1", "f4", float(0.1f32.into()));
        check("1e6", "f2", float(f64::INFINITY));
        check("\"NaN\"", "f2", float(f64::NAN));
        check("\"-Infinity\"", "f8", float(f64::NEG_INFINITY));
        check("\"0x3c00\"", "f8", float(1.0));
        check("\"0x3f800000\"", "f2", float(1.0));
        check("\"0x3ff0000000000000\"", "f4", float(1.0));
        check("\"2.5\"", "f4", float(2.5));
        for (text, kind) in [
            ("128", "i1"),
            ("-1", "u8"),
            ("1.5", "i4"),
            ("\"1.0\"", "i4"),
            ("\"NaN\"", "i4"),
            ("1e30", "u8"),
            ("true", "i4"),
            ("true", "f4"),
            ("null", "f4"),
            ("[1]", "f4"),
            ("\"0x3c0\"", "f4"),
            ("\"0x+123456\"", "f4"),
            ("\"0xé00\"", "f4"),
            ("\"\"", "f8"),
        ] {
            check(text, kind, None);
        }
    }
}
