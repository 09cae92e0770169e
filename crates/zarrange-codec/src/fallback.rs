//! Codec lists that are not ours, as a whole through `zarrs`.

use std::borrow::Cow;
use std::num::NonZeroU64;

use zarrs::array::{ArrayBytes, CodecChain, FillValue};
use zarrs::array::{ArrayToBytesCodecTraits, CodecOptions};
use zarrs::metadata::v3::MetadataV3;

use crate::{CodecError, ElementType};

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
