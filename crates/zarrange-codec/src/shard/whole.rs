//! Shards that are decoded and encoded as a whole: those within others, and those among other codecs.

use zarrange_grid::{Region, Strides, copy_region, fill_with, index, is_filled};
use zarrs::metadata::v3::MetadataV3;

use crate::memory::buffer;
use crate::shard::{ShardIndex, ShardLayout, Shards};
use crate::{CodecError, ElementType, Scratch};

/// Shards may lie in shards, this many levels together.
const LEVELS_MAX: usize = 4;

/// What is asked of the codecs of inner chunks where shards are decoded and encoded as a whole.
pub(crate) trait InnerCodec: Sized {
    /// Compiles `codecs` for inner chunks of `shape` elements within `depth` shards.
    fn compile(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
        depth: usize,
    ) -> Result<Self, CodecError>;

    /// Bytes of a decoded inner chunk.
    fn chunk_bytes(&self) -> usize;

    /// The most bytes of an encoded one.
    fn encoded_bytes_max(&self) -> usize;

    /// What a thread works with, and its memory.
    fn scratch(&self) -> Result<Scratch, CodecError>;
    fn scratch_bytes(&self) -> usize;

    /// Whether values may not come back.
    fn loses(&self) -> bool;

    fn decode(&self, encoded: &[u8], chunk: &mut [u8], scratch: &mut Scratch) -> Result<(), CodecError>;

    /// The number of bytes written.
    fn encode(&self, chunk: &[u8], encoded: &mut [u8], scratch: &mut Scratch) -> Result<usize, CodecError>;
}

/// Compiles a `sharding_indexed` codec for shards of `shape` elements, themselves within `depth` shards.
///
/// # Errors
/// If the inner chunks do not divide the shard, the inner codecs are not valid, the index is not plain, or too many shards
/// lie in each other.
pub(crate) fn compile<C: InnerCodec>(
    metadata: &MetadataV3,
    element: &ElementType,
    shape: &[u64],
    fill: &[u8],
    depth: usize,
) -> Result<Shards<C>, CodecError> {
    if depth >= LEVELS_MAX {
        let detail = format!("shards lie in shards more than {LEVELS_MAX} levels deep");
        return Err(CodecError::Unsupported { codecs: "sharding_indexed".to_owned(), detail });
    }
    let (layout, chunk_shape, codecs) = ShardLayout::new(metadata, shape)?;
    let inner = C::compile(&codecs, element, &chunk_shape, fill, depth + 1)?;
    Ok(Shards::new(inner, layout))
}

/// The most bytes that a shard has whose inner chunks are all there.
pub(crate) fn encoded_bytes_max<C: InnerCodec>(shards: &Shards<C>) -> usize {
    let inner_chunks = index(shards.grid().count()).saturating_mul(shards.inner().encoded_bytes_max());
    inner_chunks.saturating_add(shards.index_bytes())
}

/// Memory that [`decode`] or [`encode`] takes.
pub(crate) fn working_bytes<C: InnerCodec>(shards: &Shards<C>) -> usize {
    let inner = shards.inner().chunk_bytes().saturating_add(shards.inner().scratch_bytes());
    inner.saturating_add(index(ShardIndex::memory_bytes(shards.grid().count())))
}

/// Decodes a whole shard into `shard`, its elements in C order; where an inner chunk is missing they are `fill`.
///
/// # Errors
/// [`CodecError`] if the index or an inner chunk is not valid.
pub(crate) fn decode<C: InnerCodec>(
    shards: &Shards<C>,
    encoded: &[u8],
    shard: &mut [u8],
    fill: &[u8],
) -> Result<(), CodecError> {
    let (bytes, at) = (encoded.len() as u64, index(shards.index_offset(encoded.len() as u64)?));
    let entries = shards.decode_index(&encoded[at..at + shards.index_bytes()], bytes)?;
    let layout = |region: &Region| Strides::c_order(region.clone(), fill.len() as u64);
    let (whole, inner_chunks) = (layout(&Region::whole(shards.grid().array_shape())), shards.grid().all());
    let (mut chunk, mut scratch) = (buffer(shards.inner().chunk_bytes())?, shards.inner().scratch()?);
    fill_with(shard, fill);
    for k in 0..shards.grid().count() {
        let Some((offset, bytes)) = entries.get(index(k)) else { continue };
        shards.inner().decode(&encoded[index(offset)..index(offset + bytes)], &mut chunk, &mut scratch)?;
        let cell = shards.grid().cell(&inner_chunks.unravel(k));
        copy_region(&cell, (&chunk, &layout(&cell)), (shard, &whole), fill.len());
    }
    Ok(())
}

/// Encodes a whole shard of elements in C order into the start of `encoded`, which has room for the largest; inner chunks of
/// nothing but `fill` are left out. Returns the bytes of the shard.
///
/// # Errors
/// [`CodecError::Encode`] if a library refuses.
pub(crate) fn encode<C: InnerCodec>(
    shards: &Shards<C>,
    shard: &[u8],
    encoded: &mut [u8],
    fill: &[u8],
) -> Result<usize, CodecError> {
    let layout = |region: &Region| Strides::c_order(region.clone(), fill.len() as u64);
    let (whole, inner_chunks) = (layout(&Region::whole(shards.grid().array_shape())), shards.grid().all());
    let (mut chunk, mut scratch) = (buffer(shards.inner().chunk_bytes())?, shards.inner().scratch()?);
    let (mut entries, mut end) =
        (ShardIndex::empty(index(shards.grid().count())), index(shards.data_offset()));
    for k in 0..shards.grid().count() {
        let cell = shards.grid().cell(&inner_chunks.unravel(k));
        copy_region(&cell, (shard, &whole), (&mut chunk, &layout(&cell)), fill.len());
        if is_filled(&chunk, fill) {
            continue;
        }
        let bytes = shards.inner().encode(&chunk, &mut encoded[end..], &mut scratch)?;
        entries.set(index(k), end as u64, bytes as u64);
        end += bytes;
    }
    let index_bytes = shards.index_bytes();
    let at = if shards.layout().index_at_end() { end } else { 0 };
    shards.encode_index(&entries, &mut encoded[at..at + index_bytes]);
    Ok(if shards.layout().index_at_end() { end + index_bytes } else { end })
}
