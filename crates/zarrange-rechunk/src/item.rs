//! One array of a job: what of it is asked, and how it will be moved.

use std::sync::Arc;

use zarrange_array::{Array, Contents, Document, Elements, KeyEncoding, Layout, Separator};
use zarrange_codec::{ArrayCodec, CodecMetadata, Rates, ShardIndex};
use zarrange_grid::ChunkGrid;
use zarrange_io::{Coalescing, Store};
use zarrange_plan::{Alternative, Chosen, Costs, Format, Plan, Problem, Purpose, Way, plan};

use crate::budget::Budget;
use crate::error::called;
use crate::job::{Item, Job};
use crate::presence::{Look, Sparse};
use crate::spec::{ChunkSpec, Codecs, KeySeparator};
use crate::stage;
use crate::{RechunkError, SpecError, beforehand, keep, slices};

/// An array of a job, planned.
pub(crate) fn prepare_item(
    job: &Job,
    path: String,
    mut source: Array,
    chunk: Option<&ChunkSpec>,
    shard: Option<&ChunkSpec>,
    chosen: Option<Chosen>,
) -> Result<Item, RechunkError> {
    let asked = chunk.is_some() || shard.is_some() || chosen.is_some();
    let foreign_encoding = source.elements().is_ok_and(|elements| elements.foreign_encoding);
    let recoded = asked || job.recodes(&path) || foreign_encoding;
    let mut document = source.document().clone();
    let elements = match source.contents() {
        Contents::Elements(elements) => elements,
        Contents::Variable(_) => return prepare_variable(job, path, source, chunk, shard),
        Contents::Unknown(_) if asked => source.elements()?,
        Contents::Unknown(_) => {
            let target = target_array(&source, with_keys(job, &source, source.objects(), document))?;
            return Ok(Item {
                path,
                source,
                target,
                plan: None,
                layout: None,
                dropped: Vec::new(),
                put_together: false,
            });
        }
    };
    let (mut dropped, mut objects) = (Vec::new(), source.objects().clone());
    if recoded {
        let (chunk, shard) = if let Some(Chosen { chunk, shard, .. }) = &chosen {
            (chunk.clone(), shard.clone())
        } else {
            check_regular(&path, &source, &elements.layout, chunk, shard)?;
            target_shape(&path, &source, &elements.layout, chunk, shard)?
        };
        let mut layout = Layout { chunk, shard, codecs: target_codecs(job, &path, elements)? };
        let encoded_anew = foreign_encoding || layout != elements.layout || !source.objects().is_regular();
        if job.codecs == Codecs::Keep && encoded_anew {
            (layout.codecs, dropped) = keep::in_chunks(elements, &layout);
        }
        if encoded_anew || layout != elements.layout {
            document = document.with_layout(&layout);
        } else if asked {
            // A list of equal chunks is a regular grid, and is what was asked for.
            document = document.with_regular_grid(source.objects().chunk_shape());
        }
        objects = objects_of(&source, &layout)?;
    }
    let target = target_array(&source, with_keys(job, &source, &objects, document))?;
    beforehand::memory_of_comparing(job, &source, &target)?;
    let (plan, sliced) = cheapest_plan(job, &source, &target)?;
    if let Some(elements) = sliced {
        source.read_as(elements);
    }
    Ok(Item { path, source, target, plan: Some(plan), layout: chosen, dropped, put_together: false })
}

/// The cheapest plan, and the elements of the source as it reads them, where not in whole chunks.
fn cheapest_plan(
    job: &Job,
    source: &Array,
    target: &Array,
) -> Result<(Plan, Option<Elements>), RechunkError> {
    let (from, to) = (source.elements()?, target.elements()?);
    let weigh = |from: &Elements| {
        let problem =
            problem((source, from), (target, to), job.memory_bytes_max, job.threads, Purpose::Write);
        plan(&Problem { costs: job.costs.clone(), way: job.way, ..problem })
    };
    let (mut best, mut sliced) = (weigh(from), None);
    for slice in slices::candidates(from, source.objects(), &to.layout) {
        let Some(elements) = source.sliced(&slice)? else { continue };
        let weighed = weigh(&elements);
        let better = match (&weighed, &best) {
            (Ok(new), Ok(old)) => new.predicted.seconds < old.predicted.seconds,
            // Smaller slices need less memory: the last error asks for the least.
            (_, Err(_)) => true,
            (Err(_), Ok(_)) => false,
        };
        if better {
            (best, sliced) = (weighed, Some(elements));
        }
    }
    let plan = best.map_err(|e| RechunkError::Plan { array: source.location().to_owned(), source: e })?;
    let plan = match job.way {
        None if !plan.spills.is_empty() => without_spills(plan, source, sliced.as_ref().unwrap_or(from)),
        _ => plan,
    };
    Ok((plan, sliced))
}

/// Another plan instead of one with intermediates, where few chunks are stored: those are written and read for everything, while
/// one stage visits no more than what is stored, however often it reads that.
fn without_spills(staged: Plan, source: &Array, from: &Elements) -> Plan {
    let budget = Budget::new(staged.problem.memory_bytes_max);
    let look = Look { sparse: Sparse::default(), budget: &budget, needed_bytes: 0 };
    let mut best = (staged.predicted.seconds, None);
    for way in [Way::Tiles, Way::Sweep] {
        let problem = Problem { source: format(source, from), way: Some(way), ..staged.problem.clone() };
        let Ok(one) = plan(&problem) else { continue };
        let Some(share) = one.stages.first().and_then(|stage| stage::share(stage, source, &look)) else {
            continue;
        };
        let seconds = one.predicted.seconds * share;
        if seconds < best.0 {
            best = (seconds, Some(one));
        }
    }
    let Some(one) = best.1 else { return staged };
    let Plan { way, stages, predicted, mut rejected, problem, .. } = staged;
    rejected.retain(|other| other.way != one.way);
    let tiles = stages.into_iter().map(|stage| stage.tile).collect();
    rejected.insert(0, Alternative { way, tiles, predicted });
    Plan { rejected, problem, ..one }
}

/// The stored objects of an array like `source` in another layout.
fn objects_of(source: &Array, layout: &Layout) -> Result<ChunkGrid, RechunkError> {
    let objects = ChunkGrid::new(source.shape(), layout.shard.as_ref().unwrap_or(&layout.chunk));
    objects.map_err(|e| RechunkError::Plan { array: source.location().to_owned(), source: e.into() })
}

/// The document with the keys that the target's `objects` get: those of the source where nothing else is asked and they are the same.
fn with_keys(job: &Job, source: &Array, objects: &ChunkGrid, document: Document) -> Document {
    let v2 = source.zarr_format() == 2;
    if !v2 && objects == source.objects() && job.key_separator == KeySeparator::Auto {
        return document;
    }
    let now = if v2 { KeyEncoding::Default(Separator::Slash) } else { source.keys() };
    document.with_key_encoding(job.key_separator.resolve(now, objects))
}

/// The array that `document` describes, not stored anywhere yet.
fn target_array(source: &Array, document: Document) -> Result<Array, RechunkError> {
    let label = format!("{} rechunked", source.location());
    let memory = Arc::new(zarrange_io::backends::memory::Memory::default());
    let nowhere = Store::new(memory.clone(), memory, label, Coalescing::NONE);
    Ok(Array::new(nowhere, document, 3)?)
}

/// An array of text or bytes: copied as it is stored where nothing else is asked, otherwise decoded and encoded anew.
fn prepare_variable(
    job: &Job,
    path: String,
    source: Array,
    chunk_spec: Option<&ChunkSpec>,
    shard_spec: Option<&ChunkSpec>,
) -> Result<Item, RechunkError> {
    let Some(elements) = source.variable() else { unreachable!("the caller saw its elements") };
    let now = &elements.layout;
    let mut document = source.document().clone();
    let mut objects = source.objects().clone();
    let (chunk, shard) = target_shape(&path, &source, now, chunk_spec, shard_spec)?;
    let made_regular = !source.objects().is_regular() && (chunk_spec.is_some() || shard_spec.is_some());
    let reshaped = made_regular || (&chunk, &shard) != (&now.chunk, &now.shard);
    let recoded = reshaped || elements.foreign_encoding || job.recodes(&path);
    if recoded {
        check_regular(&path, &source, now, chunk_spec, shard_spec)?;
        let codecs = job.codecs.resolve_variable(now);
        let layout = Layout { chunk, shard, codecs };
        objects = objects_of(&source, &layout)?;
        document = document.with_layout(&layout);
    }
    if !recoded && (chunk_spec.is_some() || shard_spec.is_some()) {
        document = document.with_regular_grid(source.objects().chunk_shape());
    }
    let target = target_array(&source, with_keys(job, &source, &objects, document))?;
    Ok(Item { path, source, target, plan: None, layout: None, dropped: Vec::new(), put_together: recoded })
}

/// The chunk and shard shapes asked for, of an array that has `now`.
fn target_shape(
    path: &str,
    source: &Array,
    now: &Layout,
    chunk: Option<&ChunkSpec>,
    shard: Option<&ChunkSpec>,
) -> Result<(Vec<u64>, Option<Vec<u64>>), SpecError> {
    let names = source.document().dimension_names().unwrap_or_default();
    let resolve = |spec: &ChunkSpec, current: &[u64]| spec.resolve(path, source.shape(), &names, current);
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
    let option = if now.shard.is_some() { "--shards" } else { "--chunks" };
    Err(SpecError::Rectilinear {
        array: path.to_owned(),
        option,
        largest: source.objects().chunk_shape().to_vec(),
    })
}

/// The codecs asked for, for an array.
fn target_codecs(job: &Job, path: &str, elements: &Elements) -> Result<Vec<CodecMetadata>, SpecError> {
    if let Codecs::Transposed(order, _) = &job.codecs
        && order.len() != elements.layout.chunk.len()
    {
        let (given, rank) = (job.codecs.to_string(), elements.layout.chunk.len());
        let array = called(path);
        let example: Vec<String> = (0..rank).rev().map(|d| d.to_string()).collect();
        let (named, example) = (order.len(), example.join(","));
        let reason = format!("ORDER names {named} dimensions, {array} has {rank}: such as {example}");
        return Err(SpecError::Codecs { given, reason });
    }
    Ok(job.codecs.resolve(&elements.layout, elements.item_bytes()))
}

/// Moving the elements of one array to those of another as a problem for the planner.
pub(crate) fn problem(
    (source, from): (&Array, &Elements),
    (target, to): (&Array, &Elements),
    memory_bytes_max: u64,
    threads: u64,
    purpose: Purpose,
) -> Problem {
    Problem {
        shape: source.shape().to_vec(),
        item_bytes: from.item_bytes() as u64,
        source: format(source, from),
        target: format(target, to),
        same_encoding: from.layout.codecs == to.layout.codecs
            && source.objects().edges() == target.objects().edges()
            && !from.foreign_encoding
            && !to.foreign_encoding,
        memory_bytes_max,
        threads,
        purpose,
        costs: Costs::default(),
        way: None,
    }
}

fn format(array: &Array, elements: &Elements) -> Format {
    let chain = elements.chain();
    let (shard, shard_index_bytes) = match &elements.codec {
        ArrayCodec::Chunks(_) => (None, 0),
        ArrayCodec::Shards(codec) => {
            (elements.layout.shard.clone(), ShardIndex::memory_bytes(codec.grid().count()))
        }
        // Slices lie in a chunk as inner chunks in a shard.
        ArrayCodec::Slices(_) => (Some(elements.layout.chunk.clone()), 0),
    };
    let Rates { decode_ns_per_byte, encode_ns_per_byte } = chain.rates();
    Format {
        chunk: elements.units.chunk_shape().to_vec(),
        shard,
        edges: array
            .objects()
            .edges()
            .map(|edges| edges.iter().map(|edges| edges.runs().collect()).collect()),
        slices: matches!(elements.codec, ArrayCodec::Slices(_)),
        encoded_bytes_max: chain.encoded_bytes_max() as u64,
        scratch_bytes: chain.scratch_bytes() as u64,
        context_bytes: chain.context_bytes() as u64,
        shard_index_bytes,
        decode_ns_per_byte,
        encode_ns_per_byte,
        stored_ratio: 1.0,
    }
}
