//! Shards that are open to be read.

use zarrange_codec::{ArrayCodec, ShardIndex, buffer};
use zarrange_grid::{Dims, index};
use zarrange_io::{Extent, Object, ReadRequest, Source};

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

/// A shard whose index is not read yet.
struct Found {
    object: Object,
    bytes: u64,
    /// Where its index begins.
    offset: u64,
    encoded: Vec<u8>,
}

impl Found {
    /// Shard `shard`, which is `object`.
    fn new(
        chunks: &Chunks<'_>,
        codecs: &mut Codecs,
        shard: &[u64],
        object: Object,
    ) -> Result<Option<Self>, ArrayError> {
        let metadata = chunks.metadata();
        let key = object.key();
        let damaged = |source| metadata.damaged(key, source);
        let ArrayCodec::Shards(codec) = codecs.of(chunks, shard).map_err(damaged)? else { return Ok(None) };
        let bytes = chunks.store().size(&object).map_err(|source| metadata.failed(key, source))?;
        let offset = codec.index_offset(bytes).map_err(damaged)?;
        let encoded = buffer(codec.index_bytes()).map_err(damaged)?;
        Ok(Some(Self { object, bytes, offset, encoded }))
    }

    /// It with its index, which was read.
    fn with_index(
        self,
        chunks: &Chunks<'_>,
        codecs: &mut Codecs,
        shard: &[u64],
    ) -> Result<Option<OpenShard>, ArrayError> {
        let Self { object, bytes, encoded, .. } = self;
        let damaged = |source| chunks.metadata().damaged(object.key(), source);
        let ArrayCodec::Shards(codec) = codecs.of(chunks, shard).map_err(damaged)? else { return Ok(None) };
        let index = codec.decode_index(&encoded, bytes).map_err(damaged)?;
        Ok(Some(OpenShard { object, bytes, index }))
    }
}

impl OpenShard {
    /// Opens `shards` at once, and reads their indexes in one batch; `None` for one that is missing.
    pub(crate) fn open_all(
        chunks: &Chunks<'_>,
        codecs: &mut Codecs,
        shards: &[Dims],
        cost: &mut ReadCost,
    ) -> Result<Vec<Option<Self>>, ArrayError> {
        let keys: Vec<String> = shards.iter().map(|shard| chunks.metadata().key(shard)).collect();
        let opened = chunks.store().open_all(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        let found =
            opened.into_iter().zip(shards.iter().zip(&keys)).map(|(opened, (shard, key))| {
                match opened.map_err(|source| chunks.metadata().failed(key, source))? {
                    Some(object) => Found::new(chunks, codecs, shard, object),
                    None => Ok(None),
                }
            });
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        let requests = found.iter_mut().flatten().map(|Found { object, offset, encoded, .. }| {
            ReadRequest::new(Source::Open(object), Extent::From(*offset), encoded)
        });
        let mut requests: Vec<_> = requests.collect();
        chunks.store().read(&mut requests);
        for request in requests {
            let key = request.source.key();
            cost.requests += 1;
            cost.bytes += request.buffer.len() as u64;
            cost.stored_bytes += request.buffer.len() as u64;
            request.result.map_err(|source| chunks.metadata().failed(key, source))?;
        }
        let opened = found.into_iter().zip(shards).map(|(found, shard)| match found {
            Some(found) => found.with_index(chunks, codecs, shard),
            None => Ok(None),
        });
        opened.collect()
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

/// What a reader knows of a shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    Open(&'a OpenShard),
    Missing,
    Unknown,
}

/// The shards that a reader keeps open.
#[derive(Debug)]
pub(crate) struct OpenShards {
    /// The one used last is last; `None` for one that is missing.
    open: Vec<(Dims, Option<OpenShard>)>,
    /// As many as this.
    most: usize,
    /// Those that are opened together.
    new: Vec<Dims>,
}

impl OpenShards {
    pub(crate) const fn new(most: usize) -> Self {
        Self { open: Vec::new(), most, new: Vec::new() }
    }

    /// Makes the first of `shards`, as many as may be open, those used last. What is not open yet is opened together; those not used for
    /// longest are closed.
    pub(crate) fn use_next<'s>(
        &mut self,
        chunks: &Chunks<'_>,
        codecs: &mut Codecs,
        shards: impl Iterator<Item = &'s Dims>,
        cost: &mut ReadCost,
    ) -> Result<(), ArrayError> {
        let Self { open, most, new } = self;
        new.clear();
        for shard in shards.take(*most) {
            if let Some(at) = open.iter().position(|(open, _)| open == shard) {
                open[at..].rotate_left(1);
            } else {
                new.push(shard.clone());
            }
        }
        if !new.is_empty() {
            open.drain(..(open.len() + new.len()).saturating_sub(*most));
            let opened = OpenShard::open_all(chunks, codecs, new, cost)?;
            open.extend(new.drain(..).zip(opened));
        }
        Ok(())
    }

    /// What is known of `shard`.
    pub(crate) fn get(&self, shard: &Dims) -> Known<'_> {
        match self.open.iter().rev().find(|(open, _)| open == shard) {
            Some((_, Some(shard))) => Known::Open(shard),
            Some((_, None)) => Known::Missing,
            None => Known::Unknown,
        }
    }
}
