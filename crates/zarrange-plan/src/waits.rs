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
use crate::tiles::{count, elements, overlaps_all};

/// One half of a stage, as batches of requests.
struct Batches {
    /// What batches never go beyond: tiles, or what tiles have of shards; in all, and of a tile.
    units: f64,
    units_of_tile: f64,
    /// What each is moved in: chunks, pieces, or parts of them.
    each: f64,
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
    /// Nanoseconds until all answers are there, where so many workers wait beside each other and so many tiles are open. Of a batch as many
    /// requests as the place bears wait together; from the first answer on, bytes pass while others wait.
    fn nanoseconds(&self, place: Place, (workers, slots): (u64, u64)) -> f64 {
        let Self { units, units_of_tile, each, together, requests, bytes } = *self;
        if units <= 0.0 || each <= 0.0 {
            return 0.0;
        }
        let together = together.max(1.0);
        // No more wait than there are batches of the tiles that are open.
        let batches = (each / together).ceil() * units_of_tile * slots as f64;
        let waiting = (workers as f64).min(batches).max(1.0);
        let at_once = (place.in_flight / waiting).max(1.0);
        let batch = |moved: f64| {
            if moved <= 0.0 {
                return 0.0;
            }
            let waits = ((moved * requests).max(1.0) / at_once).ceil();
            place.request_ns + (place.request_ns * (waits - 1.0)).max(moved * bytes * place.ns_per_byte)
        };
        let full = (each / together).floor();
        let unit = full * batch(together) + batch(each - full * together);
        let link = units * each * bytes * place.ns_per_byte;
        (units * unit / waiting).max(link)
    }
}

impl Model<'_> {
    /// Nanoseconds that a stage waits for source chunks which it reads `visits` times.
    pub(crate) fn waits_to_read(&self, stage: &Stage, visits: u64) -> f64 {
        let problem = self.problem();
        let (format, place) = (&problem.source, &problem.costs.source);
        let mut far = Place::to_read(place);
        let mut shards = 0.0;
        if self.stays_open() {
            // Where opening is nothing, the size is asked for instead; then the index.
            let requests = if place.open_ns > 0.0 { 1.0 } else { 2.0 };
            let beside = place.in_flight.min(stage.workers as f64).max(1.0);
            shards = format.objects(&problem.shape) as f64
                * (place.open_ns + requests * place.read_request_ns / beside);
        } else {
            far.request_ns += place.open_ns;
        }
        shards + self.chunks(stage, format, visits).nanoseconds(far, (stage.workers, stage.slots))
    }

    /// Nanoseconds that a stage waits for target chunks which it writes.
    pub(crate) fn waits_to_write(&self, stage: &Stage) -> f64 {
        let problem = self.problem();
        let (format, place) = (&problem.target, &problem.costs.target);
        let creates = format.objects(&problem.shape) as f64 * place.create_ns;
        let chunks = self.chunks(stage, format, count(&problem.shape, &format.chunk));
        creates + chunks.nanoseconds(Place::to_write(place), (stage.workers, stage.slots))
    }

    /// Nanoseconds that a stage waits for the pieces that it writes.
    pub(crate) fn waits_to_spill(&self, stage: &Stage, spill: &Spill) -> f64 {
        let (piece, room) = (self.piece_bytes(spill), stage.plain_bytes as f64);
        // A large piece goes in several steps.
        let parts = (piece / room.max(1.0)).ceil().max(1.0);
        let tiles = count(&self.problem().shape, &stage.tile) as f64;
        let pieces = Batches {
            units: tiles,
            units_of_tile: 1.0,
            each: spill.pieces as f64 * parts / tiles.max(1.0),
            together: (room.min(BATCH_BYTES as f64) / piece).floor(),
            requests: 1.0,
            bytes: piece / parts,
        };
        pieces.nanoseconds(Place::to_write(&self.problem().costs.spill), (stage.workers, stage.slots))
    }

    /// Nanoseconds that a stage waits for the pieces that it reads back: those of a tile lie one after the other, and as many as a batch holds
    /// are one request.
    pub(crate) fn waits_to_read_back(&self, stage: &Stage, spill: &Spill) -> f64 {
        let problem = self.problem();
        let tile = elements(&problem.shape, &stage.tile) as f64 * problem.item_bytes as f64;
        let batch = self.piece_bytes(spill).max(BATCH_BYTES as f64);
        let room = (stage.plain_bytes as f64).min(batch).clamp(1.0, tile.max(1.0));
        let reads = Batches {
            units: count(&problem.shape, &stage.tile) as f64,
            units_of_tile: 1.0,
            each: (tile / room).ceil(),
            together: 1.0,
            requests: 1.0,
            bytes: room,
        };
        reads.nanoseconds(Place::to_read(&problem.costs.spill), (stage.workers, stage.slots))
    }

    /// Bytes of a piece of an intermediate, on average.
    fn piece_bytes(&self, spill: &Spill) -> f64 {
        self.array_bytes() / spill.pieces.max(1) as f64 + CHECK_BYTES as f64
    }

    /// Chunks of an array, `visits` of them in all, as many together as the stage's buffer holds, of one shard.
    fn chunks(&self, stage: &Stage, format: &Format, visits: u64) -> Batches {
        let shape = &self.problem().shape;
        let tiles = count(shape, &stage.tile).max(1) as f64;
        let units =
            format.shard.as_ref().map_or(tiles, |shard| overlaps_all(shape, &stage.tile, shard) as f64);
        let room = stage.encoded_bytes as f64 / format.encoded_bytes_max.max(1) as f64;
        let chunk_bytes = self.chunk_bytes(format);
        Batches {
            units,
            units_of_tile: units / tiles,
            each: visits as f64 / units.max(1.0),
            together: room.min(BATCH_BYTES as f64 / chunk_bytes.max(1.0)).floor(),
            requests: self.joined(format),
            bytes: chunk_bytes * format.stored_ratio,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_can_be_told_by_hand() {
        let far = Place { request_ns: 20.0, ns_per_byte: 0.0, in_flight: 16.0 };
        let chunks = |each: f64, together: f64| Batches {
            units: 10.0,
            units_of_tile: 1.0,
            each,
            together,
            requests: 1.0,
            bytes: 8.0,
        };
        let check = |batches: Batches, place: Place, workers: (u64, u64), expected: f64| {
            assert!((batches.nanoseconds(place, workers) - expected).abs() < 1e-9, "{expected}");
        };
        // 65 chunks wait five times for 16 answers; and 130 twice as long.
        check(chunks(65.0, 65.0), far, (1, 1), 10.0 * 5.0 * 20.0);
        check(chunks(130.0, 65.0), far, (1, 1), 10.0 * 10.0 * 20.0);
        // What is left of a tile is a batch of its own.
        check(chunks(66.0, 65.0), far, (1, 1), 10.0 * 6.0 * 20.0);
        // Two workers wait beside each other, each for half of what is under way; but not where a tile is one batch, unless two are open.
        check(chunks(130.0, 65.0), far, (2, 1), 10.0 * 18.0 * 20.0 / 2.0);
        check(chunks(65.0, 65.0), far, (2, 1), 10.0 * 5.0 * 20.0);
        check(chunks(65.0, 65.0), far, (2, 2), 10.0 * 9.0 * 20.0 / 2.0);
        // Neighbours that are joined are one request at least.
        check(Batches { requests: 0.01, ..chunks(65.0, 65.0) }, far, (1, 1), 10.0 * 20.0);
        // Bytes pass from the first answer on, and all of them pass one link.
        let slow = Place { ns_per_byte: 1.0, ..far };
        check(chunks(16.0, 16.0), slow, (1, 1), 10.0 * (20.0 + 16.0 * 8.0));
        check(chunks(64.0, 16.0), slow, (4, 1), 10.0 * 64.0 * 8.0);
        check(chunks(0.0, 16.0), slow, (1, 1), 0.0);
    }
}
