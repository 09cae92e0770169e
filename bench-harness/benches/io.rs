//! Backends of local files against each other, against plain loops, and against the device.
//!
//! `cargo bench -p bench-harness --bench io` prints the machine, the competitors in turns with their ratios,
//! and then criterion's groups. Every cold run is proven cold (`cachestat`) and every warm
//! one warm (no device read), or the bench fails.
#![expect(unsafe_code, reason = "mmap wants a promise; the device's own rate is measured by a bare ring")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench_harness::compare::{Competitor, interleaved};
use bench_harness::machine::Machine;
use bench_harness::report::{Bound, Report};
use bench_harness::{data, random::Random};
use criterion::{Criterion, SamplingMode, Throughput};
use zarrange_io::cache::{Dropped, Proof, device_bytes, drop_names, evict};
use zarrange_io::device::{DeviceFacts, facts};
use zarrange_io::{
    Access, Extent, Location, Object, Opener, ReadRequest, STD_THREADS, Source, Store, WriteRequest,
};

mod device;

const FILE_BYTES: u64 = 512 << 20;
const READS: usize = 1024;
const READ_BYTES: usize = 16 << 10;
const SMALL_BYTES: usize = 4 << 10;
const FILES: u64 = 5000;
const FILE_SIZE: usize = 20_000;
const CREATED: usize = 10_000;
const CREATED_BYTES: usize = 2500;
const TURNS: usize = 7;

/// The backends; `std` is one thread, `std pool` what the command uses.
fn openers() -> anyhow::Result<Vec<(&'static str, Opener)>> {
    // SAFETY: nobody changes the bench's files while they are read.
    let mmap = unsafe { Opener::mmap() };
    Ok(vec![
        ("std", Opener::default()),
        ("std pool", Opener::std_pool(STD_THREADS)),
        ("mmap", mmap),
        ("io_uring", Opener::io_uring()?),
    ])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cache {
    Cold,
    Warm,
}

/// A warm run that found the cache cold warmed it: it is repeated, this often at most.
const WARM_TRIES: usize = 3;

/// Times `work` in the state of the page cache that `cache` says, and proves that it was so.
fn timed(
    cache: Cache,
    path: &Path,
    place: &DeviceFacts,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    if cache == Cache::Cold {
        let evicted = evict(path)?;
        ensure!(evicted.proof == Proof::Cold, "{}: {}", path.display(), evicted.proof);
        if path.is_dir()
            && let Dropped::Refused { reason } = drop_names()
        {
            println!("names are not cold: {reason}");
        }
    }
    for _ in 0..WARM_TRIES {
        let before = device_bytes()?;
        let begin = Instant::now();
        work()?;
        let time = begin.elapsed();
        match (cache, device_bytes()?.since(&before).proof_of_warm(place)) {
            (Cache::Warm, Proof::Fetched { .. }) => {}
            (Cache::Cold, Proof::Warm) => anyhow::bail!("nothing was read from the device"),
            _ => return Ok(time),
        }
    }
    anyhow::bail!("{} does not stay in the page cache", path.display())
}

/// A file to read at random places.
struct RandomReads {
    path: PathBuf,
    place: DeviceFacts,
    offsets: Vec<u64>,
    bytes: usize,
}

impl RandomReads {
    fn new(bytes: usize) -> anyhow::Result<Self> {
        let path = data::file(&data::folder()?, "random.bin", FILE_BYTES)?;
        let slots = Random::new(42).distinct(READS, FILE_BYTES / bytes as u64);
        let offsets = slots.into_iter().map(|slot| slot * bytes as u64).collect();
        Ok(Self { place: facts(&path), path, offsets, bytes })
    }

    fn open(&self, opener: &Opener) -> anyhow::Result<(Store, Object)> {
        let dir = self.path.parent().context("a file is in a directory")?;
        let store = opener.open(&Location::Path(dir.to_owned()))?;
        let object = store.open("random.bin", Access::Read)?.context("the file exists")?;
        Ok((store, object))
    }

    /// One batch of all reads, into buffers that are used again.
    fn read(&self, (store, object): &(Store, Object), buffers: &mut [u8]) -> anyhow::Result<()> {
        let pieces = buffers.chunks_mut(self.bytes);
        let mut batch: Vec<_> = self
            .offsets
            .iter()
            .zip(pieces)
            .map(|(offset, piece)| ReadRequest::new(Source::Open(object), Extent::From(*offset), piece))
            .collect();
        store.read(&mut batch);
        for request in batch {
            request.result?;
        }
        Ok(())
    }

    fn competitor<'a>(
        &'a self,
        name: &'static str,
        opener: &Opener,
        cache: Cache,
    ) -> anyhow::Result<Competitor<'a>> {
        let file = self.open(opener)?;
        let mut buffers = vec![1; READS * self.bytes];
        Ok(Competitor::new(name, move || {
            timed(cache, &self.path, &self.place, || self.read(&file, &mut buffers))
        }))
    }

    /// Bytes that the device delivered for each useful one, cold.
    fn amplification(&self, opener: &Opener) -> anyhow::Result<f64> {
        let file = self.open(opener)?;
        let mut buffers = vec![1; READS * self.bytes];
        evict(&self.path)?;
        let before = device_bytes()?;
        self.read(&file, &mut buffers)?;
        let read = device_bytes()?.since(&before).read_bytes;
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        Ok(read as f64 / (READS * self.bytes) as f64)
    }
}

/// Many small files to read whole.
struct SmallFiles {
    dir: PathBuf,
    place: DeviceFacts,
    keys: Vec<String>,
}

impl SmallFiles {
    fn new() -> anyhow::Result<Self> {
        let dir = data::files(&data::folder()?, "small", FILES, FILE_SIZE)?;
        let keys =
            Random::new(7).distinct(usize::try_from(FILES)?, FILES).iter().map(u64::to_string).collect();
        Ok(Self { place: facts(&dir), dir, keys })
    }

    fn competitor<'a>(
        &'a self,
        name: &'static str,
        opener: &Opener,
        cache: Cache,
    ) -> anyhow::Result<Competitor<'a>> {
        let store = opener.open(&Location::Path(self.dir.clone()))?;
        let mut buffers = vec![1; self.keys.len() * FILE_SIZE];
        Ok(Competitor::new(name, move || {
            timed(cache, &self.dir, &self.place, || {
                let pieces = buffers.chunks_mut(FILE_SIZE);
                let requests = self.keys.iter().zip(pieces);
                let mut batch: Vec<_> = requests
                    .map(|(key, piece)| ReadRequest::new(Source::Key(key), Extent::Whole, piece))
                    .collect();
                store.read(&mut batch);
                for request in batch {
                    ensure!(request.result? == FILE_SIZE, "a file is read whole");
                }
                Ok(())
            })
        }))
    }
}

/// A new directory for each run of a case that creates files; all are removed at the end.
struct Created {
    root: PathBuf,
    next: std::cell::Cell<u64>,
    keys: Vec<String>,
    data: Vec<u8>,
}

impl Created {
    fn new() -> anyhow::Result<Self> {
        let root = data::folder()?.join(format!("created-{}", std::process::id()));
        std::fs::create_dir_all(&root)?;
        let keys = (0..CREATED).map(|k| k.to_string()).collect();
        Ok(Self { root, next: std::cell::Cell::new(0), keys, data: vec![7; CREATED_BYTES] })
    }

    fn fresh(&self) -> anyhow::Result<PathBuf> {
        let dir = self.root.join(self.next.get().to_string());
        self.next.set(self.next.get() + 1);
        std::fs::create_dir(&dir)?;
        Ok(dir)
    }

    /// What a program without zarrange would do.
    fn bare(&self) -> anyhow::Result<Duration> {
        let dir = self.fresh()?;
        let paths: Vec<PathBuf> = self.keys.iter().map(|key| dir.join(key)).collect();
        let begin = Instant::now();
        for path in &paths {
            File::create(path)?.write_all_at(&self.data, 0)?;
        }
        Ok(begin.elapsed())
    }

    fn competitor<'a>(&'a self, name: &'static str, opener: &Opener, atomic: bool) -> Competitor<'a> {
        let opener = opener.clone();
        Competitor::new(name, move || {
            let store = opener.open(&Location::Path(self.fresh()?))?;
            let mut batch: Vec<_> =
                self.keys.iter().map(|key| WriteRequest::whole(key, &self.data, atomic)).collect();
            let begin = Instant::now();
            store.write(&mut batch);
            let time = begin.elapsed();
            for request in batch {
                request.result?;
            }
            Ok(time)
        })
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        // What stays is below `target`, where it harms nobody.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// The cases in turns, with what they must reach.
fn report() -> anyhow::Result<()> {
    let data = data::folder()?;
    let machine = Machine::here(&data);
    let mut report = Report::new(&data.join("io.jsonl"), &machine)?;
    random_reads(&mut report)?;
    amplification(&mut report)?;
    small_files(&mut report)?;
    created_files(&mut report)?;
    report.end();
    println!("raw numbers: {}\n", data.join("io.jsonl").display());
    Ok(())
}

fn random_reads(report: &mut Report) -> anyhow::Result<()> {
    let reads = RandomReads::new(READ_BYTES)?;
    let mut cold = Vec::new();
    for (name, opener) in openers()? {
        cold.push(reads.competitor(name, &opener, Cache::Cold)?);
    }
    cold.push(reads.competitor("io_uring direct", &Opener::io_uring()?.direct(true), Cache::Cold)?);
    let mut bare = device::BareRing::new(&reads.path, READS, READ_BYTES)?;
    let offsets = &reads.offsets;
    cold.push(Competitor::new("device", move || bare.read(offsets)));
    let times = interleaved(format!("{READS} random reads of 16 KiB, cold"), TURNS, cold)?;
    report.times(&times)?;
    report.ratio("random reads, cold", Bound::AtLeast(4.0), &times, "std", "io_uring")?;
    report.ratio("random reads, cold", Bound::AtLeast(0.8), &times, "device", "io_uring")?;

    std::fs::read(&reads.path)?;
    let mut warm = Vec::new();
    for (name, opener) in openers()?.into_iter().filter(|(name, _)| *name != "std pool") {
        warm.push(reads.competitor(name, &opener, Cache::Warm)?);
    }
    let times = interleaved(format!("{READS} random reads of 16 KiB, warm, one thread"), 5 * TURNS, warm)?;
    report.times(&times)?;
    let best = times.best().context("they were measured")?;
    for (name, _) in times.seconds.iter().filter(|(name, _)| *name != best) {
        report.ratio("random reads, warm", Bound::AtMost(1.3), &times, name, best)?;
    }
    Ok(())
}

fn amplification(report: &mut Report) -> anyhow::Result<()> {
    let reads = RandomReads::new(SMALL_BYTES)?;
    for (name, opener) in openers()? {
        let bytes = reads.amplification(&opener)?;
        let what = format!("random 4 KiB reads, cold, device bytes for a useful byte, {name}");
        report.asked(&what, "at most 1.1", format!("{bytes:.3}"), bytes <= 1.1)?;
    }
    Ok(())
}

fn small_files(report: &mut Report) -> anyhow::Result<()> {
    let files = SmallFiles::new()?;
    for (cache, text) in [(Cache::Cold, "cold"), (Cache::Warm, "warm")] {
        let mut competitors = Vec::new();
        for (name, opener) in openers()? {
            competitors.push(files.competitor(name, &opener, cache)?);
        }
        let times =
            interleaved(format!("open, read, close {FILES} files of 20 kB, {text}"), TURNS, competitors)?;
        report.times(&times)?;
        if cache == Cache::Cold {
            report.ratio("files, cold", Bound::AtLeast(2.0), &times, "std", "io_uring")?;
        }
    }
    Ok(())
}

fn created_files(report: &mut Report) -> anyhow::Result<()> {
    let created = Created::new()?;
    let mut competitors = vec![Competitor::new("bare loop", || created.bare())];
    for (name, opener) in openers()?.into_iter().filter(|(name, _)| *name != "mmap") {
        competitors.push(created.competitor(name, &opener, false));
    }
    competitors.push(created.competitor("io_uring atomic", &Opener::io_uring()?, true));
    let times = interleaved(format!("create {CREATED} files of 2.5 kB"), TURNS, competitors)?;
    report.times(&times)?;
    for name in ["std", "std pool", "io_uring"] {
        report.ratio("created files", Bound::AtMost(1.5), &times, name, "bare loop")?;
    }
    Ok(())
}

/// The same cases under stable names, for comparisons between commits.
fn groups(criterion: &mut Criterion) -> anyhow::Result<()> {
    let mut run = |group: &str, bytes: u64, competitors: Vec<Competitor<'_>>| {
        let mut group = criterion.benchmark_group(group);
        group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Bytes(bytes));
        group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
        for mut competitor in competitors {
            group.bench_function(competitor.name, |bencher| {
                bencher.iter_custom(|iterations| {
                    (0..iterations).map(|_| (competitor.run)().expect("it ran before")).sum()
                });
            });
        }
        group.finish();
    };
    let reads = RandomReads::new(READ_BYTES)?;
    let files = SmallFiles::new()?;
    for (cache, text) in [(Cache::Cold, "cold"), (Cache::Warm, "warm")] {
        if cache == Cache::Warm {
            std::fs::read(&reads.path)?;
        }
        let (mut random, mut small) = (Vec::new(), Vec::new());
        for (name, opener) in openers()? {
            random.push(reads.competitor(name, &opener, cache)?);
            small.push(files.competitor(name, &opener, cache)?);
        }
        run(&format!("random-16KiB-{text}"), (READS * READ_BYTES) as u64, random);
        run(&format!("files-20kB-{text}"), FILES * FILE_SIZE as u64, small);
    }
    let created = Created::new()?;
    let competitors = openers()?.into_iter().map(|(name, opener)| created.competitor(name, &opener, false));
    run("create-2.5kB", (CREATED * CREATED_BYTES) as u64, competitors.collect());
    Ok(())
}

fn main() -> anyhow::Result<()> {
    // A filter or `--test` is for criterion alone.
    if std::env::args().skip(1).all(|arg| arg == "--bench") {
        report()?;
    }
    let mut criterion = Criterion::default().configure_from_args();
    groups(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
