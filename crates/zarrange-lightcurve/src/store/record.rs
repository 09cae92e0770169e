//! What was filled: for each epoch, and each measurement where there are some, how many objects, when, and by which run.
//!
//! It lies in the group `fills` of the store, one chunk for each epoch, so that it is written with the epoch and read by anybody. A
//! contribution counts once it is recorded.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zarrange_array::{
    Array, ArraySpec, Document, Layout, Node, RegionReader, RegionWriter, VariableReader, VariableWriter,
    open,
};
use zarrange_codec::{CodecMetadata, Variable};
use zarrange_grid::{Dims, Region, index};
use zarrange_io::Store;

use crate::LightCurveError;
use crate::store::growing::{Counted, cut};
use crate::store::schema::FILLS;

/// The arrays of a record, the one that counts last.
const RUNS: &str = "run";
const COUNTS: &str = "objects";
const TIMES: &str = "time";

/// The most epochs of a record: the times of all of them are read at once.
const EPOCHS_MAX: u64 = 1 << 26;

/// Memory that the runs of one epoch may take.
const RUNS_BYTES_MAX: usize = 16 << 20;

/// What is said of the group.
pub(crate) fn attributes() -> Map<String, Value> {
    let title =
        "what was filled: how many objects have a value, when that was last written, and by which run";
    Map::from_iter([("title".to_owned(), json!(title))])
}

/// The arrays of a record over `dimensions` (names and sizes), by their paths.
pub(crate) fn create(
    root: &Store,
    dimensions: &[(&str, u64)],
) -> Result<Vec<(String, Array)>, LightCurveError> {
    let array = |name: &str, data_type: &str, fill_value: Value, serializer: Value, attributes: Value| {
        let codecs: Vec<CodecMetadata> = serde_json::from_value(json!([serializer]))
            .unwrap_or_else(|error| unreachable!("codecs of names and numbers: {error}"));
        let chunk =
            dimensions.iter().enumerate().map(|(d, (_, size))| if d == 0 { 1 } else { (*size).max(1) });
        let document = Document::new(&ArraySpec {
            shape: dimensions.iter().map(|(_, size)| *size).collect(),
            data_type,
            fill_value,
            layout: Layout { chunk: chunk.collect(), shard: None, codecs },
            dimension_names: dimensions.iter().map(|(name, _)| *name).collect(),
            attributes: attributes.as_object().cloned().unwrap_or_default(),
        });
        let path = format!("{FILLS}/{name}");
        Ok::<_, LightCurveError>((path.clone(), Array::new(root.below(&path)?, document, 3)?))
    };
    let numbers = json!({"name": "bytes", "configuration": {"endian": "little"}});
    Ok(vec![
        array(RUNS, "string", json!(""), json!({"name": "vlen-utf8", "configuration": {}}), json!({}))?,
        array(COUNTS, "uint32", json!(0), numbers.clone(), json!({"units": "1"}))?,
        array(TIMES, "float64", json!("NaN"), numbers, json!({"units": "seconds since 1970-01-01"}))?,
    ])
}

/// The record of a store.
#[derive(Debug)]
pub(crate) struct Record {
    runs: Array,
    counts: Array,
    times: Array,
}

/// What is recorded of an epoch: for each measurement, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filled {
    /// When it was written last, in seconds since 1970; NaN if it was not filled.
    pub times: Vec<f64>,
    /// How many objects have a value.
    pub objects: Vec<u32>,
    /// Which run wrote it last.
    pub runs: Vec<String>,
}

/// When each measurement of each epoch was filled, in seconds since 1970; NaN where it was not.
#[derive(Debug)]
pub(crate) struct Times {
    /// In C order.
    times: Vec<f64>,
    measurements: usize,
}

impl Times {
    /// Those of an epoch; nothing beyond the last.
    pub(crate) fn of(&self, epoch: u64) -> &[f64] {
        let start = index(epoch).saturating_mul(self.measurements);
        self.times.get(start..start.saturating_add(self.measurements)).unwrap_or_default()
    }

    /// How many measurements of an epoch are filled.
    pub(crate) fn filled(&self, epoch: u64) -> u64 {
        self.of(epoch).iter().filter(|time| !time.is_nan()).count() as u64
    }
}

/// So many epochs, if a store can have them.
///
/// # Errors
/// [`LightCurveError::Epochs`].
pub(crate) fn checked_size(size: u64) -> Result<u64, LightCurveError> {
    if size <= EPOCHS_MAX { Ok(size) } else { Err(LightCurveError::Epochs { size, max: EPOCHS_MAX }) }
}

impl Record {
    /// That of the store at `root`, if it has one: over `shape`, epochs and measurements.
    ///
    /// # Errors
    /// If it cannot be opened, or [`LightCurveError::Record`] if its arrays are others.
    pub(crate) fn open(
        root: &Store,
        (shape, counted): (&[u64], Option<&Counted>),
    ) -> Result<Option<Self>, LightCurveError> {
        // It is there once its group is, which comes last.
        match open(&root.below(FILLS)?) {
            Ok(Node::Group(group)) if !group.is_implicit() => {}
            Ok(Node::Group(_)) | Err(zarrange_array::ArrayError::NotZarr { .. }) => return Ok(None),
            Ok(Node::Array(array)) => {
                let (array, shape) = (array.location().to_owned(), shape.to_vec());
                return Err(LightCurveError::Record { array, shape });
            }
            Err(error) => return Err(error.into()),
        }
        let array = |name: &str| match open(&root.below(&format!("{FILLS}/{name}"))?) {
            Ok(Node::Array(array)) => cut(*array, counted).map(Some),
            Ok(Node::Group(_)) | Err(zarrange_array::ArrayError::NotZarr { .. }) => Ok(None),
            Err(error) => Err(LightCurveError::from(error)),
        };
        Ok(match (array(RUNS)?, array(COUNTS)?, array(TIMES)?) {
            (Some(runs), Some(counts), Some(times)) => Some(Self { runs, counts, times }.checked(shape)?),
            _ => None,
        })
    }

    fn checked(self, shape: &[u64]) -> Result<Self, LightCurveError> {
        let item_bytes = |array: &Array| array.elements().map(|elements| elements.item_bytes()).ok();
        let chunked = |array: &Array| {
            let chunk = array.objects().chunk_shape();
            chunk[0] == 1 && chunk[1..].iter().zip(&shape[1..]).all(|(c, n)| *c == (*n).max(1))
        };
        let Self { runs, counts, times } = &self;
        for (array, right) in [
            (runs, runs.variable().is_some_and(|elements| elements.chunks == *runs.objects())),
            (counts, item_bytes(counts) == Some(4)),
            (times, item_bytes(times) == Some(8)),
        ] {
            if array.shape() != shape || !right || !chunked(array) {
                let (array, shape) = (array.location().to_owned(), shape.to_vec());
                return Err(LightCurveError::Record { array, shape });
            }
        }
        Ok(self)
    }

    /// What is recorded of `epoch`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(&self, epoch: u64) -> Result<Filled, LightCurveError> {
        let region = self.region(epoch);
        let count = index(region.elements());
        let (mut times, mut objects) = (vec![0; 8 * count], vec![0; 4 * count]);
        RegionReader::new(&self.times)?.read_into(&region, &mut times)?;
        RegionReader::new(&self.counts)?.read_into(&region, &mut objects)?;
        let mut chunk = Variable::new();
        let runs = match self.runs.variable() {
            Some(elements) => {
                let mut reader = VariableReader::new(&self.runs, elements);
                let stored = reader.read(&self.chunk(epoch), RUNS_BYTES_MAX, &mut chunk)?;
                let text = |k: usize| String::from_utf8_lossy(chunk.get(k)).into_owned();
                (0..count).map(|k| if stored { text(k) } else { String::new() }).collect()
            }
            None => vec![String::new(); count],
        };
        let (times, objects) = (times.as_chunks().0.iter(), objects.as_chunks().0.iter());
        Ok(Filled {
            times: times.map(|bytes| f64::from_ne_bytes(*bytes)).collect(),
            objects: objects.map(|bytes| u32::from_ne_bytes(*bytes)).collect(),
            runs,
        })
    }

    /// Records `filled` of `epoch`; whoever calls has the lock of it.
    ///
    /// # Errors
    /// If it cannot be written; what was recorded before then still is.
    pub(crate) fn write(&self, epoch: u64, filled: &Filled) -> Result<(), LightCurveError> {
        let region = self.region(epoch);
        if let Some(elements) = self.runs.variable() {
            let mut chunk = Variable::new();
            filled.runs.iter().for_each(|run| chunk.push(run.as_bytes()));
            VariableWriter::new(&self.runs, elements, true, 0).write(&self.chunk(epoch), &chunk)?;
        }
        let objects: Vec<u8> = filled.objects.iter().flat_map(|n| n.to_ne_bytes()).collect();
        RegionWriter::replacing(&self.counts)?.write(&region, &objects)?;
        let times: Vec<u8> = filled.times.iter().flat_map(|t| t.to_ne_bytes()).collect();
        Ok(RegionWriter::replacing(&self.times)?.write(&region, &times)?)
    }

    /// Records of several epochs what is recorded elsewhere.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write_all(&self, filled: &BTreeMap<u64, Filled>) -> Result<(), LightCurveError> {
        filled.iter().try_for_each(|(epoch, filled)| self.write(*epoch, filled))
    }

    /// When each measurement of each epoch was filled.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn times(&self) -> Result<Times, LightCurveError> {
        let (bytes, _) = self.times.read_region(&Region::whole(self.times.shape()))?;
        let times = bytes.as_chunks().0.iter().map(|bytes| f64::from_ne_bytes(*bytes)).collect();
        let measurements = self.times.shape()[1..].iter().product::<u64>();
        Ok(Times { times, measurements: index(measurements) })
    }

    /// It, with room for so many epochs.
    ///
    /// # Errors
    /// If there cannot be so many.
    pub(crate) fn of_size(&self, epochs: u64) -> Result<Self, LightCurveError> {
        let longer = |array: &Array| {
            let mut shape = array.shape().to_vec();
            shape[0] = epochs;
            Array::new(array.store().clone(), array.document().with_shape(&shape), array.zarr_format())
        };
        Ok(Self { runs: longer(&self.runs)?, counts: longer(&self.counts)?, times: longer(&self.times)? })
    }

    /// Makes it one of so many epochs; whoever calls has the lock of the last one and of those beyond. It counts when its times are as long.
    ///
    /// # Errors
    /// If a document cannot be written.
    pub(crate) fn write_size(&self, epochs: u64) -> Result<(), LightCurveError> {
        let Self { runs, counts, times } = self.of_size(epochs)?;
        for array in [runs, counts, times] {
            array.write_metadata()?;
        }
        Ok(())
    }

    fn region(&self, epoch: u64) -> Region {
        let mut shape: Dims = self.times.shape().into();
        let mut start: Dims = shape.iter().map(|_| 0).collect();
        (start[0], shape[0]) = (epoch, 1);
        Region::new(start, shape)
    }

    fn chunk(&self, epoch: u64) -> Dims {
        self.region(epoch).start().into()
    }
}
