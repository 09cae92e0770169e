//! Bytes by key and range, over interchangeable backends.
//!
//! A [`Location`] names a place, an [`Opener`] opens it, a [`Store`] is that place opened: keys below it, read and written through a
//! [`Backend`] in blocking batches (every request submitted, every result reaped before the call returns), listed and
//! renamed through a [`Namespace`]. Backends: [`backends::std_files`] (positioned reads and writes of local files) and
//! [`backends::memory`] (tests, `memory://`). [`wrappers`] around any of them count what passes, or let a call go wrong.
//!
//! Owned here: opening, reading, writing, durability, and the safety of keys. Not known here: arrays and chunks.
//!
//! Rejected: async signatures. A blocking batch that always drains makes borrowed buffers sound; a dropped future
//! does not, and callers here have nothing else to do than to wait for the batch.

mod backend;
pub mod backends;
mod error;
mod key;
mod location;
mod opener;
mod pages;
mod store;
pub mod wrappers;

pub use backend::{
    Access, Backend, Change, Entry, Extent, Namespace, Object, ReadRequest, Source, WriteRequest,
};
pub use error::IoError;
pub use location::Location;
pub use opener::Opener;
pub use pages::advise_huge_pages;
pub use store::{METADATA_BYTES_MAX, Store};
