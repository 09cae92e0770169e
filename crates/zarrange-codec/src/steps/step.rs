//! One step, from bytes to bytes.

use std::ops::Range;

use zarrange_grid::{Dims, Region, Strides, copy_strided};

use crate::bytes::{Compressor, Contexts};
use crate::element::swap_bytes;
use crate::steps::bits::{
    base64_bytes, decode_base64, encode_base64, pack_bits, packed_bytes, round_bits, shuffle, unpack_bits,
    unshuffle,
};
use crate::steps::records::{Labels, SwapFields};
use crate::steps::sums::{SUM_BYTES, Sum};
use crate::steps::typed::Typed;
use crate::steps::values::Values;
use crate::{CodecError, Rates};

#[derive(Debug)]
pub(crate) enum Step {
    Transpose(Transpose),
    /// Reverses each so many bytes.
    Swap(usize),
    SwapFields(SwapFields),
    Labels(Labels),
    Typed(Box<Typed>),
    Values(Box<Values>),
    BitRound {
        bytes: usize,
        keep: i64,
        swapped: bool,
    },
    /// Elements of one byte, which may be others than bools.
    PackBits {
        bools: bool,
    },
    /// Of elements of so many bytes.
    Shuffle(usize),
    Sum(Sum),
    Base64,
    Compress(Compressor),
}

/// An array whose axes are stored in another order.
#[derive(Debug)]
pub(crate) struct Transpose {
    pub(crate) shape: Vec<u64>,
    pub(crate) order: Vec<u64>,
    pub(crate) item_bytes: usize,
}

/// How many bytes there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) max: usize,
    /// Not less either.
    pub(crate) exact: bool,
}

/// A step, and how many bytes go into it when a chunk is encoded.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) step: Step,
    pub(crate) unencoded: Size,
}

/// What a step does with the place of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nothing is done.
    None,
    /// They change where they are.
    InPlace,
    /// What follows gets a part of them.
    Narrow,
    /// Some are added at the end.
    Append,
    /// They are written to another place.
    Copy,
}

impl Size {
    pub(crate) const fn exactly(max: usize) -> Self {
        Self { max, exact: true }
    }

    pub(crate) fn check(self, codec: &'static str, bytes: usize) -> Result<(), CodecError> {
        match bytes {
            n if n > self.max => Err(CodecError::TooLong { codec }),
            n if self.exact && n < self.max => {
                Err(CodecError::Size { codec, bytes: n as u64, expected: self.max as u64 })
            }
            _ => Ok(()),
        }
    }
}

impl Step {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Transpose(_) => "transpose",
            Self::Swap(_) | Self::SwapFields(_) => "bytes",
            Self::Labels(_) => "categorize",
            Self::Typed(typed) => typed.name,
            Self::Values(values) => values.name(),
            Self::BitRound { .. } => "bitround",
            Self::PackBits { .. } => "packbits",
            Self::Shuffle(_) => "shuffle",
            Self::Sum(sum) => sum.name(),
            Self::Base64 => "base64",
            Self::Compress(compressor) => compressor.name(),
        }
    }

    pub(crate) const fn decode_flow(&self) -> Flow {
        match self {
            Self::BitRound { .. } => Flow::None,
            Self::Swap(_) | Self::SwapFields(_) => Flow::InPlace,
            Self::Sum(_) => Flow::Narrow,
            Self::Transpose(_)
            | Self::Labels(_)
            | Self::Typed(_)
            | Self::Values(_)
            | Self::PackBits { .. }
            | Self::Shuffle(_)
            | Self::Base64
            | Self::Compress(_) => Flow::Copy,
        }
    }

    pub(crate) const fn encode_flow(&self) -> Flow {
        match self {
            Self::Swap(_) | Self::SwapFields(_) | Self::BitRound { .. } => Flow::InPlace,
            Self::Sum(sum) if sum.at_end => Flow::Append,
            Self::Transpose(_)
            | Self::Labels(_)
            | Self::Typed(_)
            | Self::Values(_)
            | Self::PackBits { .. }
            | Self::Shuffle(_)
            | Self::Sum(_)
            | Self::Base64
            | Self::Compress(_) => Flow::Copy,
        }
    }

    /// Bytes that must come together in what is encoded, and in what is decoded.
    fn units(&self) -> (usize, usize) {
        match self {
            Self::Swap(bytes) | Self::Shuffle(bytes) | Self::BitRound { bytes, .. } => (*bytes, *bytes),
            Self::Typed(typed) => (typed.decoded.kind.bytes, typed.encoded.kind.bytes),
            Self::Values(values) => (values.decoded().bytes(), values.encoded().bytes()),
            Self::SwapFields(SwapFields { record_bytes, .. }) => (*record_bytes, *record_bytes),
            Self::Labels(labels) => (labels.element_bytes, labels.numbers.bytes),
            Self::Transpose(_) | Self::PackBits { .. } | Self::Sum(_) | Self::Base64 | Self::Compress(_) => {
                (1, 1)
            }
        }
    }

    /// How many bytes it makes of so many; what is wrong if they are not whole elements.
    pub(crate) fn encoded_size(&self, Size { max, exact }: Size) -> Result<Size, String> {
        let (unit, encoded_unit) = self.units();
        if exact && !max.is_multiple_of(unit) {
            return Err(format!("{max} bytes are not whole elements of {unit} bytes"));
        }
        let max = match self {
            Self::Typed(_) | Self::Values(_) | Self::Labels(_) => (max / unit).saturating_mul(encoded_unit),
            Self::PackBits { .. } => packed_bytes(max),
            Self::Sum(_) => max.saturating_add(SUM_BYTES),
            Self::Base64 => base64_bytes(max).unwrap_or(usize::MAX),
            Self::Compress(compressor) => {
                return Ok(Size { max: compressor.encoded_bytes_max(max), exact: false });
            }
            Self::Transpose(_)
            | Self::Swap(_)
            | Self::SwapFields(_)
            | Self::BitRound { .. }
            | Self::Shuffle(_) => max,
        };
        Ok(Size { max, exact })
    }

    /// The most bytes that it makes of at most so many.
    pub(crate) fn encoded_bytes_max(&self, bytes_max: usize) -> usize {
        self.encoded_size(Size { max: bytes_max, exact: false }).map_or(usize::MAX, |size| size.max)
    }

    /// Changes bytes where they are.
    pub(crate) fn change(&self, bytes: &mut [u8]) -> Result<(), CodecError> {
        whole(self.name(), bytes.len(), self.units().0)?;
        match self {
            Self::Swap(unit) => swap_bytes(bytes, *unit),
            Self::SwapFields(fields) => fields.swap(bytes),
            Self::BitRound { bytes: unit, keep, swapped } => round_bits(bytes, *unit, *keep, *swapped),
            // The others write to another place.
            Self::Transpose(_)
            | Self::Labels(_)
            | Self::Typed(_)
            | Self::Values(_)
            | Self::PackBits { .. }
            | Self::Shuffle(_)
            | Self::Sum(_)
            | Self::Base64
            | Self::Compress(_) => {}
        }
        Ok(())
    }

    /// Where the bytes are that a checksum goes with, which is checked.
    pub(crate) fn payload(&self, bytes: &[u8]) -> Result<Range<usize>, CodecError> {
        if let Self::Sum(sum) = self { sum.check(bytes) } else { Ok(0..bytes.len()) }
    }

    /// What is appended to `bytes`.
    pub(crate) fn sum(&self, bytes: &[u8]) -> [u8; SUM_BYTES] {
        if let Self::Sum(sum) = self { sum.of(bytes) } else { [0; SUM_BYTES] }
    }

    /// Decodes `src` into the start of `dst`; the number of bytes written.
    pub(crate) fn decode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        contexts: &mut Contexts,
    ) -> Result<usize, CodecError> {
        let (decoded, encoded) = self.units();
        let count = whole(self.name(), src.len(), encoded)?;
        let room = |dst| sized(self.name(), dst, count.saturating_mul(decoded));
        match self {
            Self::Transpose(transpose) => transpose.copy_in(src, room(dst)?)?,
            Self::Typed(typed) => typed.decode(src, room(dst)?),
            Self::Values(values) => values.decode(src, room(dst)?)?,
            Self::Labels(labels) => labels.decode(src, room(dst)?),
            Self::Shuffle(bytes) => unshuffle(src, room(dst)?, *bytes),
            Self::PackBits { .. } => return unpack_bits(src, dst),
            Self::Base64 => return decode_base64(src, dst),
            Self::Compress(compressor) => return compressor.decode(src, dst, contexts),
            Self::Swap(_) | Self::SwapFields(_) | Self::BitRound { .. } | Self::Sum(_) => {
                room(dst)?.copy_from_slice(src);
            }
        }
        Ok(count.saturating_mul(decoded))
    }

    /// Encodes `src` into the start of `dst`, which has room for it; the number of bytes written.
    pub(crate) fn encode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        contexts: &mut Contexts,
    ) -> Result<usize, CodecError> {
        let (decoded, encoded) = self.units();
        let count = whole(self.name(), src.len(), decoded).map_err(|e| CodecError::Encode {
            codec: self.name(),
            bytes: src.len() as u64,
            detail: e.to_string(),
        })?;
        let room = |dst| sized(self.name(), dst, count.saturating_mul(encoded));
        match self {
            Self::Transpose(transpose) => transpose.copy_out(src, room(dst)?)?,
            Self::Typed(typed) => typed.encode(src, room(dst)?)?,
            Self::Values(values) => values.encode(src, room(dst)?)?,
            Self::Shuffle(bytes) => shuffle(src, room(dst)?, *bytes),
            Self::PackBits { .. } => return Ok(pack_bits(src, dst)),
            Self::Base64 => return encode_base64(src, dst),
            Self::Compress(compressor) => return compressor.encode(src, dst, contexts),
            Self::Sum(sum) => {
                let (head, bytes) = sized(self.name(), dst, src.len() + SUM_BYTES)?.split_at_mut(SUM_BYTES);
                head.copy_from_slice(&sum.of(src));
                bytes.copy_from_slice(src);
                return Ok(src.len() + SUM_BYTES);
            }
            Self::Labels(_) => {
                let detail = "only chunks that are there are read".to_owned();
                return Err(CodecError::Encode { codec: self.name(), bytes: src.len() as u64, detail });
            }
            Self::Swap(_) | Self::SwapFields(_) | Self::BitRound { .. } => room(dst)?.copy_from_slice(src),
        }
        Ok(count.saturating_mul(encoded))
    }

    pub(crate) fn context_bytes(&self, bytes: usize) -> usize {
        if let Self::Compress(compressor) = self { compressor.context_bytes(bytes) } else { 0 }
    }

    /// Estimates, but for compressors.
    pub(crate) fn rates(&self) -> Rates {
        let both = |ns| Rates { decode_ns_per_byte: ns, encode_ns_per_byte: ns };
        match self {
            Self::Compress(compressor) => compressor.rates(),
            Self::Typed(_) | Self::Values(_) | Self::Labels(_) | Self::SwapFields(_) => both(0.7),
            Self::PackBits { .. } | Self::Transpose(_) | Self::Shuffle(_) | Self::Base64 => both(0.5),
            Self::Sum(_) => both(0.3),
            Self::Swap(_) | Self::BitRound { .. } => both(0.1),
        }
    }

    pub(crate) fn loses(&self) -> bool {
        match self {
            Self::Typed(typed) => typed.loses,
            Self::Values(values) => values.loses(),
            Self::PackBits { bools } => !bools,
            Self::Transpose(_)
            | Self::Swap(_)
            | Self::SwapFields(_)
            | Self::Labels(_)
            | Self::BitRound { .. }
            | Self::Shuffle(_)
            | Self::Sum(_)
            | Self::Base64
            | Self::Compress(_) => false,
        }
    }
}

impl Transpose {
    fn strides(&self) -> [Dims; 2] {
        let (whole, item) = (Region::whole(&self.shape), self.item_bytes as u64);
        let stored = Strides::ordered(whole.clone(), &self.order, item);
        [stored.of_axes().into(), Strides::c_order(whole, item).of_axes().into()]
    }

    /// Copies the stored order into C order.
    fn copy_in(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let [stored, c_order] = self.strides();
        self.check(src)?;
        copy_strided(&self.shape, (src, &stored), (dst, &c_order), self.item_bytes);
        Ok(())
    }

    fn copy_out(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let [stored, c_order] = self.strides();
        self.check(src)?;
        copy_strided(&self.shape, (src, &c_order), (dst, &stored), self.item_bytes);
        Ok(())
    }

    fn check(&self, bytes: &[u8]) -> Result<(), CodecError> {
        let expected = self.shape.iter().product::<u64>() * self.item_bytes as u64;
        let bytes = bytes.len() as u64;
        if bytes == expected { Ok(()) } else { Err(CodecError::Size { codec: "transpose", bytes, expected }) }
    }
}

/// How many elements of `unit` bytes `bytes` are.
fn whole(codec: &'static str, bytes: usize, unit: usize) -> Result<usize, CodecError> {
    if bytes.is_multiple_of(unit) {
        return Ok(bytes / unit);
    }
    Err(CodecError::corrupt(codec, format!("{bytes} bytes are not whole elements of {unit} bytes")))
}

fn sized<'a>(codec: &'static str, dst: &'a mut [u8], bytes: usize) -> Result<&'a mut [u8], CodecError> {
    dst.get_mut(..bytes).ok_or(CodecError::TooLong { codec })
}
