//! The bytes of a file, forward.

use std::io::{BufRead, ErrorKind, Read};

use crate::error::TableError;
use crate::input::Input;

/// What these files are called in messages.
const FORMAT: &str = "FITS";

/// Bytes for which room is made at once: what a file says of its size is believed when the bytes are there.
const STEP_BYTES: u64 = 4 << 20;

/// The bytes of a file that are left.
pub(super) struct Stream {
    path: String,
    bytes: Box<dyn BufRead>,
}

impl Stream {
    pub(super) fn new(input: Input) -> Self {
        Self { path: input.label(), bytes: input.bytes }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The file is not what it begins as.
    pub(super) fn broken(&self, reason: String) -> TableError {
        TableError::Format { path: self.path.clone(), format: FORMAT, reason }
    }

    /// Reads so many bytes into `buffer`, in place of what was in it; fewer where the file ends.
    pub(super) fn fill(&mut self, buffer: &mut Vec<u8>, bytes: u64) -> Result<(), TableError> {
        buffer.clear();
        let mut left = bytes;
        while left > 0 {
            let step = left.min(STEP_BYTES);
            buffer.reserve_exact(usize::try_from(step).unwrap_or(usize::MAX));
            let read = (&mut self.bytes).take(step).read_to_end(buffer);
            let read = read.map_err(|source| TableError::Read { path: self.path.clone(), source })? as u64;
            if read < step {
                break;
            }
            left -= read;
        }
        Ok(())
    }

    /// Leaves so many bytes out; `false` if the file ends before.
    pub(super) fn skip(&mut self, bytes: u64) -> Result<bool, TableError> {
        let mut left = bytes;
        while left > 0 {
            let here = match self.bytes.fill_buf() {
                Ok(here) => here.len(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => return Err(TableError::Read { path: self.path.clone(), source }),
            };
            if here == 0 {
                return Ok(false);
            }
            let step = usize::try_from(left).map_or(here, |left| left.min(here));
            self.bytes.consume(step);
            left -= step as u64;
        }
        Ok(true)
    }
}
