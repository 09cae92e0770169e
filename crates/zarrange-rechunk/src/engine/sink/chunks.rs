//! Tiles into chunks, each an object.

use std::sync::Arc;

use zarrange_array::{ChunkEncoder, ChunkWriter, Chunks};
use zarrange_grid::{ChunkGrid, Filled};

use crate::engine::budget::{Budget, Lease};
use crate::engine::presence::Known;
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// An array without shards that tiles are written to.
pub(crate) struct ChunkSink<'a> {
    pub(crate) chunks: Chunks<'a>,
    /// Others may write the same chunks at the same time.
    pub(crate) replaces: bool,
    pub(crate) budget: &'a Arc<Budget>,
}

impl<'a> Sink<'a> for ChunkSink<'_> {
    fn grid(&self) -> &ChunkGrid {
        self.chunks.grid()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        None
    }

    fn compared(&self) -> Option<&Chunks<'_>> {
        None
    }

    fn objects(&self) -> Option<&ChunkGrid> {
        Some(self.chunks.metadata().objects())
    }

    fn batch_max(&self, _: u64) -> u64 {
        u64::MAX
    }

    fn drainer<'s>(&'s self, _: Option<Arc<Known>>) -> Result<Box<dyn Drain<'a> + 's>, RechunkError> {
        let lease = self.budget.lease(self.chunks.chain().scratch_bytes() as u64)?;
        let encoder = ChunkEncoder::new(&self.chunks)?;
        let writer = ChunkWriter::replacing(&self.chunks, self.replaces);
        Ok(Box::new(Drainer { encoder, writer, _lease: lease }))
    }

    fn stop(&self) {}
}

struct Drainer<'a> {
    encoder: ChunkEncoder<'a>,
    writer: ChunkWriter<'a>,
    /// The memory that encoding takes.
    _lease: Lease,
}

impl<'a> Drain<'a> for Drainer<'_> {
    fn drain(
        &mut self,
        tile: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        let Self { encoder, writer, .. } = self;
        let Worker { plain, encoded, permit, counts, .. } = worker;
        let (room, bytes) =
            (encoder.chunks().chain().encoded_bytes_max(), encoder.chunks().chain().chunk_bytes() as u64);
        for chunk in turn.batch.indices() {
            if encoded.len() - writer.bytes() < room {
                permit.waiting(|| writer.write(encoded))?;
            }
            let free = &mut encoded[writer.bytes()..];
            match encoder.encode(&chunk, tile, plain, free)? {
                Some(stored) => {
                    writer.push(&chunk, stored);
                    counts.encoded(stored as u64, bytes);
                }
                None => counts.fill_chunks += 1,
            }
        }
        permit.waiting(|| writer.write(encoded))?;
        turn.finish(counts);
        Ok(())
    }
}
