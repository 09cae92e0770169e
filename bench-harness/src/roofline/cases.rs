//! The cases that speed is measured on: light curves stored by epoch, wanted by object.
//!
//! For each object and value a base uniform in [0, 1000), normal noise of sigma 5 for each epoch, rounded to 1/64, a tenth of
//! the (object, epoch) pairs NaN: it compresses as real photometry does.

use std::path::Path;

use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Layout, Node, RegionWriter};
use zarrange_grid::Region;
use zarrange_io::Location;
use zarrange_rechunk::{ChunkSpec, Codecs, Durability, Named};

use crate::random::Random;

/// An array of float32 over (object, epoch, value) and the chunks that it is wanted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name that results go by.
    pub name: &'static str,
    /// Elements in each dimension.
    pub shape: [u64; 3],
    /// Chunks of the source.
    pub source: [u64; 3],
    /// Chunks (inner chunks) of the target.
    pub chunk: [u64; 3],
    /// Shards of the target.
    pub shard: Option<[u64; 3]>,
    /// zstd level 3, or nothing.
    pub compressed: bool,
}

/// Level of the compressed cases.
pub const ZSTD_LEVEL: i32 = 3;

/// Bytes of an element.
pub const ITEM_BYTES: u64 = 4;

const LARGE: Case = Case {
    name: "W",
    shape: [100_000, 1000, 2],
    source: [100_000, 1, 2],
    chunk: [16, 1000, 2],
    shard: Some([10_000, 1000, 2]),
    compressed: true,
};

/// All cases.
pub const CASES: [Case; 5] = [
    LARGE,
    Case { name: "N", source: [10_000, 1, 2], ..LARGE },
    Case { name: "U", compressed: false, ..LARGE },
    Case {
        name: "T",
        shape: [10_000, 500, 2],
        source: [1000, 1, 2],
        chunk: [1, 500, 2],
        shard: None,
        compressed: true,
    },
    Case {
        name: "S",
        shape: [500, 20, 2],
        source: [500, 1, 2],
        chunk: [1, 20, 2],
        shard: None,
        compressed: true,
    },
];

impl Case {
    /// The case of this name.
    pub fn named(name: &str) -> Option<Self> {
        CASES.into_iter().find(|case| case.name == name)
    }

    /// Bytes of the array.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().product::<u64>() * ITEM_BYTES
    }

    /// The chunk shape as a request.
    pub fn chunks(&self) -> Vec<Named> {
        vec![named(&self.chunk)]
    }

    /// The shard shape as a request.
    pub fn shards(&self) -> Vec<Named> {
        self.shard.iter().map(named).collect()
    }

    /// Whether a target has to be on the disk: what is not compressed goes to the page cache, where copying is the limit.
    pub const fn durability(&self) -> Durability {
        if self.compressed { Durability::Commit } else { Durability::None }
    }

    /// The source below `dir`, made if it is missing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn source(&self, dir: &Path) -> anyhow::Result<Location> {
        let path = dir.join(format!("case-{}.zarr", self.name));
        std::fs::create_dir_all(&path)?;
        let location = Location::Path(path);
        let store = location.open()?;
        if matches!(zarrange_array::open(&store), Ok(Node::Array(_))) {
            return Ok(location);
        }
        let no_codecs = Layout { chunk: Vec::new(), shard: None, codecs: Vec::new() };
        let codecs = if self.compressed { Codecs::Zstd(ZSTD_LEVEL.into()) } else { Codecs::None };
        let layout = Layout {
            chunk: self.source.to_vec(),
            shard: None,
            codecs: codecs.resolve(&no_codecs, zarrange_grid::index(ITEM_BYTES)),
        };
        let document = Document::new(&ArraySpec {
            shape: self.shape.to_vec(),
            data_type: "float32",
            fill_value: json!("NaN"),
            layout,
            dimension_names: vec!["object", "epoch", "value"],
            attributes: Map::new(),
        });
        let array = Array::new(store, document, 3)?;
        let mut writer = RegionWriter::new(&array)?;
        let mut epoch = Epochs::new(self.shape[0]);
        for e in 0..self.shape[1] {
            let region = Region::new(vec![0, e, 0], vec![self.shape[0], 1, 2]);
            writer.write(&region, epoch.next())?;
        }
        // Its metadata last: an array that can be opened is complete.
        array.write_metadata()?;
        Ok(location)
    }
}

fn named(shape: &[u64; 3]) -> Named {
    let sizes = shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect();
    Named { array: None, spec: ChunkSpec::Sizes(sizes) }
}

/// The measurements of one epoch after the other.
struct Epochs {
    base: Vec<f64>,
    random: Random,
    bytes: Vec<u8>,
}

impl Epochs {
    fn new(objects: u64) -> Self {
        let mut random = Random::new(1);
        let base = (0..2 * objects).map(|_| uniform(&mut random) * 1000.0).collect();
        Self { base, random, bytes: Vec::new() }
    }

    fn next(&mut self) -> &[u8] {
        self.bytes.clear();
        for pair in self.base.chunks_exact(2) {
            // Box and Muller (1958): two uniform numbers make two normal ones.
            let radius = (-2.0 * (1.0 - uniform(&mut self.random)).ln()).sqrt() * 5.0;
            let (sin, cos) = (uniform(&mut self.random) * std::f64::consts::TAU).sin_cos();
            let missing = uniform(&mut self.random) < 0.1;
            for (base, noise) in pair.iter().zip([sin, cos]) {
                let value = ((base + radius * noise) * 64.0).round() / 64.0;
                #[expect(clippy::cast_possible_truncation, reason = "float32 is what is stored")]
                let value = if missing { f32::NAN } else { value as f32 };
                self.bytes.extend(value.to_le_bytes());
            }
        }
        &self.bytes
    }
}

/// Uniform in [0, 1).
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
fn uniform(random: &mut Random) -> f64 {
    (random.next() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use zarrange_io::Opener;

    use super::*;
    use crate::arrays;

    #[test]
    fn a_source_is_made_once_and_is_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let case = Case::named("S").unwrap();
        let location = case.source(dir.path()).unwrap();
        let array = arrays::open(&location, &Opener::auto()).unwrap();
        let all = Region::whole(&case.shape);
        let (data, _) = array.read_region(&all).unwrap();
        assert_eq!(data.len() as u64, case.bytes());
        let values: Vec<f32> =
            data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let missing = values.iter().filter(|v| v.is_nan()).count();
        assert!((800..3200).contains(&missing), "a tenth of 20,000 values: {missing}");
        assert!(values.iter().all(|v| v.is_nan() || ((v * 64.0).fract() == 0.0 && v.abs() < 1100.0)));
        let again = arrays::open(&case.source(dir.path()).unwrap(), &Opener::auto()).unwrap();
        assert_eq!(again.read_region(&all).unwrap().0, data);
    }
}
