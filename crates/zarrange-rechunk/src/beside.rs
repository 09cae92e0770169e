//! Files that are not Zarr, copied along.

use std::sync::Arc;

use zarrange_array::{Array, Beside, Survey, Without, each_beside};
use zarrange_grid::index;
use zarrange_io::{Access, IoError, Store};

use crate::RechunkError;
use crate::budget::Budget;

/// Files are copied in pieces of at most this size.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// Calls `each` with every file of `source` that is neither metadata nor a chunk, until one is an error.
fn each_file(
    source: &Store,
    without: Without<'_>,
    each: &mut dyn FnMut(&str) -> Result<(), RechunkError>,
) -> Result<(), RechunkError> {
    let mut found = Survey { nodes: Vec::new(), failed: Vec::new(), beside: Beside::default() };
    let mut failed = None;
    each_beside(source, without, &mut found, &mut |key| {
        if failed.is_none() {
            failed = each(key).err();
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// Refuses files of `source` that would be taken for a chunk where they are copied to, or stand where chunks shall be: the grids of
/// `targets`, by path, may be others.
pub(crate) fn check(
    source: &Store,
    targets: &[(&str, &Array)],
    without: Without<'_>,
) -> Result<(), RechunkError> {
    each_file(source, without, &mut |key| {
        let inside = |path: &str| match path {
            "" => Some(key),
            path => key.strip_prefix(path)?.strip_prefix('/'),
        };
        let in_the_way = |(path, target): &&(&str, &Array)| {
            inside(path).is_some_and(|key| target.names_chunk(key) || target.leads_to_chunks(key))
        };
        match targets.iter().find(in_the_way) {
            None => Ok(()),
            Some((path, _)) => {
                let location = source.label().to_owned();
                let what =
                    format!("{key} is not Zarr, and has a name that chunks of {path:?} have in the target");
                Err(RechunkError::Foreign { location, what })
            }
        }
    })
}

/// Copies every file of `source` that is neither metadata nor a chunk to its place in `target`.
pub(crate) fn copy(
    (source, target): (&Store, &Store),
    without: Without<'_>,
    budget: &Arc<Budget>,
) -> Result<(), RechunkError> {
    let mut buffer = budget.take((budget.max() / 2).clamp(1, PIECE_BYTES_MAX))?;
    each_file(source, without, &mut |key| Ok(copy_file((source, target), key, &mut buffer.data)?))
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
    target.close(to, key)
}
