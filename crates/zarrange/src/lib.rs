//! `zarrange`: rechunk Zarr arrays within a fixed memory, verified.
//!
//! ```text
//! zarrange rechunk by-epoch.zarr by-object.zarr --chunks object=20,epoch=-1 --verify full
//! ```
//!
//! **It owns** the command line, everything that is printed, exit codes and signals, and the choice of the backend, of memory and of
//! threads. It alone prints and reads the environment.
//!
//! **It never knows** how arrays are stored or moved: a command makes a request of its arguments, hands it to a library, and
//! prints what comes back.
//!
//! **Read `args` first**: it is the command line. Each command has a file of its own below `commands`. A program that wants to do the
//! same calls the crate `zarrange-rechunk`.

pub mod advise;
mod args;
mod asked;
mod backend;
mod cached;
mod commands;
mod hints;
pub mod kept;
pub mod machine;
mod memory;
mod out;
pub mod probe;
mod progress;
pub mod random;
mod request;
mod signals;
mod table;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use rustix::io::Errno;
use zarrange_io::Stopped;
use zarrange_lightcurve::LightCurveError;
use zarrange_rechunk::{RechunkError, SharedError, SpecError};

use crate::advise::ask::Usage;
use crate::args::{Command, LightcurveCommand};
use crate::hints::Options;
use crate::out::{fault, one_line};

pub use crate::commands::info::info_json;
pub use crate::commands::lightcurve::info::light_curves_json;
pub use crate::commands::lightcurve::plot::{Folded, light_curve};
pub use crate::memory::{check as check_memory, default_max, threads};

/// The commit that this program was built from, with `+` if sources had been changed; `unknown` outside a checkout.
pub const COMMIT: &str = env!("ZARRANGE_COMMIT");

/// The version, and the commit.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("ZARRANGE_COMMIT"), ")");

/// Runs the command in this process, whose command line is `line`: the name of the program first. It prints, listens to signals, and may end
/// the process. What it returns is the exit code.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (args, options) = args::Args::of(line).unwrap_or_else(|error| error.exit());
    out::set_level(args.level());
    backend::raise_descriptor_limit();
    signals::watch();
    if let Err(error) = memory::prepare() {
        fault!("{error}");
        return ExitCode::FAILURE;
    }
    keep_zarrs_single();
    let outcome = match args.command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Rechunk(args) => commands::rechunk::run(*args),
        Command::Plan(args) => commands::plan::run(*args),
        Command::Run(args) => commands::run::run(&args),
        Command::Worker(args) => commands::worker::run(&args),
        Command::Finish(args) => commands::finish::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Digest(args) => commands::digest::run(&args, &options),
        Command::Advise(args) => commands::advise::run(*args),
        Command::Info(args) => commands::info::run(&args),
        Command::Probe(args) => commands::probe::run(&args),
        Command::Completions { shell } => Ok(commands::shell::completions(shell)),
        Command::Man { dir } => commands::shell::man(&dir),
        Command::Lightcurve { command } => match command {
            LightcurveCommand::Rechunk(args) => commands::lightcurve::copy::rechunk(&args),
            LightcurveCommand::Sync(args) => commands::lightcurve::copy::sync(&args),
            LightcurveCommand::Ingest(args) => commands::lightcurve::ingest::run(&args),
            LightcurveCommand::Append(args) => commands::lightcurve::append::run(&args),
            LightcurveCommand::Create(args) => commands::lightcurve::create::run(&args),
            LightcurveCommand::Fill(args) => commands::lightcurve::fill::run(&args),
            LightcurveCommand::Get(args) => commands::lightcurve::get::run(&args),
            LightcurveCommand::Info(args) => commands::lightcurve::info::run(&args),
            LightcurveCommand::Advise(args) => commands::lightcurve::advise::run(&args),
        },
    };
    match outcome {
        Ok(code) if out::is_complete() => code,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => failed(&error, &options),
    }
}

/// Tells why a command failed; its exit code.
fn failed(error: &anyhow::Error, options: &Options) -> ExitCode {
    match signals::came() {
        Some((signal, code))
            if Stopped::is_cause_of(error.as_ref()) && error.downcast_ref::<SharedError>().is_some() =>
        {
            fault!("stopped by {signal}: what was done is kept, and the same command does the rest");
            ExitCode::from(code)
        }
        Some((signal, code)) if Stopped::is_cause_of(error.as_ref()) => {
            // What the demo has finished before stays.
            let (target, left) = match error.downcast_ref() {
                Some(RechunkError::Stopped { target, left, .. }) => (target.as_str(), left.as_str()),
                _ => ("what was being written", ""),
            };
            fault!("stopped by {signal}: {} is as it was before{}", one_line(target), one_line(left));
            ExitCode::from(code)
        }
        _ => {
            fault!("{}", message(error, options));
            ExitCode::from(if is_usage(error) { 2 } else { 1 })
        }
    }
}

/// zarrs starts a thread for each processor when it is first used. None of them has anything to do: the engine's own threads
/// call its codecs.
fn keep_zarrs_single() {
    // It fails only where the threads were started already.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
}

/// One line: what, where, and what would be right. Causes are added where the text does not name them already.
fn message(error: &anyhow::Error, options: &Options) -> String {
    let mut text = options.told(error);
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    // Those of stores say so themselves; tables, lists and what is written to are files, too.
    if !text.contains("ulimit") && error.chain().any(lacks_descriptors) {
        text.push_str(": raise the limit of open files (ulimit -n)");
    }
    // Several members that cannot be carried over have a line each.
    let listed = matches!(error.downcast_ref(), Some(RechunkError::Members(_)));
    if listed { text } else { text.replace('\n', " ") }
}

/// Whether the process or the system has no descriptor left.
fn lacks_descriptors(error: &(dyn std::error::Error + 'static)) -> bool {
    let code = error.downcast_ref().and_then(io::Error::raw_os_error);
    [Errno::MFILE, Errno::NFILE].into_iter().any(|full| code == Some(full.raw_os_error()))
}

/// Whether the command was used wrongly, rather than failed.
fn is_usage(error: &anyhow::Error) -> bool {
    use LightCurveError::{Dimension, Layout, NothingToKeep, TooMuch};
    let of_store = error.downcast_ref();
    let of_store =
        matches!(of_store, Some(Dimension { .. } | Layout { .. } | NothingToKeep | TooMuch { .. }));
    of_store
        || error.is::<SpecError>()
        || error.is::<Usage>()
        || match error.downcast_ref() {
            Some(RechunkError::Spec(_)) => true,
            Some(RechunkError::Members(refusals)) => refusals.are_usage(),
            _ => false,
        }
}
