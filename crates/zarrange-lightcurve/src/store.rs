//! Stores of light curves: groups with arrays over objects and epochs, which anybody reads, and which are filled epoch by epoch.

pub(crate) mod advise;
pub(crate) mod append;
pub(crate) mod columns;
pub(crate) mod create;
pub(crate) mod documents;
pub(crate) mod fill;
mod find;
pub(crate) mod flags;
mod grow;
pub(crate) mod growing;
mod label_index;
pub(crate) mod labels;
pub(crate) mod layout;
pub(crate) mod memory;
pub(crate) mod number;
pub(crate) mod picks;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod schema;
pub(crate) mod sequence;
pub(crate) mod side;

use std::sync::OnceLock;
use std::time::Duration;

use zarrange_array::{Array, Node, open};
use zarrange_grid::index;
use zarrange_io::{Location, Opener, Store};

use crate::LightCurveError;
use crate::store::growing::{Counted, cut, epochs_that_count, recorded};
use crate::store::label_index::LabelIndexes;
use crate::store::memory::Share;
use crate::store::record::{Filled, Record};
use crate::store::schema::{MEASUREMENT, SOURCE, Schema, VERSION};
use crate::store::side::each_number;

/// How often a store is looked at that does not fit together, and how long between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// An open store.
#[derive(Debug)]
pub struct LightCurveStore {
    pub(crate) root: Store,
    schema: Schema,
    /// The arrays of values, in the order of the schema.
    pub(crate) values: Vec<Array>,
    /// What was filled; of a store of somebody else there is one once it was filled.
    record: OnceLock<Record>,
    /// Whether it was made here.
    is_own: bool,
    /// The place that it is a copy of.
    pub(crate) source: Option<String>,
    indexes: LabelIndexes,
}

impl LightCurveStore {
    /// Opens the store at `location`, whoever has written it.
    ///
    /// # Errors
    /// [`LightCurveError::NotLightCurves`] if it is none.
    pub fn open(location: &Location, io: &Opener) -> Result<Self, LightCurveError> {
        let root = io.open(location)?;
        let mut tries = 1..TRIES;
        loop {
            match (Self::of(root.clone()), tries.next()) {
                // Somebody may be adding epochs right now.
                (Err(LightCurveError::Size { .. } | LightCurveError::Record { .. }), Some(_)) => {
                    std::thread::sleep(PAUSE);
                }
                (opened, _) => return opened,
            }
        }
    }

    fn of(root: Store) -> Result<Self, LightCurveError> {
        let half_added = epochs_that_count(&root)?;
        let schema = Schema::of(&root)?;
        // Of what the schema has, whatever was added since it was read.
        let epochs = schema.epochs();
        let counted = Some(Counted { epochs: epochs.name.clone(), size: epochs.size });
        let array = |name: &String| match open(&root.below(name)?)? {
            Node::Array(array) => cut(*array, counted.as_ref()),
            Node::Group(_) => Err(LightCurveError::NotLightCurves { location: root.label().to_owned() }),
        };
        let values = schema.values.iter().map(array).collect::<Result<_, LightCurveError>>()?;
        let sizes: Vec<u64> = recorded_dimensions(&schema).iter().map(|(_, size)| *size).collect();
        let record = OnceLock::new();
        if let Some(known) = Record::open(&root, (&sizes, half_added.as_ref()))? {
            record.get_or_init(|| known);
        }
        let attributes = documents::root(&root)?.attributes();
        let is_own = attributes.get(VERSION).is_some();
        let source = attributes.get(SOURCE).and_then(|place| place.as_str().map(str::to_owned));
        Ok(Self { root, schema, values, record, is_own, source, indexes: LabelIndexes::default() })
    }

    /// What it is made of.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The place of an array among those of values; behind the last if it is none.
    pub(crate) fn position(&self, name: &str) -> usize {
        let position = self.schema.values.iter().position(|values| values == name);
        position.unwrap_or(self.values.len())
    }

    /// An array of values by its name.
    pub fn values(&self, name: &str) -> Option<&Array> {
        self.values.get(self.position(name))
    }

    /// The same; an error if there is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Array, LightCurveError> {
        let unknown =
            || LightCurveError::Values { name: name.to_owned(), values: self.schema.values.clone() };
        self.values(name).ok_or_else(unknown)
    }

    /// What is recorded of fills, if that is.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.record.get()
    }

    /// The dimensions along which fills are recorded.
    pub(crate) fn recorded_dimensions(&self) -> Vec<(&str, u64)> {
        recorded_dimensions(&self.schema)
    }

    /// The array of labels or of a side variable called `name`.
    pub(crate) fn side(&self, name: &str) -> Result<Array, LightCurveError> {
        match open(&self.root.below(name)?)? {
            Node::Array(array) => {
                let epochs = self.schema.epochs();
                cut(*array, Some(&Counted { epochs: epochs.name.clone(), size: epochs.size }))
            }
            Node::Group(_) => Err(LightCurveError::NotLightCurves { location: self.label() }),
        }
    }

    /// The numbers of a side variable; NaN where there is none. They and a chunk of it are within `share`.
    ///
    /// # Errors
    /// As [`each_number`], and [`LightCurveError::Room`].
    pub(crate) fn numbers(&self, name: &str, share: Share) -> Result<Vec<f64>, LightCurveError> {
        let array = self.side(name)?;
        let count = array.shape().first().copied().unwrap_or_default();
        share.part(2).fits(name, count.saturating_mul(8))?;
        let mut numbers = Vec::with_capacity(index(count));
        each_number(&array, share.part(2), &mut |number| numbers.push(number))?;
        Ok(numbers)
    }

    /// The place, for messages.
    pub(crate) fn label(&self) -> String {
        self.root.label().to_owned()
    }

    /// Refuses to go on where the store has grown since it was opened.
    pub(crate) fn check_size(&self) -> Result<(), LightCurveError> {
        let then = self.schema.epochs().size;
        match recorded(&self.root)? {
            Some(now) if now != then => Err(LightCurveError::Grown { location: self.label(), now, then }),
            _ => Ok(()),
        }
    }

    /// Whether fills are recorded.
    pub(crate) fn keeps_record(&self) -> bool {
        self.record.get().is_some()
    }

    /// Whether it was made here, and not by somebody else.
    pub(crate) const fn is_own(&self) -> bool {
        self.is_own
    }

    /// How many measurements of each epoch are recorded as filled; `None` if nobody keeps a record.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn filled_measurements(&self) -> Result<Option<Vec<u64>>, LightCurveError> {
        let Some(record) = self.record() else { return Ok(None) };
        let times = record.times()?;
        Ok(Some((0..self.schema.epochs().size).map(|epoch| times.filled(epoch)).collect()))
    }

    /// What is recorded of an epoch; `None` if nobody keeps a record.
    ///
    /// # Errors
    /// If it cannot be read.
    ///
    /// # Panics
    /// If there is no such epoch.
    pub fn filled(&self, epoch: u64) -> Result<Option<Filled>, LightCurveError> {
        assert!(epoch < self.schema.epochs().size, "epoch {epoch} of {}", self.schema.epochs().size);
        self.record.get().map(|record| record.read(epoch)).transpose()
    }
}

/// Names and sizes of the dimensions along which fills are recorded.
fn recorded_dimensions(schema: &Schema) -> Vec<(&str, u64)> {
    let dimensions = [Some(schema.epochs()), schema.dimension(MEASUREMENT)];
    dimensions.into_iter().flatten().map(|dimension| (dimension.name.as_str(), dimension.size)).collect()
}
