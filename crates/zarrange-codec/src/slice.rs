//! Slices of uncompressed chunks, which can be read without the rest.

use zarrange_grid::checked_bytes;
use zarrs::metadata::v3::MetadataV3;

use crate::{Chain, CodecError, ElementType};

/// Chunks that are read in slices: consecutive parts of their bytes.
#[derive(Debug)]
pub struct SliceCodec {
    slice: Chain,
    chunk_bytes: u64,
}

impl SliceCodec {
    /// Slices of `slice` elements of chunks of `chunk` elements, stored with `codecs`; `None` if the stored bytes of a slice are
    /// not consecutive, or the codecs do not allow to read them alone.
    ///
    /// # Errors
    /// If the codecs are not a valid list, or a size overflows.
    pub fn new(
        codecs: &[MetadataV3],
        element: &ElementType,
        (chunk, slice): (&[u64], &[u64]),
        fill: &[u8],
    ) -> Result<Option<Self>, CodecError> {
        let chain = Chain::new(codecs, element, slice, fill)?;
        let chunk_bytes = checked_bytes(chunk, element.bytes() as u64)?;
        let divides =
            chunk.len() == slice.len() && chunk.iter().zip(slice).all(|(c, s)| *s > 0 && c % s == 0);
        // Slices of a single index, a part of one axis, then whole axes.
        let outer = slice.iter().take_while(|s| **s == 1).count();
        let whole = chunk.iter().zip(slice).skip(outer + 1).all(|(c, s)| c == s);
        let consecutive = divides && whole && chain.stores_c_order();
        Ok(consecutive.then_some(Self { slice: chain, chunk_bytes }))
    }

    /// The chain of a slice.
    pub const fn slice(&self) -> &Chain {
        &self.slice
    }

    /// Bytes of a stored chunk.
    pub const fn chunk_bytes(&self) -> u64 {
        self.chunk_bytes
    }

    /// First byte of slice `number` (in C order) of a chunk.
    pub fn offset(&self, number: u64) -> u64 {
        number * self.slice.chunk_bytes() as u64
    }
}
