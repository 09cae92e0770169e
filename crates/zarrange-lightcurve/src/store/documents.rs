//! The document of the root of a store, where it repeats those of all members: who opens the store by it sees changes in one step.

use std::collections::BTreeSet;

use zarrange_array::{ArrayError, Group, Node, open, publish_group};
use zarrange_io::{Seen, Store};

use crate::LightCurveError;

/// Groups lie in each other at most this deep.
const DEPTH_MAX: usize = 64;

/// Writes the document of `group`, the root of a store, with those of all members as they are now, if it repeats them.
///
/// # Errors
/// If a member cannot be read, or it cannot be written.
pub(crate) fn publish(group: &Group, consolidated: bool) -> Result<(), LightCurveError> {
    let root = group.store();
    let mut documented = BTreeSet::new();
    if consolidated {
        look(root, "", 0, &mut documented)?;
        documented.insert(String::new());
    }
    let documented: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
    Ok(publish_group(root, ("", group), consolidated.then_some(&documented))?)
}

/// The root of a store, which is a group.
pub(crate) fn root(store: &Store) -> Result<Group, LightCurveError> {
    match open(store)? {
        Node::Group(group) => Ok(group),
        Node::Array(_) => Err(LightCurveError::NotLightCurves { location: store.label().to_owned() }),
    }
}

/// Notes the groups and arrays below `path`.
fn look(
    root: &Store,
    path: &str,
    depth: usize,
    documented: &mut BTreeSet<String>,
) -> Result<(), LightCurveError> {
    let mut names = Vec::new();
    root.visit(path, false, &mut |name, seen| {
        if matches!(seen, Seen::Directory { .. }) {
            names.push(if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") });
        }
        true
    })?;
    for name in names {
        match open(&root.below(&name)?) {
            Ok(Node::Group(group)) if depth < DEPTH_MAX => {
                look(root, &name, depth + 1, documented)?;
                if !group.is_implicit() {
                    documented.insert(name);
                }
            }
            Ok(Node::Array(array)) if array.zarr_format() == 3 => {
                documented.insert(name);
            }
            // Of Zarr v2, or nothing that anybody would take for a member.
            Ok(_) | Err(ArrayError::NotZarr { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
