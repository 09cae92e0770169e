//! From a request to a published target.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use zarrange_array::{Array, Beside, Contents, Found, Staging, Survey, Target, publish_group};
use zarrange_io::{Location, Opener, Stopped, Store, token};
use zarrange_plan::{Costs, Plan, Problem, Route, Way};

use crate::beforehand::Fit;
use crate::engine::budget::Budget;
use crate::engine::context::Context;
use crate::engine::parts::{Alone, Recorded};
use crate::engine::presence::Sparse;
use crate::engine::sink::Compared;
use crate::engine::text::{self, Side};
use crate::engine::{copy, repack, tiled};
use crate::item::{Asked, Item, Opened, Plans, prepare_item};
use crate::members::{self, LeftOut, METADATA_BYTES_FREE, Refusal, Refusals, Requests, Sources, left_behind};
use crate::mix::{self, MixRequest};
use crate::notes::Noted;
use crate::progress::Progress;
use crate::report::{ArrayReport, Cost, Report};
use crate::spec::{Codecs, KeySeparator, Named};
use crate::verify::{compare_arrays, compare_stored, compare_variable};
use crate::{PlanFileError, RechunkError, beforehand, beside};

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
    /// The place of the target, as it was found.
    target: Target,
    /// The arrays of the target, by path.
    pub items: Vec<Item>,
    pub(crate) groups: Vec<Found>,
    pub(crate) consolidated: bool,
    pub(crate) noted: Noted,
    /// The source's root.
    pub(crate) root: Store,
    /// Memory for what is known of the members.
    metadata_bytes_max: u64,
    /// What it may take beyond what lies beside the memory of the job.
    metadata_excess: u64,
    /// What of the source is not part of the hierarchy.
    pub beside: Beside,
    /// From when on chunks that are not stored are not looked for.
    pub sparse: Sparse,
    /// Whether it fits where it goes.
    pub(crate) fit: Fit,
}

/// What an item and its plan take beside what was found, about.
const ITEM_BYTES: u64 = 1024;

/// Opens the source of `job` and plans every array. Nothing is written.
///
/// # Errors
/// [`RechunkError`] if the source cannot be opened, a request does not fit it, or the target may not be written; of several members
/// that cannot be carried over, all are named ([`RechunkError::Members`]).
pub fn prepare(job: Job) -> Result<Prepared, RechunkError> {
    let target = beforehand::places(&job)?;
    let root = job.io.open(&job.source)?;
    let found = members::look(&job, &root)?;
    let foreign = left_behind(&found.beside, "would be left behind", "would be left behind");
    if job.foreign == Foreign::Fail && !foreign.is_empty() {
        return Err(RechunkError::Foreign { location: job.source.to_string(), what: foreign.join("; ") });
    }
    let Survey { nodes, failed, beside } = found;
    let (arrays, groups): (Vec<_>, Vec<_>) = nodes.into_iter().partition(Found::is_array);
    let (mut consolidated, mut noted) = (false, Noted::default());
    for found in &groups {
        let group = found.group(&root)?;
        consolidated |= found.path().is_empty() && group.is_consolidated();
        noted.look(found.path(), &group.attributes());
    }
    let mut prepared = Prepared {
        job,
        target,
        items: Vec::new(),
        groups,
        consolidated,
        noted,
        root,
        beside,
        sparse: Sparse::default(),
        metadata_bytes_max: METADATA_BYTES_FREE,
        metadata_excess: 0,
        fit: Fit::default(),
    };
    prepared.make_room(&arrays);
    prepared.plan(&arrays, Refusals::of(failed))?;
    prepared.check_beside()?;
    prepared.fit = beforehand::room(&prepared)?;
    Ok(prepared)
}

impl Prepared {
    /// Takes off the memory of the job what is known of many arrays, beyond what lies beside it.
    fn make_room(&mut self, arrays: &[Found]) {
        let each = |found: &Found| found.bytes() + ITEM_BYTES + ArrayReport::bytes(found.path());
        let bytes = self.groups_bytes() + arrays.iter().map(each).sum::<u64>();
        self.metadata_excess = bytes.saturating_sub(METADATA_BYTES_FREE);
        let excess = self.metadata_excess.min(self.job.memory_bytes_max / 2);
        self.job.memory_bytes_max -= excess;
        self.metadata_bytes_max += excess;
    }

    /// The memory that was given, what metadata takes of it included.
    pub(crate) const fn memory_bytes_max(&self) -> u64 {
        self.job.memory_bytes_max + self.metadata_bytes_max - METADATA_BYTES_FREE
    }

    fn groups_bytes(&self) -> u64 {
        self.groups.iter().map(Found::bytes).sum()
    }

    /// Plans all arrays.
    fn plan(&mut self, arrays: &[Found], mut refused: Refusals) -> Result<(), RechunkError> {
        let (job, root) = (&self.job, &self.root);
        let failed: Vec<String> = refused.first.iter().map(|refusal| refusal.path.clone()).collect();
        let sources = Sources { root, arrays, failed: &failed };
        let chunks = Requests::new("chunks", &job.chunks, &job.arrays, &sources)?;
        let shards = Requests::new("shards", &job.shards, &job.arrays, &sources)?;
        let mut layouts = mix::layouts(job, &sources)?;
        let (mut items, mut plans) = (Vec::new(), Plans::default());
        let mut bytes = self.groups_bytes();
        for (k, found) in arrays.iter().enumerate() {
            let path = found.path();
            let (chunk, shard) = (chunks.of(path).cloned(), shards.of(path).cloned());
            let asked = Asked { chunk, shard, chosen: layouts.remove(path).map(Box::new) };
            if job.only_named && asked.is_nothing() {
                continue;
            }
            let source = found.array(root)?;
            self.noted.look(path, &source.document().attributes());
            match prepare_item(job, found.clone(), &source, asked, &mut plans) {
                Ok(item) => {
                    bytes += item.bytes() + ArrayReport::bytes(path);
                    items.push(item);
                }
                Err(error) => {
                    let error = error.with_metadata(self.memory_bytes_max(), self.metadata_excess);
                    refused.add(Refusal { path: path.to_owned(), error });
                }
            }
            if bytes > self.metadata_bytes_max {
                return Err(self.too_many(bytes, (k + 1, arrays.len())));
            }
        }
        self.items = items;
        refused.into_result()
    }

    /// The error where the first arrays take `bytes`, and there are more.
    fn too_many(&self, bytes: u64, (known, arrays): (usize, usize)) -> RechunkError {
        let bytes = (bytes / known as u64 + 1).saturating_mul(arrays as u64);
        RechunkError::Metadata {
            location: self.job.source.to_string(),
            members: (self.groups.len() + arrays) as u64,
            bytes,
            free: METADATA_BYTES_FREE,
            have: self.memory_bytes_max(),
            needed: bytes.saturating_sub(METADATA_BYTES_FREE).saturating_mul(2),
        }
    }

    /// Looks whether files that are not Zarr would be in the way of chunks.
    fn check_beside(&self) -> Result<(), RechunkError> {
        if self.job.foreign != Foreign::Copy || self.beside.files.count == 0 {
            return Ok(());
        }
        let open = |item: &Item| Ok(item.open(&self.job, &self.root)?.target);
        LeftOut::of(&self.job).during(|without| beside::check(&self.root, &self.items, &open, without))
    }
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
    /// Whether anything goes through an intermediate.
    pub(crate) fn spills(&self) -> bool {
        self.items.iter().any(|item| item.plan().is_some_and(|plan| !plan.spills().is_empty()))
    }

    /// What the job will cost.
    pub fn predicted(&self) -> Report {
        let arrays = self.items.iter().filter_map(|item| {
            let report = ArrayReport::predicted(item.path().to_owned(), &item.plan()?);
            Some(ArrayReport { layout: item.layout().cloned(), ..report })
        });
        let backend = if self.items.is_empty() { "none" } else { self.root.backend() };
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
            if !item.path().is_empty() {
                writeln!(f, "[{}]", item.path())?;
            }
            let plan = item.plan();
            if let (Some((chosen, names)), Some(plan)) = (item.laid_out(), &plan) {
                writeln!(f, "{}", mix::explain(chosen, names, plan.problem.item_bytes))?;
            }
            match &plan {
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
        let elements = self.elements;
        match &self.plan() {
            Some(Plan { route: Route::Tiled(tiled), problem: Problem { item_bytes, .. }, .. }) => {
                elements.saturating_mul(*item_bytes).saturating_mul(2 * tiled.stages.len() as u64)
            }
            _ => elements,
        }
    }
}

/// Carries out a prepared job: writes, verifies, publishes.
///
/// # Errors
/// [`RechunkError`]; the target is then as it was before, and what was written is removed. [`RechunkError::Stopped`] if the job's
/// opener was asked to stop.
pub fn run(prepared: Prepared, progress: &dyn Progress) -> Result<Report, RechunkError> {
    let target = prepared.job.target.to_string();
    carry_out(prepared, progress).map_err(|error| {
        if !Stopped::is_cause_of(&error) {
            return error;
        }
        let left =
            if let RechunkError::Untidy { left, .. } = error { format!("; {left}") } else { String::new() };
        RechunkError::Stopped { target, left, source: Stopped }
    })
}

fn carry_out(prepared: Prepared, progress: &dyn Progress) -> Result<Report, RechunkError> {
    let begin = Instant::now();
    prepared.check_room()?;
    let fingerprint = match prepared.fingerprint() {
        Ok(fingerprint) => fingerprint,
        Err(PlanFileError::Source(error)) => return Err(error),
        // Without a plan file there is none that could be found again.
        Err(_) => token(),
    };
    let temp = prepared.job.temp.as_ref().filter(|_| prepared.spills());
    let mut staging = Staging::begin(prepared.target.clone(), &fingerprint, temp, &prepared.job.io)?;
    let durable = prepared.job.durability == Durability::Commit;
    let written = write(prepared, &staging, progress)
        .and_then(|report| Ok(Report { warnings: staging.publish(durable)?, ..report }));
    let mut report = written.map_err(|error| RechunkError::untidy(error, &staging.discard()))?;
    report.cost.elapsed_s = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Writes and compares everything, metadata last.
fn write(prepared: Prepared, staging: &Staging, progress: &dyn Progress) -> Result<Report, RechunkError> {
    let budget = Budget::new(prepared.job.memory_bytes_max);
    let root = staging.store()?;
    let backend = root.backend();
    progress.begin("rechunk", prepared.work_bytes());
    let Prepared { job, items, groups, consolidated, beside, sparse, root: source_root, .. } = prepared;
    let (mut reports, mut peak) = (Vec::new(), 0);
    let idle = Recorded::default();
    let context = Context {
        budget: &budget,
        threads: job.threads,
        sparse,
        durable: job.durability == Durability::Commit,
        // What is decoded need not be looked at before.
        sums: job.verify == Verify::Sample,
        ledger: &Alone,
        recorded: &idle,
        progress,
    };
    for item in &items {
        let report = write_array(&job, item, (&source_root, &root), staging, &context)?;
        peak = peak.max(report.cost.peak_budget_bytes);
        reports.push(report);
    }
    if job.foreign == Foreign::Copy && beside.files.count > 0 {
        LeftOut::of(&job).during(|without| beside::copy((&source_root, &root), without, &budget))?;
    }
    let places = (&source_root, &root);
    verify_targets(&job, &items, places, &context)?;
    let verify_peak = budget.take_peak();
    publish_metadata(&job, (&items, &groups), places, consolidated)?;
    let mut report = Report::sum(reports, job.verify == Verify::Full, backend);
    // Arrays that have no plan take memory too; comparing is in no plan, so what it takes stands apart.
    report.cost.peak_budget_bytes = peak;
    report.verify_peak_budget_bytes = verify_peak;
    Ok(report)
}

/// Writes the documents of all arrays, then those of the groups, children before parents.
fn publish_metadata(
    job: &Job,
    (items, groups): (&[Item], &[Found]),
    (source, target): (&Store, &Store),
    consolidated: bool,
) -> Result<(), RechunkError> {
    // Arrays in arrays before those: the root is last.
    for item in items.iter().rev() {
        let array = item.open(job, source)?.target;
        Array::with_metadata(target.below(item.path())?, array).write_metadata()?;
    }
    let explicit = || groups.iter().filter(|group| !group.is_implicit());
    let documented = items.iter().map(Item::path).chain(explicit().map(Found::path)).collect();
    for found in explicit().rev() {
        let group = found.group(source)?;
        let repeats = if found.path().is_empty() { consolidated } else { group.is_consolidated() };
        publish_group(target, (found.path(), &group), repeats.then_some(&documented))?;
    }
    Ok(())
}

/// Moves one array to its place; what that cost.
fn write_array(
    job: &Job,
    item: &Item,
    (from, to): (&Store, &Store),
    staging: &Staging,
    context: &Context<'_>,
) -> Result<ArrayReport, RechunkError> {
    let opened = item.open(job, from)?;
    let source_chunks = if item.plan().is_some() { Some(opened.source_chunks()?) } else { None };
    let source = &opened.source;
    let target = Array::with_metadata(to.below(item.path())?, item.open(job, from)?.target);
    let (recorded, started) = (Recorded::default(), Instant::now());
    let context = &Context { recorded: &recorded, ..*context };
    let (path, plan) = (item.path().to_owned(), item.plan());
    // Text takes all of the memory beforehand, for nobody knows how long it is.
    let mut held = u64::MAX;
    match (&plan, source_chunks) {
        (Some(plan), Some(from)) => match &plan.route {
            Route::Copy => copy::run(source, &target, plan.parts(0), context)?,
            Route::Repack(repack) => repack::run(repack, (&from, &target.chunks()?), plan.parts(0), context)?,
            Route::Tiled(tiled) => {
                let intermediates = |k: usize| Ok(staging.intermediate(k)?);
                let (ends, stages) = ((&from, &target.chunks()?), 0..plan.stage_count());
                tiled::run((plan, tiled), ends, &intermediates, stages, context)?;
            }
        },
        _ => match (source.variable(), target.variable()) {
            (Some(from), Some(to)) if item.put_together => {
                let side = |array, elements| Side { array, elements };
                held = text::run(side(source, from), side(&target, to), context)?;
            }
            _ => copy::run(source, &target, copy::parts(source), context)?,
        },
    }
    let peak_budget_bytes = context.budget.take_peak().min(held);
    let (counts, elapsed_s) = (recorded.counts(), started.elapsed().as_secs_f64());
    Ok(if let Some(plan) = &plan {
        let cost = Cost { counts, peak_budget_bytes, elapsed_s, ..Cost::predicted(plan) };
        ArrayReport { layout: item.layout().cloned(), ..ArrayReport::measured(path, plan, cost) }
    } else {
        let (strategy, source_chunks) = match source.variable() {
            Some(from) if item.put_together => ("direct", from.chunks.count()),
            _ => ("copy", source.objects().count()),
        };
        let cost = Cost { strategy, stages: 1, counts, source_chunks, peak_budget_bytes, elapsed_s };
        ArrayReport::unplanned(path, cost)
    })
}

/// Compares what was written with the source, as far as the job asks.
fn verify_targets(
    job: &Job,
    items: &[Item],
    (from, to): (&Store, &Store),
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let tiles_max = match job.verify {
        Verify::None => return Ok(()),
        Verify::Sample => SAMPLE_TILES,
        Verify::Full => u64::MAX,
    };
    // Comparing counts like moving: what fills a tile, then what it is compared with.
    let work = items.iter().map(|item| item.elements.saturating_mul(2 * item.element_bytes));
    context.progress.begin("verify", work.fold(0, u64::saturating_add));
    for item in items {
        let Opened { source, target, .. } = item.open(job, from)?;
        let (path, source) = (item.path(), &source);
        let target = &Array::with_metadata(to.below(path)?, target);
        match source.contents() {
            Contents::Elements(_) => {
                compare_arrays(Compared { path, payloads: false }, source, target, tiles_max, context)?;
                if job.verify == Verify::Sample && copy::is_copy(source, target) {
                    copy::check_shards(source, context)?;
                }
            }
            Contents::Variable(_) => compare_variable(path, source, target, context)?,
            // Values that cannot be read were copied as they are stored.
            Contents::Unknown(_) => compare_stored(path, source, target, context)?,
        }
    }
    Ok(())
}
