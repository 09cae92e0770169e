//! The command line, and the commands: each with its arguments.

pub(crate) mod advise;
mod cell;
mod compare;
mod field;
mod gate;
mod pairs;
mod report;
mod roofline;
mod sweep;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::program::Program;

/// Measures zarrange against what the machine allows.
#[derive(Debug, Parser)]
#[command(version = zarrange::VERSION, about, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The engine against the codecs, a copy in memory and the device, on the same data in one run
    Roofline(roofline::RooflineArgs),
    /// Reads every layout in every way: amplification, requests, latency
    Sweep(sweep::SweepArgs),
    /// Shows what sweeps found: a page with charts and tables that needs no network
    Report(report::ReportArgs),
    /// Holds a sweep against the baseline: exit code 1 where a counter got worse
    Gate(gate::GateArgs),
    /// Measures the same cells by two programs in turns
    Pairs(pairs::PairsArgs),
    /// Compares two files of pairs: the ratio of their times, with an interval
    Compare(compare::CompareArgs),
    /// The best layouts for an access mix, with what they cost and why
    Advise(Box<advise::MeasuredAdviseArgs>),
    /// Makes the field of `datasets/light-curves.toml`: a store of light curves, an epoch a chunk, all epochs filled
    Field(field::FieldArgs),
    /// Measures one cell of a sweep, as told on stdin
    #[command(hide = true)]
    Cell,
    /// Fills as one process of several, in the roofline's case F
    #[command(hide = true)]
    Fill {
        /// The store
        store: std::path::PathBuf,
        /// Its channels: 0, 1 or both
        channels: String,
    },
}

/// Runs the command `zarrange-bench` in this process, whose command line is `line`: the name of the program first. `program` is how it is
/// started again, for cells that are measured in processes of their own. It prints, and may end the process.
///
/// # Errors
/// If the command fails.
pub fn run(line: impl IntoIterator<Item = OsString>, program: Program) -> anyhow::Result<()> {
    match Args::parse_from(line).command {
        Command::Roofline(args) => roofline::run(args, &program),
        Command::Sweep(args) => sweep::run(args, program),
        Command::Report(args) => report::run(args),
        Command::Gate(args) => gate::run(&args),
        Command::Pairs(args) => pairs::run(args, program),
        Command::Compare(args) => compare::run(&args),
        Command::Advise(args) => advise::run(*args, program),
        Command::Field(args) => field::run(&args),
        Command::Cell => cell::run(),
        Command::Fill { store, channels } => crate::roofline::filling::fill(&store, &channels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
