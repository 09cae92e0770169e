//! Shards, without I/O: where the index lies, what it says, how to write one.

mod layout;

use zarrange_grid::{ChunkGrid, Layout, Region, copy_region, fill_with, index, is_filled};
use zarrs::metadata::v3::MetadataV3;

pub use crate::shard::layout::{ShardIndex, ShardLayout};
use crate::{Chain, CodecError, ElementType, Scratch, buffer};

/// Shards may lie in shards, this many levels together.
const LEVELS_MAX: usize = 4;

/// The `sharding_indexed` codec: inner chunks of one chain, and an index that says where each of them is.
#[derive(Debug)]
pub struct ShardCodec {
    inner: Chain,
    layout: ShardLayout,
}

impl ShardCodec {
    /// Compiles a `sharding_indexed` codec for shards of `shape` elements, themselves within `depth` shards.
    ///
    /// # Errors
    /// If the inner chunks do not divide the shard, the inner codecs are not valid, the index is not plain, or too many shards
    /// lie in each other.
    pub(crate) fn new(
        metadata: &MetadataV3,
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
        depth: usize,
    ) -> Result<Self, CodecError> {
        if depth >= LEVELS_MAX {
            let detail = format!("shards lie in shards more than {LEVELS_MAX} levels deep");
            return Err(CodecError::Unsupported { codecs: "sharding_indexed".to_owned(), detail });
        }
        let (layout, chunk_shape, codecs) = ShardLayout::new(metadata, shape)?;
        Ok(Self { inner: Chain::nested(&codecs, element, &chunk_shape, fill, depth + 1)?, layout })
    }

    /// The chain of the inner chunks.
    pub const fn inner(&self) -> &Chain {
        &self.inner
    }

    /// Where the index and the inner chunks lie.
    pub const fn layout(&self) -> &ShardLayout {
        &self.layout
    }

    /// As [`ShardLayout::grid`].
    pub const fn grid(&self) -> &ChunkGrid {
        self.layout.grid()
    }

    /// As [`ShardLayout::index_bytes`].
    pub fn index_bytes(&self) -> usize {
        self.layout.index_bytes()
    }

    /// As [`ShardLayout::index_offset`].
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] if the shard is too small to hold its index.
    pub fn index_offset(&self, shard_bytes: u64) -> Result<u64, CodecError> {
        self.layout.index_offset(shard_bytes)
    }

    /// As [`ShardLayout::data_offset`].
    pub fn data_offset(&self) -> u64 {
        self.layout.data_offset()
    }

    /// As [`ShardLayout::decode_index`].
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] if an entry is not within the shard, apart from the others.
    pub fn decode_index(&self, encoded: &[u8], shard_bytes: u64) -> Result<ShardIndex, CodecError> {
        self.layout.decode_index(encoded, shard_bytes)
    }

    /// As [`ShardLayout::encode_index`].
    ///
    /// # Panics
    /// If `encoded` or the index has another size.
    pub fn encode_index(&self, shard: &ShardIndex, encoded: &mut [u8]) {
        self.layout.encode_index(shard, encoded);
    }

    /// The most bytes that a shard has whose inner chunks are all there.
    pub(crate) fn encoded_bytes_max(&self) -> usize {
        let inner_chunks = index(self.grid().count()).saturating_mul(self.inner.encoded_bytes_max());
        inner_chunks.saturating_add(self.index_bytes())
    }

    /// Memory that [`Self::decode`] or [`Self::encode`] takes.
    pub(crate) fn working_bytes(&self) -> usize {
        let inner = self.inner.chunk_bytes().saturating_add(self.inner.scratch_bytes());
        inner.saturating_add(index(ShardIndex::memory_bytes(self.grid().count())))
    }

    /// Decodes a whole shard into `shard`, its elements in C order; where an inner chunk is missing they are `fill`.
    ///
    /// # Errors
    /// [`CodecError`] if the index or an inner chunk is not valid.
    pub(crate) fn decode(&self, encoded: &[u8], shard: &mut [u8], fill: &[u8]) -> Result<(), CodecError> {
        let (bytes, at) = (encoded.len() as u64, index(self.index_offset(encoded.len() as u64)?));
        let entries = self.decode_index(&encoded[at..at + self.index_bytes()], bytes)?;
        let layout = |region: &Region| Layout::c_order(region.clone(), fill.len() as u64);
        let (whole, inner_chunks) = (layout(&Region::whole(self.grid().array_shape())), self.grid().all());
        let (mut chunk, mut scratch) = (buffer(self.inner.chunk_bytes())?, Scratch::try_new(&self.inner)?);
        fill_with(shard, fill);
        for k in 0..self.grid().count() {
            let Some((offset, bytes)) = entries.get(index(k)) else { continue };
            self.inner.decode(&encoded[index(offset)..index(offset + bytes)], &mut chunk, &mut scratch)?;
            let cell = self.grid().cell(&inner_chunks.unravel(k));
            copy_region(&cell, (&chunk, &layout(&cell)), (shard, &whole), fill.len());
        }
        Ok(())
    }

    /// Encodes a whole shard of elements in C order into the start of `encoded`, which has room for the largest; inner chunks of
    /// nothing but `fill` are left out. Returns the bytes of the shard.
    ///
    /// # Errors
    /// [`CodecError::Encode`] if a library refuses.
    pub(crate) fn encode(&self, shard: &[u8], encoded: &mut [u8], fill: &[u8]) -> Result<usize, CodecError> {
        let layout = |region: &Region| Layout::c_order(region.clone(), fill.len() as u64);
        let (whole, inner_chunks) = (layout(&Region::whole(self.grid().array_shape())), self.grid().all());
        let (mut chunk, mut scratch) = (buffer(self.inner.chunk_bytes())?, Scratch::try_new(&self.inner)?);
        let (mut entries, mut end) =
            (ShardIndex::empty(index(self.grid().count())), index(self.data_offset()));
        for k in 0..self.grid().count() {
            let cell = self.grid().cell(&inner_chunks.unravel(k));
            copy_region(&cell, (shard, &whole), (&mut chunk, &layout(&cell)), fill.len());
            if is_filled(&chunk, fill) {
                continue;
            }
            let bytes = self.inner.encode(&chunk, &mut encoded[end..], &mut scratch)?;
            entries.set(index(k), end as u64, bytes as u64);
            end += bytes;
        }
        let index_bytes = self.index_bytes();
        let at = if self.layout.index_at_end() { end } else { 0 };
        self.encode_index(&entries, &mut encoded[at..at + index_bytes]);
        Ok(if self.layout.index_at_end() { end + index_bytes } else { end })
    }
}
