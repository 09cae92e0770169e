//! Receipts: a small object for each part that is done, written when what it speaks of is there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zarrange_io::Store;
use zarrange_plan::Counts;

use crate::engine::parts::{Ledger, Receipt};
use crate::error::{RechunkError, SharedError};
use crate::prepare::Prepared;

/// A receipt is some hundred bytes.
const RECEIPT_BYTES_MAX: u64 = 64 << 10;

/// So long receipts are collected: to wait for the disk once for all of them.
const COLLECTED: Duration = Duration::from_secs(1);

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StageStatus {
    /// Its parts.
    pub parts: u64,
    /// Those with a receipt.
    pub done: u64,
}

/// All receipts of a run.
#[derive(Debug)]
pub(super) struct Receipts {
    store: Store,
    /// Of each array, the parts of each of its stages.
    parts: Vec<Vec<u64>>,
}

/// Parts of one array that follow each other.
#[derive(Clone, Debug)]
pub(super) struct ArrayParts {
    /// The number of the array.
    pub(super) array: usize,
    stage: u64,
    /// The number of the first part among those of all arrays.
    first: u64,
    parts: Range<u64>,
}

/// What a receipt says; the version is that of the plan, in whose folder it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    array: usize,
    stage: u64,
    part: u64,
    counts: Counts,
}

impl ArrayParts {
    /// Those of them that are in `range`, counted over all arrays.
    pub(super) fn within(&self, range: &Range<u64>) -> Option<Self> {
        let Self { first, parts, .. } = self;
        let at = |k: u64| k.saturating_sub(*first).min(parts.end);
        let parts = at(range.start)..at(range.end);
        (!parts.is_empty()).then(|| Self { parts, ..self.clone() })
    }

    /// What progress counts to while they are done, about.
    pub(super) fn work_bytes(&self, prepared: &Prepared) -> u64 {
        let item = &prepared.items[self.array];
        let (all, stages) = (item.parts(self.stage).count().max(1), item.stage_count().max(1));
        let share = u128::from(item.work_bytes() / stages) * u128::from(self.parts.end - self.parts.start);
        u64::try_from(share / u128::from(all)).unwrap_or(u64::MAX)
    }
}

/// The parts of each stage in all arrays.
pub(super) fn parts_of_stages(prepared: &Prepared) -> Vec<u64> {
    let parts = parts_of_arrays(prepared);
    let of = |stage: usize| parts.iter().filter_map(move |array| array.get(stage)).copied();
    (0..stages(&parts)).map(|stage| of(stage).fold(0, u64::saturating_add)).collect()
}

/// Of each array, the parts of each of its stages.
fn parts_of_arrays(prepared: &Prepared) -> Vec<Vec<u64>> {
    let parts = prepared.items.iter();
    parts.map(|item| (0..item.stage_count()).map(|stage| item.parts(stage).count()).collect()).collect()
}

/// Stages of the array that has most; one, with no part, where there are no arrays.
fn stages(parts: &[Vec<u64>]) -> usize {
    parts.iter().map(Vec::len).max().unwrap_or(0).max(1)
}

impl Receipts {
    pub(super) fn new(store: Store, prepared: &Prepared) -> Self {
        Self { store, parts: parts_of_arrays(prepared) }
    }

    pub(super) fn stages(&self) -> u64 {
        stages(&self.parts) as u64
    }

    /// Parts of a stage in all arrays.
    pub(super) fn parts(&self, stage: u64) -> u64 {
        self.of_stage(stage).map(|array| array.parts.end).fold(0, u64::saturating_add)
    }

    /// The arrays that have a stage, with all their parts.
    pub(super) fn of_stage(&self, stage: u64) -> impl Iterator<Item = ArrayParts> + '_ {
        let mut first: u64 = 0;
        self.parts.iter().enumerate().filter_map(move |(array, stages)| {
            let parts = *stages.get(usize::try_from(stage).ok()?)?;
            let before = first;
            first = first.saturating_add(parts);
            Some(ArrayParts { array, stage, first: before, parts: 0..parts })
        })
    }

    pub(super) fn status(&self, stage: u64) -> Result<StageStatus, SharedError> {
        let mut done: u64 = 0;
        for array in self.of_stage(stage) {
            done += self.done(&array)?.len() as u64;
        }
        Ok(StageStatus { parts: self.parts(stage), done })
    }

    /// Those of `parts` that have a receipt.
    pub(super) fn done(&self, parts: &ArrayParts) -> Result<BTreeSet<u64>, SharedError> {
        let mut done = BTreeSet::new();
        let listed = self.store.visit(&folder(parts.array, parts.stage), true, &mut |name, seen| {
            let part = name.parse::<u64>().ok().filter(|part| parts.parts.contains(part));
            // One without a byte was not written to its end before the machine broke down.
            let whole = matches!(seen, zarrange_io::Seen::Object(bytes) if bytes != Some(0));
            done.extend(part.filter(|_| whole));
            true
        });
        match listed {
            Err(error) if !error.is_not_found() => Err(RechunkError::from(error).into()),
            _ => Ok(done),
        }
    }

    /// What was counted in all parts.
    pub(super) fn counts(&self) -> Result<Counts, SharedError> {
        let mut counts = Counts::default();
        for stage in 0..self.stages() {
            for array in self.of_stage(stage) {
                for part in array.parts.clone() {
                    counts += self.read(array.array, stage, part)?;
                }
            }
        }
        Ok(counts)
    }

    /// The receipt of a part, which must be one of it.
    fn read(&self, array: usize, stage: u64, part: u64) -> Result<Counts, SharedError> {
        let key = format!("{}/{part}", folder(array, stage));
        let damaged = || SharedError::Receipt { location: format!("{}/{key}", self.store.label()) };
        let text =
            self.store.get(&key, RECEIPT_BYTES_MAX).map_err(RechunkError::from)?.ok_or_else(damaged)?;
        let written: Written = serde_json::from_slice(&text).map_err(|_| damaged())?;
        let is_it = (written.array, written.stage, written.part) == (array, stage, part);
        if is_it { Ok(written.counts) } else { Err(damaged()) }
    }

    fn write(&self, array: usize, receipt: &Receipt) -> Result<(), RechunkError> {
        let Receipt { stage, part, counts } = *receipt;
        let text = serde_json::to_vec(&Written { array, stage, part, counts })
            .unwrap_or_else(|error| unreachable!("numbers: {error}"));
        Ok(self.store.put(&format!("{}/{part}", folder(array, stage)), &text)?)
    }
}

/// Where the receipts of a stage of an array are.
fn folder(array: usize, stage: u64) -> String {
    format!("{array}/{stage}")
}

/// The receipts of a share, while its parts are being done.
pub(super) struct Books<'a> {
    receipts: &'a Receipts,
    /// Makes durable what was written.
    sync: &'a Sync<'a>,
    open: Mutex<Open>,
}

/// What makes durable what was written.
pub(super) type Sync<'a> = dyn Fn() -> Result<(), RechunkError> + std::marker::Sync + 'a;

/// What changes.
struct Open {
    /// Receipts that are not written yet, each with the number of its array.
    pending: Vec<(usize, Receipt)>,
    /// When receipts were written last.
    since: Instant,
    counts: Counts,
    failed: Option<RechunkError>,
}

/// Those of one array.
pub(super) struct Page<'a> {
    books: &'a Books<'a>,
    share: &'a ArrayParts,
    /// Parts that were done before, and those that are done now.
    before: BTreeSet<u64>,
    now: Mutex<BTreeSet<u64>>,
}

impl<'a> Books<'a> {
    pub(super) fn new(receipts: &'a Receipts, sync: &'a Sync<'a>) -> Self {
        let (pending, since) = (Vec::new(), Instant::now());
        let open = Open { pending, since, counts: Counts::default(), failed: None };
        Self { receipts, sync, open: Mutex::new(open) }
    }

    /// For the parts of one array.
    pub(super) fn page(&'a self, share: &'a ArrayParts) -> Result<Page<'a>, SharedError> {
        Ok(Page { books: self, share, before: self.receipts.done(share)?, now: Mutex::default() })
    }

    /// Writes what is left to be written. What was counted in all.
    pub(super) fn close(&self) -> Result<Counts, RechunkError> {
        let mut open = self.lock();
        if open.failed.is_none() {
            open.failed = self.write(&mut open).err();
        }
        open.failed.take().map_or(Ok(open.counts), Err)
    }

    fn add(&self, array: usize, receipt: Receipt) {
        let mut open = self.lock();
        open.counts += receipt.counts;
        open.pending.push((array, receipt));
        if open.failed.is_none() && open.since.elapsed() >= COLLECTED {
            open.failed = self.write(&mut open).err();
        }
    }

    /// Writes what is pending, once what it speaks of is durable.
    fn write(&self, open: &mut Open) -> Result<(), RechunkError> {
        if open.pending.is_empty() {
            return Ok(());
        }
        (self.sync)()?;
        for (array, receipt) in open.pending.drain(..) {
            self.receipts.write(array, &receipt)?;
        }
        open.since = Instant::now();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page<'_> {
    /// How many were done before.
    pub(super) fn before(&self) -> u64 {
        self.before.len() as u64
    }

    /// All are done: those in which nothing is stored, too, at which nobody looked.
    pub(super) fn close(self) -> Result<(), RechunkError> {
        let Self { books, share, before, now } = self;
        let now = now.into_inner().unwrap_or_else(PoisonError::into_inner);
        for part in share.parts.clone().filter(|part| !before.contains(part) && !now.contains(part)) {
            books.add(share.array, Receipt { stage: share.stage, part, counts: Counts::default() });
        }
        books.lock().failed.take().map_or(Ok(()), Err)
    }
}

impl Ledger for Page<'_> {
    fn leaves_out(&self, _: u64, part: u64) -> bool {
        !self.share.parts.contains(&part) || self.before.contains(&part)
    }

    fn done(&self, receipt: &Receipt) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).insert(receipt.part);
        self.books.add(self.share.array, receipt.clone());
    }
}
