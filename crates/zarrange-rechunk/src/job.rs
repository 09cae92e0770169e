//! From a request to a published target.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use zarrange_array::{Array, Beside, Contents, Group, Node, Staging, check_apart, check_target};
use zarrange_codec::{ArrayCodec, ShardIndex};
use zarrange_io::{Location, Opener};
use zarrange_plan::{Chosen, Costs, Plan, Problem, Spill, Strategy, Way};

use crate::budget::Budget;
use crate::drain::Drain;
use crate::fill::Fill;
use crate::item::prepare_item;
use crate::members::{self, LeftOut, Refusal, Refusals, Requests, left_behind};
use crate::mix::{self, MixRequest};
use crate::presence::Sparse;
use crate::progress::Progress;
use crate::report::{ArrayReport, Cost, Counters, Report};
use crate::shards::Sequencer;
use crate::spec::{Codecs, KeySeparator, Named};
use crate::spill::SpillFile;
use crate::stage::{self, Pass};
use crate::verify::{compare_arrays, compare_stored, compare_variable, compare_work};
use crate::{RechunkError, beside, copy, regroup, variable};

/// A request to rechunk.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to read.
    pub source: Location,
    /// What to make.
    pub target: Location,
    /// Chunk shapes.
    pub chunks: Vec<Named>,
    /// Shard shapes.
    pub shards: Vec<Named>,
    /// Chooses chunks and shards of the arrays that have all of its dimensions, whatever `chunks` and `shards` say.
    pub mix: Option<MixRequest>,
    /// Arrays that shapes without a name, and the mix, apply to; empty for all.
    pub arrays: Vec<String>,
    /// Leave out arrays that neither `chunks` nor `shards` name nor the mix applies to.
    pub only_named: bool,
    /// Codecs of rechunked arrays; without any SPEC or mix, of all arrays (or of `arrays`) whose elements can be accessed.
    pub codecs: Codecs,
    /// Chunk keys of arrays whose chunks change.
    pub key_separator: KeySeparator,
    /// The bound on all data buffers together.
    pub memory_bytes_max: u64,
    /// Threads to use, at most.
    pub threads: u64,
    /// Where an intermediate goes; beside the target if not given.
    pub temp: Option<Location>,
    /// What to compare before publishing.
    pub verify: Verify,
    /// Whether to wait until the target is on the disk.
    pub durability: Durability,
    /// Replace an existing target.
    pub overwrite: bool,
    /// Members that are left out, with everything below them, without being opened.
    pub skip: Vec<String>,
    /// What becomes of files that are not Zarr.
    pub foreign: Foreign,
    /// How places are opened.
    pub io: Opener,
    /// What the places cost.
    pub costs: Costs,
    /// Take this way, whatever it costs.
    pub way: Option<Way>,
}

/// What becomes of files of the source that are neither metadata nor chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// They are left behind, and that is said.
    Skip,
    /// They are copied.
    Copy,
    /// They are an error.
    Fail,
}

/// What is compared with the source before the target is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Nothing.
    None,
    /// A few tiles of each array, spread evenly.
    Sample,
    /// Everything.
    Full,
}

/// What survives a crash of the machine right after the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing is promised.
    None,
    /// The whole target.
    Commit,
}

/// Tiles that [`Verify::Sample`] compares.
const SAMPLE_TILES: u64 = 4;

/// A job that was opened and planned.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) job: Job,
    /// The arrays of the target, by path.
    pub items: Vec<Item>,
    pub(crate) groups: Vec<(String, Group)>,
    pub(crate) consolidated: bool,
    /// What of the source is not part of the hierarchy.
    pub beside: Beside,
    /// From when on chunks that are not stored are not looked for.
    pub sparse: Sparse,
}

/// One array of a job.
#[derive(Debug)]
pub struct Item {
    /// Path within the hierarchy; empty for the root.
    pub path: String,
    pub(crate) source: Array,
    pub(crate) target: Array,
    /// How it will be moved; `None` if its stored bytes are copied without being understood.
    pub plan: Option<Plan>,
    /// The layout that was chosen for the job's mix.
    pub layout: Option<Chosen>,
    /// Codecs of the source that the target does not have, although it was to keep them.
    pub(crate) dropped: Vec<String>,
    /// Its elements have no fixed size, and its chunks are put together anew.
    pub(crate) put_together: bool,
}

/// Opens the source of `job` and plans every array. Nothing is written.
///
/// # Errors
/// [`RechunkError`] if the source cannot be opened, a request does not fit it, or the target may not be written; of several members
/// that cannot be carried over, all are named ([`RechunkError::Members`]).
pub fn prepare(job: Job) -> Result<Prepared, RechunkError> {
    check_apart(&job.source, &job.target)?;
    check_target(&job.target, job.overwrite, &job.io)?;
    let found = members::look(&job, &job.io.open(&job.source)?)?;
    let foreign = left_behind(&found.beside, "would be left behind", "would be left behind");
    if job.foreign == Foreign::Fail && !foreign.is_empty() {
        return Err(RechunkError::Foreign { location: job.source.to_string(), what: foreign.join("; ") });
    }
    let mut consolidated = false;
    let (mut arrays, mut groups) = (Vec::new(), Vec::new());
    for (path, node) in found.nodes {
        match node {
            Node::Array(array) => arrays.push((path, *array)),
            Node::Group(group) => {
                consolidated |= path.is_empty() && group.is_consolidated();
                groups.push((path, group));
            }
        }
    }
    let failed: Vec<String> = found.failed.iter().map(|(path, _)| path.clone()).collect();
    let chunks = Requests::new("chunks", &job.chunks, &job.arrays, (&arrays, &failed))?;
    let shards = Requests::new("shards", &job.shards, &job.arrays, (&arrays, &failed))?;
    let layouts = mix::layouts(job.mix.as_ref(), &job.arrays, &arrays)?;
    let asked = |path: &str| (chunks.of(path), shards.of(path), layouts.get(path).cloned());
    let asked: Vec<_> = arrays.iter().map(|(path, _)| asked(path)).collect();
    let refused = found.failed.into_iter().map(|(path, error)| Refusal { path, error: error.into() });
    let (mut items, mut refused) = (Vec::new(), refused.collect::<Vec<_>>());
    for ((path, source), (chunk, shard, chosen)) in arrays.into_iter().zip(asked) {
        if job.only_named && chunk.is_none() && shard.is_none() && chosen.is_none() {
            continue;
        }
        match prepare_item(&job, path.clone(), source, chunk, shard, chosen) {
            Ok(item) => items.push(item),
            Err(error) => refused.push(Refusal { path, error }),
        }
    }
    Refusals(refused).into_result()?;
    if job.foreign == Foreign::Copy && found.beside.files.count > 0 {
        let targets: Vec<_> = items.iter().map(|item| (item.path.as_str(), &item.target)).collect();
        let source = job.io.open(&job.source)?;
        LeftOut::of(&job).during(|without| beside::check(&source, &targets, without))?;
    }
    Ok(Prepared { job, items, groups, consolidated, beside: found.beside, sparse: Sparse::default() })
}

impl Job {
    /// Whether an array gets other codecs without a SPEC: where no array has one, the codecs are all that is asked.
    pub(crate) fn recodes(&self, path: &str) -> bool {
        let specs = !self.chunks.is_empty() || !self.shards.is_empty() || self.mix.is_some();
        let named = self.arrays.is_empty() || self.arrays.iter().any(|array| array == path);
        self.codecs != Codecs::Keep && !specs && named
    }
}

impl Prepared {
    /// What the job will cost.
    pub fn predicted(&self) -> Report {
        let arrays = self.items.iter().filter_map(|item| {
            let report = ArrayReport::predicted(item.path.clone(), item.plan.as_ref()?);
            Some(ArrayReport { layout: item.layout.clone(), ..report })
        });
        let backend = self.items.first().map_or("none", |item| item.source.store().backend());
        Report::sum(arrays.collect(), false, backend)
    }

    /// Bytes that progress will count to, one pass over each array counting twice (in and out).
    fn work_bytes(&self) -> u64 {
        self.items.iter().map(Item::work_bytes).fold(0, u64::saturating_add)
    }
}

impl fmt::Display for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, item) in self.items.iter().enumerate() {
            if k > 0 {
                write!(f, "\n\n")?;
            }
            if !item.path.is_empty() {
                writeln!(f, "[{}]", item.path)?;
            }
            if let (Some(chosen), Some(plan)) = (&item.layout, &item.plan) {
                writeln!(f, "{}", mix::explain(chosen, &item.source, plan.problem.item_bytes))?;
            }
            match &item.plan {
                Some(plan) => plan.fmt(f)?,
                None if item.put_together => {
                    f.write_str("strategy   direct (elements without a fixed size, chunk by chunk)")?;
                }
                None => f.write_str("strategy   copy (the stored bytes, unchanged)")?,
            }
        }
        Ok(())
    }
}

impl Item {
    fn work_bytes(&self) -> u64 {
        let elements = elements(&self.source);
        match &self.plan {
            Some(Plan { strategy, stages, problem, .. })
                if !matches!(strategy, Strategy::Copy | Strategy::Regroup) =>
            {
                elements.saturating_mul(problem.item_bytes).saturating_mul(2 * stages.len() as u64)
            }
            _ => elements,
        }
    }
}

/// Elements of an array; saturates, for it only scales a progress bar.
pub(crate) fn elements(array: &Array) -> u64 {
    array.shape().iter().fold(1, |n, s| n.saturating_mul(*s))
}

/// Carries out a prepared job: writes, verifies, publishes.
///
/// # Errors
/// [`RechunkError`]; the target is then as it was before, and what was written is removed.
pub fn run(prepared: Prepared, progress: &dyn Progress) -> Result<Report, RechunkError> {
    let begin = Instant::now();
    let budget = Budget::new(prepared.job.memory_bytes_max);
    let staging = Staging::begin(&prepared.job.target, prepared.job.overwrite, &prepared.job.io)?;
    let root = staging.store()?;
    let backend = root.backend();
    progress.begin("rechunk", prepared.work_bytes());
    let Prepared { job, items, groups, consolidated, beside, sparse } = prepared;
    let (mut reports, mut targets, mut peak) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let target = item.target.with_store(root.below(&item.path)?);
        let counters = Counters::default();
        let started = Instant::now();
        let ends = (&item.source, &target);
        // What is decoded need not be looked at before.
        let sums = job.verify == Verify::Sample;
        match &item.plan {
            Some(Plan { strategy: Strategy::Regroup, stages, .. }) => {
                let durable = job.durability == Durability::Commit;
                for stage in stages {
                    regroup::run(ends, (stage, durable, sparse, sums), &budget, &counters, progress)?;
                }
            }
            Some(plan) if plan.strategy != Strategy::Copy => {
                run_stages((&job, plan, sparse), ends, &staging, (&budget, &counters, progress))?;
            }
            None if item.put_together => {
                if let (Some(from), Some(to)) = (item.source.variable(), target.variable()) {
                    let sides = ((&item.source, from), (&target, to));
                    variable::run(sides, (job.threads, sparse), &budget, &counters, progress)?;
                }
            }
            _ => copy::run(ends, (job.threads, sparse, sums), &budget, &counters, progress)?,
        }
        let (taken, elapsed) = (budget.take_peak(), started.elapsed().as_secs_f64());
        // Text takes all of the memory beforehand, for nobody knows how long it is.
        let peak_of_item =
            if item.put_together { counters.held.load(Ordering::Relaxed).min(taken) } else { taken };
        peak = peak.max(peak_of_item);
        let path = item.path.clone();
        reports.push(if let Some(plan) = &item.plan {
            let cost = Cost::measured(plan, &counters, peak_of_item, elapsed);
            ArrayReport { layout: item.layout, ..ArrayReport::measured(path, plan, cost) }
        } else {
            let (strategy, chunks) = match item.source.variable() {
                Some(from) if item.put_together => ("direct", from.units.count()),
                _ => ("copy", item.source.objects().count()),
            };
            ArrayReport::unplanned(
                path,
                Cost::unplanned(strategy, chunks, &counters, (peak_of_item, elapsed)),
            )
        });
        targets.push((item.path, item.source, target));
    }
    if job.foreign == Foreign::Copy && beside.files.count > 0 {
        let source = job.io.open(&job.source)?;
        LeftOut::of(&job).during(|without| beside::copy((&source, &root), without, &budget))?;
    }
    verify_targets((&job, sparse), &targets, &budget, progress)?;
    let verify_peak = budget.take_peak();
    let arrays: Vec<_> = targets.iter().map(|(path, _, target)| (path.clone(), target)).collect();
    zarrange_array::publish_metadata(&root, &arrays, &groups, consolidated)?;
    staging.publish(job.durability == Durability::Commit)?;
    let mut report = Report::sum(reports, job.verify == Verify::Full, backend);
    // Arrays that have no plan take memory too; comparing is in no plan, so what it takes stands apart.
    report.cost.peak_budget_bytes = peak;
    report.verify_peak_budget_bytes = verify_peak;
    report.cost.elapsed_s = begin.elapsed().as_secs_f64();
    Ok(report)
}

type Context<'a> = (&'a Arc<Budget>, &'a Counters, &'a dyn Progress);

/// Runs the stages of one array's plan.
fn run_stages(
    (job, plan, sparse): (&Job, &Plan, Sparse),
    (source, target): (&Array, &Array),
    staging: &Staging,
    (budget, counters, progress): Context<'_>,
) -> Result<(), RechunkError> {
    let (from, to) = (source.elements()?, target.elements()?);
    let Problem { shape, item_bytes, .. } = &plan.problem;
    let create = |k: usize, spill: &Spill| {
        let (store, key) = staging.spill(k);
        let store = job.temp.as_ref().map_or(Ok(store), |place| job.io.open(place))?;
        SpillFile::create((store, &key), spill, shape, *item_bytes, budget)
    };
    // The intermediate that the stage before filled; it is removed when this one has drained it.
    let mut before: Option<SpillFile> = None;
    for (k, stage) in plan.stages.iter().enumerate() {
        let after = plan.spills.get(k).map(|spill| create(k, spill)).transpose()?;
        let fill = before.as_ref().map_or(Fill::Array(source, from), Fill::Spill);
        let mut leases = Vec::new();
        let drain = match (&after, &to.codec) {
            (Some(spill), _) => Drain::Spill(spill),
            (_, ArrayCodec::Chunks(_) | ArrayCodec::Slices(_)) => Drain::Chunks(target, to),
            (_, ArrayCodec::Shards(codec)) => {
                let durable = job.durability == Durability::Commit;
                let (sequencer, held) = Sequencer::of_stage((target, to), codec, (stage, durable), budget)?;
                leases.extend(held);
                Drain::Shards(target, to, sequencer)
            }
        };
        if let (Fill::Array(..), ArrayCodec::Shards(codec)) = (&fill, &from.codec) {
            leases.push(budget.lease((stage.workers + 1) * ShardIndex::memory_bytes(codec.grid().count()))?);
        }
        let tiles_max = u64::MAX;
        let pass = Pass {
            stage,
            shape,
            item_bytes: *item_bytes,
            fill,
            drain: &drain,
            budget,
            counters,
            progress,
            tiles_max,
            sparse,
        };
        stage::run(&pass)?;
        drop(drain);
        before = after;
    }
    Ok(())
}

/// Compares what was written with the source, as far as the job asks.
fn verify_targets(
    (job, sparse): (&Job, Sparse),
    targets: &[(String, Array, Array)],
    budget: &Arc<Budget>,
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    let tiles_max = match job.verify {
        Verify::None => return Ok(()),
        Verify::Sample => SAMPLE_TILES,
        Verify::Full => u64::MAX,
    };
    // Comparing counts like moving: what fills a tile, then what it is compared with.
    let work = targets.iter().map(|(_, source, _)| compare_work(source)).fold(0, u64::saturating_add);
    progress.begin("verify", work);
    for (path, source, target) in targets {
        match source.contents() {
            Contents::Elements(_) => {
                let asked = (job.threads, tiles_max, sparse);
                compare_arrays(((path, false), source, target), asked, budget, progress)?;
                if job.verify == Verify::Sample && copy::is_copy(source, target) {
                    copy::check_shards(source, (job.threads, sparse), budget)?;
                }
            }
            Contents::Variable(_) => {
                compare_variable(path, (source, target), (job.threads, sparse), budget, progress)?;
            }
            // Values that cannot be read were copied as they are stored.
            Contents::Unknown(_) => compare_stored(path, source, target, sparse, budget)?,
        }
    }
    Ok(())
}
