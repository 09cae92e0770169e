//! Encoding chunks, and writing them.

mod shard;

use zarrange_codec::Scratch;
use zarrange_grid::{Filled, Strides, copy_region, fill_with, is_filled};
use zarrange_io::WriteRequest;

use crate::ArrayError;
use crate::chunks::Chunks;
pub use crate::write::shard::{Finished, ShardFile, ShardWriter};

/// Encodes chunks for one thread.
#[derive(Debug)]
pub struct ChunkEncoder<'a> {
    chunks: Chunks<'a>,
    scratch: Scratch,
}

impl<'a> ChunkEncoder<'a> {
    /// An encoder of `chunks`.
    ///
    /// # Errors
    /// If the system refuses the memory.
    pub fn new(chunks: &Chunks<'a>) -> Result<Self, ArrayError> {
        Ok(Self { chunks: chunks.clone(), scratch: chunks.scratch()? })
    }

    /// The chunks that it encodes.
    pub const fn chunks(&self) -> &Chunks<'a> {
        &self.chunks
    }

    /// Encodes `chunk`, whose elements within the array are among `elements`, into the start of `encoded`, which has room for the
    /// largest; `plain` has room for one that is decoded, where it does not lie in one piece. Its bytes, or `None` if it is nothing
    /// but the fill value.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn encode(
        &mut self,
        chunk: &[u64],
        elements: Filled<'_>,
        plain: &mut [u8],
        encoded: &mut [u8],
    ) -> Result<Option<usize>, ArrayError> {
        let Self { chunks, scratch } = self;
        let (item, chain, fill) = (chunks.item_bytes(), chunks.chain(), &chunks.elements().fill);
        let (cell, region) = (chunks.grid().cell(chunk), chunks.grid().region(chunk));
        let gather = |chunk: &mut [u8]| {
            if region != cell {
                fill_with(chunk, fill);
            }
            let strides = Strides::c_order(cell.clone(), item as u64);
            copy_region(&region, (elements.data, elements.strides), (chunk, &strides), item);
        };
        if chain.is_identity() {
            let chunk = &mut encoded[..chain.chunk_bytes()];
            gather(chunk);
            return Ok((!is_filled(chunk, fill)).then_some(chunk.len()));
        }
        let in_place = elements.strides.contiguous(&region, item as u64).filter(|_| region == cell);
        let decoded = if let Some(range) = in_place {
            &elements.data[range]
        } else {
            let decoded = &mut plain[..chain.chunk_bytes()];
            gather(decoded);
            decoded
        };
        if is_filled(decoded, fill) {
            return Ok(None);
        }
        let bytes = chain.encode(decoded, encoded, scratch);
        bytes.map(Some).map_err(|source| chunks.metadata().damaged(&chunks.name(chunk), source))
    }
}

/// Chunks to be written together, for one thread.
#[derive(Debug)]
pub struct ChunkWriter<'a> {
    chunks: Chunks<'a>,
    /// The keys one after the other; where each ends, and where its chunk ends in the buffer.
    keys: String,
    ends: Vec<(usize, usize)>,
    requests: Vec<WriteRequest<'static>>,
    /// A reader finds the old object or the new one, never a part.
    replaces: bool,
}

impl<'a> ChunkWriter<'a> {
    /// A writer of `chunks`, which do not lie in shards.
    pub fn new(chunks: &Chunks<'a>) -> Self {
        Self::replacing(chunks, false)
    }

    /// The same; where it `replaces` chunks, each is there, the old one or the new one, whatever is read or written meanwhile.
    pub fn replacing(chunks: &Chunks<'a>, replaces: bool) -> Self {
        let (keys, ends, requests) = (String::new(), Vec::new(), Vec::new());
        Self { chunks: chunks.clone(), keys, ends, requests, replaces }
    }

    /// Notes that the next `bytes` of the buffer are chunk `chunk`.
    pub fn push(&mut self, chunk: &[u64], bytes: usize) {
        self.chunks.metadata().append_key(chunk, &mut self.keys);
        self.ends.push((self.keys.len(), self.bytes() + bytes));
    }

    /// Bytes of the buffer that are noted.
    pub fn bytes(&self) -> usize {
        self.ends.last().map_or(0, |(_, end)| *end)
    }

    /// Writes what was noted in one batch, and forgets it.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`].
    pub fn write(&mut self, encoded: &[u8]) -> Result<(), ArrayError> {
        let mut batch = WriteRequest::recycle(std::mem::take(&mut self.requests));
        let starts = std::iter::once((0, 0)).chain(self.ends.iter().copied());
        batch.extend(starts.zip(&self.ends).map(|((key, data), (key_end, data_end))| {
            WriteRequest::whole(&self.keys[key..*key_end], &encoded[data..*data_end], self.replaces)
        }));
        self.chunks.store().write(&mut batch);
        let failed = batch.iter_mut().find_map(|request| {
            let source = std::mem::replace(&mut request.result, Ok(())).err()?;
            Some(self.chunks.metadata().failed(request.target.key(), source))
        });
        self.requests = WriteRequest::recycle(batch);
        self.keys.clear();
        self.ends.clear();
        failed.map_or(Ok(()), Err)
    }
}
