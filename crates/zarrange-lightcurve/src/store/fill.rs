//! Filling: contributions to an epoch merge, whoever makes them at the same time.
//!
//! Chunks are read, changed and replaced whole, while a lock is held on the epochs that they cover; it dies with its holder. Everything is
//! compared before anything is written. The record of the epoch comes last.

mod contribution;
mod lock;
mod merge;
mod part;

use std::time::SystemTime;

use zarrange_array::RegionReader;
use zarrange_grid::{Dims, Region, index};

pub use self::contribution::{Contribution, FillOptions, FillReport};
pub(crate) use self::lock::EpochLock;
use self::merge::Axes;
pub(in crate::store) use self::merge::Merge;
pub use self::merge::Replace;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::part::{Part, Tools, out_of};
use crate::store::record::Filled;

/// Fills, again and again: its buffers stay.
#[derive(Debug)]
pub struct Filler<'a> {
    store: &'a LightCurveStore,
    /// What reads and writes each array of values, once it was needed.
    tools: Vec<Option<Tools<'a>>>,
    /// Buffers of chunks that nobody has now.
    free: Vec<Vec<u8>>,
}

impl LightCurveStore {
    /// Adds `contribution` to its epoch, and records it. What is there already may be given again, if it is the same.
    /// [`filler`](Self::filler) is for more than one.
    ///
    /// # Errors
    /// [`LightCurveError::Conflict`] if a value is there and another is given; then nothing is written. After another error a part of the
    /// contribution may be there, which is not recorded: it can be given again.
    pub fn fill(
        &self,
        contribution: &Contribution<'_>,
        options: &FillOptions<'_>,
    ) -> Result<FillReport, LightCurveError> {
        self.filler().fill(contribution, options)
    }

    /// What fills for one thread.
    pub fn filler(&self) -> Filler<'_> {
        let tools = self.values.iter().map(|_| None).collect();
        Filler { store: self, tools, free: Vec::new() }
    }
}

impl Filler<'_> {
    /// Adds `contribution` to its epoch, and records it.
    ///
    /// # Errors
    /// As [`LightCurveStore::fill`].
    pub fn fill(
        &mut self,
        contribution: &Contribution<'_>,
        options: &FillOptions<'_>,
    ) -> Result<FillReport, LightCurveError> {
        self.fill_all(contribution.epoch, std::slice::from_ref(contribution), options)
    }

    /// Adds contributions of different objects or measurements to one epoch, and records them together.
    ///
    /// # Errors
    /// As [`LightCurveStore::fill`].
    pub(crate) fn fill_all(
        &mut self,
        epoch: u64,
        contributions: &[Contribution<'_>],
        options: &FillOptions<'_>,
    ) -> Result<FillReport, LightCurveError> {
        let Self { store, tools, free } = self;
        let epochs = store.schema().epochs();
        if epoch >= epochs.size {
            return Err(out_of(&epochs.name, epoch, epochs.size));
        }
        if let Some(of) = &store.source {
            return Err(LightCurveError::Copy { location: store.label(), of: of.clone() });
        }
        let record =
            store.record.as_ref().ok_or_else(|| LightCurveError::NoRecord { location: store.label() })?;
        let mut parts = Vec::new();
        for contribution in contributions {
            for (name, data) in contribution.values {
                parts.push(Part::new(store, contribution, name, data)?);
            }
        }
        for part in &parts {
            if tools[part.at].is_none() {
                tools[part.at] = Some(Tools::new(&store.values[part.at])?);
            }
        }
        let range = store.locked(epoch)?;
        let at_end = range.end == epochs.size;
        let _lock = EpochLock::take(&store.root, range, options.wait)?;
        if at_end {
            // The last chunk may hold epochs that came later.
            store.check_size()?;
        }
        let (mut room, mut report) = (options.kept_bytes_max, FillReport::default());
        for k in 0..parts.len() {
            let (before, part) = parts.split_at_mut(k);
            let Some(tools) = &mut tools[part[0].at] else { continue };
            part[0].compare(options.replace, (&mut room, before), (tools, free))?;
        }
        for part in &mut parts {
            let Some(tools) = &mut tools[part.at] else { continue };
            part.write(options.replace, &mut report, (tools, free))?;
        }
        let mut filled = record.read(epoch)?;
        filled.objects = store.count_objects(epoch, &parts, filled.objects.len())?;
        for contribution in contributions {
            note(&mut filled, contribution, options.run);
        }
        record.write(epoch, &filled)?;
        free.extend(parts.into_iter().flat_map(|part| part.kept).flatten().map(|merged| merged.data));
        Ok(report)
    }
}

impl LightCurveStore {
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
            if let Some(merged) = kept {
                merge.count(merged.elements(), &merged.region, epoch, &axes, &mut counts);
            } else if let Some(region) = grid.region(&chunk).intersect(&plane) {
                let mut data = vec![0; index(region.elements()) * elements.item_bytes()];
                reader.read_into(&region, &mut data)?;
                merge.count(&data, &region, epoch, &axes, &mut counts);
            }
        }
        Ok(counts)
    }

    /// The epochs whose chunks an epoch lies in.
    pub(crate) fn locked(&self, epoch: u64) -> Result<std::ops::Range<u64>, LightCurveError> {
        let mut range = epoch..epoch + 1;
        for array in &self.values {
            let axis = Axes::of(self, array)?.epoch;
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
        Ok(range)
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
