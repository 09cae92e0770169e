//! `zarrange-bench compare`.

use std::path::PathBuf;

use crate::pairs::{self, Interval};

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// Records of the program of before
    a: PathBuf,
    /// Records of the program of now, measured in turns with it
    b: PathBuf,
    /// Slower by this is too slow: exit code 1 where the whole interval lies above
    #[arg(long, default_value_t = 1.02)]
    margin: f64,
}

pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let (a, b) = pairs::read(&args.a, &args.b)?;
    let ratios = pairs::ratios(&a, &b)?;
    let interval = Interval::of(&ratios)?;
    let Interval { mean, low, high } = interval;
    let (before, now) = pairs::commits(&a, &b);
    let slower = interval.is_above(args.margin);
    let verdict = if slower { "slower" } else { "not slower beyond doubt" };
    say!(
        "{now} takes {mean:.3} times as long as {before} (99 % within {low:.3} to {high:.3}, {} turns): {verdict}",
        ratios.len()
    );
    if slower { std::process::exit(1) } else { Ok(()) }
}
