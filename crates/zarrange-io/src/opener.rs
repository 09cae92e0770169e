//! How locations become stores: which backend, wrapped in what.

use std::fmt;
use std::sync::Arc;

use crate::{IoError, Location, Store};

type Wrap = Arc<dyn Fn(Store) -> Store + Send + Sync>;

/// Opens locations; chosen once by the outermost layer, used everywhere.
#[derive(Clone, Default)]
pub struct Opener {
    wrap: Option<Wrap>,
}

impl Opener {
    /// Every store that is opened passes through `wrap`: to count, or to let calls fail.
    #[must_use]
    pub fn wrapped(wrap: impl Fn(Store) -> Store + Send + Sync + 'static) -> Self {
        Self { wrap: Some(Arc::new(wrap)) }
    }

    /// The store of what is at `location`.
    ///
    /// # Errors
    /// As [`Location::open`].
    pub fn open(&self, location: &Location) -> Result<Store, IoError> {
        let store = location.open()?;
        Ok(match &self.wrap {
            Some(wrap) => wrap(store),
            None => store,
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wrap.is_some() { "Opener(wrapped)" } else { "Opener" })
    }
}
