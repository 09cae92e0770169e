//! The line through the times of requests of several sizes.

/// The time of a request, as a line over its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Nanoseconds that a request takes beyond its bytes; never negative.
    pub request_ns: f64,
    /// Nanoseconds for each byte; never negative.
    pub ns_per_byte: f64,
}

impl Line {
    /// Nanoseconds of a request of this size.
    pub fn at(&self, bytes: f64) -> f64 {
        self.request_ns + self.ns_per_byte * bytes
    }
}

/// The line through `points` (bytes and nanoseconds of a request) by least squares, each weighted by 1 / bytes so that small
/// requests count. The points whose absence makes the others fit best are left out, of four and five one and of more two: what
/// disturbed a size or two must not change the line (least trimmed squares, Rousseeuw 1984). `None` without points.
pub fn fit(points: &[(f64, f64)]) -> Option<Line> {
    let left_out = match points.len() {
        0..4 => 0,
        4..6 => 1,
        _ => 2,
    };
    Some(trimmed(points, left_out)?.0)
}

/// The line that fits best when any `left_out` points do not count, and its misfit.
fn trimmed(points: &[(f64, f64)], left_out: usize) -> Option<(Line, f64)> {
    if left_out == 0 {
        let line = least_squares(points)?;
        return Some((line, misfit(line, points)));
    }
    let without = |k: usize| trimmed(&[&points[..k], &points[k + 1..]].concat(), left_out - 1);
    (0..points.len()).filter_map(without).min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The line of the smallest misfit among those without negative numbers.
fn least_squares(points: &[(f64, f64)]) -> Option<Line> {
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| weight(*x) * of(*x, *y)).sum::<f64>();
    let weights = sum(&|_, _| 1.0);
    if points.is_empty() {
        return None;
    }
    let (bytes, ns) = (sum(&|x, _| x) / weights, sum(&|_, y| y) / weights);
    let variance = sum(&|x, _| (x - bytes) * (x - bytes));
    let slope = sum(&|x, y| (x - bytes) * (y - ns)) / variance;
    // One size alone (no variance) says nothing about bytes.
    if slope.is_nan() || slope <= 0.0 {
        return Some(Line { request_ns: ns, ns_per_byte: 0.0 });
    }
    let request_ns = ns - slope * bytes;
    if request_ns >= 0.0 {
        return Some(Line { request_ns, ns_per_byte: slope });
    }
    Some(Line { request_ns: 0.0, ns_per_byte: sum(&|x, y| x * y) / sum(&|x, _| x * x) })
}

fn misfit(line: Line, points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(x, y)| weight(*x) * (y - line.at(*x)).powi(2)).sum()
}

fn weight(bytes: f64) -> f64 {
    1.0 / bytes.max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: [f64; 7] = [4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

    fn on(line: Line) -> Vec<(f64, f64)> {
        SIZES.iter().map(|bytes| (*bytes, line.at(*bytes))).collect()
    }

    fn check(points: &[(f64, f64)], request_ns: f64, ns_per_byte: f64) {
        let line = fit(points).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1e-3);
        assert!(close(line.request_ns, request_ns) && close(line.ns_per_byte, ns_per_byte), "{line:?}");
    }

    #[test]
    fn points_on_a_line_give_the_line() {
        for (request_ns, ns_per_byte) in
            [(80_000.0, 0.35), (300.0, 0.1), (30e6, 1.0), (0.0, 2.0), (500.0, 0.0)]
        {
            let points = on(Line { request_ns, ns_per_byte });
            check(&points, request_ns, ns_per_byte);
            check(&points[..2], request_ns, ns_per_byte);
        }
        check(&[(4096.0, 700.0)], 700.0, 0.0);
        assert_eq!(fit(&[]), None);
    }

    #[test]
    fn outliers_change_nothing() {
        let check_without = |left: usize, wrong: &[usize], factor: f64| {
            let mut points = on(Line { request_ns: 80_000.0, ns_per_byte: 0.35 });
            points.truncate(left);
            for k in wrong {
                points[*k].1 *= factor;
            }
            check(&points, 80_000.0, 0.35);
        };
        for factor in [0.0, 0.2, 5.0, 1000.0] {
            for left in 4..=SIZES.len() {
                for one in 0..left {
                    check_without(left, &[one], factor);
                    for other in (0..one).filter(|_| left > 5) {
                        check_without(left, &[one, other], factor);
                    }
                }
            }
        }
    }

    #[test]
    fn a_line_that_would_be_negative_is_the_best_that_is_not() {
        // Larger requests that take less time: no cost of bytes can be seen. The mean is that of the weights 1/4 and 1/8.
        check(&[(4.0, 9.0), (8.0, 6.0)], 8.0, 0.0);
        // Twice the bytes for three times the time: no latency can be seen.
        check(&[(4.0, 4.0), (8.0, 12.0)], 0.0, 16.0 / 12.0);
    }

    proptest! {
        #[test]
        fn no_number_is_ever_negative(points in prop::collection::vec((1.0..1e9_f64, 0.0..1e12_f64), 1..9)) {
            let Line { request_ns, ns_per_byte } = fit(&points).unwrap();
            prop_assert!(request_ns >= 0.0 && request_ns.is_finite(), "{request_ns}");
            prop_assert!(ns_per_byte >= 0.0 && ns_per_byte.is_finite(), "{ns_per_byte}");
        }
    }
}
