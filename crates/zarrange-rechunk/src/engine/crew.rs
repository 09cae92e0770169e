//! Workers that do tasks together, on as many threads as the system gives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, ScopedJoinHandle};

use crate::engine::permits::{Permit, Permits};
use crate::error::RechunkError;
use crate::progress::Progress;

/// Tasks that workers take one by one.
pub(crate) trait Work: Sync {
    /// What a worker needs: its buffers, and its permit.
    type Worker<'w>
    where
        Self: 'w;
    type Task;

    /// What one more worker needs; made on its thread. The `first` is the thread that everything else waits for.
    ///
    /// # Errors
    /// If it cannot be had.
    fn worker<'w>(&'w self, permit: Permit<'w>, first: bool) -> Result<Self::Worker<'w>, RechunkError>;

    /// The next task; waits for one, and is `None` once all are done or nothing is to be done any more.
    fn next(&self) -> Option<Self::Task>;

    /// Does a task.
    ///
    /// # Errors
    /// What failed; then the others are stopped.
    fn step<'w>(&'w self, worker: &mut Self::Worker<'w>, task: Self::Task) -> Result<(), RechunkError>;

    /// Lets workers go that wait, for a task or for their turn: another one has failed.
    fn stop(&self);
}

/// Does all tasks of `work` with `workers`, of which `threads` compute at the same time.
///
/// # Errors
/// Of the first worker that failed.
pub(crate) fn work_off<W: Work>(
    work: &W,
    (workers, threads): (u64, u64),
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    let permits = Permits::new(threads);
    together(workers, progress, |first| {
        let unless_done = OnDrop(|| work.stop());
        let mut worker = work.worker(permits.of_worker(), first)?;
        while let Some(task) = work.next() {
            work.step(&mut worker, task)?;
        }
        std::mem::forget(unless_done);
        Ok(())
    })
}

/// Lets the others go when a worker fails or panics, so that they do not wait for it.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Does `work` on this thread, where it is told so, and on others, `count` together. Where the system refuses some of them, work goes
/// on with those that there are, and that is told. The first error, once all have ended.
fn together(
    count: u64,
    progress: &dyn Progress,
    work: impl Fn(bool) -> Result<(), RechunkError> + Sync,
) -> Result<(), RechunkError> {
    let work = &work;
    std::thread::scope(|scope| {
        let start = |_| Builder::new().spawn_scoped(scope, || work(false)).ok();
        let others: Vec<_> = (1..count).map_while(start).collect();
        let started = 1 + others.len() as u64;
        if started < count {
            progress.fewer_threads(started, count);
        }
        let own = catch_unwind(AssertUnwindSafe(|| work(true)));
        let outcomes = std::iter::once(own).chain(others.into_iter().map(ScopedJoinHandle::join));
        let outcomes: Vec<_> = outcomes.map(|o| o.unwrap_or(Err(RechunkError::Panicked))).collect();
        outcomes.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::NoProgress;

    #[test]
    fn every_thread_works_and_its_end_is_heard_of() {
        let panicked = |error: &RechunkError| matches!(error, RechunkError::Panicked);
        for count in [1, 2, 5] {
            let (on_this, in_all) = (AtomicU64::new(0), AtomicU64::new(0));
            let work = |first| {
                on_this.fetch_add(u64::from(first), Ordering::Relaxed);
                in_all.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            together(count, &NoProgress, work).unwrap();
            assert_eq!((on_this.into_inner(), in_all.into_inner()), (1, count));
            for here in [true, false] {
                let outcome = together(count, &NoProgress, |first| {
                    assert!(first != here, "one of them panics");
                    Ok(())
                });
                assert_eq!(outcome.is_err_and(|e| panicked(&e)), here || count > 1);
            }
        }
    }
}
