//! Local files through `io_uring`: many requests in flight from one thread.
//!
//! Each thread has a ring of its own, made when it first needs one. A batch keeps up to 128 requests in flight, each
//! a small state machine: open, read, close; or create, write, close, rename. Reads and writes that move less than they
//! should are continued, interrupted ones repeated.

mod requests;
mod ring;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use rustix::fs::MemfdFlags;

use self::requests::{Reads, Writes};
use self::ring::{Local, Requests};
use super::directory::Directory;
use super::std_files::{read_one, write_one};
use crate::IoError;
use crate::backend::{Backend, Extent, ReadRequest, Source, WriteRequest};

/// Requests in flight from one thread.
const DEPTH: u32 = 128;

/// A directory's files through `io_uring`.
#[derive(Debug)]
pub(crate) struct UringFiles {
    directory: Arc<Directory>,
    /// Objects are created by the ring, many at once.
    creates: bool,
}

impl UringFiles {
    /// The files of `directory`. Where a server makes them, many are created at once; here, where names of one directory are made
    /// one after the other, the kernel threads that the ring hands this to would only wait for each other, and spin meanwhile.
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        let creates = !directory.is_local();
        Self { directory, creates }
    }
}

/// Tries whether `io_uring` works here, with a real open and a real read: kernels lack it, containers forbid it.
///
/// # Errors
/// [`IoError::Backend`] with the reason.
pub(crate) fn probe() -> Result<(), IoError> {
    let refused = |source: io::Error| IoError::Backend { backend: "io_uring", source, instead: "std" };
    drop(Local::new(DEPTH).map_err(refused)?);
    let (root, text) = (std::path::Path::new("/proc/self/fd"), b"probe");
    let file =
        rustix::fs::memfd_create("zarrange-probe", MemfdFlags::CLOEXEC).map_err(|e| refused(e.into()))?;
    rustix::io::pwrite(&file, text, 0).map_err(|e| refused(e.into()))?;
    let files =
        UringFiles::new(Arc::new(Directory::open(root, false).map_err(|e| refused(io::Error::other(e)))?));
    let (key, mut buffer) = (file.as_raw_fd().to_string(), [0; 8]);
    let mut batch = [ReadRequest::new(Source::Key(&key), Extent::Whole, &mut buffer)];
    files.read("", &mut batch);
    let [ReadRequest { buffer, result, .. }] = batch;
    match result {
        Ok(read) if buffer[..read] == text[..] => Ok(()),
        Ok(_) => Err(refused(io::Error::other("a test read returned other bytes than were written"))),
        Err(IoError::Transfer { source, .. } | IoError::Os { source, .. }) => Err(refused(source)),
        Err(e) => Err(refused(io::Error::other(e))),
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

/// Carries out a batch on this thread's ring; `one` by one where the system refuses the memory or the descriptor for a ring.
fn drive<T>(batch: &mut [T], requests: &impl Requests<T>, one: impl Fn(&mut T)) {
    LOCAL.with_borrow_mut(|local| {
        let ready = match local.take() {
            Some(ready) => Ok(ready),
            None => Local::new(DEPTH),
        };
        match ready {
            Ok(mut ready) => {
                // A ring that failed is not used again.
                if ready.drive(batch, requests).is_ok() {
                    *local = Some(ready);
                }
            }
            Err(_) => batch.iter_mut().for_each(one),
        }
    });
}

impl Backend for UringFiles {
    fn name(&self) -> &'static str {
        if self.directory.is_direct() { "io_uring+direct" } else { "io_uring" }
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        let one = |request: &mut ReadRequest<'_>| request.result = read_one(&self.directory, within, request);
        drive(batch, &Reads::new(&self.directory, within), one);
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        let one =
            |request: &mut WriteRequest<'_>| request.result = write_one(&self.directory, within, request);
        if self.creates {
            return drive(batch, &Writes::new(&self.directory, within), one);
        }
        batch.iter_mut().for_each(one);
    }
}
