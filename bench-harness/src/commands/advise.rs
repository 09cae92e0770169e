//! `zarrange-bench advise`.

use std::ffi::OsString;

use clap::Parser;

use crate::advise::ask::{AdviseArgs, Usage, usage};
use crate::advise::{advise, text};
use crate::program::Program;

/// What `zarrange-bench advise --json` prints, for these `options`.
///
/// # Errors
/// [`Usage`] for options that are not possible, as [`advise`] otherwise.
pub fn advise_json(options: impl IntoIterator<Item = OsString>, program: Program) -> anyhow::Result<String> {
    let line = std::iter::once("advise".into()).chain(options);
    let Line { advise: args } = Line::try_parse_from(line).map_err(|error| usage(told(&error)))?;
    Ok(serde_json::to_string(&advise(&args.resolve(program)?)?)?)
}

/// The command line of a process that does nothing else.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    advise: AdviseArgs,
}

/// What is wrong with options, without how to use a command.
fn told(error: &clap::Error) -> String {
    let text = error.to_string();
    let told = text.split("\n\n").next().unwrap_or_default();
    told.strip_prefix("error: ").unwrap_or(told).to_owned()
}

pub(crate) fn run(args: AdviseArgs, program: Program) -> anyhow::Result<()> {
    let json = args.json;
    let advice = match args.resolve(program).and_then(|ask| advise(&ask)) {
        Err(error) if error.is::<Usage>() => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
        other => other?,
    };
    let said = if json { serde_json::to_string_pretty(&advice)? } else { text::text(&advice) };
    say!("{said}");
    Ok(())
}
