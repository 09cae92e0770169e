//! Tiles compared with another array: nothing is written.

use std::sync::Arc;

use zarrange_array::Chunks;
use zarrange_codec::same_values;
use zarrange_grid::{ChunkGrid, Filled, Strides, copy_region, fill_with};

use crate::difference::Difference;
use crate::engine::budget::{Budget, Lease};
use crate::engine::presence::Known;
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::source::StoredChunks;
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// An array that tiles are compared with.
pub(crate) struct CompareSink<'a> {
    pub(crate) chunks: Chunks<'a>,
    pub(crate) compared: Compared<'a>,
    pub(crate) budget: &'a Arc<Budget>,
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared<'a> {
    /// Path of the array, for messages.
    pub(crate) path: &'a str,
    /// Payloads of NaN count.
    pub(crate) payloads: bool,
}

impl<'a> Sink<'a> for CompareSink<'_> {
    fn grid(&self) -> &ChunkGrid {
        self.chunks.grid()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        self.chunks.shards()
    }

    fn compared(&self) -> Option<&Chunks<'_>> {
        Some(&self.chunks)
    }

    fn objects(&self) -> Option<&ChunkGrid> {
        Some(self.chunks.metadata().objects())
    }

    fn batch_max(&self, _: u64) -> u64 {
        u64::MAX
    }

    fn drainer<'s>(&'s self, known: Option<Arc<Known>>) -> Result<Box<dyn Drain<'a> + 's>, RechunkError> {
        let lease = self.budget.lease(self.chunks.chain().scratch_bytes() as u64)?;
        let stored = StoredChunks::new(&self.chunks, known);
        Ok(Box::new(Drainer { stored, compared: self.compared, _lease: lease }))
    }

    fn stop(&self) {}
}

struct Drainer<'a> {
    stored: StoredChunks<'a>,
    compared: Compared<'a>,
    /// The memory that decoding takes.
    _lease: Lease,
}

impl<'a> Drain<'a> for Drainer<'_> {
    fn drain(
        &mut self,
        tile: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        let Worker { plain, encoded, permit, counts, .. } = worker;
        for chunk in self.stored.known_missing(turn.batch) {
            self.compare(tile, &chunk, None, plain)?;
        }
        self.stored.want(turn.batch);
        while permit.waiting(|| self.stored.reader.fetch(encoded))? {
            for k in self.stored.reader.fetched() {
                let chunk = self.stored.reader.chunk(k).clone();
                let stored = self.stored.reader.stored(k, encoded).map(|stored| (k, stored));
                self.compare(tile, &chunk, stored, plain)?;
            }
        }
        turn.finish(counts);
        Ok(())
    }
}

impl Drainer<'_> {
    /// Compares `chunk`, of which `stored` are the bytes and the number among those wanted, with the tile.
    fn compare(
        &mut self,
        tile: Filled<'_>,
        chunk: &[u64],
        stored: Option<(usize, &[u8])>,
        plain: &mut [u8],
    ) -> Result<(), RechunkError> {
        let reader = &mut self.stored.reader;
        let elements = reader.chunks().elements();
        let (item, bytes) = (elements.item_bytes(), elements.chunk_bytes(chunk));
        let (theirs, ours) = plain[..2 * bytes].split_at_mut(bytes);
        match stored {
            Some((k, stored)) => reader.decode(k, stored, theirs)?,
            None => fill_with(theirs, &elements.fill),
        }
        let elements = reader.chunks().elements();
        // What lies beyond the array's edge is nobody's value: it starts out equal.
        ours.copy_from_slice(theirs);
        let cell = elements.chunks.cell(chunk);
        // Chunks of different shapes reach into several tiles.
        if let Some(region) = elements.chunks.region(chunk).intersect(tile.strides.region()) {
            let strides = Strides::c_order(cell.clone(), item as u64);
            copy_region(&region, (tile.data, tile.strides), (ours, &strides), item);
        }
        let Compared { path, payloads } = self.compared;
        let Some(at) = same_values(ours, theirs, &elements.element, payloads) else { return Ok(()) };
        let element = at / item;
        let value = |data: &[u8]| elements.element.format(&data[element * item..(element + 1) * item]);
        Err(RechunkError::Differs(Box::new(Difference::Value {
            array: path.to_owned(),
            index: cell.unravel(element as u64).to_vec(),
            a: value(ours),
            b: value(theirs),
        })))
    }
}
