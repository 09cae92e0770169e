//! What can be known before anything is written: whether the places can be had, and whether there is room.

use std::fmt;

use zarrange_array::{ArrayError, Joining, Stored, Target, check_apart, check_temp, recover};
use zarrange_io::{Location, Room, Store};
use zarrange_plan::{Plan, Problem, bytes_text};

use crate::error::RechunkError;
use crate::prepare::item::Item;
use crate::request::Request;

/// Looks at the places of a request; the target as it was found.
pub(crate) fn places(request: &Request, joining: Joining<'_>) -> Result<Target, RechunkError> {
    check_apart(&request.source, &request.target)?;
    if let Some(temp) = &request.temp {
        check_temp(temp, &request.source, &request.target)?;
    }
    // A source may be a target that a run had taken away when it ended.
    recover(&request.source, &request.io)?;
    Ok(match request.region {
        Some(_) => Target::within(&request.target, &request.io)?,
        None => Target::check_for(&request.target, request.overwrite, joining, &request.io)?,
    })
}

/// What is known of the room where a run writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fit {
    /// Where it cannot suffice.
    pub(crate) lacking: Option<Lacking>,
    /// Where it may not.
    pub(crate) warnings: Vec<String>,
    /// What it takes, where that was looked at.
    pub(crate) disk: Option<Disk>,
}

/// What will lie on the disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// Stored bytes of the target that are expected, as far as plans tell.
    target_bytes: u64,
    /// Arrays of which nobody knows.
    unknown: u64,
    /// The most that an intermediate takes.
    spilled_bytes: u64,
    /// Where it lies, if not beside the target.
    temp: Option<String>,
    /// Files of the target at most.
    files: u64,
    /// Room where the target goes, if that is known.
    free_bytes: Option<u64>,
}

impl Disk {
    fn of(items: &[Item], free_bytes: Option<u64>, temp: Option<&Location>) -> Self {
        let mut disk = Self { free_bytes, temp: temp.map(ToString::to_string), ..Self::default() };
        for item in items {
            disk.files = disk.files.saturating_add(item.target_objects);
            disk.spilled_bytes = disk.spilled_bytes.max(spilled_bytes(item));
            match item.plan() {
                Some(plan) => {
                    disk.target_bytes = disk.target_bytes.saturating_add(plan.predicted.counts.bytes_written);
                }
                None => disk.unknown += 1,
            }
        }
        disk
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target_bytes, unknown, spilled_bytes, temp, files, free_bytes } = self;
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        write!(f, "disk       about {} in up to {files} file{}", bytes_text(*target_bytes), plural(*files))?;
        if *unknown > 0 {
            write!(f, ", and {unknown} array{} of unknown size", plural(*unknown))?;
        }
        let spilled = bytes_text(*spilled_bytes);
        match temp {
            _ if *spilled_bytes == 0 => {}
            Some(temp) => write!(f, "; and an intermediate of {spilled} at {temp}")?,
            None => {
                let most = bytes_text(target_bytes.saturating_add(*spilled_bytes));
                write!(f, "; with an intermediate of {spilled} it is {most} at its worst moment")?;
            }
        }
        free_bytes.map_or(Ok(()), |free| write!(f, "; {} free there", bytes_text(free)))
    }
}

/// Room that is not there.
#[derive(Clone, Debug)]
pub(crate) struct Lacking {
    pub(crate) place: String,
    /// What does not fit, and what that takes at least.
    pub(crate) what: &'static str,
    pub(crate) needed: u64,
    pub(crate) free: u64,
}

/// Compares what will be written with the room there is.
pub(crate) fn room(request: &Request, items: &[Item], root: &Store) -> Result<Fit, RechunkError> {
    let Request { target, temp, .. } = request;
    let free = target.room();
    let disk = Disk::of(items, free.map(|room| room.bytes), temp.as_ref());
    let (spilled, needed) = (disk.spilled_bytes, disk.files);
    let mut fit = Fit { disk: Some(disk), ..Fit::default() };
    let lacking =
        |place: &Location, what, needed, free| Lacking { place: place.to_string(), what, needed, free };
    if temp.is_none() && items.iter().any(spills) && !target.abilities().partial_writes {
        return Err(ArrayError::NoTemp(target.to_string()).into());
    }
    let place = temp.as_ref().unwrap_or(target);
    if let Some(Room { bytes: free, .. }) = place.room().filter(|room| room.bytes < spilled) {
        fit.lacking = Some(lacking(place, "an intermediate", spilled, free));
        return Ok(fit);
    }
    let Some(Room { bytes: free, files }) = free else { return Ok(fit) };
    let beside = if temp.is_none() { spilled } else { 0 };
    let plain = items.iter().filter_map(Item::plan).map(|plan| plain_bytes(&plan));
    let mut most = plain.fold(beside, u64::saturating_add);
    let unplanned = |item: &Item| item.plan().is_none();
    if most > free || items.iter().any(unplanned) {
        let mut least: u64 = 0;
        for item in items.iter().filter(|item| item.is_copy() || unplanned(item)) {
            let stored = stored_bytes(request, item, root, free)?;
            if item.is_copy() {
                least = least.saturating_add(stored);
            }
            // Of what has no plan, this is what can be told.
            if unplanned(item) {
                most = most.saturating_add(stored);
            }
            if least > free {
                fit.lacking = Some(lacking(target, "the target", least, free));
                return Ok(fit);
            }
        }
    }
    if most > free {
        let (most, free) = (bytes_text(most), bytes_text(free));
        fit.warnings
            .push(format!("{target} may take up to {most} before compression, {free} are free there"));
    }
    if let Some(files) = files.filter(|files| *files < needed) {
        fit.warnings.push(format!("{target} may need up to {needed} files, {files} can be made there"));
    }
    Ok(fit)
}

/// Bytes of all chunks that a plan writes, before compression.
fn plain_bytes(plan: &Plan) -> u64 {
    let Problem { shape, item_bytes, target, .. } = &plan.problem;
    target.elements(shape).saturating_mul(*item_bytes)
}

/// Whether an array goes through an intermediate.
pub(crate) fn spills(item: &Item) -> bool {
    item.plan().is_some_and(|plan| !plan.spills().is_empty())
}

/// The most that lies in intermediates of an array at one time, at least.
fn spilled_bytes(item: &Item) -> u64 {
    let plan = item.plan();
    plan.iter().flat_map(Plan::spills).map(|spill| spill.bytes).max().unwrap_or(0)
}

/// What is stored of an item; not further than to beyond `enough`.
fn stored_bytes(request: &Request, item: &Item, root: &Store, enough: u64) -> Result<u64, RechunkError> {
    let mut sum: u64 = 0;
    item.open(request, root)?.source.scan(true, &mut |stored| {
        if let Stored::Chunk(_, bytes) = stored {
            sum = sum.saturating_add(bytes);
        }
        sum <= enough
    })?;
    Ok(sum)
}
