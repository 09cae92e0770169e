//! `zarrange run`.

use std::process::ExitCode;

use anyhow::Context as _;
use zarrange_io::Location;
use zarrange_rechunk::{PlanFile, prepare_planned};

use crate::args::RunArgs;
use crate::backend::opener;
use crate::commands::rechunk::carry_out;
use crate::memory;

/// A plan has some kilobytes for each array.
const PLAN_BYTES_MAX: u64 = 1 << 30;

pub(crate) fn run(RunArgs { plan, io, told }: &RunArgs) -> anyhow::Result<ExitCode> {
    let io = opener(*io)?;
    let place = || plan.display().to_string();
    let (dir, name) = Location::Path(plan.clone()).parent()?;
    let json = io.open(&dir).with_context(place)?.get(&name, PLAN_BYTES_MAX).with_context(place)?;
    let json = json.with_context(|| format!("{}: there is no such file", place()))?;
    let file = PlanFile::parse(&json).with_context(place)?;
    memory::check(file.options.memory_bytes_max, file.options.threads)?;
    carry_out(prepare_planned(&file, io).with_context(place)?, told)?;
    Ok(ExitCode::SUCCESS)
}
