//! Small arrays that are only copied: several at once, each by one thread. One after the other they would leave the other threads idle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::budget::{Budget, Lease};
use crate::engine::context::Context;
use crate::engine::crew::{Work, work_off};
use crate::engine::permits::Permit;
use crate::error::RechunkError;
use crate::prepare::item::Item;
use crate::prepare::small_copies::{SHARE_BYTES, SmallCopies};
use crate::report::ArrayReport;

/// What writes one array.
pub(super) type WriteOne<'a> = dyn Fn(&Item, &Context<'_>) -> Result<ArrayReport, RechunkError> + Sync + 'a;

/// Copies small arrays by `write`; their reports, in their order.
pub(super) fn run(
    SmallCopies { items, workers }: &SmallCopies<'_>,
    write: &WriteOne<'_>,
    context: &Context<'_>,
) -> Result<Vec<ArrayReport>, RechunkError> {
    if *workers == 1 {
        return items.iter().map(|item| write(item, context)).collect();
    }
    let copies = Copies { items, next: AtomicUsize::new(0), reports: Mutex::default(), write, context };
    work_off(&copies, (*workers, *workers), context.progress)?;
    let mut reports = copies.reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(number, _)| *number);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

struct Copies<'a> {
    items: &'a [&'a Item],
    /// The next that nobody has taken.
    next: AtomicUsize,
    reports: Mutex<Vec<(usize, ArrayReport)>>,
    write: &'a WriteOne<'a>,
    context: &'a Context<'a>,
}

/// One worker's means.
struct Share<'w> {
    budget: Arc<Budget>,
    permit: Permit<'w>,
    _lease: Lease,
}

impl<'a> Work for Copies<'a> {
    type Worker<'w>
        = Share<'w>
    where
        Self: 'w;
    type Task = (usize, &'a Item);

    fn worker<'w>(&'w self, permit: Permit<'w>, _: bool) -> Result<Share<'w>, RechunkError> {
        let lease = self.context.budget.lease(SHARE_BYTES)?;
        Ok(Share { budget: Budget::new(SHARE_BYTES), permit, _lease: lease })
    }

    fn next(&self) -> Option<(usize, &'a Item)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.items.get(number).map(|item| (number, *item))
    }

    fn step<'w>(&'w self, share: &mut Share<'w>, (number, item): Self::Task) -> Result<(), RechunkError> {
        share.permit.hold();
        let context = Context { budget: &share.budget, threads: 1, ..*self.context };
        let report = (self.write)(item, &context)?;
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).push((number, report));
        share.permit.release();
        Ok(())
    }

    fn stop(&self) {
        self.next.store(self.items.len(), Ordering::Relaxed);
    }
}
