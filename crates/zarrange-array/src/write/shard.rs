//! Shards, written inner chunk by inner chunk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

/// The object of a shard in the making; threads write their inner chunks to it at the same time.
#[derive(Debug)]
pub struct ShardFile {
    store: Store,
    made: Made,
}

/// Where a shard is made.
#[derive(Debug)]
enum Made {
    /// In the store.
    Parts {
        object: Making,
        /// Up to here the store was asked to have room.
        reserved: AtomicU64,
    },
    /// In memory, for a store that takes objects only whole: its key, and its bytes so far.
    Whole { key: String, buffer: Mutex<Vec<u8>> },
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
        Ok(Arc::new(Self { store, made: Made::Parts { object, reserved: AtomicU64::new(0) } }))
    }

    /// Makes shard `shard` in `buffer`, which has room for the largest, for a store that takes objects only whole.
    pub fn whole(chunks: &Chunks<'_>, shard: &[u64], buffer: Vec<u8>) -> Arc<Self> {
        let (store, key) = (chunks.store().clone(), chunks.metadata().key(shard));
        Arc::new(Self { store, made: Made::Whole { key, buffer: Mutex::new(buffer) } })
    }

    /// Writes `data` at an offset that [`ShardWriter::reserve`] gave.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), ArrayError> {
        match &self.made {
            Made::Parts { object, reserved } => {
                reserve(object, reserved, (offset, data.len() as u64));
                Ok(self.store.write_at(object, offset, data)?)
            }
            Made::Whole { buffer, .. } => {
                // One thread at a time writes to a shard.
                let mut buffer = buffer.lock().unwrap_or_else(PoisonError::into_inner);
                buffer[index(offset)..][..data.len()].copy_from_slice(data);
                Ok(())
            }
        }
    }

    /// Begins to make a range durable without waiting for it.
    pub fn begin_writeback(&self, offset: u64, bytes: u64) {
        if let Made::Parts { object, .. } = &self.made {
            object.begin_writeback(offset, bytes);
        }
    }

    /// Completes the object, which has `bytes`; the buffer that it was made in.
    fn finish(self, bytes: u64) -> Result<Option<Vec<u8>>, ArrayError> {
        match self.made {
            Made::Parts { object, reserved } => {
                if !matches!(reserved.into_inner(), 0 | u64::MAX) {
                    object.trim();
                }
                object.finish()?;
                Ok(None)
            }
            Made::Whole { key, buffer } => {
                let buffer = buffer.into_inner().unwrap_or_else(PoisonError::into_inner);
                self.store.put(&key, &buffer[..index(bytes)])?;
                Ok(Some(buffer))
            }
        }
    }
}

/// Takes room ahead of what is written: as much again, in steps that are worth a call.
fn reserve(object: &Making, reserved: &AtomicU64, (offset, bytes): (u64, u64)) {
    let (end, before) = (offset + bytes, reserved.load(Ordering::Relaxed));
    if end > RESERVE_BYTES_MIN && end > before {
        let (start, bytes) = (before.max(offset), end.min(RESERVE_BYTES_MAX).max(bytes));
        // Where it is not done, it is not asked for again.
        let now = if object.reserve(start, bytes) { start + bytes } else { u64::MAX };
        reserved.store(now, Ordering::Relaxed);
    }
}

/// A shard that is complete.
#[derive(Debug)]
pub struct Finished {
    /// Bytes of its index.
    pub index_bytes: u64,
    /// The buffer that it was made in, if it was held in memory.
    pub buffer: Option<Vec<u8>>,
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

    /// Writes the index to the shard's `file`, and closes that; the shard is then complete.
    ///
    /// # Errors
    /// If it cannot be written, or if somebody still has the file.
    pub fn finish(self, chunks: &Chunks<'_>, file: Arc<ShardFile>) -> Result<Finished, ArrayError> {
        let codec = shard_codec(chunks)?;
        let mut encoded = vec![0; codec.index_bytes()];
        codec.encode_index(&self.index, &mut encoded);
        let offset = if codec.data_offset() == 0 { self.end } else { 0 };
        file.write(offset, &encoded)?;
        let index_bytes = encoded.len() as u64;
        let bytes = if offset == 0 { self.end } else { self.end + index_bytes };
        let file = Arc::into_inner(file).ok_or_else(|| in_use(chunks))?;
        Ok(Finished { index_bytes, buffer: file.finish(bytes)? })
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
