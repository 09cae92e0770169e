//! The geometry of chunked arrays: what lies where, and how to move it.
//!
//! A [`Region`] is a box of elements. A [`ChunkGrid`] cuts an array into chunks. A [`Strides`] says where the elements of a region
//! lie in a buffer. [`copy_region`] moves a part from one layout to another. A [`Tile`] is a buffer that many threads fill at once,
//! each its own chunks.
//!
//! **It owns** the arithmetic of indices, copies in blocks, tiles, and fill values. Shapes come from files, so every size is checked.
//!
//! **It never knows** files, codecs, or what an element means: an element is so many bytes.
//!
//! **Call [`ChunkGrid::new`] first.** A grid names the chunks that a region needs, and the elements of each.
//!
//! ```
//! use zarrange_grid::{ChunkGrid, Strides, Region, copy_region};
//!
//! let grid = ChunkGrid::new(&[100, 50], &[10, 50])?;
//! let wanted = Region::new(vec![15, 7], vec![1, 1]);
//! let chunks = grid.covering(&wanted);
//! assert_eq!((chunks.start(), chunks.shape()), (&[1, 0][..], &[1, 1][..]));
//!
//! // One byte for each element. The chunk holds the rows 10 to 19, and one element of row 15 is copied out of it.
//! let chunk = grid.region(&[1, 0]);
//! let mut bytes = vec![0; 500];
//! bytes[5 * 50 + 7] = 42;
//! let mut element = [0];
//! let (from, to) = (Strides::c_order(chunk, 1), Strides::c_order(wanted.clone(), 1));
//! copy_region(&wanted, (&bytes, &from), (&mut element, &to), 1);
//! assert_eq!(element, [42]);
//! # Ok::<(), zarrange_grid::GridError>(())
//! ```
//!
//! Rejected: `ndarray`. Its views carry a type and a lifetime for each array. The engine moves bytes without a type between buffers
//! that it owns and uses again, and its copies must be blocked for the cache lines of both layouts.

mod cast;
mod copy;
mod digest;
mod edges;
mod error;
mod fill;
mod grid;
mod kernel;
mod reduced;
mod region;
mod strides;
mod tile;

pub use cast::index;
pub use copy::{copy_region, copy_strided, copy_swapped};
pub use digest::Digester;
pub use edges::Edges;
pub use error::GridError;
pub use fill::{fill_with, is_filled};
pub use grid::{ChunkGrid, checked_bytes};
pub use region::{Dims, Region};
pub use strides::Strides;
pub use tile::{Filled, LentTile, Part, Tile};
