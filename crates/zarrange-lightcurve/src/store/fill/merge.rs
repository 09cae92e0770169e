//! Merging what is given into a chunk: values that are there stay, and others are added.

use zarrange_array::Elements;
use zarrange_grid::{Region, index};

use crate::store::picks::{Picks, runs};

/// What becomes of a value that is there, where another is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replace {
    /// It stays, and that is an error.
    #[default]
    Never,
    /// The other takes its place; where nothing is given, it stays.
    ByValues,
    /// The other takes its place, also where that is nothing.
    ByAll,
}

/// Where the dimensions are that filling knows.
pub(super) struct Axes {
    pub(super) object: usize,
    pub(super) epoch: usize,
    pub(super) measurement: Option<usize>,
}

/// How elements of an array are merged.
pub(in crate::store) struct Merge {
    kind: Kind,
    item_bytes: usize,
}

/// What says that nothing was measured.
enum Kind {
    /// NaN.
    Float32,
    /// NaN.
    Float64,
    /// The fill value.
    Fill(Vec<u8>),
}

impl Merge {
    pub(in crate::store) fn new(elements: &Elements) -> Self {
        let item_bytes = elements.item_bytes();
        let kind = match elements.element.name() {
            "float32" => Kind::Float32,
            "float64" => Kind::Float64,
            _ => Kind::Fill(elements.fill.clone()),
        };
        Self { kind, item_bytes }
    }

    /// Puts what is given into `chunk`, the elements of `region` in C order; how many are others now.
    ///
    /// # Errors
    /// [`Conflict`] at the first value that is there and differs, unless those are replaced.
    pub(super) fn merge(
        &self,
        chunk: &mut [u8],
        region: &Region,
        (picks, given): (&[Picks], &[u8]),
        replace: Replace,
    ) -> Result<u64, Conflict> {
        let (item, mut changed) = (self.item_bytes, 0);
        runs(picks, region, &mut |to, from, run| {
            let (to, from, bytes) = (index(to) * item, index(from) * item, index(run) * item);
            let (old, new) = (&mut chunk[to..to + bytes], &given[from..from + bytes]);
            changed += self.run(old, new, replace).map_err(|k| Conflict {
                index: region.unravel((to / item + k) as u64).to_vec(),
                there: self.text(&old[k * item..(k + 1) * item]),
                given: self.text(&new[k * item..(k + 1) * item]),
            })?;
            Ok(())
        })?;
        Ok(changed)
    }

    /// Merges a run; how many elements changed, or which one conflicts.
    fn run(&self, old: &mut [u8], new: &[u8], replace: Replace) -> Result<u64, usize> {
        match &self.kind {
            Kind::Float32 => run::<4>(old, new, |v| f32::from_ne_bytes(*v).is_nan(), replace),
            Kind::Float64 => run::<8>(old, new, |v| f64::from_ne_bytes(*v).is_nan(), replace),
            Kind::Fill(fill) => {
                let mut changed = 0;
                let items = old.chunks_exact_mut(self.item_bytes).zip(new.chunks_exact(self.item_bytes));
                for (k, (old, new)) in items.enumerate() {
                    if old == new || (replace != Replace::ByAll && new == &fill[..]) {
                        continue;
                    }
                    if replace == Replace::Never && old != &fill[..] {
                        return Err(k);
                    }
                    old.copy_from_slice(new);
                    changed += 1;
                }
                Ok(changed)
            }
        }
    }

    /// Counts, for each measurement, the objects of `region` that have a value at `epoch` among `data`, its elements in C order.
    pub(super) fn count(&self, data: &[u8], region: &Region, epoch: u64, axes: &Axes, counts: &mut [u32]) {
        let rank = region.rank();
        let mut strides = vec![self.item_bytes as u64; rank];
        for d in (0..rank.saturating_sub(1)).rev() {
            strides[d] = strides[d + 1] * region.shape()[d + 1];
        }
        let known = |d: usize| d == axes.object || d == axes.epoch || Some(d) == axes.measurement;
        let others: Vec<usize> = (0..rank).filter(|d| !known(*d)).collect();
        let mut offsets = vec![0];
        for d in others {
            let along = |offset: &u64| {
                let offset = *offset;
                (0..region.shape()[d]).map(move |k| (k, offset)).collect::<Vec<_>>()
            };
            offsets = offsets.iter().flat_map(along).map(|(k, offset)| offset + k * strides[d]).collect();
        }
        let at_epoch = (epoch - region.start()[axes.epoch]) * strides[axes.epoch];
        let (first, measurements, step) = match axes.measurement {
            Some(d) => (index(region.start()[d]), region.shape()[d], strides[d]),
            None => (0, 1, 0),
        };
        let counts = &mut counts[first..first + index(measurements)];
        let mut count = |object: u64, m: u64| {
            let at = at_epoch + object * strides[axes.object] + m * step;
            let there = |offset: &u64| !self.is_missing(&data[index(at + offset)..][..self.item_bytes]);
            let there = offsets.iter().any(there);
            counts[index(m)] = counts[index(m)].saturating_add(u32::from(there));
        };
        // In the order in which they lie.
        let objects = region.shape()[axes.object];
        if strides[axes.object] >= step {
            (0..objects).for_each(|object| (0..measurements).for_each(|m| count(object, m)));
        } else {
            (0..measurements).for_each(|m| (0..objects).for_each(|object| count(object, m)));
        }
    }

    /// Whether an element says that nothing was measured.
    pub(in crate::store) fn is_missing(&self, value: &[u8]) -> bool {
        match &self.kind {
            Kind::Float32 => value.try_into().is_ok_and(|v| f32::from_ne_bytes(v).is_nan()),
            Kind::Float64 => value.try_into().is_ok_and(|v| f64::from_ne_bytes(v).is_nan()),
            Kind::Fill(fill) => value == &fill[..],
        }
    }

    /// A value for people.
    fn text(&self, value: &[u8]) -> String {
        match &self.kind {
            Kind::Float32 => value.try_into().map(|v| f32::from_ne_bytes(v).to_string()),
            Kind::Float64 => value.try_into().map(|v| f64::from_ne_bytes(v).to_string()),
            Kind::Fill(_) => Ok(format!("{value:?}")),
        }
        .unwrap_or_default()
    }
}

/// A value that is there, where another is given.
#[derive(Debug)]
pub(super) struct Conflict {
    pub(super) index: Vec<u64>,
    pub(super) there: String,
    pub(super) given: String,
}

fn run<const N: usize>(
    old: &mut [u8],
    new: &[u8],
    is_missing: impl Fn(&[u8; N]) -> bool,
    replace: Replace,
) -> Result<u64, usize> {
    let mut changed = 0;
    let items = old.as_chunks_mut::<N>().0.iter_mut().zip(new.as_chunks::<N>().0);
    for (k, (old, new)) in items.enumerate() {
        if old == new || (is_missing(new) && (is_missing(old) || replace != Replace::ByAll)) {
            continue;
        }
        if replace == Replace::Never && !is_missing(old) {
            return Err(k);
        }
        *old = *new;
        changed += 1;
    }
    Ok(changed)
}
