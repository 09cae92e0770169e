//! Filling: contributions to an epoch merge, whoever makes them at the same time.
//!
//! Chunks are read, changed and replaced whole, while a lock is held on the epochs that they cover; it dies with its holder. Everything is
//! compared before anything is written. The record of the epoch comes last.

pub(crate) mod begin;
mod contribution;
mod lock;
mod merge;
mod part;
mod seen;
mod shard;
mod tools;

use std::ops::Range;
use std::time::SystemTime;

use zarrange_grid::{Dims, Region, index};

pub use self::contribution::{Contribution, FillOptions, FillReport};
pub(crate) use self::lock::EpochLock;
pub(in crate::store) use self::lock::locked;
use self::merge::Axes;
pub(in crate::store) use self::merge::Merge;
pub use self::merge::Replace;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::part::{Part, out_of};
use crate::store::fill::seen::Seen;
use crate::store::fill::tools::ToolBox;
use crate::store::record::Filled;
use crate::store::schema::MEASUREMENT;

/// Fills, again and again: its buffers stay.
#[derive(Debug)]
pub struct Filler<'a> {
    store: &'a LightCurveStore,
    tools: ToolBox<'a>,
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
        Filler { store: self, tools: ToolBox::new(&self.values) }
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

    /// The elements of some objects at an epoch of the array called `name`, in C order.
    ///
    /// # Errors
    /// If they cannot be read, or there is no room for their chunks.
    pub(crate) fn values_at(
        &mut self,
        name: &str,
        (epoch, objects): (u64, Range<u64>),
        bytes_max: u64,
    ) -> Result<Vec<u8>, LightCurveError> {
        let Self { store, tools } = self;
        let array = store.named(name)?;
        let (axes, at) = (Axes::of(store, array)?, store.position(name));
        let (mut start, mut shape): (Dims, Dims) =
            (array.shape().iter().map(|_| 0).collect(), array.shape().into());
        (start[axes.epoch], shape[axes.epoch]) = (epoch, 1);
        (start[axes.object], shape[axes.object]) = (objects.start, objects.end - objects.start);
        let region = Region::new(start, shape);
        let mut data = vec![0; index(region.elements()) * array.elements()?.item_bytes()];
        tools.begin(&[at], (bytes_max, 0))?;
        tools.of(at).read(&region, &mut data)?;
        Ok(data)
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
        let Self { store, tools } = self;
        let epochs = store.schema().epochs();
        if epoch >= epochs.size {
            return Err(out_of(&epochs.name, epoch, epochs.size));
        }
        if let Some(of) = &store.source {
            return Err(LightCurveError::Copy { location: store.label(), of: of.clone() });
        }
        let mut parts = Vec::new();
        for contribution in contributions {
            for (name, data) in contribution.values {
                parts.push(Part::new(store, contribution, name, data)?);
            }
        }
        // Array by array, so that few tools are needed at once.
        parts.sort_by_key(|part| part.at);
        let written: Vec<usize> = parts.iter().map(|part| part.at).collect();
        tools.begin(&written, (options.memory_bytes_max, store.seen_bytes()))?;
        let record = begin::record(store, options.wait)?;
        // Once an epoch: a look at one name, so that values are not filled where xarray does not see them.
        store.finish(options.wait)?;
        let range = store.locked(epoch)?;
        let shared = range.end == epochs.size && store.ends_within_chunk()?;
        let _lock = EpochLock::take(&store.root, range, options.wait)?;
        if shared {
            // The last chunk may hold epochs that came later.
            store.check_size()?;
        }
        let mut report = FillReport::default();
        for k in 0..parts.len() {
            let (before, part) = parts.split_at_mut(k);
            part[0].compare(options.replace, before, tools)?;
        }
        for part in &mut parts {
            part.write(options.replace, &mut report, tools)?;
        }
        let mut filled = record.read(epoch)?;
        filled.objects = store.count_objects(epoch, (&parts, filled.objects.len()), tools)?;
        for contribution in contributions {
            note(&mut filled, contribution, options.run);
        }
        record.write(epoch, &filled)?;
        tools.end(parts.into_iter().flat_map(|part| part.kept).flatten().map(|merged| merged.data));
        Ok(report)
    }
}

impl LightCurveStore {
    /// How many objects have a value at an epoch in any array, for each of so many measurements (or for all together). What `parts` have in
    /// memory is not read again, and nothing is read where every object was seen.
    fn count_objects(
        &self,
        epoch: u64,
        (parts, measurements): (&[Part<'_>], usize),
        tools: &mut ToolBox<'_>,
    ) -> Result<Vec<u32>, LightCurveError> {
        let mut seen = Seen::none(self.schema().objects().size, measurements);
        // What is in memory comes first.
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_by_key(|at| !parts.iter().any(|part| part.at == *at));
        for at in order {
            let array = &self.values[at];
            let Ok(elements) = array.elements() else { continue };
            if array.shape().contains(&0) {
                continue;
            }
            let (axes, grid, merge) = (Axes::of(self, array)?, array.objects(), Merge::new(elements));
            let mut start: Dims = array.shape().iter().map(|_| 0).collect();
            let mut shape: Dims = array.shape().into();
            (start[axes.epoch], shape[axes.epoch]) = (epoch, 1);
            let plane = Region::new(start, shape);
            let covering = grid.covering(&plane);
            for chunk in (0..covering.elements()).map(|k| covering.unravel(k)) {
                let Some(region) = grid.region(&chunk).intersect(&plane) else { continue };
                let objects = region.start()[axes.object]..region.end(axes.object);
                if seen.has_all(objects, &axes.marks(&region, measurements)) {
                    continue;
                }
                // The chunks of a part are in C order.
                let of = |part: &Part<'_>| part.chunks.binary_search(&chunk).ok();
                let mut held =
                    parts.iter().filter(|part| part.at == at).filter_map(|part| Some((part, of(part)?)));
                // Where two change it, neither has it as it is now.
                let kept = match (held.next(), held.next()) {
                    (Some((part, k)), None) => part.kept[k].as_ref(),
                    (None | Some(_), _) => None,
                };
                if let Some(merged) = kept {
                    merge.mark(merged.elements(), &merged.region, (epoch, &axes), &mut seen);
                } else {
                    let bytes = index(region.elements()) * elements.item_bytes();
                    let mut data = tools.buffer(bytes);
                    tools.of(at).read(&region, &mut data[..bytes])?;
                    merge.mark(&data[..bytes], &region, (epoch, &axes), &mut seen);
                    tools.put(data);
                }
            }
        }
        Ok(seen.counts())
    }

    /// Memory that counting objects takes.
    pub(crate) fn seen_bytes(&self) -> u64 {
        let measurements = self.schema().dimension(MEASUREMENT).map_or(1, |dimension| dimension.size);
        Seen::bytes(self.schema().objects().size, measurements)
    }

    /// Whether a chunk has room for epochs behind the last one.
    fn ends_within_chunk(&self) -> Result<bool, LightCurveError> {
        for array in &self.values {
            let axis = Axes::of(self, array)?.epoch;
            if !array.shape()[axis].is_multiple_of(array.objects().chunk_shape()[axis].max(1)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The epochs whose chunks an epoch lies in.
    pub(crate) fn locked(&self, epoch: u64) -> Result<Range<u64>, LightCurveError> {
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
        if let Some(time) = filled.times.get_mut(measurement) {
            *time = now;
            run.clone_into(&mut filled.runs[measurement]);
        }
    }
}
