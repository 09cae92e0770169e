//! In which order a tile keeps its axes in memory.

use zarrange_grid::Dims;

/// A cache line: runs at least this long are moved at the speed of memory.
const LINE_BYTES: f64 = 64.0;
/// A chunk up to this size stays in the cache while it is gathered or scattered, so short runs cost it little.
const CACHED_BYTES: f64 = 1_048_576.0;

/// The axis order in which moving chunks of `source` in and chunks of `target` out takes the least memory traffic:
/// C order, or one axis moved to the front or to the back.
pub(crate) fn best(shape: &[u64], source: &[u64], target: &[u64], item_bytes: u64) -> Dims {
    let rank = shape.len();
    let identity: Dims = (0..rank as u64).collect();
    let mut candidates = vec![identity.clone()];
    for axis in 0..rank {
        let rest: Dims = identity.iter().copied().filter(|k| *k != axis as u64).collect();
        candidates.push(std::iter::once(axis as u64).chain(rest.iter().copied()).collect());
        candidates.push(rest.iter().copied().chain(std::iter::once(axis as u64)).collect());
    }
    let traffic = |order: &Dims| {
        traffic(shape, source, order, item_bytes) + traffic_out(shape, target, order, item_bytes)
    };
    // The first of equals is C order.
    candidates.into_iter().min_by(|a, b| traffic(a).total_cmp(&traffic(b))).unwrap_or(identity)
}

/// Memory traffic for each byte of a chunk that is moved between its own C order and `order`; none where the tile holds the chunk just
/// as it is, so that it is decoded there, or encoded from there.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn traffic(shape: &[u64], chunk: &[u64], order: &[u64], item_bytes: u64) -> f64 {
    let extent = |axis: usize| chunk[axis].min(shape[axis].max(1));
    let mut run = item_bytes as f64;
    for axis in order.iter().rev().map(|k| zarrange_grid::index(*k)) {
        run *= extent(axis) as f64;
        if extent(axis) < shape[axis] {
            break;
        }
    }
    let bytes = (0..shape.len()).fold(item_bytes as f64, |n, axis| n * extent(axis) as f64);
    let long = order.iter().filter(|axis| extent(zarrange_grid::index(**axis)) > 1);
    if run >= bytes && long.is_sorted() {
        return 0.0;
    }
    let partial_lines = (LINE_BYTES / run.min(LINE_BYTES)).max(1.0);
    if bytes <= CACHED_BYTES { 1.0 + (partial_lines - 1.0) * 0.1 } else { partial_lines }
}

/// Draining weighs slightly less: of two equal orders, the one that decodes in place is better.
fn traffic_out(shape: &[u64], chunk: &[u64], order: &[u64], item_bytes: u64) -> f64 {
    traffic(shape, chunk, order, item_bytes) * 0.99
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_stay_as_they_are_on_one_side() {
        let check = |shape: &[u64], source: &[u64], target: &[u64], expected: &[u64]| {
            assert_eq!(best(shape, source, target, 4).as_slice(), expected, "{source:?} -> {target:?}");
        };
        // Epochs of all objects lie in the tile one after the other, the values of an object together: decoded in place.
        check(&[100_000, 1000, 2], &[100_000, 1, 2], &[16, 1000, 2], &[1, 0, 2]);
        check(&[100_000, 1000, 2], &[10_000, 1, 2], &[16, 1000, 2], &[1, 0, 2]);
        // The way back: encoded in place.
        check(&[100_000, 1000, 2], &[16, 1000, 2], &[100_000, 1, 2], &[1, 0, 2]);
        check(&[1000, 50], &[10, 50], &[1000, 1], &[1, 0]);
        // Cut along objects only: C order does for both.
        check(&[1000, 50], &[10, 50], &[100, 50], &[0, 1]);
    }
}
