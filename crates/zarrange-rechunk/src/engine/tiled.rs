//! Moving the elements of an array in tiles, stage by stage.

use std::ops::Range;

use zarrange_array::Chunks;
use zarrange_codec::ArrayCodec;
use zarrange_grid::{ChunkGrid, Digester, index};
use zarrange_io::Store;
use zarrange_plan::{Plan, Problem, Stage, Tiled};

use crate::engine::context::{Context, LookAt};
use crate::engine::parts::StageParts;
use crate::engine::sink::{ChunkSink, PieceSink, Sequencer, ShardSink, Sink, indexes};
use crate::engine::source::{ArraySource, PieceSource, Source};
use crate::engine::spill::{SpillFile, SpillPlace};
use crate::engine::stage::{self, Pass};
use crate::error::RechunkError;

/// Where the intermediates of a run lie, by number.
pub(crate) type Intermediates<'a> = dyn Fn(usize) -> Result<(Store, String), RechunkError> + 'a;

/// Moves the elements of `from` to `to`, as `plan` says, in the stages `stages`.
pub(crate) fn run(
    (plan, tiled): (&Plan, &Tiled),
    (from, to): (&Chunks<'_>, &Chunks<'_>),
    intermediates: &Intermediates<'_>,
    stages: Range<u64>,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let Problem { shape, item_bytes, .. } = &plan.problem;
    let shared = context.shared;
    let open = |k: usize| {
        let Some(spill) = tiled.spills.get(k) else { return Ok(None) };
        let (store, key) = intermediates(k)?;
        SpillFile::open(SpillPlace { store, key, shared }, spill, shape, *item_bytes, context.budget)
            .map(Some)
    };
    // The intermediate that the stage before filled; it is removed when this one has read it.
    let mut before: Option<SpillFile> = None;
    if stages.start > 0 {
        before = open(index(stages.start) - 1)?;
    }
    for number in stages {
        let k = index(number);
        context.progress.stage(to.metadata().location(), number + 1, plan.stage_count());
        let (stage, after) = (&tiled.stages[k], open(k)?);
        let release = |groups: Range<u64>| {
            if let Some(spill) = &before {
                release(spill, stage, shape, groups);
            }
        };
        let (ledger, recorded) = (context.ledger, context.recorded);
        let parts = StageParts::new((number, plan.parts(number)), ledger, recorded, &release);
        let source: Box<dyn Source> = if let Some(spill) = &before {
            Box::new(PieceSource(spill))
        } else {
            let digester =
                (context.look == LookAt::Elements).then(|| Digester::new(shape, &from.elements().fill));
            Box::new(ArraySource { chunks: from.clone(), budget: context.budget, digester })
        };
        let _indexes = match &before {
            Some(_) => None,
            None => Some(indexes(from, stage.workers + 1, context.budget)?),
        };
        let sink: Box<dyn Sink<'_>> = match (&after, &to.elements().codec) {
            (Some(spill), _) => Box::new(PieceSink(spill)),
            (None, ArrayCodec::Chunks(_) | ArrayCodec::Slices(_)) => {
                let (chunks, replaces) = (to.clone(), shared);
                Box::new(ChunkSink { chunks, replaces, budget: context.budget })
            }
            (None, ArrayCodec::Shards(_)) => {
                let buffers = (stage.workers, stage.parked, stage.encoded_bytes);
                let sequencer = Sequencer::new(to.clone(), buffers, context)?;
                Box::new(ShardSink { chunks: to.clone(), sequencer, budget: context.budget })
            }
        };
        stage::run(
            &Pass {
                stage,
                shape,
                item_bytes: *item_bytes,
                source: &*source,
                sink: &*sink,
                parts: &parts,
                tiles_max: u64::MAX,
            },
            context,
        )?;
        drop((source, sink));
        before = after;
    }
    Ok(())
}

/// Gives back what the tiles of `groups` took in an intermediate.
fn release(spill: &SpillFile, stage: &Stage, shape: &[u64], groups: Range<u64>) {
    let Ok(grid) = ChunkGrid::new(shape, &stage.group) else {
        unreachable!("the groups of a stage are a grid")
    };
    for group in groups {
        let tiles = spill.read().covering(&grid.region(&grid.all().unravel(group)));
        (0..tiles.elements()).for_each(|k| spill.release(spill.read().all().linear(&tiles.unravel(k))));
    }
}
