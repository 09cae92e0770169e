//! What a run says beside its result: one line for each thing that a user would not expect.

use zarrange_array::{Counted, Text};

use crate::prepare::item::Item;

/// Members whose attributes are worth a word.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    tokens: Counted,
    ome: Counted,
    /// What is asked and is for nothing, one line each.
    pub(crate) unused: Vec<String>,
}

impl Noted {
    /// Looks at the attributes of a member.
    pub(crate) fn look(&mut self, path: &str, attributes: &Text) {
        let path = if path.is_empty() { "/" } else { path };
        if !attributes.is_strict() {
            self.tokens.add(path);
        }
        if is_ome_04(attributes) {
            self.ome.add(path);
        }
    }
}

impl Noted {
    /// What is worth saying, one line each.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let tokens = named(
            &self.tokens,
            "hold NaN or Infinity, which JSON does not have; they are kept as Python writes them",
        );
        let ome = named(
            &self.ome,
            "hold OME-Zarr 0.4 metadata, which is kept as it is; Zarr v3 wants 0.5, to which its own tools convert",
        );
        [tokens, ome].into_iter().flatten()
    }
}

/// What is not done to an array that might be expected.
pub(crate) fn of_item(item: &Item) -> Option<String> {
    let path = if item.path().is_empty() { "/" } else { item.path() };
    if !item.dropped.is_empty() {
        let codecs = item.dropped.join(", ");
        return Some(format!(
            "{path}: without {codecs}, which would change values that are encoded again, or do not fit these chunks"
        ));
    }
    let reason = item.opaque.as_ref()?;
    Some(format!("{path}: its stored bytes are copied without being read: {reason}"))
}

/// One line about the attributes of members.
fn named(Counted { count, examples }: &Counted, what: &str) -> Option<String> {
    let more = if *count > examples.len() as u64 { ", ..." } else { "" };
    (*count > 0).then(|| format!("attributes of {}{more} {what}", examples.join(", ")))
}

/// Whether attributes are those of OME-Zarr before 0.5, which put them below `ome`.
fn is_ome_04(attributes: &Text) -> bool {
    ["multiscales", "plate", "well", "omero", "bioformats2raw.layout"].iter().any(|name| attributes.has(name))
        && !attributes.holds("ome")
}
