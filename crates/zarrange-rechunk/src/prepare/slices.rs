//! Which slices of an uncompressed source chunk to read on their own.
//!
//! A chunk that spans many target chunks would have to be held for all of them at once, or be read again for each. Where its
//! elements are stored as they are, each tile's share can be read alone. How small a share pays, the planner weighs.

use zarrange_array::{Elements, Layout};
use zarrange_grid::ChunkGrid;
use zarrange_plan::{divisors, gcd};

/// A smaller slice costs more to ask for than to read, wherever it is.
const SLICE_BYTES_MIN: u64 = 8 << 10;
/// Slices weighed at most.
const CANDIDATES_MAX: usize = 8;

/// Slices of a chunk of `source` that may serve tiles of chunks of `target`, the largest first; none if its chunks can only be
/// read whole.
pub(crate) fn candidates(elements: &Elements, source: &ChunkGrid, target: &Layout) -> Vec<Vec<u64>> {
    if elements.layout.shard.is_some() || !elements.chain().stores_c_order() {
        return Vec::new();
    }
    let Layout { chunk, shard, .. } = target;
    let object = shard.as_ref().unwrap_or(chunk);
    slices(source.chunk_shape(), (chunk, object), elements.item_bytes() as u64)
}

fn slices(chunk: &[u64], (target, object): (&[u64], &[u64]), item_bytes: u64) -> Vec<Vec<u64>> {
    let Some(axis) = chunk.iter().position(|c| *c > 1) else { return Vec::new() };
    let row_bytes = chunk[axis + 1..].iter().fold(item_bytes, |n, c| n.saturating_mul(*c));
    // One for each object of the target needs neither much memory nor many requests.
    let aligned = gcd(chunk[axis], object[axis]);
    let mut extents: Vec<u64> = Vec::new();
    for extent in divisors(chunk[axis], gcd(chunk[axis], target[axis])).into_iter().rev() {
        let apart = extents.last().unwrap_or(&chunk[axis]) / 2 >= extent || extent == aligned;
        if extent < chunk[axis] && extent.saturating_mul(row_bytes) >= SLICE_BYTES_MIN && apart {
            extents.push(extent);
        }
    }
    while extents.len() > CANDIDATES_MAX {
        let mut nth = 0;
        extents.retain(|extent| {
            nth += 1;
            nth % 2 == 0 || *extent == aligned
        });
    }
    let slice = |extent: &u64| {
        let mut slice = chunk.to_vec();
        slice[axis] = *extent;
        slice
    };
    extents.iter().map(slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_divide_the_chunk_and_are_not_tiny() {
        let check = |chunk: &[u64], target: &[u64], object: &[u64], expected: &[u64]| {
            let slices = slices(chunk, (target, object), 4);
            let axis = chunk.iter().position(|c| *c > 1).unwrap_or(0);
            let extents: Vec<u64> = slices.iter().map(|slice| slice[axis]).collect();
            assert_eq!(extents, expected, "{chunk:?} for {target:?} in {object:?}");
            for (d, c) in chunk.iter().enumerate().filter(|(d, _)| *d != axis) {
                assert!(slices.iter().all(|slice| slice[d] == *c), "{slices:?}");
            }
        };
        let (lights, shard) = ([16, 1000, 2], [10_000, 1000, 2]);
        check(&[100_000, 1, 2], &lights, &shard, &[50_000, 20_000, 10_000, 4000, 2000]);
        check(&[100_000, 1, 2], &lights, &[80_000, 1000, 2], &[50_000, 20_000, 10_000, 4000, 2000]);
        check(&[100_000, 1, 2], &shard, &shard, &[50_000, 20_000, 10_000]);
        check(&[1, 100_000, 2], &[7, 25_000, 1], &[7, 25_000, 1], &[50_000, 25_000]);
        check(&[100_000, 1, 2], &[100_000, 1000, 2], &[100_000, 1000, 2], &[]);
        check(&[1000, 1, 2], &[10, 1000, 2], &[10, 1000, 2], &[]);
        let powers = |exponents: &[u32]| exponents.iter().map(|e| 1 << e).collect::<Vec<u64>>();
        check(&[1 << 40, 1], &[1, 1], &[1 << 33, 1], &powers(&[36, 33, 30, 26, 22, 17, 13]));
        check(&[1 << 40, 1], &[3, 1], &[3, 1], &powers(&[36, 32, 28, 24, 19, 15, 11]));
        check(&[1, 1], &[1, 1], &[1, 1], &[]);
        check(&[], &[], &[], &[]);
    }
}
