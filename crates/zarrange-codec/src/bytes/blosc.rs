//! blosc (version 1) through c-blosc's context-free calls, on the calling thread.
//!
//! The header is read and checked against the metadata before the library sees the bytes; frames of blosclz are decoded by
//! `blosclz`, not by the library.
#![expect(unsafe_code, reason = "calls of the C library")]

use std::ffi::{CStr, c_int};
use std::ops::Range;

use crate::CodecError;
use crate::bytes::blosclz;
use crate::steps::config::Config;

/// Configuration of the `blosc` codec.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blosc {
    cname: Compressor,
    clevel: u8,
    #[serde(default)]
    shuffle: Shuffle,
    typesize: Option<usize>,
    #[serde(default)]
    blocksize: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Compressor {
    Blosclz,
    Lz4,
    Lz4hc,
    Snappy,
    Zlib,
    Zstd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
enum Shuffle {
    #[default]
    #[serde(rename = "noshuffle")]
    None = 0,
    #[serde(rename = "shuffle")]
    Bytes = 1,
    #[serde(rename = "bitshuffle")]
    Bits = 2,
}

/// No buffer is larger.
const MAX_BYTES: usize = blosc_src::BLOSC_MAX_BUFFERSIZE as usize;

/// Bytes of the header: versions, flags, type size, then sizes of the content, a block and the whole.
const HEADER_BYTES: usize = blosc_src::BLOSC_MIN_HEADER_LENGTH as usize;

impl Blosc {
    /// The codec of Zarr v3, or that of numcodecs, which numbers the ways to shuffle.
    pub(crate) fn parse(config: &mut Config<'_>, element_bytes: usize) -> Result<Self, CodecError> {
        const NAMES: [&str; 6] = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"];
        let cname = match config.choice("cname", &NAMES)? {
            Some(0) => Compressor::Blosclz,
            Some(2) => Compressor::Lz4hc,
            Some(3) => Compressor::Snappy,
            Some(4) => Compressor::Zlib,
            Some(5) => Compressor::Zstd,
            _ => Compressor::Lz4,
        };
        let clevel = u8::try_from(config.int("clevel", 0..=9, 5)?).unwrap_or_default();
        let blocksize = config.size("blocksize", MAX_BYTES)?.unwrap_or(0);
        let typesize = config.size("typesize", MAX_BYTES)?.filter(|bytes| *bytes > 0);
        let typesize = typesize.unwrap_or_else(|| element_bytes.max(1));
        let ways = [Shuffle::None, Shuffle::Bytes, Shuffle::Bits];
        let shuffle = if config.codec() == "blosc" {
            config
                .choice("shuffle", &["noshuffle", "shuffle", "bitshuffle"])?
                .map_or(Shuffle::None, |k| ways[k])
        } else {
            match config.int("shuffle", -1..=2, 1)? {
                0 => Shuffle::None,
                2 => Shuffle::Bits,
                -1 if typesize == 1 => Shuffle::Bits,
                _ => Shuffle::Bytes,
            }
        };
        Ok(Self { cname, clevel, shuffle, typesize: Some(typesize), blocksize })
    }

    /// Whether speed goes before size.
    pub(crate) const fn is_fast(&self) -> bool {
        matches!(self.cname, Compressor::Blosclz | Compressor::Lz4 | Compressor::Snappy) || self.clevel == 0
    }

    /// Fills in the type size; `None` if the configuration is not one that blosc accepts.
    pub(crate) fn with_default_type(mut self, element_bytes: usize) -> Option<Self> {
        if self.shuffle == Shuffle::None {
            self.typesize = Some(self.typesize.unwrap_or(1));
        }
        let typesize = *self.typesize.get_or_insert(element_bytes);
        (self.clevel <= 9 && typesize > 0).then_some(self)
    }

    /// Blocks are processed through a few temporary ones.
    #[expect(clippy::unused_self, reason = "the sibling codecs depend on their configuration")]
    pub(crate) fn context_bytes(&self, bytes: usize) -> usize {
        (1 << 20) + bytes.min(8 << 20)
    }
}

impl Compressor {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Blosclz => c"blosclz",
            Self::Lz4 => c"lz4",
            Self::Lz4hc => c"lz4hc",
            Self::Snappy => c"snappy",
            Self::Zlib => c"zlib",
            Self::Zstd => c"zstd",
        }
    }
}

pub(crate) fn encoded_bytes_max(bytes: usize) -> usize {
    bytes.saturating_add(blosc_src::BLOSC_MAX_OVERHEAD as usize)
}

pub(crate) fn decode(src: &[u8], dst: &mut [u8], shuffled: &mut Vec<u8>) -> Result<usize, CodecError> {
    let Header { content, lz } = check(src, dst.len())?;
    if content == 0 {
        return Ok(0);
    }
    if lz.is_blosclz() {
        blosclz::decode(src, lz, &mut dst[..content], shuffled)
            .map_err(|_| CodecError::corrupt("blosc", "the compressed blocks are damaged"))?;
        return Ok(content);
    }
    // SAFETY: the header's sizes were checked against both buffers; the library writes at most `dst.len()` bytes.
    let written = unsafe {
        blosc_src::blosc_decompress_ctx(src.as_ptr().cast(), dst.as_mut_ptr().cast(), dst.len(), 1)
    };
    written_bytes(written, content)
}

/// Decodes the blocks that hold the bytes `part` of a chunk to their place in `dst`, which has the size of the chunk; `false` if only
/// the whole can be decoded.
pub(crate) fn decode_part(src: &[u8], part: Range<usize>, dst: &mut [u8]) -> Result<bool, CodecError> {
    let Header { content, lz } = check(src, dst.len())?;
    let item = lz.type_bytes;
    if content != dst.len() || item == 0 || lz.is_blosclz() || !content.is_multiple_of(item) {
        return Ok(false);
    }
    let (first, last) = (part.start / item, part.end.div_ceil(item));
    let (Ok(start), Ok(count)) = (c_int::try_from(first), c_int::try_from(last - first)) else {
        return Ok(false);
    };
    let wanted = &mut dst[first * item..last * item];
    // SAFETY: the header was checked to be valid for `src.len()` bytes; the items are inside the content, and the library
    // writes them, `count` times `item` bytes, to `wanted`, which has that size.
    let written =
        unsafe { blosc_src::blosc_getitem(src.as_ptr().cast(), start, count, wanted.as_mut_ptr().cast()) };
    written_bytes(written, wanted.len())?;
    Ok(true)
}

/// What the header of a frame says.
struct Header {
    /// Bytes of the decoded content.
    content: usize,
    lz: blosclz::Header,
}

/// Reads and checks the header of `src`, whose content may have up to `content_max` bytes.
fn check(src: &[u8], content_max: usize) -> Result<Header, CodecError> {
    let header: &[u8; HEADER_BYTES] = src.first_chunk().ok_or_else(|| {
        CodecError::corrupt("blosc", format!("{} bytes are too few for a header", src.len()))
    })?;
    let field =
        |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let (content, whole) = (field(4), field(12));
    if content > content_max {
        return Err(CodecError::TooLong { codec: "blosc" });
    }
    if whole != src.len() {
        let detail = format!("the header says {whole} bytes, {} are stored", src.len());
        return Err(CodecError::corrupt("blosc", detail));
    }
    let mut valid_bytes = 0usize;
    // SAFETY: reads at most `src.len()` bytes of `src` and writes the one size.
    let valid =
        unsafe { blosc_src::blosc_cbuffer_validate(src.as_ptr().cast(), src.len(), &raw mut valid_bytes) };
    if valid != 0 || valid_bytes != content {
        return Err(CodecError::corrupt("blosc", "the header is not valid"));
    }
    let lz = blosclz::Header { flags: header[2], type_bytes: usize::from(header[3]), block_bytes: field(8) };
    Ok(Header { content, lz })
}

/// The number of bytes that the library says it wrote, if it is the expected one.
fn written_bytes(written: c_int, expected: usize) -> Result<usize, CodecError> {
    match usize::try_from(written) {
        Ok(written) if written == expected => Ok(written),
        _ => Err(CodecError::corrupt("blosc", format!("the compressed blocks are damaged (code {written})"))),
    }
}

pub(crate) fn encode(config: &Blosc, src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    let failed = |detail: &str| CodecError::Encode {
        codec: "blosc",
        bytes: src.len() as u64,
        detail: detail.to_owned(),
    };
    if src.len() > MAX_BYTES {
        return Err(failed("blosc holds less than 2 GiB: choose smaller chunks or another codec"));
    }
    // SAFETY: the library reads `src.len()` bytes of `src` and writes at most `dst.len()` bytes of `dst`; the name is a
    // C string.
    let written = unsafe {
        blosc_src::blosc_compress_ctx(
            c_int::from(config.clevel),
            config.shuffle as c_int,
            config.typesize.unwrap_or(1),
            src.len(),
            src.as_ptr().cast(),
            dst.as_mut_ptr().cast(),
            dst.len(),
            config.cname.name().as_ptr(),
            config.blocksize,
            1,
        )
    };
    match usize::try_from(written) {
        Ok(written) if written > 0 => Ok(written),
        _ => Err(failed("the library failed")),
    }
}
