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

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::lock::EpochLock;
use crate::store::fill::merge::{Axes, Conflict, Merge};
use crate::store::picks::{Picks, chunks};
use crate::store::record::Filled;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// Decoded chunks that are kept between comparing and writing; the others are read twice.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// What somebody has measured at one epoch.
#[derive(Clone, Copy, Debug)]
pub struct Contribution<'a> {
    /// The epoch, by its number.
    pub epoch: u64,
    /// The objects, by their numbers; all of them, in their order, if not given.
    pub objects: Option<&'a [u64]>,
    /// The measurements; all of them if not given, or where the store has none.
    pub measurements: Option<&'a [u64]>,
    /// For each array its elements in native byte order: in C order over the dimensions of the array but that of epochs, as many along each
    /// as are given. NaN (in arrays of whole numbers the fill value) says that nothing was measured.
    pub values: &'a [(&'a str, &'a [u8])],
}

/// How to fill.
#[derive(Clone, Copy, Debug)]
pub struct FillOptions<'a> {
    /// Values that are there and differ are replaced, also by nothing. Otherwise they are an error.
    pub replace: bool,
    /// The name of this run in the record.
    pub run: &'a str,
    /// How long to wait for somebody who fills the same epoch.
    pub wait: Duration,
}

impl Default for FillOptions<'_> {
    fn default() -> Self {
        Self { replace: false, run: "", wait: Duration::from_mins(1) }
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
        let epochs = self.schema().epochs();
        if contribution.epoch >= epochs.size {
            return Err(out_of(&epochs.name, contribution.epoch, epochs.size));
        }
        let record =
            self.record.as_ref().ok_or_else(|| LightCurveError::NoRecord { location: self.label() })?;
        let parts = contribution.values.iter().map(|(name, data)| Part::new(self, contribution, name, data));
        let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
        let _lock = EpochLock::take(&self.root, self.locked(contribution.epoch), options.wait)?;
        let mut room = KEPT_BYTES_MAX;
        for part in &mut parts {
            part.compare(options.replace, &mut room)?;
        }
        let mut report = FillReport::default();
        for part in &mut parts {
            part.write(options.replace, &mut report)?;
        }
        let mut filled = record.read(contribution.epoch)?;
        self.note(&mut filled, contribution, (&parts, options.run))?;
        record.write(contribution.epoch, &filled)?;
        Ok(report)
    }

    /// Notes who filled what, and counts objects.
    fn note(
        &self,
        filled: &mut Filled,
        contribution: &Contribution<'_>,
        (parts, run): (&[Part<'_>], &str),
    ) -> Result<(), LightCurveError> {
        let objects = self.count_objects(contribution.epoch, parts, filled.objects.len())?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let all: Vec<u64> = (0..filled.times.len() as u64).collect();
        let given = if filled.times.len() == 1 { &all } else { contribution.measurements.unwrap_or(&all) };
        for measurement in given.iter().map(|measurement| index(*measurement)) {
            filled.times[measurement] = now;
            run.clone_into(&mut filled.runs[measurement]);
        }
        filled.objects = objects;
        Ok(())
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
        let part = parts.iter().find(|part| part.name == name);
        let covering = grid.covering(&plane);
        for chunk in (0..covering.elements()).map(|k| covering.unravel(k)) {
            let kept = part.and_then(|part| {
                // They are in C order.
                let k = part.chunks.binary_search(&chunk).ok()?;
                part.kept[k].as_ref()
            });
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

    fn label(&self) -> String {
        self.root.label().to_owned()
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
            let list = match d {
                _ if d == axes.object => contribution.objects,
                _ if Some(d) == axes.measurement => contribution.measurements,
                _ => None,
            };
            let picked = match list {
                _ if d == axes.epoch => Picks::Range(contribution.epoch..contribution.epoch + 1),
                Some(list) => Picks::list(list),
                None => Picks::Range(0..*size),
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

    /// Merges what is given with what is there, without writing it; chunks are kept as they will be, as far as there is `room`.
    fn compare(&mut self, replace: bool, room: &mut usize) -> Result<(), LightCurveError> {
        let mut reader = RegionReader::new(self.array)?;
        for (k, chunk) in self.chunks.iter().enumerate() {
            let merged = self.merged(&mut reader, chunk, replace)?;
            if merged.data.len() <= *room {
                *room -= merged.data.len();
                self.kept[k] = Some(merged);
            }
        }
        Ok(())
    }

    /// Writes the chunks that change.
    fn write(&mut self, replace: bool, report: &mut FillReport) -> Result<(), LightCurveError> {
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
        replace: bool,
    ) -> Result<Merged, LightCurveError> {
        let region = self.array.objects().region(chunk);
        let mut data = vec![0; index(region.elements()) * self.array.elements()?.item_bytes()];
        reader.read_into(&region, &mut data)?;
        let merged = self.merge.merge(&mut data, &region, (&self.picks, self.data), replace);
        let changed = merged.map_err(|Conflict { index, there, given }| LightCurveError::Conflict {
            array: self.name.to_owned(),
            index,
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
