//! One file for each backend.

pub mod memory;
pub mod std_files;
