//! Ticks of an axis, and what is written at them.

use crate::range::{Range, exponent, power_of_ten};

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) range: Range,
    pub(crate) ticks: Vec<Tick>,
    /// What is taken off the labels, as it is written: `59000`.
    pub(crate) offset: Option<String>,
    /// Labels are times ten to this.
    pub(crate) exponent: i32,
}

/// A tick.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Where it is: from 0 to 1.
    pub(crate) fraction: f64,
    pub(crate) label: String,
}

/// A step that is 1, 2 or 5 times a power of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    size: f64,
    power: i32,
}

/// Labels have so many digits at most, else something is taken off them.
const DIGITS_MAX: i32 = 6;

impl Axis {
    /// The axis of a range, with about so many ticks at most.
    pub(crate) fn new(range: Range, ticks_max: usize) -> Self {
        let step = step((range.high - range.low) / from_count(ticks_max.max(1)));
        let places = places(&range, step);
        let offset = offset(&range, step);
        let taken = offset.as_ref().map_or(0.0, |(offset, _)| *offset);
        let rests: Vec<f64> = places.iter().map(|place| place - taken).collect();
        let largest = rests.iter().fold(0.0, |most: f64, rest| most.max(rest.abs()));
        // Rounding is not nothing.
        let power = if largest < step.size / 2.0 { step.power } else { exponent(largest) };
        let power = if (-2..DIGITS_MAX).contains(&power) { 0 } else { power };
        let decimals = usize::try_from(power.saturating_sub(step.power)).unwrap_or(0);
        let ticks = places.iter().zip(rests).map(|(place, rest)| Tick {
            fraction: (place - range.low) / (range.high - range.low),
            label: written(rest * power_of_ten(-power), decimals),
        });
        let ticks = ticks.collect();
        Self { range, ticks, offset: offset.map(|(_, text)| text), exponent: power - range.power }
    }
}

/// The least good step that is not smaller.
fn step(least: f64) -> Step {
    let power = exponent(least);
    let ten = power_of_ten(power);
    for factor in [1.0, 2.0, 5.0] {
        // Rounding makes no step larger.
        if factor * ten >= least * (1.0 - 1e-9) {
            return Step { size: factor * ten, power };
        }
    }
    Step { size: power_of_ten(power + 1), power: power + 1 }
}

/// Where ticks are.
fn places(range: &Range, step: Step) -> Vec<f64> {
    const MORE_THAN_THERE_ARE: usize = 100;
    let first = (range.low / step.size).ceil();
    let all = (0..MORE_THAN_THERE_ARE).map(|k| (first + from_count(k)) * step.size);
    all.take_while(|place| *place <= range.high).collect()
}

/// What is taken off the labels, so that what changes can be read, and how it is written.
fn offset(range: &Range, step: Step) -> Option<(f64, String)> {
    let (largest, span) = (range.low.abs().max(range.high.abs()), range.high - range.low);
    let digits = (exponent(largest) - step.power).max(exponent(largest)) + 1;
    if range.power != 0 || digits <= DIGITS_MAX || span * 10.0 > largest {
        return None;
    }
    let mut power = exponent(span) + 1;
    if span >= 1e-4 && largest >= 1.0 {
        // Whole days.
        power = power.max(0);
    }
    let offset = (range.low * power_of_ten(-power)).floor() * power_of_ten(power);
    let text = if (-3..15).contains(&exponent(largest)) {
        written(offset.abs(), usize::try_from(-power).unwrap_or(0))
    } else {
        let digits = usize::try_from(exponent(offset) - power).unwrap_or(0);
        format!("{:.digits$e}", offset.abs()).replace('-', "−")
    };
    let sign = if offset < 0.0 { '+' } else { '−' };
    (offset != 0.0).then(|| (offset, format!("{sign} {text}")))
}

/// A number with so many decimals.
fn written(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.contains(|c: char| c.is_ascii_digit() && c != '0') => format!("−{rest}"),
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts of what is drawn are small")]
pub(crate) const fn from_count(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Kind;

    #[test]
    fn labels_can_be_read() {
        let check = |low: f64, high: f64, expected: &str| {
            let axis = Axis::new(Range::around(low, high, Kind::Time, 0.0), 6);
            let labels: Vec<&str> = axis.ticks.iter().map(|tick| tick.label.as_str()).collect();
            let offset = axis.offset.map(|offset| format!("; {offset}")).unwrap_or_default();
            let exponent = if axis.exponent == 0 { String::new() } else { format!("; e{}", axis.exponent) };
            assert_eq!(format!("{}{offset}{exponent}", labels.join(" ")), expected, "{low} to {high}");
            assert!(axis.ticks.iter().all(|tick| (-1e-9..=1.0 + 1e-9).contains(&tick.fraction)));
        };
        check(0.0, 2.0, "0.0 0.5 1.0 1.5 2.0");
        check(-1.0, 1.0, "−1.0 −0.5 0.0 0.5 1.0");
        check(59000.5, 59200.5, "59050 59100 59150 59200");
        check(59000.0, 59000.1, "0.00 0.02 0.04 0.06 0.08 0.10; − 59000");
        check(2_459_000.5, 2_459_200.5, "50 100 150 200; − 2459000");
        check(2_457_000.0, 2_461_000.0, "7000 8000 9000 10000 11000; − 2450000");
        check(-2_459_000.1, -2_459_000.0, "0.90 0.92 0.94 0.96 0.98 1.00; + 2459001");
        check(12.345_678, 12.345_679, "8.0 8.2 8.4 8.6 8.8 9.0; − 12.34567; e-6");
        check(1e-17, 6e-17, "1 2 3 4 5 6; e-17");
        check(-3e9, 3e9, "−3 −2 −1 0 1 2 3; e9");
        check(0.0, 900_000.0, "0 200000 400000 600000 800000");
        check(0.0, 0.012, "0.000 0.002 0.004 0.006 0.008 0.010 0.012");
        check(0.0, 0.0, "−1.0 −0.5 0.0 0.5 1.0");
        check(59000.5, 59000.5, "59000.0 59000.2 59000.4 59000.6 59000.8 59001.0");
        check(-f64::MAX, f64::MAX, "−1 0 1; e308");
        check(1e300, 1.00001e300, "1.000002 1.000004 1.000006 1.000008 1.000010; e300");
        // Which is 4.9e-324.
        check(0.0, 5e-324, "0 1 2 3 4; e-324");
        check(1e-300, 1e-300, "0.90 0.95 1.00 1.05 1.10; e-300");
    }

    #[test]
    fn steps_are_good() {
        let check =
            |least: f64, size: f64, power: i32| assert_eq!(step(least), Step { size, power }, "{least}");
        check(1.0, 1.0, 0);
        check(1.1, 2.0, 0);
        check(3.0, 5.0, 0);
        check(5.1, 10.0, 1);
        check(0.03, 0.05, -2);
        check(0.2 + 1e-17, 0.2, -1);
        check(0.1 + 0.2 - 0.1, 0.2, -1);
        check(7e99, 1e100, 100);
    }
}
