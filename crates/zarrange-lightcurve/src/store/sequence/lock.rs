//! The lock on a store of sequences: held by one process at a time, and gone with it.

use std::time::Duration;

use zarrange_io::{Access, Object};

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::locked;

/// A store that nobody else adds to meanwhile. The document of the labels of objects is locked: adding observations changes neither objects
/// nor their labels, so it is never replaced, as those of the root and of values are.
pub(super) struct StoreLock {
    _held: Object,
}

impl StoreLock {
    /// Waits for `store`, as long as `wait`.
    ///
    /// # Errors
    /// [`LightCurveError::BusyStore`] if somebody else still adds, [`LightCurveError::Unfillable`] if there is nothing to be locked.
    pub(super) fn take(store: &LightCurveStore, wait: Duration) -> Result<Self, LightCurveError> {
        let objects = store.schema().objects();
        let location = || store.label();
        let unlockable = || {
            let reason =
                "it has no array over objects alone, such as their labels, which would be locked meanwhile";
            LightCurveError::Unfillable { location: location(), reason: reason.to_owned() }
        };
        let name = objects.labels.iter().chain(&objects.side).next().ok_or_else(unlockable)?;
        let object = store.root.open(&format!("{name}/zarr.json"), Access::Write)?.ok_or_else(unlockable)?;
        let busy = || LightCurveError::BusyStore { location: location(), waited: wait };
        locked(&object, 0..1, (wait, &location), busy)?;
        Ok(Self { _held: object })
    }
}
