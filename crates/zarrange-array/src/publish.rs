//! Writing metadata: documents of arrays first, of groups last.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;

use zarrange_io::{IoError, Replacement, Store};

use crate::ArrayError;
use crate::array::Array;
use crate::document::{CONSOLIDATED, Watch, keep, read_object};
use crate::hierarchy::Group;
use crate::json::{Fields, write_consolidated, write_fields};

impl Array {
    /// Writes the array's `zarr.json`: from now on readers find it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_metadata(&self) -> Result<(), ArrayError> {
        put_document(self.store(), |out| write_fields(self.document().members(), 0, None, out))
    }
}

/// Writes the `zarr.json` of arrays first and of groups last, so that a group that can be opened is complete. Paths are
/// relative to `root`; `consolidated` repeats all documents in the root group's.
///
/// # Errors
/// If a document cannot be written.
pub fn publish_metadata(
    root: &Store,
    arrays: &[(String, &Array)],
    groups: &[(String, Group)],
    consolidated: bool,
) -> Result<(), ArrayError> {
    for (_, array) in arrays.iter().rev() {
        array.write_metadata()?;
    }
    let explicit = || groups.iter().filter(|(_, group)| !group.is_implicit());
    let arrays = arrays.iter().map(|(path, _)| path.as_str());
    let documented: BTreeSet<&str> = arrays.chain(explicit().map(|(path, _)| path.as_str())).collect();
    // Children before parents: the root is last.
    for (path, group) in explicit().rev() {
        let repeats = if path.is_empty() { consolidated } else { group.is_consolidated() };
        publish_group(root, (path, group), repeats.then_some(&documented))?;
    }
    Ok(())
}

/// Writes the `zarr.json` of the group at `path`; those of `repeated` that lie below it are repeated in it as they are stored by now.
///
/// # Errors
/// If a document cannot be read or written.
pub fn publish_group(
    root: &Store,
    (path, group): (&str, &Group),
    repeated: Option<&BTreeSet<&str>>,
) -> Result<(), ArrayError> {
    let store = root.below(path)?;
    let below = |inner: &str| match path {
        "" => Some(inner.to_owned()).filter(|inner| !inner.is_empty()),
        path => inner.strip_prefix(path)?.strip_prefix('/').map(str::to_owned),
    };
    let Some(repeated) = repeated else {
        return put_document(&store, |out| write_fields(group.members(), 0, None, out));
    };
    let mut failed = None;
    let mut inline = |out: &mut Pieces, depth: usize| {
        let entries = repeated.iter().filter_map(|inner| below(inner));
        let each = |inner: String, depth: usize, out: &mut Pieces| match document_below(&store, &inner) {
            Ok(members) => write_fields(&members, depth, None, out),
            Err(error) => {
                failed = Some(error);
                Err(fmt::Error)
            }
        };
        write_consolidated(entries, each, depth, out)
    };
    let written =
        put_document(&store, |out| write_fields(group.members(), 0, Some((CONSOLIDATED, &mut inline)), out));
    failed.map_or(written, Err)
}

/// The document of a member, without what it repeats itself.
fn document_below(store: &Store, path: &str) -> Result<Fields, ArrayError> {
    let store = store.below(path)?;
    let members = read_object(&store, "zarr.json", &mut Watch::new(), keep)?;
    let mut members = members.ok_or_else(|| ArrayError::NotZarr { location: store.label().to_owned() })?;
    members.shift_remove(CONSOLIDATED);
    Ok(members)
}

/// Replaces `zarr.json` by what `write` writes.
fn put_document(store: &Store, write: impl FnOnce(&mut Pieces) -> fmt::Result) -> Result<(), ArrayError> {
    let mut pieces = Pieces { replacement: store.replacement("zarr.json"), failed: None };
    let written = write(&mut pieces);
    let Pieces { replacement, failed } = pieces;
    match failed.map(std::io::Error::downcast::<IoError>) {
        Some(Ok(error)) => Err(error.into()),
        Some(Err(source)) => {
            let location = format!("{}/zarr.json", store.label());
            Err(IoError::Os { operation: "write", location, source }.into())
        }
        // Somebody else's error, who tells it.
        None if written.is_err() => Err(ArrayError::NotZarr { location: store.label().to_owned() }),
        None => Ok(replacement.finish()?),
    }
}

/// Text on its way to a store.
pub(crate) struct Pieces {
    replacement: Replacement,
    failed: Option<std::io::Error>,
}

impl fmt::Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.replacement.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}
