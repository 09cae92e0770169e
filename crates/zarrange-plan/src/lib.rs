//! Which way to rechunk an array: a pure decision on metadata.
//!
//! A [`Problem`] states shapes, chunk layouts and the memory; [`plan`] weighs the ways and returns a [`Plan`], a value
//! that prints, serialises and is run elsewhere. The same problem always gives the same plan: no I/O, no clock.
//!
//! A plan moves the array in [`Stage`]s. A stage cuts the array into tiles, small enough to hold in memory; each tile is
//! filled from the chunks (or spilled pieces) that overlap it and drained into the chunks (or pieces) that it covers.
//! The [`Way`]s: copy the stored bytes (nothing changes), move encoded chunks between shards, one stage of tiles (with a sweep
//! along one axis, so that chunks across the ends of tiles are decoded once), or stages with intermediates between them. Each is
//! costed from the profiles of the places ([`StoreProfile`]) and the codecs' rates; the cheapest is taken, of near ties the simplest.
//!
//! Beside it, a [`Question`] chooses the chunks and shards that a [`Mix`] of accesses wants, by what a read of a layout takes ([`Reading`]).
//!
//! Owned here: tile shapes, their order, the memory they take, what they cost. Not known here: bytes and files.
//!
//! Rejected: lists of tasks. A tile is an arithmetic range, so the plan of 10^13 chunks is as small as any other.

mod access;
mod choose;
mod cost;
mod counts;
mod error;
#[cfg(test)]
mod exhaustive;
mod explain;
mod memory;
mod mix;
mod order;
mod parts;
mod plan;
mod problem;
mod profile;
mod read;
mod reader;
mod search;
mod single;
mod staged;
mod tiles;

pub use access::{Touched, touched};
pub use choose::{Limits, Needed, Question};
pub use counts::Counts;
pub use error::PlanError;
pub use explain::{bytes_text, seconds_text};
pub use memory::{BATCH_BYTES, CHECK_BYTES, COPIED_TOGETHER, copying};
pub use mix::{Chosen, IndexRead, Mix, MixError, chunk_for};
pub use parts::Parts;
pub use plan::{Alternative, Plan, Predicted, Repack, Route, Spill, Stage, Tiled};
pub use problem::{Format, Problem, Purpose, Way};
pub use profile::{Costs, StoreProfile};
pub use read::{CodecModel, CodecSpeed, Design, ReadCost, Reading, Subject};
pub use reader::{Reader, UnknownReader};
pub use search::plan;
pub use tiles::{divisors, gcd, overlaps};
