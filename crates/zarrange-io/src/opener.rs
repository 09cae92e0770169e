//! How locations become stores: which backend, wrapped in what.
#![expect(unsafe_code, reason = "the promise of the mmap backend is passed on to who chooses it")]

use std::fmt;
use std::sync::Arc;

use rayon::ThreadPool;

use crate::backend::Backend;
use crate::backends::directory::Directory;
use crate::backends::io_uring::{UringFiles, probe};
use crate::backends::mmap::MappedFiles;
use crate::backends::std_files::{StdFiles, pool};
use crate::location::shared_memory;
use crate::wrappers::stopping::stopping;
use crate::{Coalescing, IoError, Location, Stop, Store};

type Wrap = Arc<dyn Fn(Store) -> Store + Send + Sync>;

/// Threads of the `std` backend: enough requests at once to keep a disk busy, whatever the number of processors.
pub const STD_THREADS: usize = 8;

/// Opens locations; chosen once by the outermost layer, used everywhere. The default is `std` without a pool.
#[derive(Clone, Default)]
pub struct Opener {
    local: Local,
    direct: bool,
    wrap: Option<Wrap>,
    stop: Stop,
}

/// The backend of local files.
#[derive(Clone, Default)]
enum Local {
    #[default]
    Std,
    Pool(Arc<ThreadPool>),
    Mapped(PromisedImmutable),
    Uring,
}

/// Exists only where somebody promised that mapped files do not change.
#[derive(Clone, Copy)]
struct PromisedImmutable;

impl Opener {
    /// The best backend of local files that works here: `io_uring` where a test read succeeds, otherwise `std` with
    /// [`STD_THREADS`].
    pub fn auto() -> Self {
        Self::io_uring().unwrap_or_else(|_| Self::std_pool(STD_THREADS))
    }

    /// Positioned reads and writes, the requests of a batch spread over `threads`; over fewer where the system refuses so many, and
    /// without any by the caller alone.
    pub fn std_pool(threads: usize) -> Self {
        let mut halves = std::iter::successors(Some(threads), |n| Some(n / 2)).take_while(|n| *n > 1);
        let pool = halves.find_map(|n| pool(n).ok());
        Self { local: pool.map_or(Local::Std, Local::Pool), ..Self::default() }
    }

    /// `io_uring`.
    ///
    /// # Errors
    /// [`IoError::Backend`] where the kernel has none or refuses it.
    pub fn io_uring() -> Result<Self, IoError> {
        probe()?;
        Ok(Self { local: Local::Uring, ..Self::default() })
    }

    /// Memory mappings.
    ///
    /// # Safety
    /// Nobody, in this process or another, truncates or changes a file that is read through this opener between its opening and the end
    /// of the last read of it.
    pub unsafe fn mmap() -> Self {
        Self { local: Local::Mapped(PromisedImmutable), ..Self::default() }
    }

    /// Reads bypass the page cache (`O_DIRECT`); writes do not, for few objects are whole blocks. Mappings cannot bypass it.
    #[must_use]
    pub fn direct(self, direct: bool) -> Self {
        Self { direct, ..self }
    }

    /// Every store that is opened passes through `wrap`, around what it was wrapped in before: to count, or to let calls fail.
    #[must_use]
    pub fn wrapped(self, wrap: impl Fn(Store) -> Store + Send + Sync + 'static) -> Self {
        let wrap: Wrap = match self.wrap {
            Some(inner) => Arc::new(move |store| wrap(inner(store))),
            None => Arc::new(wrap),
        };
        Self { wrap: Some(wrap), ..self }
    }

    /// Every store that is opened carries out nothing once `stop` is requested, except what tidies up.
    #[must_use]
    pub fn stopped_by(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// The same, for what has to come to its end whatever was asked: changes of names, and tidying up.
    #[must_use]
    pub fn unstoppable(&self) -> Self {
        Self { stop: Stop::default(), ..self.clone() }
    }

    /// An error once it was asked to stop.
    ///
    /// # Errors
    /// [`IoError::Stopped`].
    pub fn check_stop(&self) -> Result<(), IoError> {
        self.stop.check().map_err(IoError::Stopped)
    }

    /// The store of what is at `location`.
    ///
    /// # Errors
    /// [`IoError::NotFound`] if a local path does not exist.
    pub fn open(&self, location: &Location) -> Result<Store, IoError> {
        let label = location.to_string();
        let store = match location {
            Location::Path(path) => {
                let names = Arc::new(Directory::open(path, self.direct)?);
                let backend: Arc<dyn Backend> = match &self.local {
                    Local::Std => Arc::new(StdFiles::new(names.clone(), None)),
                    Local::Pool(pool) => Arc::new(StdFiles::new(names.clone(), Some(pool.clone()))),
                    // SAFETY: `Self::mmap` was called, with the same promise.
                    Local::Mapped(PromisedImmutable) => Arc::new(unsafe { MappedFiles::new(names.clone()) }),
                    Local::Uring => Arc::new(UringFiles::new(names.clone())),
                };
                Store::new(backend, names, label, Coalescing::LOCAL)
            }
            Location::Memory(name) => {
                let memory = shared_memory();
                let root = "memory:/".to_owned();
                Store::new(memory.clone(), memory, root, Coalescing::MEMORY).below(name)?
            }
            Location::Store(store, key) => store.below(key)?,
        };
        let store = match &self.wrap {
            Some(wrap) => wrap(store),
            None => store,
        };
        Ok(stopping(store, &self.stop))
    }
}

impl Location {
    /// The store of what is at this place, through the default [`Opener`].
    ///
    /// # Errors
    /// As [`Opener::open`].
    pub fn open(&self) -> Result<Store, IoError> {
        Opener::default().open(self)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = match self.local {
            Local::Std => "std",
            Local::Pool(_) => "std with a pool",
            Local::Mapped(_) => "mmap",
            Local::Uring => "io_uring",
        };
        f.debug_struct("Opener")
            .field("local", &local)
            .field("direct", &self.direct)
            .field("wrapped", &self.wrap.is_some())
            .field("stop", &self.stop)
            .finish()
    }
}
