//! What reading cost.

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
