//! Weighing the ways.

use zarrange_grid::{ChunkGrid, Dims, checked_bytes};

use crate::cost::Costs;
use crate::error::PlanError;
use crate::memory::{End, Shape, regrouping, stage, workers};
use crate::order;
use crate::problem::{Plan, Predicted, Problem, Purpose, Spill, Stage, Strategy};
use crate::tiles::{count, divisors, elements, multiples, overlaps_all, shapes};

const VERSION: u32 = 1;

/// A way must be this much cheaper to be preferred to a simpler one, or to one that takes less memory.
const NEAR_TIE: f64 = 1.02;

/// Tile shapes of each stage that are paired with those of the other.
const PAIRED_MAX: usize = 250;

/// The cheapest way to solve `problem` within its memory.
///
/// # Errors
/// [`PlanError`] if shapes do not fit each other or the memory does not hold one chunk of each side.
pub fn plan(problem: &Problem) -> Result<Plan, PlanError> {
    check(problem)?;
    let search = Search { problem, costs: Costs::default(), order: order_of(problem) };
    let (source, target) = (&problem.source, &problem.target);
    let as_stored =
        problem.purpose == Purpose::Write && problem.same_encoding && source.chunk == target.chunk;
    if as_stored && source.shard == target.shard {
        return Ok(search.copy());
    }
    if problem.shape.contains(&0) {
        return Ok(search.finish(Strategy::Direct, Vec::new(), None, 0, 0.0));
    }
    if let Some(plan) = as_stored.then(|| search.regroup()).flatten() {
        return Ok(plan);
    }
    let one = search.one_stage();
    // A single stage that decodes every chunk once moves the least bytes there are: no intermediate can beat it.
    let direct = one.as_ref().is_some_and(|one| one.strategy(problem) == Strategy::Direct);
    let two = if problem.purpose == Purpose::Compare || direct { None } else { search.two_stages() };
    match (one, two) {
        (None, None) => Err(search.too_small()),
        (Some(one), None) => Ok(search.single(one, None)),
        (Some(one), Some(two)) if one.seconds <= two.seconds * NEAR_TIE => {
            Ok(search.single(one, Some(two.seconds)))
        }
        (one, Some(two)) => Ok(search.staged(two, one.map(|one| (one.strategy(problem), one.seconds)))),
    }
}

fn check(problem: &Problem) -> Result<(), PlanError> {
    checked_bytes(&problem.shape, problem.item_bytes)?;
    for format in [&problem.source, &problem.target] {
        ChunkGrid::new(&problem.shape, &format.chunk)?;
        let object = format.object();
        ChunkGrid::new(&problem.shape, object)?;
        checked_bytes(&format.chunk, problem.item_bytes)?;
        if object.iter().zip(&format.chunk).any(|(s, c)| s % c != 0) {
            let admissible = object.iter().zip(&format.chunk).map(|(s, c)| s.div_ceil(*c) * c).collect();
            return Err(PlanError::Shard { shard: object.to_vec(), chunk: format.chunk.clone(), admissible });
        }
    }
    Ok(())
}

fn order_of(problem: &Problem) -> Dims {
    order::best(&problem.shape, &problem.source.chunk, &problem.target.chunk, problem.item_bytes)
}

struct Search<'p> {
    problem: &'p Problem,
    costs: Costs,
    order: Dims,
}

/// A single stage, weighed.
struct One {
    stage: Stage,
    decodes: u64,
    seconds: f64,
}

impl One {
    fn strategy(&self, problem: &Problem) -> Strategy {
        let direct = self.decodes == count(&problem.shape, &problem.source.chunk);
        if direct { Strategy::Direct } else { Strategy::Reread }
    }
}

/// Two stages, weighed.
struct Two {
    first: Stage,
    second: Stage,
    pieces: u64,
    seconds: f64,
}

#[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
impl Search<'_> {
    /// The cheapest single stage that fits.
    fn one_stage(&self) -> Option<One> {
        let mut best: Option<One> = None;
        let (from, to) = (End::Array(&self.problem.source), End::Array(&self.problem.target));
        for (tile, group) in self.target_tiles() {
            let decodes = overlaps_all(&self.problem.shape, &tile, &self.problem.source.chunk);
            for stage in self.fitting(from, to, &tile, &group) {
                let seconds = self.one_seconds(&stage, decodes);
                let better = best.as_ref().is_none_or(|b| {
                    seconds * NEAR_TIE < b.seconds
                        || (seconds < b.seconds * NEAR_TIE && stage.memory_bytes < b.stage.memory_bytes)
                });
                if better {
                    best = Some(One { stage, decodes, seconds });
                }
            }
        }
        best
    }

    /// The cheapest pair of stages that fits.
    fn two_stages(&self) -> Option<Two> {
        let problem = self.problem;
        let (source, target) = (End::Array(&problem.source), End::Array(&problem.target));
        let spill = End::Spill;
        let first =
            self.source_tiles().into_iter().flat_map(|tile| self.fitting(source, spill, &tile, &tile));
        let first = largest(first.collect(), &problem.shape);
        let second = self
            .target_tiles()
            .into_iter()
            .flat_map(|(tile, group)| self.fitting(spill, target, &tile, &group));
        let second = largest(second.collect(), &problem.shape);
        let mut best: Option<Two> = None;
        for a in &first {
            for b in &second {
                let pieces = overlaps_all(&problem.shape, &b.tile, &a.tile);
                let seconds = self.two_seconds(a, b, pieces);
                if best.as_ref().is_none_or(|best| seconds < best.seconds) {
                    best = Some(Two { first: a.clone(), second: b.clone(), pieces, seconds });
                }
            }
        }
        best
    }

    /// Tiles aligned to what the target stores as one object, or dividing a shard; each with its group.
    fn target_tiles(&self) -> Vec<(Dims, Dims)> {
        let Problem { shape, source, target, .. } = self.problem;
        let rank = shape.len();
        let object = target.object();
        let extents = (0..rank).map(|d| multiples(shape[d], object[d], source.chunk[d])).collect();
        let mut tiles: Vec<(Dims, Dims)> = shapes(shape, extents, self.elements_max())
            .into_iter()
            .map(|tile| (tile.clone(), tile))
            .collect();
        if let Some(shard) = &target.shard {
            let extents = (0..rank).map(|d| divisors(shard[d], target.chunk[d])).collect();
            let within = shapes(shape, extents, self.elements_max()).into_iter();
            tiles.extend(within.filter(|tile| tile[..] != shard[..]).map(|tile| (tile, shard[..].into())));
        }
        tiles
    }

    /// Tiles made of whole source chunks.
    fn source_tiles(&self) -> Vec<Dims> {
        let Problem { shape, source, target, .. } = self.problem;
        let extents =
            (0..shape.len()).map(|d| multiples(shape[d], source.chunk[d], target.chunk[d])).collect();
        shapes(shape, extents, self.elements_max())
    }

    fn elements_max(&self) -> u64 {
        self.problem.memory_bytes_max / self.problem.item_bytes
    }

    /// The stages with this tile that fit the memory: with two slots and with one, on as many threads as possible.
    fn fitting(&self, from: End<'_>, to: End<'_>, tile: &Dims, group: &Dims) -> Vec<Stage> {
        let mut out = Vec::new();
        let tiles = count(&self.problem.shape, tile);
        for slots in [2, 1] {
            if slots == 2 && tiles < 2 {
                continue;
            }
            let mut threads = self.problem.threads.max(1);
            let fits = |threads: u64, workers: u64| {
                let order = &self.order;
                let shape = Shape { tile, group, order, threads, workers, slots };
                let candidate = stage(self.problem, from, to, shape);
                (candidate.memory_bytes <= self.problem.memory_bytes_max).then_some(candidate)
            };
            loop {
                if let Some(stage) = fits(threads, workers(threads)).or_else(|| fits(threads, threads)) {
                    out.push(stage);
                    break;
                }
                if threads == 1 {
                    break;
                }
                threads /= 2;
            }
        }
        out
    }

    fn one_seconds(&self, stage: &Stage, decodes: u64) -> f64 {
        let Problem { shape, item_bytes, source, target, .. } = self.problem;
        let chunk_bytes = (elements(shape, &source.chunk) * item_bytes) as f64;
        let read = decodes as f64 * (chunk_bytes * self.costs.read_ns_per_byte + self.costs.request_ns);
        let decode = decodes as f64 * chunk_bytes * self.costs.decode_ns_per_byte;
        let fill = idle(stage, count(&stage.tile, &source.chunk)) * (read + decode + self.copy_ns());
        let drain = idle(stage, count(&stage.tile, &target.chunk)) * (self.encode_ns() + self.copy_ns());
        self.seconds(stage, fill + drain)
    }

    fn two_seconds(&self, first: &Stage, second: &Stage, pieces: u64) -> f64 {
        let Problem { shape, source, .. } = self.problem;
        let costs = &self.costs;
        let requests = pieces as f64 * costs.request_ns;
        let chunks = count(shape, &source.chunk) as f64;
        let read =
            self.bytes() * (costs.read_ns_per_byte + costs.decode_ns_per_byte) + chunks * costs.request_ns;
        let spill = self.bytes() * costs.write_ns_per_byte + requests;
        let back = self.bytes() * costs.read_ns_per_byte + requests;
        self.seconds(first, read + self.copy_ns() * 2.0 + spill)
            + self.seconds(second, back + self.copy_ns() * 2.0 + self.encode_ns())
    }

    fn bytes(&self) -> f64 {
        self.problem.shape.iter().fold(self.problem.item_bytes as f64, |n, s| n * *s as f64)
    }

    fn copy_ns(&self) -> f64 {
        self.bytes() * self.costs.copy_ns_per_byte
    }

    fn encode_ns(&self) -> f64 {
        self.bytes() * (self.costs.encode_ns_per_byte + self.costs.write_ns_per_byte)
    }

    fn seconds(&self, stage: &Stage, work_ns: f64) -> f64 {
        let tiles = count(&self.problem.shape, &stage.tile) as f64;
        (work_ns / stage.threads as f64 + tiles * self.costs.tile_ns) / 1e9
    }

    fn copy(&self) -> Plan {
        let seconds = self.bytes() * (self.costs.read_ns_per_byte + self.costs.write_ns_per_byte) / 1e9;
        self.finish(Strategy::Copy, Vec::new(), None, 0, seconds)
    }

    /// Moving encoded chunks on as many threads as fit the memory.
    fn regroup(&self) -> Option<Plan> {
        let halves = std::iter::successors(Some(self.problem.threads.max(1)), |n| (*n > 1).then_some(n / 2));
        let stage = halves
            .map(|threads| regrouping(self.problem, threads))
            .find(|stage| stage.memory_bytes <= self.problem.memory_bytes_max)?;
        let Costs { read_ns_per_byte, write_ns_per_byte, request_ns, .. } = self.costs;
        let chunks = count(&self.problem.shape, &self.problem.source.chunk) as f64;
        let seconds = (self.bytes() * (read_ns_per_byte + write_ns_per_byte) + chunks * request_ns) / 1e9;
        Some(self.finish(Strategy::Regroup, vec![stage], None, 0, seconds))
    }

    fn single(&self, one: One, two_seconds: Option<f64>) -> Plan {
        let strategy = one.strategy(self.problem);
        let mut plan = self.finish(strategy, vec![one.stage], None, one.decodes, one.seconds);
        plan.rejected = two_seconds.map(|s| (Strategy::Staged, s)).into_iter().collect();
        plan
    }

    fn staged(&self, two: Two, rejected: Option<(Strategy, f64)>) -> Plan {
        let problem = self.problem;
        let tile_bytes = two.second.tile.iter().fold(problem.item_bytes, |n, w| n.saturating_mul(*w));
        let spill = Spill {
            written: two.first.tile.clone(),
            read: two.second.tile.clone(),
            order: two.second.order.clone(),
            pieces: two.pieces,
            bytes: tile_bytes.saturating_mul(count(&problem.shape, &two.second.tile)),
        };
        let decodes = count(&problem.shape, &problem.source.chunk);
        let stages = vec![two.first, two.second];
        let mut plan = self.finish(Strategy::Staged, stages, Some(spill), decodes, two.seconds);
        plan.rejected = rejected.into_iter().collect();
        plan
    }

    fn finish(
        &self,
        strategy: Strategy,
        stages: Vec<Stage>,
        spill: Option<Spill>,
        decodes: u64,
        seconds: f64,
    ) -> Plan {
        let Problem { shape, item_bytes, source, target, .. } = self.problem;
        let bytes = shape.iter().fold(*item_bytes, |n, s| n.saturating_mul(*s));
        let chunk_bytes = elements(shape, &source.chunk).saturating_mul(*item_bytes);
        let predicted = Predicted {
            bytes_read: if strategy == Strategy::Reread {
                decodes.saturating_mul(chunk_bytes)
            } else {
                bytes
            },
            bytes_written: bytes,
            spill_bytes: if spill.is_some() { bytes } else { 0 },
            source_chunks: count(shape, &source.chunk),
            source_chunk_decodes: decodes,
            target_chunks: count(shape, &target.chunk),
            peak_budget_bytes: stages.iter().map(|s| s.memory_bytes).max().unwrap_or(0),
            seconds,
        };
        let problem = self.problem.clone();
        Plan { version: VERSION, problem, strategy, stages, spill, predicted, rejected: Vec::new() }
    }

    fn too_small(&self) -> PlanError {
        let Problem { item_bytes, source, target, .. } = self.problem;
        let bytes = |chunk: &[u64]| chunk.iter().fold(*item_bytes, |n, c| n.saturating_mul(*c));
        PlanError::Memory {
            have: self.problem.memory_bytes_max,
            needed: self.least_memory(),
            source_chunk: source.chunk.clone(),
            source_bytes: bytes(&source.chunk),
            target_chunk: target.chunk.clone(),
            target_bytes: bytes(&target.chunk),
        }
    }

    /// Memory that suffices for the smallest tiles on one thread. Batches grow with the memory there is, by much less than
    /// it: what the last step asked for is soon what it gets.
    fn least_memory(&self) -> u64 {
        let mut problem = self.problem.clone();
        loop {
            let needed = smallest_stage_bytes(&problem, &self.order);
            if needed <= problem.memory_bytes_max {
                return problem.memory_bytes_max;
            }
            problem.memory_bytes_max = needed;
        }
    }
}

/// Memory of the smallest tiles on one thread, with the buffers that `problem`'s memory allows.
fn smallest_stage_bytes(problem: &Problem, order: &[u64]) -> u64 {
    let Problem { source, target, .. } = problem;
    let least = |from, to, tile: &[u64], group: &[u64]| {
        stage(problem, from, to, Shape { tile, group, order, threads: 1, workers: 1, slots: 1 }).memory_bytes
    };
    let (s, t, spill) = (End::Array(source), End::Array(target), End::Spill);
    let direct = least(s, t, &target.chunk, target.object());
    if problem.purpose == Purpose::Compare {
        return direct;
    }
    let first = least(s, spill, &source.chunk, &source.chunk);
    direct.min(first.max(least(spill, t, &target.chunk, target.object())))
}

/// How much longer `units` of equal work take on all threads than a perfect split, where phases do not overlap.
#[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
fn idle(stage: &Stage, units: u64) -> f64 {
    if stage.slots > 1 || units == 0 {
        return 1.0;
    }
    (units.div_ceil(stage.threads) * stage.threads) as f64 / units as f64
}

/// The stages with the largest tiles: fewer, larger pieces.
fn largest(mut stages: Vec<Stage>, shape: &[u64]) -> Vec<Stage> {
    stages.sort_by_key(|s| std::cmp::Reverse((s.threads, elements(shape, &s.tile), s.slots)));
    stages.truncate(PAIRED_MAX);
    stages
}
