//! A box of elements within an array.

use std::fmt;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// One number for each dimension: a shape, an index or strides. Ranks up to 6 need no allocation.
pub type Dims = SmallVec<[u64; 6]>;

/// A box of elements: `start[d] <= index[d] < start[d] + shape[d]`, in elements (or in chunks, within a grid).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    start: Dims,
    shape: Dims,
}

impl Region {
    /// The box of `shape` elements that begins at `start`.
    ///
    /// # Panics
    /// If the ranks differ or an end overflows: regions are derived from grids, which were checked.
    pub fn new(start: impl Into<Dims>, shape: impl Into<Dims>) -> Self {
        let (start, shape) = (start.into(), shape.into());
        assert_eq!(start.len(), shape.len(), "a region's start and shape have one rank");
        assert!(
            start.iter().zip(&shape).all(|(s, n)| s.checked_add(*n).is_some()),
            "a region's end fits u64"
        );
        Self { start, shape }
    }

    /// The whole of an array of `shape`.
    pub fn whole(shape: &[u64]) -> Self {
        Self { start: shape.iter().map(|_| 0).collect(), shape: shape.into() }
    }

    /// First index in each dimension.
    pub fn start(&self) -> &[u64] {
        &self.start
    }

    /// Elements in each dimension.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// One past the last index of dimension `d`.
    pub fn end(&self, d: usize) -> u64 {
        self.start[d] + self.shape[d]
    }

    /// Number of elements; saturates, so that a size check on an untrusted shape fails rather than wraps.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |n, s| n.saturating_mul(*s))
    }

    /// Whether no element is inside.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The elements in both, if there are any.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        debug_assert_eq!(self.rank(), other.rank());
        let mut out = self.clone();
        for d in 0..self.rank() {
            let start = self.start[d].max(other.start[d]);
            let end = self.end(d).min(other.end(d));
            if start >= end {
                return None;
            }
            out.start[d] = start;
            out.shape[d] = end - start;
        }
        Some(out)
    }

    /// Whether all of `other` is inside.
    pub fn contains(&self, other: &Self) -> bool {
        (0..self.rank()).all(|d| self.start[d] <= other.start[d] && other.end(d) <= self.end(d))
    }

    /// Position of `index` when the elements are counted in C order.
    pub fn linear(&self, index: &[u64]) -> u64 {
        debug_assert_eq!(index.len(), self.rank());
        (0..self.rank()).fold(0, |n, d| n * self.shape[d] + (index[d] - self.start[d]))
    }

    /// The index at position `linear` in C order; the inverse of [`Self::linear`].
    pub fn unravel(&self, mut linear: u64) -> Dims {
        let mut index = self.start.clone();
        for d in (0..self.rank()).rev() {
            index[d] += linear % self.shape[d];
            linear /= self.shape[d];
        }
        index
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for d in 0..self.rank() {
            let comma = if d == 0 { "" } else { ", " };
            write!(f, "{comma}{}..{}", self.start[d], self.end(d))?;
        }
        f.write_str("]")
    }
}
