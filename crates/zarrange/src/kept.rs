//! Profiles that were probed, kept for the places they are of: a file system of a machine, whatever lies on it.
//!
//! They are in `zarrange/places.json` below `XDG_CONFIG_HOME`, or below `.config` at home. Who cannot read that file plans with what is built in:
//! a profile changes what a plan costs, not what it does.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use zarrange_io::Location;
use zarrange_io::device::mount_point;
use zarrange_plan::{Costs, StoreProfile};

use crate::cached::Seen;
use crate::out::detail;

/// What was kept, by place.
type Places = BTreeMap<String, Kept>;

/// What was probed of a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    /// The place, and the machine that probed it.
    Here { profile: StoreProfile, codecs: f64 },
    /// The place alone, as older versions keep it.
    Place(StoreProfile),
}

/// What is known of where something is moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// What the places cost.
    pub costs: Costs,
    /// The time that codecs take, for each second that a plan would take for it.
    pub codec_times: f64,
}

/// Keeps the profile of a place, and the time that codecs take for each second that a plan would take for it; the file it is in, and what
/// the place is called there. `None` for a place of this process alone.
///
/// # Errors
/// If there is no home, or the file cannot be written.
pub fn keep(
    location: &Location,
    profile: &StoreProfile,
    codecs: f64,
) -> anyhow::Result<Option<(PathBuf, String)>> {
    let Some(place) = place(location) else { return Ok(None) };
    let file = file().context("neither XDG_CONFIG_HOME nor HOME says where profiles are kept")?;
    insert(&file, &place, Kept::Here { profile: profile.clone(), codecs })?;
    Ok(Some((file, place)))
}

/// Adds what is kept of a place to `file`, beside others who do the same with other places.
fn insert(file: &Path, place: &str, kept: Kept) -> anyhow::Result<()> {
    let told = || format!("{} cannot be written", file.display());
    std::fs::create_dir_all(file.parent().unwrap_or(file)).with_context(told)?;
    // The file itself is replaced, for somebody may read it meanwhile. Where nothing can be locked, who is last has it.
    let lock = File::create(file.with_extension("lock")).with_context(told)?;
    let _ = lock.lock();
    let mut places =
        read(file).with_context(|| format!("{} is no file of profiles: remove it", file.display()))?;
    places.insert(place.to_owned(), kept);
    let new = file.with_extension(format!("json.{}", std::process::id()));
    std::fs::write(&new, serde_json::to_string_pretty(&places)? + "\n").with_context(told)?;
    std::fs::rename(&new, file).with_context(told)
}

/// The profile that was kept for a place, if one was.
pub fn of(location: &Location) -> Option<StoreProfile> {
    entry(location).map(|(profile, _)| profile)
}

/// Places of source, target and intermediates: what was kept of each, and what is built in of the others.
pub fn costs(places: [&Location; 3]) -> Costs {
    costs_of(&places.map(entry))
}

fn costs_of([source, target, temp]: &[Option<Entry>; 3]) -> Costs {
    let place =
        |entry: &Option<Entry>, other: StoreProfile| entry.as_ref().map_or(other, |(kept, _)| kept.clone());
    let usual = Costs::default();
    Costs {
        source: place(source, usual.source),
        target: place(target, usual.target),
        spill: place(temp, usual.spill),
        ..usual
    }
}

/// The same as it is now, for a job that begins now: what the page cache holds costs no disk, and codecs are as fast as this machine is. `waits`:
/// until the target is on the disk, as nobody does for intermediates.
pub fn now(places: [&Location; 3], waits: bool) -> Known {
    let (source, kept) = (places[0], places.map(entry));
    let codec_times = kept.iter().flatten().find_map(|(_, codecs)| *codecs).unwrap_or(1.0);
    let mut known = Known { costs: costs_of(&kept), codec_times };
    // What one processor does faster than another: codecs and copies.
    known.costs.copy_ns_per_byte *= codec_times;
    let [source_kept, target_kept, temp_kept] = kept.map(|kept| kept.is_some());
    let seen = if source_kept { Seen::at(source) } else { None };
    if let Some((seen, cache)) = seen.zip(StoreProfile::built_in("page-cache")) {
        detail!("source: {:.0} % of it in the page cache", 100.0 * seen.cached);
        let Costs { source, target, spill, kernel_ns_per_byte, .. } = &mut known.costs;
        // What the kernel copies is counted as work of the processor.
        let besides = |ns_per_byte: f64| (ns_per_byte - *kernel_ns_per_byte).max(0.0);
        let (read_ns_per_byte, write_ns_per_byte) =
            (besides(cache.read_ns_per_byte), besides(cache.write_ns_per_byte));
        let cache = StoreProfile { read_ns_per_byte, write_ns_per_byte, ..cache };
        *source = seen.reading(source, &cache);
        if target_kept && !waits {
            *target = seen.writing(target, &cache);
        }
        if temp_kept {
            *spill = seen.between(spill, &cache);
        }
    }
    known
}

/// What was kept of a place, and of the machine where it was.
type Entry = (StoreProfile, Option<f64>);

fn entry(location: &Location) -> Option<Entry> {
    let (profile, codecs) = match read(&file()?).ok()?.remove(&place(location)?)? {
        Kept::Here { profile, codecs } => {
            (profile, Some(codecs).filter(|times| (1e-3..=1e3).contains(times)))
        }
        Kept::Place(profile) => (profile, None),
    };
    profile.fault().is_none().then_some((profile, codecs))
}

fn file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("zarrange/places.json"))
}

fn read(file: &Path) -> anyhow::Result<Places> {
    match std::fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Places::new()),
        Err(error) => Err(error.into()),
    }
}

/// A place by name: machine and mount point, as a home may be that of many machines.
fn place(location: &Location) -> Option<String> {
    let Location::Path(path) = location else { return None };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(format!("{}:{}", host.trim(), mount_point(path)?.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_probes_at_the_same_time_keeps_what_was_probed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("zarrange/places.json");
        let profile = StoreProfile::built_in("nvme").unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (file, profile) = (&file, &profile);
                scope.spawn(move || {
                    for k in 0..20 {
                        let kept = Kept::Here { profile: profile.clone(), codecs: 1.0 };
                        insert(file, &format!("/place/{thread}/{k}"), kept).unwrap();
                    }
                });
            }
        });
        assert_eq!(read(&file).unwrap().len(), 160);
    }
}
