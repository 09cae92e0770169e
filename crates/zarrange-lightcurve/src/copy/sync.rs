//! Bringing a copy up to date: what was filled in its source since, in the blocks of time that hold it.
//!
//! What is recorded of the source is read before its values, and written to the copy after them. So whatever is filled meanwhile is brought
//! next time, and after an end at any moment the same can be done again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use zarrange_array::{Array, Group};
use zarrange_io::{Change, Location, Opener};
use zarrange_rechunk::{Durability, NamedRegion, Progress, RechunkError, Request, prepare, run};

use crate::LightCurveError;
use crate::copy::make::{LAYOUT, of_copy};
use crate::copy::side::{bring, is_same};
use crate::copy::{CopyOptions, Lag, place_of};
use crate::store::fill::EpochLock;
use crate::store::growing::{APPENDING, epoch_axis, is_marked, with_epochs};
use crate::store::record::{Filled, Times};
use crate::store::schema::Schema;
use crate::store::{LightCurveStore, documents};

/// How often a block is brought that was filled meanwhile.
const TRIES: u32 = 5;

/// What bringing a copy up to date did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Synced {
    /// Epochs whose values were brought.
    pub epochs: Vec<u64>,
    /// Epochs that the copy did not have.
    pub new: u64,
    /// Labels, side variables and other arrays that were brought, for they differed.
    pub arrays: Vec<String>,
    /// Array data that was written: of whole blocks of time.
    pub bytes_written: u64,
    /// What only the copy has, and what could not be tidied, one line each.
    pub warnings: Vec<String>,
}

impl LightCurveStore {
    /// The place that this store is a copy of.
    pub fn copy_of(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Opens the store that this one says it is a copy of.
    ///
    /// # Errors
    /// [`LightCurveError::NoCopy`] if it does not say that, or if it cannot be opened.
    pub fn open_source(&self, io: &Opener) -> Result<Self, LightCurveError> {
        Self::open(&place_of(self.copy_of(), &self.label())?, io)
    }

    /// How far this copy is behind `source`.
    ///
    /// # Errors
    /// [`LightCurveError::Apart`] if it is no copy of it, or what is recorded cannot be read.
    pub fn lag(&self, source: &Self) -> Result<Lag, LightCurveError> {
        let (here, there) = self.both_times(source)?;
        let mut lag = Lag {
            epochs: Vec::new(),
            new: source.schema().epochs().size - self.schema().epochs().size,
            since: None,
        };
        for epoch in 0..source.schema().epochs().size {
            let ours = here.of(epoch).iter().copied().chain(std::iter::repeat(f64::NAN));
            let others =
                there.of(epoch).iter().zip(ours).filter(|(theirs, ours)| !is_same_time(**theirs, *ours));
            let mut others = others.map(|(theirs, _)| *theirs).peekable();
            if others.peek().is_some() {
                lag.epochs.push(epoch);
                lag.since = others.filter(|time| !time.is_nan()).chain(lag.since).reduce(f64::min);
            }
        }
        Ok(lag)
    }

    /// When each epoch and measurement was filled, here and in `source`.
    fn both_times(&self, source: &Self) -> Result<(Times, Times), LightCurveError> {
        let apart = |reason: String| LightCurveError::Apart {
            location: self.label(),
            source_location: source.label(),
            reason,
        };
        let (ours, theirs) = (self.schema(), source.schema());
        for dimension in &theirs.dimensions {
            let here = ours.dimension(&dimension.name).map(|here| here.size);
            let grows = dimension.name == theirs.epochs().name;
            match here {
                Some(here) if here == dimension.size || (grows && here < dimension.size) => {}
                Some(here) => {
                    let name = &dimension.name;
                    return Err(apart(format!(
                        "it has {here} along {name}, its source has {}",
                        dimension.size
                    )));
                }
                None => return Err(apart(format!("it has no dimension {}", dimension.name))),
            }
        }
        if let Some(missing) = theirs.values.iter().find(|name| !ours.values.contains(name)) {
            return Err(apart(format!("it has no array {missing}")));
        }
        match (self.record(), source.record()) {
            (Some(here), Some(there)) => Ok((here.times()?, there.times()?)),
            (None, _) => Err(LightCurveError::NoRecord { location: self.label() }),
            (_, None) => Err(LightCurveError::NoRecord { location: source.label() }),
        }
    }

    /// Brings the copy at `location` up to date with the store that it says it is of, or the one at `source`.
    ///
    /// # Errors
    /// [`LightCurveError`]; what is recorded in the copy is then still there whole, unless the source has other values now, and the same
    /// can be done again.
    pub fn sync(
        (location, source): (&Location, Option<&Location>),
        options: &CopyOptions,
        wait: Duration,
        progress: &dyn Progress,
    ) -> Result<Synced, LightCurveError> {
        let copy = Self::open(location, &options.io)?;
        let place = match source {
            Some(place) => place.clone(),
            None => place_of(copy.copy_of(), &copy.label())?,
        };
        let original = Self::open(&place, &options.io)?;
        let _held = original.hold_size(wait)?;
        let _lock = EpochLock::take(&copy.root, 0..EpochLock::END, wait)?;
        copy.check_size()?;
        let lag = copy.lag(&original)?;
        let mut filled = BTreeMap::new();
        if let Some(record) = original.record() {
            for epoch in &lag.epochs {
                filled.insert(*epoch, record.read(*epoch)?);
            }
        }
        let sync = Sync { copy: &copy, source: &original, places: (&place, location), options, progress };
        sync.carry_out(lag, &filled)
    }
}

/// A copy that is brought up to date.
struct Sync<'a> {
    copy: &'a LightCurveStore,
    source: &'a LightCurveStore,
    /// Of the source, and of the copy.
    places: (&'a Location, &'a Location),
    options: &'a CopyOptions,
    progress: &'a dyn Progress,
}

impl Sync<'_> {
    fn carry_out(&self, lag: Lag, filled: &BTreeMap<u64, Filled>) -> Result<Synced, LightCurveError> {
        let (copy, root) = (self.copy, &self.copy.root);
        let mut synced = Synced { new: lag.new, ..Synced::default() };
        let epochs = self.source.schema().epochs();
        let group = self.group()?;
        let grown = self.grown()?;
        synced.arrays = self.differing()?;
        synced.warnings = self.left_over();
        // Also if it broke off before: then documents may have changed already.
        let documents = !grown.is_empty() || !synced.arrays.is_empty() || is_marked(root)? || group.is_some();
        if documents {
            root.put(APPENDING, b"")?;
        }
        grown.iter().try_for_each(Array::write_metadata)?;
        for name in &synced.arrays {
            self.bring_array(name, &mut synced.warnings)?;
        }
        for name in &self.source.schema().values {
            for range in self.blocks(copy.named(name)?, self.source.named(name)?, &lag.epochs) {
                self.bring_block(name, &range, &mut synced)?;
            }
        }
        // Where it cannot be kept from growing.
        self.source.check_size()?;
        if self.options.durability == Durability::Commit && (documents || !lag.epochs.is_empty()) {
            root.change(Change::Sync)?;
        }
        if let Some(record) = copy.record() {
            let record = record.of_size(epochs.size)?;
            record.write_all(filled)?;
            if lag.new > 0 {
                record.write_size(epochs.size)?;
            }
        }
        if documents {
            let group = group.map_or_else(|| documents::root(root), Ok)?;
            let consolidated = group.is_consolidated();
            documents::publish(&group, consolidated)?;
            root.change(Change::Remove(APPENDING))?;
        }
        synced.epochs = lag.epochs;
        Ok(synced)
    }

    /// The group of the copy as it is to be, if it is not so: with the attributes of the source, whose place may be another one.
    fn group(&self) -> Result<Option<Group>, LightCurveError> {
        let [copy, source] = [&self.copy.root, &self.source.root].map(documents::root);
        let (copy, source) = (copy?, source?.attributes());
        let before = copy.attributes();
        let cut = before.get(LAYOUT).and_then(|cut| cut.as_str().map(str::to_owned)).unwrap_or_default();
        let group = of_copy(copy, &source, (&self.places.0.absolute().to_string(), &cut));
        Ok((group.attributes() != before).then_some(group))
    }

    /// Arrays of values that have fewer epochs, or other attributes: as they are to be.
    fn grown(&self) -> Result<Vec<Array>, LightCurveError> {
        let epochs = self.source.schema().epochs();
        let mut grown = Vec::new();
        for name in &self.source.schema().values {
            let (copy, source) = (self.copy.named(name)?, self.source.named(name)?);
            let array = with_epochs(copy, &epochs.name, epochs.size)?;
            let document = array.document().clone().with_attributes(source.document().attributes());
            if document != *copy.document() {
                grown.push(Array::new(copy.store().clone(), document, copy.zarr_format())?);
            }
        }
        Ok(grown)
    }

    /// What only the copy has, one line each.
    fn left_over(&self) -> Vec<String> {
        let there: BTreeSet<&str> = names(self.source.schema()).collect();
        let only = names(self.copy.schema()).filter(|name| !there.contains(name));
        only.map(|name| format!("array {name} is not in the source (any more), and stays in the copy"))
            .collect()
    }

    /// Labels, side variables and other arrays that differ.
    fn differing(&self) -> Result<Vec<String>, LightCurveError> {
        let schema = self.source.schema();
        let mut differing = Vec::new();
        for name in names(schema).filter(|name| !schema.values.iter().any(|values| values == name)) {
            if !is_same((&self.source.root, &self.copy.root), name)? {
                differing.push(name.to_owned());
            }
        }
        Ok(differing)
    }

    /// Replaces an array that differs: as a whole, where not only what it holds does.
    fn bring_array(&self, name: &str, warnings: &mut Vec<String>) -> Result<(), LightCurveError> {
        if bring((&self.source.root, &self.copy.root), name)? {
            return Ok(());
        }
        let (from, to) = self.places;
        let mut request = self.request(from.below(name), to.below(name));
        request.overwrite = true;
        warnings.extend(run(prepare(request)?, self.progress)?.warnings);
        Ok(())
    }

    /// A request whose result has to be on the disk only at the end.
    fn request(&self, from: Location, to: Location) -> Request {
        Request { durability: Durability::None, ..self.options.request(from, to) }
    }

    /// Blocks of epochs that hold `epochs`, which follow each other: whole chunks of the copy, that begin where chunks of the source do.
    fn blocks(&self, copy: &Array, source: &Array, epochs: &[u64]) -> Vec<Range<u64>> {
        let name = &self.source.schema().epochs().name;
        let length = |array: &Array| array.objects().chunk_shape()[epoch_axis(array, name)].max(1);
        let (ours, theirs, size) = (length(copy), length(source), self.source.schema().epochs().size);
        let step = common_multiple(ours, theirs);
        let mut blocks: Vec<Range<u64>> = Vec::new();
        for epoch in epochs {
            let start = epoch / step * step;
            let end = (epoch / ours + 1).saturating_mul(ours).min(size);
            match blocks.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => blocks.push(start..end),
            }
        }
        blocks
    }

    fn bring_block(
        &self,
        name: &str,
        range: &Range<u64>,
        synced: &mut Synced,
    ) -> Result<(), LightCurveError> {
        let (from, to) = self.places;
        let mut tries = 1..TRIES;
        let report = loop {
            let mut request = self.request(from.clone(), to.clone());
            let epochs = &self.source.schema().epochs().name;
            request.region = Some(NamedRegion::along(epochs, range.clone()));
            request.arrays = vec![name.to_owned()];
            match (run(prepare(request)?, self.progress), tries.next()) {
                // Somebody fills the source meanwhile.
                (Err(RechunkError::Differs(_)), Some(_)) => {}
                (done, _) => break done?,
            }
        };
        synced.bytes_written = synced.bytes_written.saturating_add(report.cost.counts.bytes_written);
        synced.warnings.extend(report.warnings);
        Ok(())
    }
}

/// All arrays of a store, but for its record.
fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    let side = schema.dimensions.iter().flat_map(|dimension| dimension.labels.iter().chain(&dimension.side));
    let others = schema.others.iter().map(|(name, _)| name);
    side.chain(others).chain(&schema.values).map(String::as_str)
}

/// Whether two times are the same; of what was not filled there is none.
fn is_same_time(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// The least common multiple, or the largest number there is.
fn common_multiple(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1)).saturating_mul(b)
}
