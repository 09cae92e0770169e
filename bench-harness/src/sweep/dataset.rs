//! The array that all layouts of a sweep hold: a synthetic survey, or an array of the user's.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use zarrange_array::Array;
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{Survey, write_survey};
use zarrange_rechunk::Dimensions;

use crate::sweep::facts::DatasetFacts;
use crate::{arrays, data};

/// Surveys that have a name: `datasets/*.toml`.
const BUILT_IN: [(&str, &str); 1] = [("photometry", include_str!("../../../datasets/photometry.toml"))];

/// A dataset, stored.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What is known of it.
    pub facts: DatasetFacts,
    /// Where it is.
    pub location: Location,
}

/// Objects and epochs of a survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Objects.
    pub objects: u64,
    /// Epochs.
    pub epochs: u64,
}

impl Size {
    /// Understands `OBJECTSxEPOCHS`.
    ///
    /// # Errors
    /// If `text` is something else.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let size = text.split_once('x').and_then(|(objects, epochs)| {
            Some(Self { objects: objects.parse().ok()?, epochs: epochs.parse().ok()? })
        });
        let size = size.filter(|size| size.objects > 0 && size.epochs > 0);
        size.with_context(|| format!("size {text:?} is not OBJECTSxEPOCHS, such as 10000x500"))
    }
}

/// The dataset `name`: a built-in survey, a recipe (`.toml`) or the location of an array. A survey is made in `dir`, in the size asked
/// for, unless it is there already; an array has the size that it has.
///
/// # Errors
/// If there is no such dataset, or it cannot be made or read.
pub fn dataset(name: &str, size: Option<Size>, dir: &Path) -> anyhow::Result<Dataset> {
    let recipe = match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((_, recipe)) => Some((*recipe).to_owned()),
        None if Path::new(name).extension().is_some_and(|e| e == "toml") => {
            Some(std::fs::read_to_string(name).with_context(|| format!("dataset {name:?}"))?)
        }
        None => None,
    };
    let Some(recipe) = recipe else {
        let known = || BUILT_IN.map(|(known, _)| known).join(", ");
        let found = name.parse::<Location>().map_err(Into::into).and_then(|location| open(name, location));
        let found = found.with_context(|| {
            format!("dataset {name:?} is neither a survey ({}), nor a recipe (.toml), nor an array", known())
        })?;
        ensure!(size.is_none(), "dataset {name:?}: only surveys can have another size than they have");
        return Ok(found);
    };
    let mut survey = Survey::parse(&recipe).with_context(|| format!("dataset {name:?}"))?;
    if let Some(Size { objects, epochs }) = size {
        (survey.objects, survey.epochs) = (objects, epochs);
    }
    make(name, &survey, dir)
}

fn make(name: &str, survey: &Survey, dir: &Path) -> anyhow::Result<Dataset> {
    let stem = Path::new(name).file_stem().and_then(|s| s.to_str()).unwrap_or("survey");
    let stem = format!("{stem}-{}x{}-{}", survey.objects, survey.epochs, survey.seed);
    let path: PathBuf = dir.join(format!("{stem}.zarr"));
    let location = Location::Path(path.clone());
    // Another recipe of the same name and size makes other values.
    let (recipe, note) = (format!("{survey:?}"), dir.join(format!("{stem}.recipe")));
    if !path.exists() || std::fs::read_to_string(&note).ok().as_ref() != Some(&recipe) {
        data::take(&path, &note)?;
        write_survey(survey, &location, (true, &Opener::auto()), &mut |_| {})?;
        std::fs::write(&note, &recipe)?;
    }
    open(&stem, location)
}

fn open(name: &str, location: Location) -> anyhow::Result<Dataset> {
    let facts = facts(name, &arrays::open(&location, &Opener::default())?)?;
    Ok(Dataset { facts, location })
}

/// Objects and epochs are the dimensions of these names, or the first two.
fn facts(name: &str, array: &Array) -> anyhow::Result<DatasetFacts> {
    let dimensions = Dimensions::of(array);
    let rank = array.shape().len();
    ensure!(rank >= 2, "{name}: an array of {rank} dimensions has no objects and epochs");
    ensure!(!array.shape().contains(&0), "{name}: the array is empty");
    let objects =
        dimensions.axis("object").unwrap_or_else(|| usize::from(dimensions.axis("epoch") == Some(0)));
    let epochs = dimensions.axis("epoch").unwrap_or_else(|| usize::from(objects == 0));
    Ok(DatasetFacts {
        name: name.to_owned(),
        shape: array.shape().to_vec(),
        item_bytes: array.elements()?.item_bytes() as u64,
        axes: (objects, epochs),
    })
}
