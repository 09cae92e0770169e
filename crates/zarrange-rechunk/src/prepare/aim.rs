//! What an array shall become: its metadata in the target, as asked.

use std::sync::Arc;

use zarrange_array::{
    Array, ArrayError, ArrayMetadata, Contents, Document, Elements, Found, KeyEncoding, Layout, Separator,
    VariableElements,
};
use zarrange_codec::CodecMetadata;
use zarrange_grid::ChunkGrid;
use zarrange_io::METADATA_BYTES_MAX;
use zarrange_plan::Chosen;

use crate::dimensions::Dimensions;
use crate::error::{RechunkError, SpecError, called};
use crate::prepare::keep;
use crate::request::{ChunkSpec, Codecs, KeySeparator, Request};

/// A layout that was chosen for a mix, and the names of the dimensions.
pub(crate) type LaidOut = (Chosen, Vec<Option<String>>);

/// What is asked for an array.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) chunk: Option<ChunkSpec>,
    pub(crate) shard: Option<ChunkSpec>,
    /// The layout that was chosen for the request's mix.
    pub(crate) chosen: Option<Box<LaidOut>>,
    /// The array of the target whose region is written.
    pub(crate) within: Option<Box<Found>>,
    /// How it was planned to be stored: members of its document, as JSON.
    pub(crate) planned: Option<Arc<[u8]>>,
}

impl Asked {
    pub(crate) const fn is_nothing(&self) -> bool {
        self.chunk.is_none() && self.shard.is_none() && self.chosen.is_none()
    }
}

/// What an array shall become.
pub(crate) struct Aim {
    pub(crate) target: ArrayMetadata,
    pub(crate) dropped: Vec<String>,
    pub(crate) how: How,
}

/// How an array can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As the cheapest plan says.
    Planned,
    /// As it is stored.
    Stored,
    /// Text and bytes, chunk by chunk.
    Text,
}

/// What an array shall become, as asked; nothing is planned.
pub(crate) fn aim(request: &Request, path: &str, source: &Array, asked: &Asked) -> Result<Aim, RechunkError> {
    let Asked { chunk, shard, chosen, within: _, planned: _ } = asked;
    let (chunk, shard) = (chunk.as_ref(), shard.as_ref());
    let foreign_encoding = source.elements().is_ok_and(|elements| elements.foreign_encoding);
    let recoded = !asked.is_nothing() || request.recodes(path) || foreign_encoding;
    let mut document = source.document().clone();
    let elements = match source.contents() {
        Contents::Elements(elements) => elements,
        Contents::Variable(elements) => {
            return aim_variable(request, (path, source), elements, (chunk, shard));
        }
        Contents::Unknown(_) if !asked.is_nothing() => source.elements()?,
        Contents::Unknown(_) => {
            let target = target(request, path, with_keys(request, source, source.objects(), document))?;
            return Ok(Aim { target, dropped: Vec::new(), how: How::Stored });
        }
    };
    let (mut dropped, mut objects) = (Vec::new(), source.objects().clone());
    if recoded {
        let (chunk, shard) = if let Some((Chosen { chunk, shard, .. }, _)) = chosen.as_deref() {
            (chunk.clone(), shard.clone())
        } else {
            check_regular(path, source, &elements.layout, chunk, shard)?;
            target_shape(path, source, &elements.layout, chunk, shard)?
        };
        let mut layout = Layout { chunk, shard, codecs: target_codecs(request, path, elements)? };
        let encoded_anew = foreign_encoding || layout != elements.layout || !source.objects().is_regular();
        if *request.codecs_of(path) == Codecs::Keep && encoded_anew {
            (layout.codecs, dropped) = keep::in_chunks(elements, &layout);
        }
        if encoded_anew || layout != elements.layout {
            document = document.with_layout(&layout);
        } else if !asked.is_nothing() {
            // A list of equal chunks is a regular grid, and is what was asked for.
            document = document.with_regular_grid(source.objects().chunk_shape());
        }
        objects = objects_of(source, &layout)?;
    }
    let target = target(request, path, with_keys(request, source, &objects, document))?;
    Ok(Aim { target, dropped, how: How::Planned })
}

/// The length of a target's document.
///
/// # Errors
/// If it could not be read again.
pub(crate) fn check_length(target: &ArrayMetadata) -> Result<u64, RechunkError> {
    let bytes = target.document().bytes();
    if bytes <= METADATA_BYTES_MAX {
        return Ok(bytes);
    }
    let detail = format!(
        "its zarr.json would have {bytes} bytes, more than {METADATA_BYTES_MAX} are not read: its attributes must be shorter"
    );
    Err(ArrayError::Metadata { location: target.location().to_owned(), detail }.into())
}

/// The stored objects of an array like `source` in another layout.
fn objects_of(source: &Array, layout: &Layout) -> Result<ChunkGrid, RechunkError> {
    let objects = ChunkGrid::new(source.shape(), layout.shard.as_ref().unwrap_or(&layout.chunk));
    objects.map_err(|e| RechunkError::Plan { array: source.location().to_owned(), source: e.into() })
}

/// The document with the keys that the target's `objects` get: those of the source where nothing else is asked and they are the same.
fn with_keys(request: &Request, source: &Array, objects: &ChunkGrid, document: Document) -> Document {
    let v2 = source.zarr_format() == 2;
    if !v2 && objects == source.objects() && request.key_separator == KeySeparator::Auto {
        return document;
    }
    let now = if v2 { KeyEncoding::Default(Separator::Slash) } else { source.keys() };
    document.with_key_encoding(request.key_separator.resolve(now, objects))
}

/// What an array becomes by a plan: the same, but for these members of its document.
pub(crate) fn planned_target(
    request: &Request,
    path: &str,
    source: &Array,
    members: &[u8],
) -> Result<ArrayMetadata, RechunkError> {
    let members = serde_json::from_slice(members)
        .unwrap_or_else(|error| unreachable!("members were written as JSON here: {error}"));
    target(request, path, source.document().with_members(&members))
}

/// What `document` describes, at its place in the target.
fn target(request: &Request, path: &str, document: Document) -> Result<ArrayMetadata, RechunkError> {
    let root = request.target.to_string();
    let location = if path.is_empty() { root } else { format!("{root}/{path}") };
    Ok(ArrayMetadata::new(location, document, 3)?)
}

/// An array of text or bytes: copied as it is stored where nothing else is asked, otherwise decoded and encoded anew.
fn aim_variable(
    request: &Request,
    (path, source): (&str, &Array),
    elements: &VariableElements,
    (chunk_spec, shard_spec): (Option<&ChunkSpec>, Option<&ChunkSpec>),
) -> Result<Aim, RechunkError> {
    let now = &elements.layout;
    let mut document = source.document().clone();
    let mut objects = source.objects().clone();
    let (chunk, shard) = target_shape(path, source, now, chunk_spec, shard_spec)?;
    let made_regular = !source.objects().is_regular() && (chunk_spec.is_some() || shard_spec.is_some());
    let reshaped = made_regular || (&chunk, &shard) != (&now.chunk, &now.shard);
    let codecs = request.codecs_of(path).resolve_variable(now);
    // Who gives a shape means the codecs for this array, too, where the shape is that of now.
    let other_codecs = (chunk_spec.is_some() || shard_spec.is_some()) && codecs != now.codecs;
    let recoded = reshaped || other_codecs || elements.foreign_encoding || request.recodes(path);
    if recoded {
        check_regular(path, source, now, chunk_spec, shard_spec)?;
        let layout = Layout { chunk, shard, codecs };
        objects = objects_of(source, &layout)?;
        document = document.with_layout(&layout);
    }
    if !recoded && (chunk_spec.is_some() || shard_spec.is_some()) {
        document = document.with_regular_grid(source.objects().chunk_shape());
    }
    let target = target(request, path, with_keys(request, source, &objects, document))?;
    let how = if recoded { How::Text } else { How::Stored };
    Ok(Aim { target, dropped: Vec::new(), how })
}

/// The chunk and shard shapes asked for, of an array that has `now`.
fn target_shape(
    path: &str,
    source: &Array,
    now: &Layout,
    chunk: Option<&ChunkSpec>,
    shard: Option<&ChunkSpec>,
) -> Result<(Vec<u64>, Option<Vec<u64>>), SpecError> {
    let dimensions = Dimensions::of(source);
    let resolve =
        |spec: &ChunkSpec, current: &[u64]| spec.resolve(path, source.shape(), &dimensions, current);
    let new_chunk = chunk.map_or_else(|| Ok(now.chunk.clone()), |spec| resolve(spec, &now.chunk))?;
    let new_shard = match shard {
        Some(ChunkSpec::Keep) => now.shard.clone(),
        Some(ChunkSpec::None) => None,
        Some(spec) => Some(resolve(spec, now.shard.as_ref().unwrap_or(&new_chunk))?),
        // Chunks that stay as they are stay in their shards.
        None => now.shard.clone().filter(|_| new_chunk == now.chunk),
    };
    if let Some(shard) = &new_shard
        && shard.iter().zip(&new_chunk).any(|(s, c)| s % c != 0)
    {
        let admissible =
            shard.iter().zip(&new_chunk).map(|(s, c)| s.div_ceil(*c).saturating_mul(*c)).collect();
        return Err(SpecError::Shard {
            array: path.to_owned(),
            shard: shard.clone(),
            chunk: new_chunk,
            admissible,
        });
    }
    Ok((new_chunk, new_shard))
}

/// Chunks of different shapes are copied as they are; elements that are encoded anew need a regular grid, which somebody must ask for.
fn check_regular(
    path: &str,
    source: &Array,
    now: &Layout,
    chunk: Option<&ChunkSpec>,
    shard: Option<&ChunkSpec>,
) -> Result<(), SpecError> {
    let asked = |spec: Option<&ChunkSpec>| spec.is_some_and(|spec| *spec != ChunkSpec::Keep);
    // Inner chunks are regular, and may be kept in other shards.
    let regular = asked(chunk) || (now.shard.is_some() && asked(shard));
    if regular || source.objects().is_regular() {
        return Ok(());
    }
    let what = if now.shard.is_some() { "shards" } else { "chunks" };
    Err(SpecError::Rectilinear {
        array: path.to_owned(),
        what,
        largest: source.objects().chunk_shape().to_vec(),
    })
}

/// The codecs asked for, for an array.
fn target_codecs(
    request: &Request,
    path: &str,
    elements: &Elements,
) -> Result<Vec<CodecMetadata>, SpecError> {
    let codecs = request.codecs_of(path);
    if let Codecs::Transposed(order, _) = codecs
        && order.len() != elements.layout.chunk.len()
    {
        let (given, rank) = (codecs.to_string(), elements.layout.chunk.len());
        let array = called(path);
        let example: Vec<String> = (0..rank).rev().map(|d| d.to_string()).collect();
        let (named, example) = (order.len(), example.join(","));
        let reason = format!("ORDER names {named} dimensions, {array} has {rank}: such as {example}");
        return Err(SpecError::Codecs { given, reason });
    }
    Ok(codecs.resolve(&elements.layout, elements.item_bytes()))
}
