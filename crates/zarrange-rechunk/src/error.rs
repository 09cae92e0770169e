//! What can go wrong with a run.

mod access;
mod plan_file;
mod shared;

use std::collections::BTreeSet;
use std::fmt;

use zarrange_array::{ArrayError, Failed};
use zarrange_io::IoError;
use zarrange_plan::{MixError, PlanError};

pub use self::access::AccessError;
pub use self::plan_file::PlanFileError;
pub use self::shared::SharedError;
use crate::difference::Difference;

/// What is known of members lies beside the memory of a request up to this, in the 64 MiB that a process may take there.
pub(crate) const METADATA_BYTES_FREE: u64 = 16 << 20;

/// A run that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RechunkError {
    /// What was asked cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An array cannot be read or written.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Bytes cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An array has no plan.
    #[error("array {array}: {source}")]
    Plan {
        /// Location of the array.
        array: String,
        /// Why not.
        source: PlanError,
    },
    /// More memory was asked for than the budget has left: the plan was wrong.
    #[error("memory budget exceeded: {wanted} bytes wanted, {used} of {max} in use")]
    Budget {
        /// Bytes wanted.
        wanted: u64,
        /// Bytes in use.
        used: u64,
        /// The bound.
        max: u64,
    },
    /// The system does not give the memory that the budget allows.
    #[error(
        "the system refuses {wanted} bytes of memory, besides {used} that are in use: give less than {max}, or let the \
         process have more (ulimit -v)"
    )]
    Memory {
        /// Bytes wanted.
        wanted: u64,
        /// Bytes of the budget in use.
        used: u64,
        /// The bound of the budget.
        max: u64,
    },
    /// Text of which a chunk takes more memory than its share.
    #[error(
        "array {array}, {key}: its elements take at least {bytes} bytes, and of the memory limit ({have}) there is one part in {parts} for them: \
         raise it to {needed} or more"
    )]
    TextMemory {
        /// The array.
        array: String,
        /// Which chunk.
        key: String,
        /// What is known of their bytes.
        bytes: u64,
        /// The memory given.
        have: u64,
        /// Chunks are read, put together and written within one part in so many.
        parts: u64,
        /// Memory that may do.
        needed: u64,
    },
    /// Text in shards whose indexes take more memory than there is.
    #[error(
        "array {array}: the indexes of a shard that is read and one that is written take {bytes} bytes, and the memory limit is {have}: raise \
         it to {needed} or more, or choose larger chunks"
    )]
    TextIndexes {
        /// The array.
        array: String,
        /// What they take.
        bytes: u64,
        /// The memory given.
        have: u64,
        /// Memory that may do.
        needed: u64,
    },
    /// More groups and arrays than the memory holds what must be known of.
    #[error(
        "{location}: what must be known of its {members} groups and arrays takes {bytes} bytes, {free} of them beside the memory limit, and of \
         that ({have} bytes) at most half is for the others: raise it to {needed} or more"
    )]
    Metadata {
        /// The source.
        location: String,
        /// Groups and arrays.
        members: u64,
        /// Memory for all of them.
        bytes: u64,
        /// What there is beside the memory given.
        free: u64,
        /// The memory given.
        have: u64,
        /// Memory that would do.
        needed: u64,
    },
    /// Members that cannot be carried over.
    #[error("{0}")]
    Members(Refusals),
    /// Files that are not Zarr, which were not to be left behind.
    #[error("{location}: {what}; have them copied, or leave them behind")]
    Foreign {
        /// The source.
        location: String,
        /// How many, and examples.
        what: String,
    },
    /// A file that is not Zarr, which was to be copied to where chunks are in the target.
    #[error(
        "{location}: {key} is not Zarr, and has a name that chunks of {array:?} have in the target; leave such files behind"
    )]
    InTheWay {
        /// The source.
        location: String,
        /// The file.
        key: String,
        /// Path of the array.
        array: String,
    },
    /// The written target differs from the source.
    #[error("verification failed: {0}")]
    Differs(Box<Difference>),
    /// What was to be added before publication could not be.
    #[error("{0}")]
    Complete(Box<dyn std::error::Error + Send + Sync>),
    /// Something failed, and what was written until then could not be removed.
    #[error("{error}; {left}")]
    Untidy {
        /// What failed.
        #[source]
        error: Box<RechunkError>,
        /// What is left over, and why.
        left: String,
    },
    /// Comparing does not fit the memory, though writing does.
    #[error("array {array}: what was written could not be compared, which can be left out: {source}")]
    Comparing {
        /// Location of the array.
        array: String,
        /// Why not.
        source: PlanError,
    },
    /// What must be written does not fit.
    #[error(
        "{place}: {what} takes at least {needed} bytes, {free} are free: make room, or choose another place"
    )]
    Room {
        /// Where.
        place: String,
        /// What.
        what: &'static str,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that there are.
        free: u64,
    },
    /// A piece of an intermediate is not what was written.
    #[error(
        "intermediate {location}, at byte {offset}: what was written is not there any more: somebody else changed it, or gave its room back; \
         run again"
    )]
    Intermediate {
        /// The file.
        location: String,
        /// Where in it.
        offset: u64,
    },
    /// It was asked to stop.
    #[error("stopped: {target} is as it was before{left}")]
    Stopped {
        /// The target.
        target: String,
        /// What could not be removed, after a semicolon.
        left: String,
        /// That is why.
        source: zarrange_io::Stopped,
    },
    /// A worker thread died.
    #[error("internal error: a worker thread panicked; the target was not published")]
    Panicked,
}

impl RechunkError {
    /// The error, with what could not be removed after it.
    pub(crate) fn untidy(error: Self, left: &[String]) -> Self {
        if left.is_empty() { error } else { Self::Untidy { error: Box::new(error), left: left.join("; ") } }
    }

    /// A survey that failed, where what is known of a member takes so many `times` the memory of its name, and `have` was given.
    pub(crate) fn of_survey(error: ArrayError, (times, have): (u64, u64)) -> Self {
        let ArrayError::TooMany { location, nodes, bytes, bytes_max } = error else { return error.into() };
        let members = (nodes as u64).saturating_mul(bytes) / bytes_max.max(1);
        let (bytes, free) = (bytes.saturating_mul(times), METADATA_BYTES_FREE);
        let needed = bytes.saturating_sub(free).saturating_mul(2);
        Self::Metadata { location, members, bytes, free, have, needed }
    }

    /// The same where `memory` was given, of which metadata takes up to `bytes`: what is asked for is more by that.
    pub(crate) const fn with_metadata(mut self, memory: u64, bytes: u64) -> Self {
        if let Self::Plan { source: PlanError::Memory { have, needed, .. }, .. }
        | Self::Comparing { source: PlanError::Memory { have, needed, .. }, .. } = &mut self
        {
            *have = memory;
            *needed = needed.saturating_add(bytes);
        }
        self
    }
}

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
        let tells_enough = match self.first.as_slice() {
            [] => return Ok(()),
            [only] => only.path.is_empty() || matches!(only.error, RechunkError::Spec(_)),
            [_, ..] => false,
        };
        Err(if tells_enough { self.first.swap_remove(0).error } else { RechunkError::Members(self) })
    }

    /// What they are, in the words that `tell` has for each: a line for each if there are several.
    pub fn told(&self, tell: &dyn Fn(&RechunkError) -> String) -> String {
        if let ([Refusal { error, .. }], 0) = (self.first.as_slice(), self.more) {
            return in_a_line(tell(error));
        }
        let count = self.first.len() as u64 + self.more;
        let line =
            |Refusal { path, error }: &Refusal| format!("  {}: {}", in_a_line(path), in_a_line(tell(error)));
        let mut lines = vec![format!("{count} members cannot be carried over:")];
        lines.extend(self.first.iter().map(line));
        if self.more > 0 {
            lines.push(format!("  and {} more", self.more));
        }
        lines.join("\n")
    }

    /// The members that could be left out so that the rest is carried over. Whoever asks for what is not possible wants something else
    /// instead, not less: then there are none.
    pub fn to_leave_out(&self) -> BTreeSet<&str> {
        let paths = self.first.iter().map(|refusal| refusal.path.as_str());
        paths.filter(|path| !path.is_empty() && !self.are_usage()).collect()
    }

    /// Whether all of them are wrong requests, rather than members that cannot be carried over.
    pub fn are_usage(&self) -> bool {
        self.first.iter().all(|refusal| matches!(refusal.error, RechunkError::Spec(_)))
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&ToString::to_string))
    }
}

/// Text of which no name makes two lines.
fn in_a_line(text: impl fmt::Display) -> String {
    text.to_string().replace('\n', "\\n")
}

/// An array by its path, which at the root says nothing.
pub(crate) fn called(path: &str) -> String {
    if path.is_empty() { "the array".to_owned() } else { format!("array {path:?}") }
}

/// A request that does not fit the source: wrong usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Workers that are not understood.
    #[error("{given:?} describes no workers: {reason}")]
    Cluster {
        /// The text given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes that are not understood.
    #[error("{given:?} is not a size: use 256MB, 256MiB, 1e9 or plain bytes")]
    Bytes {
        /// The text given.
        given: String,
    },
    /// Neither the name of a profile nor that of a file.
    #[error("{given:?} is neither one of {} nor a file that can be read: {reason}", known.join(", "))]
    UnknownProfile {
        /// The text given.
        given: String,
        /// The names there are.
        known: Vec<&'static str>,
        /// Why it cannot be read.
        reason: String,
    },
    /// A file that is no profile, or one with impossible numbers.
    #[error("{given}: {reason}")]
    Profile {
        /// The name of the file.
        given: String,
        /// What is wrong.
        reason: String,
    },
    /// A separator of chunk keys that Zarr does not have.
    #[error("{given:?} does not separate chunk keys: use auto, / or .")]
    Separator {
        /// The text given.
        given: String,
    },
    /// A SPEC of another rank than the array.
    #[error("{} has shape {shape:?}: SPEC {spec:?} has {} numbers, {} are needed", called(array), spec.len(), shape.len())]
    Rank {
        /// Path of the array.
        array: String,
        /// Its shape.
        shape: Vec<u64>,
        /// The numbers given.
        spec: Vec<i64>,
    },
    /// Chunks of different shapes that would have to be written.
    #[error(
        "{} has a rectilinear chunk grid, which is copied as it is, or made regular by a shape, such as {largest:?}, the largest that it has",
        called(array)
    )]
    Rectilinear {
        /// Path of the array.
        array: String,
        /// What makes it regular if it is given a shape: chunks or shards.
        what: &'static str,
        /// Shape of its largest chunk or shard.
        largest: Vec<u64>,
    },
    /// A chunk length that is neither positive nor -1.
    #[error(
        "{}: chunk length {length} is not possible: use a positive number, or -1 for the whole dimension",
        called(array)
    )]
    Length {
        /// Path of the array.
        array: String,
        /// The number given.
        length: i64,
    },
    /// A dimension name that the array does not have.
    #[error("{} has no dimension {name:?}: its dimensions are {dimensions:?}", called(array))]
    Dimension {
        /// Path of the array.
        array: String,
        /// The name given.
        name: String,
        /// The names there are.
        dimensions: Vec<String>,
    },
    /// A dimension that is given two lengths.
    #[error("{}: dimension {name:?} is given two lengths", called(array))]
    Twice {
        /// Path of the array.
        array: String,
        /// The name given.
        name: String,
    },
    /// An array that the source does not have.
    #[error("the source has no array {name:?}: its arrays are {arrays:?}")]
    UnknownArray {
        /// The name given.
        name: String,
        /// The arrays there are.
        arrays: Vec<String>,
    },
    /// Two SPECs for one array.
    #[error("{} is given two SPECs for its {what}: give one", called(array))]
    Conflict {
        /// Path of the array.
        array: String,
        /// Chunks or shards.
        what: &'static str,
    },
    /// A shard that is not made of whole inner chunks.
    #[error(
        "{}: shard {shard:?} is not a multiple of its inner chunk {chunk:?}: {admissible:?} would be",
        called(array)
    )]
    Shard {
        /// Path of the array.
        array: String,
        /// The shard.
        shard: Vec<u64>,
        /// The inner chunk.
        chunk: Vec<u64>,
        /// A shard near the one given.
        admissible: Vec<u64>,
    },
    /// An array whose elements cannot be accessed cannot be rechunked.
    #[error(
        "{} cannot be rechunked: {reason}; leave it without a SPEC, or name the others, to copy it unchanged",
        called(array)
    )]
    Opaque {
        /// Path of the array.
        array: String,
        /// Why not.
        reason: String,
    },
    /// A codec description that is not understood.
    #[error(
        "codecs {given:?}: {reason}; use keep, none, zstd[:LEVEL], gzip[:LEVEL], lz4, one of these after shuffle+, blosc[:CNAME][:LEVEL][:SHUFFLE], pcodec[:LEVEL], one of all these after transpose:ORDER+, or a JSON list"
    )]
    Codecs {
        /// The text given.
        given: String,
        /// What is wrong.
        reason: String,
    },
    /// A SPEC that is not understood.
    #[error(
        "SPEC {given:?}: {reason}; use 1,500,2 or object=1,epoch=-1 or keep, with ARRAY: before it for one array of a group"
    )]
    Syntax {
        /// The text given.
        given: String,
        /// What is wrong.
        reason: String,
    },
    /// A mix of accesses that is not understood.
    #[error(
        "mix {given:?}: {reason}; use epoch=0.2,object=0.8: how often one index of a dimension, and all of the others, is read (object+band: \
         one of both; object:50 and object~50: fifty neighbouring or scattered ones; write:epoch: one is written; object=5000/day: so many a day)"
    )]
    Mix {
        /// The text given.
        given: String,
        /// What is wrong.
        reason: String,
    },
    /// Dimensions that are fixed, not as a name and a number.
    #[error("{given:?} is not DIMENSION=COUNT: use measurement=1, of how many indices every access reads")]
    Fixed {
        /// The part that is not.
        given: String,
    },
    /// Dimensions that no array has, or no array has together.
    #[error("no array has all dimensions of the {what}, {dimensions:?} are missing: there are {}", arrays.join(", "))]
    Dimensions {
        /// What they are given for: chunks, shards or a mix.
        what: &'static str,
        /// The dimensions given, those that are nowhere if there are such.
        dimensions: Vec<String>,
        /// The arrays there are, with their dimensions.
        arrays: Vec<String>,
    },
    /// A region that cannot be written as asked.
    #[error("region {region}: {reason}")]
    Region {
        /// The region.
        region: String,
        /// Why not.
        reason: String,
    },
    /// An access that an array cannot have.
    #[error("{}: {source}", called(array))]
    Access {
        /// Path of the array.
        array: String,
        /// Why not.
        source: AccessError,
    },
    /// A mix that has no layout for an array.
    #[error("{}: {source}", called(array))]
    MixFor {
        /// Path of the array.
        array: String,
        /// Why not.
        source: MixError,
    },
}
