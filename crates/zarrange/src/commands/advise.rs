//! `zarrange advise`.

use std::process::ExitCode;

use crate::advise::ask::AdviseArgs;
use crate::advise::{advise, text};
use crate::out::{notes, say};

pub(crate) fn run(args: AdviseArgs) -> anyhow::Result<ExitCode> {
    let json = args.json;
    let ask = args.resolve()?;
    notes(&ask.unused);
    let advice = advise(&ask, None)?;
    say!("{}", if json { serde_json::to_string_pretty(&advice)? } else { text::text(&advice) });
    Ok(ExitCode::SUCCESS)
}
