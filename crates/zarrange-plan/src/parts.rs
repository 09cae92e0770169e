//! The work of a stage in parts, each of which can be done alone, late, or twice.
//!
//! A unit of work is a group of tiles, or a stored object where nothing is decoded: whole objects of the target, or whole pieces of
//! an intermediate. A part is as many units that follow each other as are worth a receipt.

use std::ops::Range;

use zarrange_grid::{ChunkGrid, Dims, Region, index};

use crate::plan::{Plan, Route, Stage};
use crate::problem::Problem;
use crate::tiles::{count, elements};

/// Array data of a part, about.
const PART_BYTES: u64 = 256_000_000;

/// The parts of a stage: an arithmetic range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Units of work in all of them.
    pub units: u64,
    /// Units in each, but for the last.
    pub each: u64,
}

impl Parts {
    /// `units` of `unit_bytes` of array data.
    pub fn new(units: u64, unit_bytes: u64) -> Self {
        Self { units, each: (PART_BYTES / unit_bytes.max(1)).clamp(1, units.max(1)) }
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
        let Problem { shape, item_bytes, target, .. } = &self.problem;
        match &self.route {
            Route::Copy | Route::Repack(_) => {
                let bytes = elements(shape, target.object()).saturating_mul(*item_bytes);
                Parts::new(target.objects(shape), bytes)
            }
            Route::Tiled(tiled) => tiled.stages[index(stage)].parts(shape, *item_bytes),
        }
    }
}

impl Stage {
    /// Its parts, of an array of `shape`: groups in the order in which they are visited. Where it sweeps along an axis, and a whole
    /// row of groups is worth no more than a part, rows are not cut.
    pub fn parts(&self, shape: &[u64], item_bytes: u64) -> Parts {
        let bytes = elements(shape, &self.group).saturating_mul(item_bytes);
        let parts = Parts::new(count(shape, &self.group), bytes);
        let row = self.sweep.map_or(1, |axis| shape[index(axis)].div_ceil(self.group[index(axis)])).max(1);
        Parts { each: if parts.each < row { parts.each } else { parts.each / row * row }, ..parts }
    }

    /// Source chunks of `chunk` that part `part` decodes although the part before it decodes them, too, when it runs alone; and the
    /// elements of these chunks.
    pub fn border(&self, shape: &[u64], item_bytes: u64, chunk: &[u64], part: u64) -> (u64, u64) {
        let none = (0, 0);
        let Some(axis) = self.sweep.map(index) else { return none };
        let (Ok(groups), Ok(chunks)) = (ChunkGrid::new(shape, &self.group), ChunkGrid::new(shape, chunk))
        else {
            return none;
        };
        let first = self.parts(shape, item_bytes).units(part).start;
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
        let covering = chunks.covering(&Region::new(tile.start(), slab));
        (covering.elements(), chunks.whole_elements(&covering))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_units_once() {
        let check = |units: u64, unit_bytes: u64, each: u64| {
            let parts = Parts::new(units, unit_bytes);
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
        check(10, 100_000_000, 2);
        check(11, 100_000_000, 2);
        check(3, u64::MAX, 1);
        check(0, 5, 1);
    }
}
