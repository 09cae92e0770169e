//! Filling: contributions to an epoch merge, whoever makes them at the same time.
//!
//! Chunks are read, changed and replaced whole, while a lock is held on the epochs that they cover; it dies with its holder. Everything is
//! compared before anything is written. The record of the epoch comes last.

mod lock;
mod merge;

use std::time::{Duration, SystemTime};

use zarrange_array::{Array, RegionReader, RegionWriter};
use zarrange_codec::ArrayCodec;
use zarrange_grid::{Dims, Region, index};

pub use self::merge::Replace;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::lock::EpochLock;
use crate::store::fill::merge::{Axes, Conflict, Merge};
use crate::store::picks::{Picked, Picks, chunks};
use crate::store::record::Filled;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// What somebody has measured at one epoch.
#[derive(Clone, Debug)]
pub struct Contribution<'a> {
    /// The epoch, by its number.
    pub epoch: u64,
    /// The objects.
    pub objects: Picked<'a>,
    /// The measurements; all of them where the store has none.
    pub measurements: Picked<'a>,
    /// For each array its elements in native byte order: in C order over the dimensions of the array but that of epochs, as many along each
    /// as are given. NaN (in arrays of whole numbers the fill value) says that nothing was measured.
    pub values: &'a [(&'a str, &'a [u8])],
}

/// How to fill.
#[derive(Clone, Copy, Debug)]
pub struct FillOptions<'a> {
    /// What becomes of values that are there, where others are given.
    pub replace: Replace,
    /// The name of this run in the record.
    pub run: &'a str,
    /// How long to wait for somebody who fills the same epoch.
    pub wait: Duration,
    /// Bytes of decoded chunks that are kept between comparing and writing; the others are read twice.
    pub kept_bytes_max: usize,
}

impl Default for FillOptions<'_> {
    fn default() -> Self {
        Self { replace: Replace::Never, run: "", wait: Duration::from_mins(1), kept_bytes_max: 256 << 20 }
    }
}

/// What filling an epoch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FillReport {
    /// Elements that were not there before, or others.
    pub changed: u64,
    /// Chunks that were written.
    pub chunks: u64,
}

impl LightCurveStore {
    /// Adds `contribution` to its epoch, and records it. What is there already may be given again, if it is the same.
    ///
    /// # Errors
    /// [`LightCurveError::Conflict`] if a value is there and another is given; then nothing is written. After another error a part of the
    /// contribution may be there, which is not recorded: it can be given again.
    pub fn fill(
        &self,
        contribution: &Contribution<'_>,
        options: &FillOptions<'_>,
    ) -> Result<FillReport, LightCurveError> {
        self.fill_all(contribution.epoch, std::slice::from_ref(contribution), options)
    }

    /// Adds contributions of different objects or measurements to one epoch, and records them together.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub(crate) fn fill_all(
        &self,
        epoch: u64,
        contributions: &[Contribution<'_>],
        options: &FillOptions<'_>,
    ) -> Result<FillReport, LightCurveError> {
        let epochs = self.schema().epochs();
        if epoch >= epochs.size {
            return Err(out_of(&epochs.name, epoch, epochs.size));
        }
        let record =
            self.record.as_ref().ok_or_else(|| LightCurveError::NoRecord { location: self.label() })?;
        let mut parts = Vec::new();
        for contribution in contributions {
            for (name, data) in contribution.values {
                parts.push(Part::new(self, contribution, name, data)?);
            }
        }
        let _lock = EpochLock::take(&self.root, self.locked(epoch), options.wait)?;
        let mut room = options.kept_bytes_max;
        for k in 0..parts.len() {
            let (before, part) = parts.split_at_mut(k);
            part[0].compare(options.replace, &mut room, before)?;
        }
        let mut report = FillReport::default();
        for part in &mut parts {
            part.write(options.replace, &mut report)?;
        }
        let mut filled = record.read(epoch)?;
        filled.objects = self.count_objects(epoch, &parts, filled.objects.len())?;
        for contribution in contributions {
            note(&mut filled, contribution, options.run);
        }
        record.write(epoch, &filled)?;
        Ok(report)
    }

    /// How many objects have a value at an epoch, for each of so many measurements (or for all together). What `parts` have in memory is
    /// not read again.
    fn count_objects(
        &self,
        epoch: u64,
        parts: &[Part<'_>],
        measurements: usize,
    ) -> Result<Vec<u32>, LightCurveError> {
        let mut counts = vec![0_u32; measurements];
        let Some((array, name)) = self.values.first().zip(self.schema.values.first()) else {
            return Ok(counts);
        };
        let (axes, elements, grid) = (Axes::of(self, array)?, array.elements()?, array.objects());
        let (mut reader, merge) = (RegionReader::new(array)?, Merge::new(elements));
        let mut start: Dims = array.shape().iter().map(|_| 0).collect();
        let mut shape: Dims = array.shape().into();
        (start[axes.epoch], shape[axes.epoch]) = (epoch, 1);
        let plane = Region::new(start, shape);
        let covering = grid.covering(&plane);
        for chunk in (0..covering.elements()).map(|k| covering.unravel(k)) {
            // The chunks of a part are in C order.
            let at = |part: &Part<'_>| part.chunks.binary_search(&chunk).ok();
            let mut held =
                parts.iter().filter(|part| part.name == name).filter_map(|part| Some((part, at(part)?)));
            // Where two change it, neither has it as it is now.
            let kept = match (held.next(), held.next()) {
                (Some((part, k)), None) => part.kept[k].as_ref(),
                (None | Some(_), _) => None,
            };
            if let Some(Merged { region, data, .. }) = kept {
                merge.count(data, region, epoch, &axes, &mut counts);
            } else if let Some(region) = grid.region(&chunk).intersect(&plane) {
                let mut data = vec![0; index(region.elements()) * elements.item_bytes()];
                reader.read_into(&region, &mut data)?;
                merge.count(&data, &region, epoch, &axes, &mut counts);
            }
        }
        Ok(counts)
    }

    /// The epochs whose chunks an epoch lies in.
    fn locked(&self, epoch: u64) -> std::ops::Range<u64> {
        let mut range = epoch..epoch + 1;
        for array in &self.values {
            let Some(axis) = self.schema().axis(&self.schema().epochs().name) else { continue };
            let mut position: Dims = array.shape().iter().map(|_| 0).collect();
            if array.shape().contains(&0) {
                continue;
            }
            position[axis] = epoch;
            let one: Dims = position.iter().map(|_| 1).collect();
            let chunk = array.objects().covering(&Region::new(position, one));
            let region = array.objects().region(chunk.start());
            range.start = range.start.min(region.start()[axis]);
            range.end = range.end.max(region.end(axis));
        }
        range
    }
}

/// Notes who filled what, and when.
fn note(filled: &mut Filled, contribution: &Contribution<'_>, run: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let all = filled.times.len() as u64;
    let given = if all == 1 { vec![0] } else { contribution.measurements.numbers(all) };
    for measurement in given.into_iter().map(index) {
        filled.times[measurement] = now;
        run.clone_into(&mut filled.runs[measurement]);
    }
}

fn out_of(dimension: &str, index: u64, size: u64) -> LightCurveError {
    LightCurveError::Index { dimension: dimension.to_owned(), index, size }
}

impl Axes {
    fn of(store: &LightCurveStore, array: &Array) -> Result<Self, LightCurveError> {
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

/// What a contribution has for one array.
struct Part<'a> {
    array: &'a Array,
    name: &'a str,
    merge: Merge,
    data: &'a [u8],
    /// What is picked along each axis.
    picks: Vec<Picks>,
    /// Chunks that it changes.
    chunks: Vec<Dims>,
    /// As they will be, as far as they are kept.
    kept: Vec<Option<Merged>>,
}

impl<'a> Part<'a> {
    fn new(
        store: &'a LightCurveStore,
        contribution: &Contribution<'a>,
        name: &'a str,
        data: &'a [u8],
    ) -> Result<Self, LightCurveError> {
        let array = store.named(name)?;
        let axes = Axes::of(store, array)?;
        let elements = array.elements()?;
        if matches!(elements.codec, ArrayCodec::Shards(_)) {
            return Err(LightCurveError::Sharded { array: name.to_owned() });
        }
        let mut picks = Vec::new();
        for (d, size) in array.shape().iter().enumerate() {
            let picked = match d {
                _ if d == axes.epoch => Picks::Range(contribution.epoch..contribution.epoch + 1),
                _ if d == axes.object => contribution.objects.of(*size),
                _ if Some(d) == axes.measurement => contribution.measurements.of(*size),
                _ => Picks::Range(0..*size),
            };
            let dimension = &store.schema().dimensions[d].name;
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
        Ok(Self { array, name, merge: Merge::new(elements), data, picks, chunks, kept })
    }

    /// Merges what is given with what is there, without writing it; chunks are kept as they will be, as far as there is `room`, and unless
    /// what was given `before` changes them first.
    fn compare(
        &mut self,
        replace: Replace,
        room: &mut usize,
        before: &[Self],
    ) -> Result<(), LightCurveError> {
        let mut reader = RegionReader::new(self.array)?;
        for (k, chunk) in self.chunks.iter().enumerate() {
            let merged = self.merged(&mut reader, chunk, replace)?;
            let changes = |part: &Self| part.name == self.name && part.chunks.binary_search(chunk).is_ok();
            if merged.data.len() <= *room && !before.iter().any(changes) {
                *room -= merged.data.len();
                self.kept[k] = Some(merged);
            }
        }
        Ok(())
    }

    /// Writes the chunks that change.
    fn write(&mut self, replace: Replace, report: &mut FillReport) -> Result<(), LightCurveError> {
        let (mut reader, mut writer) = (RegionReader::new(self.array)?, RegionWriter::replacing(self.array)?);
        for (k, chunk) in self.chunks.iter().enumerate() {
            let again = match &self.kept[k] {
                Some(_) => None,
                None => Some(self.merged(&mut reader, chunk, replace)?),
            };
            let Some(merged) = again.as_ref().or(self.kept[k].as_ref()) else { continue };
            if merged.changed > 0 {
                writer.write(&merged.region, &merged.data)?;
                report.chunks += 1;
                report.changed += merged.changed;
            }
        }
        Ok(())
    }

    /// A chunk as it will be.
    fn merged(
        &self,
        reader: &mut RegionReader<'_>,
        chunk: &Dims,
        replace: Replace,
    ) -> Result<Merged, LightCurveError> {
        let region = self.array.objects().region(chunk);
        let mut data = vec![0; index(region.elements()) * self.array.elements()?.item_bytes()];
        reader.read_into(&region, &mut data)?;
        let merged = self.merge.merge(&mut data, &region, (&self.picks, self.data), replace);
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
        Ok(Merged { region, data, changed })
    }
}

/// A chunk with what is given in it.
struct Merged {
    region: Region,
    data: Vec<u8>,
    /// Elements that are others than before.
    changed: u64,
}
