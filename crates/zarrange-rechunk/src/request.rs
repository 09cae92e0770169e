//! What is asked for.

mod cluster;
mod mix;
mod region;
mod sizes;
mod spec;
mod words;

use std::collections::{BTreeMap, BTreeSet};

pub use cluster::ClusterSpec;
pub use mix::{Fixed, MixRequest, NamedMix};
pub use region::NamedRegion;
pub use sizes::{Bytes, parse_profile};
pub use spec::{ChunkSpec, Codecs, KeySeparator, Named};
pub use words::{Durability, Foreign, Verify};
use zarrange_io::{Location, Opener};
use zarrange_plan::{Costs, PART_BYTES, Way};

use crate::error::SpecError;

/// A request to rechunk. What most of them say has a method; all of it is in the fields.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to read.
    pub source: Location,
    /// What to make.
    pub target: Location,
    /// Chunk shapes.
    pub chunks: Vec<Named>,
    /// Shard shapes.
    pub shards: Vec<Named>,
    /// Chooses chunks and shards of the arrays that have all of its dimensions, whatever `chunks` and `shards` say.
    pub mix: Option<MixRequest>,
    /// Brings this region of the target up to date instead of making a new target: chunks of arrays that are there, and copies of those of
    /// the source, are replaced.
    pub region: Option<NamedRegion>,
    /// Arrays that shapes without a name, the mix, and the region apply to; empty for all.
    pub arrays: Vec<String>,
    /// Leave out arrays that neither `chunks` nor `shards` name nor the mix applies to.
    pub only_named: bool,
    /// Codecs of rechunked arrays; without any SPEC or mix, of all arrays (or of `arrays`) whose elements can be accessed.
    pub codecs: Codecs,
    /// Codecs of some arrays, by path, in the place of those.
    pub array_codecs: BTreeMap<String, Codecs>,
    /// Chunk keys of arrays whose chunks change.
    pub key_separator: KeySeparator,
    /// The bound on all data buffers together.
    pub memory_bytes_max: u64,
    /// Threads to use, at most.
    pub threads: u64,
    /// Where an intermediate goes; beside the target if not given.
    pub temp: Option<Location>,
    /// What to compare before publishing.
    pub verify: Verify,
    /// Whether to wait until the target is on the disk.
    pub durability: Durability,
    /// Replace an existing target.
    pub overwrite: bool,
    /// Members that are left out, with everything below them, without being opened.
    pub skip: Vec<String>,
    /// What becomes of files that are not Zarr.
    pub foreign: Foreign,
    /// How places are opened.
    pub io: Opener,
    /// What the places cost.
    pub costs: Costs,
    /// The time that codecs take on this machine, for each second that a plan would take for it.
    pub codec_times: f64,
    /// Take this way, whatever it costs.
    pub way: Option<Way>,
    /// Array data of a part of the work, about, which can be done alone, late or twice.
    pub part_bytes: u64,
    /// Workers that make the target already are not in the way: they may do so by the same plan.
    pub joins: bool,
    /// What a plan calls the source, where whoever carries it out has opened it: then it begins with [`PlanFile::HELD`](crate::PlanFile::HELD).
    pub source_name: Option<String>,
}

impl Request {
    /// The memory of [`Self::new`].
    const MEMORY_BYTES: u64 = 1 << 30;

    /// Rechunks `source` to `target`: everything is copied as it is, within 1 GiB and on all processors, and is on the disk before
    /// `target` appears. What is wanted otherwise is said by the methods below, and in the fields.
    pub fn new(source: Location, target: Location) -> Self {
        Self {
            source,
            target,
            chunks: Vec::new(),
            shards: Vec::new(),
            mix: None,
            region: None,
            arrays: Vec::new(),
            only_named: false,
            codecs: Codecs::Keep,
            array_codecs: BTreeMap::new(),
            key_separator: KeySeparator::Auto,
            memory_bytes_max: Self::MEMORY_BYTES,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            temp: None,
            verify: Verify::None,
            durability: Durability::Commit,
            overwrite: false,
            skip: Vec::new(),
            foreign: Foreign::Skip,
            io: Opener::default(),
            costs: Costs::default(),
            codec_times: 1.0,
            way: None,
            part_bytes: PART_BYTES,
            joins: false,
            source_name: None,
        }
    }

    /// With chunks of this shape: `1,500,2`, or by name `object=1,epoch=-1`, with `ARRAY:` in front for one array of a group. For more
    /// arrays it is called again.
    ///
    /// # Errors
    /// [`SpecError::Syntax`].
    pub fn chunks(mut self, spec: &str) -> Result<Self, SpecError> {
        self.chunks.push(spec.parse()?);
        Ok(self)
    }

    /// With shards of this shape; they hold whole chunks.
    ///
    /// # Errors
    /// [`SpecError::Syntax`].
    pub fn shards(mut self, spec: &str) -> Result<Self, SpecError> {
        self.shards.push(spec.parse()?);
        Ok(self)
    }

    /// With these codecs: `none`, `zstd:3`, `blosc:lz4`, `gzip:6`, or a list as JSON.
    ///
    /// # Errors
    /// [`SpecError::Codecs`].
    pub fn codecs(self, codecs: &str) -> Result<Self, SpecError> {
        Ok(Self { codecs: codecs.parse()?, ..self })
    }

    /// Within this memory: the bound on all data buffers together.
    #[must_use]
    pub fn within(self, memory_bytes_max: u64) -> Self {
        Self { memory_bytes_max, ..self }
    }

    /// With so much of the target compared before it appears.
    #[must_use]
    pub fn verified(self, verify: Verify) -> Self {
        Self { verify, ..self }
    }

    /// The codecs asked for, for an array.
    pub(crate) fn codecs_of(&self, path: &str) -> &Codecs {
        self.array_codecs.get(path).unwrap_or(&self.codecs)
    }

    /// Whether an array gets other codecs without a SPEC: where no array has one, the codecs are all that is asked.
    pub(crate) fn recodes(&self, path: &str) -> bool {
        if let Some(codecs) = self.array_codecs.get(path) {
            return *codecs != Codecs::Keep;
        }
        let specs = !self.chunks.is_empty() || !self.shards.is_empty() || self.mix.is_some();
        let named = self.arrays.is_empty() || self.arrays.iter().any(|array| array == path);
        self.codecs != Codecs::Keep && !specs && named
    }

    /// The arrays that it is about, where names alone tell that and the others are left out.
    pub(crate) fn named_arrays(&self) -> Option<BTreeSet<&str>> {
        let specs = || self.chunks.iter().chain(&self.shards);
        let by_name_only = specs().all(|named| named.array.is_some()) && self.mix.is_none();
        if !self.only_named || (!by_name_only && self.arrays.is_empty()) {
            return None;
        }
        let named = specs().filter_map(|named| named.array.as_deref());
        Some(named.chain(self.arrays.iter().map(String::as_str)).collect())
    }
}
