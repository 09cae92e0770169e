//! `zarrange rechunk`.

use std::process::ExitCode;

use zarrange_plan::{Costs, Limits, StoreProfile, bytes_text, seconds_text};
use zarrange_rechunk::{Cost, Durability, Job, MixRequest, Report, Verify, prepare, run as run_job};

use crate::args::{DurabilityArg, Place, ProfileArg, RechunkArgs, VerifyArg};
use crate::backend::opener;
use crate::progress::Bar;
use crate::{memory, table};

pub(crate) fn run(args: RechunkArgs) -> anyhow::Result<ExitCode> {
    let costs = costs(&args.profile);
    let limits = limits(&costs.target, args.chunk_bytes, args.max_files);
    let job = Job {
        source: args.src,
        target: args.dst,
        chunks: args.chunks,
        shards: args.shards,
        mix: args.mix.map(|mix| MixRequest { mix, limits }),
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
        costs,
        way: args.way,
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
    let planned = prepared.predicted();
    let report = run_job(prepared, &Bar::new(args.progress))?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["peak_resident_bytes"] = memory::peak_resident_bytes().into();
        println!("{json}");
    } else {
        println!("{}", summary(&target, &planned, &report));
    }
    Ok(ExitCode::SUCCESS)
}

/// What layouts that are chosen for reading at `place` may be; a chunk size that is given is kept.
fn limits(place: &StoreProfile, chunk_bytes: Option<u64>, objects_max: Option<u64>) -> Limits {
    /// Decoding is reading, too: zstd, as most arrays have it.
    const DECODE_NS_PER_BYTE: f64 = 1.6;
    let default = Limits::of(place.read_request_ns, place.read_ns_per_byte + DECODE_NS_PER_BYTE);
    Limits {
        chunk_bytes: chunk_bytes.unwrap_or(default.chunk_bytes),
        chunk_bytes_max: chunk_bytes.unwrap_or(default.chunk_bytes_max),
        objects_max: objects_max.unwrap_or(default.objects_max),
        ..default
    }
}

/// What the places cost, as asked for.
fn costs(profiles: &[ProfileArg]) -> Costs {
    let mut costs = Costs::default();
    for ProfileArg { place, profile } in profiles {
        let places = [
            (Place::Source, &mut costs.source),
            (Place::Target, &mut costs.target),
            (Place::Temp, &mut costs.spill),
        ];
        for (_, cost) in places.into_iter().filter(|(p, _)| place.is_none_or(|place| place == *p)) {
            cost.clone_from(profile);
        }
    }
    costs
}

/// What was done, and whether it was what the plan said.
fn summary(target: &str, planned: &Report, report: &Report) -> String {
    let Cost { strategy, bytes_read, bytes_written, target_chunks, peak_budget_bytes, elapsed_s, .. } =
        &report.cost;
    let verified = if report.verified { ", verified" } else { "" };
    let backend = report.backend;
    let deviations = report.arrays.iter().flat_map(|a| a.deviations.iter().map(move |d| (&a.array, d)));
    let deviations = deviations.map(|(array, (name, planned, counted))| {
        format!("\nnot as planned: {name} of {array:?}: {planned} planned, {counted} counted")
    });
    let deviations = deviations.collect::<Vec<_>>().concat();
    format!(
        "{target}: {strategy}, {} read, {} written in {} chunks, {} of buffers ({} planned), {backend}, \
         {elapsed_s:.2} s ({} estimated){verified}{deviations}",
        bytes_text(*bytes_read),
        bytes_text(*bytes_written),
        table::count(*target_chunks),
        bytes_text(*peak_budget_bytes),
        bytes_text(planned.cost.peak_budget_bytes),
        seconds_text(planned.cost.elapsed_s),
    )
}
