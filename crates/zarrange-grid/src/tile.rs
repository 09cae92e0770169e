//! A buffer that many threads fill at once, each its own chunks.
//!
//! The parts of a tile are its intersections with the cells of a grid: disjoint, and together the whole tile. Each can
//! be claimed once, so two threads never write the same element; the tile can be read only when every part was
//! written, so no reader meets an unwritten one.
#![expect(
    unsafe_code,
    reason = "threads write disjoint parts of one buffer, strided: slices cannot express that"
)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::kernel::{self, Level};
use crate::reduced::Reduced;
use crate::{ChunkGrid, Dims, Region, Strides, fill_with, index};

/// A region of an array in memory, filled by parts.
#[derive(Debug)]
pub struct Tile {
    parts: Parts,
    /// Owns the bytes of the parts; not touched until nobody borrows the tile.
    buffer: Vec<u8>,
}

/// A tile in a buffer of somebody else, who can read it when it is dropped.
#[derive(Debug)]
pub struct LentTile<'b> {
    parts: Parts,
    /// The only borrow of the bytes of the parts.
    buffer: PhantomData<&'b mut [u8]>,
}

/// The parts of a tile, and where they are written to.
#[derive(Debug)]
struct Parts {
    data: NonNull<u8>,
    bytes: usize,
    strides: Strides,
    item_bytes: usize,
    grid: ChunkGrid,
    /// The chunks of `grid` that have elements in the tile.
    chunks: Region,
    /// One bit for each chunk: claimed.
    claimed: Vec<AtomicU64>,
    /// Parts not yet written.
    missing: AtomicU64,
}

// SAFETY: the tile around them has the buffer for itself; shared access to it goes through parts, which are disjoint
// and claimed at most once, or through `filled`, which waits for all of them.
unsafe impl Send for Parts {}
// SAFETY: as above.
unsafe impl Sync for Parts {}

impl Parts {
    fn new(buffer: &mut [u8], strides: Strides, grid: ChunkGrid, item_bytes: usize) -> Self {
        assert!(index(strides.bytes()) <= buffer.len(), "a tile fits its buffer");
        assert!(Region::whole(grid.array_shape()).contains(strides.region()), "a tile is inside its array");
        let chunks = grid.covering(strides.region());
        let parts = chunks.elements();
        Self {
            data: NonNull::from(&mut *buffer).cast(),
            bytes: buffer.len(),
            strides,
            item_bytes,
            grid,
            chunks,
            claimed: (0..parts.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            missing: AtomicU64::new(parts),
        }
    }

    fn claim(&self, chunk: &[u64]) -> Part<'_> {
        let linear = self.chunks.linear(chunk);
        let bit = 1 << (linear % 64);
        let before = self.claimed[index(linear / 64)].fetch_or(bit, Ordering::Relaxed);
        assert_eq!(before & bit, 0, "a part is claimed once");
        let region = self.grid.region(chunk).intersect(self.strides.region());
        Part { parts: self, region: region.expect("a chunk that covers the tile overlaps it") }
    }
}

impl Tile {
    /// A tile of the elements of `strides` in `buffer`, filled by the chunks of `grid` that overlap it.
    ///
    /// # Panics
    /// If the buffer is smaller than the layout, or the layout is not inside the grid's array.
    pub fn new(mut buffer: Vec<u8>, strides: Strides, grid: ChunkGrid, item_bytes: usize) -> Self {
        Self { parts: Parts::new(&mut buffer, strides, grid, item_bytes), buffer }
    }

    /// The buffer, for the next tile.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// The chunks that fill the tile, as a region of the grid.
    pub fn chunks(&self) -> &Region {
        &self.parts.chunks
    }

    /// Where the elements lie.
    pub fn strides(&self) -> &Strides {
        &self.parts.strides
    }

    /// The part that chunk `chunk` of the grid fills.
    ///
    /// # Panics
    /// If the chunk is not one of [`Self::chunks`] or was claimed before.
    pub fn claim(&self, chunk: &[u64]) -> Part<'_> {
        self.parts.claim(chunk)
    }

    /// The elements, once every part was written.
    pub fn filled(&self) -> Option<Filled<'_>> {
        let parts = &self.parts;
        if parts.missing.load(Ordering::Acquire) > 0 {
            return None;
        }
        // SAFETY: every part was claimed (once) and written; no claim can follow, so nobody writes any more.
        let data = unsafe { std::slice::from_raw_parts(parts.data.as_ptr(), parts.bytes) };
        Some(Filled { data, strides: &parts.strides })
    }
}

impl<'b> LentTile<'b> {
    /// As [`Tile::new`], in a buffer that is borrowed.
    ///
    /// # Panics
    /// If the buffer is smaller than the layout, or the layout is not inside the grid's array.
    pub fn new(buffer: &'b mut [u8], strides: Strides, grid: ChunkGrid, item_bytes: usize) -> Self {
        Self { parts: Parts::new(buffer, strides, grid, item_bytes), buffer: PhantomData }
    }

    /// The elements that it is of.
    pub fn region(&self) -> &Region {
        self.parts.strides.region()
    }

    /// The part that chunk `chunk` of the grid fills.
    ///
    /// # Panics
    /// If the chunk does not overlap the tile or was claimed before.
    pub fn claim(&self, chunk: &[u64]) -> Part<'_> {
        self.parts.claim(chunk)
    }
}

/// Elements that can be read, and how they lie.
#[derive(Clone, Copy, Debug)]
pub struct Filled<'t> {
    /// Their bytes.
    pub data: &'t [u8],
    /// Where each of them is.
    pub strides: &'t Strides,
}

/// The elements of a tile that one chunk fills; only its owner writes them.
#[derive(Debug)]
pub struct Part<'t> {
    parts: &'t Parts,
    region: Region,
}

impl Part<'_> {
    /// The elements to write.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Lets `write` produce the part in place, if its bytes are contiguous and in C order; otherwise gives it back.
    ///
    /// # Errors
    /// What `write` returned; the part then counts as not written.
    ///
    /// # Panics
    /// Never: the bytes of a part are inside its tile.
    pub fn write_in_place<E>(
        mut self,
        write: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Option<Self>, E> {
        let Some(slice) = self.bytes_mut() else { return Ok(Some(self)) };
        write(slice)?;
        self.done();
        Ok(None)
    }

    /// The bytes to write, if they are contiguous and in C order; [`Self::done`] declares them written.
    ///
    /// # Panics
    /// Never: the bytes of a part are inside its tile.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let range = self.parts.strides.contiguous(&self.region, self.parts.item_bytes as u64)?;
        assert!(range.end <= self.parts.bytes, "a part is inside its tile");
        // SAFETY: the range is inside the buffer and belongs to this part alone, which was claimed once.
        Some(unsafe {
            std::slice::from_raw_parts_mut(self.parts.data.as_ptr().add(range.start), range.len())
        })
    }

    /// Copies the part from `src`, a buffer laid out as `strides`.
    ///
    /// # Panics
    /// If the part is not inside `strides`, or `src` is smaller than it.
    pub fn copy_from(self, src: &[u8], strides: &Strides) {
        assert!(strides.region().contains(&self.region), "a chunk holds the part that it fills");
        let region = self.region.clone();
        let start = index(strides.offset(region.start()));
        self.copy_strided(&region, &src[start..], strides.of_axes());
        self.done();
    }

    /// Copies a piece of the part: all that `strides` holds. The part is written once [`Self::done`] is called, after
    /// its pieces.
    ///
    /// # Panics
    /// If the piece is not inside the part, or `src` is smaller than it.
    pub fn copy_piece(&self, src: &[u8], strides: &Strides) {
        assert!(self.region.contains(strides.region()), "a piece is inside its part");
        self.copy_strided(strides.region(), src, strides.of_axes());
    }

    /// Declares the part written.
    pub fn done(self) {
        self.parts.missing.fetch_sub(1, Ordering::Release);
    }

    /// Writes `pattern`, one element, everywhere in the part.
    ///
    /// # Panics
    /// If `pattern` is not one element.
    pub fn fill(self, pattern: &[u8]) {
        assert_eq!(pattern.len(), self.parts.item_bytes, "a fill value is one element");
        let in_place = self.write_in_place(|slice| {
            fill_with(slice, pattern);
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(Some(part)) = in_place else { return };
        // Strides of zero: every point of the part takes the same element.
        let zero: Dims = part.region.shape().iter().map(|_| 0).collect();
        let region = part.region.clone();
        part.copy_strided(&region, pattern, &zero);
        part.done();
    }

    /// Copies `region`, which is inside the part, from `src` at its first element.
    fn copy_strided(&self, region: &Region, src: &[u8], src_strides: &[u64]) {
        let tile = self.parts;
        let offset = index(tile.strides.offset(region.start()));
        let copy = Reduced::new(region.shape(), src_strides, tile.strides.of_axes(), tile.item_bytes);
        assert!(copy.fits(src.len(), tile.bytes - offset), "a copy stays within its buffers");
        // SAFETY: bounds checked above; the elements belong to this part alone, and `src` is another buffer.
        unsafe {
            let dst = tile.data.as_ptr().add(offset);
            kernel::run(Level::best(), &copy, src.as_ptr(), dst, tile.bytes);
        }
    }
}
