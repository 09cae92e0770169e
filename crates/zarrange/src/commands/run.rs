//! `zarrange run`.

use std::process::ExitCode;

use anyhow::Context as _;
use zarrange_io::{Location, Opener};
use zarrange_plan::bytes_text;
use zarrange_rechunk::{PlanFile, prepare_planned};

use crate::args::PlannedArgs;
use crate::backend::opener;
use crate::commands::rechunk::carry_out;
use crate::out::detail;
use crate::{asked, memory};

/// A plan has some kilobytes for each array.
const PLAN_BYTES_MAX: u64 = 1 << 30;

pub(crate) fn run(planned: &PlannedArgs) -> anyhow::Result<ExitCode> {
    let (file, io) = read_plan(planned)?;
    let PlannedArgs { plan, told, .. } = planned;
    let prepared = prepare_planned(&file, io).with_context(|| plan.display().to_string())?;
    asked::details(&prepared)?;
    carry_out(prepared, told)
}

/// Reads a plan that this process has the memory for, and opens what reads and writes.
pub(super) fn read_plan(PlannedArgs { plan, io, .. }: &PlannedArgs) -> anyhow::Result<(PlanFile, Opener)> {
    let io = opener(*io)?;
    let place = || plan.display().to_string();
    let (dir, name) = Location::Path(plan.clone()).parent()?;
    let json = io.open(&dir).with_context(place)?.get(&name, PLAN_BYTES_MAX).with_context(place)?;
    let json = json.with_context(|| format!("{}: there is no such file", place()))?;
    let file = PlanFile::parse(&json).with_context(place)?;
    memory::check(file.options.memory_bytes_max, file.options.threads)?;
    detail!(
        "{}: memory: {} for data; threads: {}; as planned",
        place(),
        bytes_text(file.options.memory_bytes_max),
        file.options.threads
    );
    Ok((file, io))
}
