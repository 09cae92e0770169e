//! `zarrange probe`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use zarrange_io::Location;

use crate::advise::ask::usage;
use crate::args::{BackendArg, ProbeArgs};
use crate::backend::opener;
use crate::kept;
use crate::machine::Machine;
use crate::out::{note, one_line, say};
use crate::probe::{Settings, codec_times, probe};

pub(crate) fn run(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let machine = match &args.location {
        Location::Path(path) => Machine::here(path),
        other => Machine { device: other.to_string(), ..Machine::here(Path::new(".")) },
    };
    let usual = !args.io.direct && args.io.backend == BackendArg::Auto;
    if !usual && !matches!(args.location, Location::Path(_)) {
        bail!(usage(format!(
            "{} is no folder, so no backend reads it: probe it without --backend and --direct",
            args.location
        )));
    }
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
    let profile = measured.profile(&name)?;
    let text = serde_json::to_string_pretty(&profile)?;
    say!("{text}");
    if let Some(out) = &args.out {
        std::fs::write(out, text + "\n").with_context(|| format!("{} cannot be written", out.display()))?;
    }
    if !args.no_keep && !usual {
        note!("the profile is not kept: plans are for the backend that is taken where none is named");
    } else if !args.no_keep {
        match codec_times().and_then(|codecs| kept::keep(&args.location, &profile, codecs)) {
            Ok(Some((file, place))) => {
                say!(
                    "Kept in {} for {place}: plans and advice use it where no --profile is given.",
                    file.display()
                );
            }
            Ok(None) => {}
            // What was measured was told.
            Err(error) => note!("the profile is not kept: {}", one_line(&format!("{error:#}"))),
        }
    }
    Ok(ExitCode::SUCCESS)
}
