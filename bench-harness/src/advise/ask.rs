//! What is asked on the command line, checked.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use zarrange_array::{Array, Node};
use zarrange_io::{Location, Opener};
use zarrange_plan::{Mix, StoreProfile};
use zarrange_rechunk::{Codecs, NamedMix, SpecError, parse_bytes, parse_profile};

use super::model::{Subject, volume};

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

pub(super) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// The options of `zarrange-bench advise`.
#[derive(Clone, Debug, clap::Args)]
pub struct AdviseArgs {
    /// Elements in each dimension [default: those of the sample]
    #[arg(long, value_name = "N,N...", required_unless_present = "sample")]
    shape: Option<String>,
    /// Data type, such as f4 or float32 [default: that of the sample]
    #[arg(long, required_unless_present = "sample")]
    dtype: Option<String>,
    /// How often accesses read one index of a dimension, such as epoch=0.2,object=0.8
    #[arg(long)]
    mix: String,
    /// Names of the dimensions [default: those of the sample, or object,epoch; dimensions without names have numbers]
    #[arg(long, value_delimiter = ',')]
    names: Vec<String>,
    /// Accesses by one reader, which keeps shards open; 1 is a reader that begins anew each time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    accesses: u64,
    /// Files at most
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    max_files: u64,
    /// The longest that reading one object may take, in milliseconds
    #[arg(long, value_name = "MS")]
    max_object_ms: Option<f64>,
    /// Decoded bytes of a chunk or shard at most
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = parse_bytes)]
    max_mem: u64,
    /// What the place costs: memory, page-cache, nvme, disk, parallel, object or a file
    #[arg(long, default_value = "nvme", value_parser = profile)]
    profile: StoreProfile,
    /// Codecs that are weighed: none, zstd[:LEVEL], blosc[:CNAME[:LEVEL[:SHUFFLE]]], gzip[:LEVEL]
    #[arg(long, num_args = 1.., default_values = super::CODECS, value_parser = codec)]
    codecs: Vec<String>,
    /// An array on a part of which codecs are measured
    #[arg(long, value_name = "ARRAY")]
    sample: Option<String>,
    /// Make the best layouts of the sample (or of a synthetic survey) and read them
    #[arg(long)]
    measure: bool,
    /// Layouts to show
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    top: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where layouts are made to be measured [default: below target/]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The array.
    pub subject: Subject,
    /// A name for each dimension.
    pub names: Vec<String>,
    /// Dimensions and shares of accesses, adding up to 1.
    pub shares: Vec<(usize, f64)>,
    /// Files at most.
    pub files_max: u64,
    /// Decoded bytes of a chunk or shard at most.
    pub bytes_max: u64,
    /// The dimension of objects, and how long reading one may take, in nanoseconds.
    pub object: Option<(usize, f64)>,
    /// What the place costs.
    pub place: StoreProfile,
    /// Codecs that are weighed.
    pub codecs: Vec<String>,
    /// An array to measure codecs on, and how it was named.
    pub sample: Option<(String, Arc<Array>)>,
    /// Whether to measure layouts.
    pub measure: bool,
    /// Where.
    pub dir: Option<PathBuf>,
    /// Layouts to show.
    pub top: usize,
}

impl AdviseArgs {
    /// Checks them, and opens the sample.
    ///
    /// # Errors
    /// [`Usage`] that says what would be right.
    pub fn resolve(self) -> anyhow::Result<Ask> {
        let sample = self.sample.map(|name| open(&name).map(|array| (name, Arc::new(array)))).transpose()?;
        let array = sample.as_ref().map(|(_, array)| array.as_ref());
        let shape = match (&self.shape, array) {
            (Some(text), _) => shape(text)?,
            (None, Some(array)) => array.shape().to_vec(),
            (None, None) => return Err(usage("--shape or --sample is needed")),
        };
        let item_bytes = item_bytes(self.dtype.as_deref(), array)?;
        if let Some(array) = array.filter(|array| array.shape().len() != shape.len()) {
            let (given, rank) = (shape.len(), array.shape().len());
            return Err(usage(format!("--shape has {given} dimensions, but the sample has {rank}")));
        }
        let subject = Subject { shape, item_bytes, accesses: self.accesses };
        if subject.shape.contains(&0) || array.is_some_and(|array| array.shape().contains(&0)) {
            return Err(usage("an empty array needs no layout: every dimension must have a length from 1"));
        }
        if volume(&subject.shape) > i64::MAX as u64 / item_bytes {
            return Err(usage(format!("shape {:?} is too large", subject.shape)));
        }
        let names = names(self.names, array, subject.shape.len())?;
        let shares = shares(&self.mix, &names)?;
        let object = self.max_object_ms.map(|ms| object(ms, &names)).transpose()?;
        if self.measure && (shares.len() > 2 || subject.shape.len() < 2) {
            return Err(usage("--measure reads mixes of one or two dimensions, of arrays of at least two"));
        }
        Ok(Ask {
            subject,
            names,
            shares,
            files_max: self.max_files,
            bytes_max: self.max_mem,
            object,
            place: self.profile,
            codecs: self.codecs,
            sample,
            measure: self.measure,
            dir: self.dir,
            top: usize::try_from(self.top)?,
        })
    }
}

fn open(name: &str) -> anyhow::Result<Array> {
    let found = || -> anyhow::Result<Node> {
        Ok(zarrange_array::open(&Opener::auto().open(&Location::parse(name)?)?)?)
    };
    match found().map_err(|error| usage(format!("--sample {name}: {error:#}")))? {
        Node::Array(array) => Ok(*array),
        Node::Group(_) => Err(usage(format!("--sample {name} is a group: name one of its arrays"))),
    }
}

fn shape(text: &str) -> anyhow::Result<Vec<u64>> {
    let lengths = text.split(',').map(|n| n.trim().replace('_', "").parse().ok());
    let shape: Option<Vec<u64>> = lengths.collect();
    shape.ok_or_else(|| usage(format!("--shape {text:?} is not a list of lengths, such as 1000000,1000")))
}

fn item_bytes(dtype: Option<&str>, array: Option<&Array>) -> anyhow::Result<u64> {
    let element = array.map(|array| array.elements()).transpose()?.map(|elements| &elements.element);
    let Some(given) = dtype else {
        return Ok(element.context("--dtype or --sample is needed")?.bytes() as u64);
    };
    let known = || TYPES.map(|(name, short, _)| format!("{short} ({name})")).join(", ");
    let (name, _, bytes) = TYPES
        .iter()
        .find(|(name, short, _)| *name == given || *short == given)
        .ok_or_else(|| usage(format!("--dtype {given:?} is none of {}", known())))?;
    match element.filter(|element| element.name() != *name) {
        Some(element) => Err(usage(format!("--dtype is {name}, but the sample is {}", element.name()))),
        None => Ok(*bytes),
    }
}

/// A name for each dimension: as given, else as in the array, else objects and epochs, else its number.
fn names(given: Vec<String>, array: Option<&Array>, rank: usize) -> anyhow::Result<Vec<String>> {
    let mut seen = std::collections::BTreeSet::new();
    if !given.is_empty() && (given.len() != rank || !given.iter().all(|name| seen.insert(name))) {
        let message =
            format!("--names {}: {rank} different names are needed, one for each dimension", given.join(","));
        return Err(usage(message));
    }
    let stored = array.map(|array| array.document().dimension_names().unwrap_or_default());
    let named = match stored {
        _ if !given.is_empty() => given.into_iter().map(Some).collect(),
        Some(stored) => stored,
        None => ["object", "epoch"].iter().map(|name| Some((*name).to_owned())).collect(),
    };
    Ok((0..rank).map(|d| named.get(d).cloned().flatten().unwrap_or_else(|| d.to_string())).collect())
}

fn axis(name: &str, names: &[String]) -> Option<usize> {
    let number = || name.parse().ok().filter(|d| *d < names.len());
    names.iter().position(|known| known == name).or_else(number)
}

fn shares(text: &str, names: &[String]) -> anyhow::Result<Vec<(usize, f64)>> {
    let wrong = |reason: &dyn std::fmt::Display| usage(format!("--mix: {reason}"));
    let mix = NamedMix::parse(text).map_err(|error| wrong(&error))?;
    let mut out = Vec::new();
    for (name, weight) in mix.weights() {
        let known = || format!("{name:?} is none of the dimensions {}", names.join(", "));
        out.push((axis(name, names).ok_or_else(|| wrong(&known()))?, *weight));
    }
    Mix::new(out.iter().copied()).map_err(|error| wrong(&error))?;
    // Scaled first: the sum of large weights must not overflow.
    let largest = out.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
    let total: f64 = out.iter().map(|(_, weight)| weight / largest).sum();
    Ok(out.into_iter().map(|(axis, weight)| (axis, weight / largest / total)).collect())
}

fn object(ms: f64, names: &[String]) -> anyhow::Result<(usize, f64)> {
    if !(ms.is_finite() && ms > 0.0) {
        return Err(usage(format!("--max-object-ms {ms} is not a positive number of milliseconds")));
    }
    let axis = names.iter().position(|name| name == "object").ok_or_else(|| {
        usage(format!(
            "--max-object-ms: none of the dimensions {} is named object: give --names",
            names.join(", ")
        ))
    })?;
    Ok((axis, ms * 1e6))
}

/// Codecs that can be weighed in any chunk.
fn codec(text: &str) -> Result<String, String> {
    match Codecs::parse(text).map_err(|error| error.to_string())? {
        Codecs::None | Codecs::Zstd(_) | Codecs::Blosc(..) | Codecs::Gzip(_) => Ok(text.to_owned()),
        Codecs::Keep | Codecs::List(_) | Codecs::Transposed(..) => {
            Err(format!("{text:?} cannot be weighed: name a compressor, or none"))
        }
    }
}

fn profile(name: &str) -> Result<StoreProfile, SpecError> {
    parse_profile(name, |path| std::fs::read_to_string(path))
}
