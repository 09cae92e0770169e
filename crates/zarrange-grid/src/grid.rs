//! A regular grid of chunks over an array.

use crate::region::{Dims, Region};

/// The highest rank accepted; a limit on untrusted metadata, far above any use.
pub const RANK_MAX: usize = 64;

/// A shape that no grid can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// The chunk shape has another rank than the array.
    #[error("chunk shape {chunk:?} has {} dimensions, the array has {}: give one number for each of {array:?}", chunk.len(), array.len())]
    Rank {
        /// Shape of the array.
        array: Vec<u64>,
        /// Shape of the chunk.
        chunk: Vec<u64>,
    },
    /// More than [`RANK_MAX`] dimensions.
    #[error("the array has {0} dimensions; at most {RANK_MAX} are supported")]
    RankTooHigh(usize),
    /// A chunk of no elements.
    #[error("chunk shape {0:?} has a zero: every dimension needs at least 1")]
    ZeroChunk(Vec<u64>),
    /// The number of elements or bytes does not fit 64 bits.
    #[error("shape {0:?} overflows: the number of its elements does not fit 63 bits")]
    Overflow(Vec<u64>),
}

/// Cuts an array of `array_shape` into chunks of `chunk_shape`; the last chunk of a dimension may reach beyond the array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkGrid {
    array: Dims,
    chunk: Dims,
    counts: Dims,
}

impl ChunkGrid {
    /// A grid over `array` (elements) of chunks of `chunk` (elements).
    ///
    /// # Errors
    /// [`GridError`] if the ranks differ or exceed [`RANK_MAX`], a chunk dimension is zero, or a size overflows.
    pub fn new(array: &[u64], chunk: &[u64]) -> Result<Self, GridError> {
        if array.len() > RANK_MAX {
            return Err(GridError::RankTooHigh(array.len()));
        }
        if array.len() != chunk.len() {
            return Err(GridError::Rank { array: array.to_vec(), chunk: chunk.to_vec() });
        }
        if chunk.contains(&0) {
            return Err(GridError::ZeroChunk(chunk.to_vec()));
        }
        let counts: Dims = array.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).collect();
        checked_bytes(array, 1)?;
        checked_bytes(chunk, 1)?;
        // Clipped chunks never reach past the array, but unclipped cells do: their ends must not wrap either.
        let cells: Dims = counts
            .iter()
            .zip(chunk)
            .map(|(n, c)| n.checked_mul(*c).ok_or_else(|| GridError::Overflow(chunk.to_vec())))
            .collect::<Result<_, _>>()?;
        checked_bytes(&cells, 1)?;
        Ok(Self { array: array.into(), chunk: chunk.into(), counts })
    }

    /// Elements of the array in each dimension.
    pub fn array_shape(&self) -> &[u64] {
        &self.array
    }

    /// Elements of a whole chunk in each dimension.
    pub fn chunk_shape(&self) -> &[u64] {
        &self.chunk
    }

    /// Chunks in each dimension.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.array.len()
    }

    /// Number of chunks.
    pub fn count(&self) -> u64 {
        self.counts.iter().product()
    }

    /// All chunk indices, as a region of the grid.
    pub fn all(&self) -> Region {
        Region::whole(&self.counts)
    }

    /// The elements of chunk `index` that are inside the array.
    pub fn region(&self, index: &[u64]) -> Region {
        let start: Dims = index.iter().zip(&self.chunk).map(|(i, c)| i * c).collect();
        let shape: Dims = (0..self.rank()).map(|d| self.chunk[d].min(self.array[d] - start[d])).collect();
        Region::new(start, shape)
    }

    /// The elements of chunk `index`, also those beyond the array's edge.
    pub fn cell(&self, index: &[u64]) -> Region {
        Region::new(index.iter().zip(&self.chunk).map(|(i, c)| i * c).collect::<Dims>(), self.chunk.clone())
    }

    /// The indices of the chunks that hold elements of `region`, as a region of the grid.
    pub fn covering(&self, region: &Region) -> Region {
        let mut start = Dims::new();
        let mut shape = Dims::new();
        for d in 0..self.rank() {
            let first = region.start()[d] / self.chunk[d];
            let past = region.end(d).div_ceil(self.chunk[d]);
            start.push(first);
            shape.push(if region.shape()[d] == 0 { 0 } else { past - first });
        }
        Region::new(start, shape)
    }
}

/// Bytes of `shape` elements of `item_bytes` each.
///
/// # Errors
/// [`GridError::Overflow`] if the number does not fit 63 bits.
pub fn checked_bytes(shape: &[u64], item_bytes: u64) -> Result<u64, GridError> {
    // Zero-length dimensions do not excuse an overflow in the others: strides are products of them.
    let nonzero = shape.iter().filter(|n| **n > 0).try_fold(item_bytes, |n, s| n.checked_mul(*s));
    match nonzero {
        Some(bytes) if i64::try_from(bytes).is_ok() => Ok(if shape.contains(&0) { 0 } else { bytes }),
        _ => Err(GridError::Overflow(shape.to_vec())),
    }
}
