//! New stores.

use serde_json::{Map, Value, json};
use zarrange_array::{Array, ArraySpec, Document, Group, Layout, Staging, Target, publish_metadata};
use zarrange_grid::checked_bytes;
use zarrange_io::{Location, Opener, Store, token};
use zarrange_rechunk::Codecs;

use crate::LightCurveError;
use crate::store::columns::{Column, Named};
use crate::store::layout::Cut;
use crate::store::record;
use crate::store::schema::{FILLS, MEASUREMENT, OBJECT, VERSION, VERSION_KNOWN};

/// The longest elements of values.
const ITEM_BYTES_MAX: u64 = 8;

/// A store to be made.
#[derive(Clone, Debug)]
pub struct NewStore {
    dimensions: Vec<NewDimension>,
    values: Vec<NewValues>,
    cut: Cut,
    codecs: Codecs,
    attributes: Map<String, Value>,
}

#[derive(Clone, Debug)]
struct NewDimension {
    name: &'static str,
    size: u64,
    labels: Option<Column>,
    side: Vec<Named>,
}

/// An array of values.
#[derive(Clone, Debug)]
struct NewValues {
    name: &'static str,
    data_type: &'static str,
    attributes: Map<String, Value>,
}

impl NewStore {
    /// `flux` and `flux_err` over (object, epoch, measurement).
    pub fn flux(objects: u64, epochs: u64, measurements: u64) -> Self {
        let dimensions = [(OBJECT, objects), ("epoch", epochs), (MEASUREMENT, measurements)];
        Self::of(&dimensions, &["flux", "flux_err"])
    }

    /// `lightcurves` over (object, measurement, value, epoch), where a value has an uncertainty beside it.
    pub fn labelled(objects: u64, measurements: u64, epochs: u64) -> Self {
        let dimensions = [(OBJECT, objects), (MEASUREMENT, measurements), ("value", 2), ("epoch", epochs)];
        let mut this = Self::of(&dimensions, &["lightcurves"]);
        let values = ["value", "uncertainty"].map(str::to_owned).to_vec();
        this.dimensions[2].labels = Some(Column::Text(values));
        this
    }

    fn of(dimensions: &[(&'static str, u64)], values: &[&'static str]) -> Self {
        let dimension = |(name, size): &(&'static str, u64)| NewDimension {
            name,
            size: *size,
            labels: None,
            side: Vec::new(),
        };
        let array = |name: &&'static str| NewValues { name, data_type: "float32", attributes: Map::new() };
        Self {
            dimensions: dimensions.iter().map(dimension).collect(),
            values: values.iter().map(array).collect(),
            cut: Cut::EpochOptimized,
            codecs: Codecs::Zstd(3),
            attributes: Map::new(),
        }
    }

    /// With labels along a dimension: text or whole numbers, each there once.
    ///
    /// # Errors
    /// [`LightCurveError::Label`] if one cannot be a label, [`LightCurveError::Length`] if they are not as many as the dimension is long,
    /// [`LightCurveError::Dimension`] if there is no such dimension.
    pub fn labels(mut self, dimension: &str, labels: Column) -> Result<Self, LightCurveError> {
        if let Some(bad) = labels.bad_label() {
            return Err(LightCurveError::Label { dimension: dimension.to_owned(), bad });
        }
        let known = self.dimension(dimension)?;
        known.check(dimension, &labels)?;
        known.labels = Some(labels);
        Ok(self)
    }

    /// With a side variable along a dimension.
    ///
    /// # Errors
    /// [`LightCurveError::Length`] if it is not as long as the dimension, [`LightCurveError::Dimension`] if there is no such dimension,
    /// [`LightCurveError::Taken`] if its name is taken.
    pub fn side(mut self, dimension: &str, variable: Named) -> Result<Self, LightCurveError> {
        let name = variable.name.as_str();
        let taken = name == FILLS
            || self.values.iter().any(|values| values.name == name)
            || self.dimensions.iter().any(|d| d.name == name || d.side.iter().any(|side| side.name == name));
        if taken || name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(LightCurveError::Taken { name: variable.name });
        }
        let known = self.dimension(dimension)?;
        known.check(name, &variable.column)?;
        known.side.push(variable);
        Ok(self)
    }

    /// Names of its arrays of values.
    pub fn values(&self) -> Vec<&'static str> {
        self.values.iter().map(|values| values.name).collect()
    }

    /// Cut in this way, instead of epoch by epoch.
    #[must_use]
    pub fn cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    /// With these codecs, instead of zstd of level 3.
    #[must_use]
    pub fn codecs(self, codecs: Codecs) -> Self {
        Self { codecs, ..self }
    }

    /// With an attribute of the whole store.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: Value) -> Self {
        self.attributes.insert(name.to_owned(), value);
        self
    }

    /// With attributes of a side variable or an array of values that was named before, such as `units`, or `timescale` of the IVOA;
    /// what they have stays.
    ///
    /// # Errors
    /// [`LightCurveError::Values`] if there is none of this name.
    pub fn described(mut self, name: &str, attributes: Map<String, Value>) -> Result<Self, LightCurveError> {
        let values = self.values.iter_mut().map(|values| (values.name, &mut values.attributes));
        let side = self.dimensions.iter_mut().flat_map(|dimension| &mut dimension.side);
        let mut named = values.chain(side.map(|side| (side.name.as_str(), &mut side.attributes)));
        if let Some((_, known)) = named.find(|(known, _)| *known == name) {
            for (name, value) in attributes {
                known.entry(name).or_insert(value);
            }
            drop(named);
            return Ok(self);
        }
        drop(named);
        let side = self.dimensions.iter().flat_map(|dimension| &dimension.side).map(|side| side.name.clone());
        let values = self.values.iter().map(|values| values.name.to_owned()).chain(side).collect();
        Err(LightCurveError::Values { name: name.to_owned(), values })
    }

    fn dimension(&mut self, name: &str) -> Result<&mut NewDimension, LightCurveError> {
        let names = self.dimensions.iter().map(|dimension| dimension.name.to_owned()).collect();
        let known = self.dimensions.iter_mut().find(|dimension| dimension.name == name);
        known.ok_or_else(|| LightCurveError::Dimension { name: name.to_owned(), dimensions: names })
    }

    /// Makes it at `location`, to be opened by [`LightCurveStore::open`](crate::LightCurveStore::open). What is returned could not be tidied
    /// afterwards, one line each.
    ///
    /// # Errors
    /// [`LightCurveError`]; what was there before is then as it was.
    pub fn create(
        &self,
        location: &Location,
        (overwrite, io): (bool, &Opener),
    ) -> Result<Vec<String>, LightCurveError> {
        if self.codecs == Codecs::Keep {
            return Err(LightCurveError::NothingToKeep);
        }
        let shape: Vec<u64> = self.dimensions.iter().map(|dimension| dimension.size).collect();
        if let Some(epochs) = self.dimensions.iter().find(|dimension| dimension.name == "epoch") {
            record::checked_size(epochs.size)?;
        }
        if checked_bytes(&shape, ITEM_BYTES_MAX).is_err() {
            return Err(LightCurveError::TooMuch { shape });
        }
        let target = Target::check(location, overwrite, io)?;
        let mut staging = Staging::begin(target, &token(), None, io)?;
        let root = staging.store()?;
        let mut arrays: Vec<(String, Array)> = Vec::new();
        for dimension in &self.dimensions {
            let nothing = Map::new();
            let labels = dimension.labels.iter().map(|labels| (dimension.name, labels, &nothing));
            let side = dimension.side.iter().map(|side| (side.name.as_str(), &side.column, &side.attributes));
            for (name, column, attributes) in labels.chain(side) {
                arrays.push((name.to_owned(), column.write(&root, (name, dimension.name), attributes)?));
            }
        }
        for values in &self.values {
            arrays.push((values.name.to_owned(), self.array(&root, values)?));
        }
        let recorded =
            ["epoch", MEASUREMENT].iter().filter_map(|name| self.dimensions.iter().find(|d| d.name == *name));
        let recorded: Vec<(&str, u64)> = recorded.map(|dimension| (dimension.name, dimension.size)).collect();
        arrays.extend(record::create(&root, &recorded)?);
        let arrays: Vec<(String, &Array)> =
            arrays.iter().map(|(name, array)| (name.clone(), array)).collect();
        let fills = Group::new(root.below(FILLS)?, record::attributes());
        let groups =
            [(String::new(), Group::new(root.clone(), self.root_attributes())), (FILLS.to_owned(), fills)];
        publish_metadata(&root, &arrays, &groups, true)?;
        Ok(staging.publish(true)?)
    }

    fn array(&self, root: &Store, values: &NewValues) -> Result<Array, LightCurveError> {
        let dimensions: Vec<(&str, u64)> = self.dimensions.iter().map(|d| (d.name, d.size)).collect();
        let item_bytes = if values.data_type == "float64" { 8 } else { 4 };
        let layout: Layout = self.cut.layout(&dimensions, (values.data_type, item_bytes), &self.codecs)?;
        let document = Document::new(&ArraySpec {
            shape: dimensions.iter().map(|(_, size)| *size).collect(),
            data_type: values.data_type,
            fill_value: json!("NaN"),
            layout,
            dimension_names: dimensions.iter().map(|(name, _)| *name).collect(),
            attributes: values.attributes.clone(),
        });
        Ok(Array::new(root.below(values.name)?, document, 3)?)
    }

    /// The attributes given, and which arrays are coordinates for xarray: side variables belong to what is read with them.
    fn root_attributes(&self) -> Map<String, Value> {
        let mut attributes = self.attributes.clone();
        let side = self.dimensions.iter().flat_map(|dimension| &dimension.side);
        // The words of an attribute of CF are parted by blanks.
        let words: Vec<&str> =
            side.map(|side| side.name.as_str()).filter(|name| !name.contains(' ')).collect();
        if !words.is_empty() {
            attributes.insert("coordinates".to_owned(), json!(words.join(" ")));
        }
        attributes.insert("layout".to_owned(), json!(self.cut.to_string()));
        attributes.insert(VERSION.to_owned(), json!(VERSION_KNOWN));
        attributes
    }
}

impl NewDimension {
    fn check(&self, name: &str, column: &Column) -> Result<(), LightCurveError> {
        if column.len() == self.size {
            return Ok(());
        }
        let (dimension, size) = (self.name.to_owned(), self.size);
        Err(LightCurveError::Length { name: name.to_owned(), length: column.len(), dimension, size })
    }
}
