//! What a job did.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use zarrange_plan::{Plan, Strategy};

/// Counters of a run, updated once for each batch of chunks.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) spill_bytes: AtomicU64,
    pub(crate) decodes: AtomicU64,
    pub(crate) chunks_written: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// What rechunking cost, or will cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// `copy`, `regroup`, `direct`, `reread` or `staged`; for several arrays the costliest of theirs.
    pub strategy: &'static str,
    /// Passes over the data; for several arrays the most of theirs.
    pub stages: u64,
    /// Bytes read from the source: stored bytes of a run, decoded bytes of a plan.
    pub bytes_read: u64,
    /// Bytes written to the target: stored bytes of a run, decoded bytes of a plan.
    pub bytes_written: u64,
    /// Bytes written to the intermediate.
    pub spill_bytes: u64,
    /// Chunks of the source (inner chunks of shards), missing ones included.
    pub source_chunks: u64,
    /// How many times one was decoded.
    pub source_chunk_decodes: u64,
    /// Chunks of the target (inner chunks of shards): those written by a run, all of them for a plan.
    pub target_chunks: u64,
    /// The most bytes of `--max-mem` in use at once.
    pub peak_budget_bytes: u64,
    /// Wall time, or the estimate.
    pub elapsed_s: f64,
}

/// The outcome of a job: what `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// All arrays together.
    #[serde(flatten)]
    pub cost: Cost,
    /// Whether the whole target was compared with the source.
    pub verified: bool,
    /// The backend that did the I/O.
    pub backend: &'static str,
    /// Each array.
    pub arrays: Vec<ArrayReport>,
}

/// What one array cost, or will cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrayReport {
    /// Path within the hierarchy; empty for the root.
    pub array: String,
    /// Its cost.
    #[serde(flatten)]
    pub cost: Cost,
}

impl Cost {
    /// What `plan` predicts.
    pub(crate) fn predicted(plan: &Plan) -> Self {
        let predicted = plan.predicted;
        Self {
            strategy: plan.strategy.name(),
            stages: if plan.strategy == Strategy::Copy { 1 } else { plan.stages.len() as u64 },
            bytes_read: predicted.bytes_read,
            bytes_written: predicted.bytes_written,
            spill_bytes: predicted.spill_bytes,
            source_chunks: predicted.source_chunks,
            source_chunk_decodes: predicted.source_chunk_decodes,
            target_chunks: predicted.target_chunks,
            peak_budget_bytes: predicted.peak_budget_bytes,
            elapsed_s: predicted.seconds,
        }
    }

    /// What running `plan` cost.
    pub(crate) fn measured(plan: &Plan, counters: &Counters, peak: u64, elapsed_s: f64) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            bytes_read: count(&counters.bytes_read),
            bytes_written: count(&counters.bytes_written),
            spill_bytes: count(&counters.spill_bytes),
            source_chunk_decodes: count(&counters.decodes),
            target_chunks: count(&counters.chunks_written),
            peak_budget_bytes: peak,
            elapsed_s,
            ..Self::predicted(plan)
        }
    }
}

impl Report {
    /// The sum over arrays.
    pub(crate) fn sum(arrays: Vec<ArrayReport>, verified: bool, backend: &'static str) -> Self {
        let costs = || arrays.iter().map(|a| &a.cost);
        let costliest =
            ["staged", "reread", "direct", "regroup"].into_iter().find(|s| costs().any(|c| c.strategy == *s));
        let sum = |field: fn(&Cost) -> u64| costs().map(field).fold(0, u64::saturating_add);
        let max = |field: fn(&Cost) -> u64| costs().map(field).max().unwrap_or(0);
        let cost = Cost {
            strategy: costliest.unwrap_or("copy"),
            stages: max(|c| c.stages),
            bytes_read: sum(|c| c.bytes_read),
            bytes_written: sum(|c| c.bytes_written),
            spill_bytes: sum(|c| c.spill_bytes),
            source_chunks: sum(|c| c.source_chunks),
            source_chunk_decodes: sum(|c| c.source_chunk_decodes),
            target_chunks: sum(|c| c.target_chunks),
            peak_budget_bytes: max(|c| c.peak_budget_bytes),
            elapsed_s: costs().map(|c| c.elapsed_s).sum(),
        };
        Self { cost, verified, backend, arrays }
    }
}
