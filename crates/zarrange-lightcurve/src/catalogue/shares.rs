//! Who has how much of the memory, and how many threads that is enough for.

use crate::LightCurveError;
use crate::catalogue::planes::Planes;
use crate::store::LightCurveStore;
use crate::store::memory::{Share, filling};

/// Shares of the memory while tables are filled: a half of what labels leave is for values that wait, a half for chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// All of it.
    pub(super) all: Share,
    /// Threads that read tables.
    pub(super) threads: usize,
    /// Threads that fill what one of them has.
    pub(super) flush_threads: usize,
    /// For the values of one table.
    pub(super) values: Share,
    /// For the chunks of one thread that fills.
    pub(super) chunk_bytes_max: u64,
}

impl Shares {
    /// Those of `bytes_max`, of which some is `taken`, for so many threads and tables.
    ///
    /// # Errors
    /// [`LightCurveError::Room`] if there is no room for the chunks of one thread.
    pub(super) fn new(
        store: &LightCurveStore,
        (bytes_max, taken): (u64, u64),
        (threads, tables): (usize, usize),
    ) -> Result<Self, LightCurveError> {
        let half = bytes_max.saturating_sub(taken) / 2;
        let mut chunk = 0;
        for name in &store.schema().values {
            // What cannot be read is not filled.
            chunk = chunk.max(store.named(name).and_then(filling).unwrap_or(0));
        }
        let chunk = chunk.saturating_add(store.seen_bytes());
        let needed = taken.saturating_add(chunk.saturating_mul(2));
        Share::all(bytes_max).fits("a chunk, and what reads and writes it", needed)?;
        let fitting = |share: u64, each: u64| usize::try_from(share / each.max(1)).unwrap_or(usize::MAX);
        let fillers = threads.clamp(1, fitting(half, chunk).max(1));
        let block = Planes::bytes_min(store, &store.schema().values)?;
        let threads = fillers.min(tables).min(fitting(half, block)).max(1);
        let flush_threads = (fillers / threads).max(1);
        Ok(Self {
            all: Share::all(bytes_max),
            threads,
            flush_threads,
            values: Share::all(bytes_max.saturating_sub(taken)).part(2).part(threads as u64),
            chunk_bytes_max: half / (threads * flush_threads) as u64,
        })
    }
}
