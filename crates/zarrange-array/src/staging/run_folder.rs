//! A folder that one run has for itself: made by whoever finds none, and held by a lock that dies with its owner.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use zarrange_io::{Access, Change, IoError, Location, Lock, Machine, Object, Store, token};

use crate::ArrayError;

/// The file that is locked, and says whose the folder is.
pub(super) const LOCK: &str = "lock";

/// Where it is, several processes work in the folder: it stays when none of them does. A directory, for that is made in one step.
pub(super) const WORKERS: &str = "workers";

/// Which directory gets the target's name, in a folder of several processes: written just before, so that whoever comes after an end in
/// between knows whether it has it.
pub(super) const PUBLISHING: &str = "publishing";

/// The plan of several processes, by which the folder can be given up.
pub(super) const PLAN: &str = "plan.json";

/// What says whose a folder is, and what it is for: removed last, in this order.
const TELLING: [&str; 4] = [WORKERS, PLAN, PUBLISHING, LOCK];

/// Where it is, the folder holds an old target that could not be put back: nobody removes it but people.
const KEPT: &str = "kept";

/// A record is a few hundred bytes, and paths.
const RECORD_BYTES_MAX: u64 = 64 << 10;

/// Bytes of a target's name that the name of its folder repeats: file systems allow 255 in all.
const NAME_BYTES_MAX: usize = 170;

/// Who works in a folder, and on what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Nobody else has this name.
    pub(super) run: String,
    pub(super) host: String,
    /// Of the machine, since it was started.
    pub(super) boot: String,
    /// Number of the process, for people: in containers it says little.
    pub(super) process: u32,
    pub(super) target: String,
    /// The folder of the same run that holds intermediates, if text can name it.
    pub(super) temp: Option<String>,
}

impl Record {
    pub(super) fn new(run: &str, target: &Location, temp: Option<Location>) -> Self {
        let Machine { host, boot } = Machine::this();
        let named = |place: Location| {
            let place = place.absolute();
            Some(place.to_string()).filter(|text| text.parse().is_ok_and(|named: Location| named == place))
        };
        let (target, temp) = (target.absolute().to_string(), temp.and_then(named));
        Self { run: run.to_owned(), host, boot, process: std::process::id(), target, temp }
    }

    /// Whether its owner can be nowhere any more, given that its lock is free.
    pub(super) fn is_gone(&self, local: bool) -> bool {
        let Machine { host, boot } = Machine::this();
        // The lock of a process of this very kernel ends with it; what a machine did before it was started anew is over, too, but only on
        // its own file systems is that machine known to be this one.
        (!boot.is_empty() && self.boot == boot) || (local && self.host == host)
    }

    pub(super) fn owner(&self) -> String {
        format!("process {} on {}", self.process, self.host)
    }
}

/// What is known of a run folder's owner.
pub(super) enum State {
    /// There is no such folder (any more).
    Absent,
    /// Its owner is at work.
    Live(String),
    /// Its owner is gone for certain.
    Gone(Past),
    /// Several processes work there, or will.
    Shared,
    /// Nobody can tell.
    Unknown(String),
}

/// A run that is over: what it wrote down, and its lock, which nobody else gets meanwhile.
pub(super) struct Past {
    pub(super) record: Option<Record>,
    _lock: Object,
}

/// A run folder of this process. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct RunFolder {
    parent: Store,
    name: String,
    /// Locked as long as it is open.
    held: Option<Object>,
    done: AtomicBool,
}

/// The name of the folder of a run: hidden, beside the target of that name.
pub(super) fn name(target: &str, fingerprint: &str) -> String {
    format!("{}{fingerprint}", prefix(target))
}

/// How the names of all run folders of a target begin, and of no other: of a long name a part stands there, and a hash of all of it.
pub(super) fn prefix(target: &str) -> String {
    if target.len() <= NAME_BYTES_MAX {
        return format!(".{target}.partial-");
    }
    let end = target.floor_char_boundary(NAME_BYTES_MAX - 33);
    let hash = XxHash3_128::oneshot(target.as_bytes());
    format!(".{}~{hash:032x}.partial-", &target[..end])
}

/// Whether `name` is that of a run folder beside a target.
pub(super) fn is_run_folder(name: &str, prefix: &str) -> bool {
    let fingerprint = name.strip_prefix(prefix);
    fingerprint.is_some_and(|text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Waits a moment, never as long as somebody else does.
pub(super) fn pause() {
    let random = u64::from_str_radix(&token()[..4], 16).unwrap_or(0);
    std::thread::sleep(Duration::from_micros(10_000 + random));
}

impl RunFolder {
    /// Makes the folder `name` in `parent`, which must be new.
    pub(super) fn make(parent: &Store, name: &str, record: &Record) -> Result<Self, ArrayError> {
        parent.change(Change::MakeDirectory(name))?;
        let lock = format!("{name}/{LOCK}");
        let undo = |error: ArrayError| {
            // Whoever took it for a leftover in this moment has it now.
            let _ = parent.change(Change::RemoveEmpty(name));
            error
        };
        let object = parent.open(&lock, Access::New).map_err(|e| undo(e.into()))?;
        let object = object.ok_or_else(|| undo(taken(parent, name).into()))?;
        let locked = object.lock();
        let written = match locked {
            Ok(Lock::Busy) => return Err(taken(parent, name).into()),
            Ok(_) => parent.write_at(&object, 0, record_json(record).as_bytes()),
            Err(source) => {
                let location = format!("{}/{lock}", parent.label());
                Err(IoError::Os { operation: "lock", location, source })
            }
        };
        let (parent, name, done) = (parent.clone(), name.to_owned(), AtomicBool::new(false));
        let folder = Self { parent, name, held: Some(object), done };
        // Dropped, it is removed.
        written.map(|()| folder).map_err(ArrayError::Io)
    }

    /// Takes the folder `name` of several processes, to end it. It stays until it [may be removed](Self::let_go).
    pub(super) fn adopt(parent: &Store, name: &str, record: &Record) -> Result<Self, ArrayError> {
        let key = format!("{name}/{LOCK}");
        let there = match parent.open(&key, Access::New) {
            Err(error) if error.is_taken() => parent.open(&key, Access::Write)?,
            made => made?,
        };
        let held =
            there.ok_or_else(|| IoError::NotFound { location: format!("{}/{key}", parent.label()) })?;
        let os = |operation, source| IoError::Os {
            operation,
            location: format!("{}/{key}", parent.label()),
            source,
        };
        if held.lock().map_err(|source| os("lock", source))? == Lock::Busy {
            let owner = read(parent, &held).as_ref().map_or_else(unnamed, Record::owner);
            let folder = format!("{}/{name}", parent.label());
            return Err(ArrayError::TargetBusy { target: record.target.clone(), folder, owner });
        }
        let mut json = record_json(record);
        // What somebody wrote there before may have been longer.
        let bytes = held.bytes().map_err(|source| os("read size", source))?.min(RECORD_BYTES_MAX);
        json.extend((json.len() as u64..bytes).map(|_| ' '));
        parent.write_at(&held, 0, json.as_bytes())?;
        Ok(Self {
            parent: parent.clone(),
            name: name.to_owned(),
            held: Some(held),
            done: AtomicBool::new(true),
        })
    }

    /// From now on it is removed.
    pub(super) fn let_go(&self) {
        self.done.store(false, Ordering::Relaxed);
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.parent.label(), self.name)
    }

    /// Where `what` in the folder of `target` is.
    pub(super) fn location(&self, target: &Location, what: &str) -> Result<Location, ArrayError> {
        Ok(target.parent()?.0.below(&self.name).below(what))
    }

    /// Lets it stay, also for later runs.
    pub(super) fn keep(&self) {
        self.done.store(true, Ordering::Relaxed);
        // Whoever reads the error knows where everything is.
        let _ = self.parent.open(&format!("{}/{KEPT}", self.name), Access::New);
    }

    /// Removes it, once.
    pub(super) fn remove(&mut self) -> Result<(), IoError> {
        if self.done.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let removed = remove(&self.parent, &self.name);
        removed.or_else(|_| {
            // The descriptor of the lock may be the one that is missing; whoever gets the lock now removes the same.
            self.held = None;
            remove(&self.parent, &self.name)
        })
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // Whoever wants to know has called `remove`.
        let _ = self.remove();
    }
}

fn taken(parent: &Store, name: &str) -> IoError {
    let source = std::io::ErrorKind::AlreadyExists.into();
    IoError::Os { operation: "create directory", location: format!("{}/{name}", parent.label()), source }
}

fn record_json(record: &Record) -> String {
    serde_json::to_string_pretty(record).unwrap_or_else(|error| unreachable!("text and numbers: {error}"))
}

/// Removes a run folder whose lock is held: what tells whose it is last, so that whoever comes by meanwhile, or after an interruption, still
/// knows that.
pub(super) fn remove(parent: &Store, name: &str) -> Result<(), IoError> {
    let mut inside = Vec::new();
    parent.visit(name, false, &mut |entry, _| {
        if !TELLING.contains(&entry) {
            inside.push(format!("{name}/{entry}"));
        }
        true
    })?;
    inside.extend(TELLING[..2].iter().map(|telling| format!("{name}/{telling}")));
    for key in &inside {
        // Again where it fails: a server may hide a file that is open yet in the directory.
        parent.change(Change::Remove(key)).or_else(|_| parent.change(Change::Remove(key)))?;
    }
    parent.change(Change::Remove(name)).or_else(|_| parent.change(Change::Remove(name)))
}

/// Looks whose the run folder `name` is. A lock that is free is taken.
pub(super) fn look(at: &Location, parent: &Store, name: &str) -> Result<State, ArrayError> {
    if let Some(leads_to) = at.below(name).link() {
        return Ok(State::Unknown(format!("whoever made a link to {leads_to} of it")));
    }
    if has(parent, name, WORKERS)? {
        return Ok(State::Shared);
    }
    if parent.open(&format!("{name}/{KEPT}"), Access::Read)?.is_some() {
        return Ok(State::Unknown(
            "a run that could not put the old target back, which is in there".to_owned(),
        ));
    }
    let key = format!("{name}/{LOCK}");
    // Servers lock only what can be written; what somebody else owns can be read at most.
    let opened = parent.open(&key, Access::Write).or_else(|_| parent.open(&key, Access::Read))?;
    let Some(object) = opened else {
        return without_lock(parent, name);
    };
    let record = read(parent, &object);
    let owner = || record.as_ref().map_or_else(unnamed, Record::owner);
    let local = match object.lock() {
        Ok(Lock::Taken { local }) => local,
        Ok(Lock::Busy) => return Ok(State::Live(owner())),
        Ok(Lock::Unknown) => {
            return Ok(State::Unknown(format!(
                "{}, and the file system has no locks that would tell",
                owner()
            )));
        }
        Err(error) => {
            return Ok(State::Unknown(format!("{}, whose lock cannot be asked for ({error})", owner())));
        }
    };
    // Whoever had it may have written it, or removed it, just before.
    let record = read(parent, &object);
    Ok(match record {
        Some(record) if !record.is_gone(local) => State::Unknown(record.owner()),
        Some(record) => State::Gone(Past { record: Some(record), _lock: object }),
        // Its owner ended before it wrote its name, and no other can get the lock now.
        None if local && is_alone(parent, name)? => State::Gone(Past { record: None, _lock: object }),
        // It was removed meanwhile, or its owner cannot be read.
        None if parent.open(&key, Access::Read)?.is_none() => State::Absent,
        None => State::Unknown(unnamed()),
    })
}

/// A folder whose owner has not made its lock yet, or has removed it already. One that is empty nobody loses.
fn without_lock(parent: &Store, name: &str) -> Result<State, ArrayError> {
    match parent.change(Change::RemoveEmpty(name)) {
        Ok(()) => Ok(State::Absent),
        Err(_) if is_empty(parent, name)? => Ok(State::Absent),
        Err(_) => Ok(State::Unknown(unnamed())),
    }
}

fn unnamed() -> String {
    "an owner that is not known".to_owned()
}

/// Whether `what` is in a folder; not if there is no such folder.
pub(super) fn has(parent: &Store, folder: &str, what: &str) -> Result<bool, IoError> {
    let mut found = false;
    let listed = parent.visit(folder, false, &mut |name, _| {
        found |= name == what;
        !found
    });
    match listed {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(found),
    }
}

/// Whether there is nothing but the lock in a folder.
fn is_alone(parent: &Store, name: &str) -> Result<bool, ArrayError> {
    let mut alone = true;
    parent.visit(name, false, &mut |entry, _| {
        alone &= entry == LOCK;
        alone
    })?;
    Ok(alone)
}

fn is_empty(parent: &Store, name: &str) -> Result<bool, ArrayError> {
    let mut empty = true;
    parent.visit(name, false, &mut |_, _| {
        empty = false;
        false
    })?;
    Ok(empty)
}

/// The record in an open lock, if there is one that can be read.
fn read(parent: &Store, object: &Object) -> Option<Record> {
    let bytes = object.bytes().ok().filter(|bytes| *bytes <= RECORD_BYTES_MAX)?;
    let mut data = vec![0; usize::try_from(bytes).ok()?];
    parent.read_at(object, 0, &mut data).ok()?;
    serde_json::from_slice(&data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_targets_share_run_folders() {
        let long = |last: &str| format!("{}{last}", "ö".repeat(120));
        let (one, other) = (long("a"), long("b"));
        assert_ne!(prefix(&one), prefix(&other));
        let folder = name(&one, &"0".repeat(32));
        assert!(is_run_folder(&folder, &prefix(&one)) && !is_run_folder(&folder, &prefix(&other)));
        // With what tells folders in `--temp` apart, it is a name that file systems take.
        assert!(folder.len() + 33 <= 255, "{}", folder.len());
        assert!(!is_run_folder(".a.zarr.partial-1234", &prefix("a.zarr")));
    }
}
