//! What keeps a plan from being written, or carried out.

use zarrange_plan::PlanError;

use super::{RechunkError, called};

/// A file that is no plan to rely on, or a request that cannot be put into one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// Not a JSON object.
    #[error("not a plan: {0}")]
    Json(serde_json::Error),
    /// A format that is not known here.
    #[error("{what} is {found}, only {known} is known: plan again, or use the zarrange that made the plan")]
    Version {
        /// Which version.
        what: String,
        /// The version found, as JSON.
        found: String,
        /// The version of this program.
        known: u32,
    },
    /// The contents are not those that were planned.
    #[error(
        "the plan was changed after it was made: its fingerprint is {found}, {expected} would be right; plan again"
    )]
    Fingerprint {
        /// The fingerprint found, as JSON.
        found: String,
        /// That of the contents.
        expected: String,
    },
    /// Contents that are as they were written, but not those of a plan.
    #[error("the plan cannot be understood: {0}")]
    Contents(serde_json::Error),
    /// A plan that cannot be carried out.
    #[error("the plan for {} cannot be understood: {source}", called(array))]
    Plan {
        /// Path of the array.
        array: String,
        /// Why not.
        source: PlanError,
    },
    /// A request that no file can say.
    #[error(
        "a plan file makes a target, and region {region} is a part of one that is there: rechunk it at once"
    )]
    Region {
        /// The region.
        region: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A member of the source is no longer what was planned.
    #[error("{member:?} of the source {what} since it was planned: plan again")]
    Changed {
        /// Its path; empty for the root.
        member: String,
        /// What happened to it.
        what: &'static str,
    },
    /// What is at the place of the target is not what was to be replaced.
    #[error(
        "{target} is not what was there when it was planned: the plan was carried out since, or somebody else made it; look at it, and plan again"
    )]
    Replaced {
        /// The target.
        target: String,
    },
    /// A plan that this program would not make.
    #[error(
        "{} was planned by a zarrange that counts in another way: plan again, or use that one",
        called(array)
    )]
    Other {
        /// Path of the array.
        array: String,
    },
    /// A place or a member that cannot be opened.
    #[error(transparent)]
    Source(#[from] RechunkError),
    /// A source that only a program has.
    #[error("the source is {source_name}, an object of a Python program: carry the plan out there")]
    Held {
        /// What it is called.
        source_name: String,
    },
    /// A place whose name is not text, or would be read as another place.
    #[error("{location} cannot be named in a plan: use a path of plain text without ://")]
    Location {
        /// The place.
        location: String,
    },
}
