//! Arrays of text and bytes: their chunks are put together one by one, for no tile can be planned of elements without a size.
//!
//! Each worker takes stored objects of the target (chunks or shards) in their order, and keeps the source chunks that it read last, as
//! many as its share of the memory holds. Where a share is too small for one chunk, one worker has all of the memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use twox_hash::XxHash3_128;
use zarrange_array::{
    Array, ArrayError, ArrayMetadata, ReadCost, VariableElements, VariableReader, VariableWriter,
    put_together,
};
use zarrange_codec::{CodecError, ShardIndex, Variable, VariableCodec};
use zarrange_grid::{Digester, Dims, Region, index};
use zarrange_plan::{Counts, Parts};

use crate::difference::Difference;
use crate::engine::budget::Budget;
use crate::engine::context::{Context, elements};
use crate::engine::crew::{Work, work_off};
use crate::engine::objects::{ObjectWalk, Taken};
use crate::engine::parts::{Alone, Recorded, StageParts};
use crate::engine::permits::Permit;
use crate::engine::presence::{List, Look};
use crate::error::RechunkError;

/// An array and its elements.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) array: &'a Array,
    pub(crate) elements: &'a VariableElements,
}

impl<'a> Side<'a> {
    /// An array whose elements have no fixed size.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if they have one.
    pub(crate) fn of(array: &'a Array) -> Result<Self, ArrayError> {
        let opaque = || {
            let detail = "its elements have a fixed size".to_owned();
            ArrayError::Opaque { array: array.location().to_owned(), detail }
        };
        Ok(Self { array, elements: array.variable().ok_or_else(opaque)? })
    }

    /// Memory of the index of a shard that is read or written.
    fn index_bytes(&self) -> u64 {
        match &self.elements.codec {
            VariableCodec::Chunks(_) => 0,
            VariableCodec::Shards { layout, .. } => ShardIndex::memory_bytes(layout.grid().count()),
        }
    }

    /// Whether a shard of it is held in memory until it is complete.
    fn holds_shards(&self) -> bool {
        let shards = matches!(self.elements.codec, VariableCodec::Shards { .. });
        shards && !self.array.store().abilities().partial_writes
    }
}

/// Of a worker's share, source chunks that are kept take two parts; one is being decoded through buffers of three times its size, one is
/// put together, and is encoded through four more.
const PARTS: u64 = 12;

/// Writes every element of `source` to its place in `target`; where few chunks are stored, only objects that hold some of them are
/// looked at. The most memory that was really used.
pub(crate) fn run(
    source: Side<'_>,
    target: Side<'_>,
    parts: Parts,
    context: &Context<'_>,
) -> Result<u64, RechunkError> {
    let (objects, held) = (target.array.objects(), AtomicU64::new(0));
    let attempt = |threads: u64, share: u64| {
        let touched = touched(&[source.array], target.array, context);
        let unvisited = unvisited_elements(touched.as_ref(), target.array);
        let recorded = Recorded::default();
        let parts = StageParts::only(parts, context.ledger, &recorded);
        let walk = ObjectWalk::new(objects, touched, &parts);
        let work = Assembling { source, target, share, walk, held: &held, context };
        work_off(&work, (threads, threads), context.progress)?;
        let counts = recorded.counts();
        context.recorded.add(counts);
        if !work.walk.left_out() {
            let looked_at = counts.target_chunks + counts.fill_chunks;
            let fill_chunks = target.elements.chunks.count().saturating_sub(looked_at);
            context.recorded.add(Counts { fill_chunks, ..Counts::default() });
        }
        context.progress.advance(unvisited);
        Ok(())
    };
    in_shares((source, target), context, &attempt).map_err(|error| told(error, context.budget, PARTS))?;
    Ok(held.into_inner())
}

/// The parts of writing `target`: how large its objects are, nobody knows.
pub(crate) fn parts(target: &ArrayMetadata, part_bytes: u64) -> Parts {
    /// What an element may take, about.
    const ELEMENT_BYTES: u64 = 32;
    let objects = target.objects();
    let object_elements = objects.chunk_shape().iter().fold(1, |n: u64, c| n.saturating_mul(*c));
    Parts::new(objects.count(), object_elements.saturating_mul(ELEMENT_BYTES), part_bytes)
}

/// Compares every element of two arrays of one shape; `path` names them in the difference.
pub(crate) fn compare(
    path: &str,
    a: Side<'_>,
    b: Side<'_>,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let objects = b.array.objects();
    let attempt = |threads: u64, share: u64| {
        // What is stored in neither is the fill value in both, which is the same.
        let same_fill = a.elements.fill == b.elements.fill;
        let touched = if same_fill { touched(&[a.array, b.array], b.array, context) } else { None };
        let unvisited = unvisited_elements(touched.as_ref(), b.array);
        let recorded = Recorded::default();
        let parts = StageParts::only(parts(b.array, u64::MAX), &Alone, &recorded);
        let walk = ObjectWalk::new(objects, touched, &parts);
        work_off(&Comparing { path, a, b, share, walk, context }, (threads, threads), context.progress)?;
        context.progress.advance(2 * unvisited);
        Ok(())
    };
    in_shares((a, b), context, &attempt).map_err(|error| told(error, context.budget, 2 * PARTS))
}

/// The sum of the digests of all elements.
pub(crate) fn digest(side: Side<'_>, context: &Context<'_>) -> Result<u128, RechunkError> {
    let objects = side.array.objects();
    let digester = Digester::new(side.array.shape(), &[]);
    let sum = Mutex::new(0);
    let attempt = |threads: u64, share: u64| {
        *sum.lock().unwrap_or_else(PoisonError::into_inner) = 0u128;
        let touched = touched(&[side.array], side.array, context);
        let unvisited = unvisited_elements(touched.as_ref(), side.array);
        let recorded = Recorded::default();
        let parts = StageParts::only(parts(side.array, u64::MAX), &Alone, &recorded);
        let walk = ObjectWalk::new(objects, touched, &parts);
        let work = Digesting { side, digester: &digester, sum: &sum, share, walk, context };
        work_off(&work, (threads, threads), context.progress)?;
        context.progress.advance(2 * unvisited);
        Ok(())
    };
    in_shares((side, side), context, &attempt).map_err(|error| told(error, context.budget, PARTS))?;
    Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The objects of `target` that hold what is stored of `arrays`, where that is little and known.
fn touched(arrays: &[&Array], target: &Array, context: &Context<'_>) -> Option<List<u64>> {
    let look = Look { sparse: context.sparse, budget: context.budget, needed_bytes: 0 };
    look.objects(arrays, target.objects())
}

/// Elements of `array` that are in none of the objects `touched`.
fn unvisited_elements(touched: Option<&List<u64>>, array: &Array) -> u64 {
    let Some(list) = touched else { return 0 };
    let (objects, all) = (array.objects(), array.objects().all());
    let visited = list.items().iter().map(|number| objects.region(&all.unravel(*number)).elements());
    elements(array).saturating_sub(visited.fold(0, u64::saturating_add))
}

/// Calls `attempt` with threads and the share of the memory that each has for the objects of the second of `sides`, besides the indexes
/// of a shard of each; with one thread, and all of the memory, where a share is too small.
fn in_shares(
    sides: (Side<'_>, Side<'_>),
    context: &Context<'_>,
    attempt: &dyn Fn(u64, u64) -> Result<(), RechunkError>,
) -> Result<(), RechunkError> {
    let indexes = sides.0.index_bytes().saturating_add(sides.1.index_bytes());
    let shared = |threads: u64| {
        let share = context.budget.free() / threads;
        let _lease = context.budget.lease(share * threads)?;
        match share.checked_sub(indexes) {
            Some(share) if share > 0 => attempt(threads, share),
            _ => Err(RechunkError::TextIndexes {
                array: sides.1.array.location().to_owned(),
                bytes: indexes,
                have: context.budget.max(),
                needed: indexes.saturating_mul(2),
            }),
        }
    };
    let room = (context.budget.free() / 2).checked_div(indexes).unwrap_or(u64::MAX);
    let threads = context.threads.min(sides.1.array.objects().count()).min(room).max(1);
    match shared(threads) {
        Err(error) if threads > 1 && is_memory(&error) => shared(1),
        other => other,
    }
}

fn is_memory(error: &RechunkError) -> bool {
    let chunk =
        |error: &ArrayError| matches!(error, ArrayError::Chunk { source: CodecError::Memory { .. }, .. });
    matches!(error, RechunkError::Array(error) if chunk(error))
}

/// The error, with the memory that would do: a chunk gets one part in so many.
fn told(error: RechunkError, budget: &Arc<Budget>, parts: u64) -> RechunkError {
    let have = budget.max();
    match error {
        RechunkError::Array(ArrayError::Chunk {
            array,
            key,
            source: CodecError::Memory { bytes, bytes_max },
        }) => {
            // What was cut short says no more than that it was too much.
            let needed =
                if bytes == bytes_max + 1 { have.saturating_mul(2) } else { bytes.saturating_mul(parts) };
            RechunkError::TextMemory { array, key, bytes, have, parts, needed }
        }
        other => other,
    }
}

/// Objects that are put together.
struct Assembling<'p, 'a> {
    source: Side<'p>,
    target: Side<'p>,
    /// The memory of each worker.
    share: u64,
    walk: ObjectWalk<'a>,
    /// The most memory that was used.
    held: &'p AtomicU64,
    context: &'p Context<'p>,
}

/// One worker's means to put objects together.
struct AssemblingHand<'w> {
    assembler: Assembler<'w>,
    writer: VariableWriter<'w>,
    chunk: Variable,
    held: u64,
}

impl<'a> Work for Assembling<'_, 'a> {
    type Worker<'w>
        = AssemblingHand<'w>
    where
        Self: 'w;
    type Task = Taken<'a>;

    fn worker<'w>(&'w self, _: Permit<'w>, _: bool) -> Result<AssemblingHand<'w>, RechunkError> {
        let Side { array, elements } = self.target;
        let whole = if self.target.holds_shards() { self.share / 4 } else { 0 };
        let assembler = Assembler::new(self.source, self.share - whole);
        let writer = VariableWriter::new(array, elements, self.context.shared, index(whole));
        Ok(AssemblingHand { assembler, writer, chunk: Variable::new(), held: 0 })
    }

    fn next(&self) -> Option<Taken<'a>> {
        self.walk.take(1)
    }

    fn step<'w>(&'w self, hand: &mut AssemblingHand<'w>, taken: Taken<'a>) -> Result<(), RechunkError> {
        let AssemblingHand { assembler, writer, chunk, held } = hand;
        let mut counts = Counts::default();
        for object in &taken.objects {
            for at in chunks_of(self.target, object) {
                assembler.assemble(&self.target.elements.chunks.cell(&at), chunk)?;
                let bytes = writer.write(&at, chunk)?;
                if bytes > 0 {
                    counts.encoded(bytes, chunk.data_bytes() as u64);
                } else {
                    counts.fill_chunks += 1;
                }
                let chunk_bytes = Variable::memory_bytes(chunk.len(), chunk.data_bytes());
                *held = (*held).max(assembler.memory_bytes() + (chunk_bytes + writer.memory_bytes()) as u64);
            }
            counts.bytes_written += writer.finish(object)?;
            self.context.progress.advance(self.target.array.objects().region(object).elements());
        }
        assembler.count(&mut counts);
        self.held.fetch_max(*held, Ordering::Relaxed);
        taken.part.count(counts);
        taken.part.finish(taken.objects.len() as u64);
        Ok(())
    }

    fn stop(&self) {
        self.walk.stop();
    }
}

/// Objects that are compared.
struct Comparing<'p, 'a> {
    path: &'p str,
    a: Side<'p>,
    b: Side<'p>,
    /// The memory of each worker.
    share: u64,
    walk: ObjectWalk<'a>,
    context: &'p Context<'p>,
}

/// One worker's means to compare: both sides, and a chunk of each.
struct ComparingHand<'w> {
    ours: Assembler<'w>,
    theirs: Assembler<'w>,
    one: Variable,
    other: Variable,
}

impl<'a> Work for Comparing<'_, 'a> {
    type Worker<'w>
        = ComparingHand<'w>
    where
        Self: 'w;
    type Task = Taken<'a>;

    fn worker<'w>(&'w self, _: Permit<'w>, _: bool) -> Result<ComparingHand<'w>, RechunkError> {
        let assembler = |side: Side<'w>| Assembler::new(side, self.share / 2);
        let (one, other) = (Variable::new(), Variable::new());
        Ok(ComparingHand { ours: assembler(self.a), theirs: assembler(self.b), one, other })
    }

    fn next(&self) -> Option<Taken<'a>> {
        self.walk.take(1)
    }

    fn step<'w>(&'w self, hand: &mut ComparingHand<'w>, taken: Taken<'a>) -> Result<(), RechunkError> {
        let ComparingHand { ours, theirs, one, other } = hand;
        for object in &taken.objects {
            for at in chunks_of(self.b, object) {
                let part = self.b.elements.chunks.region(&at);
                ours.assemble(&part, one)?;
                theirs.assemble(&part, other)?;
                if let Some(k) = (0..one.len()).find(|k| one.get(*k) != other.get(*k)) {
                    let text = |chunk: &Variable| format!("{:?}", String::from_utf8_lossy(chunk.get(k)));
                    let index = part.unravel(k as u64).to_vec();
                    let (array, a, b) = (self.path.to_owned(), text(one), text(other));
                    return Err(RechunkError::Differs(Box::new(Difference::Value { array, index, a, b })));
                }
            }
            self.context.progress.advance(2 * self.b.array.objects().region(object).elements());
        }
        taken.part.finish(taken.objects.len() as u64);
        Ok(())
    }

    fn stop(&self) {
        self.walk.stop();
    }
}

/// Objects whose elements are digested.
struct Digesting<'p, 'a> {
    side: Side<'p>,
    digester: &'p Digester,
    sum: &'p Mutex<u128>,
    /// The memory of each worker.
    share: u64,
    walk: ObjectWalk<'a>,
    context: &'p Context<'p>,
}

impl<'a> Work for Digesting<'_, 'a> {
    type Worker<'w>
        = (Assembler<'w>, Variable)
    where
        Self: 'w;
    type Task = Taken<'a>;

    fn worker<'w>(&'w self, _: Permit<'w>, _: bool) -> Result<(Assembler<'w>, Variable), RechunkError> {
        Ok((Assembler::new(self.side, self.share), Variable::new()))
    }

    fn next(&self) -> Option<Taken<'a>> {
        self.walk.take(1)
    }

    fn step<'w>(
        &'w self,
        (assembler, chunk): &mut (Assembler<'w>, Variable),
        taken: Taken<'a>,
    ) -> Result<(), RechunkError> {
        let Side { array, elements } = self.side;
        let mut sum = 0u128;
        for object in &taken.objects {
            for at in chunks_of(self.side, object) {
                let part = elements.chunks.region(&at);
                assembler.assemble(&part, chunk)?;
                for k in (0..chunk.len()).filter(|k| chunk.get(*k) != elements.fill) {
                    let place = place(array.shape(), &part.unravel(k as u64));
                    let hash = XxHash3_128::oneshot(chunk.get(k));
                    sum = sum.wrapping_add(self.digester.hashed(place, hash));
                }
            }
            self.context.progress.advance(2 * array.objects().region(object).elements());
        }
        let mut all = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.wrapping_add(sum);
        drop(all);
        taken.part.finish(taken.objects.len() as u64);
        Ok(())
    }

    fn stop(&self) {
        self.walk.stop();
    }
}

/// The number of an element in C order.
fn place(shape: &[u64], index: &[u64]) -> u128 {
    shape.iter().zip(index).fold(0, |place: u128, (length, k)| {
        place.wrapping_mul(u128::from(*length)).wrapping_add(u128::from(*k))
    })
}

/// The chunks of a stored object, in C order.
fn chunks_of(side: Side<'_>, object: &Dims) -> impl Iterator<Item = Dims> {
    let chunks = side.elements.chunks.covering(&side.array.objects().region(object));
    (0..chunks.elements()).map(move |k| chunks.unravel(k))
}

/// Puts elements of an array together, and keeps the chunks that it read last.
struct Assembler<'a> {
    source: Side<'a>,
    reader: VariableReader<'a>,
    /// What it had read when it last told.
    told: ReadCost,
    kept: HashMap<Dims, Kept>,
    kept_bytes: u64,
    /// What the chunks of one call, or its elements, may take.
    room: u64,
    /// Number of the call.
    call: u64,
    /// Chunks that were looked for and are not stored, since it last told.
    missing: u64,
}

/// A chunk in memory.
struct Kept {
    /// `None` for one that is missing.
    chunk: Option<Variable>,
    bytes: u64,
    /// The call that used it last.
    call: u64,
}

/// What is kept of a chunk besides its elements.
const KEPT_BYTES: u64 = 200;

impl<'a> Assembler<'a> {
    fn new(source: Side<'a>, share: u64) -> Self {
        let reader = VariableReader::new(source.array, source.elements);
        let (told, kept) = (ReadCost::default(), HashMap::new());
        Self { source, reader, told, kept, kept_bytes: 0, room: share / PARTS, call: 0, missing: 0 }
    }

    /// The elements of `cell`, of which those beyond the array are the fill value, in C order.
    fn assemble(&mut self, cell: &Region, out: &mut Variable) -> Result<(), RechunkError> {
        let elements = self.source.elements;
        let grid = &elements.chunks;
        self.call += 1;
        let covering =
            cell.intersect(&Region::whole(grid.array_shape())).map(|inside| grid.covering(&inside));
        let mut bytes = Variable::memory_bytes(index(cell.elements()), 0) as u64;
        let mut filled = cell.elements();
        for chunk in covering.iter().flat_map(|c| (0..c.elements()).map(|k| c.unravel(k))) {
            bytes += self.fetch(chunk.clone())?;
            if bytes > self.room {
                return Err(self.too_much(cell, bytes));
            }
            if self.kept.get(&chunk).is_some_and(|kept| kept.chunk.is_some()) {
                filled -= grid.region(&chunk).intersect(cell).map_or(0, |part| part.elements());
            }
        }
        // A fill value may be long.
        bytes = bytes.saturating_add(filled.saturating_mul(elements.fill.len() as u64));
        if bytes > self.room {
            return Err(self.too_much(cell, bytes));
        }
        let chunk = |chunk: &Dims| self.kept.get(chunk).and_then(|kept| kept.chunk.as_ref());
        put_together(cell, grid, chunk, &elements.fill, out);
        Ok(())
    }

    /// Memory of the chunks that are kept, and of what reads them.
    fn memory_bytes(&self) -> u64 {
        self.kept_bytes + self.reader.memory_bytes() as u64
    }

    /// Counts what it has read since it last told.
    fn count(&mut self, counts: &mut Counts) {
        let (now, ReadCost { chunks, bytes, chunk_bytes, .. }) = (self.reader.cost(), self.told);
        counts.source_chunk_decodes += now.chunks - chunks;
        counts.bytes_read += now.bytes - bytes;
        counts.decoded_bytes += now.chunk_bytes - chunk_bytes;
        let missing = std::mem::take(&mut self.missing);
        counts.missing_chunks += missing;
        counts.requests += now.chunks - chunks + missing;
        self.told = now;
    }

    /// Makes sure that a chunk is in memory; its bytes.
    fn fetch(&mut self, at: Dims) -> Result<u64, RechunkError> {
        if let Some(kept) = self.kept.get_mut(&at) {
            kept.call = self.call;
            return Ok(kept.bytes);
        }
        if self.kept_bytes > self.room {
            self.forget();
        }
        let mut chunk = Variable::new();
        let stored = self.reader.read(&at, index(self.room), &mut chunk)?;
        self.missing += u64::from(!stored);
        let chunk = stored.then_some(chunk);
        let memory = |chunk: &Variable| Variable::memory_bytes(chunk.len(), chunk.data_bytes()) as u64;
        let bytes = KEPT_BYTES + chunk.as_ref().map_or(0, memory);
        self.kept_bytes += bytes;
        self.kept.insert(at, Kept { chunk, bytes, call: self.call });
        Ok(bytes)
    }

    /// Lets chunks go that this call has not used, those first that were used longest ago, until half of the room is free.
    fn forget(&mut self) {
        let mut calls: Vec<u64> =
            self.kept.values().map(|kept| kept.call).filter(|c| *c < self.call).collect();
        calls.sort_unstable();
        calls.dedup();
        for call in calls {
            if self.kept_bytes <= self.room / 2 {
                break;
            }
            self.kept.retain(|_, kept| kept.call != call);
            self.kept_bytes = self.kept.values().map(|kept| kept.bytes).sum();
        }
    }

    fn too_much(&self, cell: &Region, bytes: u64) -> RechunkError {
        let source = CodecError::Memory { bytes, bytes_max: self.room };
        let key = format!("with elements {cell}");
        ArrayError::Chunk { array: self.source.array.location().to_owned(), key, source }.into()
    }
}
