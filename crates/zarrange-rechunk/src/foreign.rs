//! Files that are not Zarr, copied along.

use std::collections::BTreeMap;
use std::sync::Arc;

use zarrange_array::{ArrayMetadata, Survey, Without, each_beside};
use zarrange_grid::index;
use zarrange_io::{Access, IoError, Store};

use crate::engine::budget::Budget;
use crate::error::RechunkError;
use crate::prepare::item::Item;

/// Files are copied in pieces of at most this size.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// Calls `each` with every file of `source` that is neither metadata nor a chunk, until one is an error.
fn each_file(
    source: &Store,
    without: Without<'_>,
    each: &mut dyn FnMut(&str) -> Result<(), RechunkError>,
) -> Result<(), RechunkError> {
    let mut found = Survey::default();
    let mut failed = None;
    each_beside(source, without, &mut found, &mut |key| {
        if failed.is_none() {
            failed = each(key).err();
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// Refuses files of `source` that would be taken for a chunk where they are copied to, or stand where chunks shall be: the grids of the
/// targets may be others. `open` gives the target of an item.
pub(crate) fn check(
    source: &Store,
    items: &[Item],
    open: &dyn Fn(&Item) -> Result<ArrayMetadata, RechunkError>,
    without: Without<'_>,
) -> Result<(), RechunkError> {
    let items: BTreeMap<&str, &Item> = items.iter().map(|item| (item.path(), item)).collect();
    // Files that follow each other mostly lie in one array.
    let mut last: Option<(&str, ArrayMetadata)> = None;
    each_file(source, without, &mut |key| {
        for end in key.char_indices().filter_map(|(at, c)| (c == '/').then_some(at)).chain([0]) {
            let Some((path, item)) = items.get_key_value(&key[..end]) else { continue };
            let target = match last.take() {
                Some((of, target)) if of == *path => target,
                _ => open(item)?,
            };
            let inside = key[end..].trim_start_matches('/');
            let in_the_way = target.names_chunk(inside) || target.leads_to_chunks(inside);
            last = Some((*path, target));
            if in_the_way {
                let (location, key) = (source.label().to_owned(), key.to_owned());
                return Err(RechunkError::InTheWay { location, key, array: (*path).to_owned() });
            }
        }
        Ok(())
    })
}

/// Copies every file of `source` that is neither metadata nor a chunk to its place in `target`.
pub(crate) fn copy(
    (source, target): (&Store, &Store),
    without: Without<'_>,
    budget: &Arc<Budget>,
) -> Result<(), RechunkError> {
    // Where a file can only be written whole, it has to be in memory.
    let most = if target.abilities().partial_writes { PIECE_BYTES_MAX } else { u64::MAX };
    let mut buffer = budget.take((budget.max() / 2).clamp(1, most))?;
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
    if !target.abilities().partial_writes {
        let what = "write parts of an object, and the memory does not hold all of this one";
        let location = || format!("{}/{key}", target.label());
        let whole = usize::try_from(bytes).ok().and_then(|bytes| buffer.get_mut(..bytes));
        let whole = whole.ok_or_else(|| IoError::Unable { location: location(), what })?;
        source.read_at(&from, 0, whole)?;
        return target.write_whole(key, whole);
    }
    let to = target.open(key, Access::Create)?.ok_or_else(missing)?;
    for offset in (0..bytes).step_by(buffer.len()) {
        let step = (bytes - offset).min(buffer.len() as u64);
        let piece = &mut buffer[..index(step)];
        source.read_at(&from, offset, piece)?;
        target.write_at(&to, offset, piece)?;
    }
    target.close(to)
}
