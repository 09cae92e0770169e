//! Competitors in turns: A B C A B C ..., and the ratios of each turn.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// Something to be timed: does its work once and says how long that took, preparations left out.
pub struct Competitor<'a> {
    /// Its name in the table.
    pub name: &'static str,
    /// The work.
    pub run: Box<dyn FnMut() -> anyhow::Result<Duration> + 'a>,
}

impl<'a> Competitor<'a> {
    /// A competitor.
    pub fn new(name: &'static str, run: impl FnMut() -> anyhow::Result<Duration> + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

impl fmt::Debug for Competitor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The times of a case: seconds by competitor and turn.
#[derive(Clone, Debug, Serialize)]
pub struct Times {
    /// What was done.
    pub case: String,
    /// Each competitor with its times, in the order of the turns.
    pub seconds: Vec<(&'static str, Vec<f64>)>,
}

/// A ratio over all turns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The median of the turns' ratios.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Ratio {
    /// The median and the range of `ratios`; `None` if there are none.
    pub fn of(ratios: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut ratios: Vec<f64> = ratios.into_iter().collect();
        ratios.sort_by(f64::total_cmp);
        Some(Self { median: median(&ratios)?, min: *ratios.first()?, max: *ratios.last()? })
    }
}

/// Times the competitors in `turns` turns, after one that is not counted.
///
/// # Errors
/// What a competitor returned.
pub fn interleaved(
    case: impl Into<String>,
    turns: usize,
    mut competitors: Vec<Competitor<'_>>,
) -> anyhow::Result<Times> {
    let mut seconds: Vec<(&'static str, Vec<f64>)> =
        competitors.iter().map(|c| (c.name, Vec::with_capacity(turns))).collect();
    for turn in 0..=turns {
        for (competitor, (_, seconds)) in competitors.iter_mut().zip(&mut seconds) {
            let time = (competitor.run)()?;
            if turn > 0 {
                seconds.push(time.as_secs_f64());
            }
        }
    }
    Ok(Times { case: case.into(), seconds })
}

impl Times {
    /// How many times longer `slow` takes than `fast`, turn by turn; `None` if one of them was not measured.
    pub fn ratio(&self, slow: &str, fast: &str) -> Option<Ratio> {
        let of = |name: &str| self.seconds.iter().find(|(n, _)| *n == name).map(|(_, seconds)| seconds);
        Ratio::of(of(slow)?.iter().zip(of(fast)?).map(|(a, b)| a / b))
    }

    /// The competitor with the smallest median.
    pub fn best(&self) -> Option<&'static str> {
        let medians =
            self.seconds.iter().filter_map(|(name, seconds)| Some((*name, sorted_median(seconds)?)));
        medians.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, _)| name)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.case)?;
        for (name, seconds) in &self.seconds {
            let median = sorted_median(seconds).unwrap_or(f64::NAN);
            let (min, max) = seconds.iter().fold((f64::MAX, 0.0_f64), |(a, b), s| (a.min(*s), b.max(*s)));
            writeln!(f, "  {name:<16} {:>9.2} ms   ({:.2} to {:.2})", median * 1e3, min * 1e3, max * 1e3)?;
        }
        Ok(())
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.median, self.min, self.max)
    }
}

/// The median of sorted numbers.
fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[half - 1], upper) })
}

fn sorted_median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    median(&sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_each_turn() {
        let times = Times {
            case: "case".to_owned(),
            seconds: vec![("a", vec![1.0, 10.0, 4.0]), ("b", vec![2.0, 40.0, 4.0])],
        };
        assert_eq!(times.ratio("b", "a"), Some(Ratio { median: 2.0, min: 1.0, max: 4.0 }));
        assert_eq!(times.ratio("b", "c"), None);
        assert_eq!(times.best(), Some("a"));
    }

    #[test]
    fn turns_are_interleaved_and_the_first_is_not_counted() {
        let order = std::cell::RefCell::new(String::new());
        let run = |name: &'static str| {
            let order = &order;
            Competitor::new(name, move || {
                order.borrow_mut().push_str(name);
                Ok(Duration::from_secs(1))
            })
        };
        let times = interleaved("case", 2, vec![run("a"), run("b")]).unwrap();
        assert_eq!(order.into_inner(), "ababab");
        assert_eq!(times.seconds, [("a", vec![1.0, 1.0]), ("b", vec![1.0, 1.0])]);
    }
}
