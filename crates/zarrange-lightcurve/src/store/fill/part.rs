//! What a contribution has for one array: the chunks that it changes, merged and written.

use zarrange_array::Array;
use zarrange_grid::{Dims, Region, index};

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::contribution::{Contribution, FillReport};
use crate::store::fill::merge::{Axes, Conflict, Merge, Replace};
use crate::store::fill::tools::ToolBox;
use crate::store::picks::{Picks, chunks};
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT, packed};

/// What a contribution has for one array.
pub(super) struct Part<'a> {
    /// Its place among the arrays of values.
    pub(super) at: usize,
    array: &'a Array,
    pub(super) name: &'a str,
    merge: Merge<'a>,
    data: &'a [u8],
    /// What is picked along each axis.
    picks: Vec<Picks>,
    /// Chunks that it changes.
    pub(super) chunks: Vec<Dims>,
    /// As they will be, as far as they are kept.
    pub(super) kept: Vec<Option<Merged>>,
}

impl<'a> Part<'a> {
    pub(super) fn new(
        store: &'a LightCurveStore,
        contribution: &Contribution<'a>,
        name: &'a str,
        data: &'a [u8],
    ) -> Result<Self, LightCurveError> {
        let array = store.named(name)?;
        let at = store.position(name);
        let axes = Axes::of(store, array)?;
        let elements = array.elements()?;
        if array.zarr_format() != 3 {
            return Err(LightCurveError::OldFormat { location: array.location().to_owned() });
        }
        if let Some(attribute) = packed(array) {
            let (array, attribute) = (array.location().to_owned(), attribute.to_owned());
            return Err(LightCurveError::Packed { array, attribute });
        }
        let names = array.document().dimension_names().unwrap_or_default();
        let names: Vec<String> = names.into_iter().map(Option::unwrap_or_default).collect();
        let mut picks = Vec::new();
        for (d, size) in array.shape().iter().enumerate() {
            let picked = match d {
                _ if d == axes.epoch => Picks::Range(contribution.epoch..contribution.epoch + 1),
                _ if d == axes.object => contribution.objects.of(*size),
                _ if Some(d) == axes.measurement => contribution.measurements.of(*size),
                _ => Picks::Range(0..*size),
            };
            let dimension = &names[d];
            if let Some(last) = picked.last().filter(|last| last >= size) {
                return Err(out_of(dimension, last, *size));
            }
            if picked.repeats() {
                return Err(LightCurveError::Again { dimension: dimension.clone() });
            }
            picks.push(picked);
        }
        let counts: Vec<u64> =
            picks.iter().enumerate().filter(|(d, _)| *d != axes.epoch).map(|(_, p)| p.len()).collect();
        let expected = counts.iter().fold(elements.item_bytes() as u64, |n, count| n.saturating_mul(*count));
        if data.len() as u64 != expected {
            let (item_bytes, given) = (elements.item_bytes() as u64, data.len() as u64);
            return Err(LightCurveError::Shape {
                array: name.to_owned(),
                expected: counts,
                item_bytes,
                given,
            });
        }
        let chunks = chunks(array.objects(), &picks);
        let kept = chunks.iter().map(|_| None).collect();
        Ok(Self { at, array, name, merge: Merge::new(elements), data, picks, chunks, kept })
    }

    /// Merges what is given with what is there, without writing it; chunks are kept as they will be, as far as there is room, and unless
    /// what was given `before` changes them first.
    pub(super) fn compare(
        &mut self,
        replace: Replace,
        before: &[Self],
        tools: &mut ToolBox<'_>,
    ) -> Result<(), LightCurveError> {
        for (k, chunk) in self.chunks.iter().enumerate() {
            let merged = self.merged(tools, chunk, replace)?;
            let changes = |part: &Self| part.at == self.at && part.chunks.binary_search(chunk).is_ok();
            if !before.iter().any(changes) && tools.keeps(&merged.data) {
                self.kept[k] = Some(merged);
            } else {
                tools.put(merged.data);
            }
        }
        Ok(())
    }

    /// Writes the chunks that change.
    pub(super) fn write(
        &mut self,
        replace: Replace,
        report: &mut FillReport,
        tools: &mut ToolBox<'_>,
    ) -> Result<(), LightCurveError> {
        for (k, chunk) in self.chunks.iter().enumerate() {
            let again = match &self.kept[k] {
                Some(_) => None,
                None => Some(self.merged(tools, chunk, replace)?),
            };
            let Some(merged) = again.as_ref().or(self.kept[k].as_ref()) else { continue };
            if merged.changed > 0 {
                tools.of(self.at).write(chunk, (&merged.region, merged.elements()))?;
                report.chunks += 1;
                report.changed += merged.changed;
            }
            if let Some(merged) = again {
                tools.put(merged.data);
            }
        }
        Ok(())
    }

    /// A chunk as it will be.
    fn merged(
        &self,
        tools: &mut ToolBox<'_>,
        chunk: &Dims,
        replace: Replace,
    ) -> Result<Merged, LightCurveError> {
        let region = self.array.objects().region(chunk);
        let bytes = index(region.elements()) * self.array.elements()?.item_bytes();
        let mut data = tools.buffer(bytes);
        tools.of(self.at).read(&region, &mut data[..bytes])?;
        let merged = self.merge.merge(&mut data[..bytes], &region, (&self.picks, self.data), replace);
        let changed = merged.map_err(|Conflict { index, there, given }| LightCurveError::Conflict {
            array: self.name.to_owned(),
            labels: self
                .array
                .document()
                .dimension_names()
                .unwrap_or_default()
                .into_iter()
                .flatten()
                .zip(&index)
                .map(|(name, k)| (name, k.to_string()))
                .collect(),
            there,
            given,
        })?;
        Ok(Merged { region, data, bytes, changed })
    }
}

/// A chunk with what is given in it.
pub(super) struct Merged {
    pub(super) region: Region,
    /// Its elements, in a buffer that may be longer.
    pub(super) data: Vec<u8>,
    bytes: usize,
    /// Elements that are others than before.
    changed: u64,
}

impl Merged {
    /// The elements of the chunk, in C order.
    pub(super) fn elements(&self) -> &[u8] {
        &self.data[..self.bytes]
    }
}

impl Axes {
    pub(super) fn of(store: &LightCurveStore, array: &Array) -> Result<Self, LightCurveError> {
        let names = array.document().dimension_names().unwrap_or_default();
        let axis = |wanted: &[&str]| {
            names.iter().position(|name| name.as_deref().is_some_and(|name| wanted.contains(&name)))
        };
        let missing = || LightCurveError::NotLightCurves { location: store.label() };
        Ok(Self {
            object: axis(&[OBJECT]).ok_or_else(missing)?,
            epoch: axis(&EPOCHS).ok_or_else(missing)?,
            measurement: axis(&[MEASUREMENT]),
        })
    }
}

pub(super) fn out_of(dimension: &str, index: u64, size: u64) -> LightCurveError {
    LightCurveError::Index { dimension: dimension.to_owned(), index, size }
}
