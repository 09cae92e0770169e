//! One line of raw.jsonl: a cell of a sweep, with what was measured and where.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use zarrange_plan::Reader;

use crate::machine::Machine;
use crate::sweep::facts::{DatasetFacts, LayoutFacts};
use crate::sweep::stored::{Made, Prediction};
use crate::sweep::workload::Workload;

/// Version of the fields below. A reader refuses others.
pub const SCHEMA: u32 = 1;

/// A cell of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Commit of the program, with `+` if it was changed since.
    pub commit: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was asked.
    pub cell: Cell,
    /// Number of the turn, where programs are measured in turns; 0 otherwise.
    #[serde(default)]
    pub turn: u64,
    /// What was found; or why it could not be measured.
    pub outcome: Outcome,
}

/// What a cell asks: everything that a result depends on but the machine and the program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// The array that all layouts hold.
    pub dataset: DatasetFacts,
    /// How it is stored.
    pub layout: LayoutFacts,
    /// What is read.
    pub workload: Workload,
    /// Operations that are measured.
    pub operations: u64,
    /// Who reads.
    #[serde(default = "ours", skip_serializing_if = "is_ours")]
    pub reader: Reader,
    /// The backend asked for; the reader again where it reads files itself.
    pub backend: String,
    /// `cold` or `warm`.
    pub cache: CacheState,
    /// What each request waits beside, as in an object store, in milliseconds.
    #[serde(default, skip_serializing_if = "is_none")]
    pub latency_ms: u64,
}

/// Who reads the cells of records that do not tell.
const fn ours() -> Reader {
    Reader::Zarrange
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde has it so")]
fn is_none(latency_ms: &u64) -> bool {
    *latency_ms == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde has it so")]
fn is_ours(reader: &Reader) -> bool {
    *reader == ours()
}

/// Whether files are in the page cache when a cell begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheState {
    /// None of them.
    Cold,
    /// All that is read.
    Warm,
}

impl CacheState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }
}

/// What came out of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<T = Measures> {
    /// The figures.
    Measured(Box<T>),
    /// Why there are none.
    Unmeasured(String),
}

/// What the process that reads a cell counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The backend that ran.
    pub backend: String,
    /// How the state of the cache is known.
    pub cache_proof: String,
    /// Bytes that were asked for.
    pub useful_bytes: u64,
    /// Array bytes of the chunks that were handled.
    pub chunk_bytes: u64,
    /// Chunks decoded.
    pub chunks: u64,
    /// Stored bytes that were decoded.
    pub stored_bytes: u64,
    /// Requests of the backend.
    pub requests: u64,
    /// Objects opened.
    pub opens: u64,
    /// Steps that wait for the one before, where the reader tells.
    pub hops: Option<u64>,
    /// Page faults that read from a device.
    pub faults: u64,
    /// Bytes that the backend read.
    pub backend_bytes: u64,
    /// Bytes that devices delivered.
    pub device_bytes: Option<u64>,
    /// Time of an operation.
    pub latency: Latency,
    /// Time of all operations.
    pub elapsed_s: f64,
    /// Processor time of the process while they ran.
    pub cpu_s: f64,
    /// The most memory that was resident.
    pub peak_resident_bytes: u64,
}

impl Measures {
    /// What was counted, with what was known of the layout before.
    pub fn of(counted: Counted, made: &Made, prediction: &Prediction) -> Self {
        let ratio = |bytes: u64| ratio(bytes, counted.useful_bytes);
        Self {
            ra_geometry: ratio(counted.chunk_bytes),
            ra_store: ratio(counted.stored_bytes),
            ra_backend: ratio(counted.backend_bytes),
            ra_device: counted.device_bytes.map(ratio),
            predicted_ra_geometry: ratio(prediction.chunk_bytes),
            predicted_ra_store: ratio(prediction.stored_bytes),
            predicted_chunks: prediction.chunks,
            predicted_requests: Some(prediction.asked.0),
            predicted_backend_bytes: Some(prediction.asked.1),
            throughput: per_second(counted.useful_bytes, counted.elapsed_s),
            layout_bytes: made.bytes,
            layout_objects: made.objects,
            rechunk_s: made.rechunk_s,
            backend: counted.backend,
            cache_proof: counted.cache_proof,
            useful_bytes: counted.useful_bytes,
            chunks: counted.chunks,
            requests: counted.requests,
            opens: counted.opens,
            hops: counted.hops,
            faults: counted.faults,
            stored_bytes: counted.stored_bytes,
            backend_bytes: counted.backend_bytes,
            device_bytes: counted.device_bytes,
            latency: counted.latency,
            elapsed_s: counted.elapsed_s,
            cpu_s: counted.cpu_s,
            peak_resident_bytes: counted.peak_resident_bytes,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn ratio(bytes: u64, useful: u64) -> f64 {
    bytes as f64 / useful.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(bytes: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 }
}

/// The figures of a cell. Bytes and counts are those of all operations together; they do not depend on the machine, but for
/// `device_bytes` and `faults`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The backend that ran.
    pub backend: String,
    /// How the state of the cache is known.
    pub cache_proof: String,
    /// Bytes that were asked for.
    pub useful_bytes: u64,
    /// Array bytes of the chunks that were handled, for each useful byte.
    pub ra_geometry: f64,
    /// Stored bytes of chunks and shard indexes, for each useful byte.
    pub ra_store: f64,
    /// Bytes that the backend read, gaps between chunks included, for each useful byte.
    pub ra_backend: f64,
    /// Bytes that devices delivered, for each useful byte.
    pub ra_device: Option<f64>,
    /// `ra_geometry` by the formula (`zarrange_plan::touched`).
    pub predicted_ra_geometry: f64,
    /// `ra_store` by the formula and the sizes of the stored chunks.
    pub predicted_ra_store: f64,
    /// Chunks by the formula.
    pub predicted_chunks: u64,
    /// Requests by the model of the reader, on average over accesses like these.
    #[serde(default)]
    pub predicted_requests: Option<f64>,
    /// Bytes that the backend reads, in the same way.
    #[serde(default)]
    pub predicted_backend_bytes: Option<f64>,
    /// Chunks decoded.
    pub chunks: u64,
    /// Requests of the backend.
    pub requests: u64,
    /// Objects opened.
    pub opens: u64,
    /// Steps that wait for the one before, where the reader tells.
    pub hops: Option<u64>,
    /// Page faults that read from a device.
    pub faults: u64,
    /// Stored bytes that were decoded.
    pub stored_bytes: u64,
    /// Bytes that the backend read.
    pub backend_bytes: u64,
    /// Bytes that devices delivered.
    pub device_bytes: Option<u64>,
    /// Time of an operation, from when it should have begun.
    pub latency: Latency,
    /// Useful bytes for each second.
    pub throughput: f64,
    /// Time of all operations.
    pub elapsed_s: f64,
    /// Processor time of the process while they ran.
    pub cpu_s: f64,
    /// The most memory that was resident.
    pub peak_resident_bytes: u64,
    /// What is stored of the layout: bytes, and objects.
    pub layout_bytes: u64,
    /// Objects of the layout.
    pub layout_objects: u64,
    /// Time that rechunking to the layout took, when it was made.
    pub rechunk_s: f64,
}

/// A distribution of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The histogram in nanoseconds: `HdrHistogram` V2, base64.
    pub histogram: String,
    /// Operations.
    pub count: u64,
    /// Median, in microseconds.
    pub p50_us: f64,
    /// 90 % are faster.
    pub p90_us: f64,
    /// 99 % are faster.
    pub p99_us: f64,
    /// The slowest.
    pub max_us: f64,
}

impl Record {
    /// The figures, if there are any.
    pub fn measures(&self) -> Option<&Measures> {
        match &self.outcome {
            Outcome::Measured(measures) => Some(measures),
            Outcome::Unmeasured(_) => None,
        }
    }
}

/// The records of a file; a last line that was cut off is left out.
///
/// # Errors
/// If the file cannot be read, a line is no record, or its schema is another one.
pub fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let lines: Vec<String> = BufReader::new(file).lines().collect::<Result<_, _>>()?;
    let mut records = Vec::new();
    for (k, line) in lines.iter().enumerate() {
        let at = || format!("{}, line {}", path.display(), k + 1);
        let value: serde_json::Value = match serde_json::from_str(line) {
            Ok(value) => value,
            // A sweep that was interrupted while it wrote.
            Err(e) if e.is_eof() && k + 1 == lines.len() => break,
            Err(e) => return Err(e).with_context(at),
        };
        let schema = value["schema"].as_u64();
        ensure!(schema == Some(u64::from(SCHEMA)), "{}: schema is {}, not {SCHEMA}", at(), value["schema"]);
        records.push(serde_json::from_value(value).with_context(at)?);
    }
    Ok(records)
}
