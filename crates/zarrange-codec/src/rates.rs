//! How long codecs take: what a planner weighs.

use crate::bytes::Compressor;

/// Processor time for a byte of array data, in nanoseconds, on one core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// To decode.
    pub decode_ns_per_byte: f64,
    /// To encode.
    pub encode_ns_per_byte: f64,
}

/// Elements that are stored as they are, but for their order.
pub(crate) const PLAIN: Rates = Rates { decode_ns_per_byte: 0.1, encode_ns_per_byte: 0.1 };
/// What `zarrs` decodes and encodes: unknown, so slow.
pub(crate) const UNKNOWN: Rates = Rates { decode_ns_per_byte: 5.0, encode_ns_per_byte: 15.0 };

impl Compressor {
    /// Measured on noisy photometry in chunks of 128 KiB (`cargo bench -p zarrange-codec`, an x86-64 of 2023); other data differs
    /// by small factors, levels differ by orders of magnitude.
    pub(crate) fn rates(&self) -> Rates {
        let (decode_ns_per_byte, encode_ns_per_byte) = match self {
            Self::Zstd(zstd) => (1.6, zstd_encode(zstd.level())),
            Self::Gzip(gzip) => (11.0, if gzip.level() <= 3 { 35.0 } else { 80.0 }),
            Self::Blosc(blosc) if blosc.is_fast() => (0.8, 1.7),
            Self::Blosc(_) => (1.6, 14.0),
            Self::Zlib(level) => (11.0, if *level <= 3 { 35.0 } else { 80.0 }),
            Self::Bz2(_) => (45.0, 100.0),
            Self::Lz4 => (1.0, 2.5),
            Self::Lzma(lzma) => (40.0, if lzma.is_fast() { 120.0 } else { 400.0 }),
        };
        Rates { decode_ns_per_byte, encode_ns_per_byte }
    }
}

const fn zstd_encode(level: i32) -> f64 {
    match level {
        ..=2 => 3.0,
        3..=4 => 8.0,
        5..=8 => 15.0,
        9..=12 => 30.0,
        13..=17 => 90.0,
        _ => 200.0,
    }
}
