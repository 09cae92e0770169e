//! How long a way takes.
//!
//! A stage fills tiles and drains them; each half takes time of the processors and of a device. Where several threads work, they
//! overlap: the longer one counts, and a fifth of the shorter one for what waits in between. Sources of the rates: the
//! profile of each place, the codecs' own rates, and `results/` for the copies.

use crate::memory::{BATCH_BYTES, Shape};
use crate::problem::{Format, Problem};
use crate::profile::StoreProfile;
use crate::tiles::{count, elements};

/// What remains of the shorter of two times that overlap.
const OVERLAP_LOSS: f64 = 0.2;

/// One half of a stage, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// All processor time.
    pub(crate) cpu: f64,
    /// Time of the device.
    pub(crate) io: f64,
    /// Equal units that it consists of.
    pub(crate) units: u64,
}

/// Times of a problem's halves.
pub(crate) struct Model<'p> {
    problem: &'p Problem,
    /// Bytes of the array.
    bytes: f64,
    /// Objects of the source.
    source_objects: u64,
}

#[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
impl<'p> Model<'p> {
    pub(crate) fn new(problem: &'p Problem) -> Self {
        let bytes = problem.shape.iter().fold(problem.item_bytes as f64, |n, s| n * *s as f64);
        Self { problem, bytes, source_objects: problem.source.objects(&problem.shape) }
    }

    /// Reading and decoding source chunks `visits` times, and copying them to tiles; `units` of them to a tile.
    pub(crate) fn read(&self, visits: u64, units: u64) -> Load {
        let Problem { source, costs, .. } = self.problem;
        let read = visits as f64 * self.chunk_bytes(source);
        let stored = read * source.stored_ratio;
        let place = &costs.source;
        let stays_open = self.stays_open();
        let requests = self.requests(source, visits, place.in_flight)
            * (place.read_request_ns + if stays_open { 0.0 } else { place.open_ns });
        let shards = if stays_open { self.source_objects } else { 0 };
        Load {
            cpu: read * source.decode_ns_per_byte
                + stored * costs.kernel_ns_per_byte
                + self.bytes * costs.copy_ns_per_byte,
            io: stored * place.read_ns_per_byte + requests + shards as f64 * place.open_ns,
            units,
        }
    }

    /// Copying and encoding every target chunk, and writing it; `units` of them from a tile.
    pub(crate) fn write(&self, units: u64) -> Load {
        let Problem { shape, target, costs, .. } = self.problem;
        let (chunks, objects) = (count(shape, &target.chunk), count(shape, target.object()));
        let plain = chunks as f64 * self.chunk_bytes(target);
        let stored = plain * target.stored_ratio;
        let place = &costs.target;
        let requests = self.requests(target, chunks, place.in_flight) * place.write_request_ns;
        // Names of a directory are made one after the other.
        let creates = objects as f64 * place.create_ns;
        Load {
            cpu: plain * target.encode_ns_per_byte
                + stored * costs.kernel_ns_per_byte
                + self.bytes * costs.copy_ns_per_byte,
            io: stored * place.write_ns_per_byte + requests + creates,
            units,
        }
    }

    /// Writing `pieces` of an intermediate.
    pub(crate) fn spill(&self, pieces: u64) -> Load {
        let place = &self.problem.costs.spill;
        self.pieces(pieces, place.write_ns_per_byte, place.write_request_ns / place.in_flight)
    }

    /// Reading them back: those of a tile lie one after the other.
    pub(crate) fn read_back(&self, pieces: u64, tiles: u64) -> Load {
        let place = &self.problem.costs.spill;
        let requests = self.bytes / BATCH_BYTES as f64 + tiles as f64;
        let waits = requests * place.read_request_ns / place.in_flight;
        let mut load = self.pieces(pieces, place.read_ns_per_byte, 0.0);
        load.io += waits;
        load
    }

    fn pieces(&self, pieces: u64, ns_per_byte: f64, request_ns: f64) -> Load {
        /// A system call and finding a piece's place.
        const PIECE_NS: f64 = 1_500.0;
        let costs = &self.problem.costs;
        Load {
            cpu: self.bytes * (costs.kernel_ns_per_byte + costs.copy_ns_per_byte) + pieces as f64 * PIECE_NS,
            io: self.bytes * ns_per_byte + pieces as f64 * request_ns,
            units: 0,
        }
    }

    /// Copying the stored bytes, chunk by chunk or object by object.
    pub(crate) fn move_stored(&self, units: u64) -> f64 {
        let Problem { source, costs, .. } = self.problem;
        let stored = self.bytes * source.stored_ratio;
        let (from, to) = (&costs.source, &costs.target);
        let requests = self.requests(source, units, from.in_flight) * from.read_request_ns
            + self.requests(source, units, to.in_flight) * to.write_request_ns;
        let objects = self.problem.target.objects(&self.problem.shape) as f64;
        let bytes = stored * (from.read_ns_per_byte + to.write_ns_per_byte + 2.0 * costs.kernel_ns_per_byte);
        (bytes + requests + objects * to.create_ns) / 1e9
    }

    /// Seconds of a stage of these halves.
    pub(crate) fn seconds(&self, shape: &Shape, fill: Load, drain: Load) -> f64 {
        self.stage_seconds((&shape.tile, shape.threads, shape.slots), fill, drain)
    }

    /// The same of a stage with tiles of this shape, so many threads, and so many tiles in memory.
    pub(crate) fn stage_seconds(
        &self,
        (tile, threads, slots): (&[u64], u64, u64),
        fill: Load,
        drain: Load,
    ) -> f64 {
        let all = threads as f64;
        let together = |cpu: f64, io: f64| {
            let (cpu, loss) = (cpu / all, if threads == 1 { 1.0 } else { OVERLAP_LOSS });
            cpu.max(io) + loss * cpu.min(io)
        };
        let ns = if slots > 1 {
            together(fill.cpu + drain.cpu, fill.io + drain.io)
        } else {
            let idle = |load: Load| load.cpu * idle(threads, load.units);
            together(idle(fill), fill.io) + together(idle(drain), drain.io)
        };
        let Problem { shape: array, item_bytes, costs, .. } = self.problem;
        let tiles = count(array, tile) as f64;
        let tile_bytes = elements(array, tile) as f64 * *item_bytes as f64;
        let fresh = tile_bytes * slots as f64 * costs.fresh_ns_per_byte / all;
        (ns + fresh + tiles * costs.tile_ns) / 1e9
    }

    /// What it is of.
    pub(crate) const fn problem(&self) -> &'p Problem {
        self.problem
    }

    /// Whether objects of the source are opened once, for all of their chunks.
    pub(crate) fn stays_open(&self) -> bool {
        self.problem.source.shard.is_some() && !self.problem.source.slices
    }

    /// Bytes of the array.
    pub(crate) const fn array_bytes(&self) -> f64 {
        self.bytes
    }

    /// Bytes that are stored of it, at the source and at the target.
    pub(crate) fn stored_bytes(&self) -> (f64, f64) {
        (self.bytes * self.problem.source.stored_ratio, self.bytes * self.problem.target.stored_ratio)
    }

    /// Requests that decode source chunks `visits` times.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub(crate) fn read_requests(&self, visits: u64) -> u64 {
        let indexes = if self.problem.source.shard.is_some() { self.source_objects } else { 0 };
        ((visits as f64 * self.joined(&self.problem.source)).ceil() as u64).saturating_add(indexes)
    }

    /// Requests for `units` chunks of `format`, each as long as if it were alone. Neighbouring inner chunks are joined.
    fn requests(&self, format: &Format, units: u64, in_flight: f64) -> f64 {
        units as f64 * self.joined(format) / self.parallel(format, in_flight)
    }

    /// Requests for a chunk of `format`: of neighbours there are fewer.
    pub(crate) fn joined(&self, format: &Format) -> f64 {
        if format.shard.is_some() && !format.slices {
            (self.chunk_bytes(format) * format.stored_ratio / BATCH_BYTES as f64).min(1.0)
        } else {
            1.0
        }
    }

    /// Requests under way at once: what a batch holds, for each thread, as far as the place bears it.
    fn parallel(&self, format: &Format, in_flight: f64) -> f64 {
        let batch = (BATCH_BYTES as f64 / self.chunk_bytes(format)).max(1.0);
        in_flight.min(batch * self.problem.threads as f64).max(1.0)
    }

    pub(crate) fn chunk_bytes(&self, format: &Format) -> f64 {
        format.chunk.iter().fold(self.problem.item_bytes as f64, |n, c| n * *c as f64)
    }
}

/// Whether smaller pieces than these would mostly be latency.
pub(crate) fn efficient_bytes(place: &StoreProfile) -> f64 {
    place.efficient_bytes().max(64.0 * 1024.0)
}

/// How much longer `units` of equal work take on all threads than a perfect split.
#[expect(clippy::cast_precision_loss, reason = "costs are estimates")]
fn idle(threads: u64, units: u64) -> f64 {
    if units == 0 {
        return 1.0;
    }
    (units.div_ceil(threads) * threads) as f64 / units as f64
}
