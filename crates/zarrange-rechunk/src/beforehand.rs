//! What can be known before anything is written: whether the places can be had, whether comparing fits the memory, and whether there
//! is room.

use zarrange_array::{Array, ArrayError, Contents, Stored, Target, check_apart, check_temp, recover};
use zarrange_io::Room;
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

/// What is known of the room where a job writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fit {
    /// Where it cannot suffice: the place, what does not fit, what that takes at least, and what is free.
    pub(crate) lacking: Option<(String, &'static str, u64, u64)>,
    /// Where it may not.
    pub(crate) warnings: Vec<String>,
}

impl Prepared {
    /// Refuses a job whose intermediates or copies cannot fit where they go.
    ///
    /// # Errors
    /// [`RechunkError::Room`].
    pub fn check_room(&self) -> Result<(), RechunkError> {
        match self.fit.lacking.clone() {
            None => Ok(()),
            Some((place, what, needed, free)) => Err(RechunkError::Room { place, what, needed, free }),
        }
    }
}

/// Compares what will be written with the room there is.
pub(crate) fn room(prepared: &Prepared) -> Result<Fit, RechunkError> {
    let Job { target, temp, .. } = &prepared.job;
    if temp.is_none() && prepared.spills() && !target.abilities().partial_writes {
        return Err(ArrayError::NoTemp(target.to_string()).into());
    }
    let mut fit = Fit::default();
    let spilled = prepared.items.iter().map(spilled_bytes).max().unwrap_or(0);
    let place = temp.as_ref().unwrap_or(target);
    if let Some(Room { bytes: free, .. }) = place.room().filter(|room| room.bytes < spilled) {
        fit.lacking = Some((place.to_string(), "an intermediate", spilled, free));
        return Ok(fit);
    }
    let Some(Room { bytes: free, files }) = target.room() else { return Ok(fit) };
    let cost = prepared.predicted().cost;
    let beside = if temp.is_none() { spilled } else { 0 };
    let most = cost.bytes_written.saturating_add(beside);
    if most > free {
        let least = stored_bytes(prepared, free)?;
        if least > free {
            fit.lacking = Some((target.to_string(), "the target", least, free));
            return Ok(fit);
        }
        let (most, free) = (bytes_text(most), bytes_text(free));
        fit.warnings
            .push(format!("{target} may take up to {most} before compression, {free} are free there"));
    }
    if let Some(files) = files.filter(|files| *files < cost.target_chunks) {
        let chunks = cost.target_chunks;
        fit.warnings.push(format!("{target} may need up to {chunks} files, {files} can be made there"));
    }
    Ok(fit)
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
