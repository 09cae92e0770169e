//! What earlier runs left beside a target.

use zarrange_io::{Change, Location, Opener, Store};

use super::run_folder::{self, Record, State, is_run_folder, prefix};
use crate::ArrayError;

/// Where the old target is between two renames. Where it is found, and no target, the run ended in between.
pub(super) const OLD: &str = "old";

/// The directory of a target, and the target's name there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) at: Location,
    pub(super) parent: Store,
    pub(super) name: String,
}

impl Place {
    /// That of `target`, whose directory exists.
    pub(super) fn of(target: &Location, io: &Opener) -> Result<Self, ArrayError> {
        let (at, name) = target.parent()?;
        Ok(Self { parent: io.open(&at)?, at, name })
    }

    /// The run folders of the target, by name, but for `own`.
    pub(super) fn run_folders(&self, own: Option<&str>) -> Result<Vec<String>, ArrayError> {
        let prefix = prefix(&self.name);
        let mut folders = Vec::new();
        self.parent.visit("", false, &mut |name, _| {
            if is_run_folder(name, &prefix) && Some(name) != own {
                folders.push(name.to_owned());
            }
            true
        })?;
        folders.sort();
        Ok(folders)
    }

    /// The lock and the record of a run folder whose run is over; `None` if the folder is gone.
    ///
    /// # Errors
    /// [`ArrayError::TargetBusy`], [`ArrayError::Leftover`].
    pub(super) fn of_the_past(&self, folder: &str) -> Result<Option<run_folder::Past>, ArrayError> {
        let place = |name: &str| format!("{}/{name}", self.parent.label());
        let (target, owner) = (
            place(&self.name),
            match run_folder::look(&self.at, &self.parent, folder)? {
                State::Absent => return Ok(None),
                State::Gone(past) => return Ok(Some(past)),
                State::Live(owner) => {
                    return Err(ArrayError::TargetBusy {
                        target: place(&self.name),
                        folder: place(folder),
                        owner,
                    });
                }
                State::Shared => {
                    return Err(ArrayError::TargetShared {
                        target: place(&self.name),
                        folder: place(folder),
                    });
                }
                State::Unknown(owner) => owner,
            },
        );
        let inside = if run_folder::has(&self.parent, folder, OLD)? {
            format!(" (it holds the old target as {OLD:?})")
        } else {
            String::new()
        };
        Err(ArrayError::Leftover { target, folder: format!("{}{inside}", place(folder)), owner })
    }

    /// Gives the old target in a run folder its name back, if nothing has that name.
    pub(super) fn put_back(&self, folder: &str) -> Result<(), ArrayError> {
        if !run_folder::has(&self.parent, folder, OLD)? {
            return Ok(());
        }
        let old = format!("{folder}/{OLD}");
        match self.parent.change(Change::Move { from: &old, to: &self.name }) {
            // The new one got the name before the run ended.
            Err(e) if e.is_taken() => Ok(()),
            other => Ok(other?),
        }
    }
}

/// Puts back what a run that ended between two renames had taken away from `target`.
///
/// # Errors
/// If that cannot be done, or it is not known whether the run has ended.
pub fn recover(target: &Location, io: &Opener) -> Result<(), ArrayError> {
    recover_but(target, None, io)
}

/// As [`recover`]; what the run with the folder `own` took away is its own matter.
pub(super) fn recover_but(target: &Location, own: Option<&str>, io: &Opener) -> Result<(), ArrayError> {
    if !target.abilities().renames || target.exists()? {
        return Ok(());
    }
    let Some(place) = existing(target, io)? else { return Ok(()) };
    for folder in place.run_folders(own)? {
        if run_folder::has(&place.parent, &folder, OLD)?
            && let Some(_lock) = place.of_the_past(&folder)?
        {
            place.put_back(&folder)?;
        }
    }
    Ok(())
}

/// Whether `target` can be had: no run is at work on it, and none may be, but for that with the folder `own`.
///
/// # Errors
/// [`ArrayError::TargetBusy`], [`ArrayError::TargetShared`], [`ArrayError::Leftover`].
pub(super) fn check(target: &Location, own: Option<&str>, io: &Opener) -> Result<(), ArrayError> {
    let Some(place) = existing(target, io)? else { return Ok(()) };
    place.run_folders(own)?.iter().try_for_each(|folder| place.of_the_past(folder).map(drop))
}

fn existing(target: &Location, io: &Opener) -> Result<Option<Place>, ArrayError> {
    if target.parent()?.0.exists()? { Place::of(target, io).map(Some) } else { Ok(None) }
}

/// Removes what runs for the target left that are over, but for the folder called `own`. What is told could not be removed.
///
/// # Errors
/// As [`check`].
pub(super) fn clear(place: &Place, own: Option<&str>, io: &Opener) -> Result<Vec<String>, ArrayError> {
    let mut told = Vec::new();
    for folder in place.run_folders(own)? {
        told.extend(clear_folder(place, &folder, io)?);
    }
    Ok(told)
}

/// Removes a run folder whose run is over. What is told could not be removed.
///
/// # Errors
/// As [`check`].
pub(super) fn clear_folder(place: &Place, folder: &str, io: &Opener) -> Result<Vec<String>, ArrayError> {
    let mut told = Vec::new();
    let Some(past) = place.of_the_past(folder)? else { return Ok(told) };
    place.put_back(folder)?;
    told.extend(past.record.as_ref().and_then(|record| clear_temp(record, io)));
    if let Err(error) = run_folder::remove(&place.parent, folder) {
        let folder = format!("{}/{folder}", place.parent.label());
        told.push(format!("{folder}, which an earlier run left, cannot be removed: {error}"));
    }
    Ok(told)
}

/// Removes the folder of intermediates of a run that is over; a line where that fails.
fn clear_temp(record: &Record, io: &Opener) -> Option<String> {
    let place = record.temp.as_ref()?;
    let cleared = || -> Result<bool, ArrayError> {
        let place: Location = place.parse()?;
        if !place.exists()? {
            return Ok(true);
        }
        let Place { at, parent, name } = Place::of(&place, io)?;
        // What the record says is not trusted: only a folder with the name, and the record, of that very run is removed.
        if !name.contains(".partial-") || !name.ends_with(&record.run) {
            return Ok(false);
        }
        match run_folder::look(&at, &parent, &name)? {
            State::Absent => Ok(true),
            State::Gone(past) if past.record.as_ref().is_some_and(|other| other.run == record.run) => {
                run_folder::remove(&parent, &name)?;
                Ok(true)
            }
            State::Gone(_) | State::Live(_) | State::Shared | State::Unknown(_) => Ok(false),
        }
    };
    match cleared() {
        Ok(true) => None,
        Ok(false) => Some(format!("{place} may be left over from an earlier run: look at it, and remove it")),
        Err(error) => Some(format!("{place}, which an earlier run left, cannot be removed: {error}")),
    }
}
