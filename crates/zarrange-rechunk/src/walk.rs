//! The order of work: tiles of a stage, and batches of chunks within a tile.

use zarrange_grid::{ChunkGrid, Dims, Region};

/// Visits the tiles of a stage group by group, in C order; in a sweep its axis comes last.
#[derive(Debug)]
pub(crate) struct TileWalk {
    tiles: ChunkGrid,
    groups: ChunkGrid,
    group: u64,
    /// Tiles of the current group.
    inside: Region,
    next: u64,
    /// The axis along which groups follow each other.
    sweep: Option<usize>,
}

impl TileWalk {
    pub(crate) fn new(tiles: ChunkGrid, groups: ChunkGrid, sweep: Option<usize>) -> Self {
        let mut walk = Self { inside: Region::whole(&[]), tiles, groups, group: 0, next: 0, sweep };
        walk.enter();
        walk
    }

    fn enter(&mut self) {
        if self.group < self.groups.count() {
            let group = self.groups.region(&along(self.groups.counts(), self.group, self.sweep));
            self.inside = self.tiles.covering(&group);
        }
        self.next = 0;
    }
}

impl Iterator for TileWalk {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        if self.group >= self.groups.count() {
            return None;
        }
        let tile = self.tiles.region(&self.inside.unravel(self.next));
        self.next += 1;
        if self.next == self.inside.elements() {
            self.group += 1;
            self.enter();
        }
        Some(tile)
    }
}

/// Position `k` of a grid of `counts` cells: in C order, but with axis `sweep` varying fastest.
fn along(counts: &[u64], k: u64, sweep: Option<usize>) -> Dims {
    let Some(axis) = sweep else { return Region::whole(counts).unravel(k) };
    let mut rest: Dims = counts.into();
    rest[axis] = 1;
    let mut index = Region::whole(&rest).unravel(k / counts[axis]);
    index[axis] = k % counts[axis];
    index
}

/// Consecutive chunks that one thread handles: numbers `first .. first + count` of `units` in C order.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The object (shard) that holds them; chunks without shards are objects themselves.
    pub(crate) object: Dims,
    /// Chunks of the object that are in the tile, as a region of the chunk grid.
    pub(crate) units: Region,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

impl Batch {
    pub(crate) fn indices(&self) -> impl Iterator<Item = Dims> {
        (self.first..self.first + self.count).map(|k| self.units.unravel(k))
    }
}

/// Cuts the chunks of a tile into batches, shard by shard.
#[derive(Debug)]
pub(crate) struct Cursor {
    tile: Region,
    units: ChunkGrid,
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
}

impl Cursor {
    /// The chunks of `units` that overlap `tile` at the given pace, a batch never from two shards of `shards`.
    pub(crate) fn new(tile: &Region, units: &ChunkGrid, shards: Option<&ChunkGrid>, pace: Pace) -> Self {
        let shards = shards.map(|grid| (grid.clone(), grid.covering(tile)));
        let inside = units.covering(tile);
        let mut cursor = Self {
            tile: tile.clone(),
            units: units.clone(),
            shards,
            shard: 0,
            inside,
            next: 0,
            pace,
            left: units.covering(tile).elements(),
        };
        cursor.enter();
        cursor
    }

    /// Chunks in all batches together.
    pub(crate) fn total(&self) -> u64 {
        self.units.covering(&self.tile).elements()
    }

    fn enter(&mut self) {
        self.next = 0;
        if let Some((grid, covering)) = &self.shards
            && self.shard < covering.elements()
            && let Some(part) = grid.region(&covering.unravel(self.shard)).intersect(&self.tile)
        {
            self.inside = self.units.covering(&part);
        }
    }
}

impl Iterator for Cursor {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let shards = self.shards.as_ref().map_or(1, |(_, covering)| covering.elements());
        if self.shard >= shards || self.inside.is_empty() {
            return None;
        }
        let object =
            self.shards.as_ref().map_or_else(Dims::new, |(_, covering)| covering.unravel(self.shard));
        let Pace { most, threads } = self.pace;
        let count = most.min(self.left / (2 * threads)).max(1).min(self.inside.elements() - self.next);
        self.left = self.left.saturating_sub(count);
        let batch = Batch { object, units: self.inside.clone(), first: self.next, count };
        self.next += count;
        if self.next == self.inside.elements() {
            self.shard += 1;
            self.enter();
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_visited_group_by_group() {
        let grid = |chunk: &[u64]| ChunkGrid::new(&[5, 6], chunk).unwrap();
        let starts: Vec<Vec<u64>> =
            TileWalk::new(grid(&[1, 3]), grid(&[2, 6]), None).map(|t| t.start().to_vec()).collect();
        let expected = [[0, 0], [0, 3], [1, 0], [1, 3], [2, 0], [2, 3], [3, 0], [3, 3], [4, 0], [4, 3]];
        assert_eq!(starts, expected);
        let starts: Vec<Vec<u64>> =
            TileWalk::new(grid(&[2, 3]), grid(&[4, 3]), None).map(|t| t.start().to_vec()).collect();
        assert_eq!(starts, [[0, 0], [2, 0], [0, 3], [2, 3], [4, 0], [4, 3]]);
        let starts: Vec<Vec<u64>> =
            TileWalk::new(grid(&[2, 3]), grid(&[2, 3]), Some(0)).map(|t| t.start().to_vec()).collect();
        assert_eq!(starts, [[0, 0], [2, 0], [4, 0], [0, 3], [2, 3], [4, 3]]);
        let count = |shape: &[u64], chunk: &[u64]| {
            let grid = || ChunkGrid::new(shape, chunk).unwrap();
            TileWalk::new(grid(), grid(), None).count()
        };
        assert_eq!((count(&[0], &[1]), count(&[], &[])), (0, 1));
    }

    #[test]
    fn batches_cover_each_chunk_once_and_stay_in_their_shard() {
        let units = ChunkGrid::new(&[10, 9], &[2, 2]).unwrap();
        let shards = ChunkGrid::new(&[10, 9], &[4, 4]).unwrap();
        let tile = Region::new(vec![4, 0], vec![6, 9]);
        for shards in [None, Some(&shards)] {
            for most in [1, 3, 100] {
                let mut seen: Vec<Dims> = Vec::new();
                for batch in Cursor::new(&tile, &units, shards, Pace { most, threads: 2 }) {
                    assert!(batch.count <= most);
                    for unit in batch.indices() {
                        if let Some(shards) = shards {
                            assert!(shards.region(&batch.object).contains(&units.region(&unit)));
                        }
                        seen.push(unit);
                    }
                }
                seen.sort();
                let all = units.covering(&tile);
                assert_eq!(seen, (0..all.elements()).map(|k| all.unravel(k)).collect::<Vec<_>>());
            }
        }
    }
}
