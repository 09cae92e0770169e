//! Cells that are read by others: zarr-python, xarray, `TensorStore`, zarrs in zarr-python. Each in a process of its own, by a program that
//! counts what the reader asks its store for (`readers/read.py`), in a virtual environment that is made here once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use zarrange_io::cache::Proof;
use zarrange_plan::Reader;

use crate::sweep::cell::{NotAsAsked, Order, make_cold, repeated};
use crate::sweep::record::{CacheState, Counted};
use crate::sweep::recorder::latency_of;
use crate::sweep::stored::Prediction;
use crate::sweep::workload::{Operation, Selected};

const PROGRAM: &str = include_str!("../../readers/read.py");
const REQUIREMENTS: &str = include_str!("../../readers/requirements.txt");
const REQUIREMENTS_NEWEST: &str = include_str!("../../readers/requirements-newest.txt");
/// Pythons that the newest zarr-python runs on.
const NEWEST: [&str; 4] = ["python3.15", "python3.14", "python3.13", "python3.12"];

/// What reads for others.
#[derive(Clone, Debug, Default)]
pub struct Others {
    program: PathBuf,
    /// Of each reader its interpreter, or why there is none.
    pythons: Vec<(Reader, Result<PathBuf, String>)>,
}

/// What the program is told.
#[derive(Serialize)]
struct Told<'a> {
    reader: Reader,
    /// Absolute: `TensorStore` takes no other.
    path: &'a Path,
    warm: bool,
    latency_ms: u64,
    rate: Option<f64>,
    /// The dimension along which is written instead.
    writes: Option<usize>,
    operations: Vec<Vec<Vec<Selected>>>,
}

/// What it answers.
#[derive(Deserialize)]
struct Answered {
    version: String,
    times_ns: Vec<u64>,
    elapsed_s: f64,
    requests: u64,
    bytes: u64,
    device_bytes: u64,
    faults: u64,
    cpu_s: f64,
    peak_resident_bytes: u64,
}

impl Others {
    /// Makes in `dir` what `readers` need, or takes `python`, which has it. A reader that cannot be had is no error: its cells say why.
    ///
    /// # Errors
    /// If `dir` cannot be written.
    pub fn ready(dir: &Path, readers: &[Reader], python: Option<&Path>) -> anyhow::Result<Self> {
        let others: Vec<Reader> =
            readers.iter().copied().filter(|reader| *reader != Reader::Zarrange).collect();
        if others.is_empty() {
            return Ok(Self::default());
        }
        let program = dir.join("readers.py");
        std::fs::write(&program, PROGRAM).with_context(|| program.display().to_string())?;
        let given = python.map(|python| Ok(python.to_owned()));
        let (mut usual, mut newest) = (given.clone(), given);
        let pythons = others.into_iter().map(|reader| {
            let python = if reader == Reader::ZarrPython33 {
                newest.get_or_insert_with(|| newest_environment(dir))
            } else {
                usual.get_or_insert_with(|| environment(&dir.join("readers"), "python3", REQUIREMENTS))
            };
            (reader, python.clone())
        });
        Ok(Self { pythons: pythons.collect(), program })
    }

    /// Measures a cell.
    pub(super) fn measure(&self, order: &Order, prediction: &Prediction) -> anyhow::Result<Counted> {
        let reader = order.cell.reader;
        let found = self.pythons.iter().find(|(known, _)| *known == reader);
        let (_, python) = found.with_context(|| format!("nothing was made ready for {reader}"))?;
        let python = python.as_ref().map_err(|why| anyhow::anyhow!("{reader} is not there: {why}"))?;
        repeated(order.cell.cache, || self.attempt(python, order, prediction))
    }

    fn attempt(&self, python: &Path, order: &Order, prediction: &Prediction) -> anyhow::Result<Counted> {
        let Order { cell, path, .. } = order;
        let cold = cell.cache == CacheState::Cold;
        let proof = if cold { make_cold(path)? } else { Proof::Warm };
        let operations = cell.workload.operations(&cell.dataset, &cell.layout.chunk, cell.operations)?;
        let told = Told {
            reader: cell.reader,
            path: &std::path::absolute(path)?,
            warm: !cold,
            latency_ms: cell.latency_ms,
            rate: cell.workload.rate,
            writes: cell.workload.writes.then(|| cell.workload.written_axis(&cell.dataset)).transpose()?,
            operations: operations.iter().map(Operation::calls).collect(),
        };
        let answered = ask(python, &self.program, &told)?;
        if !cold && answered.device_bytes > 0 {
            let read = format!("the cache is not warm: {} bytes came from a device", answered.device_bytes);
            return Err(NotAsAsked(read).into());
        }
        if !matches!(proof, Proof::Cold | Proof::Warm | Proof::Unknown { .. }) {
            return Err(NotAsAsked(format!("the cache is not {}: {proof}", cell.cache.name())).into());
        }
        // Of the copy that grows each file was dropped before it was written, which nobody has looked at.
        let proof = if cold && cell.workload.writes {
            "unknown: dropped before each write".to_owned()
        } else {
            proof.to_string()
        };
        let wanted: u64 = operations.iter().map(|operation| operation.elements).sum();
        Ok(Counted {
            backend: format!("{} {}", cell.reader, answered.version),
            cache_proof: proof,
            useful_bytes: wanted * cell.dataset.item_bytes,
            // By the formula: it does not tell.
            chunk_bytes: prediction.chunk_bytes,
            chunks: prediction.chunks,
            stored_bytes: prediction.stored_bytes,
            requests: answered.requests,
            opens: answered.requests,
            hops: None,
            faults: answered.faults,
            backend_bytes: answered.bytes,
            device_bytes: Some(answered.device_bytes),
            latency: latency_of(answered.times_ns.iter().map(|ns| Duration::from_nanos(*ns)))?,
            elapsed_s: answered.elapsed_s,
            cpu_s: answered.cpu_s,
            peak_resident_bytes: answered.peak_resident_bytes,
        })
    }
}

fn ask(python: &Path, program: &Path, told: &Told<'_>) -> anyhow::Result<Answered> {
    let mut child = Command::new(python)
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| python.display().to_string())?;
    let told = serde_json::to_vec(told)?;
    child.stdin.take().context("a pipe")?.write_all(&told)?;
    let output = child.wait_with_output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    let last = message.trim().lines().last().unwrap_or_default();
    ensure!(output.status.success(), "the reader ended with {}: {last}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// An environment with the newest zarr-python, of a Python that is new enough.
fn newest_environment(dir: &Path) -> Result<PathBuf, String> {
    let works = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let python = NEWEST.iter().find(works).ok_or("there is no Python from 3.12 on in PATH")?;
    environment(&dir.join("readers-newest"), python, REQUIREMENTS_NEWEST)
}

/// The interpreter of a virtual environment that has what `requirements` name; it is made if it is not there.
fn environment(place: &Path, python: &str, requirements: &str) -> Result<PathBuf, String> {
    let (found, note) = (place.join("bin/python"), place.join("requirements.txt"));
    if std::fs::read_to_string(&note).is_ok_and(|has| has == requirements) {
        return Ok(found);
    }
    eprintln!("making an environment for readers, once: {}", place.display());
    let wrong = |error: std::io::Error| format!("{}: {error}", place.display());
    if place.exists() {
        std::fs::remove_dir_all(place).map_err(wrong)?;
    }
    let list = place.with_extension("txt");
    std::fs::write(&list, requirements).map_err(wrong)?;
    succeed(Command::new(python).args(["-m", "venv"]).arg(place))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    succeed(Command::new(&found).args(install).arg(&list))?;
    std::fs::rename(&list, &note).map_err(wrong)?;
    Ok(found)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let told = |why: &str| format!("{name} failed: {why}");
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr);
            Err(told(message.trim().lines().last().unwrap_or_default()))
        }
        Err(error) => Err(told(&error.to_string())),
    }
}
