//! The bytes of a table, and what format they begin as.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::TableError;

/// Bytes of a buffer of the file.
const BUFFER_BYTES: usize = 1 << 18;

/// The bytes of a table, uncompressed.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Box<dyn BufRead>,
    format: Format,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Fields between commas, or tabs, under a line of names.
    Csv,
    /// Binary tables among images.
    Fits,
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
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let gzipped = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let mut bytes: Box<dyn BufRead> = if gzipped {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        let begin = bytes.fill_buf().map_err(failed)?;
        let format = Format::of(begin);
        Ok(Self { path: path.to_owned(), bytes, format })
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// The path, for messages.
    pub(crate) fn label(&self) -> String {
        self.path.display().to_string()
    }
}

impl Format {
    /// That of a file with these first bytes.
    fn of(begin: &[u8]) -> Self {
        if begin.starts_with(b"SIMPLE  =") { Self::Fits } else { Self::Csv }
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
