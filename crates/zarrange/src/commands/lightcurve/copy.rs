//! `zarrange lightcurve rechunk` and `sync`: a copy in another layout, and one that stays in step.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use zarrange_lightcurve::{CopyOptions, Cut, LightCurveStore};
use zarrange_plan::bytes_text;
use zarrange_rechunk::Codecs;

use crate::args::lightcurve::{CopyArgs, LightcurveRechunkArgs, SyncArgs};
use crate::backend::opener;
use crate::commands::lightcurve::stopped;
use crate::out::{notes, one_line, report, tell};
use crate::progress::Bar;
use crate::{memory, signals, table};

/// What both are told.
fn options(args: &CopyArgs) -> anyhow::Result<CopyOptions> {
    let threads = args.threads.unwrap_or_else(memory::threads);
    Ok(CopyOptions {
        cut: Cut::ObjectOptimized,
        codecs: Codecs::Keep,
        memory_bytes_max: memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), threads)?,
        threads,
        verify: args.verify,
        durability: args.durability,
        overwrite: false,
        io: opener(args.io)?,
    })
}

pub(crate) fn rechunk(args: &LightcurveRechunkArgs) -> anyhow::Result<ExitCode> {
    let cut = args.layout.cut(Cut::ObjectOptimized);
    let (codecs, overwrite) = (args.codecs.clone(), args.overwrite);
    let options = CopyOptions { cut, codecs, overwrite, ..options(&args.copy)? };
    signals::writing();
    let places = (&args.store, &args.out);
    let report = LightCurveStore::copy(places, &options, &Bar::new(args.copy.told.progress))?;
    signals::published();
    notes(&report.warnings);
    let counts = report.cost.counts;
    if args.copy.told.json {
        report!(
            "{}",
            json!({
                "bytes_read": counts.bytes_read, "bytes_written": counts.bytes_written, "target_chunks": counts.target_chunks,
                "verified": report.verified, "elapsed_s": report.cost.elapsed_s,
                "peak_resident_bytes": memory::peak_resident_bytes(),
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let verified = if report.verified { ", verified" } else { "" };
    let (bytes, chunks) = (bytes_text(counts.bytes_written), table::count(counts.target_chunks));
    tell!("{}: {bytes} in {chunks} chunks, {:.2} s{verified}", args.out, report.cost.elapsed_s);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn sync(args: &SyncArgs) -> anyhow::Result<ExitCode> {
    let options = options(&args.copy)?;
    signals::writing();
    let wait = Duration::from_secs(args.wait);
    let places = (&args.store, args.source.as_ref());
    let synced = LightCurveStore::sync(places, &options, wait, &Bar::new(args.copy.told.progress));
    let synced = match synced {
        Ok(synced) => synced,
        Err(error) => return stopped().ok_or_else(|| error.into()),
    };
    signals::published();
    notes(&synced.warnings);
    if args.copy.told.json {
        report!(
            "{}",
            json!({
                "epochs": synced.epochs, "new_epochs": synced.new, "arrays": synced.arrays,
                "bytes_written": synced.bytes_written, "peak_resident_bytes": memory::peak_resident_bytes(),
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let epochs = table::count(synced.epochs.len() as u64);
    let (new, bytes) = (table::count(synced.new), bytes_text(synced.bytes_written));
    let arrays = match &synced.arrays[..] {
        [] => String::new(),
        names => one_line(&format!(", and {}", names.join(", "))).into_owned(),
    };
    tell!("{}: {epochs} epochs brought, {new} added, {bytes} written{arrays}", args.store);
    Ok(ExitCode::SUCCESS)
}
