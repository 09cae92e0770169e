//! The backends, one file each; those of local files share the names of `directory`.

pub mod callbacks;
mod direct;
pub(crate) mod directory;
pub(crate) mod io_uring;
pub(crate) mod look;
mod mapping;
pub mod memory;
pub(crate) mod mmap;
mod patience;
pub(crate) mod std_files;
