//! `zarrange-bench pairs`.

use std::path::PathBuf;

use crate::program::Program;
use crate::sweep::Runner;

use super::sweep::{self, SweepArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct PairsArgs {
    /// The program of before
    #[arg(long, value_name = "PROGRAM")]
    a: PathBuf,
    /// The program of now [default: this one]
    #[arg(long, value_name = "PROGRAM")]
    b: Option<PathBuf>,
    /// Turns: each program measures every cell once in each
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=1000))]
    turns: u64,
    /// File for the records of B
    #[arg(long)]
    out_b: PathBuf,
    #[command(flatten)]
    sweep: SweepArgs,
}

/// Both programs on the same cells; what is done badly on purpose, B does.
pub(crate) fn run(args: PairsArgs, program: Program) -> anyhow::Result<()> {
    let PairsArgs { a, b, turns, out_b, sweep } = args;
    let before = Runner { program: Program::at(&a), out: sweep.out.clone(), inject: None };
    let now = Runner { program: b.map_or(program, |b| Program::at(&b)), out: out_b, inject: sweep.inject };
    sweep::with(sweep, &[before, now], turns)
}
