//! The bytes of a table.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::error::TableError;

/// Bytes of a buffer of the file.
const BUFFER_BYTES: usize = 1 << 18;

/// What may stand before text in UTF-8.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a table, uncompressed.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Box<dyn BufRead>,
    /// Bytes of the file that were read.
    pub(crate) read: Rc<Cell<u64>>,
    gzipped: bool,
}

impl Input {
    /// Opens the file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, TableError> {
        let failed = |source| TableError::Read { path: path.display().to_string(), source };
        let file = File::open(path).map_err(failed)?;
        // A pipe or device would be waited for; a directory has no bytes.
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "this is no file")));
        }
        let read = Rc::new(Cell::new(0));
        let mut file = BufReader::with_capacity(BUFFER_BYTES, Counted { file, read: read.clone() });
        let gzipped = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let bytes: Box<dyn BufRead> = if gzipped {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self { path: path.to_owned(), bytes, read, gzipped })
    }

    /// Its first bytes.
    pub(crate) fn begin(&mut self) -> Result<&[u8], TableError> {
        let path = self.label();
        self.bytes.fill_buf().map_err(|source| TableError::Read { path, source })
    }

    /// Whether the file is compressed, so that it can only be read in order.
    pub(crate) const fn is_gzipped(&self) -> bool {
        self.gzipped
    }

    /// The path, for messages.
    pub(crate) fn label(&self) -> String {
        self.path.display().to_string()
    }
}

/// A file of which is counted what is read.
struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.set(self.read.get().saturating_add(bytes as u64));
        Ok(bytes)
    }
}

/// Bytes that fail where more is read than is left: a record may have no end.
pub(crate) struct Limited<R> {
    input: R,
    left: usize,
}

impl<R> Limited<R> {
    pub(crate) const fn new(input: R, left: usize) -> Self {
        Self { input, left }
    }

    /// Lets so many bytes more be read.
    pub(crate) const fn allow(&mut self, bytes: usize) {
        self.left = bytes;
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("more than one record may have"));
        }
        let room = self.left.min(buffer.len());
        let bytes = self.input.read(&mut buffer[..room])?;
        self.left -= bytes;
        Ok(bytes)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::other("more than one record may have"));
        }
        let bytes = self.input.fill_buf()?;
        Ok(&bytes[..self.left.min(bytes.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.left -= bytes;
    }
}
