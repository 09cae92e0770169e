//! `zarrange-bench`: measures what zarrange does, with its reference in the same run. Each command is in a file below `commands`.

mod commands;

use bench_harness::advise::ask::AdviseArgs;
use clap::{Parser, Subcommand};

/// Measures zarrange against what the machine allows.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The engine against the codecs, a copy in memory and the device, on the same data in one run
    Roofline(commands::roofline::RooflineArgs),
    /// Reads every layout in every way: amplification, requests, latency
    Sweep(commands::sweep::SweepArgs),
    /// Shows what sweeps found: a page with charts and tables that needs no network
    Report(commands::report::ReportArgs),
    /// Holds a sweep against the baseline: exit code 1 where a counter got worse
    Gate(commands::gate::GateArgs),
    /// Measures the same cells by two programs in turns
    Pairs(commands::pairs::PairsArgs),
    /// Compares two files of pairs: the ratio of their times, with an interval
    Compare(commands::compare::CompareArgs),
    /// The best layouts for an access mix, with what they cost and why
    Advise(Box<AdviseArgs>),
    /// Latency and bandwidth of a place by size of request: a profile for `zarrange rechunk --profile`
    Probe(commands::probe::ProbeArgs),
    /// Makes the field of `datasets/light-curves.toml`: a store of light curves, an epoch a chunk, all epochs filled
    Field(commands::field::FieldArgs),
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

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Roofline(args) => commands::roofline::run(args),
        Command::Sweep(args) => commands::sweep::run(args),
        Command::Report(args) => commands::report::run(args),
        Command::Gate(args) => commands::gate::run(&args),
        Command::Pairs(args) => commands::pairs::run(args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Advise(args) => commands::advise::run(*args),
        Command::Probe(args) => commands::probe::run(&args),
        Command::Field(args) => commands::field::run(&args),
        Command::Cell => commands::cell::run(),
        Command::Fill { store, channels } => bench_harness::roofline::filling::fill(&store, &channels),
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
