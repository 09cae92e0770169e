//! From a request to what will be done: the source is looked at, and every array planned. Nothing is written.

mod aim;
pub(crate) mod beforehand;
pub(crate) mod checking;
mod details;
pub(crate) mod item;
mod keep;
pub(crate) mod layouts;
pub(crate) mod members;
mod notes;
pub(crate) mod planned;
pub(crate) mod problem;
mod region;
mod route;
mod slices;
pub(crate) mod small_copies;
mod stored;
mod unused;

use std::fmt;

pub use item::Item;
pub use layouts::unsampled;
pub use planned::prepare_planned;
use zarrange_array::{Beside, Found, Joining, Survey, Target};
use zarrange_io::{Location, Store};
use zarrange_plan::{Route, bytes_text};

use crate::engine::presence::Sparse;
use crate::error::{METADATA_BYTES_FREE, RechunkError, Refusal, Refusals};
use crate::foreign;
use crate::prepare::aim::Asked;
use crate::prepare::beforehand::{Fit, Lacking};
use crate::prepare::item::{Decision, prepare_item};
use crate::prepare::members::{LeftOut, Shapes, Sources, left_behind};
use crate::prepare::notes::Noted;
use crate::prepare::problem::Plans;
use crate::prepare::small_copies::SmallCopies;
use crate::report::{ArrayReport, Cost, Report};
use crate::request::{Foreign, NamedRegion, Request};

/// A request that was opened and planned.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) request: Request,
    /// The place of the target, as it was found.
    pub(crate) target: Target,
    /// The arrays of the target, by path.
    pub items: Vec<Item>,
    pub(crate) groups: Vec<Found>,
    pub(crate) consolidated: bool,
    pub(crate) noted: Noted,
    /// The source's root.
    pub(crate) root: Store,
    /// Memory for what is known of the members.
    metadata_bytes_max: u64,
    /// What it may take beyond what lies beside the memory of the request.
    metadata_excess: u64,
    /// What of the source is not part of the hierarchy.
    pub beside: Beside,
    /// From when on chunks that are not stored are not looked for.
    pub sparse: Sparse,
    /// Whether it fits where it goes.
    pub(crate) fit: Fit,
}

/// What an item and its plan take beside what was found, about.
const ITEM_BYTES: u64 = 1024;

/// Opens the source of `request` and plans every array. Nothing is written.
///
/// # Errors
/// [`RechunkError`] if the source cannot be opened, a request does not fit it, or the target may not be written; of several members
/// that cannot be carried over, all are named ([`RechunkError::Members`]).
pub fn prepare(request: Request) -> Result<Prepared, RechunkError> {
    region::check(&request)?;
    let joining = if request.joins { Joining::Anybody } else { Joining::Nobody };
    let target = beforehand::places(&request, joining)?;
    let root = request.io.open(&request.source)?;
    let found = region::look(&request, &root)?;
    let foreign = left_behind(&found.beside, "would be left behind", "would be left behind");
    if request.foreign == Foreign::Fail && !foreign.is_empty() {
        return Err(RechunkError::Foreign { location: request.source.to_string(), what: foreign.join("; ") });
    }
    let Survey { nodes, failed, beside } = found;
    let (arrays, groups): (Vec<_>, Vec<_>) = nodes.into_iter().partition(Found::is_array);
    let (mut consolidated, mut noted) = (false, Noted::default());
    for found in &groups {
        let group = found.group(&root)?;
        consolidated |= found.path().is_empty() && group.is_consolidated();
        noted.look(found.path(), &group.attributes());
    }
    let mut prepared = Prepared {
        request,
        target,
        items: Vec::new(),
        groups,
        consolidated,
        noted,
        root,
        beside,
        sparse: Sparse::default(),
        metadata_bytes_max: METADATA_BYTES_FREE,
        metadata_excess: 0,
        fit: Fit::default(),
    };
    prepared.make_room(&arrays);
    if let Some(region) = prepared.request.region.clone() {
        prepared.groups = Vec::new();
        prepared.plan_region(&region, arrays)?;
    } else {
        prepared.plan(&arrays, Refusals::of(failed))?;
    }
    if prepared.beside.files.count > 0 {
        prepared.check_foreign()?;
    }
    prepared.fit = beforehand::room(&prepared.request, &prepared.items, &prepared.root)?;
    Ok(prepared)
}

impl Prepared {
    /// Takes off the memory given what is known of many arrays, beyond what lies beside it.
    fn make_room(&mut self, arrays: &[Found]) {
        let each = |found: &Found| found.bytes() + ITEM_BYTES + ArrayReport::bytes(found.path());
        let bytes = self.groups_bytes() + arrays.iter().map(each).sum::<u64>();
        self.metadata_excess = bytes.saturating_sub(METADATA_BYTES_FREE);
        let excess = self.metadata_excess.min(self.request.memory_bytes_max / 2);
        self.request.memory_bytes_max -= excess;
        self.metadata_bytes_max += excess;
    }

    /// The memory that was given, what metadata takes of it included.
    pub(crate) const fn memory_bytes_max(&self) -> u64 {
        self.request.memory_bytes_max + self.metadata_bytes_max - METADATA_BYTES_FREE
    }

    fn groups_bytes(&self) -> u64 {
        self.groups.iter().map(Found::bytes).sum()
    }

    /// Plans all arrays.
    fn plan(&mut self, arrays: &[Found], mut refused: Refusals) -> Result<(), RechunkError> {
        let (request, root) = (&self.request, &self.root);
        let failed: Vec<String> = refused.first.iter().map(|refusal| refusal.path.clone()).collect();
        let sources = Sources { root, arrays, failed: &failed };
        sources.check_known(request.array_codecs.keys())?;
        let chunks = Shapes::new("chunks", &request.chunks, &request.arrays, &sources)?;
        let shards = Shapes::new("shards", &request.shards, &request.arrays, &sources)?;
        let (mut layouts, needless) = layouts::layouts(request, &sources)?;
        let shapes = [chunks.unused("chunks", &sources), shards.unused("shards", &sources)];
        let fixed = |name| format!("each access of the mix says itself how many of {name} it reads");
        self.noted.unused = shapes.into_iter().flatten().chain(needless.into_iter().map(fixed)).collect();
        let (mut items, mut plans) = (Vec::new(), Plans::default());
        let mut bytes = self.groups_bytes();
        for (k, found) in arrays.iter().enumerate() {
            let path = found.path();
            let (chunk, shard) = (chunks.of(path).cloned(), shards.of(path).cloned());
            let chosen = layouts.remove(path).map(Box::new);
            let asked = Asked { chunk, shard, chosen, ..Asked::default() };
            if request.only_named && asked.is_nothing() {
                continue;
            }
            let source = found.array(root)?;
            self.noted.look(path, &source.document().attributes());
            match prepare_item(request, found.clone(), &source, asked, &mut plans) {
                Ok(item) => {
                    bytes += item.bytes() + ArrayReport::bytes(path);
                    items.push(item);
                }
                Err(error) => {
                    let error = error.with_metadata(self.memory_bytes_max(), self.metadata_excess);
                    refused.add(Refusal { path: path.to_owned(), error });
                }
            }
            if bytes > self.metadata_bytes_max {
                return Err(self.too_many(bytes, (k + 1, arrays.len())));
            }
        }
        self.items = items;
        refused.into_result()
    }

    /// Plans the arrays that have the dimensions of the region.
    fn plan_region(&mut self, region: &NamedRegion, arrays: Vec<Found>) -> Result<(), RechunkError> {
        let mut plans = Plans::default();
        for (found, asked) in region::items(&self.request, region, (&self.root, arrays))? {
            let source = region::window(&self.request, found.array(&self.root)?)?;
            self.items.push(prepare_item(&self.request, found, &source, asked, &mut plans)?);
        }
        Ok(())
    }

    /// The error where the first arrays take `bytes`, and there are more.
    fn too_many(&self, bytes: u64, (known, arrays): (usize, usize)) -> RechunkError {
        let bytes = (bytes / known as u64 + 1).saturating_mul(arrays as u64);
        RechunkError::Metadata {
            location: self.request.source.to_string(),
            members: (self.groups.len() + arrays) as u64,
            bytes,
            free: METADATA_BYTES_FREE,
            have: self.memory_bytes_max(),
            needed: bytes.saturating_sub(METADATA_BYTES_FREE).saturating_mul(2),
        }
    }

    /// Looks whether files that are not Zarr would be in the way of chunks.
    pub(crate) fn check_foreign(&self) -> Result<(), RechunkError> {
        if self.request.foreign != Foreign::Copy {
            return Ok(());
        }
        let open = |item: &Item| Ok(item.open(&self.request, &self.root)?.target);
        LeftOut::of(&self.request).during(|without| foreign::check(&self.root, &self.items, &open, without))
    }
}

impl Prepared {
    /// Whether anything goes through an intermediate.
    pub(crate) fn spills(&self) -> bool {
        self.items.iter().any(beforehand::spills)
    }

    /// The place of what will be made.
    pub const fn target(&self) -> &Location {
        &self.request.target
    }

    /// What it will cost.
    pub fn predicted(&self) -> Report {
        let arrays = self.items.iter().map(|item| {
            let (path, source_chunks) = (item.path().to_owned(), item.source_chunks);
            match item.decision() {
                Decision::Planned(plan) => {
                    ArrayReport { layout: item.layout().cloned(), ..ArrayReport::predicted(path, &plan) }
                }
                Decision::Stored => ArrayReport::unplanned(path, Cost::unknown("copy", source_chunks)),
                Decision::Text => ArrayReport::unplanned(path, Cost::unknown("direct", source_chunks)),
            }
        });
        let backend = if self.items.is_empty() { "none" } else { self.root.backend() };
        let mut report = Report::sum(arrays.collect(), false, backend);
        let small = SmallCopies::of(&self.items, &self.request);
        report.cost.peak_budget_bytes = small.memory_bytes().max(report.cost.peak_budget_bytes);
        report
    }

    /// Refuses what cannot be written: intermediates or copies that do not fit where they go.
    ///
    /// # Errors
    /// [`RechunkError::Room`].
    pub fn check_room(&self) -> Result<(), RechunkError> {
        match self.fit.lacking.clone() {
            None => Ok(()),
            Some(Lacking { place, what, needed, free }) => {
                Err(RechunkError::Room { place, what, needed, free })
            }
        }
    }

    /// What is worth saying before the work, one line each.
    pub fn notes(&self) -> Vec<String> {
        let foreign = match self.request.foreign {
            Foreign::Copy => left_behind(&self.beside, "copied along", "left behind"),
            Foreign::Skip | Foreign::Fail => left_behind(&self.beside, "left behind", "left behind"),
        };
        let notes = self.fit.warnings.iter().cloned().chain(foreign).chain(self.noted.lines());
        notes.chain(self.items.iter().filter_map(notes::of_item)).collect()
    }

    /// Bytes that progress will count to, one pass over each array counting twice (in and out).
    pub(crate) fn work_bytes(&self) -> u64 {
        self.items.iter().map(Item::work_bytes).fold(0, u64::saturating_add)
    }
}

impl fmt::Display for Prepared {
    /// The plan of each array that is rechunked, and one line for all that are only copied.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut between, mut copied) = ("", Copied::default());
        for item in &self.items {
            let decision = item.decision();
            if !item.path().is_empty() && copied.add(item, &decision) {
                continue;
            }
            f.write_str(between)?;
            between = "\n\n";
            if !item.path().is_empty() {
                writeln!(f, "[{}]", item.path())?;
            }
            match &decision {
                Decision::Planned(plan) => {
                    if let Some((chosen, names)) = item.laid_out() {
                        writeln!(f, "{}", layouts::explain(chosen, names, plan.problem.item_bytes))?;
                    }
                    plan.fmt(f)?;
                }
                Decision::Text => {
                    f.write_str("strategy   direct (elements without a fixed size, chunk by chunk)")?;
                }
                Decision::Stored => f.write_str("strategy   copy (the stored bytes, unchanged)")?,
            }
        }
        if copied.arrays > 0 {
            write!(f, "{between}{copied}")?;
        }
        match &self.fit.disk {
            Some(disk) if !self.items.is_empty() => write!(f, "\n{disk}"),
            Some(_) | None => Ok(()),
        }
    }
}

/// Arrays of which the stored bytes are copied.
#[derive(Default)]
struct Copied {
    arrays: u64,
    /// Their elements, as far as these are known.
    bytes: u64,
    /// Arrays whose elements are not known.
    unknown: u64,
}

impl Copied {
    /// Counts an array, if it is only copied.
    fn add(&mut self, item: &Item, decision: &Decision) -> bool {
        match decision {
            Decision::Planned(plan) if plan.route == Route::Copy => {
                self.bytes = self.bytes.saturating_add(item.elements.saturating_mul(item.element_bytes));
            }
            Decision::Stored => self.unknown += 1,
            Decision::Planned(_) | Decision::Text => return false,
        }
        self.arrays += 1;
        true
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        let Self { arrays, bytes, unknown } = self;
        write!(f, "{arrays} array{} copied, {} before compression", plural(*arrays), bytes_text(*bytes))?;
        match unknown {
            0 => Ok(()),
            n => write!(f, ", and {n} of them of unknown size"),
        }
    }
}
