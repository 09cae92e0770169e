//! Ends work in an orderly way: once a [`Stop`] is requested, every call fails but those that tidy up.
//!
//! Whatever is done with arrays goes through a store, batch by batch: what is asked here stops walks, copies, stages and
//! comparisons alike, and is asked a last time by the change of names that would publish.

use std::sync::Arc;

use crate::backend::{
    Abilities, Access, Backend, Change, FileId, Mark, Namespace, Object, ReadRequest, Visit, WriteRequest,
};
use crate::stop::Stop;
use crate::{IoError, Store};

/// `store`, until `stop` is requested.
pub fn stopping(store: Store, stop: &Stop) -> Store {
    store.wrapped(|backend, names| Arc::new(Stopping { backend, names, stop: stop.clone() }))
}

#[derive(Debug)]
struct Stopping {
    backend: Arc<dyn Backend>,
    names: Arc<dyn Namespace>,
    stop: Stop,
}

impl Stopping {
    fn check(&self) -> Result<(), IoError> {
        self.stop.check().map_err(IoError::Stopped)
    }
}

impl Backend for Stopping {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        match self.stop.check() {
            Ok(()) => self.backend.read(within, batch),
            Err(stopped) => batch.iter_mut().for_each(|r| r.result = Err(IoError::Stopped(stopped))),
        }
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        match self.stop.check() {
            Ok(()) => self.backend.write(within, batch),
            Err(stopped) => batch.iter_mut().for_each(|r| r.result = Err(IoError::Stopped(stopped))),
        }
    }
}

impl Namespace for Stopping {
    fn abilities(&self, within: &str) -> Abilities {
        self.names.abilities(within)
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        self.check()?;
        self.names.open(within, key, access)
    }

    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        match self.stop.check() {
            Ok(()) => self.names.open_all(within, keys),
            Err(stopped) => keys.iter().map(|_| Err(IoError::Stopped(stopped))).collect(),
        }
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        self.check()?;
        // A directory may have millions of names.
        self.names
            .list(within, prefix, sizes, &mut |name, seen| !self.stop.is_requested() && visit(name, seen))?;
        self.check()
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        self.names.close(object)
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        self.check()?;
        self.names.identity(within, key)
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        self.check()?;
        self.names.mark(within, key)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        // What was made is removed, and what was published becomes durable, also after the request.
        if !matches!(change, Change::Remove(_) | Change::SyncNames) {
            self.check()?;
        }
        self.names.change(within, change)
    }
}
