//! `zarrange-bench roofline`.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::data;
use crate::machine::Machine;
use crate::program::Program;
use crate::report::Report;
use crate::roofline::cases::Case;
use crate::roofline::{
    Options, filling, finding, groups, growing, light_curves, measure, reading, small_memory, target, workers,
};

#[derive(Debug, clap::Args)]
pub(crate) struct RooflineArgs {
    /// W, N, U, T, S, E, M (W within 128 MB), L (light curves read from W's target), F (a field filled epoch by
    /// epoch), G (a group of small arrays), O (objects found by their labels), R (light curves of that field, read one at
    /// a time and many together), C (a copy that grows with the field) and X (workers on slow places, as they are and as
    /// they are simulated) [default: all]
    #[arg(value_parser = ["W", "N", "U", "T", "S", "E", "M", "L", "F", "G", "O", "R", "C", "X"])]
    cases: Vec<String>,
    /// Threads of the engine, one run for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "2,1", value_parser = clap::value_parser!(u64).range(1..=4096))]
    threads: Vec<u64>,
    /// Turns that count; one before them does not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    turns: u64,
    /// Where data is kept and targets are written [default: below target/]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// File for the raw numbers, as JSON lines [default: roofline.jsonl beside the data]
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: RooflineArgs, program: &Program) -> anyhow::Result<()> {
    let dir = match args.dir {
        Some(dir) => std::fs::create_dir_all(&dir)
            .and_then(|()| dir.canonicalize())
            .with_context(|| format!("{}: no folder for data can be made here", dir.display()))?,
        None => data::folder()?,
    };
    let out = args.out.unwrap_or_else(|| dir.join("roofline.jsonl"));
    let mut report = Report::new(&out, &Machine::here(&dir))?;
    let wanted = |name: &str| args.cases.is_empty() || args.cases.iter().any(|case| case == name);
    let turns = usize::try_from(args.turns)?;
    for threads in args.threads {
        let options = Options { dir: &dir, threads, turns, program };
        for case in Case::all()?.iter().filter(|case| wanted(case.name)) {
            measure(case, options, &mut report)?;
        }
        if wanted("M") {
            small_memory(&Case::named("W")?, options, &mut report)?;
        }
        if wanted("G") {
            groups::measure(&dir, (threads, turns), &mut report)?;
        }
    }
    if wanted("L") {
        let case = Case::named("W")?;
        light_curves::measure(&case, &target(&case, &dir)?, turns, &mut report)?;
    }
    if wanted("F") {
        filling::measure((&dir, program), turns, &mut report)?;
    }
    if wanted("O") {
        finding::measure((&dir, program), turns, &mut report)?;
    }
    if wanted("R") {
        reading::measure(&dir, turns, &mut report)?;
    }
    if wanted("C") {
        growing::measure(&dir, turns, &mut report)?;
    }
    if wanted("X") {
        workers::measure(&dir, turns, &mut report)?;
    }
    say!("");
    report.end();
    say!("raw numbers: {}", out.display());
    Ok(())
}
