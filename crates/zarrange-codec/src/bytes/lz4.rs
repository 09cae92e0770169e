//! LZ4 as numcodecs frames it: the size of the content (4 bytes, little endian), then one block.

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into};

use crate::CodecError;

/// Bytes before the block.
const HEADER_BYTES: usize = 4;

/// The table of the encoder.
pub(crate) const CONTEXT_BYTES: usize = 16 << 10;

pub(crate) fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    let Some((size, block)) = src.split_first_chunk::<HEADER_BYTES>() else {
        return Err(CodecError::corrupt("lz4", format!("{} bytes are too few for a header", src.len())));
    };
    let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
    let content = dst.get_mut(..size).ok_or(CodecError::TooLong { codec: "lz4" })?;
    let written = decompress_into(block, content).map_err(|e| CodecError::corrupt("lz4", e.to_string()))?;
    if written == size {
        return Ok(size);
    }
    Err(CodecError::corrupt("lz4", format!("the header says {size} bytes, the block has {written}")))
}

/// Encodes with the library's one way, whatever the acceleration.
pub(crate) fn encode(
    src: &[u8],
    dst: &mut [u8],
    table: &mut Option<CompressTable>,
) -> Result<usize, CodecError> {
    let failed = |detail: String| CodecError::Encode { codec: "lz4", bytes: src.len() as u64, detail };
    let size = i32::try_from(src.len()).map_err(|_| {
        failed("lz4 holds less than 2 GiB: choose smaller chunks or another codec".to_owned())
    })?;
    let (header, block) = dst.split_at_mut(HEADER_BYTES);
    header.copy_from_slice(&size.to_le_bytes());
    let written = compress_into_with_table(src, block, table.get_or_insert_default());
    Ok(HEADER_BYTES + written.map_err(|e| failed(e.to_string()))?)
}
