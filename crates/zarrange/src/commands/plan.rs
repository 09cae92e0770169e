//! `zarrange plan`.

use std::path::{Path, absolute};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use zarrange_io::{Location, Opener};
use zarrange_rechunk::prepare;

use crate::args::PlanArgs;
use crate::out::{self, note, one_line, say};
use crate::signals;

pub(crate) fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let PlanArgs { out, overwrite_plan, job } = args;
    let to_stdout = out == Path::new("-");
    if !to_stdout && !overwrite_plan && Location::Path(out.clone()).exists()? {
        bail!("{} exists: choose another name, or replace it with --overwrite-plan", out.display());
    }
    let mut job = job.into_job()?;
    for place in [&mut job.source, &mut job.target].into_iter().chain(&mut job.temp) {
        make_absolute(place)?;
    }
    let io = job.io.clone();
    let prepared = prepare(job)?;
    for note in prepared.notes() {
        note!("{}", one_line(&note));
    }
    let file = prepared.to_plan_file()?;
    let json = file.to_json();
    out::to_stderr(format_args!("{prepared}\n\nfingerprint {}", file.fingerprint()));
    if to_stdout {
        say!("{}", json.trim_end());
    } else {
        signals::writing();
        write(&out, &json, &io).with_context(|| out.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan will be run by other processes, in other directories than this.
fn make_absolute(place: &mut Location) -> anyhow::Result<()> {
    match place {
        Location::Path(path) => {
            *path = absolute(&*path).with_context(|| path.display().to_string())?;
            Ok(())
        }
        other => bail!("{other} is in the memory of one process: plan for a place that others can reach"),
    }
}

/// Writes the file in one step: who reads it meanwhile finds the old or the new one, or none.
fn write(out: &Path, json: &str, io: &Opener) -> anyhow::Result<()> {
    let (dir, name) = Location::Path(out.to_owned()).parent()?;
    Ok(io.open(&dir)?.put(&name, json.as_bytes())?)
}
