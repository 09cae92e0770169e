//! Threads, as many as the system gives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, ScopedJoinHandle};

use crate::RechunkError;
use crate::progress::Progress;

/// Does `work` on this thread, where it is told so, and on others, `count` together. Where the system refuses some of them, work goes
/// on with those that there are, and that is told. The first error, once all have ended.
pub(crate) fn together(
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
