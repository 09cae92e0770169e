//! Files that are not Zarr, copied along.

use std::sync::Arc;

use zarrange_array::{Beside, Survey, Without, each_beside};
use zarrange_grid::index;
use zarrange_io::{Access, IoError, Store};

use crate::RechunkError;
use crate::budget::Budget;

/// Files are copied in pieces of at most this size.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// Copies every file of `source` that is neither metadata nor a chunk to its place in `target`.
pub(crate) fn copy(
    (source, target): (&Store, &Store),
    without: Without<'_>,
    budget: &Arc<Budget>,
) -> Result<(), RechunkError> {
    let mut buffer = budget.take((budget.max() / 2).clamp(1, PIECE_BYTES_MAX))?;
    let mut found = Survey { nodes: Vec::new(), failed: Vec::new(), beside: Beside::default() };
    let mut failed = None;
    each_beside(source, without, &mut found, &mut |key| {
        if failed.is_none() {
            failed = copy_file((source, target), key, &mut buffer.data).err();
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn copy_file((source, target): (&Store, &Store), key: &str, buffer: &mut [u8]) -> Result<(), IoError> {
    let missing = || IoError::NotFound { location: format!("{}/{key}", source.label()) };
    let from = source.open(key, Access::Read)?.ok_or_else(missing)?;
    let bytes = from.bytes().map_err(|source| IoError::Os {
        operation: "read size",
        location: key.to_owned(),
        source,
    })?;
    let to = target.open(key, Access::Create)?.ok_or_else(missing)?;
    for offset in (0..bytes).step_by(buffer.len()) {
        let step = (bytes - offset).min(buffer.len() as u64);
        let piece = &mut buffer[..index(step)];
        source.read_at(&from, key, offset, piece)?;
        target.write_at(&to, key, offset, piece)?;
    }
    Ok(())
}
