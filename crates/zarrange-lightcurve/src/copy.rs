//! Two layouts in step: a copy of a store that is read by object, while the store is filled by epoch.
//!
//! A copy knows its source, and has the record of what it holds of it. What was filled there since is what the two records do not share.

mod make;
mod side;
mod sync;

use zarrange_io::{Location, Opener};
use zarrange_rechunk::{Codecs, Durability, Request, Verify};

pub use self::sync::Synced;

use crate::LightCurveError;
use crate::store::layout::Cut;

/// How a copy is made, and brought up to date.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// How arrays of values are cut; when it is brought up to date, they stay as they are.
    pub cut: Cut,
    /// Their codecs.
    pub codecs: Codecs,
    /// The bound on all data buffers together.
    pub memory_bytes_max: u64,
    /// Threads to use, at most.
    pub threads: u64,
    /// What to compare with the source before it is seen.
    pub verify: Verify,
    /// Whether to wait until it is on the disk.
    pub durability: Durability,
    /// Replace an existing copy.
    pub overwrite: bool,
    /// How places are opened.
    pub io: Opener,
}

impl CopyOptions {
    /// What is asked of the engine.
    fn request(&self, source: Location, target: Location) -> Request {
        Request {
            memory_bytes_max: self.memory_bytes_max,
            threads: self.threads,
            verify: self.verify,
            durability: self.durability,
            io: self.io.clone(),
            ..Request::new(source, target)
        }
    }
}

/// How far a copy is behind its source.
#[derive(Clone, Debug, PartialEq)]
pub struct Lag {
    /// Epochs that were filled since, by their numbers in the source.
    pub epochs: Vec<u64>,
    /// Epochs that the copy does not have, filled or not.
    pub new: u64,
    /// When the first of those epochs was filled, in seconds since 1970.
    pub since: Option<f64>,
}

/// The place that a copy says it is of.
///
/// # Errors
/// [`LightCurveError::NoCopy`] if it does not say that.
fn place_of(source: Option<&str>, copy: &str) -> Result<Location, LightCurveError> {
    let none = || LightCurveError::NoCopy { location: copy.to_owned() };
    source.ok_or_else(none)?.parse().map_err(|_| none())
}
