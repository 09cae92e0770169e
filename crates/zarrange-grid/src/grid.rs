//! A grid of chunks over an array.

use std::sync::Arc;

use crate::edges::Edges;
use crate::error::{GridError, RANK_MAX};
use crate::region::{Dims, Region};

/// Cuts an array of `array_shape` into chunks, all of `chunk_shape` unless the grid is rectilinear; the last chunk of a dimension may
/// reach beyond the array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkGrid {
    array: Dims,
    /// Of the largest chunk.
    chunk: Dims,
    counts: Dims,
    /// Where chunks differ: those of each dimension.
    edges: Option<Arc<[Edges]>>,
}

impl ChunkGrid {
    /// A grid over `array` (elements) of chunks of `chunk` (elements).
    ///
    /// # Errors
    /// [`GridError`] if the ranks differ or exceed 64, a chunk dimension is zero, or a size overflows.
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
        Ok(Self { array: array.into(), chunk: chunk.into(), counts, edges: None })
    }

    /// A grid over `array` (elements) of chunks of different lengths, given for each dimension of the array.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn rectilinear(array: &[u64], edges: Vec<Edges>) -> Result<Self, GridError> {
        let chunk: Dims = edges.iter().map(Edges::largest).collect();
        if array.len() != edges.len() || array.len() > RANK_MAX || edges.iter().all(Edges::is_uniform) {
            return Self::new(array, &chunk);
        }
        checked_bytes(array, 1)?;
        checked_bytes(&chunk, 1)?;
        checked_bytes(&edges.iter().map(Edges::end).collect::<Dims>(), 1)?;
        let counts = edges.iter().map(Edges::count).collect();
        Ok(Self { array: array.into(), chunk, counts, edges: Some(edges.into()) })
    }

    /// Elements of the array in each dimension.
    pub fn array_shape(&self) -> &[u64] {
        &self.array
    }

    /// Elements of a whole chunk in each dimension; of the largest one, where they differ.
    pub fn chunk_shape(&self) -> &[u64] {
        &self.chunk
    }

    /// The chunks of each dimension, where not all chunks have one shape.
    pub fn edges(&self) -> Option<&[Edges]> {
        self.edges.as_deref()
    }

    /// Whether all chunks have one shape.
    pub const fn is_regular(&self) -> bool {
        self.edges.is_none()
    }

    /// First element and elements of the chunks with index `index` in dimension `d`, also those beyond the array's edge.
    pub fn span(&self, d: usize, index: u64) -> (u64, u64) {
        match &self.edges {
            None => (index * self.chunk[d], self.chunk[d]),
            Some(edges) => edges[d].span(index),
        }
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
        let (start, mut shape) = self.spans(index);
        for d in 0..self.rank() {
            shape[d] = shape[d].min(self.array[d] - start[d]);
        }
        Region::new(start, shape)
    }

    /// The elements of chunk `index`, also those beyond the array's edge.
    pub fn cell(&self, index: &[u64]) -> Region {
        let (start, shape) = self.spans(index);
        Region::new(start, shape)
    }

    /// Elements of the whole chunks whose indices are in `chunks`, a region of the grid; saturates.
    pub fn whole_elements(&self, chunks: &Region) -> u64 {
        if chunks.is_empty() {
            return 0;
        }
        let lengths = (0..self.rank()).map(|d| {
            let (start, _) = self.span(d, chunks.start()[d]);
            let (last, length) = self.span(d, chunks.end(d) - 1);
            last + length - start
        });
        lengths.fold(1, u64::saturating_mul)
    }

    /// The index of the chunk that holds element `at` in dimension `d`, its first element and its elements.
    pub fn chunk_at(&self, d: usize, at: u64) -> (u64, u64, u64) {
        let index = match &self.edges {
            None => at / self.chunk[d],
            Some(edges) => edges[d].chunk_of(at),
        };
        let (start, length) = self.span(d, index);
        (index, start, length)
    }

    fn spans(&self, index: &[u64]) -> (Dims, Dims) {
        match &self.edges {
            None => (index.iter().zip(&self.chunk).map(|(i, c)| i * c).collect(), self.chunk.clone()),
            Some(edges) => index.iter().zip(edges.iter()).map(|(i, edges)| edges.span(*i)).unzip(),
        }
    }

    /// The indices of the chunks that hold elements of `region`, as a region of the grid.
    pub fn covering(&self, region: &Region) -> Region {
        let mut start = Dims::new();
        let mut shape = Dims::new();
        for d in 0..self.rank() {
            let (from, to) = (region.start()[d], region.end(d));
            let (first, past) = match &self.edges {
                _ if from == to => (0, 0),
                None => (from / self.chunk[d], to.div_ceil(self.chunk[d])),
                Some(edges) => (edges[d].chunk_of(from), edges[d].chunk_of(to - 1) + 1),
            };
            start.push(first);
            shape.push(past - first);
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
