//! The arguments of `zarrange lightcurve`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use zarrange_io::Location;
use zarrange_lightcurve::Cut;
use zarrange_plan::{Reader, StoreProfile};
use zarrange_rechunk::{Bytes, Codecs, Durability, Fixed, Named, NamedMix, SpecError, Verify, parse_profile};

use crate::args::common::{IoArgs, ProgressArg, ToldArgs};
use crate::args::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum LightcurveCommand {
    /// Store a table of measurements as arrays over (object, sequence)
    Ingest(IngestArgs),
    /// Make a store over objects and epochs, to be filled epoch by epoch
    Create(CreateArgs),
    /// Add epochs behind those that a store has
    Append(AppendArgs),
    /// Copy a store in another layout, to be read by object; it can be kept in step by sync
    Rechunk(LightcurveRechunkArgs),
    /// Bring a copy up to date: what was filled in its source since
    Sync(SyncArgs),
    /// Fill epochs of a store from tables
    Fill(FillArgs),
    /// Light curves of some objects: by label, or by position on the sky
    Get(Box<GetArgs>),
    /// What a store is made of, and what of it was filled
    Info(LightcurveInfoArgs),
    /// Which layout suits what is read of a store, from its own data, and the command that makes it
    Advise(Box<LightcurveAdviseArgs>),
}

/// What is read of a store.
#[derive(Debug, clap::Args)]
#[command(after_help = examples::OF_READS)]
pub(crate) struct LightcurveAdviseArgs {
    /// Group to advise on; nothing is written
    pub(crate) store: Location,
    /// What is read how often [default: one object in one measurement 80 %, fifty scattered ones 10 %, one epoch 10 %:
    /// object+measurement=0.8,object~50+measurement=0.1,epoch=0.1]
    #[arg(long = "for", value_name = "MIX")]
    pub(crate) mix: Option<NamedMix>,
    /// Of how many indices of other dimensions every read is, such as measurement=1
    #[arg(long, value_name = "DIMENSION=N,...", requires = "mix")]
    pub(crate) fix: Option<Fixed>,
    /// Who reads: zarr-python (before 3.3), zarr-python-3.3, xarray, tensorstore, zarrs-python or zarrange
    #[arg(long, value_name = "READER", default_value_t)]
    pub(crate) reader: Reader,
    /// What the place costs: memory, page-cache, nvme, disk, parallel, object or a file of `zarrange probe` [default: as probed, or nvme]
    #[arg(long, value_parser = profile)]
    pub(crate) profile: Option<StoreProfile>,
    /// Bound on what is held of the store [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

fn profile(name: &str) -> Result<StoreProfile, SpecError> {
    parse_profile(name, |path| std::fs::read_to_string(path))
}

/// What a new store is.
#[derive(Debug, clap::Args)]
#[command(after_help = examples::CREATE)]
pub(crate) struct CreateArgs {
    /// Group to make
    pub(crate) store: Location,
    /// Arrays: `flux` and `flux_err` over (object, epoch, measurement), or `lightcurves` over (object, measurement, value, epoch)
    #[arg(long, value_enum, default_value_t = Preset::Flux)]
    pub(crate) preset: Preset,
    /// Number of objects, or a table with a row for each: the first column are labels, the others side variables
    #[arg(long, value_name = "N|TABLE")]
    pub(crate) objects: String,
    /// Number of epochs, or a table as for --objects
    #[arg(long, value_name = "N|TABLE")]
    pub(crate) epochs: String,
    /// Number of measurements of an object at an epoch, or a table as for --objects
    #[arg(long, value_name = "N|TABLE", default_value = "1")]
    pub(crate) measurements: String,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    /// Unit of all values, such as nJy or mag; of single measurements it is the column `unit` of their table
    #[arg(long)]
    pub(crate) unit: Option<String>,
    /// What the column `time` of epochs counts, in words of the IVOA: UTC, TAI, TT, TDB, TCB
    #[arg(long, value_name = "SCALE")]
    pub(crate) timescale: Option<String>,
    /// Where times are taken, in words of the IVOA: TOPOCENTER, GEOCENTER, HELIOCENTER, BARYCENTER
    #[arg(long, value_name = "PLACE")]
    pub(crate) refposition: Option<String>,
    /// The Julian date that times count from: 2400000.5 for MJD, 0 for JD, 2457000 for TESS
    #[arg(long, value_name = "JD")]
    pub(crate) timeorigin: Option<f64>,
    /// Codecs: none, zstd:3, blosc:lz4:5:shuffle, gzip:6, or a codec list in JSON
    #[arg(long, value_name = "CODECS", default_value = "zstd:3")]
    pub(crate) codecs: Codecs,
    /// Bound on the tables [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Replace an existing STORE
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// Arrays that a new store may have.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Preset {
    Flux,
    Labelled,
}

/// How arrays of values are cut.
#[derive(Debug, clap::Args)]
pub(crate) struct LayoutArgs {
    /// How arrays of values are cut: epoch-optimized, object-optimized, balanced, or in blocks of N epochs time-blocks:N (of all objects)
    /// or object-optimized:N (of which sync makes only the last anew) [default: epoch-optimized, of a copy object-optimized]
    #[arg(long, conflicts_with = "mix")]
    layout: Option<Cut>,
    /// Cut for a mix of accesses instead, such as epoch=0.2,object=0.8, or epoch=0.2,object+measurement=0.8 for one index of both;
    /// object:50=0.1 are fifty neighbouring ones, object~50=0.1 fifty scattered ones
    #[arg(long = "for", value_name = "MIX")]
    mix: Option<NamedMix>,
}

impl LayoutArgs {
    /// What is asked for, or `usual`.
    pub(crate) fn cut(&self, usual: Cut) -> Cut {
        let asked = self.mix.clone().map(Cut::For).or_else(|| self.layout.clone());
        asked.unwrap_or(usual)
    }
}

/// How a copy is made, and brought up to date.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyArgs {
    /// What to compare with the source before it is seen: none, sample, digest or full
    #[arg(long, value_name = "WHAT", default_value_t = Verify::Full)]
    pub(crate) verify: Verify,
    /// Whether to wait until it is on the disk: commit, or none
    #[arg(long, value_name = "WHEN", default_value_t = Durability::Commit)]
    pub(crate) durability: Durability,
    /// Bound on all data buffers together [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    /// Threads [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) threads: Option<u64>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    #[command(flatten)]
    pub(crate) told: ToldArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::COPY)]
pub(crate) struct LightcurveRechunkArgs {
    /// A group with an array over objects and epochs, whoever has written it
    pub(crate) store: Location,
    /// Group to make
    pub(crate) out: Location,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    /// Codecs of arrays of values: keep, none, zstd:3, blosc:lz4:5:shuffle, gzip:6, or a codec list in JSON
    #[arg(long, value_name = "CODECS", default_value = "keep")]
    pub(crate) codecs: Codecs,
    /// Replace an existing OUT, once the new one is complete
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::SYNC)]
pub(crate) struct SyncArgs {
    /// A copy that lightcurve rechunk has made
    pub(crate) store: Location,
    /// The store that it is a copy of [default: where that was when the copy was made]
    #[arg(long, value_name = "STORE")]
    pub(crate) source: Option<Location>,
    /// Seconds to wait for somebody who brings it up to date
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::APPEND)]
pub(crate) struct AppendArgs {
    /// A store with a record of what was filled
    pub(crate) store: Location,
    /// Number of new epochs, or a table with a row for each: the first column are labels, the others side variables of the store
    #[arg(long, value_name = "N|TABLE")]
    pub(crate) epochs: String,
    /// Seconds to wait for somebody who fills the last epochs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,
    /// Bound on the table and on labels [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::OF_STORE)]
pub(crate) struct LightcurveInfoArgs {
    /// A group with an array over objects and epochs, whoever has written it
    pub(crate) store: Location,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// After the options of `fill`.
const COLUMNS: &str = "\
Columns are found by their names: object (or the name of its labels, object_id, source_id, id, name), epoch or time \
(mjd, hmjd, jd), measurement (or band, filter), and the arrays of values. What is called otherwise is told with \
--columns TARGET=COLUMN, where TARGET is a dimension, time, or an array of values, with labels of its other dimensions \
in brackets: --columns object=NUMBER 'flux[g]=FLUX_G' 'lightcurves[mag_auto,value]=MAG_AUTO'.
What all rows have in common is told with --at: --at epoch=gr0007 measurement=g.
Rows that cannot be used are told and do not end the others; the exit code is then 1, unless they are written to a file \
with --rejected.";

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n{COLUMNS}", examples::FILL))]
pub(crate) struct FillArgs {
    /// A group with arrays over objects and epochs, whoever has written it, or one of sequences as ingest makes it
    pub(crate) store: Location,
    /// Tables, gzipped or not; each may have rows of several epochs
    #[arg(required = true, value_name = "TABLE")]
    pub(crate) tables: Vec<PathBuf>,
    /// What columns are: TARGET=COLUMN
    #[arg(long, value_name = "TARGET=COLUMN", num_args = 1.., value_parser = assignment)]
    pub(crate) columns: Vec<(String, String)>,
    /// What all rows have in common: DIMENSION=LABEL, or a number where there are no labels
    #[arg(long, value_name = "DIMENSION=LABEL", num_args = 1.., value_parser = assignment)]
    pub(crate) at: Vec<(String, String)>,
    /// How far the time of a row may be from that of its epoch, or of the same observation, in the unit of the store [default: 1.2e-5 from
    /// that of its epoch, which is a second where times are in days; none from that of an observation]
    #[arg(long, value_name = "TIME")]
    pub(crate) tolerance: Option<f64>,
    /// Take numbers as they are, where a table names another unit than the store
    #[arg(long)]
    pub(crate) ignore_units: bool,
    /// Replace values that are there and differ
    #[arg(long)]
    pub(crate) replace: bool,
    /// The name of this run in the record
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) run: String,
    /// Seconds to wait for somebody who fills the same epoch, or the same store of sequences
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,
    /// File for rows that could not be used (CSV: table, place, reason)
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// Bound on labels, values and chunks together [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    /// Threads that read tables and fill [default: the processors]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) threads: Option<u64>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Show progress on stderr
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto)]
    pub(crate) progress: ProgressArg,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// What goes with no picture. Options of one must say so, too: clap misses nothing that could not be given.
const FILES: [&str; 3] = ["out", "format", "nested"];

/// After the options of `get`.
const GET: &str = "\
A row is what was measured of an object at an epoch: labels, times and values. Rows without any value are left out. They \
come in the order in which they are stored: by object, epoch and measurement.
The format is that of the name of --out (.csv, .json, .jsonl, .parquet, .arrow), and a table for people otherwise.";

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n{GET}", examples::GET))]
pub(crate) struct GetArgs {
    /// A group with an array over objects and epochs, whoever has written it
    pub(crate) store: Location,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Measurements by their labels, or numbers where there are no labels [default: all]
    #[arg(long, value_name = "LABEL", num_args = 1..)]
    pub(crate) measurement: Vec<String>,
    /// Epochs by their labels, or numbers where there are no labels [default: all]
    #[arg(long, value_name = "LABEL", num_args = 1.., conflicts_with_all = ["from", "to"])]
    pub(crate) epoch: Vec<String>,
    /// Epochs not before this time
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) from: Option<f64>,
    /// Epochs not after this time
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) to: Option<f64>,
    /// Arrays of values [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) array: Vec<String>,
    /// Keep rows without any value
    #[arg(long)]
    pub(crate) gaps: bool,
    /// Leave out what is not recorded as filled: somebody may be writing it
    #[arg(long)]
    pub(crate) recorded: bool,
    /// File to write instead of stdout; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How it is written [default: by the name of --out, or for people]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatArg>,
    /// A row for each object, with a list of what was measured, of this name
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "lightcurve")]
    pub(crate) nested: Option<String>,
    /// Draw the light curve of one object to this file, .svg or .png, instead
    #[arg(long, value_name = "FILE", conflicts_with_all = FILES)]
    pub(crate) plot: Option<PathBuf>,
    /// Draw it over the phase of this period, in the unit of times
    #[arg(long, value_name = "PERIOD", requires = "plot", conflicts_with_all = FILES, value_parser = period)]
    pub(crate) fold: Option<f64>,
    /// The time of phase 0 [default: the first that is drawn]
    #[arg(long, value_name = "TIME", requires = "fold", conflicts_with_all = FILES, allow_negative_numbers = true)]
    pub(crate) phase_zero: Option<f64>,
    /// Bound on what is held [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
}

/// Which objects.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichArgs {
    /// Objects by their labels, or numbers where there are no labels
    #[arg(long, value_name = "LABEL", num_args = 1..)]
    pub(crate) object: Vec<String>,
    /// A file with a label in each line; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) objects_from: Option<PathBuf>,
    /// Objects by their numbers, from 0
    #[arg(long, value_name = "N", num_args = 1..)]
    pub(crate) number: Vec<u64>,
    /// Objects within a radius of a position, in degrees, or with arcmin or arcsec behind the radius: 150.1,2.2,5arcsec
    #[arg(long, value_name = "RA,DEC,RADIUS", value_parser = cone, allow_hyphen_values = true)]
    pub(crate) cone: Option<[f64; 3]>,
    /// Objects between two right ascensions, eastwards from the first, and two declinations, in degrees: 359.5,0.5,-1,1
    #[arg(long = "box", value_name = "RA,RA,DEC,DEC", value_parser = sky_box, allow_hyphen_values = true)]
    pub(crate) sky_box: Option<[f64; 4]>,
    /// All objects
    #[arg(long)]
    pub(crate) all: bool,
}

/// How light curves are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// For people
    Table,
    /// Fields between commas
    Csv,
    /// One array of objects
    Json,
    /// An object in each line
    Jsonl,
    /// Parquet
    Parquet,
    /// An Arrow IPC file, also called Feather
    Arrow,
}

fn period(text: &str) -> Result<f64, String> {
    let period = text.parse::<f64>().ok().filter(|period| period.is_finite() && *period > 0.0);
    period.ok_or_else(|| "a period is a number above 0".to_owned())
}

fn cone(text: &str) -> Result<[f64; 3], String> {
    const UNITS: [(&str, f64); 3] = [("arcsec", 1.0 / 3600.0), ("arcmin", 1.0 / 60.0), ("deg", 1.0)];
    let unit = UNITS.iter().find_map(|(unit, degrees)| Some((text.strip_suffix(unit)?, *degrees)));
    let (text, degrees) = unit.unwrap_or((text, 1.0));
    let [ra, dec, radius] = numbers(text)?;
    let radius = radius * degrees;
    if radius < 0.0 || !(-90.0..=90.0).contains(&dec) {
        return Err("a declination is from -90 to 90, and a radius is not negative".to_owned());
    }
    Ok([ra, dec, radius])
}

fn sky_box(text: &str) -> Result<[f64; 4], String> {
    let [ra0, ra1, dec0, dec1] = numbers(text)?;
    if dec0 > dec1 {
        return Err("the first declination is the smaller one".to_owned());
    }
    Ok([ra0, ra1, dec0, dec1])
}

/// So many finite numbers between commas.
fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let numbers: Option<Vec<f64>> = text.split(',').map(number).collect();
    let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
    numbers.ok_or_else(|| format!("write {N} numbers between commas"))
}

/// Something and what it is: the first `=` outside brackets is between them.
fn assignment(text: &str) -> Result<(String, String), String> {
    let mut depth = 0_u64;
    let between = text.char_indices().find(|(_, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *c == '=' && depth == 0
    });
    match between.map(|(at, _)| (&text[..at], &text[at + 1..])) {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = examples::INGEST)]
pub(crate) struct IngestArgs {
    /// Table with the columns `object_id`, `time`, `band`, `mag` and `magerr` in any order; gzipped or not
    pub(crate) table: PathBuf,
    /// Group to make
    pub(crate) out: Location,
    /// What columns are that have other names, such as `band=filter`
    #[arg(long, value_name = "NAME=COLUMN", num_args = 1.., value_parser = assignment)]
    pub(crate) columns: Vec<(String, String)>,
    /// Chunk shape over (object, sequence), for all arrays or ARRAY:SPEC [default: epoch-wise, 100000,1]
    #[arg(long, value_name = "SPEC", num_args = 1..)]
    pub(crate) chunks: Vec<Named>,
    /// Bound on measurements, names and buffers together [default: half of the available memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<Bytes>,
    #[command(flatten)]
    pub(crate) io: IoArgs,
    /// Replace an existing OUT
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}
