//! Bytes by key and range, over interchangeable backends.
//!
//! A [`Location`] says where something is, an [`Opener`] opens it, and the [`Store`] is that place opened: keys below it, whose objects
//! are read, written, listed and renamed. This is the first thing to call:
//!
//! ```
//! use zarrange_io::{IoError, Location};
//!
//! let store = "memory://survey".parse::<Location>()?.open()?;
//! store.put("night/1", b"flux")?;
//! assert_eq!(store.get("night/1", 1024)?.as_deref(), Some(&b"flux"[..]));
//! assert_eq!(store.get("night/2", 1024)?, None);
//! # Ok::<(), IoError>(())
//! ```
//!
//! **Owned here**: opening, reading, writing, durability, the page cache, and the safety of keys. **Never known here**: arrays and chunks.
//!
//! A store stands on two traits. A [`Backend`] reads and writes in blocking batches: every request is submitted, and every result there,
//! before the call returns. A [`Namespace`] opens, lists and renames. An open [`Object`] is its key and a [`Handle`] of who opened it.
//! What a store can do, it says ([`Abilities`]).
//!
//! | backend | what it reads and writes |
//! |---|---|
//! | `std` | local files, by positioned reads and writes; reads of a batch by some threads, if asked for |
//! | `mmap` | local files, read through memory mappings |
//! | `io_uring` | local files, many requests at a time from one thread |
//! | [`backends::memory`] | objects in memory: tests, and `memory://` |
//! | [`backends::callbacks`] | whole objects of anybody: an object store, a store of another language |
//!
//! The first three are chosen by the [`Opener`]. [`wrappers`] around any backend count what passes, let a call go wrong, take the time of
//! a slower store, or end work in an orderly way ([`Stop`]). [`Coalescing`] joins neighbouring ranges before a backend sees them, so that
//! all backends see the same requests. [`zarrs::ZarrsStore`] is a store as zarrs wants one; [`cache`] and [`device`] serve measurements.
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
mod making;
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
    Abilities, Access, Backend, Change, Entry, Extent, FileId, Handle, Lock, Mark, Namespace, Object,
    ReadRequest, Seen, Source, Visit, WriteRequest,
};
pub use backends::directory::is_temporary;
pub use coalesce::{Coalescing, Run};
pub use error::IoError;
pub use location::Location;
pub use machine::{Machine, token};
pub use making::Making;
pub use opener::{Opener, STD_THREADS};
pub use place::Room;
pub use stop::{Stop, Stopped};
pub use store::{METADATA_BYTES_MAX, Replacement, Store};
pub use tree::{Kept, Tree};
pub use walk::Walk;
