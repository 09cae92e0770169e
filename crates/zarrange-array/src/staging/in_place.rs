//! A target that is made in its place, for names cannot be changed there. Nothing was there before, so that everything that is there
//! after a failure may be removed. The metadata of its root is written last and removed first: who finds it finds all.
//!
//! There are no locks either. Whoever looks for the target sees it as soon as anything of it is written; two runs that both began
//! before would write into each other.

use zarrange_io::{Change, IoError, Location, Opener, Store};

use super::target::Target;
use crate::ArrayError;

/// What makes something a root.
const ROOT: &str = "zarr.json";

/// A target in the making, in its place.
#[derive(Debug)]
pub(super) struct InPlace {
    location: Location,
    data: Store,
    /// Tidies up, even if it was asked to stop.
    tidy: Store,
    done: bool,
}

impl InPlace {
    pub(super) fn begin(target: &Target, io: &Opener) -> Result<Self, ArrayError> {
        let location = target.location().clone();
        if location.exists()? {
            return Err(target.changed());
        }
        let (data, tidy) = (io.open(&location)?, io.unstoppable().open(&location)?);
        Ok(Self { location, data, tidy, done: false })
    }

    pub(super) fn store(&self) -> Store {
        self.data.clone()
    }

    /// Lets what was made stay. Its root has its metadata already: nothing is asked any more.
    pub(super) fn publish(&mut self, durable: bool) -> Result<Vec<String>, ArrayError> {
        if durable {
            self.tidy.change(Change::Sync)?;
        }
        self.done = true;
        Ok(Vec::new())
    }

    /// Removes what was made, unless it stays; what is told could not be.
    pub(super) fn remove(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.done, true) {
            return None;
        }
        let error = self.remove_all().err()?;
        Some(format!("what was written to {} is left over and can be removed: {error}", self.location))
    }

    fn remove_all(&self) -> Result<(), IoError> {
        // Once more where it fails, and as much as can be: one thing that stays does not keep the others. As long as the root stays, so does
        // all that it promises.
        let remove = |name: &str| {
            let removed = self.tidy.change(Change::Remove(name));
            removed.or_else(|_| self.tidy.change(Change::Remove(name)))
        };
        remove(ROOT)?;
        let names = self.names().or_else(|_| self.names())?;
        names.iter().map(|name| remove(name)).fold(Ok(()), Result::and)
    }

    fn names(&self) -> Result<Vec<String>, IoError> {
        let mut names = Vec::new();
        self.tidy.visit("", false, &mut |name, _| {
            names.push(name.to_owned());
            true
        })?;
        Ok(names)
    }
}
