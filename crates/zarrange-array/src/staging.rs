//! The target appears in one step.
//!
//! Everything is written to a hidden place beside the target. Only when it is complete, metadata included, does that place
//! take the target's name; an existing target changes places with it and is then removed. Whatever fails before leaves
//! the target as it was.

use zarrange_io::{Change, Location, Opener, Store};

use crate::ArrayError;
use crate::hierarchy::open;

/// A target in the making. Dropped before [`Staging::publish`], it is removed.
#[derive(Debug)]
pub struct Staging {
    parent: Store,
    staged: String,
    name: String,
    replace: bool,
    /// Directories made for the target.
    made: Vec<Location>,
    published: bool,
}

impl Staging {
    /// A hidden place beside `target`.
    ///
    /// # Errors
    /// [`ArrayError`] if the target may not be written.
    pub fn begin(target: &Location, overwrite: bool, io: &Opener) -> Result<Self, ArrayError> {
        let replace = check_target(target, overwrite, io)?;
        let (parent, name) = target.parent()?;
        let made = parent.make_directories()?;
        let staged = format!(".{name}.partial-{}", std::process::id());
        let staging = Self { parent: io.open(&parent)?, staged, name, replace, made, published: false };
        // What a process of the same number left behind long ago.
        staging.parent.change(Change::Remove(&staging.staged))?;
        Ok(staging)
    }

    /// The store to write to.
    ///
    /// # Errors
    /// Never for a name that [`Self::begin`] accepted.
    pub fn store(&self) -> Result<Store, ArrayError> {
        Ok(self.parent.below(&self.staged)?)
    }

    /// A store and key for intermediate number `k` beside the target.
    pub fn spill(&self, k: usize) -> (Store, String) {
        (self.parent.clone(), format!("{}.intermediate-{k}", self.staged))
    }

    /// Gives the staged hierarchy the target's name; with `durable`, that survives a crash of the machine too.
    ///
    /// # Errors
    /// If the name cannot be given; the target is then as it was before.
    pub fn publish(mut self, durable: bool) -> Result<(), ArrayError> {
        if durable {
            self.parent.change(Change::Sync)?;
        }
        let (from, to) = (self.staged.as_str(), self.name.as_str());
        if self.replace {
            self.parent.change(Change::Exchange { a: from, b: to })?;
            // The name now belongs to the new target; what is left is the old one.
            self.published = true;
            self.parent.change(Change::Remove(from))?;
        } else {
            self.parent.change(Change::Rename { from, to })?;
            self.published = true;
        }
        if durable {
            self.parent.change(Change::SyncNames)?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published {
            // The job failed already; that error is the one to report.
            let _ = self.parent.change(Change::Remove(&self.staged));
            Location::remove_directories(&self.made);
        }
    }
}

/// Refuses a target that would overwrite the source, or be overwritten by it.
///
/// # Errors
/// [`ArrayError::Overlap`].
pub fn check_apart(source: &Location, target: &Location) -> Result<(), ArrayError> {
    let relation = match (target.is_within(source), source.is_within(target)) {
        (true, true) => "the same as",
        (true, false) => "inside",
        (false, true) => "around",
        (false, false) => return Ok(()),
    };
    Err(ArrayError::Overlap { dst: target.to_string(), src: source.to_string(), relation })
}

/// Whether something must be replaced; refuses what must not be.
///
/// # Errors
/// [`ArrayError::TargetExists`] or [`ArrayError::TargetNotZarr`].
pub fn check_target(target: &Location, overwrite: bool, io: &Opener) -> Result<bool, ArrayError> {
    if !target.exists()? {
        return Ok(false);
    }
    if !overwrite {
        return Err(ArrayError::TargetExists(target.to_string()));
    }
    let not_zarr = || ArrayError::TargetNotZarr(target.to_string());
    let store = io.open(target).map_err(|_| not_zarr())?;
    let is_empty = || {
        let mut empty = true;
        store.visit("", false, &mut |_, _| {
            empty = false;
            false
        })?;
        Ok::<_, ArrayError>(empty)
    };
    match open(&store) {
        Err(ArrayError::NotZarr { .. }) if !is_empty()? => Err(not_zarr()),
        // Damaged metadata is still Zarr: replacing it is what the user wants.
        _ => Ok(true),
    }
}
