//! What pages are compressed with. None of it may write more than the page says to have.

use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;
use parquet::basic::Compression;

/// What a column is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Snappy,
    Gzip,
    Zstd,
    Lz4,
}

impl Codec {
    /// That of a column; an error is what it holds instead.
    pub(super) fn of(compression: Compression) -> Result<Self, String> {
        match compression {
            Compression::UNCOMPRESSED => Ok(Self::None),
            Compression::SNAPPY => Ok(Self::Snappy),
            Compression::GZIP(_) => Ok(Self::Gzip),
            Compression::ZSTD(_) => Ok(Self::Zstd),
            Compression::LZ4_RAW => Ok(Self::Lz4),
            Compression::LZO | Compression::BROTLI(_) | Compression::LZ4 => Err(format!(
                "what is compressed as {compression} (snappy, zstd, gzip and LZ4_RAW are read, and what is not compressed)"
            )),
        }
    }

    /// Appends what `bytes` are to `into`: so many bytes. An error is what is wrong.
    pub(super) fn decode(self, bytes: &[u8], size: usize, into: &mut Vec<u8>) -> Result<(), String> {
        let begin = into.len();
        let end = begin.checked_add(size).ok_or("it is too large")?;
        let failed = |error: &dyn std::fmt::Display| format!("it cannot be decompressed: {error}");
        // A page in which all is null has nothing to decompress.
        if size == 0 {
            return Ok(());
        }
        match self {
            Self::None => into.extend_from_slice(bytes),
            Self::Snappy => {
                into.resize(end, 0);
                let decoded = snap::raw::Decoder::new().decompress(bytes, &mut into[begin..]);
                let decoded = decoded.map_err(|error| failed(&error))?;
                into.truncate(begin + decoded);
            }
            Self::Gzip => {
                // A byte more tells that there are too many.
                let mut decoder = MultiGzDecoder::new(bytes).take(size as u64 + 1);
                decoder.read_to_end(into).map_err(|error| failed(&error))?;
            }
            Self::Zstd => {
                into.resize(end, 0);
                let decoded = zstd_safe::decompress(&mut into[begin..], bytes);
                let decoded = decoded.map_err(|code| failed(&zstd_safe::get_error_name(code)))?;
                into.truncate(begin + decoded);
            }
            Self::Lz4 => {
                into.resize(end, 0);
                let decoded = lz4_flex::block::decompress_into(bytes, &mut into[begin..]);
                let decoded = decoded.map_err(|error| failed(&error))?;
                into.truncate(begin + decoded);
            }
        }
        if into.len() == end {
            Ok(())
        } else {
            Err(format!("it has {} bytes where it says {size}", into.len() - begin))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_has_the_size_that_it_says() {
        use std::io::Write as _;
        let plain: Vec<u8> = (0..5000_u32).flat_map(|k| (k / 7).to_le_bytes()).collect();
        let snappy = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zstd = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
        zstd_safe::compress(&mut zstd, &plain, 1).unwrap();
        let lz4 = lz4_flex::block::compress(&plain);
        for (codec, bytes) in [
            (Codec::None, &plain),
            (Codec::Snappy, &snappy),
            (Codec::Gzip, &gzip),
            (Codec::Zstd, &zstd),
            (Codec::Lz4, &lz4),
        ] {
            let decode = |bytes: &[u8], size: usize| {
                let mut into = b"levels".to_vec();
                codec.decode(bytes, size, &mut into).map(|()| into)
            };
            let expected = [b"levels", &plain[..]].concat();
            assert!(decode(bytes, plain.len()).as_deref() == Ok(&expected), "{codec:?}");
            for (bytes, size) in [
                (&bytes[..], plain.len() - 1),
                (bytes, plain.len() + 1),
                (&bytes[..bytes.len() / 2], plain.len()),
                (b"\xff\xff\xff\xff", 10),
            ] {
                decode(bytes, size).unwrap_err();
            }
        }
    }
}
