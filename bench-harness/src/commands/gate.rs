//! `zarrange-bench gate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::baseline::{self, Baseline};
use crate::sweep::record;

#[derive(Debug, clap::Args)]
pub(crate) struct GateArgs {
    /// Records of a sweep
    raw: PathBuf,
    /// What they are held against
    #[arg(long, default_value = "results/baseline.jsonl")]
    baseline: PathBuf,
    /// Output of `cargo bench --bench instructions`, to be held against the baseline too
    #[arg(long, value_name = "FILE")]
    instructions: Option<PathBuf>,
    /// Write a new baseline instead
    #[arg(long)]
    update: bool,
}

pub(crate) fn run(args: &GateArgs) -> anyhow::Result<()> {
    let instructions = match &args.instructions {
        None => BTreeMap::new(),
        Some(file) => baseline::instructions(&std::fs::read_to_string(file)?)?,
    };
    let now = Baseline::of(&record::read(&args.raw)?, instructions);
    if args.update {
        now.write(&args.baseline)?;
        say!("a new baseline: {}", args.baseline.display());
        return Ok(());
    }
    let verdict = Baseline::read(&args.baseline)?.compare(&now);
    say!("{verdict}");
    if verdict.passes() { Ok(()) } else { std::process::exit(1) }
}
