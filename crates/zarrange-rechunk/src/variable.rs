//! Arrays of text and bytes: their chunks are put together one by one, for no tile can be planned of elements without a size.
//!
//! Each thread takes stored objects of the target (chunks or shards) in their order, and keeps the source chunks that it read last, as
//! many as its share of the memory holds. Where a share is too small for one chunk, one thread works with all of the memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zarrange_array::{
    Array, ArrayError, ReadCost, VariableElements, VariableReader, VariableWriter, put_together,
};
use zarrange_codec::{CodecError, Variable};
use zarrange_grid::{Dims, Region, index};

use crate::RechunkError;
use crate::budget::Budget;
use crate::job::elements;
use crate::presence::{List, Look, Sparse};
use crate::progress::Progress;
use crate::report::{Counters, add};
use crate::threads::together;
use crate::verify::Difference;

/// An array and its elements.
pub(crate) type Side<'a> = (&'a Array, &'a VariableElements);

/// Of a thread's share, source chunks that are kept take two parts; one is being decoded through buffers of three times its size, one is put
/// together, and is encoded through four more.
const PARTS: u64 = 12;

/// Writes every element of `source` to its place in `target`; where few chunks are stored, only objects that hold some of them are
/// looked at.
pub(crate) fn run(
    (source, target): (Side<'_>, Side<'_>),
    (threads, sparse): (u64, Sparse),
    budget: &Arc<Budget>,
    counters: &Counters,
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    let objects = Objects::of(&[source.0], target.0, sparse, budget);
    let work = |share: u64, objects: &mut dyn Iterator<Item = u64>, counters: &Counters| {
        let mut assembler = Assembler::new(source, share);
        let mut writer = VariableWriter::new(target.0, target.1);
        let (mut chunk, mut held) = (Variable::new(), 0);
        for object in objects {
            let object = target.0.objects().all().unravel(object);
            for unit in units_of(target, &object) {
                assembler.assemble(&target.1.units.cell(&unit), &mut chunk)?;
                let bytes = writer.write(&unit, &chunk)?;
                if bytes > 0 {
                    counters.encoded(chunk.data_bytes() as u64);
                } else {
                    add(&counters.all_fill, 1);
                }
                add(&counters.bytes_written, bytes);
                let chunk = Variable::memory_bytes(chunk.len(), chunk.data_bytes());
                held = held.max(assembler.memory_bytes() + (chunk + writer.memory_bytes()) as u64);
            }
            add(&counters.bytes_written, writer.finish(&object)?);
            progress.advance(target.0.objects().region(&object).elements());
        }
        assembler.count(counters);
        add(&counters.held, held);
        Ok(())
    };
    let counted =
        over_objects(&objects, threads, (budget, progress), &work).map_err(|e| told(e, budget, PARTS))?;
    let looked_at = [&counted.chunks_written, &counted.all_fill].map(|n| n.load(Ordering::Relaxed));
    add(&counted.all_fill, target.1.units.count().saturating_sub(looked_at.iter().sum()));
    counters.absorb(counted);
    progress.advance(objects.unvisited_elements(target.0));
    Ok(())
}

/// Compares every element of two arrays of one shape; `path` names them in the difference.
pub(crate) fn compare(
    path: &str,
    (a, b): (Side<'_>, Side<'_>),
    (threads, sparse): (u64, Sparse),
    budget: &Arc<Budget>,
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    // What is stored in neither is the fill value in both, which is the same.
    let objects = if a.1.fill == b.1.fill {
        Objects::of(&[a.0, b.0], b.0, sparse, budget)
    } else {
        Objects::All(b.0.objects().count())
    };
    let work = |share: u64, objects: &mut dyn Iterator<Item = u64>, _: &Counters| {
        let (mut ours, mut theirs) = (Assembler::new(a, share / 2), Assembler::new(b, share / 2));
        let (mut one, mut other) = (Variable::new(), Variable::new());
        for object in objects {
            let object = b.0.objects().all().unravel(object);
            for unit in units_of(b, &object) {
                let part = b.1.units.region(&unit);
                ours.assemble(&part, &mut one)?;
                theirs.assemble(&part, &mut other)?;
                if let Some(k) = (0..one.len()).find(|k| one.get(*k) != other.get(*k)) {
                    let text = |chunk: &Variable| format!("{:?}", String::from_utf8_lossy(chunk.get(k)));
                    let index = part.unravel(k as u64).to_vec();
                    let (a, b) = (text(&one), text(&other));
                    let array = path.to_owned();
                    return Err(RechunkError::Differs(Box::new(Difference::Value { array, index, a, b })));
                }
            }
            progress.advance(2 * b.0.objects().region(&object).elements());
        }
        Ok(())
    };
    over_objects(&objects, threads, (budget, progress), &work).map_err(|e| told(e, budget, 2 * PARTS))?;
    progress.advance(2 * objects.unvisited_elements(b.0));
    Ok(())
}

/// The objects that are worked on, by their numbers.
enum Objects {
    /// All that there are.
    All(u64),
    /// Those that hold something stored.
    Listed(List<u64>),
}

impl Objects {
    /// The objects of `target` that hold what is stored of `arrays`, where that is little and known; otherwise all.
    fn of(arrays: &[&Array], target: &Array, sparse: Sparse, budget: &Arc<Budget>) -> Self {
        let listed = Look { sparse, budget, needed_bytes: 0 }.objects(arrays, target.objects());
        listed.map_or_else(|| Self::All(target.objects().count()), Self::Listed)
    }

    fn count(&self) -> u64 {
        match self {
            Self::All(count) => *count,
            Self::Listed(list) => list.items().len() as u64,
        }
    }

    /// The number of the `k`-th.
    fn number(&self, k: u64) -> u64 {
        match self {
            Self::All(_) => k,
            Self::Listed(list) => list.items()[index(k)],
        }
    }

    /// Elements of `array` that are in none of them.
    fn unvisited_elements(&self, array: &Array) -> u64 {
        let Self::Listed(list) = self else { return 0 };
        let (objects, all) = (array.objects(), array.objects().all());
        let visited = list.items().iter().map(|number| objects.region(&all.unravel(*number)).elements());
        elements(array).saturating_sub(visited.fold(0, u64::saturating_add))
    }
}

/// Work on some of the objects, within a share of the memory.
type Work<'a> = dyn Fn(u64, &mut dyn Iterator<Item = u64>, &Counters) -> Result<(), RechunkError> + Sync + 'a;

/// Does `work` on objects by several threads; by one, with all of the memory, where a share is too small. What was counted.
fn over_objects(
    objects: &Objects,
    threads: u64,
    (budget, progress): (&Arc<Budget>, &dyn Progress),
    work: &Work<'_>,
) -> Result<Counters, RechunkError> {
    let threads = threads.min(objects.count()).max(1);
    match shared(objects, threads, (budget, progress), work) {
        Err(error) if threads > 1 && is_memory(&error) => shared(objects, 1, (budget, progress), work),
        other => other,
    }
}

fn shared(
    objects: &Objects,
    threads: u64,
    (budget, progress): (&Arc<Budget>, &dyn Progress),
    work: &Work<'_>,
) -> Result<Counters, RechunkError> {
    let share = budget.free() / threads;
    let _lease = budget.lease(share * threads)?;
    let (next, failed, counters) = (AtomicU64::new(0), AtomicBool::new(false), Counters::default());
    let worker = |_| {
        let mut objects = std::iter::from_fn(|| {
            let k = next.fetch_add(1, Ordering::Relaxed);
            (k < objects.count() && !failed.load(Ordering::Relaxed)).then(|| objects.number(k))
        });
        work(share, &mut objects, &counters).inspect_err(|_| failed.store(true, Ordering::Relaxed))
    };
    together(threads, progress, worker)?;
    Ok(counters)
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

/// The chunks of a stored object, in C order.
fn units_of((array, elements): Side<'_>, object: &Dims) -> impl Iterator<Item = Dims> {
    let units = elements.units.covering(&array.objects().region(object));
    (0..units.elements()).map(move |k| units.unravel(k))
}

/// Puts elements of an array together, and keeps the chunks that it read last.
struct Assembler<'a> {
    source: Side<'a>,
    reader: VariableReader<'a>,
    kept: HashMap<Dims, Kept>,
    kept_bytes: u64,
    /// What the chunks of one call, or its elements, may take.
    room: u64,
    /// Number of the call.
    call: u64,
    /// Chunks that were looked for and are not stored.
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
        let reader = VariableReader::new(source.0, source.1);
        Self { source, reader, kept: HashMap::new(), kept_bytes: 0, room: share / PARTS, call: 0, missing: 0 }
    }

    /// The elements of `cell`, of which those beyond the array are the fill value, in C order.
    fn assemble(&mut self, cell: &Region, out: &mut Variable) -> Result<(), RechunkError> {
        let elements = self.source.1;
        let grid = &elements.units;
        self.call += 1;
        let covering =
            cell.intersect(&Region::whole(grid.array_shape())).map(|inside| grid.covering(&inside));
        let mut bytes = Variable::memory_bytes(index(cell.elements()), 0) as u64;
        for unit in covering.iter().flat_map(|c| (0..c.elements()).map(|k| c.unravel(k))) {
            bytes += self.fetch(unit)?;
            if bytes > self.room {
                return Err(self.too_much(cell, bytes));
            }
        }
        let chunk = |unit: &Dims| self.kept.get(unit).and_then(|kept| kept.chunk.as_ref());
        put_together(cell, grid, chunk, &elements.fill, out);
        Ok(())
    }

    /// Memory of the chunks that are kept, and of what reads them.
    fn memory_bytes(&self) -> u64 {
        self.kept_bytes + self.reader.memory_bytes() as u64
    }

    /// Counts what it has read.
    fn count(&self, counters: &Counters) {
        let ReadCost { chunks, bytes, chunk_bytes, .. } = self.reader.cost();
        add(&counters.decodes, chunks);
        add(&counters.bytes_read, bytes);
        add(&counters.decoded_bytes, chunk_bytes);
        add(&counters.missing, self.missing);
    }

    /// Makes sure that a chunk is in memory; its bytes.
    fn fetch(&mut self, unit: Dims) -> Result<u64, RechunkError> {
        if let Some(kept) = self.kept.get_mut(&unit) {
            kept.call = self.call;
            return Ok(kept.bytes);
        }
        if self.kept_bytes > self.room {
            self.forget();
        }
        let mut chunk = Variable::new();
        let stored = self.reader.read(&unit, index(self.room), &mut chunk)?;
        self.missing += u64::from(!stored);
        let chunk = stored.then_some(chunk);
        let memory = |chunk: &Variable| Variable::memory_bytes(chunk.len(), chunk.data_bytes()) as u64;
        let bytes = KEPT_BYTES + chunk.as_ref().map_or(0, memory);
        self.kept_bytes += bytes;
        self.kept.insert(unit, Kept { chunk, bytes, call: self.call });
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
        ArrayError::Chunk { array: self.source.0.location().to_owned(), key, source }.into()
    }
}
