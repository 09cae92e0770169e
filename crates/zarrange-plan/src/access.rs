//! What a read costs in a layout, from geometry alone.

use zarrange_grid::{ChunkGrid, GridError, Region};

/// What the chunks that a region overlaps are, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Their number.
    pub chunks: u64,
    /// Their elements, within the array.
    pub elements: u64,
}

/// The chunks of shape `chunk` that `region` of an array of `shape` overlaps.
///
/// The chunks form a box: along each dimension it goes from the beginning of the first chunk to the end of the last, or of the array.
/// So one of `n` indexes along a dimension costs what a chunk has there, whichever it is, but for the last chunk; a chunk of a objects
/// x b epochs is amplified b times by a read of one epoch and a times by one of one object.
///
/// # Errors
/// [`GridError`] if the shapes do not fit each other.
pub fn touched(shape: &[u64], chunk: &[u64], region: &Region) -> Result<Touched, GridError> {
    let covering = ChunkGrid::new(shape, chunk)?.covering(region);
    let extent = |d: usize| (covering.end(d) * chunk[d]).min(shape[d]) - covering.start()[d] * chunk[d];
    let elements = (0..shape.len()).map(|d| if covering.shape()[d] == 0 { 0 } else { extent(d) }).product();
    Ok(Touched { chunks: covering.elements(), elements })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_index_costs_a_chunk() {
        let check = |chunk: [u64; 2], start: [u64; 2], extent: [u64; 2], expected: (u64, u64)| {
            let region = Region::new(&start[..], &extent[..]);
            let touched = touched(&[1000, 50], &chunk, &region).unwrap();
            assert_eq!((touched.chunks, touched.elements), expected, "{chunk:?} {start:?} {extent:?}");
        };
        // One epoch of all objects, then one object at all epochs: 8 and 100 times what is wanted.
        check([100, 8], [0, 17], [1000, 1], (10, 8 * 1000));
        check([100, 8], [17, 0], [1, 50], (7, 100 * 50));
        // The last chunk is shorter.
        check([100, 8], [0, 49], [1000, 1], (10, 2 * 1000));
        check([300, 8], [950, 0], [50, 1], (1, 100 * 8));
        check([100, 8], [95, 3], [10, 0], (0, 0));
    }
}
