//! Zarr v2 as v3: the metadata of an array, translated.
//!
//! What comes out is what zarr-python 3 would write for the same elements: its names of data types and codecs, its forms of fill
//! values. Where the codecs of v3 can describe the stored bytes, they do, and the bytes can be copied as they are. Where they cannot
//! (fields in big endian order, filters on numbers behind filters on bytes, filters without a name in v3), the codecs of the stored
//! bytes are kept apart ([`Translated::stored`]) and the array has to be decoded and encoded anew.
//!
//! xarray's conventions for v2 have other homes in v3: `_ARRAY_DIMENSIONS` becomes dimension names, and the fill value, which masks
//! in v2, becomes the attribute `_FillValue`, which does in v3.

mod codecs;
mod dtype;

use crate::fill;
use crate::json::{Fields, Json, Member, Text, tree};
use crate::named::named;
use zarrange_codec::{CodecMetadata, Kind};

use dtype::Elements;

/// An array of v2 as one of v3.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The members of its `zarr.json`.
    pub(crate) members: Fields,
    /// The codecs of the bytes that are stored, where they are not those of `members`.
    pub(crate) stored: Option<Vec<CodecMetadata>>,
}

/// xarray's attribute for dimension names in v2.
const DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// xarray's attribute for the value that masks.
const MASK: &str = "_FillValue";

/// Translates `.zarray` and `.zattrs`.
///
/// # Errors
/// What cannot be in v3, or is not valid in v2, and what would be right.
pub(crate) fn translate(zarray: &Fields, attributes: Text) -> Result<Translated, String> {
    let get = |name: &str| zarray.contains_key(name).then(|| tree(zarray, name));
    let member = |name: &str| get(name).ok_or_else(|| format!("{name} is missing"));
    let version = member("zarr_format")?;
    if version.as_u64() != Some(2) {
        return Err(format!("zarr_format is {version}, 2 would be right"));
    }
    let shape = member("shape")?;
    let rank = shape.as_array().map_or(0, <[Json]>::len);
    let chunks = chunk_shape(member("chunks")?, shape);
    let filters = list(get("filters"), "filters")?;
    let compressor = get("compressor").filter(|c| !c.is_null());
    let order = match member("order")?.as_str() {
        Some("C") => false,
        // One dimension, or none, has one order.
        Some("F") => rank > 1,
        _ => return Err(format!("order is {}, \"C\" or \"F\" would be right", member("order")?)),
    };
    let elements = Elements::parse(member("dtype")?, filters)?;
    let codecs = codecs::translate(&elements, filters, compressor, order.then_some(rank))?;
    let fill_json = tree(zarray, "fill_value");
    let fill_value = elements.fill_value(fill_json)?;
    let separator = match get("dimension_separator") {
        None | Some(Json::Null) => ".",
        Some(text) => match text.as_str() {
            Some(separator @ ("." | "/")) => separator,
            _ => return Err(format!("dimension_separator is {text}, \".\" or \"/\" would be right")),
        },
    };
    let conventions = Conventions::apply(attributes, rank, |attribute| {
        if fill_json.is_null() { elements.mask_of_attribute(attribute?) } else { elements.mask(&fill_value) }
    });
    let mut members = Fields::new();
    let mut put = |name: &str, value: Json| drop(members.insert(name.to_owned(), Member::Tree(value)));
    put("zarr_format", Json::integer(3));
    put("node_type", "array".into());
    put("shape", shape.clone());
    put("data_type", elements.data_type.clone());
    put("chunk_grid", named("regular", [("chunk_shape", chunks)]));
    put("chunk_key_encoding", named("v2", [("separator", separator.into())]));
    put("fill_value", fill_value);
    put("codecs", Json::Array(codecs.written));
    members.insert("attributes".to_owned(), Member::Text(conventions.attributes));
    let mut put = |name: &str, value: Json| drop(members.insert(name.to_owned(), Member::Tree(value)));
    if let Some(names) = conventions.dimension_names {
        put("dimension_names", names);
    }
    put("storage_transformers", Json::Array(Vec::new()));
    Ok(Translated { members, stored: codecs.stored })
}

/// Chunks of an empty dimension may be written as empty too; v3 wants one element.
fn chunk_shape(chunks: &Json, shape: &Json) -> Json {
    let (Some(lengths), Some(extents)) = (chunks.as_array(), shape.as_array()) else { return chunks.clone() };
    let one = |(k, length): (usize, &Json)| {
        let empty = length.as_u64() == Some(0) && extents.get(k).and_then(Json::as_u64) == Some(0);
        if empty { Json::integer(1) } else { length.clone() }
    };
    Json::Array(lengths.iter().enumerate().map(one).collect())
}

/// A list that may be missing.
fn list<'a>(json: Option<&'a Json>, name: &str) -> Result<&'a [Json], String> {
    match json {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(elements)) => Ok(elements),
        Some(other) => Err(format!("{name} is {other}, a list or null would be right")),
    }
}

/// What xarray keeps in attributes.
struct Conventions {
    attributes: Text,
    dimension_names: Option<Json>,
}

impl Conventions {
    /// Moves what `attributes` say of dimensions; with dimensions, the fill value masks, or the attribute if there is none: `mask`, given
    /// the attribute, says how v3 writes that.
    fn apply(mut attributes: Text, rank: usize, mask: impl FnOnce(Option<&Json>) -> Option<Json>) -> Self {
        let fits = |names: &Json| {
            let names = names.as_array();
            names.is_some_and(|n| n.len() == rank && n.iter().all(|name| name.as_str().is_some()))
        };
        let Some(names) = attributes.get(DIMENSIONS).filter(fits) else {
            return Self { attributes, dimension_names: None };
        };
        attributes.remove(DIMENSIONS);
        if let Some(mask) = mask(attributes.get(MASK).as_ref()) {
            attributes.set(MASK, &mask);
        }
        Self { attributes, dimension_names: Some(names) }
    }
}

impl Elements {
    /// The fill value in v3's form.
    fn fill_value(&self, json: &Json) -> Result<Json, String> {
        match &self.element {
            Some(element) => {
                let mut bytes = fill::parse(element, json)?;
                // Base64 holds the bytes of a record in the order of its fields.
                for (at, unit) in self.swapped.iter().filter(|_| matches!(json, Json::String(_))) {
                    bytes[*at..at + unit].reverse();
                }
                if self.is_unitless_date() {
                    let nat = bytes == i64::MIN.to_ne_bytes();
                    let wrong = || {
                        format!("fill_value {json} does not fit dates without a unit: \"NaT\" would be right")
                    };
                    return if nat { Ok("NaT".into()) } else { Err(wrong()) };
                }
                Ok(fill::to_v3(element, &bytes))
            }
            None if self.is_text() => fill::text(json).map(Json::String),
            None => fill::bytes(json).map(|bytes| fill::base64(&bytes)),
        }
    }

    /// The attribute of xarray for one of v2, where it means another thing in v3: floats are plain numbers there.
    fn mask_of_attribute(&self, attribute: &Json) -> Option<Json> {
        let is_float = *self.element.as_ref()?.kind() == Kind::Float;
        if is_float { Some(fill::double_to_xarray(attribute.as_number()?.as_f64())) } else { None }
    }

    /// The attribute of xarray for a fill value in v3's form, for types of which it reads one.
    fn mask(&self, fill_value: &Json) -> Option<Json> {
        match &self.element {
            Some(element) => fill::to_xarray(element, &fill::parse(element, fill_value).ok()?),
            None => None,
        }
    }
}
