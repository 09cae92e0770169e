//! One pass over an array: tiles handed to workers.
//!
//! At most `slots` tiles are in memory. Workers take batches of chunks: first those that fill the oldest tile, then those
//! that empty it, and while others still work on it, those that fill the next. One lock is taken for each batch (hundreds of
//! kilobytes of chunks), never for each chunk.
//!
//! In a sweep, tiles follow each other along one axis, and the chunks that reach over the end of a tile are the last to be read for
//! it: as soon as the next tile is open too, they are decoded once and copied into both.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Dims, Region, Strides, Tile, index};
use zarrange_io::HugePages;
use zarrange_plan::{Counts, Stage, overlaps};

use crate::engine::batches::{Batch, Batches, Pace};
use crate::engine::budget::{Buffer, Lease};
use crate::engine::context::Context;
use crate::engine::crew::{Work, work_off};
use crate::engine::parts::{OpenPart, StageParts};
use crate::engine::permits::Permit;
use crate::engine::presence::{GroupOrder, Known, Listing, Look, Touched};
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::source::{Fill, Source, Tiles};
use crate::engine::tile_order::{TileWalk, Visit};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// A stage with its two ends.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'p, 'a> {
    pub(crate) stage: &'p Stage,
    pub(crate) shape: &'p [u64],
    pub(crate) item_bytes: u64,
    pub(crate) source: &'p dyn Source,
    pub(crate) sink: &'p dyn Sink<'a>,
    pub(crate) parts: &'a StageParts<'a>,
    /// Visits at most this many tiles, evenly spread.
    pub(crate) tiles_max: u64,
}

/// Runs a stage to its end.
pub(crate) fn run(pass: &Pass<'_, '_>, context: &Context<'_>) -> Result<(), RechunkError> {
    let (shared, _leases) = Shared::new(pass, context)?;
    work_off(&shared, (pass.stage.workers, pass.stage.threads), context.progress)?;
    let state = shared.lock();
    if state.walk.is_sparse() && !state.walk.left_out() {
        count_unvisited(pass, context, &state.opened);
    }
    Ok(())
}

/// Counts the chunks of tiles that were not visited: nothing of the source is stored there, so nothing was written.
fn count_unvisited(pass: &Pass<'_, '_>, context: &Context<'_>, opened: &Opened) {
    let Pass { stage, shape, item_bytes, source, sink, .. } = pass;
    let chunks = source.grid();
    let fills = (0..shape.len()).map(|d| {
        let tile = if stage.sweep.map(index) == Some(d) { shape[d] } else { stage.tile[d] };
        if let Some(edges) = chunks.edges() {
            return edges[d].overlaps(tile.max(1));
        }
        let chunk = chunks.chunk_shape()[d];
        let fills = overlaps(shape[d], tile.max(1), chunk);
        (fills, fills.saturating_mul(chunk))
    });
    let (fills, filling) = fills.fold((1u64, *item_bytes), |(n, bytes), (fills, elements)| {
        (n.saturating_mul(fills), bytes.saturating_mul(elements))
    });
    let missing_chunks = fills.saturating_sub(opened.fills);
    context.recorded.add(Counts {
        missing_chunks,
        missing_bytes: filling.saturating_sub(opened.fill_bytes),
        fill_chunks: sink.grid().count().saturating_sub(opened.drains),
        requests: missing_chunks,
        ..Counts::default()
    });
    let elements = shape.iter().fold(1, |n: u64, s| n.saturating_mul(*s));
    context.progress.advance(elements.saturating_sub(opened.elements).saturating_mul(2 * item_bytes));
}

/// A tile in memory.
struct Loaded<'a> {
    tile: Tile,
    part: Arc<OpenPart<'a>>,
    /// Chunks that it is emptied into.
    drains: u64,
    /// Those that it was not emptied into yet.
    undrained: AtomicU64,
}

/// A tile in memory, as the lock's owner sees it.
struct Active<'a> {
    loaded: Arc<Loaded<'a>>,
    /// Chunks that end in the tile.
    fill: Option<Batches>,
    /// Chunks that reach into the next one as well.
    across: Option<Batches>,
    drain: Batches,
    /// Every batch to empty it was handed out.
    drained: bool,
}

/// A batch of chunks for one worker.
struct Task<'a> {
    loaded: Arc<Loaded<'a>>,
    /// The next tile, where chunks are filled into both.
    next: Option<Arc<Loaded<'a>>>,
    batch: Batch,
    phase: Phase,
}

#[derive(Clone, Copy)]
enum Phase {
    Fill,
    /// With the place of the batch in the order of all batches that empty tiles.
    Drain(u64),
}

struct State<'a> {
    walk: TileWalk<'a>,
    opened: Opened,
    /// The part of the tile that was opened last.
    part: Option<Arc<OpenPart<'a>>>,
    active: VecDeque<Active<'a>>,
    free: Vec<Vec<u8>>,
    tickets: u64,
    stopped: bool,
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

struct Shared<'p, 'a> {
    pass: Pass<'p, 'a>,
    context: &'p Context<'p>,
    order: Dims,
    /// What is stored where tiles are filled from, and of what they are compared with.
    known: [Option<Arc<Known>>; 2],
    /// The memory of the tiles.
    pages: Vec<HugePages>,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

/// One worker's means.
struct Hand<'w, 'a> {
    worker: Worker<'w>,
    filler: Box<dyn Fill + 'w>,
    drainer: Box<dyn Drain<'a> + 'w>,
}

impl<'a> Work for Shared<'_, 'a> {
    type Worker<'w>
        = Hand<'w, 'a>
    where
        Self: 'w;
    type Task = Task<'a>;

    /// The first worker begins with the memory of the tiles, ahead of those that fill them.
    fn worker<'w>(&'w self, mut permit: Permit<'w>, first: bool) -> Result<Hand<'w, 'a>, RechunkError> {
        if first {
            permit.hold();
            self.pages.iter().for_each(|pages| pages.populate(|| !self.lock().stopped));
            permit.release();
        }
        let Pass { stage, source, sink, .. } = self.pass;
        let plain = self.context.budget.take(stage.plain_bytes)?;
        let encoded = self.context.budget.take(stage.encoded_bytes)?;
        let worker = Worker {
            plain: plain.data,
            encoded: encoded.data,
            permit,
            counts: Counts::default(),
            digests: [0; 2],
            _leases: vec![plain.lease, encoded.lease],
        };
        let [known, other] = self.known.clone();
        Ok(Hand { worker, filler: source.filler(known)?, drainer: sink.drainer(other)? })
    }

    fn next(&self) -> Option<Task<'a>> {
        let mut state = self.lock();
        loop {
            if state.stopped {
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

    fn step<'w>(&'w self, hand: &mut Hand<'w, 'a>, task: Task<'a>) -> Result<(), RechunkError> {
        let Hand { worker, filler, drainer } = hand;
        let Task { loaded, next, batch, phase } = &task;
        worker.permit.hold();
        match phase {
            Phase::Fill => {
                let tiles = Tiles { tile: &loaded.tile, next: next.as_ref().map(|next| &next.tile) };
                // With what is put into it now, others may empty the next one before its part is told.
                let behind = next.as_ref().map(|next| &next.part).inspect(|part| part.expect(1));
                filler.fill(tiles, batch, worker)?;
                let [digest, digest_behind] = std::mem::take(&mut worker.digests);
                loaded.part.add(std::mem::take(&mut worker.counts), digest);
                if let Some(part) = behind {
                    part.add(Counts::default(), digest_behind);
                    part.finish(1);
                }
            }
            Phase::Drain(ticket) => {
                let Some(tile) = loaded.tile.filled() else { unreachable!("only filled tiles are emptied") };
                let turn = Turn { batch, ticket: *ticket, part: &loaded.part };
                drainer.drain(tile, &turn, worker)?;
            }
        }
        self.context.progress.advance(moved_bytes(&task, self.pass.item_bytes));
        self.finish(task);
        worker.permit.release();
        Ok(())
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.pass.sink.stop();
        self.changed.notify_all();
    }
}

impl<'p, 'a> Shared<'p, 'a> {
    /// The state before the first tile, and the leases of the tiles' buffers.
    fn new(pass: &Pass<'p, 'a>, context: &'p Context<'p>) -> Result<(Self, Vec<Lease>), RechunkError> {
        let Pass { stage, shape, item_bytes, parts, .. } = *pass;
        let grid = |tile: &[u64]| {
            ChunkGrid::new(shape, tile)
                .map_err(|e| RechunkError::Plan { array: String::new(), source: e.into() })
        };
        let order = GroupOrder { groups: grid(&stage.group)?, sweep: stage.sweep.map(index) };
        let (touched, known) = touched(pass, context, &order);
        let is_sparse = touched.is_some();
        let walk = TileWalk::new(grid(&stage.tile)?, order, touched, parts, pass.tiles_max);
        let tile_bytes = shape.iter().zip(&stage.tile).fold(item_bytes, |n, (s, w)| n * s.min(w));
        let slots = (0..stage.slots).map(|_| context.budget.take(tile_bytes));
        let slots = slots.collect::<Result<Vec<_>, _>>()?;
        // Tiles of sparse arrays are cut to what is stored: most of their memory may never be needed.
        let pages = slots.iter().filter_map(|slot| slot.pages).filter(|_| !is_sparse).collect();
        let (free, leases) = slots.into_iter().map(|Buffer { data, lease, .. }| (data, lease)).unzip();
        let state = State {
            walk,
            opened: Opened::default(),
            part: None,
            active: VecDeque::new(),
            free,
            tickets: 0,
            stopped: false,
        };
        let shared = Self {
            pass: *pass,
            context,
            order: stage.order.as_slice().into(),
            known,
            pages,
            state: Mutex::new(state),
            changed: Condvar::new(),
        };
        Ok((shared, leases))
    }

    /// Begins the next tile, if there is a free buffer and a tile left.
    fn open_tile(&self, state: &mut State<'a>) -> bool {
        let Pass { stage, item_bytes, source, sink, .. } = self.pass;
        let Some(buffer) = state.free.pop() else { return false };
        let Some(visit) = state.walk.next() else {
            state.free.push(buffer);
            if let Some(part) = state.part.take() {
                part.finish(1);
            }
            return false;
        };
        let part = self.part_of(state, &visit);
        let region = visit.tile.clone();
        let strides = Strides::ordered(region.clone(), &self.order, item_bytes);
        let tile = Tile::new(buffer, strides, source.grid().clone(), index(item_bytes));
        let (fill_pace, drain_pace) = self.paces(&region);
        let drain = Batches::new(&region, sink.grid(), sink.shards(), drain_pace);
        let drains = drain.total();
        let (within, across) = match stage.sweep.map(index) {
            None => (Some(region.clone()), None),
            Some(axis) => split(&visit, source.grid(), axis),
        };
        let batches = |part: Region| Batches::new(&part, source.grid(), source.shards(), fill_pace);
        let (fill, across) = (within.map(batches), across.map(batches));
        let (mut fills, mut fill_elements) = (0, 0);
        for batches in [&fill, &across].into_iter().flatten() {
            fills += batches.total();
            fill_elements += batches.whole_elements();
        }
        state.opened.fills += fills;
        state.opened.fill_bytes += fill_elements * item_bytes;
        state.opened.drains += drains;
        state.opened.elements += region.elements();
        part.expect(fills + drains);
        let undrained = AtomicU64::new(drains);
        let loaded = Arc::new(Loaded { tile, part, drains, undrained });
        state.active.push_back(Active { loaded, fill, across, drain, drained: false });
        true
    }

    /// How many chunks fill a tile at once, and empty it. Of a piece of an intermediate only what lies in the tile is moved, which may be a
    /// thousandth of it; so it is of a chunk that a tile is emptied into. Chunks that fill a tile are decoded whole.
    fn paces(&self, tile: &Region) -> (Pace, Pace) {
        let Pass { stage, item_bytes, source, sink, .. } = self.pass;
        let inside =
            |chunk: &[u64]| -> Dims { chunk.iter().zip(tile.shape()).map(|(c, t)| *c.min(t)).collect() };
        let filled = source.grid().chunk_shape();
        let filled = if source.array().is_some() { filled.into() } else { inside(filled) };
        let drained = Pace::new(&inside(sink.grid().chunk_shape()), item_bytes, stage.threads);
        let drained = Pace { most: drained.most.min(sink.batch_max(stage.encoded_bytes)), ..drained };
        (Pace::new(&filled, item_bytes, stage.threads), drained)
    }

    /// The part of a tile that is visited now.
    fn part_of(&self, state: &mut State<'a>, visit: &Visit) -> Arc<OpenPart<'a>> {
        if state.part.as_ref().is_none_or(|part| part.number != visit.part)
            && let Some(before) = state.part.replace(self.pass.parts.open(visit.part))
        {
            before.finish(1);
        }
        let Some(part) = &state.part else { unreachable!("a part was begun") };
        if visit.at_border
            && let Some(axis) = self.pass.stage.sweep.map(index)
        {
            part.count(border(&visit.tile, self.pass.source.grid(), axis, self.pass.item_bytes));
        }
        part.clone()
    }

    /// Notes that a task is done; the last one of a tile frees its buffer.
    fn finish(&self, task: Task<'a>) {
        let Task { loaded, next, batch, phase } = task;
        match phase {
            Phase::Fill => {
                loaded.part.finish(batch.count);
                if [Some(&loaded), next.as_ref()].into_iter().flatten().any(|l| l.tile.filled().is_some()) {
                    // Whoever looked before the last part was written is waiting by now: the lock is free.
                    drop(self.lock());
                    self.changed.notify_all();
                }
            }
            Phase::Drain(_) => {
                if loaded.undrained.fetch_sub(batch.count, Ordering::AcqRel) == batch.count {
                    self.lock().active.retain(|a| !Arc::ptr_eq(&a.loaded, &loaded));
                }
            }
        }
        // The last thread to let go of a tile gives its buffer to the next.
        for loaded in [Some(loaded), next].into_iter().flatten().filter_map(Arc::into_inner) {
            self.lock().free.push(loaded.tile.into_buffer());
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next batch of the oldest tile that has one. A tile is emptied only after all older ones were handed out, so that
/// batches for a shard come in order.
fn claim<'a>(state: &mut State<'a>) -> Option<Task<'a>> {
    let mut may_drain = true;
    for k in 0..state.active.len() {
        let next = state.active.get(k + 1).map(|next| next.loaded.clone());
        let active = &mut state.active[k];
        let loaded = &active.loaded;
        if let Some(batch) = active.fill.as_mut().and_then(Batches::next) {
            return Some(Task { loaded: loaded.clone(), next: None, batch, phase: Phase::Fill });
        }
        if let Some(across) = active.across.as_mut().filter(|_| next.is_some())
            && let Some(batch) = across.next()
        {
            return Some(Task { loaded: loaded.clone(), next, batch, phase: Phase::Fill });
        }
        if active.drained {
            continue;
        }
        if may_drain && loaded.tile.filled().is_some() {
            if let Some(batch) = active.drain.next() {
                let phase = Phase::Drain(state.tickets);
                state.tickets += 1;
                return Some(Task { loaded: loaded.clone(), next: None, batch, phase });
            }
            active.drained = true;
        } else {
            may_drain = false;
        }
    }
    None
}

/// Cuts a tile of a sweep along `axis` by who reads its `chunks`: those that end in it, and those that reach into the next tile. What
/// reaches into it was read for the tile before. A neighbour that is not visited reads nothing, and nothing is read for it.
fn split(visit: &Visit, chunks: &ChunkGrid, axis: usize) -> (Option<Region>, Option<Region>) {
    let Visit { tile, after_another, before_another, .. } = visit;
    let chunk = chunks.chunk_shape()[axis];
    let (start, end) = (tile.start()[axis], tile.end(axis));
    let inner_start = if *after_another { start.next_multiple_of(chunk) } else { start };
    let inner_end = if *before_another { (end / chunk * chunk).max(start) } else { end };
    (slab(tile, axis, (inner_start, inner_end)), slab(tile, axis, (inner_end, end)))
}

/// The elements of a tile from one index along `axis` to another, if there are any.
fn slab(tile: &Region, axis: usize, (from, to): (u64, u64)) -> Option<Region> {
    let (mut first, mut shape): (Dims, Dims) = (tile.start().into(), tile.shape().into());
    (first[axis], shape[axis]) = (from, to.saturating_sub(from));
    (from < to).then(|| Region::new(first, shape))
}

/// The chunks that reach into a tile of a sweep along `axis` from the one before it, which others decode, too.
fn border(tile: &Region, chunks: &ChunkGrid, axis: usize, item_bytes: u64) -> Counts {
    let start = tile.start()[axis];
    let inside = start.next_multiple_of(chunks.chunk_shape()[axis]).min(tile.end(axis));
    let Some(slab) = slab(tile, axis, (start, inside)) else { return Counts::default() };
    let covering = chunks.covering(&slab);
    let border_bytes = chunks.whole_elements(&covering) * item_bytes;
    Counts { border_chunks: covering.elements(), border_bytes, ..Counts::default() }
}

/// The groups of tiles with something stored, where they are few and known; and what is stored of both ends, as far as there is room
/// to know it. Stages of a staged plan visit everything: pieces of tiles that were left out would be missing; the planner's choice
/// of one is overruled where one stage costs less.
fn touched(
    pass: &Pass<'_, '_>,
    context: &Context<'_>,
    order: &GroupOrder,
) -> (Option<Touched>, [Option<Arc<Known>>; 2]) {
    let Pass { stage, shape, source, sink, .. } = *pass;
    let everything = (None, [None, None]);
    let (Some(from), Some(objects)) = (source.array(), sink.objects()) else { return everything };
    let other = sink.compared();
    if other.is_some_and(|other| other.elements().fill != from.elements().fill) {
        return everything;
    }
    // What is stored stays whole in a tile that is cut to such cells, where it was: it needs no other buffer than in the whole one.
    let cell: Dims =
        objects.chunk_shape().iter().zip(&stage.tile).map(|(o, w)| (*o).min(*w).max(1)).collect();
    let Ok(cells) = ChunkGrid::new(shape, &cell) else { return everything };
    let look = Look { sparse: context.sparse, budget: context.budget, needed_bytes: stage.memory_bytes };
    let (mut known, mut arrays) = ([None, None], Vec::new());
    for (known, chunks) in known.iter_mut().zip(std::iter::once(from).chain(other)) {
        match look.listing(chunks.array()) {
            Listing::Useless => return everything,
            listing => *known = listing.known(),
        }
        arrays.push(chunks.array());
    }
    let arrays: Vec<_> = arrays.into_iter().zip(known.iter().map(Option::as_deref)).collect();
    match look.groups(&arrays, order.clone(), cells) {
        None => everything,
        touched => (touched, known),
    }
}

/// The share of a stage's groups that it visits, where few of `source` are stored and known.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn share(stage: &Stage, source: &Chunks<'_>, look: &Look<'_>) -> Option<f64> {
    let groups = ChunkGrid::new(source.metadata().shape(), &stage.group).ok()?;
    let order = GroupOrder { groups: groups.clone(), sweep: None };
    let touched = look.groups(&[(source.array(), None)], order, groups.clone())?;
    Some(touched.len() as f64 / groups.count().max(1) as f64)
}

/// Bytes of the tile that a task moved, for progress: an even share, exact over the whole tile.
fn moved_bytes(task: &Task<'_>, item_bytes: u64) -> u64 {
    let share = |loaded: &Loaded<'_>| {
        let chunks = match task.phase {
            Phase::Fill => loaded.tile.chunks().elements(),
            Phase::Drain(_) => loaded.drains,
        };
        loaded.tile.strides().region().elements() * item_bytes * task.batch.count / chunks.max(1)
    };
    share(&task.loaded) + task.next.as_deref().map_or(0, share)
}
