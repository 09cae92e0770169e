//! Where an array or group lives, as a user writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use crate::backend::{Abilities, Access, Namespace as _};
use crate::backends::look::not_found;
use crate::backends::memory::Memory;
use crate::tree::{Kept, Tree};
use crate::{IoError, Room, Store, key, place};

/// A place: a local path, a name in the process's memory (`memory://name`), or a key of a store that the caller has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Location {
    /// A local path.
    Path(PathBuf),
    /// A key of the process-wide memory store.
    Memory(String),
    /// A key of a store that somebody opened or made; empty for the store itself. Two such places are the same if the stores have the same
    /// backend, not a copy or a wrapper of it, and there the same key: that one of them is also a path is not known.
    Store(Store, String),
}

impl From<Store> for Location {
    fn from(store: Store) -> Self {
        Self::Store(store, String::new())
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(a), Self::Path(b)) => a == b,
            (Self::Memory(a), Self::Memory(b)) => a == b,
            (Self::Store(a, key), Self::Store(b, other)) => a.is_at(key, b, other),
            (Self::Path(_) | Self::Memory(_) | Self::Store(..), _) => false,
        }
    }
}

impl Eq for Location {}

impl Location {
    /// What can be done at this place.
    pub fn abilities(&self) -> Abilities {
        match self {
            Self::Path(_) | Self::Memory(_) => Abilities::ALL,
            Self::Store(store, _) => store.abilities(),
        }
    }

    /// Whether something is at this place.
    ///
    /// # Errors
    /// If the place cannot be looked at: below a link that leads nowhere, say.
    pub fn exists(&self) -> Result<bool, IoError> {
        match self {
            Self::Path(path) => match std::fs::symlink_metadata(path) {
                Ok(_) => Ok(true),
                Err(e) => match not_found(path, "look up", e) {
                    error if error.is_not_found() => Ok(false),
                    error => Err(error),
                },
            },
            Self::Memory(name) => {
                let mut exists = false;
                shared_memory().list("", name, false, &mut |_, _| {
                    exists = true;
                    false
                })?;
                Ok(exists)
            }
            Self::Store(store, key) => exists_in(store, key),
        }
    }

    /// Everything that would be lost if this place, where something is, were replaced.
    ///
    /// # Errors
    /// [`Kept`]: why it must not or cannot be.
    pub fn tree(&self) -> Result<Tree, Kept> {
        match self {
            Self::Path(path) => Tree::of(path),
            Self::Memory(name) => Ok(Tree::of_memory(name)),
            Self::Store(store, key) => Tree::of_store(store, key),
        }
    }

    /// Where it leads to, if it is a link.
    pub fn link(&self) -> Option<String> {
        let Self::Path(path) = self else { return None };
        Some(path.read_link().ok()?.display().to_string())
    }

    /// Whether its file system is made of layers, of which some can be read only.
    pub fn is_layered(&self) -> bool {
        matches!(self, Self::Path(path) if place::is_layered(path))
    }

    /// The place called `name` below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        match self {
            Self::Path(path) => Self::Path(path.join(name)),
            Self::Memory(place) => Self::Memory(key::joined(place, name)),
            Self::Store(store, key) => Self::Store(store.clone(), key::joined(key, name)),
        }
    }

    /// The same place, whatever the working directory.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::Path(path) => Self::Path(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            Self::Memory(_) | Self::Store(..) => self.clone(),
        }
    }

    /// Whether the root of `tree` is still at this place.
    pub fn holds(&self, tree: &Tree) -> bool {
        match self {
            Self::Path(path) => tree.is_at(path),
            Self::Memory(_) => true,
            Self::Store(store, key) => tree.is_in(store, key),
        }
    }

    /// Whether something new can be made at this place, as far as that is known without trying.
    ///
    /// # Errors
    /// If the nearest directory that exists cannot be written to, or is none.
    pub fn check_writable(&self) -> Result<(), IoError> {
        let Self::Path(path) = self else { return Ok(()) };
        let around = place::nearest(path);
        let location = || around.display().to_string();
        match around.metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => {
                return Err(IoError::os(
                    "make a directory in",
                    location(),
                    std::io::ErrorKind::NotADirectory,
                ));
            }
            Err(source) => return Err(IoError::link(&around, source)),
        }
        crate::tree::check_writable(&around).map_err(|source| IoError::os("write to", location(), source))
    }

    /// The room at this place; `None` where nobody tells.
    pub fn room(&self) -> Option<Room> {
        match self {
            Self::Path(path) => place::room(path),
            Self::Memory(_) | Self::Store(..) => None,
        }
    }

    /// The directory that holds this place, and the name of the place within it.
    ///
    /// # Errors
    /// [`IoError::NoName`] for a root.
    pub fn parent(&self) -> Result<(Self, String), IoError> {
        let path = match self {
            Self::Path(path) => path,
            Self::Memory(key) | Self::Store(_, key) if key.is_empty() => {
                return Err(IoError::NoName(self.to_string()));
            }
            Self::Memory(key) => {
                let (parent, name) = key.rsplit_once('/').unwrap_or(("", key));
                return Ok((Self::Memory(parent.to_owned()), name.to_owned()));
            }
            Self::Store(store, key) => {
                let (parent, name) = key.rsplit_once('/').unwrap_or(("", key));
                return Ok((Self::Store(store.clone(), parent.to_owned()), name.to_owned()));
            }
        };
        let name =
            path.file_name().and_then(|n| n.to_str()).ok_or_else(|| IoError::NoName(self.to_string()))?;
        let parent = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        Ok((Self::Path(parent.to_owned()), name.to_owned()))
    }

    /// Makes this place a directory, with those around it; the ones that were missing, outermost first.
    ///
    /// # Errors
    /// If a directory cannot be made; those made before are then removed.
    pub fn make_directories(&self) -> Result<Vec<Self>, IoError> {
        let Self::Path(path) = self else { return Ok(Vec::new()) };
        let mut missing: Vec<&Path> = Vec::new();
        for dir in path.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
            match std::fs::metadata(dir) {
                Ok(_) => break,
                Err(e) => match not_found(dir, "look up", e) {
                    error if error.is_not_found() => missing.push(dir),
                    error => return Err(error),
                },
            }
        }
        missing.reverse();
        let mut made = Vec::new();
        for dir in missing {
            if let Err(e) = std::fs::create_dir(dir) {
                // Somebody else needs it, too.
                if e.kind() == std::io::ErrorKind::AlreadyExists && dir.is_dir() {
                    continue;
                }
                Self::remove_directories(&made);
                return Err(IoError::os("create directory", dir.display().to_string(), e));
            }
            made.push(Self::Path(dir.to_owned()));
        }
        Ok(made)
    }

    /// Removes directories that [`Self::make_directories`] made, as far as they are empty.
    pub fn remove_directories(made: &[Self]) {
        for place in made.iter().rev() {
            if let Self::Path(path) = place {
                // One that is in use by now stays, and so do those around it.
                let _ = std::fs::remove_dir(path);
            }
        }
    }

    /// Whether this place is `other` or lies inside it, links and mounts resolved as far as the paths exist.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(a), Self::Path(b)) => place::is_within(a, b),
            (Self::Memory(a), Self::Memory(b)) => key::is_within(a, b),
            (Self::Store(a, key), Self::Store(b, other)) => a.is_below(key, b, other),
            (Self::Path(_) | Self::Memory(_) | Self::Store(..), _) => false,
        }
    }
}

impl FromStr for Location {
    type Err = IoError;

    /// Understands a path, `file://PATH` and `memory://NAME`; [`IoError::Scheme`] for any other scheme.
    fn from_str(text: &str) -> Result<Self, IoError> {
        match text.split_once("://") {
            None => Ok(Self::Path(text.into())),
            Some(("file", path)) => Ok(Self::Path(path.into())),
            Some(("memory", name)) => Ok(Self::Memory(name.trim_matches('/').to_owned())),
            Some((scheme, _)) => {
                Err(IoError::Scheme { location: text.to_owned(), scheme: scheme.to_owned() })
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Memory(name) => write!(f, "memory://{name}"),
            Self::Store(store, key) if key.is_empty() => f.write_str(store.label()),
            Self::Store(store, key) => write!(f, "{}/{key}", store.label()),
        }
    }
}

/// Whether something is at `key` of `store`, or below it.
fn exists_in(store: &Store, key: &str) -> Result<bool, IoError> {
    match store.identity(key) {
        Ok(Some(_)) => return Ok(true),
        Ok(None) => {}
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error),
    }
    let mut exists = false;
    store.visit(key, false, &mut |_, _| {
        exists = true;
        false
    })?;
    Ok(exists || (!key.is_empty() && store.open(key, Access::Read)?.is_some()))
}

/// The one memory store of the process.
pub(crate) fn shared_memory() -> Arc<Memory> {
    static STORE: OnceLock<Arc<Memory>> = OnceLock::new();
    STORE.get_or_init(Arc::default).clone()
}
