//! Moving one array, or some parts of it.

use std::ops::Range;

use zarrange_array::Array;
use zarrange_io::Store;
use zarrange_plan::Route;

use crate::engine::budget::Budget;
use crate::engine::context::{Context, LookAt};
use crate::engine::parts::{Ledger, Recorded};
use crate::engine::text::{self, Side};
use crate::engine::tiled::{self, Intermediates};
use crate::engine::{copy, repack};
use crate::error::RechunkError;
use crate::prepare::Prepared;
use crate::prepare::item::{Decision, Item, Opened, Sliced};
use crate::progress::Progress;
use crate::request::{Durability, Verify};

/// What is looked at while `item` is moved.
pub(super) fn look(verify: Verify, item: &Item) -> LookAt {
    match verify {
        // What is decoded need not be looked at before.
        Verify::Sample => LookAt::Sums,
        Verify::Digest if item.is_digested() => LookAt::Elements,
        Verify::None | Verify::Digest | Verify::Full => LookAt::Nothing,
    }
}

/// Moves an array to `target` in the stages `stages`; the most memory that was really used, where less than what was taken.
pub(crate) fn run(
    item: &Item,
    source: &Sliced,
    target: &Array,
    stages: Range<u64>,
    intermediates: &Intermediates<'_>,
    context: &Context<'_>,
) -> Result<u64, RechunkError> {
    match item.decision() {
        Decision::Planned(plan) => {
            let (from, to) = (source.read_chunks()?, target.chunks()?);
            match &plan.route {
                Route::Copy => copy::run(source, target, item.parts(0), context)?,
                Route::Repack(repack) => {
                    context.progress.stage(target.location(), 1, 1);
                    repack::run(repack, (&from, &to), item.parts(0), context)?;
                }
                Route::Tiled(tiled) => {
                    tiled::run((&plan, tiled), (&from, &to), intermediates, stages, context)?;
                }
            }
        }
        Decision::Stored => copy::run(source, target, item.parts(0), context)?,
        // Text takes all of the memory beforehand, for nobody knows how long it is.
        Decision::Text => {
            context.progress.stage(target.location(), 1, 1);
            return text::run(Side::of(source)?, Side::of(target)?, item.parts(0), context);
        }
    }
    Ok(u64::MAX)
}

/// Where parts are written.
#[derive(Clone, Copy, Debug)]
pub struct PartPlaces<'a> {
    /// The root of the target, which nobody takes for one until its metadata is written.
    pub target: &'a Store,
    /// The intermediates.
    pub intermediates: &'a Store,
}

/// Does the parts of one stage of the array `item` of `prepared`, in their order, but for those that `ledger` leaves out; the most bytes
/// of the memory given in use at once. Others may do other parts, or the same, at the same time.
///
/// A stage needs what all parts of the one before have written. No metadata is written.
///
/// What the caller sees to: the places hold nothing but what this same request wrote, for what is all fill value is not written, and a
/// piece of an intermediate is taken wherever its numbers and its checksum are right. And a receipt that shall outlive this machine is
/// kept only after the places were synced: nothing here waits for the disk.
///
/// # Errors
/// [`RechunkError`]; parts whose receipts were given are done. Without an error all parts are done that are not left out, those without
/// a receipt, too: where few chunks are stored, a part that holds none is not looked at.
///
/// # Panics
/// If there is no such stage, or `item` is not one of `prepared`.
pub fn run_parts(
    prepared: &Prepared,
    item: &Item,
    stage: u64,
    places: PartPlaces<'_>,
    ledger: &dyn Ledger,
    progress: &dyn Progress,
) -> Result<u64, RechunkError> {
    assert!(stage < item.stage_count(), "a stage of {}", item.stage_count());
    let Prepared { request, root, sparse, .. } = prepared;
    let (budget, recorded) = (Budget::new(request.memory_bytes_max), Recorded::default());
    let context = Context {
        budget: &budget,
        threads: request.threads,
        sparse: *sparse,
        durable: request.durability == Durability::Commit,
        shared: true,
        look: look(request.verify, item),
        ledger,
        recorded: &recorded,
        progress,
    };
    let Opened { source, target } = item.open(request, root)?;
    let target = Array::with_metadata(places.target.below(item.path())?, target);
    let Some(number) = prepared.items.iter().position(|other| other.path() == item.path()) else {
        panic!("{:?} is not an array of what was prepared", item.path())
    };
    let intermediates = |k: usize| Ok((places.intermediates.clone(), format!("intermediate-{number}-{k}")));
    let held = run(item, &source, &target, stage..stage + 1, &intermediates, &context)?;
    Ok(budget.take_peak().min(held))
}
