//! What can go wrong with an array.

use zarrange_codec::CodecError;
use zarrange_grid::GridError;
use zarrange_io::IoError;

/// An array failure: which array, which chunk, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// Bytes could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Nothing that is Zarr at this place.
    #[error("{location}: no Zarr array or group here (no zarr.json, .zarray or .zgroup)")]
    NotZarr {
        /// Where it was looked for.
        location: String,
    },
    /// Metadata that is not what it was when it was first read.
    #[error("{location}: its metadata changed meanwhile: start again when nobody writes to it")]
    Changed {
        /// The array or group.
        location: String,
    },
    /// More groups and arrays than the memory holds the names of.
    #[error(
        "{location}: to know its {nodes} or more groups and arrays takes {bytes} bytes, {bytes_max} at most"
    )]
    TooMany {
        /// The root.
        location: String,
        /// Groups and arrays that the memory holds.
        nodes: usize,
        /// Memory that all of them take.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Metadata that cannot be understood.
    #[error("{location}: {detail}")]
    Metadata {
        /// The metadata document.
        location: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A shape that no grid can have.
    #[error("{location}: {source}")]
    Shape {
        /// The metadata document.
        location: String,
        /// What is wrong with it.
        source: GridError,
    },
    /// A chunk that cannot be decoded or encoded.
    #[error("array {array}, chunk {key}: {source}")]
    Chunk {
        /// Location of the array.
        array: String,
        /// Key of the chunk, with the inner chunk for a shard.
        key: String,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A chunk that cannot be read or written.
    #[error("array {array}, chunk {key}: {source}")]
    ChunkIo {
        /// Location of the array.
        array: String,
        /// Key of the chunk.
        key: String,
        /// Why not.
        source: IoError,
    },
    /// An operation that needs elements of a fixed size.
    #[error("array {array}: {detail}: it can only be copied unchanged")]
    Opaque {
        /// Location of the array.
        array: String,
        /// Why the elements are not accessible.
        detail: String,
    },
    /// A region that is not made of whole chunks.
    #[error(
        "array {array}: {}..{} is no region along dimension {dimension}, which has {size}: {}", range.start, range.end, window_rule(*step)
    )]
    Window {
        /// Location of the array.
        array: String,
        /// The dimension, by its number.
        dimension: usize,
        /// What was asked for along it.
        range: std::ops::Range<u64>,
        /// How long it is.
        size: u64,
        /// Where regions may begin: at multiples of this; nowhere but at 0 where chunks differ in length.
        step: Option<u64>,
    },
    /// The target is there already.
    #[error("target {0} exists: choose another name, or have it replaced")]
    TargetExists(String),
    /// The target is there already, and cannot be replaced.
    #[error(
        "target {0} exists, and its store cannot rename: what is there could not be replaced in one step, and is not replaced at \
         all; choose another name, or remove it first"
    )]
    TargetInPlace(String),
    /// The target's chunks cannot be replaced.
    #[error(
        "target {0} is in a store that cannot rename: what was written could not take the place of its chunks once it is complete; make a new \
         target"
    )]
    NoMerge(String),
    /// Some of the objects of a target were replaced, others not.
    #[error(
        "{target}: {replaced} of its objects were replaced, then came an error: {source}; the others are as before: do it again"
    )]
    Merged {
        /// The target.
        target: String,
        /// Objects that were replaced.
        replaced: u64,
        /// What went wrong.
        source: IoError,
    },
    /// There is no place for intermediates.
    #[error(
        "target {0} is in a store that writes whole objects only, which cannot hold an intermediate: give another place for \
         intermediates, or more memory"
    )]
    NoTemp(String),
    /// The place for intermediates cannot hold any.
    #[error(
        "{0} is in a store that writes whole objects only, which cannot hold an intermediate: give another place for intermediates"
    )]
    TempUnable(String),
    /// What would be replaced is not a Zarr hierarchy.
    #[error(
        "target {0} exists and is not Zarr: only a Zarr array or group, or an empty directory, is replaced"
    )]
    TargetNotZarr(String),
    /// The target is a link.
    #[error(
        "target {target} is a link to {leads_to}: name that place to replace what is there, or remove the link to have the target \
         in its place"
    )]
    TargetLink {
        /// The target.
        target: String,
        /// What the link says.
        leads_to: String,
    },
    /// What would be replaced cannot or must not be.
    #[error("target {target} {what}: {source}")]
    TargetKept {
        /// The target.
        target: String,
        /// That it cannot, or must not.
        what: &'static str,
        /// The first thing in it that stands against it.
        source: IoError,
    },
    /// The target is not what it was when it was looked at.
    #[error(
        "target {0} was changed or made by somebody else meanwhile: nothing was replaced; look at it, and run again"
    )]
    TargetChanged(String),
    /// Another run works on the target.
    #[error(
        "target {target} is being written by {owner}: wait for it, or choose another name (its work is in {folder})"
    )]
    TargetBusy {
        /// The target.
        target: String,
        /// The run folder.
        folder: String,
        /// Who.
        owner: String,
    },
    /// Several processes cannot make a target there.
    #[error(
        "{0} cannot be made by several processes: choose a folder of a file system that all of them reach"
    )]
    NoShared(String),
    /// Several processes make the target by a plan.
    #[error(
        "target {target} is being made by workers, or by a run that can be resumed, in {folder}: finish that, or give it up: its plan is {folder}/plan.json"
    )]
    TargetShared {
        /// The target.
        target: String,
        /// The run folder.
        folder: String,
    },
    /// Another run worked on the target, and nobody can tell from here whether it has ended.
    #[error(
        "target {target} may still be written by {owner}: if that has ended, remove {folder} and run again"
    )]
    Leftover {
        /// The target.
        target: String,
        /// The run folder.
        folder: String,
        /// Who.
        owner: String,
    },
    /// Something failed, and then also putting the old target back.
    #[error(
        "the old target {target} could not be put back ({source}): it is complete, as {at}; move it back"
    )]
    Stranded {
        /// The target.
        target: String,
        /// Where the old one is.
        at: String,
        /// Why it could not be moved.
        source: IoError,
    },
    /// Intermediates would lie in the source or the target.
    #[error("the place for intermediates, {temp}, is inside the {what} {other}: choose one outside of both")]
    TempInside {
        /// The place for intermediates.
        temp: String,
        /// Source or target.
        what: &'static str,
        /// That.
        other: String,
    },
    /// The target would overwrite or change the source.
    #[error("target {dst} is {relation} source {src}: choose a target outside the source")]
    Overlap {
        /// The target.
        dst: String,
        /// The source.
        src: String,
        /// How they overlap.
        relation: &'static str,
    },
}

/// Where a region may begin.
fn window_rule(step: Option<u64>) -> String {
    match step {
        Some(step) => {
            format!("it must begin at a multiple of {step}, where a chunk or shard does, and lie inside")
        }
        None => "its chunks differ in length, so that it must be the whole of it".to_owned(),
    }
}
