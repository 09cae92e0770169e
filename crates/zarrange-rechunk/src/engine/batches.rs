//! Batches of chunks within a tile.

use zarrange_grid::{ChunkGrid, Dims, Region};
use zarrange_plan::BATCH_BYTES;

/// Chunks of a batch at most, and of the batches of all threads together: what is noted for each of them (some 300 bytes) is not
/// counted in the budget.
const CHUNKS_MAX: u64 = 4096;
const CHUNKS_MAX_IN_ALL: u64 = 1 << 16;

/// Array data of a batch at least, where there is as much: a thread is done with it before others notice.
const BYTES_MIN: u64 = 64 << 10;

/// Consecutive chunks that one worker handles: numbers `first .. first + count` of `chunks` in C order.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The object (shard) that holds them; chunks without shards are objects themselves.
    pub(crate) object: Dims,
    /// Chunks of the object that are in the tile, as a region of the chunk grid.
    pub(crate) chunks: Region,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

impl Batch {
    pub(crate) fn indices(&self) -> impl Iterator<Item = Dims> {
        (self.first..self.first + self.count).map(|k| self.chunks.unravel(k))
    }
}

/// The chunks of a tile in batches, shard by shard.
#[derive(Debug)]
pub(crate) struct Batches {
    tile: Region,
    chunks: ChunkGrid,
    /// The shards of the tile, where there are shards.
    shards: Option<(ChunkGrid, Region)>,
    shard: u64,
    inside: Region,
    next: u64,
    pace: Pace,
    /// Chunks not yet handed out.
    left: u64,
}

/// How many chunks a batch has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// At most this many.
    pub(crate) most: u64,
    /// Towards the end batches become smaller, so that this many threads end at the same time.
    pub(crate) threads: u64,
    /// But not smaller than this: each waits for its place.
    pub(crate) least: u64,
}

impl Batches {
    /// The chunks of `chunks` that overlap `tile` at the given pace, a batch never from two shards of `shards`.
    pub(crate) fn new(tile: &Region, chunks: &ChunkGrid, shards: Option<&ChunkGrid>, pace: Pace) -> Self {
        let shards = shards.map(|grid| (grid.clone(), grid.covering(tile)));
        let inside = chunks.covering(tile);
        let mut cursor = Self {
            tile: tile.clone(),
            chunks: chunks.clone(),
            shards,
            shard: 0,
            inside,
            next: 0,
            pace,
            left: chunks.covering(tile).elements(),
        };
        cursor.enter();
        cursor
    }

    /// Chunks in all batches together.
    pub(crate) fn total(&self) -> u64 {
        self.chunks.covering(&self.tile).elements()
    }

    /// Elements of these chunks, whole.
    pub(crate) fn whole_elements(&self) -> u64 {
        self.chunks.whole_elements(&self.chunks.covering(&self.tile))
    }

    fn enter(&mut self) {
        self.next = 0;
        if let Some((grid, covering)) = &self.shards
            && self.shard < covering.elements()
            && let Some(part) = grid.region(&covering.unravel(self.shard)).intersect(&self.tile)
        {
            self.inside = self.chunks.covering(&part);
        }
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let shards = self.shards.as_ref().map_or(1, |(_, covering)| covering.elements());
        if self.shard >= shards || self.inside.is_empty() {
            return None;
        }
        let object =
            self.shards.as_ref().map_or_else(Dims::new, |(_, covering)| covering.unravel(self.shard));
        let Pace { most, threads, least } = self.pace;
        let share = if threads > 1 { self.left / (2 * threads) } else { self.left };
        let count = share.max(least).min(most).min(self.inside.elements() - self.next);
        self.left = self.left.saturating_sub(count);
        let batch = Batch { object, chunks: self.inside.clone(), first: self.next, count };
        self.next += count;
        if self.next == self.inside.elements() {
            self.shard += 1;
            self.enter();
        }
        Some(batch)
    }
}

impl Pace {
    /// The pace of `threads` that handle about [`BATCH_BYTES`] of array data at once, chunks of this shape.
    pub(crate) fn new(chunk: &[u64], item_bytes: u64, threads: u64) -> Self {
        let chunk_bytes = chunk.iter().fold(item_bytes, |n, c| n.saturating_mul(*c));
        let least = (BYTES_MIN / chunk_bytes.max(1)).max(1);
        Self { least, ..Self::at_most(BATCH_BYTES / chunk_bytes.max(1), threads) }
    }

    /// The pace of `threads` that handle at most `most` chunks at once.
    pub(crate) fn at_most(most: u64, threads: u64) -> Self {
        let most = most.clamp(1, (CHUNKS_MAX_IN_ALL / threads.max(1)).clamp(1, CHUNKS_MAX));
        Self { most, threads, least: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cover_each_chunk_once_and_stay_in_their_shard() {
        let chunks = ChunkGrid::new(&[10, 9], &[2, 2]).unwrap();
        let shards = ChunkGrid::new(&[10, 9], &[4, 4]).unwrap();
        let tile = Region::new(vec![4, 0], vec![6, 9]);
        for shards in [None, Some(&shards)] {
            for (most, least, threads) in [(1, 1, 2), (3, 1, 2), (100, 1, 2), (7, 4, 2), (9, 1, 1)] {
                let mut seen: Vec<Dims> = Vec::new();
                for batch in Batches::new(&tile, &chunks, shards, Pace { most, threads, least }) {
                    assert!(batch.count <= most);
                    for chunk in batch.indices() {
                        if let Some(shards) = shards {
                            assert!(shards.region(&batch.object).contains(&chunks.region(&chunk)));
                        }
                        seen.push(chunk);
                    }
                }
                seen.sort();
                let all = chunks.covering(&tile);
                assert_eq!(seen, (0..all.elements()).map(|k| all.unravel(k)).collect::<Vec<_>>());
            }
        }
    }
}
