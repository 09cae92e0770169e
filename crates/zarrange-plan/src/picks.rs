//! What an access reads of an array, and how many of its chunks hold that.
//!
//! Along each dimension an access reads everything, or so many indices: neighbouring ones, which begin anywhere with the same
//! probability, or scattered ones, of which every choice has the same probability. What is expected is exact, the last chunk of a dimension
//! being as long as it is. Dimensions are independent of each other, so numbers of chunks are multiplied.
#![expect(clippy::cast_precision_loss, reason = "what is expected is a real number")]

use serde::Serialize;

use crate::error::MixError;

/// Indices of a dimension that an access reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pick {
    /// The dimension.
    pub axis: usize,
    /// How many.
    pub count: u64,
    /// Whether they are anywhere, instead of next to each other.
    pub scattered: bool,
}

/// What is read or written at once: so many indices of some dimensions, and all of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    picks: Vec<Pick>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    writes: bool,
}

/// The chunks that hold what an access reads along one dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    /// How many are expected.
    pub(crate) chunks: f64,
    /// From the first to the last element that is read of one of them, on average, less one.
    pub(crate) span: f64,
}

/// One index of a dimension.
impl From<usize> for Access {
    fn from(axis: usize) -> Self {
        Self { picks: vec![Pick::one(axis)], writes: false }
    }
}

impl Access {
    /// These indices, and all of every other dimension.
    ///
    /// # Errors
    /// [`MixError`] if there are none, a dimension is there twice, or no index of one is read.
    pub fn new(mut picks: Vec<Pick>) -> Result<Self, MixError> {
        picks.sort_unstable_by_key(|pick| pick.axis);
        if picks.is_empty() {
            return Err(MixError::Empty);
        }
        if let Some(twice) = picks.windows(2).find(|pair| pair[0].axis == pair[1].axis) {
            return Err(MixError::Twice { axis: twice[0].axis });
        }
        for pick in &mut picks {
            if pick.count == 0 {
                return Err(MixError::Count { axis: pick.axis, count: 0 });
            }
            // One is next to itself.
            pick.scattered &= pick.count > 1;
        }
        Ok(Self { picks, writes: false })
    }

    /// The same, written: where something is there already, behind all that has been written before.
    #[must_use]
    pub fn written(self) -> Self {
        Self { writes: true, ..self }
    }

    /// Whether it writes.
    pub const fn writes(&self) -> bool {
        self.writes
    }

    /// What it picks, by dimension.
    pub fn picks(&self) -> &[Pick] {
        &self.picks
    }

    /// Whether an array of this shape has what it picks. An array without elements has nothing, and is no worse for that.
    pub(crate) fn check(&self, shape: &[u64]) -> Result<(), MixError> {
        let empty = shape.contains(&0);
        for Pick { axis, count, .. } in &self.picks {
            let size = *shape.get(*axis).ok_or(MixError::Axis { axis: *axis, rank: shape.len() })?;
            if *count > size && !empty {
                return Err(MixError::Count { axis: *axis, count: *count });
            }
        }
        Ok(())
    }
}

impl Pick {
    /// One index.
    pub const fn one(axis: usize) -> Self {
        Self { axis, count: 1, scattered: false }
    }

    /// The chunks of length `chunk`, of a dimension of `n`, that hold it.
    fn held(self, n: u64, chunk: u64) -> Held {
        match (self.count.min(n), self.scattered) {
            (0 | 1, _) => Held { chunks: 1.0, span: 0.0 },
            (count, false) => {
                let chunks = of_run(n, chunk, count);
                // Together they span what is read.
                Held { chunks, span: count as f64 / chunks - 1.0 }
            }
            (count, true) => of_scattered(n, chunk, count),
        }
    }
}

/// The chunks that hold what `picks` read along dimension `axis`, which has length `n`.
pub(crate) fn held(picks: &[Pick], axis: usize, n: u64, chunk: u64) -> Held {
    match picks.iter().find(|pick| pick.axis == axis) {
        Some(pick) => pick.held(n, chunk),
        None => Held { chunks: n.div_ceil(chunk) as f64, span: (chunk - 1) as f64 },
    }
}

/// Indices of dimension `axis` that `picks` read, of `n`.
pub(crate) fn wanted(picks: &[Pick], axis: usize, n: u64) -> u64 {
    picks.iter().find(|pick| pick.axis == axis).map_or(n, |pick| pick.count.min(n))
}

/// Chunks that `count` neighbouring indices of `n` are in: those of the first and the last and what lies between, on average over where
/// they begin.
fn of_run(n: u64, chunk: u64, count: u64) -> f64 {
    let [n, chunk, count] = [n, chunk, count].map(u128::from);
    // Numbers of the chunks of the indices below `end`, added up.
    let below = |end: u128| {
        let (whole, rest) = (end / chunk, end % chunk);
        chunk * (whole * whole.saturating_sub(1) / 2) + whole * rest
    };
    let starts = n - count + 1;
    1.0 + (below(n) - below(count - 1) - below(starts)) as f64 / starts as f64
}

/// The same of `count` scattered ones. A chunk of c holds none with the probability C(n - c, count) / C(n, count), so
/// the number of chunks is exact. Two neighbours in a chunk lie between the first and the last that is read if one is read up to the one
/// and one from the other on, which is added up over a chunk in closed form.
fn of_scattered(n: u64, chunk: u64, count: u64) -> Held {
    let (whole, rest) = (n / chunk, n % chunk);
    let of_chunk = |c: u64| {
        let hit = -ln_missed(n, c, count).exp_m1();
        let hit_by_more = -ln_missed(n + 1, c, count + 1).exp_m1();
        // The probabilities that none of the first i is read, for i from 1 to c - 1.
        let missed = (n + 1) as f64 / (count + 1) as f64 * hit_by_more - 1.0;
        let span = (c - 1) as f64 * (2.0 - hit) - 2.0 * missed;
        (hit, span.clamp(0.0, (c - 1) as f64 * hit))
    };
    let last = if rest > 0 { of_chunk(rest) } else { (0.0, 0.0) };
    let (hit, span) = of_chunk(chunk.min(n));
    let whole = if chunk > n { 0.0 } else { whole as f64 };
    let chunks = (whole * hit + last.0).max(1.0);
    Held { chunks, span: (whole * span + last.1) / chunks }
}

/// The logarithm of C(n - c, count) / C(n, count): the probability that `count` scattered indices of `n` all miss `c` of them.
fn ln_missed(n: u64, c: u64, count: u64) -> f64 {
    /// Factors that are multiplied one by one.
    const FACTORS: u64 = 64;
    /// From here on Stirling's series is exact.
    const LARGE: u64 = 16;
    let Some(left) = n.checked_sub(c).and_then(|others| others.checked_sub(count)) else {
        return f64::NEG_INFINITY;
    };
    let (few, many) = (c.min(count), c.max(count));
    if few <= 8 || (left < LARGE && few <= FACTORS) {
        return (0..few).map(|i| (-(many as f64) / (n - i) as f64).ln_1p()).sum();
    }
    if left < LARGE {
        // Less than 1e-20.
        return f64::NEG_INFINITY;
    }
    // ln x! = (x + 1/2) ln x - x + ln(2 pi) / 2 + 1/12x - 1/360x^3 + 1/1260x^5: all large terms cancel when they are taken relative to n.
    let term = |x: u64| {
        let x = x as f64;
        let share =
            if x > 0.5 * n as f64 { (-(n as f64 - x) / n as f64).ln_1p() } else { (x / n as f64).ln() };
        (x + 0.5) * share + (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * x * x)) / (x * x)) / x
    };
    term(n - c) + term(n - count) - term(left) - term(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks, and elements between the first and the last in each, counted over all choices of indices.
    fn counted(choices: &[Vec<u64>], chunk: u64) -> (f64, f64) {
        let (mut chunks, mut spans) = (0_u64, 0_u64);
        for choice in choices {
            let numbers: std::collections::BTreeSet<u64> = choice.iter().map(|at| at / chunk).collect();
            chunks += numbers.len() as u64;
            for number in numbers {
                let inside = || choice.iter().filter(|at| **at / chunk == number);
                spans += inside().max().unwrap() - inside().min().unwrap();
            }
        }
        (chunks as f64 / choices.len() as f64, spans as f64 / chunks as f64)
    }

    #[test]
    fn expected_chunks_are_those_of_all_choices() {
        let check = |n: u64, count: u64, scattered: bool, choices: &[Vec<u64>]| {
            for chunk in 1..=n + 2 {
                let held = Pick { axis: 0, count, scattered }.held(n, chunk);
                let (chunks, span) = counted(choices, chunk);
                let close = (held.chunks - chunks).abs() < 1e-12 && (held.span - span).abs() < 1e-12;
                assert!(close, "{count} of {n}, {scattered}, by {chunk}: {held:?} {chunks} {span}");
            }
        };
        for n in 1..=11_u64 {
            for count in 1..=n {
                let runs: Vec<Vec<u64>> = (0..=n - count).map(|at| (at..at + count).collect()).collect();
                check(n, count, false, &runs);
                let subsets = (0_u64..1 << n).filter(|set| u64::from(set.count_ones()) == count);
                let all = |set: u64| (0..n).filter(|at| set >> at & 1 == 1).collect::<Vec<u64>>();
                check(n, count, true, &subsets.map(all).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn chances_to_miss_are_exact() {
        let by_factors = |n: u64, c: u64, count: u64| -> f64 {
            (0..count).map(|i| (-(c as f64) / (n - i) as f64).ln_1p()).sum()
        };
        let check = |n: u64, c: u64, count: u64| {
            let (found, expected) = (ln_missed(n, c, count), by_factors(n, c, count));
            let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3);
            assert!(close, "{n} {c} {count}: {found} {expected}");
        };
        check(47_287, 15, 50);
        check(47_287, 5000, 50);
        check(1_000_000, 300_000, 5000);
        check(1000, 9, 900);
        check(200, 80, 100);
        check(100, 30, 69);
        check(1_000_000_000, 1_000_000, 1000);
        assert!(ln_missed(10, 5, 6) < f64::MIN);
        // Where hardly anything is missed or hit.
        let few = of_scattered(1_000_000_000_000, 1, 100);
        assert!((few.chunks - 100.0).abs() < 1e-3 && few.span == 0.0, "{few:?}");
    }

    #[test]
    fn accesses_that_are_none() {
        let pick = |axis, count| Pick { axis, count, scattered: true };
        let check = |picks: Vec<Pick>, shape: &[u64], expected: &str| {
            let error = Access::new(picks).and_then(|access| access.check(shape)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(vec![], &[5], "no dimension");
        check(vec![pick(1, 1), pick(0, 1), pick(1, 2)], &[5, 5], "dimension 1 is there twice");
        check(vec![pick(0, 0)], &[5], "0 indices of dimension 0");
        check(vec![pick(0, 6)], &[5], "6 indices of dimension 0");
        check(vec![pick(1, 1)], &[5], "1 dimensions: dimension 1 is not");
        Access::new(vec![pick(0, 5)]).unwrap().check(&[0]).unwrap();
        assert_eq!(Access::new(vec![pick(0, 1)]).unwrap(), Access::from(0));
    }
}
