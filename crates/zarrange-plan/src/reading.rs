//! What an access costs a reader at a place.
//!
//! What chunks cost does not depend on how they lie in objects: their bytes pass, and they are decoded. Objects add the requests: in batches of
//! as many as the place and the reader have in flight, or one after the other within a shard, where the reader does it so; the indexes
//! of shards, and what lies between chunks that are read together.
#![expect(clippy::cast_precision_loss, reason = "costs are estimates")]

mod memory;
mod writes;

use crate::picks::{Held, Pick, held};
use crate::read_cost::{entries, index_bytes};
use crate::reader::{Fetched, Habits, Merging};
use crate::{Access, CodecModel, Design, ReadCost, Reader, StoreProfile, Subject};

/// Time to check an entry of a shard's index. Where memory is used again our reader takes 4.2 ns (`zarrange-array`'s bench `shard`) and TensorStore
/// 0.1.86 takes 4.7; the first large index of a process takes 20, for its memory is fresh. This is in between.
const ENTRY_NS: f64 = 10.0;

/// Time to open a local file once more, at most: the system still knows it.
const AGAIN_NS: f64 = 3_000.0;

/// What takes longer to open than this is no local file: a server is asked, each time.
const LOCAL_OPEN_NS: f64 = 200_000.0;

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

/// What is fetched of one chunk: stored bytes of it, bytes to decode, and requests.
#[derive(Clone, Copy)]
struct OfChunk {
    /// All stored bytes of it.
    whole: f64,
    stored: f64,
    /// Whether that is a part, from the first byte that is wanted to the last.
    is_part: bool,
    decoded: f64,
    requests: f64,
}

impl Reading<'_> {
    /// What an access costs.
    pub fn read(&self, design: &Design, codec: &CodecModel, access: &Access) -> ReadCost {
        let (chunk, shard) = (&design.chunk, design.shard.as_deref());
        self.chunks(chunk, codec, access).and(self.objects(chunk, shard, codec, access))
    }

    /// The part of it that chunks cost, however they lie in objects.
    pub(crate) fn chunks(&self, chunk: &[u64], codec: &CodecModel, access: &Access) -> ReadCost {
        let Self { place, reader, .. } = self;
        let picks = access.picks();
        if access.writes() {
            return self.written_chunks(chunk, codec, picks);
        }
        let habits = reader.habits();
        let Habits { chunk_ns, codec_ns, .. } = habits;
        let chunks = self.touched(chunk, picks);
        let of = self.of_chunk(chunk, codec, picks);
        let bytes = chunks * of.stored;
        let called = if codec.partial { 0.0 } else { codec_ns };
        ReadCost {
            bytes,
            transfer_ns: bytes * place.read_ns_per_byte,
            // As many at once as there are chunks.
            decode_ns: habits.decoded_ns(chunks * of.decoded * codec.speed(chunk).decode_ns_per_byte, chunks),
            reader_ns: chunks * (chunk_ns + called),
            ..ReadCost::default()
        }
    }

    /// The part of it that objects add: the access itself, requests, and the indexes of shards.
    pub(crate) fn objects(
        &self,
        chunk: &[u64],
        shard: Option<&[u64]>,
        codec: &CodecModel,
        access: &Access,
    ) -> ReadCost {
        let (habits, picks) = (self.reader.habits(), access.picks());
        let call = ReadCost { reader_ns: habits.access_ns, ..ReadCost::default() };
        call.and(match shard {
            shard if access.writes() => self.written_objects((chunk, shard), codec, picks),
            None => self.without_shards(chunk, codec, picks),
            Some(shard) => self.shards((chunk, shard), codec, picks),
        })
    }

    /// The least that objects add to an access, whatever they are.
    pub(crate) fn objects_ns_min(&self, writes: bool) -> f64 {
        let Habits { shards_kept, access_ns, .. } = self.reader.habits();
        let StoreProfile { open_ns, read_request_ns, create_ns, write_request_ns, .. } = self.place;
        if writes {
            return create_ns + write_request_ns + access_ns;
        }
        // A reader that keeps shards may find it open.
        let open_ns = if shards_kept == 0 { *open_ns } else { 0.0 };
        open_ns + read_request_ns + access_ns
    }

    fn without_shards(&self, chunk: &[u64], codec: &CodecModel, picks: &[Pick]) -> ReadCost {
        let Habits { opens_each, request_ns, .. } = self.reader.habits();
        let (chunks, each) = (self.touched(chunk, picks), self.of_chunk(chunk, codec, picks).requests);
        let requests = chunks * each;
        let StoreProfile { open_ns, read_request_ns, .. } = *self.place;
        let (opened, batches) = (self.batches(chunks), self.batches(requests));
        let again_ns = if opens_each { (batches - opened).max(0.0) * self.again_ns() } else { 0.0 };
        ReadCost {
            requests,
            wait_ns: opened * open_ns + again_ns + batches * read_request_ns,
            decode_ns: self.decoded_in_turn(chunk, codec, picks),
            reader_ns: requests * request_ns,
            ..ReadCost::default()
        }
    }

    /// What decoding takes longer where chunks do not come all at once, to a reader that decodes as they come.
    fn decoded_in_turn(&self, chunk: &[u64], codec: &CodecModel, picks: &[Pick]) -> f64 {
        let habits = self.reader.habits();
        if !habits.in_turn {
            return 0.0;
        }
        let (count, of) = (self.touched(chunk, picks), self.of_chunk(chunk, codec, picks));
        let alone_ns = count * of.decoded * codec.speed(chunk).decode_ns_per_byte;
        alone_ns - habits.decoded_ns(alone_ns, count)
    }

    fn shards(&self, (chunk, shard): (&[u64], &[u64]), codec: &CodecModel, picks: &[Pick]) -> ReadCost {
        let habits = self.reader.habits();
        let StoreProfile { open_ns, read_request_ns, read_ns_per_byte, .. } = *self.place;
        let objects = self.touched(shard, picks);
        let (index, entries) = (index_bytes(chunk, shard) as f64, entries(chunk, shard) as f64);
        let found_ns = habits.shard_ns + habits.request_ns;
        // Who keeps them opens files one after the other; where opening is nothing, that is asking for the size of all at once.
        let opened_ns = match habits.shards_kept {
            0 => self.batches(objects) * open_ns,
            _ if open_ns > 0.0 => objects * open_ns,
            _ => self.batches(objects) * read_request_ns,
        };
        let opening = ReadCost {
            requests: objects,
            bytes: objects * index,
            wait_ns: opened_ns + self.batches(objects) * read_request_ns,
            transfer_ns: objects * index * read_ns_per_byte,
            decode_ns: objects * entries * ENTRY_NS,
            reader_ns: objects * found_ns,
        };
        // Whole ones take one request each, with the index.
        let whole = if habits.whole_shards { self.wants_whole(chunk, shard, picks) } else { 0.0 };
        let in_whole = whole * objects * entries;
        let of = self.of_chunk(chunk, codec, picks);
        let (runs, gaps) = self.runs((chunk, shard), objects, of, picks);
        let requests = objects * runs * of.requests;
        let request_ns = read_request_ns + if habits.opens_each { self.again_ns() } else { 0.0 };
        let batches =
            if habits.in_turn { self.batches(objects) * runs * of.requests } else { self.batches(requests) };
        let bytes = objects * gaps;
        let decode_ns = self.decoded_in_turn(chunk, codec, picks);
        let chunks = ReadCost {
            requests,
            bytes,
            wait_ns: batches * request_ns,
            transfer_ns: bytes * read_ns_per_byte,
            decode_ns,
            reader_ns: requests * habits.request_ns,
        };
        let not_open = self.not_open(objects, self.rows(shard, picks));
        let apart = (1.0 - in_whole / self.touched(chunk, picks)).clamp(0.0, 1.0);
        chunks.times(apart).and(opening.times(whole + (1.0 - whole) * not_open))
    }

    /// What is fetched of a chunk, on average.
    fn of_chunk(&self, chunk: &[u64], codec: &CodecModel, picks: &[Pick]) -> OfChunk {
        let (item_bytes, whole) = (self.subject.item_bytes as f64, self.subject.bytes(chunk) as f64);
        let fetched = if codec.partial { self.reader.habits().fetched } else { Fetched::Whole };
        // From the last dimension on: bytes from the first to the last that are wanted, those that are, and in how many runs they lie.
        let (mut last, mut stride, mut wanted, mut runs, mut together) = (0.0, 1.0, 1.0, 1.0, true);
        for (axis, (n, c)) in self.subject.shape.iter().zip(chunk).enumerate().rev() {
            let Held { span, chunks } = held(picks, axis, *n, *c);
            let length = *c as f64;
            last += span * stride;
            stride *= length;
            let pick = picks.iter().find(|pick| pick.axis == axis);
            let inside = pick.map_or(length, |pick| (pick.count.min(*n) as f64 / chunks).min(length));
            wanted *= inside;
            if !together || pick.is_some_and(|pick| pick.scattered) {
                runs *= inside;
            }
            together &= inside >= length;
        }
        match fetched {
            Fetched::Whole => {
                let stored = whole / codec.speed(chunk).ratio;
                OfChunk { whole: stored, stored, is_part: false, decoded: whole, requests: 1.0 }
            }
            Fetched::Span => {
                let bytes = (last + 1.0) * item_bytes;
                OfChunk { whole, stored: bytes, is_part: true, decoded: bytes, requests: 1.0 }
            }
            Fetched::Runs => {
                let bytes = wanted * item_bytes;
                OfChunk { whole, stored: bytes, is_part: false, decoded: bytes, requests: runs }
            }
        }
    }

    /// In how many requests the chunks of a shard are fetched that an access wants of it, and the bytes that lie between them in those.
    fn runs(
        &self,
        (chunk, shard): (&[u64], &[u64]),
        objects: f64,
        of: OfChunk,
        picks: &[Pick],
    ) -> (f64, f64) {
        let wanted = self.touched(chunk, picks) / objects;
        let Some(merging) = self.reader.habits().merging else {
            return (wanted, 0.0);
        };
        let Merging { gap_bytes, read_bytes, .. } = merging;
        // Chunks lie one behind the other, the last dimension first: a run is `span` bytes, and the next begins `pitch` after it began.
        let (mut runs, mut span, mut pitch) = (1.0, of.stored, of.whole);
        let mut row = self.subject.item_bytes as f64;
        for (axis, (n, (c, s))) in self.subject.shape.iter().zip(chunk.iter().zip(shard)).enumerate().rev() {
            let (count, length) = ((s / c) as f64, *c as f64);
            let (of_chunks, of_shards) = (held(picks, axis, *n, *c), held(picks, axis, *n, *s));
            let inside = (of_chunks.chunks / of_shards.chunks).clamp(1.0, count);
            let pick = picks.iter().find(|pick| pick.axis == axis);
            let scattered = pick.is_some_and(|pick| pick.scattered);
            let apart = scattered && !merging.scattered;
            let step = if scattered && inside > 1.0 { (count / inside).max(1.0) } else { 1.0 };
            // Of parts of chunks that are next to each other, one ends where the other begins.
            let (gap, longer) = if of.is_part && !scattered {
                let rows = pick.map_or(inside * length, |pick| pick.count.min(*n) as f64 / of_shards.chunks);
                let between = pitch - length * row;
                let lower = span - of_chunks.span * row;
                (between + row - lower, (inside - 1.0) * between + (rows - 1.0 - of_chunks.span) * row)
            } else {
                (step * pitch - span, (inside - 1.0) * step * pitch)
            };
            if inside > 1.0 && runs <= 1.0 && gap <= gap_bytes && !apart {
                span += longer;
            } else {
                runs *= inside;
            }
            pitch *= count;
            row *= length;
        }
        let read = (read_bytes / of.whole).floor().max(1.0) * of.whole;
        let requests = (runs * (span / read).ceil()).min(wanted.max(1.0));
        (requests, (runs * span - wanted * of.stored).max(0.0))
    }

    /// Of the shards that an access touches, those of which it wants every chunk, also where it picks: neighbours, if the shard is one chunk
    /// long; scattered indices, if none of its chunks is missed. A shard that reaches over the end of the array has chunks that nobody wants.
    fn wants_whole(&self, chunk: &[u64], shard: &[u64], picks: &[Pick]) -> f64 {
        let along = self.subject.shape.iter().zip(chunk.iter().zip(shard)).enumerate();
        let whole = along.map(|(axis, (n, (c, s)))| {
            if s == c {
                return 1.0;
            }
            let inside = (n / s + u64::from((n % s).div_ceil(*c) == s / c)) as f64 / n.div_ceil(*s) as f64;
            match picks.iter().find(|pick| pick.axis == axis && pick.count < *n) {
                None => inside,
                Some(pick) if pick.scattered => {
                    let met = held(picks, axis, *n, *c).chunks / n.div_ceil(*c) as f64;
                    inside * met.min(1.0).powf((s / c) as f64)
                }
                Some(_) => 0.0,
            }
        });
        whole.product()
    }

    /// The chunks (or shards) that a read touches.
    fn touched(&self, chunk: &[u64], picks: &[Pick]) -> f64 {
        let along = self.subject.shape.iter().zip(chunk).enumerate();
        along.map(|(axis, (n, c))| held(picks, axis, *n, *c).chunks).product()
    }

    /// Among how many rows of objects a read chooses that to which it goes.
    fn rows(&self, object: &[u64], picks: &[Pick]) -> f64 {
        let along = self.subject.shape.iter().zip(object).enumerate();
        along.map(|(axis, (n, s))| n.div_ceil(*s) as f64 / held(picks, axis, *n, *s).chunks).product()
    }

    /// Time to open an object that was open just now.
    fn again_ns(&self) -> f64 {
        let open_ns = self.place.open_ns;
        if open_ns > LOCAL_OPEN_NS { open_ns } else { open_ns.min(AGAIN_NS) }
    }

    /// Batches of reads.
    fn batches(&self, requests: f64) -> f64 {
        let Habits { in_flight, in_flight_gain, .. } = self.reader.habits();
        batches(requests, in_flight.min(1.0 + (self.place.in_flight - 1.0) * in_flight_gain))
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

/// Batches of requests; of a number that is expected, between those of its neighbours.
fn batches(requests: f64, in_flight: f64) -> f64 {
    let of = |requests: f64| (requests / in_flight).ceil();
    let (few, part) = (of(requests.floor()), requests.fract());
    if part > 0.0 { few + part * (of(requests.ceil()) - few) } else { few }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CodecSpeed;
    use crate::read_cost::tests::{access, codec};

    pub(super) fn place() -> StoreProfile {
        let nvme = StoreProfile::built_in("nvme").unwrap();
        StoreProfile {
            read_ns_per_byte: 2.0,
            read_request_ns: 1000.0,
            open_ns: 100.0,
            in_flight: 4.0,
            ..nvme
        }
    }

    /// Requests, bytes, and the times to wait, to pass, to decode, and of the reader itself.
    type Expected = (f64, f64, [f64; 4]);

    #[test]
    fn costs_as_computed_by_hand() {
        let subject = Subject { shape: vec![100, 20], item_bytes: 4 };
        let place = place();
        let check =
            |reader: Reader, shard: Option<[u64; 2]>, codec: &CodecModel, axis: usize, expected: Expected| {
                let design = Design { chunk: vec![10, 5], shard: shard.map(Vec::from), codec: 0 };
                let reading = Reading { subject: &subject, place: &place, reader, reads: 1 };
                let found = reading.read(&design, codec, &Access::from(axis));
                let terms = [found.wait_ns, found.transfer_ns, found.decode_ns, found.reader_ns];
                let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
                let same = terms.iter().zip(expected.2).all(|(a, b)| close(*a, b));
                assert!(same && close(found.bytes, expected.1), "{reader} {shard:?} {axis}: {found:?}");
                assert!(close(found.requests, expected.0), "{reader} {shard:?} {axis}: {found:?}");
            };
        let (packed, plain) = (codec(false, 2.0, 3.0), codec(true, 1.0, 0.5));
        let ours = Reader::Zarrange;
        // One column: 10 chunks of 200 bytes, stored as 100, opened and requested in 3 batches of 4.
        check(ours, None, &packed, 1, (10.0, 1000.0, [3.0 * 1100.0, 2000.0, 6000.0, 6000.0]));
        // One row: 4 chunks in 1 batch.
        check(ours, None, &packed, 0, (4.0, 400.0, [1100.0, 800.0, 2400.0, 2400.0]));
        // One column in 5 shards of 8 chunks: 5 indexes of 132 bytes in 2 batches come first, then 2 chunks of each with the 3 between them.
        let bytes = 1000.0 + 5.0 * 300.0 + 660.0;
        let decode = 6000.0 + 5.0 * 8.0 * ENTRY_NS;
        let wait = 5.0 * 100.0 + 2.0 * 1000.0 + 2.0 * 1000.0;
        check(ours, Some([20, 20]), &packed, 1, (10.0, bytes, [wait, 2.0 * bytes, decode, 6000.0]));
        // One row is 4 neighbours.
        let decode = 2400.0 + 40.0 * ENTRY_NS;
        check(ours, Some([100, 20]), &packed, 0, (2.0, 1044.0, [2100.0, 2088.0, decode, 2400.0]));
        // As they are: one row of a chunk is 5 elements, one column goes from its first row to its last.
        check(ours, None, &plain, 0, (4.0, 80.0, [1100.0, 160.0, 40.0, 2400.0]));
        check(ours, None, &plain, 1, (10.0, 10.0 * 184.0, [3300.0, 3680.0, 920.0, 6000.0]));

        // Others fetch the chunks whole: 200 bytes each.
        let (others, habits) = (Reader::ZarrPython, Reader::ZarrPython.habits());
        let Habits { access_ns, request_ns, shard_ns, chunk_ns, codec_ns, .. } = habits;
        let own = access_ns + 4.0 * (request_ns + chunk_ns);
        check(others, None, &plain, 0, (4.0, 800.0, [1100.0, 1600.0, 400.0, own]));
        // The 2 chunks of each of 5 shards one after the other, opened each time, and decoded so.
        let own = access_ns + 5.0 * (shard_ns + request_ns) + 10.0 * (request_ns + chunk_ns + codec_ns);
        let terms = [2.0 * 1100.0 + 4.0 * 1100.0, 3320.0, 6000.0 + 5.0 * 8.0 * ENTRY_NS, own];
        check(others, Some([20, 20]), &packed, 1, (15.0, 1660.0, terms));
        // All chunks of a shard at once: two threads decode half as fast again as one.
        let own = access_ns + shard_ns + request_ns + 10.0 * (chunk_ns + codec_ns);
        let terms = [1100.0, 2328.0, 4000.0 + 10.0 * ENTRY_NS, own];
        check(others, Some([100, 5]), &packed, 1, (1.0, 1164.0, terms));
        // With what lies between them; 15 of 20 are not wanted.
        let (merging, bytes) = (Reader::ZarrPython33, 37.0 * 100.0 + 644.0);
        let own = access_ns + shard_ns + request_ns + request_ns + 10.0 * (chunk_ns + codec_ns);
        let terms = [2.0 * 1100.0, 2.0 * bytes, 4000.0 + 40.0 * ENTRY_NS, own];
        check(merging, Some([100, 20]), &packed, 1, (2.0, bytes, terms));
        // Two decode at once.
        let (two, Habits { access_ns, request_ns, chunk_ns, codec_ns, .. }) =
            (Reader::TensorStore, Reader::TensorStore.habits());
        let own = access_ns + 4.0 * (request_ns + chunk_ns + codec_ns);
        // But not so little.
        check(two, None, &packed, 0, (4.0, 400.0, [1100.0, 800.0, 2400.0, own]));
        // Runs: of each of 10 chunks the 10 rows of a column, or one row.
        let (runs, Habits { access_ns, request_ns, chunk_ns, .. }) =
            (Reader::ZarrsPython, Reader::ZarrsPython.habits());
        let own = access_ns + 100.0 * request_ns + 10.0 * chunk_ns;
        check(runs, None, &plain, 1, (100.0, 400.0, [50.0 * 1100.0, 800.0, 100.0, own]));
        let own = access_ns + 4.0 * (request_ns + chunk_ns);
        check(runs, None, &plain, 0, (4.0, 80.0, [2.0 * 1100.0, 160.0, 20.0, own]));
    }

    #[test]
    fn waits_as_computed_by_hand() {
        let subject = Subject { shape: vec![100, 20], item_bytes: 4 };
        let at = |open_ns: f64, reader, expected: f64| {
            let place = StoreProfile { open_ns, in_flight: 3.0, ..place() };
            let design = Design { chunk: vec![10, 5], shard: Some(vec![20, 20]), codec: 0 };
            let reading = Reading { subject: &subject, place: &place, reader, reads: 1 };
            let found = reading.read(&design, &codec(false, 2.0, 3.0), &Access::from(1)).wait_ns;
            assert!((found - expected).abs() < 1e-6, "{reader}: {found}");
        };
        let check = |reader, expected| at(10_000.0, reader, expected);
        // 5 shards in 2 batches of 3, then the 2 chunks of each, one after the other: each time it is opened, which the system remembers.
        check(Reader::ZarrPython, 2.0 * 11_000.0 + 4.0 * (1000.0 + AGAIN_NS));
        // In batches of 4.2: the 10 chunks in 3.
        check(Reader::TensorStore, 2.0 * 11_000.0 + 3.0 * (1000.0 + AGAIN_NS));
        // It opens one after the other, and once.
        check(Reader::Zarrange, 5.0 * 10_000.0 + 2.0 * 1000.0 + 2.0 * 1000.0);
        // Where objects are not opened, it asks for their sizes first, together.
        at(0.0, Reader::Zarrange, 2.0 * 1000.0 + 2.0 * 1000.0 + 2.0 * 1000.0);
    }

    #[test]
    fn scattered_indices_that_miss_no_chunk_want_the_whole_shard() {
        let (subject, place) = (Subject { shape: vec![100, 20], item_bytes: 4 }, place());
        let check = |reader, chunk: [u64; 2], expected: f64| {
            let design = Design { chunk: chunk.to_vec(), shard: Some(vec![100, 20]), codec: 0 };
            let reading = Reading { subject: &subject, place: &place, reader, reads: 1 };
            let found = reading.read(&design, &codec(false, 2.0, 3.0), &access(&[(0, 50, true)])).requests;
            assert!((found - expected).abs() < 0.02 * expected, "{reader} {chunk:?}: {found}");
        };
        check(Reader::TensorStore, [20, 20], 1.0);
        check(Reader::ZarrPython, [10, 5], 1.0 + 40.0 * (1.0 - (1.0 - 0.000_593_f64).powi(10)));
        // Of chunks of two a quarter is missed.
        check(Reader::TensorStore, [2, 20], 1.0 + 50.0 * (1.0 - 0.247));
        // Of two shards of 60 rows one reaches over the end: of its three chunks two are there.
        let over = Design { chunk: vec![20, 20], shard: Some(vec![60, 20]), codec: 0 };
        let reading = Reading { subject: &subject, place: &place, reader: Reader::ZarrPython, reads: 1 };
        let found = reading.read(&over, &codec(false, 2.0, 3.0), &Access::from(1)).requests;
        assert!((found - (1.0 + 1.0 + 2.0)).abs() < 1e-6, "{found}");
        // One row of chunks after the other; the index comes first.
        check(Reader::Zarrange, [20, 5], 6.0);
    }

    #[test]
    fn writes_cost_as_computed_by_hand() {
        let subject = Subject { shape: vec![100, 20], item_bytes: 4 };
        let place =
            StoreProfile { write_ns_per_byte: 3.0, write_request_ns: 500.0, create_ns: 200.0, ..place() };
        let table = CodecSpeed { ratio: 2.0, decode_ns_per_byte: 3.0, encode_ns_per_byte: 5.0 };
        let packed = CodecModel { table, ..codec(false, 2.0, 3.0) };
        let habits = Reader::ZarrPython.habits();
        let check = |chunk: [u64; 2], shard: Option<[u64; 2]>, expected: (f64, f64, [f64; 3])| {
            let design = Design { chunk: chunk.to_vec(), shard: shard.map(Vec::from), codec: 0 };
            let reading = Reading { subject: &subject, place: &place, reader: Reader::ZarrPython, reads: 1 };
            let found = reading.read(&design, &packed, &Access::from(1).written());
            let terms = [found.requests, found.bytes, found.wait_ns, found.transfer_ns, found.decode_ns];
            let expected = [expected.0, expected.1, expected.2[0], expected.2[1], expected.2[2]];
            let same = terms.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(
                same && found.reader_ns > habits.access_ns,
                "{chunk:?} {shard:?}: {found:?} {expected:?}"
            );
        };
        // 2 chunks of 200 bytes, stored as 100, that hold nothing else.
        check([50, 1], None, (2.0, 200.0, [700.0, 600.0, 400.0 * 5.0]));
        // 2 chunks of 5 columns: of 500 stored bytes two fifths are there before on average, and three fifths are written.
        let (before, after) = (2.0 * 500.0 * 0.4, 2.0 * 500.0 * 0.6);
        let transfer = 2.0 * before + 3.0 * after;
        check([50, 5], None, (4.0, before + after, [700.0 + 1100.0, transfer, 2000.0 * 8.0]));
        // The same columns in a shard of 10, with an index of 20 chunks each time; a chunk is nothing else.
        let (before, after) = (2000.0 * 0.45 + 324.0, 2000.0 * 0.55 + 324.0);
        let transfer = 2.0 * before + 3.0 * after;
        check([50, 1], Some([100, 10]), (2.0, before + after, [700.0 + 1100.0, transfer, 400.0 * 5.0]));
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
    fn shards_stay_open_for_later_reads() {
        let (subject, place) = (Subject { shape: vec![1], item_bytes: 4 }, place());
        let by = |reader: Reader, reads: u64, objects: u64, rows: u64, expected: f64| {
            let found = Reading { subject: &subject, place: &place, reader, reads }
                .not_open(objects as f64, rows as f64);
            assert!((found - expected).abs() < 1e-3, "{reader} {reads} {objects} {rows}: {found}");
        };
        let check = |reads, objects, rows, expected| by(Reader::Zarrange, reads, objects, rows, expected);
        by(Reader::TensorStore, 100, 5, 1, 1.0);
        check(1, 5, 10, 1.0);
        check(100, 5, 1, 0.01);
        // Two of two rows are met by the second access half of the time.
        check(2, 5, 2, 0.75);
        // Four rows are kept of a hundred.
        check(1_000_000, 16, 100, 0.96);
        check(1000, 65, 1, 1.0);
    }
}
