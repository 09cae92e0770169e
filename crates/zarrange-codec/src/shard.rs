//! Shards, without I/O: where the index lies, what it says, how to write one.

mod layout;
pub(crate) mod whole;

use zarrange_grid::ChunkGrid;

use crate::CodecError;
pub use crate::shard::layout::{ShardIndex, ShardLayout};

/// The `sharding_indexed` codec: inner chunks of one codec list, and an index that says where each of them is.
#[derive(Debug)]
pub struct Shards<C> {
    inner: C,
    layout: ShardLayout,
}

impl<C> Shards<C> {
    pub(crate) const fn new(inner: C, layout: ShardLayout) -> Self {
        Self { inner, layout }
    }

    /// The codecs of the inner chunks.
    pub const fn inner(&self) -> &C {
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
}
