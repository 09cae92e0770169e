//! What an array's codec list asks for: chunks, or shards of inner chunks.

use zarrs::metadata::v3::MetadataV3;

use crate::shard::whole;
use crate::{Chain, CodecError, ElementType, ShardCodec, SliceCodec};

/// The compiled codecs of an array.
#[derive(Debug)]
pub enum ArrayCodec {
    /// Each chunk is one object.
    Chunks(Chain),
    /// Each chunk of the grid is a shard of inner chunks.
    Shards(ShardCodec),
    /// Each chunk is one object, of which slices are read on their own.
    Slices(SliceCodec),
}

impl ArrayCodec {
    /// Compiles `codecs` for grid chunks of `shape` elements.
    ///
    /// # Errors
    /// If the list is not a valid one for the data type and shape.
    pub fn new(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
    ) -> Result<Self, CodecError> {
        if let [only] = codecs
            && only.name() == "sharding_indexed"
        {
            let shards = whole::compile::<Chain>(only, element, shape, fill, 0)?;
            // Shards inside shards are decoded with the outermost, as one chunk.
            if !shards.inner().holds_shards() {
                return Ok(Self::Shards(shards));
            }
        }
        Chain::new(codecs, element, shape, fill).map(Self::Chunks)
    }

    /// The chain of what is read and decoded at once: chunks or inner chunks.
    pub const fn chain(&self) -> &Chain {
        match self {
            Self::Chunks(chain) => chain,
            Self::Shards(shards) => shards.inner(),
            Self::Slices(slices) => slices.slice(),
        }
    }
}
