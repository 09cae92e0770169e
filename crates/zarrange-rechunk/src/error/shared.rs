//! What keeps workers from a plan.

use zarrange_array::ArrayError;
use zarrange_io::IoError;

use super::{PlanFileError, RechunkError};

/// Why workers cannot go on with a plan, or it cannot be finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The plan, or its source.
    #[error(transparent)]
    Plan(Box<PlanFileError>),
    /// Something cannot be moved, compared or published.
    #[error(transparent)]
    Rechunk(Box<RechunkError>),
    /// There is no folder of the plan.
    #[error(
        "nobody is making {target} by this plan: no worker has begun, or it was given up, or finished under another name"
    )]
    NotBegun {
        /// The target.
        target: String,
    },
    /// A stage that the plan does not have.
    #[error("there is no stage {stage}: the plan has {stages}, from 0")]
    NoStage {
        /// The stage asked for.
        stage: u64,
        /// How many there are.
        stages: u64,
    },
    /// A share that is not one of so many.
    #[error("there is no share {index} of {of}: they are numbered from 0")]
    NoShare {
        /// Its number.
        index: u64,
        /// How many there are.
        of: u64,
    },
    /// The stage before is not done.
    #[error("stage {stage} needs all of stage {before}, of which {done} of {parts} parts are done")]
    TooEarly {
        /// The stage asked for.
        stage: u64,
        /// The one before.
        before: u64,
        /// Its parts.
        parts: u64,
        /// Those that are done.
        done: u64,
    },
    /// Receipts are missing.
    #[error("of stage {stage} {done} of {parts} parts are done: let workers do the others first")]
    Incomplete {
        /// The first stage that is not done.
        stage: u64,
        /// Its parts.
        parts: u64,
        /// Those that are done.
        done: u64,
    },
    /// A receipt of something that the plan does not have.
    #[error(
        "{location} has receipts of another plan: remove it, and let workers do again what is missing then"
    )]
    Receipt {
        /// Where it is.
        location: String,
    },
    /// What was written is not there.
    #[error(
        "workers wrote {written} bytes of {array}, and {found} are there: some of it was lost or cut off; give the run up, and begin it again"
    )]
    Lost {
        /// The array.
        array: String,
        /// What receipts tell.
        written: u64,
        /// What was found.
        found: u64,
    },
    /// The folder is gone.
    #[error("the run was finished or given up meanwhile: nothing is left to be done")]
    Over,
    /// Something could not be removed.
    #[error("{0}")]
    Left(String),
}

impl From<PlanFileError> for SharedError {
    fn from(error: PlanFileError) -> Self {
        Self::Plan(Box::new(error))
    }
}

impl From<RechunkError> for SharedError {
    fn from(error: RechunkError) -> Self {
        Self::Rechunk(Box::new(error))
    }
}

impl From<ArrayError> for SharedError {
    fn from(error: ArrayError) -> Self {
        RechunkError::from(error).into()
    }
}

impl From<IoError> for SharedError {
    fn from(error: IoError) -> Self {
        RechunkError::from(error).into()
    }
}
