//! What can go wrong with bytes.

use std::io;

use rustix::process::{Resource, getrlimit};

use crate::backends::callbacks::Failure;
use crate::stop::Stopped;

/// An I/O failure: what was tried, where, and why it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// No such object.
    #[error("{location}: not found")]
    NotFound {
        /// Path or URL of the object.
        location: String,
    },
    /// The operating system refused.
    #[error("{location}: cannot {operation}: {source}")]
    Os {
        /// What was tried.
        operation: &'static str,
        /// Path or URL of the object.
        location: String,
        /// The reason.
        source: io::Error,
    },
    /// No descriptor was free, and none became free.
    #[error(
        "{location}: cannot {operation}: {}: raise the limit (ulimit -n) to 16 and 6 more for each of --threads, or use fewer",
        in_use(*limit)
    )]
    Descriptors {
        /// What was tried.
        operation: &'static str,
        /// Path or URL of the object.
        location: String,
        /// How many this process may have; `None` if it is the system that has no more.
        limit: Option<u64>,
    },
    /// It was not carried out, for it was asked to stop.
    #[error("stopped")]
    Stopped(#[source] Stopped),
    /// Bytes could not be read or written.
    #[error("{location}: cannot {operation} {bytes} bytes at offset {offset}: {source}")]
    Transfer {
        /// `read` or `write`.
        operation: &'static str,
        /// Path or URL of the object.
        location: String,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        bytes: u64,
        /// The reason.
        source: io::Error,
    },
    /// The backend cannot be used here.
    #[error("backend {backend} cannot be used: {source}; --backend {instead} can")]
    Backend {
        /// Its name.
        backend: &'static str,
        /// The reason.
        source: io::Error,
        /// One that works everywhere.
        instead: &'static str,
    },
    /// A store cannot do this at all.
    #[error("{location}: this store cannot {what}")]
    Unable {
        /// Path or URL of the object.
        location: String,
        /// What it was asked to do.
        what: &'static str,
    },
    /// A callback failed.
    #[error("{location}: cannot {operation}: {source}")]
    Callback {
        /// What was tried.
        operation: &'static str,
        /// Label of the store, and the key.
        location: String,
        /// The reason.
        source: Failure,
    },
    /// An open object was given to a backend that did not open it.
    #[error(
        "{location}: opened by another backend than the one that was to use it: open it through the same store"
    )]
    Foreign {
        /// Its key.
        location: String,
    },
    /// A file that somebody may still change must not be mapped.
    #[error(
        "{location}: open for writing, and a file that changes must not be mapped: read it with --backend std"
    )]
    Mutable {
        /// Path of the file.
        location: String,
    },
    /// The file system cannot bypass the page cache.
    #[error("{location}: the file system does not support O_DIRECT: leave out --direct")]
    NoDirect {
        /// Path of the file.
        location: String,
    },
    /// The object is larger than anything valid can be.
    #[error("{location}: {bytes} bytes stored, but at most {bytes_max} can be valid here")]
    TooLarge {
        /// Path or URL of the object.
        location: String,
        /// Its size.
        bytes: u64,
        /// The largest valid size.
        bytes_max: u64,
    },
    /// The object has another size than the only valid one.
    #[error("{location}: {bytes} bytes stored, but only {expected} can be valid here")]
    Size {
        /// Path or URL of the object.
        location: String,
        /// Its size.
        bytes: u64,
        /// The valid size.
        expected: u64,
    },
    /// The object ends too early.
    #[error(
        "{location}: truncated: {bytes} bytes wanted from offset {offset}, the object ends after {available}"
    )]
    Short {
        /// Path or URL of the object.
        location: String,
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted.
        bytes: u64,
        /// Bytes there.
        available: u64,
    },
    /// A link that leads back.
    #[error("{location}: a circle of links: it leads to {to}, which it lies in")]
    Circle {
        /// The link, or a directory that is reached through one.
        location: String,
        /// Where it leads.
        to: String,
    },
    /// Links that lead to the same directory in ever more ways.
    #[error(
        "{location}: a link in {around}, which links lead to in more than {ways_max} ways: further ones are not followed"
    )]
    Ways {
        /// The link that is not followed.
        location: String,
        /// The directory that it lies in.
        around: String,
        /// Ways that are followed.
        ways_max: u32,
    },
    /// A key that could lead out of its store.
    #[error("key {0:?} is not valid: a key is a relative path without empty, `.` or `..` segments")]
    BadKey(String),
    /// A location that this build cannot open.
    #[error("{location}: scheme {scheme:?} is not supported here: use a path, file:// or memory://")]
    Scheme {
        /// The location as given.
        location: String,
        /// Its scheme.
        scheme: String,
    },
    /// A location without a last path segment, such as `/`.
    #[error("{0}: a target needs a name of its own below a directory")]
    NoName(String),
}

impl IoError {
    /// Wraps an error of the operating system; a missing object becomes [`IoError::NotFound`].
    pub(crate) fn os(
        operation: &'static str,
        location: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        let (location, source) = (location.into(), source.into());
        if is_full(&source) {
            return Self::no_descriptor(operation, location, &source);
        }
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { location },
            _ => Self::Os { operation, location, source },
        }
    }

    /// A link that leads nowhere, or in a circle: something is there, and cannot be looked at.
    pub(crate) fn link(path: &std::path::Path, source: io::Error) -> Self {
        Self::Os { operation: "follow the link", location: path.display().to_string(), source }
    }

    /// Whether the name that something was to get is taken.
    pub fn is_taken(&self) -> bool {
        self.kind() == Some(io::ErrorKind::AlreadyExists)
    }

    /// Whether a directory that is not empty has the name that something was to get.
    pub fn is_occupied(&self) -> bool {
        self.is_taken() || self.kind() == Some(io::ErrorKind::DirectoryNotEmpty)
    }

    /// Whether something stands in the place of a directory.
    pub fn is_no_directory(&self) -> bool {
        self.kind() == Some(io::ErrorKind::NotADirectory)
    }

    /// Whether the file system cannot do it at all, rather than here and now.
    pub fn is_unsupported(&self) -> bool {
        // Which of them a system answers is not agreed upon (renameat2(2), and what servers say).
        let codes = [libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP, libc::ENOTTY];
        matches!(self, Self::Os { source, .. } if source.raw_os_error().is_some_and(|code| codes.contains(&code)))
    }

    /// What the operating system called it.
    fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Os { source, .. } | Self::Transfer { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// The error of an opening that found no free descriptor.
    pub(crate) fn no_descriptor(operation: &'static str, location: String, source: &io::Error) -> Self {
        let own = source.raw_os_error() == Some(libc::EMFILE);
        let limit = if own { getrlimit(Resource::Nofile).current } else { None };
        Self::Descriptors { operation, location, limit }
    }

    /// Whether the object does not exist.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// Whether an error says that no descriptor is free.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

fn in_use(limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("all {limit} descriptors of this process are in use"),
        None => "the system has no descriptor left".to_owned(),
    }
}
