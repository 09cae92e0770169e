//! What can be known before anything is written: whether the places can be had, whether comparing fits the memory, and whether there
//! is room.

use zarrange_array::{Array, Contents, Stored, Target, check_apart, check_temp, recover};
use zarrange_io::{Location, Room};
use zarrange_plan::{Purpose, Strategy, bytes_text};

use crate::RechunkError;
use crate::item::{Item, Plans, problem};
use crate::job::{Job, Prepared, Verify};

/// Looks at the places of a job; the target as it was found.
pub(crate) fn places(job: &Job) -> Result<Target, RechunkError> {
    check_apart(&job.source, &job.target)?;
    if let Some(temp) = &job.temp {
        check_temp(temp, &job.source, &job.target)?;
    }
    // A source may be a target that a run had taken away when it ended.
    recover(&job.source, &job.io)?;
    Ok(Target::check(&job.target, job.overwrite, &job.io)?)
}

/// Whether what will be written can be compared within the memory.
pub(crate) fn memory_of_comparing(
    job: &Job,
    source: &Array,
    target: &Array,
    plans: &mut Plans,
) -> Result<(), RechunkError> {
    // How long text is nobody knows; of what cannot be read the stored bytes are compared, piece by piece.
    let (Contents::Elements(from), Ok(to)) = (source.contents(), target.elements()) else { return Ok(()) };
    if job.verify == Verify::None {
        return Ok(());
    }
    let problem = problem((source, from), (target, to), job.memory_bytes_max, job.threads, Purpose::Compare);
    let planned = plans.of(&problem).map(drop);
    planned.map_err(|source| RechunkError::Comparing { array: target.location().to_owned(), source })
}

/// Refuses a job whose intermediates or copies cannot fit, and says where it may run out of room otherwise.
pub(crate) fn room(prepared: &Prepared) -> Result<Vec<String>, RechunkError> {
    let Job { target, temp, .. } = &prepared.job;
    let mut told = Vec::new();
    let spilled = prepared.items.iter().map(spilled_bytes).max().unwrap_or(0);
    let place = temp.as_ref().unwrap_or(target);
    if let Some(Room { bytes: free, .. }) = place.room().filter(|room| room.bytes < spilled) {
        return Err(too_little(place, "an intermediate", spilled, free));
    }
    let Some(Room { bytes: free, files }) = target.room() else { return Ok(told) };
    let cost = prepared.predicted().cost;
    let beside = if temp.is_none() { spilled } else { 0 };
    let most = cost.bytes_written.saturating_add(beside);
    if most > free {
        let least = stored_bytes(prepared, free)?;
        if least > free {
            return Err(too_little(target, "the target", least, free));
        }
        let (most, free) = (bytes_text(most), bytes_text(free));
        told.push(format!("{target} may take up to {most} before compression, {free} are free there"));
    }
    if let Some(files) = files.filter(|files| *files < cost.target_chunks) {
        let chunks = cost.target_chunks;
        told.push(format!("{target} may need up to {chunks} files, {files} can be made there"));
    }
    Ok(told)
}

fn too_little(place: &Location, what: &'static str, needed: u64, free: u64) -> RechunkError {
    RechunkError::Room { place: place.to_string(), what, needed, free }
}

/// The most that lies in intermediates of an array at one time, at least.
fn spilled_bytes(item: &Item) -> u64 {
    let spills = item.plan().map_or_else(Vec::new, |plan| plan.spills);
    spills.iter().map(|spill| spill.bytes).max().unwrap_or(0)
}

/// What the arrays that are only copied will take, which is known; not further than to beyond `enough`.
fn stored_bytes(prepared: &Prepared, enough: u64) -> Result<u64, RechunkError> {
    let is_copy = |item: &&Item| match item.plan() {
        Some(plan) => plan.strategy == Strategy::Copy,
        None => !item.put_together,
    };
    let mut sum: u64 = 0;
    for item in prepared.items.iter().filter(is_copy) {
        item.open(&prepared.job, &prepared.root)?.source.scan(true, &mut |stored| {
            if let Stored::Chunk(_, bytes) = stored {
                sum = sum.saturating_add(bytes);
            }
            sum <= enough
        })?;
    }
    Ok(sum)
}
