//! What the metadata of an array says of its elements: their type, their codecs, the chunks that they are encoded in.

use std::sync::Arc;

use zarrange_codec::{
    ArrayCodec, Chain, CodecError, CodecMetadata, ElementType, Kind, SliceCodec, VariableChain,
    VariableCodec, VariableKind,
};
use zarrange_grid::{ChunkGrid, GridError, index};

use crate::document::{Document, Layout};
use crate::fill;
use crate::json::Json;
use crate::named::codec_metadata;

/// Whether the elements of an array can be read.
#[derive(Debug)]
pub enum Contents {
    /// Elements of a fixed size, with codecs that can be run.
    Elements(Arc<Elements>),
    /// Elements of no fixed size: text, or bytes.
    Variable(Arc<VariableElements>),
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
    pub chunks: ChunkGrid,
    /// The chunk layout, as it would be written; that of the largest chunks where the chunk grid is rectilinear.
    pub layout: Layout,
    /// The stored chunks are not encoded by the codecs of `layout`: only decoded and encoded anew are they what it says.
    pub foreign_encoding: bool,
}

impl Elements {
    /// The chain of a chunk or inner chunk.
    pub const fn chain(&self) -> &Chain {
        self.codec.chain()
    }

    /// Bytes of one element.
    pub const fn item_bytes(&self) -> usize {
        self.element.bytes()
    }

    /// Bytes of `chunk` when it is decoded, a chunk or inner chunk.
    pub fn chunk_bytes(&self, chunk: &[u64]) -> usize {
        if self.chunks.is_regular() {
            return self.chain().chunk_bytes();
        }
        index(self.chunks.cell(chunk).elements()) * self.item_bytes()
    }

    /// The elements of an array of `objects`, to be read in slices of `slice` elements of their chunks; `None` if the codecs or the
    /// slice's shape do not allow it.
    pub(crate) fn sliced(&self, objects: &ChunkGrid, slice: &[u64]) -> Result<Option<Self>, SliceFault> {
        let Self { layout, element, fill, foreign_encoding, .. } = self;
        if layout.shard.is_some() || *foreign_encoding || !objects.is_regular() {
            return Ok(None);
        }
        let chunks = ChunkGrid::new(objects.array_shape(), slice).map_err(SliceFault::Shape)?;
        let codec = SliceCodec::new(&layout.codecs, element, (objects.chunk_shape(), slice), fill);
        let Some(codec) = codec.map_err(SliceFault::Codecs)?.map(ArrayCodec::Slices) else { return Ok(None) };
        let (element, fill, layout) = (element.clone(), fill.clone(), layout.clone());
        let object_codecs = Vec::new();
        Ok(Some(Self { element, fill, codec, object_codecs, chunks, layout, foreign_encoding: false }))
    }
}

/// How elements without a fixed size are stored.
#[derive(Debug)]
pub struct VariableElements {
    /// The fill value.
    pub fill: Vec<u8>,
    /// The compiled codecs, for the largest objects where the chunk grid is rectilinear.
    pub codec: VariableCodec,
    /// The codecs of the stored objects, where their shapes differ.
    pub(crate) object_codecs: Vec<CodecMetadata>,
    /// What is encoded at once: chunks, or inner chunks of shards, over the whole array.
    pub chunks: ChunkGrid,
    /// The chunk layout, as it would be written.
    pub layout: Layout,
    /// The stored chunks are not encoded by the codecs of `layout`.
    pub foreign_encoding: bool,
}

impl VariableElements {
    /// The chain of a chunk or inner chunk.
    pub const fn chain(&self) -> &VariableChain {
        self.codec.chain()
    }
}

/// Why the slices of an array cannot be read.
pub(crate) enum SliceFault {
    Shape(GridError),
    Codecs(CodecError),
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
    let inner = matches!(codec, VariableCodec::Shards { .. }).then(|| codec.chain().shape().to_vec());
    let (chunks, layout, object_codecs) = arrange(inner, grid, document, codecs)?;
    Ok(Contents::Variable(Arc::new(VariableElements {
        fill,
        codec,
        object_codecs,
        chunks,
        layout,
        foreign_encoding,
    })))
}

/// The codecs and data type.
pub(crate) fn contents(document: &Document, grid: &ChunkGrid) -> Result<Contents, String> {
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
    let (chunks, layout, object_codecs) = arrange(inner, grid, document, codecs)?;
    Ok(Contents::Elements(Arc::new(Elements {
        element,
        fill,
        codec,
        object_codecs,
        chunks,
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
    Ok((chunks(inner.as_deref(), grid)?, layout(inner, grid, codecs)?, of_objects))
}

/// The grid of what is encoded at once: of `inner` chunks where there are shards, otherwise of chunks.
fn chunks(inner: Option<&[u64]>, objects: &ChunkGrid) -> Result<ChunkGrid, String> {
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
