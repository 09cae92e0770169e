//! The target appears in one step.
//!
//! Everything is written into a run folder beside the target ([`beside`]), which nobody else has. Only when it is complete,
//! metadata included, does it take the target's name; an existing target changes places with it and is then removed. Whatever
//! fails before leaves the target as it was, and what is replaced is what [`Target::check`] saw. Where names cannot be changed, a
//! target is made in its place, where nothing was before ([`in_place`]): it is there when its root has its metadata.

mod beside;
mod in_place;
mod leftovers;
mod made;
mod run_folder;
mod shared;
mod target;

use zarrange_io::{Location, Opener, Store, token};

use crate::ArrayError;
use beside::Beside;
use in_place::InPlace;
use made::{Made, remove};
use run_folder::{Record, RunFolder};

pub use leftovers::recover;
pub use shared::SharedFolder;
pub use target::{Joining, Target, check_apart, check_temp};

/// A target in the making. Dropped before [`Staging::publish`], it is removed.
#[derive(Debug)]
pub struct Staging {
    target: Target,
    written: Written,
    temp: Option<Temp>,
}

/// Where it is made.
#[derive(Debug)]
enum Written {
    Beside(Box<Beside>),
    InPlace(Box<InPlace>),
}

/// Where intermediates go, if not beside the target.
#[derive(Debug)]
struct Temp {
    folder: RunFolder,
    data: Store,
    _made: Made,
}

impl Temp {
    /// Makes a folder `name` in `place`.
    fn make(place: &Location, name: &str, record: &Record, io: &Opener) -> Result<Self, ArrayError> {
        let made = Made(place.make_directories()?);
        let folder = RunFolder::make(&io.unstoppable().open(place)?, name, record)?;
        Ok(Self { folder, data: io.open(place)?.below(name)?, _made: made })
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
        let run = token();
        let name = run_folder::name(&target.name(), fingerprint);
        let temp = temp.map(|place| (place, format!("{name}-{run}")));
        let record =
            Record::new(&run, target.location(), temp.as_ref().map(|(place, name)| place.below(name)));
        let written = if target.location().abilities().renames {
            Written::Beside(Box::new(Beside::begin(&target, &name, &record, io)?))
        } else {
            Written::InPlace(Box::new(InPlace::begin(&target, io)?))
        };
        let record = Record { temp: None, ..record };
        let temp = temp.map(|(place, name)| Temp::make(place, &name, &record, io)).transpose()?;
        Ok(Self { target, written, temp })
    }

    /// Ends what several processes did in `folder`. Dropped before [`Staging::publish`], it stays.
    ///
    /// # Errors
    /// [`ArrayError::TargetBusy`] where somebody else does that.
    pub fn of_shared(target: Target, folder: &SharedFolder, io: &Opener) -> Result<Self, ArrayError> {
        io.check_stop()?;
        let written = Written::Beside(Box::new(folder.adopt(&target, io)?));
        Ok(Self { target, written, temp: None })
    }

    /// Removes the folder of a target that has its name already. What is told could not be removed.
    pub fn end(mut self) -> Vec<String> {
        if let Written::Beside(beside) = &self.written {
            beside.let_go();
        }
        self.remove()
    }

    /// The store to write to.
    ///
    /// # Errors
    /// Never for a name that [`Self::begin`] accepted.
    pub fn store(&self) -> Result<Store, ArrayError> {
        match &self.written {
            Written::Beside(beside) => beside.store(),
            Written::InPlace(in_place) => Ok(in_place.store()),
        }
    }

    /// A store and key for intermediate number `k`.
    ///
    /// # Errors
    /// [`ArrayError::NoTemp`] if there is no place for it.
    pub fn intermediate(&self, k: usize) -> Result<(Store, String), ArrayError> {
        let data = match (&self.temp, &self.written) {
            (Some(temp), _) => &temp.data,
            (None, Written::Beside(beside)) => beside.data(),
            (None, Written::InPlace(_)) => {
                return Err(ArrayError::NoTemp(self.target.location().to_string()));
            }
        };
        Ok((data.clone(), format!("intermediate-{k}")))
    }

    /// Gives the staged hierarchy the target's name; with `durable`, that survives a crash of the machine too. What is told could
    /// not be tidied afterwards.
    ///
    /// # Errors
    /// If the name cannot be given, or it was asked to stop; the target is then as it was before.
    pub fn publish(&mut self, durable: bool) -> Result<Vec<String>, ArrayError> {
        let mut warnings = match &mut self.written {
            Written::Beside(beside) => beside.publish(&self.target, durable)?,
            Written::InPlace(in_place) => in_place.publish(durable)?,
        };
        warnings.extend(self.remove());
        Ok(warnings)
    }

    /// Puts what was written at `keys` into the target, which stays what it is otherwise; an object that was not written is removed there.
    /// Each is replaced in one step. What is told could not be tidied afterwards.
    ///
    /// # Errors
    /// [`ArrayError::Merged`] after the first of them was replaced; the target is as it was before any other.
    pub fn merge(
        &mut self,
        keys: &mut dyn Iterator<Item = String>,
        durable: bool,
    ) -> Result<Vec<String>, ArrayError> {
        let mut warnings = match &mut self.written {
            Written::Beside(beside) => beside.merge(&self.target, keys, durable)?,
            Written::InPlace(_) => return Err(ArrayError::NoMerge(self.target.location().to_string())),
        };
        warnings.extend(self.remove());
        Ok(warnings)
    }

    /// Removes what was written; what is told could not be.
    pub fn discard(mut self) -> Vec<String> {
        self.remove()
    }

    fn remove(&mut self) -> Vec<String> {
        if let Written::Beside(beside) = &mut self.written {
            beside.close();
        }
        let temp = self.temp.take();
        let temp = temp.and_then(|Temp { mut folder, data, _made }| {
            drop(data);
            remove(&mut folder)
        });
        let written = match &mut self.written {
            Written::Beside(beside) => beside.remove(),
            Written::InPlace(in_place) => in_place.remove(),
        };
        temp.into_iter().chain(written).collect()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The run failed already; that error is the one to report.
        let _ = self.remove();
    }
}
