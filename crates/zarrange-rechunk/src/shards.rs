//! Writing shards with many threads, always in the same order.
//!
//! Threads encode batches of inner chunks at the same time; each batch has a ticket, in the order in which the batches were
//! handed out. Offsets are given in the order of tickets, so the same input gives the same bytes. A batch that is done
//! before its turn, or while another thread writes to its shard, is left behind, and its thread goes on with another buffer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use zarrange_array::{Array, Elements, ShardFile, ShardWriter};
use zarrange_codec::{ShardCodec, ShardIndex};
use zarrange_grid::Dims;
use zarrange_plan::Stage;

use crate::RechunkError;
use crate::budget::{Budget, Buffer, Lease};
use crate::report::{Counters, add};

/// Encoded inner chunks of one shard, to be written together.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) shard: Dims,
    /// Number and encoded bytes of each inner chunk, in the order in which they lie in the buffer.
    pub(crate) entries: Vec<(u64, u64)>,
    /// Inner chunks handled, those of nothing but fill values included.
    pub(crate) units: u64,
    pub(crate) buffer: Vec<u8>,
    pub(crate) bytes: usize,
}

impl Segment {
    pub(crate) fn begin(&mut self, shard: &Dims, units: u64) {
        self.shard.clone_from(shard);
        self.entries.clear();
        (self.units, self.bytes) = (units, 0);
    }
}

/// Puts segments into their shards in the order of their tickets.
#[derive(Debug)]
pub(crate) struct Sequencer<'a> {
    array: &'a Array,
    elements: &'a Elements,
    durable: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Segments whose turn has not come.
    early: BTreeMap<u64, Segment>,
    spare: Vec<Segment>,
    open: Vec<OpenShard>,
    aborted: bool,
}

#[derive(Debug)]
struct OpenShard {
    shard: Dims,
    /// Made with the first inner chunk that is not all fill value.
    writer: Option<ShardWriter>,
    /// Created by the thread that is the first to write. Not while others wait for the lock: where no descriptor is free, they are
    /// who gives theirs back.
    file: Option<Arc<ShardFile>>,
    /// Segments that have their place, and the offset of the first.
    placed: VecDeque<(u64, Segment)>,
    /// A thread writes what is placed.
    busy: bool,
    units_left: u64,
}

impl<'a> Sequencer<'a> {
    /// A sequencer with these `spare` buffers besides those that threads bring; what it writes will be made `durable`.
    pub(crate) fn new(array: &'a Array, elements: &'a Elements, spare: Vec<Vec<u8>>, durable: bool) -> Self {
        let spare = spare.into_iter().map(|buffer| Segment { buffer, ..Segment::default() }).collect();
        let state = Mutex::new(State { spare, ..State::default() });
        Self { array, elements, durable, state, changed: Condvar::new() }
    }

    /// The sequencer of a stage that drains into the shards of `array`, and the memory that it holds.
    pub(crate) fn of_stage(
        (array, elements): (&'a Array, &'a Elements),
        codec: &ShardCodec,
        (stage, durable): (&Stage, bool),
        budget: &Arc<Budget>,
    ) -> Result<(Self, Vec<Lease>), RechunkError> {
        let open = 1 + stage.workers + stage.parked;
        let mut leases = vec![budget.lease(open * ShardIndex::memory_bytes(codec.grid().count()))?];
        let mut spare = Vec::new();
        for _ in 0..stage.parked {
            let Buffer { data, lease, .. } = budget.take(stage.encoded_bytes)?;
            spare.push(data);
            leases.push(lease);
        }
        Ok((Self::new(array, elements, spare, durable), leases))
    }

    /// Hands in `segment`, whose place is `ticket`; on return it holds a buffer to go on with. Meanwhile the thread writes
    /// what nobody else writes.
    pub(crate) fn commit(
        &self,
        ticket: u64,
        segment: &mut Segment,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let mut state = self.lock();
        state.early.insert(ticket, std::mem::take(segment));
        loop {
            self.place(&mut state)?;
            let idle = state.open.iter().position(|shard| !shard.busy && !shard.placed.is_empty());
            if let Some(at) = idle {
                state = self.write_placed(state, at, counters)?;
            } else if let Some(spare) = state.spare.pop() {
                *segment = spare;
                return Ok(());
            } else if state.aborted {
                return Ok(());
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Lets every waiting thread go: the job has failed.
    pub(crate) fn abort(&self) {
        self.lock().aborted = true;
        self.changed.notify_all();
    }

    /// Gives every segment whose turn it is its place.
    fn place(&self, state: &mut State) -> Result<(), RechunkError> {
        while let Some(segment) = state.early.remove(&state.next) {
            state.next += 1;
            let at = state.open.iter().position(|open| open.shard == segment.shard).unwrap_or_else(|| {
                let region = self.array.objects().region(&segment.shard);
                let units_left = self.elements.units.covering(&region).elements();
                let (shard, placed) = (segment.shard.clone(), VecDeque::new());
                let (writer, file, busy) = (None, None, false);
                state.open.push(OpenShard { shard, writer, file, placed, busy, units_left });
                state.open.len() - 1
            });
            let open = &mut state.open[at];
            let mut offset = None;
            for (inner, bytes) in &segment.entries {
                let writer = match &mut open.writer {
                    Some(writer) => writer,
                    empty => empty.insert(ShardWriter::new(self.array)?),
                };
                let start = writer.reserve(*inner, *bytes);
                offset.get_or_insert(start);
            }
            open.placed.push_back((offset.unwrap_or(0), segment));
        }
        Ok(())
    }

    /// Writes what is placed in a shard until nothing is; the shard's last segment completes it. File systems let one thread
    /// at a time write to a file: the others go on encoding.
    fn write_placed<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        at: usize,
        counters: &Counters,
    ) -> Result<MutexGuard<'s, State>, RechunkError> {
        let shard = state.open[at].shard.clone();
        state.open[at].busy = true;
        loop {
            // Others may have completed shards meanwhile.
            let Some(at) = state.open.iter().position(|open| open.shard == shard) else { return Ok(state) };
            let open = &mut state.open[at];
            let Some((offset, segment)) = open.placed.pop_front() else {
                open.busy = false;
                return Ok(state);
            };
            open.units_left -= segment.units;
            let (mut file, needed) = (open.file.clone(), open.writer.is_some());
            let complete = if open.units_left == 0 { state.open.swap_remove(at).writer } else { None };
            drop(state);
            if file.is_none() && needed {
                file = Some(ShardFile::create(self.array, &shard)?);
            }
            if let Some(file) = file.as_ref().filter(|_| segment.bytes > 0) {
                file.write(offset, &segment.buffer[..segment.bytes])?;
                if self.durable {
                    // The device works while the threads encode; the job's end then waits for little.
                    file.begin_writeback(offset, segment.bytes as u64);
                }
                add(&counters.bytes_written, segment.bytes as u64);
            }
            if let Some(writer) = complete
                && let Some(file) = file.take()
            {
                add(&counters.bytes_written, writer.finish(self.array, file)?);
            }
            state = self.lock();
            if let Some(open) = state.open.iter_mut().find(|open| open.shard == shard) {
                open.file = file;
            }
            state.spare.push(segment);
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
