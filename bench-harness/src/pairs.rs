//! Times in pairs: the same cells by two programs in turns, and an interval for the ratio.
//!
//! On a shared machine the time of one run says little; the ratio of two that ran right after each other says more, and the mean over
//! many turns has an interval. It comes from the bootstrap (Efron 1979): the mean of samples drawn again and again from the turns.

use std::path::Path;

use anyhow::ensure;

use crate::random::Random;
use crate::sweep::record::Record;

/// How many samples are drawn.
const SAMPLES: usize = 10_000;

/// What lies outside the interval on one side.
const TAIL: f64 = 0.005;

/// The geometric mean of ratios with its interval (99 %).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// The end below.
    pub low: f64,
    /// The end above.
    pub high: f64,
}

impl Interval {
    /// That of `ratios`; always the same for the same ratios.
    ///
    /// # Errors
    /// If there are fewer than five, or one is not positive.
    pub fn of(ratios: &[f64]) -> anyhow::Result<Self> {
        ensure!(ratios.len() >= 5, "{} turns are too few for an interval: five are needed", ratios.len());
        ensure!(ratios.iter().all(|r| r.is_finite() && *r > 0.0), "a time was not measured");
        let logs: Vec<f64> = ratios.iter().map(|r| r.ln()).collect();
        let mut random = Random::new(1);
        let mut means: Vec<f64> = (0..SAMPLES)
            .map(|_| mean((0..logs.len()).map(|_| logs[below(&mut random, logs.len())])))
            .collect();
        means.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position in ten thousand"
        )]
        let at = |share: f64| means[(share * (SAMPLES - 1) as f64) as usize].exp();
        Ok(Self { mean: mean(logs.iter().copied()).exp(), low: at(TAIL), high: at(1.0 - TAIL) })
    }

    /// Whether it lies above `margin`: slower, beyond doubt.
    pub fn is_above(&self, margin: f64) -> bool {
        self.low > margin
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn below(random: &mut Random, bound: usize) -> usize {
    zarrange_grid::index(random.next() % bound as u64)
}

/// The ratios B / A of the median latencies, turn by turn: the geometric mean over the cells that both measured.
///
/// # Errors
/// If they have no turns, or no cells, in common.
pub fn ratios(a: &[Record], b: &[Record]) -> anyhow::Result<Vec<f64>> {
    let mut by_turn: std::collections::BTreeMap<u64, Vec<f64>> = std::collections::BTreeMap::new();
    for before in a {
        let same = |r: &&Record| r.turn == before.turn && r.cell == before.cell;
        let (Some(then), Some(now)) = (before.measures(), b.iter().find(same).and_then(Record::measures))
        else {
            continue;
        };
        let ratio = now.latency.p50_us / then.latency.p50_us;
        by_turn.entry(before.turn).or_default().push(ratio.ln());
    }
    ensure!(!by_turn.is_empty(), "the files have no cell of the same turn in common");
    Ok(by_turn.into_values().map(|logs| mean(logs.into_iter()).exp()).collect())
}

/// The commits of two files, for a table.
pub fn commits(a: &[Record], b: &[Record]) -> (String, String) {
    let of = |records: &[Record]| records.first().map_or_else(|| "nothing".to_owned(), |r| r.commit.clone());
    (of(a), of(b))
}

/// Reads both files.
///
/// # Errors
/// If one cannot be read.
pub fn read(a: &Path, b: &Path) -> anyhow::Result<(Vec<Record>, Vec<Record>)> {
    Ok((crate::sweep::record::read(a)?, crate::sweep::record::read(b)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ratios around `mean` with noise of a few per cent.
    fn noisy(mean: f64, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let noise = |random: &mut Random| f64::from(u16::try_from(random.next() >> 48).unwrap()) / 65536.0;
        (0..30).map(|_| mean * (0.97 + 0.06 * noise(&mut random))).collect()
    }

    #[test]
    fn intervals_hold_the_mean_and_exclude_others() {
        for seed in 0..50 {
            let same = Interval::of(&noisy(1.0, seed)).unwrap();
            assert!(same.low <= 1.0 && same.high >= 1.0 && same.low < same.high, "{seed}: {same:?}");
            assert!(!same.is_above(1.02), "{seed}: {same:?}");
            assert!(Interval::of(&noisy(1.1, seed)).unwrap().is_above(1.02), "{seed}");
        }
    }

    #[test]
    fn too_little_is_refused() {
        assert!(Interval::of(&[1.0; 4]).is_err());
        assert!(Interval::of(&[1.0, 1.0, 1.0, 1.0, 0.0]).is_err());
        assert!(ratios(&[], &[]).is_err());
    }
}
