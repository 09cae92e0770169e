//! Writing shards with many threads, always in the same order.
//!
//! Threads encode batches of inner chunks at the same time; each batch has a ticket, in the order in which the batches were
//! handed out. Offsets are given in the order of tickets, so the same input gives the same bytes. A batch that is done
//! before its turn is parked, and its thread goes on with another buffer; the writes themselves run side by side.

use std::collections::BTreeMap;
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
    turn: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    parked: BTreeMap<u64, Segment>,
    spare: Vec<Segment>,
    open: Vec<OpenShard>,
    aborted: bool,
}

#[derive(Debug)]
struct OpenShard {
    shard: Dims,
    /// Made with the first inner chunk that is not all fill value.
    writer: Option<ShardWriter>,
    units_left: u64,
}

impl<'a> Sequencer<'a> {
    /// A sequencer that parks at most as many segments as there are `spare` buffers; what it writes will be made `durable`.
    pub(crate) fn new(array: &'a Array, elements: &'a Elements, spare: Vec<Vec<u8>>, durable: bool) -> Self {
        let spare = spare.into_iter().map(|buffer| Segment { buffer, ..Segment::default() }).collect();
        let state = Mutex::new(State { spare, ..State::default() });
        Self { array, elements, durable, state, turn: Condvar::new() }
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
            let Buffer { data, lease } = budget.take(stage.encoded_bytes)?;
            spare.push(data);
            leases.push(lease);
        }
        Ok((Self::new(array, elements, spare, durable), leases))
    }

    /// Writes `segment`, whose place is `ticket`; on return it may hold another buffer.
    pub(crate) fn commit(
        &self,
        ticket: u64,
        segment: &mut Segment,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let mut state = self.lock();
        while state.next != ticket {
            if state.aborted {
                return Ok(());
            }
            if let Some(spare) = state.spare.pop() {
                let parked = std::mem::replace(segment, spare);
                state.parked.insert(ticket, parked);
                return Ok(());
            }
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.place(state, segment, counters)?;
        // Whoever moves the turn on also writes what was parked for it.
        loop {
            let mut state = self.lock();
            let next = state.next;
            let Some(parked) = state.parked.remove(&next) else { return Ok(()) };
            self.place(state, &parked, counters)?;
            self.lock().spare.push(parked);
            self.turn.notify_all();
        }
    }

    /// Lets every waiting thread go: the job has failed.
    pub(crate) fn abort(&self) {
        self.lock().aborted = true;
        self.turn.notify_all();
    }

    /// Gives the segment its offsets, passes the turn on, then writes.
    fn place(
        &self,
        mut state: MutexGuard<'_, State>,
        segment: &Segment,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let place = self.reserve(&mut state, segment)?;
        state.next += 1;
        drop(state);
        self.turn.notify_all();
        if let Some((file, offset)) = place {
            file.write(offset, &segment.buffer[..segment.bytes])?;
            if self.durable {
                // The device works while the threads encode; the job's end then waits for little.
                file.begin_writeback(offset, segment.bytes as u64);
            }
            add(&counters.bytes_written, segment.bytes as u64);
        }
        self.complete(segment, counters)
    }

    fn reserve(
        &self,
        state: &mut State,
        segment: &Segment,
    ) -> Result<Option<(Arc<ShardFile>, u64)>, RechunkError> {
        let at = state.open.iter().position(|s| s.shard == segment.shard);
        let at = at.unwrap_or_else(|| {
            let region = self.array.objects().region(&segment.shard);
            let units_left = self.elements.units.covering(&region).elements();
            state.open.push(OpenShard { shard: segment.shard.clone(), writer: None, units_left });
            state.open.len() - 1
        });
        let mut place = None;
        for (inner, bytes) in &segment.entries {
            let writer = match &mut state.open[at].writer {
                Some(writer) => writer,
                empty => empty.insert(ShardWriter::create(self.array, &segment.shard)?),
            };
            let offset = writer.reserve(*inner, *bytes);
            place.get_or_insert_with(|| (writer.file(), offset));
        }
        Ok(place)
    }

    /// Notes that the segment is written; the last one of a shard writes the index.
    fn complete(&self, segment: &Segment, counters: &Counters) -> Result<(), RechunkError> {
        let mut state = self.lock();
        let Some(at) = state.open.iter().position(|s| s.shard == segment.shard) else { return Ok(()) };
        state.open[at].units_left -= segment.units;
        if state.open[at].units_left > 0 {
            return Ok(());
        }
        let done = state.open.swap_remove(at);
        drop(state);
        if let Some(writer) = done.writer {
            add(&counters.bytes_written, writer.finish(self.array)?);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
