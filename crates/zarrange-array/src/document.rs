//! Metadata documents: read with limits, kept as JSON, written as Zarr v3.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use zarrange_codec::{CodecMetadata, codec_stage};
use zarrange_io::{METADATA_BYTES_MAX, Store};
use zarrs::array::{ArrayMetadata, DataType};
use zarrs::metadata::v2::{ArrayMetadataV2, ArrayMetadataV2Order};

use crate::ArrayError;
use crate::keys::KeyEncoding;

/// Deepest nesting accepted in a metadata document.
const DEPTH_MAX: usize = 64;

/// Largest element accepted: fill values are made at this size before anything is read.
const ITEM_BYTES_MAX: usize = 1 << 20;

/// The metadata of an array, as the members of its v3 `zarr.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    members: Map<String, Value>,
}

/// A chunk layout to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Shape of a chunk, or of an inner chunk where there are shards.
    pub chunk: Vec<u64>,
    /// Shape of a shard.
    pub shard: Option<Vec<u64>>,
    /// Codecs of a chunk (of an inner chunk, where there are shards).
    pub codecs: Vec<CodecMetadata>,
}

/// What a new array is.
#[derive(Clone, Debug, PartialEq)]
pub struct ArraySpec {
    /// Elements in each dimension.
    pub shape: Vec<u64>,
    /// Name of the data type.
    pub data_type: &'static str,
    /// The fill value, as `zarr.json` writes it.
    pub fill_value: Value,
    /// Its chunks.
    pub layout: Layout,
    /// A name for each dimension.
    pub dimension_names: Vec<&'static str>,
    /// User attributes.
    pub attributes: Map<String, Value>,
}

impl Document {
    /// The document of a new array.
    pub fn new(spec: &ArraySpec) -> Self {
        let members = json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": spec.shape,
            "data_type": spec.data_type,
            "chunk_grid": null,
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": spec.fill_value,
            "codecs": null,
            "attributes": spec.attributes,
            "dimension_names": spec.dimension_names,
            "storage_transformers": [],
        });
        let Value::Object(members) = members else { unreachable!("a JSON object was built") };
        Self { members }.with_layout(&spec.layout)
    }

    /// The document of Zarr v3 metadata.
    pub(crate) fn from_v3(members: Map<String, Value>) -> Self {
        Self { members }
    }

    /// The document of a Zarr v2 array: `.zarray` and `.zattrs`, converted.
    pub(crate) fn from_v2(zarray: Value, attributes: Map<String, Value>) -> Result<Self, String> {
        let mut v2: ArrayMetadataV2 = serde_json::from_value(zarray).map_err(|e| e.to_string())?;
        v2.attributes = attributes;
        if v2.shape.is_empty() {
            // zarrs would transpose no dimensions, which it then refuses.
            v2.order = ArrayMetadataV2Order::C;
        }
        if let Ok(data_type) = DataType::from_metadata(&v2.dtype) {
            check_item_bytes(&data_type)?;
        }
        let array = zarrs::array::Array::new_with_metadata(Arc::new(()), "/", ArrayMetadata::V2(v2));
        let v3 = array.map_err(|e| e.to_string())?.to_v3().map_err(|e| e.to_string())?;
        let mut members = match serde_json::to_value(v3.metadata()) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err("converts to no JSON object".to_owned()),
            Err(e) => return Err(e.to_string()),
        };
        // v2 lists filters that work on bytes before the byte order, v3 after it.
        if let Some(Value::Array(codecs)) = members.get_mut("codecs") {
            codecs.sort_by_key(|codec| {
                serde_json::from_value(codec.clone()).ok().and_then(|c| codec_stage(&c).ok())
            });
        }
        // xarray's convention for v2; v3 has a member of its own.
        let names = members.get("attributes").and_then(|a| a.get("_ARRAY_DIMENSIONS")).cloned();
        let rank = members.get("shape").and_then(Value::as_array).map_or(0, Vec::len);
        if let Some(Value::Array(names)) = names
            && names.len() == rank
            && names.iter().all(Value::is_string)
        {
            members.insert("dimension_names".to_owned(), Value::Array(names));
        }
        Ok(Self { members })
    }

    /// A member of the document.
    pub fn get(&self, name: &str) -> &Value {
        self.members.get(name).unwrap_or(&Value::Null)
    }

    /// All members.
    pub const fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The user attributes.
    pub fn attributes(&self) -> Map<String, Value> {
        self.get("attributes").as_object().cloned().unwrap_or_default()
    }

    /// The dimension names, where there are any.
    pub fn dimension_names(&self) -> Option<Vec<Option<String>>> {
        let names = self.get("dimension_names").as_array()?;
        Some(names.iter().map(|n| n.as_str().map(str::to_owned)).collect())
    }

    /// The chunk key encoding, if it is one of the specification's.
    pub fn key_encoding(&self) -> Option<KeyEncoding> {
        KeyEncoding::parse(self.get("chunk_key_encoding"))
    }

    /// The same array in other chunks.
    #[must_use]
    pub fn with_layout(&self, layout: &Layout) -> Self {
        let mut members = self.members.clone();
        let grid = layout.shard.as_ref().unwrap_or(&layout.chunk);
        let codecs = match &layout.shard {
            None => codec_list(&layout.codecs),
            Some(_) => json!([{"name": "sharding_indexed", "configuration": {
                "chunk_shape": layout.chunk,
                "codecs": codec_list(&layout.codecs),
                "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
                "index_location": "end",
            }}]),
        };
        members.insert(
            "chunk_grid".to_owned(),
            json!({"name": "regular", "configuration": {"chunk_shape": grid}}),
        );
        members.insert("codecs".to_owned(), codecs);
        Self { members }
    }

    /// The same array with chunk keys of v3's default encoding: what a v2 array becomes.
    #[must_use]
    pub fn with_key_encoding(&self, encoding: KeyEncoding) -> Self {
        let mut members = self.members.clone();
        members.insert("chunk_key_encoding".to_owned(), encoding.metadata());
        Self { members }
    }

    /// The bytes of `zarr.json`.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&self.members)
    }
}

/// Refuses elements whose size nobody means, before `zarrs` makes their fill value.
pub(crate) fn check_item_bytes(data_type: &DataType) -> Result<(), String> {
    match data_type.fixed_size() {
        Some(bytes) if bytes > ITEM_BYTES_MAX => Err(format!(
            "data type of {bytes} bytes for each element: at most {ITEM_BYTES_MAX} are supported"
        )),
        _ => Ok(()),
    }
}

/// Codecs as `zarr.json` lists them: always objects, for zarr-python does not read the short form.
fn codec_list(codecs: &[CodecMetadata]) -> Value {
    let object = |codec: &CodecMetadata| match codec.configuration() {
        Some(configuration) if !configuration.is_empty() => {
            json!({"name": codec.name(), "configuration": Value::Object(configuration.clone().into())})
        }
        _ => json!({"name": codec.name()}),
    };
    Value::Array(codecs.iter().map(object).collect())
}

/// A JSON object as indented text.
pub(crate) fn to_json(members: &Map<String, Value>) -> Vec<u8> {
    // A map of JSON values always serialises.
    serde_json::to_vec_pretty(members).unwrap_or_default()
}

/// Reads the JSON object at `key`; `None` if there is none.
pub(crate) fn read_object(store: &Store, key: &str) -> Result<Option<Map<String, Value>>, ArrayError> {
    let Some(bytes) = store.get(key, METADATA_BYTES_MAX)? else { return Ok(None) };
    let wrong =
        |detail: String| ArrayError::Metadata { location: format!("{}/{key}", store.label()), detail };
    if depth(&bytes) > DEPTH_MAX {
        return Err(wrong(format!("nested deeper than {DEPTH_MAX} levels")));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => Ok(Some(members)),
        Ok(_) => Err(wrong("not a JSON object".to_owned())),
        Err(e) => Err(wrong(format!("not valid JSON: {e}"))),
    }
}

/// The deepest nesting of brackets outside strings; a bound, whether or not the text is JSON.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
