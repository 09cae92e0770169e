//! The receipts of a share, while its parts are being done.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zarrange_plan::Counts;

use super::ranges::Ranges;
use super::receipts::{ArrayParts, Done, Receipts};
use crate::engine::parts::{Ledger, Receipt};
use crate::error::{RechunkError, SharedError};

/// So long receipts are collected: to wait for the disk once for all of them.
const COLLECTED: Duration = Duration::from_secs(1);

/// All receipts of a share.
pub(super) struct Books<'a> {
    receipts: &'a Receipts,
    /// Makes durable what was written.
    sync: &'a Sync<'a>,
    /// Receipts cannot be written: no part is begun any more.
    failed: AtomicBool,
    open: Mutex<Open>,
}

/// What makes durable what was written.
pub(super) type Sync<'a> = dyn Fn() -> Result<(), RechunkError> + std::marker::Sync + 'a;

/// What changes.
struct Open {
    /// Receipts that are not written yet.
    pending: Vec<Done>,
    /// When receipts were written last.
    since: Instant,
    counts: Counts,
    error: Option<RechunkError>,
}

/// Those of one array.
pub(super) struct Page<'a> {
    books: &'a Books<'a>,
    share: &'a ArrayParts,
    /// Parts that were done before, and those that are done now.
    before: Ranges,
    now: Mutex<Ranges>,
}

impl<'a> Books<'a> {
    pub(super) fn new(receipts: &'a Receipts, sync: &'a Sync<'a>) -> Self {
        let (pending, since) = (Vec::new(), Instant::now());
        let open = Mutex::new(Open { pending, since, counts: Counts::default(), error: None });
        Self { receipts, sync, failed: AtomicBool::new(false), open }
    }

    /// For the parts of one array.
    pub(super) fn page(&'a self, share: &'a ArrayParts) -> Result<Page<'a>, SharedError> {
        Ok(Page { books: self, share, before: self.receipts.done(share)?, now: Mutex::default() })
    }

    /// Writes what is left to be written. What was counted in all.
    pub(super) fn close(&self) -> Result<Counts, RechunkError> {
        let mut open = self.lock();
        self.write(&mut open);
        open.error.take().map_or(Ok(open.counts), Err)
    }

    fn add(&self, done: Done) {
        let mut open = self.lock();
        open.counts += done.counts;
        open.pending.push(done);
        if open.since.elapsed() >= COLLECTED {
            self.write(&mut open);
        }
    }

    /// Writes what is pending, once what it speaks of is durable.
    fn write(&self, open: &mut Open) {
        if open.pending.is_empty() || self.failed.load(Ordering::Relaxed) {
            return;
        }
        let written = (self.sync)().and_then(|()| self.receipts.add(&open.pending));
        if let Err(error) = written {
            self.failed.store(true, Ordering::Relaxed);
            open.error = Some(error);
        }
        open.pending.clear();
        open.since = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page<'_> {
    /// How many were done before.
    pub(super) fn before(&self) -> u64 {
        self.before.count(&self.share.parts)
    }

    /// All are done: those in which nothing is stored, too, at which nobody looked.
    pub(super) fn close(self) -> Result<(), RechunkError> {
        let Self { books, share, before, now } = self;
        if let Some(error) = books.lock().error.take() {
            return Err(error);
        }
        let now = now.into_inner().unwrap_or_else(PoisonError::into_inner);
        for gap in before.gaps(&share.parts) {
            for parts in now.gaps(&gap) {
                books.add(share.done(parts, Counts::default(), 0));
            }
        }
        books.lock().error.take().map_or(Ok(()), Err)
    }
}

impl Ledger for Page<'_> {
    fn leaves_out(&self, _: u64, part: u64) -> bool {
        !self.share.parts.contains(&part)
            || self.before.contains(part)
            || self.books.failed.load(Ordering::Relaxed)
    }

    fn done(&self, receipt: &Receipt) {
        let parts: Range<u64> = receipt.part..receipt.part + 1;
        self.now.lock().unwrap_or_else(PoisonError::into_inner).insert(parts.clone());
        let checks = self.share.checks;
        let counts = if checks { Counts::default() } else { receipt.counts };
        self.books.add(self.share.done(parts, counts, receipt.digest));
    }
}
