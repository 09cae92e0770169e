//! Where the elements of a region lie in a buffer.

use crate::region::{Dims, Region};

/// A region laid out densely in a buffer, its axes in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strides {
    region: Region,
    /// Bytes from one element to the next in each dimension.
    of_axes: Dims,
    bytes: u64,
}

impl Strides {
    /// `region` in C order: the last dimension is contiguous.
    pub fn c_order(region: Region, item_bytes: u64) -> Self {
        let order: Dims = (0..region.rank() as u64).collect();
        Self::ordered(region, &order, item_bytes)
    }

    /// `region` with its axes stored in `order`, outermost first; the last axis of `order` is contiguous.
    ///
    /// # Panics
    /// If `order` is not a permutation of the axes.
    pub fn ordered(region: Region, order: &[u64], item_bytes: u64) -> Self {
        assert_eq!(order.len(), region.rank(), "an axis order names every axis");
        let mut strides: Dims = region.shape().iter().map(|_| 0).collect();
        let mut bytes = item_bytes;
        for axis in order.iter().rev() {
            let axis = crate::index(*axis);
            assert_eq!(strides[axis], 0, "an axis order names every axis once");
            strides[axis] = bytes;
            bytes *= region.shape()[axis].max(1);
        }
        let bytes = if region.is_empty() { 0 } else { bytes };
        Self { region, of_axes: strides, bytes }
    }

    /// The elements laid out.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Bytes from one element to the next in each dimension.
    pub fn of_axes(&self) -> &[u64] {
        &self.of_axes
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Offset in bytes of the element at `index` of the array.
    pub fn offset(&self, index: &[u64]) -> u64 {
        (0..index.len()).map(|d| (index[d] - self.region.start()[d]) * self.of_axes[d]).sum()
    }

    /// The bytes of `part`, if they are contiguous and in C order: such a part can be decoded in place.
    pub fn contiguous(&self, part: &Region, item_bytes: u64) -> Option<std::ops::Range<usize>> {
        let mut expected = item_bytes;
        for d in (0..part.rank()).rev() {
            if part.shape()[d] > 1 {
                if self.of_axes[d] != expected {
                    return None;
                }
                expected *= part.shape()[d];
            }
        }
        let start = crate::index(self.offset(part.start()));
        Some(start..start + crate::index(expected))
    }
}
