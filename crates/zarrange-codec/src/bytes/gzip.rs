//! gzip through flate2's streams: the deflate state of each thread is reset, not made anew.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use crate::CodecError;

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
    pub(crate) const fn new(level: u32) -> Self {
        Self { level }
    }

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
        let room = &mut dst[written..];
        let (member, bytes) = decode_stream("gzip", stream, &src[read..], room)?;
        (read, written) = (read + member, written + bytes);
        // Members may be padded with zeros.
        read += src[read..].iter().take_while(|byte| **byte == 0).count();
    }
    if src.is_empty() {
        return Err(CodecError::corrupt("gzip", "empty"));
    }
    Ok(written)
}

/// Decodes the stream at the start of `src` into the start of `dst`; how many bytes were read and written.
pub(super) fn decode_stream(
    codec: &'static str,
    stream: &mut Decompress,
    src: &[u8],
    dst: &mut [u8],
) -> Result<(usize, usize), CodecError> {
    let mut overflow = [0u8; 1];
    let (mut read, mut written) = (0, 0);
    loop {
        let (in0, out0) = (stream.total_in(), stream.total_out());
        let full = written == dst.len();
        // A chunk that is full gets one byte more, to tell its end from an excess.
        let room = if full { &mut overflow[..] } else { &mut dst[written..] };
        let status = stream
            .decompress(&src[read..], room, FlushDecompress::Finish)
            .map_err(|e| CodecError::corrupt(codec, e.to_string()))?;
        read += zarrange_grid::index(stream.total_in() - in0);
        let out = zarrange_grid::index(stream.total_out() - out0);
        if full && out > 0 {
            return Err(CodecError::TooLong { codec });
        }
        written += out;
        match status {
            Status::StreamEnd => return Ok((read, written)),
            _ if stream.total_in() == in0 && out == 0 => {
                return Err(CodecError::corrupt(codec, "truncated"));
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
    let stream = fresh(&mut context.encode, config.level, false);
    let effort = match config.level {
        9.. => 2,
        ..=1 => 4,
        _ => 0,
    };
    // RFC 1952: no time, no name, unknown system, so that the same chunk always gives the same bytes.
    dst[..HEADER_BYTES].copy_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, effort, 255]);
    let end = HEADER_BYTES + encode_stream("gzip", stream, src, &mut dst[HEADER_BYTES..])?;
    if dst.len() < end + TRAILER_BYTES {
        return Err(CodecError::Encode {
            codec: "gzip",
            bytes: src.len() as u64,
            detail: TOO_LARGE.to_owned(),
        });
    }
    let mut crc = Crc::new();
    crc.update(src);
    dst[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    // The size modulo 2^32, as the format wants it.
    dst[end + 4..end + 8].copy_from_slice(&(src.len() as u64).to_le_bytes()[..4]);
    Ok(end + TRAILER_BYTES)
}

/// A stream that begins anew at `level`: the one that is there, if it has that level.
pub(super) fn fresh(kept: &mut Option<(Compress, u32)>, level: u32, zlib: bool) -> &mut Compress {
    let make = || (Compress::new(Compression::new(level), zlib), level);
    let (stream, current) = kept.get_or_insert_with(make);
    if *current == level {
        stream.reset();
    } else {
        (*stream, *current) = make();
    }
    stream
}

const TOO_LARGE: &str = "the result is larger than deflate's bound";

/// Encodes all of `src` into the start of `dst`; the number of bytes written.
pub(super) fn encode_stream(
    codec: &'static str,
    stream: &mut Compress,
    src: &[u8],
    dst: &mut [u8],
) -> Result<usize, CodecError> {
    let failed =
        |detail: &str| CodecError::Encode { codec, bytes: src.len() as u64, detail: detail.to_owned() };
    // Input first, then its end: what a streaming writer does, so that the bytes are those of zarrs.
    let begun = stream.compress(src, dst, FlushCompress::None);
    begun.map_err(|e| failed(&e.to_string()))?;
    let rest = &src[zarrange_grid::index(stream.total_in())..];
    let written = zarrange_grid::index(stream.total_out());
    let status = stream.compress(rest, &mut dst[written..], FlushCompress::Finish);
    match status.map_err(|e| failed(&e.to_string()))? {
        Status::StreamEnd => Ok(zarrange_grid::index(stream.total_out())),
        _ => Err(failed(TOO_LARGE)),
    }
}
