//! Where an array or group lives, as a user writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::backend::Namespace as _;
use crate::backends::look::not_found;
use crate::backends::memory::Memory;
use crate::{IoError, Opener, Store};

/// A place: a local path, or a name in the process's memory (`memory://name`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A local path.
    Path(PathBuf),
    /// A key of the process-wide memory store.
    Memory(String),
}

impl Location {
    /// Understands a path, `file://PATH` and `memory://NAME`.
    ///
    /// # Errors
    /// [`IoError::Scheme`] for any other scheme.
    pub fn parse(text: &str) -> Result<Self, IoError> {
        match text.split_once("://") {
            None => Ok(Self::Path(text.into())),
            Some(("file", path)) => Ok(Self::Path(path.into())),
            Some(("memory", name)) => Ok(Self::Memory(name.trim_matches('/').to_owned())),
            Some((scheme, _)) => {
                Err(IoError::Scheme { location: text.to_owned(), scheme: scheme.to_owned() })
            }
        }
    }

    /// The store of what is at this place, through the default [`Opener`].
    ///
    /// # Errors
    /// As [`Opener::open`].
    pub fn open(&self) -> Result<Store, IoError> {
        Opener::default().open(self)
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
                shared_memory().list(name, false, &mut |_, _| {
                    exists = true;
                    false
                })?;
                Ok(exists)
            }
        }
    }

    /// The directory that holds this place, and the name of the place within it.
    ///
    /// # Errors
    /// [`IoError::NoName`] for a root.
    pub fn parent(&self) -> Result<(Self, String), IoError> {
        let path = match self {
            Self::Path(path) => path,
            Self::Memory(name) if name.is_empty() => return Err(IoError::NoName(self.to_string())),
            Self::Memory(name) => {
                let (parent, name) = name.rsplit_once('/').unwrap_or(("", name));
                return Ok((Self::Memory(parent.to_owned()), name.to_owned()));
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

    /// Whether this place is `other` or lies inside it, symlinks resolved as far as the paths exist.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(a), Self::Path(b)) => resolve(a).starts_with(resolve(b)),
            (Self::Memory(a), Self::Memory(b)) => a == b || a.starts_with(&format!("{b}/")),
            _ => false,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Memory(name) => write!(f, "memory://{name}"),
        }
    }
}

/// The real path, where the last segments may not exist yet.
fn resolve(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in absolute.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return match absolute.strip_prefix(ancestor) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    absolute
}

/// The one memory store of the process.
pub(crate) fn shared_memory() -> Arc<Memory> {
    static STORE: OnceLock<Arc<Memory>> = OnceLock::new();
    STORE.get_or_init(Arc::default).clone()
}
