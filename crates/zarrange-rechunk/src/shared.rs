//! One plan, many workers: each does a share of the parts of a stage, in a folder beside the target that all of them reach, and whoever comes
//! last gives the target its name.
//!
//! What is done is known by receipts alone. A part may be done twice, late, or by two at the same time: it gives the same bytes. A stage begins
//! when all receipts of the one before are there.

mod books;
mod journal;
mod ranges;
mod receipts;

use std::collections::BTreeMap;
use std::ops::Range;

use books::Books;
use receipts::Receipts;
pub use receipts::StageStatus;

use zarrange_array::{Joining, SharedFolder, Staging, Target};
use zarrange_io::{Change, Location, Opener, Store, is_temporary};
use zarrange_plan::{Cluster, Counts, Simulated, simulate};

use crate::error::{PlanFileError, RechunkError, SharedError, called};
use crate::plan_file::PlanFile;
use crate::prepare::Prepared;
use crate::prepare::beforehand::places;
use crate::prepare::item::Item;
use crate::prepare::planned::{check_replaced, is_made, place, prepare_for};
use crate::progress::Progress;
use crate::request::{Durability, Foreign};
use crate::run::{Known, KnownOf, PartPlaces, check_parts, complete, run_parts};

/// A plan that several processes carry out, as this one sees it.
#[derive(Debug)]
pub struct SharedRun {
    prepared: Prepared,
    folder: SharedFolder,
    /// The place of intermediates, if not in the folder; open, if there are any.
    temp: Option<Location>,
    elsewhere: Option<Store>,
    /// The number of what is replaced.
    replaces: Option<u64>,
    receipts: Receipts,
}

/// A share of the parts of a stage: number `index`, from 0, of `of` shares that are about equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its number.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl Share {
    /// Everything.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// The parts of so many that belong to it.
    fn of(self, parts: u64) -> Range<u64> {
        let at = |index: u64| {
            let scaled = u128::from(parts) * u128::from(index) / u128::from(self.of.max(1));
            u64::try_from(scaled).unwrap_or(parts)
        };
        at(self.index)..at(self.index.saturating_add(1)).min(parts)
    }
}

/// What a worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// Parts of the share.
    pub parts: u64,
    /// Those of them that were done before.
    pub before: u64,
    /// What was counted for the others.
    pub counts: Counts,
    /// The most bytes of the memory given in use at once.
    pub peak_budget_bytes: u64,
}

/// How a run of workers ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What was counted in all parts.
    pub counts: Counts,
    /// Whether all of it was compared with the source.
    pub verified: bool,
    /// What could not be tidied, one line each.
    pub warnings: Vec<String>,
}

impl SharedRun {
    /// Opens the run of `plan`, or begins it.
    ///
    /// # Errors
    /// [`SharedError`]: if the source is not what was planned, the target is in the way, or other workers make it by another plan.
    pub fn join(plan: &PlanFile, io: &Opener) -> Result<Self, SharedError> {
        let found = find(plan, io)?;
        if found.is_none() {
            if is_made(plan, io)? {
                return Err(SharedError::Over);
            }
            check_replaced(plan, io)?;
        }
        let fingerprint = plan.fingerprint();
        let prepared = prepare_for(plan, Joining::Plan(&fingerprint), io.clone())?;
        if let Some(folder) = found {
            return Self::of(prepared, (folder, plan), io);
        }
        let folder = SharedFolder::join(&prepared.target, &fingerprint, io)?;
        let run = Self::of(prepared, (folder, plan), io)?;
        // Others may have finished it, before the folder was made here.
        let still = places(&run.prepared.request, Joining::Plan(&fingerprint)).map_err(SharedError::from);
        match still.and_then(|_| Ok(check_replaced(plan, io)?)) {
            Ok(()) => match run.folder.keep_plan(plan.to_json().as_bytes()) {
                Err(_) if run.folder.is_over() => Err(SharedError::Over),
                kept => Ok(kept.map(|()| run)?),
            },
            Err(error) => {
                if run.status()?.iter().all(|stage| stage.done == 0) {
                    run.folder.give_up()?;
                }
                Err(error)
            }
        }
    }

    /// Opens the run of `plan`, which somebody has begun.
    ///
    /// # Errors
    /// As [`Self::join`], and [`SharedError::NotBegun`].
    pub fn open(plan: &PlanFile, io: &Opener) -> Result<Self, SharedError> {
        let Some(folder) = find(plan, io)? else {
            return Err(SharedError::NotBegun { target: plan.target.clone() });
        };
        let prepared = prepare_for(plan, Joining::Plan(&plan.fingerprint()), io.clone())?;
        Self::of(prepared, (folder, plan), io)
    }

    fn of(
        prepared: Prepared,
        (folder, plan): (SharedFolder, &PlanFile),
        io: &Opener,
    ) -> Result<Self, SharedError> {
        let temp = temp_of(plan)?;
        let spilled = temp.as_ref().filter(|_| prepared.spills());
        let elsewhere = spilled.map(|place| open_made(place, io)).transpose()?;
        let receipts = Receipts::new(folder.receipts()?, &prepared, plan.fingerprint());
        Ok(Self { prepared, folder, temp, elsewhere, replaces: plan.options.replaces, receipts })
    }

    /// How many stages there are.
    pub fn stages(&self) -> u64 {
        self.receipts.stages()
    }

    /// The stages, each with its parts and how many of them are done. A stage needs what the one before has made.
    ///
    /// # Errors
    /// If receipts cannot be listed.
    pub fn status(&self) -> Result<Vec<StageStatus>, SharedError> {
        (0..self.stages()).map(|stage| self.receipts.status(stage)).collect()
    }

    /// Does what is not done yet of a share of stage `stage`.
    ///
    /// # Errors
    /// [`SharedError`]: if there is no such stage or share, the stage before is not done, something cannot be moved, or the run is over. What
    /// has a receipt is done, and the same can be called again.
    pub fn work(&self, stage: u64, share: Share, progress: &dyn Progress) -> Result<Worked, SharedError> {
        let worked = self.do_share(stage, share, progress);
        // That explains whatever went wrong.
        worked.map_err(|error| if self.folder.is_over() { SharedError::Over } else { error })
    }

    fn do_share(&self, stage: u64, share: Share, progress: &dyn Progress) -> Result<Worked, SharedError> {
        let stages = self.receipts.stages();
        if stage >= stages {
            return Err(SharedError::NoStage { stage, stages });
        }
        if share.index >= share.of {
            return Err(SharedError::NoShare { index: share.index, of: share.of });
        }
        if let Some(before) = stage.checked_sub(1) {
            let StageStatus { parts, done } = self.receipts.status(before)?;
            if done < parts {
                return Err(SharedError::TooEarly { stage, before, parts, done });
            }
        }
        let durable = self.prepared.request.durability == Durability::Commit;
        let target = self.folder.target()?;
        let intermediates = self.elsewhere.as_ref().unwrap_or_else(|| self.folder.data());
        let places = PartPlaces { target: &target, intermediates };
        let mine = share.of(self.receipts.parts(stage));
        let mut worked = Worked { parts: mine.end.saturating_sub(mine.start), ..Worked::default() };
        let shares: Vec<_> = self.receipts.of_stage(stage).filter_map(|array| array.within(&mine)).collect();
        progress.begin("rechunk", shares.iter().map(|of| of.work_bytes(&self.prepared)).sum());
        let sync: &books::Sync<'_> = &|| {
            if durable {
                self.folder.sync()?;
                self.elsewhere.as_ref().map_or(Ok(()), |place| place.change(Change::Sync))?;
            }
            Ok(())
        };
        let books = Books::new(&self.receipts, sync);
        let moved = shares.iter().try_for_each(|share| {
            let page = books.page(share)?;
            worked.before += page.before();
            let item = &self.prepared.items[share.array];
            let peak = if share.checks {
                check_parts(&self.prepared, item, places.target, &page, progress)?
            } else {
                run_parts(&self.prepared, item, stage, places, &page, progress)?
            };
            worked.peak_budget_bytes = worked.peak_budget_bytes.max(peak);
            Ok(page.close()?)
        });
        // What is done is done, whatever failed beside it.
        let written = books.close();
        moved.and_then(|()| Ok(Worked { counts: written?, ..worked }))
    }

    /// Gives the target its name, when all parts are done: compares as was asked, writes the metadata, and removes the folder. It may be called
    /// again, whatever ended it before; whether only that is left to be done, [`Self::is_finished`] tells.
    ///
    /// # Errors
    /// [`SharedError`]: if receipts are missing, or the target is not what it should be. Nothing is published then, and nothing removed.
    pub fn finish(self, progress: &dyn Progress) -> Result<Finished, SharedError> {
        let Self { prepared, folder, replaces, receipts, .. } = &self;
        let request = &prepared.request;
        let verified = request.verify.is_whole();
        let mut staging = Staging::of_shared(prepared.target.clone(), folder, &request.io)?;
        // Somebody else may have done that before this one had the lock.
        if folder.is_published()? {
            let warnings = staging.end();
            return Ok(Finished {
                counts: Counts::default(),
                verified,
                warnings: self.without_temp(warnings),
            });
        }
        let stages = self.status()?;
        if let Some(stage) = stages.iter().position(|stage| stage.done < stage.parts) {
            let StageStatus { parts, done } = stages[stage];
            return Err(SharedError::Incomplete { stage: stage as u64, parts, done });
        }
        let (counts, root) = (receipts.counts()?, folder.target()?);
        progress.begin("finish", 0);
        self.check_sizes(&root)?;
        complete(prepared, &root, &self.checked()?, progress)?;
        if request.foreign != Foreign::Copy {
            // Of those who did a part again meanwhile; what was copied may be called so.
            remove_temporary(&root, &mut |_, _| ())?;
        }
        let there = Target::number(&request.target, &request.io)?;
        if request.overwrite && there != *replaces && !folder.holds_old()? {
            return Err(PlanFileError::Replaced { target: request.target.to_string() }.into());
        }
        folder.note_publishing()?;
        let warnings = staging.publish(request.durability == Durability::Commit)?;
        Ok(Finished { counts, verified, warnings: self.without_temp(warnings) })
    }

    /// Looks whether as many bytes are there as were written. What workers that were ended have left is removed.
    fn check_sizes(&self, root: &Store) -> Result<(), SharedError> {
        let items = &self.prepared.items;
        let numbers: BTreeMap<&str, usize> = items.iter().map(Item::path).zip(0..).collect();
        let mut found = vec![0u64; items.len()];
        remove_temporary(root, &mut |key, bytes| {
            let above = std::iter::successors(Some(key), |key| key.rsplit_once('/').map(|(above, _)| above));
            if let Some(number) = above.skip(1).chain([""]).find_map(|path| numbers.get(path)) {
                found[*number] += bytes;
            }
        })?;
        for (number, written) in self.receipts.written()? {
            let found = found[number];
            if found < written {
                return Err(SharedError::Lost { array: called(items[number].path()), written, found });
            }
        }
        Ok(())
    }

    /// What workers have found to be the same as in the source.
    fn checked(&self) -> Result<KnownOf, SharedError> {
        let mut known = KnownOf::new();
        for (number, item) in self.prepared.items.iter().enumerate() {
            let Some(check) = item.check() else { continue };
            let [source, target] = self.receipts.digests(number)?;
            if !check.is_digested || source == target {
                known.insert(item.path().to_owned(), Known::Same);
            }
        }
        Ok(known)
    }

    /// What is told, when intermediates elsewhere are removed, too.
    fn without_temp(&self, mut warnings: Vec<String>) -> Vec<String> {
        let left = self.temp.as_ref().and_then(|place| remove_temp(place, &self.prepared.request.io));
        warnings.extend(left);
        warnings
    }

    /// Removes everything that workers have written, whether there was anything; the target stays what it was.
    ///
    /// # Errors
    /// If somebody finishes it, or it cannot be removed.
    pub fn give_up(plan: &PlanFile, io: &Opener) -> Result<bool, SharedError> {
        let found = find(plan, io)?;
        let was_there = found.is_some();
        match found {
            Some(folder) => folder.give_up()?,
            // Whoever removed it may have ended before.
            None => SharedFolder::clear(&place(&plan.target)?, &plan.fingerprint(), io)?,
        }
        let left = temp_of(plan)?.and_then(|place| remove_temp(&place, io));
        left.map_or(Ok(was_there), |left| Err(SharedError::Left(left)))
    }

    /// How many parts of `plan` are done, as its receipts say. Its source is not looked at.
    ///
    /// # Errors
    /// [`SharedError::NotBegun`] where nobody has begun it, or if receipts cannot be read.
    pub fn parts_done(plan: &PlanFile, io: &Opener) -> Result<u64, SharedError> {
        let Some(folder) = find(plan, io)? else {
            return Err(SharedError::NotBegun { target: plan.target.clone() });
        };
        receipts::parts_done(&folder.receipts()?)
    }

    /// Where the plan is while it is carried out, for workers that have nothing but a place.
    ///
    /// # Errors
    /// If the plan names no place.
    pub fn plan_place(plan: &PlanFile) -> Result<Location, SharedError> {
        Ok(SharedFolder::plan_place(&place(&plan.target)?, &plan.fingerprint())?)
    }

    /// Whether the target of `plan` is finished. What is left of the folder then, [`Self::give_up`] removes.
    ///
    /// # Errors
    /// If that cannot be looked at.
    pub fn is_finished(plan: &PlanFile, io: &Opener) -> Result<bool, SharedError> {
        match find(plan, io)? {
            Some(folder) => Ok(folder.is_published()?),
            None => Ok(is_made(plan, io)?),
        }
    }
}

impl Prepared {
    /// The parts of each stage, if workers carry it out.
    pub fn stage_parts(&self) -> Vec<u64> {
        receipts::parts_of_stages(self)
    }

    /// What workers would take for it.
    pub fn simulated(&self, cluster: &Cluster) -> Simulated {
        let mut stages = vec![Vec::new(); self.stage_parts().len()];
        for item in &self.items {
            let works = item.plan().map_or_else(|| vec![item.unplanned_work()], |plan| plan.stage_works());
            for (stage, work) in stages.iter_mut().zip(works) {
                stage.push(work);
            }
            if let (Some(check), Some(stage)) = (item.check(), stages.last_mut()) {
                stage.extend(check.plan().stage_works());
            }
        }
        simulate(&stages, cluster)
    }
}

/// The folder of a plan.
fn find(plan: &PlanFile, io: &Opener) -> Result<Option<SharedFolder>, SharedError> {
    Ok(SharedFolder::find(&place(&plan.target)?, &plan.fingerprint(), io)?)
}

/// Where workers of a plan have intermediates, if not in their folder.
fn temp_of(plan: &PlanFile) -> Result<Option<Location>, SharedError> {
    let Some(temp) = plan.options.temp.as_deref() else { return Ok(None) };
    Ok(Some(place(temp)?.below(&SharedFolder::name_for(&place(&plan.target)?, &plan.fingerprint()))))
}

/// Removes what workers that were ended have left where others did the same part again; the keys and bytes of all else.
fn remove_temporary(root: &Store, kept: &mut dyn FnMut(&str, u64)) -> Result<(), RechunkError> {
    let mut left = Vec::new();
    root.walk("", &mut |key, bytes| {
        if is_temporary(key.rsplit_once('/').map_or(key, |(_, name)| name)) {
            left.push(key.to_owned());
        } else {
            kept(key, bytes);
        }
    })?;
    Ok(left.iter().try_for_each(|key| root.change(Change::Remove(key)))?)
}

fn open_made(place: &Location, io: &Opener) -> Result<Store, RechunkError> {
    place.make_directories()?;
    Ok(io.open(place)?)
}

/// Removes the place of intermediates; a line if that fails.
fn remove_temp(place: &Location, io: &Opener) -> Option<String> {
    let removed = || -> Result<(), RechunkError> {
        let (at, name) = place.parent()?;
        if place.exists()? {
            io.unstoppable().open(&at)?.change(Change::Remove(&name))?;
        }
        Ok(())
    };
    let error = removed().err()?;
    Some(format!("{place} is left over and can be removed: {error}"))
}
