//! `zarrange-bench advise`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use zarrange::advise::advice::Advice;
use zarrange::advise::ask::{self, Usage, usage};
use zarrange::advise::text;

use crate::advise::{Measuring, advise};
use crate::program::Program;

/// The options of `zarrange-bench advise`: those of `zarrange advise`, and how to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct MeasuredAdviseArgs {
    #[command(flatten)]
    ask: ask::AdviseArgs,
    /// Make the best layouts of the sample (or of a synthetic survey) and read them
    #[arg(long)]
    measure: bool,
    /// Where layouts are made to be measured [default: below target/]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl MeasuredAdviseArgs {
    /// What is asked, answered.
    fn answered(self, program: Program) -> anyhow::Result<Advice> {
        let measuring = self.measure.then_some(Measuring { dir: self.dir, program });
        advise(&self.ask.resolve()?, measuring.as_ref())
    }
}

/// What `zarrange-bench advise --json` prints, for these `options`.
///
/// # Errors
/// [`Usage`] for options that are not possible, as [`advise`] otherwise.
pub fn advise_json(options: impl IntoIterator<Item = OsString>, program: Program) -> anyhow::Result<String> {
    let line = std::iter::once("advise".into()).chain(options);
    let Line { advise: args } = Line::try_parse_from(line).map_err(|error| usage(told(&error)))?;
    Ok(serde_json::to_string(&args.answered(program)?)?)
}

/// The command line of a process that does nothing else.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    advise: MeasuredAdviseArgs,
}

/// What is wrong with options, without how to use a command.
fn told(error: &clap::Error) -> String {
    let text = error.to_string();
    let told = text.split("\n\n").next().unwrap_or_default();
    told.strip_prefix("error: ").unwrap_or(told).to_owned()
}

pub(crate) fn run(args: MeasuredAdviseArgs, program: Program) -> anyhow::Result<()> {
    let json = args.ask.json;
    let advice = match args.answered(program) {
        Err(error) if error.is::<Usage>() => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
        other => other?,
    };
    for line in &advice.unused {
        eprintln!("zarrange-bench: note: {line}");
    }
    let said = if json { serde_json::to_string_pretty(&advice)? } else { text::text(&advice) };
    say!("{said}");
    Ok(())
}
