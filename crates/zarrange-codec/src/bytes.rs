//! The bytes-to-bytes codecs: the compressors, one file each, and the checksum.

pub(crate) mod blosc;
mod blosclz;
mod gzip;
mod zstd;

use std::io::Read;

use serde::de::DeserializeOwned;
use zarrs::metadata::v3::MetadataV3;

use crate::CodecError;

/// A compressor with its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compressor {
    Zstd(zstd::Zstd),
    Blosc(blosc::Blosc),
    Gzip(gzip::Gzip),
}

/// Contexts that are costly to make, kept by each thread and made on first use.
#[derive(Default)]
pub(crate) struct Contexts {
    zstd: zstd::Context,
    gzip: gzip::Context,
    /// A block of a blosclz frame before it is unshuffled.
    shuffled: Vec<u8>,
}

impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contexts")
    }
}

/// Bytes of the checksum that the crc32c codec appends.
pub(crate) const CRC_BYTES: usize = 4;

impl Compressor {
    /// The codec that `metadata` describes, or `None` if it is not one of ours.
    pub(crate) fn parse(metadata: &MetadataV3, element_bytes: usize) -> Option<Self> {
        match metadata.name() {
            "zstd" => configuration(metadata).map(Self::Zstd),
            "gzip" => configuration(metadata).map(Self::Gzip),
            "blosc" => {
                let config: blosc::Blosc = configuration(metadata)?;
                config.with_default_type(element_bytes).map(Self::Blosc)
            }
            _ => None,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Zstd(_) => "zstd",
            Self::Blosc(_) => "blosc",
            Self::Gzip(_) => "gzip",
        }
    }

    /// The most bytes that `bytes` can encode to, in this or another implementation of the codec.
    pub(crate) fn encoded_bytes_max(&self, bytes: usize) -> usize {
        match self {
            Self::Zstd(_) => zstd::encoded_bytes_max(bytes),
            Self::Blosc(_) => blosc::encoded_bytes_max(bytes),
            Self::Gzip(_) => gzip::encoded_bytes_max(bytes),
        }
    }

    /// Working memory inside the codec's library while it encodes `bytes`.
    pub(crate) fn context_bytes(&self, bytes: usize) -> usize {
        match self {
            Self::Zstd(zstd) => zstd.context_bytes(bytes),
            Self::Blosc(blosc) => blosc.context_bytes(bytes),
            Self::Gzip(_) => gzip::CONTEXT_BYTES,
        }
    }

    /// Decodes `src` into the start of `dst`; the number of bytes written.
    pub(crate) fn decode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        contexts: &mut Contexts,
    ) -> Result<usize, CodecError> {
        match self {
            Self::Zstd(_) => zstd::decode(src, dst, &mut contexts.zstd),
            Self::Blosc(_) => blosc::decode(src, dst, &mut contexts.shuffled),
            Self::Gzip(_) => gzip::decode(src, dst, &mut contexts.gzip),
        }
    }

    /// Encodes `src` into the start of `dst`, which holds [`Self::encoded_bytes_max`]; the number of bytes written.
    pub(crate) fn encode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        contexts: &mut Contexts,
    ) -> Result<usize, CodecError> {
        // With more room blosc would keep a frame that is larger than its bound: the bytes must not depend on it.
        let dst = &mut dst[..self.encoded_bytes_max(src.len())];
        match self {
            Self::Zstd(config) => zstd::encode(*config, src, dst, &mut contexts.zstd),
            Self::Blosc(config) => blosc::encode(config, src, dst),
            Self::Gzip(config) => gzip::encode(*config, src, dst, &mut contexts.gzip),
        }
    }
}

/// Decompresses what the codec that `zarrs` calls `name` made of at most `bytes_max`; `None` if it is not a compressor that
/// is known here.
pub(crate) fn inflate(name: &str, src: &[u8], bytes_max: usize) -> Option<Result<Vec<u8>, CodecError>> {
    let whole = |decode: &dyn Fn(&mut [u8]) -> Result<usize, CodecError>| {
        let mut bytes = vec![0; bytes_max];
        let length = decode(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    };
    Some(match name {
        "zstd" => whole(&|dst| zstd::decode(src, dst, &mut zstd::Context::default())),
        "gzip" => whole(&|dst| gzip::decode(src, dst, &mut gzip::Context::default())),
        "blosc" => whole(&|dst| blosc::decode(src, dst, &mut Vec::new())),
        "numcodecs.zlib" => read(flate2::read::ZlibDecoder::new(src), "zlib", bytes_max),
        "numcodecs.bz2" => read(bzip2::read::BzDecoder::new(src), "bz2", bytes_max),
        _ => return None,
    })
}

/// Whether the codec that `zarrs` calls `name` decodes to no more bytes than are stored.
pub(crate) fn is_size_preserving(name: &str) -> bool {
    matches!(name, "crc32c" | "numcodecs.adler32" | "numcodecs.fletcher32" | "numcodecs.shuffle")
}

/// All that `reader` gives, if it is at most `bytes_max`; one byte more is asked for, to tell an end from an excess.
fn read(reader: impl Read, codec: &'static str, bytes_max: usize) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(bytes_max.saturating_add(1));
    let mut bounded = reader.take((bytes_max as u64).saturating_add(1));
    bounded.read_to_end(&mut bytes).map_err(|e| CodecError::corrupt(codec, e.to_string()))?;
    if bytes.len() > bytes_max { Err(too_long(codec)) } else { Ok(bytes) }
}

/// Whether `metadata` is the checksum codec.
pub(crate) fn is_checksum(metadata: &MetadataV3) -> bool {
    metadata.name() == "crc32c" && metadata.configuration().is_none_or(|c| c.is_empty())
}

/// The bytes before the checksum, if it is right.
pub(crate) fn check_crc(src: &[u8]) -> Result<&[u8], CodecError> {
    let Some((payload, stored)) = src.split_last_chunk::<CRC_BYTES>() else {
        return Err(CodecError::corrupt("crc32c", format!("{} bytes are too few for a checksum", src.len())));
    };
    let (stored, computed) = (u32::from_le_bytes(*stored), crc32c::crc32c(payload));
    if stored == computed {
        Ok(payload)
    } else {
        Err(CodecError::corrupt("crc32c", format!("checksum is {stored:08x}, the bytes give {computed:08x}")))
    }
}

pub(crate) fn too_long(codec: &'static str) -> CodecError {
    CodecError::corrupt(codec, "decodes to more bytes than the metadata says")
}

fn configuration<T: DeserializeOwned>(metadata: &MetadataV3) -> Option<T> {
    let map = metadata.configuration().cloned().unwrap_or_default();
    serde_json::from_value(serde_json::Value::Object(map.into())).ok()
}
