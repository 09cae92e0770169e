//! Tiles into the pieces of an intermediate.

use std::sync::Arc;

use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Filled, copy_region, index};
use zarrange_io::WriteRequest;

use crate::engine::presence::Known;
use crate::engine::sink::{Drain, Sink, Turn};
use crate::engine::spill::{GIVEN_BACK, Piece, Slabs, SpillFile, Sum};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// An intermediate that tiles are written to.
pub(crate) struct PieceSink<'a>(pub(crate) &'a SpillFile);

impl<'a> Sink<'a> for PieceSink<'_> {
    fn grid(&self) -> &ChunkGrid {
        self.0.read()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        None
    }

    fn compared(&self) -> Option<&Chunks<'_>> {
        None
    }

    fn objects(&self) -> Option<&ChunkGrid> {
        None
    }

    fn batch_max(&self, _: u64) -> u64 {
        u64::MAX
    }

    fn drainer<'s>(&'s self, _: Option<Arc<Known>>) -> Result<Box<dyn Drain<'a> + 's>, RechunkError> {
        Ok(Box::new(Drainer { file: self.0, slabs: Slabs::default() }))
    }

    fn stop(&self) {}
}

struct Drainer<'s> {
    file: &'s SpillFile,
    slabs: Slabs,
}

impl<'a> Drain<'a> for Drainer<'_> {
    /// As many pieces at a time as the buffer holds are written together.
    fn drain(
        &mut self,
        tile: Filled<'_>,
        turn: &Turn<'_, 'a>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        for chunk in turn.batch.indices() {
            let Some(region) = self.file.read().region(&chunk).intersect(tile.strides.region()) else {
                continue;
            };
            let piece = self.file.piece(region.start());
            if let Some(mut held) = self.file.held(piece.tile) {
                let Some(held) = held.as_mut() else { unreachable!("{GIVEN_BACK}") };
                let strides = self.file.strides(piece.region.clone());
                let data = &mut held.data[self.file.offset_in_tile(&piece)..][..index(strides.bytes())];
                let item = index(self.file.item_bytes());
                copy_region(&piece.region, (tile.data, tile.strides), (data, &strides), item);
                continue;
            }
            self.write_piece(tile, &piece, worker)?;
            worker.counts.requests += 1;
        }
        self.write(worker)?;
        turn.finish(&mut worker.counts);
        Ok(())
    }
}

impl Drainer<'_> {
    /// Puts a piece into the buffer, slab by slab, which is written whenever it is full.
    fn write_piece(
        &mut self,
        tile: Filled<'_>,
        piece: &Piece,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        let (mut sum, mut at) = (Sum::default(), piece.offset);
        for slab in self.file.slabs(&piece.region, worker.plain.len()) {
            if !self.slabs.fits(&slab, worker.plain.len()) {
                self.write(worker)?;
            }
            let (strides, bytes, last) = (slab.strides.clone(), slab.bytes as u64, slab.last);
            let place = self.slabs.push(slab, at);
            let (data, check) = worker.plain[place].split_at_mut(index(strides.bytes()));
            copy_region(
                strides.region(),
                (tile.data, tile.strides),
                (data, &strides),
                index(self.file.item_bytes()),
            );
            sum.add(data);
            if last {
                check.copy_from_slice(&sum.finish(piece.number).to_le_bytes());
            }
            worker.counts.spill_bytes += strides.bytes();
            at += bytes;
        }
        Ok(())
    }

    /// Writes the slabs in the buffer in one batch.
    fn write(&mut self, worker: &mut Worker<'_>) -> Result<(), RechunkError> {
        let Worker { plain, permit, .. } = worker;
        let object = self.file.object();
        let mut rest = &plain[..];
        let mut requests: Vec<WriteRequest<'_>> = Vec::with_capacity(self.slabs.all.len());
        for (slab, offset) in &self.slabs.all {
            let (data, after) = rest.split_at(slab.bytes);
            rest = after;
            requests.push(WriteRequest::at(object, *offset, data));
        }
        permit.waiting(|| self.file.store().write(&mut requests));
        self.slabs.clear();
        Ok(requests.into_iter().try_for_each(|request| request.result)?)
    }
}
