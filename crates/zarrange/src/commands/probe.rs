//! `zarrange probe`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use zarrange_io::Location;

use crate::args::ProbeArgs;
use crate::backend::opener;
use crate::machine::Machine;
use crate::out::say;
use crate::probe::{Settings, probe};

pub(crate) fn run(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let machine = match &args.location {
        Location::Path(path) => Machine::here(path),
        other => Machine { device: other.to_string(), ..Machine::here(Path::new(".")) },
    };
    say!("{machine}\n");
    let opener = opener(args.io)?;
    let settings = Settings { time: Duration::from_secs(args.seconds), ..Settings::default() };
    if let Some(out) = args.out.as_ref().filter(|out| !args.overwrite && out.symlink_metadata().is_ok()) {
        bail!("{} exists: choose another name, or replace it with --overwrite", out.display());
    }
    let measured = probe(&args.location, &opener, &settings)
        .with_context(|| format!("{} cannot be probed", args.location))?;
    say!("{measured}");
    let name = args.name.clone().unwrap_or_else(|| args.location.to_string());
    let profile = serde_json::to_string_pretty(&measured.profile(&name)?)?;
    say!("{profile}");
    if let Some(out) = &args.out {
        std::fs::write(out, profile + "\n")
            .with_context(|| format!("{} cannot be written", out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
