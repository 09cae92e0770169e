//! Which way to rechunk an array: a pure decision on metadata.
//!
//! A [`Problem`] states shapes, chunk layouts and the memory; [`plan`] weighs the ways and returns a [`Plan`], a value
//! that prints, serialises and is run elsewhere. The same problem always gives the same plan: no I/O, no clock.
//!
//! A plan moves the array in [`Stage`]s. A stage cuts the array into tiles, small enough to hold in memory; each tile is
//! filled from the chunks (or spilled pieces) that overlap it and drained into the chunks (or pieces) that it covers.
//! The ways: copy the stored bytes (nothing changes), one stage whose tiles are aligned to the source (each source chunk
//! decoded once), one stage that decodes some chunks several times, or two stages with a spilled intermediate.
//!
//! Owned here: tile shapes, their order, the memory they take, what they cost. Not known here: bytes and files.
//!
//! Rejected: lists of tasks. A tile is an arithmetic range, so the plan of 10^13 chunks is as small as any other.

mod cost;
mod error;
mod explain;
mod memory;
mod order;
mod problem;
mod search;
mod tiles;

pub use cost::Costs;
pub use error::PlanError;
pub use explain::bytes_text;
pub use memory::{BATCH_BYTES, CONTEXT_ALLOWANCE_BYTES, SLAB_BYTES_MAX};
pub use problem::{Format, Plan, Predicted, Problem, Purpose, Spill, Stage, Strategy};
pub use search::plan;
