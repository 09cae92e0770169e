//! A target that is made in a run folder beside its place ([`run_folder`]), and gets its name when it is complete.

use zarrange_io::{Change, IoError, Opener, Store};

use super::leftovers::{self, OLD, Place};
use super::made::{Made, remove};
use super::run_folder::{self, Record, RunFolder};
use super::target::Target;
use crate::ArrayError;

/// Where the new target is made, in the run folder; after an exchange of names the old one is there.
pub(super) const NEW: &str = "target";

/// How often a run looks again whether a target is free before it gives up.
const TRIES: u32 = 10;

/// A target in the making, in a folder of its run.
#[derive(Debug)]
pub(super) struct Beside {
    io: Opener,
    /// Its names are changed to the end, even if it was asked to stop.
    place: Place,
    /// Dropped before the directories around it.
    folder: RunFolder,
    /// What is written to the run folder.
    data: Store,
    /// Directories made for the target.
    made: Made,
    /// What earlier runs left, and could not be removed.
    warnings: Vec<String>,
}

impl Beside {
    /// Makes the run folder called `name` for `target`.
    pub(super) fn begin(
        target: &Target,
        name: &str,
        record: &Record,
        io: &Opener,
    ) -> Result<Self, ArrayError> {
        let at = target.location().parent()?.0;
        let made = Made(at.make_directories()?);
        let tidy = io.unstoppable();
        let place = Place::of(target.location(), &tidy)?;
        let mut warnings = Vec::new();
        let folder = take(&place, name, record, &tidy, &mut warnings)?;
        let data = io.open(&at)?.below(name)?;
        Ok(Self { io: io.clone(), place, folder, data, made, warnings })
    }

    /// Ends what several processes did in the folder `name` of `place`. Nothing is removed before [`Self::publish`] is done.
    pub(super) fn adopt(place: Place, name: &str, record: &Record, io: &Opener) -> Result<Self, ArrayError> {
        let folder = RunFolder::adopt(&place.parent, name, record)?;
        let data = io.open(&place.at.below(name))?;
        Ok(Self { io: io.clone(), place, folder, data, made: Made(Vec::new()), warnings: Vec::new() })
    }

    pub(super) fn store(&self) -> Result<Store, ArrayError> {
        Ok(self.data.below(NEW)?)
    }

    /// The folder of the run.
    pub(super) const fn data(&self) -> &Store {
        &self.data
    }

    /// Gives what was made the name of `target`.
    pub(super) fn publish(&mut self, target: &Target, durable: bool) -> Result<Vec<String>, ArrayError> {
        if durable {
            self.place.parent.change(Change::Sync)?;
        }
        let way = self.give_name(target)?;
        let named = if durable { self.place.parent.change(Change::SyncNames) } else { Ok(()) };
        if let Err(error) = named {
            self.take_back(target, way)?;
            return Err(error.into());
        }
        self.made.0.clear();
        self.folder.let_go();
        Ok(std::mem::take(&mut self.warnings))
    }

    /// From now on the folder is removed.
    pub(super) fn let_go(&self) {
        self.folder.let_go();
    }

    /// Puts what was made at `keys` into `target`, one object after the other.
    pub(super) fn merge(
        &mut self,
        target: &Target,
        keys: &mut dyn Iterator<Item = String>,
        durable: bool,
    ) -> Result<Vec<String>, ArrayError> {
        let parent = &self.place.parent;
        if durable {
            parent.change(Change::Sync)?;
        }
        self.io.check_stop()?;
        let mut replaced = 0;
        let merge = || {
            for key in keys {
                let (new, to) =
                    (self.in_folder(&format!("{NEW}/{key}")), format!("{}/{key}", self.place.name));
                match parent.identity(&new) {
                    Ok(_) => parent.change(Change::Rename { from: &new, to: &to })?,
                    Err(e) if e.is_not_found() => parent.change(Change::Remove(&to))?,
                    Err(e) => return Err(e),
                }
                replaced += 1;
            }
            if durable { parent.change(Change::Sync) } else { Ok(()) }
        };
        match merge() {
            Ok(()) => Ok(std::mem::take(&mut self.warnings)),
            Err(source) if replaced == 0 => Err(source.into()),
            Err(source) => {
                Err(ArrayError::Merged { target: target.location().to_string(), replaced, source })
            }
        }
    }

    /// Nothing is written any more: removing may need the descriptor.
    pub(super) fn close(&mut self) {
        self.data = self.place.parent.clone();
    }

    /// Removes the folder, and what is in it; what is told could not be.
    pub(super) fn remove(&mut self) -> Option<String> {
        remove(&mut self.folder)
    }

    fn in_folder(&self, what: &str) -> String {
        format!("{}/{what}", self.folder.name())
    }

    /// Moves the new target to its name.
    fn give_name(&self, target: &Target) -> Result<Way, ArrayError> {
        self.io.check_stop()?;
        let (new, name) = (self.in_folder(NEW), self.place.name.as_str());
        let Some(found) = target.found() else {
            return match self.place.parent.change(Change::Move { from: &new, to: name }) {
                Err(e) if e.is_taken() => Err(target.changed()),
                other => Ok(other.map(|()| Way::Fresh)?),
            };
        };
        if !target.is_as_found() {
            return Err(target.changed());
        }
        self.io.check_stop()?;
        let (way, old) = match self.place.parent.change(Change::Exchange { a: &new, b: name }) {
            Ok(()) => (Way::Exchanged, NEW),
            Err(e) if e.is_unsupported() => (self.rename_twice(target, &new)?, OLD),
            Err(e) => return Err(e.into()),
        };
        // The name may have gone to something else between looking and exchanging.
        if !self.folder.location(target.location(), old)?.holds(found) {
            self.take_back(target, way)?;
            return Err(target.changed());
        }
        Ok(way)
    }

    /// Where names cannot be exchanged: the old target goes out of the way first. A reader in between sees none.
    fn rename_twice(&self, target: &Target, new: &str) -> Result<Way, ArrayError> {
        let (old, name) = (self.in_folder(OLD), self.place.name.as_str());
        self.place.parent.change(Change::Move { from: name, to: &old })?;
        if let Err(error) = self.place.parent.change(Change::Move { from: new, to: name }) {
            self.place
                .parent
                .change(Change::Move { from: &old, to: name })
                .map_err(|e| self.stranded(target, &old, e))?;
            return Err(error.into());
        }
        Ok(Way::Renamed)
    }

    /// Undoes [`Self::give_name`].
    fn take_back(&self, target: &Target, way: Way) -> Result<(), ArrayError> {
        let (new, old, name) = (self.in_folder(NEW), self.in_folder(OLD), self.place.name.as_str());
        let undone = match way {
            Way::Fresh => self.place.parent.change(Change::Move { from: name, to: &new }),
            Way::Exchanged => self.place.parent.change(Change::Exchange { a: &new, b: name }),
            Way::Renamed => {
                let away = self.place.parent.change(Change::Move { from: name, to: &new });
                away.and_then(|()| self.place.parent.change(Change::Move { from: &old, to: name }))
            }
        };
        undone.map_err(|e| self.stranded(target, if way == Way::Exchanged { &new } else { &old }, e))
    }

    /// What cannot be put back stays where it is, and is not removed.
    fn stranded(&self, target: &Target, at: &str, source: IoError) -> ArrayError {
        self.folder.keep();
        let (target, at) = (target.location().to_string(), format!("{}/{at}", self.place.parent.label()));
        ArrayError::Stranded { target, at, source }
    }
}

/// How the target got its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Nothing had it.
    Fresh,
    /// The old one has the place in the run folder.
    Exchanged,
    /// The old one is in the run folder.
    Renamed,
}

/// Makes the run folder, once nobody else has one for the target.
fn take(
    place: &Place,
    folder_name: &str,
    record: &Record,
    io: &Opener,
    warnings: &mut Vec<String>,
) -> Result<RunFolder, ArrayError> {
    let mut last = None;
    for _ in 0..TRIES {
        match leftovers::clear(place, None, io) {
            Ok(told) => warnings.extend(told),
            Err(busy @ ArrayError::TargetBusy { .. }) => {
                last = Some(busy);
                run_folder::pause();
                continue;
            }
            Err(other) => return Err(other),
        }
        let folder = match RunFolder::make(&place.parent, folder_name, record) {
            Ok(folder) => folder,
            Err(ArrayError::Io(error)) if error.is_taken() => {
                run_folder::pause();
                continue;
            }
            Err(other) => return Err(other),
        };
        // Somebody with another plan may have begun at the same time: then both give way, and not for the same time.
        match leftovers::clear(place, Some(folder_name), io) {
            Ok(told) => {
                warnings.extend(told);
                return Ok(folder);
            }
            Err(busy @ ArrayError::TargetBusy { .. }) => last = Some(busy),
            Err(other) => return Err(other),
        }
        drop(folder);
        run_folder::pause();
    }
    Err(last.unwrap_or_else(|| ArrayError::TargetBusy {
        target: record.target.clone(),
        folder: format!("{}/{folder_name}", place.parent.label()),
        owner: "a run that is just beginning or ending".to_owned(),
    }))
}
