//! The order of work: the tiles of a stage, part by part.

use zarrange_grid::{ChunkGrid, Region, index};

use crate::engine::parts::StageParts;
use crate::engine::presence::{GroupOrder, Touched};

/// Visits the tiles of a stage group by group, in C order; in a sweep its axis comes last. Where it is known what is stored, groups
/// without any of it are left out, and tiles are cut to the cells that hold some. Parts that are done already are left out, too.
pub(crate) struct TileWalk<'a> {
    tiles: ChunkGrid,
    order: GroupOrder,
    touched: Option<Touched>,
    parts: &'a StageParts<'a>,
    left_out: bool,
    /// Every how many tiles one is visited.
    step: u64,
    /// The current group, counted among those that are touched, and its part.
    group: u64,
    part: u64,
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
    /// The part that it belongs to.
    pub(crate) part: u64,
    /// In a sweep, whether the tile before it along the axis is visited just before it.
    pub(crate) after_another: bool,
    /// In a sweep, whether the tile behind it along the axis is visited next.
    pub(crate) before_another: bool,
    /// The tile before it is not visited here, but by whoever does its part.
    pub(crate) at_border: bool,
}

impl<'a> TileWalk<'a> {
    /// The tiles of all groups, or of those `touched`; `tiles_max` of them at most, evenly spread.
    pub(crate) fn new(
        tiles: ChunkGrid,
        order: GroupOrder,
        touched: Option<Touched>,
        parts: &'a StageParts<'a>,
        tiles_max: u64,
    ) -> Self {
        let (inside, run) = (Region::whole(&[]), (0, 0, None));
        let mut walk = Self {
            tiles,
            order,
            touched,
            parts,
            left_out: false,
            step: 1,
            group: 0,
            part: 0,
            inside,
            next: 0,
            run,
        };
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

    /// Whether parts were left out.
    pub(crate) const fn left_out(&self) -> bool {
        self.left_out
    }

    /// Whether every group is one tile.
    fn one_a_group(&self) -> bool {
        self.tiles.chunk_shape() == self.order.groups.chunk_shape()
    }

    /// Groups that are touched.
    fn groups(&self) -> u64 {
        self.touched.as_ref().map_or_else(|| self.order.groups.count(), |touched| touched.len() as u64)
    }

    /// Number of a group among all, by its place among those that are touched.
    fn number(&self, group: u64) -> u64 {
        self.touched.as_ref().map_or(group, |touched| touched.number(index(group)))
    }

    /// Tiles of a group.
    fn tiles_of(&self, group: u64) -> Region {
        self.tiles.covering(&self.order.groups.region(&self.order.index(self.number(group))))
    }

    fn tile_count(&self) -> u64 {
        match &self.touched {
            None => self.tiles.count(),
            Some(_) => (0..self.groups()).map(|group| self.tiles_of(group).elements()).sum(),
        }
    }

    fn enter(&mut self) {
        self.next = 0;
        loop {
            if self.group >= self.groups() {
                return;
            }
            let number = self.number(self.group);
            if let Some(part) = self.parts.of(number) {
                self.part = part;
                break;
            }
            self.left_out = true;
            let behind = self.parts.behind(number);
            self.group = self.touched.as_ref().map_or(behind, |touched| touched.first_from(behind));
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
        // Whether there is a tile before and behind it along the axis of a sweep.
        let (before, behind) = match (self.order.sweep, &self.touched) {
            (None, _) => (false, false),
            (Some(axis), None) => (tile.start()[axis] > 0, tile.end(axis) < self.tiles.array_shape()[axis]),
            (Some(_), Some(_)) => (index(self.group) > self.run.0, index(self.group) + 1 < self.run.1),
        };
        let is_visited = |group: u64| self.parts.of(self.number(group)).is_some();
        let after_another = before && is_visited(self.group - 1);
        let before_another = behind && is_visited(self.group + 1);
        let at_border = before && !after_another;
        let cut = self.run.2.as_ref().and_then(|cells| cells.intersect(&tile));
        let (tile, part) = (cut.unwrap_or(tile), self.part);
        Visit { tile, part, after_another, before_another, at_border }
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

impl Iterator for TileWalk<'_> {
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

#[cfg(test)]
mod tests {
    use zarrange_plan::Parts;

    use super::*;
    use crate::engine::parts::{Alone, Recorded};

    #[test]
    fn tiles_are_visited_group_by_group() {
        let grid = |chunk: &[u64]| ChunkGrid::new(&[5, 6], chunk).unwrap();
        let recorded = Recorded::default();
        let parts = |units: u64| StageParts::only(Parts::new(units, 1, u64::MAX), &Alone, &recorded);
        let walk = |tiles: ChunkGrid, groups: ChunkGrid, sweep: Option<usize>| {
            let parts = parts(groups.count());
            let walk = TileWalk::new(tiles, GroupOrder { groups, sweep }, None, &parts, u64::MAX);
            walk.map(|visit| visit.tile).collect::<Vec<_>>().into_iter()
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
}
