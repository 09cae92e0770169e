//! bzip2. The library makes its tables anew for each stream.
//!
//! As Python's `bz2.decompress`: streams may follow each other, and what follows the first and is no stream is left alone.

use bzip2::{Action, Compress, Compression, Decompress, Status};
use zarrange_grid::index;

use crate::CodecError;

/// What the library takes to encode with the largest blocks; decoding takes half of it.
pub(crate) const CONTEXT_BYTES: usize = 8 << 20;

pub(crate) fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    let (mut rest, mut written) = (src, 0);
    loop {
        match decode_stream(rest, &mut dst[written..])? {
            Stream::Whole { read, bytes } => {
                written += bytes;
                rest = &rest[read..];
            }
            Stream::None(_) if rest.len() < src.len() => return Ok(written),
            Stream::None(detail) => return Err(CodecError::corrupt("bz2", detail)),
        }
        if rest.is_empty() {
            return Ok(written);
        }
    }
}

enum Stream {
    Whole {
        read: usize,
        bytes: usize,
    },
    /// Not a valid stream.
    None(String),
}

fn decode_stream(src: &[u8], dst: &mut [u8]) -> Result<Stream, CodecError> {
    let mut stream = Decompress::new(false);
    let mut overflow = [0u8; 1];
    loop {
        let (read, written) = (index(stream.total_in()), index(stream.total_out()));
        let full = written >= dst.len();
        let room = if full { &mut overflow[..] } else { &mut dst[written..] };
        let status = match stream.decompress(&src[read..], room) {
            Ok(status) => status,
            Err(e) => return Ok(Stream::None(e.to_string())),
        };
        let (read_now, written_now) = (index(stream.total_in()), index(stream.total_out()));
        if full && written_now > written {
            return Err(CodecError::TooLong { codec: "bz2" });
        }
        if status == Status::StreamEnd {
            return Ok(Stream::Whole { read: read_now, bytes: written_now });
        }
        if read_now == read && written_now == written {
            return Err(CodecError::corrupt("bz2", "truncated"));
        }
    }
}

pub(crate) fn encode(level: u32, src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    let failed = |detail: String| CodecError::Encode { codec: "bz2", bytes: src.len() as u64, detail };
    let mut stream = Compress::new(Compression::new(level), 0);
    loop {
        let (read, written) = (index(stream.total_in()), index(stream.total_out()));
        let status = stream.compress(&src[read..], &mut dst[written..], Action::Finish);
        match status.map_err(|e| failed(e.to_string()))? {
            Status::StreamEnd => return Ok(index(stream.total_out())),
            _ if written == dst.len() => {
                return Err(failed("the result is larger than its bound".to_owned()));
            }
            _ => {}
        }
    }
}
