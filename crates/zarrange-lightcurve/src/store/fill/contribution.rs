//! What is given to be filled, how, and what that did.

use std::time::Duration;

use crate::store::fill::merge::Replace;
use crate::store::picks::Picked;

/// What somebody has measured at one epoch.
#[derive(Clone, Debug)]
pub struct Contribution<'a> {
    /// The epoch, by its number.
    pub epoch: u64,
    /// The objects.
    pub objects: Picked<'a>,
    /// The measurements; all of them where the store has none.
    pub measurements: Picked<'a>,
    /// For each array its elements in native byte order: in C order over the dimensions of the array but that of epochs, as many along each
    /// as are given. NaN (in arrays of whole numbers the fill value) says that nothing was measured.
    pub values: &'a [(&'a str, &'a [u8])],
}

/// How to fill.
#[derive(Clone, Copy, Debug)]
pub struct FillOptions<'a> {
    /// What becomes of values that are there, where others are given.
    pub replace: Replace,
    /// The name of this run in the record.
    pub run: &'a str,
    /// How long to wait for somebody who fills the same epoch.
    pub wait: Duration,
    /// What chunks may take, beside what is given: an array of values needs a stored chunk decoded, and what reads and writes it. What is
    /// left keeps chunks between comparing and writing; the others are read twice.
    pub memory_bytes_max: u64,
}

impl Default for FillOptions<'_> {
    fn default() -> Self {
        Self { replace: Replace::Never, run: "", wait: Duration::from_mins(1), memory_bytes_max: 1 << 30 }
    }
}

/// What filling an epoch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FillReport {
    /// Elements that were not there before, or others.
    pub changed: u64,
    /// Chunks that were written.
    pub chunks: u64,
}
