//! What there is at a place, its digest, and whether two places hold the same.

use pyo3::prelude::*;
use zarrange_rechunk::{ArrayDigest, NoProgress};

use crate::backend::opener;
use crate::errors::exception;
use crate::stores::Place;
use crate::work::{Stopper, watched};

/// What `zarrange info --json` prints of a place.
#[pyfunction]
pub(crate) fn describe(py: Python<'_>, place: Place, stop: &Stopper) -> PyResult<String> {
    let stop = &stop.0;
    let io = opener("auto")?.stopped_by(stop.clone());
    let told = watched(py, stop, move || -> Result<_, PyErr> {
        let store = io.open(&place.0).map_err(|error| exception(&error))?;
        zarrange::info_json(&store).map_err(|error| exception(&error))
    })??;
    Ok(String::from_utf8(told)?)
}

/// The first difference of two places, if there is one, and what could not be compared.
#[pyfunction]
#[pyo3(signature = (a, b, *, stop, max_mem, threads, nan_payloads))]
pub(crate) fn verify(
    py: Python<'_>,
    a: Place,
    b: Place,
    stop: &Stopper,
    max_mem: u64,
    threads: u64,
    nan_payloads: bool,
) -> PyResult<(Option<String>, Vec<String>)> {
    let stop = &stop.0;
    let io = opener("auto")?.stopped_by(stop.clone());
    let compared = watched(py, stop, move || {
        zarrange_rechunk::verify((&a.0, &b.0), &io, (max_mem, threads), nan_payloads, &NoProgress)
    })?;
    let compared = compared.map_err(|error| exception(&error))?;
    Ok((compared.difference.map(|difference| difference.to_string()), compared.not_compared))
}

/// The digest of each array at a place, by path, or the exception that says why it has none.
#[pyfunction]
#[pyo3(signature = (place, *, stop, max_mem, threads))]
pub(crate) fn digest(
    py: Python<'_>,
    place: Place,
    stop: &Stopper,
    max_mem: u64,
    threads: u64,
) -> PyResult<Vec<(String, Py<PyAny>)>> {
    let stop = &stop.0;
    let io = opener("auto")?.stopped_by(stop.clone());
    let digests =
        watched(py, stop, move || zarrange_rechunk::digest(&place.0, &io, (max_mem, threads), &NoProgress))?;
    let told = |ArrayDigest { path, digest }| {
        let digest = match digest {
            Ok(digest) => digest.to_string().into_pyobject(py)?.into_any().unbind(),
            Err(error) => exception(&error).into_value(py).into_any(),
        };
        Ok((path, digest))
    };
    digests.map_err(|error| exception(&error))?.into_iter().map(told).collect()
}
