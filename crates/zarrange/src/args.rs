//! The command line.

pub(crate) mod common;
pub(crate) mod examples;
pub(crate) mod imagined;
pub(crate) mod lightcurve;
mod line;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use zarrange_io::Location;
use zarrange_plan::{Reader, StoreProfile, Way};
use zarrange_rechunk::{
    Bytes, ClusterSpec, Codecs, Durability, Fixed, Foreign, KeySeparator, Named, NamedMix, NamedRegion,
    Share, Verify, parse_profile,
};

pub(crate) use self::common::{BackendArg, IoArgs, ProgressArg, ToldArgs};
pub(crate) use self::imagined::ImaginedArgs;
pub(crate) use self::lightcurve::LightcurveCommand;
use crate::advise::ask::AdviseArgs;
use crate::hints::Options;
use crate::out::Level;
use crate::{VERSION, memory};

/// What a command's end says.
const EXIT_CODES: &str = "\
Exit codes: 0 done (what was to be written is there, whoever could be told); 1 failed, or arrays that differ (what was \
to be written is as it was before); 2 wrong usage; 129, 130 and 143 stopped by SIGHUP, SIGINT or SIGTERM, which leaves \
everything as it was before. A second SIGINT or SIGTERM ends at once, and may leave names with .partial- behind.";

/// Rechunk Zarr arrays within a fixed memory, verified.
#[derive(Debug, Parser)]
#[command(version = VERSION, about, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Print errors and what was asked for, and nothing else: no progress, no notes, no line on what was done
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say on stderr what is used (backend, memory, metadata, codecs, the plan with its profile), and when each phase and stage begins and ends
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// The arguments of a command line, and the options that their command has. A SPEC may begin with a minus (`-1,64`), which must not
    /// look like an option.
    ///
    /// # Errors
    /// What is wrong with it, or help that is asked for.
    pub(crate) fn of(line: impl IntoIterator<Item = OsString>) -> Result<(Self, Options), clap::Error> {
        let line = line.into_iter().map(|arg| match arg.to_str() {
            Some(text) if is_negative_spec(text) => format!(" {text}").into(),
            _ => arg,
        });
        let mut matches = line::matches(&Self::command(), &line.collect::<Vec<_>>())?;
        let (mut command, mut inside) = (Vec::new(), &matches);
        while let Some((name, matches)) = inside.subcommand() {
            command.push(name);
            inside = matches;
        }
        let (options, shows_progress) = (Self::options(&command), shows_progress(inside));
        let mut own = Self::command();
        let args = Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut own))?;
        let other = match (args.quiet, args.verbose, shows_progress) {
            (true, true, _) => "--verbose",
            (true, _, true) => "--progress always",
            _ => return Ok((args, options)),
        };
        // They may stand before and behind the name of a command, where clap sees no conflict.
        Err(own.error(ErrorKind::ArgumentConflict, format!("--quiet cannot be used with {other}")))
    }

    /// How much is said.
    pub(crate) const fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Usual,
        }
    }

    /// The options of a command, and of one within it, by its name.
    pub(crate) fn options(command: &[&str]) -> Options {
        let mut at = &Self::command();
        for name in command {
            at = at.find_subcommand(name).unwrap_or(at);
        }
        Options(at.get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned).collect())
    }
}

/// Whether a bar is asked for.
fn shows_progress(matches: &ArgMatches) -> bool {
    matches!(matches.try_get_one("progress"), Ok(Some(ProgressArg::Always)))
}

fn is_negative_spec(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole story on seeded data: fill by epoch, rechunk, verify, and what reads cost before and after
    Demo(DemoArgs),
    /// Rechunk an array, or arrays of a group
    Rechunk(Box<RechunkArgs>),
    /// Write what rechunk would do to a file, to be run later
    Plan(Box<PlanArgs>),
    /// Carry out a plan that was written to a file
    #[command(after_help = examples::RUN)]
    Run(PlannedArgs),
    /// Do a share of a plan, beside other workers
    Worker(WorkerArgs),
    /// End a plan that workers have carried out: compare what is asked, and give DST its name
    Finish(FinishArgs),
    /// Compare two arrays or groups: shapes, types, attributes and every value
    Verify(VerifyArgs),
    /// What arrays hold, each in 32 digits that are the same for all layouts and codecs
    Digest(DigestArgs),
    /// Which layout suits what is read of an array, and why
    #[command(after_help = examples::ADVISE)]
    Advise(Box<AdviseArgs>),
    /// What is stored: hierarchy, chunks, shards, codecs, bytes, missing chunks
    Info(InfoArgs),
    /// Latency and bandwidth of a place by size of request: a profile for `--profile`
    Probe(ProbeArgs),
    /// What a shell needs to complete commands and options, on stdout
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Pages for `man`, of every command
    #[command(after_help = examples::MAN)]
    Man {
        /// Directory to write them to, which is made if it is not there
        dir: PathBuf,
    },
    /// Light curves
    Lightcurve {
        #[command(subcommand)]
        command: LightcurveCommand,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::DEMO)]
pub(crate) struct DemoArgs {
    /// Directory to write to (kept afterwards): a new or empty one, or that of a demo before
    #[arg(long, default_value = "zarrange-demo")]
    pub(crate) dir: PathBuf,
    /// Replace what a demo before has made
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Number of objects [default: that of the recipe, 10000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) objects: Option<u64>,
    /// Number of epochs [default: that of the recipe, 500]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) epochs: Option<u64>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
}

/// After the options of `rechunk` and `plan`.
const SPECS: &str = "\
SPEC is 1,500,2 or by dimension name object=1,epoch=-1 (the others keep their chunk; -1 is the \
whole dimension; a dimension without a name has a number, 0=1) or keep.
For a group, ARRAY:SPEC, repeatable; without ARRAY: it holds for all arrays, or those of --array. A SPEC by
name is for the arrays that have all of its dimensions.
Arrays that no SPEC names are copied unchanged.
MIX is epoch=0.2,object=0.8: for each epoch read with all objects, four objects are read at all epochs; dimensions
without names have numbers (0=0.8,1=0.2), and those not in MIX are always read whole. object+band=0.8 is one index of
both, object:50=0.1 fifty neighbouring ones, object~50=0.1 fifty scattered ones.
Sizes: 256MB = 256e6, 256MiB, 1e9, plain bytes.";

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n{SPECS}", examples::RECHUNK))]
pub(crate) struct RechunkArgs {
    /// Array or group to read (Zarr v2 or v3)
    pub(crate) src: Location,
    /// Array or group to make (Zarr v3)
    pub(crate) dst: Location,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Replace these chunks of a DST that is there already, a copy of SRC: epoch=96:128 are indices 96 to 127 of the dimension epoch (or
    /// of its number), in all arrays (or those of --array) that have it
    #[arg(long, value_name = "NAME=FROM:TO", conflicts_with_all = ["chunks", "shards", "mix", "overwrite"])]
    pub(crate) region: Option<NamedRegion>,
    /// Keep what is done if this ends early, and go on from what an earlier call of the same kept
    #[arg(long, conflicts_with_all = ["region", "dry_run"])]
    pub(crate) resume: bool,
    /// With --resume: array data of a part, about, which is done again if it was not done to its end [default: 256MB]
    #[arg(long, value_name = "SIZE", requires = "resume", conflicts_with_all = ["region", "dry_run"])]
    pub(crate) part_size: Option<Bytes>,
    /// Print the plan and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n{SPECS}\nGive --max-mem and --threads of the machines that will run the plan.", examples::PLAN))]
pub(crate) struct PlanArgs {
    /// Array or group to read (Zarr v2 or v3)
    #[arg(required_unless_present = "shape")]
    pub(crate) src: Option<Location>,
    /// Array or group to make (Zarr v3)
    #[arg(required_unless_present = "shape")]
    pub(crate) dst: Option<Location>,
    #[command(flatten)]
    pub(crate) imagined: ImaginedArgs,
    /// File to write, or - for stdout; the plan in words goes to stderr
    #[arg(long, value_name = "PLAN.json", required_unless_present_any = ["simulate", "shape"])]
    pub(crate) out: Option<PathBuf>,
    /// Print what workers would take, time, requests and money: workers=1000,store=s3, and whatever is known of startup= (seconds, in each stage), failures= (share),
    /// stragglers=SHARExTIMES, bandwidth= and requests= (of the store, a second), read-price=, write-price= (of a thousand), hour-price= (of a worker)
    #[arg(long, value_name = "NAME=VALUE,...")]
    pub(crate) simulate: Option<ClusterSpec>,
    /// Replace an existing PLAN.json (--overwrite is for DST)
    #[arg(long, requires = "out")]
    pub(crate) overwrite_plan: bool,
    /// Array data of a part, about: workers do whole parts, and a part that was not done to its end is done again [default: 256MB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) part_size: Option<Bytes>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

/// A plan that is carried out.
#[derive(Debug, clap::Args)]
pub(crate) struct PlannedArgs {
    /// File that `zarrange plan` wrote
    #[arg(value_name = "PLAN.json")]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n\
Workers are processes on any machines that reach SRC, PLAN.json and the folder of DST by the same names. A stage begins when all \
of the one before is done: call all workers of stage 0, wait for them, then those of stage 1. What a worker has done before it \
failed is kept: call it again, with the same share or with others.", examples::WORKER))]
pub(crate) struct WorkerArgs {
    /// The stage to work at, from 0: plans without an intermediate have one
    #[arg(long, value_name = "K", required_unless_present = "status")]
    pub(crate) stage: Option<u64>,
    /// The share to do: number I, from 0, of N; N may differ from call to call
    #[arg(long, value_name = "I/N", value_parser = share, required_unless_present = "status")]
    pub(crate) part: Option<Share>,
    /// Do nothing but tell how far the workers are
    #[arg(long, conflicts_with_all = ["stage", "part"])]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) planned: PlannedArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::FINISH)]
pub(crate) struct FinishArgs {
    /// Remove what workers have written instead; DST stays what it was
    #[arg(long)]
    pub(crate) give_up: bool,
    #[command(flatten)]
    pub(crate) planned: PlannedArgs,
}

/// What goes with no mix. Options that need one must say so, too: clap misses nothing that could not be given.
const SHAPES: [&str; 2] = ["chunks", "shards"];

/// What is to be done: the options that `rechunk` and `plan` share.
#[derive(Debug, clap::Args)]
pub(crate) struct RequestArgs {
    /// Chunk shape (of inner chunks, where there are shards)
    #[arg(long, value_name = "SPEC", num_args = 1..)]
    pub(crate) chunks: Vec<Named>,
    /// Shard shape, or none [default: as now where chunks stay as they are, otherwise none]
    #[arg(long, value_name = "SPEC", num_args = 1..)]
    pub(crate) shards: Vec<Named>,
    /// Choose the chunks and shards in which this mix of accesses takes least time, in all arrays (or those of --array) that have its
    /// dimensions
    #[arg(long = "for", value_name = "MIX", conflicts_with_all = SHAPES)]
    pub(crate) mix: Option<NamedMix>,
    /// With --for: the most files of an array; shards are made so that they suffice [default: 10000]
    #[arg(long, value_name = "N", requires = "mix", conflicts_with_all = SHAPES, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_files: Option<u64>,
    /// With --for: the most bytes of a chunk, decoded [default: 16MiB]
    #[arg(long, value_name = "SIZE", requires = "mix", conflicts_with_all = SHAPES)]
    pub(crate) chunk_bytes: Option<Bytes>,
    /// With --for: of how many indices of other dimensions every read is, such as measurement=1
    #[arg(long, value_name = "DIMENSION=N,...", requires = "mix", conflicts_with_all = SHAPES)]
    pub(crate) fix: Option<Fixed>,
    /// With --for: who reads: zarr-python (before 3.3), zarr-python-3.3, xarray, tensorstore, zarrs-python or zarrange
    #[arg(long, value_name = "READER", requires = "mix", conflicts_with_all = SHAPES, default_value_t)]
    pub(crate) reader: Reader,
    /// Bound on all data buffers together [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    /// Codecs of arrays with a SPEC, or of all if none has one:
    /// keep, none, zstd[:LEVEL], gzip[:LEVEL], lz4, shuffle+CODEC, blosc[:CNAME][:LEVEL][:SHUFFLE], pcodec[:LEVEL], transpose:1,0+CODECS, a
    /// JSON list or @FILE
    #[arg(long, default_value = "keep", value_parser = codecs)]
    pub(crate) codecs: Codecs,
    /// What separates the numbers of chunk keys: `/`, `.`, or auto: as in SRC, but `.` where `/` would need more
    /// than one directory for four chunks
    #[arg(long, value_name = "SEPARATOR", default_value = "auto")]
    pub(crate) key_separator: KeySeparator,
    /// Arrays that a SPEC without ARRAY:, or a MIX, holds for
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) array: Vec<String>,
    /// Directory for an intermediate, made if missing [default: beside DST]
    #[arg(long, value_name = "LOCATION")]
    pub(crate) temp: Option<Location>,
    /// What places cost: memory, page-cache, nvme, disk, parallel, object or a file of `zarrange probe`; for one of them
    /// source=, target= or temp= in front [default: as probed, or nvme]
    #[arg(long, value_name = "[PLACE=]PROFILE", num_args = 1.., value_parser = profile)]
    pub(crate) profile: Vec<ProfileArg>,
    /// Take this way, whatever it costs: for tests
    #[arg(long, hide = true)]
    pub(crate) way: Option<Way>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) threads: Option<u64>,
    /// What to compare with the source before DST appears: none, sample (a few tiles of each array, and whatever checksums tell of
    /// chunks that are copied), digest (all of DST, with digests of what was read of the source), or full (all of both)
    #[arg(long, value_name = "WHAT", default_value_t = Verify::None)]
    pub(crate) verify: Verify,
    /// Whether to wait until DST is on the disk before it appears: commit (DST survives a crash of the machine), or none
    #[arg(long, value_name = "WHEN", default_value_t = Durability::Commit)]
    pub(crate) durability: Durability,
    /// Replace an existing DST, once the new one is complete
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Leave out arrays that no SPEC names and no MIX is for
    #[arg(long)]
    pub(crate) only_named: bool,
    /// Leave out these arrays and groups, with everything below them, without opening them
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) skip: Vec<String>,
    /// What becomes of files that are not Zarr (which is said): skip leaves them behind, copy copies them, fail does nothing if there
    /// are any
    #[arg(long, value_name = "WHAT", default_value_t = Foreign::Skip)]
    pub(crate) foreign: Foreign,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::VERIFY)]
pub(crate) struct VerifyArgs {
    /// One array or group
    pub(crate) a: Location,
    /// The other
    pub(crate) b: Location,
    /// Let NaN differ from NaN where their bits do
    #[arg(long)]
    pub(crate) nan_payloads: bool,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::DIGEST)]
pub(crate) struct DigestArgs {
    /// Array or group
    pub(crate) location: Location,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// How everything at a place is read.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// Bound on all data buffers together [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    max_mem: Option<Bytes>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    threads: Option<u64>,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
}

impl ReadingArgs {
    /// The memory for data in bytes, and the threads.
    pub(crate) fn means(&self) -> anyhow::Result<(u64, u64)> {
        let threads = self.threads.unwrap_or_else(memory::threads);
        let max_mem = memory::given(self.max_mem.map_or_else(memory::default_max, u64::from), threads)?;
        Ok((max_mem, threads))
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::INFO)]
pub(crate) struct InfoArgs {
    /// Array or group
    pub(crate) location: Location,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n\
Writes up to 326 MiB to a hidden directory in LOCATION, and removes it. Reads are cold where the page cache can be dropped; as root, the \
names that the kernel keeps of all file systems are dropped too. A probe that is killed leaves .zarrange-probe-*, which can be \
deleted.", examples::PROBE))]
pub(crate) struct ProbeArgs {
    /// Existing directory at the place, or `memory://NAME`
    pub(crate) location: Location,
    /// File for the profile, as JSON
    #[arg(long, value_name = "FILE.json")]
    pub(crate) out: Option<PathBuf>,
    /// Replace an existing FILE.json
    #[arg(long, requires = "out")]
    pub(crate) overwrite: bool,
    /// What the place is called in plans [default: LOCATION]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Only tell: do not keep the profile for what is planned on this file system from now on
    #[arg(long)]
    pub(crate) no_keep: bool,
    /// Time for all of it, about: a fast place needs less, a slow one more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) io: IoArgs,
}

/// What a place costs.
#[derive(Clone, Debug)]
pub(crate) struct ProfileArg {
    /// The place; `None` for all of them.
    pub(crate) place: Option<Place>,
    pub(crate) profile: StoreProfile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Source,
    Target,
    Temp,
}

fn profile(text: &str) -> Result<ProfileArg, String> {
    let (place, name) = match text.split_once('=') {
        Some(("source", name)) => (Some(Place::Source), name),
        Some(("target", name)) => (Some(Place::Target), name),
        Some(("temp", name)) => (Some(Place::Temp), name),
        Some((other, _)) => return Err(format!("{other:?} is no place: use source, target or temp")),
        None => (None, text),
    };
    let profile = parse_profile(name, |path| std::fs::read_to_string(path)).map_err(|e| e.to_string())?;
    Ok(ProfileArg { place, profile })
}

fn share(text: &str) -> Result<Share, String> {
    let parsed = text
        .split_once('/')
        .and_then(|(index, of)| Some(Share { index: index.parse().ok()?, of: of.parse().ok()? }));
    parsed
        .filter(|share| share.index < share.of)
        .ok_or_else(|| format!("{text:?} is no share: use 0/4 for the first of four, to 3/4 for the last"))
}

fn codecs(text: &str) -> Result<Codecs, String> {
    let read;
    let text = match text.strip_prefix('@') {
        None => text,
        Some(path) => {
            read = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
            read.trim()
        }
    };
    text.parse::<Codecs>().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests;
