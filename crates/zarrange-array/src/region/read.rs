//! Reading regions.

use std::ops::Range;

use zarrange_codec::ArrayCodec;
use zarrange_grid::{Dims, LentTile, Region, Strides, index};

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
    /// What is wanted of the chunks noted last, as bytes of the decoded chunk.
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
        Ok(Self { reader, encoded: Vec::new(), plain, parts: Vec::new(), chunk_bytes: 0 })
    }

    /// Memory that a reader of `array` takes at most, beside what it reads regions into.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if its elements cannot be read.
    pub fn memory_bytes(array: &Array) -> Result<u64, ArrayError> {
        let elements = array.elements()?;
        let chain = elements.chain();
        let one = chain.encoded_bytes_max() as u64;
        let each = one.saturating_add(array.store().coalescing().gap_bytes_max);
        let encoded = one.max((BATCH_BYTES as u64).min(each.saturating_mul(elements.chunks.count())));
        let indexes = match &elements.codec {
            ArrayCodec::Shards(codec) => {
                let shards = array.objects().count().min(SHARDS_MAX as u64);
                // Each once, and what it takes to decode one.
                (codec.index_bytes() as u64).saturating_mul(shards.saturating_add(2))
            }
            ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => 0,
        };
        let codecs = [chain.chunk_bytes(), chain.scratch_bytes(), chain.context_bytes()];
        Ok(codecs
            .into_iter()
            .fold(encoded.saturating_add(indexes), |sum, bytes| sum.saturating_add(bytes as u64)))
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
        let tile = LentTile::new(out, strides, chunks.grid().clone(), chunks.item_bytes());
        let Some(shards) = chunks.shards() else {
            let covering = chunks.grid().covering(region);
            return self.fill(&tile, &[], &covering, 0..covering.elements());
        };
        // Chunks of many shards are fetched together, rather than to wait for the store at each.
        let (shards, objects) = (shards.clone(), shards.covering(region));
        self.reader.want_nothing();
        for object in (0..objects.elements()).map(|k| objects.unravel(k)) {
            let Some(part) = shards.region(&object).intersect(region) else { continue };
            let covering = self.reader.chunks().grid().covering(&part);
            self.note(&tile, &object, (&covering, 0..covering.elements()))?;
        }
        self.fetch(&tile)
    }

    /// Reads what `tile` has of some of the chunks of `chunks`, a region of the grid of chunks: those of these numbers, in C order. All lie
    /// in shard `object` where there are shards. Several readers may fill a tile, each other chunks.
    ///
    /// # Errors
    /// If a chunk cannot be read or decoded.
    ///
    /// # Panics
    /// If one of the chunks does not overlap the tile, or was filled before.
    pub fn fill(
        &mut self,
        tile: &LentTile<'_>,
        object: &[u64],
        chunks: &Region,
        numbers: Range<u64>,
    ) -> Result<(), ArrayError> {
        self.reader.want_nothing();
        self.note(tile, object, (chunks, numbers))?;
        self.fetch(tile)
    }

    /// Notes that these are wanted, too; where that would be many, those noted before are filled.
    fn note(
        &mut self,
        tile: &LentTile<'_>,
        object: &[u64],
        (chunks, numbers): (&Region, Range<u64>),
    ) -> Result<(), ArrayError> {
        for first in numbers.clone().step_by(CHOSEN_MAX) {
            let last = numbers.end.min(first + CHOSEN_MAX as u64);
            if self.reader.wanted() + index(last - first) > CHOSEN_MAX {
                self.fetch(tile)?;
                self.reader.want_nothing();
            }
            self.want_also(tile, object, (first..last).map(|k| chunks.unravel(k)));
        }
        Ok(())
    }

    /// Reads what is wanted, as much at once as fits when it is encoded, which is known only of shards.
    fn fetch(&mut self, tile: &LentTile<'_>) -> Result<(), ArrayError> {
        let room = self.reader.chunks().chain().encoded_bytes_max().max(1);
        let together = (BATCH_BYTES / room).clamp(1, self.reader.wanted().max(1));
        // With room for what lies between chunks that are fetched together.
        let gap = index(self.reader.chunks().store().coalescing().gap_bytes_max.min(BATCH_BYTES as u64));
        let bytes = (room * together).max(((room + gap) * together).min(BATCH_BYTES));
        if self.encoded.len() < bytes {
            self.encoded.resize(bytes, 0);
        }
        while self.reader.fetch(&mut self.encoded)? {
            for k in self.reader.fetched() {
                self.place(tile, k)?;
            }
        }
        Ok(())
    }

    /// Notes which chunks of shard `object` are wanted, too, and what of each.
    fn want_also(&mut self, tile: &LentTile<'_>, object: &[u64], chunks: impl Iterator<Item = Dims>) {
        let Self { reader, parts, chunk_bytes, .. } = self;
        let view = reader.chunks().view().clone();
        let item_bytes = view.item_bytes();
        let before = reader.wanted();
        parts.clear();
        reader.want_also(object, chunks);
        for k in before..reader.wanted() {
            let chunk = reader.chunk(k);
            let whole = view.grid().region(chunk);
            let inside = whole
                .intersect(tile.region())
                .unwrap_or_else(|| unreachable!("chunks that are wanted overlap the tile"));
            *chunk_bytes += whole.elements() * item_bytes as u64;
            let strides = Strides::c_order(view.grid().cell(chunk), item_bytes as u64);
            let last: Dims = (0..inside.rank()).map(|d| inside.end(d) - 1).collect();
            parts.push(index(strides.offset(inside.start()))..index(strides.offset(&last)) + item_bytes);
        }
        reader.want_parts(parts.iter().cloned());
    }

    /// Decodes what of chunk `k` is wanted, and puts it into its place.
    fn place(&mut self, tile: &LentTile<'_>, k: usize) -> Result<(), ArrayError> {
        let Self { reader, encoded, plain, .. } = self;
        let (part, elements) = (tile.claim(reader.chunk(k)), reader.chunks().elements());
        let Some(stored) = reader.stored(k, encoded) else {
            part.fill(&elements.fill);
            return Ok(());
        };
        let chunk = reader.chunk(k);
        let (cell, bytes) = (elements.chunks.cell(chunk), elements.chunk_bytes(chunk));
        let item_bytes = elements.item_bytes() as u64;
        let part = if *part.region() == cell {
            part.write_in_place(|place| reader.decode(k, stored, place))?
        } else {
            Some(part)
        };
        if let Some(part) = part {
            let plain = &mut plain[..bytes];
            reader.decode_part(k, stored, plain)?;
            part.copy_from(plain, &Strides::c_order(cell, item_bytes));
        }
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
