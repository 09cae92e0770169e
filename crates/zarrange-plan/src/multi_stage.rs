//! Ways with intermediates: tiles of whole source chunks are spilled as pieces, tiles of whole target objects are read back.
//!
//! With too little memory for its size, a transposition makes pieces that are mostly latency. Tiles of a shape between
//! the two then make fewer and larger ones, for another pass over the data: with k intermediates and a smallest efficient piece of
//! b bytes, an array of N bytes is within reach of a memory M if N <= M (M / b)^k (after Aggarwal and Vitter, 1988).

use smallvec::SmallVec;
use zarrange_grid::{ChunkGrid, Dims};

use crate::cost::{Load, efficient_bytes};
use crate::memory::End;
use crate::plan::{Plan, Route, Spill, Tiled};
use crate::problem::Problem;
use crate::tiles::{count, elements, overlaps_all};
use crate::ways::{Candidate, Search};

/// Tile shapes of the first and the last stage that are paired with each other.
const PAIRED_MAX: usize = 250;
/// The same, where there are stages between them.
const PAIRED_AROUND_MAX: usize = 24;
/// Shapes between two tiles that are tried.
const BETWEEN_MAX: usize = 16;
/// First tiles of the last stage that are kept in memory at most: their pieces are counted one tile at a time.
const HELD_MAX: u64 = 4096;
/// An array of up to this many times the memory is worth keeping in it as far as it goes.
const HOLDING_PAYS: u64 = 8;

/// A chain of stages, weighed.
struct Chain {
    stages: Vec<Candidate>,
    seconds: f64,
}

impl Search<'_> {
    /// The cheapest chain with `intermediates` that fits.
    pub(crate) fn staged(&self, intermediates: usize) -> Option<Plan> {
        let (first, last) = (self.first_stages(), self.last_stages());
        let most = if intermediates == 1 { PAIRED_MAX } else { PAIRED_AROUND_MAX };
        let mut best: Option<Chain> = None;
        for a in first.iter().take(most) {
            for b in last.iter().take(most) {
                self.chains(a, b, intermediates, &mut |stages| {
                    let seconds = self.chain_seconds(&stages);
                    if best.as_ref().is_none_or(|best| seconds < best.seconds) {
                        best = Some(Chain { stages: stages.into_iter().cloned().collect(), seconds });
                    }
                });
            }
        }
        best.map(|chain| self.plan_of(chain))
    }

    /// Stages that fill the first intermediate, those with the largest tiles first.
    fn first_stages(&self) -> Vec<Candidate> {
        let source = End::Array(&self.problem.source);
        let stages =
            self.source_tiles().into_iter().flat_map(|tile| self.fitting(source, End::Spill, &tile, &tile));
        self.promising(stages.collect())
    }

    /// Stages that drain the last one.
    fn last_stages(&self) -> Vec<Candidate> {
        let target = End::Array(&self.problem.target);
        let tiles = self.target_tiles().into_iter();
        let stages = tiles.flat_map(|(tile, group)| self.fitting(End::Spill, target, &tile, &group));
        self.promising(stages.collect())
    }

    /// The stages with the largest tiles, which make fewer and larger pieces. Where the memory holds a good part of the array, also
    /// smaller ones, which leave room for pieces.
    fn promising(&self, mut stages: Vec<Candidate>) -> Vec<Candidate> {
        let Problem { shape, item_bytes, memory_bytes_max, .. } = self.problem;
        let key = |s: &Candidate| (s.shape.threads, elements(shape, &s.shape.tile), s.shape.slots);
        stages.sort_by_key(|s| std::cmp::Reverse(key(s)));
        let array_bytes = shape.iter().fold(*item_bytes, |n, s| n.saturating_mul(*s));
        if array_bytes / HOLDING_PAYS <= *memory_bytes_max {
            let step = stages.len().div_ceil(PAIRED_MAX).max(1);
            return stages.into_iter().step_by(step).collect();
        }
        stages.truncate(PAIRED_MAX);
        stages
    }

    /// Offers every chain from `a` to `b` that is worth weighing.
    fn chains<'c>(
        &self,
        a: &'c Candidate,
        b: &'c Candidate,
        intermediates: usize,
        offer: &mut dyn FnMut(Vec<&Candidate>),
    ) {
        if intermediates == 1 {
            return offer(vec![a, b]);
        }
        let steps: Vec<Vec<Candidate>> =
            (1..intermediates).map(|k| self.between(a, b, (k, intermediates))).collect();
        match &steps[..] {
            [one] => one.iter().for_each(|m| offer(vec![a, m, b])),
            [one, two] => {
                for (m, n) in one.iter().flat_map(|m| two.iter().map(move |n| (m, n))) {
                    offer(vec![a, m, n, b]);
                }
            }
            _ => {}
        }
    }

    /// Stages whose tiles are `k` of `of` steps from `a` to `b`, along each axis by the same factor; rounded so that tiles of one of
    /// them are cut as little as can be.
    fn between(&self, a: &Candidate, b: &Candidate, (k, of): (usize, usize)) -> Vec<Candidate> {
        let shape = &self.problem.shape;
        let mut tiles: Vec<Dims> = vec![Dims::new()];
        for (d, n) in shape.iter().enumerate() {
            let (from, to) = (a.shape.tile[d].min(*n), b.shape.tile[d].min(*n));
            let extents = steps(from, to, (k, of));
            let longer = tiles.iter().flat_map(|head| {
                extents.iter().map(|extent| {
                    let mut tile = head.clone();
                    tile.push(*extent);
                    tile
                })
            });
            tiles = longer.take(BETWEEN_MAX).collect();
        }
        let fitting = tiles.iter().flat_map(|tile| self.fitting(End::Spill, End::Spill, tile, tile).take(1));
        fitting.collect()
    }

    /// Time of a chain. What stays in memory needs no device.
    #[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
    pub(crate) fn chain_seconds(&self, stages: &[&Candidate]) -> f64 {
        let Problem { shape, source, target, .. } = self.problem;
        let tile = |k: usize| &stages[k].shape.tile;
        let last = stages.len() - 1;
        let spilled = self.held_tiles(stages).into_iter().enumerate().map(|(k, held)| {
            let tiles = count(shape, tile(k + 1));
            let share = 1.0 - held as f64 / tiles as f64;
            let pieces = overlaps_all(shape, tile(k + 1), tile(k));
            let device = |load: Load| Load { io: load.io * share, ..load };
            (device(self.model.spill(pieces)), device(self.model.read_back(pieces, tiles)))
        });
        let spilled: SmallVec<[(Load, Load); 3]> = spilled.collect();
        let seconds = stages.iter().enumerate().map(|(k, stage)| {
            let fill = match k {
                0 => self.model.read(count(shape, &source.chunk), count(tile(k), &source.chunk)),
                _ => spilled[k - 1].1,
            };
            let drain =
                if k == last { self.model.write(count(tile(k), &target.chunk)) } else { spilled[k].0 };
            self.model.seconds(&stage.shape, fill, drain)
        });
        seconds.sum()
    }

    /// For each intermediate, how many of the first tiles of the stage behind it fit what the stages on both sides leave.
    fn held_tiles(&self, stages: &[&Candidate]) -> SmallVec<[u64; 3]> {
        let Problem { shape, item_bytes, memory_bytes_max, .. } = self.problem;
        let mut held_before = 0;
        let held = stages.windows(2).map(|pair| {
            let read = &pair[1].shape.tile;
            let tile_bytes = elements(shape, read).saturating_mul(*item_bytes);
            let busy = pair[0].buffers.memory_bytes.saturating_add(held_before);
            let busy = busy.max(pair[1].buffers.memory_bytes);
            let room = memory_bytes_max.saturating_sub(busy) / tile_bytes.max(1);
            // All but one: an intermediate that nothing is written to would be none.
            let tiles = room.min(HELD_MAX).min(count(shape, read).saturating_sub(1));
            held_before = tiles * tile_bytes;
            tiles
        });
        held.collect()
    }

    fn plan_of(&self, chain: Chain) -> Plan {
        let Chain { stages, seconds } = chain;
        let spills = self.spills(&stages);
        let stages = stages.iter().map(|candidate| candidate.stage(&self.order)).collect();
        let decodes = count(&self.problem.shape, &self.problem.source.chunk);
        self.finish(Route::Tiled(Tiled { stages, spills }), decodes, seconds)
    }

    /// The intermediates between `stages`.
    fn spills(&self, stages: &[Candidate]) -> Vec<Spill> {
        let Problem { shape, item_bytes, .. } = self.problem;
        let array_bytes = shape.iter().fold(*item_bytes, |n, s| n.saturating_mul(*s));
        let held = self.held_tiles(&stages.iter().collect::<Vec<_>>());
        let spills = stages.windows(2).zip(held).map(|(pair, held_tiles)| {
            let (written, read) = (&pair[0].shape.tile, &pair[1].shape.tile);
            let (pieces, bytes) = self.held(written, read, held_tiles);
            Spill {
                written: written.to_vec(),
                read: read.to_vec(),
                order: self.order.to_vec(),
                held_tiles,
                held_tile_bytes: elements(shape, read).saturating_mul(*item_bytes),
                pieces: overlaps_all(shape, read, written).saturating_sub(pieces),
                bytes: array_bytes - bytes,
            }
        });
        spills.collect()
    }

    /// Pieces and bytes of the first `tiles` tiles of `read`.
    fn held(&self, written: &[u64], read: &[u64], tiles: u64) -> (u64, u64) {
        let Problem { shape, item_bytes, .. } = self.problem;
        let (Ok(written), Ok(read)) = (ChunkGrid::new(shape, written), ChunkGrid::new(shape, read)) else {
            return (0, 0);
        };
        let all = read.all();
        (0..tiles).map(|k| read.region(&all.unravel(k))).fold((0, 0), |(pieces, bytes), tile| {
            (pieces + written.covering(&tile).elements(), bytes + tile.elements() * item_bytes)
        })
    }

    /// Whether the pieces of an intermediate are so small that another one may pay.
    pub(crate) fn pieces_are_small(&self, spill: &Spill) -> bool {
        let least = efficient_bytes(&self.problem.costs.spill);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let mean = spill.bytes as f64 / spill.pieces.max(1) as f64;
        mean < least
    }
}

/// Extents `k` of `n` steps between two, by the same factor each: rounded down and up to what divides one of them or is divided
/// by it.
fn steps(from: u64, to: u64, (k, n): (usize, usize)) -> Vec<u64> {
    if from == to {
        return vec![from];
    }
    let (small, large) = (from.min(to), from.max(to));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive extent, rounded"
    )]
    let wished = {
        let share = k as f64 / n as f64;
        ((from as f64).powf(1.0 - share) * (to as f64).powf(share)) as u64
    };
    let down = (wished / small.max(1)).max(1) * small;
    let even = large.div_ceil((large / wished.max(1)).max(1));
    let mut extents = vec![down.clamp(small, large), even.clamp(small, large)];
    extents.dedup();
    extents
}
