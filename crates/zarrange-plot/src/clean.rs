//! What of a light curve can be drawn, and what is said of the rest.

use crate::curve::{Fold, LightCurve, Series};

/// A point that can be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Or the phase.
    pub(crate) time: f64,
    pub(crate) value: f64,
    /// If it is known.
    pub(crate) error: Option<f64>,
}

/// What can be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Clean {
    /// By series. Each point is there twice when folded.
    pub(crate) series: Vec<Vec<Measured>>,
    /// On what times are folded.
    pub(crate) fold: Option<Fold>,
    /// What is not drawn, and why.
    pub(crate) notes: Vec<String>,
}

/// What is not drawn, counted.
#[derive(Default)]
struct Left {
    infinite_values: usize,
    infinite_times: usize,
    no_times: usize,
    infinite_errors: usize,
    negative_errors: usize,
}

/// What of a light curve can be drawn.
pub(crate) fn clean(curve: &LightCurve) -> Clean {
    let (mut left, mut out) = (Left::default(), Clean::default());
    out.series = curve.series.iter().map(|series| points(series, &mut left)).collect();
    let is_bad = |fold: &Fold| !(fold.period > 0.0 && fold.period.is_finite() && fold.epoch.is_finite());
    if curve.fold.as_ref().is_some_and(is_bad) {
        out.notes.push("not folded: the period must be a positive number, and the epoch a number".to_owned());
    } else {
        out.fold = curve.fold;
    }
    if let Some(fold) = out.fold {
        out.series.iter_mut().for_each(|points| folded(points, fold));
    }
    let mut note = |count: usize, one: &str, more: &str| match count {
        0 => {}
        1 => out.notes.push(format!("1 {one}")),
        _ => out.notes.push(format!("{count} {more}")),
    };
    note(left.infinite_values, "value is infinite", "values are infinite");
    note(left.infinite_times, "time is infinite", "times are infinite");
    note(left.no_times, "value has no time", "values have no time");
    note(left.infinite_errors, "error is infinite", "errors are infinite");
    note(left.negative_errors, "error is negative", "errors are negative");
    out
}

/// The points of a series.
fn points(series: &Series, left: &mut Left) -> Vec<Measured> {
    let mut out = Vec::with_capacity(series.values.len().min(series.times.len()));
    for (k, value) in series.values.iter().copied().enumerate() {
        let time = series.times.get(k).copied().unwrap_or(f64::NAN);
        let error = series.errors.as_ref().and_then(|errors| errors.get(k)).copied();
        if value.is_nan() {
            continue;
        }
        if value.is_infinite() {
            left.infinite_values += 1;
        } else if time.is_nan() {
            left.no_times += 1;
        } else if time.is_infinite() {
            left.infinite_times += 1;
        } else {
            left.infinite_errors += usize::from(error == Some(f64::INFINITY));
            left.negative_errors += usize::from(error.is_some_and(|error| error < 0.0));
            out.push(Measured {
                time,
                value,
                error: error.filter(|error| *error >= 0.0 && error.is_finite()),
            });
        }
    }
    out
}

/// Turns times into phases from 0 to 1, and adds those from 1 to 2.
fn folded(points: &mut Vec<Measured>, fold: Fold) {
    // The rest of a division is exact, and a difference of times may be infinite.
    let turns = |time: f64| time % fold.period / fold.period;
    for point in &mut *points {
        let phase = (turns(point.time) - turns(fold.epoch)).rem_euclid(1.0);
        // A phase just below 0 is rounded to 1.
        point.time = if phase < 1.0 { phase } else { 0.0 };
    }
    let again: Vec<_> = points.iter().map(|point| Measured { time: point.time + 1.0, ..*point }).collect();
    points.extend(again);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;

    #[test]
    fn what_cannot_be_drawn_is_counted() {
        let check = |times: &[f64], values: &[f64], errors: Option<&[f64]>, kept: &str, notes: &[&str]| {
            let series = Series {
                name: String::new(),
                times: times.to_vec(),
                values: values.to_vec(),
                errors: errors.map(<[f64]>::to_vec),
            };
            let found = clean(&LightCurve { series: vec![series], ..LightCurve::default() });
            let point = |p: &Measured| {
                let error = p.error.map(|error| format!("±{error}")).unwrap_or_default();
                format!("{}:{}{error}", p.time, p.value)
            };
            let found_points: Vec<String> = found.series[0].iter().map(point).collect();
            assert_eq!((found_points.join(" ").as_str(), &found.notes[..]), (kept, &strings(notes)[..]));
        };
        check(&[1.0, 2.0], &[3.0, NAN], None, "1:3", &[]);
        check(&[1.0, 2.0], &[3.0, INF], None, "1:3", &["1 value is infinite"]);
        check(&[1.0, 2.0, 3.0], &[-INF, 4.0, INF], None, "2:4", &["2 values are infinite"]);
        check(&[1.0, INF, NAN], &[3.0; 3], None, "1:3", &["1 time is infinite", "1 value has no time"]);
        check(&[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0, NAN], None, "1:3 2:4", &["2 values have no time"]);
        check(&[1.0, 2.0, 3.0], &[3.0], None, "1:3", &[]);
        check(&[1.0, 2.0], &[3.0, 4.0], Some(&[NAN, 0.5]), "1:3 2:4±0.5", &[]);
        check(&[1.0, 2.0], &[3.0, 4.0], Some(&[0.5]), "1:3±0.5 2:4", &[]);
        let notes = ["1 error is infinite", "2 errors are negative"];
        check(&[1.0, 2.0, 3.0], &[4.0; 3], Some(&[INF, -1.0, -INF]), "1:4 2:4 3:4", &notes);
    }

    #[test]
    fn times_are_folded() {
        let check = |time: f64, period: f64, epoch: f64, phases: Option<[f64; 2]>| {
            let series = Series { times: vec![time], values: vec![1.0], ..Series::default() };
            let fold = Some(Fold { period, epoch });
            let found = clean(&LightCurve { series: vec![series], fold, ..LightCurve::default() });
            let times: Vec<f64> = found.series[0].iter().map(|point| point.time).collect();
            assert_eq!((found.fold.is_some(), found.notes.is_empty()), (phases.is_some(), phases.is_some()));
            match phases {
                Some(phases) => {
                    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
                    assert!(
                        times.len() == 2 && times.iter().zip(&phases).all(near),
                        "{times:?}, not {phases:?}"
                    );
                }
                None => assert_eq!(times, [time]),
            }
        };
        check(10.5, 2.0, 0.0, Some([0.25, 1.25]));
        check(-0.5, 2.0, 0.0, Some([0.75, 1.75]));
        check(10.5, 2.0, 10.0, Some([0.25, 1.25]));
        check(9.5, 2.0, 10.0, Some([0.75, 1.75]));
        check(-1e-300, 1.0, 0.0, Some([0.0, 1.0]));
        check(f64::MAX, f64::MAX, -f64::MAX, Some([0.0, 1.0]));
        check(f64::MAX, f64::MAX, 0.5 * f64::MAX, Some([0.5, 1.5]));
        check(5e-324, 1e-323, 0.0, Some([0.5, 1.5]));
        for bad in [0.0, -1.0, NAN, INF] {
            check(10.5, bad, 0.0, None);
        }
        check(10.5, 1.0, NAN, None);
        check(10.5, 1.0, INF, None);
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
