//! An array seen as the chunks that are read or written at once.

use std::ops::Deref;
use std::sync::Arc;

use zarrange_codec::{ArrayCodec, Chain, Scratch};
use zarrange_grid::{ChunkGrid, Dims};
use zarrange_io::Store;

use crate::ArrayError;
use crate::array::Array;
use crate::contents::{Elements, SliceFault};
use crate::metadata::ArrayMetadata;

/// A view of an array's chunks: inner chunks of shards, whole chunks, or slices of chunks without compression.
#[derive(Clone, Debug)]
pub struct ChunkView<'a> {
    metadata: &'a ArrayMetadata,
    elements: Arc<Elements>,
}

/// A view of the chunks of an array in a store.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    view: ChunkView<'a>,
    array: &'a Array,
}

impl ArrayMetadata {
    /// The view of its chunks: of inner chunks where there are shards.
    ///
    /// # Errors
    /// As [`Self::elements`].
    pub fn view(&self) -> Result<ChunkView<'_>, ArrayError> {
        Ok(ChunkView { metadata: self, elements: self.elements()?.clone() })
    }

    /// The view of slices of `slice` elements of its chunks; `None` if the codecs or the slice's shape do not allow it.
    ///
    /// # Errors
    /// [`ArrayError::Shape`] if the slice is not a valid chunk shape.
    pub(crate) fn view_of_slices(&self, slice: &[u64]) -> Result<Option<ChunkView<'_>>, ArrayError> {
        let Ok(elements) = self.elements() else { return Ok(None) };
        let sliced = elements.sliced(self.objects(), slice).map_err(|fault| {
            let location = self.metadata_location();
            match fault {
                SliceFault::Shape(source) => ArrayError::Shape { location, source },
                SliceFault::Codecs(error) => ArrayError::Metadata { location, detail: error.to_string() },
            }
        })?;
        Ok(sliced.map(|elements| ChunkView { metadata: self, elements: Arc::new(elements) }))
    }
}

impl Array {
    /// Its chunks: inner chunks where there are shards.
    ///
    /// # Errors
    /// As [`ArrayMetadata::elements`].
    pub fn chunks(&self) -> Result<Chunks<'_>, ArrayError> {
        Ok(Chunks { view: self.view()?, array: self })
    }

    /// The slices of `slice` elements of its chunks; `None` as for where the codecs or the shape of the slice do not allow it.
    ///
    /// # Errors
    /// [`ArrayError::Shape`] if the slice is not a valid chunk shape.
    pub fn slices(&self, slice: &[u64]) -> Result<Option<Chunks<'_>>, ArrayError> {
        Ok(self.view_of_slices(slice)?.map(|view| Chunks { view, array: self }))
    }
}

impl<'a> ChunkView<'a> {
    /// The array's metadata.
    pub const fn metadata(&self) -> &'a ArrayMetadata {
        self.metadata
    }

    /// How the elements are stored.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// The chunks, over the whole array.
    pub fn grid(&self) -> &ChunkGrid {
        &self.elements.chunks
    }

    /// The codecs of a chunk; of the largest, where they differ.
    pub fn chain(&self) -> &Chain {
        self.elements.chain()
    }

    /// The shards that hold the chunks, if they lie in shards.
    pub fn shards(&self) -> Option<&'a ChunkGrid> {
        matches!(self.elements.codec, ArrayCodec::Shards(_)).then(|| self.metadata.objects())
    }

    /// The most bytes of a shard; 0 without shards.
    pub fn shard_bytes_max(&self) -> u64 {
        match &self.elements.codec {
            ArrayCodec::Shards(codec) => {
                let inner_chunks =
                    codec.grid().count().saturating_mul(self.chain().encoded_bytes_max() as u64);
                inner_chunks.saturating_add(codec.index_bytes() as u64)
            }
            ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => 0,
        }
    }

    /// Bytes of one element.
    pub fn item_bytes(&self) -> usize {
        self.elements.item_bytes()
    }

    /// The object that holds `chunk`.
    pub fn object_of(&self, chunk: &[u64]) -> Dims {
        self.metadata.object_of(self.grid(), chunk)
    }

    /// Position of `chunk` within `object`, which holds it, in C order.
    pub fn number_in(&self, object: &[u64], chunk: &[u64]) -> u64 {
        self.metadata.inner_number(self.grid(), object, chunk)
    }

    /// The name of `chunk`, for messages: its key, and its number where it is an inner chunk.
    pub fn name(&self, chunk: &[u64]) -> String {
        let object = self.object_of(chunk);
        let key = self.metadata.key(&object);
        match self.elements.codec {
            ArrayCodec::Shards(_) => inner_name(&key, self.number_in(&object, chunk)),
            ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => key,
        }
    }

    /// What a thread needs to decode or encode its chunks.
    ///
    /// # Errors
    /// If the system refuses the memory.
    pub fn scratch(&self) -> Result<Scratch, ArrayError> {
        Scratch::try_new(self.chain()).map_err(|source| self.metadata.damaged("of the largest size", source))
    }
}

/// Name of inner chunk `number` of the shard at `key`, for messages.
pub(crate) fn inner_name(key: &str, number: u64) -> String {
    format!("{key} inner chunk {number}")
}

impl<'a> Chunks<'a> {
    /// The array.
    pub const fn array(&self) -> &'a Array {
        self.array
    }

    /// The store, rooted at the array.
    pub const fn store(&self) -> &'a Store {
        self.array.store()
    }

    /// The view, without the store.
    pub const fn view(&self) -> &ChunkView<'a> {
        &self.view
    }
}

impl<'a> Deref for Chunks<'a> {
    type Target = ChunkView<'a>;

    fn deref(&self) -> &ChunkView<'a> {
        &self.view
    }
}
