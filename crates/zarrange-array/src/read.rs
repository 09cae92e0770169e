//! Reading chunks, in batches with a thread's own buffers.

mod codecs;
mod cost;
mod requests;
mod shard;

use std::ops::Range;

use zarrange_codec::{ArrayCodec, CodecError, Scratch};
use zarrange_grid::Dims;

use crate::ArrayError;
use crate::chunks::Chunks;
use crate::read::codecs::Codecs;
pub use crate::read::cost::ReadCost;
use crate::read::requests::{Requests, Wanted};
pub use crate::read::shard::OpenShard;
use crate::read::shard::{Known, OpenShards};

/// Encoded chunks of a region are read and written in batches of about this many bytes.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Fetches and decodes chunks for one thread.
///
/// [`Self::want`] says which. [`Self::fetch`] then reads as many of them as fit a buffer, in one batch, until there are no more. Those
/// fetched last are told apart by numbers, in the order in which they were wanted.
#[derive(Debug)]
pub struct ChunkReader<'a> {
    chunks: Chunks<'a>,
    codecs: Codecs,
    /// Made when the first chunk is decoded: who only moves stored bytes has no need of it.
    scratch: Option<Scratch>,
    shards: OpenShards,
    wanted: Wanted,
    /// Which chunks exist, of those that were read in place.
    found: Vec<bool>,
    requests: Requests,
    decoded: u64,
}

impl<'a> ChunkReader<'a> {
    /// A reader of `chunks`; the shard that was read last stays open.
    pub fn new(chunks: &Chunks<'a>) -> Self {
        Self::keeping(chunks, 1)
    }

    /// A reader of `chunks`; this many shards that were read last stay open, at least one.
    pub(crate) fn keeping(chunks: &Chunks<'a>, shards: usize) -> Self {
        Self {
            chunks: chunks.clone(),
            codecs: Codecs::default(),
            scratch: None,
            shards: OpenShards::new(shards.max(1)),
            wanted: Wanted::default(),
            found: Vec::new(),
            requests: Requests::default(),
            decoded: 0,
        }
    }

    /// The chunks that it reads.
    pub const fn chunks(&self) -> &Chunks<'a> {
        &self.chunks
    }

    /// What it has read so far.
    pub const fn cost(&self) -> ReadCost {
        ReadCost { chunks: self.decoded, ..self.requests.cost }
    }

    /// Forgets what was wanted before; these chunks are wanted now, where there are shards all of shard `object`.
    pub fn want(&mut self, object: &[u64], chunks: impl IntoIterator<Item = Dims>) {
        self.want_nothing();
        self.want_also(object, chunks);
    }

    /// Forgets what was wanted before.
    pub(crate) fn want_nothing(&mut self) {
        self.wanted.clear();
    }

    /// These chunks are wanted, too, where there are shards all of shard `object`.
    pub(crate) fn want_also(&mut self, object: &[u64], chunks: impl IntoIterator<Item = Dims>) {
        let Wanted { objects, chunks: all, .. } = &mut self.wanted;
        all.extend(chunks);
        objects.push((object.into(), all.len()));
    }

    /// Of the chunks wanted, only these bytes of each when it is decoded. Where chunks are stored as they are
    /// ([`Chain::stores_c_order`](zarrange_codec::Chain::stores_c_order)), no others are read.
    ///
    /// # Panics
    /// If there is not a part for each.
    pub(crate) fn want_parts(&mut self, parts: impl IntoIterator<Item = Range<usize>>) {
        self.wanted.parts.extend(parts);
        assert_eq!(self.wanted.parts.len(), self.wanted.chunks.len(), "every chunk has its part");
    }

    /// Reads the stored bytes of the next of the chunks wanted, as many as are certain to fit `encoded`, in one batch; false once all
    /// were read.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`] if one cannot be read, there or in [`ArrayError::Chunk`] if more or less is stored than can be valid,
    /// or the index of a shard is damaged.
    ///
    /// # Panics
    /// If `encoded` has no room for one chunk.
    pub fn fetch(&mut self, encoded: &mut [u8]) -> Result<bool, ArrayError> {
        if !self.wanted.go_on() {
            return Ok(false);
        }
        match self.chunks.elements().codec {
            ArrayCodec::Shards(_) => self.fetch_inner(encoded)?,
            ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => self.fetch_objects(encoded)?,
        }
        Ok(true)
    }

    fn fetch_inner(&mut self, encoded: &mut [u8]) -> Result<(), ArrayError> {
        let Self { chunks, codecs, shards, wanted, requests, .. } = self;
        let ahead = &wanted.objects[wanted.objects_done()..];
        // Further ones are opened when the batches come to them.
        if wanted.before == 0 || matches!(shards.get(&ahead[0].0), Known::Unknown) {
            shards.use_next(chunks, codecs, ahead.iter().map(|(shard, _)| shard), &mut requests.cost)?;
        }
        let room = encoded.len();
        requests.inner(chunks, shards, wanted, encoded)?;
        assert!(
            !wanted.fetched.is_empty(),
            "a chunk of up to {} bytes fits {room}",
            chunks.chain().encoded_bytes_max()
        );
        Ok(())
    }

    fn fetch_objects(&mut self, encoded: &mut [u8]) -> Result<(), ArrayError> {
        let Self { chunks, wanted, requests, .. } = self;
        let room = chunks.chain().encoded_bytes_max();
        let count = (wanted.chunks.len() - wanted.before).min(encoded.len() / room);
        assert!(count > 0, "a chunk of up to {room} bytes fits {}", encoded.len());
        let now = wanted.before..wanted.before + count;
        let parts = if chunks.chain().stores_c_order() { wanted.parts.get(now.clone()) } else { None };
        let parts = parts.unwrap_or_default();
        let rooms = encoded.chunks_mut(room).enumerate();
        let rooms = rooms.map(|(k, room)| match parts.get(k) {
            Some(part) => &mut room[..part.len()],
            None => room,
        });
        let fetched = &mut wanted.fetched;
        requests.objects(chunks, (&wanted.chunks[now], parts), rooms, |k, bytes| {
            fetched.push(bytes.map(|bytes| k * room..k * room + bytes));
        })?;
        if parts.is_empty() {
            for k in self.fetched() {
                self.check_length(k)?;
            }
        }
        Ok(())
    }

    /// Refuses a number of stored bytes that chunk `k` cannot have.
    fn check_length(&mut self, k: usize) -> Result<(), ArrayError> {
        let Self { chunks, codecs, wanted, .. } = self;
        let Some(stored) = &wanted.fetched[k - wanted.before] else { return Ok(()) };
        let chunk = &wanted.chunks[k];
        let chain = codecs.chain(chunks, chunk);
        let checked = chain.and_then(|chain| chain.check_stored_bytes(stored.len() as u64));
        checked.map_err(|source| chunks.metadata().damaged(&chunks.name(chunk), source))
    }

    /// Reads the stored bytes of the chunks wanted, which are those of the elements
    /// ([`Chain::is_identity`](zarrange_codec::Chain::is_identity)), to where they are wanted: `buffers` has room for exactly one chunk
    /// each. Which of them exist.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`], and [`ArrayError::Chunk`] if one has another size.
    pub fn fetch_in_place<'b>(
        &mut self,
        buffers: impl Iterator<Item = &'b mut [u8]>,
    ) -> Result<&[bool], ArrayError> {
        let Self { chunks, wanted, requests, found, .. } = self;
        let expected = chunks.chain().chunk_bytes();
        found.clear();
        let mut wrong = None;
        requests.objects(chunks, (&wanted.chunks, &[]), buffers, |k, bytes| {
            found.push(bytes.is_some());
            wrong = wrong.or(bytes.filter(|bytes| *bytes != expected).map(|bytes| (k, bytes)));
        })?;
        self.decoded += found.iter().filter(|found| **found).count() as u64;
        let Some((k, bytes)) = wrong else { return Ok(found) };
        let source = CodecError::Size { codec: "bytes", bytes: bytes as u64, expected: expected as u64 };
        Err(chunks.metadata().damaged(&chunks.name(&wanted.chunks[k]), source))
    }

    /// Numbers of the chunks that were fetched last, among those wanted.
    pub fn fetched(&self) -> Range<usize> {
        self.wanted.before..self.wanted.before + self.wanted.fetched.len()
    }

    /// How many chunks are wanted.
    pub fn wanted(&self) -> usize {
        self.wanted.chunks.len()
    }

    /// Chunk `k` of those wanted.
    pub fn chunk(&self, k: usize) -> &Dims {
        &self.wanted.chunks[k]
    }

    /// The stored bytes of chunk `k`, which was fetched last into `encoded`; `None` if it is missing.
    pub fn stored<'e>(&self, k: usize, encoded: &'e [u8]) -> Option<&'e [u8]> {
        self.wanted.fetched[k - self.wanted.before].clone().map(|range| &encoded[range])
    }

    /// Decodes `stored`, the bytes of chunk `k`, into `chunk`, which has its size
    /// ([`Elements::chunk_bytes`](crate::Elements::chunk_bytes)).
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn decode(&mut self, k: usize, stored: &[u8], chunk: &mut [u8]) -> Result<(), ArrayError> {
        self.decoded += 1;
        let Self { chunks, codecs, scratch, wanted, .. } = self;
        let scratch = made(scratch, chunks)?;
        let chain = codecs.chain(chunks, &wanted.chunks[k]);
        let decoded = chain.and_then(|chain| chain.decode(stored, chunk, scratch));
        decoded.map_err(|source| chunks.metadata().damaged(&chunks.name(&wanted.chunks[k]), source))
    }

    /// Decodes at least the part that is wanted of chunk `k` to its place in `chunk`. `stored` is what was fetched for it. As
    /// [`Self::decode`] otherwise.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn decode_part(&mut self, k: usize, stored: &[u8], chunk: &mut [u8]) -> Result<(), ArrayError> {
        let Some(part) = self.wanted.parts.get(k).cloned() else { return self.decode(k, stored, chunk) };
        self.decoded += 1;
        let Self { chunks, codecs, scratch, wanted, .. } = self;
        let parts_fetched = chunks.chain().stores_c_order();
        let scratch = made(scratch, chunks)?;
        let chain = codecs.chain(chunks, &wanted.chunks[k]);
        // Where axes of the largest chunk are stored in another order, a smaller one may lie in C order, and was fetched whole.
        let decoded = chain.and_then(|chain| {
            if chain.stores_c_order() == parts_fetched {
                chain.decode_part(stored, part, chunk, scratch)
            } else {
                chain.decode(stored, chunk, scratch)
            }
        });
        decoded.map_err(|source| chunks.metadata().damaged(&chunks.name(&wanted.chunks[k]), source))
    }

    /// Checks the checksum of the stored bytes of chunk `k`, if its codecs end in one.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn check_sum(&self, k: usize, stored: &[u8]) -> Result<(), ArrayError> {
        let sum = self.chunks.chain().sum_check(stored.len() as u64).and_then(|sum| {
            let Some(mut sum) = sum else { return Ok(()) };
            sum.add(stored);
            sum.finish()
        });
        sum.map_err(|source| self.chunks.metadata().damaged(&self.chunks.name(self.chunk(k)), source))
    }

    /// Refuses a number of stored bytes that object `object`, a chunk or shard, cannot have.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub(crate) fn check_object(&mut self, object: &[u64], bytes: u64) -> Result<(), ArrayError> {
        let Self { chunks, codecs, .. } = self;
        let codec = codecs.of(chunks, object);
        let checked = codec.and_then(|codec| match codec {
            ArrayCodec::Chunks(chain) => chain.check_stored_bytes(bytes),
            // There may be room that no inner chunk has.
            ArrayCodec::Shards(shards) => shards.index_offset(bytes).map(|_| ()),
            ArrayCodec::Slices(_) => Ok(()),
        });
        checked.map_err(|source| chunks.metadata().damaged(&chunks.metadata().key(object), source))
    }

    /// Opens shard `shard`, or `None` if it is missing.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if its index is damaged, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn open_shard(&mut self, shard: &[u64]) -> Result<Option<OpenShard>, ArrayError> {
        let Self { chunks, codecs, requests, .. } = self;
        let opened = OpenShard::open_all(chunks, codecs, &[shard.into()], &mut requests.cost)?;
        Ok(opened.into_iter().next().flatten())
    }
}

/// Working memory for the chunks: what suffices for the largest does for all.
fn made<'s>(kept: &'s mut Option<Scratch>, chunks: &Chunks<'_>) -> Result<&'s mut Scratch, ArrayError> {
    Ok(match kept {
        Some(scratch) => scratch,
        None => kept.insert(chunks.scratch()?),
    })
}
