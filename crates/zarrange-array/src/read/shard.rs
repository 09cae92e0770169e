//! Shards that are open to be read.

use zarrange_codec::{ArrayCodec, ShardIndex, buffer};
use zarrange_grid::{Dims, index};
use zarrange_io::{Access, IoError, Object};

use crate::ArrayError;
use crate::chunks::{Chunks, inner_name};
use crate::read::codecs::Codecs;
use crate::read::cost::ReadCost;

/// An open shard with its index.
#[derive(Debug)]
pub struct OpenShard {
    pub(crate) object: Object,
    pub(crate) bytes: u64,
    pub(crate) index: ShardIndex,
}

impl OpenShard {
    /// Opens shard `shard`, or `None` if it is missing.
    pub(crate) fn open(
        chunks: &Chunks<'_>,
        codecs: &mut Codecs,
        shard: &[u64],
        cost: &mut ReadCost,
    ) -> Result<Option<Self>, ArrayError> {
        let (metadata, store) = (chunks.metadata(), chunks.store());
        let key = metadata.key(shard);
        let damaged = |source| metadata.damaged(&key, source);
        let failed = |source| metadata.failed(&key, source);
        let ArrayCodec::Shards(codec) = codecs.of(chunks, shard).map_err(damaged)? else { return Ok(None) };
        let Some(object) = store.open(&key, Access::Read).map_err(failed)? else { return Ok(None) };
        let size = |source| failed(IoError::Os { operation: "read size", location: key.clone(), source });
        let bytes = object.bytes().map_err(size)?;
        let offset = codec.index_offset(bytes).map_err(damaged)?;
        let mut encoded = buffer(codec.index_bytes()).map_err(damaged)?;
        store.read_at(&object, offset, &mut encoded).map_err(failed)?;
        let index = codec.decode_index(&encoded, bytes).map_err(damaged)?;
        cost.requests += 1;
        cost.bytes += encoded.len() as u64;
        cost.stored_bytes += encoded.len() as u64;
        Ok(Some(Self { object, bytes, index }))
    }

    /// Name of inner chunk `inner`, for messages.
    pub(crate) fn inner_key(&self, inner: u64) -> String {
        inner_name(self.object.key(), inner)
    }

    /// Stored bytes of inner chunk `inner`; 0 for one that is missing.
    pub fn stored_bytes(&self, inner: u64) -> u64 {
        self.index.get(index(inner)).map_or(0, |(_, bytes)| bytes)
    }
}

/// The shards that a reader keeps open.
#[derive(Debug)]
pub(crate) struct OpenShards {
    /// The one used last is last; `None` for one that is missing.
    open: Vec<(Dims, Option<OpenShard>)>,
    /// As many as this.
    most: usize,
}

impl OpenShards {
    pub(crate) const fn new(most: usize) -> Self {
        Self { open: Vec::new(), most }
    }

    /// Makes shard `shard` the one used last. The one not used for longest is closed first.
    pub(crate) fn use_next(
        &mut self,
        chunks: &Chunks<'_>,
        codecs: &mut Codecs,
        shard: &Dims,
        cost: &mut ReadCost,
    ) -> Result<(), ArrayError> {
        if let Some(at) = self.open.iter().position(|(open, _)| open == shard) {
            self.open[at..].rotate_left(1);
            return Ok(());
        }
        if self.open.len() == self.most {
            self.open.remove(0);
        }
        self.open.push((shard.clone(), OpenShard::open(chunks, codecs, shard, cost)?));
        Ok(())
    }

    /// The shard used last, if it is not missing.
    pub(crate) fn last(&self) -> Option<&OpenShard> {
        self.open.last()?.1.as_ref()
    }
}
