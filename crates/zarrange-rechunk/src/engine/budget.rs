//! The memory of a run: every data buffer is taken from here, and is given back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zarrange_io::{HugePages, zeroed};

use crate::error::RechunkError;

/// Buffers from this size are backed by huge pages; rounding a smaller one up to them would waste memory.
const HUGE_BYTES_MIN: u64 = 16 << 20;

/// A bound on bytes in use.
#[derive(Debug)]
pub(crate) struct Budget {
    max: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

impl Budget {
    /// A budget of `max` bytes.
    pub(crate) fn new(max: u64) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicU64::new(0), peak: AtomicU64::new(0) })
    }

    /// The bound.
    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// Bytes that nobody uses now.
    pub(crate) fn free(&self) -> u64 {
        self.max.saturating_sub(self.used())
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were in use at once since the last call.
    pub(crate) fn take_peak(&self) -> u64 {
        self.peak.swap(self.used(), Ordering::Relaxed)
    }

    /// A zeroed buffer of `bytes`. Its pages are touched, and so resident, only as they are written.
    ///
    /// # Errors
    /// [`RechunkError::Budget`] if it does not fit, [`RechunkError::Memory`] if the system does not give it.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Result<Buffer, RechunkError> {
        let lease = self.lease(bytes)?;
        let refused = || RechunkError::Memory { wanted: bytes, used: self.used() - bytes, max: self.max };
        let mut data = zeroed(zarrange_grid::index(bytes)).ok_or_else(refused)?;
        let pages = (bytes >= HUGE_BYTES_MIN).then(|| HugePages::ask(&mut data));
        Ok(Buffer { data, lease, pages })
    }

    /// Room for `bytes` that somebody else allocates.
    ///
    /// # Errors
    /// [`RechunkError::Budget`] if it does not fit.
    pub(crate) fn lease(self: &Arc<Self>, bytes: u64) -> Result<Lease, RechunkError> {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(before) => {
                self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                Ok(Lease { budget: self.clone(), bytes })
            }
            Err(used) => Err(RechunkError::Budget { wanted: bytes, used, max: self.max }),
        }
    }
}

/// Bytes of a budget in use; given back on drop.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A buffer of a budget.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// The bytes.
    pub(crate) data: Vec<u8>,
    /// Their place in the budget.
    pub(crate) lease: Lease,
    /// What a large one is made of.
    pub(crate) pages: Option<HugePages>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_bound() {
        let budget = Budget::new(100);
        let a = budget.take(60).unwrap();
        assert!(matches!(budget.take(41), Err(RechunkError::Budget { wanted: 41, used: 60, max: 100 })));
        assert!(budget.take(u64::MAX).is_err());
        // What the budget allows, and no system gives.
        let (all, none) = (Budget::new(u64::MAX), i64::MAX as u64);
        assert!(
            matches!(all.take(none), Err(RechunkError::Memory { wanted, used: 0, .. }) if wanted == none)
        );
        let b = budget.lease(40).unwrap();
        drop(a);
        assert_eq!(budget.take(60).unwrap().data.len(), 60);
        drop(b);
        assert_eq!((budget.take_peak(), budget.take_peak()), (100, 0));
    }
}
