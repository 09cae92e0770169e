//! What a program does that knows where everything lies: one positioned read of an inner chunk.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use zarrange_array::Array;
use zarrange_codec::{ArrayCodec, ShardIndex};
use zarrange_grid::index;

/// All shards of an array, open, with their indexes.
pub(super) struct Shards<'a> {
    array: &'a Array,
    open: Vec<(File, ShardIndex)>,
    encoded: Vec<u8>,
}

impl<'a> Shards<'a> {
    /// Those of `array`, which lies at `target`.
    pub(super) fn new(array: &'a Array, target: &Path) -> anyhow::Result<Self> {
        let elements = array.elements()?;
        let ArrayCodec::Shards(codec) = &elements.codec else { anyhow::bail!("the target has shards") };
        let mut open = Vec::new();
        for shard in (0..array.objects().count()).map(|k| array.objects().all().unravel(k)) {
            let file = File::open(target.join(array.key(&shard)))?;
            let bytes = file.metadata()?.len();
            let mut encoded = vec![0; codec.index_bytes()];
            file.read_exact_at(&mut encoded, codec.index_offset(bytes)?)?;
            open.push((file, codec.decode_index(&encoded, bytes)?));
        }
        Ok(Self { array, open, encoded: vec![0; elements.chain().encoded_bytes_max()] })
    }

    /// The stored bytes of the inner chunk with the element at `position`.
    pub(super) fn read(&mut self, position: &[u64]) -> anyhow::Result<&[u8]> {
        let elements = self.array.elements()?;
        let (shard, chunk) = (self.array.objects().chunk_shape(), elements.chunks.chunk_shape());
        let (mut file, mut inner) = (0, 0);
        for (d, at) in position.iter().enumerate() {
            file = file * self.array.shape()[d].div_ceil(shard[d]) + at / shard[d];
            inner = inner * (shard[d] / chunk[d]) + at % shard[d] / chunk[d];
        }
        let (file, entries) = &self.open[index(file)];
        let (offset, bytes) = entries.get(index(inner)).context("every inner chunk is stored")?;
        ensure!(index(bytes) <= self.encoded.len(), "a chunk has a possible length");
        let encoded = &mut self.encoded[..index(bytes)];
        file.read_exact_at(encoded, offset)?;
        Ok(encoded)
    }
}
