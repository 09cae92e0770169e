//! What is advised.

use serde::Serialize;
use zarrange_plan::{CodecSpeed, Reader, Subject};
use zarrange_rechunk::Weighed;

/// What is advised.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// The array.
    pub subject: Subject,
    /// The names of its dimensions.
    pub names: Vec<String>,
    /// What is read, as in a mix, and its share of the accesses.
    #[serde(rename = "shares")]
    pub mix: Vec<(String, f64)>,
    /// Accesses in a day, if that is known.
    pub per_day: Option<f64>,
    /// What storing a byte for a month costs, if that is known.
    pub byte_price: Option<f64>,
    /// The profile of the place.
    pub profile: String,
    /// Who reads.
    pub reader: Reader,
    /// Where codecs were measured, if they were.
    pub sample: Option<String>,
    /// What the codecs gain and cost, each in the best layout that it has; none where nothing was sampled.
    pub codecs: Vec<CodecChoice>,
    /// Why the codec of the layouts was chosen, or why nothing tells codecs apart.
    pub codec_why: Option<String>,
    /// Codecs that are no candidates, and why.
    pub codecs_left_out: Vec<String>,
    /// The best layouts, the best first, all with the codec that is recommended.
    pub layouts: Vec<Weighed>,
    /// Why the first is better than the second.
    pub why: Option<String>,
    /// A copy for each kind of access instead.
    pub copies: Option<Copies>,
    /// When rechunking the sample has paid back, if the sample is the array.
    pub payback: Option<Payback>,
    /// The best layouts, as measured, the fastest first.
    pub measured: Vec<Measured>,
    /// The command that makes the best one.
    pub command: String,
    /// What was asked and is without effect, one line each.
    pub unused: Vec<String>,
}

/// What a codec gains and costs, in the best layout that it has.
#[derive(Clone, Debug, Serialize)]
pub struct CodecChoice {
    /// As on the command line.
    pub name: String,
    /// Stored bytes of the whole array.
    pub stored_bytes: f64,
    /// Array bytes for each stored byte, and times to encode and to decode.
    pub speed: CodecSpeed,
    /// The part by which these times differ when they are measured again.
    pub noise: f64,
    /// The mean time of an access, in milliseconds.
    pub weighted_ms: f64,
    /// A package that the reader needs for it.
    pub needs: Option<&'static str>,
    /// Whether it is the one that is recommended.
    pub chosen: bool,
}

/// A layout that was made and read.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The layout, of the whole array.
    pub layout: Weighed,
    /// Chunks of what was read.
    pub chunk: Vec<u64>,
    /// Shards of what was read.
    pub shard: Option<Vec<u64>>,
    /// The mean time of an operation, as predicted for the page cache, in milliseconds.
    pub predicted_ms: f64,
    /// As measured.
    pub measured_ms: f64,
    /// Stored bytes of what was read.
    pub stored_bytes: u64,
}

/// The array as it is, against the first layout.
#[derive(Clone, Debug, Serialize)]
pub struct Payback {
    /// The mean time of an access now, in milliseconds.
    pub now_ms: f64,
    /// How long rechunking takes, by the plan.
    pub rechunk_s: f64,
    /// Accesses after which that is saved; `None` where nothing is.
    pub accesses: Option<f64>,
}

/// A copy of the array for each kind of access, against one layout for all.
#[derive(Clone, Debug, Serialize)]
pub struct Copies {
    /// The best layout for each kind of access alone.
    pub layouts: Vec<Weighed>,
    /// The mean time of an access with them.
    pub weighted_ms: f64,
    /// That with the best single layout.
    pub single_ms: f64,
    /// Bytes that they store beyond the single layout.
    pub extra_bytes: f64,
}
