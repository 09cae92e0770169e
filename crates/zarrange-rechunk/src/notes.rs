//! What a job says beside its result: one line for each thing that a user would not expect.

use zarrange_array::{Contents, Json, Members};

use crate::job::{Foreign, Item, Prepared};
use crate::members::left_behind;

impl Prepared {
    /// What is worth saying before the work, one line each.
    pub fn notes(&self) -> Vec<String> {
        let groups = self.groups.iter().map(|(path, group)| (path.as_str(), group.members()));
        let arrays = self.items.iter().map(|item| (item.path.as_str(), item.source.document().members()));
        let attributes = |(path, members): (_, &Members)| (path, members.get("attributes").cloned());
        let attributes: Vec<(&str, Option<Json>)> = groups.chain(arrays).map(attributes).collect();
        let holding = |test: &dyn Fn(&Json) -> bool| -> Vec<&str> {
            let fitting = attributes.iter().filter(|(_, json)| json.as_ref().is_some_and(test));
            fitting.map(|(path, _)| if path.is_empty() { "/" } else { *path }).collect()
        };
        let foreign = match self.job.foreign {
            Foreign::Copy => left_behind(&self.beside, "copied along", "left behind"),
            Foreign::Skip | Foreign::Fail => left_behind(&self.beside, "left behind", "left behind"),
        };
        let tokens = named(
            &holding(&|json| !json.is_strict()),
            "hold NaN or Infinity, which JSON does not have; they are kept as Python writes them",
        );
        let ome = named(
            &holding(&is_ome_04),
            "hold OME-Zarr 0.4 metadata, which is kept as it is; Zarr v3 wants 0.5, to which its own tools convert",
        );
        let notes = self.warnings.iter().cloned().chain(foreign).chain([tokens, ome].into_iter().flatten());
        notes.chain(self.items.iter().filter_map(Item::note)).collect()
    }
}

impl Item {
    /// What is not done to an array that might be expected.
    fn note(&self) -> Option<String> {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        if !self.dropped.is_empty() {
            let codecs = self.dropped.join(", ");
            return Some(format!(
                "{path}: without {codecs}, which would change values that are encoded again, or do not fit these chunks"
            ));
        }
        match self.source.contents() {
            Contents::Unknown(reason) => {
                Some(format!("{path}: its stored bytes are copied without being read: {reason}"))
            }
            _ => None,
        }
    }
}

/// One line about the attributes of members.
fn named(paths: &[&str], what: &str) -> Option<String> {
    let more = if paths.len() > 3 { ", ..." } else { "" };
    let first = paths.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    (!paths.is_empty()).then(|| format!("attributes of {first}{more} {what}"))
}

/// Whether attributes are those of OME-Zarr before 0.5, which put them below `ome`.
fn is_ome_04(attributes: &Json) -> bool {
    ["multiscales", "plate", "well", "omero", "bioformats2raw.layout"]
        .iter()
        .any(|name| attributes.get(name).is_some_and(|value| !value.is_null()))
        && attributes.get("ome").is_none()
}
