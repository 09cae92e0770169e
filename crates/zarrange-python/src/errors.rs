//! Errors as exceptions, of the types that users of rechunker know.

use std::error::Error;

use pyo3::create_exception;
use pyo3::exceptions::{
    PyFileExistsError, PyFileNotFoundError, PyKeyError, PyMemoryError, PyOSError, PyRuntimeError,
    PyValueError,
};
use pyo3::prelude::*;
use zarrange_array::ArrayError;
use zarrange_io::IoError;
use zarrange_rechunk::{RechunkError, SpecError};

use crate::stores::Raised;

create_exception!(
    zarrange,
    CorruptChunkError,
    PyValueError,
    "A chunk of an array cannot be decoded. The message names the array, the chunk and what is wrong with it."
);

/// The exception of an error. One that a store in Python has raised is that exception again, with its traceback.
pub(crate) fn exception(error: &(dyn Error + 'static)) -> PyErr {
    if let Some(raised) = chain(error).find_map(|cause| cause.downcast_ref::<Raised>()) {
        return raised.again();
    }
    let text = told(error);
    chain(error).find_map(|cause| of_cause(cause, &text)).unwrap_or_else(|| PyRuntimeError::new_err(text))
}

/// An error, and what caused it.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// What an error says, with those of its causes that it does not repeat.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in chain(error).skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The exception that an error says by its type.
fn of_cause(error: &(dyn Error + 'static), text: &str) -> Option<PyErr> {
    let text = || text.to_owned();
    if let Some(error) = error.downcast_ref::<RechunkError>() {
        return match error {
            RechunkError::Spec(error) => Some(of_spec(error, text())),
            RechunkError::Array(error) => of_cause(error, &text()),
            RechunkError::Io(error) => of_cause(error, &text()),
            RechunkError::Untidy { error, .. } => of_cause(error.as_ref(), &text()),
            RechunkError::Memory { .. }
            | RechunkError::Budget { .. }
            | RechunkError::TextMemory { .. }
            | RechunkError::TextIndexes { .. }
            | RechunkError::Metadata { .. }
            | RechunkError::Plan { .. }
            | RechunkError::Comparing { .. } => Some(PyMemoryError::new_err(text())),
            RechunkError::Members(refusals) => {
                let first = refusals.first.first().map(|refusal| &refusal.error);
                first.and_then(|error| of_cause(error, &text()))
            }
            RechunkError::Foreign { .. } | RechunkError::InTheWay { .. } => {
                Some(PyValueError::new_err(text()))
            }
            RechunkError::Room { .. } => Some(PyOSError::new_err(text())),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<SpecError>() {
        return Some(of_spec(error, text()));
    }
    if let Some(error) = error.downcast_ref::<ArrayError>() {
        return match error {
            ArrayError::Chunk { .. } => Some(CorruptChunkError::new_err(text())),
            ArrayError::TargetExists(_)
            | ArrayError::TargetInPlace(_)
            | ArrayError::TargetNotZarr(_)
            | ArrayError::TargetLink { .. } => Some(PyFileExistsError::new_err(text())),
            ArrayError::NotZarr { .. } => Some(PyFileNotFoundError::new_err(text())),
            ArrayError::Metadata { .. } => Some(PyValueError::new_err(text())),
            ArrayError::Io(error) => of_cause(error, &text()),
            _ => None,
        };
    }
    match error.downcast_ref::<IoError>()? {
        IoError::BadKey(_) => Some(PyValueError::new_err(text())),
        IoError::NotFound { .. } => Some(PyFileNotFoundError::new_err(text())),
        error if error.is_taken() => Some(PyFileExistsError::new_err(text())),
        _ => Some(PyOSError::new_err(text())),
    }
}

fn of_spec(error: &SpecError, text: String) -> PyErr {
    match error {
        SpecError::Dimension { .. } | SpecError::UnknownArray { .. } => PyKeyError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}
