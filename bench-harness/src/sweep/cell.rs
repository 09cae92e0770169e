//! One cell, measured in a process of its own: nothing of another cell is in its memory, its counters or its caches.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use zarrange_array::{Array, RegionReader};
use zarrange_grid::index;
use zarrange_io::cache::{Proof, device_bytes, drop_names, evict};
use zarrange_io::device::facts;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::wrappers::throttled::{Profile, throttled};
use zarrange_io::{Extent, Location, ReadRequest, Source};

use crate::arrays;
use crate::backend::opener;
use crate::sweep::record::{CacheState, Cell, Counted};
use crate::sweep::recorder::Recorder;
use crate::sweep::workload::Operation;

/// What a process is told to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The cell.
    pub cell: Cell,
    /// Where its layout is.
    pub path: PathBuf,
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
        operation: &Operation,
        time: Duration,
        again: impl FnOnce() -> anyhow::Result<u64>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Bytes => drop(again()?),
            Self::Requests => {
                let objects = array.objects();
                for unit in operation.regions.iter().flat_map(|region| {
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

/// Requests that wait side by side where each waits: connections to an object store.
const REQUESTS_AT_ONCE: usize = 64;

/// Passes over the operations before those that count, at most.
const WARMING_MAX: usize = 4;

/// How often a warm cell is measured at most, until nothing was read from a device meanwhile: memory is everybody's.
const WARM_TRIES: usize = 3;

/// The cache was not in the state that was asked for.
#[derive(Debug)]
pub(super) struct NotAsAsked(pub(super) String);

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
pub fn measure(order: &Order) -> anyhow::Result<Counted> {
    let cell = &order.cell;
    anyhow::ensure!(
        !cell.workload.writes,
        "zarrange writes whole chunks, and epochs of light-curve stores: name --readers that write parts of chunks, such as zarr-python"
    );
    let operations = cell.workload.operations(&cell.dataset, &cell.layout.chunk, cell.operations)?;
    repeated(cell.cache, || attempt(order, &operations))
}

/// Once more, where a cache that should be warm was not.
pub(super) fn repeated<T>(
    cache: CacheState,
    mut attempt: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut tries = 1;
    loop {
        match attempt() {
            Err(error) if error.is::<NotAsAsked>() && cache == CacheState::Warm && tries < WARM_TRIES => {
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

fn attempt(order: &Order, operations: &[Operation]) -> anyhow::Result<Counted> {
    let Order { cell, path, inject } = order;
    let counters = Arc::new(IoCounters::default());
    let counted = counters.clone();
    let io = opener(&cell.backend)?;
    let latency = Duration::from_millis(cell.latency_ms);
    let slow = Profile { latency, bytes_per_second: 0, requests_at_once: REQUESTS_AT_ONCE };
    let io = if cell.latency_ms > 0 { io.wrapped(move |store| throttled(store, slow)) } else { io };
    // Around it: what is asked for.
    let io = io.wrapped(move |store| counting(store, &counted));
    let cold = cell.cache == CacheState::Cold;
    let evicted = if cold { make_cold(path)? } else { Proof::Warm };
    let array = arrays::open(&Location::Path(path.clone()), &io)?;
    let mut reads = Reads::of(&array, operations)?;
    if !cold {
        reads.warm()?;
    }
    let mut reader = RegionReader::new(&array)?;
    let (before, device) = (counters.counts(), device_bytes().ok());
    let usage = Usage::now()?;
    let (recorder, useful_bytes) = reads.run(&mut reader, cell.workload.rate, *inject)?;
    let elapsed_s = recorder.elapsed().as_secs_f64();
    let (after, used, cost) = (counters.counts(), Usage::now()?, reader.cost());
    let device = device.zip(device_bytes().ok()).map(|(before, after)| after.since(&before));
    let proof = match &device {
        Some(device) if !cold => device.proof_of_warm(&facts(path)),
        _ => evicted,
    };
    if !matches!(proof, Proof::Cold | Proof::Warm | Proof::Unknown { .. }) {
        return Err(NotAsAsked(format!("the cache is not {}: {proof}", cell.cache.name())).into());
    }
    Ok(Counted {
        backend: array.store().backend().to_owned(),
        cache_proof: proof.to_string(),
        useful_bytes,
        chunk_bytes: cost.chunk_bytes,
        chunks: cost.chunks,
        stored_bytes: cost.stored_bytes,
        requests: after.reads - before.reads,
        opens: after.opens - before.opens,
        hops: Some(after.hops - before.hops),
        faults: used.major_faults - usage.major_faults,
        backend_bytes: after.read_bytes - before.read_bytes,
        device_bytes: device.map(|device| device.read_bytes),
        latency: recorder.latency()?,
        elapsed_s,
        cpu_s: used.cpu_s - usage.cpu_s,
        peak_resident_bytes: used.peak_resident_bytes,
    })
}

/// Operations on an array, and where what they read goes.
struct Reads<'a> {
    array: &'a Array,
    operations: &'a [Operation],
    item_bytes: u64,
    buffer: Vec<u8>,
}

impl<'a> Reads<'a> {
    fn of(array: &'a Array, operations: &'a [Operation]) -> anyhow::Result<Self> {
        let item_bytes = array.elements()?.item_bytes() as u64;
        let largest =
            operations.iter().flat_map(|o| &o.regions).map(|region| region.elements() * item_bytes).max();
        Ok(Self { array, operations, item_bytes, buffer: vec![0; index(largest.unwrap_or(0))] })
    }

    /// Reads the regions of an operation; the bytes that are wanted of them.
    fn read(&mut self, reader: &mut RegionReader<'_>, operation: &Operation) -> anyhow::Result<u64> {
        for region in &operation.regions {
            let wanted = index(region.elements() * self.item_bytes);
            reader.read_into(region, &mut self.buffer[..wanted])?;
        }
        Ok(operation.elements * self.item_bytes)
    }

    /// Reads everything until nothing comes from a device. Once is not always enough: names that were dropped are read again, and other
    /// processes want memory too.
    fn warm(&mut self) -> anyhow::Result<()> {
        for _ in 0..WARMING_MAX {
            let (mut reader, before) = (RegionReader::new(self.array)?, device_bytes()?);
            for operation in self.operations {
                self.read(&mut reader, operation)?;
            }
            if device_bytes()?.since(&before).read_bytes == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Reads all operations when they shall begin; the bytes that were wanted.
    fn run(
        &mut self,
        reader: &mut RegionReader<'_>,
        rate: Option<f64>,
        inject: Option<Inject>,
    ) -> anyhow::Result<(Recorder, u64)> {
        let mut recorder = Recorder::new(rate)?;
        let mut useful_bytes = 0;
        for operation in self.operations {
            recorder.wait();
            let started = recorder.elapsed();
            useful_bytes += self.read(reader, operation)?;
            if let Some(inject) = inject {
                let time = recorder.elapsed().saturating_sub(started);
                let array = self.array;
                inject
                    .apply(array, operation, time, || self.read(&mut RegionReader::new(array)?, operation))?;
            }
            recorder.done()?;
        }
        Ok((recorder, useful_bytes))
    }
}

/// Takes everything of a layout out of the page cache.
pub(super) fn make_cold(path: &Path) -> anyhow::Result<Proof> {
    let evicted = evict(path)?;
    // Names too, where the system lets this process: without them, opens wait for the device.
    drop_names();
    Ok(evicted.proof)
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
