//! Filling from tables: rows become contributions to epochs, in bounded memory. A row that cannot be used is named and does not end the
//! others; of a table that cannot be read nothing is filled.

mod mapping;
mod planes;
mod rejects;
mod sequence;
mod shares;
mod units;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zarrange_grid::Dims;
use zarrange_table::{Batch, Cells, Field, Places, Table, TableError};

pub use self::mapping::Mapping;
pub use self::rejects::{Rejected, Rejects};

use crate::LightCurveError;
use crate::catalogue::mapping::{Finder, Of, Roles, TIME};
use crate::catalogue::planes::{Fillers, Planes, Put, Spot};
use crate::catalogue::shares::Shares;
use crate::store::LightCurveStore;
use crate::store::fill::{FillOptions, FillReport, Replace};
use crate::store::labels::Labels;
use crate::store::memory::{ALLOWANCE, Share};
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};
use crate::store::sequence::Added;

/// How to fill from tables.
#[derive(Clone, Debug)]
pub struct TableFill<'a> {
    /// What columns are.
    pub mapping: &'a Mapping,
    /// How epochs are filled.
    pub options: FillOptions<'a>,
    /// The bound on labels, values that wait, and chunks.
    pub memory_bytes_max: u64,
    /// Threads that read tables and fill.
    pub threads: usize,
}

/// What filling from tables did.
#[derive(Debug, Default)]
pub struct TableReport {
    /// Rows that were used.
    pub rows: u64,
    /// For each epoch what was done.
    pub epochs: BTreeMap<u64, FillReport>,
    /// In a store of sequences, what was added.
    pub sequence: Option<Added>,
    /// Tables that could not be read or used, and why; nothing of them was filled, unless the reason says so.
    pub failed: Vec<(PathBuf, LightCurveError)>,
}

/// A table to be filled from.
#[derive(Clone, Debug)]
enum Given {
    File(PathBuf),
    /// Columns that somebody has, and what they are called in messages.
    Columns(String, Arc<[(Field, Cells)]>),
}

impl Given {
    fn open(&self) -> Result<Table, TableError> {
        match self {
            Self::File(path) => Table::open(path),
            Self::Columns(name, columns) => Table::of_columns(name, columns),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Columns(name, _) => name.into(),
        }
    }
}

impl LightCurveStore {
    /// Fills what the `tables` have. Rows that cannot be used are added to `rejects`; `progress` hears of bytes of tables that were read.
    ///
    /// # Errors
    /// [`LightCurveError`] if labels cannot be read or there is too little memory. What goes wrong with one table is in the report.
    pub fn fill_tables(
        &self,
        tables: &[PathBuf],
        how: &TableFill<'_>,
        rejects: &mut Rejects<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<TableReport, LightCurveError> {
        let tables: Vec<Given> = tables.iter().cloned().map(Given::File).collect();
        self.fill_given(&tables, how, rejects, progress)
    }

    /// Fills what a table has whose columns are in memory; it is called `name` in messages.
    ///
    /// # Errors
    /// As [`fill_tables`](Self::fill_tables).
    pub fn fill_columns(
        &self,
        name: &str,
        columns: Arc<[(Field, Cells)]>,
        how: &TableFill<'_>,
        rejects: &mut Rejects<'_>,
    ) -> Result<TableReport, LightCurveError> {
        self.fill_given(&[Given::Columns(name.to_owned(), columns)], how, rejects, &|_| ())
    }

    fn fill_given(
        &self,
        tables: &[Given],
        how: &TableFill<'_>,
        rejects: &mut Rejects<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<TableReport, LightCurveError> {
        if self.schema().epochs().name != EPOCHS[0] {
            return self.fill_sequences(tables, how, rejects, progress);
        }
        let (labels, shares) = self.prepared(tables.len(), how)?;
        let work = Work {
            store: self,
            labels: &labels,
            times: self.times(shares.all.part(8))?,
            how,
            fillers: Fillers::new(shares.chunk_bytes_max),
            shares,
            rejects: Mutex::new(rejects),
            report: Mutex::new(TableReport::default()),
            progress,
        };
        let next = AtomicUsize::new(0);
        let run = || {
            while let Some(given) = tables.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = work.table(given) {
                    locked(&work.report).failed.push((given.path(), error));
                }
            }
        };
        std::thread::scope(|scope| {
            (1..work.shares.threads).for_each(|_| drop(scope.spawn(run)));
            run();
        });
        let mut report = work.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.sort();
        rejects.finish()?;
        Ok(report)
    }

    /// Labels of all dimensions, and what they leave for `tables`.
    fn prepared(
        &self,
        tables: usize,
        how: &TableFill<'_>,
    ) -> Result<(Vec<(String, Labels)>, Shares), LightCurveError> {
        let bytes_max = how.memory_bytes_max.max(ALLOWANCE);
        let (mut labels, mut left) = (Vec::new(), bytes_max / 4);
        for dimension in &self.schema().dimensions {
            let known = Labels::of(self, dimension, (left, Share::all(bytes_max).part(2)))?;
            left = left.saturating_sub(known.memory_bytes());
            labels.push((dimension.name.clone(), known));
        }
        let taken =
            bytes_max / 4 - left + self.schema().epochs().size.saturating_mul(size_of::<(f64, u64)>() as u64);
        // Replaced is by the last of the tables, so that they are read one after the other.
        let tables = if how.options.replace == Replace::Never { tables } else { 1 };
        Ok((labels, Shares::new(self, (bytes_max, taken), (how.threads, tables))?))
    }

    /// Times of epochs, in their order, each with its epoch; they are read within `share`.
    fn times(&self, share: Share) -> Result<Vec<(f64, u64)>, LightCurveError> {
        if !self.schema().epochs().side.iter().any(|side| side == TIME) {
            return Ok(Vec::new());
        }
        let mut times: Vec<(f64, u64)> =
            self.numbers(TIME, share)?.into_iter().zip(0..).filter(|(time, _)| !time.is_nan()).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(times)
    }
}

impl TableReport {
    /// Puts what failed in the order of the tables' names.
    fn sort(&mut self) {
        self.failed.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What threads that fill share.
struct Work<'a, 'r> {
    store: &'a LightCurveStore,
    labels: &'a [(String, Labels)],
    times: Vec<(f64, u64)>,
    how: &'a TableFill<'a>,
    shares: Shares,
    fillers: Fillers<'a>,
    rejects: Mutex<&'a mut Rejects<'r>>,
    report: Mutex<TableReport>,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Work<'a, '_> {
    /// Fills what one table has.
    fn table(&self, given: &Given) -> Result<(), LightCurveError> {
        let (mut table, label) = (given.open()?, given.path().display().to_string());
        let finder = Finder {
            store: self.store,
            labels: self.labels,
            mapping: self.how.mapping,
            table: &table,
            path: &label,
        };
        let roles = finder.roles()?;
        if !self.how.mapping.ignore_units {
            units::check(&finder, &roles)?;
        }
        if matches!(roles.epoch, Of::Time(_)) && self.times.is_empty() {
            return Err(LightCurveError::NoTimes { location: self.store.label(), variable: TIME });
        }
        let mut arrays: Vec<String> = Vec::new();
        for value in &roles.values {
            if !arrays.contains(&value.array) {
                arrays.push(value.array.clone());
            }
        }
        let mut rows =
            RowFill { work: self, roles: &roles, columns: Vec::new(), unmeasured: 0..0, numbers: Vec::new() };
        rows.columns =
            roles.values.iter().map(|value| rows.column(value, &arrays)).collect::<Result<_, _>>()?;
        if rows.columns.iter().all(|column| column.measurement.is_none()) {
            rows.unmeasured.end = self.store.schema().dimension(MEASUREMENT).map_or(1, |d| d.size);
        }
        let replaces = self.how.options.replace != Replace::Never;
        let mut planes = Planes::new(self.store, &arrays, (self.shares.values, replaces))?;
        let (mut batch, mut used, mut flushed, mut told_of) = (Batch::default(), 0, 0, 0);
        let told = |error: LightCurveError, flushed: u64| match flushed {
            0 => error,
            rows => LightCurveError::Partly { rows, source: Box::new(error) },
        };
        loop {
            if !table.read(&roles.wanted, &mut batch).map_err(|error| told(error.into(), flushed))? {
                break;
            }
            for bad in batch.bad() {
                self.reject(&label, (table.places(), bad.place), bad.reason.clone())?;
            }
            for row in 0..batch.rows() {
                if planes.is_full() {
                    self.flush(&mut planes).map_err(|error| told(error, flushed))?;
                    flushed = used;
                }
                match rows.put(&batch, row, &mut planes) {
                    Ok(()) => used += 1,
                    Err(Wrong::Row(reason)) => {
                        self.reject(&label, (table.places(), batch.place(row)), reason)?;
                    }
                    Err(Wrong::Store(error)) => return Err(told(*error, flushed)),
                }
            }
            (self.progress)(table.bytes_read() - told_of);
            told_of = table.bytes_read();
        }
        self.flush(&mut planes).map_err(|error| told(error, flushed))?;
        locked(&self.report).rows += used;
        Ok(())
    }

    fn reject(&self, table: &str, place: (Places, u64), reason: String) -> Result<(), LightCurveError> {
        locked(&self.rejects).add(table, place, reason)
    }

    fn flush(&self, planes: &mut Planes<'a>) -> Result<(), LightCurveError> {
        let epochs = AtomicUsize::new(0);
        let (options, threads) = (&self.how.options, self.shares.flush_threads);
        let filled = planes.flush(options, (threads, &self.fillers), &|epoch, done| {
            epochs.fetch_add(1, Ordering::Relaxed);
            let mut report = locked(&self.report);
            let sum = report.epochs.entry(epoch).or_default();
            sum.changed += done.changed;
            sum.chunks += done.chunks;
        });
        filled.map_err(|error| match (epochs.into_inner(), Box::new(self.with_labels(error))) {
            (0, error) => *error,
            (epochs, source) => LightCurveError::SomeEpochs { epochs, source },
        })
    }

    /// The error with labels in place of numbers.
    fn with_labels(&self, error: LightCurveError) -> LightCurveError {
        let LightCurveError::Conflict { array, mut labels, there, given } = error else { return error };
        for (dimension, number) in &mut labels {
            let known = self.labels.iter().find(|(name, _)| name == dimension);
            if let Some((_, known)) = known {
                *number = number.parse().map_or_else(|_| number.clone(), |k| known.get(k));
            }
        }
        LightCurveError::Conflict { array, labels, there, given }
    }
}

/// Why a row is not put.
enum Wrong {
    /// Something in it.
    Row(String),
    /// What was filled before cannot be read.
    Store(Box<LightCurveError>),
}

impl From<String> for Wrong {
    fn from(reason: String) -> Self {
        Self::Row(reason)
    }
}

/// A column of values, as rows are put.
struct ValueColumn {
    /// Its place among the arrays of the planes.
    array: usize,
    name: String,
    /// For each dimension of the array but that of epochs where its place comes from.
    axes: Vec<Along>,
    /// Its measurement, where there is one.
    measurement: Option<Along>,
    /// Its place among the columns that are read.
    cells: usize,
}

/// Where a place along a dimension comes from.
#[derive(Clone, Copy)]
enum Along {
    Object,
    Fixed(u64),
    /// That one of the other dimensions of the roles.
    Other(usize),
}

/// Puts rows of a table into planes.
struct RowFill<'a, 'w, 'r> {
    work: &'a Work<'w, 'r>,
    roles: &'a Roles,
    columns: Vec<ValueColumn>,
    /// The measurements that a value is given for which is of none: those of the other columns, or all of them.
    unmeasured: Range<u64>,
    numbers: Vec<f64>,
}

impl<'w> RowFill<'_, 'w, '_> {
    fn column(&self, value: &mapping::Value, arrays: &[String]) -> Result<ValueColumn, LightCurveError> {
        let array = self.work.store.named(&value.array)?;
        let along = |name: &str| {
            if name == OBJECT {
                return Along::Object;
            }
            if let Some((_, k)) = value.at.iter().find(|(known, _)| known == name) {
                return Along::Fixed(*k);
            }
            let other = self.roles.others.iter().position(|(known, _)| known == name);
            Along::Other(
                other.unwrap_or_else(|| unreachable!("every dimension of a column of values has a role")),
            )
        };
        let names = array.document().dimension_names().unwrap_or_default().into_iter().flatten();
        let names: Vec<String> = names.filter(|name| !EPOCHS.contains(&name.as_str())).collect();
        Ok(ValueColumn {
            array: arrays.iter().position(|name| *name == value.array).unwrap_or_default(),
            name: value.array.clone(),
            axes: names.iter().map(|name| along(name)).collect(),
            measurement: names.iter().any(|name| name == MEASUREMENT).then(|| along(MEASUREMENT)),
            cells: value.column,
        })
    }

    /// Puts the values of a row.
    ///
    /// # Errors
    /// What is wrong with it.
    fn put(&mut self, batch: &Batch, row: usize, planes: &mut Planes<'w>) -> Result<(), Wrong> {
        let object = self.label(OBJECT, batch, self.roles.object, row)?;
        let epochs = &self.work.store.schema().epochs().name;
        let epoch = match self.roles.epoch {
            Of::Fixed(epoch) => epoch,
            Of::Label(cells) => self.label(epochs, batch, cells, row)?,
            Of::Time(cells) => self.epoch_at(batch, cells, row)?,
        };
        let mut others = Dims::new();
        for (name, of) in &self.roles.others {
            others.push(match of {
                Of::Fixed(k) => *k,
                Of::Label(cells) | Of::Time(cells) => self.label(name, batch, *cells, row)?,
            });
        }
        // Nothing of a row is put that has something wrong in it.
        self.numbers.clear();
        for column in &self.columns {
            let number = batch.cells(column.cells).number(row);
            self.numbers.push(number.map_err(|error| format!("{}: {error}", column.name))?);
        }
        let columns = || self.columns.iter().zip(&self.numbers);
        for (writes, (column, number)) in
            [false, true].into_iter().flat_map(|writes| columns().map(move |c| (writes, c)))
        {
            let place = |along: &Along| match along {
                Along::Object => object,
                Along::Fixed(k) => *k,
                Along::Other(k) => others[*k],
            };
            let position: Dims = column.axes.iter().map(place).collect();
            let measurements = match column.measurement.as_ref().map(place) {
                Some(measurement) => measurement..measurement + 1,
                None => self.unmeasured.clone(),
            };
            let spot = Spot { epoch, array: column.array, position: &position, measurements };
            match planes.put(&spot, (*number, writes), &self.work.fillers) {
                Put::Done => {}
                Put::Differs(there) => {
                    return Err(
                        format!("{} is {number}, and was given before as {there}", column.name).into()
                    );
                }
                Put::Unfit => {
                    return Err(format!("{} is {number}, which the array cannot hold", column.name).into());
                }
                Put::Failed(error) => return Err(Wrong::Store(error)),
            }
        }
        Ok(())
    }

    /// The number of what a column names.
    fn label(&self, dimension: &str, batch: &Batch, cells: usize, row: usize) -> Result<u64, String> {
        let text = batch.cells(cells).text(row);
        if text.is_empty() {
            return Err(format!("no {dimension}"));
        }
        let labels = self.work.labels.iter().find(|(name, _)| name == dimension).map(|(_, labels)| labels);
        labels
            .and_then(|labels| labels.find(&text))
            .ok_or_else(|| format!("the store has no {dimension} {text:?}"))
    }

    /// The epoch next to the time of a row.
    fn epoch_at(&self, batch: &Batch, cells: usize, row: usize) -> Result<u64, String> {
        let time = batch.cells(cells).number(row).map_err(|error| format!("time: {error}"))?;
        if !time.is_finite() {
            return Err("no time".to_owned());
        }
        let times = &self.work.times;
        let after = times.partition_point(|(known, _)| *known < time);
        let near = &times[after.saturating_sub(1)..times.len().min(after + 2)];
        let away = |(known, _): &(f64, u64)| (known - time).abs();
        let next = near.iter().min_by(|a, b| away(a).total_cmp(&away(b)));
        if let Some(next) =
            next.filter(|next| near.iter().filter(|other| away(other) <= away(next)).count() > 1)
        {
            return Err(format!("several epochs are as near to time {time} as that at {}", next.0));
        }
        let tolerance = self.work.how.mapping.epoch_tolerance();
        match next {
            Some((known, epoch)) if (known - time).abs() <= tolerance => Ok(*epoch),
            Some((known, _)) => Err(format!(
                "no epoch within {tolerance} of time {time}: the next is {known}, {:.6} away",
                (known - time).abs()
            )),
            None => Err(format!("no epoch at time {time}")),
        }
    }
}
