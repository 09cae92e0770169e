//! What reading and filling take of memory, known before anything is read.

use zarrange_array::{Array, RegionReader};
use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::schema::EPOCHS;

/// What is never refused, however small a bound is: a process may have as much beside it.
pub(crate) const ALLOWANCE: u64 = 16 << 20;

/// Encoded chunks are read and written in batches of about this many bytes, where one has less.
const BATCH_BYTES: u64 = 1 << 20;

/// What an element that is picked along an axis takes, and a chunk that holds some.
const PICK_BYTES: u64 = 16;
const CHUNK_BYTES: u64 = 192;

/// A part of a bound on memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) bytes: u64,
    /// The bound is so many times as large.
    of: u64,
}

impl Share {
    /// All of a bound.
    pub(crate) const fn all(bytes_max: u64) -> Self {
        Self { bytes: bytes_max, of: 1 }
    }

    /// One of so many parts of it.
    pub(crate) const fn part(self, of: u64) -> Self {
        Self { bytes: self.bytes / of, of: self.of.saturating_mul(of) }
    }

    /// With what is never refused, where it is less.
    pub(crate) fn with_allowance(self) -> Self {
        Self { bytes: self.bytes.max(ALLOWANCE), ..self }
    }

    /// An error unless so many bytes are within it.
    ///
    /// # Errors
    /// [`LightCurveError::Room`], with the bound that would do.
    pub(crate) fn fits(self, what: &str, bytes: u64) -> Result<(), LightCurveError> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let (needed, bytes_max) = (bytes.saturating_mul(self.of), self.bytes.saturating_mul(self.of));
        Err(LightCurveError::Room { what: what.to_owned(), needed, bytes_max })
    }
}

/// What a thread takes that reads regions of `array`, beside what it reads them into.
///
/// # Errors
/// If its elements cannot be read.
pub(crate) fn reading(array: &Array) -> Result<u64, LightCurveError> {
    Ok(RegionReader::memory_bytes(array)?)
}

/// What a thread takes that fills `array`: a stored object of it as it will be, what reads it, and what writes it.
///
/// # Errors
/// If its elements cannot be read.
pub(crate) fn filling(array: &Array) -> Result<u64, LightCurveError> {
    let (grid, item) = (array.objects(), array.elements()?.item_bytes() as u64);
    let object = grid.chunk_shape().iter().fold(item, |bytes, length| bytes.saturating_mul(*length));
    let picks = grid.chunk_shape().iter().fold(0, |sum: u64, length| sum.saturating_add(*length));
    let names = array.document().dimension_names().unwrap_or_default();
    let along = |d: usize| array.shape()[d].div_ceil(grid.chunk_shape()[d].max(1));
    let is_epoch =
        |d: &usize| names.get(*d).and_then(Option::as_deref).is_some_and(|name| EPOCHS.contains(&name));
    let chunks = (0..array.shape().len()).filter(|d| !is_epoch(d));
    let chunks = chunks.fold(1, |count: u64, d| count.saturating_mul(along(d)));
    Ok([
        reading(array)?,
        chunk_bytes(array)?,
        encoded_bytes(array)?,
        codec_bytes(array)?,
        BATCH_BYTES,
        picks.saturating_mul(PICK_BYTES),
        chunks.saturating_mul(CHUNK_BYTES),
    ]
    .into_iter()
    .fold(object, u64::saturating_add))
}

/// A decoded chunk, or inner chunk.
pub(crate) fn chunk_bytes(array: &Array) -> Result<u64, LightCurveError> {
    Ok(array.elements()?.chain().chunk_bytes() as u64)
}

fn encoded_bytes(array: &Array) -> Result<u64, LightCurveError> {
    let elements = array.elements()?;
    let one = elements.chain().encoded_bytes_max() as u64;
    Ok(one.max(BATCH_BYTES.min(one.saturating_mul(elements.chunks.count()))))
}

fn codec_bytes(array: &Array) -> Result<u64, LightCurveError> {
    let chain = array.elements()?.chain();
    Ok((chain.scratch_bytes() as u64).saturating_add(chain.context_bytes() as u64))
}

/// A number of bytes as the memory of this machine has them.
pub(crate) fn bounded(bytes: u64) -> usize {
    index(bytes.min(usize::MAX as u64))
}
