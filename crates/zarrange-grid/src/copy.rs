//! Copies of a part from one layout to another.
//!
//! A copy is first reduced to its essence ([`Reduced`]), checked once against both buffers, then run by [`crate::kernel`].

use crate::index;
use crate::kernel::{self, Level};
use crate::reduced::Reduced;
use crate::region::Region;
use crate::strides::Strides;

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

/// Copies `part` from a buffer laid out as `src_strides` into one laid out as `dst_strides`.
///
/// # Panics
/// If `part` is not inside both layouts or a buffer is smaller than its layout.
pub fn copy_region(
    part: &Region,
    (src, src_strides): (&[u8], &Strides),
    (dst, dst_strides): (&mut [u8], &Strides),
    item_bytes: usize,
) {
    assert!(
        src_strides.region().contains(part) && dst_strides.region().contains(part),
        "a part is inside both"
    );
    let src = &src[index(src_strides.offset(part.start()))..];
    let dst = &mut dst[index(dst_strides.offset(part.start()))..];
    copy_strided(part.shape(), (src, src_strides.of_axes()), (dst, dst_strides.of_axes()), item_bytes);
}
