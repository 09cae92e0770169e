//! What is picked along the axes of an array, and where that lies in chunks.

use std::ops::Range;

use zarrange_grid::{ChunkGrid, Dims, Region};

/// Of one axis: something inside a chunk or region, and among all that is picked.
type Pair = (u64, u64);

/// What of a dimension is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Picked<'a> {
    /// All of it, in its order.
    #[default]
    All,
    /// Some that follow each other.
    Range(Range<u64>),
    /// Some, by their numbers, in any order.
    List(&'a [u64]),
}

impl Picked<'_> {
    /// What is picked of an axis that is `size` long.
    pub(super) fn of(&self, size: u64) -> Picks {
        match self {
            Self::All => Picks::Range(0..size),
            Self::Range(range) => Picks::Range(range.clone()),
            Self::List(list) => Picks::list(list),
        }
    }

    /// The numbers that are meant of `size`.
    pub(super) fn numbers(&self, size: u64) -> Vec<u64> {
        match self {
            Self::All => (0..size).collect(),
            Self::Range(range) => range.clone().collect(),
            Self::List(list) => list.to_vec(),
        }
    }
}

/// What of an axis is picked.
#[derive(Clone, Debug)]
pub(super) enum Picks {
    /// One after the other.
    Range(Range<u64>),
    /// In any order, each with its place in that order; by index.
    List(Vec<Pair>),
}

impl Picks {
    /// Those of a list.
    pub(super) fn list(list: &[u64]) -> Self {
        let mut sorted: Vec<Pair> = list.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        Self::List(sorted)
    }

    /// Whether one is picked twice.
    pub(super) fn repeats(&self) -> bool {
        match self {
            Self::Range(_) => false,
            Self::List(sorted) => sorted.windows(2).any(|w| w[0].0 == w[1].0),
        }
    }

    /// The last of them.
    pub(super) fn last(&self) -> Option<u64> {
        match self {
            Self::Range(range) => range.end.checked_sub(1).filter(|_| !range.is_empty()),
            Self::List(sorted) => sorted.last().map(|(at, _)| *at),
        }
    }

    /// All of it, if it is one after the other.
    pub(super) fn range(&self) -> Option<Range<u64>> {
        match self {
            Self::Range(range) => Some(range.clone()),
            Self::List(_) => None,
        }
    }

    /// How many.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Range(range) => range.end.saturating_sub(range.start),
            Self::List(sorted) => sorted.len() as u64,
        }
    }

    /// Chunks of axis `d` that hold some.
    fn chunks(&self, grid: &ChunkGrid, d: usize) -> Vec<u64> {
        match self {
            Self::Range(range) if range.is_empty() => Vec::new(),
            Self::Range(range) => {
                (grid.chunk_at(d, range.start).0..=grid.chunk_at(d, range.end - 1).0).collect()
            }
            Self::List(sorted) => {
                let mut chunks: Vec<u64> = sorted.iter().map(|(at, _)| grid.chunk_at(d, *at).0).collect();
                chunks.dedup();
                chunks
            }
        }
    }

    /// Those from `start` to before `end`: each, and its place among all.
    fn within(&self, start: u64, end: u64) -> Vec<Pair> {
        match self {
            Self::Range(range) => {
                (range.start.max(start)..range.end.min(end)).map(|at| (at, at - range.start)).collect()
            }
            Self::List(sorted) => {
                let first = sorted.partition_point(|(at, _)| *at < start);
                sorted[first..].iter().take_while(|(at, _)| *at < end).copied().collect()
            }
        }
    }
}

/// The chunks of `grid` that hold what is picked, in C order.
pub(super) fn chunks(grid: &ChunkGrid, picks: &[Picks]) -> Vec<Dims> {
    let mut out = vec![Dims::new()];
    for (d, picks) in picks.iter().enumerate() {
        let along = picks.chunks(grid, d);
        let longer = |begun: &Dims| {
            let begun = begun.clone();
            along.iter().map(move |chunk| begun.iter().copied().chain([*chunk]).collect()).collect::<Vec<_>>()
        };
        out = out.iter().flat_map(longer).collect();
    }
    out
}

/// The smallest region that holds what is picked within `region`; `None` if nothing is.
pub(super) fn hull(picks: &[Picks], region: &Region) -> Option<Region> {
    let (mut start, mut shape) = (Dims::new(), Dims::new());
    for (d, picks) in picks.iter().enumerate() {
        let within = picks.within(region.start()[d], region.end(d));
        let (first, last) = (within.first()?.0, within.last()?.0);
        start.push(first);
        shape.push(last - first + 1);
    }
    Some(Region::new(start, shape))
}

/// Elements of `region` that are picked, as runs: calls `each` with where a run begins in the region (in C order), where among all that is
/// picked, and its length.
///
/// # Errors
/// The first of `each`.
pub(super) fn runs<E>(
    picks: &[Picks],
    region: &Region,
    each: &mut dyn FnMut(u64, u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    let rank = picks.len();
    let mut strides = vec![(1, 1); rank];
    for d in (0..rank.saturating_sub(1)).rev() {
        let (inside, among) = strides[d + 1];
        strides[d] = (inside * region.shape()[d + 1], among * picks[d + 1].len());
    }
    let within = |d: usize| {
        let start = region.start()[d];
        let mut pairs = picks[d].within(start, region.end(d));
        for (at, _) in &mut pairs {
            *at -= start;
        }
        pairs
    };
    let mut pairs: Vec<Vec<Pair>> = (0..rank).map(within).collect();
    if pairs.iter().any(Vec::is_empty) {
        return Ok(());
    }
    // Trailing axes whose elements follow each other on both sides are one run.
    let (mut run, mut begin) = (1, (0, 0));
    while let Some(last) = pairs.last() {
        let d = pairs.len() - 1;
        let follows = |w: &[(u64, u64)]| w[1].0 == w[0].0 + 1 && w[1].1 == w[0].1 + 1;
        if !last.windows(2).all(follows) {
            break;
        }
        let length = last.len() as u64;
        run *= length;
        begin = (begin.0 + last[0].0 * strides[d].0, begin.1 + last[0].1 * strides[d].1);
        pairs.pop();
        if length != region.shape()[d] || length != picks[d].len() {
            break;
        }
    }
    walk((&pairs, &strides), begin, &mut |inside, among| each(inside, among, run))
}

/// Calls `each` with the sums of offsets of all combinations of `pairs`.
fn walk<E>(
    (pairs, strides): (&[Vec<Pair>], &[Pair]),
    (inside, among): (u64, u64),
    each: &mut dyn FnMut(u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    let Some((first, pairs)) = pairs.split_first() else { return each(inside, among) };
    let (stride, strides) = (strides[0], &strides[1..]);
    for (at, place) in first {
        walk((pairs, strides), (inside + at * stride.0, among + place * stride.1), each)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_is_picked() {
        let check = |picks: &[Picks], region: &Region, expected: &[(u64, u64, u64)]| {
            let mut found = Vec::new();
            let noted = runs(picks, region, &mut |inside, among, run| {
                found.push((inside, among, run));
                Ok::<(), ()>(())
            });
            assert_eq!((noted, &found[..]), (Ok(()), expected), "{picks:?} {region:?}");
        };
        let region = Region::new(&[10, 0, 20][..], &[3, 1, 4][..]);
        let one = || Picks::Range(0..1);
        // All of it.
        check(&[Picks::Range(10..13), one(), Picks::Range(20..24)], &region, &[(0, 0, 12)]);
        // Some of the rows, in another order.
        check(&[Picks::list(&[12, 3, 10]), one(), Picks::Range(20..24)], &region, &[(0, 8, 4), (8, 0, 4)]);
        // A part of each row.
        check(&[Picks::Range(11..13), one(), Picks::Range(19..22)], &region, &[(4, 1, 2), (8, 4, 2)]);
        // Elements apart, and one twice.
        check(
            &[Picks::Range(10..11), one(), Picks::list(&[23, 21, 21])],
            &region,
            &[(1, 1, 1), (1, 2, 1), (3, 0, 1)],
        );
        check(&[Picks::Range(0..5), one(), Picks::Range(20..24)], &region, &[]);
    }
}
