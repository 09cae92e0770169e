//! Writing regions that are made of whole chunks.

use zarrange_codec::ArrayCodec;
use zarrange_grid::{Filled, Region, Strides, index};
use zarrange_io::Change;

use crate::ArrayError;
use crate::array::Array;
use crate::chunks::Chunks;
use crate::read::BATCH_BYTES;
use crate::write::{ChunkEncoder, ChunkWriter};

/// Writes regions of an array for one thread, with buffers that it keeps.
#[derive(Debug)]
pub struct RegionWriter<'a> {
    chunks: Chunks<'a>,
    encoder: ChunkEncoder<'a>,
    writer: ChunkWriter<'a>,
    plain: Vec<u8>,
    encoded: Vec<u8>,
}

impl<'a> RegionWriter<'a> {
    /// A writer of `array`.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if the array has shards, or elements that cannot be written.
    pub fn new(array: &'a Array) -> Result<Self, ArrayError> {
        Self::with(array, false)
    }

    /// The same; a reader finds the old chunk or the new one, never a part, whatever is read or written meanwhile.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn replacing(array: &'a Array) -> Result<Self, ArrayError> {
        Self::with(array, true)
    }

    fn with(array: &'a Array, replaces: bool) -> Result<Self, ArrayError> {
        let chunks = array.chunks()?;
        if !matches!(chunks.elements().codec, ArrayCodec::Chunks(_)) {
            let detail =
                "a region can only be written to an array of whole chunks, without shards".to_owned();
            return Err(ArrayError::Opaque { array: array.location().to_owned(), detail });
        }
        let (encoder, writer) = (ChunkEncoder::new(&chunks)?, ChunkWriter::replacing(&chunks, replaces));
        let plain = vec![0; chunks.chain().chunk_bytes()];
        Ok(Self { chunks, encoder, writer, plain, encoded: Vec::new() })
    }

    /// Writes `data`, the elements of `region` in C order; the region is made of whole chunks (up to the array's edge). Chunks of
    /// nothing but the fill value are left out.
    ///
    /// # Errors
    /// If a chunk cannot be encoded or written.
    ///
    /// # Panics
    /// If `data` has another size than `region`.
    pub fn write(&mut self, region: &Region, data: &[u8]) -> Result<(), ArrayError> {
        let Self { chunks, encoder, writer, plain, encoded } = self;
        let strides = Strides::c_order(region.clone(), chunks.item_bytes() as u64);
        assert_eq!(data.len() as u64, strides.bytes(), "the elements of a region are all there");
        let (covering, room) = (chunks.grid().covering(region), chunks.chain().encoded_bytes_max());
        let together = index(covering.elements()).clamp(1, 1 + BATCH_BYTES / room);
        if encoded.len() < room * together {
            encoded.resize(room * together, 0);
        }
        let elements = Filled { data, strides: &strides };
        for chunk in (0..covering.elements()).map(|k| covering.unravel(k)) {
            if encoded.len() - writer.bytes() < room {
                writer.write(encoded)?;
            }
            let free = &mut encoded[writer.bytes()..];
            match encoder.encode(&chunk, elements, plain, free)? {
                Some(bytes) => writer.push(&chunk, bytes),
                // What was stored before must not show through.
                None => chunks.store().change(Change::Remove(&chunks.metadata().key(&chunk)))?,
            }
        }
        writer.write(encoded)
    }
}

impl Array {
    /// Writes `data`, the elements of `region`. For many regions, a [`RegionWriter`] keeps its buffers.
    ///
    /// # Errors
    /// As [`RegionWriter::new`] and [`RegionWriter::write`].
    ///
    /// # Panics
    /// If `data` has another size than `region`.
    pub fn write_region(&self, region: &Region, data: &[u8]) -> Result<(), ArrayError> {
        RegionWriter::new(self)?.write(region, data)
    }
}
