//! Tiles whose elements are digested: nothing is written.

use std::sync::{Arc, Mutex, PoisonError};

use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Digester, Filled};

use crate::engine::presence::Known;
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// The sum of the digests of all elements.
pub(crate) struct DigestSink<'a> {
    pub(crate) chunks: Chunks<'a>,
    pub(crate) digester: Digester,
    pub(crate) sum: Mutex<u128>,
}

impl DigestSink<'_> {
    /// The sum of what was digested.
    pub(crate) fn into_sum(self) -> u128 {
        self.sum.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Sink<'a> for DigestSink<'_> {
    fn grid(&self) -> &ChunkGrid {
        self.chunks.grid()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        None
    }

    fn compared(&self) -> Option<&Chunks<'_>> {
        None
    }

    fn objects(&self) -> Option<&ChunkGrid> {
        Some(self.chunks.metadata().objects())
    }

    fn batch_max(&self, _: u64) -> u64 {
        u64::MAX
    }

    fn drainer<'s>(&'s self, _: Option<Arc<Known>>) -> Result<Box<dyn Drain<'a> + 's>, RechunkError> {
        Ok(Box::new(Drainer(self)))
    }

    fn stop(&self) {}
}

struct Drainer<'a>(&'a DigestSink<'a>);

impl<'a> Drain<'a> for Drainer<'_> {
    fn drain(
        &mut self,
        tile: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        let DigestSink { chunks, digester, sum } = self.0;
        let mut digested = 0u128;
        for chunk in turn.batch.indices() {
            // Chunks of different shapes reach into several tiles.
            if let Some(region) = chunks.grid().region(&chunk).intersect(tile.strides.region()) {
                digested = digested.wrapping_add(digester.sum(&region, tile.data, tile.strides));
            }
        }
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = sum.wrapping_add(digested);
        drop(sum);
        turn.finish(&mut worker.counts);
        Ok(())
    }
}
