//! Tiles from the chunks of an array.

use std::sync::Arc;

use zarrange_array::{ArrayError, ChunkReader, Chunks};
use zarrange_grid::{ChunkGrid, Digester, Dims, Part, Region, Strides, Tile};
use zarrange_plan::Counts;

use crate::engine::batches::Batch;
use crate::engine::budget::{Budget, Lease};
use crate::engine::presence::Known;
use crate::engine::source::{Fill, Source, Tiles};
use crate::engine::worker::Worker;
use crate::error::RechunkError;

/// An array that tiles are filled from.
pub(crate) struct ArraySource<'a> {
    pub(crate) chunks: Chunks<'a>,
    pub(crate) budget: &'a Arc<Budget>,
    /// Digests what was decoded, before it goes into tiles: elements that got a wrong place there do not pass for those of the source.
    pub(crate) digester: Option<Digester>,
}

impl Source for ArraySource<'_> {
    fn grid(&self) -> &ChunkGrid {
        self.chunks.grid()
    }

    fn shards(&self) -> Option<&ChunkGrid> {
        self.chunks.shards()
    }

    fn array(&self) -> Option<&Chunks<'_>> {
        Some(&self.chunks)
    }

    fn filler(&self, known: Option<Arc<Known>>) -> Result<Box<dyn Fill + '_>, RechunkError> {
        let lease = self.budget.lease(self.chunks.chain().scratch_bytes() as u64)?;
        let stored = StoredChunks::new(&self.chunks, known);
        Ok(Box::new(Filler { stored, digester: self.digester.as_ref(), _lease: lease }))
    }
}

/// Stored chunks of an array, read batch by batch for one worker.
#[derive(Debug)]
pub(crate) struct StoredChunks<'a> {
    pub(crate) reader: ChunkReader<'a>,
    /// What is stored, where that is known.
    known: Option<Arc<Known>>,
}

impl<'a> StoredChunks<'a> {
    pub(crate) fn new(chunks: &Chunks<'a>, known: Option<Arc<Known>>) -> Self {
        Self { reader: ChunkReader::new(chunks), known }
    }

    /// Wants those of `batch` that may be stored.
    pub(crate) fn want(&mut self, batch: &Batch) {
        let Self { reader, known } = self;
        let sharded = reader.chunks().shards().is_some();
        let is_wanted =
            |chunk: &Dims| known.as_ref().is_none_or(|known| may_be_stored(known, sharded, batch, chunk));
        reader.want(&batch.object, batch.indices().filter(is_wanted));
    }

    /// Those of `batch` that are known not to be stored.
    pub(crate) fn known_missing(&self, batch: &Batch) -> Vec<Dims> {
        let Some(known) = &self.known else { return Vec::new() };
        let sharded = self.reader.chunks().shards().is_some();
        batch.indices().filter(|chunk| !may_be_stored(known, sharded, batch, chunk)).collect()
    }
}

/// Whether the object that holds `chunk` of `batch` is stored.
fn may_be_stored(known: &Known, sharded: bool, batch: &Batch, chunk: &[u64]) -> bool {
    known.holds(if sharded { &batch.object } else { chunk })
}

/// Fills tiles from chunks that it decodes.
struct Filler<'a> {
    stored: StoredChunks<'a>,
    digester: Option<&'a Digester>,
    /// The memory that decoding takes.
    _lease: Lease,
}

impl Fill for Filler<'_> {
    fn fill(&mut self, tiles: Tiles<'_>, batch: &Batch, worker: &mut Worker<'_>) -> Result<(), RechunkError> {
        for chunk in self.stored.known_missing(batch) {
            self.fill_missing(tiles, &chunk, &mut worker.counts);
        }
        self.stored.want(batch);
        if tiles.next.is_none() && self.lies_in_place(tiles.tile) {
            return self.fill_in_place(tiles.tile, worker);
        }
        let Worker { plain, encoded, permit, counts, digests, .. } = worker;
        while permit.waiting(|| self.stored.reader.fetch(encoded))? {
            for k in self.stored.reader.fetched() {
                if let Some(stored) = self.stored.reader.stored(k, encoded) {
                    self.fill_stored(tiles, (k, stored), plain, (counts, digests))?;
                } else {
                    let chunk = self.stored.reader.chunk(k).clone();
                    self.fill_missing(tiles, &chunk, counts);
                }
            }
        }
        Ok(())
    }
}

impl Filler<'_> {
    /// Fills the parts of a chunk that is not stored.
    fn fill_missing(&self, Tiles { tile, next }: Tiles<'_>, chunk: &[u64], counts: &mut Counts) {
        let elements = self.stored.reader.chunks().elements();
        for tile in std::iter::once(tile).chain(next) {
            tile.claim(chunk).fill(&elements.fill);
        }
        counts.missing(elements.chunk_bytes(chunk) as u64);
    }

    /// Decodes chunk `k` of those wanted into its parts.
    fn fill_stored(
        &mut self,
        Tiles { tile, next }: Tiles<'_>,
        (k, stored): (usize, &[u8]),
        plain: &mut [u8],
        (counts, digests): (&mut Counts, &mut [u128; 2]),
    ) -> Result<(), RechunkError> {
        let reader = &mut self.stored.reader;
        let chunk = reader.chunk(k);
        let (part, beyond) = (tile.claim(chunk), next.map(|next| next.claim(chunk)));
        let elements = reader.chunks().elements();
        let (bytes, item_bytes) = (elements.chunk_bytes(chunk), elements.item_bytes() as u64);
        let cell = elements.chunks.cell(chunk);
        counts.decoded(stored.len() as u64, bytes as u64);
        let strides = Strides::c_order(cell, item_bytes);
        let digester = self.digester;
        let digest = |region: &Region, data: &[u8], digest: &mut u128| {
            if let Some(digester) = digester {
                *digest = digest.wrapping_add(digester.sum(region, data, &strides));
            }
        };
        let part = if part.region() == strides.region() {
            part.write_in_place(|place| {
                reader.decode(k, stored, place)?;
                digest(strides.region(), place, &mut digests[0]);
                Ok::<_, ArrayError>(())
            })?
        } else {
            Some(part)
        };
        if let Some(part) = part {
            let plain = &mut plain[..bytes];
            reader.decode(k, stored, plain)?;
            for (part, sum) in std::iter::once(part).chain(beyond).zip(digests) {
                digest(part.region(), plain, sum);
                part.copy_from(plain, &strides);
            }
        }
        Ok(())
    }

    /// Whether the stored bytes of every chunk wanted are those of its part of the tile.
    fn lies_in_place(&self, tile: &Tile) -> bool {
        let reader = &self.stored.reader;
        let chunks = reader.chunks();
        if chunks.shards().is_some() || !chunks.chain().is_identity() || !chunks.grid().is_regular() {
            return false;
        }
        let item_bytes = chunks.item_bytes() as u64;
        (0..reader.wanted()).all(|k| {
            let cell = chunks.grid().cell(reader.chunk(k));
            tile.strides().region().contains(&cell) && tile.strides().contiguous(&cell, item_bytes).is_some()
        })
    }

    /// Reads the chunks wanted to where they belong in the tile, in one batch.
    fn fill_in_place(&mut self, tile: &Tile, worker: &mut Worker<'_>) -> Result<(), RechunkError> {
        let reader = &mut self.stored.reader;
        let mut parts: Vec<Part<'_>> = (0..reader.wanted()).map(|k| tile.claim(reader.chunk(k))).collect();
        let bytes = reader.chunks().chain().chunk_bytes() as u64;
        let fill = reader.chunks().view().clone();
        let buffers = parts.iter_mut().filter_map(Part::bytes_mut);
        let found = worker.permit.waiting(|| reader.fetch_in_place(buffers))?;
        for (mut part, found) in parts.into_iter().zip(found) {
            if *found {
                if let Some(digester) = self.digester {
                    let strides =
                        Strides::c_order(part.region().clone(), fill.elements().item_bytes() as u64);
                    let data = part.bytes_mut().unwrap_or_else(|| unreachable!("it lies in place"));
                    let digest = digester.sum(strides.region(), data, &strides);
                    worker.digests[0] = worker.digests[0].wrapping_add(digest);
                }
                part.done();
                worker.counts.decoded(bytes, bytes);
            } else {
                part.fill(&fill.elements().fill);
                worker.counts.missing(bytes);
            }
        }
        Ok(())
    }
}
