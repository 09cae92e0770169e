//! What charts call things, and the cells that they draw.

use crate::page::results::{Entry, Facet, Place, Results};
use crate::page::text::{figure, shape};

/// What reads one epoch, and what reads one object, one after the other.
pub(super) const EPOCH: &str = "epoch";
pub(super) const OBJECT: &str = "object";

/// The cells of a workload at a place.
pub(super) fn of_workload<'r>(
    results: &'r Results,
    place: usize,
    workload: &str,
) -> impl Iterator<Item = &'r Entry> {
    let id = results.id(Facet::Workload, workload);
    results.of_place(place).filter(move |entry| Some(entry.id(Facet::Workload)) == id)
}

/// What hovering over a layout says first.
pub(super) fn describe(place: &Place, layout: usize) -> String {
    let facts = &place.layouts[layout];
    let shard = facts.shard.as_ref().map_or(String::new(), |s| format!(" in shards {}", shape(s)));
    format!("{}: chunks {}{shard}, {}", facts.name, shape(&facts.chunk), facts.codecs)
}

/// How amplification is written.
pub(super) fn times(value: f64) -> String {
    format!("{}×", figure(value))
}

/// Part of the name of a file.
pub(super) fn slug(name: &str) -> String {
    let text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    text.trim_matches('-').to_owned()
}

/// A name with its first letter large.
pub(super) fn capital(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
}
