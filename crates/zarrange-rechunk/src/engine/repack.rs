//! Encoded chunks moved to other shards, or into or out of shards: nothing is decoded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zarrange_array::{ChunkWriter, Chunks};
use zarrange_grid::Dims;
use zarrange_plan::{Counts, Parts, Repack};

use crate::engine::batches::{Batch, Batches, Pace};
use crate::engine::context::{Context, LookAt, elements};
use crate::engine::crew::{Work, work_off};
use crate::engine::objects::{ObjectWalk, Taken};
use crate::engine::parts::{OpenPart, StageParts};
use crate::engine::permits::Permit;
use crate::engine::presence::{Known, Look};
use crate::engine::sink::{Segment, Sequencer, indexes};
use crate::engine::source::StoredChunks;
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// Moves every chunk of `from` that is stored into `to`, whose chunks and codecs are the same. Where few are, only objects of the
/// target that will hold some are visited. Where asked for, checksums at the end of the codecs must be right.
pub(crate) fn run(
    repack: &Repack,
    (from, to): (&Chunks<'_>, &Chunks<'_>),
    parts: Parts,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let parts = StageParts::only(parts, context.ledger, context.recorded);
    let buffers = (repack.workers, repack.parked, repack.encoded_bytes);
    let sequencer = match to.shards() {
        Some(_) => Some(Sequencer::new(to.clone(), buffers, context)?),
        None => None,
    };
    let _indexes = indexes(from, repack.workers + 1, context.budget)?;
    let look = Look { sparse: context.sparse, budget: context.budget, needed_bytes: repack.memory_bytes };
    let touched = look.objects(&[from.array()], to.metadata().objects());
    let known = if touched.is_some() { look.listing(from.array()).known() } else { None };
    let walk = ObjectWalk::new(to.metadata().objects(), touched, &parts);
    let repacking = Repacking {
        repack,
        from,
        to,
        context,
        known,
        sequencer,
        order: Mutex::new(Order { current: None, tickets: 0 }),
        walk,
        visited: AtomicU64::new(0),
        visited_elements: AtomicU64::new(0),
    };
    work_off(&repacking, (repack.workers, repack.threads), context.progress)?;
    if repacking.walk.is_sparse() && !repacking.walk.left_out() {
        let mut counts = Counts::default();
        counts.not_moved(from.grid().count() - repacking.visited.into_inner());
        context.recorded.add(counts);
        let visited = repacking.visited_elements.into_inner();
        context.progress.advance(elements(from.array()).saturating_sub(visited));
    }
    Ok(())
}

struct Repacking<'p, 'a> {
    repack: &'p Repack,
    from: &'p Chunks<'p>,
    to: &'p Chunks<'a>,
    context: &'p Context<'p>,
    /// What of the source is stored, where that is known.
    known: Option<Arc<Known>>,
    /// Where chunks go into shards.
    sequencer: Option<Sequencer<'a>>,
    walk: ObjectWalk<'a>,
    order: Mutex<Order<'a>>,
    visited: AtomicU64,
    visited_elements: AtomicU64,
}

/// Which batch comes next.
struct Order<'a> {
    /// The object of the target that is worked on, its part, and the batches of source chunks that belong to it.
    current: Option<(Taken<'a>, Batches)>,
    tickets: u64,
}

/// Chunks of one source object that belong to one target object, and their place in the order of all.
struct Task<'a> {
    object: Dims,
    part: Arc<OpenPart<'a>>,
    batch: Batch,
    ticket: u64,
}

/// One worker's means: chunks are read to one of its buffers, and put together in the other.
struct Hand<'w, 'a> {
    worker: Worker<'w>,
    stored: StoredChunks<'w>,
    sink: Sink<'w, 'a>,
}

enum Sink<'w, 'a> {
    Chunks(ChunkWriter<'w>),
    Shards(&'w Sequencer<'a>, Segment<'a>),
}

impl<'a> Work for Repacking<'_, 'a> {
    type Worker<'w>
        = Hand<'w, 'a>
    where
        Self: 'w;
    type Task = Task<'a>;

    fn worker<'w>(&'w self, permit: Permit<'w>, _: bool) -> Result<Hand<'w, 'a>, RechunkError> {
        let take = || self.context.budget.take(self.repack.encoded_bytes);
        let (read, write) = (take()?, take()?);
        let worker = Worker {
            plain: read.data,
            encoded: write.data,
            permit,
            counts: Counts::default(),
            digests: [0; 2],
            _leases: vec![read.lease, write.lease],
        };
        let sink = match &self.sequencer {
            Some(sequencer) => Sink::Shards(sequencer, Segment::default()),
            None => Sink::Chunks(ChunkWriter::replacing(self.to, self.context.shared)),
        };
        Ok(Hand { worker, stored: StoredChunks::new(self.from, self.known.clone()), sink })
    }

    fn next(&self) -> Option<Task<'a>> {
        let mut order = self.lock();
        loop {
            if let Some((taken, batches)) = &mut order.current {
                if let Some(batch) = batches.next() {
                    let (object, part) = (taken.objects[0].clone(), taken.part.clone());
                    let ticket = order.tickets;
                    order.tickets += 1;
                    return Some(Task { object, part, batch, ticket });
                }
                order.current = None;
            }
            let taken = self.walk.take(1)?;
            let region = self.to.metadata().objects().region(&taken.objects[0]);
            let most = self.repack.encoded_bytes / (self.from.chain().encoded_bytes_max() as u64).max(1);
            let pace = Pace::at_most(most, self.repack.threads);
            let batches = Batches::new(&region, self.from.grid(), self.from.shards(), pace);
            // The object is done when its chunks are.
            taken.part.expect(batches.total());
            taken.part.finish(1);
            order.current = Some((taken, batches));
        }
    }

    fn step<'w>(&'w self, hand: &mut Hand<'w, 'a>, task: Task<'a>) -> Result<(), RechunkError> {
        hand.worker.permit.hold();
        hand.carry(&task, self.context.look == LookAt::Sums)?;
        let grid = self.from.grid();
        let elements = task.batch.indices().map(|chunk| grid.region(&chunk).elements()).sum();
        self.visited.fetch_add(task.batch.count, Ordering::Relaxed);
        self.visited_elements.fetch_add(elements, Ordering::Relaxed);
        self.context.progress.advance(elements);
        hand.worker.permit.release();
        Ok(())
    }

    fn stop(&self) {
        self.walk.stop();
        self.lock().current = None;
        if let Some(sequencer) = &self.sequencer {
            sequencer.stop();
        }
    }
}

impl<'a> Repacking<'_, 'a> {
    fn lock(&self) -> MutexGuard<'_, Order<'a>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Hand<'_, 'a> {
    fn carry(
        &mut self,
        Task { object, part, batch, ticket }: &Task<'a>,
        sums: bool,
    ) -> Result<(), RechunkError> {
        let Self { worker, stored, sink } = self;
        if let Sink::Shards(_, segment) = sink {
            segment.begin(object, part, batch.count);
        }
        worker.counts.not_moved(stored.known_missing(batch).len() as u64);
        stored.want(batch);
        let mut filled = 0;
        while worker.permit.waiting(|| stored.reader.fetch(&mut worker.plain))? {
            for k in stored.reader.fetched() {
                let Some(bytes) = stored.reader.stored(k, &worker.plain) else {
                    worker.counts.not_moved(1);
                    continue;
                };
                if sums {
                    stored.reader.check_sum(k, bytes)?;
                }
                worker.encoded[filled..][..bytes.len()].copy_from_slice(bytes);
                filled += bytes.len();
                let (chunk, length) = (stored.reader.chunk(k), bytes.len() as u64);
                match sink {
                    Sink::Chunks(writer) => {
                        writer.push(chunk, bytes.len());
                        worker.counts.moved(length, length);
                    }
                    Sink::Shards(sequencer, segment) => {
                        segment.push(sequencer.chunks().number_in(object, chunk), bytes.len());
                        // Its bytes count when they are written.
                        worker.counts.moved(length, 0);
                    }
                }
            }
        }
        match sink {
            Sink::Chunks(writer) => {
                worker.permit.waiting(|| writer.write(&worker.encoded))?;
                part.count(std::mem::take(&mut worker.counts));
                part.finish(batch.count);
                Ok(())
            }
            Sink::Shards(sequencer, segment) => sequencer.commit(*ticket, segment, worker),
        }
    }
}
