//! Why a problem has no plan.

use zarrange_grid::GridError;

/// A problem that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A shape that no grid can have.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A shard that its inner chunks do not fill.
    #[error(
        "shard {shard:?} is not a multiple of its inner chunk {chunk:?} in every dimension; {admissible:?} would be"
    )]
    Shard {
        /// Shape of the shard.
        shard: Vec<u64>,
        /// Shape of the inner chunk.
        chunk: Vec<u64>,
        /// A shard shape near the one asked for.
        admissible: Vec<u64>,
    },
    /// Elements without bytes.
    #[error("elements of 0 bytes cannot be moved")]
    ItemBytes,
    /// A store profile that is none.
    #[error("store profile {name:?}: {fault}")]
    Profile {
        /// Its name.
        name: String,
        /// The field and what it must be.
        fault: String,
    },
    /// A way that was asked for and cannot be taken.
    #[error("the way {way:?} does not apply to this array, or does not fit max-mem")]
    Way {
        /// Its name.
        way: &'static str,
    },
    /// Even the smallest tile on one thread does not fit.
    #[error(
        "max-mem of {have} bytes is too small: source chunk {source_chunk:?} has {source_bytes} bytes, target chunk \
         {target_chunk:?} has {target_bytes}, and holding one of each with its encoded form takes {needed}: raise \
         --max-mem to at least {needed} or choose smaller chunks"
    )]
    Memory {
        /// The bound.
        have: u64,
        /// The least that a plan needs.
        needed: u64,
        /// Shape of a source chunk.
        source_chunk: Vec<u64>,
        /// Its decoded bytes.
        source_bytes: u64,
        /// Shape of a target chunk.
        target_chunk: Vec<u64>,
        /// Its decoded bytes.
        target_bytes: u64,
    },
}
