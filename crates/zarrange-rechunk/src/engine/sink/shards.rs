//! Tiles into shards: written by many threads, always in the same order.
//!
//! Threads encode batches of inner chunks at the same time; each batch has a ticket, in the order in which the batches were
//! handed out. Offsets are given in the order of tickets, so the same input gives the same bytes. A batch that is done
//! before its turn, or while another thread writes to its shard, is left behind, and its thread goes on with another buffer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use zarrange_array::{ChunkEncoder, Chunks, Finished, ShardFile, ShardWriter};
use zarrange_codec::{ArrayCodec, ShardIndex};
use zarrange_grid::{ChunkGrid, Dims, Filled};
use zarrange_plan::{Counts, WHOLE_SHARDS};

use crate::engine::budget::{Budget, Buffer, Lease};
use crate::engine::context::Context;
use crate::engine::parts::OpenPart;
use crate::engine::presence::Known;
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// An array of shards that tiles are written to.
pub(crate) struct ShardSink<'a> {
    pub(crate) chunks: Chunks<'a>,
    pub(crate) sequencer: Sequencer<'a>,
    pub(crate) budget: &'a Arc<Budget>,
}

impl<'a> Sink<'a> for ShardSink<'a> {
    fn grid(&self) -> &ChunkGrid {
        self.chunks.grid()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        self.chunks.shards()
    }

    fn compared(&self) -> Option<&Chunks<'_>> {
        None
    }

    fn objects(&self) -> Option<&ChunkGrid> {
        self.chunks.shards()
    }

    fn batch_max(&self, encoded_bytes: u64) -> u64 {
        encoded_bytes / self.chunks.chain().encoded_bytes_max() as u64
    }

    fn drainer<'s>(&'s self, _: Option<Arc<Known>>) -> Result<Box<dyn Drain<'a> + 's>, RechunkError> {
        let lease = self.budget.lease(self.chunks.chain().scratch_bytes() as u64)?;
        let (encoder, segment) = (ChunkEncoder::new(&self.chunks)?, Segment::default());
        Ok(Box::new(Drainer { encoder, sequencer: &self.sequencer, segment, _lease: lease }))
    }

    fn stop(&self) {
        self.sequencer.stop();
    }
}

struct Drainer<'s, 'a> {
    encoder: ChunkEncoder<'a>,
    sequencer: &'s Sequencer<'a>,
    segment: Segment<'a>,
    /// The memory that encoding takes.
    _lease: Lease,
}

impl<'a> Drain<'a> for Drainer<'_, 'a> {
    fn drain(
        &mut self,
        tile: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        let Self { encoder, sequencer, segment, .. } = self;
        let bytes = encoder.chunks().chain().chunk_bytes() as u64;
        segment.begin(&turn.batch.object, turn.part, turn.batch.count);
        for chunk in turn.batch.indices() {
            let free = &mut worker.encoded[segment.bytes..];
            match encoder.encode(&chunk, tile, &mut worker.plain, free)? {
                Some(stored) => {
                    segment.push(encoder.chunks().number_in(&turn.batch.object, &chunk), stored);
                    // Its bytes count when they are written.
                    worker.counts.encoded(0, bytes);
                }
                None => worker.counts.fill_chunks += 1,
            }
        }
        sequencer.commit(turn.ticket, segment, worker)
    }
}

/// Encoded inner chunks of one shard, to be written together.
#[derive(Debug, Default)]
pub(crate) struct Segment<'a> {
    shard: Dims,
    /// Number and encoded bytes of each inner chunk, in the order in which they lie in the buffer.
    entries: Vec<(u64, u64)>,
    /// Inner chunks handled, those of nothing but fill values included.
    chunks: u64,
    /// The part that they belong to.
    part: Option<Arc<OpenPart<'a>>>,
    /// That of a worker, once it is handed in.
    buffer: Vec<u8>,
    pub(crate) bytes: usize,
}

impl<'a> Segment<'a> {
    /// Forgets all; `chunks` inner chunks of `shard` will be handled.
    pub(crate) fn begin(&mut self, shard: &Dims, part: &Arc<OpenPart<'a>>, chunks: u64) {
        self.shard.clone_from(shard);
        self.entries.clear();
        self.part = Some(part.clone());
        (self.chunks, self.bytes) = (chunks, 0);
    }

    /// Notes that inner chunk `number` is next in the buffer.
    pub(crate) fn push(&mut self, number: u64, bytes: usize) {
        self.entries.push((number, bytes as u64));
        self.bytes += bytes;
    }
}

/// Puts segments into their shards in the order of their tickets.
#[derive(Debug)]
pub(crate) struct Sequencer<'a> {
    chunks: Chunks<'a>,
    durable: bool,
    /// Others may write the same shards at the same time.
    replaces: bool,
    state: Mutex<State<'a>>,
    changed: Condvar,
    /// The memory that it holds.
    _leases: Vec<Lease>,
}

#[derive(Debug, Default)]
struct State<'a> {
    next: u64,
    /// Segments whose turn has not come.
    early: BTreeMap<u64, Segment<'a>>,
    spare: Vec<Segment<'a>>,
    open: Vec<OpenShard<'a>>,
    /// Where shards are held until they are complete, if the target takes them only whole: buffers that no shard has now.
    whole: Option<Vec<Vec<u8>>>,
    stopped: bool,
}

#[derive(Debug)]
struct OpenShard<'a> {
    shard: Dims,
    /// Made with the first inner chunk that is not all fill value.
    writer: Option<ShardWriter>,
    /// Created by the thread that is the first to write. Not while others wait for the lock: where no descriptor is free, they are
    /// who gives theirs back.
    file: Option<Arc<ShardFile>>,
    /// Segments that have their place, and the offset of the first.
    placed: VecDeque<(u64, Segment<'a>)>,
    /// Where it is held in memory, until its object is begun.
    whole: Option<Vec<u8>>,
    /// A thread writes what is placed.
    busy: bool,
    chunks_left: u64,
}

impl<'a> Sequencer<'a> {
    /// A sequencer for the shards of `chunks`, with `parked` buffers of `encoded_bytes` besides those that `workers` bring.
    ///
    /// # Errors
    /// If the budget does not hold that.
    pub(crate) fn new(
        chunks: Chunks<'a>,
        (workers, parked, encoded_bytes): (u64, u64, u64),
        context: &Context<'_>,
    ) -> Result<Self, RechunkError> {
        let Context { budget, durable, shared, .. } = *context;
        let mut leases = vec![indexes(&chunks, 1 + workers + parked, budget)?];
        let mut spare = Vec::new();
        for _ in 0..parked {
            let Buffer { data: buffer, lease, .. } = budget.take(encoded_bytes)?;
            spare.push(Segment { buffer, ..Segment::default() });
            leases.push(lease);
        }
        let whole = if chunks.store().abilities().partial_writes {
            None
        } else {
            let take = |_| budget.take(chunks.shard_bytes_max());
            let buffers = (0..WHOLE_SHARDS).map(take).collect::<Result<Vec<_>, _>>()?;
            let (buffers, held): (Vec<_>, Vec<_>) =
                buffers.into_iter().map(|Buffer { data, lease, .. }| (data, lease)).unzip();
            leases.extend(held);
            Some(buffers)
        };
        let state = Mutex::new(State { spare, whole, ..State::default() });
        Ok(Self { chunks, durable, replaces: shared, state, changed: Condvar::new(), _leases: leases })
    }

    /// The chunks that it puts into shards.
    pub(crate) const fn chunks(&self) -> &Chunks<'a> {
        &self.chunks
    }

    /// Hands in `segment`, whose place is `ticket`; on return it holds a buffer to go on with. Meanwhile the thread writes
    /// what nobody else writes.
    pub(crate) fn commit(
        &self,
        ticket: u64,
        segment: &mut Segment<'a>,
        Worker { encoded, permit, counts, .. }: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        // Before anything of it is written, and the part may be done.
        if let Some(part) = &segment.part {
            part.count(std::mem::take(counts));
        }
        segment.buffer = std::mem::take(encoded);
        permit.waiting(|| self.hand_in(ticket, segment))?;
        *encoded = std::mem::take(&mut segment.buffer);
        Ok(())
    }

    fn hand_in(&self, ticket: u64, segment: &mut Segment<'a>) -> Result<(), RechunkError> {
        let mut state = self.lock();
        state.early.insert(ticket, std::mem::take(segment));
        loop {
            self.place(&mut state)?;
            let idle = state.open.iter().position(|shard| !shard.busy && !shard.placed.is_empty());
            if let Some(at) = idle {
                state = self.write_placed(state, at)?;
            } else if let Some(spare) = state.spare.pop() {
                *segment = spare;
                return Ok(());
            } else if state.stopped {
                return Ok(());
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Lets every waiting thread go: the run has failed.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Gives every segment whose turn it is its place, as far as there is room for its shard.
    fn place(&self, state: &mut State<'a>) -> Result<(), RechunkError> {
        while let Some(segment) = state.early.remove(&state.next) {
            let at = state.open.iter().position(|open| open.shard == segment.shard);
            let Some(at) = at.or_else(|| self.open_shard(state, &segment.shard)) else {
                // The shards that have the room are complete before this one begins.
                state.early.insert(state.next, segment);
                return Ok(());
            };
            state.next += 1;
            let open = &mut state.open[at];
            let mut offset = None;
            for (inner, bytes) in &segment.entries {
                let writer = match &mut open.writer {
                    Some(writer) => writer,
                    empty => empty.insert(ShardWriter::new(&self.chunks)?),
                };
                let start = writer.reserve(*inner, *bytes);
                offset.get_or_insert(start);
            }
            open.placed.push_back((offset.unwrap_or(0), segment));
        }
        Ok(())
    }

    /// Begins a shard; `None` where it must be held in memory, and there is no room now.
    fn open_shard(&self, state: &mut State<'a>, shard: &Dims) -> Option<usize> {
        let whole = match &mut state.whole {
            Some(buffers) => Some(buffers.pop()?),
            None => None,
        };
        let region = self.chunks.metadata().objects().region(shard);
        let chunks_left = self.chunks.grid().covering(&region).elements();
        let (shard, placed) = (shard.clone(), VecDeque::new());
        let (writer, file, busy) = (None, None, false);
        state.open.push(OpenShard { shard, writer, file, placed, whole, busy, chunks_left });
        Some(state.open.len() - 1)
    }

    /// Writes what is placed in a shard until nothing is; the shard's last segment completes it. File systems let one thread
    /// at a time write to a file: the others go on encoding.
    fn write_placed<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<'a>>,
        at: usize,
    ) -> Result<MutexGuard<'s, State<'a>>, RechunkError> {
        let shard = state.open[at].shard.clone();
        state.open[at].busy = true;
        loop {
            // Others may have completed shards meanwhile.
            let Some(at) = state.open.iter().position(|open| open.shard == shard) else { return Ok(state) };
            let open = &mut state.open[at];
            let Some((offset, mut segment)) = open.placed.pop_front() else {
                open.busy = false;
                return Ok(state);
            };
            open.chunks_left -= segment.chunks;
            let (mut file, needed) = (open.file.clone(), open.writer.is_some());
            // A shard without an object gives its room back when nothing more will come.
            let mut whole =
                if file.is_none() && (needed || open.chunks_left == 0) { open.whole.take() } else { None };
            let complete = if open.chunks_left == 0 { state.open.swap_remove(at).writer } else { None };
            drop(state);
            if file.is_none() && needed {
                file = Some(match whole.take() {
                    Some(buffer) => ShardFile::whole(&self.chunks, &shard, buffer),
                    None => ShardFile::create(&self.chunks, &shard, self.replaces)?,
                });
            }
            if let Some(file) = file.as_ref().filter(|_| segment.bytes > 0) {
                file.write(offset, &segment.buffer[..segment.bytes])?;
                if self.durable {
                    // The device works while the threads encode; the run's end then waits for little.
                    file.begin_writeback(offset, segment.bytes as u64);
                }
            }
            let mut bytes_written = segment.bytes as u64;
            if let Some(writer) = complete
                && let Some(file) = file.take()
            {
                let Finished { index_bytes, buffer } = writer.finish(&self.chunks, file)?;
                bytes_written += index_bytes;
                whole = whole.or(buffer);
            }
            if let Some(part) = segment.part.take() {
                part.count(Counts { bytes_written, ..Counts::default() });
                part.finish(segment.chunks);
            }
            state = self.lock();
            if let Some(open) = state.open.iter_mut().find(|open| open.shard == shard) {
                open.file = file;
            }
            state.spare.push(segment);
            if let (Some(buffers), Some(buffer)) = (&mut state.whole, whole) {
                buffers.push(buffer);
                // Who waits may have a segment for another shard.
                self.changed.notify_all();
            }
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory of `shards` indexes of the shards of `chunks`.
pub(crate) fn indexes(chunks: &Chunks<'_>, shards: u64, budget: &Arc<Budget>) -> Result<Lease, RechunkError> {
    let inner_chunks = match &chunks.elements().codec {
        ArrayCodec::Shards(codec) => codec.grid().count(),
        ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => return budget.lease(0),
    };
    budget.lease(shards.saturating_mul(ShardIndex::memory_bytes(inner_chunks)))
}
