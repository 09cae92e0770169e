//! Objects in the making.

use std::ops::Deref;

use crate::backend::{Access, Change, Object};
use crate::backends::directory::temporary;
use crate::{IoError, Store};

/// An object that is written part by part until [`Self::finish`]. Where it replaces another one, readers find that one until then, and
/// it is removed again if it is dropped before.
#[derive(Debug)]
pub struct Making {
    store: Store,
    /// Gone once it is finished.
    object: Option<Object>,
    /// The key that it gets in the end, if it has another one until then.
    key: Option<String>,
}

impl Store {
    /// Makes the object at `key`, empty at first: in its place, or beside it where it `replaces` what may be read or made by others
    /// meanwhile.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make(&self, key: &str, replaces: bool) -> Result<Making, IoError> {
        let mut beside = String::new();
        if replaces {
            temporary(key, &mut beside);
        }
        let at = if replaces { &beside } else { key };
        let missing = || IoError::NotFound { location: format!("{}/{at}", self.label()) };
        let object = self.open(at, Access::Create)?.ok_or_else(missing)?;
        Ok(Making { store: self.clone(), object: Some(object), key: replaces.then(|| key.to_owned()) })
    }
}

impl Making {
    /// Closes it, and gives it its name.
    ///
    /// # Errors
    /// If what was written may be lost, or it cannot have its name.
    pub fn finish(mut self) -> Result<(), IoError> {
        let Some(object) = self.object.take() else { return Ok(()) };
        let Some(to) = self.key.take() else { return self.store.close(object) };
        let from = object.key().to_owned();
        let closed = self.store.close(object);
        let named = closed.and_then(|()| self.store.change(Change::Rename { from: &from, to: &to }));
        if named.is_err() {
            // That error is the one to report.
            let _ = self.store.change(Change::Remove(&from));
        }
        named
    }
}

impl Deref for Making {
    type Target = Object;

    fn deref(&self) -> &Object {
        self.object.as_ref().unwrap_or_else(|| unreachable!("only finishing takes it"))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let (Some(object), Some(_)) = (&self.object, &self.key) {
            // Whoever drops it has failed already.
            let _ = self.store.change(Change::Remove(object.key()));
        }
    }
}
