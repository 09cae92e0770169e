//! The extension of the Python package `zarrange`: what it needs of Rust, and no more.
//!
//! **It owns** the border between the two languages: stores that are Python objects (`stores`), folders and arrays that Python reads
//! (`native_store`, `open`), memory of Python that is written here (`memory`), work that goes on without the interpreter
//! and can be interrupted (`work`), and errors as exceptions (`errors`).
//!
//! **It never knows** what rechunker, zarr-python or xarray want: that is Python, in `python/zarrange`, and calls this.
//!
//! No panic crosses into Python as anything else than an exception, and none is meant to.

mod arrays;
mod backend;
mod errors;
mod jobs;
mod memory;
mod native_store;
mod open;
mod stores;
mod work;

use pyo3::prelude::*;

/// What `zarrange` needs of Rust. It is no interface: import `zarrange`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::arrays::{describe, verify};
    #[pymodule_export]
    use crate::backend::Backend;
    #[pymodule_export]
    use crate::command;
    #[pymodule_export]
    use crate::errors::CorruptChunkError;
    #[pymodule_export]
    use crate::jobs::{Job, default_max_mem, threads};
    #[pymodule_export]
    use crate::native_store::Files;
    #[pymodule_export]
    use crate::open::{OpenArray, OpenGroup, open};
    #[pymodule_export]
    use crate::stores::CallbackStore;
}

/// Runs the command `zarrange` with a command line, the name of the program first; its exit code.
#[pyfunction]
fn command(py: Python<'_>, line: Vec<std::ffi::OsString>) -> i32 {
    let code = py.detach(|| zarrange::run(line));
    i32::from(code != std::process::ExitCode::SUCCESS)
}
