//! Ways of one stage: tiles aligned to the target, with or without a sweep.

use zarrange_grid::Dims;

use crate::memory::{End, Shape};
use crate::plan::{Plan, Route, Stage, Tiled};
use crate::problem::{Problem, Purpose};
use crate::tiles::{count, overlaps, overlaps_all};
use crate::ways::{Candidate, Search};

/// A tile must be this much cheaper to be preferred to one with fewer decodes, or less memory.
const NEAR_TIE: f64 = 1.01;

/// How many times as long as the cheapest plan one may take whose tiles hold whole shards. In them chunks lie in C order, tile by tile otherwise: who
/// reads neighbours has one request for all of them, not one for each tile, and advice counts on it.
pub(crate) const IN_ORDER: f64 = 1.1;

/// A stage, weighed.
#[derive(Clone, Debug)]
pub(crate) struct One {
    pub(crate) candidate: Candidate,
    pub(crate) decodes: u64,
    pub(crate) seconds: f64,
}

impl Search<'_> {
    /// The cheapest single stage: one that sweeps along an axis, or one that does not.
    pub(crate) fn single(&self, sweeping: bool) -> Option<Plan> {
        self.single_of(self.target_tiles(), sweeping)
    }

    /// A plan like `plan`, whose tiles cut shards, with tiles that hold whole ones, if it does not take much longer.
    pub(crate) fn in_order(&self, plan: &Plan) -> Option<Plan> {
        let [Stage { tile, group, .. }] = plan.stages() else { return None };
        if self.problem.purpose != Purpose::Write || tile == group {
            return None;
        }
        let whole = self.target_tiles().into_iter().filter(|(tile, group)| tile == group).collect();
        self.single_of(whole, false)
            .filter(|whole| whole.predicted.seconds <= plan.predicted.seconds * IN_ORDER)
    }

    /// The cheapest single stage with one of these tiles.
    fn single_of(&self, among: Vec<(Dims, Dims)>, sweeping: bool) -> Option<Plan> {
        let mut best = Cheapest::default();
        for (tile, group) in among {
            self.weigh_tile(&tile, &group, sweeping, |one| best.offer(one));
        }
        let One { candidate, decodes, seconds } = best.take()?;
        let tiled = Tiled { stages: vec![candidate.stage(&self.order)], spills: Vec::new() };
        Some(self.finish(Route::Tiled(tiled), decodes, seconds))
    }

    /// Every stage with this tile that fits.
    pub(crate) fn weigh_tile(&self, tile: &Dims, group: &Dims, sweeping: bool, mut offer: impl FnMut(One)) {
        let Problem { shape, source, target, .. } = self.problem;
        let sweeps = |axis: &usize| source.is_regular() && self.sweeps(tile, group, *axis);
        let axes: Vec<usize> = (0..shape.len()).filter(sweeps).collect();
        if sweeping && axes.is_empty() {
            return;
        }
        for candidate in self.fitting(End::Array(source), End::Array(target), tile, group) {
            if !sweeping {
                offer(self.weigh(candidate, overlaps_all(shape, tile, &source.chunk)));
            } else if candidate.shape.slots == 2 {
                for axis in &axes {
                    let decodes = (0..shape.len()).map(|d| {
                        let tile = if d == *axis { shape[d] } else { tile[d] };
                        overlaps(shape[d], tile, source.chunk[d])
                    });
                    let Candidate { shape, buffers } = candidate.clone();
                    let shape = Shape { sweep: Some(*axis), ..shape };
                    offer(self.weigh(Candidate { shape, buffers }, decodes.fold(1, u64::saturating_mul)));
                }
            }
        }
    }

    fn weigh(&self, candidate: Candidate, decodes: u64) -> One {
        let (source, target) = (&self.problem.source.chunk, &self.problem.target.chunk);
        let tile = &candidate.shape.tile;
        let fill = self.model.read(decodes, count(tile, source));
        let drain = self.model.write(count(tile, target));
        let seconds = self.model.seconds(&candidate.shape, fill, drain);
        One { candidate, decodes, seconds }
    }

    /// Whether source chunks reach over the ends of tiles along `axis`, each into one tile more at most.
    fn sweeps(&self, tile: &[u64], group: &[u64], axis: usize) -> bool {
        let Problem { shape, source, .. } = self.problem;
        let (extent, chunk) = (tile[axis], source.chunk[axis]);
        tile == group && extent < shape[axis] && extent >= chunk && !extent.is_multiple_of(chunk)
    }
}

/// The cheapest of many stages; of near ties the one with the fewest decodes, then the one that takes the least memory.
#[derive(Default)]
struct Cheapest {
    near: Vec<One>,
    seconds: f64,
}

impl Cheapest {
    /// Near ties kept before those that are none any more are dropped.
    const KEPT: usize = 256;

    fn offer(&mut self, one: One) {
        if !self.near.is_empty() && one.seconds > self.seconds * NEAR_TIE {
            return;
        }
        self.seconds = if self.near.is_empty() { one.seconds } else { self.seconds.min(one.seconds) };
        self.near.push(one);
        if self.near.len() > Self::KEPT {
            let least = self.least();
            self.near = least.into_iter().collect();
        }
    }

    fn take(self) -> Option<One> {
        self.least()
    }

    fn least(&self) -> Option<One> {
        let near = self.near.iter().filter(|one| one.seconds <= self.seconds * NEAR_TIE);
        near.min_by_key(|one| (one.decodes, one.candidate.buffers.memory_bytes)).cloned()
    }
}
