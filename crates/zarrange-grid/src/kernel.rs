//! The inner loops of a copy.
//!
//! A copy is walked plane by plane. A plane has two axes: `inner`, the closest in the destination, and `across`. Where
//! another axis is contiguous in the source, `across` is that one, and the plane is walked in blocks, so that a cache
//! line fetched for one element serves its neighbours before it is evicted; vector code ([`transpose`]) then moves whole
//! lines. Everything else is a lattice of runs ([`moves`]).
//!
//! Bounds are checked once for each copy ([`Reduced::fits`]). The instruction set is chosen once for each copy, too.
#![expect(
    unsafe_code,
    reason = "a bounds check for each element would cost more than the copy; bounds are checked once"
)]

mod moves;
mod plane;
#[cfg(test)]
mod tests;
mod transpose;
mod vector;

use smallvec::SmallVec;

use crate::reduced::{Axis, Reduced};
use plane::{LINE, Plane};
use vector::Body;
pub(crate) use vector::Level;

/// Pages whose lines take the same places in a cache.
const PAGE: usize = 4096;
/// Elements of `inner` that are walked before the next step of `across`. Each may be a page of its own: this many pages
/// and lines stay in the second-level TLB and cache until their next lines are wanted.
const ROWS: usize = 1024;
/// The same where lines of all rows take the same places in the cache.
const ROWS_COLLIDING: usize = 256;
/// Rows so close together share lines and pages: as many are walked as stay in the first-level cache, so that the source
/// is read in order.
const NARROW: usize = 4 * LINE;
const NARROW_BYTES: usize = 16 << 10;
/// A source within this stays in the second-level cache; asking for its lines ahead costs more than it saves.
const CACHED_BYTES: usize = 1 << 20;
/// A buffer this large has left the caches by the time that it is full and read: it is better written past them.
const STREAMED_BYTES: usize = 32 << 20;

type Loops = SmallVec<[Axis; 6]>;

/// Runs a copy whose bounds were checked.
pub(crate) fn run_within(level: Level, copy: &Reduced, src: &[u8], dst: &mut [u8]) {
    debug_assert!(copy.fits(src.len(), dst.len()));
    // SAFETY: every caller checked `fits`; `src` and `dst` cannot overlap, one being borrowed mutably.
    unsafe { run(level, copy, src.as_ptr(), dst.as_mut_ptr(), dst.len()) }
}

/// Runs a copy into a buffer of `dst_bytes`.
///
/// # Safety
/// `src` is readable and `dst` writable over the extents of `copy`, and they do not overlap.
pub(crate) unsafe fn run(level: Level, copy: &Reduced, src: *const u8, dst: *mut u8, dst_bytes: usize) {
    if copy.empty {
        return;
    }
    let (mut plane, far, near) = split(copy);
    plane.stream = level != Level::Scalar
        && dst_bytes >= STREAMED_BYTES
        && (!plane.crossed || plane.across.dst.is_multiple_of(LINE));
    let mut block = plane;
    block.inner.len = block_rows(&plane);
    let blocks = Axis {
        len: plane.inner.len / block.inner.len,
        src: plane.inner.src * block.inner.len,
        dst: plane.inner.dst * block.inner.len,
    };
    let loops: Loops = far.iter().copied().chain([blocks]).chain(near.iter().copied()).collect();
    // SAFETY: the caller's promise: blocks and rest are parts of the inner axis.
    unsafe {
        each(&loops, src, dst, &block, body(level, &block));
        let mut rest = plane;
        rest.inner.len = plane.inner.len % block.inner.len;
        if rest.inner.len > 0 {
            let loops: Loops = far.into_iter().chain(near).collect();
            let (src, dst) = (src.add(blocks.len * blocks.src), dst.add(blocks.len * blocks.dst));
            each(&loops, src, dst, &rest, body(level, &rest));
        }
    }
    if plane.stream {
        vector::fence();
    }
}

/// How much of the inner axis is walked at a time.
fn block_rows(plane: &Plane) -> usize {
    let rows = match plane.crossed {
        false => plane.inner.len,
        true if plane.inner.src <= NARROW => NARROW_BYTES / plane.inner.src,
        true if plane.inner.src.is_multiple_of(PAGE) => ROWS_COLLIDING,
        true => ROWS,
    };
    rows.min(plane.inner.len)
}

/// The plane of a copy, the loops outside the blocks of its inner axis, and those within them.
fn split(copy: &Reduced) -> (Plane, Loops, Loops) {
    let single = Axis { len: 1, src: 0, dst: 0 };
    let (inner, rest) = copy.axes.split_last().map_or((single, &[][..]), |(inner, rest)| (*inner, rest));
    // The axis along which the source is walked most cheaply, if it is another one.
    let closest = (0..rest.len()).min_by_key(|k| rest[*k].src).filter(|k| rest[*k].src < inner.src);
    let mut far: Loops = rest.into();
    let across = match closest {
        Some(k) => far.remove(k),
        None => far.pop().unwrap_or(single),
    };
    let crossed = closest.is_some();
    // Loops that stay within the source's rows: their next step finds the lines of the last one still in the cache.
    let mut near: Loops = far.iter().copied().filter(|a| crossed && a.src < inner.src).collect();
    near.sort_by_key(|a| std::cmp::Reverse(a.src));
    far.retain(|a| !crossed || a.src >= inner.src);
    let plane = Plane {
        inner,
        across,
        crossed,
        run: copy.run,
        unit: copy.unit,
        stream: false,
        prefetch: copy.extents().0 > CACHED_BYTES,
    };
    (plane, far, near)
}

/// What moves `plane` fastest.
fn body(level: Level, plane: &Plane) -> Body {
    transpose::body(level, plane).unwrap_or_else(|| moves::body(level, plane))
}

/// Calls `body` at every point of the `loops`.
///
/// # Safety
/// Every point of the loops and the plane is within both buffers.
unsafe fn each(loops: &[Axis], src: *const u8, dst: *mut u8, plane: &Plane, body: Body) {
    // SAFETY: the caller's promise.
    unsafe {
        let Some((axis, rest)) = loops.split_first() else { return body(plane, src, dst) };
        for k in 0..axis.len {
            each(rest, src.add(k * axis.src), dst.add(k * axis.dst), plane, body);
        }
    }
}
