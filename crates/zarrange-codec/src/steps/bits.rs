//! Codecs of numcodecs that rearrange bits and bytes: `bitround`, `packbits`, `shuffle` and `base64`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::CodecError;

/// Bits of the fraction of a float of so many bytes.
pub(crate) const fn fraction_bits(bytes: usize) -> Option<i64> {
    match bytes {
        2 => Some(10),
        4 => Some(23),
        8 => Some(52),
        _ => None,
    }
}

/// Rounds floats of `bytes` bytes, half to even, so that only `keep` bits of their fraction are used.
pub(crate) fn round_bits(data: &mut [u8], bytes: usize, keep: i64, swapped: bool) {
    macro_rules! round {
        ($type:ty, $bytes:literal, $fraction:literal) => {
            for bytes in data.as_chunks_mut::<$bytes>().0 {
                if swapped {
                    bytes.reverse();
                }
                let (bits, cut) = (<$type>::from_ne_bytes(*bytes), $fraction - keep);
                let rounded = bits.wrapping_add((bits >> cut & 1) + ((1 << (cut - 1)) - 1));
                *bytes = (rounded >> cut << cut).to_ne_bytes();
                if swapped {
                    bytes.reverse();
                }
            }
        };
    }
    match bytes {
        2 => round!(u16, 2, 10),
        4 => round!(u32, 4, 23),
        _ => round!(u64, 8, 52),
    }
}

/// Bytes of `bools` packed bits.
pub(crate) const fn packed_bytes(bools: usize) -> usize {
    1 + bools.div_ceil(8)
}

/// Eight bools to a byte, the first in the highest bit, after a byte that says how many bits of the last are none.
pub(crate) fn pack_bits(src: &[u8], dst: &mut [u8]) -> usize {
    let (head, packed) = dst.split_at_mut(1);
    head[0] = match src.len() % 8 {
        0 => 0,
        1 => 7,
        2 => 6,
        3 => 5,
        4 => 4,
        5 => 3,
        6 => 2,
        _ => 1,
    };
    for (byte, bools) in packed.iter_mut().zip(src.chunks(8)) {
        *byte = bools.iter().zip((0..8).rev()).map(|(set, bit)| u8::from(*set != 0) << bit).sum();
    }
    packed_bytes(src.len())
}

pub(crate) fn unpack_bits(src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    let corrupt = |detail: String| CodecError::corrupt("packbits", detail);
    let (padding, packed) = src.split_first().ok_or_else(|| corrupt("empty".to_owned()))?;
    let bits = packed.len().saturating_mul(8);
    let bools = bits
        .checked_sub(usize::from(*padding))
        .ok_or_else(|| corrupt(format!("{padding} of {bits} bits are said to be none")))?;
    let dst = dst.get_mut(..bools).ok_or(CodecError::TooLong { codec: "packbits" })?;
    for (bools, byte) in dst.chunks_mut(8).zip(packed) {
        bools.iter_mut().zip((0..8).rev()).for_each(|(set, bit)| *set = byte >> bit & 1);
    }
    Ok(bools)
}

/// All first bytes of the elements, all second ones, and so on.
pub(crate) fn shuffle(src: &[u8], dst: &mut [u8], element_bytes: usize) {
    let elements = src.len() / element_bytes;
    for (j, plane) in dst.chunks_mut(elements.max(1)).enumerate() {
        let bytes = src.iter().skip(j).step_by(element_bytes);
        plane.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
}

pub(crate) fn unshuffle(src: &[u8], dst: &mut [u8], element_bytes: usize) {
    let elements = src.len() / element_bytes;
    for (j, plane) in src.chunks(elements.max(1)).enumerate() {
        let bytes = dst.iter_mut().skip(j).step_by(element_bytes);
        bytes.zip(plane).for_each(|(to, from)| *to = *from);
    }
}

/// Bytes of the text of so many; `None` if that overflows.
pub(crate) fn base64_bytes(bytes: usize) -> Option<usize> {
    bytes.div_ceil(3).checked_mul(4)
}

pub(crate) fn encode_base64(src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    STANDARD.encode_slice(src, dst).map_err(|e| CodecError::Encode {
        codec: "base64",
        bytes: src.len() as u64,
        detail: e.to_string(),
    })
}

/// Only what is written: padded, in one line. Python would also skip everything that is no character of base64.
pub(crate) fn decode_base64(src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
    STANDARD.decode_slice(src, dst).map_err(|e| match e {
        base64::DecodeSliceError::OutputSliceTooSmall => CodecError::TooLong { codec: "base64" },
        base64::DecodeSliceError::DecodeError(e) => CodecError::corrupt("base64", e.to_string()),
    })
}
