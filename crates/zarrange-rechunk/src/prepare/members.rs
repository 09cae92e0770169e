//! Which members of the source a request is about, and what is told of those that it cannot carry over or leaves behind.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use zarrange_array::{Array, ArrayError, Beside, Counted, Found, Survey, Without, survey};
use zarrange_io::Store;

use crate::dimensions::{Dimensions, Unfit};
use crate::error::{METADATA_BYTES_FREE, RechunkError, SpecError};
use crate::request::{ChunkSpec, Named, Request};

/// What is known of an array that is planned takes at most so many times the memory of its name alone.
const TIMES: u64 = 20;

/// Which members are left out: those to be skipped, and arrays that are not named where only those are wanted.
pub(crate) struct LeftOut<'a> {
    skip: BTreeSet<&'a str>,
    /// Names to be skipped that were met.
    met: RefCell<BTreeSet<String>>,
    named: Option<BTreeSet<&'a str>>,
    nodes_bytes_max: u64,
}

impl<'a> LeftOut<'a> {
    pub(crate) fn of(request: &'a Request) -> Self {
        let skip = request.skip.iter().map(String::as_str).collect();
        let nodes_bytes_max = METADATA_BYTES_FREE.saturating_add(request.memory_bytes_max / 2);
        Self { skip, met: RefCell::default(), named: request.named_arrays(), nodes_bytes_max }
    }

    /// Calls `look` with what tells them.
    pub(crate) fn during<T>(&self, look: impl FnOnce(Without<'_>) -> T) -> T {
        let skip = |path: &str| {
            let skipped = self.skip.contains(path);
            if skipped {
                self.met.borrow_mut().insert(path.to_owned());
            }
            skipped
        };
        let unwanted = |path: &str| self.named.as_ref().is_some_and(|named| !named.contains(path));
        look(Without { skip: &skip, unwanted: &unwanted, nodes_bytes_max: self.nodes_bytes_max })
    }
}

/// Looks at the source, without what the request leaves out.
///
/// # Errors
/// If the root cannot be opened, or a name that is to be left out is nowhere.
pub(crate) fn look(request: &Request, store: &Store) -> Result<Survey, RechunkError> {
    let left_out = LeftOut::of(request);
    let found = left_out.during(|without| survey(store, without));
    let found = found.map_err(|error| RechunkError::of_survey(error, (TIMES, request.memory_bytes_max)))?;
    let met = left_out.met.into_inner();
    // What lies below a member that is left out is never met.
    let left_out = |name: &str| {
        met.iter().any(|m| name.strip_prefix(m).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    };
    match request.skip.iter().find(|name| !left_out(name)) {
        None => Ok(found),
        Some(name) => {
            let paths = found.nodes.iter().map(Found::path).filter(|path| !path.is_empty());
            Err(unknown_array(name, paths).into())
        }
    }
}

/// A name that no array has, and arrays that there are.
fn unknown_array<'a>(name: &str, paths: impl Iterator<Item = &'a str>) -> SpecError {
    /// Nobody reads more.
    const NAMED: usize = 100;
    let mut arrays: Vec<String> = paths.take(NAMED + 1).map(str::to_owned).collect();
    if arrays.len() > NAMED {
        "...".clone_into(&mut arrays[NAMED]);
    }
    SpecError::UnknownArray { name: name.to_owned(), arrays }
}

/// The arrays of a source, each opened when it is its turn.
pub(crate) struct Sources<'a> {
    pub(crate) root: &'a Store,
    pub(crate) arrays: &'a [Found],
    /// Members that cannot be opened.
    pub(crate) failed: &'a [String],
}

impl<'a> Sources<'a> {
    /// Those of the arrays that are `selected`, which all are if none is; with the arrays opened.
    pub(crate) fn open(
        &self,
        selected: &[String],
    ) -> impl Iterator<Item = Result<(&'a str, Array), ArrayError>> {
        let fits = |found: &&Found| selected.is_empty() || selected.iter().any(|name| name == found.path());
        let open = |found: &'a Found| Ok((found.path(), found.array(self.root)?));
        self.arrays.iter().filter(fits).map(open)
    }

    fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.arrays.iter().map(Found::path)
    }

    /// An error if one of `names` is no array, not even one that cannot be opened.
    ///
    /// # Errors
    /// [`SpecError::UnknownArray`].
    pub(crate) fn check_known<'n>(
        &self,
        names: impl IntoIterator<Item = &'n String>,
    ) -> Result<(), RechunkError> {
        let known =
            |name: &str| self.paths().chain(self.failed.iter().map(String::as_str)).any(|path| path == name);
        match names.into_iter().find(|name| !known(name)) {
            Some(name) => Err(unknown_array(name, self.paths()).into()),
            None => Ok(()),
        }
    }
}

/// The shapes asked for, by array path.
pub(crate) struct Shapes<'a> {
    named: BTreeMap<&'a str, &'a ChunkSpec>,
    /// The shape without a name, for arrays that are selected.
    general: Option<&'a ChunkSpec>,
    selected: &'a [String],
    /// Arrays that it is not for: others have the dimensions that it names.
    lacking: BTreeSet<&'a str>,
}

impl<'a> Shapes<'a> {
    /// Those of `specs`, for the arrays of `sources` (of which only `selected` get a shape without a name) and for what failed.
    pub(crate) fn new(
        what: &'static str,
        specs: &'a [Named],
        selected: &'a [String],
        sources: &Sources<'a>,
    ) -> Result<Self, RechunkError> {
        sources.check_known(selected)?;
        sources.check_known(specs.iter().filter_map(|named| named.array.as_ref()))?;
        let mut named: BTreeMap<&str, &ChunkSpec> = BTreeMap::new();
        let mut general: Option<&ChunkSpec> = None;
        for Named { array, spec } in specs {
            let taken = match array {
                Some(name) => named.insert(name, spec),
                None => general.replace(spec),
            };
            if taken.is_some() {
                let array = array.clone().unwrap_or_default();
                return Err(SpecError::Conflict { array, what }.into());
            }
        }
        let mut lacking = BTreeSet::new();
        if let Some(ChunkSpec::Named(pairs)) = general {
            // Of several arrays, those that have the dimensions are meant.
            let (mut some, mut unfit) = (false, Unfit::default());
            for opened in sources.open(selected) {
                let (path, array) = opened?;
                let dimensions = Dimensions::of(&array);
                if pairs.iter().all(|(name, _)| dimensions.axis(name).is_some()) {
                    some = true;
                } else {
                    lacking.insert(path);
                    unfit.push(path, dimensions);
                }
            }
            if !some && !unfit.is_empty() {
                return Err(unfit.error(what, pairs.iter().map(|(name, _)| name.as_str())).into());
            }
        }
        Ok(Self { named, general, selected, lacking })
    }

    /// Says that the shape without a name is for no array, where it is so.
    pub(crate) fn unused(&self, what: &str, sources: &Sources<'_>) -> Option<String> {
        let general = self.general?;
        let used = |path: &str| !self.named.contains_key(path) && self.of(path).is_some();
        (!sources.paths().any(used)).then(|| format!("no array gets the {what} {general}"))
    }

    pub(crate) fn of(&self, path: &str) -> Option<&'a ChunkSpec> {
        let meant = self.selected.is_empty() || self.selected.iter().any(|name| name == path);
        let general = || self.general.filter(|_| meant && !self.lacking.contains(path));
        self.named.get(path).copied().or_else(general)
    }
}

/// What lies beside the hierarchy and is not carried over, one line each; what becomes of files is the word before them.
pub(crate) fn left_behind(beside: &Beside, files: &str, others: &str) -> Vec<String> {
    let line = |verb: &str, Counted { count, examples }: &Counted, one: &str, several: &str| {
        let more = if *count > examples.len() as u64 { ", ..." } else { "" };
        let what = if *count == 1 { one } else { several };
        (*count > 0).then(|| format!("{verb}: {count} {what}, e.g. {}{more}", examples.join(", ")))
    };
    let lines = [
        line(files, &beside.files, "file that is not Zarr", "files that are not Zarr"),
        line(
            others,
            &beside.metadata,
            "file of metadata that no group or array is read from",
            "files of metadata that no group or array is read from",
        ),
        line(
            others,
            &beside.special,
            "entry that is neither a file nor a directory, or cannot be looked at",
            "entries that are neither files nor directories, or cannot be looked at",
        ),
    ];
    lines.into_iter().flatten().collect()
}
