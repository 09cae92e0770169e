//! Who may compute: as many workers as there are threads.
//!
//! There are more workers than threads. A permit of a worker that has waited for a device for a while goes to another one, so
//! that reading, decoding, encoding and writing overlap, and no processor waits while there is work. A worker that gets what it
//! wanted at once (from the page cache, mostly) keeps its permit: handing it over costs two threads that wake each other up,
//! which was measured to leave the processors idle for 7 % of the time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker that waits longer than this for a device loses its permit to one that has work.
const PATIENCE: Duration = Duration::from_millis(1);

/// Permits to compute.
#[derive(Debug)]
pub(crate) struct Permits {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// Permits whose workers wait for a device, by number, since when.
    waiting: Vec<(u64, Instant)>,
    numbers: u64,
}

impl Permits {
    /// Permits for `threads` to compute at once.
    pub(crate) const fn new(threads: u64) -> Self {
        let state = State { free: threads, waiting: Vec::new(), numbers: 0 };
        Self { state: Mutex::new(state), freed: Condvar::new() }
    }

    /// The permit of one worker, which does not hold it yet.
    pub(crate) const fn of_worker(&self) -> Permit<'_> {
        Permit { permits: self, held: false }
    }

    /// Takes a free permit, or that of a worker that has waited for too long.
    fn take(&self, mut state: MutexGuard<'_, State>) {
        loop {
            if state.free > 0 {
                state.free -= 1;
                return;
            }
            if let Some(at) = state.waiting.iter().position(|(_, since)| since.elapsed() >= PATIENCE) {
                state.waiting.swap_remove(at);
                return;
            }
            // Nobody says when it begins to wait: that would wake a thread for every read.
            state = self.freed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes that a worker waits from now on; the number of its wait.
    fn begin(&self) -> u64 {
        let mut state = self.lock();
        let number = state.numbers;
        state.numbers += 1;
        state.waiting.push((number, Instant::now()));
        number
    }

    /// Ends a wait: the permit is still there, or another one has to be found.
    fn end(&self, number: u64) {
        let mut state = self.lock();
        match state.waiting.iter().position(|(waiting, _)| *waiting == number) {
            Some(at) => drop(state.waiting.swap_remove(at)),
            None => self.take(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's right to compute, while it holds it; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'p> {
    permits: &'p Permits,
    held: bool,
}

impl Permit<'_> {
    /// Waits for it.
    pub(crate) fn hold(&mut self) {
        if !self.held {
            self.permits.take(self.permits.lock());
            self.held = true;
        }
    }

    /// Gives it back.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.held) {
            self.permits.lock().free += 1;
            self.permits.freed.notify_one();
        }
    }

    /// Does something that waits, holding it; if it takes long, another worker computes meanwhile.
    pub(crate) fn waiting<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        /// Ends the wait, also if it panics: the permit is dropped, and given back, later.
        struct End<'p>(&'p Permits, u64);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.end(self.1);
            }
        }
        let _end = End(self.permits, self.permits.begin());
        wait()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Four workers, two permits: at most two compute at a time, but all four can wait for a device at once.
    #[test]
    fn who_waits_for_long_lets_others_compute() {
        let (permits, inside, most, all) =
            (Permits::new(2), AtomicU64::new(0), AtomicU64::new(0), Barrier::new(4));
        let compute = || {
            most.fetch_max(1 + inside.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            std::thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mut permit = permits.of_worker();
                        permit.hold();
                        compute();
                        permit.waiting(|| all.wait());
                        compute();
                        permit.waiting(|| ());
                        compute();
                    }
                });
            }
        });
        assert!((1..=2).contains(&most.into_inner()));
        let state = permits.lock();
        assert_eq!((state.free, state.waiting.len()), (2, 0));
    }
}
