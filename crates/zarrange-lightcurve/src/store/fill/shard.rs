//! A shard that is replaced: all of its inner chunks are encoded anew, for one thread.

use zarrange_array::{Array, ChunkEncoder, Chunks, ShardFile, ShardWriter};
use zarrange_grid::{Dims, Filled, Region, Strides};
use zarrange_io::Change;

use crate::LightCurveError;

/// Replaces shards of an array, with buffers that it keeps.
#[derive(Debug)]
pub(super) struct ShardReplacer<'a> {
    chunks: Chunks<'a>,
    encoder: ChunkEncoder<'a>,
    plain: Vec<u8>,
    encoded: Vec<u8>,
}

impl<'a> ShardReplacer<'a> {
    /// For the shards of `array`.
    pub(super) fn new(array: &'a Array) -> Result<Self, LightCurveError> {
        let chunks = array.chunks()?;
        let encoder = ChunkEncoder::new(&chunks)?;
        let (plain, bytes) = (vec![0; chunks.chain().chunk_bytes()], chunks.chain().encoded_bytes_max());
        Ok(Self { chunks, encoder, plain, encoded: vec![0; bytes] })
    }

    /// Writes shard `shard`, whose `region` of the array has the elements `data` in C order. A reader finds the old shard or the new one.
    /// Inner chunks of nothing but the fill value are left out, and a shard of no others.
    ///
    /// # Errors
    /// If it cannot be encoded or written; the old one is then there.
    pub(super) fn write(
        &mut self,
        shard: &Dims,
        (region, data): (&Region, &[u8]),
    ) -> Result<(), LightCurveError> {
        let Self { chunks, encoder, plain, encoded } = self;
        let strides = Strides::c_order(region.clone(), chunks.item_bytes() as u64);
        let elements = Filled { data, strides: &strides };
        let (mut writer, mut file) = (ShardWriter::new(chunks)?, None);
        let inner = chunks.grid().covering(region);
        for chunk in (0..inner.elements()).map(|k| inner.unravel(k)) {
            let Some(bytes) = encoder.encode(&chunk, elements, plain, encoded)? else { continue };
            let file = match &mut file {
                Some(file) => file,
                none => none.insert(ShardFile::create(chunks, shard, true)?),
            };
            let offset = writer.reserve(chunks.number_in(shard, &chunk), bytes as u64);
            file.write(offset, &encoded[..bytes])?;
        }
        match file {
            Some(file) => writer.finish(chunks, file).map(drop)?,
            // What was stored before must not show through.
            None => chunks.store().change(Change::Remove(&chunks.metadata().key(shard)))?,
        }
        Ok(())
    }
}
