//! What an array of such elements asks for: chunks, or shards of inner chunks.

use zarrs::metadata::v3::MetadataV3;

use crate::{CodecError, ShardLayout, VariableChain, VariableKind};

/// The compiled codecs of an array of text or bytes.
#[derive(Debug)]
pub enum VariableCodec {
    /// Each chunk is one object.
    Chunks(VariableChain),
    /// Each chunk of the grid is a shard of inner chunks.
    Shards {
        /// The chain of the inner chunks.
        inner: VariableChain,
        /// Where they and the index lie in a shard.
        layout: ShardLayout,
    },
}

impl VariableCodec {
    /// Compiles `codecs` for grid chunks of `shape` elements.
    ///
    /// # Errors
    /// If the list is not a valid one for such elements. Shards in shards, and shards among other codecs, are refused.
    pub fn new(
        codecs: &[MetadataV3],
        kind: VariableKind,
        shape: &[u64],
        fill: &[u8],
    ) -> Result<Self, CodecError> {
        match codecs {
            [only] if only.name() == "sharding_indexed" => {
                let (layout, shape, codecs) = ShardLayout::new(only, shape)?;
                Ok(Self::Shards { inner: VariableChain::new(&codecs, kind, &shape, fill)?, layout })
            }
            _ => VariableChain::new(codecs, kind, shape, fill).map(Self::Chunks),
        }
    }

    /// The chain of what is read and decoded at once: chunks or inner chunks.
    pub const fn chain(&self) -> &VariableChain {
        match self {
            Self::Chunks(chain) | Self::Shards { inner: chain, .. } => chain,
        }
    }
}
