//! What can go wrong with light curves.

use zarrange_array::ArrayError;

/// A table that cannot be ingested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LightCurveError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The table.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not a table.
    #[error("{path}: {source}")]
    Csv {
        /// The table.
        path: String,
        /// Why not.
        source: csv::Error,
    },
    /// A column that is needed is missing.
    #[error("{path}: no column {name:?}: the header must have object_id,time,band,mag,magerr, in any order")]
    Column {
        /// The table.
        path: String,
        /// Name of the column.
        name: &'static str,
    },
    /// A value that is not a number.
    #[error("{path}, line {line}: {column} is {value:?}, expected {expected}")]
    Value {
        /// The table.
        path: String,
        /// Line of the table, from 1.
        line: u64,
        /// Name of the column.
        column: &'static str,
        /// The text.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// More bands than codes.
    #[error("{path}, line {line}: more than {max} bands: is the band column right?")]
    Bands {
        /// The table.
        path: String,
        /// Line of the table, from 1.
        line: u64,
        /// The most bands there can be.
        max: usize,
    },
    /// The table does not fit the memory.
    #[error(
        "{path}: no room for {what} in the {bytes_max} bytes of --max-mem, after {rows} measurements of {objects} objects with \
         {name_bytes} bytes of names: raise --max-mem, or ingest the table in parts"
    )]
    Memory {
        /// The table.
        path: String,
        /// The bound.
        bytes_max: u64,
        /// What there is no room for.
        what: &'static str,
        /// Measurements so far.
        rows: u64,
        /// Objects so far.
        objects: u64,
        /// Bytes of their names.
        name_bytes: u64,
    },
    /// A chunk does not fit the memory that the measurements leave.
    #[error(
        "a chunk of {array} takes {bytes} bytes, the measurements leave {left} of --max-mem {bytes_max}: choose smaller --chunks, or \
         raise --max-mem to at least {}", (bytes_max - left).saturating_add(*bytes)
    )]
    ChunkMemory {
        /// The array.
        array: &'static str,
        /// What writing a chunk takes.
        bytes: u64,
        /// What is left.
        left: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// The table has no rows.
    #[error("{path}: no measurements")]
    Empty {
        /// The table.
        path: String,
    },
    /// The arrays cannot be written.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Bytes cannot be written.
    #[error(transparent)]
    Io(#[from] zarrange_io::IoError),
}
