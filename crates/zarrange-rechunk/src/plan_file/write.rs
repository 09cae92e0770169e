//! Writing a plan: piece by piece, for what it is about may be large.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use twox_hash::XxHash3_128;
use zarrange_array::Target;
use zarrange_io::Location;
use zarrange_plan::Plan;

use crate::error::{PlanFileError, RechunkError};
use crate::plan_file::{PlanFile, PlannedOptions, Strict, shallow};
use crate::prepare::Prepared;
use crate::request::Request;

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
        let replaces = if overwrite { Target::number(target, &self.request.io) } else { Ok(None) };
        let options = PlannedOptions {
            replaces: replaces.map_err(RechunkError::from)?,
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
            source: self.request.source_name.clone().map_or_else(|| text(source), Ok)?,
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
            shallow::write(&file, out).map_err(told)?;
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
        // A group without a document is there as soon as something is in it.
        let explicit = || groups.iter().filter(|found| !found.is_implicit());
        let mut list = serializer.serialize_seq(Some(explicit().count()))?;
        for found in explicit() {
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
                stored: item.is_stored(),
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
    stored: bool,
}

fn noted<T, E: serde::ser::Error>(opened: Result<T, impl Into<RechunkError>>, fault: &Fault) -> Result<T, E> {
    opened.map_err(|error| {
        *fault.borrow_mut() = Some(error.into());
        E::custom("the source cannot be read")
    })
}

/// `location` as text that means the same place.
fn text(location: &Location) -> Result<String, PlanFileError> {
    let text = location.to_string();
    match text.parse::<Location>() {
        Ok(same) if same == *location => Ok(text),
        _ => Err(PlanFileError::Location { location: text }),
    }
}
