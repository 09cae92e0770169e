//! Codec lists that are not ours, as a whole through `zarrs`.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;

use zarrs::array::{ArrayBytes, BytesRepresentation, BytesToBytesCodecTraits, Codec, CodecChain, FillValue};
use zarrs::array::{ArrayToBytesCodecTraits, CodecOptions};
use zarrs::metadata::v3::MetadataV3;
use zarrs::plugin::ExtensionName as _;

use crate::bytes::{inflate, is_size_preserving};
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

/// A chain that `zarrs` runs, apart from decompression: `zarrs` would allocate whatever the bytes ask for.
#[derive(Debug)]
pub(crate) struct Fallback {
    chain: CodecChain,
    /// The part of it that makes bytes from arrays.
    arrays: CodecChain,
    /// What is then done to the bytes, in the order of the list.
    packers: Vec<Packer>,
    shape: Vec<NonZeroU64>,
    element: ElementType,
    fill: FillValue,
}

/// A codec from bytes to bytes.
#[derive(Debug)]
struct Packer {
    codec: Arc<dyn BytesToBytesCodecTraits>,
    name: String,
    /// What goes into it when a chunk is encoded, and the most bytes that are accepted when it is decoded.
    unpacked: BytesRepresentation,
    unpacked_bytes_max: usize,
}

impl Fallback {
    pub(crate) fn new(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
        bytes_max: usize,
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
        let arrays = CodecChain::new(
            chain.array_to_array_codecs().to_vec(),
            chain.array_to_bytes_codec().clone(),
            Vec::new(),
        );
        // A chain that does not fit the type or the shape is found here, not at the first chunk.
        let bytes = arrays.encoded_representation(&shape, &element.zarrs, &fill);
        let bytes = bytes.map_err(|e| unsupported(e.to_string()))?;
        let packers = packers(&chain, bytes, bytes_max).map_err(unsupported)?;
        Ok(Self { chain, arrays, packers, shape, element: element.clone(), fill })
    }

    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let corrupt = |detail: String| CodecError::corrupt("zarrs", detail);
        let mut bytes = Cow::Borrowed(src);
        for packer in self.packers.iter().rev() {
            bytes = packer.decode(bytes)?;
        }
        let decoded = self
            .arrays
            .decode(bytes, &self.shape, &self.element.zarrs, &self.fill, &CodecOptions::default())
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

impl Packer {
    fn decode<'a>(&self, src: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, CodecError> {
        match inflate(&self.name, &src, self.unpacked_bytes_max) {
            Some(bytes) => bytes.map(Cow::Owned),
            None => self
                .codec
                .decode(src, &self.unpacked, &CodecOptions::default())
                .map_err(|e| CodecError::corrupt("zarrs", e.to_string())),
        }
    }
}

/// The codecs from bytes to bytes of `chain`, the first of which gets `bytes`; where no bound is known it is `bytes_max`.
fn packers(
    chain: &CodecChain,
    mut bytes: BytesRepresentation,
    bytes_max: usize,
) -> Result<Vec<Packer>, String> {
    let mut packers = Vec::new();
    for codec in chain.bytes_to_bytes_codecs() {
        let name = codec.name_v3().unwrap_or_default().into_owned();
        if !is_size_preserving(&name) && inflate(&name, &[], 0).is_none() {
            return Err(format!("nothing is known about how much {name:?} makes of its bytes"));
        }
        // Another writer may take a little more than `zarrs` would.
        let bound =
            bytes.size().and_then(|n| usize::try_from(n).ok()).map(|n| n.saturating_add(n / 8 + 4096));
        let unpacked_bytes_max = bound.unwrap_or(bytes_max);
        packers.push(Packer { codec: codec.clone(), name, unpacked: bytes, unpacked_bytes_max });
        bytes = codec.encoded_representation(&bytes);
    }
    Ok(packers)
}
