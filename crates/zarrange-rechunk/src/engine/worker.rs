//! What a worker owns while it moves an array: its buffers, its permit to compute, and what it counted.

use zarrange_plan::Counts;

use crate::engine::budget::Lease;
use crate::engine::permits::Permit;

/// A worker's means.
pub(crate) struct Worker<'w> {
    /// Room for decoded chunks that do not lie in one piece in a tile; where nothing is decoded, for chunks that are read.
    pub(crate) plain: Vec<u8>,
    /// Room for encoded chunks.
    pub(crate) encoded: Vec<u8>,
    pub(crate) permit: Permit<'w>,
    /// What it counted since it last told.
    pub(crate) counts: Counts,
    /// Digests of what it put into a tile since it last told, and into the next one, where that is digested.
    pub(crate) digests: [u128; 2],
    /// The places of the buffers in the budget.
    pub(crate) _leases: Vec<Lease>,
}
