//! Light curves as rows: some objects, at some epochs, in some measurements, in the order in which they are stored and in bounded memory.

mod memory;
mod query;
mod values;

use zarrange_array::Array;
use zarrange_grid::index;
use zarrange_table::{Cells, Column, Field, Shape, Texts};

pub use self::query::{Query, When, Which};

use crate::LightCurveError;
use crate::curves::memory::{Budget, object_bytes};
use crate::curves::query::{Numbers, TIME};
use crate::curves::values::{Block, ValueColumn, value_columns};
use crate::store::LightCurveStore;
use crate::store::memory::Share;
use crate::store::number::Number;
use crate::store::picks::Picked;
use crate::store::read::{ValuesReader, Wanted};
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT, UNITS};
use crate::store::side::{text_bytes, texts_at, texts_within};

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
    left_out: Vec<String>,
    /// The times of a store of sequences: they say whether there is an observation, and its order.
    own_times: Option<ValueColumn>,
    /// A reader of each array that they are of.
    readers: Vec<(String, ValuesReader<'a>)>,
    budget: Budget,
    /// Objects of a part at most, and those that were read.
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
    /// [`LightCurveError::NoLabel`] and others, if something that is asked for is not there, [`LightCurveError::Room`] if a chunk or the
    /// light curve of one object needs more memory.
    pub fn curves<'a>(&'a self, query: &'a Query, bytes_max: u64) -> Result<Curves<'a>, LightCurveError> {
        let mut budget = Budget::new(bytes_max);
        let share = budget.share();
        budget.take(query.memory_bytes());
        budget.list("epochs and their times", self.schema().epochs().size, 24)?;
        let measured = self.schema().dimension(MEASUREMENT);
        budget.list("measurements", measured.map_or(1, |measured| measured.size), 8)?;
        let (epochs, measurements) =
            (self.epochs(&query.epochs, share)?, self.measurements(&query.measurements, share)?);
        let (columns, left_out) = value_columns(self, &query.arrays, share)?;
        let own_times = self.own_times(share)?;
        let times = if self.schema().epochs().side.iter().any(|side| side == TIME) {
            let times = self.numbers(TIME, budget.all().part(2))?;
            Some(epochs.iter().map(|epoch| times.get(index(*epoch)).copied().unwrap_or(f64::NAN)).collect())
        } else {
            None
        };
        let rows = (epochs.len() as u64).saturating_mul(measurements.len() as u64);
        if query.recorded {
            budget.list("what is recorded", rows, 1)?;
        }
        let recorded = query.recorded.then(|| self.recorded(&epochs, &measurements)).transpose()?;
        let epoch_labels = self.labels_at(&self.schema().epochs().name, &epochs, share)?;
        let measurement_labels =
            measured.map(|_| self.labels_at(MEASUREMENT, &measurements, share)).transpose()?;
        let mut longest = 0;
        for cells in [Some(&epoch_labels), measurement_labels.as_ref()].into_iter().flatten() {
            let (sum, most) = lengths(cells);
            budget.take(sum);
            longest += most;
        }
        let mut names: Vec<&str> = Vec::new();
        for column in columns.iter().chain(&own_times) {
            if !names.contains(&column.array.as_str()) {
                budget.array(self.named(&column.array)?)?;
                names.push(&column.array);
            }
        }
        let objects = self.objects(&query.objects, &mut budget)?;
        let step = budget.objects(object_bytes(&columns, rows, longest))?;
        let readers = names.iter().map(|name| Ok(((*name).to_owned(), self.reader(name)?)));
        let readers = readers.collect::<Result<_, LightCurveError>>()?;
        let mut curves = Curves {
            store: self,
            query,
            fields: Vec::new(),
            epoch_labels,
            measurement_labels,
            times,
            objects,
            measurements,
            epochs,
            recorded,
            columns,
            left_out,
            own_times,
            readers,
            budget,
            step,
            done: 0,
        };
        curves.step = curves.aligned(step)?;
        curves.fields = curves.named()?;
        Ok(curves)
    }

    /// The column of times, where each object has its own.
    fn own_times(&self, share: Share) -> Result<Option<ValueColumn>, LightCurveError> {
        let is_sequence = self.schema().epochs().name == EPOCHS[1];
        let Some(array) = self.values(TIME).filter(|array| is_sequence && array.shape().len() == 2) else {
            return Ok(None);
        };
        let is_float = matches!(Number::of(array.elements()?), Some(Number::Float64 | Number::Float32));
        if !is_float {
            return Ok(None);
        }
        match value_columns(self, &[TIME.to_owned()], share) {
            // In an order that is not known.
            Err(LightCurveError::Packed { .. }) => Ok(None),
            times => Ok(times?.0.pop()),
        }
    }

    /// Labels of a dimension at `places`, which are in their order, within `share`: text, or numbers where labels are whole numbers or
    /// missing.
    pub(crate) fn labels_at(
        &self,
        dimension: &str,
        places: &[u64],
        share: Share,
    ) -> Result<Cells, LightCurveError> {
        let Some(name) = self.schema().named(dimension)?.labels.as_deref() else {
            return Ok(numbers(places));
        };
        let array = self.side(name)?;
        let labels = texts_at(&array, places, share)?;
        Ok(cells(&array, &labels))
    }
}

/// Numbers as labels.
fn numbers(places: &[u64]) -> Cells {
    Cells::Integer(places.iter().map(|place| i64::try_from(*place).ok()).collect())
}

/// Labels of an array as a column: numbers that a table can have, where they are whole; larger ones are text.
fn cells(array: &Array, labels: &[String]) -> Cells {
    let number = array.elements().ok().and_then(|elements| Number::of(elements));
    if matches!(number, Some(Number::Integer { bytes, signed }) if signed || bytes < 8) {
        return Cells::Integer(labels.iter().map(|label| label.parse().ok()).collect());
    }
    let mut texts = Texts::default();
    for label in labels {
        texts.push(label);
    }
    Cells::Text(texts)
}

/// Memory of labels, and the bytes of the longest one.
fn lengths(labels: &Cells) -> (u64, u64) {
    match labels {
        Cells::Text(texts) => (0..labels.len())
            .map(|k| texts.get(k).len())
            .fold((0, 0), |(sum, most), length| (sum + text_bytes(length), most.max(length as u64))),
        Cells::Float(_) | Cells::Single(_) | Cells::Integer(_) | Cells::Bool(_) => {
            (16 * labels.len() as u64, 0)
        }
    }
}

impl Curves<'_> {
    /// The columns of rows: object, epoch, its time, measurement, and values.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Arrays of values that have no column, because they hold no numbers.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The table that its rows are: a row for each, or one for each object with a list of what was measured, which is called `list`.
    ///
    /// # Errors
    /// [`LightCurveError::SameName`] if the list is called like the column beside it, or if labels cannot be read.
    pub fn shape(&self, list: Option<&str>) -> Result<Shape, LightCurveError> {
        let mut kinds =
            vec![self.store.labels_at(OBJECT, &[], self.budget.share())?.kind(), self.epoch_labels.kind()];
        kinds.extend(self.times.as_ref().map(|_| zarrange_table::Kind::Float));
        kinds.extend(self.measurement_labels.as_ref().map(Cells::kind));
        kinds.extend(self.columns.iter().map(ValueColumn::kind));
        let columns = self.fields.iter().zip(kinds);
        let mut flat: Vec<Column> =
            columns.map(|(field, kind)| Column { name: field.name.clone(), kind }).collect();
        if let Some(name) = list.filter(|name| *name == OBJECT) {
            return Err(LightCurveError::SameName { name: name.to_owned() });
        }
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
            let array = self.store.side(name)?;
            let days = array.elements().is_ok_and(|elements| elements.element.is_date());
            let attributes = array.document().attributes();
            let told = attributes.get("units").and_then(|unit| unit.as_str().map(str::to_owned));
            Ok(if days { Some("d".to_owned()) } else { told })
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
        let same = |k: &usize| fields[..*k].iter().any(|field| field.name == fields[*k].name);
        match (0..fields.len()).find(same) {
            Some(k) => Err(LightCurveError::SameName { name: fields[k].name.clone() }),
            None => Ok(fields),
        }
    }

    /// The unit of all measurements that are read, where the store has units for each, and they are the same.
    fn common_unit(&self) -> Result<Option<String>, LightCurveError> {
        let Some(dimension) = self.store.schema().dimension(MEASUREMENT) else { return Ok(None) };
        let Some(name) = dimension.side.iter().find(|side| UNITS.contains(&side.as_str())) else {
            return Ok(None);
        };
        let units = texts_at(&self.store.side(name)?, &self.measurements, self.budget.share())?;
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
        let from = self.done;
        let labels = self.object_labels(from, count)?;
        let to = from + labels.len() as u64;
        self.done = to;
        let objects = match &self.objects {
            Numbers::Range(range) => Picked::Range(range.start + from..range.start + to),
            Numbers::List(list) => Picked::List(&list[index(from)..index(to)]),
        };
        let measurements = picked(&self.measurements);
        let epochs = picked(&self.epochs);
        let wanted = Wanted { objects, measurements, epochs };
        let mut blocks: Vec<(String, Block)> = Vec::new();
        for (name, reader) in &mut self.readers {
            blocks.push((name.clone(), Block::new(self.store, name, reader.read(&wanted)?)?));
        }
        Ok(Some(self.rows(labels, &blocks)))
    }

    /// Labels of the next `count` objects, or of as many as there is room for in all of their rows.
    fn object_labels(&self, from: u64, count: u64) -> Result<Cells, LightCurveError> {
        let places: Vec<u64> = match &self.objects {
            Numbers::Range(range) => (range.start + from..range.start + from + count).collect(),
            Numbers::List(list) => list[index(from)..index(from + count)].to_vec(),
        };
        let Some(name) = self.store.schema().objects().labels.as_deref() else { return Ok(numbers(&places)) };
        let rows = (self.epochs.len() as u64).saturating_mul(self.measurements.len() as u64);
        let bytes = |length: usize| {
            (length as u64).saturating_mul(2).saturating_mul(rows).saturating_add(text_bytes(length))
        };
        let (array, share) = (self.store.side(name)?, self.budget.share());
        let labels = texts_within(&array, &places, (self.budget.labels(), share), &bytes)?;
        if labels.is_empty() {
            let longest = texts_within(&array, &places[..1], (u64::MAX, share), &bytes)?;
            let needed = longest.first().map_or(0, |label| bytes(label.len()));
            self.budget.label(needed)?;
        }
        Ok(cells(&array, &labels))
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
        let own_times = self.own_times.as_ref().and_then(|times| {
            let (_, block) = blocks.iter().find(|(name, _)| *name == times.array)?;
            Some((times, block))
        });
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
                    let there = || match own_times {
                        // Without its time an observation does not count yet.
                        Some((times, block)) => !times.is_missing(block, (o, e, m)),
                        None => columns.iter().any(|(column, block)| !column.is_missing(block, (o, e, m))),
                    };
                    if recorded && (self.query.gaps || there()) {
                        kept.push((o, e, m));
                    }
                }
            }
            if let Some((times, block)) = own_times {
                // Observations lie in the order in which they were added; gaps come last.
                let time = |place| times.value(block, place);
                let last = |time: f64| (time.is_nan(), time);
                kept[before..].sort_by(|a, b| {
                    let ((a_is_gap, a), (b_is_gap, b)) = (last(time(*a)), last(time(*b)));
                    a_is_gap.cmp(&b_is_gap).then(a.total_cmp(&b))
                });
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
