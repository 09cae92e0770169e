//! A prepared request as a file, for other processes and machines to run later.
//!
//! The file is JSON and holds decisions, not chunks, so it is as small for 10^13 chunks as for ten. Its fingerprint is a
//! hash (XXH3 with 128 bits, against accidents) of everything else in it, metadata of the source included: a source with
//! other metadata gives another plan with another fingerprint. Chunks of the source are not read; of a large grid they are
//! listed where that decides whether an intermediate pays.
//!
//! Rejected: a hash of the file's bytes. A file that was formatted anew says the same, and is still read.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use twox_hash::XxHash3_128;
use zarrange_array::Fields;
use zarrange_io::Location;
use zarrange_plan::Plan;

use crate::error::{PlanFileError, RechunkError};
use crate::prepare::Prepared;
use crate::request::{Codecs, Durability, Foreign, KeySeparator, Request, Verify};

/// A request as it was planned. Places are written as [`Location`] is read from text.
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
    /// How it is moved; `None` if its stored bytes are copied without being understood.
    pub plan: Option<Plan>,
}

impl Prepared {
    /// Writes what [`crate::run`] would carry out as a file, as [`PlanFile::to_json`] would; the same request gives the same file. Its
    /// fingerprint. Arrays are opened one after the other, for all of them may be large.
    ///
    /// # Errors
    /// [`PlanFileError::Location`] if a place cannot be written as text, [`PlanFileError::Region`] of a region, or the source cannot be read,
    /// or the file written.
    pub fn write_plan(&self, out: &mut dyn Write) -> Result<String, PlanFileError> {
        match &self.request.region {
            Some(region) => Err(PlanFileError::Region { region: region.to_string() }),
            None => self.stream_plan(Some(out)),
        }
    }

    /// The fingerprint of that file.
    pub(crate) fn fingerprint(&self) -> Result<String, PlanFileError> {
        self.stream_plan(None)
    }

    fn stream_plan(&self, out: Option<&mut dyn Write>) -> Result<String, PlanFileError> {
        let Request { source, target, temp, codecs, key_separator, skip, .. } = &self.request;
        let only = self.request.named_arrays().map(|names| names.into_iter().map(str::to_owned).collect());
        let memory_bytes_max = self.memory_bytes_max();
        let Request { threads, verify, durability, overwrite, foreign, part_bytes, .. } = self.request;
        let options = PlannedOptions {
            memory_bytes_max,
            threads,
            codecs: codecs.clone(),
            key_separator: *key_separator,
            temp: temp.as_ref().map(text).transpose()?,
            verify,
            durability,
            overwrite,
            skip: skip.clone(),
            only,
            foreign,
            part_bytes,
        };
        let failed = RefCell::new(None);
        let mut file = Streamed {
            version: PlanFile::VERSION,
            fingerprint: None,
            source: text(source)?,
            target: text(target)?,
            options,
            consolidated: self.consolidated,
            groups: Groups(self, &failed),
            arrays: Arrays(self, &failed),
        };
        let told = |error: serde_json::Error| match failed.take() {
            Some(error) => PlanFileError::Source(error),
            None => PlanFileError::Io(error.into()),
        };
        let mut hash = Hashed(XxHash3_128::new());
        serde_json::to_writer(&mut hash, &file).map_err(told)?;
        let fingerprint = format!("{:032x}", hash.0.finish_128());
        if let Some(out) = out {
            file.fingerprint = Some(&fingerprint);
            serde_json::to_writer_pretty(&mut *out, &file).map_err(told)?;
            out.write_all(b"\n")?;
        }
        Ok(fingerprint)
    }
}

/// A hash of what is written.
struct Hashed(XxHash3_128);

impl Write for Hashed {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A [`PlanFile`] that is not in memory.
#[derive(Serialize)]
struct Streamed<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    source: String,
    target: String,
    options: PlannedOptions,
    consolidated: bool,
    groups: Groups<'a>,
    arrays: Arrays<'a>,
}

/// What went wrong while the source was read.
type Fault = RefCell<Option<RechunkError>>;

struct Groups<'a>(&'a Prepared, &'a Fault);

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Prepared { groups, root, .. }, fault) = self;
        let mut list = serializer.serialize_seq(Some(groups.len()))?;
        for found in groups {
            let group = noted(found.group(root), fault)?;
            list.serialize_element(&GroupEntry { path: found.path(), metadata: Strict(group.members()) })?;
        }
        list.end()
    }
}

struct Arrays<'a>(&'a Prepared, &'a Fault);

impl Serialize for Arrays<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Prepared { items, request, root, .. }, fault) = self;
        let mut list = serializer.serialize_seq(Some(items.len()))?;
        for item in items {
            let opened = noted(item.open(request, root), fault)?;
            let (source, target) = (opened.source.document(), opened.target.document());
            list.serialize_element(&ArrayEntry {
                path: item.path(),
                source: Strict(source.members()),
                target: Strict(target.members()),
                plan: item.plan(),
            })?;
        }
        list.end()
    }
}

/// As [`PlannedGroup`].
#[derive(Serialize)]
struct GroupEntry<'a> {
    path: &'a str,
    metadata: Strict<'a>,
}

/// As [`PlannedArray`].
#[derive(Serialize)]
struct ArrayEntry<'a> {
    path: &'a str,
    source: Strict<'a>,
    target: Strict<'a>,
    plan: Option<Plan>,
}

fn noted<T, E: serde::ser::Error>(opened: Result<T, impl Into<RechunkError>>, fault: &Fault) -> Result<T, E> {
    opened.map_err(|error| {
        *fault.borrow_mut() = Some(error.into());
        E::custom("the source cannot be read")
    })
}

/// A document as strict JSON: what only Python's has is text there.
struct Strict<'a>(&'a Fields);

impl Serialize for Strict<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

impl PlanFile {
    /// The version of this format that is read and written here.
    pub const VERSION: u32 = 2;

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

/// `location` as text that means the same place.
fn text(location: &Location) -> Result<String, PlanFileError> {
    let text = location.to_string();
    match text.parse::<Location>() {
        Ok(same) if same == *location => Ok(text),
        _ => Err(PlanFileError::Location { location: text }),
    }
}
