//! A request that was planned by another process: nothing is decided anew, and the source must be what it was.

use std::sync::Arc;

use serde_json::{Map, Value};
use zarrange_array::{
    Array, ArrayError, ArrayMetadata, Beside, Contents, Found, Joining, Node, Target, open,
};
use zarrange_io::{Location, Opener, Store};
use zarrange_plan::{Plan, Problem, Purpose};

use crate::Sparse;
use crate::error::{METADATA_BYTES_FREE, PlanFileError, RechunkError};
use crate::plan_file::{PlanFile, PlannedArray, PlannedGroup, PlannedOptions, Strict};
use crate::prepare::Prepared;
use crate::prepare::aim::{Aim, Asked, How, planned_target};
use crate::prepare::beforehand::{self, Fit};
use crate::prepare::item::{Item, item};
use crate::prepare::notes::Noted;
use crate::prepare::problem::{Plans, problem};
use crate::request::Request;

/// Members of a document that rechunking changes.
const MOVED: [&str; 3] = ["chunk_grid", "chunk_key_encoding", "codecs"];

/// Opens the source and the place of the target of a plan, to carry it out as it is written. What the plan does not name is not looked at.
///
/// # Errors
/// [`PlanFileError::Changed`] if the source is not what was planned, [`PlanFileError::Other`] if this program would have planned in another
/// way, or what keeps a place from being opened.
pub fn prepare_planned(file: &PlanFile, io: Opener) -> Result<Prepared, PlanFileError> {
    check_replaced(file, &io)?;
    let prepared = prepare_for(file, Joining::Nobody, io)?;
    prepared.check_foreign()?;
    Ok(prepared)
}

/// Refuses to replace something else than what was there when it was planned.
///
/// # Errors
/// [`PlanFileError::Replaced`].
pub(crate) fn check_replaced(file: &PlanFile, io: &Opener) -> Result<(), PlanFileError> {
    if !file.options.overwrite
        || Target::number(&place(&file.target)?, io).map_err(RechunkError::from)? == file.options.replaces
    {
        return Ok(());
    }
    Err(PlanFileError::Replaced { target: file.target.clone() })
}

/// A place that a plan names.
pub(crate) fn place(text: &str) -> Result<Location, PlanFileError> {
    text.parse().map_err(|_| PlanFileError::Location { location: text.to_owned() })
}

/// As [`prepare_planned`], for those who are joined.
pub(crate) fn prepare_for(
    file: &PlanFile,
    joining: Joining<'_>,
    io: Opener,
) -> Result<Prepared, PlanFileError> {
    let request = request(file, io)?;
    let target = beforehand::places(&request, joining)?;
    let root = request.io.open(&request.source).map_err(RechunkError::from)?;
    let groups = file.groups.iter().map(|planned| group(&root, planned)).collect::<Result<_, _>>()?;
    let mut prepared = Prepared {
        request,
        target,
        items: Vec::new(),
        groups,
        consolidated: file.consolidated,
        noted: Noted::default(),
        root,
        beside: Beside::default(),
        sparse: Sparse::default(),
        metadata_bytes_max: METADATA_BYTES_FREE,
        metadata_excess: 0,
        fit: Fit::default(),
    };
    let (mut arrays, mut plans) = (Vec::with_capacity(file.arrays.len()), Plans::default());
    for planned in &file.arrays {
        arrays.push(look(&prepared.root, &planned.path)?);
    }
    prepared.make_room(&arrays);
    for (found, planned) in arrays.into_iter().zip(&file.arrays) {
        let planned = planned_item(&prepared.request, &prepared.root, (found, planned), &mut plans)?;
        prepared.items.push(planned);
    }
    Ok(prepared)
}

/// Whether the target of a plan is there, with all groups and arrays as they were planned, and is not what was to be replaced. What they hold
/// is not looked at.
pub(crate) fn is_made(file: &PlanFile, io: &Opener) -> Result<bool, RechunkError> {
    let Ok(target) = file.target.parse::<Location>() else { return Ok(false) };
    let replaced = || Ok::<_, RechunkError>(Target::number(&target, io)? != file.options.replaces);
    if !target.exists()? || (file.options.overwrite && !replaced()?) {
        return Ok(false);
    }
    let root = io.open(&target)?;
    let groups = file.groups.iter().map(|group| (&group.path, &group.metadata));
    let arrays = file.arrays.iter().map(|array| (&array.path, &array.target));
    for (path, planned) in groups.chain(arrays) {
        let same = match open(&root.below(path)?) {
            Ok(Node::Group(group)) => is_same(group.members(), planned),
            Ok(Node::Array(array)) => is_same(array.document().members(), planned),
            Err(ArrayError::NotZarr { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What was asked for, as far as it matters to who carries it out.
fn request(file: &PlanFile, io: Opener) -> Result<Request, PlanFileError> {
    let PlannedOptions {
        memory_bytes_max,
        threads,
        codecs,
        key_separator,
        temp,
        verify,
        durability,
        overwrite,
        replaces: _,
        skip,
        only,
        foreign,
        part_bytes,
    } = file.options.clone();
    let source = match &file.held {
        Some(source) => source.clone(),
        None if file.source.starts_with(PlanFile::HELD) => {
            return Err(PlanFileError::Held { source_name: file.source.clone() });
        }
        None => place(&file.source)?,
    };
    Ok(Request {
        memory_bytes_max,
        threads,
        codecs,
        key_separator,
        temp: temp.as_deref().map(place).transpose()?,
        verify,
        durability,
        overwrite,
        skip,
        only_named: only.is_some(),
        arrays: only.unwrap_or_default(),
        foreign,
        part_bytes,
        io,
        ..Request::new(source, place(&file.target)?)
    })
}

/// Finds a member that was planned.
fn look(root: &Store, path: &str) -> Result<Found, PlanFileError> {
    Found::look(root, path).map_err(|error| match error {
        ArrayError::NotZarr { .. } => changed(path, "is gone"),
        error => RechunkError::from(error).into(),
    })
}

fn changed(member: &str, what: &'static str) -> PlanFileError {
    PlanFileError::Changed { member: member.to_owned(), what }
}

/// What has other metadata than was planned.
const OTHER_METADATA: &str = "got other metadata";

fn group(root: &Store, planned: &PlannedGroup) -> Result<Found, PlanFileError> {
    let path = planned.path.as_str();
    let found = look(root, path)?;
    if found.is_array() {
        return Err(changed(path, "became an array"));
    }
    let group = found.group(root).map_err(RechunkError::from)?;
    if is_same(group.members(), &planned.metadata) { Ok(found) } else { Err(changed(path, OTHER_METADATA)) }
}

/// Whether a document says what was planned.
fn is_same(members: &zarrange_array::Fields, planned: &Map<String, Value>) -> bool {
    serde_json::to_value(Strict(members)).is_ok_and(|members| members.as_object() == Some(planned))
}

fn planned_item(
    request: &Request,
    root: &Store,
    (found, planned): (Found, &PlannedArray),
    plans: &mut Plans,
) -> Result<Item, PlanFileError> {
    let path = planned.path.as_str();
    if !found.is_array() {
        return Err(changed(path, "became a group"));
    }
    let source = found.array(root).map_err(RechunkError::from)?;
    if !is_same(source.document().members(), &planned.source) {
        return Err(changed(path, OTHER_METADATA));
    }
    let other = || PlanFileError::Other { array: path.to_owned() };
    let members = moved(&source, planned);
    let target = planned_target(request, path, &source, &members)?;
    if !is_same(target.document().members(), &planned.target) {
        return Err(other());
    }
    let how = match source.contents() {
        Contents::Elements(_) => How::Planned,
        Contents::Variable(_) if !planned.stored => How::Text,
        Contents::Variable(_) | Contents::Unknown(_) => How::Stored,
    };
    if (how == How::Planned) != planned.plan.is_some() || (how == How::Stored) != planned.stored {
        return Err(other());
    }
    let plan = planned.plan.as_ref();
    if let Some(plan) = plan
        && !fits(request, &source, &target, plan)?
    {
        return Err(other());
    }
    let plan = plan.map(|plan| (plan, slice(plan)));
    let asked = Asked { planned: Some(members), ..Asked::default() };
    Ok(item(request, found, &source, asked, (Aim { target, dropped: Vec::new(), how }, plan), plans)?)
}

/// Members of the target's document that say how it is stored, as JSON.
fn moved(source: &Array, planned: &PlannedArray) -> Arc<[u8]> {
    // What cannot be read keeps its codecs, whatever they are called.
    let known = !matches!(source.contents(), Contents::Unknown(_));
    let moved = MOVED.into_iter().filter(|name| known || *name != "codecs");
    let member = |name: &str| Some((name.to_owned(), planned.target.get(name)?.clone()));
    Value::Object(moved.filter_map(member).collect()).to_string().into_bytes().into()
}

/// The slices in which a plan reads the source, where not in whole chunks.
fn slice(plan: &Plan) -> Option<&[u64]> {
    plan.problem.source.slices.then_some(&plan.problem.source.chunk[..])
}

/// Whether `plan` is one for this source and this target.
fn fits(
    request: &Request,
    source: &Array,
    target: &ArrayMetadata,
    plan: &Plan,
) -> Result<bool, RechunkError> {
    let to = target.view()?;
    let from = match slice(plan) {
        None => Some(source.chunks()?),
        Some(slice) => source.slices(slice)?,
    };
    let Some(from) = from else { return Ok(false) };
    let Problem { memory_bytes_max, threads, ref costs, way, part_bytes, .. } = plan.problem;
    let mut problem = Problem {
        costs: costs.clone(),
        way,
        part_bytes,
        ..problem(&from, &to, (memory_bytes_max, threads), Purpose::Write)
    };
    problem.same_encoding &= source.store().abilities().partial_reads;
    // What was looked up when it was planned changes nothing but predictions.
    for (now, then) in
        [(&mut problem.source, &plan.problem.source), (&mut problem.target, &plan.problem.target)]
    {
        now.stored_ratio = then.stored_ratio;
        now.decode_ns_per_byte = then.decode_ns_per_byte;
        now.encode_ns_per_byte = then.encode_ns_per_byte;
    }
    if !request.target.abilities().partial_writes {
        problem.target.whole_shard_bytes = to.shard_bytes_max();
    }
    // Without a stage nothing would be done.
    let done = plan.stage_count() > 0 || plan.problem.shape.contains(&0);
    let bounds = done && memory_bytes_max <= request.memory_bytes_max && threads <= request.threads;
    Ok(problem == plan.problem && bounds && part_bytes == request.part_bytes)
}
