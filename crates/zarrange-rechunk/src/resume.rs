//! A run that can be ended at any moment and gone on with later: that of one worker who does everything.

use std::time::Instant;

use crate::error::SharedError;
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
