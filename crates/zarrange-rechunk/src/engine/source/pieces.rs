//! Tiles from the pieces of an intermediate.

use std::collections::VecDeque;
use std::sync::Arc;

use zarrange_array::Chunks;
use zarrange_grid::{ChunkGrid, Part, Tile, index};
use zarrange_io::{Extent, ReadRequest, Source as From};
use zarrange_plan::{CHECK_BYTES, Counts};

use crate::engine::batches::Batch;
use crate::engine::presence::Known;
use crate::engine::source::{Fill, Source, Tiles};
use crate::engine::spill::{GIVEN_BACK, Piece, Slabs, SpillFile, Sum};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// An intermediate that tiles are filled from.
pub(crate) struct PieceSource<'a>(pub(crate) &'a SpillFile);

impl Source for PieceSource<'_> {
    fn grid(&self) -> &ChunkGrid {
        self.0.written()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        None
    }

    fn array(&self) -> Option<&Chunks<'_>> {
        None
    }

    fn filler(&self, _: Option<Arc<Known>>) -> Result<Box<dyn Fill + '_>, RechunkError> {
        Ok(Box::new(Filler { file: self.0, slabs: Slabs::default() }))
    }
}

struct Filler<'a> {
    file: &'a SpillFile,
    slabs: Slabs,
}

/// A piece on its way into a tile.
struct Filling<'t> {
    part: Part<'t>,
    piece: Piece,
    sum: Sum,
}

impl Fill for Filler<'_> {
    /// As many pieces at a time as the buffer holds are read together.
    fn fill(&mut self, tiles: Tiles<'_>, batch: &Batch, worker: &mut Worker<'_>) -> Result<(), RechunkError> {
        let tile = tiles.tile;
        let number = self.file.piece(tile.strides().region().start()).tile;
        if let Some(held) = self.file.held(number) {
            let Some(held) = held.as_ref() else { unreachable!("{GIVEN_BACK}") };
            self.fill_from_memory(tile, batch, &held.data);
            return Ok(());
        }
        let mut filling = VecDeque::new();
        for chunk in batch.indices() {
            let part = tile.claim(&chunk);
            let piece = self.file.piece(part.region().start());
            let mut at = piece.offset;
            let slabs = self.file.slabs(part.region(), worker.plain.len());
            filling.push_back(Filling { part, piece, sum: Sum::default() });
            for slab in slabs {
                if !self.slabs.fits(&slab, worker.plain.len()) {
                    self.read(&mut filling, worker)?;
                }
                let bytes = slab.bytes as u64;
                self.slabs.push(slab, at);
                at += bytes;
            }
        }
        self.read(&mut filling, worker)?;
        worker.counts += Counts { requests: batch.count, ..Counts::default() };
        Ok(())
    }
}

impl Filler<'_> {
    /// Fills parts of a tile that stayed in memory, in `data`.
    fn fill_from_memory(&self, tile: &Tile, batch: &Batch, data: &[u8]) {
        for chunk in batch.indices() {
            let part = tile.claim(&chunk);
            let strides = self.file.strides(part.region().clone());
            let offset = self.file.offset_in_tile(&self.file.piece(part.region().start()));
            part.copy_from(&data[offset..][..index(strides.bytes())], &strides);
        }
    }

    /// Reads the slabs noted in one batch and puts them into their parts, oldest first.
    fn read(
        &mut self,
        filling: &mut VecDeque<Filling<'_>>,
        worker: &mut Worker<'_>,
    ) -> Result<(), RechunkError> {
        let Worker { plain, permit, .. } = worker;
        let object = self.file.object();
        let mut rest = &mut plain[..];
        let mut requests: Vec<ReadRequest<'_>> = Vec::with_capacity(self.slabs.all.len());
        for (slab, offset) in &self.slabs.all {
            let (data, after) = rest.split_at_mut(slab.bytes);
            rest = after;
            requests.push(ReadRequest::new(From::Open(object), Extent::From(*offset), data));
        }
        permit.waiting(|| self.file.store().read(&mut requests));
        for (request, (slab, _)) in requests.into_iter().zip(&self.slabs.all) {
            request.result?;
            let Some(mut one) = filling.pop_front() else {
                unreachable!("a slab is of a piece that is being filled")
            };
            let check = if slab.last { index(CHECK_BYTES) } else { 0 };
            let (elements, check) = request.buffer.split_at(slab.bytes - check);
            one.sum.add(elements);
            one.part.copy_piece(elements, &slab.strides);
            if !slab.last {
                filling.push_front(one);
            } else if check == one.sum.finish(one.piece.number).to_le_bytes() {
                one.part.done();
            } else {
                return Err(self.file.damaged(&one.piece));
            }
        }
        self.slabs.clear();
        Ok(())
    }
}
