//! More places along the sequence, and more bands.
//!
//! Documents of several arrays cannot change in one step. So the document of the root comes first, which says how many places count
//! meanwhile and repeats the documents as they were, for xarray; then those of the arrays; and then that of the root as it is from then on.

use zarrange_array::{Array, Contents, Json};

use crate::LightCurveError;
use crate::store::growing::{GROWING, with_epochs};
use crate::store::memory::Share;
use crate::store::sequence::bands::Bands;
use crate::store::sequence::columns::BAND;
use crate::store::{LightCurveStore, documents};

/// Whether getting more places broke off.
///
/// # Errors
/// If the root cannot be read.
pub(super) fn is_growing(store: &LightCurveStore) -> Result<bool, LightCurveError> {
    Ok(documents::root(&store.root)?.attributes().holds(GROWING))
}

/// Makes the store one of `size` places along the sequence, and with these bands; whoever calls has the lock.
///
/// # Errors
/// [`LightCurveError`]; the store opens as it was then, and the same can be done again.
pub(super) fn publish(
    store: &LightCurveStore,
    (size, bands): (u64, Option<&Bands>),
    share: Share,
) -> Result<(), LightCurveError> {
    let (epochs, now) = (store.schema().epochs(), store.schema().epochs().size);
    let label = epochs.labels.iter().chain(&epochs.side).next();
    if let Some(name) = label.filter(|_| size > now) {
        let reason = format!(
            "objects need {size} places along {}, and {name} has a value for each of {now}: remove it, or ingest all observations anew",
            epochs.name
        );
        return Err(LightCurveError::Unfillable { location: store.label(), reason });
    }
    let others = store.others_over_epochs()?;
    let names = store.schema().values.iter().map(String::as_str);
    let arrays = names.zip(&store.values).chain(others.iter().map(|other| ("", other)));
    let longer = arrays.map(|(name, array)| {
        let longer = with_epochs(array, &epochs.name, size)?;
        if matches!(array.contents(), Contents::Elements(_)) {
            store.check_beyond((array, &longer), share)?;
        }
        let Some(bands) = bands.filter(|_| name == BAND) else { return Ok(longer) };
        let document = bands.named_in(longer.document().clone());
        Ok(Array::new(array.store().clone(), document, array.zarr_format())?)
    });
    let longer = longer.collect::<Result<Vec<_>, LightCurveError>>()?;
    if !is_growing(store)? {
        let group = documents::root(&store.root)?.with_attribute(GROWING, Json::integer(now));
        documents::publish(&group, true)?;
    }
    for array in &longer {
        array.write_metadata()?;
    }
    documents::publish(&documents::root(&store.root)?.without_attribute(GROWING), true)
}
