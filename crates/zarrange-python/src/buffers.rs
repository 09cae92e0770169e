//! Memory of Python, read and written where it lies.
#![expect(unsafe_code, reason = "the memory of another language is read and written")]

use std::slice;

use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
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

/// Contiguous bytes of a Python object that may be written: `array.reshape(-1).view("u1")`. It is to be dropped with the interpreter.
pub(crate) struct Room(PyBuffer<u8>);

impl Room {
    /// # Errors
    /// If the object cannot be written or is not contiguous.
    pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyBuffer::get(given)?;
        if buffer.readonly() || !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err(
                "this memory cannot be written: it is read-only, or not contiguous",
            ));
        }
        Ok(Self(buffer))
    }

    /// The bytes.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        let (data, count) = (self.0.buf_ptr().cast::<u8>(), self.0.item_count());
        if data.is_null() || count == 0 {
            return &mut [];
        }
        // SAFETY: the object that the buffer is of keeps these bytes where they are as long as it is held, which is contiguous and can be
        // written. Python may look at them meanwhile and see some of them new, as with all that numpy does without the interpreter.
        unsafe { slice::from_raw_parts_mut(data, count) }
    }
}
