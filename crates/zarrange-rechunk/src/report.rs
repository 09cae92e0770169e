//! What a job did.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use zarrange_plan::{Chosen, Plan, Strategy};

/// Counters of a run, updated once for each batch of chunks.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) spill_bytes: AtomicU64,
    pub(crate) decodes: AtomicU64,
    pub(crate) decoded_bytes: AtomicU64,
    /// Source chunks that were looked for and do not exist.
    pub(crate) missing: AtomicU64,
    /// Bytes that they would have been decoded to.
    pub(crate) missing_bytes: AtomicU64,
    pub(crate) chunks_written: AtomicU64,
    pub(crate) encoded_bytes: AtomicU64,
    /// Target chunks that were not written, as they hold nothing but the fill value.
    pub(crate) all_fill: AtomicU64,
    /// Pieces written to intermediates, and read from them.
    pub(crate) pieces: AtomicU64,
    /// Memory that was really used of what was taken as a whole.
    pub(crate) held: AtomicU64,
}

impl Counters {
    /// Notes a chunk that was decoded: its bytes before and after.
    pub(crate) fn decoded(&self, stored: u64, bytes: u64) {
        add(&self.decodes, 1);
        add(&self.bytes_read, stored);
        add(&self.decoded_bytes, bytes);
    }

    /// Notes chunks that were to be decoded and are not stored, of `bytes` together.
    pub(crate) fn missing(&self, chunks: u64, bytes: u64) {
        add(&self.missing, chunks);
        add(&self.missing_bytes, bytes);
    }

    /// Notes a chunk of `bytes` that was encoded and written.
    pub(crate) fn encoded(&self, bytes: u64) {
        add(&self.chunks_written, 1);
        add(&self.encoded_bytes, bytes);
    }

    /// Notes a chunk that was moved as it is stored, or that was not there to be moved.
    pub(crate) fn moved(&self, stored: bool) {
        if stored {
            add(&self.chunks_written, 1);
        } else {
            self.not_moved(1);
        }
    }

    /// Adds what another one counted.
    pub(crate) fn absorb(&self, other: Self) {
        let Self {
            bytes_read,
            bytes_written,
            spill_bytes,
            decodes,
            decoded_bytes,
            missing,
            missing_bytes,
            chunks_written,
            encoded_bytes,
            all_fill,
            pieces,
            held,
        } = other;
        for (counter, counted) in [
            (&self.bytes_read, bytes_read),
            (&self.bytes_written, bytes_written),
            (&self.spill_bytes, spill_bytes),
            (&self.decodes, decodes),
            (&self.decoded_bytes, decoded_bytes),
            (&self.missing, missing),
            (&self.missing_bytes, missing_bytes),
            (&self.chunks_written, chunks_written),
            (&self.encoded_bytes, encoded_bytes),
            (&self.all_fill, all_fill),
            (&self.pieces, pieces),
            (&self.held, held),
        ] {
            add(counter, counted.into_inner());
        }
    }

    /// Notes chunks that were not there to be moved.
    pub(crate) fn not_moved(&self, chunks: u64) {
        add(&self.missing, chunks);
        add(&self.all_fill, chunks);
    }
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
    /// Bytes of array data that were decoded, whole chunks.
    pub decoded_bytes: u64,
    /// Source chunks that were looked for and did not exist, counted like decodes; not known to a plan.
    pub missing_chunks: u64,
    /// Bytes of array data that they would have been decoded to.
    pub missing_bytes: u64,
    /// Chunks of the target (inner chunks of shards): those written by a run, all of them for a plan.
    pub target_chunks: u64,
    /// Bytes of array data that were encoded, whole chunks.
    pub encoded_bytes: u64,
    /// Target chunks that were not written, as they hold nothing but the fill value; not known to a plan.
    pub fill_chunks: u64,
    /// Chunks and pieces of intermediates read and written, before neighbouring ones are joined to one request.
    pub requests: u64,
    /// The most bytes of `--max-mem` in use at once, while data was moved.
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
    /// The most bytes of `--max-mem` in use at once while it was compared; 0 if nothing was, and for a plan.
    pub verify_peak_budget_bytes: u64,
    /// The backend that did the I/O.
    pub backend: &'static str,
    /// Decodes, chunks, bytes and requests of the run are those of its plan, missing and all-fill chunks counted; `None` for a
    /// plan.
    pub as_planned: Option<bool>,
    /// Each array.
    pub arrays: Vec<ArrayReport>,
    /// What could not be tidied after a run, one line each.
    pub warnings: Vec<String>,
}

/// What one array cost, or will cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrayReport {
    /// Path within the hierarchy; empty for the root.
    pub array: String,
    /// Its cost.
    #[serde(flatten)]
    pub cost: Cost,
    /// What its plan predicted, beside what a run counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<Cost>,
    /// The counters that are not as planned: name, planned and counted.
    pub deviations: Vec<(&'static str, u64, u64)>,
    /// The layout that was chosen for a mix of accesses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Chosen>,
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
            decoded_bytes: predicted.bytes_read,
            missing_chunks: 0,
            missing_bytes: 0,
            target_chunks: predicted.target_chunks,
            encoded_bytes: predicted.bytes_written,
            fill_chunks: 0,
            requests: predicted.requests,
            peak_budget_bytes: predicted.peak_budget_bytes,
            elapsed_s: predicted.seconds,
        }
    }

    /// What running `plan` cost.
    pub(crate) fn measured(plan: &Plan, counters: &Counters, peak: u64, elapsed_s: f64) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let reads = match plan.strategy {
            // What is moved as it is stored is read once for each time it is written.
            Strategy::Copy | Strategy::Regroup => count(&counters.chunks_written) + count(&counters.missing),
            _ => count(&counters.decodes) + count(&counters.missing),
        };
        Self {
            bytes_read: count(&counters.bytes_read),
            bytes_written: count(&counters.bytes_written),
            spill_bytes: count(&counters.spill_bytes),
            source_chunk_decodes: count(&counters.decodes),
            decoded_bytes: count(&counters.decoded_bytes),
            missing_chunks: count(&counters.missing),
            missing_bytes: count(&counters.missing_bytes),
            target_chunks: count(&counters.chunks_written),
            encoded_bytes: count(&counters.encoded_bytes),
            fill_chunks: count(&counters.all_fill),
            requests: reads + count(&counters.chunks_written) + count(&counters.pieces),
            peak_budget_bytes: peak,
            elapsed_s,
            ..Self::predicted(plan)
        }
    }
}

impl Cost {
    /// What an array without a plan cost, with so many source chunks.
    pub(crate) fn unplanned(
        strategy: &'static str,
        source_chunks: u64,
        counters: &Counters,
        (peak, elapsed_s): (u64, f64),
    ) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (decodes, written) = (count(&counters.decodes), count(&counters.chunks_written));
        let missing = count(&counters.missing);
        Self {
            strategy,
            stages: 1,
            bytes_read: count(&counters.bytes_read),
            bytes_written: count(&counters.bytes_written),
            spill_bytes: 0,
            source_chunks,
            source_chunk_decodes: decodes,
            decoded_bytes: count(&counters.decoded_bytes),
            missing_chunks: missing,
            missing_bytes: 0,
            target_chunks: written,
            encoded_bytes: count(&counters.encoded_bytes),
            fill_chunks: count(&counters.all_fill),
            requests: missing + written + if decodes > 0 { decodes } else { written },
            peak_budget_bytes: peak,
            elapsed_s,
        }
    }
}

impl ArrayReport {
    /// The memory that one takes, about, planned and run.
    pub(crate) const fn bytes(path: &str) -> u64 {
        2 * (size_of::<Self>() + path.len()) as u64
    }

    /// What was done to an array without a plan.
    pub(crate) const fn unplanned(array: String, cost: Cost) -> Self {
        Self { array, cost, planned: None, deviations: Vec::new(), layout: None }
    }

    /// What `plan` predicts for an array.
    pub(crate) fn predicted(array: String, plan: &Plan) -> Self {
        Self { array, cost: Cost::predicted(plan), planned: None, deviations: Vec::new(), layout: None }
    }

    /// What running `plan` cost, set against it.
    pub(crate) fn measured(array: String, plan: &Plan, cost: Cost) -> Self {
        let planned = Cost::predicted(plan);
        let deviations = cost.deviations(&planned, plan);
        Self { array, cost, planned: Some(planned), deviations, layout: None }
    }
}

impl Cost {
    /// Where the counters of a run are not those of its plan. A chunk that is missing is decoded in the plan only, one that is
    /// nothing but fill value is written in the plan only.
    fn deviations(&self, planned: &Self, plan: &Plan) -> Vec<(&'static str, u64, u64)> {
        let problem = &plan.problem;
        let whole = |chunk: &[u64]| chunk.iter().fold(problem.item_bytes, |n, c| n.saturating_mul(*c));
        let fill_bytes = self.fill_chunks.saturating_mul(whole(&problem.target.chunk));
        let requests = ("requests", planned.requests, self.requests + self.fill_chunks);
        let counters = match plan.strategy {
            Strategy::Copy => vec![requests],
            Strategy::Regroup => {
                vec![
                    requests,
                    ("target_chunks", planned.target_chunks, self.target_chunks + self.fill_chunks),
                ]
            }
            Strategy::Direct | Strategy::Reread | Strategy::Staged => vec![
                requests,
                ("target_chunks", planned.target_chunks, self.target_chunks + self.fill_chunks),
                (
                    "source_chunk_decodes",
                    planned.source_chunk_decodes,
                    self.source_chunk_decodes + self.missing_chunks,
                ),
                (
                    "decoded_bytes",
                    planned.decoded_bytes,
                    self.decoded_bytes.saturating_add(self.missing_bytes),
                ),
                ("encoded_bytes", planned.encoded_bytes, self.encoded_bytes.saturating_add(fill_bytes)),
                ("spill_bytes", planned.spill_bytes, self.spill_bytes),
            ],
        };
        counters.into_iter().filter(|(_, planned, counted)| planned != counted).collect()
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
            decoded_bytes: sum(|c| c.decoded_bytes),
            missing_chunks: sum(|c| c.missing_chunks),
            missing_bytes: sum(|c| c.missing_bytes),
            target_chunks: sum(|c| c.target_chunks),
            encoded_bytes: sum(|c| c.encoded_bytes),
            fill_chunks: sum(|c| c.fill_chunks),
            requests: sum(|c| c.requests),
            peak_budget_bytes: max(|c| c.peak_budget_bytes),
            elapsed_s: costs().map(|c| c.elapsed_s).sum(),
        };
        let ran = arrays.iter().any(|a| a.planned.is_some());
        // Arrays without a plan have nothing to keep to.
        let as_planned = ran.then(|| arrays.iter().all(|a| a.deviations.is_empty()));
        Self {
            cost,
            verified,
            verify_peak_budget_bytes: 0,
            backend,
            as_planned,
            arrays,
            warnings: Vec::new(),
        }
    }
}
