//! How to rechunk an array: a pure decision on metadata.
//!
//! A [`Problem`] states the shape, the chunks of both sides and the memory. [`plan()`] weighs the ways and returns a [`Plan`]. A plan is a value:
//! it prints, it serialises, and another crate runs it. The same problem always gives the same plan.
//!
//! **It owns** the shapes of tiles, their order, the memory that they take, and what they cost. It also chooses the chunks and shards that a
//! [`Mix`] of accesses wants ([`Question`]), by what a read of a layout takes ([`Reading`]).
//!
//! **It never knows** bytes, files and clocks.
//!
//! **Call [`plan()`] first.**
//!
//! ```
//! use zarrange_plan::{Costs, Format, PART_BYTES, Problem, Purpose, plan};
//!
//! let format = |chunk: [u64; 2]| Format {
//!     chunk: chunk.to_vec(),
//!     shard: None,
//!     edges: None,
//!     slices: false,
//!     encoded_bytes_max: chunk[0] * chunk[1] * 4 + 1024,
//!     scratch_bytes: 0,
//!     context_bytes: 1 << 20,
//!     shard_index_bytes: 0,
//!     whole_shard_bytes: 0,
//!     decode_ns_per_byte: 1.6,
//!     encode_ns_per_byte: 8.0,
//!     stored_ratio: 1.0,
//! };
//! // Columns become rows: 10,000 x 10,000 numbers of 4 bytes, within 64 MiB.
//! let problem = Problem {
//!     shape: vec![10_000, 10_000],
//!     item_bytes: 4,
//!     source: format([10_000, 100]),
//!     target: format([100, 10_000]),
//!     same_encoding: true,
//!     memory_bytes_max: 64 << 20,
//!     threads: 2,
//!     purpose: Purpose::Write,
//!     costs: Costs::default(),
//!     way: None,
//!     part_bytes: PART_BYTES,
//! };
//! let plan = plan(&problem)?;
//! assert_eq!(plan.predicted.source_chunks, 100);
//! assert!(plan.predicted.peak_budget_bytes <= 64 << 20);
//! println!("{plan}");
//! # Ok::<(), zarrange_plan::PlanError>(())
//! ```
//!
//! # What a plan is
//!
//! A plan moves the array in [`Stage`]s. A stage cuts the array into tiles that fit the memory. A tile is filled from the chunks (or
//! spilled pieces) that overlap it, and drained into the chunks (or pieces) that it covers. A [`Way`] is one of these:
//! - stored bytes are copied, because nothing changes;
//! - encoded chunks are moved between shards;
//! - tiles in one stage, or a sweep of tiles along one axis: then a chunk across the ends of two tiles is decoded once;
//! - several stages with intermediates between them.
//!
//! Each way is costed from the profiles of the places ([`StoreProfile`]) and the rates of the codecs. The cheapest is taken, and of ways
//! that cost nearly the same the simplest.
//!
//! Rejected: lists of tasks. A tile is a range, found by arithmetic, so that the plan of 10^13 chunks is as small as any other.

mod access;
mod cluster;
mod cost;
mod counts;
mod error;
#[cfg(test)]
mod exhaustive;
mod explain;
mod layouts;
mod memory;
mod mix;
mod multi_stage;
mod one_stage;
mod order;
mod parts;
mod picks;
mod plan;
mod problem;
mod profile;
mod read_cost;
mod reader;
mod reading;
mod tiles;
mod waits;
mod ways;

pub use access::{Touched, touched};
pub use cluster::{Bottleneck, Cluster, Prices, Simulated, SimulatedStage, StageWork, simulate};
pub use counts::Counts;
pub use error::{MixError, PlanError, UnknownWord};
pub use explain::{bytes_text, seconds_text};
pub use layouts::{Limits, Needed, Question};
pub use memory::{BATCH_BYTES, CHECK_BYTES, COPIED_TOGETHER, WHOLE_SHARDS, copying};
pub use mix::{AccessRead, Chosen, Mix, chunk_for};
pub use parts::{PART_BYTES, Parts};
pub use picks::{Access, Pick};
pub use plan::{Alternative, Plan, Predicted, Repack, Route, Spill, Stage, Tiled};
pub use problem::{Format, Problem, Purpose, Way};
pub use profile::{Costs, StoreProfile};
pub use read_cost::{CodecModel, CodecSpeed, Design, ReadCost, Subject};
pub use reader::{Decodes, Reader};
pub use reading::Reading;
pub use tiles::{divisors, gcd, overlaps};
pub use ways::plan;
