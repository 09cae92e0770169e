//! Rechunking: from a [`Job`] to a published target.
//!
//! [`prepare`] opens the source, resolves what was asked for each array and plans it; the [`Prepared`] value prints the
//! plans. [`run`] carries them out into a hidden place beside the target, verifies if asked to, writes the metadata last
//! and gives the result its name in one step: until then no reader sees any of it. [`verify`] compares two hierarchies.
//! A [`PlanFile`] is a prepared job in a file, for other processes to run.
//!
//! Inside, `stage` hands tiles to threads, `fill` and `drain` are the two halves of a tile's life, `shards` keeps the
//! order of inner chunks, `spill` is the intermediate, `budget` the memory, `presence` what is stored of a
//! sparse array. Owned here: memory, threads, the order of
//! work, publication. Not known here: arguments, terminals.
//!
//! Rejected: a task graph. Tiles are visited in a fixed order and each has two phases, so two cursors and a lock for each
//! batch of chunks do what a scheduler of millions of tasks would.

mod difference;
mod engine;
mod error;
mod foreign;
mod plan_file;
mod prepare;
mod progress;
mod report;
mod request;
mod run;
mod shell;
mod verify;

pub use difference::Difference;
pub use engine::parts::{Ledger, Receipt};
pub use engine::presence::Sparse;
pub use error::{PlanFileError, RechunkError, Refusal, Refusals, SpecError};
pub use plan_file::{PlanFile, PlannedArray, PlannedGroup, PlannedOptions};
pub use prepare::{Dimensions, Item, Prepared, prepare, unsampled};
pub use progress::{NoProgress, Progress};
pub use report::{ArrayReport, Cost, Report};
pub use request::{
    Bytes, ChunkSpec, Codecs, Durability, Foreign, KeySeparator, MixRequest, Named, NamedMix, Request,
    Verify, parse_profile,
};
pub use run::{PartPlaces, run, run_parts};
pub use shell::{is_hidden, shell_path, shell_word};
pub use verify::{Comparison, verify};
