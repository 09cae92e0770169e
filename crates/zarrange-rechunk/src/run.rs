//! Carrying out what was prepared: writing, comparing, publishing.

mod checking;
mod moving;
mod small_copies;

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use checking::verify_targets;
pub(crate) use checking::{Known, KnownOf, check_parts};
pub use moving::{PartPlaces, run_parts};
use zarrange_array::{Array, Found, Staging, publish_group};
use zarrange_io::{Stopped, Store, token};

use crate::engine::budget::Budget;
use crate::engine::context::{Context, LookAt};
use crate::engine::parts::{Alone, Recorded};
use crate::error::{PlanFileError, RechunkError};
use crate::foreign;
use crate::prepare::Prepared;
use crate::prepare::item::{Decision, Item, Opened};
use crate::prepare::members::LeftOut;
use crate::prepare::small_copies::SmallCopies;
use crate::progress::Progress;
use crate::report::{ArrayReport, Cost, Report};
use crate::request::{Durability, Foreign, Request};

/// Carries out what was prepared: writes, verifies, publishes.
///
/// # Errors
/// [`RechunkError`]; the target is then as it was before, and what was written is removed. [`RechunkError::Stopped`] if the
/// request's opener was asked to stop.
pub fn run(prepared: Prepared, progress: &dyn Progress) -> Result<Report, RechunkError> {
    run_and(prepared, &|_| Ok(()), progress)
}

/// What completes a target that is written, below its root.
pub type Complete<'a> = dyn Fn(&Store) -> Result<(), Box<dyn Error + Send + Sync>> + 'a;

/// As [`run`]; `complete` adds to what was written before it is published, below the root that it is given.
///
/// # Errors
/// As [`run`], and [`RechunkError::Complete`] with the error of `complete`.
#[expect(clippy::needless_pass_by_value, reason = "what was prepared is run once")]
pub fn run_and(
    prepared: Prepared,
    complete: &Complete<'_>,
    progress: &dyn Progress,
) -> Result<Report, RechunkError> {
    let target = prepared.request.target.to_string();
    carry_out(&prepared, complete, progress).map_err(|error| {
        if !Stopped::is_cause_of(&error) {
            return error;
        }
        let left =
            if let RechunkError::Untidy { left, .. } = error { format!("; {left}") } else { String::new() };
        RechunkError::Stopped { target, left, source: Stopped }
    })
}

fn carry_out(
    prepared: &Prepared,
    complete: &Complete<'_>,
    progress: &dyn Progress,
) -> Result<Report, RechunkError> {
    let begin = Instant::now();
    prepared.check_room()?;
    let fingerprint = match prepared.fingerprint() {
        Ok(fingerprint) => fingerprint,
        Err(PlanFileError::Source(error)) => return Err(error),
        // Without a plan file there is none that could be found again.
        Err(_) => token(),
    };
    let temp = prepared.request.temp.as_ref().filter(|_| prepared.spills());
    let mut staging = Staging::begin(prepared.target.clone(), &fingerprint, temp, &prepared.request.io)?;
    let durable = prepared.request.durability == Durability::Commit;
    let written = write(prepared, &staging, progress).and_then(|report| {
        complete(&staging.store()?).map_err(RechunkError::Complete)?;
        let warnings = match prepared.request.region {
            Some(_) => merge(prepared, &mut staging, durable)?,
            None => staging.publish(durable)?,
        };
        Ok(Report { warnings, ..report })
    });
    let mut report = written.map_err(|error| RechunkError::untidy(error, &staging.discard()))?;
    report.cost.elapsed_s = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Writes and compares everything, the metadata of the root last.
fn write(prepared: &Prepared, staging: &Staging, progress: &dyn Progress) -> Result<Report, RechunkError> {
    let budget = Budget::new(prepared.request.memory_bytes_max);
    let root = staging.store()?;
    let backend = root.backend();
    progress.begin("rechunk", prepared.work_bytes());
    let Prepared { request, items, groups, sparse, root: source_root, .. } = prepared;
    let idle = Recorded::default();
    let context = Context {
        budget: &budget,
        threads: request.threads,
        sparse: *sparse,
        durable: request.durability == Durability::Commit,
        shared: false,
        look: LookAt::Nothing,
        ledger: &Alone,
        recorded: &idle,
        progress,
    };
    let digests = Mutex::new(KnownOf::new());
    let write = |item: &Item, context: &Context<'_>| {
        let (report, digest) = write_array(request, item, (source_root, &root), staging, context)?;
        if item.is_digested() {
            let mut digests = digests.lock().unwrap_or_else(PoisonError::into_inner);
            digests.insert(item.path().to_owned(), Known::Source(digest));
        }
        Ok(report)
    };
    let small = SmallCopies::of(items, request);
    let reports = write_arrays(items, &small, &write, &context)?;
    let known = digests.into_inner().unwrap_or_else(PoisonError::into_inner);
    if request.foreign == Foreign::Copy {
        copy_foreign(prepared, &root, &budget)?;
    }
    let places = (source_root, &root);
    verify_targets(request, items, &known, places, &context)?;
    let verify_peak = budget.take_peak();
    if request.region.is_none() {
        publish_metadata(request, (items, groups), places, prepared.consolidated)?;
    }
    let mut report = Report::sum(reports, request.verify.is_whole(), backend);
    report.cost.peak_budget_bytes = small.memory_bytes().max(report.cost.peak_budget_bytes);
    // Comparing is in no plan, so what it takes stands apart.
    report.verify_peak_budget_bytes = verify_peak;
    Ok(report)
}

/// Completes what workers have written to `root`, which has no metadata yet: copies what is not Zarr if that is asked, compares what is not
/// `known`, and writes the metadata, that of the root last.
pub(crate) fn complete(
    prepared: &Prepared,
    root: &Store,
    known: &KnownOf,
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    let Prepared { request, items, groups, root: source, .. } = prepared;
    let (budget, recorded) = (Budget::new(request.memory_bytes_max), Recorded::default());
    let context = Context::reading(&budget, request.threads, &recorded, progress);
    for item in items.iter().filter(|item| !item.path().is_empty()) {
        let target = item.open(request, source)?.target;
        Array::with_metadata(root.below(item.path())?, target).write_metadata()?;
    }
    if request.foreign == Foreign::Copy {
        prepared.check_foreign()?;
        copy_foreign(prepared, root, &budget)?;
    }
    verify_targets(request, items, known, (source, root), &context)?;
    publish_metadata(request, (items, groups), (source, root), prepared.consolidated)
}

/// Copies what of the source is not Zarr.
fn copy_foreign(prepared: &Prepared, root: &Store, budget: &Arc<Budget>) -> Result<(), RechunkError> {
    LeftOut::of(&prepared.request).during(|without| foreign::copy((&prepared.root, root), without, budget))
}

/// Puts the chunks of a region into the target.
fn merge(prepared: &Prepared, staging: &mut Staging, durable: bool) -> Result<Vec<String>, RechunkError> {
    let Prepared { request, items, root, .. } = prepared;
    let mut targets = Vec::with_capacity(items.len());
    for item in items {
        targets.push((item.path(), item.open(request, root)?.target));
    }
    let mut keys = targets.iter().flat_map(|(path, target)| {
        let all = target.objects().all();
        let slash = if path.is_empty() { "" } else { "/" };
        (0..all.elements()).map(move |k| format!("{path}{slash}{}", target.key(&all.unravel(k))))
    });
    Ok(staging.merge(&mut keys, durable)?)
}

/// Writes all arrays by `write`, small copies first and several at once; their reports, in the order of `items`.
fn write_arrays(
    items: &[Item],
    small: &SmallCopies<'_>,
    write: &small_copies::WriteOne<'_>,
    context: &Context<'_>,
) -> Result<Vec<ArrayReport>, RechunkError> {
    let mut copied = small_copies::run(small, write, context)?.into_iter();
    let of = |item: &Item| {
        let copied = if item.is_small_copy() { copied.next() } else { None };
        copied.map_or_else(|| write(item, context), Ok)
    };
    items.iter().map(of).collect()
}

/// Writes the documents of the groups, children before parents, or that of the array that the root is.
fn publish_metadata(
    request: &Request,
    (items, groups): (&[Item], &[Found]),
    (source, target): (&Store, &Store),
    consolidated: bool,
) -> Result<(), RechunkError> {
    if let Some(root) = items.iter().find(|item| item.path().is_empty()) {
        let array = root.open(request, source)?.target;
        Array::with_metadata(target.below("")?, array).write_metadata()?;
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

/// Moves one array to its place, and writes its document if that is not the root; what that cost, and the digest of its source if that is
/// digested.
fn write_array(
    request: &Request,
    item: &Item,
    (from, to): (&Store, &Store),
    staging: &Staging,
    context: &Context<'_>,
) -> Result<(ArrayReport, u128), RechunkError> {
    let Opened { source, target } = item.open(request, from)?;
    let target = Array::with_metadata(to.below(item.path())?, target);
    let (recorded, started) = (Recorded::default(), Instant::now());
    let look = moving::look(request.verify, item);
    let context = &Context { recorded: &recorded, look, ..*context };
    let decision = item.decision();
    let intermediates = |k: usize| Ok(staging.intermediate(k)?);
    let held = moving::run(item, &source, &target, 0..item.stage_count(), &intermediates, context)?;
    let peak_budget_bytes = context.budget.take_peak().min(held);
    if !item.path().is_empty() {
        // Nothing is a target yet: the root has no document.
        target.write_metadata()?;
    }
    let (counts, elapsed_s) = (recorded.counts(), started.elapsed().as_secs_f64());
    let path = item.path().to_owned();
    let unplanned = |strategy| {
        let cost = Cost::unknown(strategy, item.source_chunks);
        ArrayReport::unplanned(path.clone(), Cost { counts, peak_budget_bytes, elapsed_s, ..cost })
    };
    let report = match &decision {
        Decision::Planned(plan) => {
            let cost = Cost { counts, peak_budget_bytes, elapsed_s, ..Cost::predicted(plan) };
            ArrayReport { layout: item.layout().cloned(), ..ArrayReport::measured(path, plan, cost) }
        }
        Decision::Stored => unplanned("copy"),
        Decision::Text => unplanned("direct"),
    };
    Ok((report, recorded.digest()))
}
