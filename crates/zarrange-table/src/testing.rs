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

/// Reads files like a good one, in which bytes are others, missing or repeated: whatever comes of it, nothing may panic.
pub(crate) fn survive(good: &[u8]) {
    /// Bytes that mean something in one format or another.
    const ODD: &[u8] = b"\0 \n\t\"'#<>&;[]{}:,-=/*?!A9\xff";
    let mut state = 12_345_u64;
    let mut below = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % most.max(1)
    };
    for round in 0..400 {
        let mut bytes = good.to_vec();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            match round % 4 {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes[at] = ODD[below(ODD.len())],
                2 => bytes.truncate(at.max(1)),
                _ => {
                    let end = bytes.len().min(at + below(40));
                    let part = bytes[at..end].to_vec();
                    let to = below(bytes.len());
                    bytes.splice(to..to, part);
                }
            }
        }
        let _ = read(&bytes);
    }
}

/// These texts, as they are compared.
pub(crate) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The table of these bytes has these names and rows, and these bad rows.
pub(crate) fn check(bytes: &[u8], names: &[&str], rows: &[&str], bad: &[&str]) {
    let expected = Read { names: owned(names), rows: owned(rows), bad: owned(bad) };
    assert_eq!(read(bytes).unwrap(), expected, "{}", String::from_utf8_lossy(bytes));
}

/// The table of these bytes cannot be read, and this is why.
pub(crate) fn check_fails(bytes: &[u8], reason: &str) {
    let error = read(bytes).unwrap_err().to_string();
    assert!(error.contains(reason) && error.contains("some.table"), "{error}");
}
