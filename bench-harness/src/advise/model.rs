//! What an access to a layout costs, by arithmetic alone.
//!
//! An access reads one index of a dimension and all of the others. It opens the objects that it touches, fetches the indexes of
//! shards, then the chunks: requests wait in batches of as many as the place has in flight, bytes pass at its rate, and one
//! core decodes. Chunks at the edge are whole chunks in Zarr: their padding is stored and decoded too.
//!
//! Chunks stored as they are cost only the bytes from the first element wanted to the last.
#![expect(clippy::cast_precision_loss, reason = "costs are estimates")]

use serde::Serialize;
use zarrange_grid::{GridError, Region};
use zarrange_plan::{StoreProfile, touched};

/// Bytes of an entry of a shard's index, and of its checksum.
const INDEX_BYTES: (u64, u64) = (16, 4);

/// What is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Elements in each dimension, at least 1.
    pub shape: Vec<u64>,
    /// Bytes of an element.
    pub item_bytes: u64,
}

/// What a codec does to chunks of some size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Array bytes for each stored byte.
    pub ratio: f64,
    /// Time to decode a byte of the array, on one core.
    pub decode_ns_per_byte: f64,
    /// Time to encode one.
    pub encode_ns_per_byte: f64,
}

/// A list of codecs that a layout may have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Codec {
    /// As on the command line.
    pub name: String,
    /// Whether chunks are stored as they are, so that parts of them can be read.
    pub partial: bool,
    /// Without a sample.
    pub table: Speed,
    /// Measured on chunks of these shapes.
    pub measured: Vec<(Vec<u64>, Speed)>,
}

impl Codec {
    /// What it does to chunks of this shape: as measured on such chunks, else on those nearest in size, else the table.
    pub fn speed(&self, chunk: &[u64]) -> Speed {
        if let Some((_, speed)) = self.measured.iter().find(|(shape, _)| shape == chunk) {
            return *speed;
        }
        let size = |shape: &[u64]| (volume(shape) as f64).ln();
        let distance = |shape: &[u64]| (size(shape) - size(chunk)).abs();
        let nearest = self.measured.iter().min_by(|(a, _), (b, _)| distance(a).total_cmp(&distance(b)));
        nearest.map_or(self.table, |(_, speed)| *speed)
    }
}

/// A layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Design {
    /// Shape of a chunk (of inner chunks, where there are shards).
    pub chunk: Vec<u64>,
    /// Shape of a shard, a multiple of the chunk.
    pub shard: Option<Vec<u64>>,
    /// Number of its [`Codec`].
    pub codec: usize,
}

/// What an access costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Requests: chunks, and indexes of shards.
    pub requests: u64,
    /// Stored bytes.
    pub bytes: f64,
    /// Time to open objects and to wait for requests.
    pub wait_ns: f64,
    /// Time in which the bytes pass.
    pub transfer_ns: f64,
    /// Time to decode.
    pub decode_ns: f64,
}

impl Cost {
    /// All of its time.
    pub fn ns(&self) -> f64 {
        self.wait_ns + self.transfer_ns + self.decode_ns
    }

    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            bytes: self.bytes + other.bytes,
            wait_ns: self.wait_ns + other.wait_ns,
            transfer_ns: self.transfer_ns + other.transfer_ns,
            decode_ns: self.decode_ns + other.decode_ns,
        }
    }
}

impl Subject {
    /// Array bytes of a box.
    pub fn bytes(&self, shape: &[u64]) -> u64 {
        volume(shape).saturating_mul(self.item_bytes)
    }

    /// What an access to one index of `axis` costs.
    pub fn access(&self, place: &StoreProfile, design: &Design, codec: &Codec, axis: usize) -> Cost {
        let chunks = self.chunks(place, &design.chunk, codec, axis);
        chunks.and(self.objects(place, &design.chunk, design.shard.as_deref(), axis))
    }

    /// The part of it that chunks cost, once their objects are open.
    pub fn chunks(&self, place: &StoreProfile, chunk: &[u64], codec: &Codec, axis: usize) -> Cost {
        let chunks = across(&self.counts(chunk), axis);
        let speed = codec.speed(chunk);
        let (stored, decoded) = if codec.partial {
            let span = self.span(chunk, axis) as f64;
            (span, span)
        } else {
            let whole = self.bytes(chunk) as f64;
            (whole / speed.ratio, whole)
        };
        let bytes = chunks as f64 * stored;
        Cost {
            requests: chunks,
            bytes,
            wait_ns: batches(chunks, place) * place.read_request_ns,
            transfer_ns: bytes * place.read_ns_per_byte,
            decode_ns: chunks as f64 * decoded * speed.decode_ns_per_byte,
        }
    }

    /// The part of it that objects cost: opening them and, of shards, reading their indexes.
    pub fn objects(&self, place: &StoreProfile, chunk: &[u64], shard: Option<&[u64]>, axis: usize) -> Cost {
        let objects = across(&self.counts(shard.unwrap_or(chunk)), axis);
        let open = batches(objects, place) * place.open_ns;
        let Some(shard) = shard else {
            return Cost { wait_ns: open, ..Cost::default() };
        };
        let bytes = objects as f64 * index_bytes(chunk, shard) as f64;
        Cost {
            requests: objects,
            bytes,
            wait_ns: open + batches(objects, place) * place.read_request_ns,
            transfer_ns: bytes * place.read_ns_per_byte,
            decode_ns: 0.0,
        }
    }

    /// Array bytes of the chunks that an access to `axis` touches, for each byte that it wants.
    ///
    /// # Errors
    /// If chunk and array have different ranks.
    pub fn amplification(&self, chunk: &[u64], axis: usize) -> Result<f64, GridError> {
        let mut extents = self.shape.clone();
        extents[axis] = 1;
        let start = vec![0; extents.len()];
        let found = touched(&self.shape, chunk, &Region::new(start.as_slice(), extents.as_slice()))?;
        Ok(found.elements as f64 / volume(&extents) as f64)
    }

    /// Files that the layout is stored in.
    pub fn files(&self, object: &[u64]) -> u64 {
        volume(&self.counts(object))
    }

    /// Stored bytes of the whole array.
    pub fn stored_bytes(&self, design: &Design, codec: &Codec) -> f64 {
        let chunks = self.files(&design.chunk) as f64 * self.bytes(&design.chunk) as f64;
        let shards = design
            .shard
            .as_deref()
            .map_or(0.0, |shard| self.files(shard) as f64 * index_bytes(&design.chunk, shard) as f64);
        chunks / codec.speed(&design.chunk).ratio + shards
    }

    /// Pieces of `part` along each dimension.
    pub fn counts(&self, part: &[u64]) -> Vec<u64> {
        self.shape.iter().zip(part).map(|(n, c)| n.div_ceil(*c)).collect()
    }

    /// Bytes of a chunk in C order from the first element that an access to `axis` wants to the last.
    fn span(&self, chunk: &[u64], axis: usize) -> u64 {
        let (mut last, mut stride) = (0, 1);
        for d in (0..chunk.len()).rev() {
            last += if d == axis { 0 } else { (chunk[d] - 1) * stride };
            stride *= chunk[d];
        }
        (last + 1) * self.item_bytes
    }
}

/// Cells of a box; saturates.
pub fn volume(shape: &[u64]) -> u64 {
    shape.iter().fold(1, |product, n| product.saturating_mul(*n))
}

/// Pieces that an access to one index of `axis` touches.
fn across(counts: &[u64], axis: usize) -> u64 {
    counts
        .iter()
        .enumerate()
        .filter(|(d, _)| *d != axis)
        .fold(1, |product, (_, n)| product.saturating_mul(*n))
}

fn batches(requests: u64, place: &StoreProfile) -> f64 {
    (requests as f64 / place.in_flight).ceil()
}

fn index_bytes(chunk: &[u64], shard: &[u64]) -> u64 {
    let entries = shard.iter().zip(chunk).fold(1u64, |n, (s, c)| n.saturating_mul(s / c));
    entries.saturating_mul(INDEX_BYTES.0).saturating_add(INDEX_BYTES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> StoreProfile {
        let nvme = StoreProfile::built_in("nvme").unwrap();
        StoreProfile {
            read_ns_per_byte: 2.0,
            read_request_ns: 1000.0,
            open_ns: 100.0,
            in_flight: 4.0,
            ..nvme
        }
    }

    fn codec(partial: bool, ratio: f64, decode_ns_per_byte: f64) -> Codec {
        let table = Speed { ratio, decode_ns_per_byte, encode_ns_per_byte: 1.0 };
        Codec { name: String::new(), partial, table, measured: Vec::new() }
    }

    #[test]
    fn costs_as_computed_by_hand() {
        let subject = Subject { shape: vec![100, 20], item_bytes: 4 };
        let check = |shard: Option<[u64; 2]>, codec: &Codec, axis: usize, expected: (u64, f64, [f64; 3])| {
            let design = Design { chunk: vec![10, 5], shard: shard.map(Vec::from), codec: 0 };
            let found = subject.access(&place(), &design, codec, axis);
            let terms = [found.wait_ns, found.transfer_ns, found.decode_ns];
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
            let same = terms.iter().zip(expected.2).all(|(a, b)| close(*a, b));
            assert!(same && close(found.bytes, expected.1), "{shard:?} {axis}: {found:?}");
            assert_eq!(found.requests, expected.0);
        };
        let packed = codec(false, 2.0, 3.0);
        // One column: 10 chunks of 200 bytes, stored as 100, opened and requested in 3 batches of 4.
        check(None, &packed, 1, (10, 1000.0, [3.0 * 1100.0, 2000.0, 6000.0]));
        // One row: 4 chunks in 1 batch.
        check(None, &packed, 0, (4, 400.0, [1100.0, 800.0, 2400.0]));
        // One column in 5 shards of 8 chunks: 5 indexes of 132 bytes in 2 batches come first.
        check(Some([20, 20]), &packed, 1, (15, 1660.0, [2.0 * 1100.0 + 3000.0, 3320.0, 6000.0]));
        check(Some([100, 20]), &packed, 0, (5, 1044.0, [1100.0 + 1000.0, 2088.0, 2400.0]));
        // As they are: one row of a chunk is 5 elements, one column goes from its first row to its last.
        let plain = codec(true, 1.0, 0.5);
        check(None, &plain, 0, (4, 80.0, [1100.0, 160.0, 40.0]));
        check(None, &plain, 1, (10, 10.0 * 184.0, [3300.0, 3680.0, 920.0]));
    }

    #[test]
    fn sizes_as_computed_by_hand() {
        let subject = Subject { shape: vec![100, 21], item_bytes: 4 };
        let design =
            |shard: Option<[u64; 2]>| Design { chunk: vec![10, 5], shard: shard.map(Vec::from), codec: 0 };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        // 50 chunks of 200 bytes, the last of each row padded; 5 shards with indexes of 164 bytes.
        close(subject.stored_bytes(&design(None), &codec(false, 4.0, 1.0)), 2500.0);
        close(subject.stored_bytes(&design(Some([20, 25])), &codec(false, 4.0, 1.0)), 2500.0 + 5.0 * 164.0);
        assert_eq!((subject.files(&[10, 5]), subject.files(&[20, 25])), (50, 5));
        close(subject.amplification(&[10, 5], 0).unwrap(), 10.0);
        close(subject.amplification(&[10, 5], 1).unwrap(), 5.0);
    }

    #[test]
    fn speeds_of_the_chunk_nearest_in_size() {
        let speed = |ratio: f64| Speed { ratio, decode_ns_per_byte: 1.0, encode_ns_per_byte: 1.0 };
        let measured =
            vec![(vec![10, 10], speed(2.0)), (vec![100, 100], speed(3.0)), (vec![1, 100], speed(4.0))];
        let codec = Codec { measured, ..codec(false, 1.0, 1.0) };
        let check =
            |chunk: [u64; 2], ratio: f64| assert_eq!(codec.speed(&chunk).ratio.to_bits(), ratio.to_bits());
        check([10, 10], 2.0);
        check([1, 100], 4.0);
        check([5, 30], 2.0);
        check([50, 50], 3.0);
    }
}
