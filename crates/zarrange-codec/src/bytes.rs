//! The bytes-to-bytes codecs: the compressors, one file each, and the checksum.

pub(crate) mod blosc;
mod blosclz;
mod bz2;
mod gzip;
mod lz4;
mod lzma;
mod zlib;
mod zstd;

use serde::de::DeserializeOwned;
use zarrs::metadata::v3::MetadataV3;

use crate::CodecError;
use crate::steps::config::Config;

/// A compressor with its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compressor {
    Zstd(zstd::Zstd),
    Blosc(blosc::Blosc),
    Gzip(gzip::Gzip),
    /// With its level.
    Zlib(u32),
    Bz2(u32),
    Lz4,
    Lzma(Box<lzma::Lzma>),
}

/// Contexts that are costly to make, kept by each thread and made on first use.
#[derive(Default)]
pub(crate) struct Contexts {
    zstd: zstd::Context,
    gzip: gzip::Context,
    zlib: zlib::Context,
    lz4: Option<lz4_flex::block::CompressTable>,
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

    /// The codec of numcodecs, or of Zarr v3, that `config` describes, for elements of `element_bytes`; `None` if it is no
    /// compressor.
    pub(crate) fn configured(
        name: &str,
        mut config: Config<'_>,
        element_bytes: usize,
    ) -> Option<Result<Self, CodecError>> {
        let compressor = match name {
            "zstd" => zstd::Zstd::parse(&mut config).map(Self::Zstd),
            "blosc" => blosc::Blosc::parse(&mut config, element_bytes).map(Self::Blosc),
            "gzip" => level(&mut config, 0, 6).map(|level| Self::Gzip(gzip::Gzip::new(level))),
            "zlib" => level(&mut config, 0, 6).map(Self::Zlib),
            "bz2" => level(&mut config, 1, 9).map(Self::Bz2),
            // Faster or denser, what is written is the same to a reader.
            "lz4" => config.int("acceleration", i32::MIN.into()..=i32::MAX.into(), 1).map(|_| Self::Lz4),
            "lzma" => lzma::Lzma::parse(&mut config).map(|lzma| Self::Lzma(Box::new(lzma))),
            _ => return None,
        };
        Some(compressor.and_then(|compressor| config.finish().map(|()| compressor)))
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Zstd(_) => "zstd",
            Self::Blosc(_) => "blosc",
            Self::Gzip(_) => "gzip",
            Self::Zlib(_) => "zlib",
            Self::Bz2(_) => "bz2",
            Self::Lz4 => "lz4",
            Self::Lzma(_) => "lzma",
        }
    }

    /// The most bytes that `bytes` can encode to, in this or another implementation of the codec.
    pub(crate) fn encoded_bytes_max(&self, bytes: usize) -> usize {
        match self {
            Self::Zstd(_) => zstd::encoded_bytes_max(bytes),
            Self::Blosc(_) => blosc::encoded_bytes_max(bytes),
            Self::Gzip(_) => gzip::encoded_bytes_max(bytes),
            // More than any of them makes of noise.
            Self::Zlib(_) | Self::Bz2(_) | Self::Lz4 | Self::Lzma(_) => {
                bytes.saturating_add(bytes / 8 + 4096)
            }
        }
    }

    /// Working memory inside the codec's library while it encodes `bytes`.
    pub(crate) fn context_bytes(&self, bytes: usize) -> usize {
        match self {
            Self::Zstd(zstd) => zstd.context_bytes(bytes),
            Self::Blosc(blosc) => blosc.context_bytes(bytes),
            Self::Gzip(_) | Self::Zlib(_) => gzip::CONTEXT_BYTES,
            Self::Bz2(_) => bz2::CONTEXT_BYTES,
            Self::Lz4 => lz4::CONTEXT_BYTES,
            Self::Lzma(lzma) => lzma.context_bytes(bytes),
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
            Self::Zlib(_) => zlib::decode(src, dst, &mut contexts.zlib),
            Self::Bz2(_) => bz2::decode(src, dst),
            Self::Lz4 => lz4::decode(src, dst),
            Self::Lzma(lzma) => lzma.decode(src, dst),
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
            Self::Zlib(level) => zlib::encode(*level, src, dst, &mut contexts.zlib),
            Self::Bz2(level) => bz2::encode(*level, src, dst),
            Self::Lz4 => lz4::encode(src, dst, &mut contexts.lz4),
            Self::Lzma(lzma) => lzma.encode(src, dst),
        }
    }
}

/// A level from `least` to 9, 1 where it is missing, as in numcodecs; -1 is the library's own choice.
fn level(config: &mut Config<'_>, least: i64, default: u32) -> Result<u32, CodecError> {
    let level = config.int("level", -1..=9, 1)?;
    if level < least && level != -1 {
        let value = config.get("level").unwrap_or(&serde_json::Value::Null);
        return Err(config.wrong("level", value, "a whole number from 1 to 9, or -1"));
    }
    Ok(u32::try_from(level).unwrap_or(default))
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

fn configuration<T: DeserializeOwned>(metadata: &MetadataV3) -> Option<T> {
    let map = metadata.configuration().cloned().unwrap_or_default();
    serde_json::from_value(serde_json::Value::Object(map.into())).ok()
}
