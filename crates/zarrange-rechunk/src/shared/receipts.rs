//! Receipts: what is known to be done of a run. Each process has a journal of its own, and reads those of all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use zarrange_io::{Machine, Seen, Store};
use zarrange_plan::Counts;

use super::journal::{self, Journal, Line};
use super::ranges::Ranges;
use crate::error::{RechunkError, SharedError};
use crate::prepare::Prepared;
use crate::prepare::checking::Check;
use crate::prepare::item::Item;
use crate::request::Durability;

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
    /// The fingerprint of its plan.
    plan: String,
    /// Whether receipts wait for the disk.
    durable: bool,
    machine: Machine,
    /// Of each array, the parts of each of its stages.
    parts: Vec<Vec<u64>>,
    /// The stage in which arrays are checked, if any is.
    checks: Option<u64>,
    journal: Mutex<Journal>,
    known: Mutex<Known>,
}

/// Parts of one array that follow each other.
#[derive(Clone, Debug)]
pub(super) struct ArrayParts {
    /// The number of the array.
    pub(super) array: usize,
    stage: u64,
    /// The number of the first part among those of all arrays.
    first: u64,
    /// How many parts of the array there are in the stage.
    all: u64,
    /// Nothing is moved any more: they are checked.
    pub(super) checks: bool,
    pub(super) parts: Range<u64>,
}

/// Parts that are done.
#[derive(Debug)]
pub(super) struct Done {
    array: usize,
    stage: u64,
    parts: Range<u64>,
    pub(super) counts: Counts,
    digest: u128,
}

/// What was read of the journals.
#[derive(Debug, Default)]
struct Known {
    /// Of each array and stage, the parts that are done.
    done: BTreeMap<(usize, u64), Ranges>,
    /// What was counted for them, each once.
    counts: Counts,
    /// Bytes that were written of each array.
    written: BTreeMap<usize, u64>,
    /// What was digested for those of an array and stage.
    digests: BTreeMap<(usize, u64), u128>,
    /// Of each journal, how far it was read.
    read: BTreeMap<String, u64>,
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
        let work =
            if self.checks { item.check_bytes() } else { item.work_bytes() / item.stage_count().max(1) };
        let share = u128::from(work) * u128::from(self.parts.end - self.parts.start);
        u64::try_from(share / u128::from(self.all.max(1))).unwrap_or(u64::MAX)
    }

    /// Says that some of them are done.
    pub(super) const fn done(&self, parts: Range<u64>, counts: Counts, digest: u128) -> Done {
        Done { array: self.array, stage: self.stage, parts, counts, digest }
    }
}

/// The parts of each stage in all arrays.
pub(super) fn parts_of_stages(prepared: &Prepared) -> Vec<u64> {
    let parts = parts_of_arrays(prepared);
    let of = |stage: usize| parts.iter().filter_map(move |array| array.get(stage)).copied();
    (0..stages(&parts)).map(|stage| of(stage).fold(0, u64::saturating_add)).collect()
}

/// Of each array, the parts of each of its stages. When all are moved, those follow that check it.
fn parts_of_arrays(prepared: &Prepared) -> Vec<Vec<u64>> {
    let moved = moved(prepared);
    let of = |item: &Item| {
        let stages = item.stage_count();
        let checks = item.check().and_then(Check::parts).map(|parts| parts.count());
        let mut parts: Vec<u64> = (0..stages).map(|stage| item.parts(stage).count()).collect();
        if let Some(checks) = checks {
            parts.extend((stages..moved).map(|_| 0).chain([checks]));
        }
        parts
    };
    prepared.items.iter().map(of).collect()
}

/// The stages in which all arrays are moved.
fn moved(prepared: &Prepared) -> u64 {
    prepared.items.iter().map(Item::stage_count).max().unwrap_or(0).max(1)
}

/// Stages of the array that has most; one, with no part, where there are no arrays.
fn stages(parts: &[Vec<u64>]) -> usize {
    parts.iter().map(Vec::len).max().unwrap_or(0).max(1)
}

/// How many parts are done, as the journals in `store` say.
pub(super) fn parts_done(store: &Store) -> Result<u64, SharedError> {
    let (mut done, mut journals): (BTreeMap<_, Ranges>, _) = (BTreeMap::new(), Vec::new());
    let listed = store.visit("", false, &mut |name, _| {
        journals.extend(name.ends_with(journal::SUFFIX).then(|| name.to_owned()));
        true
    });
    match listed {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    let journals: Vec<(&str, u64)> = journals.iter().map(|name| (name.as_str(), 0)).collect();
    let mut parts = 0;
    journal::read::<SharedError>(store, &journals, &mut |_, line| {
        parts += done.entry((line.array, line.stage)).or_default().insert(line.parts.clone());
        Ok(())
    })?;
    Ok(parts)
}

impl Receipts {
    /// Those of the plan with the fingerprint `plan`, in `store`.
    pub(super) fn new(store: Store, prepared: &Prepared, plan: String) -> Self {
        let (journal, known) = (Mutex::new(Journal::new(store.clone())), Mutex::default());
        let durable = prepared.request.durability == Durability::Commit;
        let (parts, machine) = (parts_of_arrays(prepared), Machine::this());
        let checks = prepared.items.iter().any(|item| item.check().is_some()).then(|| moved(prepared));
        Self { store, plan, durable, machine, parts, checks, journal, known }
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
            let checks = self.checks == Some(stage);
            Some(ArrayParts { array, stage, first: before, all: parts, checks, parts: 0..parts })
        })
    }

    pub(super) fn status(&self, stage: u64) -> Result<StageStatus, SharedError> {
        let known = self.look()?;
        let done = |array: ArrayParts| {
            known.done.get(&(array.array, stage)).map_or(0, |done| done.count(&array.parts))
        };
        Ok(StageStatus { parts: self.parts(stage), done: self.of_stage(stage).map(done).sum() })
    }

    /// The parts of the array and stage of `parts` that are done.
    pub(super) fn done(&self, parts: &ArrayParts) -> Result<Ranges, SharedError> {
        Ok(self.look()?.done.get(&(parts.array, parts.stage)).cloned().unwrap_or_default())
    }

    /// What was counted for all parts that are done.
    pub(super) fn counts(&self) -> Result<Counts, SharedError> {
        Ok(self.look()?.counts)
    }

    /// The digests of an array's source and of its target, as far as their parts are done.
    pub(super) fn digests(&self, array: usize) -> Result<[u128; 2], SharedError> {
        let known = self.look()?;
        let of = |stage: u64| known.digests.get(&(array, stage)).copied().unwrap_or(0);
        Ok([0, self.checks.unwrap_or(0)].map(of))
    }

    /// The bytes that were written of each array, by its number.
    pub(super) fn written(&self) -> Result<BTreeMap<usize, u64>, SharedError> {
        Ok(self.look()?.written.clone())
    }

    /// Writes receipts, of parts that are there.
    pub(super) fn add(&self, done: &[Done]) -> Result<(), RechunkError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Machine { host, boot } = &self.machine;
        let since = (!self.durable).then_some((host.as_str(), boot.as_str()));
        let line = |&Done { array, stage, ref parts, counts, digest }: &Done| Line {
            since,
            plan: &self.plan,
            array,
            stage,
            parts: parts.clone(),
            counts,
            digest: (digest > 0).then(|| halves(digest)),
        };
        Ok(journal.add(done.iter().map(line))?)
    }

    /// Reads what was written since it looked last.
    fn look(&self) -> Result<MutexGuard<'_, Known>, SharedError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut journals = BTreeMap::new();
        let listed = self.store.visit("", true, &mut |name, seen| {
            if name.ends_with(journal::SUFFIX) {
                let bytes = if let Seen::Object(bytes) = seen { bytes } else { None };
                journals.insert(name.to_owned(), bytes);
            }
            true
        });
        match listed {
            Err(error) if !error.is_not_found() => return Err(RechunkError::from(error).into()),
            _ => {}
        }
        let shrunk = |(name, at): (&String, &u64)| {
            journals.get(name).is_none_or(|bytes| bytes.is_some_and(|bytes| bytes < *at))
        };
        if known.read.iter().any(shrunk) {
            // Somebody wants that to be done again.
            *known = Known::default();
        }
        let from = |name: &str| known.read.get(name).copied().unwrap_or(0);
        let news = journals.iter().map(|(name, bytes)| (name.as_str(), from(name), *bytes));
        let news: Vec<(&str, u64)> =
            news.filter(|(_, at, bytes)| *bytes != Some(*at)).map(|(name, at, _)| (name, at)).collect();
        let ends = journal::read(&self.store, &news, &mut |number, line| {
            self.note(&mut known, news[number].0, line)
        })?;
        for ((name, at), end) in news.into_iter().zip(ends) {
            known.read.insert(name.to_owned(), end.unwrap_or(at));
        }
        Ok(known)
    }

    /// Takes a receipt for what it says, if it is one of this plan.
    fn note(&self, known: &mut Known, name: &str, line: &Line<'_>) -> Result<(), SharedError> {
        let Line { plan, since, array, stage, ref parts, counts, digest } = *line;
        let stages = self.parts.get(array);
        let all = stages.and_then(|stages| stages.get(usize::try_from(stage).ok()?));
        if plan != self.plan || all.is_none_or(|all| parts.start > parts.end || parts.end > *all) {
            return Err(SharedError::Receipt { location: format!("{}/{name}", self.store.label()) });
        }
        let Machine { host, boot } = &self.machine;
        if since.is_some_and(|(on, since)| on == host && since != boot) {
            return Ok(());
        }
        if known.done.entry((array, stage)).or_default().insert(parts.clone()) > 0 {
            known.counts += counts;
            *known.written.entry(array).or_default() += counts.bytes_written;
            if let Some((upper, lower)) = digest {
                let sum = known.digests.entry((array, stage)).or_default();
                *sum = sum.wrapping_add(u128::from(upper) << 64 | u128::from(lower));
            }
        }
        Ok(())
    }
}

/// The upper and the lower half.
#[expect(clippy::cast_possible_truncation, reason = "what is cut off is the other half")]
const fn halves(digest: u128) -> (u64, u64) {
    ((digest >> 64) as u64, digest as u64)
}
