//! Tables that are in memory already.

use std::sync::Arc;

use crate::batch::{Batch, Cells, ROWS_MAX};
use crate::error::TableError;
use crate::table::{Field, Places, Rows, Table};

/// Rows of columns, and how many of them were read.
struct InMemory {
    columns: Arc<[(Field, Cells)]>,
    rows: usize,
    done: usize,
}

impl Table {
    /// A table of columns that somebody has. It is called `name` in messages.
    ///
    /// # Errors
    /// [`TableError::Format`] if they are not equally long, or if there are none.
    ///
    /// ```
    /// use zarrange_table::{Batch, Cells, Field, Table};
    ///
    /// let flux = Field { name: "flux".to_owned(), unit: Some("nJy".to_owned()) };
    /// let mut table = Table::of_columns("a catalogue", &[(flux, Cells::Float(vec![1.5, 2.5]))].into())?;
    /// let mut batch = Batch::default();
    /// assert!(table.read(&[0], &mut batch)? && batch.cells(0).number(1) == Ok(2.5));
    /// # Ok::<(), zarrange_table::TableError>(())
    /// ```
    pub fn of_columns(name: &str, columns: &Arc<[(Field, Cells)]>) -> Result<Self, TableError> {
        let wrong =
            |reason: String| TableError::Format { path: name.to_owned(), format: "in-memory", reason };
        let rows = columns.first().ok_or_else(|| wrong("it has no columns".to_owned()))?.1.len();
        if let Some((field, cells)) = columns.iter().find(|(_, cells)| cells.len() != rows) {
            let reason =
                format!("column {:?} has {} rows, the first one has {rows}", field.name, cells.len());
            return Err(wrong(reason));
        }
        let fields = columns.iter().map(|(field, _)| field.clone()).collect();
        let rows = InMemory { columns: columns.clone(), rows, done: 0 };
        Ok(Self::new(fields, Places::Rows, Box::new(rows)))
    }
}

impl Rows for InMemory {
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        let kinds: Vec<_> = wanted.iter().map(|k| self.columns[*k].1.kind()).collect();
        batch.begin(&kinds);
        let rows = self.done..self.rows.min(self.done + ROWS_MAX);
        for (k, at) in wanted.iter().enumerate() {
            batch.columns[k].append(&self.columns[*at].1, rows.clone());
        }
        batch.places.extend(rows.clone().map(|row| row as u64 + 1));
        self.done = rows.end;
        Ok(!rows.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Texts;

    #[test]
    fn rows_come_in_batches() {
        let rows = ROWS_MAX + 3;
        let mut texts = Texts::default();
        (0..rows).for_each(|row| texts.push(&row.to_string()));
        let columns = [("name", Cells::Text(texts)), ("flux", Cells::Single(vec![0.5; rows]))];
        let field = |name: &str| Field { name: name.to_owned(), unit: None };
        let columns = columns.map(|(name, cells)| (field(name), cells)).into();
        let mut table = Table::of_columns("t", &columns).unwrap();
        let (mut batch, mut found) = (Batch::default(), Vec::new());
        while table.read(&[1, 0], &mut batch).unwrap() {
            let last = batch.rows() - 1;
            found.push((batch.rows(), batch.cells(1).text(last).into_owned(), batch.place(last)));
            assert_eq!(batch.cells(0).number(last), Ok(0.5));
        }
        assert_eq!(found, [(ROWS_MAX, "8191".to_owned(), 8192), (3, "8194".to_owned(), 8195)]);
    }

    #[test]
    fn what_is_no_table_is_named() {
        let check = |lengths: &[usize], expected: &str| {
            let column =
                |n: &usize| (Field { name: format!("c{n}"), unit: None }, Cells::Float(vec![0.0; *n]));
            let columns: Arc<[_]> = lengths.iter().map(column).collect();
            let error = Table::of_columns("mine", &columns).unwrap_err().to_string();
            assert!(error.contains("mine") && error.contains(expected), "{error}");
        };
        check(&[], "no columns");
        check(&[2, 3], "\"c3\" has 3 rows, the first one has 2");
    }
}
