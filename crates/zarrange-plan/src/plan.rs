//! What comes out: a plan.

use serde::{Deserialize, Serialize};
use zarrange_grid::ChunkGrid;

use crate::counts::Counts;
use crate::error::PlanError;
use crate::problem::{Problem, Way};

/// A decision: how to move the array, and what that will cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub version: u32,
    /// What was asked.
    pub problem: Problem,
    /// How the array is moved.
    pub route: Route,
    /// What the plan will cost.
    pub predicted: Predicted,
    /// The ways that were weighed and not taken, the cheapest first.
    pub rejected: Vec<Alternative>,
}

/// How an array is moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// Stored objects are copied as they are.
    Copy,
    /// Encoded chunks are moved to other shards, or out of them; none is decoded.
    Repack(Repack),
    /// Elements are moved in tiles.
    Tiled(Tiled),
}

/// How encoded chunks are moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repack {
    /// Threads.
    pub threads: u64,
    /// Workers, each with two buffers: as for [`Stage::workers`].
    pub workers: u64,
    /// The bytes of a buffer.
    pub encoded_bytes: u64,
    /// Buffers for encoded chunks that wait for their turn in a shard.
    pub parked: u64,
    /// All memory.
    pub memory_bytes: u64,
}

/// How elements are moved in tiles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tiled {
    /// The stages, in order; none for an empty array.
    pub stages: Vec<Stage>,
    /// The intermediates, each between two stages.
    pub spills: Vec<Spill>,
}

impl Plan {
    /// The version of this format that is made here.
    pub const VERSION: u32 = 4;

    /// Checks a plan that comes from elsewhere: shapes and axes are such that it can be carried out.
    ///
    /// # Errors
    /// [`PlanError`] if its problem is none, or [`PlanError::Stage`] if a stage or an intermediate is not one of its array.
    pub fn check(&self) -> Result<(), PlanError> {
        let shape = &self.problem.shape;
        self.problem.check()?;
        let axes = |order: &[u64]| {
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            sorted.into_iter().eq(0..shape.len() as u64)
        };
        let tiles = |shapes: [&[u64]; 2]| shapes.iter().all(|tile| ChunkGrid::new(shape, tile).is_ok());
        let stage = |s: &Stage| {
            tiles([&s.tile, &s.group]) && axes(&s.order) && s.sweep.is_none_or(|d| d < shape.len() as u64)
        };
        let spill = |s: &Spill| tiles([&s.written, &s.read]) && axes(&s.order);
        let Route::Tiled(Tiled { stages, spills }) = &self.route else { return Ok(()) };
        let counts = stages.len() == spills.len() + 1 || (stages.is_empty() && spills.is_empty());
        if counts && stages.iter().all(stage) && spills.iter().all(spill) {
            Ok(())
        } else {
            Err(PlanError::Stage)
        }
    }

    /// The way taken.
    pub fn way(&self) -> Way {
        self.route.way()
    }

    /// The word of reports: `copy`, `repack`, `direct` (every source chunk is decoded once), `reread` (some more than once) or
    /// `staged` (through intermediates).
    pub fn strategy(&self) -> &'static str {
        match &self.route {
            Route::Copy => "copy",
            Route::Repack(_) => "repack",
            Route::Tiled(tiled) if !tiled.spills.is_empty() => "staged",
            Route::Tiled(_) if self.rereads() => "reread",
            Route::Tiled(_) => "direct",
        }
    }

    /// What it is beside another one.
    pub fn as_alternative(&self) -> Alternative {
        let tiles = self.route.tiles(self.problem.target.object());
        Alternative { way: self.way(), tiles, predicted: self.predicted }
    }

    /// Whether some source chunks are decoded more than once.
    pub(crate) const fn rereads(&self) -> bool {
        self.predicted.counts.source_chunk_decodes > self.predicted.source_chunks
    }

    /// The intermediates.
    pub fn spills(&self) -> &[Spill] {
        if let Route::Tiled(tiled) = &self.route { &tiled.spills } else { &[] }
    }

    /// The stages of tiles.
    pub fn stages(&self) -> &[Stage] {
        if let Route::Tiled(tiled) = &self.route { &tiled.stages } else { &[] }
    }
}

impl Route {
    /// The way that it is.
    pub(crate) fn way(&self) -> Way {
        match self {
            Self::Copy => Way::Copy,
            Self::Repack(_) => Way::Repack,
            Self::Tiled(Tiled { stages, spills }) => match spills.len() {
                0 if stages.first().is_some_and(|stage| stage.sweep.is_some()) => Way::Sweep,
                0 => Way::Tiles,
                1 => Way::Staged,
                2 => Way::Staged2,
                _ => Way::Staged3,
            },
        }
    }

    /// Tiles of its stages; objects where nothing is decoded.
    fn tiles(&self, object: &[u64]) -> Vec<Vec<u64>> {
        match self {
            Self::Copy => Vec::new(),
            Self::Repack(_) => vec![object.to_vec()],
            Self::Tiled(Tiled { stages, .. }) => stages.iter().map(|stage| stage.tile.clone()).collect(),
        }
    }
}

/// A way that was not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// The way.
    pub way: Way,
    /// Tiles of its stages.
    pub tiles: Vec<Vec<u64>>,
    /// What it would cost.
    pub predicted: Predicted,
}

/// One pass over the array, tile by tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Shape of a tile; tiles form a regular grid over the array.
    pub tile: Vec<u64>,
    /// Tiles are visited group by group: a shard that is larger than a tile is written by consecutive tiles.
    pub group: Vec<u64>,
    /// The axis along which a chunk that reaches into the next tile is decoded for both at once; tiles are visited along it.
    pub sweep: Option<u64>,
    /// Axes of a tile in memory, outermost first.
    pub order: Vec<u64>,
    /// Threads.
    pub threads: u64,
    /// Workers, each with buffers of its own: at most [`Self::threads`] of them compute, while the others wait for what they
    /// read or write.
    pub workers: u64,
    /// Tiles in memory at once: with two, one is filled while the other is drained.
    pub slots: u64,
    /// Each thread's buffer for a decoded chunk that does not lie contiguously in a tile.
    pub plain_bytes: u64,
    /// Each thread's buffer for encoded chunks.
    pub encoded_bytes: u64,
    /// Buffers for encoded chunks that wait for their turn in a shard.
    pub parked: u64,
    /// All memory of the stage.
    pub memory_bytes: u64,
}

/// Where a staged plan keeps an intermediate: pieces in one file, each at an offset that follows from its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spill {
    /// Tiles of the stage before, which write the pieces.
    pub written: Vec<u64>,
    /// Tiles of the stage behind, which read them: each is one contiguous range of the file.
    pub read: Vec<u64>,
    /// Axes within a piece, outermost first.
    pub order: Vec<u64>,
    /// The first tiles of the stage behind, which are kept in memory instead, as far as it goes.
    pub held_tiles: u64,
    /// Memory for each of them.
    pub held_tile_bytes: u64,
    /// Number of pieces in the file.
    pub pieces: u64,
    /// Array data in the file.
    pub bytes: u64,
}

impl Spill {
    /// Memory for the tiles that are kept in it.
    pub const fn held_bytes(&self) -> u64 {
        self.held_tiles.saturating_mul(self.held_tile_bytes)
    }
}

/// What a plan will cost. Chunks are counted decoded and whole: how well they compress is not known beforehand. A run that
/// counts the same meets these numbers exactly, time and peak memory apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// What will be counted.
    pub counts: Counts,
    /// Number of source chunks (inner chunks of shards).
    pub source_chunks: u64,
    /// The most memory that all buffers take together.
    pub peak_budget_bytes: u64,
    /// Estimated time.
    pub seconds: f64,
}

impl Predicted {
    /// How many times a source chunk is decoded on average; 0 where none is.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub fn amplification(&self) -> f64 {
        self.counts.source_chunk_decodes as f64 / self.source_chunks.max(1) as f64
    }
}
