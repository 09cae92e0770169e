//! The record of a store of somebody else, made by whoever fills it first.

use std::time::Duration;

use zarrange_array::{Array, Group, Node, open, publish_metadata};

use crate::LightCurveError;
use crate::store::fill::lock::EpochLock;
use crate::store::record::{self, Record};
use crate::store::schema::FILLS;
use crate::store::{LightCurveStore, documents};

/// The record of `store`. If there is none it is made, under a lock, so that one of several makes it. Its group comes last. Where
/// the document of the store repeats those of its members, it repeats these then, too.
///
/// # Errors
/// [`LightCurveError::OldFormat`] for a store that is not of v3, [`LightCurveError::Record`] if something else is there, or as
/// [`EpochLock::first`].
pub(crate) fn record(store: &LightCurveStore, wait: Duration) -> Result<&Record, LightCurveError> {
    if let Some(record) = store.record.get() {
        return Ok(record);
    }
    let root = &store.root;
    let own = match open(root)? {
        Node::Group(group) if group.zarr_format() == 3 && !group.is_implicit() => group,
        Node::Group(_) | Node::Array(_) => {
            return Err(LightCurveError::OldFormat { location: store.label() });
        }
    };
    let dimensions = store.recorded_dimensions();
    let shape: Vec<u64> = dimensions.iter().map(|(_, size)| *size).collect();
    let _lock = EpochLock::first(root, wait)?;
    if let Some(record) = Record::open(root, (&shape, None))? {
        return Ok(store.record.get_or_init(|| record));
    }
    let fills = root.below(FILLS)?;
    if matches!(open(&fills), Ok(Node::Group(group)) if !group.is_implicit()) {
        return Err(LightCurveError::Record { array: fills.label().to_owned(), shape });
    }
    let arrays = record::create(root, &dimensions)?;
    let arrays: Vec<(String, &Array)> = arrays.iter().map(|(name, array)| (name.clone(), array)).collect();
    let group = Group::new(fills.clone(), record::attributes());
    publish_metadata(root, &arrays, &[(FILLS.to_owned(), group)], false)?;
    if own.is_consolidated() {
        documents::publish(&own, true)?;
    }
    let made = Record::open(root, (&shape, None))?;
    let made = made.ok_or_else(|| LightCurveError::Record { array: fills.label().to_owned(), shape })?;
    Ok(store.record.get_or_init(|| made))
}
