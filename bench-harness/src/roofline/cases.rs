//! The cases that speed is measured on: light curves stored by epoch, wanted by object; and maps wanted as time series (`datasets/climate.toml`).
//!
//! For each object and value a base uniform in [0, 1000), normal noise of sigma 5 for each epoch, rounded to 1/64, a tenth of
//! the (object, epoch) pairs NaN: it compresses as real photometry does.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Layout, Node, RegionWriter};
use zarrange_grid::Region;
use zarrange_io::Location;
use zarrange_rechunk::{ChunkSpec, Codecs, Durability, Named};

use super::maps::Maps;
use crate::engine::MEMORY_BYTES;
use crate::random::Random;

/// An array of float32 and the chunks that it is wanted in.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The name that results go by.
    pub name: &'static str,
    /// Elements in each dimension.
    pub shape: Vec<u64>,
    /// Chunks of the source.
    pub source: Vec<u64>,
    /// Chunks (inner chunks) of the target.
    pub chunk: Vec<u64>,
    /// Shards of the target.
    pub shard: Option<Vec<u64>>,
    /// Codecs of both.
    pub codecs: Codecs,
    /// Memory for the engine.
    pub memory_bytes: u64,
    /// Its values, where they are not light curves.
    maps: Option<Maps>,
}

/// Level of the cases that zstd compresses.
pub const ZSTD_LEVEL: i32 = 3;

/// Bytes of an element.
pub const ITEM_BYTES: u64 = 4;

impl Case {
    /// All cases.
    ///
    /// # Errors
    /// If a recipe is wrong.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let large = Self::light_curves("W", [100_000, 1000], 100_000, 16);
        let large = Self { shard: Some(vec![10_000, 1000, 2]), ..large };
        Ok(vec![
            large.clone(),
            Self { name: "N", source: vec![10_000, 1, 2], ..large.clone() },
            Self { name: "U", codecs: Codecs::None, ..large },
            Self::light_curves("T", [10_000, 500], 1000, 1),
            Self::light_curves("S", [500, 20], 500, 1),
            Self::maps("E")?,
        ])
    }

    /// Many small parts, where waiting is all that costs.
    pub fn small_parts() -> Self {
        Self { codecs: Codecs::None, ..Self::light_curves("X", [16_000, 320], 250, 25) }
    }

    /// The case of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> anyhow::Result<Self> {
        let found = Self::all()?.into_iter().find(|case| case.name == name);
        found.with_context(|| format!("there is no case {name}"))
    }

    /// Light curves in chunks of one epoch of `from` objects, wanted in chunks of `to` whole ones.
    fn light_curves(name: &'static str, [objects, epochs]: [u64; 2], from: u64, to: u64) -> Self {
        Self {
            name,
            shape: vec![objects, epochs, 2],
            source: vec![from, 1, 2],
            chunk: vec![to, epochs, 2],
            shard: None,
            codecs: Codecs::Zstd(ZSTD_LEVEL.into()),
            memory_bytes: MEMORY_BYTES,
            maps: None,
        }
    }

    fn maps(name: &'static str) -> anyhow::Result<Self> {
        let maps = Maps::recipe()?;
        Ok(Self {
            name,
            shape: maps.shape.clone(),
            source: maps.chunk.clone(),
            chunk: maps.target.clone(),
            shard: None,
            codecs: maps.codecs.parse()?,
            memory_bytes: maps.memory,
            maps: Some(maps),
        })
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
        self.shard.iter().map(|shard| named(shard)).collect()
    }

    /// Whether a target has to be on the disk: what is not compressed goes to the page cache, where copying is the limit.
    pub fn durability(&self) -> Durability {
        if self.codecs == Codecs::None { Durability::None } else { Durability::Commit }
    }

    /// The source below `dir`, made if it is missing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn source(&self, dir: &Path) -> anyhow::Result<Location> {
        let path = dir.join(format!("case-{}.zarr", self.name));
        std::fs::create_dir_all(&path)?;
        let location = Location::Path(path.clone());
        let store = location.open()?;
        if matches!(zarrange_array::open(&store), Ok(Node::Array(_))) {
            return Ok(location);
        }
        let no_codecs = Layout { chunk: Vec::new(), shard: None, codecs: Vec::new() };
        let layout = Layout {
            chunk: self.source.clone(),
            shard: None,
            codecs: self.codecs.resolve(&no_codecs, zarrange_grid::index(ITEM_BYTES)),
        };
        let document = |dimension_names: Vec<&'static str>, fill_value| {
            Document::new(&ArraySpec {
                shape: self.shape.clone(),
                data_type: "float32",
                fill_value,
                layout,
                dimension_names,
                attributes: Map::new(),
            })
        };
        if let Some(maps) = &self.maps {
            maps.write(&path, store, document(vec!["time", "latitude", "longitude"], json!(0.0)))?;
            return Ok(location);
        }
        let array = Array::new(store, document(vec!["object", "epoch", "value"], json!("NaN")), 3)?;
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

#[cfg(test)]
impl Case {
    /// Maps of another shape.
    pub(super) fn small(self, shape: [u64; 3]) -> Self {
        let (shape, source) = (shape.to_vec(), vec![1, shape[1], shape[2]]);
        let maps = self.maps.map(|maps| maps.of(shape.clone(), source.clone()));
        Self { shape, source, maps, ..self }
    }
}

fn named(shape: &[u64]) -> Named {
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
        let base = (0..2 * objects).map(|_| random.uniform() * 1000.0).collect();
        Self { base, random, bytes: Vec::new() }
    }

    fn next(&mut self) -> &[u8] {
        self.bytes.clear();
        for pair in self.base.chunks_exact(2) {
            let noise = self.random.normal();
            let missing = self.random.uniform() < 0.1;
            for (base, noise) in pair.iter().zip(noise) {
                let value = ((base + 5.0 * noise) * 64.0).round() / 64.0;
                #[expect(clippy::cast_possible_truncation, reason = "float32 is what is stored")]
                let value = if missing { f32::NAN } else { value as f32 };
                self.bytes.extend(value.to_le_bytes());
            }
        }
        &self.bytes
    }
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
