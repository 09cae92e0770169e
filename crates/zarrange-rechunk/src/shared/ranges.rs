//! Sets of numbers that mostly follow each other.

use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers, as ranges that neither overlap nor touch: begins, each with its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    /// Adds a range; how many of its numbers are new.
    pub(super) fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let new = range.end - range.start - self.count(&range);
        let Range { mut start, mut end } = range;
        // From behind, whatever overlaps or touches.
        while let Some((&begin, &behind)) =
            self.0.range(..=end).next_back().filter(|(_, behind)| **behind >= start)
        {
            self.0.remove(&begin);
            (start, end) = (start.min(begin), end.max(behind));
        }
        self.0.insert(start, end);
        new
    }

    /// How many of `within` are in it.
    pub(super) fn count(&self, within: &Range<u64>) -> u64 {
        self.overlapping(within).map(|range| range.end - range.start).sum()
    }

    /// What of `within` is not in it.
    pub(super) fn gaps<'a>(&'a self, within: &Range<u64>) -> impl Iterator<Item = Range<u64>> + 'a {
        let (mut at, end) = (within.start, within.end);
        let ends = std::iter::once(end..end);
        self.overlapping(within).chain(ends).filter_map(move |range| {
            let gap = at..range.start;
            at = range.end;
            (!gap.is_empty()).then_some(gap)
        })
    }

    /// The parts of its ranges that are in `within`, in order.
    fn overlapping<'a>(&'a self, within: &Range<u64>) -> impl Iterator<Item = Range<u64>> + 'a {
        let (start, end) = (within.start, within.end);
        let first = self.0.range(..=start).next_back().map_or(start, |(begin, _)| *begin);
        let ranges = self
            .0
            .range(first..end.max(first))
            .map(move |(begin, behind)| (*begin).max(start)..(*behind).min(end));
        ranges.filter(|range| !range.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_sets(added in prop::collection::vec((0_u64..40, 0_u64..9), 0..20), within in (0_u64..50, 0_u64..50)) {
            let (mut ranges, mut numbers) = (Ranges::default(), BTreeSet::new());
            for (start, length) in added {
                let before = numbers.len();
                numbers.extend(start..start + length);
                prop_assert_eq!(ranges.insert(start..start + length), (numbers.len() - before) as u64);
            }
            for number in 0..60 {
                prop_assert_eq!(ranges.contains(number), numbers.contains(&number));
            }
            let within = within.0..within.1;
            prop_assert_eq!(ranges.count(&within), within.clone().filter(|n| numbers.contains(n)).count() as u64);
            let gaps: Vec<u64> = ranges.gaps(&within).flatten().collect();
            let missing: Vec<u64> = within.filter(|n| !numbers.contains(n)).collect();
            prop_assert_eq!(gaps, missing);
            // None of them touch.
            let pairs: Vec<_> = ranges.0.iter().collect();
            prop_assert!(pairs.windows(2).all(|two| two[0].1 < two[1].0));
        }
    }
}
