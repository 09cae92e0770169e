//! What a run did.

use serde::Serialize;
use zarrange_plan::{Chosen, Counts, Plan, Predicted, Route};

/// What rechunking cost, or will cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// `copy`, `repack`, `direct`, `reread` or `staged`; for several arrays the costliest of theirs.
    pub strategy: &'static str,
    /// Passes over the data; for several arrays the most of theirs.
    pub stages: u64,
    /// What was counted, or will be.
    #[serde(flatten)]
    pub counts: Counts,
    /// Chunks of the source (inner chunks of shards), missing ones included.
    pub source_chunks: u64,
    /// The most bytes of the memory given in use at once, while data was moved.
    pub peak_budget_bytes: u64,
    /// Wall time, or the estimate.
    pub elapsed_s: f64,
}

/// Strategies, the costliest first.
const STRATEGIES: [&str; 5] = ["staged", "reread", "direct", "repack", "copy"];

/// The outcome of a run: what `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// All arrays together.
    #[serde(flatten)]
    pub cost: Cost,
    /// Whether the whole target was compared with the source.
    pub verified: bool,
    /// The most bytes of the memory given in use at once while it was compared; 0 if nothing was, and for a plan.
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
        let Predicted { counts, source_chunks, peak_budget_bytes, seconds } = plan.predicted;
        let (strategy, stages) = (plan.strategy(), plan.stage_count());
        Self { strategy, stages, counts, source_chunks, peak_budget_bytes, elapsed_s: seconds }
    }

    /// What nobody can tell beforehand.
    pub(crate) fn unknown(strategy: &'static str, source_chunks: u64) -> Self {
        let counts = Counts::default();
        Self { strategy, stages: 1, counts, source_chunks, peak_budget_bytes: 0, elapsed_s: 0.0 }
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
        let deviations = deviations(&cost.counts, plan);
        Self { array, cost, planned: Some(planned), deviations, layout: None }
    }
}

/// Where the counters of a run are not those of its plan. A chunk that is missing is decoded in the plan only, one that is nothing but
/// fill value is written in the plan only, and one at the border of a part is decoded twice in the run only.
fn deviations(counted: &Counts, plan: &Plan) -> Vec<(&'static str, u64, u64)> {
    let (problem, planned) = (&plan.problem, &plan.predicted.counts);
    let whole = |chunk: &[u64]| chunk.iter().fold(problem.item_bytes, |n, c| n.saturating_mul(*c));
    let fill_bytes = counted.fill_chunks.saturating_mul(whole(&problem.target.chunk));
    let requests = counted.requests + counted.fill_chunks - counted.border_chunks.min(counted.requests);
    let mut counters = vec![("requests", planned.requests, requests)];
    let target_chunks = ("target_chunks", planned.target_chunks, counted.target_chunks + counted.fill_chunks);
    match &plan.route {
        Route::Copy | Route::Repack(_) => counters.push(target_chunks),
        Route::Tiled(_) => {
            let decodes = counted.source_chunk_decodes + counted.missing_chunks;
            let decoded_bytes = counted.decoded_bytes.saturating_add(counted.missing_bytes);
            counters.extend([
                target_chunks,
                (
                    "source_chunk_decodes",
                    planned.source_chunk_decodes,
                    decodes.saturating_sub(counted.border_chunks),
                ),
                ("decoded_bytes", planned.decoded_bytes, decoded_bytes.saturating_sub(counted.border_bytes)),
                ("encoded_bytes", planned.encoded_bytes, counted.encoded_bytes.saturating_add(fill_bytes)),
                ("spill_bytes", planned.spill_bytes, counted.spill_bytes),
            ]);
        }
    }
    counters.into_iter().filter(|(_, planned, counted)| planned != counted).collect()
}

impl Report {
    /// The sum over arrays.
    pub(crate) fn sum(arrays: Vec<ArrayReport>, verified: bool, backend: &'static str) -> Self {
        let costs = || arrays.iter().map(|a| &a.cost);
        let costliest = STRATEGIES.into_iter().find(|s| costs().any(|c| c.strategy == *s));
        let max = |field: fn(&Cost) -> u64| costs().map(field).max().unwrap_or(0);
        let cost = Cost {
            strategy: costliest.unwrap_or("copy"),
            stages: max(|c| c.stages),
            counts: costs().map(|c| c.counts).sum(),
            source_chunks: costs().map(|c| c.source_chunks).fold(0, u64::saturating_add),
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
