//! What is asked on the command line, checked.

use std::sync::Arc;

use anyhow::Context as _;
use zarrange_array::{Array, Node};
use zarrange_grid::checked_bytes;
use zarrange_io::{Location, Opener};
use zarrange_plan::{Costs, Limits, Mix, Reader, Reading, StoreProfile, Subject};
use zarrange_rechunk::{Bytes, Codecs, Dimensions, Fixed, NamedMix, SpecError, Weighing, parse_profile};

use crate::kept;

/// The codecs that are weighed where there is a sample.
pub const CODECS: [&str; 7] = ["none", "zstd:1", "zstd:3", "zstd:9", "blosc:lz4", "blosc:zstd", "pcodec"];
/// The codec that is taken where nothing tells codecs apart, as most arrays have it.
pub(super) const UNSAMPLED: &str = "zstd:3";
/// Data types: name in Zarr, short name, bytes.
const TYPES: [(&str, &str, u64); 14] = [
    ("bool", "b1", 1),
    ("int8", "i1", 1),
    ("uint8", "u1", 1),
    ("int16", "i2", 2),
    ("uint16", "u2", 2),
    ("float16", "f2", 2),
    ("int32", "i4", 4),
    ("uint32", "u4", 4),
    ("float32", "f4", 4),
    ("int64", "i8", 8),
    ("uint64", "u8", 8),
    ("float64", "f8", 8),
    ("complex64", "c8", 8),
    ("complex128", "c16", 16),
];

/// A wrong request: what is wrong, and what would be right.
#[derive(Debug)]
pub struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An error of this kind.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// The options of `zarrange advise`.
#[derive(Clone, Debug, clap::Args)]
pub struct AdviseArgs {
    /// Elements in each dimension [default: those of the sample]
    #[arg(long, value_name = "N,N...", required_unless_present = "sample")]
    shape: Option<String>,
    /// Data type, such as f4 or float32 [default: that of the sample]
    #[arg(long, required_unless_present = "sample")]
    dtype: Option<String>,
    /// How often what is read: one index of a dimension, such as epoch=0.2,object=0.8, of several (object+band=0.8), fifty neighbouring
    /// ones (object:50=0.1) or scattered ones (object~50=0.1), and all of the other dimensions. write:epoch is appending one. Shares, or
    /// times a day (object=5000/day,write:epoch=20/day)
    #[arg(long)]
    mix: String,
    /// Of how many indices of other dimensions every read is, such as measurement=1,value=1
    #[arg(long, value_name = "DIMENSION=N,...")]
    fix: Option<Fixed>,
    /// Names of the dimensions [default: those of the sample, or object,epoch; dimensions without names have numbers]
    #[arg(long, value_delimiter = ',')]
    names: Vec<String>,
    /// Who reads: zarr-python (before 3.3), zarr-python-3.3, xarray, tensorstore, zarrs-python or zarrange
    #[arg(long, value_name = "READER", default_value_t)]
    reader: Reader,
    /// Accesses that a reader makes before it is closed, if it keeps shards open
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    accesses: u64,
    /// Files at most
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    max_files: u64,
    /// The longest that reading one object may take, in milliseconds
    #[arg(long, value_name = "MS")]
    max_object_ms: Option<f64>,
    /// Decoded bytes of a chunk at most [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    chunk_bytes: Option<Bytes>,
    /// Decoded bytes of a chunk or shard at most
    #[arg(long, value_name = "SIZE", default_value = "256MB")]
    max_mem: Bytes,
    /// Stored bytes of the whole array at most
    #[arg(long, value_name = "SIZE")]
    max_stored: Option<Bytes>,
    /// What storing costs, as 23/TB: so much for a terabyte a month
    #[arg(long, value_name = "PRICE/UNIT", value_parser = price)]
    storage_price: Option<f64>,
    /// What the place costs: memory, page-cache, nvme, disk, parallel, object or a file [default: as probed where the sample is, or nvme]
    #[arg(long, value_parser = profile)]
    profile: Option<StoreProfile>,
    /// Codecs that are weighed: none, zstd[:LEVEL], gzip[:LEVEL], lz4, shuffle+CODEC, blosc[:CNAME][:LEVEL][:SHUFFLE], pcodec[:LEVEL]
    /// [default: none zstd:1 zstd:3 zstd:9 blosc:lz4 blosc:zstd pcodec where there is a sample; zstd:3 where nothing tells them apart]
    #[arg(long, num_args = 1.., value_delimiter = ',', value_parser = codec)]
    codecs: Vec<String>,
    /// An array on a part of which codecs are measured
    #[arg(long, value_name = "ARRAY")]
    sample: Option<String>,
    /// Layouts to show
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    top: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The array.
    pub subject: Subject,
    /// Its dimensions.
    pub dimensions: Dimensions,
    /// How often what is accessed.
    pub mix: Mix,
    /// Accesses in a day, if that is known.
    pub per_day: Option<f64>,
    /// What a layout may be.
    pub limits: Limits,
    /// What storing a byte for a month costs, if that is known.
    pub byte_price: Option<f64>,
    /// What the place costs.
    pub place: StoreProfile,
    /// Who reads.
    pub reader: Reader,
    /// Accesses that a reader makes before it is closed.
    pub reads: u64,
    /// Codecs that are weighed; without a sample there is one.
    pub codecs: Vec<String>,
    /// Whether they were named.
    pub codecs_named: bool,
    /// An array to measure codecs on, and how it was named.
    pub sample: Option<(String, Arc<Array>)>,
    /// Layouts to show.
    pub top: usize,
    /// What is asked and without effect, one line each.
    pub unused: Vec<String>,
}

impl Ask {
    /// What is weighed.
    pub const fn weighing(&self) -> Weighing<'_> {
        let Self { subject, place, reader, reads, mix, limits, .. } = self;
        Weighing { reading: Reading { subject, place, reader: *reader, reads: *reads }, mix, limits: *limits }
    }
}

impl AdviseArgs {
    /// Checks them, and opens the sample.
    ///
    /// # Errors
    /// [`Usage`] that says what would be right.
    pub fn resolve(self) -> anyhow::Result<Ask> {
        let probed = || self.sample.as_ref()?.parse::<Location>().ok().as_ref().and_then(kept::of);
        let place = self.profile.or_else(probed).unwrap_or_else(|| Costs::default().source);
        let sample = self.sample.map(|name| open(&name).map(|array| (name, Arc::new(array)))).transpose()?;
        let array = sample.as_ref().map(|(_, array)| array.as_ref());
        let shape = match (&self.shape, array) {
            (Some(text), _) => shape("--shape", text)?,
            (None, Some(array)) => array.shape().to_vec(),
            (None, None) => return Err(usage("--shape or --sample is needed")),
        };
        let item_bytes = item_bytes(self.dtype.as_deref(), array)?;
        if let Some(array) = array.filter(|array| array.shape().len() != shape.len()) {
            let (given, rank) = (shape.len(), array.shape().len());
            return Err(usage(format!("--shape has {given} dimensions, but the sample has {rank}")));
        }
        if shape.contains(&0) || array.is_some_and(|array| array.shape().contains(&0)) {
            return Err(usage("an empty array needs no layout: every dimension must have a length from 1"));
        }
        checked_bytes(&shape, item_bytes).map_err(|error| usage(error.to_string()))?;
        let subject = Subject::new(&shape, item_bytes);
        let dimensions = dimensions(self.names, array, shape.len())?;
        let mix = self.mix.parse::<NamedMix>().map_err(|error| usage(format!("--mix: {error}")))?;
        let per_day = mix.per_day();
        let named = mix.fixing(self.fix.unwrap_or_default());
        let mix = named.of(&dimensions, &shape).map_err(|error| usage(format!("--mix: {error}")))?;
        let needless = named.needless(&dimensions, &shape).unwrap_or_default().into_iter();
        let mut unused: Vec<String> = needless
            .map(|name| format!("--fix {name}: each access says itself how many of it it reads"))
            .collect();
        if self.accesses > 1 && self.reader.shards_kept() == 0 {
            unused
                .push(format!("--accesses: {} keeps no shard open from one access to the next", self.reader));
        }
        let access_ns_max = self.max_object_ms.map(|ms| object(ms, &dimensions)).transpose()?;
        let limits = limits(self.max_files, self.chunk_bytes.map(u64::from), self.max_mem.into());
        Ok(Ask {
            subject,
            dimensions,
            mix,
            per_day,
            limits: Limits { access_ns_max, stored_bytes_max: self.max_stored.map(u64::from), ..limits },
            byte_price: self.storage_price,
            place,
            reader: self.reader,
            reads: self.accesses,
            codecs_named: !self.codecs.is_empty(),
            codecs: codecs(self.codecs, sample.is_some())?,
            sample,
            top: usize::try_from(self.top)?,
            unused,
        })
    }
}

fn limits(files_max: u64, chunk_bytes: Option<u64>, file_bytes_max: u64) -> Limits {
    let default = Limits::default();
    let chunk_bytes_max = chunk_bytes.unwrap_or(default.chunk_bytes_max);
    Limits { files_max, chunk_bytes_max, file_bytes_max, ..default }
}

/// The codecs to weigh. Without a sample nothing is known of what they gain, so that the fastest would always be the best.
fn codecs(given: Vec<String>, sampled: bool) -> anyhow::Result<Vec<String>> {
    match (given.is_empty(), sampled) {
        (false, false) if given.len() > 1 => {
            let given = given.join(",");
            Err(usage(format!("--codecs {given}: only a --sample tells codecs apart; without one, name one")))
        }
        (false, _) => Ok(given),
        (true, true) => Ok(CODECS.map(str::to_owned).to_vec()),
        (true, false) => Ok(vec![UNSAMPLED.to_owned()]),
    }
}

fn open(name: &str) -> anyhow::Result<Array> {
    let location = name.parse::<Location>().map_err(anyhow::Error::from);
    let found = location.and_then(|location| {
        match zarrange_array::open(&Opener::auto().open(&location)?).with_context(|| location.to_string())? {
            Node::Array(array) => Ok(*array),
            Node::Group(_) => anyhow::bail!("{location} is a group: name one of its arrays"),
        }
    });
    found.map_err(|error| usage(format!("--sample {name}: {error:#}")))
}

/// A list of lengths, as an option has it.
///
/// # Errors
/// [`Usage`] if it is none.
pub fn shape(option: &str, text: &str) -> anyhow::Result<Vec<u64>> {
    let lengths = text.split(',').map(|n| n.trim().replace('_', "").parse().ok());
    let shape: Option<Vec<u64>> = lengths.collect();
    shape.ok_or_else(|| usage(format!("{option} {text:?} is not a list of lengths, such as 1000000,1000")))
}

/// A data type: its name in Zarr, and the bytes of an element.
///
/// # Errors
/// [`Usage`] that names those there are.
pub fn data_type(given: &str) -> anyhow::Result<(&'static str, u64)> {
    let known = || TYPES.map(|(name, short, _)| format!("{short} ({name})")).join(", ");
    let found = TYPES.iter().find(|(name, short, _)| *name == given || *short == given);
    let found = found.map(|(name, _, bytes)| (*name, *bytes));
    found.ok_or_else(|| usage(format!("--dtype {given:?} is none of {}", known())))
}

fn item_bytes(dtype: Option<&str>, array: Option<&Array>) -> anyhow::Result<u64> {
    let element = array.map(|array| array.elements()).transpose()?.map(|elements| &elements.element);
    let Some(given) = dtype else {
        return Ok(element.context("--dtype or --sample is needed")?.bytes() as u64);
    };
    let (name, bytes) = data_type(given)?;
    match element.filter(|element| element.name() != name) {
        Some(element) => Err(usage(format!("--dtype is {name}, but the sample is {}", element.name()))),
        None => Ok(bytes),
    }
}

/// The dimensions by name: as given, else as in the array, else objects and epochs.
fn dimensions(given: Vec<String>, array: Option<&Array>, rank: usize) -> anyhow::Result<Dimensions> {
    let mut seen = std::collections::BTreeSet::new();
    if !given.is_empty() && (given.len() != rank || !given.iter().all(|name| seen.insert(name))) {
        let message =
            format!("--names {}: {rank} different names are needed, one for each dimension", given.join(","));
        return Err(usage(message));
    }
    let named = |names: Vec<String>| Dimensions::named(names.into_iter().map(Some).collect(), rank);
    Ok(match array {
        _ if !given.is_empty() => named(given),
        Some(array) => Dimensions::of(array),
        None => named(["object", "epoch"].map(str::to_owned).to_vec()),
    })
}

fn object(ms: f64, dimensions: &Dimensions) -> anyhow::Result<(usize, f64)> {
    if !(ms.is_finite() && ms > 0.0) {
        return Err(usage(format!("--max-object-ms {ms} is not a positive number of milliseconds")));
    }
    let axis = dimensions.axis("object").ok_or_else(|| {
        let words = dimensions.words().join(", ");
        usage(format!("--max-object-ms: none of the dimensions {words} is named object: give --names"))
    })?;
    Ok((axis, ms * 1e6))
}

/// Codecs that can be weighed in any chunk.
fn codec(text: &str) -> Result<String, String> {
    match text.parse::<Codecs>().map_err(|error| error.to_string())? {
        Codecs::None
        | Codecs::Zstd(_)
        | Codecs::Blosc(..)
        | Codecs::Gzip(_)
        | Codecs::Lz4
        | Codecs::Pcodec(_)
        | Codecs::Shuffled(_) => Ok(text.to_owned()),
        Codecs::Keep | Codecs::List(_) | Codecs::Transposed(..) => {
            Err(format!("{text:?} cannot be weighed: name a compressor, or none"))
        }
    }
}

/// What a byte costs, of a price for a unit.
fn price(text: &str) -> Result<f64, String> {
    let wrong =
        || format!("{text:?} is not PRICE/UNIT: a price needs its unit, as 23/TB or 0.023/GB (a month)");
    let (price, unit) = text.split_once('/').ok_or_else(wrong)?;
    let bytes = format!("1{}", unit.trim()).parse::<Bytes>().map(u64::from).map_err(|_| wrong())?;
    let price = price.trim().parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
    #[expect(clippy::cast_precision_loss, reason = "a price")]
    Ok(price.ok_or_else(wrong)? / bytes as f64)
}

fn profile(name: &str) -> Result<StoreProfile, SpecError> {
    parse_profile(name, |path| std::fs::read_to_string(path))
}
