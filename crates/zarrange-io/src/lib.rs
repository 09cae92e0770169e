//! Bytes by key and range, over interchangeable backends.
//!
//! A [`Location`] names a place, an [`Opener`] opens it, a [`Store`] is that place opened: keys below it, read and written through a
//! [`Backend`] in blocking batches (every request submitted, every result reaped before the call returns), listed and
//! renamed through a [`Namespace`]. Backends of local files: [`backends::std_files`] (positioned reads and writes),
//! [`backends::mmap`] (memory mappings) and [`backends::io_uring`]; [`backends::memory`] for tests and `memory://`.
//! [`wrappers`] around any of them count what passes, let a call go wrong, take the time of a slower store, or end
//! work in an orderly way ([`Stop`]).
//! [`zarrs::ZarrsStore`] is a store as zarrs wants one; [`cache`] and [`device`] serve measurements.
//! [`Coalescing`] joins neighbouring ranges before a backend sees them, so that all backends see the same requests.
//!
//! Owned here: opening, reading, writing, durability, the page cache, and the safety of keys. Not known here: arrays and
//! chunks.
//!
//! Rejected: async signatures. A blocking batch that always drains makes borrowed buffers sound; a dropped future
//! does not, and callers here have nothing else to do than to wait for the batch. For the same reason the ring is driven
//! directly and not through `tokio-uring`: that would take ownership of every buffer and bring a runtime into each
//! thread, pins an `io-uring` of 2023, and has had no release since May 2024.

mod advice;
mod backend;
pub mod backends;
pub mod cache;
mod cachestat;
mod coalesce;
pub mod device;
mod error;
mod key;
mod location;
mod machine;
mod opener;
mod place;
mod removal;
mod stop;
mod store;
mod tree;
mod walk;
pub mod wrappers;
pub mod zarrs;

pub use advice::{HugePages, one_arena, zeroed};
pub use backend::{
    Abilities, Access, Backend, Change, Entry, Extent, FileId, Handle, Lock, Namespace, Object, ReadRequest,
    Seen, Source, Visit, WriteRequest,
};
pub use coalesce::{Coalescing, Run};
pub use error::IoError;
pub use location::Location;
pub use machine::{Machine, token};
pub use opener::{Opener, STD_THREADS};
pub use place::Room;
pub use stop::{Stop, Stopped};
pub use store::{METADATA_BYTES_MAX, Replacement, Store};
pub use tree::{Kept, Tree};
pub use walk::Walk;
