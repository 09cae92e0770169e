//! The lock on some epochs of a store: held by one process on one machine at a time, and gone with it.

use std::ops::Range;
use std::time::{Duration, Instant};

use zarrange_io::{Access, Lock, Object, Store};

use crate::LightCurveError;
use crate::store::schema::FILLS;

/// How long to wait before looking again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(20));

/// Something that nobody else does meanwhile. To fill epochs the document of the record is locked, which is never replaced: a byte of it
/// for each epoch.
pub(crate) struct EpochLock {
    _held: Object,
}

impl EpochLock {
    /// Beyond all epochs.
    pub(crate) const END: u64 = i64::MAX as u64;

    /// Waits for `epochs` of the store at `root`, as long as `wait`.
    ///
    /// # Errors
    /// [`LightCurveError::Busy`] if somebody else still has one of them, [`LightCurveError::NoLocks`] where there are no locks.
    pub(crate) fn take(root: &Store, epochs: Range<u64>, wait: Duration) -> Result<Self, LightCurveError> {
        Self::of((root, &format!("{FILLS}/zarr.json")), epochs, wait)
    }

    /// Waits for the document of a group that has no record, as long as `wait`.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) fn first(root: &Store, wait: Duration) -> Result<Self, LightCurveError> {
        Self::of((root, "zarr.json"), 0..1, wait)
    }

    fn of((root, key): (&Store, &str), epochs: Range<u64>, wait: Duration) -> Result<Self, LightCurveError> {
        let location = || root.label().to_owned();
        let object = root
            .open(key, Access::Write)?
            .ok_or_else(|| LightCurveError::NoRecord { location: location() })?;
        let epoch = epochs.start;
        let busy = || LightCurveError::Busy { location: location(), epoch, waited: wait };
        locked(&object, epochs, (wait, &location), busy)?;
        Ok(Self { _held: object })
    }
}

/// Waits for a range of bytes of an object of the store at `location`, as long as `wait`.
///
/// # Errors
/// `busy` if somebody else still has a part of it, [`LightCurveError::NoLocks`] where there are no locks.
pub(in crate::store) fn locked(
    object: &Object,
    range: Range<u64>,
    (wait, location): (Duration, &dyn Fn() -> String),
    busy: impl FnOnce() -> LightCurveError,
) -> Result<(), LightCurveError> {
    let (begun, mut pause) = (Instant::now(), PAUSE.0);
    loop {
        match object.lock_range(range.start, range.end - range.start) {
            Ok(Lock::Taken { .. }) => return Ok(()),
            Ok(Lock::Busy) if begun.elapsed() < wait => {
                std::thread::sleep(pause);
                pause = (2 * pause).min(PAUSE.1);
            }
            Ok(Lock::Busy) => return Err(busy()),
            Ok(Lock::Unknown) => return Err(LightCurveError::NoLocks { location: location() }),
            Err(source) => {
                let error = zarrange_io::IoError::Os { operation: "lock", location: location(), source };
                return Err(error.into());
            }
        }
    }
}
