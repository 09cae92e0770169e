//! Candidate tile shapes, and how often they cut through chunks.

use zarrange_grid::Dims;

/// The most shapes weighed for one stage; dimensions are thinned until their product is below.
const SHAPES_MAX: usize = 60_000;

/// Pairs of a tile and a chunk that overlap, along one dimension of `n` elements.
///
/// Every chunk counts once, and once more for each tile boundary inside it; boundaries that fall on chunk boundaries
/// (every `chunk / gcd`-th) cut nothing.
pub fn overlaps(n: u64, tile: u64, chunk: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    let boundaries = n.div_ceil(tile) - 1;
    n.div_ceil(chunk) + boundaries - boundaries / (chunk / gcd(tile, chunk))
}

/// Pairs of a tile and a chunk that overlap, in all dimensions.
pub(crate) fn overlaps_all(shape: &[u64], tile: &[u64], chunk: &[u64]) -> u64 {
    (0..shape.len()).map(|d| overlaps(shape[d], tile[d], chunk[d])).fold(1, u64::saturating_mul)
}

/// Number of chunks.
pub(crate) fn count(shape: &[u64], chunk: &[u64]) -> u64 {
    shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).fold(1, u64::saturating_mul)
}

/// Elements of a tile that is clipped to the array.
pub(crate) fn elements(shape: &[u64], tile: &[u64]) -> u64 {
    shape.iter().zip(tile).map(|(n, w)| *w.min(n)).fold(1, u64::saturating_mul)
}

/// Every shape whose extents are candidates and whose elements do not exceed `elements_max`.
pub(crate) fn shapes(array: &[u64], mut extents: Vec<Vec<u64>>, elements_max: u64) -> Vec<Dims> {
    while extents.iter().map(Vec::len).fold(1, usize::saturating_mul) > SHAPES_MAX {
        let Some(longest) = extents.iter_mut().max_by_key(|e| e.len()) else { break };
        thin(longest);
    }
    let mut out = vec![Dims::new()];
    for (d, candidates) in extents.iter().enumerate() {
        let longer = out.iter().flat_map(|head| {
            candidates.iter().map(|w| {
                let mut shape = head.clone();
                shape.push(*w);
                shape
            })
        });
        out = longer.filter(|shape| elements(&array[..=d], shape) <= elements_max).collect();
    }
    out
}

/// Extents of tiles that are whole multiples of `base`: all of them where they are few, for an array of `rank` dimensions; otherwise
/// small ones, doublings, those aligned to `other`, and all of `n`.
pub(crate) fn multiples(n: u64, base: u64, other: u64, rank: usize) -> Vec<u64> {
    let all = n.max(1).div_ceil(base);
    let few = match rank {
        0 | 1 => 4096,
        2 => 128,
        _ => 32,
    };
    if all <= few {
        return (1..=all).map(|k| k * base).collect();
    }
    let aligned = (other / gcd(base, other)).min(all);
    let mut factors = vec![1, all];
    for step in [1, aligned] {
        let mut k = step;
        while k < all {
            // Doublings and the halves between them: within a third of any wish.
            factors.extend([k, k.saturating_add(k / 2 / step * step)]);
            k = k.saturating_mul(2);
        }
    }
    // The largest tile below each fraction of the array, so that no sliver is left at its end.
    factors.extend((2..=16).map(|parts| all.div_ceil(parts)));
    sorted(factors.into_iter().filter(|k| (1..=all).contains(k)).map(|k| k * base).collect())
}

/// Divisors of `shard` that are multiples of `base`, the smallest first: extents of tiles that divide a shard of inner chunks
/// of `base`.
pub fn divisors(shard: u64, base: u64) -> Vec<u64> {
    let inner = shard / base;
    let mut factors = Vec::new();
    let mut k = 1;
    while k <= inner / k {
        if inner.is_multiple_of(k) {
            factors.extend([k, inner / k]);
        }
        // A shard of more than 10^12 inner chunks along one dimension keeps the divisors found so far.
        if k > 1_000_000 {
            factors.push(inner);
            break;
        }
        k += 1;
    }
    sorted(factors.into_iter().map(|k| k * base).collect())
}

fn sorted(mut extents: Vec<u64>) -> Vec<u64> {
    extents.sort_unstable();
    extents.dedup();
    extents
}

/// Drops every other candidate but keeps the smallest and the largest; of two the smallest, so that a shape remains where
/// there are very many dimensions.
fn thin(extents: &mut Vec<u64>) {
    if extents.len() <= 2 {
        return extents.truncate(1);
    }
    let last = extents.len() - 1;
    let mut k = 0;
    extents.retain(|_| {
        k += 1;
        (k - 1) % 2 == 0 || k - 1 == last
    });
}

/// The greatest common divisor.
pub fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_by_formula_and_by_counting() {
        for n in 0..40u64 {
            for tile in 1..14 {
                for chunk in 1..14 {
                    let pairs = (0..n.div_ceil(tile))
                        .map(|k| {
                            let (start, end) = (k * tile, n.min((k + 1) * tile));
                            end.div_ceil(chunk) - start / chunk
                        })
                        .sum::<u64>();
                    assert_eq!(
                        overlaps(n, tile, chunk),
                        pairs,
                        "{n} elements, tiles of {tile}, chunks of {chunk}"
                    );
                }
            }
        }
    }

    #[test]
    fn candidates_respect_their_base() {
        for (n, base, other) in
            [(1, 1, 1), (1000, 7, 30), (40_000_000_000, 64, 1_000_000), (0, 5, 3), (10, 64, 3)]
        {
            let extents = multiples(n, base, other, 2);
            assert!(extents.iter().all(|w| w % base == 0), "{extents:?}");
            assert_eq!(extents[0], base);
            assert_eq!(*extents.last().unwrap(), n.max(1).div_ceil(base) * base);
        }
        assert_eq!(divisors(60, 5), [5, 10, 15, 20, 30, 60]);
    }
}
