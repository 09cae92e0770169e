//! `zarrange rechunk`.

use std::process::ExitCode;

use zarrange_plan::bytes_text;
use zarrange_rechunk::{Cost, Durability, Job, Report, Verify, prepare, run as run_job};

use crate::args::{DurabilityArg, RechunkArgs, VerifyArg};
use crate::backend::opener;
use crate::progress::Bar;
use crate::{memory, table};

pub(crate) fn run(args: RechunkArgs) -> anyhow::Result<ExitCode> {
    let job = Job {
        source: args.src,
        target: args.dst,
        chunks: args.chunks,
        shards: args.shards,
        arrays: args.array,
        only_named: args.only_named,
        codecs: args.codecs,
        key_separator: args.key_separator,
        memory_bytes_max: args.max_mem.unwrap_or_else(memory::default_max),
        threads: args.threads.unwrap_or_else(memory::threads),
        temp: args.temp,
        verify: match args.verify {
            VerifyArg::None => Verify::None,
            VerifyArg::Sample => Verify::Sample,
            VerifyArg::Full => Verify::Full,
        },
        durability: match args.durability {
            DurabilityArg::None => Durability::None,
            DurabilityArg::Commit => Durability::Commit,
        },
        overwrite: args.overwrite,
        io: opener(args.io)?,
    };
    let target = job.target.to_string();
    let prepared = prepare(job)?;
    if args.dry_run {
        if args.json {
            println!("{}", serde_json::to_string(&prepared.predicted())?);
        } else {
            println!("{prepared}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let report = run_job(prepared, &Bar::new(args.progress))?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["peak_resident_bytes"] = memory::peak_resident_bytes().into();
        println!("{json}");
    } else {
        println!("{}", summary(&target, &report));
    }
    Ok(ExitCode::SUCCESS)
}

/// What was done, in a line.
fn summary(target: &str, report: &Report) -> String {
    let Cost { strategy, bytes_read, bytes_written, target_chunks, peak_budget_bytes, elapsed_s, .. } =
        &report.cost;
    let verified = if report.verified { ", verified" } else { "" };
    let backend = report.backend;
    format!(
        "{target}: {strategy}, {} read, {} written in {} chunks, {} of buffers, {backend}, {elapsed_s:.2} s{verified}",
        bytes_text(*bytes_read),
        bytes_text(*bytes_written),
        table::count(*target_chunks),
        bytes_text(*peak_budget_bytes),
    )
}
