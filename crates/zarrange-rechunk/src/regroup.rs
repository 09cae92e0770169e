//! Encoded chunks moved to other shards, or into or out of shards: nothing is decoded.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use zarrange_array::{Array, ChunkWriter, Elements};
use zarrange_codec::{ArrayCodec, ShardIndex};
use zarrange_grid::{Dims, index};
use zarrange_plan::Stage;

use crate::RechunkError;
use crate::budget::Budget;
use crate::fill::{Source, sharded, units_max};
use crate::gate::{Gate, Permit};
use crate::job::elements;
use crate::presence::{List, Look, Sparse};
use crate::progress::Progress;
use crate::report::{Counters, add};
use crate::shards::{Segment, Sequencer};
use crate::threads::together;
use crate::walk::{Batch, Cursor, Pace};

/// Moves every chunk of `source` that is stored into `target`, whose chunks and codecs are the same. Where few are, only objects of
/// the target that will hold some are visited. With `sums`, checksums at the end of the codecs must be right.
pub(crate) fn run(
    (source, target): (&Array, &Array),
    (stage, durable, sparse, sums): (&Stage, bool, Sparse, bool),
    budget: &Arc<Budget>,
    counters: &Counters,
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    let (from, to) = (source.elements()?, target.elements()?);
    let (sequencer, _leases) = match &to.codec {
        ArrayCodec::Shards(codec) => {
            Some(Sequencer::of_stage((target, to), codec, (stage, durable), budget)?).unzip()
        }
        ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => (None, None),
    };
    let _indexes = match &from.codec {
        ArrayCodec::Shards(codec) => {
            Some(budget.lease((stage.workers + 1) * ShardIndex::memory_bytes(codec.grid().count()))?)
        }
        ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => None,
    };
    let look = Look { sparse, budget, needed_bytes: stage.memory_bytes };
    let touched = look.objects(&[source], target.objects());
    let is_sparse = touched.is_some();
    let known = if is_sparse { look.listing(source).known() } else { None };
    let work = Mutex::new(Work::new((source, from), target, stage, touched));
    let (gate, visited, visited_elements) = (Gate::new(stage.threads), AtomicU64::new(0), AtomicU64::new(0));
    let worker = || -> Result<(), RechunkError> {
        let (read, write) = (budget.take(stage.encoded_bytes)?, budget.take(stage.encoded_bytes)?);
        let chunks = Source::undecoded((source, from), known.clone())?;
        let sink = match &sequencer {
            Some(sequencer) => Sink::Shards(sequencer),
            None => Sink::Chunks(ChunkWriter::new(target)),
        };
        let segment = Segment { buffer: write.data, ..Segment::default() };
        let mut mover =
            Mover { target: (target, to), chunks, read: read.data, segment, sink, sums, counters };
        loop {
            let task = work.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(task) = task else { return Ok(()) };
            mover.carry(&task, &mut gate.enter())?;
            let elements = task.batch.indices().map(|unit| from.units.region(&unit).elements()).sum();
            add(&visited, task.batch.count);
            add(&visited_elements, elements);
            progress.advance(elements);
        }
    };
    let stop = || {
        work.lock().unwrap_or_else(PoisonError::into_inner).stop();
        if let Some(sequencer) = &sequencer {
            sequencer.abort();
        }
    };
    let worker = |_| {
        let unless_done = OnDrop(stop);
        worker().inspect(|()| std::mem::forget(unless_done))
    };
    together(stage.workers, progress, worker)?;
    if is_sparse {
        counters.not_moved(from.units.count() - visited.into_inner());
        progress.advance(elements(source).saturating_sub(visited_elements.into_inner()));
    }
    Ok(())
}

/// Lets the others go when a worker fails or panics, so that they do not wait for it.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Batches of chunks, target object by target object.
struct Work<'a> {
    from: (&'a Array, &'a Elements),
    target: &'a Array,
    pace: Pace,
    /// Numbers of the objects that are visited, if not all are.
    touched: Option<List<u64>>,
    /// The current object, counted among those that are visited.
    object: u64,
    inside: Option<Cursor>,
    ticket: u64,
}

/// Chunks of one source object that belong to one target object, and their place in the order of all.
struct Task {
    object: Dims,
    batch: Batch,
    ticket: u64,
}

impl<'a> Work<'a> {
    fn new(
        (source, from): (&'a Array, &'a Elements),
        target: &'a Array,
        stage: &Stage,
        touched: Option<List<u64>>,
    ) -> Self {
        let most = stage.encoded_bytes / (from.chain().encoded_bytes_max() as u64).max(1);
        let pace = Pace { most: most.min(units_max(stage.threads)), threads: stage.threads };
        Self { from: (source, from), target, pace, touched, object: 0, inside: None, ticket: 0 }
    }

    /// Objects that are visited.
    fn objects(&self) -> u64 {
        self.touched.as_ref().map_or_else(|| self.target.objects().count(), |list| list.items().len() as u64)
    }

    fn stop(&mut self) {
        self.object = self.objects();
        self.inside = None;
    }
}

impl Iterator for Work<'_> {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        let (source, from) = self.from;
        let objects = self.target.objects();
        while self.object < self.objects() {
            let number = self.touched.as_ref().map_or(self.object, |list| list.items()[index(self.object)]);
            let object = objects.all().unravel(number);
            let cursor = self.inside.get_or_insert_with(|| {
                let region = objects.region(&object);
                Cursor::new(&region, &from.units, sharded(source, from), self.pace)
            });
            if let Some(batch) = cursor.next() {
                let ticket = self.ticket;
                self.ticket += 1;
                return Some(Task { object, batch, ticket });
            }
            (self.object, self.inside) = (self.object + 1, None);
        }
        None
    }
}

/// One worker's means to move chunks.
struct Mover<'a> {
    target: (&'a Array, &'a Elements),
    chunks: Source<'a>,
    read: Vec<u8>,
    segment: Segment,
    sink: Sink<'a>,
    /// Whether checksums are looked at.
    sums: bool,
    counters: &'a Counters,
}

enum Sink<'a> {
    Chunks(ChunkWriter<'a>),
    Shards(&'a Sequencer<'a>),
}

impl Mover<'_> {
    fn carry(&mut self, task: &Task, permit: &mut Permit<'_>) -> Result<(), RechunkError> {
        let Self { target: (target, to), chunks, read, segment, sink, sums, counters } = self;
        segment.begin(&task.object, task.batch.count);
        chunks.each(&task.batch, read, permit, |source, unit, stored| {
            counters.moved(stored.is_some());
            let Some(stored) = stored else { return Ok(()) };
            if *sums {
                source.check_sum(&task.batch.object, unit, stored)?;
            }
            add(&counters.bytes_read, stored.len() as u64);
            segment.buffer[segment.bytes..][..stored.len()].copy_from_slice(stored);
            segment.bytes += stored.len();
            match sink {
                Sink::Chunks(writer) => writer.push(unit, stored.len()),
                Sink::Shards(_) => {
                    let inner = target.inner_number(&to.units, &task.object, unit);
                    segment.entries.push((inner, stored.len() as u64));
                }
            }
            Ok(())
        })?;
        match sink {
            Sink::Chunks(writer) => {
                add(&counters.bytes_written, segment.bytes as u64);
                Ok(permit.waiting(|| writer.write(&segment.buffer))?)
            }
            Sink::Shards(sequencer) => permit.waiting(|| sequencer.commit(task.ticket, segment, counters)),
        }
    }
}
