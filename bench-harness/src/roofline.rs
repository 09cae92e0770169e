//! How close the engine comes to what the machine allows.
//!
//! The roof of a case is the larger of two times: the processor's (decoding and encoding the same chunks with the C codec itself,
//! with warm contexts, on as many threads at once as the engine has, and one copy of the data in memory; divided by the threads), and the
//! device's (its own rate for the bytes that must become durable). The engine runs in turns with both, in the same process.
//!
//! What no roof counts is shown beside it: how long the system takes to hand out as much memory as the engine used. On a virtual
//! machine whose host takes back what is free, that is far more than clearing it.

mod bare;
pub mod cases;
mod codec;
pub mod filling;
pub mod finding;
pub mod groups;
pub mod growing;
pub mod light_curves;
mod limits;
mod maps;
pub mod reading;
pub mod workers;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use zarrange::kept::{self, Known};
use zarrange_io::{Location, Opener};
use zarrange_rechunk::{Codecs, Durability, NoProgress, Request, prepare, run as run_job};

use crate::arrays;
use crate::compare::Ratio;
use crate::engine;
use crate::program::Program;
use crate::report::{Bound, Report};
use cases::Case;
use codec::{decode_seconds, encode_seconds};
use limits::{CopyProbe, bytes_below, create_files, device_rate, fresh_seconds, seconds};

/// Memory of case M: W within 128 MB.
const SMALL_MEMORY_BYTES: u64 = 128_000_000;

/// What is measured for a case.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Where sources are kept and targets written.
    pub dir: &'a Path,
    /// Threads of the engine.
    pub threads: u64,
    /// Turns that count.
    pub turns: usize,
    /// What starts the command `zarrange`.
    pub program: &'a Program,
}

/// One turn of a case, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Turn {
    engine: f64,
    /// What the plan said it would take, where the place was probed.
    estimate: Option<f64>,
    decode: f64,
    encode: f64,
    copy: f64,
    /// Getting the memory that the engine used from the system.
    fresh: f64,
    device: f64,
    /// Creating as many files of the same size, or the command as a whole process; where the case asks for it.
    other: Option<f64>,
}

impl Turn {
    fn roof(&self, threads: f64) -> f64 {
        ((self.decode + self.encode + self.copy) / threads).max(self.device)
    }
}

/// Measures `case` and judges what is asked of it.
///
/// # Errors
/// If the data cannot be written or a job fails.
pub fn measure(case: &Case, options: Options<'_>, report: &mut Report) -> anyhow::Result<()> {
    let source = case.source(options.dir)?;
    let work = tempfile::Builder::new().prefix("roofline-").tempdir_in(options.dir)?;
    let mut turns = Vec::with_capacity(options.turns);
    for turn in 0..=options.turns {
        let target = work.path().join(format!("{turn}.zarr"));
        let measured = one_turn(case, &source, &target, options)?;
        // Files that many others follow are cheaper to remove at the end.
        if case.shard.is_some() {
            std::fs::remove_dir_all(&target)?;
        }
        // The first warms the page cache.
        if turn > 0 {
            turns.push(measured);
        }
    }
    print(case, options, &turns);
    for turn in &turns {
        report.line(&serde_json::json!({"case": case.name, "threads": options.threads, "seconds": turn}))?;
    }
    judge(case, options, &turns, report)
}

fn one_turn(case: &Case, source: &Location, target: &Path, options: Options<'_>) -> anyhow::Result<Turn> {
    let mut copy = CopyProbe::new();
    let at = Location::Path(target.to_owned());
    let Ran { seconds: engine, estimate, memory } =
        rechunk(case, source, &at, options.threads, case.memory_bytes)?;
    let (from, to) = (arrays::open(source, &Opener::auto())?, arrays::open(&at, &Opener::auto())?);
    let (mut decode, mut encode) = (0.0, 0.0);
    if case.codecs != Codecs::None {
        encode = encode_seconds(case, &to, options.threads)?;
        decode = decode_seconds(case, &from, options.threads)?;
    }
    let fresh = fresh_seconds(memory);
    let stored = bytes_below(target)?;
    let durable = case.durability() == Durability::Commit;
    let (seconds_of, device_rate) =
        (copy.seconds_per_byte(), if durable { device_rate(target)? } else { 0.0 });
    let other = match case.name {
        "T" => Some(create_files(&target.with_extension("files"), &to, stored)?),
        "S" => Some(whole_process(case, source, &target.with_extension("process"), options)?),
        _ => None,
    };
    Ok(Turn {
        engine,
        estimate,
        decode,
        encode,
        copy: seconds(case.bytes()) * seconds_of,
        fresh,
        device: seconds(stored) * device_rate,
        other,
    })
}

/// A run of the engine.
struct Ran {
    seconds: f64,
    /// What its plan said, where the place was probed.
    estimate: Option<f64>,
    /// The most memory that its buffers took.
    memory: u64,
}

/// One run of the engine, from the request to the durable target (case U: to the target in the page cache).
fn rechunk(
    case: &Case,
    source: &Location,
    target: &Location,
    threads: u64,
    memory_bytes_max: u64,
) -> anyhow::Result<Ran> {
    rustix::fs::sync();
    let begin = Instant::now();
    let Known { costs, codec_times } =
        kept::now([source, target, target], case.durability() != Durability::None);
    let job = Request {
        chunks: case.chunks(),
        shards: case.shards(),
        memory_bytes_max,
        threads,
        durability: case.durability(),
        costs,
        codec_times,
        ..engine::job(source.clone(), target.clone())
    };
    let prepared = prepare(job)?;
    let estimate = kept::of(target).map(|_| prepared.predicted().cost.elapsed_s);
    let report = run_job(prepared, &NoProgress)?;
    Ok(Ran { seconds: begin.elapsed().as_secs_f64(), estimate, memory: report.cost.peak_budget_bytes })
}

/// Seconds that the command `zarrange` takes from its start to its end.
fn whole_process(case: &Case, source: &Location, target: &Path, options: Options<'_>) -> anyhow::Result<f64> {
    let text = |shape: &[u64]| shape.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let command = options.program.zarrange();
    let mut command = command.context("zarrange is missing: cargo build --release --bin zarrange")?;
    let begin = Instant::now();
    let done = command
        .args(["rechunk", &source.to_string()])
        .arg(target)
        .args(["--chunks", &text(&case.chunk), "--threads", &options.threads.to_string()])
        .stdout(Stdio::null())
        .status()?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(done.success(), "the command failed");
    Ok(seconds)
}

fn print(case: &Case, options: Options<'_>, turns: &[Turn]) {
    let median = |of: &dyn Fn(&Turn) -> f64| Ratio::of(turns.iter().map(of)).map_or(f64::NAN, |r| r.median);
    let threads = seconds(options.threads);
    say!(
        "{} on {} threads: engine {:.3} s; decode {:.3} s, encode {:.3} s in all of them together, copy {:.3} s on one; device {:.3} s; roof {:.3} s; \
         new memory {:.3} s, with it the roof is {:.2} of the engine",
        case.name,
        options.threads,
        median(&|t| t.engine),
        median(&|t| t.decode),
        median(&|t| t.encode),
        median(&|t| t.copy),
        median(&|t| t.device),
        median(&|t| t.roof(threads)),
        median(&|t| t.fresh),
        median(&|t| (t.roof(threads) + t.fresh / threads) / t.engine),
    );
}

fn judge(case: &Case, options: Options<'_>, turns: &[Turn], report: &mut Report) -> anyhow::Result<()> {
    let threads = seconds(options.threads);
    let name = |what: &str| format!("{}, {} threads: {what}", case.name, options.threads);
    let ratio = |of: &dyn Fn(&Turn) -> f64| Ratio::of(turns.iter().map(of)).context("there were turns");
    let efficiency = ratio(&|t| t.roof(threads) / t.engine)?;
    match case.name {
        "W" | "N" => report.bound(&name("efficiency"), Bound::AtLeast(0.9), efficiency)?,
        "E" => report.bound(&name("efficiency"), Bound::AtLeast(0.8), efficiency)?,
        "U" => {
            let rate = ratio(&|t| seconds(case.bytes()) / t.engine / threads / 1e9)?;
            report.bound(&name("GB/s of array for each core"), Bound::AtLeast(1.5), rate)?;
        }
        "T" => {
            let files = ratio(&|t| t.engine / t.other.unwrap_or(f64::NAN))?;
            report.bound(&name("engine / creating the files"), Bound::AtMost(2.0), files)?;
        }
        "S" => {
            let process = ratio(&|t| t.other.unwrap_or(f64::NAN) * 1e3)?;
            report.bound(&name("whole process, ms"), Bound::AtMost(30.0), process)?;
        }
        _ => {}
    }
    if case.name != "S" && turns.iter().all(|turn| turn.estimate.is_some()) {
        let off = ratio(&|t| {
            t.estimate.map_or(f64::NAN, |estimate| (estimate / t.engine).max(t.engine / estimate))
        })?;
        report.bound(&name("estimate, times too long or too short"), Bound::AtMost(1.5), off)?;
    }
    Ok(())
}

/// The target of `case` below `dir`, made if it is missing.
///
/// # Errors
/// If it cannot be written.
pub fn target(case: &Case, dir: &Path) -> anyhow::Result<PathBuf> {
    let path = dir.join(format!("case-{}-rechunked.zarr", case.name));
    if !path.exists() {
        rechunk(case, &case.source(dir)?, &Location::Path(path.clone()), 2, case.memory_bytes)?;
    }
    Ok(path)
}

/// Case M: W within 128 MB against W within 4 GiB, in turns.
///
/// # Errors
/// If the data cannot be written or a job fails.
pub fn small_memory(case: &Case, options: Options<'_>, report: &mut Report) -> anyhow::Result<()> {
    let source = case.source(options.dir)?;
    let work = tempfile::Builder::new().prefix("roofline-").tempdir_in(options.dir)?;
    let run = |memory: u64| {
        let target = work.path().join("target.zarr");
        let time = rechunk(case, &source, &Location::Path(target.clone()), options.threads, memory);
        std::fs::remove_dir_all(&target)?;
        time
    };
    let mut ratios = Vec::new();
    for turn in 0..=options.turns {
        let (large, small) = (run(case.memory_bytes)?.seconds, run(SMALL_MEMORY_BYTES)?.seconds);
        report.line(&serde_json::json!({"case": "M", "turn": turn, "unbounded": large, "128 MB": small}))?;
        if turn > 0 {
            ratios.push(small / large);
        }
    }
    let ratio = Ratio::of(ratios).context("there were turns")?;
    say!("M on {} threads: {ratio} times as long within 128 MB", options.threads);
    report.bound(&format!("M, {} threads: time / unbounded", options.threads), Bound::AtMost(2.5), ratio)?;
    Ok(())
}
