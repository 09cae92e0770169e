//! Errors as exceptions, of the types that users of rechunker know.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;

use pyo3::create_exception;
use pyo3::exceptions::{
    PyFileExistsError, PyFileNotFoundError, PyIndexError, PyInterruptedError, PyKeyError, PyMemoryError,
    PyOSError, PyRuntimeError, PyTimeoutError, PyValueError,
};
use pyo3::prelude::*;
use zarrange_array::ArrayError;
use zarrange_io::IoError;
use zarrange_lightcurve::LightCurveError;
use zarrange_rechunk::{PlanFileError, RechunkError, SharedError, SpecError};
use zarrange_table::TableError;

create_exception!(
    zarrange,
    CorruptChunkError,
    PyValueError,
    "A chunk of an array cannot be decoded. The message names the array, the chunk and what is wrong with it."
);

create_exception!(
    zarrange,
    ConflictError,
    PyValueError,
    "A value is stored, and another is given for the same. Nothing of that epoch was written."
);

create_exception!(
    zarrange,
    VerificationError,
    PyRuntimeError,
    "What was written differs from the source: nothing of it is left. The message names the array, the element and both values."
);

/// An exception that a store has raised, on its way back to Python.
#[derive(Debug)]
pub(crate) struct Raised(PyErr);

impl Raised {
    /// The same exception, to be raised again.
    fn again(&self) -> PyErr {
        Python::attach(|py| self.0.clone_ref(py))
    }
}

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Error for Raised {}

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
    if let Some(error) = error.downcast_ref::<SharedError>() {
        return match error {
            SharedError::Plan(error) => of_cause(error.as_ref(), &text()),
            SharedError::Rechunk(error) => of_cause(error.as_ref(), &text()),
            SharedError::NotBegun { .. } => Some(PyFileNotFoundError::new_err(text())),
            SharedError::NoStage { .. } | SharedError::NoShare { .. } => Some(PyIndexError::new_err(text())),
            SharedError::Receipt { .. } => Some(PyValueError::new_err(text())),
            SharedError::Left(_) => Some(PyOSError::new_err(text())),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<PlanFileError>() {
        return match error {
            PlanFileError::Source(error) => of_cause(error, &text()),
            PlanFileError::Replaced { .. } => Some(PyFileExistsError::new_err(text())),
            PlanFileError::Io(_) => Some(PyOSError::new_err(text())),
            _ => Some(PyValueError::new_err(text())),
        };
    }
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
            RechunkError::Room { .. } | RechunkError::Intermediate { .. } => Some(PyOSError::new_err(text())),
            RechunkError::Differs(_) => Some(VerificationError::new_err(text())),
            RechunkError::Stopped { .. } => Some(PyInterruptedError::new_err(text())),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<SpecError>() {
        return Some(of_spec(error, text()));
    }
    if let Some(error) = error.downcast_ref::<ArrayError>() {
        return of_array(error, text());
    }
    if let Some(error) = error.downcast_ref::<LightCurveError>() {
        return of_light_curves(error, text());
    }
    if let Some(error) = error.downcast_ref::<TableError>() {
        return Some(match error {
            TableError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                PyFileNotFoundError::new_err(text())
            }
            TableError::Read { .. } => PyOSError::new_err(text()),
            _ => PyValueError::new_err(text()),
        });
    }
    match error.downcast_ref::<IoError>()? {
        IoError::BadKey(_) => Some(PyValueError::new_err(text())),
        IoError::NotFound { .. } => Some(PyFileNotFoundError::new_err(text())),
        IoError::Stopped(_) => Some(PyInterruptedError::new_err(text())),
        error if error.is_taken() => Some(PyFileExistsError::new_err(text())),
        _ => Some(PyOSError::new_err(text())),
    }
}

fn of_array(error: &ArrayError, text: String) -> Option<PyErr> {
    match error {
        ArrayError::Chunk { .. } => Some(CorruptChunkError::new_err(text)),
        ArrayError::TargetExists(_)
        | ArrayError::TargetInPlace(_)
        | ArrayError::TargetNotZarr(_)
        | ArrayError::TargetLink { .. }
        | ArrayError::TargetBusy { .. }
        | ArrayError::TargetShared { .. }
        | ArrayError::Leftover { .. }
        | ArrayError::TargetChanged(_) => Some(PyFileExistsError::new_err(text)),
        ArrayError::NotZarr { .. } => Some(PyFileNotFoundError::new_err(text)),
        ArrayError::Metadata { .. }
        | ArrayError::Shape { .. }
        | ArrayError::Opaque { .. }
        | ArrayError::Overlap { .. }
        | ArrayError::TempInside { .. }
        | ArrayError::TempUnable(_)
        | ArrayError::NoShared(_)
        | ArrayError::NoTemp(_) => Some(PyValueError::new_err(text)),
        ArrayError::TooMany { .. } => Some(PyMemoryError::new_err(text)),
        ArrayError::Stranded { .. } => Some(PyOSError::new_err(text)),
        ArrayError::Io(source)
        | ArrayError::ChunkIo { source, .. }
        | ArrayError::TargetKept { source, .. } => of_cause(source, &text),
        _ => None,
    }
}

fn of_light_curves(error: &LightCurveError, text: String) -> Option<PyErr> {
    use LightCurveError as E;
    Some(match error {
        E::Array(error) => return of_cause(error, &text),
        E::Io(error) => return of_cause(error, &text),
        E::Rechunk(error) => return of_cause(error.as_ref(), &text),
        E::Table(error) => return of_cause(error, &text),
        E::Partly { source, .. } | E::SomeEpochs { source, .. } => {
            return of_light_curves(source, text);
        }
        E::Conflict { .. } => ConflictError::new_err(text),
        E::Dimension { .. } | E::Values { .. } | E::NoLabel { .. } | E::Variable { .. } => {
            PyKeyError::new_err(text)
        }
        E::Index { .. } => PyIndexError::new_err(text),
        E::Memory { .. }
        | E::ChunkMemory { .. }
        | E::TableMemory { .. }
        | E::LabelMemory { .. }
        | E::Room { .. } => PyMemoryError::new_err(text),
        E::Busy { .. } | E::BusyStore { .. } => PyTimeoutError::new_err(text),
        E::Grown { .. } | E::HalfAdded { .. } => PyRuntimeError::new_err(text),
        E::Rejects { .. } => PyOSError::new_err(text),
        _ => PyValueError::new_err(text),
    })
}

fn of_spec(error: &SpecError, text: String) -> PyErr {
    match error {
        SpecError::Dimension { .. } | SpecError::UnknownArray { .. } => PyKeyError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}
