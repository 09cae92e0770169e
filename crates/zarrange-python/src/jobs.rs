//! Jobs of rechunking: planned, then carried out.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zarrange::kept::{self, Known};
use zarrange_io::Stop;
use zarrange_rechunk::{
    ChunkSpec, Codecs, Durability, Named, PART_BYTES, PlanFile, Prepared, Progress, RechunkError, Request,
    SpecError, prepare, run,
};

use crate::backend::opener;
use crate::errors::exception;
use crate::stores::Place;
use crate::work::{Stopper, watched};

/// A job that is planned. It is carried out once.
#[pyclass(frozen, module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct Job {
    prepared: Mutex<Option<Prepared>>,
    stop: Stop,
    predicted: String,
    text: String,
    notes: Vec<String>,
}

/// A shape for the array of a name, or for all.
type Shape = (Option<String>, Lengths);

/// Lengths along each dimension, or a word: `keep` or `none`.
#[derive(FromPyObject)]
enum Lengths {
    Word(String),
    Sizes(Vec<i64>),
}

/// What is asked for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Asked {
    chunks: Vec<Shape>,
    shards: Vec<Shape>,
    codecs: Option<String>,
    array_codecs: BTreeMap<String, String>,
    key_separator: String,
    only_named: bool,
    skip: Vec<String>,
    max_mem: u64,
    threads: u64,
    temp: Option<Place>,
    verify: String,
    durability: String,
    overwrite: bool,
    backend: String,
    part_size: Option<u64>,
    joins: bool,
    source_name: Option<String>,
    way: Option<String>,
}

impl Asked {
    fn into_request(self, source: Place, target: Place, stop: &Stop) -> PyResult<Request> {
        let spec = |error: SpecError| exception(&error);
        let codecs = |text: &str| text.parse::<Codecs>().map_err(spec);
        let named = |shapes: Vec<Shape>| shapes.into_iter().map(named).collect::<PyResult<_>>();
        Ok(Request {
            chunks: named(self.chunks)?,
            shards: named(self.shards)?,
            codecs: self.codecs.map_or(Ok(Codecs::Keep), |text| codecs(&text))?,
            array_codecs: self
                .array_codecs
                .into_iter()
                .map(|(array, text)| Ok((array, codecs(&text)?)))
                .collect::<PyResult<_>>()?,
            key_separator: self.key_separator.parse().map_err(spec)?,
            only_named: self.only_named,
            skip: self.skip,
            memory_bytes_max: self.max_mem,
            threads: self.threads,
            temp: self.temp.map(|place| place.0),
            verify: word(&self.verify)?,
            durability: word(&self.durability)?,
            overwrite: self.overwrite,
            part_bytes: self.part_size.unwrap_or(PART_BYTES),
            joins: self.joins,
            source_name: self.source_name.map(|name| format!("{}{name}", PlanFile::HELD)),
            way: self.way.as_deref().map(word).transpose()?,
            io: opener(&self.backend)?.stopped_by(stop.clone()),
            ..Request::new(source.0, target.0)
        })
    }
}

/// The same request, of places that cost what was probed of them, as the command has it. Workers plan for themselves, and what was probed
/// meanwhile would be another plan.
fn as_probed(mut request: Request) -> Request {
    if !request.joins {
        let places = [&request.source, &request.target, request.temp.as_ref().unwrap_or(&request.target)];
        let Known { costs, codec_times } = kept::now(places, request.durability != Durability::None);
        (request.costs, request.codec_times) = (costs, codec_times);
    }
    request
}

/// A word that is one of a few.
pub(crate) fn word<T: FromStr<Err: std::fmt::Display>>(text: &str) -> PyResult<T> {
    text.parse().map_err(|error: T::Err| PyValueError::new_err(error.to_string()))
}

fn named((array, lengths): Shape) -> PyResult<Named> {
    let spec = match lengths {
        Lengths::Sizes(sizes) => ChunkSpec::Sizes(sizes),
        Lengths::Word(word) if word == "keep" => ChunkSpec::Keep,
        Lengths::Word(word) if word == "none" => ChunkSpec::None,
        Lengths::Word(word) => {
            return Err(PyValueError::new_err(format!("{word:?} is neither 'keep' nor 'none'")));
        }
    };
    Ok(Named { array, spec })
}

/// What keeps a job from being carried out twice.
const CARRIED_OUT: &str = "this job was carried out before: plan it again";

#[pymethods]
impl Job {
    /// Plans: nothing is written.
    #[new]
    fn new(py: Python<'_>, source: Place, target: Place, asked: Asked, stop: &Stopper) -> PyResult<Self> {
        let stop = stop.0.clone();
        let request = asked.into_request(source, target, &stop)?;
        let prepared =
            watched(py, &stop, || prepare(as_probed(request)))?.map_err(|error| exception(&error))?;
        let predicted = serde_json::to_string(&prepared.predicted());
        Ok(Self {
            predicted: predicted.map_err(|error| PyRuntimeError::new_err(error.to_string()))?,
            text: prepared.to_string(),
            notes: prepared.notes(),
            prepared: Mutex::new(Some(prepared)),
            stop,
        })
    }

    /// What the plan predicts, as `zarrange rechunk --dry-run --json` prints it.
    #[getter]
    fn predicted(&self) -> &str {
        &self.predicted
    }

    /// The plan as text.
    #[getter]
    fn text(&self) -> &str {
        &self.text
    }

    /// What should be known before it is carried out, one line each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// The plan as `zarrange plan` writes it, and the parts of each of its stages.
    fn plan(&self, py: Python<'_>) -> PyResult<(Py<PyBytes>, Vec<u64>)> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(prepared) = prepared.as_ref() else {
            return Err(PyRuntimeError::new_err(CARRIED_OUT));
        };
        let mut text = Vec::new();
        let written = watched(py, &self.stop, || prepared.write_plan(&mut text))?;
        written.map_err(|error| exception(&error))?;
        Ok((PyBytes::new(py, &text).unbind(), prepared.stage_parts()))
    }

    /// Carries it out; what `zarrange rechunk --json` prints then. `progress` is called with the name of a phase and its bytes when it begins,
    /// and then with bytes that were moved.
    #[pyo3(signature = (progress = None))]
    fn execute(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<String> {
        let taken = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(prepared) = taken else {
            return Err(PyRuntimeError::new_err(CARRIED_OUT));
        };
        let told = Told::new(progress, &self.stop);
        let report = watched(py, &self.stop, || run(prepared, &told))?;
        told.end()?;
        let report = report.map_err(|error: RechunkError| exception(&error))?;
        serde_json::to_string(&report).map_err(|error| PyRuntimeError::new_err(error.to_string()))
    }
}

/// Tells a callable of Python how far it is. What that raises stops the work.
pub(crate) struct Told {
    progress: Option<Py<PyAny>>,
    stop: Stop,
    failed: Mutex<Option<PyErr>>,
}

impl Told {
    /// Tells `progress`, if there is one, of work that `stop` stops.
    pub(crate) fn new(progress: Option<Py<PyAny>>, stop: &Stop) -> Self {
        Self { progress, stop: stop.clone(), failed: Mutex::new(None) }
    }

    /// What it raised, if it did.
    ///
    /// # Errors
    /// That.
    pub(crate) fn end(self) -> PyResult<()> {
        self.failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn tell(&self, phase: Option<&str>, bytes: u64) {
        let Some(progress) = &self.progress else { return };
        if let Err(error) = Python::attach(|py| progress.call1(py, (phase, bytes)).map(drop)) {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
            self.stop.request();
        }
    }
}

impl Progress for Told {
    fn begin(&self, phase: &str, bytes: u64) {
        self.tell(Some(phase), bytes);
    }

    fn advance(&self, bytes: u64) {
        self.tell(None, bytes);
    }
}

/// Memory that a job may use where nothing is said: half of what is available to this process.
#[pyfunction]
pub(crate) fn default_max_mem() -> u64 {
    zarrange::default_max()
}

/// Processors that this process may use.
#[pyfunction]
pub(crate) fn threads() -> u64 {
    zarrange::threads()
}
