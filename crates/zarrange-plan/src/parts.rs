//! The work of a stage in parts, each of which can be done alone, late, or twice.
//!
//! A unit of work is a group of tiles, or a stored object where nothing is decoded: whole objects of the target, or whole pieces of
//! an intermediate. A part is as many units that follow each other as are worth a receipt.

use std::ops::Range;

use zarrange_grid::{ChunkGrid, Dims, Region, index};

use crate::plan::{Plan, Route, Stage};
use crate::problem::{Format, Problem};
use crate::tiles::{count, elements};

/// Array data of a part, about, where nobody says otherwise.
pub const PART_BYTES: u64 = 256_000_000;

/// Parts that a stage has at least, where each still has [`PART_BYTES_MIN`].
const PARTS_MIN: u64 = 16;

/// Array data of a part that is worth a task of its own, whatever the number of parts.
const PART_BYTES_MIN: u64 = 32_000_000;

/// The parts of a stage: an arithmetic range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Units of work in all of them.
    pub units: u64,
    /// Units in each, but for the last.
    pub each: u64,
}

impl Parts {
    /// `units` of `unit_bytes` of array data, in parts of about `part_bytes`; in smaller ones where those were so few that workers would not
    /// have the same to do.
    pub fn new(units: u64, unit_bytes: u64, part_bytes: u64) -> Self {
        let each = |bytes: u64| (bytes / unit_bytes.max(1)).clamp(1, units.max(1));
        let even = (units / PARTS_MIN).max(each(PART_BYTES_MIN));
        Self { units, each: each(part_bytes).min(even) }
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.units.div_ceil(self.each)
    }

    /// The part that does unit `unit`.
    pub const fn of(&self, unit: u64) -> u64 {
        unit / self.each
    }

    /// The units that part `part` does.
    pub fn units(&self, part: u64) -> Range<u64> {
        let first = part.saturating_mul(self.each).min(self.units);
        first..first.saturating_add(self.each).min(self.units)
    }
}

impl Plan {
    /// Stages, one after the other: what a part of one needs, parts of the one before may have made.
    pub fn stage_count(&self) -> u64 {
        match &self.route {
            Route::Copy | Route::Repack(_) => 1,
            Route::Tiled(tiled) => tiled.stages.len() as u64,
        }
    }

    /// The parts of stage `stage`.
    ///
    /// # Panics
    /// If there is no such stage.
    pub fn parts(&self, stage: u64) -> Parts {
        let Problem { shape, item_bytes, target, part_bytes, .. } = &self.problem;
        match &self.route {
            Route::Copy | Route::Repack(_) => {
                let bytes = elements(shape, target.object()).saturating_mul(*item_bytes);
                Parts::new(target.objects(shape), bytes, *part_bytes)
            }
            Route::Tiled(tiled) => tiled.stages[index(stage)].parts(&self.problem),
        }
    }
}

impl Stage {
    /// Its parts, as a stage of `problem`: groups in the order in which they are visited. Where it sweeps along an axis, and a whole
    /// row of groups is worth no more than a part, rows are not cut.
    pub fn parts(&self, problem: &Problem) -> Parts {
        let Problem { shape, item_bytes, part_bytes, .. } = problem;
        let bytes = elements(shape, &self.group).saturating_mul(*item_bytes);
        let parts = Parts::new(count(shape, &self.group), bytes, *part_bytes);
        let row = self.sweep.map_or(1, |axis| shape[index(axis)].div_ceil(self.group[index(axis)])).max(1);
        Parts { each: if parts.each < row { parts.each } else { parts.each / row * row }, ..parts }
    }

    /// Source chunks that part `part` decodes when it runs alone, although the part before it decodes them, too.
    pub fn border_chunks(&self, problem: &Problem, part: u64) -> u64 {
        let Problem { shape, source: Format { chunk, .. }, .. } = problem;
        let none = 0;
        let Some(axis) = self.sweep.map(index) else { return none };
        let (Ok(groups), Ok(chunks)) = (ChunkGrid::new(shape, &self.group), ChunkGrid::new(shape, chunk))
        else {
            return none;
        };
        let first = self.parts(problem).units(part).start;
        let counts = groups.counts();
        let mut rows: Dims = counts.into();
        rows[axis] = 1;
        let mut at = Region::whole(&rows).unravel(first / counts[axis]);
        at[axis] = first % counts[axis];
        let tile = groups.region(&at);
        let start = tile.start()[axis];
        if start.is_multiple_of(chunk[axis]) {
            return none;
        }
        let mut slab: Dims = tile.shape().into();
        slab[axis] = 1;
        chunks.covering(&Region::new(tile.start(), slab)).elements()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_units_once() {
        let check = |units: u64, unit_bytes: u64, each: u64| {
            let parts = Parts::new(units, unit_bytes, PART_BYTES);
            assert_eq!(parts.each, each);
            let ranges: Vec<_> = (0..parts.count()).map(|part| parts.units(part)).collect();
            assert!(
                ranges
                    .iter()
                    .enumerate()
                    .all(|(k, range)| range.clone().all(|unit| parts.of(unit) == k as u64))
            );
            assert_eq!(ranges.into_iter().flatten().collect::<Vec<_>>(), (0..units).collect::<Vec<_>>());
        };
        check(10, 1, 10);
        check(32, 100_000_000, 2);
        check(33, 100_000_000, 2);
        check(10, 100_000_000, 1);
        check(100, 10_000_000, 6);
        check(1000, 10_000_000, 25);
        check(20, 10_000_000, 3);
        check(3, u64::MAX, 1);
        check(0, 5, 1);
    }
}
