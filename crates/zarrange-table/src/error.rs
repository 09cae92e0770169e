//! What can go wrong with tables.

use std::io;

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The table.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The file is not what it begins as, or ends too early.
    #[error("{path} is no {format} table that can be read: {reason}")]
    Format {
        /// The table.
        path: String,
        /// What it was taken for.
        format: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// A column of a type that is not understood; the others can be read.
    #[error(
        "{path}: column {column:?} holds {what}, which is not understood: leave it out, or write it as numbers or text"
    )]
    Column {
        /// The table.
        path: String,
        /// Name of the column.
        column: String,
        /// What it holds.
        what: String,
    },
}
