//! Reading an array from end to end: to compare it, or to digest it.

use zarrange_array::Chunks;
use zarrange_grid::Digester;
use zarrange_plan::Plan;

use crate::engine::context::Context;
use crate::engine::parts::StageParts;
use crate::engine::sink::{Nowhere, Sink};
use crate::engine::source::{ArraySource, Source};
use crate::engine::stage::{self, Pass};
use crate::error::RechunkError;

/// Reads as `plan` says, at most `tiles_max` tiles, evenly spread.
pub(crate) fn run(
    plan: &Plan,
    (source, sink): (&dyn Source, &dyn for<'p> Sink<'p>),
    tiles_max: u64,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let (shape, item_bytes) = (&plan.problem.shape[..], plan.problem.item_bytes);
    for stage in plan.stages() {
        let parts = StageParts::only(stage.parts(&plan.problem), context.ledger, context.recorded);
        stage::run(&Pass { stage, shape, item_bytes, source, sink, parts: &parts, tiles_max }, context)?;
    }
    Ok(())
}

/// Digests the elements of `chunks`, read as `plan` says. What is told of the parts has their digests.
pub(crate) fn digest(plan: &Plan, chunks: &Chunks<'_>, context: &Context<'_>) -> Result<(), RechunkError> {
    let digester = Some(Digester::new(chunks.metadata().shape(), &chunks.elements().fill));
    let source = ArraySource { chunks: chunks.clone(), budget: context.budget, digester };
    run(plan, (&source, &Nowhere { chunks }), u64::MAX, context)
}
