//! Tables are opened as what they begin as.

use std::path::Path;

use crate::error::TableError;
use crate::fits;
use crate::input::{Format, Input};
use crate::table::Table;
use crate::text;

impl Table {
    /// Opens the file at `path`: CSV or another table of lines, gzipped or not.
    ///
    /// # Errors
    /// [`TableError`] if it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let input = Input::open(path)?;
        match input.format() {
            Format::Csv => text::open(input),
            Format::Fits => fits::open(input),
        }
    }
}
