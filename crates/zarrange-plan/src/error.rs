//! Why a problem has no plan or a mix no layout, and words that nothing is called.

use std::fmt;

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
    /// A ratio that nothing stored can have.
    #[error("a byte of array data cannot take {ratio} bytes in storage: a positive number is needed")]
    Ratio {
        /// The ratio, as text.
        ratio: String,
    },
    /// A rate that no codec can have.
    #[error("a codec cannot take {rate} ns for a byte: a number from 0 is needed")]
    Rate {
        /// The rate, as text.
        rate: String,
    },
    /// A plan from elsewhere with tiles, pieces or axes that its array cannot have.
    #[error("a stage or an intermediate of the plan does not fit its array")]
    Stage,
    /// A way that was asked for and cannot be taken.
    #[error("the way {way:?} does not apply to this array, or does not fit the memory limit")]
    Way {
        /// Its name.
        way: &'static str,
    },
    /// Even the smallest tile on one thread does not fit.
    #[error(
        "the memory limit of {have} bytes is too small: source chunk {source_chunk:?} has {source_bytes} bytes, target chunk \
         {target_chunk:?} has {target_bytes}, and holding one of each with its encoded form takes {needed}: raise \
         it to at least {needed} or choose smaller chunks"
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

/// A mix that has no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MixError {
    /// A mix of nothing.
    #[error("the mix names no dimension: at least one is needed")]
    Empty,
    /// A weight that says nothing.
    #[error("an access has the weight {weight}: a positive number is needed")]
    Weight {
        /// The weight, as text.
        weight: String,
    },
    /// An access with two weights.
    #[error("an access is named twice, as number {first} and {second}: give it one weight")]
    Repeated {
        /// Its first place among the accesses, from 1.
        first: usize,
        /// Its second one.
        second: usize,
    },
    /// An access that picks indices of a dimension twice.
    #[error("dimension {axis} is there twice in one access: name it once")]
    Twice {
        /// The dimension.
        axis: usize,
    },
    /// More indices than there are, or none.
    #[error(
        "an access cannot read {count} indices of dimension {axis}: at least one, and at most as many as it has"
    )]
    Count {
        /// The dimension.
        axis: usize,
        /// How many.
        count: u64,
    },
    /// A dimension that the array does not have.
    #[error("the array has {rank} dimensions: dimension {axis} is not one of them")]
    Axis {
        /// The dimension.
        axis: usize,
        /// The number of dimensions.
        rank: usize,
    },
    /// A shape that no grid can have.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The array is too large for so few objects.
    #[error(
        "at most {objects_max} files are allowed, but with shards of at most {shard_bytes_max} bytes there would be \
         {objects}: allow so many"
    )]
    Objects {
        /// Objects there would be.
        objects: u64,
        /// The limit.
        objects_max: u64,
        /// The limit of a shard.
        shard_bytes_max: u64,
    },
}

/// A word that is none of those that are understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// What the words are for.
    what: &'static str,
    given: String,
    known: Vec<String>,
}

impl UnknownWord {
    /// The one of `all` that is written as `text`; `what` they are, for the error.
    ///
    /// # Errors
    /// [`Self`] if there is none.
    pub fn find<T: fmt::Display, const N: usize>(
        what: &'static str,
        all: [T; N],
        text: &str,
    ) -> Result<T, Self> {
        let known = all.each_ref().map(ToString::to_string);
        let found = all.into_iter().zip(&known).find(|(_, word)| *word == text);
        match found {
            Some((value, _)) => Ok(value),
            None => Err(Self { what, given: text.to_owned(), known: known.to_vec() }),
        }
    }
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no {}: use ", self.given, self.what)?;
        match self.known.as_slice() {
            [first @ .., last] if !first.is_empty() => write!(f, "{} or {last}", first.join(", ")),
            few => f.write_str(&few.concat()),
        }
    }
}

impl std::error::Error for UnknownWord {}
