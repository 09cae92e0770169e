//! Profiles that were probed, kept for the places they are of: a file system of a machine, whatever lies on it.
//!
//! They are in `zarrange/places.json` below `XDG_CONFIG_HOME`, or below `.config` at home. Who cannot read that file plans with what is built in:
//! a profile changes what a plan costs, not what it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zarrange_io::Location;
use zarrange_io::device::mount_point;
use zarrange_plan::{Costs, StoreProfile};

use crate::cached::Seen;
use crate::out::detail;

/// The profiles by place.
type Places = BTreeMap<String, StoreProfile>;

/// Keeps the profile of a place; the file it is in, and what the place is called there. `None` for a place of this process alone.
///
/// # Errors
/// If there is no home, or the file cannot be written.
pub fn keep(location: &Location, profile: &StoreProfile) -> anyhow::Result<Option<(PathBuf, String)>> {
    let Some(place) = place(location) else { return Ok(None) };
    let file = file().context("neither XDG_CONFIG_HOME nor HOME says where profiles are kept")?;
    let told = || format!("{} cannot be written", file.display());
    let mut places =
        read(&file).with_context(|| format!("{} is no file of profiles: remove it", file.display()))?;
    places.insert(place.clone(), profile.clone());
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
    let profile = read(&file()?).ok()?.remove(&place(location)?)?;
    profile.fault().is_none().then_some(profile)
}

/// What source, target and intermediates cost: as was kept of their places and as the page cache is now, else as built in. `waits`: until the
/// target is on the disk, as nobody does for intermediates.
pub fn costs([source, target, temp]: [&Location; 3], waits: bool) -> Costs {
    let mut costs = Costs::default();
    let mut kept = false;
    let places = [(source, &mut costs.source), (target, &mut costs.target), (temp, &mut costs.spill)];
    for (location, cost) in places {
        if let Some(profile) = of(location) {
            (*cost, kept) = (profile, true);
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
    costs
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
