//! The first half of a tile's life: from source chunks, or from the pieces of an intermediate.

use std::sync::Arc;

use zarrange_array::{Array, ArrayError, ChunkReader, Elements, Fetched, ShardReader};
use zarrange_codec::ArrayCodec;
use zarrange_grid::{ChunkGrid, Dims, Layout, Part, Region, Tile};
use zarrange_plan::BATCH_BYTES;

use crate::RechunkError;
use crate::budget::{Budget, Lease};
use crate::gate::Permit;
use crate::presence::Known;
use crate::report::Counters;
use crate::spill::SpillFile;
use crate::walk::{Batch, Cursor, Pace};

/// Units of a batch at most, and of the batches of all threads together: what is noted for each of them (some 300 bytes) is not counted
/// in the budget.
const UNITS_MAX: u64 = 4096;
const UNITS_MAX_IN_ALL: u64 = 1 << 16;

/// Where tiles are filled from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fill<'a> {
    Array(&'a Array, &'a Elements),
    Spill(&'a SpillFile),
}

impl<'a> Fill<'a> {
    /// The chunks or pieces that fill a tile.
    pub(crate) const fn units(&self) -> &'a ChunkGrid {
        match self {
            Fill::Array(_, elements) => &elements.units,
            Fill::Spill(spill) => spill.written(),
        }
    }

    /// Batches of the chunks that fill `tile`.
    pub(crate) fn cursor(&self, tile: &Region, item_bytes: u64, threads: u64) -> Cursor {
        let shards = match self {
            Fill::Array(array, elements) => sharded(array, elements),
            Fill::Spill(_) => None,
        };
        Cursor::new(
            tile,
            self.units(),
            shards,
            Pace { most: batch_size(self.units(), item_bytes, threads), threads },
        )
    }

    /// What one thread needs to fill, from an array of which it is `known` what is stored.
    pub(crate) fn worker(
        &self,
        budget: &Arc<Budget>,
        known: Option<Arc<Known>>,
    ) -> Result<Filler<'a>, RechunkError> {
        match self {
            Fill::Spill(spill) => Ok(Filler::Spill(spill)),
            Fill::Array(array, elements) => {
                let lease = budget.lease(elements.chain().scratch_bytes() as u64)?;
                let source = Source { _lease: Some(lease), ..Source::undecoded((array, elements), known)? };
                Ok(Filler::Array(Box::new(source)))
            }
        }
    }
}

/// The shards of an array, if it has any.
pub(crate) fn sharded<'a>(array: &'a Array, elements: &Elements) -> Option<&'a ChunkGrid> {
    matches!(elements.codec, ArrayCodec::Shards(_)).then(|| array.objects())
}

/// Units of a batch of one of `threads`: about [`BATCH_BYTES`].
pub(crate) fn batch_size(units: &ChunkGrid, item_bytes: u64, threads: u64) -> u64 {
    let unit_bytes = units.chunk_shape().iter().fold(item_bytes, |n, c| n.saturating_mul(*c));
    (BATCH_BYTES / unit_bytes.max(1)).clamp(1, units_max(threads))
}

/// The most units of a batch of one of `threads`.
pub(crate) fn units_max(threads: u64) -> u64 {
    (UNITS_MAX_IN_ALL / threads.max(1)).clamp(1, UNITS_MAX)
}

/// One thread's means to fill tiles.
#[derive(Debug)]
pub(crate) enum Filler<'a> {
    Array(Box<Source<'a>>),
    Spill(&'a SpillFile),
}

impl Filler<'_> {
    /// Fills the parts of a tile that `batch` names, and those of the next tile where their chunks reach into it.
    pub(crate) fn fill(
        &mut self,
        (tile, next): (&Tile, Option<&Tile>),
        batch: &Batch,
        (plain, encoded): (&mut [u8], &mut [u8]),
        permit: &mut Permit<'_>,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        match self {
            Filler::Array(source) if next.is_none() && source.reads_in_place(tile, batch) => {
                source.fill_in_place(tile, batch, permit, counters)
            }
            Filler::Array(source) => source.each(batch, encoded, permit, |source, unit, stored| {
                source.fill_part((tile, next), &batch.object, unit, plain, stored, counters)
            }),
            Filler::Spill(spill) => spill.fill(tile, batch, plain, permit, counters),
        }
    }
}

/// Reads chunks of an array; the shard read last stays open.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    array: &'a Array,
    elements: &'a Elements,
    reader: ChunkReader<'a>,
    known: Option<Arc<Known>>,
    shard: Option<(Dims, Option<ShardReader>)>,
    /// The chunks of a batch, where their bytes are, and their numbers within the shard.
    units: Vec<Dims>,
    fetched: Fetched,
    inner: Vec<u64>,
    /// Which chunks of a batch exist.
    found: Vec<bool>,
    /// The memory that decoding takes.
    _lease: Option<Lease>,
}

impl<'a> Source<'a> {
    /// Reads the stored bytes of an array of which it is `known` what is stored. Without a lease for it, nothing may be decoded.
    pub(crate) fn undecoded(
        (array, elements): (&'a Array, &'a Elements),
        known: Option<Arc<Known>>,
    ) -> Result<Self, RechunkError> {
        Ok(Self {
            array,
            elements,
            reader: ChunkReader::new(array)?,
            known,
            shard: None,
            units: Vec::new(),
            fetched: Fetched::new(),
            inner: Vec::new(),
            found: Vec::new(),
            _lease: None,
        })
    }
}

impl Source<'_> {
    /// Calls `work` with each chunk of `batch` and its stored bytes, `None` for one that is missing. They are read together,
    /// as many at a time as `encoded` holds.
    pub(crate) fn each(
        &mut self,
        batch: &Batch,
        encoded: &mut [u8],
        permit: &mut Permit<'_>,
        mut work: impl FnMut(&mut Self, &Dims, Option<&[u8]>) -> Result<(), RechunkError>,
    ) -> Result<(), RechunkError> {
        let (mut units, mut fetched) = (std::mem::take(&mut self.units), std::mem::take(&mut self.fetched));
        units.clear();
        units.extend(batch.indices());
        let mut missing = Ok(());
        self.drop_missing(&batch.object, &mut units, |source, unit| {
            if missing.is_ok() {
                missing = work(source, unit, None);
            }
        });
        missing?;
        let mut rest = &units[..];
        while !rest.is_empty() {
            permit.waiting(|| self.fetch(&batch.object, rest, encoded, &mut fetched))?;
            for (unit, stored) in rest.iter().zip(&fetched) {
                work(self, unit, stored.clone().map(|range| &encoded[range]))?;
            }
            rest = &rest[fetched.len()..];
        }
        (self.units, self.fetched) = (units, fetched);
        Ok(())
    }

    /// Takes those out of `units`, all of shard `object` where there are shards, that are known not to be stored, and calls `each`
    /// with them.
    fn drop_missing(&mut self, object: &Dims, units: &mut Vec<Dims>, mut each: impl FnMut(&mut Self, &Dims)) {
        let Some(known) = self.known.clone() else { return };
        let sharded = matches!(self.elements.codec, ArrayCodec::Shards(_));
        if sharded && known.holds(object) {
            return;
        }
        units.retain(|unit| {
            let stored = !sharded && known.holds(unit);
            if !stored {
                each(self, unit);
            }
            stored
        });
    }

    /// Reads the stored bytes of the first of `units`, all of one object where there are shards.
    fn fetch(
        &mut self,
        object: &Dims,
        units: &[Dims],
        encoded: &mut [u8],
        fetched: &mut Fetched,
    ) -> Result<(), RechunkError> {
        if !matches!(self.elements.codec, ArrayCodec::Shards(_)) {
            return Ok(self.reader.fetch(units, &[], encoded, fetched)?);
        }
        if self.shard.as_ref().is_none_or(|(open, _)| open != object) {
            self.shard = None;
            self.shard = Some((object.clone(), self.reader.open_shard(object)?));
        }
        let Some((_, Some(shard))) = &self.shard else {
            fetched.clear();
            fetched.resize(units.len(), None);
            return Ok(());
        };
        self.inner.clear();
        self.inner
            .extend(units.iter().map(|unit| self.array.inner_number(&self.elements.units, object, unit)));
        Ok(self.reader.fetch_inner(shard, &self.inner, &[], encoded, fetched)?)
    }

    /// Whether the stored bytes of every chunk of `batch` are those of its part of the tile.
    fn reads_in_place(&self, tile: &Tile, batch: &Batch) -> bool {
        let Elements { codec, units, .. } = self.elements;
        if matches!(codec, ArrayCodec::Shards(_))
            || !self.elements.chain().is_identity()
            || !units.is_regular()
        {
            return false;
        }
        let item_bytes = self.elements.item_bytes() as u64;
        batch.indices().all(|unit| {
            let cell = units.cell(&unit);
            tile.layout().region().contains(&cell) && tile.layout().contiguous(&cell, item_bytes).is_some()
        })
    }

    /// Reads the chunks of `batch` to where they belong in the tile, in one batch.
    fn fill_in_place(
        &mut self,
        tile: &Tile,
        batch: &Batch,
        permit: &mut Permit<'_>,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let (mut units, mut found) = (std::mem::take(&mut self.units), std::mem::take(&mut self.found));
        units.clear();
        units.extend(batch.indices());
        self.drop_missing(&batch.object, &mut units, |source, unit| {
            tile.claim(unit).fill(&source.elements.fill);
            counters.missing(1, source.elements.chain().chunk_bytes() as u64);
        });
        let mut parts: Vec<Part<'_>> = units.iter().map(|unit| tile.claim(unit)).collect();
        let buffers = parts.iter_mut().filter_map(Part::bytes_mut);
        permit.waiting(|| self.reader.fetch_in_place(&units, buffers, &mut found))?;
        for (part, found) in parts.into_iter().zip(&found) {
            if *found {
                part.done();
                let bytes = self.elements.chain().chunk_bytes() as u64;
                counters.decoded(bytes, bytes);
            } else {
                part.fill(&self.elements.fill);
                counters.missing(1, self.elements.chain().chunk_bytes() as u64);
            }
        }
        (self.units, self.found) = (units, found);
        Ok(())
    }

    fn fill_part(
        &mut self,
        (tile, next): (&Tile, Option<&Tile>),
        object: &Dims,
        unit: &Dims,
        plain: &mut [u8],
        stored: Option<&[u8]>,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        let (part, beyond) = (tile.claim(unit), next.map(|next| next.claim(unit)));
        let Some(stored) = stored else {
            std::iter::once(part).chain(beyond).for_each(|part| part.fill(&self.elements.fill));
            counters.missing(1, self.elements.unit_bytes(unit) as u64);
            return Ok(());
        };
        let bytes = self.elements.unit_bytes(unit);
        counters.decoded(stored.len() as u64, bytes as u64);
        let cell = self.elements.units.cell(unit);
        let part = if *part.region() == cell {
            part.write_in_place(|chunk| self.decode(object, unit, stored, chunk))?
        } else {
            Some(part)
        };
        if let Some(part) = part {
            let chunk = &mut plain[..bytes];
            self.decode(object, unit, stored, chunk)?;
            let layout = Layout::c_order(cell, self.elements.item_bytes() as u64);
            std::iter::once(part).chain(beyond).for_each(|part| part.copy_from(chunk, &layout));
        }
        Ok(())
    }

    /// Decodes a chunk; the error names it.
    pub(crate) fn decode(
        &mut self,
        object: &Dims,
        unit: &Dims,
        encoded: &[u8],
        chunk: &mut [u8],
    ) -> Result<(), RechunkError> {
        let (array, elements, shard) = (self.array, self.elements, &self.shard);
        let name = || name((array, elements), shard.as_ref(), (object, unit));
        Ok(self.reader.decode(unit, encoded, chunk, name)?)
    }

    /// Checks the checksum of the stored bytes of a chunk, if its codecs end in one; the error names it.
    pub(crate) fn check_sum(&self, object: &Dims, unit: &Dims, stored: &[u8]) -> Result<(), RechunkError> {
        let (array, elements) = (self.array, self.elements);
        let sum = elements.chain().sum_check(stored.len() as u64).and_then(|sum| {
            let Some(mut sum) = sum else { return Ok(()) };
            sum.add(stored);
            sum.finish()
        });
        let key = || name((array, elements), self.shard.as_ref(), (object, unit));
        let wrong = |source| ArrayError::Chunk { array: array.location().to_owned(), key: key(), source };
        Ok(sum.map_err(wrong)?)
    }
}

/// Name of a chunk, for messages: within the `shard` that holds it, if there is one.
fn name(
    (array, elements): (&Array, &Elements),
    shard: Option<&(Dims, Option<ShardReader>)>,
    (object, unit): (&Dims, &Dims),
) -> String {
    match shard {
        Some((_, Some(shard))) => shard.inner_key(array.inner_number(&elements.units, object, unit)),
        _ => array.unit_key(elements, unit),
    }
}
