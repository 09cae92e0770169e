//! Where the index of a shard and its inner chunks lie, and what the index says.

use serde::Deserialize;
use zarrange_grid::{ChunkGrid, index};
use zarrs::metadata::v3::MetadataV3;

use crate::CodecError;
use crate::bytes::{CRC_BYTES, check_crc, is_checksum};

/// Bytes of an index entry: offset and length, 8 bytes each.
const ENTRY_BYTES: usize = 16;

/// The shards of a `sharding_indexed` codec, whatever their inner chunks are: a grid of these, and an index that says where each of
/// them is.
#[derive(Clone, Debug)]
pub struct ShardLayout {
    /// Inner chunks within a shard.
    grid: ChunkGrid,
    checksum: bool,
    /// The numbers of the index are big endian.
    big_endian: bool,
    index_at_end: bool,
}

#[derive(Deserialize)]
struct Configuration {
    chunk_shape: Vec<u64>,
    codecs: Vec<MetadataV3>,
    index_codecs: Vec<MetadataV3>,
    #[serde(default)]
    index_location: IndexLocation,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum IndexLocation {
    Start,
    #[default]
    End,
}

impl ShardLayout {
    /// Where things lie in shards of `shape` elements with the `sharding_indexed` codec `metadata`; also the shape of the inner chunks
    /// and their codecs.
    ///
    /// # Errors
    /// If the inner chunks do not divide the shard, or the index is not plain.
    pub(crate) fn new(
        metadata: &MetadataV3,
        shape: &[u64],
    ) -> Result<(Self, Vec<u64>, Vec<MetadataV3>), CodecError> {
        let unsupported =
            |detail: String| CodecError::Unsupported { codecs: "sharding_indexed".to_owned(), detail };
        let configuration = metadata.configuration().cloned().unwrap_or_default();
        let configuration: Configuration =
            serde_json::from_value(serde_json::Value::Object(configuration.into()))
                .map_err(|e| unsupported(e.to_string()))?;
        let Configuration { codecs, chunk_shape, index_codecs, index_location } = configuration;
        let grid = ChunkGrid::new(shape, &chunk_shape)?;
        if shape.iter().zip(&chunk_shape).any(|(s, c)| s % c != 0) {
            let detail = format!(
                "inner chunk {chunk_shape:?} does not divide shard {shape:?}: every dimension must be a multiple"
            );
            return Err(unsupported(detail));
        }
        let (big_endian, checksum) = plain_index(&index_codecs)
            .ok_or_else(|| unsupported("index_codecs other than bytes and crc32c".to_owned()))?;
        let index_at_end = index_location == IndexLocation::End;
        let layout = Self { grid, checksum, big_endian, index_at_end };
        let entries = usize::try_from(layout.grid.count()).ok().and_then(|n| n.checked_mul(ENTRY_BYTES + 8));
        entries.ok_or_else(|| unsupported("the index overflows".to_owned()))?;
        Ok((layout, chunk_shape, codecs))
    }

    /// Inner chunks within a shard.
    pub const fn grid(&self) -> &ChunkGrid {
        &self.grid
    }

    /// Bytes of the stored index.
    pub fn index_bytes(&self) -> usize {
        index(self.grid.count()) * ENTRY_BYTES + if self.checksum { CRC_BYTES } else { 0 }
    }

    /// Offset of the index in a shard of `shard_bytes`.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] if the shard is too small to hold its index.
    pub fn index_offset(&self, shard_bytes: u64) -> Result<u64, CodecError> {
        let index_bytes = self.index_bytes() as u64;
        let start = shard_bytes.checked_sub(index_bytes).ok_or_else(|| {
            CodecError::corrupt(
                "sharding_indexed",
                format!("{shard_bytes} bytes, the index alone has {index_bytes}"),
            )
        })?;
        Ok(if self.index_at_end { start } else { 0 })
    }

    /// Offset of the first inner chunk that is written.
    pub fn data_offset(&self) -> u64 {
        if self.index_at_end { 0 } else { self.index_bytes() as u64 }
    }

    /// Reads an index of a shard of `shard_bytes`; every entry is then within the shard, apart from the index and the
    /// other entries.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] otherwise.
    pub fn decode_index(&self, encoded: &[u8], shard_bytes: u64) -> Result<ShardIndex, CodecError> {
        let corrupt = |detail: String| CodecError::corrupt("sharding_indexed", format!("index: {detail}"));
        if encoded.len() != self.index_bytes() {
            return Err(corrupt(format!("{} bytes instead of {}", encoded.len(), self.index_bytes())));
        }
        let plain =
            if self.checksum { check_crc(encoded).map_err(|e| corrupt(e.to_string()))? } else { encoded };
        let entries: Vec<Entry> =
            plain.as_chunks::<ENTRY_BYTES>().0.iter().map(|raw| Entry::read(raw, self.big_endian)).collect();
        let index_start = self.index_offset(shard_bytes)?;
        let data = if self.index_at_end { 0..index_start } else { self.index_bytes() as u64..shard_bytes };
        let mut used: Vec<Entry> = Vec::with_capacity(entries.len());
        for (k, entry) in entries.iter().enumerate() {
            if *entry == Entry::MISSING {
                continue;
            }
            let end = entry.offset.checked_add(entry.bytes).filter(|end| *end <= data.end);
            if entry.offset < data.start || end.is_none() {
                let Entry { offset, bytes } = entry;
                return Err(corrupt(format!("entry {k} ({bytes} bytes at {offset}) is outside {data:?}")));
            }
            used.push(*entry);
        }
        used.sort_unstable_by_key(|e| (e.offset, e.bytes));
        if let Some(pair) = used.windows(2).find(|pair| pair[0].offset + pair[0].bytes > pair[1].offset) {
            return Err(corrupt(format!("entries overlap at byte {}", pair[1].offset)));
        }
        Ok(ShardIndex { entries })
    }

    /// Whether the index follows the inner chunks.
    pub(crate) const fn index_at_end(&self) -> bool {
        self.index_at_end
    }

    /// The stored form of an index, in `encoded`, which has [`Self::index_bytes`].
    ///
    /// # Panics
    /// If `encoded` or the index has another size.
    pub fn encode_index(&self, shard: &ShardIndex, encoded: &mut [u8]) {
        assert_eq!(encoded.len(), self.index_bytes());
        let (plain, sum) = encoded.split_at_mut(shard.entries.len() * ENTRY_BYTES);
        for (bytes, entry) in plain.as_chunks_mut::<ENTRY_BYTES>().0.iter_mut().zip(&shard.entries) {
            let word = |n: u64| if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
            bytes[..8].copy_from_slice(&word(entry.offset));
            bytes[8..].copy_from_slice(&word(entry.bytes));
        }
        if self.checksum {
            sum.copy_from_slice(&crc32c::crc32c(plain).to_le_bytes());
        }
    }
}

/// Whether the numbers of an index with these codecs are big endian, and whether a checksum follows; `None` if it is stored in
/// another way.
fn plain_index(codecs: &[MetadataV3]) -> Option<(bool, bool)> {
    let (bytes, checksum) = match codecs {
        [bytes] => (bytes, false),
        [bytes, sum] if is_checksum(sum) => (bytes, true),
        _ => return None,
    };
    let endian = bytes.configuration().and_then(|c| c.get("endian")).and_then(|e| e.as_str());
    match (bytes.name(), endian) {
        ("bytes", Some("little")) => Some((false, checksum)),
        ("bytes", Some("big")) => Some((true, checksum)),
        _ => None,
    }
}

/// Where the inner chunks of one shard are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIndex {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    offset: u64,
    bytes: u64,
}

impl Entry {
    const MISSING: Self = Self { offset: u64::MAX, bytes: u64::MAX };

    fn read(raw: &[u8; ENTRY_BYTES], big_endian: bool) -> Self {
        let word = |at: usize| {
            let bytes = std::array::from_fn(|k| raw[at + k]);
            if big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
        };
        Self { offset: word(0), bytes: word(8) }
    }
}

impl ShardIndex {
    /// An index of `inner_chunks`, all missing.
    pub fn empty(inner_chunks: usize) -> Self {
        Self { entries: vec![Entry::MISSING; inner_chunks] }
    }

    /// Inner chunks of the shard, missing ones included.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Offset and bytes of inner chunk `k` (C order within the shard), or `None` if it is missing.
    pub fn get(&self, k: usize) -> Option<(u64, u64)> {
        let entry = self.entries[k];
        (entry != Entry::MISSING).then_some((entry.offset, entry.bytes))
    }

    /// Records that inner chunk `k` has `bytes` at `offset`.
    pub fn set(&mut self, k: usize, offset: u64, bytes: u64) {
        self.entries[k] = Entry { offset, bytes };
    }

    /// Whether every inner chunk is missing.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|e| *e == Entry::MISSING)
    }

    /// Memory of an index of `inner_chunks`, its stored form and the check of its entries included.
    pub const fn memory_bytes(inner_chunks: u64) -> u64 {
        inner_chunks.saturating_mul(3 * ENTRY_BYTES as u64).saturating_add(CRC_BYTES as u64)
    }
}
