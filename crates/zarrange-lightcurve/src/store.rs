//! Stores of light curves: groups with arrays over objects and epochs, which anybody reads, and which are filled epoch by epoch.

pub(crate) mod columns;
pub(crate) mod create;
pub(crate) mod fill;
pub(crate) mod labels;
pub(crate) mod layout;
pub(crate) mod picks;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod schema;
pub(crate) mod side;

use zarrange_array::{Array, Node, open};
use zarrange_io::{Location, Opener, Store};

use crate::LightCurveError;
use crate::store::record::{Filled, Record};
use crate::store::schema::{MEASUREMENT, Schema};

/// An open store.
#[derive(Debug)]
pub struct LightCurveStore {
    root: Store,
    schema: Schema,
    /// The arrays of values, in the order of the schema.
    values: Vec<Array>,
    record: Option<Record>,
}

impl LightCurveStore {
    /// Opens the store at `location`, whoever has written it.
    ///
    /// # Errors
    /// [`LightCurveError::NotLightCurves`] if it is none.
    pub fn open(location: &Location, io: &Opener) -> Result<Self, LightCurveError> {
        let root = io.open(location)?;
        let schema = Schema::of(&root)?;
        let array = |name: &String| match open(&root.below(name)?)? {
            Node::Array(array) => Ok(*array),
            Node::Group(_) => Err(LightCurveError::NotLightCurves { location: root.label().to_owned() }),
        };
        let values = schema.values.iter().map(array).collect::<Result<_, LightCurveError>>()?;
        let recorded = [Some(schema.epochs()), schema.dimension(MEASUREMENT)].into_iter().flatten();
        let recorded: Vec<u64> = recorded.map(|dimension| dimension.size).collect();
        let record = Record::open(&root, &recorded)?;
        Ok(Self { root, schema, values, record })
    }

    /// What it is made of.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// An array of values by its name.
    pub fn values(&self, name: &str) -> Option<&Array> {
        let position = self.schema.values.iter().position(|values| values == name)?;
        self.values.get(position)
    }

    /// The same; an error if there is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Array, LightCurveError> {
        let unknown =
            || LightCurveError::Values { name: name.to_owned(), values: self.schema.values.clone() };
        self.values(name).ok_or_else(unknown)
    }

    /// The place, for messages.
    pub(crate) fn label(&self) -> String {
        self.root.label().to_owned()
    }

    /// Whether fills are recorded.
    pub(crate) const fn keeps_record(&self) -> bool {
        self.record.is_some()
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
        self.record.as_ref().map(|record| record.read(epoch)).transpose()
    }
}
