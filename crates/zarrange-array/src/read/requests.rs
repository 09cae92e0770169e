//! Requests for the stored bytes of chunks, in batches whose memory is used again.

use std::ops::Range;

use zarrange_codec::{ArrayCodec, CodecError};
use zarrange_grid::{Dims, index};
use zarrange_io::{Coalescing, Extent, ReadRequest, Source};

use crate::ArrayError;
use crate::chunks::{ChunkView, Chunks};
use crate::read::cost::ReadCost;
use crate::read::shard::{Known, OpenShard, OpenShards};

/// Gaps are read with what lies around them where a buffer holds so many of the longest.
const GAPS_IN_BUFFER: u64 = 16;

/// Where the stored bytes of chunks lie in a buffer; `None` for one that is missing.
pub(crate) type Fetched = Vec<Option<Range<usize>>>;

/// The chunks that are wanted together.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The shards that hold them, where there are shards, each with the number of chunks up to its last.
    pub(crate) objects: Vec<(Dims, usize)>,
    pub(crate) chunks: Vec<Dims>,
    /// The bytes of each decoded chunk that are wanted; none where whole chunks are.
    pub(crate) parts: Vec<Range<usize>>,
    /// How many were fetched before.
    pub(crate) before: usize,
    /// Where those lie that were fetched last.
    pub(crate) fetched: Fetched,
}

impl Wanted {
    pub(crate) fn clear(&mut self) {
        let Self { objects, chunks, parts, before, fetched } = self;
        objects.clear();
        chunks.clear();
        parts.clear();
        fetched.clear();
        *before = 0;
    }

    /// Goes on to those that were not fetched yet; whether there are any.
    pub(crate) fn go_on(&mut self) -> bool {
        self.before += self.fetched.len();
        self.fetched.clear();
        self.before < self.chunks.len()
    }

    /// How many shards were done with; of the next, not all chunks were fetched.
    pub(crate) fn objects_done(&self) -> usize {
        let done = self.before + self.fetched.len();
        self.objects.partition_point(|(_, end)| *end <= done)
    }
}

/// What a batch needs besides its buffer; its memory is used again by the next.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The keys one after the other; where each ends, and what of the object is wanted.
    keys: String,
    ends: Vec<(usize, Extent)>,
    /// Numbers of chunks within their shard.
    numbers: Vec<u64>,
    /// Ranges of a shard, sorted, and which chunk each is of.
    ranges: Vec<Range<u64>>,
    sorted: Vec<usize>,
    batch: Vec<ReadRequest<'static>>,
    /// The first chunk of each request, for messages.
    named: Vec<usize>,
    /// What was read so far.
    pub(crate) cost: ReadCost,
}

impl Requests {
    /// Reads the next of the chunks (or slices) wanted, each to the buffer beside it, in one batch; `found` is told how many bytes
    /// there were, `None` for a chunk that is missing.
    pub(crate) fn objects<'b>(
        &mut self,
        chunks: &Chunks<'_>,
        (wanted, parts): (&[Dims], &[Range<usize>]),
        buffers: impl Iterator<Item = &'b mut [u8]>,
        mut found: impl FnMut(usize, Option<usize>),
    ) -> Result<(), ArrayError> {
        let Self { keys, ends, batch, cost, .. } = self;
        let store = chunks.store();
        keys.clear();
        ends.clear();
        for (k, chunk) in wanted.iter().enumerate() {
            let extent = locate(chunks, chunk, parts.get(k), keys);
            ends.push((keys.len(), extent));
        }
        let mut requests = ReadRequest::recycle(std::mem::take(batch));
        let starts = std::iter::once(0).chain(ends.iter().map(|(end, _)| *end));
        let places =
            starts.zip(&*ends).map(|(start, (end, extent))| (Source::Key(&keys[start..*end]), *extent));
        requests.extend(
            places.zip(buffers).map(|((name, extent), buffer)| ReadRequest::new(name, extent, buffer)),
        );
        store.read(&mut requests);
        let mut outcome = Ok(());
        for (k, request) in requests.iter_mut().enumerate() {
            found(
                k,
                match std::mem::replace(&mut request.result, Ok(0)) {
                    Ok(bytes) => {
                        cost.bytes += bytes as u64;
                        cost.stored_bytes += bytes as u64;
                        Some(bytes)
                    }
                    Err(e) if e.is_not_found() => None,
                    Err(source) => {
                        let failed = || chunks.metadata().failed(&chunks.name(&wanted[k]), source);
                        outcome = outcome.and_then(|()| Err(failed()));
                        None
                    }
                },
            );
        }
        cost.requests += requests.len() as u64;
        *batch = ReadRequest::recycle(requests);
        outcome
    }

    /// Reads the next of the inner chunks wanted, as many as fit `encoded`, in one batch, of all the shards that are open: of one what fits,
    /// of further ones those that fit whole. Neighbouring chunks are one request.
    pub(crate) fn inner(
        &mut self,
        chunks: &Chunks<'_>,
        shards: &OpenShards,
        wanted: &mut Wanted,
        encoded: &mut [u8],
    ) -> Result<(), ArrayError> {
        let mut requests = ReadRequest::recycle(std::mem::take(&mut self.batch));
        let (mut rest, mut filled) = (encoded, 0);
        self.named.clear();
        while let Some((object, end)) = wanted.objects.get(wanted.objects_done()) {
            let (first, end) = (wanted.fetched.len(), end - wanted.before);
            let shard = match shards.get(object) {
                Known::Open(shard) => shard,
                Known::Missing => {
                    wanted.fetched.resize(end, None);
                    continue;
                }
                Known::Unknown => break,
            };
            let joined = self.choose(chunks, shard, wanted, (first..end, rest.len()))?;
            let is_whole = first + self.numbers.len() == end;
            if filled > 0 && !(is_whole && joined == chunks.store().coalescing()) {
                wanted.fetched.truncate(first);
                break;
            }
            for run in joined.runs(&self.ranges, rest.len() as u64) {
                let (part, after) = rest.split_at_mut(index(run.bytes.end - run.bytes.start));
                self.named.push(wanted.before + first + self.sorted[run.items.start]);
                for k in run.items {
                    let Range { start, end } = self.ranges[k];
                    let at = filled + index(start - run.bytes.start);
                    wanted.fetched[first + self.sorted[k]] = Some(at..at + index(end - start));
                    self.cost.stored_bytes += end - start;
                }
                (filled, rest) = (filled + part.len(), after);
                let source = Source::Open(&shard.object);
                requests.push(ReadRequest::new(source, Extent::From(run.bytes.start), part));
            }
            if !is_whole {
                break;
            }
        }
        chunks.store().read(&mut requests);
        self.cost.requests += requests.len() as u64;
        self.cost.bytes += filled as u64;
        let failed = requests.iter_mut().zip(&self.named).find_map(|(request, chunk)| {
            let source = std::mem::replace(&mut request.result, Ok(0)).err()?;
            Some(chunks.metadata().failed(&chunks.name(&wanted.chunks[*chunk]), source))
        });
        self.batch = ReadRequest::recycle(requests);
        failed.map_or(Ok(()), Err)
    }

    /// Chooses those of the inner chunks wanted of a shard, the next `these`, that fit `room` bytes with what lies between them, and notes
    /// where they lie. How they are joined to requests.
    fn choose(
        &mut self,
        chunks: &Chunks<'_>,
        shard: &OpenShard,
        wanted: &mut Wanted,
        (these, room): (Range<usize>, usize),
    ) -> Result<Coalescing, ArrayError> {
        let mut joined = chunks.store().coalescing();
        // Without a bound, where reads would be cut, and what lies between two of them left out: more would seem to fit.
        let whole = Coalescing { run_bytes_max: u64::MAX, ..joined };
        let first = these.start;
        self.select(chunks, shard, wanted, (these, room))?;
        let room = room as u64;
        loop {
            self.arrange(chunks, shard, wanted, first);
            // Without what lies between them, all fit the buffer; with it, the last may have to wait.
            let bytes: u64 =
                whole.runs(&self.ranges, u64::MAX).map(|run| run.bytes.end - run.bytes.start).sum();
            let chosen = self.numbers.len() as u64;
            if bytes <= room || chosen < 2 {
                return Ok(joined);
            }
            // Gaps as long as the buffer would leave little to be asked for at once: without them, all is.
            if joined.gap_bytes_max.saturating_mul(GAPS_IN_BUFFER) > room {
                joined.gap_bytes_max = 0;
                return Ok(joined);
            }
            let kept = index((chosen.saturating_mul(room) / bytes).clamp(1, chosen - 1));
            self.numbers.truncate(kept);
            wanted.fetched.truncate(first + kept);
        }
    }

    /// Notes where those chosen lie in their shard, in the order in which they lie there; they are those fetched from `first` on.
    fn arrange(&mut self, chunks: &Chunks<'_>, shard: &OpenShard, wanted: &Wanted, first: usize) {
        let Self { numbers, ranges, sorted, .. } = self;
        let in_parts = chunks.chain().stores_c_order();
        let stored = |k: usize| {
            let whole = shard.index.get(index(numbers[k])).map_or(0..0, |(at, bytes)| at..at + bytes);
            match wanted.parts.get(wanted.before + first + k).filter(|_| in_parts) {
                Some(part) => whole.start + part.start as u64..whole.start + part.end as u64,
                None => whole,
            }
        };
        sorted.clear();
        sorted.extend((0..numbers.len()).filter(|k| wanted.fetched[first + k].is_some()));
        sorted.sort_unstable_by_key(|k| stored(*k).start);
        ranges.clear();
        ranges.extend(sorted.iter().map(|k| stored(*k)));
    }

    /// Chooses the next of the inner chunks wanted of a shard of which each has a valid number of bytes and all fit `room`: an entry of those
    /// fetched for each, still without its place.
    fn select(
        &mut self,
        chunks: &Chunks<'_>,
        shard: &OpenShard,
        wanted: &mut Wanted,
        (these, mut room): (Range<usize>, usize),
    ) -> Result<(), ArrayError> {
        let at = wanted.objects_done();
        let Wanted { objects, chunks: all, before, fetched, .. } = wanted;
        self.numbers.clear();
        for chunk in &all[*before + these.start..*before + these.end] {
            let number = chunks.number_in(&objects[at].0, chunk);
            if let Some((_, bytes)) = shard.index.get(index(number)) {
                let wrong = |source: CodecError| chunks.metadata().damaged(&shard.inner_key(number), source);
                chunks.chain().check_stored_bytes(bytes).map_err(wrong)?;
                let Some(left) = room.checked_sub(index(bytes)) else { break };
                room = left;
                fetched.push(Some(0..0));
            } else {
                fetched.push(None);
            }
            self.numbers.push(number);
        }
        Ok(())
    }
}

/// Appends the key of the object that holds `chunk`, a chunk or slice; which part of the object it is.
fn locate(view: &ChunkView<'_>, chunk: &[u64], part: Option<&Range<usize>>, keys: &mut String) -> Extent {
    let first = part.map_or(0, |part| part.start as u64);
    let (metadata, elements) = (view.metadata(), view.elements());
    let ArrayCodec::Slices(slices) = &elements.codec else {
        metadata.append_key(chunk, keys);
        let of = elements.chunk_bytes(chunk) as u64;
        return part.map_or(Extent::Whole, |_| Extent::Part { offset: first, of });
    };
    let object = view.object_of(chunk);
    metadata.append_key(&object, keys);
    let number = view.number_in(&object, chunk);
    Extent::Part { offset: slices.offset(number) + first, of: slices.chunk_bytes() }
}
