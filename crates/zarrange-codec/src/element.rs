//! The elements of an array: how many bytes, what they mean, and which of them swap with the byte order.

mod text;
mod time;

use std::fmt;

use zarrs::array::DataType;
use zarrs::metadata::v3::MetadataV3;

use crate::CodecError;

/// The most bytes of an element: nobody means more, and fill values are made at this size before anything is read.
pub const ELEMENT_BYTES_MAX: usize = 1 << 20;

/// Structures lie in structures at most this deep.
const NESTED_MAX: usize = 16;

/// A fixed-size data type.
#[derive(Clone, Debug)]
pub struct ElementType {
    /// The same type for `zarrs`, if it knows it.
    pub(crate) zarrs: Option<DataType>,
    name: String,
    /// What a time counts, and how many of them together.
    unit: Option<(String, u64)>,
    bytes: usize,
    kind: Kind,
    /// The scalars of an element, which do not overlap.
    parts: Vec<Part>,
    /// Bytes that swap together with the byte order, where that is the same in all of the element. `None` where the `bytes` codec
    /// of this type is not known here.
    swap: Option<usize>,
}

/// What the bytes of an element mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// An integer of 1, 2, 4 or 8 bytes.
    Integer {
        /// It may be negative.
        signed: bool,
    },
    /// A float of 2, 4 or 8 bytes.
    Float,
    /// Two floats.
    Complex,
    /// A signed integer of 8 bytes that counts units of time; the lowest is not a time.
    Time,
    /// Code points of 4 bytes each, zeros at the end.
    Utf32,
    /// Bytes, zeros at the end.
    NullTerminated,
    /// Bytes.
    Raw,
    /// Fields, one after the other, without gaps.
    Struct(Vec<Field>),
    /// A type that only `zarrs` knows.
    Other,
}

/// A field of a structure.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub offset: usize,
    /// What it is.
    pub element: ElementType,
}

/// Scalars of one kind that follow each other in an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    offset: usize,
    bytes: usize,
    /// Bytes of each.
    unit: usize,
    float: bool,
}

impl PartialEq for ElementType {
    fn eq(&self, other: &Self) -> bool {
        // Both names are those of records.
        let name = |element: &Self| {
            if element.name == "structured" { "struct".to_owned() } else { element.name.clone() }
        };
        let all = |element: &Self| (name(element), element.unit.clone(), element.bytes, element.kind.clone());
        all(self) == all(other)
    }
}

/// All that two equal types have in common, in one line.
impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Kind::Struct(fields) = &self.kind {
            f.write_str("struct {")?;
            for Field { name, offset, element } in fields {
                write!(f, " {} at {offset}: {element};", serde_json::Value::from(name.as_str()))?;
            }
            return f.write_str(" }");
        }
        let name = if self.kind == Kind::Raw { "raw_bytes" } else { &self.name };
        write!(f, "{name} of {} bytes", self.bytes)?;
        self.unit.as_ref().map_or(Ok(()), |(unit, count)| write!(f, ", in {count} {unit}"))
    }
}

impl ElementType {
    /// The type that `metadata` (the `data_type` of `zarr.json`) names.
    ///
    /// # Errors
    /// [`CodecError::DataType`] if it is not known, or its elements have no fixed size.
    pub fn new(metadata: &MetadataV3) -> Result<Self, CodecError> {
        Self::nested(metadata, 0)
    }

    fn nested(metadata: &MetadataV3, depth: usize) -> Result<Self, CodecError> {
        let name = metadata.name().to_owned();
        let wrong = |detail: String| CodecError::DataType { name: metadata.name().to_owned(), detail };
        let zarrs = DataType::from_metadata(metadata);
        let own = own(metadata, depth).map_err(wrong)?;
        let (bytes, kind, parts) = match (own, &zarrs) {
            (Some(own), _) => own,
            (None, Ok(zarrs)) => {
                let bytes =
                    zarrs.fixed_size().ok_or_else(|| wrong("its elements have no fixed size".to_owned()))?;
                (bytes, Kind::Other, vec![Part { offset: 0, bytes, unit: bytes, float: false }])
            }
            (None, Err(_)) => return Err(CodecError::UnknownType { name }),
        };
        if bytes == 0 {
            return Err(wrong("its elements have no bytes".to_owned()));
        }
        if bytes > ELEMENT_BYTES_MAX {
            let detail = format!("elements of {bytes} bytes: at most {ELEMENT_BYTES_MAX} are supported");
            return Err(wrong(detail));
        }
        let swap = parts.first().map(|part| part.unit).filter(|unit| parts.iter().all(|p| p.unit == *unit));
        let swap = swap.filter(|_| kind != Kind::Other || name == "bfloat16");
        let unit = if kind == Kind::Time { Some(time_unit(metadata).map_err(wrong)?) } else { None };
        Ok(Self { zarrs: zarrs.ok(), name, unit, bytes, kind, parts, swap })
    }

    /// A structure of named fields, one after the other; `name` is that of the type.
    fn structure(fields: Vec<(String, Self)>) -> Result<(usize, Kind, Vec<Part>), String> {
        let (mut offset, mut kinds, mut parts) = (0usize, Vec::new(), Vec::new());
        for (name, element) in fields {
            let bytes = element.bytes;
            parts.extend(element.parts.iter().map(|part| Part { offset: part.offset + offset, ..*part }));
            kinds.push(Field { name, offset, element });
            offset = offset.saturating_add(bytes);
            if offset > ELEMENT_BYTES_MAX {
                return Err(format!("more than {ELEMENT_BYTES_MAX} bytes in a structure"));
            }
        }
        Ok((offset, Kind::Struct(kinds), parts))
    }

    /// Name of the type in Zarr v3.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of one element.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the bytes mean.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The same type for `zarrs`, if it knows it.
    pub const fn zarrs(&self) -> Option<&DataType> {
        self.zarrs.as_ref()
    }

    pub(crate) const fn swap(&self) -> Option<usize> {
        self.swap
    }

    /// Offset and bytes of every scalar of an element: what swaps with the byte order.
    pub fn units(&self) -> impl Iterator<Item = (usize, usize)> {
        let units = |part: &Part| {
            let (offset, bytes, unit) = (part.offset, part.bytes, part.unit);
            (offset..offset + bytes).step_by(unit).map(move |at| (at, unit))
        };
        self.parts.iter().flat_map(units)
    }
}

/// Size, kind and parts of a type that is known here; `None` for any other.
type Own = Option<(usize, Kind, Vec<Part>)>;

fn own(metadata: &MetadataV3, depth: usize) -> Result<Own, String> {
    let one = |bytes, kind: Kind, unit, float| {
        Ok(Some((bytes, kind, vec![Part { offset: 0, bytes, unit, float }])))
    };
    let integer = |bytes, signed| one(bytes, Kind::Integer { signed }, bytes, false);
    let length = || length_bytes(metadata);
    match metadata.name() {
        "bool" => one(1, Kind::Bool, 1, false),
        "int8" => integer(1, true),
        "int16" => integer(2, true),
        "int32" => integer(4, true),
        "int64" => integer(8, true),
        "uint8" => integer(1, false),
        "uint16" => integer(2, false),
        "uint32" => integer(4, false),
        "uint64" => integer(8, false),
        "float16" => one(2, Kind::Float, 2, true),
        "float32" => one(4, Kind::Float, 4, true),
        "float64" => one(8, Kind::Float, 8, true),
        "complex64" => one(8, Kind::Complex, 4, true),
        "complex128" => one(16, Kind::Complex, 8, true),
        "numpy.datetime64" | "numpy.timedelta64" => one(8, Kind::Time, 8, false),
        "fixed_length_utf32" => match length()? {
            bytes if bytes.is_multiple_of(4) => one(bytes, Kind::Utf32, 4, false),
            bytes => Err(format!("length_bytes is {bytes}, a multiple of 4 would be right")),
        },
        "null_terminated_bytes" => one(length()?, Kind::NullTerminated, 1, false),
        "raw_bytes" => one(length()?, Kind::Raw, 1, false),
        "structured" | "struct" => {
            let fields = fields(metadata, depth)?;
            ElementType::structure(fields).map(Some)
        }
        name => match name.strip_prefix('r').map(str::parse::<usize>) {
            Some(Ok(bits)) if bits.is_multiple_of(8) => one(bits / 8, Kind::Raw, 1, false),
            Some(Ok(bits)) => Err(format!("{bits} bits: a multiple of 8 would be right")),
            _ => Ok(None),
        },
    }
}

/// The unit of a time.
fn time_unit(metadata: &MetadataV3) -> Result<(String, u64), String> {
    const UNITS: [&str; 15] =
        ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as", "generic"];
    let get = |key: &str| metadata.configuration().and_then(|c| c.get(key));
    let unit = get("unit").and_then(serde_json::Value::as_str).filter(|unit| UNITS.contains(unit));
    let unit = unit.ok_or_else(|| format!("unit is not one of {}", UNITS.join(", ")))?;
    let factor = get("scale_factor").map_or(Some(1), serde_json::Value::as_u64);
    let factor = factor.filter(|n| (1..1 << 31).contains(n));
    let factor = factor.ok_or("scale_factor is not a whole number from 1 to 2147483647")?;
    Ok((if unit == "μs" { "us" } else { unit }.to_owned(), factor))
}

fn length_bytes(metadata: &MetadataV3) -> Result<usize, String> {
    let value = metadata.configuration().and_then(|c| c.get("length_bytes"));
    let bytes = value.and_then(serde_json::Value::as_u64).and_then(|n| usize::try_from(n).ok());
    bytes.ok_or_else(|| match value {
        None => "length_bytes is missing".to_owned(),
        Some(value) => format!("length_bytes is {value}, a number of bytes would be right"),
    })
}

/// The fields of a structure: `[["a", "int32"], ...]` in `structured`, `[{"name": "a", "data_type": "int32"}, ...]` in `struct`.
fn fields(metadata: &MetadataV3, depth: usize) -> Result<Vec<(String, ElementType)>, String> {
    use serde_json::Value;
    if depth >= NESTED_MAX {
        return Err(format!("structures lie in each other more than {NESTED_MAX} deep"));
    }
    let fields = metadata.configuration().and_then(|c| c.get("fields"));
    let list = fields.and_then(Value::as_array).ok_or("it has no list of fields")?;
    let one = |field: &Value| {
        let (name, data_type) = match field {
            Value::Array(pair) if pair.len() == 2 => (&pair[0], &pair[1]),
            Value::Object(members) => (
                members.get("name").unwrap_or(&Value::Null),
                members.get("data_type").unwrap_or(&Value::Null),
            ),
            _ => (&Value::Null, &Value::Null),
        };
        let name = name.as_str().ok_or_else(|| format!("field {field} has no name and type"))?;
        let data_type: MetadataV3 = serde_json::from_value(data_type.clone())
            .map_err(|_| format!("field {name:?}: {data_type} is no data type"))?;
        let element =
            ElementType::nested(&data_type, depth + 1).map_err(|e| format!("field {name:?}: {e}"))?;
        Ok((name.to_owned(), element))
    };
    let fields: Vec<(String, ElementType)> = list.iter().map(one).collect::<Result<_, String>>()?;
    let mut names = std::collections::HashSet::new();
    match fields.iter().find(|(name, _)| !names.insert(name)) {
        Some((name, _)) => Err(format!("field {name:?} is there twice")),
        None => Ok(fields),
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
/// payload, unless `payloads` count) and everything else compares by its bits; `None` if all are the same.
pub fn same_values(a: &[u8], b: &[u8], element: &ElementType, payloads: bool) -> Option<usize> {
    debug_assert_eq!(a.len(), b.len());
    if a == b {
        return None;
    }
    let bytes = element.bytes;
    (0..a.len() / bytes).map(|k| k * bytes).find(|at| {
        let (x, y) = (&a[*at..at + bytes], &b[*at..at + bytes]);
        x != y && (payloads || element.parts.iter().any(|part| part.differs(x, y)))
    })
}

impl Part {
    fn differs(&self, x: &[u8], y: &[u8]) -> bool {
        let range = self.offset..self.offset + self.bytes;
        let (x, y) = (&x[range.clone()], &y[range]);
        let nan = |x: &[u8], y: &[u8]| self.float && is_nan(x) && is_nan(y);
        x != y && x.chunks(self.unit).zip(y.chunks(self.unit)).any(|(x, y)| x != y && !nan(x, y))
    }
}

/// Whether a float of 2, 4 or 8 bytes in native order is NaN.
fn is_nan(x: &[u8]) -> bool {
    x.try_into().is_ok_and(|half| u16::from_ne_bytes(half) & 0x7FFF > 0x7C00)
        || x.try_into().is_ok_and(|single| f32::from_ne_bytes(single).is_nan())
        || x.try_into().is_ok_and(|double| f64::from_ne_bytes(double).is_nan())
}
