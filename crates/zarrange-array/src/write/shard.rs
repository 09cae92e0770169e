//! Shards, written inner chunk by inner chunk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zarrange_codec::{ArrayCodec, ShardCodec, ShardIndex};
use zarrange_grid::index;
use zarrange_io::{IoError, Making, Store};

use crate::ArrayError;
use crate::chunks::Chunks;

/// A shard smaller than this takes its room as it is written.
const RESERVE_BYTES_MIN: u64 = 4 << 20;
/// Room is taken in steps of at most this: what is too much is given back when the shard is complete.
const RESERVE_BYTES_MAX: u64 = 64 << 20;

/// What a shard will hold: inner chunks in any order, then the index. The bytes go to its [`ShardFile`].
#[derive(Debug)]
pub struct ShardWriter {
    index: ShardIndex,
    end: u64,
}

/// The open object of a shard; threads write their inner chunks to it at the same time.
#[derive(Debug)]
pub struct ShardFile {
    store: Store,
    object: Making,
    /// Up to here the store was asked to have room.
    reserved: AtomicU64,
}

impl ShardFile {
    /// Makes the object of shard `shard`, which holds some of `chunks`; where it `replaces` one, that is there until this one is
    /// complete.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(chunks: &Chunks<'_>, shard: &[u64], replaces: bool) -> Result<Arc<Self>, ArrayError> {
        let store = chunks.store().clone();
        let object = store.make(&chunks.metadata().key(shard), replaces)?;
        Ok(Arc::new(Self { store, object, reserved: AtomicU64::new(0) }))
    }

    /// Writes `data` at an offset that [`ShardWriter::reserve`] gave.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), ArrayError> {
        self.reserve(offset, data.len() as u64);
        Ok(self.store.write_at(&self.object, offset, data)?)
    }

    /// Takes room ahead of what is written: as much again, in steps that are worth a call.
    fn reserve(&self, offset: u64, bytes: u64) {
        let (end, reserved) = (offset + bytes, self.reserved.load(Ordering::Relaxed));
        if end > RESERVE_BYTES_MIN && end > reserved {
            let (start, bytes) = (reserved.max(offset), end.min(RESERVE_BYTES_MAX).max(bytes));
            // Where it is not done, it is not asked for again.
            let now = if self.object.reserve(start, bytes) { start + bytes } else { u64::MAX };
            self.reserved.store(now, Ordering::Relaxed);
        }
    }

    /// Gives back what was reserved and not written.
    fn trim(&self) {
        if !matches!(self.reserved.load(Ordering::Relaxed), 0 | u64::MAX) {
            self.object.trim();
        }
    }

    /// Begins to make a range durable without waiting for it.
    pub fn begin_writeback(&self, offset: u64, bytes: u64) {
        self.object.begin_writeback(offset, bytes);
    }
}

impl ShardWriter {
    /// A shard of some of `chunks`, of which nothing is stored yet.
    ///
    /// # Errors
    /// If they do not lie in shards.
    pub fn new(chunks: &Chunks<'_>) -> Result<Self, ArrayError> {
        let codec = shard_codec(chunks)?;
        Ok(Self { index: ShardIndex::empty(index(codec.grid().count())), end: codec.data_offset() })
    }

    /// Takes room for inner chunk `inner` of `bytes`; its offset.
    pub fn reserve(&mut self, inner: u64, bytes: u64) -> u64 {
        let offset = self.end;
        self.index.set(index(inner), offset, bytes);
        self.end += bytes;
        offset
    }

    /// Writes the index to the shard's `file`, and closes that; the shard is then complete. Returns the bytes of the index.
    ///
    /// # Errors
    /// If it cannot be written, or if somebody still has the file.
    pub fn finish(self, chunks: &Chunks<'_>, file: Arc<ShardFile>) -> Result<u64, ArrayError> {
        let codec = shard_codec(chunks)?;
        let mut encoded = vec![0; codec.index_bytes()];
        codec.encode_index(&self.index, &mut encoded);
        let offset = if codec.data_offset() == 0 { self.end } else { 0 };
        file.write(offset, &encoded)?;
        file.trim();
        match Arc::into_inner(file) {
            Some(ShardFile { object, .. }) => object.finish()?,
            None => return Err(in_use(chunks)),
        }
        Ok(encoded.len() as u64)
    }
}

/// A shard cannot be complete while somebody may write to it.
fn in_use(chunks: &Chunks<'_>) -> ArrayError {
    let (location, source) =
        (chunks.metadata().location().to_owned(), std::io::ErrorKind::ResourceBusy.into());
    IoError::Os { operation: "close a shard", location, source }.into()
}

fn shard_codec<'c>(chunks: &'c Chunks<'_>) -> Result<&'c ShardCodec, ArrayError> {
    match &chunks.elements().codec {
        ArrayCodec::Shards(codec) => Ok(codec),
        ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => {
            let detail = "the array has no shards".to_owned();
            Err(ArrayError::Opaque { array: chunks.metadata().location().to_owned(), detail })
        }
    }
}
