//! The size of a store to which epochs are being added, or were when something broke off: that of its record. Other arrays may be longer
//! already. Stores of sequences have no record: an attribute of their root says how many places count.

use zarrange_array::{Array, ArrayError, Node, open};
use zarrange_grid::{Dims, Region};
use zarrange_io::{Access, Store};

use crate::LightCurveError;

/// An object that is there meanwhile.
pub(crate) const APPENDING: &str = "fills/appending";

/// The array whose length counts then.
const COUNTED: &str = "fills/time";

/// The dimension of such places.
const SEQUENCE: &str = "sequence";

/// How many epochs count, and what their dimension is called.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) epochs: String,
    pub(crate) size: u64,
}
/// The attribute of the root with the places of a sequence that count, while arrays get more of them, or after that broke off.
pub(crate) const GROWING: &str = "light_curves_growing";

/// How many epochs count in the store at `root`, if not simply all that arrays have.
///
/// # Errors
/// If that cannot be read.
pub(super) fn epochs_that_count(root: &Store) -> Result<Option<Counted>, LightCurveError> {
    if is_marked(root)? {
        return counted_by_record(root);
    }
    let places = match open(root) {
        Ok(Node::Group(group)) => group.attributes().get(GROWING).and_then(|places| places.as_u64()),
        // What is wrong with it is told by who opens it.
        Ok(Node::Array(_)) | Err(_) => None,
    };
    Ok(places.map(|size| Counted { epochs: SEQUENCE.to_owned(), size }))
}

/// How many epochs the record has, and what their dimension is called.
fn counted_by_record(root: &Store) -> Result<Option<Counted>, LightCurveError> {
    match open(&root.below(COUNTED)?) {
        Ok(Node::Array(array)) => {
            let names = array.document().dimension_names().unwrap_or_default();
            let epochs = names.into_iter().next().flatten();
            Ok(epochs.zip(array.shape().first()).map(|(epochs, size)| Counted { epochs, size: *size }))
        }
        Ok(Node::Group(_)) | Err(ArrayError::NotZarr { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether epochs are just being added, or that broke off.
///
/// # Errors
/// If that cannot be looked at.
pub(crate) fn is_marked(root: &Store) -> Result<bool, LightCurveError> {
    Ok(root.open(APPENDING, Access::Read)?.is_some())
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

/// An array without the epochs that do not count.
///
/// # Errors
/// If it cannot be seen without them.
pub(super) fn cut(array: Array, counted: Option<&Counted>) -> Result<Array, LightCurveError> {
    let Some(Counted { epochs, size }) = counted else { return Ok(array) };
    let names = array.document().dimension_names().unwrap_or_default();
    let mut shape: Dims = array.shape().into();
    for (length, _) in shape.iter_mut().zip(&names).filter(|(_, name)| name.as_ref() == Some(epochs)) {
        *length = (*length).min(*size);
    }
    if shape[..] == *array.shape() { Ok(array) } else { Ok(array.window(&Region::whole(&shape))?) }
}

/// The axes of the dimension called `epochs`.
pub(crate) fn axes(array: &Array, epochs: &str) -> impl Iterator<Item = usize> {
    let names = array.document().dimension_names().unwrap_or_default();
    let is_one: Vec<usize> = (0..names.len()).filter(|d| names[*d].as_deref() == Some(epochs)).collect();
    is_one.into_iter()
}

/// The axis of the dimension called `epochs`.
pub(crate) fn epoch_axis(array: &Array, epochs: &str) -> usize {
    axes(array, epochs).next().unwrap_or_default()
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
