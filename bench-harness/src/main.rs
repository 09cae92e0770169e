//! `zarrange-bench`: measures what zarrange does, with its reference in the same run.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bench_harness::advise::ask::{AdviseArgs, Usage};
use bench_harness::advise::{advise, text};
use bench_harness::backend::{BACKENDS, opener};
use bench_harness::cases::{CASES, Case};
use bench_harness::gate::{self, Baseline};
use bench_harness::machine::Machine;
use bench_harness::pairs::Interval;
use bench_harness::probe::{Settings, probe};
use bench_harness::report::Report;
use bench_harness::roofline::{Options, measure, small_memory, target};
use bench_harness::sweep::cell::{Inject, measure as measure_cell};
use bench_harness::sweep::dataset::Size;
use bench_harness::sweep::record::{self, CacheState, Outcome};
use bench_harness::sweep::{Answer, COMMIT, Done, Options as SweepOptions, Runner, sweep};
use bench_harness::{light_curves, page, pairs, place, say};
use clap::{Parser, Subcommand};
use zarrange_io::{Location, Opener};

/// Measures zarrange against what the machine allows.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The engine against the codecs, a copy in memory and the device, on the same data in one run
    Roofline(RooflineArgs),
    /// Reads every layout in every way: amplification, requests, latency
    Sweep(SweepArgs),
    /// Shows what sweeps found: a page with charts and tables that needs no network
    Report(ReportArgs),
    /// Holds a sweep against the baseline: exit code 1 where a counter got worse
    Gate(GateArgs),
    /// Measures the same cells by two programs in turns
    Pairs(PairsArgs),
    /// Compares two files of pairs: the ratio of their times, with an interval
    Compare(CompareArgs),
    /// The best layouts for an access mix, with what they cost and why
    Advise(Box<AdviseArgs>),
    /// Latency and bandwidth of a place by size of request: a profile for `zarrange rechunk --profile`
    Probe(ProbeArgs),
    /// Measures one cell of a sweep, as told on stdin
    #[command(hide = true)]
    Cell,
}

#[derive(Debug, clap::Args)]
struct GateArgs {
    /// Records of a sweep
    raw: PathBuf,
    /// What they are held against
    #[arg(long, default_value = "results/baseline.jsonl")]
    baseline: PathBuf,
    /// Output of `cargo bench --bench instructions`, to be held against the baseline too
    #[arg(long, value_name = "FILE")]
    instructions: Option<PathBuf>,
    /// Write a new baseline instead
    #[arg(long)]
    update: bool,
}

#[derive(Debug, clap::Args)]
struct PairsArgs {
    /// The program of before
    #[arg(long, value_name = "PROGRAM")]
    a: PathBuf,
    /// The program of now [default: this one]
    #[arg(long, value_name = "PROGRAM")]
    b: Option<PathBuf>,
    /// Turns: each program measures every cell once in each
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=1000))]
    turns: u64,
    /// File for the records of B
    #[arg(long)]
    out_b: PathBuf,
    #[command(flatten)]
    sweep: SweepArgs,
}

#[derive(Debug, clap::Args)]
struct CompareArgs {
    /// Records of the program of before
    a: PathBuf,
    /// Records of the program of now, measured in turns with it
    b: PathBuf,
    /// Slower by this is too slow: exit code 1 where the whole interval lies above
    #[arg(long, default_value_t = 1.02)]
    margin: f64,
}

#[derive(Debug, clap::Args)]
struct SweepArgs {
    /// A survey (photometry), a recipe (FILE.toml) or the location of an array
    #[arg(long, default_value = "photometry")]
    dataset: String,
    /// Sizes of a survey, `OBJECTSxEPOCHS` [default: that of its recipe]
    #[arg(long, value_name = "SIZE", value_delimiter = ',', value_parser = Size::parse)]
    sizes: Vec<Size>,
    /// A list of layouts (standard, quick) or a file [default: standard]
    #[arg(long)]
    layouts: Option<String>,
    /// Backends: std, mmap, `io_uring` [default: all that work here]
    #[arg(long, value_delimiter = ',')]
    backends: Vec<String>,
    /// States of the page cache at the beginning of a cell: cold, warm
    #[arg(long, value_delimiter = ',', default_value = "cold,warm", value_parser = cache_state)]
    cache: Vec<CacheState>,
    /// epoch, object, block:N, window:N, random:N, or a mix such as epoch=0.2,object=0.8, each also @RATE
    #[arg(long, num_args = 1.., default_values = ["epoch", "object", "random:32"])]
    workloads: Vec<String>,
    /// Operations of a cell, at most
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    operations: u64,
    /// A few layouts and operations: a first look within two minutes
    #[arg(long)]
    quick: bool,
    /// Where datasets and layouts are kept [default: below target/]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// File for the records, as JSON lines; a sweep that was stopped goes on there
    #[arg(long)]
    out: PathBuf,
    /// Do something badly, to see that it is noticed
    #[arg(long, hide = true)]
    inject: Option<Inject>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes up to 326 MiB to a hidden directory in LOCATION, and removes it. Reads are cold where the page \
cache can be dropped;\nas root, the names that the kernel keeps of all file systems are dropped too. A probe that is killed \
leaves\n.zarrange-probe-*, which can be deleted."
)]
struct ProbeArgs {
    /// Existing directory at the place, or `memory://NAME`
    location: Location,
    /// File for the profile, as JSON
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Replace an existing FILE.json
    #[arg(long)]
    overwrite: bool,
    /// What the place is called in plans [default: LOCATION]
    #[arg(long)]
    name: Option<String>,
    /// Time for all of it, about: a fast place needs less, a slow one more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How local files are read and written [default: `io_uring` where it works, otherwise std]
    #[arg(long, value_parser = BACKENDS)]
    backend: Option<String>,
    /// Read past the page cache (`O_DIRECT`); not with mmap
    #[arg(long)]
    direct: bool,
}

#[derive(Debug, clap::Args)]
struct ReportArgs {
    /// Records of sweeps
    #[arg(required = true)]
    raw: Vec<PathBuf>,
    /// The page, one file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also each chart as an SVG file in this directory
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Also each chart as a PNG file of twice that size in this directory; needs an installed font
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// Also a summary as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

fn cache_state(text: &str) -> Result<CacheState, String> {
    [CacheState::Cold, CacheState::Warm]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| format!("{text:?} is neither cold nor warm"))
}

#[derive(Debug, clap::Args)]
struct RooflineArgs {
    /// W, N, U, T, S, M (W within 128 MB) and L (light curves read from W's target) [default: all]
    #[arg(value_parser = ["W", "N", "U", "T", "S", "M", "L"])]
    cases: Vec<String>,
    /// Threads of the engine, one run for each
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "2,1", value_parser = clap::value_parser!(u64).range(1..=4096))]
    threads: Vec<u64>,
    /// Turns that count; one before them does not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    turns: u64,
    /// Where data is kept and targets are written [default: below target/]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// File for the raw numbers, as JSON lines [default: roofline.jsonl beside the data]
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Roofline(args) => roofline(args),
        Command::Sweep(args) => run_sweep(args),
        Command::Report(args) => report(args),
        Command::Gate(args) => run_gate(&args),
        Command::Pairs(args) => run_pairs(args),
        Command::Compare(args) => run_compare(&args),
        Command::Advise(args) => run_advise(*args),
        Command::Probe(args) => run_probe(&args),
        Command::Cell => run_cell(),
    }
}

fn run_sweep(args: SweepArgs) -> anyhow::Result<()> {
    let runner = Runner { program: std::env::current_exe()?, out: args.out.clone(), inject: args.inject };
    sweep_with(args, &[runner], 1)
}

/// Both programs on the same cells; what is done badly on purpose, B does.
fn run_pairs(args: PairsArgs) -> anyhow::Result<()> {
    let PairsArgs { a, b, turns, out_b, sweep } = args;
    let before = Runner { program: a, out: sweep.out.clone(), inject: None };
    let now = Runner { program: b.map_or_else(std::env::current_exe, Ok)?, out: out_b, inject: sweep.inject };
    sweep_with(sweep, &[before, now], turns)
}

fn run_gate(args: &GateArgs) -> anyhow::Result<()> {
    let instructions = match &args.instructions {
        None => std::collections::BTreeMap::new(),
        Some(file) => gate::instructions(&std::fs::read_to_string(file)?)?,
    };
    let now = Baseline::of(&record::read(&args.raw)?, instructions);
    if args.update {
        now.write(&args.baseline)?;
        say!("a new baseline: {}", args.baseline.display());
        return Ok(());
    }
    let verdict = Baseline::read(&args.baseline)?.compare(&now);
    say!("{verdict}");
    if verdict.passes() { Ok(()) } else { std::process::exit(1) }
}

fn run_compare(args: &CompareArgs) -> anyhow::Result<()> {
    let (a, b) = pairs::read(&args.a, &args.b)?;
    let ratios = pairs::ratios(&a, &b)?;
    let interval = Interval::of(&ratios)?;
    let Interval { mean, low, high } = interval;
    let (before, now) = pairs::commits(&a, &b);
    let slower = interval.is_above(args.margin);
    let verdict = if slower { "slower" } else { "not slower beyond doubt" };
    say!(
        "{now} takes {mean:.3} times as long as {before} (99 % within {low:.3} to {high:.3}, {} turns): {verdict}",
        ratios.len()
    );
    if slower { std::process::exit(1) } else { Ok(()) }
}

fn sweep_with(args: SweepArgs, runners: &[Runner], turns: u64) -> anyhow::Result<()> {
    let (layouts, operations, bytes_max) = if args.quick {
        ("quick", args.operations.min(16), 64 << 20)
    } else {
        ("standard", args.operations, 512 << 20)
    };
    let works = |name: &&&str| opener(name).is_ok();
    let backends = if args.backends.is_empty() {
        BACKENDS.iter().filter(works).map(|name| (*name).to_owned()).collect()
    } else {
        args.backends
    };
    let options = SweepOptions {
        dataset: args.dataset,
        sizes: args.sizes,
        layouts: args.layouts.unwrap_or_else(|| layouts.to_owned()),
        backends,
        caches: args.cache,
        workloads: args.workloads,
        operations,
        bytes_max,
        dir: args.dir.map_or_else(place::data, Ok)?,
        turns,
    };
    let terminal = std::io::stderr().is_terminal();
    let mut last = String::new();
    let done = sweep(&options, runners, &mut |k, of, cell| {
        let line = format!("{}: {}", cell.dataset.name, cell.layout.name);
        if terminal {
            eprint!("\r\x1b[K[{k}/{of}] {line}, {}, {} {}", cell.workload, cell.cache.name(), cell.backend);
        } else if line != last {
            eprintln!("[{k}/{of}] {line}");
        }
        last = line;
    })?;
    if terminal {
        eprintln!();
    }
    let Done { measured, known, unmeasured } = done;
    say!(
        "{measured} cells measured, {known} were known, {unmeasured} could not be measured: {}",
        args.out.display()
    );
    Ok(())
}

fn run_probe(args: &ProbeArgs) -> anyhow::Result<()> {
    let machine = match &args.location {
        Location::Path(path) => Machine::here(path),
        other => Machine { device: other.to_string(), ..Machine::here(Path::new(".")) },
    };
    say!("{machine}\n");
    let mapped = args.backend.as_deref() == Some("mmap");
    ensure!(
        !(mapped && args.direct),
        "mmap reads through the page cache: leave out --direct, or use another --backend"
    );
    let opener = args.backend.as_deref().map_or_else(|| Ok(Opener::auto()), opener)?.direct(args.direct);
    let settings = Settings { time: Duration::from_secs(args.seconds), ..Settings::default() };
    if let Some(out) = args.out.as_ref().filter(|out| !args.overwrite && out.symlink_metadata().is_ok()) {
        bail!("{} exists: choose another name, or replace it with --overwrite", out.display());
    }
    let measured = probe(&args.location, &opener, &settings)
        .with_context(|| format!("{} cannot be probed", args.location))?;
    say!("{measured}");
    let name = args.name.clone().unwrap_or_else(|| args.location.to_string());
    let profile = serde_json::to_string_pretty(&measured.profile(&name)?)?;
    say!("{profile}");
    if let Some(out) = &args.out {
        std::fs::write(out, profile + "\n")
            .with_context(|| format!("{} cannot be written", out.display()))?;
    }
    Ok(())
}

fn report(args: ReportArgs) -> anyhow::Result<()> {
    let ReportArgs { raw, out, svg, png, markdown } = args;
    let options = page::Options { raw, out, svg, png, markdown };
    let (cells, charts) = page::write(&options)?;
    say!("{cells} cells in {charts} charts: {}", options.out.display());
    Ok(())
}

fn run_advise(args: AdviseArgs) -> anyhow::Result<()> {
    let json = args.json;
    let advice = match args.resolve().and_then(|ask| advise(&ask)) {
        Err(error) if error.is::<Usage>() => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
        other => other?,
    };
    let said = if json { serde_json::to_string_pretty(&advice)? } else { text::text(&advice) };
    say!("{said}");
    Ok(())
}

fn run_cell() -> anyhow::Result<()> {
    let order = serde_json::from_reader(std::io::stdin().lock())?;
    let outcome = match measure_cell(&order) {
        Ok(measures) => Outcome::Measured(Box::new(measures)),
        Err(error) => Outcome::Unmeasured(format!("{error:#}")),
    };
    say!("{}", serde_json::to_string(&Answer { commit: COMMIT.to_owned(), outcome })?);
    Ok(())
}

fn roofline(args: RooflineArgs) -> anyhow::Result<()> {
    let dir = match args.dir {
        Some(dir) => dir.canonicalize()?,
        None => place::data()?,
    };
    let out = args.out.unwrap_or_else(|| dir.join("roofline.jsonl"));
    let mut report = Report::new(&out, &Machine::here(&dir))?;
    let wanted = |name: &str| args.cases.is_empty() || args.cases.iter().any(|case| case == name);
    for threads in args.threads {
        let turns = usize::try_from(args.turns)?;
        let options = Options { dir: &dir, threads, turns };
        for case in CASES.iter().filter(|case| wanted(case.name)) {
            measure(case, options, &mut report)?;
        }
        if let Some(case) = Case::named("W").filter(|_| wanted("M")) {
            small_memory(&case, options, &mut report)?;
        }
    }
    if let Some(case) = Case::named("W").filter(|_| wanted("L")) {
        light_curves::measure(&case, &target(&case, &dir)?, usize::try_from(args.turns)?, &mut report)?;
    }
    say!("");
    report.end();
    say!("raw numbers: {}", out.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
