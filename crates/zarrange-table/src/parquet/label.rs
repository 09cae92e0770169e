//! What goes wrong with a file, told of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::Result as Decoded;

use crate::error::TableError;

/// What errors are told of.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) path: String,
}

impl Label {
    pub(super) fn format(&self, reason: impl Into<String>) -> TableError {
        TableError::Format { path: self.path.clone(), format: "Parquet", reason: reason.into() }
    }

    pub(super) fn read(&self, source: std::io::Error) -> TableError {
        TableError::Read { path: self.path.clone(), source }
    }

    pub(super) fn column(&self, column: &str, what: String) -> TableError {
        TableError::Column { path: self.path.clone(), column: column.to_owned(), what }
    }
}

/// What the crate makes of a file, or why it does not. What it panics on is damage that was not seen before; the message of the panic is
/// printed by whoever has that in hand, which a library must not change.
pub(super) fn without_panic<T>(decode: impl FnOnce() -> Decoded<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|error| error.to_string()),
        Err(_) => Err("it contradicts itself: it is damaged".to_owned()),
    }
}
