//! The size of a store to which epochs are being added, or were when something broke off: that of its record. Other arrays may be longer
//! already.

use zarrange_array::{Array, ArrayError, Node, open};
use zarrange_grid::{Dims, Region};
use zarrange_io::{Access, Store};

use crate::LightCurveError;

/// An object that is there meanwhile.
pub(crate) const APPENDING: &str = "fills/appending";

/// The array whose length counts then.
const COUNTED: &str = "fills/time";

/// How many epochs count in the store at `root`, if not simply all that arrays have.
///
/// # Errors
/// If that cannot be read.
pub(super) fn epochs_that_count(root: &Store) -> Result<Option<u64>, LightCurveError> {
    if root.open(APPENDING, Access::Read)?.is_some() { recorded(root) } else { Ok(None) }
}

/// How many epochs are recorded; `None` if there is no record.
///
/// # Errors
/// If that cannot be read.
pub(super) fn recorded(root: &Store) -> Result<Option<u64>, LightCurveError> {
    match open(&root.below(COUNTED)?) {
        Ok(Node::Array(array)) => Ok(array.shape().first().copied()),
        Ok(Node::Group(_)) | Err(ArrayError::NotZarr { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An array without the indices of the dimension called one of `names` from `counted` on.
///
/// # Errors
/// If it cannot be seen without them.
pub(super) fn cut(array: Array, counted: Option<u64>, names: &[&str]) -> Result<Array, LightCurveError> {
    let own = array.document().dimension_names().unwrap_or_default();
    let axis = own.iter().position(|name| name.as_deref().is_some_and(|name| names.contains(&name)));
    let (Some(counted), Some(axis)) = (counted, axis) else { return Ok(array) };
    let mut shape: Dims = array.shape().into();
    if shape.get(axis).is_none_or(|size| *size <= counted) {
        return Ok(array);
    }
    shape[axis] = counted;
    Ok(array.window(&Region::whole(&shape))?)
}

/// The axis of the dimension called `epochs`.
pub(crate) fn epoch_axis(array: &Array, epochs: &str) -> usize {
    let names = array.document().dimension_names().unwrap_or_default();
    names.iter().position(|name| name.as_deref() == Some(epochs)).unwrap_or_default()
}

/// An array with so many epochs, which is not written yet.
///
/// # Errors
/// If there cannot be so many.
pub(crate) fn with_epochs(array: &Array, epochs: &str, size: u64) -> Result<Array, LightCurveError> {
    let mut shape = array.shape().to_vec();
    shape[epoch_axis(array, epochs)] = size;
    let document = array.document().with_shape(&shape);
    Ok(Array::new(array.store().clone(), document, array.zarr_format())?)
}
