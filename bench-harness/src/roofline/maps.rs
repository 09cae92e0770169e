//! Maps, one a time step, in Zarr v2: `datasets/climate.toml`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::json;
use zarrange_array::{Array, Document, KeyEncoding, RegionWriter, Separator};
use zarrange_grid::Region;
use zarrange_io::Store;

use crate::random::Random;

/// What the recipe says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Maps {
    seed: u64,
    format: u8,
    name: String,
    pub(super) shape: Vec<u64>,
    dimensions: Vec<String>,
    pub(super) chunk: Vec<u64>,
    pub(super) target: Vec<u64>,
    pub(super) codecs: String,
    pub(super) memory: u64,
    mean: f64,
    waves: [f64; 3],
    noise: f64,
    steps: f64,
}

impl Maps {
    pub(super) fn recipe() -> anyhow::Result<Self> {
        let maps: Self =
            toml::from_str(include_str!("../../../datasets/climate.toml")).context("climate.toml")?;
        let ranks = [&maps.shape, &maps.chunk, &maps.target].map(Vec::len);
        ensure!(
            ranks == [3; 3] && maps.format == 2,
            "climate.toml: three dimensions and format 2 are what is made"
        );
        Ok(maps)
    }

    /// Writes the array that `document` describes to `path`, with the keys and the metadata of v2.
    pub(super) fn write(&self, path: &Path, store: Store, document: Document) -> anyhow::Result<()> {
        let array = Array::new(store, document.with_key_encoding(KeyEncoding::V2(Separator::Dot)), 3)?;
        let mut writer = RegionWriter::new(&array)?;
        let mut random = Random::new(self.seed);
        let [times, latitudes, longitudes] = [self.shape[0], self.shape[1], self.shape[2]];
        let mut bytes = Vec::new();
        for t in 0..times {
            bytes.clear();
            for y in 0..latitudes {
                let level = self.mean + self.wave(0, t) + self.wave(1, y);
                for x in 0..longitudes {
                    let [noise, _] = random.normal();
                    let value = level + self.wave(2, x) + self.noise * noise;
                    #[expect(clippy::cast_possible_truncation, reason = "float32 is what is stored")]
                    let value = ((value * self.steps).round() / self.steps) as f32;
                    bytes.extend(value.to_le_bytes());
                }
            }
            let region = Region::new(vec![t, 0, 0], vec![1, latitudes, longitudes]);
            writer.write(&region, &bytes)?;
        }
        self.write_metadata(path)
    }

    /// The wave along a dimension, at an index of it.
    #[expect(clippy::cast_precision_loss, reason = "indexes of maps")]
    fn wave(&self, dimension: usize, at: u64) -> f64 {
        let part = at as f64 / self.shape[dimension] as f64;
        self.waves[dimension] * (part * std::f64::consts::TAU).sin()
    }

    /// `.zattrs` first: an array that can be opened is complete.
    fn write_metadata(&self, path: &Path) -> anyhow::Result<()> {
        let parts: Vec<&str> = self.codecs.split(':').collect();
        let ["blosc", cname, level, "shuffle"] = parts[..] else {
            anyhow::bail!("climate.toml: codecs {:?} are not blosc:CNAME:LEVEL:shuffle", self.codecs)
        };
        let array = json!({
            "zarr_format": 2, "shape": self.shape, "chunks": self.chunk, "dtype": "<f4", "fill_value": 0.0, "order": "C",
            "filters": null, "dimension_separator": ".",
            "compressor": {"id": "blosc", "cname": cname, "clevel": level.parse::<u8>()?, "shuffle": 1, "blocksize": 0},
        });
        let attributes = json!({"_ARRAY_DIMENSIONS": self.dimensions, "long_name": self.name});
        std::fs::write(path.join(".zattrs"), attributes.to_string())?;
        Ok(std::fs::write(path.join(".zarray"), array.to_string())?)
    }
}

#[cfg(test)]
impl Maps {
    /// The same of another shape.
    pub(super) fn of(self, shape: Vec<u64>, chunk: Vec<u64>) -> Self {
        Self { shape, chunk, ..self }
    }
}

#[cfg(test)]
mod tests {
    use zarrange_io::{Location, Opener};

    use super::super::cases::Case;
    use crate::arrays;

    #[test]
    fn a_source_of_maps_is_v2_with_its_waves() {
        let dir = tempfile::tempdir().unwrap();
        let case = Case::named("E").unwrap().small([8, 6, 4]);
        let location = case.source(dir.path()).unwrap();
        let array = arrays::open(&location, &Opener::auto()).unwrap();
        assert_eq!((array.zarr_format(), array.shape()), (2, &[8, 6, 4][..]));
        assert_eq!(location, Location::Path(dir.path().join("case-E.zarr")));
        let names = array.document().dimension_names().unwrap();
        assert_eq!(names[0].as_deref(), Some("time"));
        let (data, _) = array.read_region(&zarrange_grid::Region::whole(&[8, 6, 4])).unwrap();
        let values: Vec<f32> =
            data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        // Time step 2 of 8 is at the crest of its wave, 6 in its trough: 20 degrees apart, with noise of 0.5.
        let mean = |t: usize| values[t * 24..(t + 1) * 24].iter().sum::<f32>() / 24.0;
        assert!((19.0..21.0).contains(&(mean(2) - mean(6))), "{} {}", mean(2), mean(6));
        assert!(values.iter().all(|v| (v * 64.0).fract() == 0.0));
    }
}
