//! A prepared request as a file, for other processes and machines to run later.
//!
//! The file is JSON and holds decisions, not chunks, so it is as small for 10^13 chunks as for ten. Its fingerprint is a
//! hash (XXH3 with 128 bits, against accidents) of everything else in it, metadata of the source included: a source with
//! other metadata gives another plan with another fingerprint. Chunks of the source are not read; of a large grid they are
//! listed where that decides whether an intermediate pays.
//!
//! Rejected: a hash of the file's bytes. A file that was formatted anew says the same, and is still read.

mod shallow;
mod write;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use twox_hash::XxHash3_128;
use zarrange_array::Fields;
use zarrange_io::Location;
use zarrange_plan::Plan;

use crate::error::{PlanFileError, called};
use crate::request::{Codecs, Durability, Foreign, KeySeparator, Verify};

/// A request as it was planned. Places are written as [`Location`](zarrange_io::Location) is read from text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// Version of this format.
    pub version: u32,
    /// What is read.
    pub source: String,
    /// What is made.
    pub target: String,
    /// How the request is run.
    pub options: PlannedOptions,
    /// Whether the target's root repeats all metadata below it.
    pub consolidated: bool,
    /// The groups of the target, parents first.
    pub groups: Vec<PlannedGroup>,
    /// The arrays of the target, by path.
    pub arrays: Vec<PlannedArray>,
    /// The source, where whoever carries the plan out has opened it; it is not written.
    #[serde(skip)]
    pub held: Option<Location>,
}

/// The options of a request that its run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedOptions {
    /// The bound on all data buffers of a process.
    pub memory_bytes_max: u64,
    /// Threads of a process, at most.
    pub threads: u64,
    /// Codecs as asked for; what they are for an array is in its target metadata.
    pub codecs: Codecs,
    /// What separates the numbers of chunk keys, as asked for.
    pub key_separator: KeySeparator,
    /// Where intermediates go; beside the target if not given.
    pub temp: Option<String>,
    /// What to compare before publishing.
    pub verify: Verify,
    /// Whether to wait until the target is on the disk.
    pub durability: Durability,
    /// Replace an existing target.
    pub overwrite: bool,
    /// The number that what is replaced has in its file system; none where nothing was there, or nothing has numbers.
    pub replaces: Option<u64>,
    /// Members that are left out.
    pub skip: Vec<String>,
    /// The only arrays that are not left out, if not all are wanted.
    pub only: Option<Vec<String>>,
    /// What becomes of files that are not Zarr.
    pub foreign: Foreign,
    /// Array data of a part, about, where an array has no plan that says it.
    pub part_bytes: u64,
}

/// A group of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGroup {
    /// Path within the hierarchy; empty for the root.
    pub path: String,
    /// Members of the `zarr.json` to be written, attributes among them.
    pub metadata: Map<String, Value>,
}

/// An array of the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedArray {
    /// Path within the hierarchy; empty for the root.
    pub path: String,
    /// Members of the source's `zarr.json` (for a v2 array, what it becomes in v3).
    pub source: Map<String, Value>,
    /// Members of the `zarr.json` to be written.
    pub target: Map<String, Value>,
    /// How it is moved; `None` of text and bytes, which are put together chunk by chunk, and of what is only copied.
    pub plan: Option<Plan>,
    /// Whether its stored bytes are copied without being understood.
    pub stored: bool,
}

/// A document as strict JSON: what only Python's has is text there.
pub(crate) struct Strict<'a>(pub(crate) &'a Fields);

impl Serialize for Strict<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

impl PlanFile {
    /// The version of this format that is read and written here.
    pub const VERSION: u32 = 4;

    /// How the name of a source begins that only a Python program can open.
    pub const HELD: &str = "python://";

    /// The hash of everything in the file but itself: 32 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.members())
    }

    /// The file: indented JSON, with the fingerprint behind the version.
    pub fn to_json(&self) -> String {
        let mut members = self.members();
        let fingerprint = fingerprint(&members);
        members.shift_insert(1, "fingerprint".to_owned(), json!(fingerprint));
        let mut file = Vec::new();
        let written = shallow::write(&members, &mut file);
        written.unwrap_or_else(|error| unreachable!("members of JSON, to memory: {error}"));
        file.push(b'\n');
        String::from_utf8(file).unwrap_or_else(|error| unreachable!("JSON is text: {error}"))
    }

    /// Reads a file back.
    ///
    /// # Errors
    /// [`PlanFileError`] if it is of another version, was changed, or is no plan at all.
    pub fn parse(json: &[u8]) -> Result<Self, PlanFileError> {
        let mut members: Map<String, Value> = serde_json::from_slice(json).map_err(PlanFileError::Json)?;
        let version = members.get("version").cloned().unwrap_or_default();
        check_version("the version of the plan", &version, Self::VERSION)?;
        let found = members.shift_remove("fingerprint").unwrap_or_default();
        let expected = fingerprint(&members);
        if found != expected.as_str() {
            return Err(PlanFileError::Fingerprint { found: found.to_string(), expected });
        }
        let file: Self = serde_json::from_value(Value::Object(members)).map_err(PlanFileError::Contents)?;
        for PlannedArray { path, plan, .. } in &file.arrays {
            let Some(plan) = plan else { continue };
            let what = format!("the version of the plan for {}", called(path));
            check_version(&what, &json!(plan.version), Plan::VERSION)?;
            plan.check().map_err(|source| PlanFileError::Plan { array: path.clone(), source })?;
        }
        Ok(file)
    }

    fn members(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(members) => members,
            _ => unreachable!("a struct is a JSON object"),
        }
    }
}

/// The hash of members in the order given.
fn fingerprint(members: &Map<String, Value>) -> String {
    let compact = json!(members).to_string();
    format!("{:032x}", XxHash3_128::oneshot(compact.as_bytes()))
}

fn check_version(what: &str, found: &Value, known: u32) -> Result<(), PlanFileError> {
    if *found == json!(known) {
        return Ok(());
    }
    Err(PlanFileError::Version { what: what.to_owned(), found: found.to_string(), known })
}
