//! Pixels as PNG.
//!
//! It is a dozen lines over what the workspace has anyway. The crate `png` would bring two more libraries that compress.

use std::io::{self, Write};

use flate2::{Compression, write::ZlibEncoder};

/// What a file begins with.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Writes opaque pixels, of red, green, blue and alpha, as PNG.
pub(crate) fn encode((width, height): (u32, u32), pixels: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = SIGNATURE.to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits of red, green and blue; the usual compression and filters, no interlacing.
    header.extend([8, 2, 0, 0, 0]);
    chunk(*b"IHDR", &header, &mut out)?;
    let mut data = ZlibEncoder::new(Vec::new(), Compression::best());
    let row_bytes = pixels.len() / usize::try_from(height.max(1)).unwrap_or(usize::MAX);
    let mut row = Vec::with_capacity(row_bytes);
    for pixels in pixels.chunks_exact(row_bytes.max(1)) {
        row.clear();
        // No filter: what is drawn is flat, and differences would hide that shapes come again.
        row.push(0);
        row.extend(pixels.chunks_exact(4).flat_map(|pixel| &pixel[..3]));
        data.write_all(&row)?;
    }
    chunk(*b"IDAT", &data.finish()?, &mut out)?;
    chunk(*b"IEND", &[], &mut out)?;
    Ok(out)
}

/// Adds a chunk: how long it is, its kind, what it holds, and a checksum of both.
fn chunk(kind: [u8; 4], data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let length = u32::try_from(data.len()).map_err(io::Error::other)?;
    out.extend(length.to_be_bytes());
    let start = out.len();
    out.extend(kind);
    out.extend(data);
    let sum = crc32fast::hash(&out[start..]);
    out.extend(sum.to_be_bytes());
    Ok(())
}
