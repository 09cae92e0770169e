//! Finding out whether targets hold what their sources hold.

use std::collections::BTreeMap;

use zarrange_array::{Array, Contents};
use zarrange_io::Store;

use crate::engine::budget::Budget;
use crate::engine::context::Context;
use crate::engine::parts::{Ledger, Recorded};
use crate::engine::sink::Compared;
use crate::engine::{copy, reading};
use crate::error::RechunkError;
use crate::prepare::Prepared;
use crate::prepare::item::{Item, Opened};
use crate::progress::Progress;
use crate::request::{Request, Verify};
use crate::verify::{compare_arrays, compare_chunks, compare_stored, compare_variable};

/// Tiles that [`Verify::Sample`] compares.
const SAMPLE_TILES: u64 = 4;

/// What is known of arrays, by their paths, before their targets are looked at.
pub(crate) type KnownOf = BTreeMap<String, Known>;

/// What is known of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    /// The digest of its source.
    Source(u128),
    /// Target and source are the same.
    Same,
}

/// Compares what was written with the source, as far as is asked and not known.
pub(super) fn verify_targets(
    request: &Request,
    items: &[Item],
    known: &KnownOf,
    (from, to): (&Store, &Store),
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    if request.verify == Verify::None {
        return Ok(());
    }
    let unknown = || items.iter().filter(|item| !matches!(known.get(item.path()), Some(Known::Same)));
    // Comparing counts like moving: what fills a tile, then what it is compared with.
    context.progress.begin("verify", unknown().map(Item::check_bytes).fold(0, u64::saturating_add));
    for item in unknown() {
        let Opened { source, target } = item.open(request, from)?;
        let target = Array::with_metadata(to.below(item.path())?, target);
        let is_same = match known.get(item.path()) {
            Some(Known::Source(digest)) => digest_of(item, &target, context)? == *digest,
            Some(Known::Same) => true,
            None => false,
        };
        // Where digests differ, it is told where.
        if !is_same {
            compare(item, &source, &target, request.verify, context)?;
        }
    }
    Ok(())
}

/// The digest of what was written.
fn digest_of(item: &Item, target: &Array, context: &Context<'_>) -> Result<u128, RechunkError> {
    let Some(check) = item.check() else { unreachable!("its source was digested") };
    let recorded = Recorded::default();
    reading::digest(&check.plan(), &target.chunks()?, &Context { recorded: &recorded, ..*context })?;
    Ok(recorded.digest())
}

/// Reads both.
fn compare(
    item: &Item,
    source: &Array,
    target: &Array,
    verify: Verify,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let path = item.path();
    match source.contents() {
        Contents::Elements(_) => {
            let tiles_max = if verify == Verify::Sample { SAMPLE_TILES } else { u64::MAX };
            compare_arrays(Compared { path, payloads: false }, source, target, tiles_max, context)?;
            if verify == Verify::Sample && copy::is_copy(source, target) {
                copy::check_shards(source, context)?;
            }
            Ok(())
        }
        Contents::Variable(_) => compare_variable(path, source, target, context),
        // Values that cannot be read were copied as they are stored.
        Contents::Unknown(_) => compare_stored(path, source, target, context),
    }
}

/// Checks the parts of `item` that `ledger` does not leave out, below the root of the target; the most bytes of the memory given in use at
/// once. What is digested is told with its parts.
pub(crate) fn check_parts(
    prepared: &Prepared,
    item: &Item,
    target: &Store,
    ledger: &dyn Ledger,
    progress: &dyn Progress,
) -> Result<u64, RechunkError> {
    let Prepared { request, root, .. } = prepared;
    let Some(check) = item.check() else { return Ok(0) };
    let (budget, recorded) = (Budget::new(request.memory_bytes_max), Recorded::default());
    let context =
        Context { ledger, shared: true, ..Context::reading(&budget, request.threads, &recorded, progress) };
    let Opened { source, target: metadata } = item.open(request, root)?;
    let target = Array::with_metadata(target.below(item.path())?, metadata);
    let (plan, chunks) = (check.plan(), target.chunks()?);
    if check.is_digested {
        reading::digest(&plan, &chunks, &context)?;
    } else {
        let compared = Compared { path: item.path(), payloads: false };
        compare_chunks(&plan, compared, (source.chunks()?, chunks), u64::MAX, &context)?;
    }
    Ok(budget.take_peak())
}
