//! The intermediate of a staged plan: one file of pieces, uncompressed, each at an offset that follows from its position.
//!
//! The file holds the tiles of the second stage one after the other, each as the pieces that the tiles of the first stage
//! contribute to it. Reading a tile is one contiguous range; no index is kept. Behind each piece lies a checksum, so that a hole, or
//! a piece that was never written, is not taken for zeros. Room is given back when the part that read it is done. The first tiles
//! stay in memory, as far as the plan has room for them: their pieces are laid out as in the file.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zarrange_grid::{ChunkGrid, Dims, Region, Strides, index};
use zarrange_io::{Access, Change, IoError, Object, Store};
use zarrange_plan::{CHECK_BYTES, PlanError, Spill};

use crate::engine::budget::{Budget, Buffer};
use crate::error::RechunkError;

/// Where an intermediate lies.
pub(crate) struct SpillPlace {
    pub(crate) store: Store,
    pub(crate) key: String,
    /// Several processes use it: it is there, or is made, and nobody here gives back or removes anything of it.
    pub(crate) shared: bool,
}

/// An open intermediate; it is removed when dropped, unless others use it.
#[derive(Debug)]
pub(crate) struct SpillFile {
    store: Store,
    object: Object,
    shared: bool,
    written: ChunkGrid,
    read: ChunkGrid,
    order: Dims,
    item_bytes: u64,
    /// Room for each tile.
    tile_bytes: u64,
    /// The tiles that stay in memory, until they were read.
    held: Vec<Mutex<Option<Buffer>>>,
}

/// Why a tile that stays in memory is still there.
pub(crate) const GIVEN_BACK: &str = "the memory of a tile is given back once, when it was read";

impl SpillFile {
    /// Makes the intermediate of an array of `shape`, or opens that of other processes.
    pub(crate) fn open(
        SpillPlace { store, key, shared }: SpillPlace,
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
        let object = if shared {
            match store.open(&key, Access::Write)? {
                None => match store.open(&key, Access::New) {
                    // Somebody else was faster.
                    Err(IoError::Os { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                        store.open(&key, Access::Write)?
                    }
                    made => made?,
                },
                there => there,
            }
        } else {
            store.open(&key, Access::Create)?
        };
        let object = object.ok_or_else(|| IoError::NotFound { location: store.label().to_owned() })?;
        let held_tiles = if shared { 0 } else { spill.held_tiles };
        let held = (0..held_tiles).map(|_| Ok(Mutex::new(Some(budget.take(spill.held_tile_bytes)?))));
        let held = held.collect::<Result<_, RechunkError>>()?;
        let order = spill.order.as_slice().into();
        // So many tiles of one stage reach into a tile of the other, at most.
        let pieces =
            read.chunk_shape().iter().zip(written.chunk_shape()).map(|(r, w)| (r - 1).div_ceil(*w) + 1);
        let elements = read.chunk_shape().iter().product::<u64>();
        let tile_bytes = elements * item_bytes + pieces.product::<u64>() * CHECK_BYTES;
        Ok(Self { store, object, shared, written, read, order, item_bytes, tile_bytes, held })
    }

    /// The store that it lies in.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The open file.
    pub(crate) const fn object(&self) -> &Object {
        &self.object
    }

    /// Tiles of the first stage.
    pub(crate) const fn written(&self) -> &ChunkGrid {
        &self.written
    }

    /// Tiles of the second stage.
    pub(crate) const fn read(&self) -> &ChunkGrid {
        &self.read
    }

    /// Bytes of an element.
    pub(crate) const fn item_bytes(&self) -> u64 {
        self.item_bytes
    }

    /// The memory of a tile that stays there.
    pub(crate) fn held(&self, tile: u64) -> Option<MutexGuard<'_, Option<Buffer>>> {
        // A thread that panicked while it held the lock has failed the run.
        Some(self.held.get(index(tile))?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Parts of a piece that fit `bytes` each, with the checksum behind the last; in the order in which they lie, and with whether it
    /// is the last one.
    pub(crate) fn slabs(&self, piece: &Region, bytes: usize) -> impl Iterator<Item = Slab> + use<> {
        let most = (bytes as u64).saturating_sub(CHECK_BYTES) / self.item_bytes;
        let mut slabs = slabs(piece, &self.order, most.max(1)).peekable();
        let (order, item_bytes) = (self.order.clone(), self.item_bytes);
        std::iter::from_fn(move || {
            let strides = Strides::ordered(slabs.next()?, &order, item_bytes);
            let last = slabs.peek().is_none();
            let bytes = strides.bytes() + if last { CHECK_BYTES } else { 0 };
            Some(Slab { strides, bytes: index(bytes), last })
        })
    }

    /// How the elements of a piece lie.
    pub(crate) fn strides(&self, piece: Region) -> Strides {
        Strides::ordered(piece, &self.order, self.item_bytes)
    }

    /// The piece that holds `element`: its elements, and its place.
    pub(crate) fn piece(&self, element: &[u64]) -> Piece {
        let at = |grid: &ChunkGrid| -> Dims {
            element.iter().zip(grid.chunk_shape()).map(|(start, chunk)| start / chunk).collect()
        };
        let (in_read, in_written) = (at(&self.read), at(&self.written));
        let tile = self.read.region(&in_read);
        let covering = self.written.covering(&tile);
        let region = self.written.region(&in_written).intersect(&tile).unwrap_or_else(|| tile.clone());
        let number = self.order.iter().map(|axis| index(*axis)).fold(0, |number, axis| {
            number * covering.shape()[axis] + (in_written[axis] - covering.start()[axis])
        });
        let tile_number = self.read.all().linear(&in_read);
        let before = self.elements_before(&tile, &region) * self.item_bytes + number * CHECK_BYTES;
        Piece { offset: tile_number * self.tile_bytes + before, region, number, tile: tile_number }
    }

    /// Offset in the memory of a tile that stays there of a piece.
    pub(crate) fn offset_in_tile(&self, piece: &Piece) -> usize {
        let tile = self.read.region(&self.read.all().unravel(piece.tile));
        index(self.elements_before(&tile, &piece.region) * self.item_bytes)
    }

    /// Elements of a tile that lie before a piece of it: along each axis, all of the tile that lies before the piece and has its
    /// position in the axes further out.
    fn elements_before(&self, tile: &Region, piece: &Region) -> u64 {
        let (mut before, mut beside) = (0, 1);
        let mut inner: u64 = self.order.iter().map(|axis| tile.shape()[index(*axis)]).product();
        for axis in self.order.iter().map(|axis| index(*axis)) {
            inner /= tile.shape()[axis];
            before += beside * (piece.start()[axis] - tile.start()[axis]) * inner;
            beside *= piece.shape()[axis];
        }
        before
    }

    /// Gives back what tile `tile` takes: whoever needed it has written what came of it.
    pub(crate) fn release(&self, tile: u64) {
        if self.shared {
            return;
        }
        match self.held(tile) {
            Some(mut held) => *held = None,
            None => self.object.release(tile * self.tile_bytes, self.tile_bytes),
        }
    }

    /// The error of a piece that is not what was written.
    pub(crate) fn damaged(&self, piece: &Piece) -> RechunkError {
        RechunkError::Intermediate {
            location: format!("{}/{}", self.store.label(), self.object.key()),
            offset: piece.offset,
        }
    }
}

/// What one tile of the first stage contributes to one of the second.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) region: Region,
    /// Its offset in the file.
    pub(crate) offset: u64,
    /// Its number within the tile of the second stage, and the number of that.
    pub(crate) number: u64,
    pub(crate) tile: u64,
}

/// A part of a piece that is moved at once.
#[derive(Debug)]
pub(crate) struct Slab {
    pub(crate) strides: Strides,
    /// With the checksum of the piece, if it is the last of it.
    pub(crate) bytes: usize,
    pub(crate) last: bool,
}

/// Slabs that share a buffer, one after the other: where each lies in the file.
#[derive(Debug, Default)]
pub(crate) struct Slabs {
    pub(crate) all: Vec<(Slab, u64)>,
    pub(crate) bytes: usize,
}

impl Slabs {
    /// Whether there is room for one more in a buffer of `room`.
    pub(crate) fn fits(&self, slab: &Slab, room: usize) -> bool {
        self.bytes + slab.bytes <= room
    }

    /// Adds a slab at an offset of the file; its place in the buffer.
    pub(crate) fn push(&mut self, slab: Slab, offset: u64) -> Range<usize> {
        let place = self.bytes..self.bytes + slab.bytes;
        self.bytes = place.end;
        self.all.push((slab, offset));
        place
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.bytes = 0;
    }
}

/// The checksum of a piece, slab by slab.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum(u32);

impl Sum {
    pub(crate) fn add(&mut self, slab: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, slab);
    }

    /// What lies behind piece `number` of its tile: the checksum, and which piece it is.
    pub(crate) fn finish(self, number: u64) -> u64 {
        (u64::from(self.0) << 32) | (number & u64::from(u32::MAX))
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        if !self.shared {
            // Nothing more can be done about a file that cannot be removed; the run's own outcome stands.
            let _ = self.store.change(Change::Remove(self.object.key()));
        }
    }
}

/// Cuts `region`, stored with its axes in `order`, into contiguous ranges of at most `elements_max` elements.
fn slabs(region: &Region, order: &[u64], elements_max: u64) -> impl Iterator<Item = Region> + use<> {
    let mut steps: Dims = region.shape().into();
    let mut inner = 1;
    let mut whole = true;
    for axis in order.iter().rev().map(|a| index(*a)) {
        let extent = region.shape()[axis];
        steps[axis] = match whole {
            true if inner * extent <= elements_max => extent,
            true => (elements_max / inner).max(1),
            false => 1,
        };
        whole = whole && steps[axis] == extent;
        inner *= extent;
    }
    // In the order in which they lie.
    let axes: Dims = order.into();
    let counts: Dims = axes.iter().map(|a| region.shape()[index(*a)].div_ceil(steps[index(*a)])).collect();
    let (region, numbers) = (region.clone(), Region::whole(&counts));
    (0..numbers.elements()).map(move |k| {
        let along = numbers.unravel(k);
        let mut at: Dims = region.shape().into();
        axes.iter().zip(&along).for_each(|(axis, k)| at[index(*axis)] = *k);
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
            let place = SpillPlace { store, key: "spill".to_owned(), shared: false };
            let file = SpillFile::open(place, &spill, shape, 2, &budget).unwrap();
            let (mut ranges, mut pieces) = (Vec::<(u64, u64)>::new(), 0);
            for tile in (0..file.read.count()).map(|k| file.read.region(&file.read.all().unravel(k))) {
                let cover = file.written.covering(&tile);
                for piece in (0..cover.elements()).map(|k| file.written.region(&cover.unravel(k))) {
                    let region = piece.intersect(&tile).unwrap();
                    let piece = file.piece(region.start());
                    assert_eq!(piece.region, region);
                    let mut at = piece.offset;
                    for slab in file.slabs(&region, bytes) {
                        assert!(slab.bytes <= bytes.max(2 + index(CHECK_BYTES)));
                        // A slab lies behind the one before it.
                        let first = file.strides(region.clone()).offset(slab.strides.region().start());
                        assert_eq!(piece.offset + first, at);
                        ranges.push((at, slab.bytes as u64));
                        at += slab.bytes as u64;
                    }
                    pieces += 1;
                }
            }
            ranges.sort_unstable();
            assert!(ranges.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0), "{ranges:?}");
            let total: u64 = ranges.iter().map(|r| r.1).sum();
            assert_eq!(total, shape.iter().product::<u64>() * 2 + pieces * CHECK_BYTES);
        };
        check(&[7, 5], &[2, 5], &[7, 2], &[0, 1], 1000);
        check(&[7, 5], &[2, 5], &[3, 2], &[1, 0], 6);
        check(&[4, 6, 5], &[3, 2, 5], &[2, 5, 3], &[2, 0, 1], 8);
        check(&[10], &[3], &[4], &[0], 2);
        check(&[], &[], &[], &[], 64);
    }
}
