//! `zarrange`: rechunk Zarr arrays within a fixed memory, verified.
//!
//! Arguments are in `args`, each command in a file of its own below `commands`. Only here are things printed, the
//! environment read, and backends chosen.

mod args;
mod commands;
mod memory;
mod progress;
mod table;

use std::process::ExitCode;

use zarrange_rechunk::{RechunkError, SpecError};

use crate::args::{Command, LightcurveCommand};

fn main() -> ExitCode {
    let args = args::Args::of_process();
    let outcome = match args.command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Rechunk(args) => commands::rechunk::run(args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Info(args) => commands::info::run(&args),
        Command::Lightcurve { command: LightcurveCommand::Ingest(args) } => {
            commands::lightcurve::ingest(&args)
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // One line: what, where, and what would be right.
            eprintln!("zarrange: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

/// Whether the command was used wrongly, rather than failed.
fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<SpecError>() || matches!(error.downcast_ref(), Some(RechunkError::Spec(_)))
}
