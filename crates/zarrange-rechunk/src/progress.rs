//! How a run tells how far it is.

/// Told about work as it is done, from many threads.
pub trait Progress: Sync {
    /// A phase begins that moves `bytes` (decoded).
    fn begin(&self, phase: &str, bytes: u64);

    /// `bytes` more were moved.
    fn advance(&self, bytes: u64);

    /// Number `stage`, from 1, of the `stages` begins in which `array` is moved. Of what is only copied nothing is told.
    fn stage(&self, array: &str, stage: u64, stages: u64) {
        let _ = (array, stage, stages);
    }

    /// The system gives only `started` of the threads that were `wanted`.
    fn fewer_threads(&self, started: u64, wanted: u64) {
        let _ = (started, wanted);
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: &str, _: u64) {}

    fn advance(&self, _: u64) {}
}
