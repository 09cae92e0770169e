//! The elements of an array: how many bytes, and which of them swap with the byte order.

use zarrs::array::DataType;
use zarrs::metadata::v3::MetadataV3;

use crate::CodecError;

/// A fixed-size data type.
#[derive(Clone, Debug)]
pub struct ElementType {
    pub(crate) zarrs: DataType,
    name: String,
    bytes: usize,
    /// Bytes that swap together with the byte order: the element, or the component of a complex number. `None` where
    /// the `bytes` codec of this type is not known here.
    swap: Option<usize>,
    float: bool,
}

impl ElementType {
    /// The type that `metadata` names.
    ///
    /// # Errors
    /// [`CodecError::DataType`] if its elements have no fixed size.
    pub fn new(metadata: &MetadataV3, zarrs: DataType) -> Result<Self, CodecError> {
        let name = metadata.name().to_owned();
        let unsupported = |detail| CodecError::DataType { name: name.clone(), detail };
        let bytes = zarrs.fixed_size().ok_or_else(|| unsupported("its elements have no fixed size"))?;
        if bytes == 0 {
            return Err(unsupported("its elements have no bytes"));
        }
        let swap = match name.as_str() {
            "bool" | "int8" | "uint8" | "raw_bytes" | "null_terminated_bytes" => Some(1),
            "int16" | "uint16" | "float16" | "bfloat16" | "int32" | "uint32" | "float32" | "int64"
            | "uint64" | "float64" | "numpy.datetime64" | "numpy.timedelta64" => Some(bytes),
            "complex64" | "complex128" => Some(bytes / 2),
            "fixed_length_utf32" => Some(4),
            raw if raw.strip_prefix('r').is_some_and(|n| n.parse::<u32>().is_ok()) => Some(1),
            _ => None,
        };
        let float = matches!(name.as_str(), "float16" | "float32" | "float64" | "complex64" | "complex128");
        Ok(Self { zarrs, name, bytes, swap, float })
    }

    /// Name of the type in Zarr v3.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of one element.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// An element, in native byte order, for people: a number where the type is one, else its bytes.
    pub fn format(&self, value: &[u8]) -> String {
        let hex = || value.iter().fold("0x".to_owned(), |text, b| format!("{text}{b:02x}"));
        if matches!(self.name.as_str(), "complex64" | "complex128") {
            let (re, im) = value.split_at(self.bytes / 2);
            let part = if self.bytes == 8 { "float32" } else { "float64" };
            return format!(
                "({}, {})",
                number(part, re).unwrap_or_else(hex),
                number(part, im).unwrap_or_else(hex)
            );
        }
        number(&self.name, value).unwrap_or_else(hex)
    }

    pub(crate) const fn swap(&self) -> Option<usize> {
        self.swap
    }
}

/// A number as text; NaN without its payload, for it is one value to a reader.
fn number(name: &str, value: &[u8]) -> Option<String> {
    macro_rules! as_number {
        ($type:ty) => {
            value.try_into().ok().map(|bytes| <$type>::from_ne_bytes(bytes).to_string())
        };
    }
    match name {
        "bool" => Some((value != [0]).to_string()),
        "int8" => as_number!(i8),
        "uint8" => as_number!(u8),
        "int16" => as_number!(i16),
        "uint16" => as_number!(u16),
        "int32" => as_number!(i32),
        "uint32" => as_number!(u32),
        "float32" => as_number!(f32),
        "int64" | "numpy.datetime64" | "numpy.timedelta64" => as_number!(i64),
        "uint64" => as_number!(u64),
        "float64" => as_number!(f64),
        _ => None,
    }
}

/// Reverses the bytes of each unit of `unit` bytes in place.
pub(crate) fn swap_bytes(data: &mut [u8], unit: usize) {
    match unit {
        0 | 1 => {}
        2 => data.as_chunks_mut::<2>().0.iter_mut().for_each(|b| b.reverse()),
        4 => data.as_chunks_mut::<4>().0.iter_mut().for_each(|b| b.reverse()),
        8 => data.as_chunks_mut::<8>().0.iter_mut().for_each(|b| b.reverse()),
        _ => data.chunks_exact_mut(unit).for_each(<[u8]>::reverse),
    }
}

/// Position in bytes of the first element of `a` that differs from that of `b`, where NaN equals NaN (whatever its
/// payload) and everything else compares by its bits; `None` if all are the same.
pub fn same_values(a: &[u8], b: &[u8], element: &ElementType) -> Option<usize> {
    debug_assert_eq!(a.len(), b.len());
    if a == b {
        return None;
    }
    let unit = element.swap.unwrap_or(element.bytes);
    (0..a.len() / unit).map(|k| k * unit).find(|at| {
        let (x, y) = (&a[*at..at + unit], &b[*at..at + unit]);
        x != y && !(element.float && is_nan(x) && is_nan(y))
    })
}

/// Whether a float of 2, 4 or 8 bytes in native order is NaN.
fn is_nan(x: &[u8]) -> bool {
    x.try_into().is_ok_and(|half| u16::from_ne_bytes(half) & 0x7FFF > 0x7C00)
        || x.try_into().is_ok_and(|single| f32::from_ne_bytes(single).is_nan())
        || x.try_into().is_ok_and(|double| f64::from_ne_bytes(double).is_nan())
}
