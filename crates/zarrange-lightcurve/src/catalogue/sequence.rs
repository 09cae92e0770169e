//! Filling a store of sequences from tables: rows become observations, which are added as soon as there is no room for more.
//!
//! Rows of all tables wait together, so that those of an object are added in the order of their times. Of a table that breaks off the rows
//! that still wait are forgotten.

mod roles;

use zarrange_table::{Batch, Places, Table};

use crate::LightCurveError;
use crate::catalogue::mapping::Finder;
use crate::catalogue::rejects::Rejects;
use crate::catalogue::sequence::roles::{BandOf, SequenceRoles};
use crate::catalogue::{Given, TableFill, TableReport, units};
use crate::store::LightCurveStore;
use crate::store::fill::Replace;
use crate::store::labels::Labels;
use crate::store::memory::{ALLOWANCE, Share};
use crate::store::schema::OBJECT;
use crate::store::sequence::{Adding, Observations, Origin, Refused};
use crate::table::{BAND_BYTES_MAX, BANDS_MAX};

/// Rows that there is room for at least: some hundred kilobytes.
const ROWS_MIN: usize = 1024;

impl LightCurveStore {
    /// Adds the observations that `tables` have to a store of sequences.
    ///
    /// # Errors
    /// As [`fill_tables`](Self::fill_tables), and if observations cannot be added.
    pub(super) fn fill_sequences(
        &self,
        tables: &[Given],
        how: &TableFill<'_>,
        rejects: &mut Rejects<'_>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<TableReport, LightCurveError> {
        let memory = Share::all(how.memory_bytes_max.max(ALLOWANCE));
        let chunks = memory.part(4).with_allowance();
        let observations = Observations::new(self.sequence_columns(chunks)?);
        let objects = self.schema().objects();
        let labels = Labels::of(self, objects, (memory.part(4).bytes, memory.part(4)))?;
        let mut work = Work {
            store: self,
            labels: [(OBJECT.to_owned(), labels)],
            how,
            adding: Adding {
                // A gap in a table takes nothing away.
                replaces: how.options.replace != Replace::Never,
                // A time is that of its object alone: another one is another observation.
                tolerance: how.mapping.tolerance.unwrap_or(0.0),
                wait: how.options.wait,
                chunks,
            },
            rows_max: observations.room(memory.part(2).bytes).max(ROWS_MIN),
            observations,
            tables: Vec::new(),
            rejects,
            report: TableReport { sequence: Some(crate::Added::default()), ..TableReport::default() },
        };
        let done = work.tables(tables, progress);
        let Work { rejects, report, .. } = work;
        rejects.finish()?;
        done.map(|()| report)
    }
}

/// What tables are read into.
struct Work<'a, 'r, 'f> {
    store: &'a LightCurveStore,
    labels: [(String, Labels); 1],
    how: &'a TableFill<'a>,
    adding: Adding,
    rows_max: usize,
    observations: Observations,
    /// Names of the tables that were begun, and what places in them are.
    tables: Vec<(String, Places)>,
    rejects: &'r mut Rejects<'f>,
    report: TableReport,
}

impl Work<'_, '_, '_> {
    fn tables(&mut self, tables: &[Given], progress: &(dyn Fn(u64) + Sync)) -> Result<(), LightCurveError> {
        for given in tables {
            if let Some(error) = self.table(given, progress)? {
                self.report.failed.push((given.path(), error));
            }
        }
        self.report.sort();
        self.add()
    }

    /// Reads a table. What is returned ended it, and not the others.
    ///
    /// # Errors
    /// If observations cannot be added.
    fn table(
        &mut self,
        given: &Given,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<LightCurveError>, LightCurveError> {
        let label = given.path().display().to_string();
        let (mut table, roles) = match self.begun(given, &label) {
            Ok(begun) => begun,
            Err(error) => return Ok(Some(error)),
        };
        self.tables.push((label, table.places()));
        let number = self.tables.len() - 1;
        let mut row_values = RowValues::new(&roles, &self.observations);
        let (mut first, mut used, mut added, mut told_of) = (self.observations.len(), 0, 0, 0);
        let mut batch = Batch::default();
        loop {
            match table.read(&roles.wanted.wanted, &mut batch) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.observations.truncate(first);
                    return Ok(Some(partly(error.into(), added)));
                }
            }
            for bad in batch.bad() {
                self.reject(number, bad.place, bad.reason.clone())?;
            }
            for row in 0..batch.rows() {
                if self.observations.len() >= self.rows_max {
                    self.add()?;
                    (first, added) = (0, used);
                }
                let origin =
                    Origin { table: u32::try_from(number).unwrap_or(u32::MAX), place: batch.place(row) };
                match row_values.push(
                    (&roles, &self.labels[0].1),
                    (&batch, row),
                    (&mut self.observations, origin),
                ) {
                    Ok(()) => used += 1,
                    Err(reason) => self.reject(number, origin.place, reason)?,
                }
            }
            progress(table.bytes_read() - told_of);
            told_of = table.bytes_read();
        }
    }

    /// Opens a table, and finds out what its columns are.
    fn begun(&self, given: &Given, label: &str) -> Result<(Table, SequenceRoles), LightCurveError> {
        let table = given.open()?;
        let mapping = self.how.mapping;
        let finder = Finder { store: self.store, labels: &self.labels, mapping, table: &table, path: label };
        let roles = finder.sequence_roles()?;
        if !mapping.ignore_units {
            units::check(&finder, &roles.wanted)?;
        }
        Ok((table, roles))
    }

    fn reject(&mut self, table: usize, place: u64, reason: String) -> Result<(), LightCurveError> {
        let (name, places) = &self.tables[table];
        self.rejects.add(name, (*places, place), reason)
    }

    /// Adds the observations that wait.
    fn add(&mut self) -> Result<(), LightCurveError> {
        if self.observations.len() == 0 {
            return Ok(());
        }
        let Self { store, tables, rejects, report, observations, .. } = self;
        let at = |origin: Origin| {
            let (name, places) = &tables[origin.table as usize];
            format!("{name}, {places} {}", origin.place)
        };
        let texts: Vec<_> =
            observations.columns().iter().map(|column| (column.name.clone(), column.number)).collect();
        let mut refused = 0;
        let mut refuse = |origin: Origin, why: Refused<'_>| {
            let text = |k: usize, value: &[u8]| texts[k].1.text(value);
            let reason = match why {
                Refused::Differs { column, there, given } => {
                    let (name, there, given) = (&texts[column].0, text(column, there), text(column, given));
                    format!(
                        "{name} of this observation is {there}, and {given} is given: have it replaced if that is meant"
                    )
                }
                Refused::Twice { first, column, there, given } => {
                    let (name, there, given) = (&texts[column].0, text(column, there), text(column, given));
                    format!("{name} is {given}, and was given before as {there} ({})", at(first))
                }
                Refused::With(first) => {
                    format!("it is the same observation as that of {}, which was rejected", at(first))
                }
                Refused::Bands(band) => {
                    format!("no code is left for band {band:?}: there are {BANDS_MAX} bands at most")
                }
            };
            refused += 1;
            let (name, places) = &tables[origin.table as usize];
            rejects.add(name, (*places, origin.place), reason)
        };
        let rows = observations.len() as u64;
        let added = store.add(observations, &self.adding, &mut refuse);
        let added = added.map_err(|error| partly(error, report.rows))?;
        observations.truncate(0);
        report.rows += rows - refused;
        let sum = report.sequence.get_or_insert_default();
        sum.observations += added.observations;
        sum.written.changed += added.written.changed;
        sum.written.chunks += added.written.chunks;
        Ok(())
    }
}

/// An error after so many rows.
fn partly(error: LightCurveError, rows: u64) -> LightCurveError {
    if rows == 0 { error } else { LightCurveError::Partly { rows, source: Box::new(error) } }
}

/// The values of a row, as their arrays have them.
struct RowValues {
    /// For each column of the observations, that one of the table.
    cells: Vec<Option<usize>>,
    bytes: Vec<u8>,
}

impl RowValues {
    fn new(roles: &SequenceRoles, observations: &Observations) -> Self {
        let cells = |name: &String| {
            let values = roles.wanted.values.iter();
            values.filter(|value| value.array == *name).map(|value| value.column).next()
        };
        let cells = observations.columns().iter().map(|column| cells(&column.name)).collect();
        Self { cells, bytes: Vec::new() }
    }

    /// Adds the observation of a row.
    ///
    /// # Errors
    /// What is wrong with it.
    fn push(
        &mut self,
        (roles, labels): (&SequenceRoles, &Labels),
        (batch, row): (&Batch, usize),
        (observations, origin): (&mut Observations, Origin),
    ) -> Result<(), String> {
        let object = batch.cells(roles.wanted.object).text(row);
        if object.is_empty() {
            return Err("no object".to_owned());
        }
        let object = labels.find(&object).ok_or_else(|| format!("the store has no object {object:?}"))?;
        let time = batch.cells(roles.time).number(row).map_err(|error| format!("time: {error}"))?;
        if !time.is_finite() {
            return Err("no time".to_owned());
        }
        self.bytes.clear();
        for (column, cells) in observations.columns().iter().zip(&self.cells) {
            let (at, name) = (self.bytes.len(), &column.name);
            self.bytes.extend_from_slice(&column.missing);
            let Some(cells) = cells else { continue };
            let value = batch.cells(*cells).number(row).map_err(|error| format!("{name}: {error}"))?;
            let there = &mut self.bytes[at..];
            // Whole numbers have one that says that nothing was measured.
            if !value.is_nan() && (!column.number.encode(value, there) || column.is_missing(there)) {
                return Err(format!("{name} is {value}, which the array cannot hold"));
            }
        }
        let name = match &roles.band {
            BandOf::None => "".into(),
            BandOf::Fixed(name) => name.into(),
            BandOf::Column(cells) => batch.cells(*cells).text(row),
        };
        if name.is_empty() && !matches!(roles.band, BandOf::None) {
            return Err("no band".to_owned());
        }
        if name.len() > BAND_BYTES_MAX {
            return Err(format!("the name of its band is longer than {BAND_BYTES_MAX} bytes"));
        }
        let band = observations
            .band(&name)
            .ok_or_else(|| format!("more than {BANDS_MAX} bands: is the band column right?"))?;
        observations.push((object, time, band), origin, &self.bytes);
        Ok(())
    }
}
