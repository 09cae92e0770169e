//! A run folder in which several processes work by one plan, also those of several machines. It stays until the target has its name, or the
//! run is given up: nobody holds it.

use zarrange_io::{Change, IoError, Location, Opener, Store, token};

use super::beside::{Beside, NEW};
use super::leftovers::{self, Place};
use super::run_folder::{self, PLAN, PUBLISHING, Record, RunFolder, WORKERS, has, pause};
use super::target::{Target, name_of};
use crate::ArrayError;

/// Receipts of what is done.
const RECEIPTS: &str = "receipts";

/// How often a folder is made that somebody else takes for a leftover meanwhile.
const TRIES: u32 = 10;

/// The folder of a run of several processes.
#[derive(Debug)]
pub struct SharedFolder {
    place: Place,
    name: String,
    /// The folder itself, open: when it is removed, nothing can be written to it any more.
    data: Store,
    /// The same, for what is written to the end although it was asked to stop.
    tidy: Store,
}

impl SharedFolder {
    /// Opens the folder of the plan called `fingerprint` beside `target`, if there is one.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub fn find(target: &Location, fingerprint: &str, io: &Opener) -> Result<Option<Self>, ArrayError> {
        if !target.abilities().renames || !target.parent()?.0.exists()? {
            return Ok(None);
        }
        let place = Place::of(target, &io.unstoppable())?;
        let name = Self::name_for(target, fingerprint);
        let has = |what: &str| has(&place.parent, &name, what);
        // While it is removed, one of them is there for longer.
        if !has(WORKERS)? && !has(PUBLISHING)? {
            return Ok(None);
        }
        let (data, tidy) = (io.open(&place.at.below(&name))?, io.unstoppable().open(&place.at.below(&name))?);
        Ok(Some(Self { place, name, data, tidy }))
    }

    /// Opens that folder, or makes it.
    ///
    /// # Errors
    /// [`ArrayError::NoShared`] where names cannot be changed, [`ArrayError::TargetBusy`] and [`ArrayError::TargetShared`] where others are at
    /// work on the target; otherwise if it cannot be made.
    pub fn join(target: &Target, fingerprint: &str, io: &Opener) -> Result<Self, ArrayError> {
        let location = target.location();
        let none = || ArrayError::NoShared(location.to_string());
        if !location.abilities().renames {
            return Err(none());
        }
        location.parent()?.0.make_directories()?;
        let tidy = io.unstoppable();
        let place = Place::of(location, &tidy)?;
        // What is in the memory of one process has no numbers.
        place.parent.identity("")?.ok_or_else(none)?;
        let name = Self::name_for(location, fingerprint);
        for _ in 0..TRIES {
            if let Some(there) = Self::find(location, fingerprint, io)? {
                return Ok(there);
            }
            // One process may have begun the same.
            clear(&place, &name, &tidy)?;
            match make(&place, &name) {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {
                    pause();
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            // Others may have begun something else at the same time: then both give way.
            if let Err(error) = leftovers::clear(&place, Some(&name), &tidy) {
                unmake(&place, &name);
                return Err(error);
            }
        }
        Err(ArrayError::TargetBusy {
            target: location.to_string(),
            folder: format!("{}/{name}", place.parent.label()),
            owner: "a run that is just beginning or ending".to_owned(),
        })
    }

    /// Removes what is left of a folder that somebody was removing.
    ///
    /// # Errors
    /// If that is somebody's who is at work, or cannot be removed.
    pub fn clear(target: &Location, fingerprint: &str, io: &Opener) -> Result<(), ArrayError> {
        if !target.abilities().renames || !target.parent()?.0.exists()? {
            return Ok(());
        }
        let tidy = io.unstoppable();
        clear(&Place::of(target, &tidy)?, &Self::name_for(target, fingerprint), &tidy)
    }

    /// The name of that folder.
    pub fn name_for(target: &Location, fingerprint: &str) -> String {
        run_folder::name(&name_of(target), fingerprint)
    }

    /// The target in the making.
    ///
    /// # Errors
    /// Never: it is a name of this file.
    pub fn target(&self) -> Result<Store, ArrayError> {
        Ok(self.data.below(NEW)?)
    }

    /// Where receipts are.
    ///
    /// # Errors
    /// Never: it is a name of this file.
    pub fn receipts(&self) -> Result<Store, ArrayError> {
        Ok(self.tidy.below(RECEIPTS)?)
    }

    /// The folder itself.
    pub const fn data(&self) -> &Store {
        &self.data
    }

    /// Makes durable what was written to it.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> Result<(), ArrayError> {
        Ok(self.tidy.change(Change::Sync)?)
    }

    /// Whether the old target is in it, which was taken away to give the new one its name.
    ///
    /// # Errors
    /// If that cannot be looked at.
    pub fn holds_old(&self) -> Result<bool, ArrayError> {
        Ok(has(&self.tidy, "", leftovers::OLD)?)
    }

    /// Keeps the plan, for workers that have nothing but its place.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_plan(&self, plan: &[u8]) -> Result<(), ArrayError> {
        Ok(self.data.put(PLAN, plan)?)
    }

    /// Where that is kept.
    ///
    /// # Errors
    /// [`ArrayError::NoShared`] where names cannot be changed.
    pub fn plan_place(target: &Location, fingerprint: &str) -> Result<Location, ArrayError> {
        if !target.abilities().renames {
            return Err(ArrayError::NoShared(target.to_string()));
        }
        Ok(target.parent()?.0.below(&Self::name_for(target, fingerprint)).below(PLAN))
    }

    /// Whether it is there no more.
    pub fn is_over(&self) -> bool {
        has(&self.place.parent, &self.name, WORKERS).is_ok_and(|there| !there)
    }

    /// Notes which directory gets the target's name next.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn note_publishing(&self) -> Result<(), ArrayError> {
        let made = self.data.identity(NEW)?.map_or(0, |id| id.inode);
        Ok(self.data.put(PUBLISHING, made.to_string().as_bytes())?)
    }

    /// Whether the target has its name already, and only the folder is left.
    ///
    /// # Errors
    /// If that cannot be looked at.
    pub fn is_published(&self) -> Result<bool, ArrayError> {
        let Some(noted) = self.data.get(PUBLISHING, 64)? else { return Ok(false) };
        match self.place.parent.identity(&self.place.name) {
            Ok(id) => Ok(id.is_some_and(|id| id.inode.to_string().as_bytes() == noted)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes it; the old target that was taken away is put back.
    ///
    /// # Errors
    /// [`ArrayError::TargetBusy`] where somebody finishes it, or if it cannot be removed.
    pub fn give_up(self) -> Result<(), ArrayError> {
        let target = self.place.at.below(&self.place.name);
        let mut folder = RunFolder::adopt(&self.place.parent, &self.name, &record(&target))?;
        self.place.put_back(&self.name)?;
        drop((self.data, self.tidy));
        folder.let_go();
        Ok(folder.remove()?)
    }

    pub(super) fn adopt(&self, target: &Target, io: &Opener) -> Result<Beside, ArrayError> {
        let place = Place::of(target.location(), &io.unstoppable())?;
        Beside::adopt(place, &self.name, &record(target.location()), io)
    }
}

/// Removes a folder whose owner is gone, and puts back what that had taken away.
fn clear(place: &Place, name: &str, io: &Opener) -> Result<(), ArrayError> {
    if place.run_folders(None)?.iter().any(|folder| folder == name) {
        // Who comes next finds what could not be removed, and says so.
        leftovers::clear_folder(place, name, io)?;
    }
    Ok(())
}

fn record(target: &Location) -> Record {
    Record::new(&token(), target, None)
}

/// Makes the folder `name`, with what says that it is shared. Whoever ends in between leaves an empty one, which anybody removes.
fn make(place: &Place, name: &str) -> Result<(), IoError> {
    match place.parent.change(Change::MakeDirectory(&format!("{name}/{WORKERS}"))) {
        Err(error) if !error.is_taken() => Err(error),
        _ => Ok(()),
    }
}

/// Removes the folder `name`, if nobody has written to it yet.
fn unmake(place: &Place, name: &str) {
    let mut alone = true;
    let listed = place.parent.visit(name, false, &mut |entry, _| {
        alone &= entry == WORKERS;
        alone
    });
    if listed.is_ok() && alone {
        // Why it was made for nothing is the error to report.
        let _ = place.parent.change(Change::Remove(&format!("{name}/{WORKERS}")));
        let _ = place.parent.change(Change::RemoveEmpty(name));
    }
}
