//! The inner loops of a copy.
//!
//! Where the axis that is contiguous in the source is not the one contiguous in the destination, the two are walked
//! in blocks, so that a cache line fetched for one element serves its neighbours before it is evicted.
#![expect(
    unsafe_code,
    reason = "a bounds check for each element would cost more than the copy; bounds are checked once"
)]

use smallvec::SmallVec;

use crate::copy::{Axis, Reduced};

/// Elements along each side of a block: with 8-byte elements 32 lines of source and of destination, within L1.
const BLOCK: usize = 32;

/// Runs a copy whose bounds were checked.
pub(crate) fn run_within(copy: &Reduced, src: &[u8], dst: &mut [u8]) {
    debug_assert!(copy.fits(src.len(), dst.len()));
    // SAFETY: every caller checked `fits`; `src` and `dst` cannot overlap, one being borrowed mutably.
    unsafe { run(copy, src.as_ptr(), dst.as_mut_ptr()) }
}

/// Runs a copy.
///
/// # Safety
/// `src` is readable and `dst` writable over the extents of `copy`, and they do not overlap.
pub(crate) unsafe fn run(copy: &Reduced, src: *const u8, dst: *mut u8) {
    if copy.empty {
        return;
    }
    // SAFETY: the caller's promise, passed on.
    unsafe {
        match copy.run {
            1 => axes::<1>(copy, src, dst),
            2 => axes::<2>(copy, src, dst),
            4 => axes::<4>(copy, src, dst),
            8 => axes::<8>(copy, src, dst),
            16 => axes::<16>(copy, src, dst),
            _ => axes::<0>(copy, src, dst),
        }
    }
}

/// `RUN` bytes for each element; 0 stands for a run known only at run time.
unsafe fn axes<const RUN: usize>(copy: &Reduced, src: *const u8, dst: *mut u8) {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        let Some((&inner, rest)) = copy.axes.split_last() else {
            return element::<RUN>(src, dst, copy.run);
        };
        // The axis along which the source is walked most cheaply, if it is another one.
        let across = (0..rest.len()).min_by_key(|k| rest[*k].src).filter(|k| rest[*k].src < inner.src);
        let mut outer: SmallVec<[Axis; 6]> = rest.into();
        let across = across.map(|k| outer.remove(k));
        each(&outer, src, dst, &mut |src, dst| match across {
            None => line::<RUN>(inner, src, dst, copy.run),
            Some(across) => blocks::<RUN>(inner, across, src, dst, copy.run),
        });
    }
}

/// Calls `body` at every point of the `outer` axes.
unsafe fn each(outer: &[Axis], src: *const u8, dst: *mut u8, body: &mut dyn FnMut(*const u8, *mut u8)) {
    let Some((axis, rest)) = outer.split_first() else { return body(src, dst) };
    for k in 0..axis.len {
        // SAFETY: the caller's promise: every point of the axes is within both buffers.
        unsafe { each(rest, src.add(k * axis.src), dst.add(k * axis.dst), body) }
    }
}

/// Walks `inner` (contiguous in the destination) and `across` (contiguous in the source) in square blocks.
#[inline]
unsafe fn blocks<const RUN: usize>(inner: Axis, across: Axis, src: *const u8, dst: *mut u8, run: usize) {
    for a0 in (0..across.len).step_by(BLOCK) {
        let a1 = (a0 + BLOCK).min(across.len);
        for i0 in (0..inner.len).step_by(BLOCK) {
            let part = Axis { len: BLOCK.min(inner.len - i0), ..inner };
            for a in a0..a1 {
                // SAFETY: `a` and `i0` are within their axes.
                unsafe {
                    let src = src.add(a * across.src + i0 * inner.src);
                    line::<RUN>(part, src, dst.add(a * across.dst + i0 * inner.dst), run);
                }
            }
        }
    }
}

#[inline]
unsafe fn line<const RUN: usize>(axis: Axis, src: *const u8, dst: *mut u8, run: usize) {
    for k in 0..axis.len {
        // SAFETY: `k` is within the axis.
        unsafe { element::<RUN>(src.add(k * axis.src), dst.add(k * axis.dst), run) }
    }
}

#[inline]
unsafe fn element<const RUN: usize>(src: *const u8, dst: *mut u8, run: usize) {
    // A constant length compiles to one load and one store.
    let bytes = if RUN == 0 { run } else { RUN };
    // SAFETY: the caller's promise for one element.
    unsafe { std::ptr::copy_nonoverlapping(src, dst, bytes) }
}
