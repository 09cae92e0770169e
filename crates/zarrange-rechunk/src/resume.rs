//! A run that can be ended at any moment and gone on with later: that of one worker who does everything.

use std::time::Instant;

use zarrange_io::{Location, Opener};

use crate::error::{RechunkError, SharedError};
use crate::plan_file::PlanFile;
use crate::prepare::Prepared;
use crate::progress::Progress;
use crate::report::{Cost, Report};
use crate::shared::{Finished, Share, SharedRun};

/// Carries out what was prepared, as [`run`](fn@crate::run) does; whatever ends it, what is done is kept beside the target, and the same request goes on from
/// there. For that it was prepared with [`Request::joins`](crate::Request::joins). The report has what was counted in all of its turns, and no arrays.
///
/// # Errors
/// [`SharedError`]: of a request that no plan file can be written of, also if another one is being carried out at the same target, and if something cannot
/// be moved, compared or published.
pub fn run_resumable(prepared: Prepared, progress: &dyn Progress) -> Result<Report, SharedError> {
    let begin = Instant::now();
    prepared.check_room()?;
    let mut file = Vec::new();
    prepared.write_plan(&mut file)?;
    let (planned, io) = (prepared.predicted(), prepared.request.io.clone());
    drop(prepared);
    let plan = PlanFile::parse(&file)?;
    let run = SharedRun::join(&plan, &io)?;
    let mut peak_budget_bytes = 0;
    for stage in 0..run.stages() {
        peak_budget_bytes = run.work(stage, Share::ALL, progress)?.peak_budget_bytes.max(peak_budget_bytes);
    }
    let Finished { counts, verified, warnings } = run.finish(progress)?;
    let mut report = Report { verified, warnings, arrays: Vec::new(), ..planned };
    report.cost = Cost { counts, peak_budget_bytes, ..report.cost };
    report.cost.elapsed_s = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// The memory and threads of the run that was kept for a target, if there is one: whoever goes on with it and says none means those.
///
/// # Errors
/// If the place cannot be looked at.
pub fn kept_bounds(target: &Location, io: &Opener) -> Result<Option<(u64, u64)>, RechunkError> {
    /// As much as a plan may have.
    const PLAN_BYTES_MAX: u64 = 1 << 30;
    let (at, name) = target.parent()?;
    if !at.exists()? {
        return Ok(None);
    }
    let (parent, mut folders) = (io.open(&at)?, Vec::new());
    parent.visit("", false, &mut |found, _| {
        folders.extend(found.starts_with(&format!(".{name}.partial-")).then(|| found.to_owned()));
        true
    })?;
    for folder in folders {
        let text = parent.get(&format!("{folder}/plan.json"), PLAN_BYTES_MAX)?;
        let plan = text.and_then(|text| PlanFile::parse(&text).ok());
        if let Some(plan) = plan.filter(|plan| plan.target == target.to_string()) {
            return Ok(Some((plan.options.memory_bytes_max, plan.options.threads)));
        }
    }
    Ok(None)
}
