//! The parts of a stage: which of them are done, and what was counted for each.

use std::ops::{AddAssign, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zarrange_plan::{Counts, Parts};

/// Says which parts are done, and is told of those that are done now.
pub trait Ledger: Sync {
    /// Whether part `part` of stage `stage` is left out: it is done already, or somebody else does it. What it says of a part when it is
    /// first asked holds until that part is done.
    fn leaves_out(&self, stage: u64, part: u64) -> bool;

    /// A part is done: everything of it was written.
    fn done(&self, receipt: &Receipt);
}

/// What is known of a part that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The stage.
    pub stage: u64,
    /// The part of it.
    pub part: u64,
    /// What was counted for it.
    pub counts: Counts,
    /// The digest of what it read of the source, where that is digested.
    pub digest: u128,
}

/// What was counted, and the digest of what was read of a source, where that is digested.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    counts: Counts,
    digest: u128,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        self.digest = self.digest.wrapping_add(other.digest);
    }
}

/// A run in one process, from its begin to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone;

impl Ledger for Alone {
    fn leaves_out(&self, _: u64, _: u64) -> bool {
        false
    }

    fn done(&self, _: &Receipt) {}
}

/// What was counted and digested in all parts that are done.
#[derive(Debug, Default)]
pub(crate) struct Recorded(Mutex<Tally>);

impl Recorded {
    pub(crate) fn add(&self, counts: Counts) {
        self.lock().counts += counts;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(crate) fn digest(&self) -> u128 {
        self.lock().digest
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a stage in a run.
pub(crate) struct StageParts<'a> {
    stage: u64,
    pub(crate) parts: Parts,
    ledger: &'a dyn Ledger,
    recorded: &'a Recorded,
    /// Is called with the units of each part that is done.
    after: &'a (dyn Fn(Range<u64>) + Sync),
    /// What the ledger said of the parts that were asked for last.
    answers: Mutex<Answers>,
}

/// Whether parts are left out, of as many as work is about at one time: in a sweep the part of a tile, and those of its neighbours.
#[derive(Default)]
struct Answers {
    last: [Option<(u64, bool)>; 4],
    next: usize,
}

impl<'a> StageParts<'a> {
    /// Those of `stage`, of which `ledger` says which are left out; `after` is called with the units of each part that is done.
    pub(crate) fn new(
        (stage, parts): (u64, Parts),
        ledger: &'a dyn Ledger,
        recorded: &'a Recorded,
        after: &'a (dyn Fn(Range<u64>) + Sync),
    ) -> Self {
        Self { stage, parts, ledger, recorded, after, answers: Mutex::default() }
    }

    /// Those of the only stage.
    pub(crate) fn only(parts: Parts, ledger: &'a dyn Ledger, recorded: &'a Recorded) -> Self {
        Self::new((0, parts), ledger, recorded, &|_| ())
    }

    /// The part that does `unit`, if it is not left out. A part that was begun goes on, whatever its ledger would say by now: others may
    /// have begun it, too.
    pub(crate) fn of(&self, unit: u64) -> Option<u64> {
        let part = self.parts.of(unit);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = answers.last.iter().flatten().find(|(of, _)| *of == part);
        let left_out = if let Some((_, left_out)) = known {
            *left_out
        } else {
            let left_out = self.ledger.leaves_out(self.stage, part);
            let Answers { last, next } = &mut *answers;
            last[*next] = Some((part, left_out));
            *next = (*next + 1) % last.len();
            left_out
        };
        (!left_out).then_some(part)
    }

    /// The first unit behind the part that does `unit`.
    pub(crate) fn behind(&self, unit: u64) -> u64 {
        self.parts.units(self.parts.of(unit)).end
    }

    /// Begins a part. It is done when all that is [expected](OpenPart::expect) is finished, and this first one.
    pub(crate) fn open(&'a self, number: u64) -> Arc<OpenPart<'a>> {
        let (tally, left) = (Mutex::default(), AtomicU64::new(1));
        Arc::new(OpenPart { parts: self, number, tally, left })
    }
}

/// A part that is being done.
pub(crate) struct OpenPart<'a> {
    parts: &'a StageParts<'a>,
    pub(crate) number: u64,
    tally: Mutex<Tally>,
    /// What is expected and not finished.
    left: AtomicU64,
}

impl OpenPart<'_> {
    /// Counts what was done for it.
    pub(crate) fn count(&self, counts: Counts) {
        self.add(counts, 0);
    }

    /// The same, with the digest of what was read.
    pub(crate) fn add(&self, counts: Counts, digest: u128) {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) += Tally { counts, digest };
    }

    /// So many more things belong to it.
    pub(crate) fn expect(&self, things: u64) {
        self.left.fetch_add(things, Ordering::Relaxed);
    }

    /// So many of them are written. With the last one the part is done.
    pub(crate) fn finish(&self, things: u64) {
        if self.left.fetch_sub(things, Ordering::AcqRel) == things {
            let StageParts { stage, parts, ledger, recorded, after, .. } = self.parts;
            let tally = *self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            *recorded.lock() += tally;
            let Tally { counts, digest } = tally;
            ledger.done(&Receipt { stage: *stage, part: self.number, counts, digest });
            after(parts.units(self.number));
        }
    }
}

impl std::fmt::Debug for OpenPart<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenPart").field("number", &self.number).field("left", &self.left).finish()
    }
}
