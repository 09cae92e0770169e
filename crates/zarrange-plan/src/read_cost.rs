//! What a read of a layout costs, by arithmetic alone.
//!
//! A read takes some indices of some dimensions, and all of the others ([`crate::Access`]). It opens the objects that it touches, fetches the indexes of
//! shards, then the chunks: requests wait in batches of as many as the place has in flight, bytes pass at its rate, and one
//! core decodes. Chunks at the edge are whole chunks in Zarr: their padding is stored and decoded too. Where it depends on the indices how
//! many chunks are touched, everything is expected, on average over all of them; no chunk is fetched twice by a read.
//!
//! The [`Reader`] decides what is fetched of a chunk. One that fetches parts takes, of chunks stored as they are, the bytes from the first
//! element wanted to the last; one that keeps shards open shares what they cost among the reads that find them open.
#![expect(clippy::cast_precision_loss, reason = "costs are estimates")]

use serde::Serialize;

use crate::picks::{Pick, held, wanted};
use crate::{Access, Reader, StoreProfile};

/// Bytes of an entry of a shard's index, and of its checksum.
const INDEX_BYTES: (u64, u64) = (16, 4);

/// Time to check an entry of a shard's index.
const ENTRY_NS: f64 = 20.0;

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
}

impl ReadCost {
    /// All of its time.
    pub fn ns(&self) -> f64 {
        self.wait_ns + self.transfer_ns + self.decode_ns
    }

    /// A part of it, on average.
    fn times(self, part: f64) -> Self {
        Self {
            requests: self.requests * part,
            bytes: self.bytes * part,
            wait_ns: self.wait_ns * part,
            transfer_ns: self.transfer_ns * part,
            decode_ns: self.decode_ns * part,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            bytes: self.bytes + other.bytes,
            wait_ns: self.wait_ns + other.wait_ns,
            transfer_ns: self.transfer_ns + other.transfer_ns,
            decode_ns: self.decode_ns + other.decode_ns,
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
        let chunks = self.files(&design.chunk) as f64 * self.bytes(&design.chunk) as f64;
        let shards = design
            .shard
            .as_deref()
            .map_or(0.0, |shard| self.files(shard) as f64 * index_bytes(&design.chunk, shard) as f64);
        chunks / codec.speed(&design.chunk).ratio + shards
    }

    /// The chunks (or shards) that a read touches, and the bytes from the first element that it wants of one, in C order, to the last.
    fn across(&self, chunk: &[u64], picks: &[Pick]) -> (f64, f64) {
        let (mut chunks, mut last, mut stride) = (1.0, 0.0, 1.0);
        for (axis, (n, c)) in self.shape.iter().zip(chunk).enumerate().rev() {
            let held = held(picks, axis, *n, *c);
            chunks *= held.chunks;
            last += held.span * stride;
            stride *= *c as f64;
        }
        (chunks, (last + 1.0) * self.item_bytes as f64)
    }

    /// Among how many rows of objects a read chooses that to which it goes.
    fn rows(&self, object: &[u64], picks: &[Pick]) -> f64 {
        let along = self.shape.iter().zip(object).enumerate();
        along.map(|(axis, (n, s))| n.div_ceil(*s) as f64 / held(picks, axis, *n, *s).chunks).product()
    }
}

/// An array, where it is, and who reads it.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The array.
    pub subject: &'a Subject,
    /// Where it is stored.
    pub place: &'a StoreProfile,
    /// Who reads it.
    pub reader: Reader,
    /// Reads that the reader makes before it is closed.
    pub reads: u64,
}

impl Reading<'_> {
    /// What an access costs.
    pub fn read(&self, design: &Design, codec: &CodecModel, access: &Access) -> ReadCost {
        let chunks = self.chunks(&design.chunk, codec, access.picks());
        chunks.and(self.objects(&design.chunk, design.shard.as_deref(), access.picks()))
    }

    /// The part of it that chunks cost, once their objects are open.
    pub(crate) fn chunks(&self, chunk: &[u64], codec: &CodecModel, picks: &[Pick]) -> ReadCost {
        let Self { subject, place, reader, .. } = self;
        let (chunks, span) = subject.across(chunk, picks);
        let speed = codec.speed(chunk);
        let (stored, decoded) = if codec.partial && reader.fetches_parts() {
            (span, span)
        } else {
            let whole = subject.bytes(chunk) as f64;
            (whole / speed.ratio, whole)
        };
        let bytes = chunks * stored;
        ReadCost {
            requests: chunks,
            bytes,
            wait_ns: batches(chunks, place) * place.read_request_ns,
            transfer_ns: bytes * place.read_ns_per_byte,
            decode_ns: chunks * (decoded * speed.decode_ns_per_byte + reader.chunk_ns()),
        }
    }

    /// The part of it that objects cost: opening them and, of shards, reading their indexes.
    pub(crate) fn objects(&self, chunk: &[u64], shard: Option<&[u64]>, picks: &[Pick]) -> ReadCost {
        let Self { subject, place, .. } = self;
        let (objects, _) = subject.across(shard.unwrap_or(chunk), picks);
        let Some(shard) = shard else {
            return ReadCost { wait_ns: batches(objects, place) * place.open_ns, ..ReadCost::default() };
        };
        let (bytes, entries) = (index_bytes(chunk, shard) as f64, entries(chunk, shard) as f64);
        let whole = ReadCost {
            requests: objects,
            bytes: objects * bytes,
            wait_ns: batches(objects, place) * (place.open_ns + place.read_request_ns),
            transfer_ns: objects * bytes * place.read_ns_per_byte,
            decode_ns: objects * entries * ENTRY_NS,
        };
        whole.times(self.not_open(objects, subject.rows(shard, picks)))
    }

    /// The part of the shards of a read that are not open, on average, where a read goes to `objects` of them in one of `rows` rows.
    fn not_open(&self, objects: f64, rows: f64) -> f64 {
        let reads = self.reads.max(1) as f64;
        let kept = (self.reader.shards_kept() as f64 / objects.max(1.0)).floor();
        if kept < 1.0 {
            return 1.0;
        }
        // Rows that reads at random go to.
        let met = rows * (1.0 - (1.0 - 1.0 / rows).powf(reads));
        (met / reads).max(1.0 - kept / rows).min(1.0)
    }
}

/// Cells of a box; saturates.
pub(crate) fn volume(shape: &[u64]) -> u64 {
    shape.iter().fold(1, |product, n| product.saturating_mul(*n))
}

/// Batches of requests; of a number that is expected, between those of its neighbours.
fn batches(requests: f64, place: &StoreProfile) -> f64 {
    let of = |requests: f64| (requests / place.in_flight).ceil();
    let (few, part) = (of(requests.floor()), requests.fract());
    if part > 0.0 { few + part * (of(requests.ceil()) - few) } else { few }
}

/// Inner chunks of a shard.
fn entries(chunk: &[u64], shard: &[u64]) -> u64 {
    shard.iter().zip(chunk).fold(1, |n, (s, c)| n.saturating_mul(s / c))
}

fn index_bytes(chunk: &[u64], shard: &[u64]) -> u64 {
    entries(chunk, shard).saturating_mul(INDEX_BYTES.0).saturating_add(INDEX_BYTES.1)
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

    fn codec(partial: bool, ratio: f64, decode_ns_per_byte: f64) -> CodecModel {
        let table = CodecSpeed { ratio, decode_ns_per_byte, encode_ns_per_byte: 1.0 };
        CodecModel { name: String::new(), partial, table, by_size: Vec::new(), by_shape: Vec::new() }
    }

    /// Requests, bytes, and the times to wait, to pass and to decode.
    type Expected = (f64, f64, [f64; 3]);

    fn access(picks: &[(usize, u64, bool)]) -> Access {
        let pick = |(axis, count, scattered): &(usize, u64, bool)| Pick {
            axis: *axis,
            count: *count,
            scattered: *scattered,
        };
        Access::new(picks.iter().map(pick).collect()).unwrap()
    }

    #[test]
    fn costs_as_computed_by_hand() {
        const CHUNK_NS: f64 = Reader::Zarrange.chunk_ns();
        let subject = Subject { shape: vec![100, 20], item_bytes: 4 };
        let place = place();
        let by =
            |reader: Reader, shard: Option<[u64; 2]>, codec: &CodecModel, axis: usize, expected: Expected| {
                let design = Design { chunk: vec![10, 5], shard: shard.map(Vec::from), codec: 0 };
                let reading = Reading { subject: &subject, place: &place, reader, reads: 1 };
                let found = reading.read(&design, codec, &Access::from(axis));
                let terms = [found.wait_ns, found.transfer_ns, found.decode_ns];
                let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
                let same = terms.iter().zip(expected.2).all(|(a, b)| close(*a, b));
                assert!(same && close(found.bytes, expected.1), "{reader} {shard:?} {axis}: {found:?}");
                assert!(close(found.requests, expected.0), "{found:?}");
            };
        let check =
            |shard, codec: &CodecModel, axis, expected| by(Reader::Zarrange, shard, codec, axis, expected);
        let packed = codec(false, 2.0, 3.0);
        // One column: 10 chunks of 200 bytes, stored as 100, opened and requested in 3 batches of 4.
        check(None, &packed, 1, (10.0, 1000.0, [3.0 * 1100.0, 2000.0, 6000.0 + 10.0 * CHUNK_NS]));
        // One row: 4 chunks in 1 batch.
        check(None, &packed, 0, (4.0, 400.0, [1100.0, 800.0, 2400.0 + 4.0 * CHUNK_NS]));
        // One column in 5 shards of 8 chunks: 5 indexes of 132 bytes in 2 batches come first.
        let decode = 6000.0 + 10.0 * CHUNK_NS + 5.0 * 8.0 * ENTRY_NS;
        check(Some([20, 20]), &packed, 1, (15.0, 1660.0, [2.0 * 1100.0 + 3000.0, 3320.0, decode]));
        let decode = 2400.0 + 4.0 * CHUNK_NS + 40.0 * ENTRY_NS;
        check(Some([100, 20]), &packed, 0, (5.0, 1044.0, [1100.0 + 1000.0, 2088.0, decode]));
        // As they are: one row of a chunk is 5 elements, one column goes from its first row to its last.
        let plain = codec(true, 1.0, 0.5);
        check(None, &plain, 0, (4.0, 80.0, [1100.0, 160.0, 40.0 + 4.0 * CHUNK_NS]));
        check(None, &plain, 1, (10.0, 10.0 * 184.0, [3300.0, 3680.0, 920.0 + 10.0 * CHUNK_NS]));
        // Others fetch the chunks whole: 200 bytes each.
        let whole = Reader::WholeChunks;
        let decode = 400.0 + 4.0 * whole.chunk_ns();
        by(whole, None, &plain, 0, (4.0, 800.0, [1100.0, 1600.0, decode]));
    }

    /// Chunks that a read touches, and elements from the first to the last that it wants in each, counted.
    fn counted(shape: &[u64], chunk: &[u64], indices: &[Vec<u64>]) -> (u64, u64) {
        let mut found = vec![(0, 0)];
        let (mut chunks, mut stride) = (1, 1);
        for (d, c) in chunk.iter().enumerate().rev() {
            let all: Vec<u64> = (0..shape[d]).collect();
            // No index of a dimension that is read whole is missing, in chunks that are as long as the others.
            let (wanted, whole) =
                (if indices[d].is_empty() { &all } else { &indices[d] }, indices[d].is_empty());
            let numbers: std::collections::BTreeSet<u64> = wanted.iter().map(|at| at / c).collect();
            let spans = numbers.iter().map(|number| {
                let inside = || wanted.iter().filter(|at| **at / c == *number);
                if whole { c - 1 } else { inside().max().unwrap() - inside().min().unwrap() }
            });
            let spans: Vec<u64> = spans.collect();
            chunks *= numbers.len() as u64;
            found = found
                .iter()
                .flat_map(|(_, last)| spans.iter().map(move |span| (0, last + span * stride)))
                .collect();
            stride *= c;
        }
        (chunks, found.iter().map(|(_, last)| last + 1).sum())
    }

    #[test]
    fn what_is_expected_is_what_random_reads_touch() {
        const READS: u64 = 4000;
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let place = place();
        let mut check = |shape: &[u64], chunk: &[u64], picks: &[(usize, u64, bool)]| {
            let (mut chunks, mut span) = (0, 0);
            for _ in 0..READS {
                let mut indices = vec![Vec::new(); shape.len()];
                for (axis, count, scattered) in picks {
                    let n = shape[*axis];
                    let start = random(n - count + 1);
                    let mut all: Vec<u64> =
                        if *scattered { (0..n).collect() } else { (start..start + count).collect() };
                    for k in 0..if *scattered { *count } else { 0 } {
                        let other = k + random(n - k);
                        all.swap(usize::try_from(k).unwrap(), usize::try_from(other).unwrap());
                    }
                    all.truncate(usize::try_from(*count).unwrap());
                    indices[*axis] = all;
                }
                let (more, elements) = counted(shape, chunk, &indices);
                (chunks, span) = (chunks + more, span + elements);
            }
            let subject = Subject::new(shape, 4);
            let reading = Reading { subject: &subject, place: &place, reader: Reader::Zarrange, reads: 1 };
            let design = Design { chunk: chunk.to_vec(), shard: None, codec: 0 };
            let found = reading.read(&design, &codec(true, 1.0, 1.0), &access(picks));
            let counted = [chunks as f64, 4.0 * span as f64].map(|sum| sum / READS as f64);
            for (expected, counted) in [found.requests, found.bytes].into_iter().zip(counted) {
                assert!(
                    (expected / counted - 1.0).abs() < 0.02,
                    "{shape:?} {chunk:?} {picks:?}: {expected} {counted}"
                );
            }
        };
        let (one, some) = ((2, 1, false), (0, 50, true));
        check(&[100, 20, 7], &[9, 6, 3], &[one]);
        check(&[100, 20, 7], &[9, 6, 3], &[some, one]);
        check(&[100, 20, 7], &[30, 1, 7], &[some]);
        check(&[100, 20, 7], &[9, 6, 3], &[(0, 13, false), (1, 4, true)]);
        check(&[100, 20, 7], &[64, 20, 1], &[(0, 13, false), (1, 4, false), (2, 3, true)]);
        check(&[31, 5], &[7, 2], &[(0, 4, true)]);
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
    fn shards_stay_open_for_later_reads() {
        let (subject, place) = (Subject { shape: vec![1], item_bytes: 4 }, place());
        let by = |reader: Reader, reads: u64, objects: u64, rows: u64, expected: f64| {
            let found = Reading { subject: &subject, place: &place, reader, reads }
                .not_open(objects as f64, rows as f64);
            assert!((found - expected).abs() < 1e-3, "{reader} {reads} {objects} {rows}: {found}");
        };
        let check = |reads, objects, rows, expected| by(Reader::Zarrange, reads, objects, rows, expected);
        by(Reader::WholeChunks, 100, 5, 1, 1.0);
        check(1, 5, 10, 1.0);
        check(100, 5, 1, 0.01);
        // Two of two rows are met by the second access half of the time.
        check(2, 5, 2, 0.75);
        // Four rows are kept of a hundred.
        check(1_000_000, 16, 100, 0.96);
        check(1000, 65, 1, 1.0);
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
