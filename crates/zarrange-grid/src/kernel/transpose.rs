//! Crossed planes by vectors: `across` is contiguous in the source, `inner` in the destination.
//!
//! The source is walked in strips of one cache line, each down the rows (`inner`), and within a strip in squares of one
//! line by one line, so that every line fetched and every line written is used whole. A square is made of tiles: 16
//! bytes of as many rows are loaded, transposed within registers, and stored as parts of lines of the destination.
//! At the edges a tile overlaps the one before it: an element may be written twice, with the same bytes.

#![cfg_attr(
    target_arch = "x86_64",
    expect(clippy::inline_always, reason = "vector code is compiled for the instruction set of its caller")
)]

#[cfg(not(target_arch = "x86_64"))]
pub(super) use elsewhere::body;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::body;

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    use super::super::plane::Plane;
    use super::super::vector::{Body, Level};

    /// Nothing: plain code moves every plane.
    pub(in super::super) const fn body(_: Level, _: &Plane) -> Option<Body> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::ops::Range;

    use super::super::plane::{LINE, Plane};
    use super::super::vector::{Body, Level, Sixteen, ThirtyTwo, Vector, prefetch};

    /// How many rows later, at least.
    const AHEAD: usize = 16;

    /// The function that transposes `plane`, if one does.
    pub(in super::super) fn body(level: Level, plane: &Plane) -> Option<Body> {
        let n = plane.run;
        let contiguous = plane.crossed && plane.across.src == n && plane.inner.dst == n;
        if !contiguous || !matches!(n, 1 | 2 | 4 | 8 | 16) || plane.across.len < 16 / n {
            return None;
        }
        if n == 16 && plane.unit == 1 && !plane.stream {
            return None; // Nothing to do within a vector: plain moves.
        }
        let rows = plane.inner.len;
        match level {
            Level::Avx2 if rows >= 32 / n => Some(wide(n, plane.unit > 1)),
            Level::Avx2 | Level::Ssse3 if rows >= 16 / n => Some(narrow(n, plane.unit > 1)),
            _ => None,
        }
    }

    fn wide(item: usize, swap: bool) -> Body {
        match (item, swap) {
            (1, _) => avx2::<1, 16, false>,
            (2, false) => avx2::<2, 8, false>,
            (2, true) => avx2::<2, 8, true>,
            (4, false) => avx2::<4, 4, false>,
            (4, true) => avx2::<4, 4, true>,
            (8, false) => avx2::<8, 2, false>,
            (8, true) => avx2::<8, 2, true>,
            (_, false) => avx2::<16, 1, false>,
            (_, true) => avx2::<16, 1, true>,
        }
    }

    fn narrow(item: usize, swap: bool) -> Body {
        match (item, swap) {
            (1, _) => ssse3::<1, 16, false>,
            (2, false) => ssse3::<2, 8, false>,
            (2, true) => ssse3::<2, 8, true>,
            (4, false) => ssse3::<4, 4, false>,
            (4, true) => ssse3::<4, 4, true>,
            (8, false) => ssse3::<8, 2, false>,
            (8, true) => ssse3::<8, 2, true>,
            (_, false) => ssse3::<16, 1, false>,
            (_, true) => ssse3::<16, 1, true>,
        }
    }

    #[target_feature(enable = "avx2")]
    unsafe fn avx2<const N: usize, const C: usize, const SWAP: bool>(
        plane: &Plane,
        src: *const u8,
        dst: *mut u8,
    ) {
        // SAFETY: the caller's promise; the instruction set is that of the vector.
        unsafe { strips::<ThirtyTwo, N, C, SWAP>(plane, src, dst) }
    }

    #[target_feature(enable = "ssse3")]
    unsafe fn ssse3<const N: usize, const C: usize, const SWAP: bool>(
        plane: &Plane,
        src: *const u8,
        dst: *mut u8,
    ) {
        // SAFETY: as above.
        unsafe { strips::<Sixteen, N, C, SWAP>(plane, src, dst) }
    }

    /// Walks a plane of elements of `N` bytes, `C` of them in 16 bytes, in strips of one line of the source.
    #[inline(always)]
    unsafe fn strips<V: Vector, const N: usize, const C: usize, const SWAP: bool>(
        plane: &Plane,
        src: *const u8,
        dst: *mut u8,
    ) {
        // Strips end where lines do, if elements do not straddle them.
        let mut end = (LINE - src.addr() % LINE).div_ceil(N);
        let mut start = 0;
        while start < plane.across.len {
            end = end.min(plane.across.len);
            // SAFETY: the strip is within the axis.
            unsafe { strip::<V, N, C, SWAP>(plane, start..end, src, dst) }
            (start, end) = (end, end + LINE / N);
        }
    }

    /// Walks one strip, the elements `columns` of `across`, down the rows.
    #[inline(always)]
    unsafe fn strip<V: Vector, const N: usize, const C: usize, const SWAP: bool>(
        plane: &Plane,
        columns: Range<usize>,
        src: *const u8,
        dst: *mut u8,
    ) {
        let (rows, height) = (plane.inner.len, V::LANES * C);
        let stream = plane.stream && dst.addr().is_multiple_of(N);
        let mut end = (LINE - dst.addr() % LINE).div_ceil(N).min(rows);
        let mut start = 0;
        while start < rows {
            if plane.prefetch {
                ask(plane, start..end, columns.start * N..columns.end * N, src);
            }
            let whole = stream && end - start == LINE / N;
            for column in columns.clone().step_by(C) {
                let column = column.min(plane.across.len - C);
                for row in (start..end).step_by(height) {
                    let row = row.min(rows - height);
                    // SAFETY: the tile is within the plane, which has at least its rows and columns; whole lines of
                    // the destination are as aligned as the vectors in them.
                    unsafe {
                        let src = src.add(row * plane.inner.src + column * N);
                        let dst = dst.add(column * plane.across.dst + row * N);
                        tile::<V, N, C, SWAP>(plane, whole, src, dst);
                    }
                }
            }
            (start, end) = (end, (end + LINE / N).min(rows));
        }
    }

    /// Asks for the lines of the next strip, and in the first strip for those of later rows.
    #[inline(always)]
    fn ask(plane: &Plane, rows: Range<usize>, strip: Range<usize>, src: *const u8) {
        for row in rows {
            let line = src.wrapping_add(row * plane.inner.src);
            if strip.end < plane.across.len * plane.run {
                prefetch(line.wrapping_add(strip.end));
            }
            if strip.start == 0 {
                prefetch(line.wrapping_add((LINE / plane.run).max(AHEAD) * plane.inner.src));
            }
        }
    }

    /// Transposes `C` columns of `LANES * C` rows.
    #[inline(always)]
    unsafe fn tile<V: Vector, const N: usize, const C: usize, const SWAP: bool>(
        plane: &Plane,
        stream: bool,
        src: *const u8,
        dst: *mut u8,
    ) {
        // SAFETY: the caller's promise: every row has 16 bytes, every column a vector.
        unsafe {
            let step = plane.inner.src;
            let mut tile = [V::load(src, C * step); C];
            for (k, v) in tile.iter_mut().enumerate().skip(1) {
                *v = V::load(src.add(k * step), C * step);
            }
            if SWAP {
                let mask = V::reversal(plane.unit);
                for v in &mut tile {
                    *v = v.shuffle(mask);
                }
            }
            // As shuffling a deck of cards: each round halves the distance between elements of one column.
            let mut apart = C;
            while apart > 1 {
                let before = tile;
                for k in 0..C / 2 {
                    (tile[2 * k], tile[2 * k + 1]) = before[k].interleave::<N>(before[k + C / 2]);
                }
                apart /= 2;
            }
            for (k, v) in tile.into_iter().enumerate() {
                let dst = dst.add(k * plane.across.dst);
                if stream { v.stream(dst) } else { v.store(dst) }
            }
        }
    }
}
