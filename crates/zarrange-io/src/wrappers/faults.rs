//! Lets one call go wrong: what a failing disk, a full one or a bad cable does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::backend::{
    Abilities, Access, Backend, Change, FileId, Mark, Namespace, Object, ReadRequest, Visit, WriteRequest,
};
use crate::{IoError, Store, key};

/// What happens to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this error of the operating system (5 is EIO, 28 ENOSPC).
    Fail(i32),
    /// A read finds fewer bytes than there are; another call fails with EIO.
    Shorten,
    /// One bit of what was read is flipped; another call is left alone.
    Corrupt,
    /// It takes this much longer.
    Delay(Duration),
}

/// One fault, at one call. Every request of a batch, every open, listing and change is a call.
#[derive(Debug)]
pub struct Faults {
    fault: Fault,
    at: u64,
    calls: AtomicU64,
}

impl Faults {
    /// `fault` happens at call `at`, counted from 0.
    pub fn new(fault: Fault, at: u64) -> Arc<Self> {
        Arc::new(Self { fault, at, calls: AtomicU64::new(0) })
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The fault of this call, if it is the one.
    fn next(&self) -> Option<Fault> {
        let hit = self.calls.fetch_add(1, Ordering::Relaxed) == self.at;
        if let (true, Fault::Delay(time)) = (hit, self.fault) {
            std::thread::sleep(time);
        }
        hit.then_some(self.fault)
    }

    /// An error instead of a call that does not read.
    fn fail(&self, operation: &'static str, place: impl FnOnce() -> String) -> Result<(), IoError> {
        match self.next() {
            Some(Fault::Fail(code)) => Err(error(operation, place(), code)),
            Some(Fault::Shorten) => Err(error(operation, place(), 5)),
            Some(Fault::Corrupt | Fault::Delay(_)) | None => Ok(()),
        }
    }
}

/// `store`, with one call going wrong.
pub fn faulty(store: Store, faults: &Arc<Faults>) -> Store {
    store.wrapped(|backend, names| Arc::new(Faulty { backend, names, faults: faults.clone() }))
}

#[derive(Debug)]
struct Faulty {
    backend: Arc<dyn Backend>,
    names: Arc<dyn Namespace>,
    faults: Arc<Faults>,
}

fn error(operation: &'static str, location: String, code: i32) -> IoError {
    IoError::Os { operation, location, source: io::Error::from_raw_os_error(code) }
}

impl Backend for Faulty {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        self.backend.read(within, batch);
        for request in batch {
            let fault = self.faults.next();
            let Ok(read) = request.result else { continue };
            match fault {
                Some(Fault::Fail(code)) => {
                    request.result = Err(error("read", request.source.place(within), code));
                }
                Some(Fault::Shorten) => {
                    let (location, bytes) = (request.source.place(within), read as u64);
                    request.result = Err(IoError::Short { location, offset: 0, bytes, available: bytes / 2 });
                }
                Some(Fault::Corrupt) if read > 0 => request.buffer[read / 2] ^= 0x10,
                Some(Fault::Corrupt | Fault::Delay(_)) | None => {}
            }
        }
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        for request in batch.iter_mut() {
            request.result = self.faults.fail("write", || request.target.place(within));
        }
        for run in batch.chunk_by_mut(|a, b| a.result.is_ok() == b.result.is_ok()) {
            if run[0].result.is_ok() {
                self.backend.write(within, run);
            }
        }
    }
}

impl Namespace for Faulty {
    fn abilities(&self, within: &str) -> Abilities {
        self.names.abilities(within)
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        self.faults.fail("open", || key::joined(within, key))?;
        self.names.open(within, key, access)
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        self.faults.fail("close", || object.place().to_owned())?;
        self.names.close(object)
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        self.faults.fail("list", || key::joined(within, prefix))?;
        self.names.list(within, prefix, sizes, visit)
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        self.faults.fail("look at", || key::joined(within, key))?;
        self.names.identity(within, key)
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        self.faults.fail("look at", || key::joined(within, key))?;
        self.names.mark(within, key)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        self.faults.fail("change", String::new)?;
        self.names.change(within, change)
    }
}
