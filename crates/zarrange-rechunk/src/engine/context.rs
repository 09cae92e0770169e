//! What everything that moves an array has in common.

use std::sync::Arc;

use zarrange_array::ArrayMetadata;

use crate::engine::budget::Budget;
use crate::engine::parts::{Alone, Ledger, Recorded};
use crate::engine::presence::Sparse;
use crate::progress::Progress;

/// What is looked at beside, while an array is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookAt {
    Nothing,
    /// Checksums of what is moved as it is stored: they must be right.
    Sums,
    /// Elements of the source, where they are decoded: they are digested.
    Elements,
}

/// The means of a run.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// All memory.
    pub(crate) budget: &'a Arc<Budget>,
    /// Threads to use, at most.
    pub(crate) threads: u64,
    /// From when on only what is stored is visited.
    pub(crate) sparse: Sparse,
    /// What is written will be made durable.
    pub(crate) durable: bool,
    /// Others may do the same parts at the same time, or again: an object gets its name when it is complete, and nothing that a part
    /// reads is given back, or kept in this process alone.
    pub(crate) shared: bool,
    pub(crate) look: LookAt,
    /// Which parts are done, and who is told of those that are done here.
    pub(crate) ledger: &'a dyn Ledger,
    /// What was counted here.
    pub(crate) recorded: &'a Recorded,
    pub(crate) progress: &'a dyn Progress,
}

impl<'a> Context<'a> {
    /// For what reads everything, and writes nothing.
    pub(crate) fn reading(
        budget: &'a Arc<Budget>,
        threads: u64,
        recorded: &'a Recorded,
        progress: &'a dyn Progress,
    ) -> Self {
        let (sparse, ledger) = (Sparse::default(), &Alone);
        Self {
            budget,
            threads,
            sparse,
            durable: false,
            shared: false,
            look: LookAt::Nothing,
            ledger,
            recorded,
            progress,
        }
    }
}

/// Elements of an array; saturates, for it only scales a progress bar.
pub(crate) fn elements(array: &ArrayMetadata) -> u64 {
    array.shape().iter().fold(1, |n, s| n.saturating_mul(*s))
}
