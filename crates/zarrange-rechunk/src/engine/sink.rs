//! Where the elements of tiles go.

mod chunks;
mod compare;
mod nowhere;
mod pieces;
mod shards;

use std::sync::Arc;

pub(crate) use chunks::ChunkSink;
pub(crate) use compare::{CompareSink, Compared};
pub(crate) use nowhere::Nowhere;
pub(crate) use pieces::PieceSink;
pub(crate) use shards::{Segment, Sequencer, ShardSink, indexes};
use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Filled};
use zarrange_plan::Counts;

use crate::engine::batches::Batch;
use crate::engine::parts::OpenPart;
use crate::engine::presence::Known;
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// What empties the tiles of a stage.
pub(crate) trait Sink<'a>: Sync {
    /// The chunks or pieces that tiles go into, over the whole array.
    fn grid(&self) -> &ChunkGrid;

    /// The shards that hold its chunks, if they lie in shards: a batch is of one of them.
    fn shards(&self) -> Option<&ChunkGrid>;

    /// Where elements come from that tiles are compared with: the array, and what a missing chunk of it holds.
    fn compared(&self) -> Option<&Chunks<'_>>;

    /// The objects that tiles are written to, if they are those of an array.
    fn objects(&self) -> Option<&ChunkGrid>;

    /// The most chunks of a batch, which goes through a buffer of `encoded_bytes`.
    fn batch_max(&self, encoded_bytes: u64) -> u64;

    /// What one worker needs to empty tiles, with what is `known` to be stored of what they are compared with.
    ///
    /// # Errors
    /// If it cannot be had.
    fn drainer<'s>(&'s self, known: Option<Arc<Known>>) -> Result<Box<dyn Drain<'a> + 's>, RechunkError>;

    /// Lets workers go that wait for their turn.
    fn stop(&self);
}

/// One worker's means to empty tiles.
pub(crate) trait Drain<'a> {
    /// Takes the chunks of a batch out of a tile.
    ///
    /// # Errors
    /// If something cannot be encoded or written, or is not the same.
    fn drain(
        &mut self,
        tile: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError>;
}

/// A batch that is taken out of a tile.
pub(crate) struct Turn<'t, 'a> {
    pub(crate) batch: &'t Batch,
    /// Its place in the order of all batches.
    pub(crate) ticket: u64,
    /// The part that it belongs to, which is told when it is written.
    pub(crate) part: &'t Arc<OpenPart<'a>>,
}

impl Turn<'_, '_> {
    /// The batch is written: its part gets what was counted for it.
    pub(crate) fn finish(&self, counts: &mut Counts) {
        self.part.count(std::mem::take(counts));
        self.part.finish(self.batch.count);
    }
}
