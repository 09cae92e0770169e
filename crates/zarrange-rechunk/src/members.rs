//! Which members of the source a job is about, and what is told of those that it cannot carry over or leaves behind.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zarrange_array::{Array, Beside, Counted, Survey, Without, survey};
use zarrange_io::Store;

use crate::job::Job;
use crate::shell::shell_values;
use crate::spec::{ChunkSpec, Named};
use crate::{RechunkError, SpecError};

/// A member that cannot be carried over.
#[derive(Debug)]
pub struct Refusal {
    /// Its path; empty for the root.
    pub path: String,
    /// Why not.
    pub error: RechunkError,
}

/// What cannot be done, all of it: found before anything is written.
#[derive(Debug)]
pub struct Refusals(pub Vec<Refusal>);

impl Refusals {
    /// The error of them; none is no error, and one at the root is its own.
    pub(crate) fn into_result(mut self) -> Result<(), RechunkError> {
        match self.0.as_slice() {
            [] => Ok(()),
            [Refusal { path, .. }] if path.is_empty() => match self.0.pop() {
                Some(Refusal { error, .. }) => Err(error),
                None => Ok(()),
            },
            [Refusal { error: RechunkError::Spec(spec), .. }] => Err(spec.clone().into()),
            _ => Err(RechunkError::Members(self)),
        }
    }

    /// Whether all of them are wrong requests, rather than members that cannot be carried over.
    pub fn are_usage(&self) -> bool {
        self.0.iter().all(|refusal| matches!(refusal.error, RechunkError::Spec(_)))
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Refusal { path, error }] = self.0.as_slice() {
            return write!(f, "{}; to leave it out: {}", in_a_line(error), shell_values("--skip", &[path]));
        }
        write!(f, "{} members cannot be carried over:", self.0.len())?;
        for Refusal { path, error } in &self.0 {
            write!(f, "\n  {}: {}", in_a_line(path), in_a_line(error))?;
        }
        // Whoever asks for what is not possible wants something else instead, not less.
        if self.are_usage() {
            return Ok(());
        }
        let paths: BTreeSet<&str> = self.0.iter().map(|refusal| refusal.path.as_str()).collect();
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
}

impl<'a> LeftOut<'a> {
    pub(crate) fn of(job: &'a Job) -> Self {
        let skip = job.skip.iter().map(String::as_str).collect();
        Self { skip, met: RefCell::default(), named: job.named_arrays() }
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
        look(Without { skip: &skip, unwanted: &unwanted })
    }
}

/// Looks at the source, without what the job leaves out.
///
/// # Errors
/// If the root cannot be opened, or a name that is to be left out is nowhere.
pub(crate) fn look(job: &Job, store: &Store) -> Result<Survey, RechunkError> {
    let left_out = LeftOut::of(job);
    let found = left_out.during(|without| survey(store, without))?;
    let met = left_out.met.into_inner();
    // What lies below a member that is left out is never met.
    let left_out = |name: &str| {
        met.iter().any(|m| name.strip_prefix(m).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    };
    match job.skip.iter().find(|name| !left_out(name)) {
        None => Ok(found),
        Some(name) => {
            let arrays = found.nodes.into_iter().map(|(path, _)| path).filter(|path| !path.is_empty());
            Err(SpecError::UnknownArray { name: name.clone(), arrays: arrays.collect() }.into())
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

/// Shapes by array path.
pub(crate) struct Requests<'a> {
    named: BTreeMap<String, &'a ChunkSpec>,
}

impl<'a> Requests<'a> {
    /// Those of `specs`, for `arrays` (of which only `selected` get a shape without a name) and for what is `failed`.
    pub(crate) fn new(
        what: &'static str,
        specs: &'a [Named],
        selected: &[String],
        (arrays, failed): (&[(String, Array)], &[String]),
    ) -> Result<Self, SpecError> {
        let known = |name: &String| arrays.iter().any(|(path, _)| path == name) || failed.contains(name);
        let unknown = |name: &str| {
            let arrays = arrays.iter().map(|(path, _)| path.clone()).collect();
            SpecError::UnknownArray { name: name.to_owned(), arrays }
        };
        if let Some(name) = selected.iter().find(|name| !known(name)) {
            return Err(unknown(name));
        }
        let mut named: BTreeMap<String, &ChunkSpec> = BTreeMap::new();
        let mut general: Option<&ChunkSpec> = None;
        for Named { array, spec } in specs {
            let taken = match array {
                Some(name) if !known(name) => return Err(unknown(name)),
                Some(name) => named.insert(name.clone(), spec),
                None => general.replace(spec),
            };
            if taken.is_some() {
                let array = array.clone().unwrap_or_default();
                return Err(SpecError::Conflict { array, what });
            }
        }
        if let Some(spec) = general {
            let fits = |(path, _): &&(String, Array)| selected.is_empty() || selected.contains(path);
            let all: Vec<&(String, Array)> = arrays.iter().filter(fits).collect();
            // Of several arrays, those that have the dimensions are meant.
            let some = all.iter().any(|(_, array)| has_dimensions(array, spec));
            for (path, array) in all {
                if !some || has_dimensions(array, spec) {
                    named.entry(path.clone()).or_insert(spec);
                }
            }
        }
        Ok(Self { named })
    }

    pub(crate) fn of(&self, path: &str) -> Option<&'a ChunkSpec> {
        self.named.get(path).copied()
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
