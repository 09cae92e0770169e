//! What a store of light curves is made of: dimensions with labels and side variables, and arrays of values over them.
//!
//! Every group with an array over objects and epochs is one, whoever has written it. What each array is follows from its dimensions and its
//! name, as xarray understands them.

use std::collections::BTreeMap;

use zarrange_array::{Array, ArrayError, Contents, Node, open};
use zarrange_io::{Seen, Store};

use crate::LightCurveError;
use crate::store::growing::{cut, epochs_that_count};

/// The dimension of objects.
pub const OBJECT: &str = "object";

/// What the dimension of epochs may be called: visits that all objects share, or the n-th observation of each object.
pub const EPOCHS: [&str; 2] = ["epoch", "sequence"];

/// The dimension along which contributions to an epoch are recorded.
pub(crate) const MEASUREMENT: &str = "measurement";

/// The attribute with the version of what a store is made of, and the newest one that is understood. Stores of others have none.
pub(crate) const VERSION: &str = "light_curves_version";
pub(crate) const VERSION_KNOWN: u64 = 1;

/// The attribute of a copy that says of what.
pub(crate) const SOURCE: &str = "light_curves_source";

/// What the units of something may be called: an attribute, or a side variable of measurements.
pub(crate) const UNITS: [&str; 2] = ["unit", "units"];

/// Attributes of arrays whose numbers are not what they stand for.
const PACKED: [&str; 2] = ["scale_factor", "add_offset"];

/// The attribute that says that the numbers of an array stand for others, if there is one.
pub(crate) fn packed(array: &Array) -> Option<&'static str> {
    PACKED.into_iter().find(|name| array.document().attributes().get(name).is_some())
}

/// The group of what is recorded of fills.
pub(crate) const FILLS: &str = "fills";

/// What a store is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its dimensions, in the order in which arrays of values have them.
    pub dimensions: Vec<Dimension>,
    /// Names of the arrays of values.
    pub values: Vec<String>,
    /// Arrays that are none of its parts, and why: they stay as they are.
    pub others: Vec<(String, String)>,
}

/// A dimension of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// How many there are along it.
    pub size: u64,
    /// The array of labels, if there is one.
    pub labels: Option<String>,
    /// Side variables: arrays over this dimension alone.
    pub side: Vec<String>,
}

impl Schema {
    /// What the arrays of the group at `root` are. Only what lies directly in it is looked at.
    ///
    /// # Errors
    /// [`LightCurveError::NotLightCurves`] if no array is over objects and epochs, [`LightCurveError::Size`] if arrays do not agree on the
    /// size of a dimension, [`LightCurveError::Version`] if it is made in a way that came later.
    pub(crate) fn of(root: &Store) -> Result<Self, LightCurveError> {
        if let Ok(Node::Group(group)) = open(root)
            && let Some(version) = group.attributes().get(VERSION)
            && version.as_u64().is_none_or(|version| version > VERSION_KNOWN)
        {
            let location = root.label().to_owned();
            return Err(LightCurveError::Version { location, known: VERSION_KNOWN });
        }
        let counted = epochs_that_count(root)?;
        let (mut arrays, mut others) = (Vec::new(), Vec::new());
        let mut names = Vec::new();
        root.visit("", false, &mut |name, seen| {
            if matches!(seen, Seen::Directory { .. }) {
                names.push(name.to_owned());
            }
            true
        })?;
        names.sort();
        for name in names {
            match open(&root.below(&name)?) {
                Ok(Node::Array(array)) => match Member::of(&name, &cut(*array, counted.as_ref())?) {
                    Some(member) => arrays.push(member),
                    None => others.push((name, "it has dimensions without a name".to_owned())),
                },
                // Nothing that anybody would take for a member.
                Ok(Node::Group(_)) | Err(ArrayError::NotZarr { .. }) => {}
                // What cannot be read now may be labels or bands: without them something else would be read and filled.
                Err(ArrayError::Io(error)) => return Err(error.into()),
                Err(error) => others.push((name, error.to_string())),
            }
        }
        let values: Vec<&Member> = arrays.iter().filter(|member| member.is_values()).collect();
        let Some(first) = values.first() else {
            return Err(LightCurveError::NotLightCurves { location: root.label().to_owned() });
        };
        let mut schema = Self {
            dimensions: first.dimensions.iter().map(|(name, size)| Dimension::new(name, *size)).collect(),
            values: values.iter().map(|member| member.path.clone()).collect(),
            others,
        };
        for member in &arrays {
            schema.add(member)?;
        }
        Ok(schema)
    }

    /// Notes what `member` is.
    fn add(&mut self, member: &Member) -> Result<(), LightCurveError> {
        let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, size) in &member.dimensions {
            let known = self.dimension(name).map(|dimension| dimension.size);
            match known.or_else(|| sizes.get(name.as_str()).copied()) {
                Some(known) if known != *size => {
                    return Err(LightCurveError::Size {
                        array: member.path.clone(),
                        dimension: name.clone(),
                        size: *size,
                        known,
                    });
                }
                _ => sizes.insert(name, *size),
            };
        }
        if member.is_values() {
            let order = |name: &String| self.dimensions.iter().position(|d| d.name == *name);
            if let Some((name, _)) = member.dimensions.iter().find(|(name, _)| order(name).is_none()) {
                let reason = format!("it has dimension {name:?}, which {} does not have", self.values[0]);
                self.others.push((member.path.clone(), reason));
                self.values.retain(|values| *values != member.path);
            }
            return Ok(());
        }
        let own = match &member.dimensions[..] {
            [(name, _)] => self.dimensions.iter_mut().find(|dimension| dimension.name == *name),
            _ => None,
        };
        match own {
            Some(dimension) if dimension.is_label(&member.path) && dimension.labels.is_none() => {
                dimension.labels = Some(member.path.clone());
            }
            Some(dimension) => dimension.side.push(member.path.clone()),
            None => {
                let reason =
                    "it is over other dimensions than objects and epochs, or over several".to_owned();
                self.others.push((member.path.clone(), reason));
            }
        }
        Ok(())
    }

    /// A dimension by its name.
    pub fn dimension(&self, name: &str) -> Option<&Dimension> {
        self.dimensions.iter().find(|dimension| dimension.name == name)
    }

    /// The same; an error if there is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Dimension, LightCurveError> {
        let dimensions = || self.dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let unknown = || LightCurveError::Dimension { name: name.to_owned(), dimensions: dimensions() };
        self.dimension(name).ok_or_else(unknown)
    }

    /// The place of a dimension among those of arrays of values.
    pub(crate) fn axis(&self, name: &str) -> Option<usize> {
        self.dimensions.iter().position(|dimension| dimension.name == name)
    }

    /// The dimension of objects.
    pub fn objects(&self) -> &Dimension {
        self.dimension(OBJECT).unwrap_or_else(|| unreachable!("arrays of values are over objects"))
    }

    /// The dimension of epochs.
    pub fn epochs(&self) -> &Dimension {
        let epochs = EPOCHS.iter().find_map(|name| self.dimension(name));
        epochs.unwrap_or_else(|| unreachable!("arrays of values are over epochs"))
    }
}

impl Dimension {
    fn new(name: &str, size: u64) -> Self {
        Self { name: name.to_owned(), size, labels: None, side: Vec::new() }
    }

    /// Whether an array of this name has its labels: the name of the dimension, as xarray has it, or what tables say.
    fn is_label(&self, array: &str) -> bool {
        let Some(rest) = array.strip_prefix(&self.name) else { return false };
        matches!(rest, "" | "_id" | "_key")
    }
}

/// An array of a group, by its dimensions.
struct Member {
    path: String,
    dimensions: Vec<(String, u64)>,
    /// Whether its elements are numbers.
    numbers: bool,
}

impl Member {
    /// That of the array called `path`; `None` if its dimensions have no names.
    fn of(path: &str, array: &Array) -> Option<Self> {
        let names = array.document().dimension_names().unwrap_or_default();
        if names.len() != array.shape().len() {
            return None;
        }
        let dimensions = names.into_iter().zip(array.shape()).map(|(name, size)| Some((name?, *size)));
        let numbers = matches!(array.contents(), Contents::Elements(_));
        Some(Self { path: path.to_owned(), dimensions: dimensions.collect::<Option<_>>()?, numbers })
    }

    /// Whether it holds values of objects at epochs.
    fn is_values(&self) -> bool {
        let has = |name: &str| self.dimensions.iter().any(|(dimension, _)| dimension == name);
        let once = |(k, (name, _)): (usize, &(String, u64))| {
            self.dimensions[..k].iter().all(|(other, _)| other != name)
        };
        self.numbers
            && has(OBJECT)
            && EPOCHS.iter().filter(|name| has(name)).count() == 1
            && self.dimensions.iter().enumerate().all(once)
    }
}
