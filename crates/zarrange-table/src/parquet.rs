//! Parquet: flat columns, and columns of lists as light curves are kept in, one row an object.
//!
//! **Where a column of lists is wanted, the table is exploded:** one row for each element, and flat columns are repeated. It does not matter
//! whether these are lists of structs or structs of lists. Places are rows of the file, so that elements of a list have the same place. Where
//! only flat columns are wanted, there is a row for each row of the file.
//!
//! A column is called by its last name, `time` of `lc.list.element.time`, and where another ends in the same, by all of its names but those
//! that the format needs for lists: `lc.time`.
//!
//! The crate `parquet` decodes. It trusts what a file says, and panics or allocates without bound where that is wrong; so pages are read
//! and looked over here, and what it still panics on is caught.

mod codec;
mod column;
mod footer;
mod label;
mod leaf;
mod packed;
mod pages;
#[cfg(test)]
mod tests;
mod thrift;

use std::fs::File;
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaData;

use crate::batch::{BadRow, Batch, Kind, ROWS_MAX, TEXT_BYTES};
use crate::error::TableError;
use crate::input::Input;
use crate::table::{Field, Places, Rows, Table};
use column::{Column, Values};
use label::Label;
use leaf::{Leaf, Of};
use pages::Pages;

/// Whether a file with these first bytes is Parquet: after its mark is a struct, where a line of names would go on.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let next = bytes.strip_prefix(footer::MAGIC).map(<[u8]>::first);
    next.is_some_and(|next| next.is_none_or(|byte| *byte < b' ' && !matches!(*byte, b'\t' | b'\n' | b'\r')))
}

/// Opens a table.
pub(crate) fn open(input: &Input) -> Result<Table, TableError> {
    let label = Label { path: input.label() };
    if input.is_gzipped() {
        return Err(label.format("it is gzipped, and Parquet is read in no order: unpack it first"));
    }
    let failed = |source| label.read(source);
    // What was opened to see what it is reads in order.
    let file = File::open(&input.path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let metadata = footer::read(&file, bytes, &label)?;
    let leaves = leaf::leaves(metadata.file_metadata().schema_descr());
    let fields = leaf::fields(&leaves);
    let leaves = leaves.into_iter().map(Arc::new).collect();
    let records = Records {
        label,
        file: Arc::new(file),
        bytes,
        metadata,
        leaves,
        fields: fields.clone(),
        groups: 0,
        columns: Vec::new(),
        left: 0,
        place: 0,
    };
    Ok(Table::new(fields, Places::Rows, Box::new(records)))
}

struct Records {
    label: Label,
    file: Arc<File>,
    bytes: u64,
    metadata: ParquetMetaData,
    leaves: Vec<Arc<Leaf>>,
    fields: Vec<Field>,
    /// Groups of rows opened so far.
    groups: usize,
    /// The columns that are wanted, of the last of these.
    columns: Vec<Column>,
    /// Records of it that are left, and those before the next one in the file.
    left: u64,
    place: u64,
}

impl Rows for Records {
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        for at in wanted {
            if let Of::Odd(what) = &self.leaves[*at].of {
                return Err(self.label.column(&self.fields[*at].name, what.clone()));
            }
        }
        let kinds: Vec<Kind> = wanted.iter().map(|at| self.leaves[*at].of.kind()).collect();
        let exploded = wanted.iter().any(|at| self.leaves[*at].nested);
        batch.begin(&kinds);
        while batch.rows() + batch.bad.len() < ROWS_MAX && batch.data_bytes() < TEXT_BYTES {
            if self.left == 0 {
                if !self.next_group(wanted)? {
                    return Ok(batch.rows() + batch.bad.len() > 0);
                }
            } else if exploded {
                self.take_elements(batch)?;
            } else {
                self.take_records(batch)?;
            }
        }
        Ok(true)
    }
}

impl Records {
    /// Opens the next group of rows; `false` if there is none.
    fn next_group(&mut self, wanted: &[usize]) -> Result<bool, TableError> {
        if self.groups == self.metadata.num_row_groups() {
            return Ok(false);
        }
        let group = self.metadata.row_group(self.groups);
        let wrong = |reason: &str| self.label.format(format!("group {} of rows: {reason}", self.groups));
        let rows = u64::try_from(group.num_rows()).map_err(|_| wrong("it would have fewer than no rows"))?;
        if group.num_columns() != self.leaves.len() {
            return Err(wrong("it has not the columns of the file"));
        }
        let column = |at: &usize| {
            let (leaf, name) = (&self.leaves[*at], &self.fields[*at].name);
            let values = u64::try_from(group.column(*at).num_values()).unwrap_or(0);
            if if leaf.nested { values < rows } else { values != rows } {
                return Err(wrong(&format!("column {name:?} has {values} values for {rows} rows")));
            }
            let pages = Pages::new(&self.file, self.bytes, &self.label, group.column(*at), (leaf, name))?;
            Ok(Column::new(&self.label, name, leaf, pages))
        };
        self.columns = wanted.iter().map(column).collect::<Result<_, TableError>>()?;
        self.groups += 1;
        self.left = rows;
        Ok(true)
    }

    /// Takes rows, one a record.
    fn take_records(&mut self, batch: &mut Batch) -> Result<(), TableError> {
        let room = ROWS_MAX - batch.rows() - batch.bad.len();
        let mut count = usize::try_from(self.left).unwrap_or(usize::MAX).min(room);
        for column in &mut self.columns {
            count = count.min(column.ready()?);
        }
        let (good, fault) =
            fitting(&self.columns, count, true, TEXT_BYTES.saturating_sub(batch.data_bytes()));
        let taken = match fault {
            Some(reason) if good == 0 => {
                batch.bad.push(BadRow { place: self.place + 1, reason });
                1
            }
            Some(_) | None => {
                self.add(batch, good, true);
                batch.places.extend((1..=good as u64).map(|row| self.place + row));
                good
            }
        };
        self.columns.iter_mut().for_each(|column| column.take(taken));
        self.left -= taken as u64;
        self.place += taken as u64;
        Ok(())
    }

    /// Takes rows, one an element, of the next record.
    fn take_elements(&mut self, batch: &mut Batch) -> Result<(), TableError> {
        let left = match self.elements()? {
            Ok(elements) => elements,
            Err(reason) => {
                self.refuse(batch, reason);
                return Ok(());
            }
        };
        let room = ROWS_MAX - batch.rows() - batch.bad.len();
        let text = TEXT_BYTES.saturating_sub(batch.data_bytes());
        let (good, fault) = fitting(&self.columns, left.min(room), false, text);
        if let (0, Some(reason)) = (good, fault) {
            self.refuse(batch, reason);
            return Ok(());
        }
        self.add(batch, good, false);
        let rows = batch.places.len() + good;
        batch.places.resize(rows, self.place + 1);
        self.pass(good == left, |_| good);
        Ok(())
    }

    /// How many elements are left in the lists of the next record; an error is that they differ.
    fn elements(&mut self) -> Result<Result<usize, String>, TableError> {
        // All of them are decoded, so that the record can be left out.
        let mut lists = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            if column.nested() {
                lists.push((column.record()?, column.name()));
            } else {
                column.ready()?;
            }
        }
        let Some((elements, first)) = lists.first() else { return Ok(Ok(0)) };
        Ok(match lists.iter().find(|(other, _)| other != elements) {
            None => Ok(*elements),
            Some((other, name)) => {
                Err(format!("its lists differ: there are {elements} of {first:?}, and {other} of {name:?}"))
            }
        })
    }

    /// Leaves out what is left of the next record.
    fn refuse(&mut self, batch: &mut Batch, reason: String) {
        batch.bad.push(BadRow { place: self.place + 1, reason });
        self.pass(true, Column::rest);
    }

    /// Passes elements of the next record over, and it if they are the `last` ones.
    fn pass(&mut self, last: bool, elements: impl Fn(&Column) -> usize) {
        for column in &mut self.columns {
            if column.nested() {
                let elements = elements(column);
                column.take_elements(elements, last);
            } else {
                column.take(usize::from(last));
            }
        }
        self.left -= u64::from(last);
        self.place += u64::from(last);
    }

    /// Adds the next rows; flat columns are repeated unless there is a row for `each` of their values.
    fn add(&self, batch: &mut Batch, rows: usize, each: bool) {
        for (column, cells) in self.columns.iter().zip(&mut batch.columns) {
            if each || column.nested() {
                column.values.add(column.taken..column.taken + rows, cells);
            } else {
                (0..rows).for_each(|_| column.values.add(column.taken..column.taken + 1, cells));
            }
        }
    }
}

/// How many of the next rows can be added until there are so many bytes of text, one at least; and what is wrong with the next one then.
fn fitting(columns: &[Column], rows: usize, each: bool, bytes_max: usize) -> (usize, Option<String>) {
    let mut bytes = 0;
    let texts: Vec<_> = columns.iter().filter(|column| matches!(column.values, Values::Text(_))).collect();
    if texts.is_empty() {
        return (rows, None);
    }
    for row in 0..rows {
        if bytes > bytes_max {
            return (row, None);
        }
        for column in &texts {
            let moves = each || column.nested();
            match column.text(if moves { row } else { 0 }, moves || row == 0) {
                Ok(text) => bytes += text,
                Err(reason) => return (row, Some(reason)),
            }
        }
    }
    (rows, None)
}
