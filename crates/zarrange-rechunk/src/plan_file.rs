//! A prepared job as a file, for other processes and machines to run later.
//!
//! The file is JSON and holds decisions, not chunks, so it is as small for 10^13 chunks as for ten. Its fingerprint is a
//! hash (XXH3 with 128 bits, against accidents) of everything else in it, metadata of the source included: a source with
//! other metadata gives another plan with another fingerprint. Chunks of the source are not looked at.
//!
//! Rejected: a hash of the file's bytes. A file that was formatted anew says the same, and is still read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use twox_hash::XxHash3_128;
use zarrange_array::Members;
use zarrange_io::Location;
use zarrange_plan::Plan;

use crate::job::{Durability, Item, Prepared, Verify};
use crate::spec::{Codecs, KeySeparator};
use crate::{Job, PlanFileError};

/// A job as it was planned. Places are written as [`Location::parse`] reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// Version of this format.
    pub version: u32,
    /// What is read.
    pub source: String,
    /// What is made.
    pub target: String,
    /// How the job is run.
    pub options: PlannedOptions,
    /// Whether the target's root repeats all metadata below it.
    pub consolidated: bool,
    /// The groups of the target, parents first.
    pub groups: Vec<PlannedGroup>,
    /// The arrays of the target, by path.
    pub arrays: Vec<PlannedArray>,
}

/// The options of a job that its run needs.
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
    /// How it is moved; `None` if its stored bytes are copied without being understood.
    pub plan: Option<Plan>,
}

impl Prepared {
    /// What [`crate::run`] would carry out, as a file; the same job gives the same file.
    ///
    /// # Errors
    /// [`PlanFileError::Location`] if a place cannot be written as text.
    pub fn to_plan_file(&self) -> Result<PlanFile, PlanFileError> {
        let Job { source, target, temp, codecs, key_separator, .. } = &self.job;
        let Job { memory_bytes_max, threads, verify, durability, overwrite, .. } = self.job;
        let options = PlannedOptions {
            memory_bytes_max,
            threads,
            codecs: codecs.clone(),
            key_separator: *key_separator,
            temp: temp.as_ref().map(text).transpose()?,
            verify,
            durability,
            overwrite,
        };
        let groups = self.groups.iter();
        let groups = groups
            .map(|(path, group)| PlannedGroup { path: path.clone(), metadata: members(group.members()) });
        Ok(PlanFile {
            version: PlanFile::VERSION,
            source: text(source)?,
            target: text(target)?,
            options,
            consolidated: self.consolidated,
            groups: groups.collect(),
            arrays: self.items.iter().map(PlannedArray::of).collect(),
        })
    }
}

/// A document as strict JSON: what only Python's has is text there.
fn members(document: &Members) -> Map<String, Value> {
    document.iter().map(|(name, value)| (name.clone(), value.to_value())).collect()
}

impl PlannedArray {
    fn of(item: &Item) -> Self {
        Self {
            path: item.path.clone(),
            source: members(item.source.document().members()),
            target: members(item.target.document().members()),
            plan: item.plan.clone(),
        }
    }
}

impl PlanFile {
    /// The version of this format that is read and written here.
    pub const VERSION: u32 = 1;

    /// The hash of everything in the file but itself: 32 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.members())
    }

    /// The file: indented JSON, with the fingerprint behind the version.
    pub fn to_json(&self) -> String {
        let mut members = self.members();
        let fingerprint = fingerprint(&members);
        members.shift_insert(1, "fingerprint".to_owned(), json!(fingerprint));
        format!("{:#}\n", Value::Object(members))
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
            let what = format!("the version of the plan for array {path:?}");
            check_version(&what, &json!(plan.version), Plan::VERSION)?;
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

/// `location` as text that means the same place.
fn text(location: &Location) -> Result<String, PlanFileError> {
    let text = location.to_string();
    match Location::parse(&text) {
        Ok(same) if same == *location => Ok(text),
        _ => Err(PlanFileError::Location { location: text }),
    }
}
