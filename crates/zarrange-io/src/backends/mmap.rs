//! Local files read through memory mappings; written by positioned writes.
//!
//! A page of a mapping that lies beyond the end of its file kills the process (SIGBUS), and bytes that change while they are
//! read are undefined behaviour. No check can exclude either once the file is mapped, so the constructor is `unsafe`: who calls
//! it promises that nobody changes the files. What can be seen is refused: a file that somebody has open for writing, and
//! one that became shorter than its mapping. Files that this backend itself writes are not mapped.
#![expect(unsafe_code, reason = "mapping files, and advising the kernel about them")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, OnceLock};

use memmap2::{Advice, Mmap, MmapOptions, UncheckedAdvice};

use super::directory::{Directory, LocalFile};
use super::std_files::{read_range, write_one};
use crate::backend::{Backend, Extent, Object, ReadRequest, Source, WriteRequest};
use crate::{IoError, key};

/// Mapped pages count in the process's resident set until they are given back: at most this much is kept.
const KEPT_BYTES: usize = 1 << 20;

/// The `fcntl` command that chooses a lease's signal; the libc crate leaves it out.
const F_SETSIG: libc::c_int = 10;

/// The kernel maps pages around a fault (`fault_around_bytes`); those have to be given back too.
const AROUND_BYTES: usize = 64 << 10;

/// Mappings of a directory's files.
#[derive(Debug)]
pub struct MappedFiles {
    directory: Arc<Directory>,
}

/// A mapped file; an empty one has no pages.
#[derive(Debug)]
pub struct Mapping(Option<Mmap>);

impl MappedFiles {
    /// The files of `directory`, mapped when they are read.
    ///
    /// # Safety
    /// Nobody, in this process or another, truncates or changes a file between its opening and the end of the last read of
    /// it. Chunks and shards that were renamed into place and are never written again keep this promise.
    pub unsafe fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    fn read_one<'a>(
        &self,
        request: &mut ReadRequest<'a>,
        resident: &mut Resident<'a>,
    ) -> Result<usize, IoError> {
        let ReadRequest { source, extent, buffer, .. } = request;
        match *source {
            Source::Open(Object::Memory(object), key) => object.read(key, *extent, buffer),
            Source::Open(Object::File(file), key) => {
                let Some(mapping) = &file.mapping else {
                    let (offset, wanted) = self.directory.wanted(&file.file, key, *extent, buffer.len())?;
                    return read_range(&self.directory, file, key, offset, &mut buffer[..wanted]);
                };
                let mapping = self.mapping(file, mapping, key)?;
                // The size is looked up once for a run of requests to a file, not for each of them.
                if resident.enter(mapping, buffer.len()) {
                    self.check_size(mapping, &file.file, key)?;
                }
                self.copy(mapping, (&file.file, key), *extent, buffer)
            }
            Source::Key(key) => {
                key::check(key)?;
                let file = self.directory.file(key)?;
                self.directory.wanted(&file.file, key, *extent, buffer.len())?;
                self.copy(&self.map(&file.file, key)?, (&file.file, key), *extent, buffer)
            }
        }
    }

    /// The mapping of an open file, made by the first who needs it.
    fn mapping<'f>(
        &self,
        file: &LocalFile,
        mapping: &'f OnceLock<Mapping>,
        key: &str,
    ) -> Result<&'f Mapping, IoError> {
        if let Some(mapping) = mapping.get() {
            return Ok(mapping);
        }
        let made = self.map(&file.file, key)?;
        Ok(mapping.get_or_init(|| made))
    }

    fn map(&self, file: &File, key: &str) -> Result<Mapping, IoError> {
        let failed = |e| self.directory.error("map", key, e);
        if is_being_written(file).map_err(failed)? {
            return Err(IoError::Mutable { location: self.directory.locate(key) });
        }
        let bytes = file.metadata().map_err(failed)?.len();
        let Some(length) = usize::try_from(bytes).ok().filter(|n| *n > 0) else { return Ok(Mapping(None)) };
        // SAFETY: who made `self` promised that nobody changes the file.
        let map = unsafe { MmapOptions::new().len(length).map(file) }.map_err(failed)?;
        // Without it the kernel reads ahead: megabytes for a chunk of kilobytes.
        map.advise(Advice::Random).map_err(failed)?;
        Ok(Mapping(Some(map)))
    }

    /// Refuses a file that has become shorter than its mapping: reading its last pages would end the process.
    fn check_size(&self, mapping: &Mapping, file: &File, key: &str) -> Result<(), IoError> {
        let bytes = mapping.bytes().len();
        let available = file.metadata().map_err(|e| self.directory.error("read size", key, e))?.len();
        if available >= bytes as u64 { Ok(()) } else { Err(self.directory.short(key, file, (0, bytes))) }
    }

    fn copy(
        &self,
        mapping: &Mapping,
        (file, key): (&File, &str),
        extent: Extent,
        buffer: &mut [u8],
    ) -> Result<usize, IoError> {
        let (offset, wanted) = self.directory.wanted(file, key, extent, buffer.len())?;
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(wanted)?));
        let Some(from) = range.and_then(|range| mapping.bytes().get(range)) else {
            return Err(self.directory.short(key, file, (offset, wanted)));
        };
        for (piece, bytes) in buffer[..wanted].chunks_mut(KEPT_BYTES).zip(from.chunks(KEPT_BYTES)) {
            piece.copy_from_slice(bytes);
            if wanted > KEPT_BYTES {
                mapping.give_back();
            }
        }
        Ok(wanted)
    }
}

impl Mapping {
    fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Takes its pages out of the resident set; they stay in the page cache.
    fn give_back(&self) {
        let Some(map) = &self.0 else { return };
        // SAFETY: the mapping is read-only and of a file: its pages come back unchanged when they are read again.
        let advised = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        // Only the resident set depends on it.
        let _ = advised;
    }
}

/// What one batch has made resident: pages of the mapping that was read last.
#[derive(Default)]
struct Resident<'a> {
    mapping: Option<&'a Mapping>,
    bytes: usize,
}

impl<'a> Resident<'a> {
    /// Notes that `bytes` of `mapping` are about to be read; whether another one was read before.
    fn enter(&mut self, mapping: &'a Mapping, bytes: usize) -> bool {
        let fresh = self.mapping.is_none_or(|last| !std::ptr::eq(last, mapping));
        if fresh || self.bytes >= KEPT_BYTES {
            self.leave();
            self.mapping = Some(mapping);
        }
        self.bytes += bytes + AROUND_BYTES;
        fresh
    }

    fn leave(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            mapping.give_back();
        }
        self.bytes = 0;
    }
}

/// Whether somebody has the file open for writing. A read lease can only be had while nobody has; it is given up at once. Where
/// there are no leases (another owner's file, a network file system) the caller's promise has to do.
fn is_being_written(file: &File) -> io::Result<bool> {
    let fd = file.as_raw_fd();
    // SAFETY: fcntl with these commands takes integers and touches no memory. Who opens the file for writing in between
    // sends a signal, which is set to one that is ignored by default.
    let leased = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGWINCH);
        libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK)
    };
    if leased == 0 {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
        return Ok(false);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Ok(true),
        Some(libc::EACCES | libc::EPERM | libc::EINVAL | libc::ENOLCK) => Ok(false),
        _ => Err(error),
    }
}

impl Backend for MappedFiles {
    fn name(&self) -> &'static str {
        "mmap"
    }

    fn read(&self, batch: &mut [ReadRequest<'_>]) {
        let mut resident = Resident::default();
        for request in batch.iter_mut() {
            request.result = self.read_one(request, &mut resident);
        }
        resident.leave();
    }

    fn write(&self, batch: &mut [WriteRequest<'_>]) {
        for request in batch {
            request.result = write_one(&self.directory, request);
        }
    }
}
