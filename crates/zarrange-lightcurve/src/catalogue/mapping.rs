//! What the columns of a table are.

use zarrange_table::{Field, Table};

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::labels::Labels;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// The word for the time of a row, and the side variable of times.
pub(super) const TIME: &str = "time";

/// Names of columns that are taken for what nobody named, beside that of the dimension or its labels.
const OBJECTS: [&str; 4] = ["object_id", "source_id", "id", "name"];
pub(super) const MEASUREMENTS: [&str; 3] = ["band", "filter", "filtername"];
pub(super) const TIMES: [&str; 4] = ["time", "mjd", "hmjd", "jd"];

/// How far the time of a row may be from that of its epoch, unless something else is said: a second, where times are in days.
const TOLERANCE: f64 = 1.2e-5;

/// What the columns of a table are, as far as their names do not tell.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// What something is called in the table: a dimension, `time`, or an array of values, where labels of its other dimensions may stand in
    /// brackets: `flux[g]`, `lightcurves[mag_auto,value]`.
    pub columns: Vec<(String, String)>,
    /// What all rows have in common: for a dimension a label, or where it has no labels a number.
    pub at: Vec<(String, String)>,
    /// How far the time of a row may be from that of its epoch, in the unit of the store: a second, where that is days, unless it is told. In
    /// stores of sequences, how far times of the same observation may be apart: not at all, unless it is told.
    pub tolerance: Option<f64>,
    /// Units of the table are not compared with those of the store.
    pub ignore_units: bool,
}

impl Mapping {
    /// How far the time of a row may be from that of its epoch.
    pub(super) fn epoch_tolerance(&self) -> f64 {
        self.tolerance.unwrap_or(TOLERANCE)
    }
}

/// Where something of a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// It is the same in all rows.
    Fixed(u64),
    /// It is named by a column: that one of those which are read.
    Label(usize),
    /// It is the epoch next to the time in a column.
    Time(usize),
}

/// What the columns of one table are.
#[derive(Debug)]
pub(super) struct Roles {
    /// Columns to be read, by their places in the table.
    pub(super) wanted: Vec<usize>,
    pub(super) object: usize,
    pub(super) epoch: Of,
    /// Other dimensions of which all values of a row have the same place.
    pub(super) others: Vec<(String, Of)>,
    pub(super) values: Vec<Value>,
}

/// A column of values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// The array.
    pub(super) array: String,
    /// Dimensions along which it has its own place.
    pub(super) at: Vec<(String, u64)>,
    /// That one of the columns which are read.
    pub(super) column: usize,
}

/// Finds out the roles of columns of one table.
pub(super) struct Finder<'a> {
    pub(super) store: &'a LightCurveStore,
    /// Labels of all dimensions.
    pub(super) labels: &'a [(String, Labels)],
    pub(super) mapping: &'a Mapping,
    pub(super) table: &'a Table,
    /// The path of the table.
    pub(super) path: &'a str,
}

impl Finder<'_> {
    /// What the columns are.
    ///
    /// # Errors
    /// [`LightCurveError::Columns`], with what is missing and what there is.
    pub(super) fn roles(&self) -> Result<Roles, LightCurveError> {
        self.check_words()?;
        let mut wanted = Vec::new();
        let object = self.object(&mut wanted)?;
        let values = self.values(&mut wanted, &[])?;
        let epoch = self.epoch(&mut wanted)?;
        let mut others: Vec<(String, Of)> = Vec::new();
        for value in &values {
            let array = self.store.named(&value.array)?;
            for name in array.document().dimension_names().unwrap_or_default().into_iter().flatten() {
                let known = name == OBJECT
                    || EPOCHS.contains(&name.as_str())
                    || value.at.iter().any(|(known, _)| *known == name)
                    || others.iter().any(|(known, _)| *known == name);
                if !known {
                    let of = self.other(&name, &value.array, &mut wanted)?;
                    others.push((name, of));
                }
            }
        }
        Ok(Roles { wanted, object, epoch, others, values })
    }

    /// The column of objects.
    pub(super) fn object(&self, wanted: &mut Vec<usize>) -> Result<usize, LightCurveError> {
        let object = self.column_of(OBJECT, &OBJECTS)?.ok_or_else(|| {
            self.wrong("no column names objects: say which does with object=COLUMN".to_owned())
        })?;
        Ok(place(wanted, object))
    }

    pub(super) fn wrong(&self, reason: String) -> LightCurveError {
        let columns = self.table.fields().iter().map(|field| field.name.clone()).collect();
        LightCurveError::Columns { table: self.path.to_owned(), reason, columns }
    }

    fn labels(&self, dimension: &str) -> Option<&Labels> {
        self.labels.iter().find(|(name, _)| name == dimension).map(|(_, labels)| labels)
    }

    /// Words that mean nothing here are refused.
    fn check_words(&self) -> Result<(), LightCurveError> {
        for (k, (name, _)) in self.mapping.at.iter().enumerate() {
            self.store.schema().named(name)?;
            if name == OBJECT || self.mapping.at[..k].iter().any(|(other, _)| other == name) {
                return Err(self.wrong(format!("{name} cannot be the same in all rows, or is told twice")));
            }
        }
        self.check_targets()
    }

    /// The same of what columns are said to be.
    pub(super) fn check_targets(&self) -> Result<(), LightCurveError> {
        for (k, (target, _)) in self.mapping.columns.iter().enumerate() {
            if self.mapping.columns[..k].iter().any(|(other, _)| other == target) {
                return Err(self.wrong(format!("{target:?} is told twice")));
            }
            let name = target.split('[').next().unwrap_or_default();
            if name != TIME
                && self.store.schema().dimension(name).is_none()
                && self.store.values(name).is_none()
            {
                let reason =
                    format!("{name:?} is no dimension and no array of values of the store, and not time");
                return Err(self.wrong(reason));
            }
        }
        Ok(())
    }

    /// The column of a name, as it is written or else in other case.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let other_case = |field: &Field| field.name.eq_ignore_ascii_case(name);
        self.table.position(name).or_else(|| self.table.fields().iter().position(other_case))
    }

    /// The column that is said to be `word`.
    pub(super) fn given(&self, word: &str) -> Result<Option<usize>, LightCurveError> {
        let Some((_, column)) = self.mapping.columns.iter().find(|(target, _)| target == word) else {
            return Ok(None);
        };
        self.named(column).map(Some).ok_or_else(|| self.wrong(format!("there is no column {column:?}")))
    }

    /// The column of labels of a dimension: as it is said, or by its name.
    fn column_of(&self, dimension: &str, others: &[&str]) -> Result<Option<usize>, LightCurveError> {
        if let Some(column) = self.given(dimension)? {
            return Ok(Some(column));
        }
        let labels =
            self.store.schema().dimension(dimension).and_then(|dimension| dimension.labels.as_deref());
        let names = [Some(dimension), labels].into_iter().flatten().chain(others.iter().copied());
        Ok(names.into_iter().find_map(|name| self.named(name)))
    }

    /// What all rows have in common.
    fn fixed(&self, dimension: &str) -> Result<Option<u64>, LightCurveError> {
        let Some((_, label)) = self.mapping.at.iter().find(|(name, _)| name == dimension) else {
            return Ok(None);
        };
        self.labels(dimension).map(|labels| labels.named(label)).transpose()
    }

    fn epoch(&self, wanted: &mut Vec<usize>) -> Result<Of, LightCurveError> {
        let name = &self.store.schema().epochs().name;
        if let Some(fixed) = self.fixed(name)? {
            return Ok(Of::Fixed(fixed));
        }
        if let Some(time) = self.given(TIME)? {
            return Ok(Of::Time(place(wanted, time)));
        }
        if let Some(column) = self.column_of(name, &[])? {
            return Ok(Of::Label(place(wanted, column)));
        }
        if let Some(time) = TIMES.iter().find_map(|name| self.named(name)) {
            return Ok(Of::Time(place(wanted, time)));
        }
        let reason = format!(
            "nothing says which {name} rows are of: say it for all with {name}=LABEL, or name a column with {name}=COLUMN or time=COLUMN"
        );
        Err(self.wrong(reason))
    }

    /// A dimension along which a column of values has no place of its own.
    fn other(&self, name: &str, array: &str, wanted: &mut Vec<usize>) -> Result<Of, LightCurveError> {
        let others: &[&str] = if name == MEASUREMENT { &MEASUREMENTS } else { &[] };
        if let Some(fixed) = self.fixed(name)? {
            return Ok(Of::Fixed(fixed));
        }
        if let Some(column) = self.column_of(name, others)? {
            return Ok(Of::Label(place(wanted, column)));
        }
        if self.store.schema().named(name)?.size == 1 {
            return Ok(Of::Fixed(0));
        }
        let reason = format!(
            "nothing says which {name} values of {array} are of: say it for all with {name}=LABEL, name a column with {name}=COLUMN, or columns of values with {array}[LABEL]=COLUMN"
        );
        Err(self.wrong(reason))
    }

    /// The columns of values: those that are named, or else those called like arrays or like labels of their last dimensions. The arrays `but`
    /// are none of values.
    pub(super) fn values(
        &self,
        wanted: &mut Vec<usize>,
        but: &[&str],
    ) -> Result<Vec<Value>, LightCurveError> {
        let mut values = Vec::new();
        for (target, column) in &self.mapping.columns {
            let (array, places) =
                target.split_once('[').map_or((target.as_str(), None), |(array, rest)| (array, Some(rest)));
            if self.store.values(array).is_none() || but.contains(&array) {
                continue;
            }
            let column =
                self.named(column).ok_or_else(|| self.wrong(format!("there is no column {column:?}")))?;
            let at = match places.map(|places| places.strip_suffix(']')) {
                None => Vec::new(),
                Some(Some(places)) => self.places(array, places)?,
                Some(None) => return Err(self.wrong(format!("{target:?} has no ] at its end"))),
            };
            values.push(Value { array: array.to_owned(), at, column: place(wanted, column) });
        }
        if values.is_empty() {
            values = self.values_by_name(wanted, but)?;
        }
        if values.is_empty() {
            let arrays = self.store.schema().values.iter().filter(|name| !but.contains(&name.as_str()));
            let arrays: Vec<&str> = arrays.map(String::as_str).collect();
            return Err(self.wrong(format!(
                "no column is called like an array of values ({}): say which holds one with {}=COLUMN",
                arrays.join(", "),
                arrays.first().unwrap_or(&"ARRAY")
            )));
        }
        Ok(values)
    }

    /// Labels in brackets, each of one of the dimensions of an array.
    fn places(&self, array: &str, places: &str) -> Result<Vec<(String, u64)>, LightCurveError> {
        let names = self.store.named(array)?.document().dimension_names().unwrap_or_default();
        let mut at: Vec<(String, u64)> = Vec::new();
        for label in places.split(',').map(str::trim) {
            let (only, label) = match label.split_once('=') {
                Some((dimension, label)) if names.iter().flatten().any(|name| name == dimension) => {
                    (Some(dimension), label)
                }
                _ => (None, label),
            };
            let found = names.iter().flatten().filter(|name| {
                let inner = name.as_str() != OBJECT && !EPOCHS.contains(&name.as_str());
                inner
                    && only.is_none_or(|only| only == name.as_str())
                    && at.iter().all(|(known, _)| known != *name)
            });
            let found = found.filter_map(|name| Some((name.clone(), self.labels(name)?.find(label)?)));
            let found: Vec<(String, u64)> = found.collect();
            match &found[..] {
                [one] => at.push(one.clone()),
                [] => {
                    return Err(self.wrong(format!(
                        "{array}[{places}]: no dimension of {array} has the label {label:?}"
                    )));
                }
                several => {
                    let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                    let reason = format!(
                        "{array}[{places}]: {label:?} is a label of {}: write {}={label}",
                        names.join(" and "),
                        names[0]
                    );
                    return Err(self.wrong(reason));
                }
            }
        }
        Ok(at)
    }

    fn values_by_name(&self, wanted: &mut Vec<usize>, but: &[&str]) -> Result<Vec<Value>, LightCurveError> {
        let mut values = Vec::new();
        for array in self.store.schema().values.iter().filter(|name| !but.contains(&name.as_str())) {
            if let Some(column) = self.named(array) {
                values.push(Value { array: array.clone(), at: Vec::new(), column: place(wanted, column) });
                continue;
            }
            let names = self.store.named(array)?.document().dimension_names().unwrap_or_default();
            for name in names.into_iter().flatten() {
                let Some(labels) = self.labels(&name).filter(|labels| labels.are_text()) else { continue };
                // Where there are several arrays, a measurement does not say of which.
                let several = name == MEASUREMENT && self.store.schema().values.len() > 1;
                if name == OBJECT || EPOCHS.contains(&name.as_str()) || several {
                    continue;
                }
                let size = self.store.schema().named(&name)?.size;
                // As they are written: other case may be another label.
                let columns = (0..size).filter_map(|k| Some((k, self.table.position(&labels.get(k))?)));
                let columns: Vec<(u64, usize)> = columns.collect();
                if !columns.is_empty() {
                    let value = |(k, column): (u64, usize)| Value {
                        array: array.clone(),
                        at: vec![(name.clone(), k)],
                        column: place(wanted, column),
                    };
                    values.extend(columns.into_iter().map(value));
                    break;
                }
            }
        }
        Ok(values)
    }
}

/// The place of a column among those that are read; it is read from now on.
pub(super) fn place(wanted: &mut Vec<usize>, column: usize) -> usize {
    wanted.iter().position(|known| *known == column).unwrap_or_else(|| {
        wanted.push(column);
        wanted.len() - 1
    })
}
