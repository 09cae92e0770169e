//! Metadata documents: kept as the JSON that was read, written as Zarr v3.

use serde_json::json;
use zarrange_codec::CodecMetadata;
use zarrange_io::Store;

use crate::ArrayError;
use crate::chunk_grid;
use crate::json::{self, Json, JsonError, Members};
use crate::keys::KeyEncoding;
use crate::v2;

/// The metadata of an array, as the members of its v3 `zarr.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    members: Members,
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
pub struct ArraySpec {
    /// Elements in each dimension.
    pub shape: Vec<u64>,
    /// Name of the data type.
    pub data_type: &'static str,
    /// The fill value, as `zarr.json` writes it.
    pub fill_value: serde_json::Value,
    /// Its chunks.
    pub layout: Layout,
    /// A name for each dimension.
    pub dimension_names: Vec<&'static str>,
    /// User attributes.
    pub attributes: serde_json::Map<String, serde_json::Value>,
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
        let Json::Object(members) = Json::from(members) else { unreachable!("a JSON object was built") };
        Self { members, stored: None }.with_layout(&spec.layout)
    }

    /// The document of Zarr v3 metadata; names and codecs in the form that zarr-python reads.
    pub(crate) fn from_v3(mut members: Members) -> Self {
        if let Some(codecs) = members.get_mut("codecs") {
            normalise_codecs(codecs);
        }
        if let Some(data_type) = members.get_mut("data_type") {
            normalise_type(data_type);
        }
        if let Some(grid) = members.get_mut("chunk_grid") {
            chunk_grid::normalise(grid);
        }
        if let Some(fill) = members.get_mut("fill_value") {
            name_tokens(fill);
        }
        Self { members, stored: None }
    }

    /// The document of a Zarr v2 array: `.zarray` and `.zattrs`, translated.
    pub(crate) fn from_v2(zarray: &Members, attributes: Members) -> Result<Self, String> {
        let v2::Translated { members, stored } = v2::translate(zarray, attributes)?;
        Ok(Self { members, stored })
    }

    /// A member of the document; `null` if it has none of this name.
    pub fn get(&self, name: &str) -> &Json {
        self.members.get(name).unwrap_or(&Json::Null)
    }

    /// All members.
    pub const fn members(&self) -> &Members {
        &self.members
    }

    /// The codecs of the stored bytes, where they are not those of the document.
    pub(crate) fn stored(&self) -> Option<&[CodecMetadata]> {
        self.stored.as_deref()
    }

    /// The user attributes.
    pub fn attributes(&self) -> Members {
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
                "index_codecs": codec_list(&index_codecs()),
                "index_location": "end",
            }}]),
        };
        members.insert("codecs".to_owned(), codecs.into());
        Self { members, stored: None }.with_regular_grid(grid)
    }

    /// The same array, its grid described as a regular one of chunks (or shards) of `object`.
    #[must_use]
    pub fn with_regular_grid(mut self, object: &[u64]) -> Self {
        let grid = json!({"name": "regular", "configuration": {"chunk_shape": object}});
        self.members.insert("chunk_grid".to_owned(), grid.into());
        self
    }

    /// The same array with other chunk keys.
    #[must_use]
    pub fn with_key_encoding(mut self, encoding: KeyEncoding) -> Self {
        self.members.insert("chunk_key_encoding".to_owned(), encoding.metadata());
        self
    }

    /// The bytes of `zarr.json`.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&self.members)
    }
}

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

/// A codec from its JSON: a name, or an object of a name and a configuration.
///
/// # Errors
/// What would be right.
pub fn codec_metadata(json: &Json) -> Result<CodecMetadata, String> {
    let wrong = || format!("codec {json} is no name, and no object of a name and a configuration");
    let name = json.as_str().or_else(|| json.get("name")?.as_str()).ok_or_else(wrong)?;
    match json.get("configuration") {
        None | Some(Json::Null) => Ok(CodecMetadata::new(name)),
        Some(Json::Object(members)) => {
            let members: serde_json::Map<_, _> =
                members.iter().map(|(key, value)| (key.clone(), value.to_value())).collect();
            Ok(CodecMetadata::new_with_configuration(name, members))
        }
        Some(_) => Err(wrong()),
    }
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
        _ => {}
    }
}

/// A JSON object as indented text.
pub(crate) fn to_json(members: &Members) -> Vec<u8> {
    Json::Object(members.clone()).to_pretty().into_bytes()
}

/// Reads the JSON object at `key`; `None` if there is none. Of the members that `skip` names only whether they are there.
pub(crate) fn read_object(store: &Store, key: &str, skip: &[&str]) -> Result<Option<Members>, ArrayError> {
    let Some(source) = store.reader(key)? else { return Ok(None) };
    let location = || format!("{}/{key}", store.label());
    let wrong = |detail: String| ArrayError::Metadata { location: location(), detail };
    match json::read(source, skip) {
        Ok(Json::Object(members)) => Ok(Some(members)),
        Ok(_) => Err(wrong("not a JSON object".to_owned())),
        Err(JsonError::Io(error)) => match error.downcast() {
            Ok(error) => Err(ArrayError::Io(error)),
            Err(error) => Err(wrong(error.to_string())),
        },
        Err(error @ JsonError::TooLarge { .. }) => Err(wrong(error.to_string())),
        Err(error) => Err(wrong(format!("not valid JSON: {error}"))),
    }
}
