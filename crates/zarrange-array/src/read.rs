//! Reading: chunks in batches with a thread's own buffers, or a whole region.

use std::ops::Range;

use zarrange_codec::{ArrayCodec, Chain, CodecError, Scratch, ShardIndex, buffer};
use zarrange_grid::{ChunkGrid, Dims, index};
use zarrange_io::{Access, Extent, IoError, Object, ReadRequest, Source};

use crate::ArrayError;
use crate::array::{Array, Elements};

/// Encoded chunks of a region are read and written in batches of about this many bytes.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Where the stored bytes of chunks lie in a buffer; `None` for one that is missing.
pub type Fetched = Vec<Option<Range<usize>>>;

/// Fetches and decodes chunks for one thread.
#[derive(Debug)]
pub struct ChunkReader<'a> {
    array: &'a Array,
    elements: &'a Elements,
    codecs: Codecs,
    /// Made when the first chunk is decoded: who only moves stored bytes has no need of it.
    scratch: Option<Scratch>,
    key: String,
    batch: ReadBatch,
    cost: ReadCost,
}

/// The codecs of objects that are smaller than the largest, in a rectilinear grid: those that were needed last.
#[derive(Debug, Default)]
struct Codecs(Vec<(Dims, ArrayCodec)>);

/// Shapes of objects whose codecs a thread keeps: months have four lengths, in each dimension.
const SHAPES_KEPT: usize = 32;

impl Codecs {
    /// The codecs of object `object`.
    fn of<'c>(
        &'c mut self,
        array: &Array,
        elements: &'c Elements,
        object: &[u64],
    ) -> Result<&'c ArrayCodec, CodecError> {
        let grid = array.objects();
        if grid.is_regular() {
            return Ok(&elements.codec);
        }
        let cell = grid.cell(object);
        if cell.shape() == grid.chunk_shape() {
            return Ok(&elements.codec);
        }
        if let Some(at) = self.0.iter().position(|(shape, _)| shape[..] == *cell.shape()) {
            return Ok(&self.0[at].1);
        }
        let codec =
            ArrayCodec::new(&elements.object_codecs, &elements.element, cell.shape(), &elements.fill)?;
        if self.0.len() == SHAPES_KEPT {
            self.0.remove(0);
        }
        self.0.push((cell.shape().into(), codec));
        Ok(&self.0[self.0.len() - 1].1)
    }

    /// The chain of `unit`, a chunk or inner chunk.
    fn chain<'c>(
        &'c mut self,
        array: &Array,
        elements: &'c Elements,
        unit: &[u64],
    ) -> Result<&'c Chain, CodecError> {
        // Inner chunks are the same in shards of every shape.
        if elements.units.is_regular() {
            return Ok(elements.chain());
        }
        self.of(array, elements, unit).map(ArrayCodec::unit)
    }
}

/// What a batch needs besides its buffer; its memory is used again by the next.
#[derive(Debug, Default)]
struct ReadBatch {
    /// The keys one after the other; where each ends, and what of the object is wanted.
    keys: String,
    ends: Vec<(usize, Extent)>,
    /// Ranges of a shard, sorted, and which chunk each is of.
    ranges: Vec<Range<u64>>,
    chunks: Vec<usize>,
    requests: Vec<ReadRequest<'static>>,
}

impl<'a> ChunkReader<'a> {
    /// A reader of `array`.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if its elements cannot be read.
    pub fn new(array: &'a Array) -> Result<Self, ArrayError> {
        let elements = array.elements()?;
        let (batch, key) = (ReadBatch::default(), String::new());
        let (codecs, cost) = (Codecs::default(), ReadCost::default());
        Ok(Self { array, elements, codecs, scratch: None, key, batch, cost })
    }

    /// What it has read so far.
    pub const fn cost(&self) -> ReadCost {
        self.cost
    }

    /// Reads the stored bytes of the first of `chunks` (or slices; not shards), as many as are certain to fit `encoded`, in one batch.
    /// Where they are is left in `fetched`, which gets an entry for each.
    ///
    /// `parts` has the bytes of each decoded chunk that are wanted, or nothing where whole chunks are. Where chunks are stored as
    /// they are ([`Chain::stores_c_order`](zarrange_codec::Chain::stores_c_order)), only those bytes are read.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`], and there or in [`ArrayError::Chunk`] that more or less is stored than can be valid.
    ///
    /// # Panics
    /// If `encoded` has no room for one chunk.
    pub fn fetch(
        &mut self,
        chunks: &[Dims],
        parts: &[Range<usize>],
        encoded: &mut [u8],
        fetched: &mut Fetched,
    ) -> Result<(), ArrayError> {
        let room = self.elements.chain().encoded_bytes_max();
        let count = chunks.len().min(encoded.len() / room);
        assert!(count > 0 || chunks.is_empty(), "a chunk of up to {room} bytes fits {}", encoded.len());
        fetched.clear();
        let parts = if self.elements.chain().stores_c_order() { parts } else { &[] };
        let rooms = encoded.chunks_mut(room).enumerate();
        let rooms = rooms.map(|(k, room)| match parts.get(k) {
            Some(part) => &mut room[..part.len()],
            None => room,
        });
        self.read_units(&chunks[..count], parts, rooms, |k, bytes| {
            fetched.push(bytes.map(|bytes| k * room..k * room + bytes));
        })?;
        if parts.is_empty() {
            for (chunk, stored) in chunks.iter().zip(&*fetched) {
                stored.as_ref().map_or(Ok(()), |stored| self.check_unit(chunk, stored.len() as u64))?;
            }
        }
        Ok(())
    }

    /// Refuses a number of stored bytes that chunk `unit` cannot have.
    fn check_unit(&mut self, unit: &[u64], bytes: u64) -> Result<(), ArrayError> {
        let chain = self.codecs.chain(self.array, self.elements, unit);
        let checked = chain.and_then(|chain| chain.check_stored_bytes(bytes));
        checked.map_err(|source| codec_error(self.array, &self.array.unit_key(self.elements, unit), source))
    }

    /// Refuses a number of stored bytes that object `object`, a chunk or shard, cannot have.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn check_object(&mut self, object: &[u64], bytes: u64) -> Result<(), ArrayError> {
        let codec = self.codecs.of(self.array, self.elements, object);
        let checked = codec.and_then(|codec| match codec {
            ArrayCodec::Chunks(chain) => chain.check_stored_bytes(bytes),
            // There may be room that no inner chunk has.
            ArrayCodec::Shards(shards) => shards.index_offset(bytes).map(|_| ()),
            ArrayCodec::Slices(_) => Ok(()),
        });
        checked.map_err(|source| codec_error(self.array, &self.array.key(object), source))
    }

    /// Reads the stored bytes of `chunks`, which are those of the elements
    /// ([`Chain::is_identity`](zarrange_codec::Chain::is_identity)), to where they are wanted:
    /// `buffers` has room for exactly one chunk each. `found` gets whether each exists.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`], and [`ArrayError::Chunk`] if one has another size.
    pub fn fetch_in_place<'b>(
        &mut self,
        chunks: &[Dims],
        buffers: impl Iterator<Item = &'b mut [u8]>,
        found: &mut Vec<bool>,
    ) -> Result<(), ArrayError> {
        let expected = self.elements.chain().chunk_bytes();
        found.clear();
        let mut wrong = None;
        self.read_units(chunks, &[], buffers, |k, bytes| {
            found.push(bytes.is_some());
            wrong = wrong.or(bytes.filter(|bytes| *bytes != expected).map(|bytes| (k, bytes)));
        })?;
        self.cost.chunks += found.iter().filter(|found| **found).count() as u64;
        let Some((k, bytes)) = wrong else { return Ok(()) };
        let source = CodecError::Size { codec: "bytes", bytes: bytes as u64, expected: expected as u64 };
        Err(codec_error(self.array, &self.array.unit_key(self.elements, &chunks[k]), source))
    }

    /// Reads the stored bytes of each of `chunks` into the buffer beside it, in one batch; `found` is told how many there
    /// were, `None` for a chunk that is missing.
    fn read_units<'b>(
        &mut self,
        chunks: &[Dims],
        parts: &[Range<usize>],
        buffers: impl Iterator<Item = &'b mut [u8]>,
        mut found: impl FnMut(usize, Option<usize>),
    ) -> Result<(), ArrayError> {
        let ReadBatch { keys, ends, requests, .. } = &mut self.batch;
        let store = self.array.store();
        keys.clear();
        ends.clear();
        for (k, chunk) in chunks.iter().enumerate() {
            let extent = self.array.locate(self.elements, chunk, parts.get(k), keys);
            ends.push((keys.len(), extent));
        }
        let mut batch = ReadRequest::recycle(std::mem::take(requests));
        let starts = std::iter::once(0).chain(ends.iter().map(|(end, _)| *end));
        let places =
            starts.zip(&*ends).map(|(start, (end, extent))| (Source::Key(&keys[start..*end]), *extent));
        batch.extend(
            places.zip(buffers).map(|((name, extent), buffer)| ReadRequest::new(name, extent, buffer)),
        );
        store.read(&mut batch);
        let mut outcome = Ok(());
        for (k, request) in batch.iter_mut().enumerate() {
            found(
                k,
                match std::mem::replace(&mut request.result, Ok(0)) {
                    Ok(bytes) => {
                        self.cost.bytes += bytes as u64;
                        self.cost.stored_bytes += bytes as u64;
                        Some(bytes)
                    }
                    Err(e) if e.is_not_found() => None,
                    Err(source) => {
                        let key = self.array.unit_key(self.elements, &chunks[k]);
                        let array = self.array.location().to_owned();
                        outcome = outcome.and(Err(ArrayError::ChunkIo { array, key, source }));
                        None
                    }
                },
            );
        }
        self.cost.requests += batch.len() as u64;
        *requests = ReadRequest::recycle(batch);
        outcome
    }

    /// Opens shard `shard`, or `None` if it is missing.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if its index is damaged, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn open_shard(&mut self, shard: &[u64]) -> Result<Option<ShardReader>, ArrayError> {
        let Self { array, elements, codecs, key, cost, .. } = self;
        array.keys().write(shard, key);
        let damaged = |source| codec_error(array, key, source);
        let failed = |source| io_error(array, key, source);
        let ArrayCodec::Shards(codec) = codecs.of(array, elements, shard).map_err(damaged)? else {
            return Ok(None);
        };
        let store = array.store();
        let Some(object) = store.open(key, Access::Read).map_err(failed)? else { return Ok(None) };
        let size = |source| failed(IoError::Os { operation: "read size", location: key.clone(), source });
        let bytes = object.bytes().map_err(size)?;
        let offset = codec.index_offset(bytes).map_err(damaged)?;
        let mut encoded = buffer(codec.index_bytes()).map_err(damaged)?;
        store.read_at(&object, offset, &mut encoded).map_err(failed)?;
        let index = codec.decode_index(&encoded, bytes).map_err(damaged)?;
        cost.requests += 1;
        cost.bytes += encoded.len() as u64;
        cost.stored_bytes += encoded.len() as u64;
        Ok(Some(ShardReader { object, bytes, index }))
    }

    /// Reads the stored bytes of the first of the inner chunks `inner` (numbers in C order within the shard), as many as fit
    /// `encoded`, in one batch; neighbouring ones in one request. As [`Self::fetch`] otherwise.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if one is longer or shorter than can be valid, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn fetch_inner(
        &mut self,
        shard: &ShardReader,
        inner: &[u64],
        parts: &[Range<usize>],
        encoded: &mut [u8],
        fetched: &mut Fetched,
    ) -> Result<(), ArrayError> {
        let chain = self.elements.chain();
        let parts = if chain.stores_c_order() { parts } else { &[] };
        let wanted = select(shard, inner, (chain, encoded.len()), fetched);
        wanted.map_err(|(key, source)| codec_error(self.array, &key, source))?;
        let ReadBatch { ranges, chunks, requests, .. } = &mut self.batch;
        chunks.clear();
        chunks.extend((0..fetched.len()).filter(|k| fetched[*k].is_some()));
        let stored = |k: usize| {
            let whole = shard.index.get(index(inner[k])).map_or(0..0, |(at, bytes)| at..at + bytes);
            match parts.get(k) {
                Some(part) => whole.start + part.start as u64..whole.start + part.end as u64,
                None => whole,
            }
        };
        chunks.sort_unstable_by_key(|k| stored(*k).start);
        ranges.clear();
        ranges.extend(chunks.iter().map(|k| stored(*k)));
        let (store, room) = (self.array.store(), encoded.len() as u64);
        let joined = store.coalescing();
        // With the gaps, the runs may be too much for the buffer; without, they are not.
        let all = joined.runs(ranges, room).last().is_none_or(|run| run.items.end == ranges.len());
        let runs = || if all { joined } else { zarrange_io::Coalescing::NONE }.runs(ranges, room);
        let mut batch = ReadRequest::recycle(std::mem::take(requests));
        let (mut rest, mut filled) = (encoded, 0);
        for run in runs() {
            let (part, after) = rest.split_at_mut(index(run.bytes.end - run.bytes.start));
            for k in run.items {
                let (start, bytes) =
                    (index(ranges[k].start - run.bytes.start), ranges[k].end - ranges[k].start);
                fetched[chunks[k]] = Some(filled + start..filled + start + index(bytes));
            }
            (filled, rest) = (filled + part.len(), after);
            let source = Source::Open(&shard.object);
            batch.push(ReadRequest::new(source, Extent::From(run.bytes.start), part));
        }
        store.read(&mut batch);
        self.cost.requests += batch.len() as u64;
        self.cost.bytes += filled as u64;
        self.cost.stored_bytes += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        let failed = batch.iter_mut().zip(runs()).find_map(|(request, run)| {
            let source = std::mem::replace(&mut request.result, Ok(0)).err()?;
            let key = shard.inner_key(inner[chunks[run.items.start]]);
            Some(ArrayError::ChunkIo { array: self.array.location().to_owned(), key, source })
        });
        *requests = ReadRequest::recycle(batch);
        failed.map_or(Ok(()), Err)
    }

    /// Decodes chunk `unit` into `chunk`, which has its size ([`Elements::unit_bytes`]). `key` names it in an error.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn decode(
        &mut self,
        unit: &[u64],
        encoded: &[u8],
        chunk: &mut [u8],
        key: impl FnOnce() -> String,
    ) -> Result<(), ArrayError> {
        self.cost.chunks += 1;
        let scratch = scratch(&mut self.scratch, self.array)?;
        let chain = self.codecs.chain(self.array, self.elements, unit);
        let decoded = chain.and_then(|chain| chain.decode(encoded, chunk, scratch));
        decoded.map_err(|source| codec_error(self.array, &key(), source))
    }

    /// Decodes at least `part`, bytes of the decoded chunk, to its place in `chunk`. `encoded` is what was fetched for it. As
    /// [`Self::decode`] otherwise.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn decode_part(
        &mut self,
        unit: &[u64],
        encoded: &[u8],
        part: Range<usize>,
        chunk: &mut [u8],
        key: impl FnOnce() -> String,
    ) -> Result<(), ArrayError> {
        self.cost.chunks += 1;
        let parts_fetched = self.elements.chain().stores_c_order();
        let scratch = scratch(&mut self.scratch, self.array)?;
        let chain = self.codecs.chain(self.array, self.elements, unit);
        // Where axes of the largest chunk are stored in another order, a smaller one may lie in C order, and was fetched whole.
        let decoded = chain.and_then(|chain| {
            if chain.stores_c_order() == parts_fetched {
                chain.decode_part(encoded, part, chunk, scratch)
            } else {
                chain.decode(encoded, chunk, scratch)
            }
        });
        decoded.map_err(|source| codec_error(self.array, &key(), source))
    }
}

/// Working memory for the chunks of `array`: what suffices for the largest does for all.
fn scratch<'s>(kept: &'s mut Option<Scratch>, array: &Array) -> Result<&'s mut Scratch, ArrayError> {
    Ok(match kept {
        Some(scratch) => scratch,
        None => kept.insert(array.scratch()?),
    })
}

pub(crate) fn io_error(array: &Array, key: &str, source: IoError) -> ArrayError {
    ArrayError::ChunkIo { array: array.location().to_owned(), key: key.to_owned(), source }
}

pub(crate) fn codec_error(array: &Array, key: &str, source: CodecError) -> ArrayError {
    ArrayError::Chunk { array: array.location().to_owned(), key: key.to_owned(), source }
}

/// Chooses the first of the inner chunks `inner` of which each has a valid number of bytes and all fit `room`: an entry in
/// `fetched` for each, still without its place.
fn select(
    shard: &ShardReader,
    inner: &[u64],
    (chain, room): (&Chain, usize),
    fetched: &mut Fetched,
) -> Result<(), (String, CodecError)> {
    fetched.clear();
    let mut room = room;
    for number in inner {
        let Some((_, bytes)) = shard.index.get(index(*number)) else {
            fetched.push(None);
            continue;
        };
        chain.check_stored_bytes(bytes).map_err(|error| (shard.inner_key(*number), error))?;
        let Some(left) = room.checked_sub(index(bytes)) else { break };
        room = left;
        fetched.push(Some(0..0));
    }
    Ok(())
}

/// An open shard with its index.
#[derive(Debug)]
pub struct ShardReader {
    pub(crate) object: Object,
    pub(crate) bytes: u64,
    pub(crate) index: ShardIndex,
}

impl ShardReader {
    /// Name of inner chunk `inner`, for messages.
    pub fn inner_key(&self, inner: u64) -> String {
        format!("{} inner chunk {inner}", self.object.key())
    }

    /// Stored bytes of inner chunk `inner`; 0 for one that is missing.
    pub fn stored_bytes(&self, inner: u64) -> u64 {
        self.index.get(index(inner)).map_or(0, |(_, bytes)| bytes)
    }
}

/// What reading a region cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCost {
    /// Chunks (inner chunks of shards) that were decoded.
    pub chunks: u64,
    /// Reads of the store, those of shard indexes included.
    pub requests: u64,
    /// Bytes that were read, those between neighbouring chunks included that are read in one request.
    pub bytes: u64,
    /// Stored bytes of the chunks and shard indexes that were wanted.
    pub stored_bytes: u64,
    /// Array bytes of the chunks that the regions overlap, missing ones included: what of the array has to be handled to get at them.
    pub chunk_bytes: u64,
}

impl Array {
    /// Appends the key of the object that holds `unit`, a chunk or slice; which part of the object it is.
    fn locate(
        &self,
        elements: &Elements,
        unit: &[u64],
        part: Option<&Range<usize>>,
        keys: &mut String,
    ) -> Extent {
        let first = part.map_or(0, |part| part.start as u64);
        let ArrayCodec::Slices(slices) = &elements.codec else {
            self.keys().append(unit, keys);
            let of = elements.unit_bytes(unit) as u64;
            return part.map_or(Extent::Whole, |_| Extent::Part { offset: first, of });
        };
        let object = self.object_of(&elements.units, unit);
        self.keys().append(&object, keys);
        let number = self.inner_number(&elements.units, &object, unit);
        Extent::Part { offset: slices.offset(number) + first, of: slices.chunk_bytes() }
    }

    /// The object that holds `unit`, of `units`.
    pub(crate) fn object_of(&self, units: &ChunkGrid, unit: &[u64]) -> Dims {
        let first = |d: usize| units.span(d, unit[d]).0;
        (0..unit.len()).map(|d| self.objects().chunk_at(d, first(d)).0).collect()
    }

    /// Key of the object that holds `unit`, a chunk or slice, for messages.
    pub fn unit_key(&self, elements: &Elements, unit: &[u64]) -> String {
        self.key(&self.object_of(&elements.units, unit))
    }

    /// Position of inner chunk `unit` (an index over the array, of `units`) within its shard, in C order.
    pub fn inner_number(&self, units: &ChunkGrid, shard: &[u64], unit: &[u64]) -> u64 {
        (0..unit.len()).fold(0, |n, d| {
            let ((start, length), inner) = (self.objects().span(d, shard[d]), units.chunk_shape()[d]);
            n * (length / inner) + (unit[d] - start / inner)
        })
    }
}
