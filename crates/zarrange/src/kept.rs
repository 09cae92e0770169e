//! Profiles that were probed, kept for the places they are of: a file system of a machine, whatever lies on it.
//!
//! They are in `zarrange/places.json` below `XDG_CONFIG_HOME`, or below `.config` at home. Who cannot read that file plans with what is built in:
//! a profile changes what a plan costs, not what it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};

use anyhow::Context as _;
use zarrange_io::Location;
use zarrange_plan::StoreProfile;

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

fn file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
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
    let path = absolute(path).ok()?;
    // What is to be made is not there yet.
    let there = path.ancestors().find_map(|path| path.canonicalize().ok())?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(format!("{}:{}", host.trim(), mount_point(&mounts, &there).display()))
}

/// The longest of the mount points that a path is below.
fn mount_point<'m>(mounts: &'m str, path: &Path) -> &'m Path {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    points
        .filter(|point| path.starts_with(point))
        .max_by_key(|point| point.as_os_str().len())
        .unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_holds_a_path() {
        let mounts = "22 1 0:1 / / rw - ext4 /dev/a rw\n23 22 0:2 / /data rw - xfs /dev/b rw\n24 23 0:3 / /data/fast rw - xfs /dev/c rw\n";
        let check = |path: &str, expected: &str| {
            assert_eq!(mount_point(mounts, Path::new(path)), Path::new(expected), "{path}");
        };
        check("/data/fast/a.zarr", "/data/fast");
        check("/data/faster", "/data");
        check("/home/me", "/");
        assert_eq!(mount_point("", Path::new("/x")), Path::new("/"));
    }
}
