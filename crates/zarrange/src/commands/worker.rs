//! `zarrange worker`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use zarrange_io::Opener;
use zarrange_plan::bytes_text;
use zarrange_rechunk::{PlanFile, SharedError, SharedRun, StageStatus, Worked, prepare_planned};

use crate::args::{PlannedArgs, WorkerArgs};
use crate::commands::run::read_plan;
use crate::out::{report, say, tell};
use crate::progress::Bar;
use crate::{asked, signals, table};

pub(crate) fn run(args: &WorkerArgs) -> anyhow::Result<ExitCode> {
    let (file, io) = read_plan(&args.planned)?;
    let PlannedArgs { plan, told, .. } = &args.planned;
    let place = || plan.display().to_string();
    let (Some(stage), Some(share)) = (args.stage, args.part) else {
        asked::no_bar(told, "with --status nothing is done");
        status(&file, &io, told.json).with_context(place)?;
        return Ok(ExitCode::SUCCESS);
    };
    if SharedRun::is_finished(&file, &io).with_context(place)? {
        if told.json {
            report!("{}", json!({"finished": true, "parts": 0}));
        } else {
            tell!("{} is finished already", file.target);
        }
        return Ok(ExitCode::SUCCESS);
    }
    signals::writing();
    let run = SharedRun::join(&file, &io).with_context(place)?;
    let worked = run.work(stage, share, &Bar::new(told.progress)).with_context(place)?;
    let Worked { parts, before, counts, peak_budget_bytes } = worked;
    if told.json {
        report!(
            "{}",
            json!({"stage": stage, "parts": parts, "before": before, "counts": counts, "peak_budget_bytes": peak_budget_bytes})
        );
    } else {
        let before =
            if before > 0 { format!(" ({} of them before)", table::count(before)) } else { String::new() };
        tell!(
            "stage {stage}, share {}/{}: parts done: {}{before}, {} read, {} written",
            share.index,
            share.of,
            table::count(parts),
            bytes_text(counts.bytes_read),
            bytes_text(counts.bytes_written.saturating_add(counts.spill_bytes))
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// How far each stage is.
fn stages(file: &PlanFile, io: &Opener) -> anyhow::Result<Vec<StageStatus>> {
    match SharedRun::open(file, io) {
        Err(SharedError::NotBegun { .. }) => {
            let parts = prepare_planned(file, io.clone())?.stage_parts();
            Ok(parts.into_iter().map(|parts| StageStatus { parts, done: 0 }).collect())
        }
        run => Ok(run?.status()?),
    }
}

/// Says how far the workers are.
fn status(file: &PlanFile, io: &Opener, as_json: bool) -> anyhow::Result<()> {
    let finished = SharedRun::is_finished(file, io)?;
    let stages = if finished { Vec::new() } else { stages(file, io)? };
    if as_json {
        say!("{}", json!({"finished": finished, "stages": stages}));
        return Ok(());
    }
    if finished {
        say!("{} is finished", file.target);
    }
    for (stage, StageStatus { parts, done }) in stages.iter().enumerate() {
        say!("stage {stage}: {} of {} parts are done", table::count(*done), table::count(*parts));
    }
    Ok(())
}
