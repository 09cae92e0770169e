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

/// What rechunking cost, or will cost: the keys of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `copy`, `direct`, `reread` or `staged`; for a group the costliest of its arrays'.
    pub strategy: &'static str,
    /// Passes over the data.
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
    /// Whether the whole target was compared with the source.
    pub verified: bool,
    /// The backend that did the I/O.
    pub backend: &'static str,
    /// The same for each array.
    pub arrays: Vec<ArrayReport>,
}

/// What one array cost, or will cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrayReport {
    /// Path within the hierarchy; empty for the root.
    pub array: String,
    /// `copy`, `direct`, `reread` or `staged`.
    pub strategy: &'static str,
    /// Passes over the data.
    pub stages: u64,
    /// As in [`Report`].
    pub bytes_read: u64,
    /// As in [`Report`].
    pub bytes_written: u64,
    /// As in [`Report`].
    pub spill_bytes: u64,
    /// As in [`Report`].
    pub source_chunks: u64,
    /// As in [`Report`].
    pub source_chunk_decodes: u64,
    /// As in [`Report`].
    pub target_chunks: u64,
    /// As in [`Report`].
    pub peak_budget_bytes: u64,
    /// As in [`Report`].
    pub elapsed_s: f64,
}

impl ArrayReport {
    /// What `plan` predicts for the array at `path`.
    pub(crate) fn predicted(path: &str, plan: &Plan) -> Self {
        let predicted = plan.predicted;
        Self {
            array: path.to_owned(),
            strategy: plan.strategy.name(),
            stages: stages(plan),
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

    /// What running `plan` for the array at `path` cost.
    pub(crate) fn measured(path: &str, plan: &Plan, counters: &Counters, peak: u64, elapsed_s: f64) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            bytes_read: count(&counters.bytes_read),
            bytes_written: count(&counters.bytes_written),
            spill_bytes: count(&counters.spill_bytes),
            source_chunk_decodes: count(&counters.decodes),
            target_chunks: count(&counters.chunks_written),
            peak_budget_bytes: peak,
            elapsed_s,
            ..Self::predicted(path, plan)
        }
    }
}

fn stages(plan: &Plan) -> u64 {
    if plan.strategy == Strategy::Copy { 1 } else { plan.stages.len() as u64 }
}

impl Report {
    /// The sum over arrays.
    pub(crate) fn sum(arrays: Vec<ArrayReport>, verified: bool, backend: &'static str) -> Self {
        let costliest =
            ["staged", "reread", "direct"].into_iter().find(|s| arrays.iter().any(|a| a.strategy == *s));
        let sum = |field: fn(&ArrayReport) -> u64| arrays.iter().map(field).fold(0, u64::saturating_add);
        let max = |field: fn(&ArrayReport) -> u64| arrays.iter().map(field).max().unwrap_or(0);
        Self {
            strategy: costliest.unwrap_or("copy"),
            stages: max(|a| a.stages),
            bytes_read: sum(|a| a.bytes_read),
            bytes_written: sum(|a| a.bytes_written),
            spill_bytes: sum(|a| a.spill_bytes),
            source_chunks: sum(|a| a.source_chunks),
            source_chunk_decodes: sum(|a| a.source_chunk_decodes),
            target_chunks: sum(|a| a.target_chunks),
            peak_budget_bytes: max(|a| a.peak_budget_bytes),
            elapsed_s: arrays.iter().map(|a| a.elapsed_s).sum(),
            verified,
            backend,
            arrays,
        }
    }
}
