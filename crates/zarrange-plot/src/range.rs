//! What part of an axis is shown.

use crate::clean::Measured;

/// What an axis measures: it decides how much is shown around a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Time,
    Magnitude,
    Flux,
}

/// A part of an axis. Numbers are scaled by a power of ten, so that the greatest and smallest ones can be computed with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    /// Numbers are held times ten to this.
    pub(crate) power: i32,
    /// Ten to that.
    factor: f64,
    /// Scaled.
    pub(crate) low: f64,
    /// Scaled, and greater.
    pub(crate) high: f64,
}

/// Spans that are smaller, relative to the numbers, are nothing but rounding.
const ROUNDING: f64 = 1e-12;

impl Range {
    /// From `low` to `high`, which are finite, and a little more on both sides.
    pub(crate) fn around(low: f64, high: f64, kind: Kind, margin: f64) -> Self {
        let largest = low.abs().max(high.abs());
        let power = if largest > 1e250 {
            -100
        } else if largest > 0.0 && largest < 1e-200 {
            200
        } else {
            0
        };
        let factor = power_of_ten(power);
        let (low, high, largest) = (low * factor, high * factor, largest * factor);
        let span = high - low;
        let more = if span > largest * ROUNDING {
            span * margin
        } else if largest == 0.0 {
            1.0
        } else {
            match kind {
                Kind::Time | Kind::Magnitude if power == 0 => (largest * 1e-6).max(0.5),
                Kind::Time | Kind::Magnitude | Kind::Flux => largest * 0.1,
            }
        };
        Self { power, factor, low: low - more, high: high + more }
    }

    /// The one of all times, if there is one.
    pub(crate) fn of_times(series: &[Vec<Measured>]) -> Option<Self> {
        let times = || series.iter().flatten().map(|point| point.time);
        let (low, high) = (times().reduce(f64::min)?, times().reduce(f64::max)?);
        Some(Self::around(low, high, Kind::Time, 0.03))
    }

    /// The one of all values, if there is one. Error bars widen it a little only, and a value whose error makes it meaningless does
    /// not: one wild point would flatten all others.
    pub(crate) fn of_values(series: &[Vec<Measured>], kind: Kind) -> Option<Self> {
        let typical: Vec<f64> = series.iter().map(|points| median_error(points)).collect();
        let all = || series.iter().zip(&typical).flat_map(|(points, e)| points.iter().map(move |p| (p, *e)));
        let is_wild = |(point, typical): &(&Measured, f64)| point.error.is_some_and(|e| e / 10.0 > *typical);
        let tame = || all().filter(|one| !is_wild(one)).map(|(point, _)| point.value);
        // The typical error is an error of one of them, which is tame.
        let (low, high) = (tame().reduce(f64::min)?, tame().reduce(f64::max)?);
        let (mut from, mut to) = (low, high);
        for (point, typical) in all() {
            let error = point.error.unwrap_or(0.0);
            let is_meant = point.value < low - 3.0 * error || point.value > high + 3.0 * error;
            if is_wild(&(point, typical)) && !is_meant {
                continue;
            }
            let span = if high > low { high - low } else { f64::INFINITY };
            let bar = error.min(typical * 1.5).min(span);
            from = from.min((point.value - bar).max(f64::MIN));
            to = to.max((point.value + bar).min(f64::MAX));
        }
        Some(Self::around(from, to, kind, 0.06))
    }

    /// Where a number is: from 0 to 1 inside the range. Never NaN, for a number that is none.
    pub(crate) fn fraction(&self, number: f64) -> f64 {
        self.fraction_beside(number, 0.0)
    }

    /// Where a number is that is so much more than another one.
    pub(crate) fn fraction_beside(&self, number: f64, more: f64) -> f64 {
        // It may be infinite, which is beyond, but the range is not.
        ((number + more) * self.factor - self.low) / (self.high - self.low)
    }
}

/// The error that as many are above as below; infinite if there are too few to tell.
fn median_error(points: &[Measured]) -> f64 {
    const ENOUGH: usize = 5;
    // An error of 0 says that it is not known.
    let mut errors: Vec<f64> = points.iter().filter_map(|point| point.error).filter(|e| *e > 0.0).collect();
    if errors.len() < ENOUGH {
        return f64::INFINITY;
    }
    errors.sort_unstable_by(f64::total_cmp);
    errors[errors.len() / 2]
}

/// Ten to the `exponent`, rounded once.
pub(crate) fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(1.0)
}

/// The exponent of a number that is not 0, written with one digit before the point.
pub(crate) fn exponent(number: f64) -> i32 {
    let written = format!("{number:e}");
    written.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}
