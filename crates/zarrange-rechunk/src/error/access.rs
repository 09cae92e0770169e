//! Why an array has no such access.

use zarrange_plan::MixError;

/// An access that an array cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A dimension that the array does not have.
    #[error("{name:?} is none of the dimensions {}", dimensions.join(", "))]
    Dimension {
        /// The name given.
        name: String,
        /// The dimensions there are.
        dimensions: Vec<String>,
    },
    /// A dimension that is named twice in one access.
    #[error("{access:?} has dimension {dimension:?} twice: name it once")]
    Twice {
        /// The access.
        access: String,
        /// The dimension.
        dimension: String,
    },
    /// No indices of a dimension, or more than there are.
    #[error("{access:?} reads {count} of dimension {dimension:?}: from 1 to {size} are possible")]
    Count {
        /// The access.
        access: String,
        /// The dimension.
        dimension: String,
        /// How many.
        count: u64,
        /// How many there are.
        size: u64,
    },
    /// Accesses that are no mix together.
    #[error(transparent)]
    Mix(#[from] MixError),
}
