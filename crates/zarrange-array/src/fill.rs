//! Fill values: from any form that writers use to the bytes of an element, and back to the form of Zarr v3.
//!
//! The forms are those that zarr-python 3 reads (`zarr/core/dtype/npy`), for both versions: integers may be written `0.0` or
//! `"0"`, floats as text or bare tokens, records in base64 or by field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use half::f16;
use zarrange_codec::{ElementType, Field, Kind};

use crate::json::{Json, Members, Number};

/// The bytes of a fill value, in native byte order; `null` is what zarr-python takes then: zero, or no time.
///
/// # Errors
/// What would be right, if `json` is none of the forms of the type, or out of its range.
pub(crate) fn parse(element: &ElementType, json: &Json) -> Result<Vec<u8>, String> {
    let wrong = |right: &str| format!("fill_value {json} does not fit {}: {right}", element.name());
    let bytes = element.bytes();
    match element.kind() {
        Kind::Other => through_zarrs(element, json),
        kind if json.is_null() => Ok(of_null(kind, bytes)),
        Kind::Bool => {
            let value = truth(json).ok_or_else(|| wrong("true or false would be right"))?;
            Ok(vec![u8::from(value)])
        }
        Kind::Integer { signed } => {
            let bits = u32::try_from(8 * bytes).unwrap_or(64);
            let (least, most) = range(bits, *signed);
            // Older versions of numpy took a negative number for the unsigned one with its bits.
            let lowest = range(bits, true).0.min(least);
            let value = integer(json).filter(|n| (lowest..=most).contains(n));
            let right = || wrong(&format!("an integer from {least} to {most} would be right"));
            value.map(|n| low_bytes(n, bytes)).ok_or_else(right)
        }
        Kind::Time if json.as_str() == Some("NaT") => Ok(i64::MIN.to_ne_bytes().to_vec()),
        Kind::Time => {
            let units = integer(json).and_then(|n| i64::try_from(n).ok());
            let right = || wrong("a number of units, or \"NaT\", would be right");
            units.map(|n| n.to_ne_bytes().to_vec()).ok_or_else(right)
        }
        Kind::Float => float(json, bytes)
            .ok_or_else(|| wrong("a number, \"NaN\", \"Infinity\" or \"-Infinity\" would be right")),
        Kind::Complex => complex(json, bytes / 2)
            .ok_or_else(|| wrong("a real and an imaginary number in brackets would be right")),
        // What zarr-python 2 wrote for types without a zero.
        Kind::Utf32 | Kind::NullTerminated | Kind::Raw | Kind::Struct(_) if is_zero(json) => {
            Ok(vec![0; bytes])
        }
        Kind::Utf32 => {
            let text = json.as_str().ok_or_else(|| wrong("text would be right"))?;
            Ok(padded(text.chars().flat_map(|c| u32::from(c).to_ne_bytes()).collect(), bytes))
        }
        Kind::NullTerminated | Kind::Raw => raw(json, bytes).map_err(|right| wrong(&right)),
        Kind::Struct(fields) => match (json.as_str(), json.as_object()) {
            (Some(text), _) => match STANDARD.decode(text) {
                Ok(record) if record.len() == bytes => Ok(record),
                _ => Err(wrong(&format!("its {bytes} bytes in base64 would be right"))),
            },
            (None, Some(members)) => record(fields, members, bytes),
            (None, None) => Err(wrong("its bytes in base64 would be right")),
        },
    }
}

/// What zarr-python takes where nothing is said.
fn of_null(kind: &Kind, bytes: usize) -> Vec<u8> {
    match kind {
        Kind::Time => i64::MIN.to_ne_bytes().to_vec(),
        Kind::Struct(fields) => fields.iter().flat_map(zero_of).collect(),
        Kind::Bool
        | Kind::Integer { .. }
        | Kind::Float
        | Kind::Complex
        | Kind::Utf32
        | Kind::NullTerminated
        | Kind::Raw
        | Kind::Other => vec![0; bytes],
    }
}

fn is_zero(json: &Json) -> bool {
    json.as_number().and_then(Number::as_integer) == Some(0u8)
}

/// So many bytes in base64 or as numbers, or what would be right.
fn raw(json: &Json, bytes: usize) -> Result<Vec<u8>, String> {
    let in_base64 = || "its bytes in base64 would be right".to_owned();
    if let Some(text) = json.as_str() {
        return STANDARD.decode(text).map(|decoded| padded(decoded, bytes)).map_err(|_| in_base64());
    }
    let numbers = octets(json.as_array().ok_or_else(in_base64)?).filter(|numbers| numbers.len() == bytes);
    numbers.ok_or_else(|| format!("{bytes} numbers from 0 to 255 would be right"))
}

/// Numbers from 0 to 255.
fn octets(numbers: &[Json]) -> Option<Vec<u8>> {
    numbers.iter().map(|number| number.as_number()?.as_integer()).collect()
}

/// A record of so many bytes, given by field.
fn record(fields: &[Field], members: &Members, bytes: usize) -> Result<Vec<u8>, String> {
    let mut record = vec![0; bytes];
    for field in fields {
        let value = parse(&field.element, members.get(&field.name).unwrap_or(&Json::Null))
            .map_err(|e| format!("field {:?}: {e}", field.name))?;
        record[field.offset..field.offset + value.len()].copy_from_slice(&value);
    }
    Ok(record)
}

/// What numpy makes of 0 in a field of a record: text has the digit.
fn zero_of(field: &Field) -> Vec<u8> {
    let digit = match field.element.kind() {
        Kind::Struct(fields) => return fields.iter().flat_map(zero_of).collect(),
        Kind::Utf32 => u32::from('0').to_ne_bytes().to_vec(),
        Kind::NullTerminated => vec![b'0'],
        Kind::Bool
        | Kind::Integer { .. }
        | Kind::Float
        | Kind::Complex
        | Kind::Time
        | Kind::Raw
        | Kind::Other => Vec::new(),
    };
    padded(digit, field.element.bytes())
}

/// The text of the fill value of an array of strings: zarr-python takes `str()` of whatever stands there.
pub(crate) fn text(json: &Json) -> Result<String, String> {
    Ok(match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(n) if n.is_integer() => n.text().to_owned(),
        Json::Number(n) => python_float(n.as_f64()),
        other => return Err(format!("fill_value {other} does not fit string: text would be right")),
    })
}

/// The bytes of the fill value of an array of bytes of variable length.
pub(crate) fn bytes(json: &Json) -> Result<Vec<u8>, String> {
    let wrong = || format!("fill_value {json} does not fit bytes: base64 would be right");
    match json {
        Json::Null => Ok(Vec::new()),
        Json::String(text) => STANDARD.decode(text).map_err(|_| wrong()),
        Json::Array(numbers) => octets(numbers).ok_or_else(wrong),
        Json::Number(_) if is_zero(json) => Ok(Vec::new()),
        Json::Bool(_) | Json::Number(_) | Json::Surrogates(_) | Json::Object(_) => Err(wrong()),
    }
}

/// The form of Zarr v3 of a fill value in native byte order, as zarr-python writes it.
pub(crate) fn to_v3(element: &ElementType, bytes: &[u8]) -> Json {
    match element.kind() {
        Kind::Bool => Json::Bool(bytes != [0]),
        Kind::Integer { signed } => Json::integer(extended(bytes, *signed)),
        Kind::Time => Json::integer(extended(bytes, true)),
        Kind::Float => float_to_v3(bytes),
        Kind::Complex => {
            let (re, im) = bytes.split_at(bytes.len() / 2);
            Json::Array(vec![float_to_v3(re), float_to_v3(im)])
        }
        Kind::Utf32 => {
            let units = bytes.as_chunks::<4>().0.iter();
            let text: String = units
                .map(|unit| char::from_u32(u32::from_ne_bytes(*unit)).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            Json::String(text.trim_end_matches('\0').to_owned())
        }
        Kind::NullTerminated => {
            let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
            Json::String(STANDARD.encode(&bytes[..end]))
        }
        Kind::Raw | Kind::Struct(_) | Kind::Other => Json::String(STANDARD.encode(bytes)),
    }
}

/// What xarray writes to the attribute `_FillValue` of a v3 array (`FillValueCoder.encode`): floats as doubles in base64. `None` for
/// types that it does not read back.
pub(crate) fn to_xarray(element: &ElementType, bytes: &[u8]) -> Option<Json> {
    let double = |bytes: &[u8]| double_to_xarray(to_double(bytes));
    match element.kind() {
        Kind::Bool | Kind::Integer { .. } => Some(to_v3(element, bytes)),
        Kind::Float => Some(double(bytes)),
        Kind::Complex => {
            let (re, im) = bytes.split_at(bytes.len() / 2);
            Some(Json::Array(vec![double(re), double(im)]))
        }
        Kind::Time | Kind::Utf32 | Kind::NullTerminated | Kind::Raw | Kind::Struct(_) | Kind::Other => None,
    }
}

/// A double as xarray writes it.
pub(crate) fn double_to_xarray(value: f64) -> Json {
    base64(&value.to_le_bytes())
}

/// Bytes as base64, as documents write them.
pub(crate) fn base64(bytes: &[u8]) -> Json {
    Json::String(STANDARD.encode(bytes))
}

fn padded(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.resize(length, 0);
    bytes
}

/// What Python takes for true.
fn truth(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(value) => Some(*value),
        Json::Number(n) => Some(n.as_f64() != 0.0),
        Json::String(text) => Some(!text.is_empty()),
        Json::Null | Json::Surrogates(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// An integer, a float without a fraction, or the text of an integer.
fn integer(json: &Json) -> Option<i128> {
    let exact = |n: &Number| {
        let float = n.as_f64();
        let small = float.fract() == 0.0 && float.abs() < 1e30;
        // A whole number of this size is exact in its text.
        if small { format!("{float:.0}").parse().ok() } else { None }
    };
    match json {
        Json::Bool(value) => Some(i128::from(*value)),
        Json::Number(n) => n.as_integer().or_else(|| exact(n)),
        Json::String(text) => text.trim().parse().ok(),
        Json::Null | Json::Surrogates(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The least and the most that so many bits hold.
const fn range(bits: u32, signed: bool) -> (i128, i128) {
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// The low bytes of an integer, in native byte order.
fn low_bytes(n: i128, bytes: usize) -> Vec<u8> {
    let mut low = n.to_le_bytes()[..bytes].to_vec();
    if cfg!(target_endian = "big") {
        low.reverse();
    }
    low
}

/// The integer of so many bytes in native byte order.
fn extended(bytes: &[u8], signed: bool) -> i128 {
    let mut le = bytes.to_vec();
    if cfg!(target_endian = "big") {
        le.reverse();
    }
    let negative = signed && le.last().is_some_and(|top| top & 0x80 != 0);
    le.resize(16, if negative { 0xFF } else { 0 });
    le.try_into().map_or(0, i128::from_le_bytes)
}

/// A float of 2, 4 or 8 bytes: a number, its text, or its bits in hexadecimal digits.
fn float(json: &Json, bytes: usize) -> Option<Vec<u8>> {
    let value = match json {
        Json::Bool(value) => f64::from(u8::from(*value)),
        Json::Number(n) => n.as_f64(),
        Json::String(text) => match text.strip_prefix("0x") {
            Some(digits) if digits.len() == 2 * bytes => {
                return u64::from_str_radix(digits, 16).ok().map(|bits| low_bytes(bits.into(), bytes));
            }
            _ => text.trim().parse().ok()?,
        },
        Json::Null | Json::Surrogates(_) | Json::Array(_) | Json::Object(_) => return None,
    };
    Some(match bytes {
        2 => f16::from_f64(value).to_ne_bytes().to_vec(),
        4 => single(value).to_ne_bytes().to_vec(),
        _ => value.to_ne_bytes().to_vec(),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "rounded to the nearest, as numpy does")]
const fn single(value: f64) -> f32 {
    value as f32
}

fn complex(json: &Json, part_bytes: usize) -> Option<Vec<u8>> {
    let zero = Json::integer(0);
    let (re, im) = match json.as_array() {
        Some([re, im]) => (re, im),
        None if json.as_number().is_some() => (json, &zero),
        _ => return None,
    };
    Some([float(re, part_bytes)?, float(im, part_bytes)?].concat())
}

fn to_double(bytes: &[u8]) -> f64 {
    match bytes.len() {
        2 => bytes.try_into().map_or(0.0, |b| f16::from_ne_bytes(b).to_f64()),
        4 => bytes.try_into().map_or(0.0, |b| f64::from(f32::from_ne_bytes(b))),
        _ => bytes.try_into().map_or(0.0, f64::from_ne_bytes),
    }
}

/// A number, the name of what is none, or the bits of a NaN that is not the usual one.
fn float_to_v3(bytes: &[u8]) -> Json {
    let value = to_double(bytes);
    if value.is_nan() {
        let usual = float(&Json::String("NaN".to_owned()), bytes.len());
        if usual.as_deref() == Some(bytes) {
            return "NaN".into();
        }
        let digits = 2 * bytes.len();
        return Json::String(format!("0x{:0digits$x}", extended(bytes, false)));
    }
    match value {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        finite => Json::float(finite),
    }
}

/// A float as Python's `repr` writes it.
fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let plain = format!("{value:?}");
    // Rust writes 1e20 and 1e-5 where Python writes 1e+20 and 1e-05.
    match plain.split_once('e') {
        None => plain,
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
    }
}

fn through_zarrs(element: &ElementType, json: &Json) -> Result<Vec<u8>, String> {
    let wrong = |detail: String| format!("fill_value {json} does not fit {}: {detail}", element.name());
    let zarrs = element.zarrs().ok_or_else(|| wrong("the type is not known".to_owned()))?;
    let metadata = serde_json::from_value(json.to_value()).map_err(|_| wrong("no fill value".to_owned()))?;
    let fill = zarrs.fill_value_v3(&metadata).map_err(|e| wrong(e.to_string()))?;
    let bytes = fill.as_ne_bytes().to_vec();
    if bytes.len() == element.bytes() { Ok(bytes) } else { Err(wrong("another size".to_owned())) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn element(metadata: Value) -> ElementType {
        ElementType::new(&serde_json::from_value(metadata).unwrap()).unwrap()
    }

    fn json(text: &str) -> Json {
        crate::json::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_form_is_read_and_written_as_zarr_python_does() {
        let check = |data_type: Value, forms: &[&str], expected: &str| {
            let element = element(data_type);
            for form in forms {
                let bytes = parse(&element, &json(form)).unwrap();
                assert_eq!(bytes.len(), element.bytes());
                assert_eq!(to_v3(&element, &bytes).to_string(), expected, "{} {form}", element.name());
                assert_eq!(parse(&element, &json(expected)).unwrap(), bytes);
            }
        };
        check(json!("bool"), &["null", "0", "0.0", "false", "\"\""], "false");
        check(json!("bool"), &["1", "-1", "true", "\"0\"", "NaN"], "true");
        check(json!("int16"), &["-5", "-5.0", "\"-5\""], "-5");
        check(json!("int64"), &["-9.223372036854776e+18", "-9223372036854775808"], "-9223372036854775808");
        check(json!("uint64"), &["18446744073709551615"], "18446744073709551615");
        check(json!("uint8"), &["null", "0.0", "\"0\"", "false"], "0");
        check(json!("uint32"), &["-1", "4294967295"], "4294967295");
        check(json!("float32"), &["0.1", "\"0.1\""], "0.10000000149011612");
        check(json!("float32"), &["1e20", "1e+20", "\"1e20\""], "1.0000000200408773e20");
        check(json!("float16"), &["1e20", "Infinity", "\"Infinity\"", "\"inf\""], "\"Infinity\"");
        check(json!("float64"), &["NaN", "\"NaN\"", "\"nan\"", "\"0x7ff8000000000000\""], "\"NaN\"");
        check(json!("float32"), &["\"0xffc00001\""], "\"0xffc00001\"");
        check(json!("float64"), &["-0.0", "\"-0.0\""], "-0.0");
        check(json!("complex64"), &["null", "0", "[0, 0.0]"], "[0.0,0.0]");
        check(json!("complex128"), &["[NaN, \"-Infinity\"]"], "[\"NaN\",\"-Infinity\"]");
        let time = json!({"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 25}});
        check(time.clone(), &["null", "\"NaT\"", "-9223372036854775808"], "-9223372036854775808");
        check(time, &["7", "7.0", "\"7\""], "7");
        let text = json!({"name": "fixed_length_utf32", "configuration": {"length_bytes": 12}});
        check(text.clone(), &["\"öab\"", "\"öabc\""], "\"öab\"");
        check(text, &["null", "0", "\"\""], "\"\"");
        let bytes = json!({"name": "null_terminated_bytes", "configuration": {"length_bytes": 3}});
        check(bytes, &["\"YWI=\"", "\"YWIA\"", "[97, 98, 0]"], "\"YWI=\"");
        let raw = json!({"name": "raw_bytes", "configuration": {"length_bytes": 3}});
        check(raw, &["\"YWIA\"", "[97, 98, 0]"], "\"YWIA\"");
        let fields = json!([["a", "int32"], ["b", "uint8"]]);
        let record = json!({"name": "structured", "configuration": {"fields": fields}});
        check(record, &["\"AQAAAAI=\"", "{\"a\": 1, \"b\": 2}"], "\"AQAAAAI=\"");
    }

    #[test]
    fn what_does_not_fit_says_what_would() {
        let check = |data_type: &str, form: &str, expected: &str| {
            let error = parse(&element(json!(data_type)), &json(form)).unwrap_err();
            assert_eq!(error, format!("fill_value {form} does not fit {data_type}: {expected}"));
        };
        check("uint32", "-2147483649", "an integer from 0 to 4294967295 would be right");
        check("int8", "300", "an integer from -128 to 127 would be right");
        check("int8", "1.5", "an integer from -128 to 127 would be right");
        check("uint64", "18446744073709551616", "an integer from 0 to 18446744073709551615 would be right");
        check("float32", "\"x\"", "a number, \"NaN\", \"Infinity\" or \"-Infinity\" would be right");
        check("bool", "[]", "true or false would be right");
        check("complex64", "[1]", "a real and an imaginary number in brackets would be right");
    }

    #[test]
    fn text_is_that_of_python() {
        let check = |form: &str, expected: &str| assert_eq!(text(&json(form)).unwrap(), expected);
        check("null", "");
        check("0", "0");
        check("\"x\"", "x");
        check("NaN", "nan");
        check("1e20", "1e+20");
        check("1.5", "1.5");
        check("0.00001", "1e-05");
        check("123456789.0", "123456789.0");
        check("true", "True");
    }

    #[test]
    fn the_attribute_of_xarray() {
        let check = |data_type: &str, form: &str, expected: Option<&str>| {
            let element = element(json!(data_type));
            let attribute = to_xarray(&element, &parse(&element, &json(form)).unwrap());
            assert_eq!(attribute.map(|a| a.to_string()).as_deref(), expected);
        };
        // base64.standard_b64encode(struct.pack("<d", x))
        check("float32", "NaN", Some("\"AAAAAAAA+H8=\""));
        check("float64", "1.5", Some("\"AAAAAAAA+D8=\""));
        check("int16", "-32767", Some("-32767"));
        check("bool", "true", Some("true"));
    }
}
