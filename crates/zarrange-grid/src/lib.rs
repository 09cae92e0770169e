//! The geometry of chunked arrays: what is where, and how to move it.
//!
//! A [`Region`] is a box of elements, a [`ChunkGrid`] cuts an array into chunks, a [`Layout`] says where the
//! elements of a region lie in a buffer, [`copy_region`] moves a part from one layout to another, and a [`Tile`]
//! is a buffer that many threads fill, each its own chunks.
//!
//! Owned here: index arithmetic (checked: shapes come from files), blocked copies, fill detection. Not known
//! here: files, codecs, data types beyond their size in bytes.
//!
//! Rejected: `ndarray`. Its views carry a type and a lifetime for each array; the engine moves untyped bytes
//! between buffers that it owns and recycles, and needs the copy blocked for cache lines across both layouts.

mod cast;
mod copy;
mod edges;
mod error;
mod fill;
mod grid;
mod kernel;
mod layout;
mod reduced;
mod region;
mod tile;

pub use cast::index;
pub use copy::{copy_region, copy_strided, copy_swapped};
pub use edges::Edges;
pub use error::GridError;
pub use fill::{fill_with, is_filled};
pub use grid::{ChunkGrid, checked_bytes};
pub use layout::Layout;
pub use region::{Dims, Region};
pub use tile::{Filled, Part, Tile};
