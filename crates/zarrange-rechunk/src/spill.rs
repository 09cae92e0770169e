//! The intermediate of a staged plan: one file of pieces, uncompressed, each at an offset that follows from its position.
//!
//! The file holds the tiles of the second stage one after the other, each as the pieces that the tiles of the first stage
//! contribute to it. Reading a tile is one contiguous range; no index is kept. Its room is given back as soon as it was read. The
//! first tiles stay in memory, as far as the plan has room for them: their pieces are laid out as in the file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zarrange_grid::{ChunkGrid, Dims, Layout, Part, Region, Tile, copy_region, index};
use zarrange_io::{Access, Change, Extent, Object, ReadRequest, Source, Store, WriteRequest};
use zarrange_plan::{PlanError, Spill};

use crate::RechunkError;
use crate::budget::{Budget, Buffer};
use crate::drain::Filled;
use crate::gate::Permit;
use crate::report::{Counters, add};
use crate::walk::Batch;

/// An open intermediate; it is removed when dropped.
#[derive(Debug)]
pub(crate) struct SpillFile {
    store: Store,
    object: Object,
    written: ChunkGrid,
    read: ChunkGrid,
    order: Dims,
    item_bytes: u64,
    /// The tiles that stay in memory, until they were read.
    held: Vec<Mutex<Option<Buffer>>>,
}

impl SpillFile {
    /// Creates the intermediate of an array of `shape` at `key` of `store`.
    pub(crate) fn create(
        (store, key): (Store, &str),
        spill: &Spill,
        shape: &[u64],
        item_bytes: u64,
        budget: &Arc<Budget>,
    ) -> Result<Self, RechunkError> {
        let grid = |tile: &[u64]| {
            ChunkGrid::new(shape, tile)
                .map_err(|e| RechunkError::Plan { array: String::new(), source: PlanError::Grid(e) })
        };
        let (written, read) = (grid(&spill.written)?, grid(&spill.read)?);
        let object = store.open(key, Access::Create)?;
        let object =
            object.ok_or_else(|| zarrange_io::IoError::NotFound { location: store.label().to_owned() })?;
        let held = (0..spill.held_tiles).map(|_| Ok(Mutex::new(Some(budget.take(spill.held_tile_bytes)?))));
        let held = held.collect::<Result<_, RechunkError>>()?;
        let order = spill.order.as_slice().into();
        Ok(Self { store, object, written, read, order, item_bytes, held })
    }

    /// Tiles of the first stage.
    pub(crate) const fn written(&self) -> &ChunkGrid {
        &self.written
    }

    /// Tiles of the second stage.
    pub(crate) const fn read(&self) -> &ChunkGrid {
        &self.read
    }

    /// Parts of a piece that fit `bytes` each; every one is contiguous in the file.
    fn slabs(&self, piece: &Region, bytes: usize) -> impl Iterator<Item = Region> + use<> {
        slabs(piece, &self.order, (bytes as u64 / self.item_bytes).max(1))
    }

    /// How the elements of a slab lie in the file and in a buffer.
    fn layout(&self, slab: Region) -> Layout {
        Layout::ordered(slab, &self.order, self.item_bytes)
    }

    /// Fills the parts of `tile` that are the pieces of `batch`: as many at a time as `buffer` holds, read together.
    pub(crate) fn fill(
        &self,
        tile: &Tile,
        batch: &Batch,
        buffer: &mut [u8],
        permit: &mut Permit<'_>,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let number = self.tile_number(tile.layout().region().start());
        if let Some(held) = self.held.get(index(number)) {
            self.fill_from(&mut lock(held), tile, batch);
            return Ok(());
        }
        add(&counters.pieces, batch.count);
        let (mut slabs, mut parts) = (Slabs::default(), VecDeque::new());
        for unit in batch.indices() {
            let part = tile.claim(&unit);
            let mut pieces = self.slabs(part.region(), buffer.len()).peekable();
            parts.push_back(part);
            while let Some(slab) = pieces.next() {
                let layout = self.layout(slab);
                if !slabs.fits(&layout, buffer.len()) {
                    self.read_into(&mut slabs, &mut parts, buffer, permit)?;
                }
                slabs.push(layout, pieces.peek().is_none());
            }
        }
        self.read_into(&mut slabs, &mut parts, buffer, permit)?;
        if tile.filled().is_some() {
            let bytes = self.tile_bytes();
            self.object.release(number * bytes, bytes);
        }
        Ok(())
    }

    /// Fills the parts of `tile` from memory, which is given back with the last of them.
    fn fill_from(&self, held: &mut Option<Buffer>, tile: &Tile, batch: &Batch) {
        let Some(Buffer { data, .. }) = held.as_ref() else { return };
        for unit in batch.indices() {
            let part = tile.claim(&unit);
            let offset = index(self.piece_offset(tile.layout().region(), part.region()));
            let layout = self.layout(part.region().clone());
            part.copy_from(&data[offset..][..index(layout.bytes())], &layout);
        }
        if tile.filled().is_some() {
            *held = None;
        }
    }

    /// Reads `slabs` in one batch and puts them into their parts, oldest first.
    fn read_into(
        &self,
        slabs: &mut Slabs,
        parts: &mut VecDeque<Part<'_>>,
        buffer: &mut [u8],
        permit: &mut Permit<'_>,
    ) -> Result<(), RechunkError> {
        let mut rest = &mut buffer[..];
        let mut requests: Vec<ReadRequest<'_>> = Vec::with_capacity(slabs.layouts.len());
        for (layout, _) in &slabs.layouts {
            let (data, after) = rest.split_at_mut(index(layout.bytes()));
            rest = after;
            let source = Source::Open(&self.object);
            requests.push(ReadRequest::new(source, Extent::From(self.offset(layout.region())), data));
        }
        permit.waiting(|| self.store.read(&mut requests));
        for (request, (layout, last)) in requests.into_iter().zip(&slabs.layouts) {
            request.result?;
            let Some(part) = parts.pop_front() else { break };
            part.copy_piece(request.buffer, layout);
            if *last { part.done() } else { parts.push_front(part) }
        }
        slabs.clear();
        Ok(())
    }

    /// Writes the pieces of `batch` that `tile` holds: as many at a time as `buffer` holds, written together.
    pub(crate) fn drain(
        &self,
        tile: Filled<'_>,
        batch: &Batch,
        buffer: &mut [u8],
        permit: &mut Permit<'_>,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let item = index(self.item_bytes);
        let mut slabs = Slabs::default();
        for unit in batch.indices() {
            let whole = self.read.region(&unit);
            let Some(piece) = whole.intersect(tile.layout.region()) else { continue };
            if let Some(held) = self.held.get(index(self.read.all().linear(&unit))) {
                if let Some(Buffer { data, .. }) = lock(held).as_mut() {
                    let offset = index(self.piece_offset(&whole, &piece));
                    let layout = self.layout(piece.clone());
                    let data = &mut data[offset..][..index(layout.bytes())];
                    copy_region(&piece, (tile.data, tile.layout), (data, &layout), item);
                }
                continue;
            }
            add(&counters.pieces, 1);
            for slab in self.slabs(&piece, buffer.len()) {
                let layout = self.layout(slab);
                if !slabs.fits(&layout, buffer.len()) {
                    self.write_out(&mut slabs, buffer, permit)?;
                }
                let data = &mut buffer[slabs.bytes..][..index(layout.bytes())];
                copy_region(layout.region(), (tile.data, tile.layout), (data, &layout), item);
                add(&counters.spill_bytes, layout.bytes());
                slabs.push(layout, true);
            }
        }
        self.write_out(&mut slabs, buffer, permit)
    }

    /// Writes `slabs` in one batch.
    fn write_out(
        &self,
        slabs: &mut Slabs,
        buffer: &[u8],
        permit: &mut Permit<'_>,
    ) -> Result<(), RechunkError> {
        let mut rest = buffer;
        let mut requests: Vec<WriteRequest<'_>> = Vec::with_capacity(slabs.layouts.len());
        for (layout, _) in &slabs.layouts {
            let (data, after) = rest.split_at(index(layout.bytes()));
            rest = after;
            requests.push(WriteRequest::at(&self.object, self.offset(layout.region()), data));
        }
        permit.waiting(|| self.store.write(&mut requests));
        slabs.clear();
        Ok(requests.into_iter().try_for_each(|request| request.result)?)
    }

    /// Offset in the file of a slab, which is inside one piece.
    fn offset(&self, slab: &Region) -> u64 {
        let at = |grid: &ChunkGrid| -> Dims {
            slab.start().iter().zip(grid.chunk_shape()).map(|(start, chunk)| start / chunk).collect()
        };
        let tile = self.read.region(&at(&self.read));
        let piece = self.written.region(&at(&self.written)).intersect(&tile);
        let piece = piece.unwrap_or_else(|| slab.clone());
        let within = Layout::ordered(piece.clone(), &self.order, self.item_bytes).offset(slab.start());
        self.tile_number(slab.start()) * self.tile_bytes() + self.piece_offset(&tile, &piece) + within
    }

    /// Number of the tile of the second stage that begins at, or holds, an element.
    fn tile_number(&self, element: &[u64]) -> u64 {
        let tile: Dims = element.iter().zip(self.read.chunk_shape()).map(|(at, n)| at / n).collect();
        self.read.all().linear(&tile)
    }

    /// Room for each tile in the file.
    fn tile_bytes(&self) -> u64 {
        self.read.chunk_shape().iter().product::<u64>() * self.item_bytes
    }

    /// Offset of a piece in its tile: along each axis, all of the tile that lies before the piece and has its position in
    /// the axes further out.
    fn piece_offset(&self, tile: &Region, piece: &Region) -> u64 {
        let (mut offset, mut beside) = (0, 1);
        let mut inner: u64 = self.order.iter().map(|a| tile.shape()[zarrange_grid::index(*a)]).product();
        for axis in self.order.iter().map(|a| zarrange_grid::index(*a)) {
            inner /= tile.shape()[axis];
            offset += beside * (piece.start()[axis] - tile.start()[axis]) * inner;
            beside *= piece.shape()[axis];
        }
        offset * self.item_bytes
    }
}

/// A tile that stays in memory; a thread that panicked while it held the lock has failed the job.
fn lock(held: &Mutex<Option<Buffer>>) -> MutexGuard<'_, Option<Buffer>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Slabs that share a buffer, one after the other.
#[derive(Default)]
struct Slabs {
    /// Each with whether it is the last of its piece.
    layouts: Vec<(Layout, bool)>,
    bytes: usize,
}

impl Slabs {
    fn fits(&self, layout: &Layout, room: usize) -> bool {
        self.bytes + index(layout.bytes()) <= room
    }

    fn push(&mut self, layout: Layout, last: bool) {
        self.bytes += index(layout.bytes());
        self.layouts.push((layout, last));
    }

    fn clear(&mut self) {
        self.layouts.clear();
        self.bytes = 0;
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // Nothing more can be done about a file that cannot be removed; the job's own outcome stands.
        let _ = self.store.change(Change::Remove(self.object.key()));
    }
}

/// Cuts `region`, stored with its axes in `order`, into contiguous ranges of at most `elements_max` elements.
fn slabs(region: &Region, order: &[u64], elements_max: u64) -> impl Iterator<Item = Region> + use<> {
    let mut steps: Dims = region.shape().into();
    let mut inner = 1;
    let mut whole = true;
    for axis in order.iter().rev().map(|a| zarrange_grid::index(*a)) {
        let extent = region.shape()[axis];
        steps[axis] = match whole {
            true if inner * extent <= elements_max => extent,
            true => (elements_max / inner).max(1),
            false => 1,
        };
        whole = whole && steps[axis] == extent;
        inner *= extent;
    }
    let counts: Dims = region.shape().iter().zip(&steps).map(|(n, step)| n.div_ceil(*step)).collect();
    let (region, numbers) = (region.clone(), Region::whole(&counts));
    (0..numbers.elements()).map(move |k| {
        let at = numbers.unravel(k);
        let start: Dims = (0..at.len()).map(|d| region.start()[d] + at[d] * steps[d]).collect();
        let shape: Dims = (0..at.len()).map(|d| steps[d].min(region.end(d) - start[d])).collect();
        Region::new(start, shape)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slabs of all pieces tile the file without gaps or overlaps, whatever the grids and the axis order.
    #[test]
    fn every_byte_of_the_file_has_one_place() {
        let check = |shape: &[u64], written: &[u64], read: &[u64], order: &[u64], bytes: usize| {
            let spill = Spill {
                written: written.into(),
                read: read.into(),
                order: order.into(),
                held_tiles: 0,
                held_tile_bytes: 0,
                pieces: 0,
                bytes: 0,
            };
            let store = zarrange_io::Location::Memory(format!("spill{shape:?}{written:?}{read:?}{bytes}"))
                .open()
                .unwrap();
            let budget = Budget::new(0);
            let file = SpillFile::create((store, "spill"), &spill, shape, 2, &budget).unwrap();
            let mut ranges: Vec<(u64, u64)> = Vec::new();
            for tile in (0..file.read.count()).map(|k| file.read.region(&file.read.all().unravel(k))) {
                let cover = file.written.covering(&tile);
                for piece in (0..cover.elements()).map(|k| file.written.region(&cover.unravel(k))) {
                    for slab in file.slabs(&piece.intersect(&tile).unwrap(), bytes) {
                        assert!(slab.elements() * 2 <= (bytes as u64).max(2));
                        ranges.push((file.offset(&slab), slab.elements() * 2));
                    }
                }
            }
            ranges.sort_unstable();
            assert!(ranges.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0), "{ranges:?}");
            let total: u64 = ranges.iter().map(|r| r.1).sum();
            assert_eq!(total, shape.iter().product::<u64>() * 2);
        };
        check(&[7, 5], &[2, 5], &[7, 2], &[0, 1], 1000);
        check(&[7, 5], &[2, 5], &[3, 2], &[1, 0], 6);
        check(&[4, 6, 5], &[3, 2, 5], &[2, 5, 3], &[2, 0, 1], 8);
        check(&[10], &[3], &[4], &[0], 2);
        check(&[], &[], &[], &[], 64);
    }
}
