//! How an array is moved: the cheapest of the plans, of whole chunks or of slices, and of what is stored.

use std::sync::Arc;

use zarrange_array::{Array, ArrayMetadata, ChunkView, Chunks, Contents};
use zarrange_plan::{Format, Plan, Problem, Purpose, Way, plan};

use crate::engine::budget::Budget;
use crate::engine::presence::{Look, Sparse};
use crate::engine::stage;
use crate::error::RechunkError;
use crate::prepare::problem::{Plans, format, problem};
use crate::prepare::slices;
use crate::prepare::stored::Ratios;
use crate::request::{Request, Verify};

/// The cheapest plan, and the slices in which it reads the source, where not in whole chunks.
pub(crate) fn cheapest_plan(
    request: &Request,
    source: &Array,
    target: &ArrayMetadata,
    plans: &mut Plans,
) -> Result<(Arc<Plan>, Option<Vec<u64>>), RechunkError> {
    let (from, to) = (source.chunks()?, target.view()?);
    let whole_shard_bytes = if request.target.abilities().partial_writes { 0 } else { to.shard_bytes_max() };
    let partial = source.store().abilities().partial_reads;
    // Who goes on with a run must plan the same, whatever could be looked up this time.
    let ratios = if request.joins { Ratios::UNKNOWN } else { Ratios::of(source, target) };
    let mut weigh = |from: &ChunkView<'_>| {
        let mut problem = problem(from, &to, (request.memory_bytes_max, request.threads), Purpose::Write);
        // What is stored is moved piece by piece, and each of them would cost all of the object.
        problem.same_encoding &= partial;
        problem.target.whole_shard_bytes = whole_shard_bytes;
        ratios.write_to(&mut problem.source, &mut problem.target);
        for format in [&mut problem.source, &mut problem.target] {
            format.decode_ns_per_byte *= request.codec_times;
            format.encode_ns_per_byte *= request.codec_times;
        }
        plans.of(&Problem {
            costs: request.costs.clone(),
            way: request.way,
            part_bytes: request.part_bytes,
            ..problem
        })
    };
    let (mut best, mut sliced) = (weigh(&from), None);
    let candidates = slices::candidates(from.elements(), source.objects(), &to.elements().layout);
    for slice in candidates.into_iter().filter(|_| partial) {
        let Some(chunks) = source.slices(&slice)? else { continue };
        let weighed = weigh(&chunks);
        let better = match (&weighed, &best) {
            (Ok(new), Ok(old)) => new.predicted.seconds < old.predicted.seconds,
            // Smaller slices need less memory: the last error asks for the least.
            (_, Err(_)) => true,
            (Err(_), Ok(_)) => false,
        };
        if better {
            (best, sliced) = (weighed, Some((slice, chunks)));
        }
    }
    let plan = best.map_err(|e| RechunkError::Plan { array: source.location().to_owned(), source: e })?;
    let plan = match request.way {
        None if !plan.spills().is_empty() => {
            without_spills(plan, sliced.as_ref().map_or(&from, |(_, chunks)| chunks))
        }
        _ => plan,
    };
    Ok((plan, sliced.map(|(slice, _)| slice)))
}

/// Another plan instead of one with intermediates, where few chunks are stored: those are written and read for everything, while
/// one stage visits no more than what is stored, however often it reads that.
fn without_spills(staged: Arc<Plan>, from: &Chunks<'_>) -> Arc<Plan> {
    let budget = Budget::new(staged.problem.memory_bytes_max);
    let look = Look { sparse: Sparse::default(), budget: &budget, needed_bytes: 0 };
    let mut best = (staged.predicted.seconds, None);
    for way in [Way::Tiles, Way::Sweep] {
        let Format { stored_ratio, decode_ns_per_byte, encode_ns_per_byte, .. } = staged.problem.source;
        let source = Format { stored_ratio, decode_ns_per_byte, encode_ns_per_byte, ..format(from) };
        let problem = Problem { source, way: Some(way), ..staged.problem.clone() };
        let Ok(one) = plan(&problem) else { continue };
        let Some(share) = one.stages().first().and_then(|stage| stage::share(stage, from, &look)) else {
            continue;
        };
        let seconds = one.predicted.seconds * share;
        if seconds < best.0 {
            best = (seconds, Some(one));
        }
    }
    let Some(one) = best.1 else { return staged };
    let mut rejected = staged.rejected.clone();
    rejected.retain(|other| other.way != one.way());
    rejected.insert(0, staged.as_alternative());
    Arc::new(Plan { rejected, problem: staged.problem.clone(), ..one })
}

/// Whether what will be written can be compared within the memory.
pub(crate) fn memory_of_comparing(
    request: &Request,
    source: &Array,
    target: &ArrayMetadata,
    plans: &mut Plans,
) -> Result<(), RechunkError> {
    // How long text is nobody knows; of what cannot be read the stored bytes are compared, piece by piece.
    let (Contents::Elements(_), Ok(to)) = (source.contents(), target.view()) else { return Ok(()) };
    if request.verify == Verify::None {
        return Ok(());
    }
    let problem =
        problem(&source.view()?, &to, (request.memory_bytes_max, request.threads), Purpose::Compare);
    let planned = plans.of(&problem).map(drop);
    planned.map_err(|source| RechunkError::Comparing { array: target.location().to_owned(), source })
}
