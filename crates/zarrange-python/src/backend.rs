//! Backends by their names.
#![expect(unsafe_code, reason = "the promise of the mmap backend is passed on to who chooses it")]

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zarrange_io::{Opener, STD_THREADS};

use crate::errors::exception;

/// The backend of a name, for what may change while it is read: so there is no `mmap`.
pub(crate) fn opener(name: &str) -> PyResult<Opener> {
    match name {
        "auto" => Ok(Opener::auto()),
        "std" => Ok(Opener::std_pool(STD_THREADS)),
        "io_uring" => Opener::io_uring().map_err(|error| exception(&error)),
        _ => Err(PyValueError::new_err(format!("backend='{name}' is none of 'auto', 'std' and 'io_uring'"))),
    }
}

/// A backend, with the threads that it has. One is made for a process, not for each store.
#[pyclass(frozen, module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct Backend(pub(crate) Opener);

#[pymethods]
impl Backend {
    #[new]
    fn new(name: &str) -> PyResult<Self> {
        // SAFETY: `zarrange.Store` has it for stores that are only read, and who asks for it by name is told there that nobody may change
        // the files.
        Ok(Self(if name == "mmap" { unsafe { Opener::mmap() } } else { opener(name)? }))
    }
}
