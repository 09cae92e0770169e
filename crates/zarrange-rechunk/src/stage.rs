//! One pass over an array: tiles handed to workers.
//!
//! At most `slots` tiles are in memory. Workers take batches of chunks: first those that fill the oldest tile, then those
//! that drain it, and while others still work on it, those that fill the next. One lock is taken for each batch (hundreds of
//! kilobytes of chunks), never for each chunk.
//!
//! In a sweep, tiles follow each other along one axis, and the chunks that reach over the end of a tile are the last to be read for
//! it: as soon as the next tile is open too, they are decoded once and copied into both.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use zarrange_array::Array;
use zarrange_grid::{ChunkGrid, Dims, Layout, Region, Tile, index};
use zarrange_io::HugePages;
use zarrange_plan::{Stage, overlaps};

use crate::RechunkError;
use crate::budget::{Budget, Buffer, Lease};
use crate::drain::{Drain, Filled};
use crate::fill::Fill;
use crate::gate::Gate;
use crate::presence::{GroupOrder, Known, Listing, Look, Sparse, Touched};
use crate::progress::Progress;
use crate::report::{Counters, add};
use crate::threads::together;
use crate::walk::{Batch, Cursor, TileWalk, Visit};

/// A stage with its two ends.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) shape: &'a [u64],
    pub(crate) item_bytes: u64,
    pub(crate) fill: Fill<'a>,
    pub(crate) drain: &'a Drain<'a>,
    pub(crate) budget: &'a Arc<Budget>,
    pub(crate) counters: &'a Counters,
    pub(crate) progress: &'a dyn Progress,
    /// Visits at most this many tiles, evenly spread.
    pub(crate) tiles_max: u64,
    /// From when on only tiles with something stored are visited.
    pub(crate) sparse: Sparse,
}

/// Runs a stage to its end.
pub(crate) fn run(pass: &Pass<'_>) -> Result<(), RechunkError> {
    let (shared, _leases) = Shared::new(pass)?;
    let outcome = together(pass.stage.workers, pass.progress, |first| {
        shared.work(first);
        Ok(())
    });
    let mut state = shared.lock();
    if let Some(error) = state.error.take() {
        return Err(error);
    }
    outcome?;
    if state.walk.is_sparse() {
        count_unvisited(pass, &state.opened);
    }
    Ok(())
}

/// Counts the chunks of tiles that were not visited: nothing of the source is stored there, so nothing was written.
fn count_unvisited(pass: &Pass<'_>, opened: &Opened) {
    let Pass { stage, shape, item_bytes, fill, drain, counters, progress, .. } = pass;
    let units = fill.units();
    let fills = (0..shape.len()).map(|d| {
        let tile = if stage.sweep.map(index) == Some(d) { shape[d] } else { stage.tile[d] };
        if let Some(edges) = units.edges() {
            return edges[d].overlaps(tile.max(1));
        }
        let chunk = units.chunk_shape()[d];
        let fills = overlaps(shape[d], tile.max(1), chunk);
        (fills, fills.saturating_mul(chunk))
    });
    let (fills, filling) = fills.fold((1u64, *item_bytes), |(n, bytes), (fills, elements)| {
        (n.saturating_mul(fills), bytes.saturating_mul(elements))
    });
    counters.missing(fills.saturating_sub(opened.fills), filling.saturating_sub(opened.fill_bytes));
    add(&counters.all_fill, drain.units().count().saturating_sub(opened.drains));
    let elements = shape.iter().fold(1, |n: u64, s| n.saturating_mul(*s));
    progress.advance(elements.saturating_sub(opened.elements).saturating_mul(2 * item_bytes));
}

/// A tile in memory.
struct Work {
    tile: Tile,
    /// Chunks that it drains into.
    drains: u64,
    /// Those not yet drained.
    undrained: AtomicU64,
}

/// A tile in memory, as the lock's owner sees it.
struct Active {
    work: Arc<Work>,
    /// Chunks that end in the tile.
    fill: Option<Cursor>,
    /// Chunks that reach into the next one as well.
    across: Option<Cursor>,
    drain: Cursor,
    /// Every batch to drain was handed out.
    drained: bool,
}

/// A batch of chunks for one thread.
struct Task {
    work: Arc<Work>,
    /// The next tile, where chunks are filled into both.
    next: Option<Arc<Work>>,
    batch: Batch,
    phase: Phase,
}

enum Phase {
    Fill,
    /// With the place of the batch in the order of all batches that are drained.
    Drain(u64),
}

struct State {
    walk: TileWalk,
    opened: Opened,
    active: VecDeque<Active>,
    free: Vec<Vec<u8>>,
    tickets: u64,
    error: Option<RechunkError>,
}

/// What belongs to the tiles that were opened.
#[derive(Default)]
struct Opened {
    fills: u64,
    /// Of whole chunks.
    fill_bytes: u64,
    drains: u64,
    elements: u64,
}

struct Shared<'a> {
    pass: Pass<'a>,
    order: Dims,
    gate: Gate,
    /// What is stored where tiles are filled from, and of what they are compared with.
    known: [Option<Arc<Known>>; 2],
    /// The memory of the tiles.
    pages: Vec<HugePages>,
    state: Mutex<State>,
    changed: Condvar,
}

impl<'a> Shared<'a> {
    /// The state before the first tile, and the leases of the tiles' buffers.
    fn new(pass: &Pass<'a>) -> Result<(Self, Vec<Lease>), RechunkError> {
        let Pass { stage, shape, item_bytes, budget, .. } = *pass;
        let grid = |tile: &[u64]| {
            ChunkGrid::new(shape, tile)
                .map_err(|e| RechunkError::Plan { array: String::new(), source: e.into() })
        };
        let order = GroupOrder { groups: grid(&stage.group)?, sweep: stage.sweep.map(index) };
        let (touched, known) = touched(pass, &order);
        let is_sparse = touched.is_some();
        let walk = TileWalk::new(grid(&stage.tile)?, order, touched, pass.tiles_max);
        let tile_bytes = shape.iter().zip(&stage.tile).fold(item_bytes, |n, (s, w)| n * s.min(w));
        let slots = (0..stage.slots).map(|_| budget.take(tile_bytes)).collect::<Result<Vec<_>, _>>()?;
        // Tiles of sparse arrays are cut to what is stored: most of their memory may never be needed.
        let pages = slots.iter().filter_map(|slot| slot.pages).filter(|_| !is_sparse).collect();
        let (free, leases) = slots.into_iter().map(|Buffer { data, lease, .. }| (data, lease)).unzip();
        let (active, opened) = (VecDeque::new(), Opened::default());
        let state = State { walk, opened, active, free, tickets: 0, error: None };
        let order = stage.order.as_slice().into();
        Ok((
            Self {
                pass: *pass,
                order,
                gate: Gate::new(stage.threads),
                known,
                pages,
                state: Mutex::new(state),
                changed: Condvar::new(),
            },
            leases,
        ))
    }

    /// What each thread does until nothing is left. The `first` begins with the memory of the tiles, ahead of those that fill them.
    fn work(&self, first: bool) {
        let guard = PanicGuard(self);
        if first {
            let _permit = self.gate.enter();
            self.pages.iter().for_each(|pages| pages.populate(|| self.lock().error.is_none()));
        }
        if let Err(error) = self.work_until_done() {
            self.fail(error);
        }
        std::mem::forget(guard);
    }

    fn work_until_done(&self) -> Result<(), RechunkError> {
        let Pass { stage, fill, drain, budget, counters, progress, item_bytes, .. } = self.pass;
        let mut plain = budget.take(stage.plain_bytes)?;
        let Buffer { data: encoded, lease: _lease, .. } = budget.take(stage.encoded_bytes)?;
        let [source, other] = self.known.clone();
        let mut filler = fill.worker(budget, source)?;
        let mut drainer = drain.worker(budget, encoded, other)?;
        while let Some(task) = self.next() {
            let Task { work, next, batch, phase } = &task;
            let permit = &mut self.gate.enter();
            match phase {
                Phase::Fill => {
                    let tiles = (&work.tile, next.as_ref().map(|next| &next.tile));
                    filler.fill(tiles, batch, (&mut plain.data, drainer.encoded()), permit, counters)?;
                }
                Phase::Drain(ticket) => {
                    let Some(data) = work.tile.filled() else { continue };
                    let tile = Filled { data, layout: work.tile.layout() };
                    drainer.drain(tile, (batch, *ticket), &mut plain.data, permit, counters)?;
                }
            }
            progress.advance(moved_bytes(&task, item_bytes));
            self.finish(task);
        }
        Ok(())
    }

    /// The next batch to work on; waits for one, and is `None` once all is done or has failed.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.error.is_some() {
                return None;
            }
            if let Some(task) = claim(&mut state) {
                return Some(task);
            }
            if self.open_tile(&mut state) {
                continue;
            }
            if state.active.is_empty() {
                // Every tile is done, or its last batch is and nobody needs the others woken.
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Begins the next tile, if there is a free buffer and a tile left.
    fn open_tile(&self, state: &mut State) -> bool {
        let Pass { stage, item_bytes, fill, drain, .. } = self.pass;
        let Some(buffer) = state.free.pop() else { return false };
        let Some(visit) = state.walk.next() else {
            state.free.push(buffer);
            return false;
        };
        let region = visit.tile.clone();
        let layout = Layout::ordered(region.clone(), &self.order, item_bytes);
        let tile = Tile::new(buffer, layout, fill.units().clone(), index(item_bytes));
        let drain = drain.cursor(&region, item_bytes, stage.threads, stage.encoded_bytes);
        let drains = drain.total();
        let work = Arc::new(Work { tile, drains, undrained: AtomicU64::new(drains) });
        let elements = region.elements();
        let (within, across) = match stage.sweep.map(index) {
            None => (Some(region), None),
            Some(axis) => split(&visit, fill.units(), axis),
        };
        let cursor = |part: Region| fill.cursor(&part, item_bytes, stage.threads);
        let (fill, across) = (within.map(cursor), across.map(cursor));
        let Opened { fills, fill_bytes, drains: all_drains, elements: all_elements } = &mut state.opened;
        for cursor in [&fill, &across].into_iter().flatten() {
            *fills += cursor.total();
            *fill_bytes += cursor.whole_elements() * item_bytes;
        }
        *all_drains += drains;
        *all_elements += elements;
        state.active.push_back(Active { work, fill, across, drain, drained: false });
        true
    }

    /// Notes that a task is done; the last one of a tile frees its buffer.
    fn finish(&self, task: Task) {
        let Task { work, next, batch, phase } = task;
        match phase {
            Phase::Fill
                if [Some(&work), next.as_ref()].into_iter().flatten().any(|w| w.tile.filled().is_some()) =>
            {
                // Whoever looked before the last part was written is waiting by now: the lock is free.
                drop(self.lock());
                self.changed.notify_all();
            }
            Phase::Fill => {}
            Phase::Drain(_) => {
                if work.undrained.fetch_sub(batch.count, Ordering::AcqRel) == batch.count {
                    self.lock().active.retain(|a| !Arc::ptr_eq(&a.work, &work));
                }
            }
        }
        // The last thread to let go of a tile gives its buffer to the next.
        for work in [Some(work), next].into_iter().flatten().filter_map(Arc::into_inner) {
            self.lock().free.push(work.tile.into_buffer());
            self.changed.notify_all();
        }
    }

    fn fail(&self, error: RechunkError) {
        self.lock().error.get_or_insert(error);
        self.pass.drain.abort();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next batch of the oldest tile that has one. A tile is drained only after all older ones were handed out, so that
/// batches for a shard come in order.
fn claim(state: &mut State) -> Option<Task> {
    let mut may_drain = true;
    for k in 0..state.active.len() {
        let next = state.active.get(k + 1).map(|next| next.work.clone());
        let active = &mut state.active[k];
        if let Some(batch) = active.fill.as_mut().and_then(Cursor::next) {
            return Some(Task { work: active.work.clone(), next: None, batch, phase: Phase::Fill });
        }
        if let Some(across) = active.across.as_mut().filter(|_| next.is_some())
            && let Some(batch) = across.next()
        {
            return Some(Task { work: active.work.clone(), next, batch, phase: Phase::Fill });
        }
        if active.drained {
            continue;
        }
        if may_drain && active.work.tile.filled().is_some() {
            if let Some(batch) = active.drain.next() {
                let ticket = state.tickets;
                state.tickets += 1;
                return Some(Task {
                    work: active.work.clone(),
                    next: None,
                    batch,
                    phase: Phase::Drain(ticket),
                });
            }
            active.drained = true;
        } else {
            may_drain = false;
        }
    }
    None
}

/// Cuts a tile of a sweep along `axis` by who reads its chunks of `units`: those that end in it, and those that reach into the
/// next tile. What reaches into it was read for the tile before. A neighbour that is not visited reads nothing, and nothing is
/// read for it.
fn split(visit: &Visit, units: &ChunkGrid, axis: usize) -> (Option<Region>, Option<Region>) {
    let Visit { tile, after_another, before_another } = visit;
    let chunk = units.chunk_shape()[axis];
    let (start, end) = (tile.start()[axis], tile.end(axis));
    let inner_start = if *after_another { start.next_multiple_of(chunk) } else { start };
    let inner_end = if *before_another { (end / chunk * chunk).max(start) } else { end };
    let part = |from: u64, to: u64| {
        let (mut first, mut shape): (Dims, Dims) = (tile.start().into(), tile.shape().into());
        (first[axis], shape[axis]) = (from, to.saturating_sub(from));
        (from < to).then(|| Region::new(first, shape))
    };
    (part(inner_start, inner_end), part(inner_end, end))
}

/// The groups of tiles with something stored, where they are few and known; and what is stored of both ends, as far as there is room
/// to know it. Stages of a staged plan visit everything: pieces of
/// tiles that were left out would read as zeros; `job` takes a plan of one stage where that costs less.
fn touched(pass: &Pass<'_>, order: &GroupOrder) -> (Option<Touched>, [Option<Arc<Known>>; 2]) {
    let Pass { stage, shape, fill, drain, budget, sparse, .. } = *pass;
    let everything = (None, [None, None]);
    let Fill::Array(source, from) = fill else { return everything };
    let (objects, other) = match drain {
        Drain::Spill(_) => return everything,
        Drain::Chunks(target, _) | Drain::Shards(target, ..) => (target.objects(), None),
        Drain::Compare(_, elements, _) if elements.fill != from.fill => return everything,
        Drain::Compare(other, ..) => (other.objects(), Some(*other)),
    };
    // What is stored stays whole in a tile that is cut to such cells, where it was: it needs no other buffer than in the whole one.
    let cell: Dims =
        objects.chunk_shape().iter().zip(&stage.tile).map(|(o, w)| (*o).min(*w).max(1)).collect();
    let Ok(cells) = ChunkGrid::new(shape, &cell) else { return everything };
    let look = Look { sparse, budget, needed_bytes: stage.memory_bytes };
    let (mut known, mut arrays) = ([None, None], Vec::new());
    for (known, array) in known.iter_mut().zip(std::iter::once(source).chain(other)) {
        match look.listing(array) {
            Listing::Useless => return everything,
            listing => *known = listing.known(),
        }
        arrays.push(array);
    }
    let arrays: Vec<_> = arrays.into_iter().zip(known.iter().map(Option::as_deref)).collect();
    match look.groups(&arrays, order.clone(), cells) {
        None => everything,
        touched => (touched, known),
    }
}

/// The share of a stage's groups that it visits, where few chunks of `source` are stored and known.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn share(stage: &Stage, source: &Array, look: &Look<'_>) -> Option<f64> {
    let groups = ChunkGrid::new(source.shape(), &stage.group).ok()?;
    let order = GroupOrder { groups: groups.clone(), sweep: None };
    let touched = look.groups(&[(source, None)], order, groups.clone())?;
    Some(touched.len() as f64 / groups.count().max(1) as f64)
}

/// Bytes of the tile that a task moved, for progress: an even share, exact over the whole tile.
fn moved_bytes(task: &Task, item_bytes: u64) -> u64 {
    let share = |work: &Work| {
        let units = match task.phase {
            Phase::Fill => work.tile.chunks().elements(),
            Phase::Drain(_) => work.drains,
        };
        work.tile.layout().region().elements() * item_bytes * task.batch.count / units.max(1)
    };
    share(&task.work) + task.next.as_deref().map_or(0, share)
}

/// Wakes the others when a thread panics, so that the job ends instead of waiting for it.
struct PanicGuard<'s, 'a>(&'s Shared<'a>);

impl Drop for PanicGuard<'_, '_> {
    fn drop(&mut self) {
        self.0.fail(RechunkError::Panicked);
    }
}
