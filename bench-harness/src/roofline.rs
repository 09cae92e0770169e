//! How close the engine comes to what the machine allows.
//!
//! The roof of a case is the larger of two times: the processor's (decoding and encoding the same chunks with the C codec itself,
//! on one thread with warm contexts, and one copy of the data in memory; divided by the threads), and the device's (its own
//! rate for the bytes that must become durable). The engine runs in turns with both, in the same process.
//!
//! What no roof counts is shown beside it: how long the system takes to hand out as much memory as the engine used. On a virtual
//! machine whose host takes back what is free, that is far more than clearing it.

pub mod cases;
pub mod light_curves;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use zarrange_array::{Array, ChunkReader};
use zarrange_grid::{Region, index};
use zarrange_io::{Location, Opener};
use zarrange_rechunk::{Durability, NoProgress, Request, prepare, run as run_job};

use crate::arrays;
use crate::compare::Ratio;
use crate::engine::{self, MEMORY_BYTES};
use crate::report::{Bound, Report};
use cases::{Case, ZSTD_LEVEL};

/// Memory of case M: W within 128 MB.
const SMALL_MEMORY_BYTES: u64 = 128_000_000;
/// Bytes copied to learn the bandwidth of memory, and written to learn that of the device.
const PROBE_BYTES: usize = 256 << 20;

/// What is measured for a case.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Where sources are kept and targets written.
    pub dir: &'a Path,
    /// Threads of the engine.
    pub threads: u64,
    /// Turns that count.
    pub turns: usize,
}

/// One turn of a case, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Turn {
    engine: f64,
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
    let (engine, memory) = rechunk(case, source, &at, options.threads, MEMORY_BYTES)?;
    let (from, to) = (arrays::open(source, &Opener::auto())?, arrays::open(&at, &Opener::auto())?);
    let (mut decode, mut encode) = (0.0, 0.0);
    if case.compressed {
        encode = encode_seconds(&to)?;
        decode = decode_seconds(&from)?;
    }
    let fresh = fresh_seconds(memory);
    let stored = bytes_below(target)?;
    let durable = case.durability() == Durability::Commit;
    let (seconds_of, device_rate) =
        (copy.seconds_per_byte(), if durable { device_rate(target)? } else { 0.0 });
    let other = match case.name {
        "T" => Some(create_files(&target.with_extension("files"), &to, stored)?),
        "S" => Some(whole_process(case, source, &target.with_extension("process"), options.threads)?),
        _ => None,
    };
    Ok(Turn {
        engine,
        decode,
        encode,
        copy: seconds(case.bytes()) * seconds_of,
        fresh,
        device: seconds(stored) * device_rate,
        other,
    })
}

/// One run of the engine, from the request to the durable target (case U: to the target in the page cache); the most memory that
/// its buffers took, too.
fn rechunk(
    case: &Case,
    source: &Location,
    target: &Location,
    threads: u64,
    memory_bytes_max: u64,
) -> anyhow::Result<(f64, u64)> {
    let job = Request {
        chunks: case.chunks(),
        shards: case.shards(),
        memory_bytes_max,
        threads,
        durability: case.durability(),
        ..engine::job(source.clone(), target.clone())
    };
    rustix::fs::sync();
    let begin = Instant::now();
    let report = run_job(prepare(job)?, &NoProgress)?;
    Ok((begin.elapsed().as_secs_f64(), report.cost.peak_budget_bytes))
}

/// Seconds until one thread has touched each page of as much new memory.
fn fresh_seconds(bytes: u64) -> f64 {
    /// A host that takes free memory back has done so by then (Linux reports free pages after two seconds).
    const TAKEN_BACK: Duration = Duration::from_secs(3);
    const PAGE_BYTES: usize = 4096;
    std::thread::sleep(TAKEN_BACK);
    let begin = Instant::now();
    let mut memory = vec![0_u8; index(bytes)];
    zarrange_io::HugePages::ask(&mut memory).populate(|| true);
    memory.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
    let time = begin.elapsed().as_secs_f64();
    drop(memory);
    // The engine shall not find the same pages.
    std::thread::sleep(TAKEN_BACK);
    time
}

/// Seconds that the command `zarrange`, built beside this one, takes from its start to its end.
fn whole_process(case: &Case, source: &Location, target: &Path, threads: u64) -> anyhow::Result<f64> {
    let text = |shape: &[u64; 3]| shape.map(|n| n.to_string()).join(",");
    let command = std::env::current_exe()?.with_file_name("zarrange");
    ensure!(command.exists(), "{} is missing: cargo build --release --bin zarrange", command.display());
    let begin = Instant::now();
    let done = Command::new(&command)
        .args(["rechunk", &source.to_string()])
        .arg(target)
        .args(["--chunks", &text(&case.chunk), "--threads", &threads.to_string()])
        .stdout(Stdio::null())
        .status()?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(done.success(), "{} failed", command.display());
    Ok(seconds)
}

/// Seconds that zstd itself takes to decode every chunk of `array`.
fn decode_seconds(array: &Array) -> anyhow::Result<f64> {
    let mut context = zstd_safe::DCtx::create();
    let mut chunk = vec![0; array.elements()?.chain().chunk_bytes()];
    let mut time = Duration::ZERO;
    each_chunk(array, |_, _, encoded| {
        let begin = Instant::now();
        let bytes = context.decompress(&mut chunk[..], encoded).map_err(zstd_error)?;
        time += begin.elapsed();
        ensure!(bytes == chunk.len(), "a chunk decodes to its size");
        Ok(())
    })?;
    Ok(time.as_secs_f64())
}

/// Seconds that zstd itself takes to encode every chunk of `array`.
fn encode_seconds(array: &Array) -> anyhow::Result<f64> {
    let mut context = zstd_safe::CCtx::create();
    context.set_parameter(zstd_safe::CParameter::CompressionLevel(ZSTD_LEVEL)).map_err(zstd_error)?;
    let chain = array.elements()?.chain();
    let (mut chunk, mut out) = (vec![0; chain.chunk_bytes()], vec![0; chain.encoded_bytes_max()]);
    let mut time = Duration::ZERO;
    each_chunk(array, |reader, k, encoded| {
        reader.decode(k, encoded, &mut chunk)?;
        let begin = Instant::now();
        let bytes = context.compress2(&mut out[..], &chunk).map_err(zstd_error)?;
        time += begin.elapsed();
        ensure!(out[..bytes] == *encoded, "zstd gives the bytes that the engine wrote");
        Ok(())
    })?;
    Ok(time.as_secs_f64())
}

fn zstd_error(code: usize) -> anyhow::Error {
    anyhow::anyhow!("zstd: {}", zstd_safe::get_error_name(code))
}

/// Calls `work` with every chunk (inner chunk) of `array` that exists: its number among those that the reader fetched, and its stored
/// bytes.
fn each_chunk(
    array: &Array,
    mut work: impl FnMut(&mut ChunkReader<'_>, usize, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    const BATCH_BYTES: usize = 4 << 20;
    let chunks = array.chunks()?;
    let mut reader = ChunkReader::new(&chunks);
    let mut encoded = vec![0; BATCH_BYTES.max(chunks.chain().encoded_bytes_max())];
    let whole = Region::whole(array.shape());
    let mut read = |object: &[u64], part: &Region| -> anyhow::Result<()> {
        let covering = chunks.grid().covering(part);
        reader.want(object, (0..covering.elements()).map(|k| covering.unravel(k)));
        while reader.fetch(&mut encoded)? {
            for k in reader.fetched() {
                if let Some(stored) = reader.stored(k, &encoded) {
                    work(&mut reader, k, stored)?;
                }
            }
        }
        Ok(())
    };
    let Some(shards) = chunks.shards() else { return read(&[], &whole) };
    for object in (0..shards.count()).map(|k| shards.all().unravel(k)) {
        read(&object, &shards.region(&object))?;
    }
    Ok(())
}

/// Copies memory to learn how fast that is.
struct CopyProbe {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl CopyProbe {
    fn new() -> Self {
        let mut probe = Self { from: vec![1; PROBE_BYTES], to: vec![0; PROBE_BYTES] };
        // Pages are there before the copy that counts.
        probe.to.copy_from_slice(&probe.from);
        probe
    }

    fn seconds_per_byte(&mut self) -> f64 {
        let begin = Instant::now();
        self.to.copy_from_slice(std::hint::black_box(&self.from));
        std::hint::black_box(&self.to);
        begin.elapsed().as_secs_f64() / seconds(PROBE_BYTES as u64)
    }
}

/// Seconds for each byte that is written in order and made durable.
fn device_rate(near: &Path) -> anyhow::Result<f64> {
    let path = near.with_extension("probe");
    let block = vec![7; 1 << 20];
    let mut file = File::create(&path)?;
    let begin = Instant::now();
    for _ in 0..PROBE_BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    let rate = begin.elapsed().as_secs_f64() / seconds(PROBE_BYTES as u64);
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// Seconds to create as many files of the same mean size as `target` has objects, in one directory, and make them durable.
fn create_files(dir: &Path, target: &Array, stored: u64) -> anyhow::Result<f64> {
    let count = target.objects().count();
    let content = vec![7; index(stored / count)];
    let names: Vec<PathBuf> = (0..count).map(|k| dir.join(k.to_string())).collect();
    std::fs::create_dir(dir)?;
    rustix::fs::sync();
    let begin = Instant::now();
    for name in &names {
        File::create(name)?.write_all(&content)?;
    }
    rustix::fs::syncfs(File::open(dir)?)?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Bytes of all files below `dir`.
fn bytes_below(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_below(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

/// A number of bytes as a factor of seconds for each.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
fn seconds(bytes: u64) -> f64 {
    bytes as f64
}

fn print(case: &Case, options: Options<'_>, turns: &[Turn]) {
    let median = |of: &dyn Fn(&Turn) -> f64| Ratio::of(turns.iter().map(of)).map_or(f64::NAN, |r| r.median);
    let threads = seconds(options.threads);
    say!(
        "{} on {} threads: engine {:.3} s; decode {:.3} s, encode {:.3} s, copy {:.3} s on one thread; device {:.3} s; roof {:.3} s; \
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
    Ok(())
}

/// The target of `case` below `dir`, made if it is missing.
///
/// # Errors
/// If it cannot be written.
pub fn target(case: &Case, dir: &Path) -> anyhow::Result<PathBuf> {
    let path = dir.join(format!("case-{}-rechunked.zarr", case.name));
    if !path.exists() {
        rechunk(case, &case.source(dir)?, &Location::Path(path.clone()), 2, MEMORY_BYTES)?;
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
        let ((large, _), (small, _)) = (run(MEMORY_BYTES)?, run(SMALL_MEMORY_BYTES)?);
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
