//! The values that go in and come out: problems and plans.

use serde::{Deserialize, Serialize};

/// What is to be done, on metadata alone. Shapes in elements, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Shape of the array.
    pub shape: Vec<u64>,
    /// Bytes of one element.
    pub item_bytes: u64,
    /// How the array is stored now.
    pub source: Format,
    /// How it shall be stored.
    pub target: Format,
    /// Data type, fill value and codecs are the same: a chunk that keeps its shape keeps its bytes.
    pub same_encoding: bool,
    /// The bound on all data buffers together.
    pub memory_bytes_max: u64,
    /// Threads to use, at most; fewer where the memory does not suffice for each thread's buffers.
    pub threads: u64,
    /// What happens to the target's chunks.
    pub purpose: Purpose,
}

/// Whether the target is written or compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// The target is made from the source.
    Write,
    /// The target exists and is compared with the source.
    Compare,
}

/// How an array is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Shape of what is encoded at once: the chunk, or the inner chunk of a shard.
    pub chunk: Vec<u64>,
    /// Shape of a shard, if chunks are stored in shards.
    pub shard: Option<Vec<u64>>,
    /// The most bytes of an encoded chunk.
    pub encoded_bytes_max: u64,
    /// Working memory of the codecs, for each thread.
    pub scratch_bytes: u64,
    /// Memory inside the codecs' libraries, for each thread.
    pub context_bytes: u64,
    /// Memory of one shard's index.
    pub shard_index_bytes: u64,
}

impl Format {
    /// Shape of what is stored as one object.
    pub fn object(&self) -> &[u64] {
        self.shard.as_deref().unwrap_or(&self.chunk)
    }
}

/// How the array is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Stored bytes are copied as they are.
    Copy,
    /// Encoded chunks are moved to other shards, or out of them; none is decoded.
    Regroup,
    /// One stage; every source chunk is decoded once.
    Direct,
    /// One stage; some source chunks are decoded more than once.
    Reread,
    /// Two stages with a spilled intermediate.
    Staged,
}

impl Strategy {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Regroup => "regroup",
            Self::Direct => "direct",
            Self::Reread => "reread",
            Self::Staged => "staged",
        }
    }
}

/// A decision: how to move the array, and what that will cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub version: u32,
    /// What was asked.
    pub problem: Problem,
    /// The way chosen.
    pub strategy: Strategy,
    /// Its stages, in order; none for a copy or an empty array. That of a regrouping has no tiles in memory.
    pub stages: Vec<Stage>,
    /// The intermediate between two stages.
    pub spill: Option<Spill>,
    /// What the plan will cost.
    pub predicted: Predicted,
    /// The ways not chosen, with their estimated seconds.
    pub rejected: Vec<(Strategy, f64)>,
}

/// One pass over the array, tile by tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Shape of a tile; tiles form a regular grid over the array.
    pub tile: Vec<u64>,
    /// Tiles are visited group by group: a shard that is larger than a tile is written by consecutive tiles.
    pub group: Vec<u64>,
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

/// Where a staged plan keeps its intermediate: pieces in one file, each at an offset that follows from its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spill {
    /// Tiles of the first stage, which write the pieces.
    pub written: Vec<u64>,
    /// Tiles of the second stage, which read them: each is one contiguous range of the file.
    pub read: Vec<u64>,
    /// Axes within a piece, outermost first.
    pub order: Vec<u64>,
    /// Number of pieces.
    pub pieces: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// What a plan will cost. Bytes of chunks are counted decoded: how well they compress is not known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Bytes of source chunks, counted as often as they are read.
    pub bytes_read: u64,
    /// Bytes of target chunks.
    pub bytes_written: u64,
    /// Bytes written to the intermediate, and read again.
    pub spill_bytes: u64,
    /// Number of source chunks (inner chunks of shards).
    pub source_chunks: u64,
    /// How many times one of them is decoded.
    pub source_chunk_decodes: u64,
    /// Number of target chunks (inner chunks of shards).
    pub target_chunks: u64,
    /// The most memory that all buffers take together.
    pub peak_budget_bytes: u64,
    /// Estimated time on a machine of the cost model.
    pub seconds: f64,
}
