//! `zarrange rechunk`.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use zarrange_plan::{bytes_text, seconds_text};
use zarrange_rechunk::{
    Cost, Durability, Prepared, Report, kept_bounds, prepare, run as run_job, run_resumable,
};

use crate::args::{RechunkArgs, ToldArgs};
use crate::commands::plan;
use crate::kept::{self, Known};
use crate::out::{self, notes, say, tell};
use crate::progress::Bar;
use crate::{asked, memory, signals, table};

pub(crate) fn run(args: RechunkArgs) -> anyhow::Result<ExitCode> {
    let asked_profile = !args.request.profile.is_empty();
    let (asked_memory, asked_threads) = (args.request.max_mem.is_some(), args.request.threads.is_some());
    let is_direct = args.request.io.direct;
    // What was probed meanwhile would be another plan than that which is gone on with.
    let mut request = args.request.into_request(args.src, args.dst, args.region, !args.resume)?;
    if args.resume {
        request.joins = true;
        request.part_bytes = args.part_size.map_or(request.part_bytes, Into::into);
        plan::for_others(&mut request)?;
        // What is taken where nothing is said is not the same each time: what was kept was planned with it.
        if let Some((memory, threads)) = kept_bounds(&request.target, &request.io)? {
            request.memory_bytes_max = if asked_memory { request.memory_bytes_max } else { memory };
            request.threads = if asked_threads { request.threads } else { threads };
        }
    }
    // A layout is chosen for years, as `advise` does it, not for what is in memory today.
    if !args.resume && !asked_profile && !is_direct && request.mix.is_none() {
        let places = [&request.source, &request.target, request.temp.as_ref().unwrap_or(&request.target)];
        let Known { costs, codec_times } = kept::now(places, request.durability != Durability::None);
        (request.costs, request.codec_times) = (costs, codec_times);
    }
    request.memory_bytes_max = memory::given(request.memory_bytes_max, request.threads)?;
    let prepared = prepare(request)?;
    notes(&prepared.notes());
    notes(&prepared.unused());
    asked::details(&prepared)?;
    if args.dry_run {
        asked::no_bar(&args.told, "with --dry-run nothing is moved");
        if args.told.json {
            out::stream(|out| write_json(&prepared.predicted(), out));
        } else {
            say!("{prepared}");
        }
        // The plan may be for another place.
        prepared.check_room()?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.resume {
        let kept = |prepared: Prepared, bar: &Bar| Ok(run_resumable(prepared, bar)?);
        return tell_of(prepared, &args.told, kept);
    }
    carry_out(prepared, &args.told)
}

/// Carries out what was prepared, and tells what that was.
pub(super) fn carry_out(prepared: Prepared, told: &ToldArgs) -> anyhow::Result<ExitCode> {
    tell_of(prepared, told, |prepared, bar| Ok(run_job(prepared, bar)?))
}

fn tell_of(
    prepared: Prepared,
    told: &ToldArgs,
    carry_out: impl FnOnce(Prepared, &Bar) -> anyhow::Result<Report>,
) -> anyhow::Result<ExitCode> {
    let (target, planned) = (prepared.target().to_string(), prepared.predicted());
    if out::is_verbose() {
        out::to_stderr(format_args!("{prepared}\n"));
    }
    signals::writing();
    let report = carry_out(prepared, &Bar::new(told.progress))?;
    signals::published();
    notes(&report.warnings);
    if told.json {
        let peak_resident_bytes = memory::peak_resident_bytes();
        let json = Measured { report: &report, peak_resident_bytes };
        // It is done already, whoever can read of it.
        out::streamed(|out| write_json(&json, out));
    } else {
        tell!("{}", summary(&target, &planned, &report));
    }
    Ok(ExitCode::SUCCESS)
}

/// What `--json` prints of a run.
#[derive(Serialize)]
struct Measured<'a> {
    #[serde(flatten)]
    report: &'a Report,
    peak_resident_bytes: Option<u64>,
}

/// Writes a report, which has a part for each array.
fn write_json(report: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, report)?;
    writeln!(out)
}

/// What was done, and whether it was what the plan said.
fn summary(target: &str, planned: &Report, report: &Report) -> String {
    let Cost { strategy, counts, peak_budget_bytes, elapsed_s, .. } = &report.cost;
    let verified = if report.verified { ", verified" } else { "" };
    let backend = report.backend;
    let deviations = report.arrays.iter().flat_map(|a| a.deviations.iter().map(move |d| (&a.array, d)));
    let deviations = deviations.map(|(array, (name, planned, counted))| {
        format!("\nnot as planned: {name} of {array:?}: {planned} planned, {counted} counted")
    });
    let deviations = deviations.collect::<Vec<_>>().concat();
    // Of text nothing is known beforehand.
    let (memory, time) = if planned.cost.peak_budget_bytes == 0 {
        (String::new(), String::new())
    } else {
        let Cost { peak_budget_bytes, elapsed_s, .. } = planned.cost;
        (
            format!(" ({} planned)", bytes_text(peak_budget_bytes)),
            format!(" ({} estimated)", seconds_text(elapsed_s)),
        )
    };
    format!(
        "{target}: {strategy}, {} read, {} written in {} chunks, {} of buffers{memory}, {backend}, \
         {elapsed_s:.2} s{time}{verified}{deviations}",
        bytes_text(counts.bytes_read),
        bytes_text(counts.bytes_written),
        table::count(counts.target_chunks),
        bytes_text(*peak_budget_bytes),
    )
}
