//! Work without the interpreter, which a signal of Python stops: what was begun is tidied up first.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use zarrange_io::Stop;

/// What is asked to stop by Ctrl-C, and tells stores in Python so, for they wait for others.
#[pyclass(frozen, module = "zarrange._native", name = "Stop")]
#[derive(Debug, Default)]
pub(crate) struct Stopper(pub(crate) Stop);

#[pymethods]
impl Stopper {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    fn request(&self) {
        self.0.request();
    }

    /// Whether it was asked.
    #[getter]
    fn requested(&self) -> bool {
        self.0.is_requested()
    }
}

/// How soon Ctrl-C is noticed, at the latest.
const LOOK: Duration = Duration::from_millis(50);

/// The stack of the thread that works: as large as that of a process.
const STACK_BYTES: usize = 8 << 20;

/// Does `work` in a thread of its own, for this one looks at signals meanwhile. If there was one, its exception is the result, after the
/// work has stopped.
///
/// # Errors
/// The exception of a signal, or if there is no thread.
pub(crate) fn watched<T: Send>(py: Python<'_>, stop: &Stop, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| {
        std::thread::scope(|scope| {
            let (done, result) = sync_channel(1);
            let thread = std::thread::Builder::new().name("zarrange".to_owned()).stack_size(STACK_BYTES);
            // What is not received any more is dropped.
            thread.spawn_scoped(scope, move || drop(done.send(work())))?;
            let mut interrupted = None;
            loop {
                match result.recv_timeout(LOOK) {
                    Ok(value) => return interrupted.map_or(Ok(value), Err),
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(PyRuntimeError::new_err("internal error: the work panicked"));
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        if interrupted.is_none() {
                            interrupted = signal();
                            if interrupted.is_some() {
                                stop.request();
                            }
                        }
                    }
                }
            }
        })
    })
}

/// The exception of a signal that came, if one did.
fn signal() -> Option<PyErr> {
    Python::attach(|py| {
        let looked: PyResult<()> = py.check_signals();
        looked.err()
    })
}
