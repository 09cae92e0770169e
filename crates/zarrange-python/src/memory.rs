//! Memory of Python that is filled here, without a copy.
#![expect(unsafe_code, reason = "memory that Python owns is written without the interpreter")]

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

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
        unsafe { std::slice::from_raw_parts_mut(data, count) }
    }
}
