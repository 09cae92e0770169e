//! Reading regions.

use std::ops::Range;

use zarrange_grid::{Dims, Region, Strides, copy_region, copy_strided, index};

use crate::ArrayError;
use crate::array::Array;
use crate::read::{BATCH_BYTES, ChunkReader, ReadCost};

/// Shards that stay open with their index; the one not used for longest is closed first.
pub const SHARDS_MAX: usize = 64;

/// Chunks that are noted at once.
const CHOSEN_MAX: usize = 4096;

/// Reads regions of an array for one thread. Shards that were read stay open and buffers are kept, so that the next region costs
/// its chunks and nothing else.
#[derive(Debug)]
pub struct RegionReader<'a> {
    reader: ChunkReader<'a>,
    encoded: Vec<u8>,
    plain: Vec<u8>,
    /// What is wanted of the chunks that are read together: elements of the array, and bytes of the decoded chunk.
    wanted: Vec<Region>,
    parts: Vec<Range<usize>>,
    /// Array bytes of the chunks that regions overlapped.
    chunk_bytes: u64,
}

impl<'a> RegionReader<'a> {
    /// A reader of `array`.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if its elements cannot be read.
    pub fn new(array: &'a Array) -> Result<Self, ArrayError> {
        let chunks = array.chunks()?;
        let plain = vec![0; chunks.chain().chunk_bytes()];
        let reader = ChunkReader::keeping(&chunks, SHARDS_MAX);
        Ok(Self { reader, encoded: Vec::new(), plain, wanted: Vec::new(), parts: Vec::new(), chunk_bytes: 0 })
    }

    /// What it has read so far.
    pub const fn cost(&self) -> ReadCost {
        ReadCost { chunk_bytes: self.chunk_bytes, ..self.reader.cost() }
    }

    /// Reads `region` into `out`, in C order and native byte order.
    ///
    /// # Errors
    /// If a chunk cannot be read or decoded.
    ///
    /// # Panics
    /// If `region` is not inside the array, or `out` has another size.
    pub fn read_into(&mut self, region: &Region, out: &mut [u8]) -> Result<(), ArrayError> {
        let chunks = self.reader.chunks();
        let strides = Strides::c_order(region.clone(), chunks.item_bytes() as u64);
        let whole = Region::whole(chunks.metadata().shape());
        assert!(whole.contains(region), "a region is inside its array");
        assert_eq!(out.len() as u64, strides.bytes(), "a region fits its buffer");
        if out.is_empty() {
            return Ok(());
        }
        let Some(shards) = chunks.shards() else {
            return self.read_chunks(&Dims::new(), region, (&strides, out));
        };
        let objects = shards.covering(region);
        for object in (0..objects.elements()).map(|k| objects.unravel(k)) {
            let Some(part) = shards.region(&object).intersect(region) else { continue };
            self.read_chunks(&object, &part, (&strides, &mut *out))?;
        }
        Ok(())
    }

    /// Reads the chunks that overlap `part`, in shard `object` where there are shards, of the region laid out as `layout` in `out`.
    fn read_chunks(
        &mut self,
        object: &Dims,
        part: &Region,
        (strides, out): (&Strides, &mut [u8]),
    ) -> Result<(), ArrayError> {
        let chunks = self.reader.chunks();
        let covering = chunks.grid().covering(part);
        let room = chunks.chain().encoded_bytes_max().max(1);
        let together = (BATCH_BYTES / room).clamp(1, index(covering.elements()));
        if self.encoded.len() < room * together {
            self.encoded.resize(room * together, 0);
        }
        // As many of them are fetched at once as fit when they are encoded, which is known only of shards.
        for first in (0..covering.elements()).step_by(CHOSEN_MAX) {
            let last = covering.elements().min(first + CHOSEN_MAX as u64);
            self.want(object, &covering, first..last, part);
            while self.reader.fetch(&mut self.encoded)? {
                for k in self.reader.fetched() {
                    self.place(k, (strides, &mut *out))?;
                }
            }
        }
        Ok(())
    }

    /// Notes which chunks are wanted, by their numbers in `covering`, and what of each.
    fn want(&mut self, object: &Dims, covering: &Region, numbers: Range<u64>, part: &Region) {
        let Self { reader, wanted, parts, chunk_bytes, .. } = self;
        let view = reader.chunks().view().clone();
        let item_bytes = view.item_bytes();
        wanted.clear();
        parts.clear();
        reader.want(object, numbers.map(|k| covering.unravel(k)));
        for k in 0..reader.wanted() {
            let chunk = reader.chunk(k);
            let whole = view.grid().region(chunk);
            let inside =
                whole.intersect(part).unwrap_or_else(|| unreachable!("chunks that cover a part overlap it"));
            *chunk_bytes += whole.elements() * item_bytes as u64;
            let strides = Strides::c_order(view.grid().cell(chunk), item_bytes as u64);
            let last: Dims = (0..inside.rank()).map(|d| inside.end(d) - 1).collect();
            parts.push(index(strides.offset(inside.start()))..index(strides.offset(&last)) + item_bytes);
            wanted.push(inside);
        }
        reader.want_parts(parts.iter().cloned());
    }

    /// Decodes what of chunk `k` is wanted, and puts it into its place.
    fn place(&mut self, k: usize, (strides, out): (&Strides, &mut [u8])) -> Result<(), ArrayError> {
        let Self { reader, encoded, plain, wanted, .. } = self;
        let (wanted, elements) = (&wanted[k], reader.chunks().elements());
        let item = elements.item_bytes();
        let Some(stored) = reader.stored(k, encoded) else {
            // Strides of zero: every point takes the same element.
            let zero: Dims = wanted.shape().iter().map(|_| 0).collect();
            let out = &mut out[index(strides.offset(wanted.start()))..];
            copy_strided(wanted.shape(), (&elements.fill, &zero), (out, strides.of_axes()), item);
            return Ok(());
        };
        let chunk = reader.chunk(k);
        let (cell, bytes) = (elements.chunks.cell(chunk), elements.chunk_bytes(chunk));
        let in_place = strides.contiguous(wanted, item as u64).filter(|_| *wanted == cell);
        if let Some(range) = in_place {
            return reader.decode(k, stored, &mut out[range]);
        }
        let plain = &mut plain[..bytes];
        reader.decode_part(k, stored, plain)?;
        copy_region(wanted, (plain, &Strides::c_order(cell, item as u64)), (out, strides), item);
        Ok(())
    }
}

impl Array {
    /// Reads `region` in C order and native byte order. For many regions, a [`RegionReader`] keeps shards open.
    ///
    /// # Errors
    /// If a chunk cannot be read or decoded.
    ///
    /// # Panics
    /// If `region` is not inside the array.
    pub fn read_region(&self, region: &Region) -> Result<(Vec<u8>, ReadCost), ArrayError> {
        let mut reader = RegionReader::new(self)?;
        let mut out = vec![0; index(region.elements()) * self.elements()?.item_bytes()];
        reader.read_into(region, &mut out)?;
        Ok((out, reader.cost()))
    }
}
