//! The backends, one file each; those of local files share the names of [`directory`].

pub mod callbacks;
mod direct;
pub mod directory;
pub mod io_uring;
pub(crate) mod look;
pub mod memory;
pub mod mmap;
mod patience;
pub mod std_files;
