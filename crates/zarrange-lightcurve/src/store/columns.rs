//! Labels and side variables: one value for each index of a dimension.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use serde_json::{Map, Value, json};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_codec::CodecMetadata;
use zarrange_grid::Region;
use zarrange_io::Store;

use crate::error::{BadLabel, LightCurveError};

/// Entries of a chunk at most: a reader of one fetches less than a megabyte of numbers.
const CHUNK_ENTRIES: u64 = 100_000;

/// The values of a label or side variable, in the order of its dimension.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Text.
    Text(Vec<String>),
    /// Numbers.
    Float(Vec<f64>),
    /// Whole numbers.
    Integer(Vec<i64>),
    /// Yes or no.
    Bool(Vec<bool>),
}

/// A column with its name and what is said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its values.
    pub column: Column,
    /// Attributes, such as `units`.
    pub attributes: Map<String, Value>,
}

impl Column {
    /// How many values there are.
    pub fn len(&self) -> u64 {
        (match self {
            Self::Text(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Bool(values) => values.len(),
        }) as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first label that is empty or there twice.
    pub(crate) fn bad_label(&self) -> Option<BadLabel> {
        match self {
            Self::Text(labels) => match labels.iter().position(String::is_empty) {
                Some(index) => Some(BadLabel::Empty { index: index as u64 }),
                None => twice(labels),
            },
            Self::Integer(labels) => twice(labels),
            Self::Float(_) | Self::Bool(_) => Some(BadLabel::Type),
        }
    }

    /// Labels, as text.
    pub(crate) fn texts(&self) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        match self {
            Self::Text(values) => Box::new(values.iter().map(|text| Cow::Borrowed(text.as_str()))),
            Self::Float(values) => Box::new(values.iter().map(|value| Cow::Owned(value.to_string()))),
            Self::Integer(values) => Box::new(values.iter().map(|value| Cow::Owned(value.to_string()))),
            Self::Bool(values) => Box::new(values.iter().map(|value| Cow::Owned(value.to_string()))),
        }
    }

    /// Value `k`, for people.
    pub(crate) fn text(&self, k: usize) -> String {
        match self {
            Self::Text(values) => format!("{:?}", values[k]),
            Self::Float(values) if values[k].is_nan() => "a gap".to_owned(),
            Self::Float(values) => values[k].to_string(),
            Self::Integer(values) => values[k].to_string(),
            Self::Bool(values) => values[k].to_string(),
        }
    }

    /// The data type and fill value of an array of it.
    fn data_type(&self) -> (&'static str, Value) {
        match self {
            Self::Text(_) => ("string", json!("")),
            Self::Float(_) => ("float64", json!("NaN")),
            Self::Integer(_) => ("int64", json!(0)),
            Self::Bool(_) => ("bool", json!(false)),
        }
    }
}

/// The first label that is there twice.
fn twice<L: Hash + Eq + ToString>(labels: &[L]) -> Option<BadLabel> {
    let mut seen = HashMap::with_capacity(labels.len());
    labels.iter().zip(0..).find_map(|(label, again)| {
        let first = seen.insert(label, again)?;
        Some(BadLabel::Twice { label: label.to_string(), first, again })
    })
}

impl Column {
    /// Writes it as the array `name` over `dimension`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(
        &self,
        root: &Store,
        (name, dimension): (&str, &str),
        attributes: &Map<String, Value>,
    ) -> Result<Array, LightCurveError> {
        let ((data_type, fill_value), entries) = (self.data_type(), self.len());
        let document = Document::new(&ArraySpec {
            shape: vec![entries],
            data_type,
            fill_value,
            layout: Layout {
                chunk: vec![entries.clamp(1, CHUNK_ENTRIES)],
                shard: None,
                codecs: codecs(self),
            },
            dimension_names: vec![dimension],
            attributes: attributes.clone(),
        });
        let array = Array::new(root.below(name)?, document, 3)?;
        let region = Region::whole(&[entries]);
        match self {
            Column::Text(values) => array.write_strings(values)?,
            Column::Float(values) => array.write_region(&region, &bytes(values, f64::to_ne_bytes))?,
            Column::Integer(values) => array.write_region(&region, &bytes(values, i64::to_ne_bytes))?,
            Column::Bool(values) => array.write_region(&region, &bytes(values, |v| [u8::from(v)]))?,
        }
        Ok(array)
    }
}

fn bytes<T: Copy, const N: usize>(values: &[T], of: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| of(*value)).collect()
}

/// Zstandard at its third level, of text or of little-endian numbers.
fn codecs(column: &Column) -> Vec<CodecMetadata> {
    let first = match column {
        Column::Text(_) => json!({"name": "vlen-utf8", "configuration": {}}),
        Column::Bool(_) => json!({"name": "bytes"}),
        Column::Float(_) | Column::Integer(_) => {
            json!({"name": "bytes", "configuration": {"endian": "little"}})
        }
    };
    let list = json!([first, {"name": "zstd", "configuration": {"level": 3, "checksum": false}}]);
    serde_json::from_value(list).unwrap_or_else(|error| unreachable!("codecs of names and numbers: {error}"))
}
