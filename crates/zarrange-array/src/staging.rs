//! The target appears in one step.
//!
//! Everything is written into a run folder beside the target ([`run_folder`]), which nobody else has. Only when it is complete,
//! metadata included, does it take the target's name; an existing target changes places with it and is then removed. Whatever
//! fails before leaves the target as it was, and what is replaced is what [`Target::check`] saw.

mod leftovers;
mod run_folder;
mod target;

use zarrange_io::{Change, IoError, Location, Opener, Store, token};

use crate::ArrayError;
use leftovers::Place;
use run_folder::{Record, RunFolder};

pub use leftovers::recover;
pub use target::{Target, check_apart, check_temp};

/// Where the new target is made, in the run folder; after an exchange of names the old one is there.
const NEW: &str = "target";

/// Where the old target is between two renames. Where it is found, and no target, the run ended in between.
const OLD: &str = "old";

/// How often a run looks again whether a target is free before it gives up.
const TRIES: u32 = 10;

/// A target in the making. Dropped before [`Staging::publish`], it is removed.
#[derive(Debug)]
pub struct Staging {
    target: Target,
    io: Opener,
    /// Its names are changed to the end, even if it was asked to stop.
    place: Place,
    /// Dropped before the directories around it.
    folder: RunFolder,
    /// What is written to the run folder.
    data: Store,
    temp: Option<Temp>,
    /// Directories made for the target.
    made: Made,
    /// What earlier runs left, and could not be removed.
    warnings: Vec<String>,
}

/// Where intermediates go, if not beside the target.
#[derive(Debug)]
struct Temp {
    folder: RunFolder,
    data: Store,
    _made: Made,
}

/// Directories that were made and go again, as far as they are empty.
#[derive(Debug)]
struct Made(Vec<Location>);

impl Drop for Made {
    fn drop(&mut self) {
        Location::remove_directories(&self.0);
    }
}

impl Staging {
    /// Takes `target` for a run of the plan called `fingerprint`; intermediates go to `temp`, if given. What runs left that are
    /// gone for certain is removed.
    ///
    /// # Errors
    /// [`ArrayError::TargetBusy`] where somebody else is at work on it, [`ArrayError::Leftover`] where that is not known;
    /// otherwise if it may not be written.
    pub fn begin(
        target: Target,
        fingerprint: &str,
        temp: Option<&Location>,
        io: &Opener,
    ) -> Result<Self, ArrayError> {
        io.check_stop()?;
        let at = target.location().parent()?.0;
        let made = Made(at.make_directories()?);
        let tidy = io.unstoppable();
        let place = Place::of(target.location(), &tidy)?;
        let run = token();
        let name = run_folder::name(&place.name, fingerprint);
        let temp = temp.map(|place| (place, format!("{name}-{run}")));
        let record =
            Record::new(&run, target.location(), temp.as_ref().map(|(place, name)| place.below(name)));
        let mut warnings = Vec::new();
        let folder = take(&place, &name, &record, &tidy, &mut warnings)?;
        let data = io.open(&at)?.below(&name)?;
        let temp = temp.map(|(place, name)| {
            let made = Made(place.make_directories()?);
            let record = Record { temp: None, ..record.clone() };
            let folder = RunFolder::make(&tidy.open(place)?, &name, &record)?;
            Ok::<_, ArrayError>(Temp { folder, data: io.open(place)?.below(&name)?, _made: made })
        });
        Ok(Self { temp: temp.transpose()?, target, io: io.clone(), place, folder, data, made, warnings })
    }

    /// The store to write to.
    ///
    /// # Errors
    /// Never for a name that [`Self::begin`] accepted.
    pub fn store(&self) -> Result<Store, ArrayError> {
        Ok(self.data.below(NEW)?)
    }

    /// A store and key for intermediate number `k`.
    pub fn intermediate(&self, k: usize) -> (Store, String) {
        let data = self.temp.as_ref().map_or(&self.data, |temp| &temp.data);
        (data.clone(), format!("intermediate-{k}"))
    }

    /// Gives the staged hierarchy the target's name; with `durable`, that survives a crash of the machine too. What is told could
    /// not be tidied afterwards.
    ///
    /// # Errors
    /// If the name cannot be given, or it was asked to stop; the target is then as it was before.
    pub fn publish(&mut self, durable: bool) -> Result<Vec<String>, ArrayError> {
        if durable {
            self.place.parent.change(Change::Sync)?;
        }
        let way = self.give_name()?;
        let named = if durable { self.place.parent.change(Change::SyncNames) } else { Ok(()) };
        if let Err(error) = named {
            self.take_back(way)?;
            return Err(error.into());
        }
        self.made.0.clear();
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.remove());
        Ok(warnings)
    }

    /// Removes what was written; what is told could not be.
    pub fn discard(mut self) -> Vec<String> {
        self.remove()
    }

    fn remove(&mut self) -> Vec<String> {
        // Nothing is written any more: removing may need the descriptors.
        self.data = self.place.parent.clone();
        if let Some(temp) = &mut self.temp {
            temp.data = self.place.parent.clone();
        }
        let folders = self.temp.iter_mut().map(|temp| &mut temp.folder).chain([&mut self.folder]);
        let failed = folders.filter_map(|folder| {
            let error = folder.remove().err()?;
            Some(format!("{} is left over and can be removed: {error}", folder.place()))
        });
        failed.collect()
    }

    fn in_folder(&self, what: &str) -> String {
        format!("{}/{what}", self.folder.name())
    }

    /// Moves the new target to its name.
    fn give_name(&self) -> Result<Way, ArrayError> {
        self.io.check_stop()?;
        let (new, name) = (self.in_folder(NEW), self.place.name.as_str());
        let Some(found) = self.target.found() else {
            return match self.place.parent.change(Change::Move { from: &new, to: name }) {
                Err(e) if e.is_taken() => Err(self.target.changed()),
                other => Ok(other.map(|()| Way::Fresh)?),
            };
        };
        if !self.target.is_as_found() {
            return Err(self.target.changed());
        }
        self.io.check_stop()?;
        let (way, old) = match self.place.parent.change(Change::Exchange { a: &new, b: name }) {
            Ok(()) => (Way::Exchanged, NEW),
            Err(e) if e.is_unsupported() => (self.rename_twice(&new)?, OLD),
            Err(e) => return Err(e.into()),
        };
        // The name may have gone to something else between looking and exchanging.
        if !self.folder.location(self.target.location(), old)?.holds(found) {
            self.take_back(way)?;
            return Err(self.target.changed());
        }
        Ok(way)
    }

    /// Where names cannot be exchanged: the old target goes out of the way first. A reader in between sees none.
    fn rename_twice(&self, new: &str) -> Result<Way, ArrayError> {
        let (old, name) = (self.in_folder(OLD), self.place.name.as_str());
        self.place.parent.change(Change::Move { from: name, to: &old })?;
        if let Err(error) = self.place.parent.change(Change::Move { from: new, to: name }) {
            self.place
                .parent
                .change(Change::Move { from: &old, to: name })
                .map_err(|e| self.stranded(&old, e))?;
            return Err(error.into());
        }
        Ok(Way::Renamed)
    }

    /// Undoes [`Self::give_name`].
    fn take_back(&self, way: Way) -> Result<(), ArrayError> {
        let (new, old, name) = (self.in_folder(NEW), self.in_folder(OLD), self.place.name.as_str());
        let undone = match way {
            Way::Fresh => self.place.parent.change(Change::Move { from: name, to: &new }),
            Way::Exchanged => self.place.parent.change(Change::Exchange { a: &new, b: name }),
            Way::Renamed => {
                let away = self.place.parent.change(Change::Move { from: name, to: &new });
                away.and_then(|()| self.place.parent.change(Change::Move { from: &old, to: name }))
            }
        };
        undone.map_err(|e| self.stranded(if way == Way::Exchanged { &new } else { &old }, e))
    }

    /// What cannot be put back stays where it is, and is not removed.
    fn stranded(&self, at: &str, source: IoError) -> ArrayError {
        self.folder.keep();
        let (target, at) =
            (self.target.location().to_string(), format!("{}/{at}", self.place.parent.label()));
        ArrayError::Stranded { target, at, source }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The job failed already; that error is the one to report.
        let _ = self.remove();
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
