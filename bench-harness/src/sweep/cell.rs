//! One cell, measured in a process of its own: nothing of another cell is in its memory, its counters or its caches.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use zarrange_array::{Array, Node, RegionReader};
use zarrange_grid::{Region, index};
use zarrange_io::cache::{Proof, device_bytes, drop_names, evict};
use zarrange_io::device::facts;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::{Extent, Location, ReadRequest, Source};

use crate::backend::opener;
use crate::sweep::record::{CacheState, Cell, Measures};
use crate::sweep::recorder::Recorder;
use crate::sweep::stored::{Made, Prediction};
use crate::sweep::workload::Workload;

/// What a process is told to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The cell.
    pub cell: Cell,
    /// Where its layout is.
    pub path: PathBuf,
    /// How it was made.
    pub made: Made,
    /// What its operations will cost.
    pub prediction: Prediction,
    /// What to do badly on purpose.
    pub inject: Option<Inject>,
}

/// What a cell can do badly, to see that the gate notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Inject {
    /// Everything is read twice.
    Bytes,
    /// One request more for each chunk.
    Requests,
    /// Every operation takes a tenth longer.
    Sleep,
}

impl Inject {
    /// Does it, after `operation`, which took `time`.
    fn apply(
        self,
        array: &Array,
        operation: &[Region],
        time: Duration,
        again: impl FnOnce() -> anyhow::Result<u64>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Bytes => drop(again()?),
            Self::Requests => {
                let objects = array.objects();
                for unit in operation.iter().flat_map(|region| {
                    let covering = objects.covering(region);
                    (0..covering.elements()).map(move |k| covering.unravel(k))
                }) {
                    let (key, mut byte) = (array.key(&unit), [0]);
                    let request = ReadRequest::new(Source::Key(&key), Extent::From(0), &mut byte);
                    array.store().read(&mut [request]);
                }
            }
            Self::Sleep => {
                let end = Instant::now() + time / 10;
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
            }
        }
        Ok(())
    }
}

/// Passes over the operations before those that count, at most.
const WARMING_MAX: usize = 4;

/// How often a warm cell is measured at most, until nothing was read from a device meanwhile: memory is everybody's.
const WARM_TRIES: usize = 3;

/// The cache was not in the state that was asked for.
#[derive(Debug)]
struct NotAsAsked(String);

impl std::fmt::Display for NotAsAsked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotAsAsked {}

/// Measures a cell, in this process.
///
/// # Errors
/// If it cannot be measured: why not.
pub fn measure(order: &Order) -> anyhow::Result<Measures> {
    let mut tries = 1;
    loop {
        match attempt(order) {
            Err(error)
                if error.is::<NotAsAsked>() && order.cell.cache == CacheState::Warm && tries < WARM_TRIES =>
            {
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

fn attempt(order: &Order) -> anyhow::Result<Measures> {
    let Order { cell, path, made, prediction, .. } = order;
    let workload = Workload::parse(&cell.workload)?;
    let operations = workload.operations(&cell.dataset, cell.operations)?;
    let counters = Arc::new(IoCounters::default());
    let io = opener(&cell.backend)?;
    let counted = counters.clone();
    let io = io.wrapped(move |store| counting(store, &counted));
    let cold = cell.cache == CacheState::Cold;
    let proof = if cold { make_cold(path)? } else { Proof::Warm };
    let node = zarrange_array::open(&io.open(&Location::Path(path.clone()))?)?;
    let Node::Array(array) = node else { bail!("{} is not an array", path.display()) };
    let item_bytes = array.elements()?.item_bytes() as u64;
    let largest = operations.iter().flatten().map(|region| region.elements() * item_bytes).max();
    let mut buffer = vec![0; index(largest.unwrap_or(0))];
    let mut read = |reader: &mut RegionReader<'_>, operation: &[Region]| -> anyhow::Result<u64> {
        let mut bytes = 0;
        for region in operation {
            let wanted = index(region.elements() * item_bytes);
            reader.read_into(region, &mut buffer[..wanted])?;
            bytes += wanted as u64;
        }
        Ok(bytes)
    };
    // Once is not always enough: names that were dropped are read again, and other processes want memory too.
    for _ in 0..if cold { 0 } else { WARMING_MAX } {
        let (mut reader, before) = (RegionReader::new(&array)?, device_bytes()?);
        for operation in &operations {
            read(&mut reader, operation)?;
        }
        if device_bytes()?.since(&before).read_bytes == 0 {
            break;
        }
    }
    let mut reader = RegionReader::new(&array)?;
    let (before, device, usage) = (counters.counts(), device_bytes().ok(), Usage::now()?);
    let mut recorder = Recorder::new(workload.rate)?;
    let mut useful_bytes = 0;
    for operation in &operations {
        recorder.wait();
        let started = recorder.elapsed();
        useful_bytes += read(&mut reader, operation)?;
        if let Some(inject) = order.inject {
            let time = recorder.elapsed().saturating_sub(started);
            inject.apply(&array, operation, time, || read(&mut RegionReader::new(&array)?, operation))?;
        }
        recorder.done()?;
    }
    let elapsed_s = recorder.elapsed().as_secs_f64();
    let (after, used, cost) = (counters.counts(), Usage::now()?, reader.cost());
    let device = device.zip(device_bytes().ok()).map(|(before, after)| after.since(&before));
    let proof = match (&device, cold) {
        (Some(device), false) => device.proof_of_warm(&facts(path)),
        _ => proof,
    };
    if !matches!(proof, Proof::Cold | Proof::Warm | Proof::Unknown { .. }) {
        return Err(NotAsAsked(format!("the cache is not {}: {proof}", cell.cache.name())).into());
    }
    let device_bytes = device.map(|device| device.read_bytes);
    let backend_bytes = after.read_bytes - before.read_bytes;
    let ratio = |bytes: u64| ratio(bytes, useful_bytes);
    Ok(Measures {
        backend: array.store().backend().to_owned(),
        cache_proof: proof.to_string(),
        useful_bytes,
        ra_geometry: ratio(cost.chunk_bytes),
        ra_store: ratio(cost.stored_bytes),
        ra_backend: ratio(backend_bytes),
        ra_device: device_bytes.map(ratio),
        predicted_ra_geometry: ratio(prediction.chunk_bytes),
        predicted_ra_store: ratio(prediction.stored_bytes),
        predicted_chunks: prediction.chunks,
        chunks: cost.chunks,
        requests: after.reads - before.reads,
        opens: after.opens - before.opens,
        hops: after.hops - before.hops,
        faults: used.major_faults - usage.major_faults,
        stored_bytes: cost.stored_bytes,
        backend_bytes,
        device_bytes,
        latency: recorder.latency()?,
        throughput: per_second(useful_bytes, elapsed_s),
        elapsed_s,
        cpu_s: used.cpu_s - usage.cpu_s,
        peak_resident_bytes: used.peak_resident_bytes,
        layout_bytes: made.bytes,
        layout_objects: made.objects,
        rechunk_s: made.rechunk_s,
    })
}

/// Takes everything of a layout out of the page cache.
fn make_cold(path: &Path) -> anyhow::Result<Proof> {
    let evicted = evict(path)?;
    // Names too, where the system lets this process: without them, opens wait for the device.
    drop_names();
    Ok(evicted.proof)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn ratio(bytes: u64, useful: u64) -> f64 {
    bytes as f64 / useful.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(bytes: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 }
}

/// What this process has used so far.
struct Usage {
    cpu_s: f64,
    major_faults: u64,
    peak_resident_bytes: u64,
}

impl Usage {
    fn now() -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        // After the name, which may hold anything, from the state on: fields 3 and up of proc_pid_stat(5).
        let fields: Vec<&str> =
            stat.rsplit_once(')').context("/proc/self/stat")?.1.split_whitespace().collect();
        let field = |number: usize| -> anyhow::Result<u64> {
            Ok(fields.get(number - 3).context("/proc/self/stat is short")?.parse()?)
        };
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next());
        let ticks = rustix::param::clock_ticks_per_second();
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        Ok(Self {
            cpu_s: (field(14)? + field(15)?) as f64 / ticks as f64,
            major_faults: field(12)?,
            peak_resident_bytes: peak.context("/proc/self/status")?.parse::<u64>()? * 1024,
        })
    }
}
