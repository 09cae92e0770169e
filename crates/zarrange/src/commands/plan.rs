//! `zarrange plan`.

use std::path::{Path, absolute};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use zarrange_io::Location;
use zarrange_rechunk::{PlanFileError, Request, prepare};

use crate::args::PlanArgs;
use crate::out::{self, note, notes, one_line};
use crate::signals;

pub(crate) fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let PlanArgs { out, overwrite_plan, part_size, request } = args;
    let to_stdout = out == Path::new("-");
    if !to_stdout && !overwrite_plan && Location::Path(out.clone()).exists()? {
        bail!("{} exists: choose another name, or replace it with --overwrite-plan", out.display());
    }
    let mut request = request.into_request()?;
    if let Some(bytes) = part_size {
        request.part_bytes = bytes.into();
    }
    for_others(&mut request)?;
    let io = request.io.clone();
    let prepared = prepare(request)?;
    notes(&prepared.notes());
    if let Err(lacking) = prepared.check_room() {
        note!("{}", one_line(&lacking.to_string()));
    }
    out::to_stderr(format_args!("{prepared}\n"));
    let fingerprint = if to_stdout {
        let mut written = None;
        out::stream(|out| match prepared.write_plan(out) {
            // That is told there, or nobody wants to read more.
            Err(PlanFileError::Io(error)) => Err(error),
            other => {
                written = Some(other);
                Ok(())
            }
        });
        let Some(written) = written else { return Ok(ExitCode::SUCCESS) };
        written?
    } else {
        let (dir, name) = Location::Path(out.clone()).parent()?;
        let place = || out.display().to_string();
        signals::writing();
        let mut file = io.open(&dir).with_context(place)?.replacement(&name);
        let fingerprint = prepared.write_plan(&mut file).with_context(place)?;
        file.finish().with_context(place)?;
        fingerprint
    };
    out::to_stderr(format_args!("fingerprint {fingerprint}"));
    Ok(ExitCode::SUCCESS)
}

/// The plan will be run by other processes, in other directories than this.
pub(super) fn for_others(request: &mut Request) -> anyhow::Result<()> {
    let mut places = [&mut request.source, &mut request.target].into_iter().chain(&mut request.temp);
    places.try_for_each(make_absolute)
}

fn make_absolute(place: &mut Location) -> anyhow::Result<()> {
    match place {
        Location::Path(path) => {
            *path = absolute(&*path).with_context(|| path.display().to_string())?;
            Ok(())
        }
        other => bail!("{other} is in the memory of one process: plan for a place that others can reach"),
    }
}
