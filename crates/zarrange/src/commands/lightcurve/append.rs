//! `zarrange lightcurve append`.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use zarrange_lightcurve::{LightCurveStore, NewEpochs};

use crate::args::lightcurve::AppendArgs;
use crate::backend::opener;
use crate::commands::lightcurve::create::dimension;
use crate::commands::lightcurve::stopped;
use crate::out::{note, one_line, report, tell};
use crate::{memory, signals, table};

pub(crate) fn run(args: &AppendArgs) -> anyhow::Result<ExitCode> {
    let max_mem = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), 1)?;
    let (count, labels, side) = dimension(&args.epochs, max_mem / 4)?;
    let store = LightCurveStore::open(&args.store, &opener(args.io)?)?;
    let new = NewEpochs { count, labels, side };
    signals::writing();
    let appended = match store.append(&new, (Duration::from_secs(args.wait), max_mem / 4)) {
        Ok(appended) => appended,
        Err(error) => return stopped().ok_or_else(|| error.into()),
    };
    signals::published();
    for name in &appended.unset {
        note!("{}", one_line(&format!("{name} has no value for the new epochs")));
    }
    if args.json {
        report!("{}", json!({"first": appended.first, "epochs": appended.size, "unset": appended.unset}));
        return Ok(ExitCode::SUCCESS);
    }
    tell!("{}: {} epochs, {} of them new", args.store, table::count(appended.size), table::count(count));
    Ok(ExitCode::SUCCESS)
}
