//! Reading: one chunk at a time with a thread's own buffers, or a whole region.

use zarrange_codec::{ArrayCodec, CodecError, Scratch, ShardIndex};
use zarrange_grid::{ChunkGrid, Layout, Region, Tile, index};
use zarrange_io::{Access, IoError, Object};

use crate::ArrayError;
use crate::array::{Array, Elements};

/// Fetches and decodes chunks for one thread.
#[derive(Debug)]
pub struct ChunkReader<'a> {
    array: &'a Array,
    elements: &'a Elements,
    scratch: Scratch,
    key: String,
    path: String,
}

impl<'a> ChunkReader<'a> {
    /// A reader of `array`.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if its elements cannot be read.
    pub fn new(array: &'a Array) -> Result<Self, ArrayError> {
        let elements = array.elements()?;
        let scratch = Scratch::new(elements.chain());
        Ok(Self { array, elements, scratch, key: String::new(), path: String::new() })
    }

    /// Reads the stored bytes of chunk `chunk` (not a shard) into `encoded`; their number, or `None` if it is missing.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`], also if more is stored than fits `encoded`.
    pub fn fetch(&mut self, chunk: &[u64], encoded: &mut [u8]) -> Result<Option<usize>, ArrayError> {
        self.array.keys().write(chunk, &mut self.key);
        let read = self.array.store().read_whole(&self.key, encoded, &mut self.path);
        read.map_err(|source| self.io_error(source))
    }

    /// Opens shard `shard`, or `None` if it is missing.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if its index is damaged, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn open_shard(&mut self, shard: &[u64]) -> Result<Option<ShardReader>, ArrayError> {
        let ArrayCodec::Shards(codec) = &self.elements.codec else { return Ok(None) };
        self.array.keys().write(shard, &mut self.key);
        let store = self.array.store();
        let Some(object) = store.open(&self.key, Access::Read).map_err(|e| self.io_error(e))? else {
            return Ok(None);
        };
        let bytes = object.bytes().map_err(|source| {
            self.io_error(IoError::Os { operation: "read size", location: self.key.clone(), source })
        })?;
        let damaged = |source| self.codec_error(&self.key, source);
        let offset = codec.index_offset(bytes).map_err(damaged)?;
        let mut encoded = vec![0; codec.index_bytes()];
        store.read_at(&object, &self.key, offset, &mut encoded).map_err(|e| self.io_error(e))?;
        let index = codec.decode_index(&encoded, bytes).map_err(damaged)?;
        Ok(Some(ShardReader { object, key: self.key.clone(), index, index_bytes: encoded.len() }))
    }

    /// Reads the stored bytes of inner chunk `inner` (C order within the shard) into `encoded`; their number, or `None` if
    /// it is missing.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if it is longer than `encoded`, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn fetch_inner(
        &self,
        shard: &ShardReader,
        inner: u64,
        encoded: &mut [u8],
    ) -> Result<Option<usize>, ArrayError> {
        let Some((offset, bytes)) = shard.index.get(index(inner)) else { return Ok(None) };
        let bytes = usize::try_from(bytes).ok().filter(|n| *n <= encoded.len()).ok_or_else(|| {
            let detail = format!("{bytes} bytes, at most {} can be valid", encoded.len());
            self.codec_error(
                &shard.inner_key(inner),
                CodecError::Corrupt { codec: "sharding_indexed", detail },
            )
        })?;
        let store = self.array.store();
        let read = store.read_at(&shard.object, &shard.key, offset, &mut encoded[..bytes]);
        read.map_err(|source| ArrayError::ChunkIo {
            array: self.array.location().to_owned(),
            key: shard.inner_key(inner),
            source,
        })?;
        Ok(Some(bytes))
    }

    /// Decodes a chunk into `chunk`, whose size is that of a chunk. `key` names it in an error.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`].
    pub fn decode(
        &mut self,
        encoded: &[u8],
        chunk: &mut [u8],
        key: impl FnOnce() -> String,
    ) -> Result<(), ArrayError> {
        let decoded = self.elements.chain().decode(encoded, chunk, &mut self.scratch);
        decoded.map_err(|source| self.codec_error(&key(), source))
    }

    fn io_error(&self, source: IoError) -> ArrayError {
        ArrayError::ChunkIo { array: self.array.location().to_owned(), key: self.key.clone(), source }
    }

    fn codec_error(&self, key: &str, source: CodecError) -> ArrayError {
        ArrayError::Chunk { array: self.array.location().to_owned(), key: key.to_owned(), source }
    }
}

/// An open shard with its index.
#[derive(Debug)]
pub struct ShardReader {
    object: Object,
    key: String,
    index: ShardIndex,
    index_bytes: usize,
}

impl ShardReader {
    /// Name of inner chunk `inner`, for messages.
    pub fn inner_key(&self, inner: u64) -> String {
        format!("{} inner chunk {inner}", self.key)
    }
}

/// What reading a region cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCost {
    /// Chunks (inner chunks of shards) that were decoded.
    pub chunks: u64,
    /// Reads of the store, those of shard indexes included.
    pub requests: u64,
    /// Stored bytes that were read.
    pub bytes: u64,
}

impl Array {
    /// Reads `region` in C order and native byte order.
    ///
    /// # Errors
    /// If a chunk cannot be read or decoded.
    ///
    /// # Panics
    /// If `region` is not inside the array.
    pub fn read_region(&self, region: &Region) -> Result<(Vec<u8>, ReadCost), ArrayError> {
        let elements = self.elements()?;
        let (chain, item_bytes) = (elements.chain(), elements.item_bytes());
        let layout = Layout::c_order(region.clone(), item_bytes as u64);
        let tile = Tile::new(vec![0; index(layout.bytes())], layout, elements.units.clone(), item_bytes);
        let mut reader = ChunkReader::new(self)?;
        let (mut encoded, mut plain) = (vec![0; chain.encoded_bytes_max()], vec![0; chain.chunk_bytes()]);
        let mut cost = ReadCost::default();
        let objects = self.objects().covering(region);
        for object in (0..objects.elements()).map(|k| objects.unravel(k)) {
            let shard = match elements.codec {
                ArrayCodec::Chunks(_) => None,
                ArrayCodec::Shards(_) => {
                    let shard = reader.open_shard(&object)?;
                    cost.requests += 1;
                    cost.bytes += shard.as_ref().map_or(0, |s| s.index_bytes as u64);
                    Some(shard)
                }
            };
            let inside = units_of(self.objects(), &elements.units, &object, region);
            for unit in (0..inside.elements()).map(|k| inside.unravel(k)) {
                let fetched = match &shard {
                    None => reader.fetch(&unit, &mut encoded)?,
                    Some(None) => None,
                    Some(Some(shard)) => reader.fetch_inner(
                        shard,
                        self.inner_number(elements, &object, &unit),
                        &mut encoded,
                    )?,
                };
                let part = tile.claim(&unit);
                let Some(bytes) = fetched else {
                    part.fill(&elements.fill);
                    cost.requests += u64::from(shard.is_none());
                    continue;
                };
                reader.decode(&encoded[..bytes], &mut plain, || self.key(&object))?;
                part.copy_from(&plain, &Layout::c_order(elements.units.cell(&unit), item_bytes as u64));
                cost.chunks += 1;
                cost.requests += 1;
                cost.bytes += bytes as u64;
            }
        }
        Ok((tile.into_buffer(), cost))
    }

    /// Position of inner chunk `unit` (an index over the array) within its shard, in C order.
    pub fn inner_number(&self, elements: &Elements, shard: &[u64], unit: &[u64]) -> u64 {
        let per_shard = |d: usize| self.objects().chunk_shape()[d] / elements.units.chunk_shape()[d];
        (0..unit.len()).fold(0, |n, d| n * per_shard(d) + (unit[d] - shard[d] * per_shard(d)))
    }
}

/// The chunks within object `object` that overlap `region`.
fn units_of(objects: &ChunkGrid, units: &ChunkGrid, object: &[u64], region: &Region) -> Region {
    match objects.region(object).intersect(region) {
        Some(part) => units.covering(&part),
        None => Region::whole(&vec![0; units.rank()]),
    }
}
