//! Moving one array: from a source, in tiles that many workers fill and empty, to a sink.
//!
//! [`stage`] hands tiles to workers. A [`source`] fills them: chunks of an array, or pieces of an intermediate. A [`sink`] empties
//! them: into chunks, shards or an intermediate, or by comparing them. Where nothing is decoded, [`copy`] and [`repack`] move what
//! is stored; [`text`] moves elements without a fixed size, which no tile can hold.

pub(crate) mod batches;
pub(crate) mod budget;
pub(crate) mod context;
pub(crate) mod copy;
pub(crate) mod crew;
pub(crate) mod objects;
pub(crate) mod parts;
pub(crate) mod permits;
pub(crate) mod presence;
pub(crate) mod reading;
pub(crate) mod repack;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod spill;
pub(crate) mod stage;
pub(crate) mod text;
pub(crate) mod tile_order;
pub(crate) mod tiled;
pub(crate) mod worker;
