//! The metadata of an array, understood: no store, no bytes.

use std::sync::Arc;

use zarrange_codec::{ArrayCodec, CodecError};
use zarrange_grid::{ChunkGrid, Dims, Region, checked_bytes};
use zarrange_io::IoError;

use crate::ArrayError;
use crate::chunk_grid::{self, GridFault, dims};
use crate::contents::{Contents, Elements, VariableElements, contents};
use crate::document::Document;
use crate::json::{Json, Member};
use crate::keys::KeyEncoding;

/// What an array is: shape, data type, grid, codecs, keys, attributes.
#[derive(Debug)]
pub struct ArrayMetadata {
    /// Where the array is or will be, for messages.
    location: String,
    document: Document,
    zarr_format: u8,
    grid: ChunkGrid,
    keys: KeyEncoding,
    /// Where its first object lies in the array that it is a window of; empty for a whole array.
    first: Dims,
    contents: Contents,
}

impl ArrayMetadata {
    /// What `document` says of the array at `location`.
    ///
    /// # Errors
    /// [`ArrayError::Metadata`] or [`ArrayError::Shape`] if the document is not that of a Zarr array.
    pub fn new(location: String, document: Document, zarr_format: u8) -> Result<Self, ArrayError> {
        let place = metadata_location(&location, zarr_format);
        let wrong = |detail: String| ArrayError::Metadata { location: place.clone(), detail };
        let shape = dims(document.get("shape"), "shape").map_err(wrong)?;
        let shape_error = |source| ArrayError::Shape { location: place.clone(), source };
        let grid = chunk_grid::parse(document.get("chunk_grid"), &shape).map_err(|fault| match fault {
            GridFault::Metadata(detail) => wrong(detail),
            GridFault::Shape(source) => shape_error(source),
        })?;
        let keys = document.key_encoding().ok_or_else(|| {
            wrong(format!(
                "chunk_key_encoding {} is not supported: use default or v2",
                document.get("chunk_key_encoding")
            ))
        })?;
        if document.get("storage_transformers").as_array().is_some_and(|t| !t.is_empty()) {
            return Err(wrong("storage transformers are not supported".to_owned()));
        }
        check_members(&document, shape.len()).map_err(wrong)?;
        let contents = contents(&document, &grid).map_err(wrong)?;
        if let Contents::Elements(elements) = &contents {
            checked_bytes(&shape, elements.item_bytes() as u64).map_err(shape_error)?;
        }
        Ok(Self { location, document, zarr_format, grid, keys, first: Dims::new(), contents })
    }

    /// A window of it: an array of its own, of the elements of `region`, whose objects are those of the whole array.
    ///
    /// # Errors
    /// [`ArrayError::Window`] if objects do not begin where the region does, or it is not inside the array.
    pub fn window(&self, region: &Region) -> Result<Self, ArrayError> {
        let lengths = self.grid.chunk_shape();
        let fits = |d: usize| {
            region.end(d) <= self.shape()[d]
                && (region.start()[d] == 0 || region.shape()[d] > 0)
                && region.start()[d].is_multiple_of(lengths[d])
                && (self.grid.is_regular() || region.shape()[d] == self.shape()[d])
        };
        if let Some(d) = (0..region.rank()).find(|d| !fits(*d)) {
            return Err(ArrayError::Window {
                array: self.location.clone(),
                dimension: d,
                range: region.start()[d]..region.end(d),
                size: self.shape()[d],
                step: self.grid.is_regular().then_some(lengths[d]),
            });
        }
        let document = self.document.with_shape(region.shape());
        let first = (0..region.rank()).map(|d| region.start()[d] / lengths[d]).collect();
        Ok(Self { first, ..Self::new(self.location.clone(), document, self.zarr_format)? })
    }

    /// Where the array is or will be, for messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Where its metadata is, for messages.
    pub fn metadata_location(&self) -> String {
        metadata_location(&self.location, self.zarr_format)
    }

    /// The document.
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// The Zarr version it is stored in.
    pub const fn zarr_format(&self) -> u8 {
        self.zarr_format
    }

    /// Elements in each dimension.
    pub fn shape(&self) -> &[u64] {
        self.grid.array_shape()
    }

    /// What is stored as one object: chunks or shards.
    pub const fn objects(&self) -> &ChunkGrid {
        &self.grid
    }

    /// How keys of objects are written.
    pub const fn keys(&self) -> KeyEncoding {
        self.keys
    }

    /// Key of object `object`, of the whole array where this is a window.
    pub fn key(&self, object: &[u64]) -> String {
        let mut key = String::new();
        self.append_key(object, &mut key);
        key
    }

    /// Appends the key of object `object` to `keys`, without allocating once `keys` has grown.
    pub(crate) fn append_key(&self, object: &[u64], keys: &mut String) {
        if self.first.is_empty() {
            return self.keys.append(object, keys);
        }
        let object: Dims = object.iter().zip(&self.first).map(|(k, first)| k + first).collect();
        self.keys.append(&object, keys);
    }

    /// The object along dimension `d` whose key has this number there.
    pub(crate) fn object_at(&self, d: usize, number: u64) -> Option<u64> {
        let object = number.checked_sub(self.first.get(d).copied().unwrap_or(0))?;
        (object < self.grid.counts()[d]).then_some(object)
    }

    /// Whether its objects are shards of chunks that can be read.
    pub(crate) fn is_sharded(&self) -> bool {
        matches!(&self.contents, Contents::Elements(elements) if matches!(elements.codec, ArrayCodec::Shards(_)))
    }

    /// Whether and how the elements can be read.
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// How the elements are stored.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if they cannot be read.
    pub fn elements(&self) -> Result<&Arc<Elements>, ArrayError> {
        match &self.contents {
            Contents::Elements(elements) => Ok(elements),
            Contents::Variable(_) => {
                let detail = "its elements have no fixed size".to_owned();
                Err(ArrayError::Opaque { array: self.location.clone(), detail })
            }
            Contents::Unknown(detail) => {
                Err(ArrayError::Metadata { location: self.metadata_location(), detail: detail.clone() })
            }
        }
    }

    /// The elements, if they have no fixed size.
    pub fn variable(&self) -> Option<&VariableElements> {
        if let Contents::Variable(elements) = &self.contents { Some(elements) } else { None }
    }

    /// The object that holds chunk `chunk` of `chunks`.
    pub(crate) fn object_of(&self, chunks: &ChunkGrid, chunk: &[u64]) -> Dims {
        let first = |d: usize| chunks.span(d, chunk[d]).0;
        (0..chunk.len()).map(|d| self.grid.chunk_at(d, first(d)).0).collect()
    }

    /// Position of inner chunk `chunk` (an index over the array, of `chunks`) within its shard, in C order.
    pub(crate) fn inner_number(&self, chunks: &ChunkGrid, shard: &[u64], chunk: &[u64]) -> u64 {
        (0..chunk.len()).fold(0, |n, d| {
            let ((start, length), inner) = (self.grid.span(d, shard[d]), chunks.chunk_shape()[d]);
            n * (length / inner) + (chunk[d] - start / inner)
        })
    }

    /// The error of a chunk that is damaged, or cannot be encoded.
    pub(crate) fn damaged(&self, key: &str, source: CodecError) -> ArrayError {
        ArrayError::Chunk { array: self.location.clone(), key: key.to_owned(), source }
    }

    /// The error of a chunk that cannot be read or written.
    pub(crate) fn failed(&self, key: &str, source: IoError) -> ArrayError {
        ArrayError::ChunkIo { array: self.location.clone(), key: key.to_owned(), source }
    }
}

fn metadata_location(location: &str, zarr_format: u8) -> String {
    format!("{location}/{}", if zarr_format == 2 { ".zarray" } else { "zarr.json" })
}

/// Members that the specification does not name must say that they need not be understood; those that it names must fit.
fn check_members(document: &Document, rank: usize) -> Result<(), String> {
    const KNOWN: [&str; 11] = [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "attributes",
        "storage_transformers",
        "dimension_names",
    ];
    let may_ignore = |value: &Member| match value {
        Member::Text(text) => text.is_object() && text.member("must_understand") == Some("false"),
        Member::Tree(_) => false,
    };
    let unknown = |(name, value): &(&String, &Member)| !KNOWN.contains(&name.as_str()) && !may_ignore(value);
    if let Some((name, _)) = document.members().iter().find(unknown) {
        return Err(format!("member {name:?} is not known, and must be understood"));
    }
    let names = document.get("dimension_names");
    let fits = |names: &[Json]| {
        names.len() == rank && names.iter().all(|name| name.is_null() || name.as_str().is_some())
    };
    if !names.is_null() && !names.as_array().is_some_and(fits) {
        return Err(format!("dimension_names is {names}, {rank} names would be right"));
    }
    Ok(())
}
