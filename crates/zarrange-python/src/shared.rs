//! Runs that several processes carry out by one plan, as one of them sees them.

use std::path::PathBuf;

use pyo3::exceptions::{PyMemoryError, PyRuntimeError};
use pyo3::prelude::*;
use serde_json::json;
use zarrange_io::{Location, Opener, Stop};
use zarrange_rechunk::{Finished, PlanFile, Share, SharedError, SharedRun, StageStatus, Worked};

use crate::backend::opener;
use crate::errors::exception;
use crate::jobs::Told;
use crate::stores::Place;
use crate::work::{Stopper, watched};

/// A run of workers that was begun.
#[pyclass(frozen, module = "zarrange._native", name = "SharedRun")]
#[derive(Debug)]
pub(crate) struct Shared {
    plan: PlanFile,
    run: SharedRun,
    stop: Stop,
    backend: String,
}

/// For what only looks at names and small files: without rings, which a process that was forked must not use.
fn looking() -> PyResult<Opener> {
    opener("std")
}

/// A plan, of which a part is given where only this process has it: the source.
fn parsed(plan: &[u8], source: Option<Place>) -> PyResult<PlanFile> {
    let plan = PlanFile::parse(plan).map_err(|error| exception(&error))?;
    Ok(PlanFile { held: source.map(|place| place.0), ..plan })
}

fn told(error: &SharedError) -> PyErr {
    exception(error)
}

#[pymethods]
impl Shared {
    /// Opens the run of a plan; with `begins`, it is begun where it was not.
    #[new]
    #[pyo3(signature = (plan, source, stop, backend, *, begins))]
    fn new(
        py: Python<'_>,
        plan: &[u8],
        source: Option<Place>,
        stop: &Stopper,
        backend: String,
        begins: bool,
    ) -> PyResult<Self> {
        let plan = parsed(plan, source)?;
        let options = &plan.options;
        zarrange::check_memory(options.memory_bytes_max, options.threads)
            .map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        let stop = stop.0.clone();
        let io = opener(&backend)?.stopped_by(stop.clone());
        let run = watched(py, &stop, || {
            if begins { SharedRun::join(&plan, &io) } else { SharedRun::open(&plan, &io) }
        })?;
        Ok(Self { run: run.map_err(|error| told(&error))?, plan, stop, backend })
    }

    /// Of each stage its parts, and how many of them are done.
    fn status(&self, py: Python<'_>) -> PyResult<Vec<(u64, u64)>> {
        let stages = py.detach(|| self.run.status()).map_err(|error| told(&error))?;
        Ok(stages.into_iter().map(|StageStatus { parts, done }| (parts, done)).collect())
    }

    /// Does what is not done yet of share `index` of `of` of a stage: what was counted, as `zarrange worker --json` prints it; None if the run
    /// is over.
    fn work(&self, py: Python<'_>, stage: u64, index: u64, of: u64) -> PyResult<Option<String>> {
        let progress = Told::new(None, &self.stop);
        let worked = watched(py, &self.stop, || self.run.work(stage, Share { index, of }, &progress))?;
        match worked {
            Err(SharedError::Over) => Ok(None),
            Err(error) => Err(told(&error)),
            Ok(Worked { parts, before, counts, .. }) => Ok(Some(
                json!({"stage": stage, "parts": parts, "before": before, "counts": counts}).to_string(),
            )),
        }
    }

    /// Gives the target its name: what was counted in all, as `zarrange finish --json` prints it.
    fn finish(&self, py: Python<'_>) -> PyResult<String> {
        let io = opener(&self.backend)?.stopped_by(self.stop.clone());
        let progress = Told::new(None, &self.stop);
        let finished = watched(py, &self.stop, || SharedRun::open(&self.plan, &io)?.finish(&progress))?;
        let Finished { counts, verified, warnings } = finished.map_err(|error| told(&error))?;
        Ok(json!({"counts": counts, "verified": verified, "warnings": warnings}).to_string())
    }

    /// The path of a plan while it is carried out.
    #[staticmethod]
    fn plan_place(plan: &[u8]) -> PyResult<String> {
        match SharedRun::plan_place(&parsed(plan, None)?).map_err(|error| told(&error))? {
            Location::Path(path) => Ok(path.display().to_string()),
            other => Err(PyRuntimeError::new_err(format!("{other} is no path"))),
        }
    }

    /// How many parts of a plan are done.
    #[staticmethod]
    fn parts_done(py: Python<'_>, plan: &[u8]) -> PyResult<u64> {
        let (plan, io) = (parsed(plan, None)?, looking()?);
        py.detach(|| SharedRun::parts_done(&plan, &io)).map_err(|error| told(&error))
    }

    /// Whether the target of a plan is finished.
    #[staticmethod]
    fn is_finished(py: Python<'_>, plan: &[u8]) -> PyResult<bool> {
        let (plan, io) = (parsed(plan, None)?, looking()?);
        py.detach(|| SharedRun::is_finished(&plan, &io)).map_err(|error| told(&error))
    }

    /// The memory and threads of the plan that workers have begun for a target, if they have.
    #[staticmethod]
    fn kept_bounds(target: PathBuf) -> PyResult<Option<(u64, u64)>> {
        let kept = zarrange_rechunk::kept_bounds(&Location::Path(target), &looking()?);
        kept.map_err(|error| exception(&error))
    }

    /// Removes what workers of a plan have written; whether there was anything.
    #[staticmethod]
    fn give_up(py: Python<'_>, plan: &[u8]) -> PyResult<bool> {
        let (plan, io) = (parsed(plan, None)?, looking()?);
        py.detach(|| SharedRun::give_up(&plan, &io)).map_err(|error| told(&error))
    }
}
