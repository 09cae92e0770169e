//! Memory of Python, read where it lies.
#![expect(unsafe_code, reason = "the memory of another language is read")]

use std::slice;

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Contiguous bytes that a Python object holds, such as an array of numpy. They are there as long as this is.
pub(crate) struct Bytes(PyUntypedBuffer);

impl<'a, 'py> FromPyObject<'a, 'py> for Bytes {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(&given)?;
        if buffer.is_c_contiguous() {
            Ok(Self(buffer))
        } else {
            Err(PyValueError::new_err("bytes of an array are taken in C order, without gaps"))
        }
    }
}

impl Bytes {
    /// The bytes.
    pub(crate) fn get(&self) -> &[u8] {
        if self.0.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: the buffer is contiguous and has so many bytes, and its owner keeps them where they are until it is given back. That nobody
        // writes to it meanwhile is what numpy, too, asks of whoever shares an array between threads; bytes have no value that is none.
        unsafe { slice::from_raw_parts(self.0.buf_ptr().cast::<u8>().cast_const(), self.0.len_bytes()) }
    }
}
