//! Chunks of different lengths along one dimension.

use crate::error::GridError;

/// The chunks along a dimension where not all have one length, as runs of equal ones: 10^12 equal chunks take no more room than two.
/// Chunks that begin beyond the array are none; the last one may reach beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    extent: u64,
    runs: Vec<Run>,
    count: u64,
    largest: u64,
}

/// Chunks of one length that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Index of the first.
    first: u64,
    /// Where it begins, in elements.
    start: u64,
    length: u64,
    count: u64,
}

impl Run {
    const fn end(&self) -> u64 {
        self.start + self.length * self.count
    }
}

impl Edges {
    /// Chunks of the given lengths (elements, and how many such chunks follow each other) along a dimension of `extent` elements.
    ///
    /// # Errors
    /// [`GridError`] if a length or count is zero, their sum is less than `extent`, or an end overflows.
    pub fn new(extent: u64, lengths: impl IntoIterator<Item = (u64, u64)>) -> Result<Self, GridError> {
        let mut edges = Self { extent, runs: Vec::new(), count: 0, largest: 0 };
        let (mut end, mut longest) = (0u64, 0);
        for (length, count) in lengths {
            if length == 0 || count == 0 {
                return Err(GridError::ZeroEdge { length, count });
            }
            longest = longest.max(length);
            if end < extent {
                let count = count.min((extent - end).div_ceil(length));
                edges.push(end, length, count);
                end = length.checked_mul(count).and_then(|run| end.checked_add(run)).unwrap_or(u64::MAX);
            }
        }
        if end < extent {
            return Err(GridError::ShortEdges { extent, end });
        }
        if i64::try_from(end).is_err() {
            return Err(GridError::Overflow(vec![end]));
        }
        edges.largest = edges.runs.iter().map(|run| run.length).max().unwrap_or(longest.max(1));
        Ok(edges)
    }

    /// Adds a run, to the one before where that has the same length.
    fn push(&mut self, start: u64, length: u64, count: u64) {
        match self.runs.last_mut() {
            Some(last) if last.length == length => last.count += count,
            _ => self.runs.push(Run { first: self.count, start, length, count }),
        }
        self.count += count;
    }

    /// Number of chunks.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Elements of the longest chunk.
    pub const fn largest(&self) -> u64 {
        self.largest
    }

    /// Where the last chunk ends, in elements.
    pub fn end(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    /// Whether all chunks have one length.
    pub(crate) const fn is_uniform(&self) -> bool {
        self.runs.len() <= 1
    }

    /// The lengths of all chunks, and how many of each follow each other.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.runs.iter().map(|run| (run.length, run.count))
    }

    /// First element and elements of chunk `index`, also those beyond the array.
    pub(crate) fn span(&self, index: u64) -> (u64, u64) {
        let run = self.runs.partition_point(|run| run.first <= index).saturating_sub(1);
        let Run { first, start, length, .. } = self.runs[run];
        (start + (index - first) * length, length)
    }

    /// The chunk that holds element `at`, which is inside the array.
    pub(crate) fn chunk_of(&self, at: u64) -> u64 {
        let run = self.runs.partition_point(|run| run.start <= at).saturating_sub(1);
        self.runs.get(run).map_or(0, |run| run.first + (at - run.start) / run.length)
    }

    /// Pairs of a chunk and a tile of `tile` elements (the tiles follow each other from 0 on) that overlap; and the elements of the
    /// whole chunks of all pairs.
    pub fn overlaps(&self, tile: u64) -> (u64, u64) {
        let of_run = |run: &Run| {
            let pairs = run.count.saturating_add(cuts(run, tile, self.extent));
            (pairs, pairs.saturating_mul(run.length))
        };
        self.runs
            .iter()
            .map(of_run)
            .fold((0, 0), |(pairs, elements), (p, e)| (pairs.saturating_add(p), elements.saturating_add(e)))
    }
}

/// Ends of tiles that lie inside chunks of a run, not between two of them.
fn cuts(run: &Run, tile: u64, extent: u64) -> u64 {
    let end = run.end().min(extent);
    let inside = (end - 1) / tile - run.start / tile;
    inside - aligned(run, tile)
}

/// Chunks of a run, but for the first, that begin where a tile does: those `j` from 1 on for which `tile` divides `start + j * length`.
fn aligned(run: &Run, tile: u64) -> u64 {
    let (common, inverse) = bezout(run.length, tile);
    if !run.start.is_multiple_of(common) {
        return 0;
    }
    // One in so many chunks, the first of them being number `first`.
    let period = i128::from(tile / common);
    let first = match (-i128::from(run.start / common) * inverse).rem_euclid(period) {
        0 => period,
        first => first,
    };
    let behind = i128::from(run.count) - 1 - first;
    if behind < 0 { 0 } else { u64::try_from(behind / period + 1).unwrap_or(u64::MAX) }
}

/// The greatest common divisor of `length` and `tile`, and what `length` is multiplied with to give it, modulo `tile`.
fn bezout(length: u64, tile: u64) -> (u64, i128) {
    let (mut rest, mut factor) = ((i128::from(length), i128::from(tile)), (1, 0));
    while rest.1 != 0 {
        let times = rest.0 / rest.1;
        rest = (rest.1, rest.0 - times * rest.1);
        factor = (factor.1, factor.0 - times * factor.1);
    }
    (u64::try_from(rest.0).unwrap_or(1), factor.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_and_cut_to_the_array() {
        let check = |extent: u64, lengths: &[(u64, u64)], expected: Result<&[(u64, u64)], GridError>| {
            let edges = Edges::new(extent, lengths.iter().copied());
            assert_eq!(
                edges.map(|e| e.runs().collect::<Vec<_>>()),
                expected.map(<[_]>::to_vec),
                "{lengths:?}"
            );
        };
        check(10, &[(4, 1), (4, 1), (2, 1)], Ok(&[(4, 2), (2, 1)]));
        check(10, &[(4, 1), (4, 1), (4, 1)], Ok(&[(4, 3)]));
        check(10, &[(3, 2), (9, 1), (5, 4)], Ok(&[(3, 2), (9, 1)]));
        check(1 << 60, &[(1, u64::MAX)], Ok(&[(1, 1 << 60)]));
        check(0, &[(4, 2)], Ok(&[]));
        check(0, &[], Ok(&[]));
        check(10, &[(4, 2)], Err(GridError::ShortEdges { extent: 10, end: 8 }));
        check(10, &[(0, 2), (10, 1)], Err(GridError::ZeroEdge { length: 0, count: 2 }));
        check(10, &[(1, 0), (10, 1)], Err(GridError::ZeroEdge { length: 1, count: 0 }));
        check(10, &[(u64::MAX, 1)], Err(GridError::Overflow(vec![u64::MAX])));
        check(10, &[(1, 1), (u64::MAX, 1)], Err(GridError::Overflow(vec![u64::MAX])));
    }

    /// Against lists of all chunks and tiles.
    #[test]
    fn spans_and_overlaps_are_those_of_a_list() {
        let check = |extent: u64, lengths: &[(u64, u64)]| {
            let edges = Edges::new(extent, lengths.iter().copied()).unwrap();
            let mut spans: Vec<(u64, u64)> = Vec::new();
            for (length, count) in lengths {
                for _ in 0..*count {
                    let start = spans.last().map_or(0, |(start, length)| start + length);
                    spans.push((start, *length));
                }
            }
            spans.retain(|(start, _)| *start < extent);
            assert_eq!((0..edges.count()).map(|k| edges.span(k)).collect::<Vec<_>>(), spans);
            for at in 0..extent {
                let (start, length) = edges.span(edges.chunk_of(at));
                assert!(start <= at && at < start + length, "{at} in {lengths:?}");
            }
            for tile in 1..=extent + 3 {
                let pairs = |(start, length): &(u64, u64)| {
                    let last = (start + length).min(extent) - 1;
                    let pairs = last / tile - start / tile + 1;
                    (pairs, pairs * length)
                };
                let expected = spans.iter().map(pairs).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
                assert_eq!(edges.overlaps(tile), expected, "{extent} {lengths:?} in tiles of {tile}");
            }
        };
        for extent in [1, 2, 7, 24, 31, 60] {
            check(extent, &[(4, 15)]);
            check(extent, &[(1, 3), (6, 4), (4, 4), (9, 20)]);
            check(extent, &[(3, 1), (1, 1), (2, 9), (10, 2), (5, 7)]);
            check(extent, &[(7, 1), (6, 9), (100, 1)]);
        }
    }
}
