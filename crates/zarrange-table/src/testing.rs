//! What tests of all formats share.

use std::path::PathBuf;

use crate::{Batch, Table, TableError};

/// A file of these bytes, and the directory that holds it.
pub(crate) fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.table");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// All of a table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Names of its columns, with their units: `time [d]`.
    pub(crate) names: Vec<String>,
    /// Its rows: `place: field|field`.
    pub(crate) rows: Vec<String>,
    /// Its bad rows: `place: reason`.
    pub(crate) bad: Vec<String>,
}

/// Reads all of the table of these bytes.
pub(crate) fn read(bytes: &[u8]) -> Result<Read, TableError> {
    let (_dir, path) = file(bytes);
    let mut table = Table::open(&path)?;
    let name = |field: &crate::Field| match &field.unit {
        Some(unit) => format!("{} [{unit}]", field.name),
        None => field.name.clone(),
    };
    let names: Vec<String> = table.fields().iter().map(name).collect();
    let wanted: Vec<usize> = (0..names.len()).collect();
    let (mut batch, mut rows, mut bad) = (Batch::default(), Vec::new(), Vec::new());
    while table.read(&wanted, &mut batch)? {
        for row in 0..batch.rows() {
            let fields: Vec<_> = wanted.iter().map(|k| batch.cells(*k).text(row).into_owned()).collect();
            rows.push(format!("{}: {}", batch.place(row), fields.join("|")));
        }
        bad.extend(batch.bad().iter().map(|bad| format!("{}: {}", bad.place, bad.reason)));
    }
    Ok(Read { names, rows, bad })
}
