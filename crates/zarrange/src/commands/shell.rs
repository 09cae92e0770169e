//! `zarrange completions` and `zarrange man`: what the command line says of itself, for shells and for `man`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Args;
use crate::out;

/// The name of the program, as it is installed.
const NAME: &str = "zarrange";

pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    out::stream(|out| out.write_all(&script));
    ExitCode::SUCCESS
}

pub(crate) fn man(dir: &Path) -> anyhow::Result<ExitCode> {
    let place = || dir.display().to_string();
    std::fs::create_dir_all(dir).with_context(place)?;
    clap_mangen::generate_to(Args::command().name(NAME), dir).with_context(place)?;
    Ok(ExitCode::SUCCESS)
}
