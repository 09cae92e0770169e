//! The codecs of objects whose shapes differ.

use zarrange_codec::{ArrayCodec, Chain, CodecError};
use zarrange_grid::Dims;

use crate::chunks::ChunkView;

/// The codecs of objects that are smaller than the largest, in a rectilinear grid: those that were needed last.
#[derive(Debug, Default)]
pub(crate) struct Codecs(Vec<(Dims, ArrayCodec)>);

/// Shapes of objects whose codecs a thread keeps: months have four lengths, in each dimension.
const SHAPES_KEPT: usize = 32;

impl Codecs {
    /// The codecs of object `object`.
    pub(crate) fn of<'c>(
        &'c mut self,
        view: &'c ChunkView<'_>,
        object: &[u64],
    ) -> Result<&'c ArrayCodec, CodecError> {
        let (grid, elements) = (view.metadata().objects(), view.elements());
        if grid.is_regular() {
            return Ok(&elements.codec);
        }
        let cell = grid.cell(object);
        if cell.shape() == grid.chunk_shape() {
            return Ok(&elements.codec);
        }
        if let Some(at) = self.0.iter().position(|(shape, _)| shape[..] == *cell.shape()) {
            return Ok(&self.0[at].1);
        }
        let codec =
            ArrayCodec::new(&elements.object_codecs, &elements.element, cell.shape(), &elements.fill)?;
        if self.0.len() == SHAPES_KEPT {
            self.0.remove(0);
        }
        self.0.push((cell.shape().into(), codec));
        Ok(&self.0[self.0.len() - 1].1)
    }

    /// The chain of `chunk`, a chunk or inner chunk.
    pub(crate) fn chain<'c>(
        &'c mut self,
        view: &'c ChunkView<'_>,
        chunk: &[u64],
    ) -> Result<&'c Chain, CodecError> {
        // Inner chunks are the same in shards of every shape.
        if view.grid().is_regular() {
            return Ok(view.chain());
        }
        self.of(view, chunk).map(ArrayCodec::chain)
    }
}
