//! An array: its metadata understood.

use zarrange_codec::{
    ArrayCodec, Chain, CodecError, CodecMetadata, ElementType, Kind, Scratch, SliceCodec, VariableCodec,
    VariableKind,
};
use zarrange_grid::{ChunkGrid, checked_bytes, index};
use zarrange_io::Store;

use crate::ArrayError;
use crate::chunk_grid::{self, GridFault, dims};
use crate::document::{Document, Layout};
use crate::fill;
use crate::json::{Json, Member};
use crate::keys::KeyEncoding;
use crate::named::codec_metadata;
use crate::variable::VariableElements;

/// A Zarr array of a store.
#[derive(Debug)]
pub struct Array {
    store: Store,
    document: Document,
    zarr_format: u8,
    grid: ChunkGrid,
    keys: KeyEncoding,
    contents: Contents,
}

/// Whether the elements of an array can be read.
#[derive(Debug)]
pub enum Contents {
    /// Elements of a fixed size, with codecs that can be run.
    Elements(Box<Elements>),
    /// Elements of no fixed size: text, or bytes.
    Variable(Box<VariableElements>),
    /// A data type or codec that is not known, with the reason; such an array can be copied as it is stored.
    Unknown(String),
}

/// How the elements of an array are stored.
#[derive(Debug)]
pub struct Elements {
    /// The data type.
    pub element: ElementType,
    /// Bytes of the fill value.
    pub fill: Vec<u8>,
    /// The compiled codecs, for the largest objects where the chunk grid is rectilinear.
    pub codec: ArrayCodec,
    /// The codecs of the stored objects, where their shapes differ.
    pub(crate) object_codecs: Vec<CodecMetadata>,
    /// What is encoded or read at once: chunks, inner chunks of shards, or slices of chunks, over the whole array.
    pub units: ChunkGrid,
    /// The chunk layout, as it would be written; that of the largest chunks where the chunk grid is rectilinear.
    pub layout: Layout,
    /// The stored chunks are not encoded by the codecs of `layout`: only decoded and encoded anew are they what it says.
    pub foreign_encoding: bool,
}

impl Elements {
    /// The chain of a chunk or inner chunk.
    pub const fn chain(&self) -> &Chain {
        self.codec.unit()
    }

    /// Bytes of one element.
    pub const fn item_bytes(&self) -> usize {
        self.element.bytes()
    }

    /// Bytes of `unit` when it is decoded, a chunk or inner chunk.
    pub fn unit_bytes(&self, unit: &[u64]) -> usize {
        if self.units.is_regular() {
            return self.chain().chunk_bytes();
        }
        index(self.units.cell(unit).elements()) * self.item_bytes()
    }
}

impl Array {
    /// The array that `document` describes, in `store` (whose root is the array's own directory).
    ///
    /// # Errors
    /// [`ArrayError::Metadata`] or [`ArrayError::Shape`] if the document is not that of a Zarr array.
    pub fn new(store: Store, document: Document, zarr_format: u8) -> Result<Self, ArrayError> {
        let location =
            format!("{}/{}", store.label(), if zarr_format == 2 { ".zarray" } else { "zarr.json" });
        let wrong = |detail: String| ArrayError::Metadata { location: location.clone(), detail };
        let shape = dims(document.get("shape"), "shape").map_err(wrong)?;
        let shape_error = |source| ArrayError::Shape { location: location.clone(), source };
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
        Ok(Self { store, document, zarr_format, grid, keys, contents })
    }

    /// The same array, stored elsewhere.
    #[must_use]
    pub fn with_store(mut self, store: Store) -> Self {
        self.store = store;
        self
    }

    /// The elements, to be read in slices of `slice` elements of their chunks; `None` if the codecs or the slice's shape do not
    /// allow it.
    ///
    /// # Errors
    /// [`ArrayError::Shape`] if the slice is not a valid chunk shape.
    pub fn sliced(&self, slice: &[u64]) -> Result<Option<Elements>, ArrayError> {
        let location = self.metadata_location();
        let Contents::Elements(elements) = &self.contents else { return Ok(None) };
        let Elements { layout, element, fill, foreign_encoding, .. } = &**elements;
        if layout.shard.is_some() || *foreign_encoding || !self.grid.is_regular() {
            return Ok(None);
        }
        let units = ChunkGrid::new(self.grid.array_shape(), slice)
            .map_err(|source| ArrayError::Shape { location: location.clone(), source })?;
        let codec = SliceCodec::new(&layout.codecs, element, (self.grid.chunk_shape(), slice), fill)
            .map_err(|e| ArrayError::Metadata { location, detail: e.to_string() })?;
        let Some(codec) = codec.map(ArrayCodec::Slices) else { return Ok(None) };
        let (element, fill, layout) = (element.clone(), fill.clone(), layout.clone());
        let object_codecs = Vec::new();
        Ok(Some(Elements { element, fill, codec, object_codecs, units, layout, foreign_encoding: false }))
    }

    /// Reads its elements like this from now on.
    pub fn read_as(&mut self, elements: Elements) {
        self.contents = Contents::Elements(Box::new(elements));
    }

    /// The store, rooted at the array.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Where the array is, for messages.
    pub fn location(&self) -> &str {
        self.store.label()
    }

    /// Where its metadata is, for messages.
    pub fn metadata_location(&self) -> String {
        metadata_location(&self.store, self.zarr_format)
    }

    /// Its metadata.
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

    /// Keys of the objects.
    pub const fn keys(&self) -> KeyEncoding {
        self.keys
    }

    /// Key of object `object`, for messages; loops reuse a buffer through [`Self::keys`].
    pub fn key(&self, object: &[u64]) -> String {
        let mut key = String::new();
        self.keys.write(object, &mut key);
        key
    }

    /// Whether its objects are shards of chunks that can be read.
    pub const fn is_sharded(&self) -> bool {
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
    pub fn elements(&self) -> Result<&Elements, ArrayError> {
        match &self.contents {
            Contents::Elements(elements) => Ok(elements),
            Contents::Variable(_) => {
                let detail = "its elements have no fixed size".to_owned();
                Err(ArrayError::Opaque { array: self.location().to_owned(), detail })
            }
            Contents::Unknown(detail) => {
                Err(ArrayError::Metadata { location: self.metadata_location(), detail: detail.clone() })
            }
        }
    }

    /// What a thread needs to decode or encode its chunks.
    ///
    /// # Errors
    /// As [`Self::elements`], and if the system refuses the memory.
    pub fn scratch(&self) -> Result<Scratch, ArrayError> {
        Scratch::try_new(self.elements()?.chain()).map_err(|source| {
            let (array, key) = (self.location().to_owned(), "of the largest size".to_owned());
            ArrayError::Chunk { array, key, source }
        })
    }
}

fn metadata_location(store: &Store, zarr_format: u8) -> String {
    format!("{}/{}", store.label(), if zarr_format == 2 { ".zarray" } else { "zarr.json" })
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

/// The names of data types whose elements have no fixed size.
const VARIABLE: [(&str, VariableKind); 4] = [
    ("string", VariableKind::Text),
    ("variable_length_bytes", VariableKind::Bytes),
    ("bytes", VariableKind::Bytes),
    ("binary", VariableKind::Bytes),
];

/// The codecs of text or bytes.
fn variable(
    kind: VariableKind,
    document: &Document,
    codecs: Vec<CodecMetadata>,
    grid: &ChunkGrid,
) -> Result<Contents, String> {
    let fill_value = document.get("fill_value");
    let fill = match kind {
        VariableKind::Text => fill::text(fill_value)?.into_bytes(),
        VariableKind::Bytes => fill::bytes(fill_value)?,
    };
    let stored = document.stored().unwrap_or(&codecs);
    let codec = match VariableCodec::new(stored, kind, grid.chunk_shape(), &fill) {
        Ok(codec) => codec,
        Err(reason) if document.stored().is_some() => return Err(reason.to_string()),
        Err(reason) => return Ok(Contents::Unknown(reason.to_string())),
    };
    let foreign_encoding = document.stored().is_some();
    let inner = matches!(codec, VariableCodec::Shards { .. }).then(|| codec.unit().shape().to_vec());
    let (units, layout, object_codecs) = arrange(inner, grid, document, codecs)?;
    Ok(Contents::Variable(Box::new(VariableElements {
        fill,
        codec,
        object_codecs,
        units,
        layout,
        foreign_encoding,
    })))
}

/// The codecs and data type.
fn contents(document: &Document, grid: &ChunkGrid) -> Result<Contents, String> {
    let data_type = document.get("data_type");
    let data_type = codec_metadata(data_type)
        .map_err(|_| format!("data_type is {data_type}, a name or an object with one would be right"))?;
    let codecs = document.get("codecs");
    let codecs = codecs.as_array().ok_or_else(|| format!("codecs is {codecs}, a list would be right"))?;
    let codecs: Vec<CodecMetadata> = codecs.iter().map(codec_metadata).collect::<Result<_, _>>()?;
    if let Some((_, kind)) = VARIABLE.iter().find(|(name, _)| *name == data_type.name()) {
        return variable(*kind, document, codecs, grid);
    }
    let element = match ElementType::new(&data_type) {
        Ok(element) => element,
        Err(reason @ CodecError::UnknownType { .. }) => return Ok(Contents::Unknown(reason.to_string())),
        Err(reason) => return Err(reason.to_string()),
    };
    let fill_value = document.get("fill_value");
    if fill_value.is_null() && !matches!(element.kind(), Kind::Other) {
        return Err(format!("fill_value is missing: a value of {} would be right", element.name()));
    }
    let fill = fill::parse(&element, fill_value)?;
    let stored = document.stored().unwrap_or(&codecs);
    let codec = match ArrayCodec::new(stored, &element, grid.chunk_shape(), &fill) {
        Ok(codec) => codec,
        Err(reason) if stored.iter().all(zarrange_codec::is_known) => return Err(reason.to_string()),
        Err(reason) => return Ok(Contents::Unknown(reason.to_string())),
    };
    let foreign_encoding = document.stored().is_some();
    let inner = match &codec {
        ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => None,
        ArrayCodec::Shards(shards) => Some(shards.inner().shape().to_vec()),
    };
    let (units, layout, object_codecs) = arrange(inner, grid, document, codecs)?;
    Ok(Contents::Elements(Box::new(Elements {
        element,
        fill,
        codec,
        object_codecs,
        units,
        layout,
        foreign_encoding,
    })))
}

/// What is encoded at once (chunks, or `inner` chunks of shards), the layout, and the codecs of objects where their shapes differ.
fn arrange(
    inner: Option<Vec<u64>>,
    grid: &ChunkGrid,
    document: &Document,
    codecs: Vec<CodecMetadata>,
) -> Result<(ChunkGrid, Layout, Vec<CodecMetadata>), String> {
    let stored = document.stored().unwrap_or(&codecs);
    let of_objects = if grid.is_regular() { Vec::new() } else { stored.to_vec() };
    Ok((units(inner.as_deref(), grid)?, layout(inner, grid, codecs)?, of_objects))
}

/// The grid of what is encoded at once: of `inner` chunks where there are shards, otherwise of chunks.
fn units(inner: Option<&[u64]>, objects: &ChunkGrid) -> Result<ChunkGrid, String> {
    let Some(inner) = inner else { return Ok(objects.clone()) };
    let edges = objects.edges().unwrap_or_default().iter().zip(inner).enumerate();
    for (d, (edges, inner)) in edges {
        if let Some((length, _)) = edges.runs().find(|(length, _)| length % inner != 0) {
            return Err(format!(
                "a shard of {length} elements in dimension {d} does not consist of inner chunks of {inner}"
            ));
        }
    }
    ChunkGrid::new(objects.array_shape(), inner).map_err(|e| e.to_string())
}

/// The layout of chunks, or of `inner` chunks in shards.
fn layout(inner: Option<Vec<u64>>, grid: &ChunkGrid, codecs: Vec<CodecMetadata>) -> Result<Layout, String> {
    let object = grid.chunk_shape().to_vec();
    let Some(chunk) = inner else { return Ok(Layout { chunk: object, shard: None, codecs }) };
    let inner = codecs[0].configuration().and_then(|c| c.get("codecs")).cloned().unwrap_or_default();
    let inner = Json::from(inner);
    let codecs = inner.as_array().unwrap_or_default().iter().map(codec_metadata);
    Ok(Layout { chunk, shard: Some(object), codecs: codecs.collect::<Result<_, _>>()? })
}
