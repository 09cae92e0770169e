//! Metadata documents: kept as the JSON that was read, written as Zarr v3.

use std::fmt;
use std::io::Read;

use serde_json::json;
use twox_hash::XxHash3_128;
use zarrange_codec::CodecMetadata;
use zarrange_io::Store;

use crate::ArrayError;
use crate::chunk_grid;
use crate::json::{self, Fields, Json, JsonError, Keep, Member, Members, Text};
use crate::keys::KeyEncoding;
use crate::v2;

/// The metadata of an array, as the members of its v3 `zarr.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    members: Fields,
    /// The codecs of the stored bytes, where those of `members` do not describe them: some arrays of Zarr v2.
    stored: Option<Vec<CodecMetadata>>,
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
pub struct ArraySpec<'a> {
    /// Elements in each dimension.
    pub shape: Vec<u64>,
    /// Name of the data type.
    pub data_type: &'a str,
    /// The fill value, as `zarr.json` writes it.
    pub fill_value: serde_json::Value,
    /// Its chunks.
    pub layout: Layout,
    /// A name for each dimension, or none at all.
    pub dimension_names: Vec<&'a str>,
    /// User attributes.
    pub attributes: serde_json::Map<String, serde_json::Value>,
}

impl Document {
    /// The document of a new array.
    pub fn new(spec: &ArraySpec<'_>) -> Self {
        let mut members = json!({
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
        if let Some(members) =
            members.as_object_mut().filter(|_| spec.dimension_names.is_empty() && !spec.shape.is_empty())
        {
            members.remove("dimension_names");
        }
        let Json::Object(members) = Json::from(members) else { unreachable!("a JSON object was built") };
        let member = |(name, value): (String, Json)| {
            let passed_on = keep(&name) == Keep::Text;
            (name, if passed_on { Member::Text(Text::from(&value)) } else { Member::Tree(value) })
        };
        let members = members.into_iter().map(member).collect();
        Self { members, stored: None }.with_layout(&spec.layout)
    }

    /// The document of Zarr v3 metadata; names and codecs in the form that zarr-python reads.
    pub(crate) fn from_v3(mut members: Fields) -> Self {
        for (name, member) in &mut members {
            let Member::Tree(json) = member else { continue };
            match name.as_str() {
                "codecs" => normalise_codecs(json),
                "data_type" => normalise_type(json),
                "chunk_grid" => chunk_grid::normalise(json),
                "fill_value" => name_tokens(json),
                _ => {}
            }
        }
        Self { members, stored: None }
    }

    /// The document of a Zarr v2 array: `.zarray` and `.zattrs`, translated.
    pub(crate) fn from_v2(zarray: &Fields, attributes: Text) -> Result<Self, String> {
        let v2::Translated { members, stored } = v2::translate(zarray, attributes)?;
        Ok(Self { members, stored })
    }

    /// A member of the document that is looked into; `null` if it has none of this name.
    pub fn get(&self, name: &str) -> &Json {
        json::tree(&self.members, name)
    }

    /// All members.
    pub const fn members(&self) -> &Fields {
        &self.members
    }

    /// The codecs of the stored bytes, where they are not those of the document.
    pub(crate) fn stored(&self) -> Option<&[CodecMetadata]> {
        self.stored.as_deref()
    }

    /// The user attributes.
    pub fn attributes(&self) -> Text {
        attributes(&self.members)
    }

    /// The dimension names, where there are any.
    pub fn dimension_names(&self) -> Option<Vec<Option<String>>> {
        let names = self.get("dimension_names").as_array()?;
        Some(names.iter().map(|n| n.as_str().map(str::to_owned)).collect())
    }

    /// The chunk key encoding, if it is one of the specification's.
    pub(crate) fn key_encoding(&self) -> Option<KeyEncoding> {
        KeyEncoding::parse(self.get("chunk_key_encoding"))
    }

    /// The same array in other chunks.
    #[must_use]
    pub fn with_layout(&self, layout: &Layout) -> Self {
        let grid = layout.shard.as_ref().unwrap_or(&layout.chunk);
        let codecs = match &layout.shard {
            None => codec_list(&layout.codecs),
            Some(_) => json!([{"name": "sharding_indexed", "configuration": {
                "chunk_shape": layout.chunk,
                "codecs": codec_list(&layout.codecs),
                "index_codecs": codec_list(&index_codecs()),
                "index_location": "end",
            }}]),
        };
        let mut other = Self { members: self.members.clone(), stored: None };
        other.put("codecs", codecs.into());
        other.with_regular_grid(grid)
    }

    fn put(&mut self, name: &str, value: Json) {
        self.members.insert(name.to_owned(), Member::Tree(value));
    }

    /// The same array of another shape.
    #[must_use]
    pub fn with_shape(&self, shape: &[u64]) -> Self {
        let mut other = self.clone();
        other.put("shape", json!(shape).into());
        other
    }

    /// The same array with these user attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Text) -> Self {
        change_attributes(&mut self.members, |own| *own = attributes);
        self
    }

    /// The same array with an attribute of this value.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: impl Into<Json>) -> Self {
        change_attributes(&mut self.members, |attributes| attributes.set(name, &value.into()));
        self
    }

    /// The same array, its grid described as a regular one of chunks (or shards) of `object`.
    #[must_use]
    pub fn with_regular_grid(mut self, object: &[u64]) -> Self {
        let grid = json!({"name": "regular", "configuration": {"chunk_shape": object}});
        self.put("chunk_grid", grid.into());
        self
    }

    /// The same array with other chunk keys.
    #[must_use]
    pub fn with_key_encoding(mut self, encoding: KeyEncoding) -> Self {
        self.put("chunk_key_encoding", encoding.metadata());
        self
    }

    /// The same array with these members in the place of its own.
    #[must_use]
    pub fn with_members(&self, members: &serde_json::Map<String, serde_json::Value>) -> Self {
        let codecs = members.contains_key("codecs");
        let stored = if codecs { None } else { self.stored.clone() };
        let mut other = Self { members: self.members.clone(), stored };
        for (name, value) in members {
            other.put(name, value.clone().into());
        }
        other
    }

    /// The length of `zarr.json`.
    pub fn bytes(&self) -> u64 {
        let mut length = Length(0);
        // Counting does not fail.
        let _ = json::write_fields(&self.members, 0, None, &mut length);
        length.0
    }

    /// The bytes of `zarr.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = json::write_fields(&self.members, 0, None, &mut text);
        text.into_bytes()
    }
}

/// Counts what is written.
struct Length(u64);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

/// The user attributes.
pub(crate) fn attributes(members: &Fields) -> Text {
    match members.get("attributes") {
        Some(Member::Text(text)) => text.clone(),
        Some(Member::Tree(json)) => Text::from(json),
        None => Text::empty(),
    }
}

/// Changes the user attributes.
pub(crate) fn change_attributes(members: &mut Fields, change: impl FnOnce(&mut Text)) {
    let mut attributes = attributes(members);
    change(&mut attributes);
    members.insert("attributes".to_owned(), Member::Text(attributes));
}

/// What of `zarr.json` is looked into; the rest is passed on.
pub(crate) fn keep(name: &str) -> Keep {
    match name {
        "zarr_format"
        | "node_type"
        | "shape"
        | "data_type"
        | "chunk_grid"
        | "chunk_key_encoding"
        | "fill_value"
        | "codecs"
        | "storage_transformers"
        | "dimension_names" => Keep::Tree,
        CONSOLIDATED => Keep::Presence,
        _ => Keep::Text,
    }
}

/// What of `.zarray` is looked into; the rest is left behind.
pub(crate) fn keep_v2(name: &str) -> Keep {
    match name {
        "zarr_format"
        | "shape"
        | "chunks"
        | "dtype"
        | "compressor"
        | "fill_value"
        | "order"
        | "filters"
        | "dimension_separator" => Keep::Tree,
        _ => Keep::Presence,
    }
}

/// What may be of any size, and repeats the documents below.
pub(crate) const CONSOLIDATED: &str = "consolidated_metadata";

/// The codecs of a shard's index.
fn index_codecs() -> [CodecMetadata; 2] {
    let endian = [("endian".to_owned(), json!("little"))].into_iter().collect::<serde_json::Map<_, _>>();
    [CodecMetadata::new_with_configuration("bytes", endian), CodecMetadata::new("crc32c")]
}

/// Codecs as `zarr.json` lists them: always objects with a configuration, for zarr-python reads no other form of some.
fn codec_list(codecs: &[CodecMetadata]) -> serde_json::Value {
    let object = |codec: &CodecMetadata| {
        let configuration: serde_json::Map<_, _> = codec.configuration().cloned().unwrap_or_default().into();
        json!({"name": codec.name(), "configuration": configuration})
    };
    codecs.iter().map(object).collect()
}

/// Makes every codec of a list an object with a configuration, those within shards too.
fn normalise_codecs(codecs: &mut Json) {
    let Json::Array(codecs) = codecs else { return };
    for codec in codecs {
        if let Json::String(name) = codec {
            let mut members = Members::new();
            members.insert("name".to_owned(), Json::String(std::mem::take(name)));
            *codec = Json::Object(members);
        }
        let Json::Object(members) = codec else { continue };
        let configuration = members.entry("configuration".to_owned()).or_insert(Json::Null);
        if configuration.is_null() {
            *configuration = Json::Object(Members::new());
        }
        let Json::Object(configuration) = configuration else { continue };
        for inner in ["codecs", "index_codecs"] {
            if let Some(codecs) = configuration.get_mut(inner) {
                normalise_codecs(codecs);
            }
        }
    }
}

/// Makes a data type without a configuration its name.
fn normalise_type(data_type: &mut Json) {
    let Json::Object(members) = data_type else { return };
    let plain = match members.get("configuration") {
        None | Some(Json::Null) => true,
        Some(configuration) => configuration.as_object().is_some_and(Members::is_empty),
    };
    if let Some(Json::String(name)) = members.get("name").filter(|_| plain) {
        *data_type = Json::String(name.clone());
    }
}

/// Gives bare NaN and infinities of a fill value the names that the specification has for them.
fn name_tokens(fill: &mut Json) {
    match fill {
        Json::Number(number) if !number.is_strict() => *fill = Json::String(number.text().to_owned()),
        Json::Array(parts) => parts.iter_mut().for_each(name_tokens),
        Json::Object(members) => members.values_mut().for_each(name_tokens),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Surrogates(_) => {}
    }
}

/// Reads the JSON object at `key`, its members as `keep` says; `None` if there is none.
pub(crate) fn read_object(
    store: &Store,
    key: &str,
    watch: &mut Watch,
    keep: impl Fn(&str) -> Keep,
) -> Result<Option<Fields>, ArrayError> {
    let Some(source) = store.reader(key)? else { return Ok(None) };
    match json::read_fields(Watched { source, watch }, keep) {
        Ok(Some(members)) => Ok(Some(members)),
        Ok(None) => Err(wrong(store, key, "not a JSON object".to_owned())),
        Err(error) => Err(failed(store, key, error)),
    }
}

/// Reads the JSON object at `key` as text; `None` if there is none.
pub(crate) fn read_text(store: &Store, key: &str, watch: &mut Watch) -> Result<Option<Text>, ArrayError> {
    let Some(source) = store.reader(key)? else { return Ok(None) };
    match json::read_text(Watched { source, watch }) {
        Ok(text) if text.is_object() => Ok(Some(text)),
        Ok(_) => Err(wrong(store, key, "not a JSON object".to_owned())),
        Err(error) => Err(failed(store, key, error)),
    }
}

fn wrong(store: &Store, key: &str, detail: String) -> ArrayError {
    ArrayError::Metadata { location: format!("{}/{key}", store.label()), detail }
}

fn failed(store: &Store, key: &str, error: JsonError) -> ArrayError {
    match error {
        JsonError::Io(error) => match error.downcast() {
            Ok(error) => ArrayError::Io(error),
            Err(error) => wrong(store, key, error.to_string()),
        },
        error @ JsonError::Syntax { .. } => wrong(store, key, format!("not valid JSON: {error}")),
        error => wrong(store, key, error.to_string()),
    }
}

/// A hash (against accidents) of the documents that were read.
pub(crate) struct Watch {
    hash: XxHash3_128,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { hash: XxHash3_128::new() }
    }

    pub(crate) fn hash(&self) -> u128 {
        self.hash.finish_128()
    }
}

/// What is read, noted.
struct Watched<'a, R> {
    source: R,
    watch: &'a mut Watch,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.watch.hash.write(&buffer[..bytes]);
        Ok(bytes)
    }
}
