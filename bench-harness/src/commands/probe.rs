//! `zarrange-bench probe`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::{BACKENDS, opener};
use crate::machine::Machine;
use crate::probe::{Settings, probe};
use anyhow::{Context as _, bail, ensure};
use zarrange_io::{Location, Opener};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes up to 326 MiB to a hidden directory in LOCATION, and removes it. Reads are cold where the page \
cache can be dropped;\nas root, the names that the kernel keeps of all file systems are dropped too. A probe that is killed \
leaves\n.zarrange-probe-*, which can be deleted."
)]
pub(crate) struct ProbeArgs {
    /// Existing directory at the place, or `memory://NAME`
    location: Location,
    /// File for the profile, as JSON
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Replace an existing FILE.json
    #[arg(long)]
    overwrite: bool,
    /// What the place is called in plans [default: LOCATION]
    #[arg(long)]
    name: Option<String>,
    /// Time for all of it, about: a fast place needs less, a slow one more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How local files are read and written [default: `io_uring` where it works, otherwise std]
    #[arg(long, value_parser = BACKENDS)]
    backend: Option<String>,
    /// Read past the page cache (`O_DIRECT`); not with mmap
    #[arg(long)]
    direct: bool,
}

pub(crate) fn run(args: &ProbeArgs) -> anyhow::Result<()> {
    let machine = match &args.location {
        Location::Path(path) => Machine::here(path),
        other => Machine { device: other.to_string(), ..Machine::here(Path::new(".")) },
    };
    say!("{machine}\n");
    let mapped = args.backend.as_deref() == Some("mmap");
    ensure!(
        !(mapped && args.direct),
        "mmap reads through the page cache: leave out --direct, or use another --backend"
    );
    let opener = args.backend.as_deref().map_or_else(|| Ok(Opener::auto()), opener)?.direct(args.direct);
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
    Ok(())
}
