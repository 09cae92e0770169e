//! Codec lists that are not ours, as a whole through `zarrs`.

use std::borrow::Cow;
use std::num::NonZeroU64;

use zarrs::array::{ArrayBytes, Codec, CodecChain, FillValue};
use zarrs::array::{ArrayToBytesCodecTraits, CodecOptions};
use zarrs::metadata::v3::MetadataV3;

use crate::{CodecError, ElementType};

/// Where a codec stands in a list: 0 array to array, 1 array to bytes, 2 bytes to bytes.
///
/// # Errors
/// [`CodecError::Unsupported`] if the codec is not known or its configuration not valid.
pub fn codec_stage(codec: &MetadataV3) -> Result<u8, CodecError> {
    match Codec::from_metadata(codec) {
        Ok(Codec::ArrayToArray(_)) => Ok(0),
        Ok(Codec::ArrayToBytes(_)) => Ok(1),
        Ok(Codec::BytesToBytes(_)) => Ok(2),
        Err(e) => Err(CodecError::Unsupported { codecs: codec.name().to_owned(), detail: e.to_string() }),
    }
}

/// A chain that `zarrs` runs.
#[derive(Debug)]
pub(crate) struct Fallback {
    chain: CodecChain,
    shape: Vec<NonZeroU64>,
    element: ElementType,
    fill: FillValue,
}

impl Fallback {
    pub(crate) fn new(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
    ) -> Result<Self, CodecError> {
        let names = || codecs.iter().map(MetadataV3::name).collect::<Vec<_>>().join(", ");
        let unsupported = |detail: String| CodecError::Unsupported { codecs: names(), detail };
        let stages = codecs.iter().map(codec_stage).collect::<Result<Vec<_>, _>>()?;
        if !stages.is_sorted() {
            let detail =
                "they are not in order: array to array, one array to bytes, bytes to bytes".to_owned();
            return Err(unsupported(detail));
        }
        let chain = CodecChain::from_metadata(codecs).map_err(|e| unsupported(e.to_string()))?;
        let shape = shape.iter().map(|n| NonZeroU64::new(*n)).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| unsupported("a chunk dimension is zero".to_owned()))?;
        let fill = FillValue::from(fill);
        // A chain that does not fit the type or the shape is found here, not at the first chunk.
        chain
            .encoded_representation(&shape, &element.zarrs, &fill)
            .map_err(|e| unsupported(e.to_string()))?;
        Ok(Self { chain, shape, element: element.clone(), fill })
    }

    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let corrupt = |detail: String| CodecError::corrupt("zarrs", detail);
        let decoded = self
            .chain
            .decode(
                Cow::Borrowed(src),
                &self.shape,
                &self.element.zarrs,
                &self.fill,
                &CodecOptions::default(),
            )
            .map_err(|e| corrupt(e.to_string()))?;
        let bytes = decoded.into_fixed().map_err(|e| corrupt(e.to_string()))?;
        if bytes.len() != dst.len() {
            let (bytes, expected) = (bytes.len() as u64, dst.len() as u64);
            return Err(CodecError::Size { codec: "zarrs", bytes, expected });
        }
        dst.copy_from_slice(&bytes);
        Ok(())
    }

    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
        let failed = |detail: String| CodecError::Encode { codec: "zarrs", bytes: src.len() as u64, detail };
        let encoded = self
            .chain
            .encode(
                ArrayBytes::new_flen(Cow::Borrowed(src)),
                &self.shape,
                &self.element.zarrs,
                &self.fill,
                &CodecOptions::default(),
            )
            .map_err(|e| failed(e.to_string()))?;
        let room =
            dst.get_mut(..encoded.len()).ok_or_else(|| failed("more than twice its size".to_owned()))?;
        room.copy_from_slice(&encoded);
        Ok(encoded.len())
    }
}
