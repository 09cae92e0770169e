//! What no grid can be.

/// The highest rank accepted; a limit on untrusted metadata, far above any use.
pub(crate) const RANK_MAX: usize = 64;

/// A shape that no grid can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// The chunk shape has another rank than the array.
    #[error("chunk shape {chunk:?} has {} dimensions, the array has {}: give one number for each of {array:?}", chunk.len(), array.len())]
    Rank {
        /// Shape of the array.
        array: Vec<u64>,
        /// Shape of the chunk.
        chunk: Vec<u64>,
    },
    /// More dimensions than are supported.
    #[error("the array has {0} dimensions; at most {RANK_MAX} are supported")]
    RankTooHigh(usize),
    /// A chunk of no elements.
    #[error("chunk shape {0:?} has a zero: every dimension needs at least 1")]
    ZeroChunk(Vec<u64>),
    /// A chunk of no elements in a list of lengths, or none of them.
    #[error("{length} elements, {count} times: at least 1 of each would be right")]
    ZeroEdge {
        /// Elements of a chunk.
        length: u64,
        /// How many such chunks follow each other.
        count: u64,
    },
    /// The chunks of a dimension do not cover it.
    #[error(
        "the chunks end at {end}, and the dimension has {extent} elements: their lengths must add up to as many or more"
    )]
    ShortEdges {
        /// Elements of the dimension.
        extent: u64,
        /// Where the last chunk ends.
        end: u64,
    },
    /// The number of elements or bytes does not fit 64 bits.
    #[error("shape {0:?} overflows: the number of its elements does not fit 63 bits")]
    Overflow(Vec<u64>),
}
