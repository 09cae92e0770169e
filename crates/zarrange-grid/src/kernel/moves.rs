//! Planes of runs: each is moved as a whole, by the code that suits its length.
#![expect(clippy::inline_always, reason = "a move is compiled into the loops around it")]

use super::plane::{LINE, Plane};
use super::vector::{Body, Level};

/// Longer runs are left to the standard library, whose call costs less than its better loop saves.
const SHORT: usize = 128;
/// Shorter runs are not worth writing past the caches: half of their lines are not whole.
#[cfg(target_arch = "x86_64")]
const STREAMED: usize = 256;
/// Elements of `across` in a block.
const COLUMNS: usize = 8;

/// The function that moves the runs of `plane`.
pub(super) fn body(level: Level, plane: &Plane) -> Body {
    if plane.unit > 1 {
        return swapped(level, plane);
    }
    match plane.run {
        1 => lattice::<Fixed<1>>,
        2 => lattice::<Fixed<2>>,
        3 => lattice::<Fixed<3>>,
        4 => lattice::<Fixed<4>>,
        6 => lattice::<Fixed<6>>,
        8 => lattice::<Fixed<8>>,
        12 => lattice::<Fixed<12>>,
        16 => lattice::<Fixed<16>>,
        24 => lattice::<Fixed<24>>,
        32 => lattice::<Fixed<32>>,
        64 => lattice::<Fixed<64>>,
        0 => lattice::<Any>,
        5..16 => lattice::<Few>,
        #[cfg(target_arch = "x86_64")]
        _ if plane.stream && plane.run >= STREAMED => lattice::<x86::Streamed>,
        16..SHORT => lattice::<Short>,
        _ => lattice::<Any>,
    }
}

fn swapped(level: Level, plane: &Plane) -> Body {
    match (plane.run, plane.unit, level) {
        (2, 2, _) => lattice::<Units<2, 2>>,
        (4, 4, _) => lattice::<Units<4, 4>>,
        (8, 4, _) => lattice::<Units<8, 4>>,
        (8, 8, _) => lattice::<Units<8, 8>>,
        (16, 8, _) => lattice::<Units<16, 8>>,
        #[cfg(target_arch = "x86_64")]
        (_, 2 | 4 | 8 | 16, Level::Avx2 | Level::Ssse3) => x86::swapped(level),
        (_, 2, _) => lattice::<Swapped<2>>,
        (_, 4, _) => lattice::<Swapped<4>>,
        (_, 8, _) => lattice::<Swapped<8>>,
        _ => lattice::<Swapped<0>>,
    }
}

/// How one run is moved.
trait Move: Copy {
    fn of(plane: &Plane) -> Self;

    /// # Safety
    /// A run is readable at `src` and writable at `dst`; they do not overlap.
    unsafe fn run(self, src: *const u8, dst: *mut u8);
}

/// Moves the runs of a plane, in blocks of lines where it is crossed.
///
/// # Safety
/// Every point of the plane is within both buffers.
#[inline(always)]
unsafe fn lattice<M: Move>(plane: &Plane, src: *const u8, dst: *mut u8) {
    let one = M::of(plane);
    let (inner, across) = (plane.inner, plane.across);
    // A block is a few lines of the destination, the source's lines of which stay in the first-level cache.
    let (width, height) = match plane.run {
        _ if !plane.crossed => (1, inner.len),
        0..24 if inner.len < COLUMNS => (LINE, inner.len),
        0..24 => (COLUMNS, (2 * LINE / plane.run).clamp(8, 32)),
        _ => (COLUMNS, inner.len),
    };
    for a0 in (0..across.len).step_by(width) {
        for i0 in (0..inner.len).step_by(height) {
            for a in a0..(a0 + width).min(across.len) {
                for i in i0..(i0 + height).min(inner.len) {
                    // SAFETY: `a` and `i` are within their axes.
                    unsafe {
                        let src = src.add(a * across.src + i * inner.src);
                        one.run(src, dst.add(a * across.dst + i * inner.dst));
                    }
                }
            }
        }
    }
}

/// A constant length compiles to a few loads and stores.
#[derive(Clone, Copy)]
struct Fixed<const N: usize>;

impl<const N: usize> Move for Fixed<N> {
    fn of(_: &Plane) -> Self {
        Self
    }

    #[inline(always)]
    unsafe fn run(self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(src, dst, N) }
    }
}

/// Any length.
#[derive(Clone, Copy)]
struct Any(usize);

impl Move for Any {
    fn of(plane: &Plane) -> Self {
        Self(plane.run)
    }

    #[inline(always)]
    unsafe fn run(self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(src, dst, self.0) }
    }
}

/// From 4 to 16 bytes: two halves that overlap.
#[derive(Clone, Copy)]
struct Few(usize);

impl Move for Few {
    fn of(plane: &Plane) -> Self {
        Self(plane.run)
    }

    #[inline(always)]
    unsafe fn run(self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise; the run has at least the bytes of a half.
        unsafe {
            if self.0 >= 8 {
                Fixed::<8>.run(src, dst);
                Fixed::<8>.run(src.add(self.0 - 8), dst.add(self.0 - 8));
            } else {
                Fixed::<4>.run(src, dst);
                Fixed::<4>.run(src.add(self.0 - 4), dst.add(self.0 - 4));
            }
        }
    }
}

/// From 16 bytes: 16 at once, the last ones overlapping those before.
#[derive(Clone, Copy)]
struct Short(usize);

impl Move for Short {
    fn of(plane: &Plane) -> Self {
        Self(plane.run)
    }

    #[inline(always)]
    unsafe fn run(self, src: *const u8, dst: *mut u8) {
        let mut at = 0;
        // SAFETY: the caller's promise; the run has at least 16 bytes.
        unsafe {
            while at + 16 < self.0 {
                Fixed::<16>.run(src.add(at), dst.add(at));
                at += 16;
            }
            Fixed::<16>.run(src.add(self.0 - 16), dst.add(self.0 - 16));
        }
    }
}

/// `N` bytes, of which each `U` swap.
#[derive(Clone, Copy)]
struct Units<const N: usize, const U: usize>;

impl<const N: usize, const U: usize> Move for Units<N, U> {
    fn of(_: &Plane) -> Self {
        Self
    }

    #[inline(always)]
    unsafe fn run(self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise; neither side need be aligned.
        unsafe {
            let mut bytes = src.cast::<[u8; N]>().read();
            for unit in bytes.as_chunks_mut::<U>().0 {
                unit.reverse();
            }
            dst.cast::<[u8; N]>().write(bytes);
        }
    }
}

/// Any length, of which each `U` bytes swap; 0 stands for a unit known only at run time.
#[derive(Clone, Copy)]
struct Swapped<const U: usize> {
    run: usize,
    unit: usize,
}

impl<const U: usize> Move for Swapped<U> {
    fn of(plane: &Plane) -> Self {
        Self { run: plane.run, unit: plane.unit }
    }

    #[inline(always)]
    unsafe fn run(self, src: *const u8, dst: *mut u8) {
        let unit = if U == 0 { self.unit } else { U };
        for at in (0..self.run).step_by(unit) {
            for k in 0..unit {
                // SAFETY: the caller's promise; a run has whole units.
                unsafe { *dst.add(at + k) = *src.add(at + unit - 1 - k) }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::marker::PhantomData;

    use super::super::vector::{Sixteen, ThirtyTwo, Vector};
    use super::{Body, LINE, Level, Move, Plane, Swapped, lattice};

    /// The function that moves long runs and swaps.
    pub(super) fn swapped(level: Level) -> Body {
        if level == Level::Avx2 { avx2 } else { ssse3 }
    }

    #[target_feature(enable = "avx2")]
    unsafe fn avx2(plane: &Plane, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise; the instruction set is that of the vector.
        unsafe { lattice::<SwappedBy<ThirtyTwo>>(plane, src, dst) }
    }

    #[target_feature(enable = "ssse3")]
    unsafe fn ssse3(plane: &Plane, src: *const u8, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { lattice::<SwappedBy<Sixteen>>(plane, src, dst) }
    }

    /// Any length, a vector at once.
    #[derive(Clone, Copy)]
    struct SwappedBy<V>(Swapped<0>, PhantomData<V>);

    impl<V: Vector> Move for SwappedBy<V> {
        fn of(plane: &Plane) -> Self {
            Self(Swapped::of(plane), PhantomData)
        }

        #[inline(always)]
        unsafe fn run(self, src: *const u8, dst: *mut u8) {
            let Swapped { run, unit } = self.0;
            // SAFETY: the caller's promise; vectors hold whole units.
            unsafe {
                let mask = V::reversal(unit);
                let mut at = 0;
                while at + V::BYTES <= run {
                    V::load(src.add(at), 16).shuffle(mask).store(dst.add(at));
                    at += V::BYTES;
                }
                let rest = Swapped::<0> { run: run - at, unit };
                rest.run(src.add(at), dst.add(at));
            }
        }
    }

    /// A long run, its whole lines written past the caches.
    #[derive(Clone, Copy)]
    pub(super) struct Streamed(usize);

    impl Move for Streamed {
        fn of(plane: &Plane) -> Self {
            Self(plane.run)
        }

        #[inline(always)]
        unsafe fn run(self, src: *const u8, dst: *mut u8) {
            let head = dst.addr().wrapping_neg() % LINE;
            // SAFETY: the caller's promise; a streamed run is longer than a line, and aligned after its head.
            unsafe {
                std::ptr::copy_nonoverlapping(src, dst, head);
                let mut at = head;
                while at + LINE <= self.0 {
                    for k in (at..at + LINE).step_by(16) {
                        Sixteen::load(src.add(k), 0).stream(dst.add(k));
                    }
                    at += LINE;
                }
                std::ptr::copy_nonoverlapping(src.add(at), dst.add(at), self.0 - at);
            }
        }
    }
}
