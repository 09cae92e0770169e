//! Rows that could not be used: counted, the first ones kept, all of them written to a file if there is one.

use std::io::Write;

use zarrange_table::Places;

use crate::LightCurveError;

/// Rejected rows that are kept to be shown.
const KEPT: usize = 10;

/// A row that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The table.
    pub table: String,
    /// Where in it, such as `line 7`.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// Rows that could not be used.
pub struct Rejects<'a> {
    count: u64,
    first: Vec<Rejected>,
    file: Option<csv::Writer<Box<dyn Write + Send + 'a>>>,
}

impl std::fmt::Debug for Rejects<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rejects").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<'a> Rejects<'a> {
    /// None yet. All that come are written to `file` as CSV: table, place, reason.
    pub fn new(file: Option<Box<dyn Write + Send + 'a>>) -> Self {
        Self { count: 0, first: Vec::new(), file: file.map(csv::Writer::from_writer) }
    }

    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn first(&self) -> &[Rejected] {
        &self.first
    }

    pub(super) fn add(
        &mut self,
        table: &str,
        (places, place): (Places, u64),
        reason: String,
    ) -> Result<(), LightCurveError> {
        let rejected = Rejected { table: table.to_owned(), place: format!("{places} {place}"), reason };
        if let Some(file) = &mut self.file {
            let failed = |error: csv::Error| LightCurveError::Rejects { source: error.into() };
            if self.count == 0 {
                file.write_record(["table", "place", "reason"]).map_err(failed)?;
            }
            file.write_record([&rejected.table, &rejected.place, &rejected.reason]).map_err(failed)?;
        }
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(rejected);
        }
        Ok(())
    }

    /// Writes what is left to be written.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn finish(&mut self) -> Result<(), LightCurveError> {
        self.file
            .as_mut()
            .map_or(Ok(()), csv::Writer::flush)
            .map_err(|source| LightCurveError::Rejects { source })
    }
}
