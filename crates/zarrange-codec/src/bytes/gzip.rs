//! gzip through flate2's streams: the deflate state of each thread is reset, not made anew.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use crate::CodecError;
use crate::bytes::too_long;

/// Configuration of the `gzip` codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gzip {
    #[serde(deserialize_with = "level")]
    level: u32,
}

fn level<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    let level: u32 = serde::Deserialize::deserialize(d)?;
    if level <= 9 { Ok(level) } else { Err(serde::de::Error::custom("gzip level must be 0 to 9")) }
}

impl Gzip {
    pub(crate) const fn level(self) -> u32 {
        self.level
    }
}

#[derive(Default)]
pub(crate) struct Context {
    decode: Option<Decompress>,
    /// The stream and its level.
    encode: Option<(Compress, u32)>,
}

/// Deflate state of one thread, both directions.
pub(crate) const CONTEXT_BYTES: usize = 512 << 10;

const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
const WINDOW_BITS: u8 = 15;

/// Quick levels may use fixed codes of up to nine bits a byte; blocks (8 KiB and more) and headers differ by writer.
pub(crate) fn encoded_bytes_max(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 8 + (bytes / 8192 + 1) * 5 + HEADER_BYTES + TRAILER_BYTES + 64)
}

pub(crate) fn decode(src: &[u8], dst: &mut [u8], context: &mut Context) -> Result<usize, CodecError> {
    let stream = context.decode.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
    let (mut read, mut written) = (0, 0);
    // Members may follow each other; most files have one.
    while read < src.len() {
        // `reset` would forget the gzip framing, which is fixed when the stream is made.
        *stream = Decompress::new_gzip(WINDOW_BITS);
        stream_member(stream, src, dst, &mut read, &mut written)?;
    }
    if src.is_empty() {
        return Err(CodecError::corrupt("gzip", "empty"));
    }
    Ok(written)
}

fn stream_member(
    stream: &mut Decompress,
    src: &[u8],
    dst: &mut [u8],
    read: &mut usize,
    written: &mut usize,
) -> Result<(), CodecError> {
    let mut overflow = [0u8; 1];
    loop {
        let (in0, out0) = (stream.total_in(), stream.total_out());
        let full = *written == dst.len();
        // A chunk that is full gets one byte more, to tell its end from an excess.
        let room = if full { &mut overflow[..] } else { &mut dst[*written..] };
        let status = stream
            .decompress(&src[*read..], room, FlushDecompress::Finish)
            .map_err(|e| CodecError::corrupt("gzip", e.to_string()))?;
        *read += zarrange_grid::index(stream.total_in() - in0);
        let out = zarrange_grid::index(stream.total_out() - out0);
        if full && out > 0 {
            return Err(too_long("gzip"));
        }
        *written += out;
        match status {
            Status::StreamEnd => return Ok(()),
            _ if stream.total_in() == in0 && out == 0 => {
                return Err(CodecError::corrupt("gzip", "truncated"));
            }
            _ => {}
        }
    }
}

pub(crate) fn encode(
    config: Gzip,
    src: &[u8],
    dst: &mut [u8],
    context: &mut Context,
) -> Result<usize, CodecError> {
    let failed = |detail: &str| CodecError::Encode {
        codec: "gzip",
        bytes: src.len() as u64,
        detail: detail.to_owned(),
    };
    let fresh = || (Compress::new(Compression::new(config.level), false), config.level);
    let (stream, current) = context.encode.get_or_insert_with(fresh);
    if *current == config.level {
        stream.reset();
    } else {
        (*stream, *current) = fresh();
    }
    let effort = match config.level {
        9.. => 2,
        ..=1 => 4,
        _ => 0,
    };
    // RFC 1952: no time, no name, unknown system, so that the same chunk always gives the same bytes.
    dst[..HEADER_BYTES].copy_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 255]);
    // Input first, then its end: what a streaming writer does, so that the bytes are those of zarrs.
    let begun = stream.compress(src, &mut dst[HEADER_BYTES..], FlushCompress::None);
    begun.map_err(|e| failed(&e.to_string()))?;
    let rest = &src[zarrange_grid::index(stream.total_in())..];
    let written = zarrange_grid::index(stream.total_out());
    let status = stream.compress(rest, &mut dst[HEADER_BYTES + written..], FlushCompress::Finish);
    let status = status.map_err(|e| failed(&e.to_string()))?;
    let end = HEADER_BYTES + zarrange_grid::index(stream.total_out());
    if status != Status::StreamEnd || dst.len() < end + TRAILER_BYTES {
        return Err(failed("the result is larger than deflate's bound"));
    }
    let mut crc = Crc::new();
    crc.update(src);
    dst[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    // The size modulo 2^32, as the format wants it.
    dst[end + 4..end + 8].copy_from_slice(&(src.len() as u64).to_le_bytes()[..4]);
    Ok(end + TRAILER_BYTES)
}
