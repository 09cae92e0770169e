//! Merging what is given into a chunk: values that are there stay, and others are added.

use std::ops::Range;

use zarrange_array::Elements;
use zarrange_grid::{Region, index};

use crate::store::fill::seen::Seen;
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
pub(in crate::store) struct Merge<'a> {
    elements: &'a Elements,
    kind: Kind,
}

/// What says that nothing was measured: NaN, or elsewhere the fill value.
#[derive(Clone, Copy)]
enum Kind {
    Float16,
    Float32,
    Float64,
    Fill,
}

impl<'a> Merge<'a> {
    pub(in crate::store) fn new(elements: &'a Elements) -> Self {
        let kind = match elements.element.name() {
            "float16" => Kind::Float16,
            "float32" => Kind::Float32,
            "float64" => Kind::Float64,
            _ => Kind::Fill,
        };
        Self { elements, kind }
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
        let (item, mut changed) = (self.elements.item_bytes(), 0);
        runs(picks, region, &mut |to, from, run| {
            let (to, from, bytes) = (index(to) * item, index(from) * item, index(run) * item);
            let (old, new) = (&mut chunk[to..to + bytes], &given[from..from + bytes]);
            changed += self.run(old, new, replace).map_err(|k| Conflict {
                index: region.unravel((to / item + k) as u64).to_vec(),
                there: self.elements.element.format(&old[k * item..(k + 1) * item]),
                given: self.elements.element.format(&new[k * item..(k + 1) * item]),
            })?;
            Ok(())
        })?;
        Ok(changed)
    }

    /// Merges a run; how many elements changed, or which one conflicts.
    fn run(&self, old: &mut [u8], new: &[u8], replace: Replace) -> Result<u64, usize> {
        match self.kind {
            Kind::Float16 => run::<2>(old, new, (nan_16, zero_16), replace),
            Kind::Float32 => run::<4>(old, new, (nan_32, zero_32), replace),
            Kind::Float64 => run::<8>(old, new, (nan_64, zero_64), replace),
            Kind::Fill => {
                let (fill, mut changed) = (&self.elements.fill[..], 0);
                let item = self.elements.item_bytes();
                for (k, (old, new)) in old.chunks_exact_mut(item).zip(new.chunks_exact(item)).enumerate() {
                    if old == new || (replace != Replace::ByAll && new == fill) {
                        continue;
                    }
                    if replace == Replace::Never && old != fill {
                        return Err(k);
                    }
                    old.copy_from_slice(new);
                    changed += 1;
                }
                Ok(changed)
            }
        }
    }

    /// Notes which objects of `region` have a value at `epoch` among `data`, its elements in C order. A value that is of no measurement is
    /// one in each.
    pub(super) fn mark(&self, data: &[u8], region: &Region, (epoch, axes): (u64, &Axes), seen: &mut Seen) {
        let (rank, item) = (region.rank(), self.elements.item_bytes());
        let mut strides = vec![item as u64; rank];
        for d in (0..rank.saturating_sub(1)).rev() {
            strides[d] = strides[d + 1] * region.shape()[d + 1];
        }
        let known = |d: usize| d == axes.object || d == axes.epoch || Some(d) == axes.measurement;
        let mut offsets = vec![0];
        for d in (0..rank).filter(|d| !known(*d)) {
            let along = |offset: &u64| {
                let offset = *offset;
                (0..region.shape()[d]).map(move |k| (k, offset)).collect::<Vec<_>>()
            };
            offsets = offsets.iter().flat_map(along).map(|(k, offset)| offset + k * strides[d]).collect();
        }
        let at_epoch = (epoch - region.start()[axes.epoch]) * strides[axes.epoch];
        let (first, length, step) = match axes.measurement {
            Some(d) => (index(region.start()[d]), region.shape()[d], strides[d]),
            None => (0, 1, 0),
        };
        let objects = region.shape()[axes.object];
        let of = axes.marks(region, seen.measurements());
        let mut note = |object: u64, m: u64| {
            let o = index(region.start()[axes.object] + object);
            let marks =
                if axes.measurement.is_some() { first + index(m)..first + index(m) + 1 } else { of.clone() };
            if marks.clone().all(|m| seen.has(o, m)) {
                return;
            }
            let at = at_epoch + object * strides[axes.object] + m * step;
            if offsets.iter().any(|offset| !self.is_missing(&data[index(at + offset)..][..item])) {
                marks.for_each(|m| seen.set(o, m));
            }
        };
        // In the order in which they lie.
        if strides[axes.object] >= step {
            (0..objects).for_each(|object| (0..length).for_each(|m| note(object, m)));
        } else {
            (0..length).for_each(|m| (0..objects).for_each(|object| note(object, m)));
        }
    }

    /// Whether an element says that nothing was measured.
    pub(in crate::store) fn is_missing(&self, value: &[u8]) -> bool {
        match self.kind {
            Kind::Float16 => value.try_into().is_ok_and(nan_16),
            Kind::Float32 => value.try_into().is_ok_and(nan_32),
            Kind::Float64 => value.try_into().is_ok_and(nan_64),
            Kind::Fill => value == &self.elements.fill[..],
        }
    }
}

impl Axes {
    /// Measurements of so many that the elements of `region` are of.
    pub(super) fn marks(&self, region: &Region, measurements: usize) -> Range<usize> {
        self.measurement.map_or(0..measurements, |d| index(region.start()[d])..index(region.end(d)))
    }
}

fn nan_16(value: [u8; 2]) -> bool {
    u16::from_ne_bytes(value) & 0x7fff > 0x7c00
}

fn nan_32(value: [u8; 4]) -> bool {
    f32::from_ne_bytes(value).is_nan()
}

fn nan_64(value: [u8; 8]) -> bool {
    f64::from_ne_bytes(value).is_nan()
}

fn zero_16(value: [u8; 2]) -> bool {
    matches!(u16::from_ne_bytes(value), 0 | 0x8000)
}

fn zero_32(value: [u8; 4]) -> bool {
    f32::from_ne_bytes(value) == 0.0
}

fn zero_64(value: [u8; 8]) -> bool {
    f64::from_ne_bytes(value) == 0.0
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
    (is_missing, is_zero): (impl Fn([u8; N]) -> bool, impl Fn([u8; N]) -> bool),
    replace: Replace,
) -> Result<u64, usize> {
    let mut changed = 0;
    let items = old.as_chunks_mut::<N>().0.iter_mut().zip(new.as_chunks::<N>().0);
    for (k, (old, new)) in items.enumerate() {
        if old == new || (is_missing(*new) && (is_missing(*old) || replace != Replace::ByAll)) {
            continue;
        }
        if replace == Replace::Never && !is_missing(*old) {
            // One value, with two signs.
            if is_zero(*old) && is_zero(*new) {
                continue;
            }
            return Err(k);
        }
        *old = *new;
        changed += 1;
    }
    Ok(changed)
}
