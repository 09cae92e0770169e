//! Joining neighbouring ranges of an object into fewer, larger reads.

use std::ops::Range;

/// Two ranges become one read when that is cheaper than a request of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalescing {
    /// At most this many unwanted bytes between two ranges are read with them.
    pub gap_bytes_max: u64,
    /// No joined read is longer.
    pub run_bytes_max: u64,
}

/// Ranges that are read together: items `items` of the list, bytes `bytes` of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Positions in the list of ranges.
    pub items: Range<usize>,
    /// From the first byte of the first range to the last of the last.
    pub bytes: Range<u64>,
}

impl Coalescing {
    /// Nothing is won by reading more than is wanted.
    pub const NONE: Self = Self { gap_bytes_max: 0, run_bytes_max: 0 };
    /// Memory: a copy costs more than a request, so only adjacent ranges are joined.
    pub const MEMORY: Self = Self { gap_bytes_max: 0, run_bytes_max: 1 << 20 };
    /// A local disk: the kernel reads whole pages anyway.
    pub(crate) const LOCAL: Self = Self { gap_bytes_max: 4 << 10, run_bytes_max: 1 << 20 };
    /// An object store: a request costs tens of milliseconds, in which a connection moves a megabyte or more.
    pub const OBJECT_STORE: Self = Self { gap_bytes_max: 1 << 20, run_bytes_max: 16 << 20 };

    /// The runs of `ranges`, which are sorted by their first byte and do not overlap. Together they are at most `room` bytes;
    /// what does not fit is left out at the end.
    pub fn runs(self, ranges: &[Range<u64>], room: u64) -> impl Iterator<Item = Run> {
        let (mut next, mut room) = (0, room);
        std::iter::from_fn(move || {
            let first = ranges.get(next).filter(|r| r.end - r.start <= room)?;
            let (start, mut end) = (first.start, first.end);
            let mut last = next + 1;
            while let Some(range) = ranges.get(last) {
                let joined = range.end - start;
                if range.start - end > self.gap_bytes_max || joined > self.run_bytes_max.min(room) {
                    break;
                }
                (end, last) = (range.end, last + 1);
            }
            room -= end - start;
            let items = std::mem::replace(&mut next, last)..last;
            Some(Run { items, bytes: start..end })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_together() {
        type Expected<'a> = &'a [(Range<usize>, Range<u64>)];
        let check = |gap: u64, max: u64, room: u64, expected: Expected<'_>| {
            let ranges = [0..10, 10..20, 24..30, 100..200, 201..202];
            let coalescing = Coalescing { gap_bytes_max: gap, run_bytes_max: max };
            let runs: Vec<_> = coalescing.runs(&ranges, room).map(|run| (run.items, run.bytes)).collect();
            assert_eq!(runs, expected, "gap {gap}, run {max}, room {room}");
        };
        let each = [(0..1, 0..10), (1..2, 10..20), (2..3, 24..30), (3..4, 100..200), (4..5, 201..202)];
        check(0, 0, 1000, &each);
        check(0, 100, 1000, &[(0..2, 0..20), (2..3, 24..30), (3..4, 100..200), (4..5, 201..202)]);
        check(4, 102, 1000, &[(0..3, 0..30), (3..5, 100..202)]);
        check(70, 1000, 1000, &[(0..5, 0..202)]);
        check(70, 29, 1000, &[(0..2, 0..20), (2..3, 24..30), (3..4, 100..200), (4..5, 201..202)]);
        // Only what fits the room: the rest is for another batch.
        check(4, 1000, 25, &[(0..2, 0..20)]);
        check(4, 1000, 26, &[(0..2, 0..20), (2..3, 24..30)]);
        check(4, 1000, 5, &[]);
    }
}
