//! One file for each command of `zarrange lightcurve`.

pub(crate) mod advise;
pub(crate) mod append;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod fill;
pub(crate) mod get;
pub(crate) mod info;
pub(crate) mod ingest;
pub(crate) mod plot;

use std::process::ExitCode;

use crate::out::fault;
use crate::signals;

/// The exit code where a signal has ended what the same command goes on with; that is told.
fn stopped() -> Option<ExitCode> {
    let (signal, code) = signals::came()?;
    fault!("stopped by {signal}: the same command does the rest");
    Some(ExitCode::from(code))
}
