//! Weighing the ways.

use zarrange_grid::Dims;

use crate::cost::Model;
use crate::counts::Counts;
use crate::error::PlanError;
use crate::memory::{Buffers, End, Ends, Shape, copying, repacking, stage, workers};
use crate::order;
use crate::plan::{Plan, Predicted, Route, Spill, Stage, Tiled};
use crate::problem::{Problem, Purpose, Way};
use crate::tiles::{count, divisors, multiples, shapes};

/// A way must be this much cheaper to be preferred to a simpler one.
const NEAR_TIE: f64 = 1.02;

/// The share of a plan's time that tiles may take to begin and end, before ways with larger ones are weighed.
const BEGINNING: f64 = 0.02;

/// The cheapest way to solve `problem` within its memory.
///
/// # Errors
/// [`PlanError`] if shapes do not fit each other, the memory does not hold one chunk of each side, or the way that is asked for
/// does not apply.
pub fn plan(problem: &Problem) -> Result<Plan, PlanError> {
    problem.check()?;
    let search = Search::new(problem);
    if let Some(way) = problem.way {
        let plan = search.take(way).ok_or(PlanError::Way { way: way.name() })?;
        return Ok(search.in_order(&plan).unwrap_or(plan));
    }
    if problem.shape.contains(&0) && !search.copies() {
        return Ok(search.finish(Route::Tiled(Tiled::default()), 0, 0.0));
    }
    let mut plans: Vec<Plan> = Vec::new();
    for way in Way::ALL {
        let best = plans.iter().min_by(|a, b| a.predicted.seconds.total_cmp(&b.predicted.seconds));
        if best.is_none_or(|best| search.promises(way, best)) {
            plans.extend(search.take(way));
        }
    }
    plans.sort_by(|a, b| a.predicted.seconds.total_cmp(&b.predicted.seconds));
    let least = plans.first().ok_or_else(|| search.too_small())?.predicted.seconds;
    let near = plans.iter().take_while(|plan| plan.predicted.seconds <= least * NEAR_TIE);
    // Not decoding anything twice is simpler than not sweeping.
    let simplicity = |plan: &Plan| (plan.rereads(), plan.way());
    let simplest = near.enumerate().min_by_key(|(_, plan)| simplicity(plan)).map_or(0, |(k, _)| k);
    let cheapest = plans.remove(simplest);
    let mut chosen = search.in_order(&cheapest).unwrap_or(cheapest);
    chosen.rejected = plans.iter().map(Plan::as_alternative).collect();
    Ok(chosen)
}

/// A problem with what all ways need to know of it.
pub(crate) struct Search<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) model: Model<'p>,
    pub(crate) order: Dims,
}

/// A stage's shape that fits the memory.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) shape: Shape,
    pub(crate) buffers: Buffers,
}

impl Candidate {
    pub(crate) fn stage(&self, order: &[u64]) -> Stage {
        stage(&self.shape, self.buffers, order)
    }
}

impl<'p> Search<'p> {
    pub(crate) fn new(problem: &'p Problem) -> Self {
        let Problem { shape, source, target, item_bytes, .. } = problem;
        let order = order::best(shape, &source.chunk, &target.chunk, *item_bytes);
        Self { problem, model: Model::new(problem), order }
    }

    /// The cheapest plan of a way; `None` if it does not apply or does not fit.
    fn take(&self, way: Way) -> Option<Plan> {
        let writing = self.problem.purpose == Purpose::Write;
        match way {
            Way::Copy => self.copies().then(|| self.copy()).filter(|plan| self.fits(plan)),
            Way::Repack | Way::Tiles | Way::Sweep | Way::Staged | Way::Staged2 | Way::Staged3
                if self.problem.shape.contains(&0) =>
            {
                None
            }
            Way::Repack => self.as_stored().then(|| self.repack()).flatten(),
            Way::Tiles => self.single(false),
            Way::Sweep => writing.then(|| self.single(true)).flatten(),
            Way::Staged => writing.then(|| self.staged(1)).flatten(),
            Way::Staged2 => writing.then(|| self.staged(2)).flatten(),
            Way::Staged3 => writing.then(|| self.staged(3)).flatten(),
        }
    }

    fn fits(&self, plan: &Plan) -> bool {
        plan.predicted.peak_budget_bytes <= self.problem.memory_bytes_max
    }

    /// Whether a way that is less simple than `best` may cost less.
    fn promises(&self, way: Way, best: &Plan) -> bool {
        match way {
            Way::Copy | Way::Repack | Way::Tiles => matches!(best.route, Route::Tiled(_)),
            // What is decoded once, by all threads and while another tile is drained, in few tiles, has nothing to gain.
            Way::Sweep | Way::Staged => {
                let held_up = |s: &Stage| {
                    s.threads < self.problem.threads || s.slots == 1 || self.begins_often(s, best)
                };
                best.rereads() || best.stages().iter().any(held_up)
            }
            Way::Staged2 | Way::Staged3 => {
                best.spills().last().is_some_and(|spill| self.pieces_are_small(spill))
            }
        }
    }

    /// Whether much of the plan's time goes into beginning and ending tiles.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn begins_often(&self, stage: &Stage, plan: &Plan) -> bool {
        let tiles = count(&self.problem.shape, &stage.tile) as f64;
        tiles * self.problem.costs.tile_ns > BEGINNING * plan.predicted.seconds * 1e9
    }

    /// Stored objects can stay as they are. Chunks that are read in slices have no index, as the shards of a target do.
    fn copies(&self) -> bool {
        let Problem { source, target, .. } = self.problem;
        self.as_stored() && source.shard == target.shard && !source.slices
    }

    /// Stored chunks can stay as they are.
    fn as_stored(&self) -> bool {
        let Problem { source, target, purpose, same_encoding, .. } = self.problem;
        *purpose == Purpose::Write && *same_encoding && source.chunk == target.chunk
    }

    /// Tiles aligned to what the target stores as one object, or dividing a shard; each with its group.
    pub(crate) fn target_tiles(&self) -> Vec<(Dims, Dims)> {
        let Problem { shape, source, target, .. } = self.problem;
        let rank = shape.len();
        let object = target.object();
        let extents = (0..rank).map(|d| multiples(shape[d], object[d], source.chunk[d], rank)).collect();
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
    pub(crate) fn source_tiles(&self) -> Vec<Dims> {
        let Problem { shape, source, target, .. } = self.problem;
        let extents = (0..shape.len())
            .map(|d| multiples(shape[d], source.chunk[d], target.chunk[d], shape.len()))
            .collect();
        shapes(shape, extents, self.elements_max())
    }

    pub(crate) fn elements_max(&self) -> u64 {
        self.problem.memory_bytes_max / self.problem.item_bytes
    }

    /// The stages with this tile that fit the memory: with two slots and with one, on as many threads as possible.
    pub(crate) fn fitting(
        &self,
        from: End<'_>,
        to: End<'_>,
        tile: &Dims,
        group: &Dims,
    ) -> impl Iterator<Item = Candidate> + use<'p> {
        let problem = self.problem;
        let ends = Ends::of(problem, from, to, tile, &self.order);
        let slots_max = if count(&problem.shape, tile) < 2 { 1 } else { 2 };
        let (tile, group) = (tile.clone(), group.clone());
        (1..=slots_max).rev().filter_map(move |slots| {
            let fits = |threads: u64, workers: u64| {
                let buffers = ends.buffers(problem, workers, slots);
                (buffers.memory_bytes <= problem.memory_bytes_max).then(|| {
                    let (tile, group) = (tile.clone(), group.clone());
                    let shape = Shape { tile, group, sweep: None, threads, workers, slots };
                    Candidate { shape, buffers }
                })
            };
            halves(problem.threads)
                .find_map(|threads| fits(threads, workers(threads)).or_else(|| fits(threads, threads)))
        })
    }

    fn copy(&self) -> Plan {
        let Problem { shape, source, threads, memory_bytes_max, .. } = self.problem;
        let objects = source.objects(shape);
        let mut plan = self.finish(Route::Copy, 0, self.model.move_stored(objects));
        let (threads, buffer_bytes) = copying(objects, *threads, *memory_bytes_max);
        plan.predicted.peak_budget_bytes = threads.saturating_mul(buffer_bytes);
        plan
    }

    /// Moving encoded chunks on as many threads as fit the memory.
    fn repack(&self) -> Option<Plan> {
        let repack = halves(self.problem.threads)
            .map(|threads| repacking(self.problem, threads))
            .find(|repack| repack.memory_bytes <= self.problem.memory_bytes_max)?;
        let chunks = count(&self.problem.shape, &self.problem.source.chunk);
        Some(self.finish(Route::Repack(repack), 0, self.model.move_stored(chunks)))
    }

    /// The plan that takes this route, its costs filled in.
    pub(crate) fn finish(&self, route: Route, decodes: u64, seconds: f64) -> Plan {
        let Problem { shape, item_bytes, source, target, .. } = self.problem;
        let ((source_chunks, elements_once), (target_chunks, written)) =
            (source.chunks(shape), target.chunks(shape));
        let first = if let Route::Tiled(tiled) = &route { tiled.stages.first() } else { None };
        // Ways are weighed as if all chunks were as large as the largest; what is counted is counted exactly.
        let (decodes, read) = match first {
            Some(stage) if !source.is_regular() => source.overlaps(shape, &stage.tile),
            Some(_) if decodes > source_chunks => {
                (decodes, source.chunk.iter().fold(decodes, |n, c| n.saturating_mul(*c)))
            }
            Some(_) | None => (decodes, elements_once),
        };
        let (reads, writes) = match &route {
            Route::Copy => (source.objects(shape), target.objects(shape)),
            Route::Repack(_) => (source_chunks, target_chunks),
            Route::Tiled(_) => (decodes, target_chunks),
        };
        // Else everything is moved as it is stored.
        let is_tiled = matches!(route, Route::Tiled(_));
        let coded = |bytes: u64| if is_tiled { bytes } else { 0 };
        let [read_bytes, written_bytes] =
            [read, written].map(|elements| elements.saturating_mul(*item_bytes));
        let mut predicted = Predicted {
            counts: Counts {
                bytes_read: source.stored_bytes(read_bytes),
                bytes_written: if is_tiled { target } else { source }.stored_bytes(written_bytes),
                source_chunk_decodes: decodes,
                decoded_bytes: coded(read_bytes),
                target_chunks: writes,
                encoded_bytes: coded(written_bytes),
                requests: reads.saturating_add(writes),
                ..Counts::default()
            },
            source_chunks,
            peak_budget_bytes: peak_bytes(&route),
            seconds,
        };
        if let Route::Tiled(Tiled { spills, .. }) = &route {
            let total = |of: fn(&Spill) -> u64| spills.iter().map(of).fold(0, u64::saturating_add);
            let pieces = total(|spill| spill.pieces).saturating_mul(2);
            predicted.counts +=
                Counts { spill_bytes: total(|spill| spill.bytes), requests: pieces, ..Counts::default() };
        }
        let problem = self.problem.clone();
        Plan { version: Plan::VERSION, problem, route, predicted, rejected: Vec::new() }
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

/// The most memory that a route takes at once.
fn peak_bytes(route: &Route) -> u64 {
    match route {
        // It is what there is: the caller knows.
        Route::Copy => 0,
        Route::Repack(repack) => repack.memory_bytes,
        Route::Tiled(Tiled { stages, spills }) => {
            let held = |k: usize| spills.get(k).map_or(0, Spill::held_bytes);
            let peaks = stages.iter().enumerate().map(|(k, stage)| {
                let before = if k > 0 { held(k - 1) } else { 0 };
                stage.memory_bytes.saturating_add(before).saturating_add(held(k))
            });
            peaks.max().unwrap_or(0)
        }
    }
}

/// Threads to try: all, then half as many, down to one.
fn halves(threads: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(threads.max(1)), |n| (*n > 1).then_some(n / 2))
}

/// Memory of the smallest tiles on one thread, with the buffers that `problem`'s memory allows.
fn smallest_stage_bytes(problem: &Problem, order: &[u64]) -> u64 {
    let Problem { source, target, .. } = problem;
    let least =
        |from, to, tile: &[u64]| Ends::of(problem, from, to, tile, order).buffers(problem, 1, 1).memory_bytes;
    let (s, t, spill) = (End::Array(source), End::Array(target), End::Spill);
    let direct = least(s, t, &target.chunk);
    if problem.purpose != Purpose::Write {
        return direct;
    }
    direct.min(least(s, spill, &source.chunk).max(least(spill, t, &target.chunk)))
}
