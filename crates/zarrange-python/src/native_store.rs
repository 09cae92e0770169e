//! A folder of this machine as a store: what `zarrange.Store` needs of a backend.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::{
    Access, Change, Extent, IoError, Location, Object, ReadRequest, Source, Store, WriteRequest,
};

use crate::backend::Backend;
use crate::buffers::{Bytes, Room};
use crate::errors::exception;

/// The objects of a folder.
#[pyclass(frozen, module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) store: Store,
    counters: Arc<IoCounters>,
}

/// What is wanted of an object: its key, the first byte, and the byte behind the last. Without a first byte so many bytes of its end.
type Wanted = (String, Option<u64>, Option<u64>);

/// An object that is there, and what of it is wanted.
struct Found {
    object: Object,
    offset: u64,
    bytes: usize,
}

#[pymethods]
impl Files {
    /// The store of a folder that is there; where it is told to, with everything that passes counted.
    #[new]
    fn new(path: PathBuf, backend: &Backend, counts: bool) -> PyResult<Self> {
        let store = backend.0.open(&Location::Path(path)).map_err(|error| exception(&error))?;
        let counters = Arc::default();
        let store = if counts { counting(store, &counters) } else { store };
        Ok(Self { store, counters })
    }

    /// The name of the backend.
    #[getter]
    fn backend(&self) -> &'static str {
        self.store.backend()
    }

    /// What passed so far, by name; zeros where nothing is counted.
    fn counts(&self) -> [(&'static str, u64); 9] {
        let counts = self.counters.counts();
        [
            ("reads", counts.reads),
            ("read_bytes", counts.read_bytes),
            ("writes", counts.writes),
            ("written_bytes", counts.written_bytes),
            ("opens", counts.opens),
            ("batches", counts.batches),
            ("hops", counts.hops),
            ("lists", counts.lists),
            ("changes", counts.changes),
        ]
    }

    /// For each of `wanted` its bytes as an array of numpy, `None` if there is no such object, or an exception.
    fn get<'py>(&self, py: Python<'py>, wanted: Vec<Wanted>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let found = py.detach(|| wanted.into_iter().map(|wanted| self.find(&wanted)).collect::<Vec<_>>());
        let mut arrays = Vec::with_capacity(found.len());
        for found in &found {
            arrays
                .push(found.as_ref().ok().and_then(Option::as_ref).map(|f| empty(py, f.bytes)).transpose()?);
        }
        let rooms = arrays.iter().map(|array| array.as_ref().map(Room::of).transpose());
        let mut rooms: Vec<Option<Room>> = rooms.collect::<PyResult<_>>()?;
        let mut outcomes: Vec<Result<(), IoError>> = py.detach(|| self.read(&found, &mut rooms));
        let answer = |(k, found): (usize, Result<Option<Found>, IoError>)| {
            let read = found.and_then(|_| std::mem::replace(&mut outcomes[k], Ok(())));
            Ok(match (read, arrays[k].take()) {
                (Err(error), _) => exception(&error).into_value(py).into_bound(py).into_any(),
                (Ok(()), Some(array)) => array,
                (Ok(()), None) => py.None().into_bound(py),
            })
        };
        found.into_iter().enumerate().map(answer).collect()
    }

    /// Puts objects, each whole and in one step; for each `None`, or an exception.
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python")]
    fn put(&self, py: Python<'_>, objects: Vec<(String, Bytes)>) -> Vec<Option<Py<PyAny>>> {
        let outcomes = py.detach(|| {
            let mut batch: Vec<_> =
                objects.iter().map(|(key, data)| WriteRequest::whole(key, data.get(), true)).collect();
            self.store.write(&mut batch);
            batch.into_iter().map(|request| request.result).collect::<Vec<_>>()
        });
        let failed =
            |outcome: Result<(), IoError>| outcome.err().map(|e| exception(&e).into_value(py).into_any());
        outcomes.into_iter().map(failed).collect()
    }

    /// Puts an object unless there is one; whether it did.
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python")]
    fn put_new(&self, py: Python<'_>, key: &str, data: Bytes) -> PyResult<bool> {
        py.detach(|| self.store.put_new(key, data.get())).map_err(|error| exception(&error))
    }

    /// The bytes of an object; `None` if there is none.
    fn size(&self, py: Python<'_>, key: &str) -> PyResult<Option<u64>> {
        py.detach(|| self.size_of(key)).map_err(|error| exception(&error))
    }

    /// The bytes of all objects below a folder.
    fn bytes_below(&self, py: Python<'_>, folder: &str) -> PyResult<u64> {
        let mut sum = 0;
        let mut add = |_: &str, bytes: u64| sum += bytes;
        py.detach(|| none_of(self.store.walk(folder, &mut add))).map_err(|error| exception(&error))?;
        Ok(sum)
    }

    /// The keys of all objects that begin with `prefix`.
    fn keys(&self, py: Python<'_>, prefix: &str) -> PyResult<Vec<String>> {
        py.detach(|| self.keys_of(prefix)).map_err(|error| exception(&error))
    }

    /// The names of what is directly in a folder.
    fn names(&self, py: Python<'_>, folder: &str) -> PyResult<Vec<String>> {
        let names = py.detach(|| none_of(self.store.list(folder))).map_err(|error| exception(&error))?;
        Ok(names.into_iter().map(|entry| entry.name).collect())
    }

    /// Deletes an object, or a folder with all that is in it, if there is one.
    fn delete(&self, py: Python<'_>, key: &str) -> PyResult<()> {
        if key.is_empty() {
            return Err(PyValueError::new_err("key='' is no object that could be deleted"));
        }
        py.detach(|| self.store.change(Change::Remove(key))).map_err(|error| exception(&error))
    }

    /// Deletes all that is in a folder, and the folder unless it is that of the store.
    fn delete_folder(&self, py: Python<'_>, folder: &str) -> PyResult<()> {
        py.detach(|| {
            if folder.is_empty() {
                let all = self.store.list("")?;
                return all.iter().try_for_each(|entry| self.store.change(Change::Remove(&entry.name)));
            }
            // An object of that name is not in it.
            if self.size_of(folder)?.is_some() { Ok(()) } else { self.store.change(Change::Remove(folder)) }
        })
        .map_err(|error: IoError| exception(&error))
    }
}

impl Files {
    /// Opens an object; `None` if there is none.
    fn open(&self, key: &str) -> Result<Option<(Object, u64)>, IoError> {
        let object = match self.store.open(key, Access::Read) {
            Err(error) if is_folder(&error) => return Ok(None),
            other => other?,
        };
        let Some(object) = object else { return Ok(None) };
        let location = || format!("{}/{key}", self.store.label());
        let bytes = object.bytes();
        let bytes =
            bytes.map_err(|source| IoError::Os { operation: "read size", location: location(), source })?;
        Ok(Some((object, bytes)))
    }

    fn size_of(&self, key: &str) -> Result<Option<u64>, IoError> {
        Ok(self.open(key)?.map(|(_, bytes)| bytes))
    }

    /// Looks for what is wanted; what lies behind the end of an object is left out.
    fn find(&self, (key, begin, end): &Wanted) -> Result<Option<Found>, IoError> {
        let Some((object, size)) = self.open(key)? else { return Ok(None) };
        let (offset, end) = match begin {
            Some(begin) => ((*begin).min(size), end.unwrap_or(size).min(size)),
            None => (size.saturating_sub(end.unwrap_or(size)), size),
        };
        let bytes = zarrange_grid::index(end.saturating_sub(offset));
        Ok(Some(Found { object, offset, bytes }))
    }

    /// Reads all that was found, in one batch.
    fn read(
        &self,
        found: &[Result<Option<Found>, IoError>],
        rooms: &mut [Option<Room>],
    ) -> Vec<Result<(), IoError>> {
        let found = found.iter().map(|found| found.as_ref().ok().and_then(Option::as_ref));
        let mut outcomes: Vec<_> = rooms.iter().map(|_| Ok(())).collect();
        let pairs = found.zip(rooms).enumerate();
        let (numbers, mut batch): (Vec<usize>, Vec<ReadRequest<'_>>) = pairs
            .filter_map(|(k, (found, room))| {
                let (found, room) = (found.filter(|found| found.bytes > 0)?, room.as_mut()?);
                let extent = Extent::From(found.offset);
                Some((k, ReadRequest::new(Source::Open(&found.object), extent, room.bytes())))
            })
            .unzip();
        self.store.read(&mut batch);
        for (k, request) in numbers.into_iter().zip(batch) {
            outcomes[k] = request.result.map(drop);
        }
        outcomes
    }

    fn keys_of(&self, prefix: &str) -> Result<Vec<String>, IoError> {
        let mut keys = Vec::new();
        // No key begins so, and what is behind the slash is not asked for.
        if prefix.starts_with('/') {
            return Ok(keys);
        }
        let mut push = |key: &str, _: u64| keys.push(key.to_owned());
        let (folder, begin) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        if begin.is_empty() {
            none_of(self.store.walk(folder, &mut push))?;
        } else {
            let slash = if folder.is_empty() { "" } else { "/" };
            for entry in none_of(self.store.list(folder))?.into_iter().filter(|e| e.name.starts_with(begin)) {
                let key = format!("{folder}{slash}{}", entry.name);
                match entry.bytes {
                    Some(bytes) => push(&key, bytes),
                    None => self.store.walk(&key, &mut push)?,
                }
            }
        }
        Ok(keys)
    }
}

/// An array of bytes that are not set.
fn empty(py: Python<'_>, bytes: usize) -> PyResult<Bound<'_, PyAny>> {
    static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    EMPTY.import(py, "numpy", "empty")?.call1((bytes, "u1"))
}

/// Whether it is that a folder has this name, or an object that of a folder around it: then there is no object.
fn is_folder(error: &IoError) -> bool {
    let is_directory = |source: &std::io::Error| source.kind() == std::io::ErrorKind::IsADirectory;
    error.is_no_directory() || matches!(error, IoError::Os { source, .. } if is_directory(source))
}

/// A listing; in what is no folder there is nothing.
fn none_of<T: Default>(listed: Result<T, IoError>) -> Result<T, IoError> {
    match listed {
        Err(error) if error.is_no_directory() => Ok(T::default()),
        other => other,
    }
}
