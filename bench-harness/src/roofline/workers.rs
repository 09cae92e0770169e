//! Case X: workers carry out a plan in places that are made slow, and the simulation says how long they take.
//!
//! Each worker is a thread with stores of its own, as slow as described. What a store costs is told to the plan as it is made: nothing is fitted.

use std::fmt;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use zarrange_io::wrappers::throttled::{Profile, Throttle};
use zarrange_io::{Location, Opener};
use zarrange_plan::{Cluster, Costs, StoreProfile, Way};
use zarrange_rechunk::{Durability, NoProgress, PlanFile, Request, Share, SharedError, SharedRun, prepare};

use super::cases::Case;
use crate::compare::Ratio;
use crate::report::{Bound, Report};

/// Memory of a worker, which has one thread.
const MEMORY_BYTES: u64 = 4_000_000;

/// What is tried: workers, the bytes a second of each or of all, and the way.
const SETTINGS: [Setting; 7] = [
    Setting { workers: 1, link: Link::Own(25_000_000), way: Way::Tiles },
    Setting { workers: 2, link: Link::Own(25_000_000), way: Way::Tiles },
    Setting { workers: 4, link: Link::Own(25_000_000), way: Way::Tiles },
    Setting { workers: 8, link: Link::Own(25_000_000), way: Way::Tiles },
    Setting { workers: 8, link: Link::Shared(10_000_000), way: Way::Tiles },
    Setting { workers: 2, link: Link::Own(25_000_000), way: Way::Staged },
    Setting { workers: 8, link: Link::Own(25_000_000), way: Way::Staged },
];

#[derive(Clone, Copy, Debug)]
struct Setting {
    workers: u64,
    link: Link,
    way: Way,
}

/// What bytes pass, a second.
#[derive(Clone, Copy, Debug)]
enum Link {
    /// A link of each worker.
    Own(u64),
    /// One link of all.
    Shared(u64),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, link, way } = self;
        let (bytes, whose) = match link {
            Link::Own(bytes) => (bytes, "each"),
            Link::Shared(bytes) => (bytes, "all"),
        };
        write!(f, "{workers} workers, {} MB/s {whose}, {way}", bytes / 1_000_000)
    }
}

/// Lets workers do the case, and the simulation say how long that takes, in `turns` turns.
///
/// # Errors
/// If something cannot be read, planned or written.
pub fn measure(dir: &Path, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let case = Case::small_parts();
    let source = case.source(dir)?;
    let work = tempfile::Builder::new().prefix("workers-").tempdir_in(dir)?;
    let mut ratios = SETTINGS.map(|setting| (setting, Vec::new()));
    for turn in 0..turns {
        for (number, (setting, ratios)) in ratios.iter_mut().enumerate() {
            let target = Location::Path(work.path().join(format!("{number}-{turn}.zarr")));
            let (measured, simulated) = setting.carried_out(&case, &source, &target)?;
            report.line(&serde_json::json!({
                "case": "X", "turn": turn, "setting": setting.to_string(), "measured_s": measured, "simulated_s": simulated,
            }))?;
            say!("X, {setting}: {measured:.2} s, simulated {simulated:.2} s");
            ratios.push(measured / simulated);
        }
    }
    for (setting, ratios) in ratios {
        let ratio = Ratio::of(ratios).context("there were turns")?;
        let name = format!("X, {setting}: measured / simulated");
        report.bound(&name, Bound::AtMost(1.15), ratio)?;
        report.bound(&name, Bound::AtLeast(1.0 / 1.15), ratio)?;
    }
    Ok(())
}

impl Setting {
    /// Seconds that workers take, and that the simulation says.
    fn carried_out(&self, case: &Case, source: &Location, target: &Location) -> anyhow::Result<(f64, f64)> {
        let Self { workers, link, way } = *self;
        let bytes_per_second = match link {
            Link::Own(bytes) | Link::Shared(bytes) => bytes,
        };
        let place = Profile { latency: Duration::from_millis(20), bytes_per_second, requests_at_once: 16 };
        let request = Request {
            chunks: case.chunks(),
            memory_bytes_max: MEMORY_BYTES,
            threads: 1,
            durability: Durability::None,
            costs: Costs::all_on(&told(&place)),
            way: Some(way),
            part_bytes: 1,
            ..Request::new(source.clone(), target.clone())
        };
        let prepared = prepare(request)?;
        let mut file = Vec::new();
        prepared.write_plan(&mut file)?;
        let plan = PlanFile::parse(&file)?;
        let stages = SharedRun::join(&plan, &Opener::default())?.stages();
        let shared = Throttle::new(place);
        let opener = |_| {
            let own = if let Link::Shared(_) = link { shared.clone() } else { Throttle::new(place) };
            Opener::default().wrapped(move |store| own.slow(store))
        };
        let places: Vec<Opener> = (0..workers).map(opener).collect();
        let begin = Instant::now();
        SharedRun::open(&plan, &places[0])?.status()?;
        let cluster = Cluster {
            startup_s: begin.elapsed().as_secs_f64(),
            bytes_per_second: if let Link::Shared(bytes) = link { bytes_f64(bytes) } else { f64::INFINITY },
            ..Cluster::new(workers)
        };
        let simulated = prepared.simulated(&cluster).seconds;
        let begin = Instant::now();
        (0..stages).try_for_each(|stage| carry_out(&plan, stage, &places))?;
        let measured = begin.elapsed().as_secs_f64();
        SharedRun::open(&plan, &Opener::default())?.finish(&NoProgress)?;
        Ok((measured, simulated))
    }
}

/// Does a stage, a share at each of the places.
fn carry_out(plan: &PlanFile, stage: u64, places: &[Opener]) -> Result<(), SharedError> {
    let of = places.len() as u64;
    let work = |(index, io): (u64, &Opener)| -> Result<(), SharedError> {
        SharedRun::open(plan, io)?.work(stage, Share { index, of }, &NoProgress).map(drop)
    };
    std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..).zip(places).map(|one| scope.spawn(move || work(one))).collect();
        let ended =
            |worker: ScopedJoinHandle<'_, _>| worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        workers.into_iter().try_for_each(ended)
    })
}

#[expect(clippy::cast_precision_loss, reason = "a bandwidth")]
fn bytes_f64(bytes: u64) -> f64 {
    bytes as f64
}

/// The place as a plan knows it.
#[expect(clippy::cast_precision_loss, reason = "costs")]
fn told(place: &Profile) -> StoreProfile {
    let ns_per_byte = 1e9 / place.bytes_per_second as f64;
    let latency = place.latency.as_nanos() as f64;
    StoreProfile {
        name: "throttled".to_owned(),
        read_ns_per_byte: ns_per_byte,
        write_ns_per_byte: ns_per_byte,
        read_request_ns: latency,
        write_request_ns: latency,
        // Objects are read and written whole.
        open_ns: 0.0,
        create_ns: 0.0,
        in_flight: place.requests_at_once as f64,
    }
}
