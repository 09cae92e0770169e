//! What a worker waits for while it carries out a stage: batch by batch, as they are made.
//!
//! The planner compares ways by costs that local file systems hide: they read ahead, and collect what is written. A place that is far away does
//! not, so a simulation of workers counts each batch.
#![expect(clippy::cast_precision_loss, reason = "costs are estimates")]

use crate::cost::Model;
use crate::memory::{BATCH_BYTES, CHECK_BYTES};
use crate::plan::{Spill, Stage};
use crate::problem::Format;
use crate::profile::StoreProfile;
use crate::tiles::{count, elements};

/// One half of a stage, as batches of requests.
struct Batches {
    /// Tiles, and what each is moved in: chunks, pieces, or parts of them.
    tiles: f64,
    each_tile: f64,
    /// How many of them are under way together.
    together: f64,
    /// Requests for each of them; several of one batch are joined to no less than one.
    requests: f64,
    /// Stored bytes of each.
    bytes: f64,
}

/// What a place lets wait.
#[derive(Clone, Copy)]
struct Place {
    request_ns: f64,
    ns_per_byte: f64,
    in_flight: f64,
}

impl Place {
    fn to_read(place: &StoreProfile) -> Self {
        let StoreProfile { read_request_ns, read_ns_per_byte, in_flight, .. } = *place;
        Self { request_ns: read_request_ns, ns_per_byte: read_ns_per_byte, in_flight }
    }

    fn to_write(place: &StoreProfile) -> Self {
        let StoreProfile { write_request_ns, write_ns_per_byte, in_flight, .. } = *place;
        Self { request_ns: write_request_ns, ns_per_byte: write_ns_per_byte, in_flight }
    }
}

impl Batches {
    /// Nanoseconds until `threads` have had all answers. Of a batch as many requests as the place bears wait together; from the first answer
    /// on, bytes pass while others wait.
    fn nanoseconds(&self, place: Place, threads: u64) -> f64 {
        let at_once = (place.in_flight / threads as f64).max(1.0);
        let batch = |moved: f64| {
            if moved <= 0.0 {
                return 0.0;
            }
            let waits = ((moved * self.requests).max(1.0) / at_once).ceil();
            place.request_ns + (place.request_ns * (waits - 1.0)).max(moved * self.bytes * place.ns_per_byte)
        };
        let together = self.together.max(1.0);
        let full = (self.each_tile / together).floor();
        let tile = full * batch(together) + batch(self.each_tile - full * together);
        let link = self.tiles * self.each_tile * self.bytes * place.ns_per_byte;
        (self.tiles * tile / threads as f64).max(link)
    }
}

impl Model<'_> {
    /// Nanoseconds that a stage waits for source chunks which it reads `visits` times.
    pub(crate) fn waits_to_read(&self, stage: &Stage, visits: u64) -> f64 {
        let problem = self.problem();
        let (format, place) = (&problem.source, &problem.costs.source);
        let stays_open = self.stays_open();
        let open_ns = if stays_open { 0.0 } else { place.open_ns };
        let far = Place { request_ns: place.read_request_ns + open_ns, ..Place::to_read(place) };
        let shards = if stays_open { format.objects(&problem.shape) as f64 * place.open_ns } else { 0.0 };
        shards + self.chunks(stage, format, visits).nanoseconds(far, stage.threads)
    }

    /// Nanoseconds that a stage waits for target chunks which it writes.
    pub(crate) fn waits_to_write(&self, stage: &Stage) -> f64 {
        let problem = self.problem();
        let (format, place) = (&problem.target, &problem.costs.target);
        let far = Place::to_write(place);
        let creates = format.objects(&problem.shape) as f64 * place.create_ns;
        creates
            + self.chunks(stage, format, count(&problem.shape, &format.chunk)).nanoseconds(far, stage.threads)
    }

    /// Nanoseconds that a stage waits for the pieces that it writes.
    pub(crate) fn waits_to_spill(&self, stage: &Stage, spill: &Spill) -> f64 {
        let problem = self.problem();
        let place = &problem.costs.spill;
        let far = Place::to_write(place);
        let piece = self.array_bytes() / spill.pieces.max(1) as f64 + CHECK_BYTES as f64;
        let room = stage.plain_bytes as f64;
        // A large piece goes in several steps.
        let parts = (piece / room.max(1.0)).ceil().max(1.0);
        let tiles = count(&problem.shape, &stage.tile) as f64;
        Batches {
            tiles,
            each_tile: spill.pieces as f64 * parts / tiles.max(1.0),
            together: (room / piece).floor(),
            requests: 1.0,
            bytes: piece / parts,
        }
        .nanoseconds(far, stage.threads)
    }

    /// Nanoseconds that a stage waits for the pieces that it reads back: those of a tile lie one after the other, as much as its buffer holds
    /// is one request.
    pub(crate) fn waits_to_read_back(&self, stage: &Stage) -> f64 {
        let problem = self.problem();
        let place = &problem.costs.spill;
        let far = Place::to_read(place);
        let tile = elements(&problem.shape, &stage.tile) as f64 * problem.item_bytes as f64;
        let room = (stage.plain_bytes as f64).clamp(1.0, tile.max(1.0));
        let tiles = count(&problem.shape, &stage.tile) as f64;
        Batches { tiles, each_tile: (tile / room).ceil(), together: 1.0, requests: 1.0, bytes: room }
            .nanoseconds(far, stage.threads)
    }

    /// Chunks of an array, `visits` of them in all, as many together as the stage's buffer holds.
    fn chunks(&self, stage: &Stage, format: &Format, visits: u64) -> Batches {
        let tiles = count(&self.problem().shape, &stage.tile) as f64;
        let room = stage.encoded_bytes as f64 / format.encoded_bytes_max.max(1) as f64;
        let chunk_bytes = self.chunk_bytes(format);
        Batches {
            tiles,
            each_tile: visits as f64 / tiles.max(1.0),
            together: room.min(BATCH_BYTES as f64 / chunk_bytes.max(1.0)).floor(),
            requests: self.joined(format),
            bytes: chunk_bytes * format.stored_ratio,
        }
    }
}
