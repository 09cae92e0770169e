//! Light curves as rows: some objects, at some epochs, in some measurements, in the order in which they are stored and in bounded memory.

mod query;
mod values;

use zarrange_grid::index;
use zarrange_table::{Cells, Column, Field, Shape, Texts};

pub use self::query::{Query, When, Which};

use crate::LightCurveError;
use crate::curves::query::{Numbers, TIME};
use crate::curves::values::{Block, ValueColumn, value_columns};
use crate::store::LightCurveStore;
use crate::store::picks::Picked;
use crate::store::read::{ValuesReader, Wanted};
use crate::store::schema::{MEASUREMENT, OBJECT, UNITS};
use crate::store::side::{Number, each_number, texts_at};

/// What a value takes as a row, beside itself: in columns of labels, times and values.
const ROW_BYTES: u64 = 96;

/// Light curves that are read one part after the other.
#[derive(Debug)]
pub struct Curves<'a> {
    store: &'a LightCurveStore,
    query: &'a Query,
    fields: Vec<Field>,
    objects: Numbers,
    measurements: Vec<u64>,
    epochs: Vec<u64>,
    /// What is the same for every object: labels and times of epochs, labels of measurements.
    epoch_labels: Cells,
    times: Option<Vec<f64>>,
    measurement_labels: Option<Cells>,
    /// Whether a measurement of an epoch is recorded, by epoch and measurement; nothing if it does not matter.
    recorded: Option<Vec<bool>>,
    columns: Vec<ValueColumn>,
    /// A reader of each array that they are of.
    readers: Vec<(String, ValuesReader<'a>)>,
    /// Objects of a part, and those that were read.
    step: u64,
    done: u64,
}

/// Light curves of some objects.
#[derive(Debug)]
pub struct CurvesPart {
    /// Labels of the objects; numbers where there are none.
    pub objects: Cells,
    /// How many rows each object has.
    pub lengths: Vec<usize>,
    /// The rows of all objects, one after the other: a column for each field.
    pub rows: Vec<Cells>,
}

impl LightCurveStore {
    /// The light curves that are asked for, within `bytes_max`.
    ///
    /// # Errors
    /// [`LightCurveError::NoLabel`] and others, if something that is asked for is not there.
    pub fn curves<'a>(&'a self, query: &'a Query, bytes_max: u64) -> Result<Curves<'a>, LightCurveError> {
        let objects = self.objects(&query.objects, bytes_max)?;
        let epochs = self.epochs(&query.epochs, bytes_max)?;
        let measurements = self.measurements(&query.measurements, bytes_max)?;
        let columns = value_columns(self, &query.arrays)?;
        let mut readers: Vec<(String, ValuesReader<'_>)> = Vec::new();
        for column in &columns {
            if !readers.iter().any(|(name, _)| *name == column.array) {
                readers.push((column.array.clone(), self.reader(&column.array)?));
            }
        }
        let times = if self.schema().epochs().side.iter().any(|side| side == TIME) {
            let mut times = Vec::new();
            each_number(&self.side(TIME)?, &mut |time| times.push(time))?;
            Some(epochs.iter().map(|epoch| times.get(index(*epoch)).copied().unwrap_or(f64::NAN)).collect())
        } else {
            None
        };
        let recorded = query.recorded.then(|| self.recorded(&epochs, &measurements)).transpose()?;
        let rows = (epochs.len() as u64).saturating_mul(measurements.len() as u64);
        let per_object = columns
            .iter()
            .map(|column| column.item_bytes)
            .sum::<u64>()
            .saturating_add(ROW_BYTES)
            .saturating_mul(rows);
        let measured = self.schema().dimension(MEASUREMENT).is_some();
        let mut curves = Curves {
            store: self,
            query,
            fields: Vec::new(),
            epoch_labels: self.labels_at(&self.schema().epochs().name, &epochs)?,
            measurement_labels: measured.then(|| self.labels_at(MEASUREMENT, &measurements)).transpose()?,
            times,
            objects,
            measurements,
            epochs,
            recorded,
            columns,
            readers,
            step: bytes_max / 2 / per_object.max(1),
            done: 0,
        };
        curves.step = curves.aligned(curves.step.max(1))?;
        curves.fields = curves.named()?;
        Ok(curves)
    }

    /// Labels of a dimension at `places`, which are in their order: text, or numbers where labels are whole numbers or missing.
    pub(crate) fn labels_at(&self, dimension: &str, places: &[u64]) -> Result<Cells, LightCurveError> {
        let Some(name) = self.schema().named(dimension)?.labels.as_deref() else {
            return Ok(Cells::Integer(places.iter().map(|place| i64::try_from(*place).ok()).collect()));
        };
        let array = self.side(name)?;
        let labels = texts_at(&array, places)?;
        // Those that a table can have; larger ones are text.
        let number = array.elements().ok().and_then(|elements| Number::of(elements));
        let whole = matches!(number, Some(Number::Integer { bytes, signed }) if signed || bytes < 8);
        Ok(if whole {
            Cells::Integer(labels.iter().map(|label| label.parse().ok()).collect())
        } else {
            texts(labels.iter().map(String::as_str))
        })
    }
}

fn texts<'t>(labels: impl Iterator<Item = &'t str>) -> Cells {
    let mut texts = Texts::default();
    labels.for_each(|label| texts.push(label));
    Cells::Text(texts)
}

impl Curves<'_> {
    /// The columns of rows: object, epoch, its time, measurement, and values.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The table that its rows are: a row for each, or one for each object with a list of what was measured, which is called `list`.
    ///
    /// # Errors
    /// If labels cannot be read.
    pub fn shape(&self, list: Option<&str>) -> Result<Shape, LightCurveError> {
        let mut kinds = vec![self.store.labels_at(OBJECT, &[])?.kind(), self.epoch_labels.kind()];
        kinds.extend(self.times.as_ref().map(|_| zarrange_table::Kind::Float));
        kinds.extend(self.measurement_labels.as_ref().map(Cells::kind));
        kinds.extend(self.columns.iter().map(ValueColumn::kind));
        let columns = self.fields.iter().zip(kinds);
        let mut flat: Vec<Column> =
            columns.map(|(field, kind)| Column { name: field.name.clone(), kind }).collect();
        let lists = list.map(|name| (name.to_owned(), flat.split_off(1)));
        Ok(Shape { flat, lists })
    }

    /// How many objects there are.
    pub fn objects(&self) -> u64 {
        match &self.objects {
            Numbers::Range(range) => range.end - range.start,
            Numbers::List(list) => list.len() as u64,
        }
    }

    /// Objects of a part: where all of them are read, as many chunks as fit.
    fn aligned(&self, step: u64) -> Result<u64, LightCurveError> {
        let Some(name) = self.store.schema().values.first() else { return Ok(step) };
        let array = self.store.named(name)?;
        let axis = self.store.schema().axis(OBJECT).unwrap_or_default();
        let chunk = array.elements()?.chunks.chunk_shape()[axis].max(1);
        Ok(if step > chunk { step / chunk * chunk } else { step })
    }

    fn named(&self) -> Result<Vec<Field>, LightCurveError> {
        let unit = |name: &str| -> Result<Option<String>, LightCurveError> {
            let attributes = self.store.side(name)?.document().attributes();
            Ok(attributes.get("units").and_then(|unit| unit.as_str().map(str::to_owned)))
        };
        let field = |name: &str| Field { name: name.to_owned(), unit: None };
        let mut fields = vec![field(OBJECT), field(&self.store.schema().epochs().name)];
        if self.times.is_some() {
            fields.push(Field { name: TIME.to_owned(), unit: unit(TIME)? });
        }
        if self.measurement_labels.is_some() {
            fields.push(field(MEASUREMENT));
        }
        let common = self.common_unit()?;
        for column in &self.columns {
            let unit = unit(&column.array)?.or_else(|| common.clone());
            fields.push(Field { name: column.name.clone(), unit });
        }
        Ok(fields)
    }

    /// The unit of all measurements that are read, where the store has units for each, and they are the same.
    fn common_unit(&self) -> Result<Option<String>, LightCurveError> {
        let Some(dimension) = self.store.schema().dimension(MEASUREMENT) else { return Ok(None) };
        let Some(name) = dimension.side.iter().find(|side| UNITS.contains(&side.as_str())) else {
            return Ok(None);
        };
        let units = texts_at(&self.store.side(name)?, &self.measurements)?;
        let same = units.windows(2).all(|pair| pair[0] == pair[1]);
        Ok(units.into_iter().next().filter(|unit| same && !unit.is_empty()))
    }

    /// The next light curves; `None` if there are no more.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(&mut self) -> Result<Option<CurvesPart>, LightCurveError> {
        let count = self.step.min(self.objects() - self.done);
        if count == 0 {
            return Ok(None);
        }
        let (from, to) = (self.done, self.done + count);
        self.done = to;
        let (objects, numbers) = match &self.objects {
            Numbers::Range(range) => {
                let part = range.start + from..range.start + to;
                (Picked::Range(part.clone()), part.collect::<Vec<u64>>())
            }
            Numbers::List(list) => {
                let part = &list[index(from)..index(to)];
                (Picked::List(part), part.to_vec())
            }
        };
        let measurements = picked(&self.measurements);
        let epochs = picked(&self.epochs);
        let wanted = Wanted { objects, measurements, epochs };
        let mut blocks: Vec<(String, Block)> = Vec::new();
        for (name, reader) in &mut self.readers {
            blocks.push((name.clone(), Block::new(self.store, name, reader.read(&wanted)?)?));
        }
        let labels = self.store.labels_at(OBJECT, &numbers)?;
        Ok(Some(self.rows(labels, &blocks)))
    }

    fn rows(&self, objects: Cells, blocks: &[(String, Block)]) -> CurvesPart {
        let columns: Vec<(&ValueColumn, &Block)> = self
            .columns
            .iter()
            .filter_map(|column| {
                let (_, block) = blocks.iter().find(|(name, _)| *name == column.array)?;
                Some((column, block))
            })
            .collect();
        // Which object, epoch and measurement each row is of.
        let (mut kept, mut lengths) = (Vec::new(), Vec::with_capacity(objects.len()));
        for o in 0..objects.len() {
            let before = kept.len();
            for e in 0..self.epochs.len() {
                for m in 0..self.measurements.len() {
                    let recorded = self
                        .recorded
                        .as_ref()
                        .is_none_or(|recorded| recorded[e * self.measurements.len() + m]);
                    let there = || columns.iter().any(|(column, block)| !column.is_missing(block, (o, e, m)));
                    if recorded && (self.query.gaps || there()) {
                        kept.push((o, e, m));
                    }
                }
            }
            lengths.push(kept.len() - before);
        }
        let mut rows = vec![
            taken(&objects, kept.iter().map(|(o, _, _)| *o)),
            taken(&self.epoch_labels, kept.iter().map(|(_, e, _)| *e)),
        ];
        if let Some(times) = &self.times {
            rows.push(Cells::Float(kept.iter().map(|(_, e, _)| times[*e]).collect()));
        }
        if let Some(labels) = &self.measurement_labels {
            rows.push(taken(labels, kept.iter().map(|(_, _, m)| *m)));
        }
        rows.extend(columns.iter().map(|(column, block)| column.cells(block, &kept)));
        CurvesPart { objects, lengths, rows }
    }
}

/// What is meant by numbers in their order, each there once: a range where they follow each other.
fn picked(numbers: &[u64]) -> Picked<'_> {
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if last - first + 1 == numbers.len() as u64 => {
            Picked::Range(*first..last + 1)
        }
        _ => Picked::List(numbers),
    }
}

/// Elements of a column, again and again.
fn taken(cells: &Cells, places: impl Iterator<Item = usize>) -> Cells {
    match cells {
        Cells::Text(known) => {
            let mut texts = Texts::default();
            places.for_each(|k| texts.push(known.get(k)));
            Cells::Text(texts)
        }
        Cells::Float(known) => Cells::Float(places.map(|k| known[k]).collect()),
        Cells::Single(known) => Cells::Single(places.map(|k| known[k]).collect()),
        Cells::Integer(known) => Cells::Integer(places.map(|k| known[k]).collect()),
        Cells::Bool(known) => Cells::Bool(places.map(|k| known[k]).collect()),
    }
}
