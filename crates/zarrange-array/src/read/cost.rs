//! What reading cost.

use std::ops::AddAssign;

/// What reading chunks cost.
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

impl ReadCost {
    /// What came since it was `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            chunks: self.chunks - before.chunks,
            requests: self.requests - before.requests,
            bytes: self.bytes - before.bytes,
            stored_bytes: self.stored_bytes - before.stored_bytes,
            chunk_bytes: self.chunk_bytes - before.chunk_bytes,
        }
    }
}

impl AddAssign for ReadCost {
    fn add_assign(&mut self, more: Self) {
        let Self { chunks, requests, bytes, stored_bytes, chunk_bytes } = more;
        self.chunks += chunks;
        self.requests += requests;
        self.bytes += bytes;
        self.stored_bytes += stored_bytes;
        self.chunk_bytes += chunk_bytes;
    }
}
