//! The second half of a tile's life: into target chunks or shards, into an intermediate, or compared with a target.

use std::sync::Arc;

use zarrange_array::{Array, ArrayError, ChunkWriter, Elements};
use zarrange_codec::{Scratch, same_values};
use zarrange_grid::{ChunkGrid, Dims, Layout, Region, copy_region, fill_with, is_filled};

use crate::RechunkError;
use crate::budget::{Budget, Lease};
use crate::fill::{Fill, Filler, Source, batch_size, sharded};
use crate::gate::Permit;
use crate::presence::Known;
use crate::report::{Counters, add};
use crate::shards::{Segment, Sequencer};
use crate::spill::SpillFile;
use crate::verify::Difference;
use crate::walk::{Batch, Cursor, Pace};

/// Where tiles are drained to.
#[derive(Debug)]
pub(crate) enum Drain<'a> {
    Chunks(&'a Array, &'a Elements),
    Shards(&'a Array, &'a Elements, Sequencer<'a>),
    Spill(&'a SpillFile),
    /// Nothing is written: the array must hold the same values.
    /// It comes with its path, and whether payloads of NaN count.
    Compare(&'a Array, &'a Elements, (&'a str, bool)),
}

/// A tile that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled<'t> {
    pub(crate) data: &'t [u8],
    pub(crate) layout: &'t Layout,
}

impl<'a> Drain<'a> {
    /// The chunks or pieces that tiles drain into.
    pub(crate) fn units(&self) -> &'a ChunkGrid {
        match self {
            Drain::Chunks(_, e) | Drain::Shards(_, e, _) | Drain::Compare(_, e, _) => &e.units,
            Drain::Spill(spill) => spill.read(),
        }
    }

    /// Batches of the chunks that `tile` drains into; a batch for shards fits `encoded_bytes`.
    pub(crate) fn cursor(&self, tile: &Region, item_bytes: u64, threads: u64, encoded_bytes: u64) -> Cursor {
        let units = self.units();
        let most = batch_size(units, item_bytes, threads);
        let pace = Pace { most, threads };
        match self {
            Drain::Shards(array, elements, _) => {
                let fits = encoded_bytes / elements.chain().encoded_bytes_max() as u64;
                Cursor::new(tile, units, Some(array.objects()), Pace { most: most.min(fits), threads })
            }
            Drain::Compare(array, elements, _) => Cursor::new(tile, units, sharded(array, elements), pace),
            Drain::Chunks(..) | Drain::Spill(_) => Cursor::new(tile, units, None, pace),
        }
    }

    /// What one thread needs to drain; of an array that is compared it may be `known` what is stored.
    pub(crate) fn worker(
        &'a self,
        budget: &Arc<Budget>,
        encoded: Vec<u8>,
        known: Option<Arc<Known>>,
    ) -> Result<Drainer<'a>, RechunkError> {
        let scratch = |array: &Array, elements: &Elements| -> Result<(Scratch, Lease), RechunkError> {
            let lease = budget.lease(elements.chain().scratch_bytes() as u64)?;
            Ok((array.scratch()?, lease))
        };
        let kind = match self {
            Drain::Spill(spill) => Kind::Spill(spill),
            Drain::Chunks(array, elements) => Kind::Chunks(
                Target { array, elements, scratch: scratch(array, elements)? },
                ChunkWriter::new(array),
            ),
            Drain::Shards(array, elements, sequencer) => {
                Kind::Shards(Target { array, elements, scratch: scratch(array, elements)? }, sequencer)
            }
            Drain::Compare(array, elements, compared) => {
                match Fill::Array(array, elements).worker(budget, known)? {
                    Filler::Array(source) => Kind::Compare { source, elements, compared: *compared },
                    Filler::Spill(spill) => Kind::Spill(spill),
                }
            }
        };
        Ok(Drainer { kind, segment: Segment { buffer: encoded, ..Segment::default() } })
    }

    /// Lets threads go that wait for their turn.
    pub(crate) fn abort(&self) {
        if let Drain::Shards(_, _, sequencer) = self {
            sequencer.abort();
        }
    }
}

/// One thread's means to drain tiles, with its buffer for encoded chunks.
#[derive(Debug)]
pub(crate) struct Drainer<'a> {
    kind: Kind<'a>,
    segment: Segment,
}

#[derive(Debug)]
enum Kind<'a> {
    Chunks(Target<'a>, ChunkWriter<'a>),
    Shards(Target<'a>, &'a Sequencer<'a>),
    Spill(&'a SpillFile),
    Compare { source: Box<Source<'a>>, elements: &'a Elements, compared: (&'a str, bool) },
}

impl Drainer<'_> {
    /// The buffer for encoded chunks: filling uses the same one.
    pub(crate) fn encoded(&mut self) -> &mut [u8] {
        &mut self.segment.buffer
    }

    /// Drains the chunks of a batch, whose turn is its ticket.
    pub(crate) fn drain(
        &mut self,
        tile: Filled<'_>,
        (batch, ticket): (&Batch, u64),
        plain: &mut [u8],
        permit: &mut Permit<'_>,
        counters: &Counters,
    ) -> Result<(), RechunkError> {
        match &mut self.kind {
            Kind::Chunks(target, writer) => {
                let encoded = &mut self.segment.buffer;
                let room = target.elements.chain().encoded_bytes_max();
                for unit in batch.indices() {
                    if encoded.len() - writer.bytes() < room {
                        permit.waiting(|| writer.write(encoded))?;
                    }
                    let free = &mut encoded[writer.bytes()..];
                    let Some(bytes) = target.encode(tile, &unit, plain, free, counters)? else { continue };
                    writer.push(&unit, bytes);
                    add(&counters.bytes_written, bytes as u64);
                }
                Ok(permit.waiting(|| writer.write(encoded))?)
            }
            Kind::Shards(target, sequencer) => {
                let segment = &mut self.segment;
                segment.begin(&batch.object, batch.count);
                for unit in batch.indices() {
                    let room = &mut segment.buffer[segment.bytes..];
                    let Some(bytes) = target.encode(tile, &unit, plain, room, counters)? else { continue };
                    let inner = target.array.inner_number(&target.elements.units, &batch.object, &unit);
                    segment.entries.push((inner, bytes as u64));
                    segment.bytes += bytes;
                }
                permit.waiting(|| sequencer.commit(ticket, segment, counters))
            }
            Kind::Spill(spill) => spill.drain(tile, batch, plain, permit, counters),
            Kind::Compare { source, elements, compared } => {
                source.each(batch, &mut self.segment.buffer, permit, |source, unit, stored| {
                    compare((source, stored), elements, *compared, tile, (&batch.object, unit), plain)
                })
            }
        }
    }
}

/// Encodes chunks of a target.
#[derive(Debug)]
struct Target<'a> {
    array: &'a Array,
    elements: &'a Elements,
    scratch: (Scratch, Lease),
}

impl Target<'_> {
    /// Encodes chunk `unit` of the tile into `encoded`; its bytes, or `None` if it is nothing but the fill value.
    fn encode(
        &mut self,
        tile: Filled<'_>,
        unit: &Dims,
        plain: &mut [u8],
        encoded: &mut [u8],
        counters: &Counters,
    ) -> Result<Option<usize>, RechunkError> {
        let bytes = self.encode_unless_fill(tile, unit, plain, encoded)?;
        match bytes {
            Some(_) => counters.encoded(self.elements.chain().chunk_bytes() as u64),
            None => add(&counters.all_fill, 1),
        }
        Ok(bytes)
    }

    fn encode_unless_fill(
        &mut self,
        tile: Filled<'_>,
        unit: &Dims,
        plain: &mut [u8],
        encoded: &mut [u8],
    ) -> Result<Option<usize>, RechunkError> {
        let (item, chain) = (self.elements.item_bytes(), self.elements.chain());
        let (cell, region) = (self.elements.units.cell(unit), self.elements.units.region(unit));
        let gather = |chunk: &mut [u8]| {
            if region != cell {
                fill_with(chunk, &self.elements.fill);
            }
            let layout = Layout::c_order(cell.clone(), item as u64);
            copy_region(&region, (tile.data, tile.layout), (chunk, &layout), item);
        };
        if chain.is_identity() {
            let chunk = &mut encoded[..chain.chunk_bytes()];
            gather(chunk);
            return Ok((!is_filled(chunk, &self.elements.fill)).then_some(chunk.len()));
        }
        let in_tile = tile.layout.contiguous(&region, item as u64).filter(|_| region == cell);
        let chunk = if let Some(range) = in_tile {
            &tile.data[range]
        } else {
            let chunk = &mut plain[..chain.chunk_bytes()];
            gather(chunk);
            chunk
        };
        if is_filled(chunk, &self.elements.fill) {
            return Ok(None);
        }
        let bytes = chain.encode(chunk, encoded, &mut self.scratch.0);
        let bytes = bytes.map_err(|source| ArrayError::Chunk {
            array: self.array.location().to_owned(),
            key: self.array.key(unit),
            source,
        })?;
        Ok(Some(bytes))
    }
}

/// Compares chunk `unit` of another array with the tile.
fn compare(
    (source, stored): (&mut Source<'_>, Option<&[u8]>),
    elements: &Elements,
    (path, payloads): (&str, bool),
    tile: Filled<'_>,
    (object, unit): (&Dims, &Dims),
    plain: &mut [u8],
) -> Result<(), RechunkError> {
    let (item, bytes) = (elements.item_bytes(), elements.unit_bytes(unit));
    let (theirs, ours) = plain[..2 * bytes].split_at_mut(bytes);
    match stored {
        Some(stored) => source.decode(object, unit, stored, theirs)?,
        None => fill_with(theirs, &elements.fill),
    }
    // What lies beyond the array's edge is nobody's value: it starts out equal.
    ours.copy_from_slice(theirs);
    let cell = elements.units.cell(unit);
    // Chunks of different shapes reach into several tiles.
    if let Some(region) = elements.units.region(unit).intersect(tile.layout.region()) {
        let layout = Layout::c_order(cell.clone(), item as u64);
        copy_region(&region, (tile.data, tile.layout), (ours, &layout), item);
    }
    let Some(at) = same_values(ours, theirs, &elements.element, payloads) else { return Ok(()) };
    let element = at / item;
    let value = |data: &[u8]| elements.element.format(&data[element * item..(element + 1) * item]);
    Err(RechunkError::Differs(Box::new(Difference::Value {
        array: path.to_owned(),
        index: cell.unravel(element as u64).to_vec(),
        a: value(ours),
        b: value(theirs),
    })))
}
