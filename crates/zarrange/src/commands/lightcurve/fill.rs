//! `zarrange lightcurve fill`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use zarrange_lightcurve::{FillOptions, LightCurveStore, Mapping, Rejects, Replace, TableFill, TableReport};
use zarrange_rechunk::Progress as _;

use crate::args::lightcurve::FillArgs;
use crate::backend::opener;
use crate::out::{fault, note, one_line, report, tell};
use crate::progress::Bar;
use crate::{memory, signals, table};

pub(crate) fn run(args: &FillArgs) -> anyhow::Result<ExitCode> {
    let threads = args.threads.unwrap_or_else(memory::threads);
    let memory_bytes_max = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), threads)?;
    let store = LightCurveStore::open(&args.store, &opener(args.io)?)?;
    let mapping = Mapping {
        columns: args.columns.clone(),
        at: args.at.clone(),
        tolerance: args.tolerance,
        ignore_units: args.ignore_units,
    };
    let wait = Duration::from_secs(args.wait);
    // A gap in a table takes nothing away.
    let replace = if args.replace { Replace::ByValues } else { Replace::Never };
    let options = FillOptions { replace, run: &args.run, wait, ..FillOptions::default() };
    let threads = usize::try_from(threads).unwrap_or(usize::MAX);
    let how = TableFill { mapping: &mapping, options, memory_bytes_max, threads };
    if let Some(path) =
        args.rejected.as_ref().filter(|path| args.tables.iter().any(|table| is_same(table, path)))
    {
        bail!("{} is one of the tables: rejected rows need a file of their own", path.display());
    }
    let file = match &args.rejected {
        Some(path) => Some(File::create(path).with_context(|| path.display().to_string())?),
        None => None,
    };
    let mut rejects = Rejects::new(file.map(|file| Box::new(BufWriter::new(file)) as Box<dyn Write + Send>));
    signals::writing();
    let report = {
        let bar = Bar::new(args.progress);
        bar.begin("fill", args.tables.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum());
        store.fill_tables(&args.tables, &how, &mut rejects, &|bytes| bar.advance(bytes))?
    };
    if let Some((signal, code)) = signals::came() {
        let epochs = table::count(report.epochs.len() as u64);
        fault!(
            "stopped by {signal}: {epochs} epochs were filled and recorded; of others values may be there that are not, and all can be \
             filled again"
        );
        return Ok(ExitCode::from(code));
    }
    signals::published();
    told(args, &report, &rejects);
    let done = report.failed.is_empty() && (rejects.count() == 0 || args.rejected.is_some());
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether two paths are of one file.
fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// Says what was done, and what was not.
fn told(args: &FillArgs, report: &TableReport, rejects: &Rejects<'_>) {
    for (_, error) in &report.failed {
        fault!("{}", one_line(&error.to_string()));
    }
    // Rows are no error where they are kept in a file.
    let rejected_row = |line: &str| if args.rejected.is_some() { note!("{line}") } else { fault!("{line}") };
    for rejected in rejects.first() {
        let (table, place, reason) = (&rejected.table, &rejected.place, &rejected.reason);
        rejected_row(&format!("rejected: {}", one_line(&format!("{table}, {place}: {reason}"))));
    }
    let more = rejects.count().saturating_sub(rejects.first().len() as u64);
    if more > 0 {
        let all = args.rejected.as_ref().map_or_else(
            || "--rejected FILE writes all of them".to_owned(),
            |path| format!("all are in {}", path.display()),
        );
        rejected_row(&format!("and {} more rows; {all}", table::count(more)));
    }
    let added = report.sequence.unwrap_or_default();
    let done = || report.epochs.values().chain([&added.written]);
    let changed: u64 = done().map(|done| done.changed).sum();
    let chunks: u64 = done().map(|done| done.chunks).sum();
    if args.json {
        let failed: Vec<_> = report
            .failed
            .iter()
            .map(|(path, error)| json!({"table": path, "reason": error.to_string()}))
            .collect();
        report!(
            "{}",
            json!({
                "rows": report.rows, "rejected_rows": rejects.count(), "epochs": report.epochs.len(),
                "added": added.observations, "changed_values": changed, "chunks_written": chunks, "failed": failed,
                "peak_resident_bytes": memory::peak_resident_bytes(),
            })
        );
        return;
    }
    let what = match report.sequence {
        Some(added) => format!("{} new observations", table::count(added.observations)),
        None => format!("{} epochs", table::count(report.epochs.len() as u64)),
    };
    tell!(
        "{}: {} rows {} {what}, {} new values, {} rows rejected",
        args.store,
        table::count(report.rows),
        if report.sequence.is_some() { "with" } else { "at" },
        table::count(changed),
        table::count(rejects.count())
    );
}
