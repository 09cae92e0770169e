//! Tables are opened as what they begin as.

use std::path::Path;

use crate::error::TableError;
use crate::input::{Input, MARK};
use crate::table::Table;
use crate::{ecsv, fits, parquet, sextractor, text, votable};

impl Table {
    /// Opens the file at `path`: CSV, ECSV, a catalogue of `SExtractor`, a `VOTable`, a binary table of FITS, gzipped or
    /// not, or Parquet.
    ///
    /// # Errors
    /// [`TableError`] if it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let mut input = Input::open(path)?;
        let read = input.read.clone();
        let begin = input.begin()?;
        // Some editors mark text by these bytes.
        let begin = begin.strip_prefix(MARK).unwrap_or(begin);
        let table = if parquet::begins(begin) {
            parquet::open(&input)
        } else if fits::begins(begin) {
            fits::open(input)
        } else if ecsv::begins(begin) {
            ecsv::open(input)
        } else if sextractor::begins(begin) {
            sextractor::open(input)
        } else if votable::begins(begin) {
            votable::open(input)
        } else {
            text::open(input)
        };
        Ok(table?.counted(read))
    }
}
