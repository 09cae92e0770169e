//! The charts of the page, drawn once: filters only show and hide their marks.

mod heat;
mod latency;
mod predicted;
mod scatter;

use crate::page::results::{Entry, Facet, Place, Results};
use crate::page::svg::Chart;
use crate::page::text::{figure, shape};

/// The charts of a section, in the order in which they are shown.
#[derive(Clone, Debug)]
pub(crate) struct Charts {
    pub(crate) trade: Vec<Chart>,
    pub(crate) heat: Vec<Chart>,
    pub(crate) latency: Vec<Chart>,
    pub(crate) predicted: Vec<Chart>,
}

impl Charts {
    /// Draws all.
    ///
    /// # Errors
    /// If a histogram cannot be read.
    pub(crate) fn draw(results: &Results) -> anyhow::Result<Self> {
        Ok(Self {
            trade: scatter::charts(results),
            heat: heat::charts(results),
            latency: latency::charts(results)?,
            predicted: predicted::charts(results),
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Chart> {
        self.trade.iter().chain(&self.heat).chain(&self.latency).chain(&self.predicted)
    }
}

/// What reads one epoch, and what reads one object, one after the other.
const EPOCH: &str = "epoch";
const OBJECT: &str = "object";

/// The cells of a workload at a place.
fn of_workload<'r>(results: &'r Results, place: usize, workload: &str) -> impl Iterator<Item = &'r Entry> {
    let id = results.id(Facet::Workload, workload);
    results.of_place(place).filter(move |entry| Some(entry.id(Facet::Workload)) == id)
}

/// What hovering over a layout says first.
fn describe(place: &Place, layout: usize) -> String {
    let facts = &place.layouts[layout];
    let shard = facts.shard.as_ref().map_or(String::new(), |s| format!(" in shards {}", shape(s)));
    format!("{}: chunks {}{shard}, {}", facts.name, shape(&facts.chunk), facts.codecs)
}

/// How amplification is written.
fn times(value: f64) -> String {
    format!("{}×", figure(value))
}

/// Part of the name of a file.
fn slug(name: &str) -> String {
    let text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    text.trim_matches('-').to_owned()
}

/// A name with its first letter large.
fn capital(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
}
