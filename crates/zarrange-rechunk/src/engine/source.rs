//! Where the elements of tiles come from.

mod array;
mod pieces;

use std::sync::Arc;

pub(crate) use array::{ArraySource, StoredChunks};
pub(crate) use pieces::PieceSource;
use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Tile};

use crate::engine::batches::Batch;
use crate::engine::presence::Known;
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// What fills the tiles of a stage.
pub(crate) trait Source: Sync {
    /// The chunks or pieces that it consists of, over the whole array.
    fn grid(&self) -> &ChunkGrid;

    /// The shards that hold its chunks, if they lie in shards: a batch is of one of them.
    fn shards(&self) -> Option<&ChunkGrid>;

    /// The array that it is, if it is one.
    fn array(&self) -> Option<&Chunks<'_>>;

    /// What one worker needs to fill tiles, with what is `known` to be stored.
    ///
    /// # Errors
    /// If it cannot be had.
    fn filler(&self, known: Option<Arc<Known>>) -> Result<Box<dyn Fill + '_>, RechunkError>;
}

/// One worker's means to fill tiles.
pub(crate) trait Fill {
    /// Fills the parts of tiles that `batch` names.
    ///
    /// # Errors
    /// If a chunk or piece cannot be read or is damaged.
    fn fill(&mut self, tiles: Tiles<'_>, batch: &Batch, worker: &mut Worker<'_>) -> Result<(), RechunkError>;
}

/// The tiles that a batch fills.
#[derive(Clone, Copy)]
pub(crate) struct Tiles<'t> {
    pub(crate) tile: &'t Tile,
    /// The tile behind it, where chunks reach into both.
    pub(crate) next: Option<&'t Tile>,
}
