//! zlib: deflate with another frame than gzip's. Bytes after its end are left alone, as Python leaves them.

use flate2::{Compress, Decompress};

use crate::CodecError;
use crate::bytes::gzip::{decode_stream, encode_stream, fresh};

#[derive(Default)]
pub(crate) struct Context {
    decode: Option<Decompress>,
    /// The stream and its level.
    encode: Option<(Compress, u32)>,
}

pub(crate) fn decode(src: &[u8], dst: &mut [u8], context: &mut Context) -> Result<usize, CodecError> {
    let stream = context.decode.get_or_insert_with(|| Decompress::new(true));
    stream.reset(true);
    decode_stream("zlib", stream, src, dst).map(|(_, written)| written)
}

pub(crate) fn encode(
    level: u32,
    src: &[u8],
    dst: &mut [u8],
    context: &mut Context,
) -> Result<usize, CodecError> {
    encode_stream("zlib", fresh(&mut context.encode, level, true), src, dst)
}
