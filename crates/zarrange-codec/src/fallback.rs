//! Codec lists that are not all ours: through `zarrs`, within bounds, apart from codecs that it does not know.

use std::borrow::Cow;
use std::num::NonZeroU64;
use std::sync::Arc;

use zarrange_grid::{checked_bytes, index};
use zarrs::array::codec::{PcodecDataTypeExt as _, PcodecElementType};
use zarrs::array::{ArrayBytes, BytesRepresentation, Codec, CodecOptions, DataType, FillValue};
use zarrs::array::{ArrayToArrayCodecTraits, ArrayToBytesCodecTraits};
use zarrs::metadata::v3::MetadataV3;
use zarrs::plugin::ExtensionName as _;

use crate::names;
use crate::numpy::NumpyType;
use crate::shard::Shards;
use crate::shard::whole::{self, InnerCodec};
use crate::steps::config::Config;
use crate::steps::number::Number;
use crate::steps::{Steps, Values};
use crate::{CodecError, ElementType, Scratch, pcodec};

/// Elements that pcodec compresses together where the metadata does not say.
const PCODEC_PART: u64 = 1 << 18;

/// Where a codec stands in a list: 0 array to array, 1 array to bytes, 2 bytes to bytes.
///
/// # Errors
/// [`CodecError::Unsupported`] if the codec is not known or its configuration not valid.
pub fn codec_stage(codec: &MetadataV3) -> Result<u8, CodecError> {
    if let Some(stage) = names::stage(codec) {
        return Ok(stage);
    }
    // Its inner codecs need not be known to `zarrs`.
    if codec.name() == SHARDS {
        return Ok(1);
    }
    match from_zarrs(codec)? {
        Codec::ArrayToArray(_) => Ok(0),
        Codec::ArrayToBytes(_) => Ok(1),
        Codec::BytesToBytes(_) => Ok(2),
    }
}

const SHARDS: &str = "sharding_indexed";

fn from_zarrs(codec: &MetadataV3) -> Result<Codec, CodecError> {
    Codec::from_metadata(codec)
        .map_err(|e| CodecError::Unsupported { codecs: codec.name().to_owned(), detail: e.to_string() })
}

/// Whether a codec of this name is known, whatever its configuration.
pub fn is_known(codec: &MetadataV3) -> bool {
    // zarrs tells a name that it does not know from a configuration that is wrong.
    names::stage(codec).is_some()
        || !matches!(Codec::from_metadata(codec), Err(zarrs::plugin::PluginCreateError::Unsupported(_)))
}

/// A list that `zarrs` runs, apart from the codecs that can make more of their bytes than a chunk has: `zarrs` would allocate
/// whatever the bytes ask for.
#[derive(Debug)]
pub(crate) struct Fallback<C> {
    /// What is done to the array, in the order of the list.
    filters: Vec<Filter>,
    serializer: Serializer<C>,
    /// What goes into the serializer.
    stored: Array,
    /// What is then done to the bytes, here, and the most of them.
    packers: Steps,
    unpacked_bytes_max: usize,
    encoded_bytes_max: usize,
    encoded_bytes_min: usize,
}

/// An array between two codecs.
#[derive(Clone, Debug)]
struct Array {
    shape: Vec<NonZeroU64>,
    data_type: DataType,
    fill: FillValue,
}

/// A codec from arrays to arrays.
#[derive(Debug)]
struct Filter {
    codec: FilterCodec,
    /// What goes into it when a chunk is encoded.
    unfiltered: Array,
}

#[derive(Debug)]
enum FilterCodec {
    Zarrs(Arc<dyn ArrayToArrayCodecTraits>),
    /// One that is run here.
    Values(Values),
}

/// The codec from an array to bytes.
#[derive(Debug)]
enum Serializer<C> {
    /// One that makes no more than the array, whatever its bytes are.
    Zarrs(Arc<dyn ArrayToBytesCodecTraits>),
    /// Decoded here: so many elements at most are compressed together.
    Pcodec {
        codec: Arc<dyn ArrayToBytesCodecTraits>,
        kind: PcodecElementType,
        part: u64,
    },
    Shards(Box<Shards<C>>),
}

impl<C: InnerCodec> Fallback<C> {
    /// Compiles `codecs` for chunks of a shape and so many bytes, within `depth` shards.
    pub(crate) fn new(
        codecs: &[MetadataV3],
        element: &ElementType,
        (shape, chunk_bytes): (&[u64], usize),
        fill: &[u8],
        depth: usize,
    ) -> Result<Self, CodecError> {
        let names = || codecs.iter().map(MetadataV3::name).collect::<Vec<_>>().join(", ");
        let unsupported = |detail: String| CodecError::Unsupported { codecs: names(), detail };
        let stages = codecs.iter().map(codec_stage).collect::<Result<Vec<_>, _>>()?;
        if !stages.is_sorted() {
            let detail =
                "they are not in order: array to array, one array to bytes, bytes to bytes".to_owned();
            return Err(unsupported(detail));
        }
        let at = stages.iter().take_while(|stage| **stage < 2).count();
        let ([before @ .., metadata], [filtered @ .., 1]) = (&codecs[..at], &stages[..at]) else {
            return Err(unsupported("there is no codec from array to bytes".to_owned()));
        };
        if filtered.contains(&1) {
            return Err(unsupported("there is more than one codec from array to bytes".to_owned()));
        }
        let shape = shape.iter().map(|n| NonZeroU64::new(*n)).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| unsupported("a chunk dimension is zero".to_owned()))?;
        let data_type = element.zarrs.clone();
        let data_type =
            data_type.ok_or_else(|| unsupported(format!("not for data type {}", element.name())))?;
        let chunk = Array { shape, data_type, fill: FillValue::from(fill) };
        let (filters, stored) = filters(before, chunk, element)?;
        let serializer = Serializer::new(metadata, &stored, element, depth)?;
        let bytes = serializer.encoded_representation(&stored).map_err(unsupported)?;
        let bytes_max = serializer.encoded_bytes_max(&stored, chunk_bytes.max(stored.bytes()?));
        // Another writer may take a little more than `zarrs` would.
        let bound =
            bytes.size().and_then(|n| usize::try_from(n).ok()).map(|n| n.saturating_add(n / 8 + 4096));
        let unpacked_bytes_max = bound.unwrap_or(bytes_max);
        let packers = Steps::of_bytes(&codecs[at..], unpacked_bytes_max).unwrap_or_else(|| {
            let unknown = codecs[at..].iter().find(|codec| names::stage(codec).is_none());
            Err(unsupported(unbounded(unknown.map_or("", MetadataV3::name))))
        })?;
        let (encoded_bytes_min, encoded_bytes_max) = match (&bytes, serializer.shards()) {
            _ if !packers.is_empty() => (packers.encoded_bytes_min(), packers.encoded_bytes_max()),
            (_, Some(shards)) => (shards.index_bytes(), bytes_max),
            (BytesRepresentation::FixedSize(bytes), None) => (index(*bytes), index(*bytes)),
            _ => (1, bytes_max),
        };
        Ok(Self {
            filters,
            serializer,
            stored,
            packers,
            unpacked_bytes_max,
            encoded_bytes_max,
            encoded_bytes_min,
        })
    }

    /// The most bytes that are accepted for a chunk.
    pub(crate) const fn encoded_bytes_max(&self) -> usize {
        self.encoded_bytes_max
    }

    /// The fewest bytes that a chunk has.
    pub(crate) const fn encoded_bytes_min(&self) -> usize {
        self.encoded_bytes_min
    }

    /// What decodes its chunks, if they are shards.
    pub(crate) fn shards(&self) -> Option<&Shards<C>> {
        self.serializer.shards()
    }

    /// What is done to the bytes.
    pub(crate) const fn packers(&self) -> &Steps {
        &self.packers
    }

    /// The most bytes between what `zarrs` does and what is done here; 0 if nothing is.
    pub(crate) const fn unpacked_bytes(&self) -> usize {
        if self.packers.is_empty() { 0 } else { self.unpacked_bytes_max }
    }

    /// Bytes of the arrays between filters, of which there are two at a time.
    pub(crate) fn filtered_bytes(&self) -> usize {
        let arrays = self.filters.iter().map(|filter| &filter.unfiltered).chain([&self.stored]);
        let largest = arrays.map(|array| array.bytes().unwrap_or(usize::MAX)).max().unwrap_or(0);
        if self.filters.is_empty() { 0 } else { largest.saturating_mul(2) }
    }

    /// Whether values may not come back: what `zarrs` is asked for keeps them, filters of ours and inner chunks may not.
    pub(crate) fn loses(&self) -> bool {
        self.filters
            .iter()
            .any(|filter| matches!(&filter.codec, FilterCodec::Values(values) if values.loses()))
            || self.shards().is_some_and(|shards| shards.inner().loses())
            || self.packers.loses()
    }

    pub(crate) fn decode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        Scratch { work, unpacked }: &mut Scratch,
    ) -> Result<(), CodecError> {
        let bytes = if self.packers.is_empty() {
            src
        } else {
            let bytes = self.packers.decode(src, unpacked, work)?;
            &unpacked[..bytes]
        };
        let bytes = Cow::Borrowed(bytes);
        if self.filters.is_empty() {
            return self.serializer.decode(bytes, &self.stored, dst);
        }
        let mut stored = vec![0; self.stored.bytes()?];
        self.serializer.decode(bytes, &self.stored, &mut stored)?;
        let mut array = ArrayBytes::new_flen(stored);
        for filter in self.filters.iter().rev() {
            array = filter.decode(array)?;
        }
        copy(array, dst)
    }

    /// Codec by codec: `zarrs`, given the whole list, would ask codecs how much they may make, and shards allocate for all of it.
    pub(crate) fn encode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        Scratch { work, unpacked }: &mut Scratch,
    ) -> Result<usize, CodecError> {
        let failed = |detail: String| CodecError::Encode { codec: "zarrs", bytes: src.len() as u64, detail };
        let options = CodecOptions::default();
        let mut array = ArrayBytes::new_flen(Cow::Borrowed(src));
        for filter in &self.filters {
            array = filter.encode(array)?;
        }
        let Array { shape, data_type, fill } = &self.stored;
        let bytes = match &self.serializer {
            Serializer::Zarrs(codec) | Serializer::Pcodec { codec, .. } => {
                codec.encode(array, shape, data_type, fill, &options).map_err(|e| failed(e.to_string()))?
            }
            Serializer::Shards(shards) => {
                let (array, fill) =
                    (array.into_fixed().map_err(|e| failed(e.to_string()))?, fill.as_ne_bytes());
                if self.packers.is_empty() {
                    return whole::encode(shards, &array, dst, fill);
                }
                let end = whole::encode(shards, &array, unpacked, fill)?;
                return self.packers.encode(&unpacked[..end], dst, work);
            }
        };
        if bytes.len() > self.unpacked_bytes_max {
            let (bytes, most) = (bytes.len(), self.unpacked_bytes_max);
            return Err(failed(format!("{bytes} bytes, not more than {most} would be read")));
        }
        if !self.packers.is_empty() {
            return self.packers.encode(&bytes, dst, work);
        }
        let room = dst.len();
        let room = dst.get_mut(..bytes.len()).ok_or_else(|| failed(format!("more than {room} bytes")))?;
        room.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Filter {
    fn decode<'a>(&self, array: ArrayBytes<'a>) -> Result<ArrayBytes<'a>, CodecError> {
        let Array { shape, data_type, fill } = &self.unfiltered;
        let corrupt = |detail: String| CodecError::corrupt("zarrs", detail);
        match &self.codec {
            FilterCodec::Zarrs(codec) => codec
                .decode(array, shape, data_type, fill, &CodecOptions::default())
                .map_err(|e| corrupt(e.to_string())),
            FilterCodec::Values(values) => {
                let array = array.into_fixed().map_err(|e| corrupt(e.to_string()))?;
                let mut decoded = vec![0; self.unfiltered.bytes()?];
                values.decode(&array, &mut decoded)?;
                Ok(ArrayBytes::new_flen(decoded))
            }
        }
    }

    fn encode<'a>(&self, array: ArrayBytes<'a>) -> Result<ArrayBytes<'a>, CodecError> {
        let Array { shape, data_type, fill } = &self.unfiltered;
        let bytes = self.unfiltered.bytes()?;
        let failed = |detail: String| CodecError::Encode { codec: "zarrs", bytes: bytes as u64, detail };
        match &self.codec {
            FilterCodec::Zarrs(codec) => codec
                .encode(array, shape, data_type, fill, &CodecOptions::default())
                .map_err(|e| failed(e.to_string())),
            FilterCodec::Values(values) => {
                let array = array.into_fixed().map_err(|e| failed(e.to_string()))?;
                let mut encoded = vec![0; bytes / values.decoded().bytes() * values.encoded().bytes()];
                values.encode(&array, &mut encoded)?;
                Ok(ArrayBytes::new_flen(encoded))
            }
        }
    }
}

impl Array {
    fn bytes(&self) -> Result<usize, CodecError> {
        let shape: Vec<u64> = self.shape.iter().map(|n| n.get()).collect();
        Ok(index(checked_bytes(&shape, self.fill.size() as u64)?))
    }

    /// Its elements, which are those of the chunk unless a codec made others of them.
    fn element(&self, chunk: &ElementType) -> Result<ElementType, CodecError> {
        if Some(&self.data_type) == chunk.zarrs.as_ref() {
            return Ok(chunk.clone());
        }
        let name = self.data_type.name_v3().unwrap_or_default();
        ElementType::new(&MetadataV3::new(name))
    }
}

impl<C: InnerCodec> Serializer<C> {
    fn new(
        metadata: &MetadataV3,
        stored: &Array,
        element: &ElementType,
        depth: usize,
    ) -> Result<Self, CodecError> {
        let unsupported =
            |detail: String| CodecError::Unsupported { codecs: metadata.name().to_owned(), detail };
        if metadata.name() == SHARDS {
            let shape: Vec<u64> = stored.shape.iter().map(|n| n.get()).collect();
            let element = stored.element(element)?;
            let shards = whole::compile(metadata, &element, &shape, stored.fill.as_ne_bytes(), depth)?;
            return Ok(Self::Shards(Box::new(shards)));
        }
        let Codec::ArrayToBytes(codec) = from_zarrs(metadata)? else {
            return Err(unsupported("not a codec from array to bytes".to_owned()));
        };
        match &*codec.name_v3().unwrap_or_default() {
            "bytes" | "packbits" => Ok(Self::Zarrs(codec)),
            "numcodecs.pcodec" => {
                let pages = metadata.configuration().and_then(|c| c.get("equal_pages_up_to"));
                if pages.is_some_and(|n| n.as_u64() == Some(0)) {
                    return Err(unsupported("pages of no elements".to_owned()));
                }
                let numbers = stored.data_type.codec_pcodec().map_err(|e| unsupported(e.to_string()))?;
                let part = pages.and_then(serde_json::Value::as_u64).unwrap_or(PCODEC_PART);
                Ok(Self::Pcodec { codec, kind: numbers.pcodec_element_type(), part })
            }
            name => Err(unsupported(unbounded(name))),
        }
    }

    fn shards(&self) -> Option<&Shards<C>> {
        if let Self::Shards(shards) = self { Some(shards) } else { None }
    }

    /// The most bytes that are accepted for a chunk of so many bytes, stored as `array`.
    fn encoded_bytes_max(&self, array: &Array, chunk_bytes: usize) -> usize {
        /// A part's type, mode, bins and state.
        const PCODEC_PART_BYTES: usize = 256;
        // Unknown codecs have no known bound; twice the size and 4 KiB is more than any real one needs.
        let usual = chunk_bytes.saturating_mul(2).saturating_add(4096);
        match self {
            Self::Zarrs(_) => usual,
            Self::Pcodec { part, .. } => {
                let elements = array.shape.iter().fold(1, |n: u64, extent| n.saturating_mul(extent.get()));
                usual.saturating_add(
                    index(elements.div_ceil((*part).max(1))).saturating_mul(PCODEC_PART_BYTES),
                )
            }
            Self::Shards(shards) => usual.max(whole::encoded_bytes_max(shards)),
        }
    }

    /// What it makes of `array`. About those decoded here `zarrs` is not asked: it would list every page of numbers, and take each
    /// inner chunk to be as large as its shard.
    fn encoded_representation(&self, array: &Array) -> Result<BytesRepresentation, String> {
        match self {
            // A codec that does not fit the type or the shape is found here, not at the first chunk.
            Self::Zarrs(codec) => codec
                .encoded_representation(&array.shape, &array.data_type, &array.fill)
                .map_err(|e| e.to_string()),
            Self::Pcodec { .. } => Ok(BytesRepresentation::UnboundedSize),
            Self::Shards(shards) => {
                Ok(BytesRepresentation::BoundedSize(whole::encoded_bytes_max(shards) as u64))
            }
        }
    }

    fn decode(&self, src: Cow<'_, [u8]>, array: &Array, dst: &mut [u8]) -> Result<(), CodecError> {
        match self {
            Self::Zarrs(codec) => {
                let Array { shape, data_type, fill } = array;
                let decoded = codec.decode(src, shape, data_type, fill, &CodecOptions::default());
                copy(decoded.map_err(|e| CodecError::corrupt("zarrs", e.to_string()))?, dst)
            }
            Self::Pcodec { kind, .. } => pcodec::decode(*kind, &src, dst),
            Self::Shards(shards) => whole::decode(shards, &src, dst, array.fill.as_ne_bytes()),
        }
    }
}

/// The `codecs` from arrays to arrays, the first of which gets `array`, a chunk of `element`; and what the last makes of it.
fn filters(
    codecs: &[MetadataV3],
    mut array: Array,
    element: &ElementType,
) -> Result<(Vec<Filter>, Array), CodecError> {
    let mut filters = Vec::new();
    for metadata in codecs {
        let (codec, encoded) = match values(metadata, &array, element)? {
            Some((values, encoded)) => (FilterCodec::Values(values), encoded),
            None => zarrs_filter(metadata, &array)?,
        };
        filters.push(Filter { codec, unfiltered: array });
        array = encoded;
    }
    Ok((filters, array))
}

/// A codec of `zarrs`, and what it makes of an array.
fn zarrs_filter(metadata: &MetadataV3, array: &Array) -> Result<(FilterCodec, Array), CodecError> {
    let unsupported = |detail: String| CodecError::Unsupported { codecs: metadata.name().to_owned(), detail };
    let Codec::ArrayToArray(codec) = from_zarrs(metadata)? else {
        return Err(unsupported("not a codec from array to array".to_owned()));
    };
    if keeps_no_bits(metadata, &array.data_type) {
        return Err(unsupported("keepbits is 0, expected at least 1 for integers".to_owned()));
    }
    let encoded = codec.encoded_representation(&array.shape, &array.data_type, &array.fill);
    let (shape, data_type, fill) = encoded.map_err(|e| unsupported(e.to_string()))?;
    Ok((FilterCodec::Zarrs(codec), Array { shape, data_type, fill }))
}

/// A codec that is run here, and what it makes of an array: its fill value is encoded as numbers are. `None` for other codecs.
fn values(
    metadata: &MetadataV3,
    array: &Array,
    chunk: &ElementType,
) -> Result<Option<(Values, Array)>, CodecError> {
    let name = metadata.name();
    if !Values::NAMES.contains(&name) {
        return Ok(None);
    }
    let element = array.element(chunk)?;
    let number = Number::of(&NumpyType::of(&element));
    let values = Values::parse(Config::new(metadata), number, element.name())?;
    let unsupported = |detail: String| CodecError::Unsupported { codecs: name.to_owned(), detail };
    let mut fill = vec![0; values.encoded().bytes()];
    let encoded = values.encode(array.fill.as_ne_bytes(), &mut fill);
    encoded.map_err(|e| unsupported(format!("the fill value of what follows: {e}")))?;
    let element = ElementType::new(&MetadataV3::new(values.encoded().to_string()))?;
    let data_type =
        element.zarrs.ok_or_else(|| unsupported(format!("not for data type {}", values.encoded())))?;
    Ok(Some((values, Array { shape: array.shape.clone(), data_type, fill: FillValue::from(fill) })))
}

/// Whether a codec rounds integers to no bits at all, for which `zarrs` would shift by more than they have.
fn keeps_no_bits(codec: &MetadataV3, data_type: &DataType) -> bool {
    let keep = codec.configuration().and_then(|c| c.get("keepbits")).and_then(serde_json::Value::as_u64);
    let name = data_type.name_v3().unwrap_or_default();
    codec.name().ends_with("bitround")
        && keep == Some(0)
        && !name.contains("float")
        && !name.contains("complex")
}

fn unbounded(codec: &str) -> String {
    format!("nothing is known about how much {codec:?} makes of its bytes")
}

/// Copies an array that has the size of `dst`.
fn copy(array: ArrayBytes<'_>, dst: &mut [u8]) -> Result<(), CodecError> {
    let array = array.into_fixed().map_err(|e| CodecError::corrupt("zarrs", e.to_string()))?;
    if array.len() != dst.len() {
        let (bytes, expected) = (array.len() as u64, dst.len() as u64);
        return Err(CodecError::Size { codec: "zarrs", bytes, expected });
    }
    dst.copy_from_slice(&array);
    Ok(())
}
