//! A place where something shall be made: what is there now, and whether it can be had.

use zarrange_io::{Abilities, Change, IoError, Kept, Location, Opener, Tree, token};

use super::{leftovers, run_folder};
use crate::ArrayError;
use crate::hierarchy::open;

/// Whose work on a target is not in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining<'a> {
    /// Nobody's.
    Nobody,
    /// That of the workers of the plan with this fingerprint.
    Plan(&'a str),
    /// That of any workers: they will be looked at when the plan is known.
    Anybody,
}

/// A place that was looked at, and can be had.
#[derive(Clone, Debug)]
pub struct Target {
    location: Location,
    found: Option<Tree>,
}

impl Target {
    /// Looks whether something can be made at `location`, or with `overwrite` take the place of what is there. Nothing is changed,
    /// except that an old target is put back that a run which ended between two renames had taken away, and that run folders
    /// which are empty are removed.
    ///
    /// # Errors
    /// What is in the way, and what to do about it.
    pub fn check(location: &Location, overwrite: bool, io: &Opener) -> Result<Self, ArrayError> {
        Self::check_for(location, overwrite, Joining::Nobody, io)
    }

    /// As [`Self::check`]; what the workers have begun that are to be joined is not in the way.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_for(
        location: &Location,
        overwrite: bool,
        joining: Joining<'_>,
        io: &Opener,
    ) -> Result<Self, ArrayError> {
        if !location.abilities().renames {
            return Self::check_in_place(location);
        }
        let own = match joining {
            Joining::Plan(fingerprint) => Some(run_folder::name(&name_of(location), fingerprint)),
            Joining::Nobody | Joining::Anybody => None,
        };
        let looked = leftovers::recover_but(location, own.as_deref(), io)
            .and_then(|()| leftovers::check(location, own.as_deref(), io));
        match looked {
            Err(ArrayError::TargetShared { .. }) if joining == Joining::Anybody => {}
            other => other?,
        }
        let location = location.clone();
        if !location.exists()? {
            location.parent()?.0.check_writable()?;
            return Ok(Self { location, found: None });
        }
        if !overwrite {
            return Err(ArrayError::TargetExists(location.to_string()));
        }
        if let Some(leads_to) = location.link() {
            return Err(ArrayError::TargetLink { target: location.to_string(), leads_to });
        }
        check_zarr(&location, io)?;
        let kept = |source: IoError, what: &'static str| ArrayError::TargetKept {
            target: location.to_string(),
            what,
            source,
        };
        let found = location.tree().map_err(|reason| match reason {
            Kept::Cannot(source) => kept(source, "cannot be replaced"),
            Kept::Unknown(source) => kept(source, "is not replaced, for nobody knows what would be lost"),
        })?;
        try_to_move(&location, io).map_err(|source| kept(source, "cannot be replaced"))?;
        Ok(Self { location, found: Some(found) })
    }

    /// Looks whether chunks of what is at `location` can be replaced.
    ///
    /// # Errors
    /// What is in the way, and what to do about it.
    pub fn within(location: &Location, io: &Opener) -> Result<Self, ArrayError> {
        if !location.abilities().renames {
            return Err(ArrayError::NoMerge(location.to_string()));
        }
        leftovers::recover(location, io)?;
        leftovers::check(location, None, io)?;
        check_zarr(location, io)?;
        location.parent()?.0.check_writable()?;
        Ok(Self { location: location.clone(), found: None })
    }

    /// The same where names cannot be changed: what is there stays there.
    fn check_in_place(location: &Location) -> Result<Self, ArrayError> {
        if location.exists()? {
            return Err(ArrayError::TargetInPlace(location.to_string()));
        }
        Ok(Self { location: location.clone(), found: None })
    }

    /// The place.
    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// Whether something is replaced.
    pub const fn replaces(&self) -> bool {
        self.found.is_some()
    }

    /// Its number in the file system, if something is there that has one: another one has what takes its place.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub fn number(location: &Location, io: &Opener) -> Result<Option<u64>, ArrayError> {
        if !location.abilities().renames || !location.exists()? {
            return Ok(None);
        }
        let (at, name) = location.parent()?;
        match io.open(&at)?.identity(&name) {
            Ok(id) => Ok(id.map(|id| id.inode)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Its name, for what is called after it.
    pub(super) fn name(&self) -> String {
        name_of(&self.location)
    }

    pub(super) const fn found(&self) -> Option<&Tree> {
        self.found.as_ref()
    }

    /// Whether what is there is what was found.
    pub(super) fn is_as_found(&self) -> bool {
        self.location.tree().is_ok_and(|tree| Some(&tree) == self.found.as_ref())
    }

    pub(super) fn changed(&self) -> ArrayError {
        ArrayError::TargetChanged(self.location.to_string())
    }
}

/// The name of a target, for what is called after it.
pub(super) fn name_of(location: &Location) -> String {
    let root = |_| location.to_string().replace('/', "-");
    location.parent().map_or_else(root, |(_, name)| name)
}

/// Refuses to replace what is not Zarr.
fn check_zarr(location: &Location, io: &Opener) -> Result<(), ArrayError> {
    let not_zarr = || ArrayError::TargetNotZarr(location.to_string());
    let store = io.open(location).map_err(|e| if e.is_no_directory() { not_zarr() } else { e.into() })?;
    let is_empty = || {
        let mut empty = true;
        store.visit("", false, &mut |_, _| {
            empty = false;
            false
        })?;
        Ok::<_, ArrayError>(empty)
    };
    let opened = open(&store).err();
    if matches!(opened, Some(ArrayError::NotZarr { .. })) && !is_empty()? {
        return Err(not_zarr());
    }
    if let Some(ArrayError::Io(error)) = opened {
        // What cannot be read is not known to be Zarr.
        return Err(error.into());
    }
    // Damaged metadata is still Zarr: replacing it is what the user wants.
    Ok(())
}

/// Whether a directory can be given another name, where only trying tells: overlay file systems do not move what an image brought.
/// A directory that is not empty can never be replaced by a rename, so nothing moves.
fn try_to_move(location: &Location, io: &Opener) -> Result<(), IoError> {
    if !location.is_layered() {
        return Ok(());
    }
    let (at, name) = location.parent()?;
    let (parent, probe) = (io.open(&at)?, format!(".{}.zarrange-probe", token()));
    parent.change(Change::MakeDirectory(&format!("{probe}/inside")))?;
    let moved = parent.change(Change::Rename { from: &name, to: &probe });
    parent.change(Change::Remove(&probe))?;
    match moved {
        Err(e) if !e.is_occupied() => Err(e),
        _ => Ok(()),
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

/// Refuses a place for intermediates that belongs to the source or the target, or cannot be written.
///
/// # Errors
/// [`ArrayError::TempInside`], [`ArrayError::TempUnable`], or what keeps it from being written.
pub fn check_temp(temp: &Location, source: &Location, target: &Location) -> Result<(), ArrayError> {
    let Abilities { partial_writes, renames, partial_reads: _ } = temp.abilities();
    if !(partial_writes && renames) {
        return Err(ArrayError::TempUnable(temp.to_string()));
    }
    for (other, what) in [(source, "source"), (target, "target")] {
        if temp.is_within(other) {
            return Err(ArrayError::TempInside { temp: temp.to_string(), what, other: other.to_string() });
        }
    }
    Ok(temp.check_writable()?)
}
