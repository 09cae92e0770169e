//! A layout of a dataset, made once by the engine and used again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use zarrange_array::{ChunkReader, Elements};
use zarrange_codec::ArrayCodec;
use zarrange_grid::{Dims, Region, Strides};
use zarrange_io::{Location, Opener};
use zarrange_plan::{CodecModel, CodecSpeed, Design, Reading, StoreProfile, Subject, touched};
use zarrange_rechunk::{ChunkSpec, Named, NoProgress, Request, Verify, prepare, run};

use crate::sweep::dataset::Dataset;
use crate::sweep::facts::{DatasetFacts, LayoutFacts};
use crate::sweep::record::Cell;
use crate::sweep::workload::Operation;
use crate::{arrays, data, engine};

/// Memory for making layouts.
const MEMORY_BYTES: u64 = 1 << 30;

/// A layout on the disk.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where it is.
    pub path: PathBuf,
    /// What making it cost.
    pub made: Made,
}

/// What is noted beside a layout when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    dataset: DatasetFacts,
    layout: LayoutFacts,
    /// Time that rechunking to it took.
    pub rechunk_s: f64,
    /// Stored bytes.
    pub bytes: u64,
    /// Objects that hold them.
    pub objects: u64,
}

/// What a workload will cost in a layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Chunks that will be handled.
    pub chunks: u64,
    /// Their array bytes.
    pub chunk_bytes: u64,
    /// Stored bytes of the chunks and of the indexes of the shards.
    pub stored_bytes: u64,
    /// What the reader will ask its store for, on average over all accesses of this kind: requests, and bytes.
    pub asked: (f64, f64),
}

/// The layout of `dataset` in `dir`, made if it is not there.
///
/// # Errors
/// If it cannot be made.
pub fn stored(dataset: &Dataset, layout: &LayoutFacts, dir: &Path) -> anyhow::Result<Stored> {
    let safe = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
    let stem = format!("{}--{}", safe(&dataset.facts.name), safe(&layout.name));
    let (path, note) = (dir.join(format!("{stem}.zarr")), dir.join(format!("{stem}.json")));
    let known: Option<Made> =
        std::fs::read_to_string(&note).ok().and_then(|text| serde_json::from_str(&text).ok());
    if let Some(made) = known.filter(|made| made.dataset == dataset.facts && made.layout == *layout)
        && path.join("zarr.json").exists()
    {
        return Ok(Stored { path, made });
    }
    let begin = Instant::now();
    data::take(&path, &note)?;
    rechunk(dataset, layout, &path).with_context(|| format!("layout {:?}", layout.name))?;
    let rechunk_s = begin.elapsed().as_secs_f64();
    let (mut bytes, mut objects) = (0, 0);
    Opener::default().open(&Location::Path(path.clone()))?.walk("", &mut |key, size| {
        if key != "zarr.json" {
            (bytes, objects) = (bytes + size, objects + 1);
        }
    })?;
    let made = Made { dataset: dataset.facts.clone(), layout: layout.clone(), rechunk_s, bytes, objects };
    std::fs::write(&note, serde_json::to_vec(&made)?)?;
    Ok(Stored { path, made })
}

fn rechunk(dataset: &Dataset, layout: &LayoutFacts, path: &Path) -> anyhow::Result<()> {
    let named = |shape: &[u64]| -> anyhow::Result<Named> {
        let sizes = shape.iter().map(|n| i64::try_from(*n)).collect::<Result<_, _>>()?;
        Ok(Named { array: None, spec: ChunkSpec::Sizes(sizes) })
    };
    let shard = layout.shard.as_deref().map_or(Ok(Named { array: None, spec: ChunkSpec::None }), named)?;
    let job = Request {
        chunks: vec![named(&layout.chunk)?],
        shards: vec![shard],
        codecs: layout.codecs.parse()?,
        memory_bytes_max: MEMORY_BYTES,
        verify: Verify::Sample,
        overwrite: true,
        ..engine::job(dataset.location.clone(), Location::Path(path.to_owned()))
    };
    run(prepare(job)?, &NoProgress)?;
    Ok(())
}

/// Stored sizes of the chunks of an array, looked up as they are asked for.
struct Sizes<'a> {
    reader: ChunkReader<'a>,
    /// By number of the shard, or of the chunk where there are none: bytes of its inner chunks, or of itself.
    known: HashMap<u64, Vec<u64>>,
}

impl Sizes<'_> {
    fn of(&mut self, unit: &Dims) -> anyhow::Result<u64> {
        let chunks = self.reader.chunks().clone();
        let object = chunks.object_of(unit);
        let number = chunks.metadata().objects().all().linear(&object);
        let inner = if chunks.shards().is_some() { chunks.number_in(&object, unit) } else { 0 };
        if !self.known.contains_key(&number) {
            let sizes = match &chunks.elements().codec {
                ArrayCodec::Shards(codec) => {
                    let shard = self.reader.open_shard(&object)?;
                    let count = codec.grid().count();
                    (0..count).map(|k| shard.as_ref().map_or(0, |shard| shard.stored_bytes(k))).collect()
                }
                ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => {
                    let key = chunks.metadata().key(&object);
                    let object = chunks.store().open(&key, zarrange_io::Access::Read)?;
                    vec![object.map_or(Ok(0), |object| object.bytes())?]
                }
            };
            self.known.insert(number, sizes);
        }
        Ok(self.known[&number].get(zarrange_grid::index(inner)).copied().unwrap_or(0))
    }
}

/// Bytes of a chunk from the first element that `region` wants to the last: all that is read of one whose elements are stored as they
/// are.
fn span(elements: &Elements, unit: &Dims, region: &Region) -> u64 {
    let Some(wanted) = elements.chunks.region(unit).intersect(region) else { return 0 };
    let item_bytes = elements.item_bytes() as u64;
    let chunk = Strides::c_order(elements.chunks.cell(unit), item_bytes);
    let last: Dims = (0..wanted.rank()).map(|d| wanted.end(d) - 1).collect();
    chunk.offset(&last) - chunk.offset(wanted.start()) + item_bytes
}

/// What a cell will cost in the layout at `path`: chunks by the formula, bytes by the sizes of what is stored, requests by the model of
/// who reads.
///
/// # Errors
/// If the layout cannot be read.
pub fn predict(path: &Path, cell: &Cell) -> anyhow::Result<Prediction> {
    let operations = cell.workload.operations(&cell.dataset, &cell.layout.chunk, cell.operations)?;
    let array = arrays::open(&Location::Path(path.to_owned()), &Opener::default())?;
    let elements = array.elements()?;
    let mut sizes = Sizes { reader: ChunkReader::new(&array.chunks()?), known: HashMap::new() };
    let partial = elements.chain().stores_c_order();
    let mut total = Prediction::default();
    let (mut shards, mut index_bytes) = (std::collections::HashSet::new(), 0);
    for region in operations.iter().flat_map(|operation| &operation.regions) {
        let found = touched(array.shape(), elements.chunks.chunk_shape(), region)?;
        total.chunks += found.chunks;
        total.chunk_bytes += found.elements * elements.item_bytes() as u64;
        let covering = elements.chunks.covering(region);
        for unit in (0..covering.elements()).map(|k| covering.unravel(k)) {
            let whole = sizes.of(&unit)?;
            total.stored_bytes += if partial { whole.min(span(elements, &unit, region)) } else { whole };
        }
        if let ArrayCodec::Shards(codec) = &elements.codec {
            let objects = array.objects().covering(region);
            let new = (0..objects.elements()).filter(|k| shards.insert(objects.unravel(*k))).count();
            index_bytes += new as u64 * codec.index_bytes() as u64;
        }
    }
    total.asked = asked(cell, &total, partial)?;
    if cell.workload.writes {
        let index = if let ArrayCodec::Shards(codec) = &elements.codec { codec.index_bytes() } else { 0 };
        total.asked.1 = met(cell, &operations, total.asked, index)?;
    }
    total.stored_bytes += index_bytes;
    Ok(total)
}

/// What the reader of a cell asks for, where chunks have the sizes of those that `total` counted: requests, and bytes.
fn asked(cell: &Cell, total: &Prediction, partial: bool) -> anyhow::Result<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "means")]
    let [chunk_bytes, stored_bytes, operations] =
        [total.chunk_bytes, total.stored_bytes, cell.operations].map(|n| n.max(1) as f64);
    let ratio = if partial { 1.0 } else { chunk_bytes / stored_bytes };
    let table = CodecSpeed { ratio, decode_ns_per_byte: 0.0, encode_ns_per_byte: 0.0 };
    let (by_size, by_shape) = (Vec::new(), Vec::new());
    let codec = CodecModel { name: cell.layout.codecs.clone(), partial, table, by_size, by_shape };
    let subject = Subject::new(&cell.dataset.shape, cell.dataset.item_bytes);
    let place = StoreProfile::built_in("memory").context("memory is built in")?;
    let LayoutFacts { chunk, shard, .. } = cell.layout.clone();
    let design = Design { chunk, shard, codec: 0 };
    let (mut requests, mut bytes) = (0.0, 0.0);
    for (access, times) in cell.workload.accesses(&cell.dataset)? {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let reads = (times * operations).ceil() as u64;
        let reading = Reading { subject: &subject, place: &place, reader: cell.reader, reads };
        let cost = reading.read(&design, &codec, &access);
        requests += times * operations * cost.requests;
        bytes += times * operations * cost.bytes;
    }
    Ok((requests, bytes))
}

/// Bytes that are read and written where `asked` are on average while objects fill: a few operations do not meet all states of them. Each request
/// passes an object with its index, which is always as long.
fn met(
    cell: &Cell,
    operations: &[Operation],
    (requests, bytes): (f64, f64),
    index_bytes: usize,
) -> anyhow::Result<f64> {
    let axis = cell.workload.written_axis(&cell.dataset)?;
    let object = cell.layout.shard.as_ref().unwrap_or(&cell.layout.chunk);
    let length = object[axis].min(cell.dataset.shape[axis]);
    // What was there before and after each, and what would be on average.
    let (mut there, mut average) = (0, 0);
    for region in operations.iter().flat_map(|operation| &operation.regions) {
        let count = region.shape()[axis];
        if count >= length {
            // Objects are written whole.
            return Ok(bytes);
        }
        there += 2 * (region.start()[axis] % length) + count;
        average += length;
    }
    #[expect(clippy::cast_precision_loss, reason = "means")]
    let [there, average, index] = [there, average.max(1), index_bytes as u64].map(|n| n as f64);
    let indexes = requests * index;
    Ok((bytes - indexes) * there / average + indexes)
}
