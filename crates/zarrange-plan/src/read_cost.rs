//! What a read of a layout costs, by arithmetic alone.
//!
//! A read takes some indices of some dimensions, and all of the others ([`crate::Access`]). It opens the objects that it touches, fetches the indexes of
//! shards, then the chunks: requests wait, bytes pass at the rate of the place, and chunks are decoded. Chunks at the edge are whole chunks
//! in Zarr: their padding is stored and decoded too. Where it depends on the indices how many chunks are touched, everything is expected, on
//! average over all of them; no chunk is fetched twice by a read.
//!
//! The [`crate::Reader`] decides what is fetched of a chunk, and how ([`crate::Reading`]).
#![expect(clippy::cast_precision_loss, reason = "costs are estimates")]

use serde::Serialize;

use crate::Access;
use crate::picks::{held, wanted};

/// Bytes of an entry of a shard's index, and of its checksum.
const INDEX_BYTES: (u64, u64) = (16, 4);

/// An array that is to be laid out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// Elements in each dimension, at least 1.
    pub shape: Vec<u64>,
    /// Bytes of an element.
    pub item_bytes: u64,
}

/// What a codec does to chunks of some size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CodecSpeed {
    /// Array bytes for each stored byte.
    pub ratio: f64,
    /// Time to decode a byte of the array, on one core.
    pub decode_ns_per_byte: f64,
    /// Time to encode one.
    pub encode_ns_per_byte: f64,
}

/// A list of codecs that a layout may have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodecModel {
    /// As on the command line.
    pub name: String,
    /// Whether chunks are stored as they are, so that parts of them can be read.
    pub partial: bool,
    /// Without a sample.
    pub table: CodecSpeed,
    /// Measured on chunks of some sizes, from small to large.
    pub by_size: Vec<(Vec<u64>, CodecSpeed)>,
    /// Measured on chunks of just these shapes.
    pub by_shape: Vec<(Vec<u64>, CodecSpeed)>,
}

impl CodecModel {
    /// What it does to chunks of this shape: as measured on such chunks, else between those next in size, else the table.
    pub fn speed(&self, chunk: &[u64]) -> CodecSpeed {
        if let Some((_, speed)) = self.by_shape.iter().find(|(shape, _)| shape == chunk) {
            return *speed;
        }
        let size = volume(chunk) as f64;
        let above = self.by_size.iter().position(|(shape, _)| volume(shape) as f64 >= size);
        match (above, self.by_size.last()) {
            (_, None) => self.table,
            (None, Some((_, largest))) => *largest,
            // What a call takes at least weighs more, the smaller the chunk.
            (Some(0), _) => self.by_size[0].1.scaled(volume(&self.by_size[0].0) as f64 / size),
            (Some(k), _) => {
                let [(small, a), (large, b)] = [&self.by_size[k - 1], &self.by_size[k]];
                let [from, to] = [small, large].map(|shape| (volume(shape) as f64).ln());
                a.towards(b, (size.ln() - from) / (to - from))
            }
        }
    }
}

impl CodecSpeed {
    /// Of chunks this much smaller that take as long.
    fn scaled(&self, times: f64) -> Self {
        let Self { ratio, decode_ns_per_byte, encode_ns_per_byte } = *self;
        let [decode_ns_per_byte, encode_ns_per_byte] =
            [decode_ns_per_byte, encode_ns_per_byte].map(|ns| ns * times);
        Self { ratio, decode_ns_per_byte, encode_ns_per_byte }
    }

    /// On the way to `other`, in equal factors.
    fn towards(&self, other: &Self, part: f64) -> Self {
        let between = |a: f64, b: f64| (a.ln() + (b.ln() - a.ln()) * part).exp();
        Self {
            ratio: between(self.ratio, other.ratio),
            decode_ns_per_byte: between(self.decode_ns_per_byte, other.decode_ns_per_byte),
            encode_ns_per_byte: between(self.encode_ns_per_byte, other.encode_ns_per_byte),
        }
    }
}

/// A layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Design {
    /// Shape of a chunk (of inner chunks, where there are shards).
    pub chunk: Vec<u64>,
    /// Shape of a shard, a multiple of the chunk.
    pub shard: Option<Vec<u64>>,
    /// Number of its [`CodecModel`].
    pub codec: usize,
}

/// What an access costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ReadCost {
    /// Requests: chunks, and indexes of shards.
    pub requests: f64,
    /// Stored bytes.
    pub bytes: f64,
    /// Time to open objects and to wait for requests.
    pub wait_ns: f64,
    /// Time in which the bytes pass.
    pub transfer_ns: f64,
    /// Time to decode.
    pub decode_ns: f64,
    /// Time that the reader takes itself.
    pub reader_ns: f64,
}

impl ReadCost {
    /// All of its time.
    pub fn ns(&self) -> f64 {
        self.wait_ns + self.transfer_ns + self.decode_ns + self.reader_ns
    }

    /// A part of it, on average.
    pub(crate) fn times(self, part: f64) -> Self {
        Self {
            requests: self.requests * part,
            bytes: self.bytes * part,
            wait_ns: self.wait_ns * part,
            transfer_ns: self.transfer_ns * part,
            decode_ns: self.decode_ns * part,
            reader_ns: self.reader_ns * part,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            bytes: self.bytes + other.bytes,
            wait_ns: self.wait_ns + other.wait_ns,
            transfer_ns: self.transfer_ns + other.transfer_ns,
            decode_ns: self.decode_ns + other.decode_ns,
            reader_ns: self.reader_ns + other.reader_ns,
        }
    }
}

impl Subject {
    /// An array of this shape; dimensions of no length take part as if they had one.
    pub fn new(shape: &[u64], item_bytes: u64) -> Self {
        Self { shape: shape.iter().map(|n| (*n).max(1)).collect(), item_bytes: item_bytes.max(1) }
    }

    /// Array bytes of a box.
    pub fn bytes(&self, shape: &[u64]) -> u64 {
        volume(shape).saturating_mul(self.item_bytes)
    }

    /// Array bytes of the chunks that an access touches, for each byte that it wants. A chunk counts as a whole one, but along no
    /// dimension do they have more than the array.
    pub fn amplification(&self, chunk: &[u64], access: &Access) -> f64 {
        let (mut fetched, mut all) = (1.0, 1.0);
        for (axis, (n, c)) in self.shape.iter().zip(chunk).enumerate() {
            fetched *= (held(access.picks(), axis, *n, *c).chunks * *c as f64).min(*n as f64);
            all *= wanted(access.picks(), axis, *n) as f64;
        }
        fetched / all
    }

    /// Files that the layout is stored in.
    pub fn files(&self, object: &[u64]) -> u64 {
        self.shape.iter().zip(object).fold(1, |files: u64, (n, c)| files.saturating_mul(n.div_ceil(*c)))
    }

    /// Stored bytes of the whole array.
    pub fn stored_bytes(&self, design: &Design, codec: &CodecModel) -> f64 {
        self.stored(&design.chunk, design.shard.as_deref(), codec)
    }

    /// The same, of chunks and shards of these shapes.
    pub(crate) fn stored(&self, chunk: &[u64], shard: Option<&[u64]>, codec: &CodecModel) -> f64 {
        let chunks = self.files(chunk) as f64 * self.bytes(chunk) as f64;
        let indexes = |shard: &[u64]| self.files(shard) as f64 * index_bytes(chunk, shard) as f64;
        chunks / codec.speed(chunk).ratio + shard.map_or(0.0, indexes)
    }
}

/// Cells of a box; saturates.
pub(crate) fn volume(shape: &[u64]) -> u64 {
    shape.iter().fold(1, |product, n| product.saturating_mul(*n))
}

/// Inner chunks of a shard.
pub(crate) fn entries(chunk: &[u64], shard: &[u64]) -> u64 {
    shard.iter().zip(chunk).fold(1, |n, (s, c)| n.saturating_mul(s / c))
}

pub(crate) fn index_bytes(chunk: &[u64], shard: &[u64]) -> u64 {
    entries(chunk, shard).saturating_mul(INDEX_BYTES.0).saturating_add(INDEX_BYTES.1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Pick;

    /// A codec that does the same to chunks of all sizes.
    pub(crate) fn codec(partial: bool, ratio: f64, decode_ns_per_byte: f64) -> CodecModel {
        let table = CodecSpeed { ratio, decode_ns_per_byte, encode_ns_per_byte: 1.0 };
        CodecModel { name: String::new(), partial, table, by_size: Vec::new(), by_shape: Vec::new() }
    }

    /// What `picks` reads: dimension, how many indices, whether they are scattered.
    pub(crate) fn access(picks: &[(usize, u64, bool)]) -> Access {
        let pick = |(axis, count, scattered): &(usize, u64, bool)| Pick {
            axis: *axis,
            count: *count,
            scattered: *scattered,
        };
        Access::new(picks.iter().map(pick).collect()).unwrap()
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
        let amplified = |access: &Access| subject.amplification(&[10, 5], access);
        close(amplified(&0.into()), 10.0);
        close(amplified(&1.into()), 5.0);
        close(amplified(&access(&[(0, 1, false), (1, 1, false)])), 50.0);
        // Two neighbours are in one chunk of ten nine times of ten, but for the last chunk, of which none lies across its end.
        close(amplified(&access(&[(0, 2, false)])), (1.0 + 9.0 / 99.0) * 10.0 / 2.0);
        // All are read: nothing that is not wanted.
        close(amplified(&access(&[(0, 100, true)])), 1.0);
    }

    #[test]
    fn speeds_of_chunks_of_other_sizes_lie_between() {
        let speed =
            |ratio: f64, ns: f64| CodecSpeed { ratio, decode_ns_per_byte: ns, encode_ns_per_byte: ns };
        let by_size = vec![(vec![10, 10], speed(2.0, 8.0)), (vec![100, 100], speed(4.0, 2.0))];
        let by_shape = vec![(vec![1, 100], speed(9.0, 9.0))];
        let codec = CodecModel { by_size, by_shape, ..codec(false, 1.0, 1.0) };
        let check = |chunk: [u64; 2], ratio: f64, ns: f64| {
            let found = codec.speed(&chunk);
            let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
            assert!(close(found.ratio, ratio) && close(found.decode_ns_per_byte, ns), "{chunk:?}: {found:?}");
        };
        check([10, 10], 2.0, 8.0);
        check([1, 100], 9.0, 9.0);
        check([10, 100], 8f64.sqrt(), 4.0);
        check([1, 10], 2.0, 80.0);
        check([1000, 100], 4.0, 2.0);
    }
}
