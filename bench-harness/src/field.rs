//! The field of a monitoring pipeline as a store that is filled epoch by epoch: `datasets/light-curves.toml`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Map;
use zarrange_grid::index;
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{
    Column, Contribution, FillOptions, LightCurveStore, Named, NewEpochs, NewStore, OBJECT, Picked,
};

use crate::data;
use crate::random::Random;

/// What the recipe says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    seed: u64,
    format: u8,
    name: String,
    shape: [u64; 4],
    dimensions: [String; 4],
    chunk: [u64; 4],
    target: [u64; 4],
    codecs: String,
    base: [f64; 2],
    noise: f64,
    steps: f64,
    missing: f64,
    beside: BTreeMap<String, u64>,
}

/// A field: what it is made of, and a level for each series of it.
#[derive(Clone, Debug)]
pub struct Field {
    recipe: Recipe,
    base: Vec<f32>,
}

impl Field {
    /// The field of the recipe.
    ///
    /// # Errors
    /// If the recipe is wrong.
    pub fn recipe() -> anyhow::Result<Self> {
        let recipe: Recipe = toml::from_str(include_str!("../../datasets/light-curves.toml"))?;
        let dimensions = [OBJECT, "measurement", "value", "epoch"];
        ensure!(
            recipe.format == 3 && recipe.name == Self::VALUES && recipe.dimensions == dimensions,
            "light-curves.toml: {} over {dimensions:?} in format 3 is what is made",
            Self::VALUES
        );
        Ok(Self::of(recipe))
    }

    fn of(recipe: Recipe) -> Self {
        let mut random = Random::new(recipe.seed);
        let [low, high] = recipe.base;
        let series = index(recipe.shape[..3].iter().product());
        let base = (0..series).map(|_| single(low + (high - low) * random.uniform())).collect();
        Self { recipe, base }
    }

    /// The array of values.
    pub const VALUES: &str = "lightcurves";

    /// Epochs of the recipe.
    pub const fn epochs(&self) -> u64 {
        self.recipe.shape[3]
    }

    /// Objects, and measurements of each.
    pub const fn size(&self) -> (u64, u64) {
        (self.recipe.shape[0], self.recipe.shape[1])
    }

    /// The label of object `k`.
    pub fn object(k: u64) -> String {
        format!("I{k:06}")
    }

    /// The label of measurement `k`.
    pub fn measurement(k: u64) -> String {
        format!("m{k:02}")
    }

    fn epoch_label(k: u64) -> String {
        format!("gr{k:05}")
    }

    /// The store with so many epochs below `dir`, all of them filled: the one that is there, or made anew if it is not complete.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn kept(&self, dir: &Path, epochs: u64) -> anyhow::Result<PathBuf> {
        let path = dir.join(format!("field-{epochs}.zarr"));
        let note = path.with_extension("unfinished");
        if !path.exists() || note.exists() {
            data::take(&path, &note)?;
            self.make(&path, epochs)?;
            std::fs::remove_file(&note)?;
        }
        Ok(path)
    }

    /// Makes the store with so many epochs, all of them filled, and replaces what is there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make(&self, path: &Path, epochs: u64) -> anyhow::Result<()> {
        let location = Location::Path(path.to_owned());
        self.new_store(epochs)?.create(&location, (true, &Opener::auto()))?;
        self.fill(&LightCurveStore::open(&location, &Opener::auto())?, 0..epochs)
    }

    /// The store before it is filled.
    fn new_store(&self, epochs: u64) -> anyhow::Result<NewStore> {
        let (objects, measurements) = self.size();
        let labels = |count: u64, label: fn(u64) -> String| Column::Text((0..count).map(label).collect());
        let mut new = NewStore::labelled(objects, measurements, epochs)
            .codecs(self.recipe.codecs.parse()?)
            .labels(OBJECT, labels(objects, Self::object))?
            .labels("measurement", labels(measurements, Self::measurement))?
            .labels("epoch", labels(epochs, Self::epoch_label))?;
        for (dimension, size) in [(OBJECT, objects), ("measurement", measurements)] {
            for side in self.side(dimension, 0..size) {
                new = new.side(dimension, side)?;
            }
        }
        for side in self.side("epoch", 0..epochs) {
            new = new.side("epoch", side)?;
        }
        Ok(new)
    }

    /// The side variables of a dimension, at some places along it.
    fn side(&self, dimension: &str, places: Range<u64>) -> Vec<Named> {
        let count = self.recipe.beside.get(dimension).copied().unwrap_or_default();
        let variable = |k: u64| {
            let name =
                if (dimension, k) == ("epoch", 1) { "time".to_owned() } else { format!("{dimension}_{k}") };
            let value = |at: u64| Random::new(self.recipe.seed ^ (k << 40) ^ at).uniform() * 360.0;
            #[expect(clippy::cast_precision_loss, reason = "a number of days")]
            let day = |at: u64| 59_000.0 + at as f64;
            let values = places.clone().map(|at| if name == "time" { day(at) } else { value(at) });
            Named { column: Column::Float(values.collect()), name, attributes: Map::new() }
        };
        (1..count).map(variable).collect()
    }

    /// Epochs to be added to a store, with their labels and side variables.
    pub fn new_epochs(&self, epochs: Range<u64>) -> NewEpochs {
        NewEpochs {
            count: epochs.end - epochs.start,
            labels: Some(Column::Text(epochs.clone().map(Self::epoch_label).collect())),
            side: self.side("epoch", epochs),
        }
    }

    /// Fills some epochs of a store.
    ///
    /// # Errors
    /// If that fails.
    pub fn fill(&self, store: &LightCurveStore, epochs: Range<u64>) -> anyhow::Result<()> {
        let mut filler = store.filler();
        for epoch in epochs {
            let data = self.values(epoch);
            let values = &[(Self::VALUES, &data[..])];
            let all = Contribution { epoch, objects: Picked::All, measurements: Picked::All, values };
            filler.fill(&all, &FillOptions::default()).with_context(|| format!("epoch {epoch}"))?;
        }
        Ok(())
    }

    /// The values of an epoch.
    pub fn values(&self, epoch: u64) -> Vec<u8> {
        let Recipe { seed, noise, steps, missing, shape, .. } = &self.recipe;
        let mut random = Random::new(seed ^ (epoch + 1).wrapping_mul(0x9e37_79b9));
        let mut out = Vec::with_capacity(self.base.len() * size_of::<f32>());
        for object in self.base.chunks_exact(index(shape[1] * shape[2])) {
            let nothing = random.uniform() < *missing;
            for pair in object.chunks(2) {
                for (base, normal) in pair.iter().zip(random.normal()) {
                    let value = ((f64::from(*base) + noise * normal) * steps).round() / steps;
                    out.extend(if nothing { f32::NAN } else { single(value) }.to_ne_bytes());
                }
            }
        }
        out
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float32 is what is stored")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use zarrange_lightcurve::Wanted;

    #[test]
    fn a_field_is_what_the_recipe_says() {
        let recipe = Field::recipe().unwrap().recipe;
        let field = Field::of(Recipe { shape: [300, 4, 2, 6], ..recipe });
        let dir = tempfile::tempdir().unwrap();
        let path = field.kept(dir.path(), 6).unwrap();
        let store = LightCurveStore::open(&Location::Path(path.clone()), &Opener::auto()).unwrap();
        let sizes: Vec<u64> = store.schema().dimensions.iter().map(|dimension| dimension.size).collect();
        assert_eq!(sizes, [300, 4, 2, 6]);
        assert_eq!(store.schema().epochs().side.len(), 12);
        assert_eq!(store.find(OBJECT, &[Field::object(299)], 1 << 20).unwrap(), [Some(299)]);
        let last = Wanted { epochs: Picked::Range(5..6), ..Wanted::default() };
        assert_eq!(store.read(Field::VALUES, &last).unwrap().data, field.values(5));
        // A tenth of the objects are missing, the others are steps about their level.
        let values: Vec<f32> =
            field.values(5).as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
        let missing = values.iter().filter(|value| value.is_nan()).count();
        assert!((100..400).contains(&missing), "{missing} of 2400");
        assert!(values.iter().zip(&field.base).all(|(v, base)| v.is_nan() || (v - base).abs() < 40.0));
        assert!(values.iter().all(|value| value.is_nan() || (value * 64.0).fract() == 0.0));
        // It is there already.
        let made = path.join("zarr.json").metadata().unwrap().modified().unwrap();
        field.kept(dir.path(), 6).unwrap();
        assert_eq!(path.join("zarr.json").metadata().unwrap().modified().unwrap(), made);
    }
}
