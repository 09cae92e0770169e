//! Data types of v2 as those of v3.

use zarrange_codec::{ELEMENT_BYTES_MAX, ElementType, NumpyType, Order, SWAP_FIELDS};

use crate::json::Json;
use crate::named::named;

/// Structures lie in structures at most this deep.
const NESTED_MAX: usize = 16;

/// The elements of an array.
#[derive(Debug)]
pub(super) struct Elements {
    /// The `data_type` of v3.
    pub(super) data_type: Json,
    /// What they are; `None` where they have no fixed size.
    pub(super) element: Option<ElementType>,
    /// The type in numpy's words, where it is not a record.
    numpy: Option<NumpyType>,
    /// The order of the bytes of a number.
    pub(super) order: Order,
    /// Offset and bytes of what is in big endian order in a record.
    pub(super) swapped: Vec<(usize, usize)>,
}

/// What is said of every array that cannot be carried over.
pub(super) const WAY_ROUND: &str = "rewrite it with zarr-python 2";

impl Elements {
    /// The type that `dtype` names; for objects the filter that makes bytes of them decides.
    pub(super) fn parse(dtype: &Json, filters: &[Json]) -> Result<Self, String> {
        let (data_type, numpy, swapped) = match dtype {
            Json::Array(fields) => {
                let Record { data_type, swapped, .. } = record(fields, 0)?;
                (data_type, None, swapped)
            }
            other => {
                let name = other.as_str().unwrap_or_default();
                let numpy = NumpyType::parse(name).ok_or_else(|| unknown(dtype))?;
                if numpy.kind == b'O' {
                    return Self::objects(filters);
                }
                (data_type(&numpy)?, Some(numpy), Vec::new())
            }
        };
        let metadata = serde_json::from_value(data_type.to_value()).map_err(|_| unknown(dtype))?;
        let element = ElementType::new(&metadata).map_err(|e| e.to_string())?;
        let order = numpy.as_ref().map_or(Order::None, |numpy| numpy.order);
        Ok(Self { data_type, element: Some(element), numpy, order, swapped })
    }

    /// Objects, of which the first filter says what they are.
    fn objects(filters: &[Json]) -> Result<Self, String> {
        let id = filters.first().and_then(|filter| filter.get("id")).and_then(Json::as_str);
        let data_type = match id {
            Some("vlen-utf8" | "categorize") => "string",
            Some("vlen-bytes") => "variable_length_bytes",
            Some("pickle") => {
                let reason = "it holds pickled objects, which run as a program when they are read";
                return Err(format!("{reason}: {WAY_ROUND}"));
            }
            Some(other) => {
                let reason =
                    format!("its objects are stored by {other:?}, for which Zarr v3 has no data type");
                return Err(format!("{reason}: {WAY_ROUND} as text (vlen-utf8) or numbers"));
            }
            None => {
                let reason = "it holds objects without a filter that says how they are stored";
                return Err(format!("{reason}: {WAY_ROUND}"));
            }
        };
        let data_type = data_type.into();
        Ok(Self { data_type, element: None, numpy: None, order: Order::None, swapped: Vec::new() })
    }

    /// The type in numpy's words, where it is not a record.
    pub(super) fn numpy(&self) -> Option<NumpyType> {
        self.numpy.clone()
    }

    /// The codec of v3 that makes bytes of elements without a fixed size.
    pub(super) fn serializer(&self) -> &'static str {
        if self.is_text() { "vlen-utf8" } else { "vlen-bytes" }
    }

    /// Whether no element has bytes that swap.
    pub(super) fn is_unordered(&self) -> bool {
        self.element.as_ref().is_none_or(|element| element.units().all(|(_, unit)| unit == 1))
    }

    /// A step of the engine's own that brings the fields of a record into the order of this machine.
    pub(super) fn swaps(&self) -> Option<Json> {
        let pair = |(at, unit): &(usize, usize)| {
            Json::Array(vec![Json::integer(*at as u64), Json::integer(*unit as u64)])
        };
        let units = Json::Array(self.swapped.iter().map(pair).collect());
        let record = self.element.as_ref().map_or(1, ElementType::bytes);
        let step = || named(SWAP_FIELDS, [("record_bytes", Json::integer(record as u64)), ("units", units)]);
        if self.swapped.is_empty() { None } else { Some(step()) }
    }

    /// Whether the elements are text of any length.
    pub(super) fn is_text(&self) -> bool {
        self.element.is_none() && self.data_type.as_str() == Some("string")
    }

    /// Whether they are dates that count nothing, of which only one is written: none.
    pub(super) fn is_unitless_date(&self) -> bool {
        let date = self.data_type.get("name").and_then(Json::as_str) == Some("numpy.datetime64");
        let unit = self.data_type.get("configuration").and_then(|c| c.get("unit"));
        date && unit.and_then(Json::as_str) == Some("generic")
    }
}

fn unknown(dtype: &Json) -> String {
    format!("data type {dtype} has no counterpart in Zarr v3: {WAY_ROUND}")
}

/// The type of v3 for one that is no record.
fn data_type(numpy: &NumpyType) -> Result<Json, String> {
    let bits = 8 * numpy.bytes;
    let length = || [("length_bytes", Json::integer(numpy.bytes as u64))];
    let time = |name: &str| {
        let (count, unit) = numpy.unit.clone().unwrap_or((1, "generic".to_owned()));
        let unit = if unit == "μs" { "us".to_owned() } else { unit };
        named(name, [("unit", Json::String(unit)), ("scale_factor", Json::integer(count))])
    };
    if numpy.bytes == 0 {
        return Err(format!("data type \"{numpy}\" has elements of no bytes: {WAY_ROUND}"));
    }
    Ok(match numpy.kind {
        b'b' => "bool".into(),
        b'i' => Json::String(format!("int{bits}")),
        b'u' => Json::String(format!("uint{bits}")),
        b'f' => Json::String(format!("float{bits}")),
        b'c' => Json::String(format!("complex{bits}")),
        b'M' => time("numpy.datetime64"),
        b'm' => time("numpy.timedelta64"),
        b'S' => named("null_terminated_bytes", length()),
        b'U' => named("fixed_length_utf32", length()),
        b'V' => named("raw_bytes", length()),
        _ => return Err(unknown(&Json::String(numpy.to_string()))),
    })
}

/// A structured type.
struct Record {
    data_type: Json,
    bytes: usize,
    swapped: Vec<(usize, usize)>,
}

/// The record of fields `[name, dtype]`, one after the other.
fn record(fields: &[Json], depth: usize) -> Result<Record, String> {
    if depth >= NESTED_MAX {
        return Err(format!("records lie in each other more than {NESTED_MAX} deep"));
    }
    let (mut list, mut bytes, mut swapped) = (Vec::new(), 0usize, Vec::new());
    for field in fields {
        let (name, dtype) = match field.as_array() {
            Some([name, dtype]) => (name, dtype),
            Some([name, ..]) => {
                let reason = format!("field {name} has a shape, which Zarr v3 has no data type for");
                return Err(format!("{reason}: {WAY_ROUND}"));
            }
            _ => return Err(format!("field {field} of the data type has no name and type")),
        };
        let inner = match dtype {
            Json::Array(fields) => record(fields, depth + 1)?,
            other => {
                let numpy = other.as_str().and_then(NumpyType::parse).filter(|numpy| numpy.kind != b'O');
                let numpy = numpy.ok_or_else(|| format!("field {name}: {}", unknown(dtype)))?;
                let unit = numpy.unit_bytes();
                let swapped = if numpy.order == Order::Big { numpy.bytes / unit } else { 0 };
                let swapped = (0..swapped).map(|k| (k * unit, unit)).collect();
                Record { data_type: data_type(&numpy)?, bytes: numpy.bytes, swapped }
            }
        };
        swapped.extend(inner.swapped.into_iter().map(|(at, unit)| (bytes + at, unit)));
        list.push(Json::Array(vec![name.clone(), inner.data_type]));
        bytes = bytes.saturating_add(inner.bytes);
        if bytes > ELEMENT_BYTES_MAX {
            return Err(format!("records of more than {ELEMENT_BYTES_MAX} bytes are not supported"));
        }
    }
    Ok(Record { data_type: named("structured", [("fields", Json::Array(list))]), bytes, swapped })
}
