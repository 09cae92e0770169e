//! Stored objects that are copied without being decoded: whether they are as long as their codecs can make them, and whether the
//! checksums of what they hold are right.

use zarrange_codec::{SumCheck, VariableCodec};
use zarrange_grid::index;

use crate::ArrayError;
use crate::array::Array;
use crate::contents::Contents;
use crate::read::{ChunkReader, OpenShard};

/// Looks at the stored objects of an array, for one thread. Of arrays whose codecs are not known, everything is right.
#[derive(Debug)]
pub struct StoredCheck<'a> {
    array: &'a Array,
    /// Where elements have a fixed size.
    reader: Option<ChunkReader<'a>>,
}

impl<'a> StoredCheck<'a> {
    /// What looks at objects of `array`.
    ///
    /// # Errors
    /// Never for an array that was opened.
    pub fn new(array: &'a Array) -> Result<Self, ArrayError> {
        let known = matches!(array.contents(), Contents::Elements(_));
        let reader = if known { Some(ChunkReader::new(&array.chunks()?)) } else { None };
        Ok(Self { array, reader })
    }

    /// Refuses a number of stored bytes that `object`, a chunk or shard, cannot have. With `sums`, what is told its bytes, if its codecs
    /// end in a checksum.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn begin(&mut self, object: &[u64], bytes: u64, sums: bool) -> Result<Option<SumCheck>, ArrayError> {
        let wrong = |source| self.array.damaged(&self.array.key(object), source);
        if let Some(reader) = &mut self.reader {
            reader.check_object(object, bytes)?;
        } else if let Some(VariableCodec::Shards { layout, .. }) = self.array.variable().map(|e| &e.codec)
            && self.array.objects().is_regular()
        {
            layout.index_offset(bytes).map_err(wrong)?;
        }
        match self.array.elements() {
            Ok(elements) if sums && !self.array.is_sharded() => {
                elements.chain().sum_check(bytes).map_err(wrong)
            }
            _ => Ok(None),
        }
    }

    /// Whether the checksum of `object`, which was told all of its bytes, is right.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn finish(&self, object: &[u64], sum: Option<SumCheck>) -> Result<(), ArrayError> {
        let right = sum.map_or(Ok(()), SumCheck::finish);
        right.map_err(|source| self.array.damaged(&self.array.key(object), source))
    }

    /// Checks shard `object`, if it is stored: its index, the lengths of its inner chunks and, where their codecs end in one, their
    /// checksums, read piece by piece through `buffer`.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if something is not valid, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn shard(&mut self, object: &[u64], buffer: &mut [u8]) -> Result<(), ArrayError> {
        let (Some(reader), Ok(elements)) = (&mut self.reader, self.array.elements()) else { return Ok(()) };
        let Some(shard) = reader.open_shard(object)? else { return Ok(()) };
        let chain = elements.chain();
        let mut window = Window { shard: &shard, buffer, start: 0, end: 0 };
        // As they lie there, whatever their numbers: each piece of the shard is then read once.
        let mut inner_chunks: Vec<usize> = (0..shard.index.len()).collect();
        inner_chunks.sort_unstable_by_key(|inner| shard.index.get(*inner));
        for inner in inner_chunks {
            let Some((offset, bytes)) = shard.index.get(inner) else { continue };
            let wrong = |source| self.array.damaged(&shard.inner_key(inner as u64), source);
            chain.check_stored_bytes(bytes).map_err(wrong)?;
            let Some(mut sum) = chain.sum_check(bytes).map_err(wrong)? else { continue };
            let end = offset + bytes;
            let mut at = offset;
            while at < end {
                let piece = window.piece(self.array, at, end)?;
                sum.add(piece);
                at += piece.len() as u64;
            }
            sum.finish().map_err(wrong)?;
        }
        Ok(())
    }
}

/// A part of a shard in memory; it moves with what is read.
struct Window<'s, 'b> {
    shard: &'s OpenShard,
    buffer: &'b mut [u8],
    start: u64,
    end: u64,
}

impl Window<'_, '_> {
    /// Bytes from `at` on, as many of those before `end` as there are in memory then.
    fn piece(&mut self, array: &Array, at: u64, end: u64) -> Result<&[u8], ArrayError> {
        let Self { shard, buffer, start, .. } = self;
        if !(*start..self.end).contains(&at) {
            let bytes = (shard.bytes - at).min(buffer.len() as u64);
            let read = array.store().read_at(&shard.object, at, &mut buffer[..index(bytes)]);
            read.map_err(|source| array.failed(shard.object.key(), source))?;
            (*start, self.end) = (at, at + bytes);
        }
        Ok(&self.buffer[index(at - self.start)..index(end.min(self.end) - self.start)])
    }
}
