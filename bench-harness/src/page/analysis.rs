//! What is worked out of the figures: the Pareto front, when rechunking pays back, percentiles, the layout that is best overall.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use crate::page::results::{Facet, Results};
use crate::page::text::float;

/// Numbers of the points that no other point beats in one coordinate without losing in the other, by the first coordinate. Of equal
/// points, the first.
pub(crate) fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    let (x, y) = (|k: usize| points[k].0, |k: usize| points[k].1);
    order.sort_by(|a, b| x(*a).total_cmp(&x(*b)).then(y(*a).total_cmp(&y(*b))));
    let mut lowest = f64::INFINITY;
    order.retain(|k| {
        let better = y(*k) < lowest;
        lowest = lowest.min(y(*k));
        better
    });
    order
}

/// After how many reads rechunking has cost less than it saved; `None` if a read saves nothing.
pub(crate) fn payback(rechunk_s: f64, before_s: f64, after_s: f64) -> Option<f64> {
    let saved = before_s - after_s;
    (saved > 0.0).then(|| (rechunk_s / saved).ceil())
}

/// Times in microseconds with the share of operations that took no longer; half of an operation before the end, for the slowest has no
/// percentile of its own.
///
/// # Errors
/// If `histogram` is not an `HdrHistogram` in base64.
pub(crate) fn percentiles(histogram: &str) -> anyhow::Result<Vec<(f64, f64)>> {
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, histogram)
        .context("a histogram is not base64")?;
    let histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut bytes.as_slice()).context("a histogram cannot be read")?;
    let mut below = 0;
    let points = histogram.iter_recorded().map(|step| {
        below += step.count_since_last_iteration();
        let share = (float(below) - 0.5) / float(histogram.len());
        (share, float(step.value_iterated_to()) / 1e3)
    });
    Ok(points.collect())
}

/// For each place the layout with the shortest median times: the geometric mean over workloads of the best backend's, of those that
/// have the most workloads.
pub(crate) fn best_layouts(results: &Results) -> Vec<usize> {
    (0..results.places.len())
        .map(|place| {
            let mut times: BTreeMap<usize, BTreeMap<usize, f64>> = BTreeMap::new();
            for entry in results.of_place(place) {
                let Some(measures) = entry.measures() else { continue };
                let workloads = times.entry(entry.layout).or_default();
                let time = workloads.entry(entry.id(Facet::Workload)).or_insert(f64::INFINITY);
                *time = time.min(measures.latency.p50_us);
            }
            let rank = |workloads: &BTreeMap<usize, f64>| {
                let count = workloads.len();
                (count, workloads.values().map(|t| t.ln()).sum::<f64>() / float(count as u64))
            };
            let best = times
                .iter()
                .map(|(layout, w)| (*layout, rank(w)))
                .min_by(|(_, a), (_, b)| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
            best.map_or(0, |(layout, _)| layout)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer as _, V2Serializer};

    use super::*;

    #[test]
    fn the_front_has_what_nothing_beats() {
        let check =
            |points: &[(f64, f64)], expected: &[usize]| assert_eq!(front(points), expected, "{points:?}");
        check(&[], &[]);
        check(&[(3.0, 3.0)], &[0]);
        check(&[(4.0, 1.0), (1.0, 4.0), (2.0, 2.0), (3.0, 3.0)], &[1, 2, 0]);
        check(&[(1.0, 4.0), (1.0, 2.0), (2.0, 2.0), (1.0, 2.0)], &[1]);
    }

    #[test]
    fn rechunking_pays_back_where_reads_are_faster() {
        assert_eq!(payback(10.0, 3.0, 1.0), Some(5.0));
        assert_eq!(payback(10.0, 3.5, 0.5), Some(4.0), "the fourth read is the one that pays");
        assert_eq!(payback(10.0, 1.0, 1.0), None);
        assert_eq!(payback(10.0, 1.0, 3.0), None);
    }

    #[test]
    fn percentiles_come_out_of_histograms() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for time in [1000, 1000, 2000, 4000] {
            histogram.record(time).unwrap();
        }
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let found = percentiles(&text).unwrap();
        let shares: Vec<f64> = found.iter().map(|(share, _)| *share).collect();
        assert_eq!(shares, [0.375, 0.625, 0.875]);
        for ((_, time), expected) in found.iter().zip([1.0, 2.0, 4.0]) {
            assert!((time / expected - 1.0).abs() < 1e-3, "{time} for {expected}");
        }
        for wrong in ["%", "AAAA", ""] {
            assert!(percentiles(wrong).is_err(), "{wrong:?}");
        }
    }
}
