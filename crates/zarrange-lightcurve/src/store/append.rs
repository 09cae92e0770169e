//! Epochs behind those that a store has.
//!
//! Nobody sees a part of it. First come labels and side variables behind the end of their arrays, then the documents of all arrays with
//! the new size, the record last, and then the document of the root, by which xarray opens a store. While that goes on, and after it broke
//! off, a mark lies in the store: whoever opens it then goes by the size of the record.

use std::time::Duration;

use zarrange_array::{Array, RegionReader};
use zarrange_grid::{Dims, Region, index};
use zarrange_io::Change;

use crate::LightCurveError;
use crate::error::BadLabel;
use crate::store::LightCurveStore;
use crate::store::columns::{Column, Named};
use crate::store::documents;
use crate::store::fill::{EpochLock, Merge, begin};
use crate::store::grow::grow;
use crate::store::growing::{APPENDING, epoch_axis, with_epochs};

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
        self.check_size()?;
        self.check(new, bytes_max)?;
        let epochs = self.schema().epochs();
        let (first, size) = (epochs.size, epochs.size.checked_add(new.count));
        let size = size.ok_or_else(|| LightCurveError::TooMuch { shape: vec![epochs.size, new.count] })?;
        // Whoever fills the last epochs may write a chunk that the new ones lie in.
        let from = if first == 0 { 0 } else { self.locked(first - 1)?.start };
        let record = begin::record(self, wait)?;
        let _lock = EpochLock::take(&self.root, from..EpochLock::END, wait)?;
        self.check_size()?;
        let mut longer = Vec::new();
        for array in self.values.iter().chain(&self.others_over_epochs()?) {
            let grown = with_epochs(array, &epochs.name, size)?;
            self.check_beyond(array, &grown)?;
            longer.push(grown);
        }
        let group = documents::root(&self.root)?;
        self.root.put(APPENDING, b"")?;
        let (mut unset, mut grown) = (Vec::new(), Vec::new());
        for name in epochs.labels.iter().chain(&epochs.side) {
            let is_label = epochs.labels.as_ref() == Some(name);
            let given = new.side.iter().find(|side| side.name == *name).map(|side| &side.column);
            let column = if is_label { new.labels.as_ref() } else { given };
            if column.is_none() {
                unset.push(name.clone());
            }
            grown.push(grow(&self.side(name)?, column, new.count)?);
        }
        for array in grown.iter().chain(&longer) {
            array.write_metadata()?;
        }
        record.write_size(size)?;
        if group.is_consolidated() {
            documents::publish(&group, true)?;
        }
        self.root.change(Change::Remove(APPENDING))?;
        Ok(Appended { first, size, unset })
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
    fn others_over_epochs(&self) -> Result<Vec<Array>, LightCurveError> {
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
    fn check_beyond(&self, array: &Array, longer: &Array) -> Result<(), LightCurveError> {
        let axis = epoch_axis(array, &self.schema().epochs().name);
        let (old, length) = (array.shape()[axis], longer.objects().chunk_shape()[axis]);
        if old.is_multiple_of(length) {
            return Ok(());
        }
        let elements = longer.elements()?;
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
