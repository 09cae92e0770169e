//! The charts of the page, drawn once: filters only show and hide their marks.

mod heat;
mod latency;
mod predicted;
mod scatter;
mod words;

use crate::page::results::Results;
use crate::page::svg::Chart;

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
