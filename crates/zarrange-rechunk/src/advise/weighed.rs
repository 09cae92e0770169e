//! A layout with what accesses to it cost.

use serde::Serialize;
use zarrange_plan::{CodecSpeed, Design, ReadCost};

/// A layout and what it costs.
#[derive(Clone, Debug, Serialize)]
pub struct Weighed {
    /// Shapes of chunk and shard.
    #[serde(flatten)]
    pub design: Design,
    /// Its codecs, as on the command line.
    pub codecs: String,
    /// What they do to its chunks.
    pub speed: CodecSpeed,
    /// Files.
    pub files: u64,
    /// Stored bytes.
    pub stored_bytes: f64,
    /// The mean time of an access over the mix, in milliseconds.
    pub weighted_ms: f64,
    /// Each kind of access of the mix.
    pub accesses: Vec<WeighedRead>,
}

/// A kind of access to a layout.
#[derive(Clone, Debug, Serialize)]
pub struct WeighedRead {
    /// What is read, as in a mix.
    pub name: String,
    /// The share of all accesses.
    pub share: f64,
    /// Its time in milliseconds.
    pub ms: f64,
    /// Array bytes of the chunks touched, for each byte wanted.
    pub amplification: f64,
    /// Bytes that the reader holds for it, about.
    pub memory_bytes: f64,
    /// What it consists of.
    #[serde(flatten)]
    pub cost: ReadCost,
}
