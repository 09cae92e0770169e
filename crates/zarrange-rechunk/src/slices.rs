//! Which slices of an uncompressed source chunk to read on their own.
//!
//! A chunk that spans many target objects would have to be held for all of them at once, or be read again for each. Where its
//! elements are stored as they are, each object's share can be read alone.

use zarrange_array::Elements;
use zarrange_grid::ChunkGrid;

/// A smaller slice would cost more to ask for than to read.
const SLICE_BYTES_MIN: u64 = 64 << 10;
/// A slice may be this many times larger than it need be.
const LARGER_MAX: u64 = 16;

/// The slice of a chunk of `source` that serves one object of `target`; `None` if whole chunks are as good.
pub(crate) fn shape(elements: &Elements, source: &ChunkGrid, target: &ChunkGrid) -> Option<Vec<u64>> {
    if elements.layout.shard.is_some() || !elements.chain().stores_c_order() {
        return None;
    }
    slice(source.chunk_shape(), target.chunk_shape(), elements.item_bytes() as u64)
}

fn slice(chunk: &[u64], object: &[u64], item_bytes: u64) -> Option<Vec<u64>> {
    let axis = chunk.iter().position(|c| *c > 1)?;
    let row_bytes = chunk[axis + 1..].iter().fold(item_bytes, |n, c| n.saturating_mul(*c));
    let common = gcd(chunk[axis], object[axis]);
    let (least, most) =
        (SLICE_BYTES_MIN.div_ceil(row_bytes.max(1)).div_ceil(common).max(1), chunk[axis] / common);
    // Multiples of the common part that divide the chunk, the smallest that is large enough, but not much larger.
    let times = (least..least.saturating_mul(LARGER_MAX).min(most)).find(|k| most.is_multiple_of(*k))?;
    let mut slice = chunk.to_vec();
    slice[axis] = times * common;
    Some(slice)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_serve_one_object_and_are_not_tiny() {
        let check = |chunk: &[u64], object: &[u64], expected: Option<&[u64]>| {
            assert_eq!(slice(chunk, object, 4).as_deref(), expected, "{chunk:?} for {object:?}");
        };
        check(&[100_000, 1, 2], &[10_000, 1000, 2], Some(&[10_000, 1, 2]));
        // Sixteen objects are 128 bytes: as many as make a slice worth its request.
        check(&[100_000, 1, 2], &[16, 1000, 2], Some(&[10_000, 1, 2]));
        check(&[1, 100_000, 2], &[7, 25_000, 1], Some(&[1, 25_000, 2]));
        check(&[100_000, 1, 2], &[100_000, 1000, 2], None);
        check(&[100_000, 1, 2], &[300_000, 1000, 2], None);
        check(&[1000, 1, 2], &[10, 1000, 2], None);
        check(&[1, 1], &[1, 1], None);
        check(&[], &[], None);
    }
}
