//! `zarrange plan`.

use std::path::{Path, absolute};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use zarrange_io::{Location, Opener};
use zarrange_plan::{Simulated, SimulatedStage, bytes_text, seconds_text};
use zarrange_rechunk::{Cluster, ClusterSpec, Costs, PlanFileError, Prepared, Request, prepare};

use crate::args::{BackendArg, PlanArgs};
use crate::out::{self, note, notes, one_line, say};
use crate::{asked, signals, table};

pub(crate) fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let PlanArgs { src, dst, imagined, out, simulate, overwrite_plan, part_size, request } = args;
    if let Some(out) = out.as_ref().filter(|out| *out != Path::new("-"))
        && !overwrite_plan
        && Location::Path(out.clone()).exists()?
    {
        bail!("{} exists: choose another name, or replace it with --overwrite-plan", out.display());
    }
    let profiles = request.profile.len();
    let (is_there, places) = match (imagined.made()?, src.zip(dst)) {
        (Some(places), _) => (false, places),
        (None, places) => (true, places.context("SRC and DST are needed")?),
    };
    if request.io.direct || request.io.backend != BackendArg::Auto {
        note!("--backend and --direct are not in a plan: give them to those who run it, too");
    }
    let mut request = request.into_request(places.0, places.1, None, true)?;
    // Where nothing else is said, the plan is for that store.
    if let Some(profile) = simulate.as_ref().and_then(|spec| spec.profile.as_ref()).filter(|_| profiles == 0)
    {
        request.costs = Costs::all_on(profile);
    }
    if simulate.as_ref().is_some_and(|spec| spec.profile.is_some()) && profiles > 0 {
        note!("places cost what --profile says, and not what the store of --simulate would");
    }
    if overwrite_plan && out.as_deref() == Some(Path::new("-")) {
        note!("--overwrite-plan: on stdout there is nothing to replace");
    }
    if let Some(bytes) = part_size {
        request.part_bytes = bytes.into();
    }
    if is_there {
        for_others(&mut request)?;
    }
    let io = request.io.clone();
    let prepared = prepare(request)?;
    notes(&prepared.notes());
    notes(&prepared.unused());
    if let Err(lacking) = prepared.check_room() {
        note!("{}", one_line(&lacking.to_string()));
    }
    asked::details(&prepared)?;
    if !is_there {
        note!("there is nothing to look into yet: sizes are before compression");
        say!("{prepared}");
    } else if !out::is_quiet() {
        out::to_stderr(format_args!("{prepared}\n"));
    }
    if let Some(ClusterSpec { cluster, .. }) = &simulate {
        say!("{}", told(&prepared.simulated(cluster), cluster));
    }
    let Some(out) = out else { return Ok(ExitCode::SUCCESS) };
    let fingerprint = write(&prepared, &out, &io)?;
    if let Some(fingerprint) = fingerprint.filter(|_| !out::is_quiet()) {
        out::to_stderr(format_args!("fingerprint {fingerprint}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the plan to a file, or to stdout; its fingerprint, if anybody read it.
fn write(prepared: &Prepared, out: &Path, io: &Opener) -> anyhow::Result<Option<String>> {
    Ok(if out == Path::new("-") {
        let mut written = None;
        out::stream(|out| match prepared.write_plan(out) {
            // That is told there, or nobody wants to read more.
            Err(PlanFileError::Io(error)) => Err(error),
            other => {
                written = Some(other);
                Ok(())
            }
        });
        written.transpose()?
    } else {
        let (dir, name) = Location::Path(out.to_owned()).parent()?;
        let place = || out.display().to_string();
        signals::writing();
        let mut file = io.open(&dir).with_context(place)?.replacement(&name);
        let fingerprint = prepared.write_plan(&mut file).with_context(place)?;
        file.finish().with_context(place)?;
        Some(fingerprint)
    })
}

/// What workers would take, for people.
fn told(simulated: &Simulated, cluster: &Cluster) -> String {
    let Simulated { seconds, stages, reads, writes, bytes, failed, money } = simulated;
    let money = if *money > 0.0 { format!(", price {money:.2}") } else { String::new() };
    let failed = if *failed > 0 {
        format!(", {} parts failed on their way", table::count(*failed))
    } else {
        String::new()
    };
    let stage = |(number, stage): (usize, &SimulatedStage)| {
        let SimulatedStage { parts, seconds, busy, bottleneck } = stage;
        let (parts, busy, why) = (table::count(*parts), busy * 100.0, bottleneck.text());
        let seconds = seconds_text(*seconds);
        format!("\n  stage {number}: {parts} parts, {seconds}, workers busy {busy:.0} % of it: {why}")
    };
    format!(
        "{} workers: {}, {} reads, {} writes, {}{failed}{money}{}",
        table::count(cluster.workers),
        seconds_text(*seconds),
        table::count(*reads),
        table::count(*writes),
        bytes_text(*bytes),
        stages.iter().enumerate().map(stage).collect::<String>()
    )
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
