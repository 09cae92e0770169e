//! `zarrange-bench`, and its advice.

use std::ffi::OsString;

use bench_harness::program::Program;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zarrange::advise::ask::Usage;
use zarrange_io::Stop;

use crate::errors::exception;
use crate::work::watched;

/// The command lines that start `zarrange-bench` and `zarrange`.
type Lines = (Vec<OsString>, Vec<OsString>);

fn program((bench, zarrange): Lines) -> Program {
    Program { bench, zarrange: Some(zarrange) }
}

/// Runs the command `zarrange-bench` with a command line, the name of the program first; what went wrong, if something did. `lines` start it
/// and `zarrange`.
#[pyfunction]
pub(crate) fn bench(py: Python<'_>, line: Vec<OsString>, lines: Lines) -> Option<String> {
    let done = py.detach(|| bench_harness::run(line, program(lines)));
    done.err().map(|error| format!("{error:?}"))
}

/// What `zarrange-bench advise --json` prints for these options.
#[pyfunction]
pub(crate) fn advise(py: Python<'_>, options: Vec<OsString>, lines: Lines) -> PyResult<String> {
    // It reads little, and what measures for it are other processes, which a signal ends: nothing is to be stopped.
    let stop = Stop::default();
    let advised = watched(py, &stop, || bench_harness::advise_json(options, program(lines)))?;
    advised.map_err(|error| {
        if error.is::<Usage>() { PyValueError::new_err(error.to_string()) } else { exception(error.as_ref()) }
    })
}
