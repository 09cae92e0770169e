//! Backends by their names.
#![expect(unsafe_code, reason = "the promise of the mmap backend is passed on to who chooses it")]

use std::collections::HashMap;
use std::process;
use std::sync::{LazyLock, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zarrange_io::{Opener, STD_THREADS};

use crate::errors::exception;

/// Backends by process and name. To look whether there is one, and to start its threads, takes as long as a small job. Those of a process
/// that was forked stay and are not used: their threads are not in this one, and cannot be ended.
static OPENERS: LazyLock<Mutex<HashMap<(u32, String), Opener>>> = LazyLock::new(Mutex::default);

/// The backend of a name, for what may change while it is read: so there is no `mmap`. One is made for a process.
pub(crate) fn opener(name: &str) -> PyResult<Opener> {
    let key = (process::id(), name.to_owned());
    let openers = || OPENERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = openers().get(&key) {
        return Ok(found.clone());
    }
    let made = match name {
        "auto" => Opener::auto(),
        "std" => Opener::std_pool(STD_THREADS),
        "io_uring" => Opener::io_uring().map_err(|error| exception(&error))?,
        _ => {
            let known = "none of 'auto', 'std' and 'io_uring'";
            return Err(PyValueError::new_err(format!("backend='{name}' is {known}")));
        }
    };
    Ok(openers().entry(key).or_insert(made).clone())
}

/// A backend, with the threads that it has.
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
