//! The extension of the Python package `zarrange`: what it needs of Rust, and no more.
//!
//! **It owns** the border between the two languages: stores that are Python objects (`stores`), folders and arrays that Python reads
//! (`native_store`, `open`), work that goes on without the interpreter and can be interrupted (`work`), memory and tables that cross it
//! (`buffers`, `tables`), and errors as exceptions (`errors`).
//!
//! **It never knows** what rechunker, zarr-python or xarray want: that is Python, in `python/zarrange`, and calls this.
//!
//! No panic crosses into Python as anything else than an exception, and none is meant to.

mod arrays;
mod backend;
mod bench;
mod buffers;
mod errors;
mod jobs;
mod lightcurves;
mod native_store;
mod open;
mod shared;
mod stores;
mod tables;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;

use pyo3::prelude::*;

/// What `zarrange` needs of Rust. It is no interface: import `zarrange`.
#[pymodule(gil_used = false)]
mod _native {
    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use crate::arrays::{describe, digest, verify};
    #[pymodule_export]
    use crate::backend::{Backend, note_fork};
    #[pymodule_export]
    use crate::bench::{advise, bench};
    #[pymodule_export]
    use crate::command;
    #[pymodule_export]
    use crate::errors::{ConflictError, CorruptChunkError, VerificationError};
    #[pymodule_export]
    use crate::jobs::{Job, default_max_mem, threads};
    #[pymodule_export]
    use crate::lightcurves::LightCurves;
    #[pymodule_export]
    use crate::native_store::Files;
    #[pymodule_export]
    use crate::open::{OpenArray, OpenGroup, open};
    #[pymodule_export]
    use crate::shared::Shared;
    #[pymodule_export]
    use crate::stores::CallbackStore;
    #[pymodule_export]
    use crate::tables::Rows;
    #[pymodule_export]
    use crate::work::Stopper;
}

/// Runs the command `zarrange` with a command line, the name of the program first; its exit code.
#[pyfunction]
fn command(py: Python<'_>, line: Vec<OsString>) -> u8 {
    number(py.detach(|| zarrange::run(line)))
}

/// An exit code as a number, which it does not tell.
fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(1)
}
