//! The order of work: tiles of a stage, and batches of chunks within a tile.

use zarrange_grid::{ChunkGrid, Dims, Region, index};

use crate::presence::{GroupOrder, Touched};

/// Visits the tiles of a stage group by group, in C order; in a sweep its axis comes last. Where it is known what is stored, groups
/// without any of it are left out, and tiles are cut to the cells that hold some.
#[derive(Debug)]
pub(crate) struct TileWalk {
    tiles: ChunkGrid,
    order: GroupOrder,
    touched: Option<Touched>,
    /// Every how many tiles one is visited.
    step: u64,
    /// The current group, counted among those that are visited.
    group: u64,
    /// Tiles of the current group.
    inside: Region,
    next: u64,
    /// Where the current run of groups begins and ends, and the elements that it is cut to.
    run: (usize, usize, Option<Region>),
}

/// A tile of a walk.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) tile: Region,
    /// In a sweep, whether the tile before it along the axis is visited just before it.
    pub(crate) after_another: bool,
    /// In a sweep, whether the tile behind it along the axis is visited next.
    pub(crate) before_another: bool,
}

impl TileWalk {
    /// The tiles of all groups, or of those `touched`; `tiles_max` of them at most, evenly spread.
    pub(crate) fn new(tiles: ChunkGrid, order: GroupOrder, touched: Option<Touched>, tiles_max: u64) -> Self {
        let (inside, run) = (Region::whole(&[]), (0, 0, None));
        let mut walk = Self { tiles, order, touched, step: 1, group: 0, inside, next: 0, run };
        if tiles_max < u64::MAX {
            walk.step = walk.tile_count().div_ceil(tiles_max.max(1)).max(1);
        }
        walk.enter();
        walk
    }

    /// Whether tiles are left out.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.touched.is_some()
    }

    /// Whether every group is one tile.
    fn one_a_group(&self) -> bool {
        self.tiles.chunk_shape() == self.order.groups.chunk_shape()
    }

    /// Groups that are visited.
    fn groups(&self) -> u64 {
        self.touched.as_ref().map_or_else(|| self.order.groups.count(), |touched| touched.len() as u64)
    }

    /// Index of a group by its place among those that are visited.
    fn group(&self, group: u64) -> Dims {
        let number = self.touched.as_ref().map_or(Some(group), |touched| touched.number(index(group)));
        self.order.index(number.unwrap_or(group))
    }

    /// Tiles of a group.
    fn tiles_of(&self, group: u64) -> Region {
        self.tiles.covering(&self.order.groups.region(&self.group(group)))
    }

    fn tile_count(&self) -> u64 {
        match &self.touched {
            None => self.tiles.count(),
            Some(_) => (0..self.groups()).map(|group| self.tiles_of(group).elements()).sum(),
        }
    }

    fn enter(&mut self) {
        self.next = 0;
        if self.group >= self.groups() {
            return;
        }
        self.inside = self.tiles_of(self.group);
        let Some(touched) = &self.touched else { return };
        let group = index(self.group);
        if group >= self.run.1 {
            let (end, cells) = touched.run(group);
            // A shard that many tiles write is complete once all of them were there.
            self.run = (group, end, self.one_a_group().then_some(cells));
        }
    }

    fn visit(&self) -> Visit {
        let tile = self.tiles.region(&self.inside.unravel(self.next));
        let (after_another, before_another) = match (self.order.sweep, &self.touched) {
            (None, _) => (false, false),
            (Some(axis), None) => (tile.start()[axis] > 0, tile.end(axis) < self.tiles.array_shape()[axis]),
            (Some(_), Some(_)) => (index(self.group) > self.run.0, index(self.group) + 1 < self.run.1),
        };
        let cut = self.run.2.as_ref().and_then(|cells| cells.intersect(&tile));
        Visit { tile: cut.unwrap_or(tile), after_another, before_another }
    }

    /// Goes on by `tiles` tiles.
    fn skip(&mut self, mut tiles: u64) {
        if self.one_a_group() {
            self.group += tiles;
            return self.enter();
        }
        while self.group < self.groups() {
            let left = self.inside.elements() - self.next;
            if tiles < left {
                self.next += tiles;
                return;
            }
            tiles -= left;
            self.group += 1;
            self.enter();
        }
    }
}

impl Iterator for TileWalk {
    type Item = Visit;

    fn next(&mut self) -> Option<Visit> {
        if self.group >= self.groups() {
            return None;
        }
        let visit = self.visit();
        self.skip(self.step);
        Some(visit)
    }
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

    /// Elements of these chunks, whole.
    pub(crate) fn whole_elements(&self) -> u64 {
        self.units.whole_elements(&self.units.covering(&self.tile))
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
        let walk = |tiles: ChunkGrid, groups: ChunkGrid, sweep: Option<usize>| {
            TileWalk::new(tiles, GroupOrder { groups, sweep }, None, u64::MAX).map(|visit| visit.tile)
        };
        let starts: Vec<Vec<u64>> =
            walk(grid(&[1, 3]), grid(&[2, 6]), None).map(|t| t.start().to_vec()).collect();
        let expected = [[0, 0], [0, 3], [1, 0], [1, 3], [2, 0], [2, 3], [3, 0], [3, 3], [4, 0], [4, 3]];
        assert_eq!(starts, expected);
        let starts: Vec<Vec<u64>> =
            walk(grid(&[2, 3]), grid(&[4, 3]), None).map(|t| t.start().to_vec()).collect();
        assert_eq!(starts, [[0, 0], [2, 0], [0, 3], [2, 3], [4, 0], [4, 3]]);
        let starts: Vec<Vec<u64>> =
            walk(grid(&[2, 3]), grid(&[2, 3]), Some(0)).map(|t| t.start().to_vec()).collect();
        assert_eq!(starts, [[0, 0], [2, 0], [4, 0], [0, 3], [2, 3], [4, 3]]);
        let count = |shape: &[u64], chunk: &[u64]| {
            let grid = || ChunkGrid::new(shape, chunk).unwrap();
            walk(grid(), grid(), None).count()
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
