//! Backends by their names.
#![expect(unsafe_code, reason = "the promise of the mmap backend is passed on to who chooses it")]

use std::collections::HashMap;
use std::mem;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zarrange_io::{Opener, STD_THREADS};

use crate::errors::exception;

/// Backends by their names. To look whether there is one, and to start its threads, takes as long as a small job.
static OPENERS: LazyLock<Mutex<HashMap<String, Opener>>> = LazyLock::new(Mutex::default);

fn openers() -> MutexGuard<'static, HashMap<String, Opener>> {
    OPENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This process was forked: the threads of the backends are not in it. They are not ended either, for that would wait for them.
#[pyfunction]
pub(crate) fn note_fork() {
    mem::forget(mem::take(&mut *openers()));
}

/// The backend of a name, for what may change while it is read: so there is no `mmap`. One is made for a process.
pub(crate) fn opener(name: &str) -> PyResult<Opener> {
    if let Some(found) = openers().get(name) {
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
    Ok(openers().entry(name.to_owned()).or_insert(made).clone())
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
