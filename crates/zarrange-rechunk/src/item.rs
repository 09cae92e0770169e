//! One array of a job: what of it is asked, and how it will be moved.

use std::collections::VecDeque;
use std::sync::Arc;

use zarrange_array::{
    Array, ArrayError, ArrayMetadata, ChunkView, Chunks, Contents, Document, Elements, Found, KeyEncoding,
    Layout, Separator, VariableElements,
};
use zarrange_codec::{ArrayCodec, CodecMetadata, Rates, ShardIndex};
use zarrange_grid::ChunkGrid;
use zarrange_io::{METADATA_BYTES_MAX, Store};
use zarrange_plan::{Chosen, Costs, Format, Plan, PlanError, Problem, Purpose, Way, plan};

use crate::engine::budget::Budget;
use crate::engine::context::elements;
use crate::engine::presence::{Look, Sparse};
use crate::engine::stage;
use crate::error::called;
use crate::job::Job;
use crate::spec::{ChunkSpec, Codecs, KeySeparator};
use crate::{RechunkError, SpecError, beforehand, keep, slices};

/// One array of a job. It is opened when it is its turn: metadata may be large, and arrays many.
#[derive(Debug)]
pub struct Item {
    found: Found,
    asked: Asked,
    /// How it will be moved, packed: plans of a group are many, and mostly alike.
    plan: Option<Arc<[u8]>>,
    /// Its source is read in slices of this shape.
    slice: Option<Box<[u64]>>,
    /// Codecs of the source that the target does not have, although it was to keep them.
    pub(crate) dropped: Vec<String>,
    /// Its elements have no fixed size, and its chunks are put together anew.
    pub(crate) put_together: bool,
    /// Why its elements cannot be read, where they cannot.
    pub(crate) opaque: Option<Box<str>>,
    /// Its elements, and the bytes of one.
    pub(crate) elements: u64,
    pub(crate) element_bytes: u64,
}

/// A layout that was chosen for a mix, and the names of the dimensions.
pub(crate) type LaidOut = (Chosen, Vec<Option<String>>);

/// What is asked for an array.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) chunk: Option<ChunkSpec>,
    pub(crate) shard: Option<ChunkSpec>,
    /// The layout that was chosen for the job's mix.
    pub(crate) chosen: Option<Box<LaidOut>>,
}

impl Asked {
    pub(crate) const fn is_nothing(&self) -> bool {
        self.chunk.is_none() && self.shard.is_none() && self.chosen.is_none()
    }
}

/// An item opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) source: Array,
    pub(crate) target: ArrayMetadata,
    /// The source is read in slices of this shape.
    pub(crate) slice: Option<Box<[u64]>>,
}

impl Opened {
    /// The chunks of the source, as they are read.
    pub(crate) fn source_chunks(&self) -> Result<Chunks<'_>, ArrayError> {
        let sliced = match &self.slice {
            Some(slice) => self.source.slices(slice)?,
            None => None,
        };
        sliced.map_or_else(|| self.source.chunks(), Ok)
    }
}

impl Item {
    /// Its path within the hierarchy; empty for the root.
    pub fn path(&self) -> &str {
        self.found.path()
    }

    /// The layout that was chosen for the job's mix.
    pub fn layout(&self) -> Option<&Chosen> {
        self.asked.chosen.as_ref().map(|chosen| &chosen.0)
    }

    /// That layout, and the names of the dimensions.
    pub(crate) fn laid_out(&self) -> Option<&LaidOut> {
        self.asked.chosen.as_deref()
    }

    /// Opens it below the `root` of the source; what was planned is what there is.
    pub(crate) fn open(&self, job: &Job, root: &Store) -> Result<Opened, RechunkError> {
        let source = self.found.array(root)?;
        let target = aim(job, self.path(), &source, &self.asked)?.target;
        Ok(Opened { source, target, slice: self.slice.clone() })
    }

    /// How it will be moved; `None` if its stored bytes are copied without being understood, or put together.
    pub fn plan(&self) -> Option<Plan> {
        let unpacked = postcard::from_bytes(self.plan.as_ref()?);
        Some(unpacked.unwrap_or_else(|error| unreachable!("a plan was packed here: {error}")))
    }

    /// The memory that it takes, about; items that share a plan share what that takes.
    pub(crate) fn bytes(&self) -> u64 {
        let plan = self.plan.as_ref().map_or(0, |plan| plan.len() / Arc::strong_count(plan));
        let chosen = self.asked.chosen.as_ref().map_or(0, |_| CHOSEN_BYTES);
        self.found.bytes() + (size_of::<Self>() + plan + chosen) as u64
    }
}

/// What a layout that was chosen for a mix takes, about.
const CHOSEN_BYTES: usize = 512;

/// What an array shall become.
struct Aim {
    target: ArrayMetadata,
    dropped: Vec<String>,
    how: How,
}

/// How an array will be moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// As the cheapest plan says.
    Planned,
    /// As it is stored.
    Copied,
    /// Chunk by chunk.
    PutTogether,
}

/// An array of a job, planned.
pub(crate) fn prepare_item(
    job: &Job,
    found: Found,
    source: &Array,
    asked: Asked,
    plans: &mut Plans,
) -> Result<Item, RechunkError> {
    let Aim { target, dropped, how } = aim(job, found.path(), source, &asked)?;
    check_length(&target)?;
    let (mut plan, mut slice) = (None, None);
    if how == How::Planned {
        beforehand::memory_of_comparing(job, source, &target, plans)?;
        let cheapest = cheapest_plan(job, source, &target, plans)?;
        (plan, slice) = (Some(plans.packed(&cheapest.0)), cheapest.1.map(Into::into));
    }
    Ok(Item {
        found,
        asked,
        plan,
        slice,
        dropped,
        put_together: how == How::PutTogether,
        opaque: match source.contents() {
            Contents::Unknown(reason) => Some(reason.as_str().into()),
            _ => None,
        },
        elements: elements(source),
        element_bytes: source.elements().map_or(1, |e| e.item_bytes() as u64),
    })
}

/// Refuses a target whose metadata could not be read again.
fn check_length(target: &ArrayMetadata) -> Result<(), RechunkError> {
    let bytes = target.document().bytes();
    if bytes <= METADATA_BYTES_MAX {
        return Ok(());
    }
    let detail = format!(
        "its zarr.json would have {bytes} bytes, more than {METADATA_BYTES_MAX} are not read: its attributes must be shorter"
    );
    Err(ArrayError::Metadata { location: target.location().to_owned(), detail }.into())
}

/// What an array shall become, as asked; nothing is planned.
fn aim(job: &Job, path: &str, source: &Array, asked: &Asked) -> Result<Aim, RechunkError> {
    let Asked { chunk, shard, chosen } = asked;
    let (chunk, shard) = (chunk.as_ref(), shard.as_ref());
    let foreign_encoding = source.elements().is_ok_and(|elements| elements.foreign_encoding);
    let recoded = !asked.is_nothing() || job.recodes(path) || foreign_encoding;
    let mut document = source.document().clone();
    let elements = match source.contents() {
        Contents::Elements(elements) => elements,
        Contents::Variable(elements) => return aim_variable(job, (path, source), elements, (chunk, shard)),
        Contents::Unknown(_) if !asked.is_nothing() => source.elements()?,
        Contents::Unknown(_) => {
            let target = target(job, path, with_keys(job, source, source.objects(), document))?;
            return Ok(Aim { target, dropped: Vec::new(), how: How::Copied });
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
        let mut layout = Layout { chunk, shard, codecs: target_codecs(job, path, elements)? };
        let encoded_anew = foreign_encoding || layout != elements.layout || !source.objects().is_regular();
        if job.codecs == Codecs::Keep && encoded_anew {
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
    let target = target(job, path, with_keys(job, source, &objects, document))?;
    Ok(Aim { target, dropped, how: How::Planned })
}

/// Plans that were made last: the arrays of a group are mostly alike.
#[derive(Default)]
pub(crate) struct Plans {
    made: VecDeque<Arc<Plan>>,
    packed: VecDeque<Arc<[u8]>>,
}

impl Plans {
    const KEPT: usize = 32;

    pub(crate) fn of(&mut self, problem: &Problem) -> Result<Arc<Plan>, PlanError> {
        if let Some(known) = self.made.iter().find(|plan| plan.problem == *problem) {
            return Ok(known.clone());
        }
        let plan = Arc::new(plan(problem)?);
        self.made.truncate(Self::KEPT - 1);
        self.made.push_front(plan.clone());
        Ok(plan)
    }

    fn packed(&mut self, plan: &Plan) -> Arc<[u8]> {
        let packed = postcard::to_allocvec(plan)
            .unwrap_or_else(|error| unreachable!("a plan is numbers, names and lists of them: {error}"));
        if let Some(known) = self.packed.iter().find(|known| ***known == *packed) {
            return known.clone();
        }
        let packed: Arc<[u8]> = packed.into();
        self.packed.truncate(Self::KEPT - 1);
        self.packed.push_front(packed.clone());
        packed
    }
}

/// The cheapest plan, and the slices in which it reads the source, where not in whole chunks.
fn cheapest_plan(
    job: &Job,
    source: &Array,
    target: &ArrayMetadata,
    plans: &mut Plans,
) -> Result<(Arc<Plan>, Option<Vec<u64>>), RechunkError> {
    let (from, to) = (source.chunks()?, target.view()?);
    let mut weigh = |from: &ChunkView<'_>| {
        let problem = problem(from, &to, (job.memory_bytes_max, job.threads), Purpose::Write);
        plans.of(&Problem { costs: job.costs.clone(), way: job.way, ..problem })
    };
    let (mut best, mut sliced) = (weigh(&from), None);
    for slice in slices::candidates(from.elements(), source.objects(), &to.elements().layout) {
        let Some(chunks) = source.slices(&slice)? else { continue };
        let weighed = weigh(&chunks);
        let better = match (&weighed, &best) {
            (Ok(new), Ok(old)) => new.predicted.seconds < old.predicted.seconds,
            // Smaller slices need less memory: the last error asks for the least.
            (_, Err(_)) => true,
            (Err(_), Ok(_)) => false,
        };
        if better {
            (best, sliced) = (weighed, Some((slice, chunks)));
        }
    }
    let plan = best.map_err(|e| RechunkError::Plan { array: source.location().to_owned(), source: e })?;
    let plan = match job.way {
        None if !plan.spills().is_empty() => {
            without_spills(plan, sliced.as_ref().map_or(&from, |(_, chunks)| chunks))
        }
        _ => plan,
    };
    Ok((plan, sliced.map(|(slice, _)| slice)))
}

/// Another plan instead of one with intermediates, where few chunks are stored: those are written and read for everything, while
/// one stage visits no more than what is stored, however often it reads that.
fn without_spills(staged: Arc<Plan>, from: &Chunks<'_>) -> Arc<Plan> {
    let budget = Budget::new(staged.problem.memory_bytes_max);
    let look = Look { sparse: Sparse::default(), budget: &budget, needed_bytes: 0 };
    let mut best = (staged.predicted.seconds, None);
    for way in [Way::Tiles, Way::Sweep] {
        let problem = Problem { source: format(from), way: Some(way), ..staged.problem.clone() };
        let Ok(one) = plan(&problem) else { continue };
        let Some(share) = one.stages().first().and_then(|stage| stage::share(stage, from, &look)) else {
            continue;
        };
        let seconds = one.predicted.seconds * share;
        if seconds < best.0 {
            best = (seconds, Some(one));
        }
    }
    let Some(one) = best.1 else { return staged };
    let mut rejected = staged.rejected.clone();
    rejected.retain(|other| other.way != one.way());
    rejected.insert(0, staged.as_alternative());
    Arc::new(Plan { rejected, problem: staged.problem.clone(), ..one })
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

/// What `document` describes, at its place in the target.
fn target(job: &Job, path: &str, document: Document) -> Result<ArrayMetadata, RechunkError> {
    let root = job.target.to_string();
    let location = if path.is_empty() { root } else { format!("{root}/{path}") };
    Ok(ArrayMetadata::new(location, document, 3)?)
}

/// An array of text or bytes: copied as it is stored where nothing else is asked, otherwise decoded and encoded anew.
fn aim_variable(
    job: &Job,
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
    let recoded = reshaped || elements.foreign_encoding || job.recodes(path);
    if recoded {
        check_regular(path, source, now, chunk_spec, shard_spec)?;
        let codecs = job.codecs.resolve_variable(now);
        let layout = Layout { chunk, shard, codecs };
        objects = objects_of(source, &layout)?;
        document = document.with_layout(&layout);
    }
    if !recoded && (chunk_spec.is_some() || shard_spec.is_some()) {
        document = document.with_regular_grid(source.objects().chunk_shape());
    }
    let target = target(job, path, with_keys(job, source, &objects, document))?;
    let how = if recoded { How::PutTogether } else { How::Copied };
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
    from: &ChunkView<'_>,
    to: &ChunkView<'_>,
    (memory_bytes_max, threads): (u64, u64),
    purpose: Purpose,
) -> Problem {
    let (source, target) = (from.metadata(), to.metadata());
    Problem {
        shape: source.shape().to_vec(),
        item_bytes: from.item_bytes() as u64,
        source: format(from),
        target: format(to),
        same_encoding: from.elements().layout.codecs == to.elements().layout.codecs
            && source.objects().edges() == target.objects().edges()
            && !from.elements().foreign_encoding
            && !to.elements().foreign_encoding,
        memory_bytes_max,
        threads,
        purpose,
        costs: Costs::default(),
        way: None,
    }
}

fn format(view: &ChunkView<'_>) -> Format {
    let (elements, chain) = (view.elements(), view.chain());
    let (shard, shard_index_bytes) = match &elements.codec {
        ArrayCodec::Chunks(_) => (None, 0),
        ArrayCodec::Shards(codec) => {
            (elements.layout.shard.clone(), ShardIndex::memory_bytes(codec.grid().count()))
        }
        // Slices lie in a chunk as inner chunks in a shard.
        ArrayCodec::Slices(_) => (Some(elements.layout.chunk.clone()), 0),
    };
    let Rates { decode_ns_per_byte, encode_ns_per_byte } = chain.rates();
    let edges = view.metadata().objects().edges();
    Format {
        chunk: view.grid().chunk_shape().to_vec(),
        shard,
        edges: edges.map(|edges| edges.iter().map(|edges| edges.runs().collect()).collect()),
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
