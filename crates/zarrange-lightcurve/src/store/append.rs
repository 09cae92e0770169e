//! Epochs behind those that a store has.
//!
//! Nobody sees a part of it. First come labels and side variables behind the end of their arrays, then the documents of all arrays with
//! the new size, the record last, and then the document of the root, by which xarray opens a store. While that goes on, and after it broke
//! off, a mark lies in the store: whoever opens it then goes by the size of the record.

use std::time::Duration;

use zarrange_array::{Array, Node, RegionReader, open};
use zarrange_grid::{Dims, Region, index};
use zarrange_io::Change;

use crate::LightCurveError;
use crate::error::BadLabel;
use crate::store::LightCurveStore;
use crate::store::columns::{Column, Named};
use crate::store::fill::{EpochLock, Merge, begin};
use crate::store::grow::{check_growth, grow};
use crate::store::growing::{APPENDING, axes, epoch_axis, is_marked, with_epochs};
use crate::store::memory::{ALLOWANCE, Share, chunk_bytes, reading};
use crate::store::{documents, record};

/// Epochs to be added.
#[derive(Clone, Debug, Default)]
pub struct NewEpochs {
    /// How many.
    pub count: u64,
    /// Their labels, where epochs have labels.
    pub labels: Option<Column>,
    /// Their side variables; others get the fill value.
    pub side: Vec<Named>,
}

/// What adding epochs did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The number of the first new epoch.
    pub first: u64,
    /// How many there are now.
    pub size: u64,
    /// Side variables that have no value for them.
    pub unset: Vec<String>,
}

impl LightCurveStore {
    /// Adds epochs; others wait for `wait` at most. The store has to be opened again to see them.
    ///
    /// # Errors
    /// [`LightCurveError`], if something does not fit, or somebody else has made the store grow; the store is as it was then.
    pub fn append(
        &self,
        new: &NewEpochs,
        (wait, bytes_max): (Duration, u64),
    ) -> Result<Appended, LightCurveError> {
        let bytes_max = bytes_max.max(ALLOWANCE);
        if let Some(of) = &self.source {
            return Err(LightCurveError::Copy { location: self.label(), of: of.clone() });
        }
        self.check_size()?;
        let epochs = self.schema().epochs();
        let (first, size) = (epochs.size, epochs.size.checked_add(new.count));
        let size = record::checked_size(size.unwrap_or(u64::MAX))?;
        // Whoever fills the last epochs may write a chunk that the new ones lie in.
        let from = if first == 0 { 0 } else { self.locked(first - 1)?.start };
        let record = begin::record(self, wait)?;
        let _lock = EpochLock::take(&self.root, from..EpochLock::END, wait)?;
        self.check_size()?;
        if self.finish_locked()? && self.ends_with(new, bytes_max)? {
            return Ok(Appended { first: first - new.count, size: first, unset: self.unset(new) });
        }
        self.check(new, bytes_max)?;
        let group = documents::root(&self.root)?;
        let longer = self.longer(size, bytes_max)?;
        self.root.put(APPENDING, b"")?;
        let mut grown = Vec::new();
        for (name, column) in self.columns(new) {
            grown.push(grow(&self.side(name)?, (column, new.count), Share::all(bytes_max))?);
        }
        for array in grown.iter().chain(&longer) {
            array.write_metadata()?;
        }
        record.write_size(size)?;
        if group.is_consolidated() {
            documents::publish(&group, true)?;
        }
        self.root.change(Change::Sync)?;
        self.root.change(Change::Remove(APPENDING))?;
        Ok(Appended { first, size, unset: self.unset(new) })
    }

    /// Finishes what somebody who added epochs could not, where only the last steps are missing. Nobody else adds epochs meanwhile.
    ///
    /// # Errors
    /// If it cannot be finished.
    pub(crate) fn finish(&self, wait: Duration) -> Result<(), LightCurveError> {
        if !is_marked(&self.root)? {
            return Ok(());
        }
        let _lock = EpochLock::take(&self.root, EpochLock::END - 1..EpochLock::END, wait)?;
        self.check_size()?;
        self.finish_locked().map(drop)
    }

    /// The same by who has the lock; whether something was finished.
    fn finish_locked(&self) -> Result<bool, LightCurveError> {
        if !is_marked(&self.root)? {
            return Ok(false);
        }
        let epochs = self.schema().epochs();
        let mut names: Vec<&String> =
            self.schema().values.iter().chain(&epochs.labels).chain(&epochs.side).collect();
        names.extend(self.schema().others.iter().map(|(name, _)| name));
        for name in names {
            let Node::Array(array) = open(&self.root.below(name)?)? else { continue };
            if axes(&array, &epochs.name).any(|axis| array.shape()[axis] != epochs.size) {
                // Before the record: it is as if nothing was added.
                return Ok(false);
            }
        }
        let group = documents::root(&self.root)?;
        if group.is_consolidated() {
            documents::publish(&group, true)?;
        }
        self.root.change(Change::Remove(APPENDING))?;
        Ok(true)
    }

    /// Whether the last epochs have the labels of the new ones, which are then there already.
    fn ends_with(&self, new: &NewEpochs, bytes_max: u64) -> Result<bool, LightCurveError> {
        let epochs = self.schema().epochs();
        let (Some(labels), Some(first)) = (&new.labels, epochs.size.checked_sub(new.count)) else {
            return Ok(false);
        };
        let known = self.labels(&epochs.name, bytes_max)?;
        Ok(labels.len() == new.count && labels.texts().zip(first..).all(|(label, k)| known.get(k) == label))
    }

    /// The labels and side variables of epochs, and what they get.
    fn columns<'a>(&'a self, new: &'a NewEpochs) -> impl Iterator<Item = (&'a String, Option<&'a Column>)> {
        let epochs = self.schema().epochs();
        let labels = epochs.labels.iter().map(|name| (name, new.labels.as_ref()));
        let side = epochs
            .side
            .iter()
            .map(|name| (name, new.side.iter().find(|side| side.name == *name).map(|side| &side.column)));
        labels.chain(side)
    }

    /// Side variables that get no value.
    fn unset(&self, new: &NewEpochs) -> Vec<String> {
        self.columns(new).filter(|(_, column)| column.is_none()).map(|(name, _)| name.clone()).collect()
    }

    /// Arrays of values, and others over epochs, with so many epochs. Nothing may lie where the new ones come.
    fn longer(&self, size: u64, bytes_max: u64) -> Result<Vec<Array>, LightCurveError> {
        let epochs = &self.schema().epochs().name;
        let mut longer = Vec::new();
        for array in self.values.iter().chain(&self.others_over_epochs()?) {
            if axes(array, epochs).count() > 1 {
                let (array, dimension) = (array.location().to_owned(), epochs.clone());
                return Err(LightCurveError::TwoAxes { array, dimension });
            }
            let grown = with_epochs(array, epochs, size)?;
            self.check_beyond((array, &grown), Share::all(bytes_max))?;
            longer.push(grown);
        }
        Ok(longer)
    }

    /// Refuses what does not fit.
    fn check(&self, new: &NewEpochs, bytes_max: u64) -> Result<(), LightCurveError> {
        let epochs = self.schema().epochs();
        if new.labels.is_some() != epochs.labels.is_some() {
            let (dimension, has) = (epochs.name.clone(), epochs.labels.is_some());
            return Err(LightCurveError::Labelled { dimension, has });
        }
        let labels = new.labels.iter().map(|labels| (epochs.name.as_str(), labels));
        for (name, column) in labels.chain(new.side.iter().map(|side| (side.name.as_str(), &side.column))) {
            if column.len() != new.count {
                let (name, length, dimension) = (name.to_owned(), column.len(), epochs.name.clone());
                return Err(LightCurveError::Length { name, length, dimension, size: new.count });
            }
        }
        if let Some(unknown) = new.side.iter().find(|side| !epochs.side.contains(&side.name)) {
            return Err(LightCurveError::Variable {
                dimension: epochs.name.clone(),
                name: unknown.name.clone(),
                variables: epochs.side.clone(),
            });
        }
        for (name, column) in self.columns(new) {
            check_growth(&self.side(name)?, column, Share::all(bytes_max))?;
        }
        let Some(labels) = &new.labels else { return Ok(()) };
        let bad = |bad| LightCurveError::Label { dimension: epochs.name.clone(), bad };
        if let Some(wrong) = labels.bad_label() {
            return Err(bad(wrong));
        }
        let known = self.labels(&epochs.name, bytes_max)?;
        let twice = labels.texts().zip(epochs.size..).find_map(|(label, again)| {
            let first = known.find(&label)?;
            Some(BadLabel::Twice { label: label.into_owned(), first, again })
        });
        twice.map_or(Ok(()), |twice| Err(bad(twice)))
    }

    /// Arrays over epochs that are neither values nor side variables: they have to be as long as the others.
    pub(in crate::store) fn others_over_epochs(&self) -> Result<Vec<Array>, LightCurveError> {
        let epochs = &self.schema().epochs().name;
        let mut others = Vec::new();
        for (name, _) in &self.schema().others {
            let array = self.side(name)?;
            let names = array.document().dimension_names().unwrap_or_default();
            if names.iter().flatten().any(|name| name == epochs) {
                others.push(array);
            }
        }
        Ok(others)
    }

    /// Refuses to make an array as long as `longer` is, where something lies where the new epochs come.
    pub(in crate::store) fn check_beyond(
        &self,
        (array, longer): (&Array, &Array),
        room: Share,
    ) -> Result<(), LightCurveError> {
        let axis = epoch_axis(array, &self.schema().epochs().name);
        let (old, length) = (array.shape()[axis], longer.objects().chunk_shape()[axis]);
        if old.is_multiple_of(length) {
            return Ok(());
        }
        let elements = longer.elements()?;
        let needed = reading(longer)?.saturating_add(chunk_bytes(longer)?);
        room.fits("a chunk that new epochs lie in", needed)?;
        let merge = Merge::new(elements);
        let mut reader = RegionReader::new(longer)?;
        let (mut start, mut shape): (Dims, Dims) =
            (longer.shape().iter().map(|_| 0).collect(), longer.shape().into());
        (start[axis], shape[axis]) = (old, old.next_multiple_of(length).min(shape[axis]) - old);
        let beyond = Region::new(start, shape);
        let covering = elements.chunks.covering(&beyond);
        let mut data = Vec::new();
        for chunk in (0..covering.elements()).map(|k| covering.unravel(k)) {
            let Some(region) = elements.chunks.region(&chunk).intersect(&beyond) else { continue };
            data.clear();
            data.resize(index(region.elements()) * elements.item_bytes(), 0);
            reader.read_into(&region, &mut data)?;
            if data.chunks_exact(elements.item_bytes()).any(|value| !merge.is_missing(value)) {
                let key = longer.view()?.name(&chunk);
                return Err(LightCurveError::Beyond { array: array.location().to_owned(), key });
            }
        }
        Ok(())
    }
}
