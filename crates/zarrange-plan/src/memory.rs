//! How much memory a stage takes: exactly what its run will allocate.

use zarrange_grid::{Dims, Region, Strides};

use crate::plan::{Repack, Stage};
use crate::problem::{Format, Problem, Purpose};
use crate::tiles::elements;

/// Codec contexts up to this total live in the fixed allowance beside the budget; what is above counts.
pub(crate) const CONTEXT_ALLOWANCE_BYTES: u64 = 16 << 20;

/// The largest buffer through which pieces of an intermediate are gathered.
pub(crate) const SLAB_BYTES_MAX: u64 = 1 << 20;

/// Shards that are held in memory at once, where one can only be written whole: one is filled while another is written.
pub const WHOLE_SHARDS: u64 = 2;

/// Behind each piece of an intermediate lies a checksum of this size.
pub const CHECK_BYTES: u64 = 8;

/// Encoded chunks are read and written in batches of about this size.
pub const BATCH_BYTES: u64 = 1 << 20;

/// Objects that a thread copies at once.
pub const COPIED_TOGETHER: u64 = 16;

/// Workers for `threads`: half as many again, so that threads compute while others wait for the device. A single thread does
/// everything itself.
pub(crate) const fn workers(threads: u64) -> u64 {
    if threads > 1 { threads.saturating_add(threads.div_ceil(2)) } else { 1 }
}

/// One end of a stage.
#[derive(Clone, Copy)]
pub(crate) enum End<'a> {
    /// A Zarr array.
    Array(&'a Format),
    /// Pieces of an intermediate.
    Spill,
}

/// The free choices of a stage.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) tile: Dims,
    pub(crate) group: Dims,
    pub(crate) sweep: Option<usize>,
    pub(crate) threads: u64,
    pub(crate) workers: u64,
    pub(crate) slots: u64,
}

/// The buffers of a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    plain: u64,
    encoded: u64,
    parked: u64,
    /// All memory, tiles included.
    pub(crate) memory_bytes: u64,
}

/// What both ends of a stage need for a tile, however many threads there are.
pub(crate) struct Ends {
    fill: Needs,
    drain: Needs,
    tile_bytes: u64,
    /// The target's shards are written.
    sharded: bool,
}

impl Ends {
    pub(crate) fn of(problem: &Problem, from: End<'_>, to: End<'_>, tile: &[u64], order: &[u64]) -> Self {
        let sharded =
            matches!(to, End::Array(Format { shard: Some(_), .. })) && problem.purpose == Purpose::Write;
        Self {
            fill: needs(problem, from, tile, order, false),
            drain: needs(problem, to, tile, order, true),
            tile_bytes: elements(&problem.shape, tile).saturating_mul(problem.item_bytes),
            sharded,
        }
    }

    /// The buffers of `workers` and of `slots` tiles.
    pub(crate) fn buffers(&self, problem: &Problem, workers: u64, slots: u64) -> Buffers {
        let Self { fill, drain, tile_bytes, sharded } = self;
        let plain = fill.plain.max(drain.plain);
        let encoded = batch(problem, fill.encoded, workers).max(batch(problem, drain.encoded, workers));
        let parked = if *sharded && workers > 1 { workers } else { 0 };
        // Sizes come from metadata: a sum that overflows is one that does not fit.
        let sum = |parts: &[u64]| parts.iter().fold(0, |n: u64, part| n.saturating_add(*part));
        let per_worker = sum(&[plain, encoded, fill.scratch, drain.scratch]);
        let contexts = sum(&[fill.contexts, drain.contexts]).saturating_mul(workers);
        let in_use = sum(&[workers, 1]);
        let indexes = sum(&[
            fill.index.saturating_mul(in_use),
            drain.index.saturating_mul(if *sharded { sum(&[in_use, parked]) } else { in_use }),
        ]);
        let memory_bytes = sum(&[
            tile_bytes.saturating_mul(slots),
            per_worker.saturating_mul(workers),
            encoded.saturating_mul(parked),
            contexts.saturating_sub(CONTEXT_ALLOWANCE_BYTES),
            indexes,
            if *sharded { drain.whole_shards } else { 0 },
        ]);
        Buffers { plain, encoded, parked, memory_bytes }
    }
}

/// A stage of this shape with its buffers.
pub(crate) fn stage(shape: &Shape, buffers: Buffers, order: &[u64]) -> Stage {
    let Shape { tile, group, sweep, threads, workers, slots } = shape;
    Stage {
        tile: tile.to_vec(),
        group: group.to_vec(),
        sweep: sweep.map(|axis| axis as u64),
        order: order.to_vec(),
        threads: *threads,
        workers: *workers,
        slots: *slots,
        plain_bytes: buffers.plain,
        encoded_bytes: buffers.encoded,
        parked: buffers.parked,
        memory_bytes: buffers.memory_bytes,
    }
}

/// Copying stored objects: how many threads, and the bytes of each one's buffer.
pub fn copying(objects: u64, threads: u64, memory_bytes_max: u64) -> (u64, u64) {
    // Each has a byte at least.
    let threads = threads.min(objects.div_ceil(COPIED_TOGETHER)).min(memory_bytes_max).max(1);
    (threads, (memory_bytes_max / threads.saturating_mul(2)).clamp(1, BATCH_BYTES))
}

/// Moving encoded chunks between objects on `threads`: a worker reads a batch into one buffer and gathers it for its target in
/// another.
pub(crate) fn repacking(problem: &Problem, threads: u64) -> Repack {
    let (source, target) = (&problem.source, &problem.target);
    let workers = workers(threads);
    let encoded = batch(problem, source.encoded_bytes_max.max(target.encoded_bytes_max), workers);
    let parked = if target.shard.is_some() && workers > 1 { workers } else { 0 };
    let in_use = workers.saturating_add(1);
    let indexes = source
        .shard_index_bytes
        .saturating_mul(in_use)
        .saturating_add(target.shard_index_bytes.saturating_mul(in_use.saturating_add(parked)))
        .saturating_add(whole_shards(target));
    let buffers = workers.saturating_mul(2).saturating_add(parked);
    let memory_bytes = encoded.saturating_mul(buffers).saturating_add(indexes);
    Repack { threads, workers, encoded_bytes: encoded, parked, memory_bytes }
}

/// What one end of a stage needs, for each worker.
#[derive(Default)]
struct Needs {
    plain: u64,
    encoded: u64,
    scratch: u64,
    contexts: u64,
    /// For each shard in use.
    index: u64,
    /// For all workers together.
    whole_shards: u64,
}

/// The shards that are held in memory.
const fn whole_shards(target: &Format) -> u64 {
    target.whole_shard_bytes.saturating_mul(WHOLE_SHARDS)
}

fn needs(problem: &Problem, end: End<'_>, tile: &[u64], order: &[u64], draining: bool) -> Needs {
    let format = match end {
        End::Array(_) if draining && problem.purpose == Purpose::Read => return Needs::default(),
        End::Array(format) => format,
        End::Spill => {
            // Many small pieces are moved together, a large one in several steps.
            let whole = elements(&problem.shape, tile).saturating_mul(problem.item_bytes);
            let plain = whole.min(slab_max(problem)).saturating_add(CHECK_BYTES);
            return Needs { plain, ..Needs::default() };
        }
    };
    let chunk_bytes = format.chunk.iter().fold(problem.item_bytes, |n, c| n.saturating_mul(*c));
    let comparing = draining && problem.purpose == Purpose::Compare;
    let in_place = format.is_regular() && in_place(problem, &format.chunk, tile, order);
    let plain = match (comparing, in_place) {
        // One side is gathered from the tile, the other decoded.
        (true, _) => chunk_bytes.saturating_mul(2),
        (false, true) => 0,
        (false, false) => chunk_bytes,
    };
    Needs {
        plain,
        encoded: format.encoded_bytes_max,
        scratch: format.scratch_bytes,
        contexts: format.context_bytes,
        index: format.shard_index_bytes,
        whole_shards: whole_shards(format),
    }
}

/// Whether every chunk that overlaps a tile is whole and contiguous in it: it needs no buffer of its own.
fn in_place(problem: &Problem, chunk: &[u64], tile: &[u64], order: &[u64]) -> bool {
    let whole = (0..chunk.len()).all(|d| {
        let n = problem.shape[d];
        n.is_multiple_of(chunk[d]) && (tile[d] >= n || tile[d].is_multiple_of(chunk[d]))
    });
    let clipped: Vec<u64> = tile.iter().zip(&problem.shape).map(|(w, n)| *w.min(n)).collect();
    if !whole || clipped.contains(&0) {
        return false;
    }
    let layout = Strides::ordered(Region::whole(&clipped), order, problem.item_bytes);
    layout.contiguous(&Region::whole(chunk), problem.item_bytes).is_some()
}

/// Chunks are fetched and stored in batches, so that small ones do not each cost a wait.
fn batch(problem: &Problem, encoded: u64, threads: u64) -> u64 {
    let room = (problem.memory_bytes_max / threads.saturating_mul(16)).min(BATCH_BYTES);
    room.checked_div(encoded).map_or(0, |count| count.max(1) * encoded)
}

/// Pieces are moved through slabs; a small memory gets small ones.
fn slab_max(problem: &Problem) -> u64 {
    (problem.memory_bytes_max / problem.threads.max(1).saturating_mul(16))
        .min(SLAB_BYTES_MAX)
        .max(problem.item_bytes)
}
