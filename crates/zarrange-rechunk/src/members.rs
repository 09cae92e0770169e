//! Which members of the source a job is about, and what is told of those that it cannot carry over or leaves behind.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zarrange_array::{Array, ArrayError, Beside, Counted, Failed, Found, Survey, Without, survey};
use zarrange_io::Store;

use crate::job::Job;
use crate::shell::shell_values;
use crate::spec::{ChunkSpec, Named};
use crate::{RechunkError, SpecError};

/// What is known of members lies beside `--max-mem` up to this, in the 64 MiB that a process may take there.
pub(crate) const METADATA_BYTES_FREE: u64 = 16 << 20;

/// What is known of an array that is planned takes at most so many times the memory of its name alone.
const TIMES: u64 = 20;

/// A member that cannot be carried over.
#[derive(Debug)]
pub struct Refusal {
    /// Its path; empty for the root.
    pub path: String,
    /// Why not.
    pub error: RechunkError,
}

/// What cannot be done, all of it: found before anything is written.
#[derive(Debug, Default)]
pub struct Refusals {
    /// The first of them.
    pub first: Vec<Refusal>,
    /// How many there are beside those.
    pub more: u64,
}

impl Refusals {
    /// Those that are told apart.
    const FIRST: usize = 1000;

    /// Those of members that cannot be opened.
    pub(crate) fn of(failed: Failed) -> Self {
        let more = failed.count - failed.first.len() as u64;
        let refusal = |(path, error): (String, ArrayError)| Refusal { path, error: error.into() };
        Self { first: failed.first.into_iter().map(refusal).collect(), more }
    }

    pub(crate) fn add(&mut self, refusal: Refusal) {
        if self.first.len() < Self::FIRST {
            self.first.push(refusal);
        } else {
            self.more += 1;
        }
    }

    /// The error of them; none is no error, and one at the root is its own.
    pub(crate) fn into_result(mut self) -> Result<(), RechunkError> {
        match self.first.as_slice() {
            [] => Ok(()),
            [Refusal { path, .. }] if path.is_empty() => match self.first.pop() {
                Some(Refusal { error, .. }) => Err(error),
                None => Ok(()),
            },
            [Refusal { error: RechunkError::Spec(spec), .. }] => Err(spec.clone().into()),
            _ => Err(RechunkError::Members(self)),
        }
    }

    /// Whether all of them are wrong requests, rather than members that cannot be carried over.
    pub fn are_usage(&self) -> bool {
        self.first.iter().all(|refusal| matches!(refusal.error, RechunkError::Spec(_)))
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([Refusal { path, error }], 0) = (self.first.as_slice(), self.more) {
            return write!(f, "{}; to leave it out: {}", in_a_line(error), shell_values("--skip", &[path]));
        }
        write!(f, "{} members cannot be carried over:", self.first.len() as u64 + self.more)?;
        for Refusal { path, error } in &self.first {
            write!(f, "\n  {}: {}", in_a_line(path), in_a_line(error))?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        // Whoever asks for what is not possible wants something else instead, not less.
        if self.are_usage() {
            return Ok(());
        }
        let paths: BTreeSet<&str> = self.first.iter().map(|refusal| refusal.path.as_str()).collect();
        let paths: Vec<_> = paths.into_iter().filter(|path| !path.is_empty()).collect();
        write!(f, "\nto leave them out: {}", shell_values("--skip", &paths))
    }
}

/// Text of which no name makes two lines.
fn in_a_line(text: impl fmt::Display) -> String {
    text.to_string().replace('\n', "\\n")
}

/// Which members are left out: those to be skipped, and arrays that are not named where only those are wanted.
pub(crate) struct LeftOut<'a> {
    skip: BTreeSet<&'a str>,
    /// Names to be skipped that were met.
    met: RefCell<BTreeSet<String>>,
    named: Option<BTreeSet<&'a str>>,
    nodes_bytes_max: u64,
}

impl<'a> LeftOut<'a> {
    pub(crate) fn of(job: &'a Job) -> Self {
        let skip = job.skip.iter().map(String::as_str).collect();
        let nodes_bytes_max = METADATA_BYTES_FREE.saturating_add(job.memory_bytes_max / 2);
        Self { skip, met: RefCell::default(), named: job.named_arrays(), nodes_bytes_max }
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

/// Looks at the source, without what the job leaves out.
///
/// # Errors
/// If the root cannot be opened, or a name that is to be left out is nowhere.
pub(crate) fn look(job: &Job, store: &Store) -> Result<Survey, RechunkError> {
    let left_out = LeftOut::of(job);
    let found = left_out.during(|without| survey(store, without));
    let found = found.map_err(|error| RechunkError::of_survey(error, (TIMES, job.memory_bytes_max)))?;
    let met = left_out.met.into_inner();
    // What lies below a member that is left out is never met.
    let left_out = |name: &str| {
        met.iter().any(|m| name.strip_prefix(m).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    };
    match job.skip.iter().find(|name| !left_out(name)) {
        None => Ok(found),
        Some(name) => {
            let paths = found.nodes.iter().map(Found::path).filter(|path| !path.is_empty());
            Err(unknown_array(name, paths).into())
        }
    }
}

impl Job {
    /// The arrays that it is about, where names alone tell that and the others are left out.
    fn named_arrays(&self) -> Option<BTreeSet<&str>> {
        let specs = || self.chunks.iter().chain(&self.shards);
        let by_name_only = specs().all(|named| named.array.is_some()) && self.mix.is_none();
        if !self.only_named || (!by_name_only && self.arrays.is_empty()) {
            return None;
        }
        let named = specs().filter_map(|named| named.array.as_deref());
        Some(named.chain(self.arrays.iter().map(String::as_str)).collect())
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
}

/// Shapes by array path.
pub(crate) struct Requests<'a> {
    named: BTreeMap<&'a str, &'a ChunkSpec>,
    /// The shape without a name, for arrays that are selected.
    general: Option<&'a ChunkSpec>,
    selected: &'a [String],
    /// Arrays that it is not for: others have the dimensions that it names.
    lacking: BTreeSet<&'a str>,
}

impl<'a> Requests<'a> {
    /// Those of `specs`, for the arrays of `sources` (of which only `selected` get a shape without a name) and for what failed.
    pub(crate) fn new(
        what: &'static str,
        specs: &'a [Named],
        selected: &'a [String],
        sources: &Sources<'a>,
    ) -> Result<Self, RechunkError> {
        let known = |name: &str| {
            sources.paths().chain(sources.failed.iter().map(String::as_str)).any(|path| path == name)
        };
        let unknown = |name: &str| Err(unknown_array(name, sources.paths()).into());
        if let Some(name) = selected.iter().find(|name| !known(name)) {
            return unknown(name);
        }
        let mut named: BTreeMap<&str, &ChunkSpec> = BTreeMap::new();
        let mut general: Option<&ChunkSpec> = None;
        for Named { array, spec } in specs {
            let taken = match array {
                Some(name) if !known(name) => return unknown(name),
                Some(name) => named.insert(name, spec),
                None => general.replace(spec),
            };
            if taken.is_some() {
                let array = array.clone().unwrap_or_default();
                return Err(SpecError::Conflict { array, what }.into());
            }
        }
        let mut lacking = BTreeSet::new();
        if let Some(spec @ ChunkSpec::Named(_)) = general {
            // Of several arrays, those that have the dimensions are meant.
            let mut some = false;
            for opened in sources.open(selected) {
                let (path, array) = opened?;
                if has_dimensions(&array, spec) {
                    some = true;
                } else {
                    lacking.insert(path);
                }
            }
            if !some {
                lacking.clear();
            }
        }
        Ok(Self { named, general, selected, lacking })
    }

    pub(crate) fn of(&self, path: &str) -> Option<&'a ChunkSpec> {
        let meant = self.selected.is_empty() || self.selected.iter().any(|name| name == path);
        let general = || self.general.filter(|_| meant && !self.lacking.contains(path));
        self.named.get(path).copied().or_else(general)
    }
}

/// Whether an array has every dimension that a shape names.
fn has_dimensions(array: &Array, spec: &ChunkSpec) -> bool {
    let names = array.document().dimension_names().unwrap_or_default();
    match spec {
        ChunkSpec::Named(pairs) => {
            pairs.iter().all(|(name, _)| names.iter().any(|n| n.as_deref() == Some(name)))
        }
        ChunkSpec::Keep | ChunkSpec::None | ChunkSpec::Sizes(_) => true,
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
