//! Every copy, at every level this processor has, against one element at a time.

use proptest::prelude::*;

use super::{Level, run_within};
use crate::index;
use crate::reduced::Reduced;

/// A strided array: bytes from one element to the next in each dimension, from `start`.
#[derive(Clone, Debug)]
struct Strided {
    start: usize,
    strides: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Case {
    shape: Vec<u64>,
    src: Strided,
    dst: Strided,
    item: usize,
    unit: usize,
}

impl Strided {
    /// Axes in `order`, outermost first, with `gaps` bytes after each of their steps.
    fn new(start: usize, shape: &[u64], order: &[usize], gaps: &[u64], item: usize) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut step = item as u64;
        for axis in order.iter().rev() {
            strides[*axis] = step + gaps[*axis];
            step = strides[*axis] * shape[*axis].max(1);
        }
        Self { start, strides }
    }

    fn offset(&self, at: &[u64]) -> usize {
        self.start + index(at.iter().zip(&self.strides).map(|(k, s)| k * s).sum())
    }

    fn bytes(&self, shape: &[u64], item: usize) -> usize {
        let last: Vec<u64> = shape.iter().map(|n| n.saturating_sub(1)).collect();
        self.offset(&last) + item
    }
}

fn check(case: &Case) {
    let Case { shape, src: from, dst: to, item, unit } = case;
    // No period that a stride could have, so that no two elements near each other are the same.
    let src: Vec<u8> = (0..from.bytes(shape, *item) as u64)
        .map(|k| (k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 37).to_le_bytes()[0])
        .collect();
    let mut expected = vec![0xEE; to.bytes(shape, *item)];
    let whole = crate::Region::whole(shape);
    for at in (0..whole.elements()).map(|k| whole.unravel(k)) {
        let (src, dst) = (&src[from.offset(&at)..][..*item], &mut expected[to.offset(&at)..][..*item]);
        for (src, dst) in src.chunks(*unit).zip(dst.chunks_mut(*unit)) {
            dst.copy_from_slice(src);
            dst.reverse();
            if *unit == 1 {
                dst.copy_from_slice(src);
            }
        }
    }
    let copy = Reduced { unit: *unit, ..Reduced::new(shape, &from.strides, &to.strides, *item) };
    for level in Level::all() {
        let mut dst = vec![0xEE; expected.len()];
        run_within(level, &copy, &src[from.start..], &mut dst[to.start..]);
        let wrong = (0..dst.len()).find(|k| dst[*k] != expected[*k]);
        assert_eq!(wrong, None, "{level:?}, first wrong byte, of {case:?}");
    }
}

/// A matrix of `shape`, contiguous along the last axis in the source and along the first in the destination.
fn transpose(shape: [u64; 2], item: usize, unit: usize, (src_gap, dst_gap): (u64, u64)) -> Case {
    let src = Strided::new(3, &shape, &[0, 1], &[src_gap, 0], item);
    let dst = Strided::new(5, &shape, &[1, 0], &[0, dst_gap], item);
    Case { shape: shape.into(), src, dst, item, unit }
}

/// Sizes of elements and the units that swap in them.
const ITEMS: [(usize, usize); 24] = [
    (1, 1),
    (2, 1),
    (2, 2),
    (3, 1),
    (3, 3),
    (4, 1),
    (4, 2),
    (4, 4),
    (5, 1),
    (6, 1),
    (6, 2),
    (7, 1),
    (8, 1),
    (8, 4),
    (8, 8),
    (12, 4),
    (16, 1),
    (16, 4),
    (16, 8),
    (16, 16),
    (24, 1),
    (24, 8),
    (40, 4),
    (64, 1),
];

/// Both axes from less than one vector to several, with every remainder.
#[test]
fn edges_around_vectors_and_lines() {
    let most = if cfg!(miri) { 5 } else { 40 };
    for (item, unit) in ITEMS {
        for rows in 1..=most {
            for columns in 1..=most {
                check(&transpose([rows, columns], item, unit, (0, 0)));
            }
        }
        for (rows, columns) in [(70, 17), (17, 70), (65, 130), (129, 64)] {
            check(&transpose([rows, columns], item, unit, (1, 7)));
        }
    }
}

/// More rows than a block, rows that collide in the cache, a source that is asked for ahead.
#[test]
#[cfg_attr(miri, ignore = "too large")]
fn large_planes() {
    for (item, unit) in [(1, 1), (2, 2), (4, 1), (8, 1), (8, 8), (16, 1), (16, 8), (24, 1)] {
        let columns = 20_u64;
        let collide = 4096 - columns * item as u64;
        for (rows, gap) in [(1024, 1000), (1031, 1001), (2100, 8), (300, collide), (512, collide)] {
            check(&transpose([rows, columns], item, unit, (gap, 0)));
        }
        let shape = [1100, 3, 7];
        let src = Strided::new(0, &shape, &[0, 1, 2], &[900, 8, 0], item);
        let dst = Strided::new(1, &shape, &[1, 2, 0], &[0, 0, 0], item);
        check(&Case { shape: shape.into(), src, dst, item, unit });
    }
}

/// Destinations so large that they are written past the caches, aligned and not.
#[test]
#[cfg_attr(miri, ignore = "too large")]
fn streamed_planes() {
    let gap = 2 << 20;
    for (item, unit) in [(1, 1), (2, 1), (4, 4), (8, 1), (8, 8), (16, 1)] {
        for (start, rows, dst_gap) in [(0, 200, 0), (8, 131, 0), (1, 200, 0), (16, 200, 32), (0, 5, 0)] {
            let shape = [rows, 17];
            let src = Strided::new(0, &shape, &[0, 1], &[0, 0], item);
            let mut dst = Strided::new(start, &shape, &[1, 0], &[0, 0], item);
            dst.strides[1] = gap + dst_gap;
            check(&Case { shape: shape.into(), src, dst, item, unit });
        }
    }
    for (start, run) in [(0, 256), (1, 1000), (63, 319), (64, 300), (5, 30)] {
        let shape = [17, run];
        let src = Strided::new(2, &shape, &[0, 1], &[1, 0], 1);
        let dst = Strided { start, strides: vec![gap, 1] };
        check(&Case { shape: shape.into(), src, dst, item: 1, unit: 1 });
    }
}

/// Runs of every length, copied and swapped.
#[test]
fn runs() {
    for run in 0..if cfg!(miri) { 40 } else { 300 } {
        for unit in [1, 2, 4, 8] {
            let shape = [3, run];
            let src = Strided::new(1, &shape, &[0, 1], &[5, 0], unit);
            let dst = Strided::new(2, &shape, &[0, 1], &[9, 0], unit);
            check(&Case { shape: shape.into(), src, dst, item: unit, unit });
        }
    }
}

/// One element to every point, as fill values are.
#[test]
fn strides_of_zero() {
    for item in [1, 2, 3, 8, 12, 16] {
        for (shape, gap) in [([4, 1], 0), ([3, 50], 4), ([5, 7], 0), ([1, 300], 0)] {
            let dst = Strided::new(1, &shape, &[0, 1], &[gap, 0], item);
            let src = Strided { start: 2, strides: vec![0, 0] };
            check(&Case { shape: shape.into(), src, dst, item, unit: 1 });
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    let orders = |rank: usize| Just((0..rank).collect::<Vec<_>>()).prop_shuffle();
    let gaps =
        |rank: usize| prop::collection::vec(prop_oneof![3 => Just(0), 1 => 1_u64..20, 1 => Just(64)], rank);
    (1_usize..6, prop::sample::select(&ITEMS[..]), (0_usize..70, 0_usize..70)).prop_flat_map(
        move |(rank, (item, unit), starts)| {
            let most = [0_u64, 3000, 70, 20, 9, 6][rank];
            let shape = prop::collection::vec(0..most, rank);
            (shape, orders(rank), orders(rank), gaps(rank), gaps(rank)).prop_map(
                move |(shape, s, d, sg, dg)| Case {
                    src: Strided::new(starts.0, &shape, &s, &sg, item),
                    dst: Strided::new(starts.1, &shape, &d, &dg, item),
                    shape,
                    item,
                    unit,
                },
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 30 } else { 500 }))]

    /// Any shape, order of axes, gaps, element and alignment.
    #[test]
    fn any_copy(case in case()) {
        check(&case);
    }
}
