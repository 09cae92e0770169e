//! Tiles that go nowhere: what fills them was to be read, and digested.

use std::sync::Arc;

use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Filled};

use crate::engine::presence::Known;
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// Where nothing is written, nor compared.
pub(crate) struct Nowhere<'a> {
    /// Those that tiles are filled from.
    pub(crate) chunks: &'a Chunks<'a>,
}

impl<'a> Sink<'a> for Nowhere<'_> {
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
        Ok(Box::new(Done))
    }

    fn stop(&self) {}
}

struct Done;

impl<'a> Drain<'a> for Done {
    fn drain(
        &mut self,
        _: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        turn.finish(&mut worker.counts);
        Ok(())
    }
}
