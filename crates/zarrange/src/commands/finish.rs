//! `zarrange finish`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use zarrange_plan::bytes_text;
use zarrange_rechunk::{Finished, SharedRun};

use crate::args::{FinishArgs, PlannedArgs};
use crate::commands::run::read_plan;
use crate::out::{notes, report, tell};
use crate::progress::Bar;
use crate::{asked, signals, table};

pub(crate) fn run(args: &FinishArgs) -> anyhow::Result<ExitCode> {
    let (file, io) = read_plan(&args.planned)?;
    let PlannedArgs { plan, told, .. } = &args.planned;
    let (place, target) = (|| plan.display().to_string(), &file.target);
    signals::writing();
    if SharedRun::is_finished(&file, &io).with_context(place)? {
        SharedRun::give_up(&file, &io).with_context(place)?;
        if told.json {
            report!("{}", json!({"target": target, "finished": true}));
        } else {
            tell!("{target} is finished already");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.give_up {
        let was_there = SharedRun::give_up(&file, &io).with_context(place)?;
        asked::no_bar(told, "with --give-up nothing is compared");
        if told.json {
            report!("{}", json!({"target": target, "removed": was_there}));
            return Ok(ExitCode::SUCCESS);
        }
        tell!(
            "{}",
            if was_there { "what workers have written is removed" } else { "no worker has written anything" }
        );
        return Ok(ExitCode::SUCCESS);
    }
    let run = SharedRun::open(&file, &io).with_context(place)?;
    let Finished { counts, verified, warnings } = run.finish(&Bar::new(told.progress)).with_context(place)?;
    signals::published();
    notes(&warnings);
    if told.json {
        report!("{}", json!({"target": target, "verified": verified, "counts": counts}));
    } else {
        let verified = if verified { ", verified" } else { "" };
        tell!(
            "{target}: {} read and {} written in {} chunks by workers{verified}",
            bytes_text(counts.bytes_read),
            bytes_text(counts.bytes_written),
            table::count(counts.target_chunks)
        );
    }
    Ok(ExitCode::SUCCESS)
}
