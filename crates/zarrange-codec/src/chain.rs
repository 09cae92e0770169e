//! A codec list compiled for one kind of chunk.

use std::borrow::Cow;
use std::ops::Range;

use zarrange_grid::{Dims, Region, Strides, checked_bytes, copy_swapped, index};
use zarrs::metadata::v3::MetadataV3;

use crate::bytes::{CRC_BYTES, Compressor, blosc, check_crc, is_checksum};
use crate::element::swap_bytes;
use crate::fallback::Fallback;
use crate::memory::buffer;
use crate::rates::{PLAIN, UNKNOWN};
use crate::scratch::Work;
use crate::shard::Shards;
use crate::shard::whole::{self, InnerCodec};
use crate::steps::{Steps, Sum, SumCheck};
use crate::{CodecError, ElementType, Kind as ElementKind, Rates, Scratch};

/// Encodes and decodes whole chunks of one data type, shape and codec list. Decoded chunks are in C order and native
/// byte order.
#[derive(Debug)]
pub struct Chain {
    kind: Kind,
    shape: Vec<u64>,
    item_bytes: usize,
    chunk_bytes: usize,
    encoded_bytes_max: usize,
    encoded_bytes_min: usize,
}

#[derive(Debug)]
enum Kind {
    Own(Own),
    /// Lists that [`Own`] has no form for, of codecs that are known here.
    Steps(Box<Steps>),
    Zarrs(Box<Fallback<Chain>>),
}

/// The lists that are run here: at most one transpose, the byte order, at most one compressor, at most one checksum, in
/// this order. Real arrays have no others.
#[derive(Debug, PartialEq, Eq)]
struct Own {
    /// Strides in bytes, by array dimension, of the transposed chunk; `None` where the order stays C.
    transposed: Option<Dims>,
    /// Bytes that swap together, where the stored order is not the native one.
    swap: Option<usize>,
    compressor: Option<Compressor>,
    checksum: bool,
}

impl Chain {
    /// Compiles `codecs` for chunks of `shape` elements.
    ///
    /// # Errors
    /// If the list is not a valid one for the data type and shape, or the chunk's size overflows.
    pub fn new(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
    ) -> Result<Self, CodecError> {
        Self::compile(codecs, element, shape, fill, 0)
    }

    /// Elements of a chunk in each dimension.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Bytes of a decoded chunk.
    pub const fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// The most bytes that a valid encoded chunk has.
    pub const fn encoded_bytes_max(&self) -> usize {
        self.encoded_bytes_max
    }

    /// Refuses a number of stored bytes that no chunk has: too many, or too few, which without compression is all but one number.
    ///
    /// # Errors
    /// [`CodecError::Stored`].
    pub const fn check_stored_bytes(&self, bytes: u64) -> Result<(), CodecError> {
        let (least, most) = (self.encoded_bytes_min as u64, self.encoded_bytes_max as u64);
        if bytes < least || bytes > most {
            return Err(CodecError::Stored { bytes, least, most });
        }
        Ok(())
    }

    /// What tells whether `stored_bytes` of a chunk are those that were written, without decoding them, if the list ends with a
    /// checksum.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] if they are too few for it.
    pub fn sum_check(&self, stored_bytes: u64) -> Result<Option<SumCheck>, CodecError> {
        let sum = match &self.kind {
            Kind::Own(own) => own.checksum.then(|| Cow::Owned(Sum::crc32c())),
            Kind::Steps(steps) => steps.outermost_sum().map(Cow::Borrowed),
            Kind::Zarrs(fallback) => fallback.packers().outermost_sum().map(Cow::Borrowed),
        };
        sum.map(|sum| SumCheck::new(&sum, stored_bytes)).transpose()
    }

    /// Whether [`Self::sum_check`] tells something.
    pub fn ends_in_checksum(&self) -> bool {
        matches!(self.sum_check(u64::MAX), Ok(Some(_)))
    }

    /// Whether `zarrs` runs the chain, because a codec is not known here.
    pub const fn is_fallback(&self) -> bool {
        matches!(self.kind, Kind::Zarrs(_))
    }

    /// Whether its chunks are shards, alone or among other codecs.
    pub(crate) fn holds_shards(&self) -> bool {
        matches!(&self.kind, Kind::Zarrs(fallback) if fallback.shards().is_some())
    }

    /// Whether encoded chunks are the elements in C order, byte by byte or swapped, and nothing else.
    pub const fn stores_c_order(&self) -> bool {
        matches!(self.kind, Kind::Own(Own { transposed: None, compressor: None, checksum: false, .. }))
    }

    /// Whether an encoded chunk has the bytes of the decoded one.
    pub const fn is_identity(&self) -> bool {
        matches!(
            self.kind,
            Kind::Own(Own { transposed: None, swap: None, compressor: None, checksum: false })
        )
    }

    /// Memory that one thread's [`Scratch`] takes for this chain.
    pub fn scratch_bytes(&self) -> usize {
        let buffers = self.buffer_bytes().into_iter().fold(0, usize::saturating_add);
        match &self.kind {
            Kind::Zarrs(fallback) => {
                let shards = fallback.shards().map_or(0, whole::working_bytes);
                let made = self.encoded_bytes_max.saturating_mul(2).saturating_add(shards);
                made.saturating_add(fallback.filtered_bytes()).saturating_add(buffers)
            }
            Kind::Own(_) | Kind::Steps(_) => buffers,
        }
    }

    /// Memory inside the codecs' libraries, for one thread.
    pub fn context_bytes(&self) -> usize {
        match &self.kind {
            Kind::Zarrs(fallback) => {
                let inner = fallback.shards().map_or(0, |shards| shards.inner().context_bytes());
                (1usize << 20).saturating_add(inner).saturating_add(fallback.packers().context_bytes())
            }
            Kind::Steps(steps) => steps.context_bytes(),
            Kind::Own(own) => own.compressor.as_ref().map_or(0, |c| c.context_bytes(self.chunk_bytes)),
        }
    }

    /// How long it takes, as far as that is known beforehand.
    pub fn rates(&self) -> Rates {
        match &self.kind {
            Kind::Zarrs(_) => UNKNOWN,
            Kind::Steps(steps) => steps.rates(),
            Kind::Own(own) => own.compressor.as_ref().map_or(PLAIN, Compressor::rates),
        }
    }

    /// Whether decoded values may be others after they were encoded and decoded again: codecs that round to fewer digits,
    /// convert to a type that does not hold all values, or add up floats.
    pub fn loses(&self) -> bool {
        match &self.kind {
            Kind::Own(_) => false,
            Kind::Steps(steps) => steps.loses(),
            Kind::Zarrs(fallback) => fallback.loses(),
        }
    }

    /// Bytes of the buffers that a [`Scratch`] holds for this chain: two between codecs, one of what `zarrs` gets or made.
    pub(crate) fn buffer_bytes(&self) -> [usize; 3] {
        let ([near, far], unpacked) = match &self.kind {
            Kind::Own(own) => ([own.reordered_bytes(self.chunk_bytes), 0], 0),
            Kind::Steps(steps) => (steps.buffer_bytes(), 0),
            Kind::Zarrs(fallback) => (fallback.packers().buffer_bytes(), fallback.unpacked_bytes()),
        };
        [near, far, unpacked]
    }

    /// Decodes `encoded` into `chunk`, which holds exactly [`Self::chunk_bytes`].
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are not a whole, valid chunk.
    ///
    /// # Panics
    /// If `chunk` has another size.
    pub fn decode(&self, encoded: &[u8], chunk: &mut [u8], scratch: &mut Scratch) -> Result<(), CodecError> {
        assert_eq!(chunk.len(), self.chunk_bytes, "a chunk decodes into its own size");
        match &self.kind {
            Kind::Own(own) => own.decode(self, encoded, chunk, &mut scratch.work),
            Kind::Steps(steps) => steps.decode(encoded, chunk, &mut scratch.work).map(|_| ()),
            Kind::Zarrs(fallback) => fallback.decode(encoded, chunk, scratch),
        }
    }

    /// Decodes at least the bytes `part` of a chunk, those of whole elements, to their place in `chunk`; what stands elsewhere in
    /// it is then anything.
    /// Chunks stored as they are ([`Self::stores_c_order`]) need only the stored bytes of `part`; blosc decodes the blocks that hold it;
    /// others decode the whole.
    ///
    /// # Errors
    /// [`CodecError`] if what was decoded is not valid.
    ///
    /// # Panics
    /// If `chunk` has another size, or `part` is not whole elements of it.
    pub fn decode_part(
        &self,
        encoded: &[u8],
        part: Range<usize>,
        chunk: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<(), CodecError> {
        assert_eq!(chunk.len(), self.chunk_bytes, "a chunk decodes into its own size");
        let whole = |at: usize| at.is_multiple_of(self.item_bytes);
        assert!(whole(part.start) && whole(part.end) && part.end <= chunk.len(), "a part is whole elements");
        let Kind::Own(own @ Own { transposed: None, swap, compressor, checksum }) = &self.kind else {
            return self.decode(encoded, chunk, scratch);
        };
        let in_blocks = matches!(compressor, Some(Compressor::Blosc(_))) && part.len() < self.chunk_bytes;
        if compressor.is_none() && !*checksum {
            CodecError::check_size("bytes", encoded.len(), part.len())?;
            chunk[part.clone()].copy_from_slice(encoded);
        } else {
            let packed = if in_blocks && *checksum { check_crc(encoded)? } else { encoded };
            if !in_blocks || !blosc::decode_part(packed, part.clone(), chunk)? {
                return own.decode(self, encoded, chunk, &mut scratch.work);
            }
        }
        if let Some(unit) = *swap {
            swap_bytes(&mut chunk[part], unit);
        }
        Ok(())
    }

    /// Encodes `chunk` into the start of `encoded`, which holds [`Self::encoded_bytes_max`]; the number of bytes written.
    ///
    /// # Errors
    /// [`CodecError::Encode`] if a library refuses.
    ///
    /// # Panics
    /// If `chunk` or `encoded` has another size.
    pub fn encode(
        &self,
        chunk: &[u8],
        encoded: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<usize, CodecError> {
        assert_eq!(chunk.len(), self.chunk_bytes, "a chunk encodes from its own size");
        assert!(encoded.len() >= self.encoded_bytes_max, "an encoded chunk has room for its bound");
        match &self.kind {
            Kind::Own(own) => own.encode(self, chunk, encoded, &mut scratch.work),
            Kind::Steps(steps) => steps.encode(chunk, encoded, &mut scratch.work),
            Kind::Zarrs(fallback) => fallback.encode(chunk, encoded, scratch),
        }
    }

    fn c_order(&self) -> Dims {
        Strides::c_order(Region::whole(&self.shape), self.item_bytes as u64).of_axes().into()
    }
}

/// Shards of chunks of a chain.
pub type ShardCodec = Shards<Chain>;

impl InnerCodec for Chain {
    fn compile(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        fill: &[u8],
        depth: usize,
    ) -> Result<Self, CodecError> {
        let item_bytes = element.bytes();
        let chunk_bytes = index(checked_bytes(shape, item_bytes as u64)?);
        let (kind, encoded_bytes_min, encoded_bytes_max) = if let Some(own) =
            Own::parse(codecs, element, shape)
        {
            let packed = own.compressor.as_ref().map_or(chunk_bytes, |c| c.encoded_bytes_max(chunk_bytes));
            let sum = if own.checksum { CRC_BYTES } else { 0 };
            let least = if own.compressor.is_some() { 1 } else { chunk_bytes };
            (Kind::Own(own), least.saturating_add(sum), packed.saturating_add(sum))
        } else if let Some(steps) = Steps::parse(codecs, element, shape, chunk_bytes) {
            let steps = steps?;
            let (least, most) = (steps.encoded_bytes_min(), steps.encoded_bytes_max());
            (Kind::Steps(Box::new(steps)), least, most)
        } else {
            let fallback = Fallback::new(codecs, element, (shape, chunk_bytes), fill, depth)?;
            let (least, most) = (fallback.encoded_bytes_min(), fallback.encoded_bytes_max());
            (Kind::Zarrs(Box::new(fallback)), least, most)
        };
        Ok(Self {
            kind,
            shape: shape.to_vec(),
            item_bytes,
            chunk_bytes,
            encoded_bytes_max,
            encoded_bytes_min,
        })
    }

    fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    fn encoded_bytes_max(&self) -> usize {
        self.encoded_bytes_max
    }

    fn scratch(&self) -> Result<Scratch, CodecError> {
        Scratch::try_new(self)
    }

    fn scratch_bytes(&self) -> usize {
        self.scratch_bytes()
    }

    fn loses(&self) -> bool {
        self.loses()
    }

    fn decode(&self, encoded: &[u8], chunk: &mut [u8], scratch: &mut Scratch) -> Result<(), CodecError> {
        self.decode(encoded, chunk, scratch)
    }

    fn encode(&self, chunk: &[u8], encoded: &mut [u8], scratch: &mut Scratch) -> Result<usize, CodecError> {
        self.encode(chunk, encoded, scratch)
    }
}

impl Scratch {
    /// Working memory for `chain`: [`Chain::scratch_bytes`] and, once used, [`Chain::context_bytes`].
    pub fn new(chain: &Chain) -> Self {
        Self::of(chain.buffer_bytes().map(|bytes| vec![0; bytes]))
    }

    /// As [`Self::new`], with an error where the system refuses the memory.
    ///
    /// # Errors
    /// [`CodecError::Refused`].
    pub fn try_new(chain: &Chain) -> Result<Self, CodecError> {
        let [near, far, unpacked] = chain.buffer_bytes().map(buffer);
        Ok(Self::of([near?, far?, unpacked?]))
    }
}

impl Own {
    /// The compiled list, or `None` if it is not one of those run here.
    fn parse(codecs: &[MetadataV3], element: &ElementType, shape: &[u64]) -> Option<Self> {
        let at = codecs.iter().position(|c| c.name() == "bytes")?;
        let transposed = match &codecs[..at] {
            [] => None,
            [transpose] => Some(transposed_strides(transpose, shape, element.bytes())?),
            _ => return None,
        };
        let c_order = Strides::c_order(Region::whole(shape), element.bytes() as u64);
        let transposed = transposed.filter(|strides| strides.as_slice() != c_order.of_axes());
        let swap = swapped_unit(&codecs[at], element)?;
        let (checksum, packed) = match &codecs[at + 1..] {
            [rest @ .., last] if is_checksum(last) => (true, rest),
            rest => (false, rest),
        };
        let compressor = match packed {
            [] => None,
            [one] => Some(Compressor::parse(one, element.bytes())?),
            _ => return None,
        };
        Some(Self { transposed, swap, compressor, checksum })
    }

    /// Whether the elements are stored in another order, or their bytes are.
    fn reorders(&self) -> bool {
        self.transposed.is_some() || self.swap.is_some()
    }

    /// Elements change their order between the compressor and the chunk; without a compressor, on the way.
    fn reordered_bytes(&self, chunk_bytes: usize) -> usize {
        if self.reorders() && self.compressor.is_some() { chunk_bytes } else { 0 }
    }

    fn decode(
        &self,
        chain: &Chain,
        encoded: &[u8],
        chunk: &mut [u8],
        Work { contexts, buffers: [reordered, _] }: &mut Work,
    ) -> Result<(), CodecError> {
        let packed = if self.checksum { check_crc(encoded)? } else { encoded };
        match &self.compressor {
            None => {
                CodecError::check_size("bytes", packed.len(), chunk.len())?;
                self.copy_in(chain, packed, chunk);
            }
            Some(codec) if self.transposed.is_some() => {
                CodecError::check_size(
                    codec.name(),
                    codec.decode(packed, reordered, contexts)?,
                    chunk.len(),
                )?;
                self.copy_in(chain, reordered, chunk);
            }
            Some(codec) => {
                CodecError::check_size(codec.name(), codec.decode(packed, chunk, contexts)?, chunk.len())?;
                swap_bytes(chunk, self.swap.unwrap_or(1));
            }
        }
        Ok(())
    }

    fn encode(
        &self,
        chain: &Chain,
        chunk: &[u8],
        encoded: &mut [u8],
        Work { contexts, buffers: [reordered, _] }: &mut Work,
    ) -> Result<usize, CodecError> {
        let mut end = match &self.compressor {
            None => {
                self.copy_out(chain, chunk, &mut encoded[..chunk.len()]);
                chunk.len()
            }
            Some(codec) if self.reorders() => {
                self.copy_out(chain, chunk, reordered);
                codec.encode(reordered, encoded, contexts)?
            }
            Some(codec) => codec.encode(chunk, encoded, contexts)?,
        };
        if self.checksum {
            let sum = crc32c::crc32c(&encoded[..end]).to_le_bytes();
            encoded[end..end + CRC_BYTES].copy_from_slice(&sum);
            end += CRC_BYTES;
        }
        Ok(end)
    }

    /// Copies the stored order into the chunk's.
    fn copy_in(&self, chain: &Chain, stored: &[u8], chunk: &mut [u8]) {
        let c_order = chain.c_order();
        let strides = self.transposed.as_ref().unwrap_or(&c_order);
        self.copy(chain, (stored, strides), (chunk, &c_order));
    }

    /// Copies the chunk's order into the stored one.
    fn copy_out(&self, chain: &Chain, chunk: &[u8], stored: &mut [u8]) {
        let c_order = chain.c_order();
        let strides = self.transposed.as_ref().unwrap_or(&c_order);
        self.copy(chain, (chunk, &c_order), (stored, strides));
    }

    fn copy(&self, chain: &Chain, src: (&[u8], &[u64]), dst: (&mut [u8], &[u64])) {
        copy_swapped(&chain.shape, src, dst, chain.item_bytes, self.swap.unwrap_or(1));
    }
}

/// Strides of the stored chunk by array dimension, for a `transpose` codec whose order is a permutation.
fn transposed_strides(codec: &MetadataV3, shape: &[u64], item_bytes: usize) -> Option<Dims> {
    if codec.name() != "transpose" {
        return None;
    }
    let order = codec.configuration()?.get("order")?.as_array()?;
    let order: Dims = order.iter().map(serde_json::Value::as_u64).collect::<Option<_>>()?;
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..shape.len() as u64) {
        return None;
    }
    Some(Strides::ordered(Region::whole(shape), &order, item_bytes as u64).of_axes().into())
}

/// Which bytes swap between stored and native order (`Some(None)`: none do); `None` if the codec does not say.
#[expect(clippy::option_option, reason = "not known here, or known to be native")]
fn swapped_unit(bytes: &MetadataV3, element: &ElementType) -> Option<Option<usize>> {
    // Scalars of several sizes in an element swap each on their own, which is not done here.
    let mixed = matches!(element.kind(), ElementKind::Struct(_)) && element.swap().is_none();
    let unit = if mixed { element.bytes() } else { element.swap()? };
    let endian = bytes.configuration().and_then(|c| c.get("endian")).map(|e| e.as_str());
    let big = match endian {
        // zarr-python 3.1 writes records without it, in little endian order.
        None if matches!(element.kind(), ElementKind::Struct(_)) => false,
        None if unit == 1 => return Some(None),
        Some(Some("little")) => false,
        Some(Some("big")) => true,
        _ => return None,
    };
    let native = unit == 1 || big == cfg!(target_endian = "big");
    if mixed && !native { None } else { Some((!native).then_some(unit)) }
}
