//! Profiles that were probed, kept for the places they are of: a file system of a machine, whatever lies on it.
//!
//! They are in `zarrange/places.json` below `XDG_CONFIG_HOME`, or below `.config` at home. Who cannot read that file plans with what is built in:
//! a profile changes what a plan costs, not what it does.

use std::collections::BTreeMap;
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

impl Default for Known {
    fn default() -> Self {
        Self { costs: Costs::default(), codec_times: 1.0 }
    }
}

/// Keeps the profile of a place, and the time that codecs take for each second that a plan would take for it; the file it is in, and what the place is called there. `None` for a place of this process alone.
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
    let told = || format!("{} cannot be written", file.display());
    let mut places =
        read(&file).with_context(|| format!("{} is no file of profiles: remove it", file.display()))?;
    places.insert(place.clone(), Kept::Here { profile: profile.clone(), codecs });
    let dir = file.parent().unwrap_or(&file);
    std::fs::create_dir_all(dir).with_context(told)?;
    // Somebody may read it meanwhile.
    let new = file.with_extension(format!("json.{}", std::process::id()));
    std::fs::write(&new, serde_json::to_string_pretty(&places)? + "\n").with_context(told)?;
    std::fs::rename(&new, &file).with_context(told)?;
    Ok(Some((file, place)))
}

/// The profile that was kept for a place, if one was.
pub fn of(location: &Location) -> Option<StoreProfile> {
    entry(location).map(|(profile, _)| profile)
}

fn entry(location: &Location) -> Option<(StoreProfile, f64)> {
    let (profile, codecs) = match read(&file()?).ok()?.remove(&place(location)?)? {
        Kept::Here { profile, codecs } => (profile, codecs),
        Kept::Place(profile) => (profile, 1.0),
    };
    (profile.fault().is_none() && codecs.is_finite() && codecs > 0.0).then_some((profile, codecs))
}

/// What source, target and intermediates cost: as was kept of their places and as the page cache is now, else as built in. `waits`: until the
/// target is on the disk, as nobody does for intermediates.
pub fn known([source, target, temp]: [&Location; 3], waits: bool) -> Known {
    let Known { mut costs, mut codec_times } = Known::default();
    let mut kept = false;
    let places = [(source, &mut costs.source), (target, &mut costs.target), (temp, &mut costs.spill)];
    for (location, cost) in places {
        if let Some((profile, codecs)) = entry(location) {
            (*cost, codec_times, kept) = (profile, codecs, true);
        }
    }
    let seen = if kept { Seen::at(source) } else { None };
    if let Some((seen, cache)) = seen.zip(StoreProfile::built_in("page-cache")) {
        detail!("source: {:.0} % of it in the page cache", 100.0 * seen.cached);
        costs.source = seen.reading(&costs.source, &cache);
        if !waits {
            costs.target = seen.writing(&costs.target, &cache);
        }
        costs.spill = seen.between(&costs.spill, &cache);
    }
    Known { costs, codec_times }
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
