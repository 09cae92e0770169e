//! Copies of a part from one layout to another.
//!
//! A copy is first reduced to its essence (few axes, the longest run of bytes that is contiguous on both sides),
//! checked once against both buffers, then run by [`crate::kernel`].

use smallvec::SmallVec;

use crate::index;
use crate::kernel::{self, Level};
use crate::layout::Layout;
use crate::region::Region;

/// One loop of a copy: `len` steps of `src` and `dst` bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) len: usize,
    pub(crate) src: usize,
    pub(crate) dst: usize,
}

/// A reduced copy: `run` contiguous bytes at each point of the `axes`, outermost (largest destination stride) first.
#[derive(Debug)]
pub(crate) struct Reduced {
    pub(crate) axes: SmallVec<[Axis; 6]>,
    pub(crate) run: usize,
    /// Bytes that swap together; 1 where none do.
    pub(crate) unit: usize,
    /// Nothing to copy.
    pub(crate) empty: bool,
}

impl Reduced {
    pub(crate) fn new(shape: &[u64], src_strides: &[u64], dst_strides: &[u64], item_bytes: usize) -> Self {
        let mut axes: SmallVec<[Axis; 6]> = (0..shape.len())
            .filter(|d| shape[*d] != 1)
            .map(|d| Axis { len: index(shape[d]), src: index(src_strides[d]), dst: index(dst_strides[d]) })
            .collect();
        let empty = axes.iter().any(|a| a.len == 0);
        axes.sort_by_key(|a| std::cmp::Reverse(a.dst));
        axes.dedup_by(|inner, outer| {
            let one = outer.src == inner.src * inner.len && outer.dst == inner.dst * inner.len;
            if one {
                *outer = Axis { len: outer.len * inner.len, ..*inner };
            }
            one
        });
        let mut run = item_bytes;
        if let Some(last) = axes.last()
            && last.src == run
            && last.dst == run
        {
            run *= last.len;
            axes.pop();
        }
        Self { axes, run, unit: 1, empty }
    }

    /// Bytes from the first byte touched to one past the last, on each side, of a copy that is not empty.
    pub(crate) fn extents(&self) -> (usize, usize) {
        self.axes.iter().fold((self.run, self.run), |(src, dst), a| {
            (src + (a.len - 1) * a.src, dst + (a.len - 1) * a.dst)
        })
    }

    /// Whether the copy stays within `src_bytes` and `dst_bytes`.
    pub(crate) fn fits(&self, src_bytes: usize, dst_bytes: usize) -> bool {
        if self.empty {
            return true;
        }
        let (src, dst) = self.extents();
        src <= src_bytes && dst <= dst_bytes
    }
}

/// Copies `shape` elements of `item_bytes` between two strided arrays; strides in bytes, both from the first byte.
///
/// # Panics
/// If a stride leads out of a buffer.
pub fn copy_strided(shape: &[u64], src: (&[u8], &[u64]), dst: (&mut [u8], &[u64]), item_bytes: usize) {
    copy_swapped(shape, src, dst, item_bytes, 1);
}

/// As [`copy_strided`], and reverses each `unit` bytes of every element on the way: the element for a change of byte
/// order, its parts if it is a complex number. A unit of 1 changes nothing.
///
/// # Panics
/// If a stride leads out of a buffer, or an element does not consist of whole units.
pub fn copy_swapped(
    shape: &[u64],
    (src, src_strides): (&[u8], &[u64]),
    (dst, dst_strides): (&mut [u8], &[u64]),
    item_bytes: usize,
    unit: usize,
) {
    assert!(item_bytes.is_multiple_of(unit), "an element consists of whole units");
    let copy = Reduced { unit, ..Reduced::new(shape, src_strides, dst_strides, item_bytes) };
    assert!(copy.fits(src.len(), dst.len()), "a copy stays within its buffers");
    kernel::run_within(Level::best(), &copy, src, dst);
}

/// Copies `part` from a buffer laid out as `src_layout` into one laid out as `dst_layout`.
///
/// # Panics
/// If `part` is not inside both layouts or a buffer is smaller than its layout.
pub fn copy_region(
    part: &Region,
    (src, src_layout): (&[u8], &Layout),
    (dst, dst_layout): (&mut [u8], &Layout),
    item_bytes: usize,
) {
    assert!(
        src_layout.region().contains(part) && dst_layout.region().contains(part),
        "a part is inside both"
    );
    let src = &src[index(src_layout.offset(part.start()))..];
    let dst = &mut dst[index(dst_layout.offset(part.start()))..];
    copy_strided(part.shape(), (src, src_layout.strides()), (dst, dst_layout.strides()), item_bytes);
}
