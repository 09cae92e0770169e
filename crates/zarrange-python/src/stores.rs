//! Stores that are Python objects, and places as Python names them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use zarrange_io::backends::callbacks::{self, Callbacks, Failure, Get, Listed, Put, Wanted};
use zarrange_io::wrappers::joined::{Part, joined};
use zarrange_io::{Location, Store};

use crate::backend::opener;
use crate::errors::{Raised, exception};

/// A store whose objects a Python object gets and puts, in batches. Its methods are those of `zarrange._stores.Callbacks`.
#[pyclass(frozen, module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct CallbackStore {
    store: Store,
    /// What it calls.
    #[pyo3(get)]
    callbacks: Py<PyAny>,
}

#[pymethods]
impl CallbackStore {
    #[new]
    fn new(py: Python<'_>, callbacks: Py<PyAny>, label: &str) -> PyResult<Self> {
        let gets_parts = callbacks.getattr(py, "gets_parts")?.extract(py)?;
        let objects = Arc::new(Objects { callbacks: callbacks.clone_ref(py), gets_parts });
        Ok(Self { store: callbacks::store(objects, label), callbacks })
    }

    /// This store with parts that lie elsewhere: of each its key, its place, and the names of objects in it that are of this store all
    /// the same. Files are read by the backend of that name.
    fn joined(
        &self,
        py: Python<'_>,
        parts: Vec<(String, Place, Vec<String>)>,
        backend: &str,
    ) -> PyResult<Self> {
        let opener = opener(backend)?;
        let part = |(key, place, documents): (String, Place, Vec<String>)| {
            let store = opener.open(&place.0).map_err(|error| exception(&error))?;
            Ok((key, Part { store, documents }))
        };
        let parts = parts.into_iter().map(part).collect::<PyResult<BTreeMap<_, _>>>()?;
        let store = joined(&self.store, parts).map_err(|error| exception(&error))?;
        Ok(Self { store, callbacks: self.callbacks.clone_ref(py) })
    }
}

/// A place: a path, or a store and a key in it.
pub(crate) struct Place(pub(crate) Location);

impl<'a, 'py> FromPyObject<'a, 'py> for Place {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok((store, key)) = given.extract::<(Bound<'py, CallbackStore>, String)>() {
            return Ok(Self(Location::Store(store.get().store.clone(), key)));
        }
        match given.extract::<PathBuf>() {
            Ok(path) => Ok(Self(Location::Path(path))),
            Err(_) => Err(PyTypeError::new_err("a place is a path, or a store and a key")),
        }
    }
}

/// A name of a listing: whether it is an object's, and its bytes if they are known.
type Name = (String, bool, Option<u64>);

/// The Python object behind a store.
struct Objects {
    callbacks: Py<PyAny>,
    gets_parts: bool,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

fn raised(error: PyErr) -> Failure {
    Box::new(Raised::from(error))
}

/// What is asked for: all of it up to a number of bytes, a range, or its size.
fn asked(get: &Get<'_>) -> (&'static str, u64, u64) {
    match get.wanted() {
        Wanted::Whole => ("whole", 0, get.bytes_max() as u64),
        Wanted::Range(range) => ("range", range.start, range.end),
        Wanted::Size => ("size", 0, 0),
    }
}

/// Gives an answer of Python to whom asked: `None`, bytes, a size, or an exception.
fn answer(get: &mut Get<'_>, answer: &Bound<'_, PyAny>) -> PyResult<()> {
    if answer.is_none() {
        get.missing();
    } else if answer.is_instance_of::<pyo3::exceptions::PyBaseException>() {
        get.failed(raised(PyErr::from_value(answer.clone())));
    } else if let Ok(size) = answer.extract::<u64>() {
        get.has(size);
    } else {
        found(get, answer)?;
    }
    Ok(())
}

/// Bytes of Python, which are copied.
fn found(get: &mut Get<'_>, answer: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(bytes) = answer.cast::<PyBytes>() {
        get.found(bytes.as_bytes());
        return Ok(());
    }
    let buffer = PyBuffer::<u8>::get(answer)?;
    let (bytes, mut copied) = (buffer.item_count(), Ok(()));
    get.found_in(bytes, |to| {
        // Of more than there is room for, only the number is looked at.
        if to.len() == bytes {
            copied = buffer.copy_to_slice(answer.py(), to);
        }
    });
    copied
}

impl Objects {
    fn try_get(&self, py: Python<'_>, gets: &mut [Get<'_>]) -> PyResult<()> {
        let wanted = gets.iter().map(|get| {
            let (kind, begin, end) = asked(get);
            (get.key(), kind, begin, end)
        });
        let wanted = PyList::new(py, wanted)?;
        let answers = self.callbacks.bind(py).call_method1("get", (wanted,))?;
        for (get, given) in gets.iter_mut().zip(answers.try_iter()?) {
            if let Err(error) = given.and_then(|given| answer(get, &given)) {
                get.failed(raised(error));
            }
        }
        Ok(())
    }

    fn try_put(&self, py: Python<'_>, puts: &mut [Put<'_>]) -> PyResult<()> {
        let given = PyList::new(py, puts.iter().map(|put| (put.key(), PyBytes::new(py, put.data()))))?;
        let answers = self.callbacks.bind(py).call_method1("put", (given,))?;
        for (put, answer) in puts.iter_mut().zip(answers.try_iter()?) {
            match answer {
                Ok(answer) if answer.is_none() => put.done(),
                Ok(answer) => put.failed(raised(PyErr::from_value(answer))),
                Err(error) => put.failed(raised(error)),
            }
        }
        Ok(())
    }

    fn try_list(&self, prefix: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> PyResult<()> {
        // Names are visited without the interpreter: visiting may ask for more of this store.
        let names = Python::attach(|py| -> PyResult<Vec<Name>> {
            let names = self.callbacks.bind(py).call_method1("list", (prefix,))?;
            names.try_iter()?.map(|name| name?.extract()).collect()
        })?;
        for (name, is_object, bytes) in &names {
            let listed =
                if *is_object { Listed::Object { name, bytes: *bytes } } else { Listed::Prefix(name) };
            if !visit(listed) {
                break;
            }
        }
        Ok(())
    }
}

impl Callbacks for Objects {
    fn get(&self, gets: &mut [Get<'_>]) {
        Python::attach(|py| {
            if let Err(error) = self.try_get(py, gets) {
                for get in gets {
                    get.failed(raised(error.clone_ref(py)));
                }
            }
        });
    }

    fn put(&self, puts: &mut [Put<'_>]) {
        Python::attach(|py| {
            if let Err(error) = self.try_put(py, puts) {
                for put in puts {
                    put.failed(raised(error.clone_ref(py)));
                }
            }
        });
    }

    fn gets_parts(&self) -> bool {
        self.gets_parts
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<(), Failure> {
        self.try_list(prefix, visit).map_err(raised)
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        let deleted = Python::attach(|py| self.callbacks.bind(py).call_method1("delete", (key,)).map(drop));
        deleted.map_err(raised)
    }
}
