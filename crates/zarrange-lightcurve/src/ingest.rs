//! A table of measurements as arrays over (object, sequence).

use serde_json::{Map, Value, json};
use zarrange_array::{
    Array, ArraySpec, Document, Group, Layout, RegionWriter, Staging, Target, publish_metadata,
};
use zarrange_codec::CodecMetadata;
use zarrange_grid::index;
use zarrange_io::{Location, Opener, Store, token};

use crate::LightCurveError;
use crate::store::sequence::meanings;
use crate::table::LightCurves;

/// Chunks of this many objects are the most, by default: 800 KB of 8-byte numbers.
const CHUNK_OBJECTS: u64 = 100_000;

/// What chunks are put together and encoded in lies in the allowance beside the memory, up to this.
const CHUNK_ALLOWANCE: u64 = 16 << 20;

/// Encoding names takes so many times their bytes: they are put together and encoded in buffers that double.
const NAME_PARTS: u64 = 8;

/// How to store light curves.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Chunk shape of each array by name; `None` stores it epoch-wise.
    pub chunks: Vec<(String, Vec<u64>)>,
    /// Codecs of numbers of this many bytes.
    pub codecs: fn(usize) -> Vec<CodecMetadata>,
    /// The bound on memory, that of the light curves included.
    pub memory_bytes_max: u64,
    /// Replace an existing target.
    pub overwrite: bool,
    /// How the target is opened.
    pub io: Opener,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// Number of objects.
    pub objects: u64,
    /// Measurements of the longest light curve.
    pub sequence: u64,
    /// Measurements in all.
    pub measurements: u64,
    /// What could not be tidied afterwards, one line each.
    pub warnings: Vec<String>,
}

/// One array of the group.
struct Column<'a> {
    name: &'static str,
    data_type: &'static str,
    fill_value: Value,
    attributes: Value,
    /// Bytes of measurement `k`.
    bytes: Box<dyn Fn(usize) -> [u8; 8] + 'a>,
    item_bytes: usize,
}

/// Writes `curves` to `target`: `time`, `band`, `mag` and `magerr` over (object, sequence), padded with NaN (255 for bands),
/// and `object_id` over (object).
///
/// # Errors
/// [`LightCurveError`]; the target is then as it was before.
pub fn ingest(
    curves: &LightCurves,
    target: &Location,
    options: &IngestOptions,
) -> Result<Ingested, LightCurveError> {
    let mut staging =
        Staging::begin(Target::check(target, options.overwrite, &options.io)?, &token(), None, &options.io)?;
    let root = staging.store()?;
    let bytes_max = options.memory_bytes_max;
    let left = bytes_max.saturating_sub(curves.memory_bytes());
    let shape = [curves.objects.len() as u64, curves.longest() as u64];
    let mut arrays = vec![("object_id".to_owned(), write_names(curves, &root, left, options)?)];
    for column in columns(curves) {
        let chunk =
            options.chunks.iter().find(|(name, _)| name == column.name).map(|(_, chunk)| chunk.clone());
        let chunk = chunk.unwrap_or_else(|| vec![shape[0].min(CHUNK_OBJECTS), 1]);
        let array = column.create(&root, &shape, chunk, options)?;
        check_chunk(column.name, &array, (left, bytes_max))?;
        column.write(curves, &array)?;
        arrays.push((column.name.to_owned(), array));
    }
    let arrays: Vec<(String, &Array)> = arrays.iter().map(|(name, array)| (name.clone(), array)).collect();
    let mut attributes = Map::new();
    attributes.insert("title".to_owned(), json!("light curves by object and sequence"));
    let group = Group::new(root.clone(), attributes);
    publish_metadata(&root, &arrays, &[(String::new(), group)], false)?;
    let warnings = staging.publish(true)?;
    Ok(Ingested { objects: shape[0], sequence: shape[1], measurements: curves.time.len() as u64, warnings })
}

fn float<'a>(name: &'static str, data: &'a [f64], attributes: Value) -> Column<'a> {
    let bytes = Box::new(move |k: usize| data[k].to_ne_bytes());
    Column { name, data_type: "float64", fill_value: json!("NaN"), attributes, bytes, item_bytes: 8 }
}

fn columns(curves: &LightCurves) -> Vec<Column<'_>> {
    let codes: Vec<usize> = (0..curves.bands.len()).collect();
    let meanings = meanings(curves.bands.iter().map(String::as_str));
    let flags = json!({"flag_values": codes, "flag_meanings": meanings, "bands": curves.bands});
    let band = Column {
        name: "band",
        data_type: "uint8",
        fill_value: json!(255),
        attributes: flags,
        bytes: Box::new(|k| [curves.band[k], 0, 0, 0, 0, 0, 0, 0]),
        item_bytes: 1,
    };
    vec![
        float("time", &curves.time, json!({})),
        band,
        float("mag", &curves.mag, json!({"units": "mag"})),
        float("magerr", &curves.magerr, json!({"units": "mag"})),
    ]
}

impl Column<'_> {
    fn create(
        &self,
        root: &Store,
        shape: &[u64],
        chunk: Vec<u64>,
        options: &IngestOptions,
    ) -> Result<Array, LightCurveError> {
        let document = Document::new(&ArraySpec {
            shape: shape.to_vec(),
            data_type: self.data_type,
            fill_value: self.fill_value.clone(),
            layout: Layout { chunk, shard: None, codecs: (options.codecs)(self.item_bytes) },
            dimension_names: vec!["object", "sequence"],
            attributes: self.attributes.as_object().cloned().unwrap_or_default(),
        });
        Ok(Array::new(root.below(self.name)?, document, 3)?)
    }

    /// Writes the chunks that hold a measurement.
    fn write(&self, curves: &LightCurves, array: &Array) -> Result<(), LightCurveError> {
        let elements = array.elements()?;
        let mut writer = RegionWriter::new(array)?;
        let grid = array.objects();
        let mut data = Vec::new();
        for chunk in (0..grid.count()).map(|k| grid.all().unravel(k)) {
            let region = grid.region(&chunk);
            let first = index(region.start()[1]);
            let row = |object: u64| curves.starts[index(object)]..curves.starts[index(object) + 1];
            if (region.start()[0]..region.end(0)).all(|object| row(object).len() <= first) {
                continue;
            }
            data.clear();
            data.reserve_exact(index(region.elements()) * self.item_bytes);
            for object in region.start()[0]..region.end(0) {
                let row = row(object);
                for position in region.start()[1]..region.end(1) {
                    let k = row.start + index(position);
                    if k < row.end {
                        data.extend_from_slice(&(self.bytes)(k)[..self.item_bytes]);
                    } else {
                        data.extend_from_slice(&elements.fill);
                    }
                }
            }
            writer.write(&region, &data)?;
        }
        Ok(())
    }
}

/// Refuses chunks that take more than is left: one as it is put together, one as it is encoded from, and what encoding takes.
fn check_chunk(
    name: &'static str,
    array: &Array,
    (left, bytes_max): (u64, u64),
) -> Result<(), LightCurveError> {
    let chain = array.elements()?.chain();
    let parts = [chain.chunk_bytes(), chain.chunk_bytes(), chain.encoded_bytes_max(), chain.scratch_bytes()];
    let bytes = parts.iter().fold(chain.context_bytes() as u64, |n, part| n.saturating_add(*part as u64));
    // Small ones live in the allowance beside the memory.
    if bytes <= left.max(CHUNK_ALLOWANCE) {
        return Ok(());
    }
    Err(LightCurveError::ChunkMemory { array: name, bytes, left, bytes_max })
}

/// Objects of a chunk of names: as many as there is memory to encode.
fn name_chunk(curves: &LightCurves, left: u64) -> u64 {
    let mut objects = curves.objects.len().min(index(CHUNK_OBJECTS));
    let bytes = |names: &[String]| -> u64 { names.iter().map(|name| name.len() as u64 + 16).sum() };
    let largest = |objects: usize| curves.objects.chunks(objects).map(bytes).max().unwrap_or(0);
    let most = left.max(CHUNK_ALLOWANCE) / NAME_PARTS;
    while objects > 1 && largest(objects) > most {
        objects = objects.div_ceil(2);
    }
    objects as u64
}

fn write_names(
    curves: &LightCurves,
    root: &Store,
    left: u64,
    options: &IngestOptions,
) -> Result<Array, LightCurveError> {
    let utf8: Vec<CodecMetadata> =
        std::iter::once(CodecMetadata::new_with_configuration("vlen-utf8", Map::new()))
            .chain((options.codecs)(1).into_iter().filter(|c| c.name() == "zstd" || c.name() == "gzip"))
            .collect();
    let objects = curves.objects.len() as u64;
    let document = Document::new(&ArraySpec {
        shape: vec![objects],
        data_type: "string",
        fill_value: json!(""),
        layout: Layout { chunk: vec![name_chunk(curves, left)], shard: None, codecs: utf8 },
        dimension_names: vec!["object"],
        attributes: Map::new(),
    });
    let array = Array::new(root.below("object_id")?, document, 3)?;
    array.write_strings(&curves.objects)?;
    Ok(array)
}
