//! Reading regions: any part of an array, again and again.

use std::ops::Range;

use zarrange_codec::ArrayCodec;
use zarrange_grid::{Dims, Layout, Region, copy_region, copy_strided, index};

use crate::ArrayError;
use crate::array::{Array, Elements};
use crate::read::{BATCH_BYTES, ChunkReader, Fetched, ReadCost, ShardReader};

/// Shards that stay open with their index; the one not used for longest is closed first.
pub const SHARDS_MAX: usize = 64;

/// Chunks that are noted at once.
const CHOSEN_MAX: usize = 4096;

/// Reads regions of an array for one thread. Shards that were read stay open and buffers are kept, so that the next region costs
/// its chunks and nothing else.
#[derive(Debug)]
pub struct RegionReader<'a> {
    array: &'a Array,
    elements: &'a Elements,
    reader: ChunkReader<'a>,
    /// The shard used last is last; `None` for one that is missing.
    shards: Vec<(Dims, Option<ShardReader>)>,
    encoded: Vec<u8>,
    plain: Vec<u8>,
    batch: Batch,
    /// Array bytes of the chunks that regions overlapped.
    chunk_bytes: u64,
}

/// Chunks that are read together.
#[derive(Debug, Default)]
struct Batch {
    units: Vec<Dims>,
    /// What of each is wanted: elements of the array, and bytes of the decoded chunk.
    wanted: Vec<Region>,
    parts: Vec<Range<usize>>,
    inner: Vec<u64>,
    fetched: Fetched,
}

/// Where chunks come from.
#[derive(Clone, Copy)]
enum From<'s> {
    Chunks,
    Shard(&'s Dims, Option<&'s ShardReader>),
}

impl<'a> RegionReader<'a> {
    /// A reader of `array`.
    ///
    /// # Errors
    /// [`ArrayError::Opaque`] if its elements cannot be read.
    pub fn new(array: &'a Array) -> Result<Self, ArrayError> {
        let (elements, reader) = (array.elements()?, ChunkReader::new(array)?);
        let plain = vec![0; elements.chain().chunk_bytes()];
        let (shards, encoded, batch) = (Vec::new(), Vec::new(), Batch::default());
        Ok(Self { array, elements, reader, shards, encoded, plain, batch, chunk_bytes: 0 })
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
        let layout = Layout::c_order(region.clone(), self.elements.item_bytes() as u64);
        assert!(Region::whole(self.array.shape()).contains(region), "a region is inside its array");
        assert_eq!(out.len() as u64, layout.bytes(), "a region fits its buffer");
        if out.is_empty() {
            return Ok(());
        }
        let ArrayCodec::Shards(_) = &self.elements.codec else {
            return self.read_units(From::Chunks, region, (&layout, out));
        };
        let objects = self.array.objects().covering(region);
        for object in (0..objects.elements()).map(|k| objects.unravel(k)) {
            let Some(part) = self.array.objects().region(&object).intersect(region) else { continue };
            let shard = self.take_shard(&object)?;
            let read = self.read_units(From::Shard(&object, shard.as_ref()), &part, (&layout, &mut *out));
            self.shards.push((object, shard));
            read?;
        }
        Ok(())
    }

    /// Shard `object`, open; it is put back after use.
    fn take_shard(&mut self, object: &Dims) -> Result<Option<ShardReader>, ArrayError> {
        if let Some(at) = self.shards.iter().position(|(open, _)| open == object) {
            return Ok(self.shards.remove(at).1);
        }
        if self.shards.len() == SHARDS_MAX {
            self.shards.remove(0);
        }
        self.reader.open_shard(object)
    }

    /// Reads the chunks that overlap `part`, a part of the region laid out as `layout` in `out`.
    fn read_units(
        &mut self,
        from: From<'_>,
        part: &Region,
        (layout, out): (&Layout, &mut [u8]),
    ) -> Result<(), ArrayError> {
        let units = self.elements.units.covering(part);
        let room = self.elements.chain().encoded_bytes_max().max(1);
        let together = (BATCH_BYTES / room).clamp(1, index(units.elements()));
        if self.encoded.len() < room * together {
            self.encoded.resize(room * together, 0);
        }
        // As many of them are fetched at once as fit when they are encoded, which is known only of shards.
        for first in (0..units.elements()).step_by(CHOSEN_MAX) {
            let last = units.elements().min(first + CHOSEN_MAX as u64);
            self.choose((first..last).map(|k| units.unravel(k)), part);
            let mut done = 0;
            while done < self.batch.units.len() {
                self.fetch(from, done)?;
                for k in 0..self.batch.fetched.len() {
                    self.place(from, (done + k, k), (layout, &mut *out))?;
                }
                done += self.batch.fetched.len();
            }
        }
        Ok(())
    }

    /// Notes the chunks of a batch, and what of each is wanted.
    fn choose(&mut self, units: impl Iterator<Item = Dims>, part: &Region) {
        let (elements, batch) = (self.elements, &mut self.batch);
        let item_bytes = elements.item_bytes();
        batch.units.clear();
        batch.wanted.clear();
        batch.parts.clear();
        for unit in units {
            let whole = elements.units.region(&unit);
            let Some(wanted) = whole.intersect(part) else { continue };
            self.chunk_bytes += whole.elements() * item_bytes as u64;
            let chunk = Layout::c_order(elements.units.cell(&unit), item_bytes as u64);
            let last: Dims = (0..wanted.rank()).map(|d| wanted.end(d) - 1).collect();
            batch.parts.push(index(chunk.offset(wanted.start()))..index(chunk.offset(&last)) + item_bytes);
            batch.units.push(unit);
            batch.wanted.push(wanted);
        }
    }

    /// Reads the stored bytes of the chunks of the batch from `done` on, as many as there is room for.
    fn fetch(&mut self, from: From<'_>, done: usize) -> Result<(), ArrayError> {
        let Batch { units, parts, inner, fetched, .. } = &mut self.batch;
        let (units, parts) = (&units[done..], &parts[done..]);
        match from {
            From::Chunks => self.reader.fetch(units, parts, &mut self.encoded, fetched),
            From::Shard(_, None) => {
                fetched.clear();
                fetched.resize(units.len(), None);
                Ok(())
            }
            From::Shard(object, Some(shard)) => {
                inner.clear();
                inner.extend(
                    units.iter().map(|unit| self.array.inner_number(&self.elements.units, object, unit)),
                );
                self.reader.fetch_inner(shard, inner, parts, &mut self.encoded, fetched)
            }
        }
    }

    /// Decodes what of chunk `k` of the batch is wanted, fetched as number `at`, and puts it into its place.
    fn place(
        &mut self,
        from: From<'_>,
        (k, at): (usize, usize),
        (layout, out): (&Layout, &mut [u8]),
    ) -> Result<(), ArrayError> {
        let (array, elements) = (self.array, self.elements);
        let Batch { units, wanted, parts, fetched, .. } = &self.batch;
        let (unit, wanted, item) = (&units[k], &wanted[k], elements.item_bytes());
        let Some(stored) = fetched[at].clone() else {
            // Strides of zero: every point takes the same element.
            let zero: Dims = wanted.shape().iter().map(|_| 0).collect();
            let out = &mut out[index(layout.offset(wanted.start()))..];
            copy_strided(wanted.shape(), (&elements.fill, &zero), (out, layout.strides()), item);
            return Ok(());
        };
        let key = || match from {
            From::Shard(object, Some(shard)) => {
                shard.inner_key(array.inner_number(&elements.units, object, unit))
            }
            _ => array.unit_key(elements, unit),
        };
        let (encoded, cell) = (&self.encoded[stored], elements.units.cell(unit));
        let in_place = layout.contiguous(wanted, item as u64).filter(|_| *wanted == cell);
        if let Some(range) = in_place {
            return self.reader.decode(unit, encoded, &mut out[range], key);
        }
        let plain = &mut self.plain[..elements.unit_bytes(unit)];
        self.reader.decode_part(unit, encoded, parts[k].clone(), plain, key)?;
        copy_region(wanted, (plain, &Layout::c_order(cell, item as u64)), (out, layout), item);
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
