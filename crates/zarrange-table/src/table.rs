//! An open table, whatever its format.

use std::cell::Cell;
use std::rc::Rc;

use crate::batch::Batch;
use crate::error::TableError;

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The unit of its numbers, where the table says so.
    pub unit: Option<String>,
}

/// What places of rows count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// Lines of a text file, from 1.
    Lines,
    /// Rows, from 1.
    Rows,
}

/// Rows of some format.
pub(crate) trait Rows {
    /// Reads the next rows of the columns `wanted` into `batch`, which is made anew; `false` if there are no more. Rows that cannot be read
    /// are noted in it. A batch without rows is none at the end.
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError>;
}

/// An open table.
pub struct Table {
    fields: Vec<Field>,
    places: Places,
    rows: Box<dyn Rows>,
    /// Bytes of the file that were read.
    read: Rc<Cell<u64>>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn new(fields: Vec<Field>, places: Places, rows: Box<dyn Rows>) -> Self {
        Self { fields, places, rows, read: Rc::default() }
    }

    pub(crate) fn counted(self, read: Rc<Cell<u64>>) -> Self {
        Self { read, ..self }
    }

    /// Bytes of the file that were read so far: how far it is.
    pub fn bytes_read(&self) -> u64 {
        self.read.get()
    }

    /// Its columns.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The column called `name`; the first one, where there are several.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// What the places of its rows count.
    pub const fn places(&self) -> Places {
        self.places
    }

    /// Reads the next rows of the columns `wanted`, each by its place among [`fields`](Self::fields) and the same ones at each call, into
    /// `batch`, in place of what was in it; `false` if there are no more. There are a few thousand rows in a batch, and some megabytes.
    ///
    /// # Errors
    /// [`TableError`] if the file cannot be read on, or a column wanted is of a type that is not understood.
    ///
    /// # Panics
    /// If a column wanted is none.
    pub fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        assert!(wanted.iter().all(|k| *k < self.fields.len()), "{wanted:?} of {} columns", self.fields.len());
        self.rows.read(wanted, batch)
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lines => "line",
            Self::Rows => "row",
        })
    }
}
