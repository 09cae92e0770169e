//! Who may compute: as many workers as there are threads.
//!
//! There are more workers than threads. One that reads or writes lets another compute meanwhile, so that reading, decoding,
//! encoding and writing overlap, and no processor waits for a device while there is work.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Permits to compute.
#[derive(Debug)]
pub(crate) struct Gate {
    free: Mutex<u64>,
    freed: Condvar,
}

impl Gate {
    /// A gate that lets `threads` compute at once.
    pub(crate) const fn new(threads: u64) -> Self {
        Self { free: Mutex::new(threads), freed: Condvar::new() }
    }

    /// Waits for a permit.
    pub(crate) fn enter(&self) -> Permit<'_> {
        self.take();
        Permit { gate: self }
    }

    fn take(&self) {
        let mut free = self.lock();
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
    }

    fn give(&self) {
        *self.lock() += 1;
        self.freed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to compute; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'g> {
    gate: &'g Gate,
}

impl Permit<'_> {
    /// Does something that waits, and lets another worker compute meanwhile.
    pub(crate) fn waiting<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        /// Takes the permit back, also if `wait` panics: it is dropped, and given back, later.
        struct Back<'g>(&'g Gate);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.take();
            }
        }
        self.gate.give();
        let _back = Back(self.gate);
        wait()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.gate.give();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn never_more_compute_than_may_and_who_waits_lets_others_in() {
        let (gate, inside, most) = (Gate::new(2), AtomicU64::new(0), AtomicU64::new(0));
        let waiters = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let mut permit = gate.enter();
                        most.fetch_max(1 + inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        // All four wait at once, though only two may compute.
                        permit.waiting(|| waiters.wait());
                        most.fetch_max(1 + inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=2).contains(&most.into_inner()));
        assert_eq!(*gate.lock(), 2);
    }
}
