//! Numbers as arrays have them, and as tables and people do.

use zarrange_array::Elements;
use zarrange_codec::Kind;

/// Up to here floats have all whole numbers.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What numbers the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Float16,
    Float32,
    Float64,
    Integer { bytes: usize, signed: bool },
    Bool,
}

impl Number {
    /// Those of an array; `None` if its elements are no numbers, or of a kind that is not read here.
    pub(crate) fn of(elements: &Elements) -> Option<Self> {
        let bytes = elements.item_bytes();
        match (elements.element.kind(), bytes) {
            (Kind::Float, 2) => Some(Self::Float16),
            (Kind::Float, 4) => Some(Self::Float32),
            (Kind::Float, 8) => Some(Self::Float64),
            (&Kind::Integer { signed }, _) => Some(Self::Integer { bytes, signed }),
            (Kind::Bool, _) => Some(Self::Bool),
            (
                Kind::Float
                | Kind::Complex
                | Kind::Time
                | Kind::Utf32
                | Kind::NullTerminated
                | Kind::Raw
                | Kind::Struct(_)
                | Kind::Other,
                _,
            ) => None,
        }
    }

    /// Writes a value to `out`; whether it can be held.
    pub(crate) fn encode(self, value: f64, out: &mut [u8]) -> bool {
        match self {
            Self::Float16 => false,
            Self::Float32 => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the nearest number, and what is too large is found out"
                )]
                let narrow = value as f32;
                out.copy_from_slice(&narrow.to_ne_bytes());
                narrow.is_finite() || !value.is_finite()
            }
            Self::Float64 => {
                out.copy_from_slice(&value.to_ne_bytes());
                true
            }
            Self::Bool => {
                out[0] = u8::from(value > 0.0);
                [0.0_f64, 1.0].iter().any(|truth| truth.to_bits() == value.to_bits())
            }
            Self::Integer { bytes, signed } => {
                let bits = 8 * u32::try_from(bytes).unwrap_or(8) - u32::from(signed);
                let (low, high) = (
                    if signed { -(2_f64.powi(bits.cast_signed())) } else { 0.0 },
                    2_f64.powi(bits.cast_signed()),
                );
                if value.fract() != 0.0 || value < low || value >= high || value.abs() >= WHOLE_MAX {
                    return false;
                }
                #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
                let whole = (value as i64).to_le_bytes();
                out.copy_from_slice(&whole[..bytes]);
                if cfg!(target_endian = "big") {
                    out.reverse();
                }
                true
            }
        }
    }

    /// The same of a whole number, of which floats have not all beyond 2^53.
    pub(crate) fn encode_whole(self, value: i64, out: &mut [u8]) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "within 2^53 it is the same")]
        let float = value as f64;
        match self {
            Self::Integer { bytes: 8, signed } if signed || value >= 0 => {
                out.copy_from_slice(&value.to_ne_bytes());
                true
            }
            Self::Float16 | Self::Float32 | Self::Float64 | Self::Integer { .. } | Self::Bool => {
                float.abs() < WHOLE_MAX && self.encode(float, out)
            }
        }
    }

    /// Whether two elements are the same value; zero is one, with either sign.
    pub(crate) fn same(self, a: &[u8], b: &[u8]) -> bool {
        let float = |bytes: &[u8]| match self {
            Self::Float32 => bytes.try_into().ok().map(|bytes| f64::from(f32::from_ne_bytes(bytes))),
            Self::Float64 => bytes.try_into().ok().map(f64::from_ne_bytes),
            Self::Float16 | Self::Integer { .. } | Self::Bool => None,
        };
        let zero = |bytes: &[u8]| float(bytes) == Some(0.0);
        a == b || (zero(a) && zero(b))
    }

    /// The value of an element, for people.
    pub(crate) fn text(self, element: &[u8]) -> String {
        match self {
            Self::Float16 => format!("{element:?}"),
            Self::Float32 => element.try_into().map_or(f32::NAN, f32::from_ne_bytes).to_string(),
            Self::Float64 => element.try_into().map_or(f64::NAN, f64::from_ne_bytes).to_string(),
            Self::Bool => (element != [0]).to_string(),
            Self::Integer { bytes, signed } => {
                let mut wide = [0; 8];
                wide[..bytes].copy_from_slice(element);
                if cfg!(target_endian = "big") {
                    wide[..bytes].reverse();
                }
                let negative = signed && wide[bytes - 1] >= 0x80;
                wide[bytes..].fill(if negative { 0xff } else { 0 });
                if signed {
                    i64::from_le_bytes(wide).to_string()
                } else {
                    u64::from_le_bytes(wide).to_string()
                }
            }
        }
    }
}

/// How an element, in native byte order, is a number; `None` if it is none.
pub(crate) fn number_of(elements: &Elements) -> Option<fn(&[u8]) -> f64> {
    macro_rules! number {
        ($type:ty, $of:expr) => {
            |value| value.try_into().map_or(f64::NAN, |bytes| $of(<$type>::from_ne_bytes(bytes)))
        };
    }
    Some(match Number::of(elements)? {
        Number::Float16 => number!(u16, half),
        Number::Float32 => number!(f32, f64::from),
        Number::Float64 => number!(f64, f64::from),
        Number::Bool => number!(u8, f64::from),
        Number::Integer { bytes, signed } => match (bytes, signed) {
            (1, true) => number!(i8, f64::from),
            (2, true) => number!(i16, f64::from),
            (4, true) => number!(i32, f64::from),
            (8, true) => number!(i64, nearest),
            (1, false) => number!(u8, f64::from),
            (2, false) => number!(u16, f64::from),
            (4, false) => number!(u32, f64::from),
            (8, false) => number!(u64, nearest_unsigned),
            _ => return None,
        },
    })
}

/// A float of 16 bits: a sign, five bits of the exponent, and ten of what is behind the point.
fn half(bits: u16) -> f64 {
    let (exponent, rest) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff) / 1024.0);
    let size = match exponent {
        0 => rest * 2_f64.powi(-14),
        0x1f if rest > 0.0 => f64::NAN,
        0x1f => f64::INFINITY,
        _ => (1.0 + rest) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is the nearest number")]
fn nearest(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is the nearest number")]
fn nearest_unsigned(value: u64) -> f64 {
    value as f64
}
