//! One array of a request: what of it is asked, and how it will be moved.

use std::ops::Deref;
use std::sync::Arc;

use zarrange_array::{Array, ArrayError, ArrayMetadata, Chunks, Contents, Found};
use zarrange_io::Store;
use zarrange_plan::{COPIED_TOGETHER, Chosen, Parts, Plan, Route, StageWork};

use crate::engine::context::elements;
use crate::engine::{copy, text};
use crate::error::RechunkError;
use crate::prepare::aim::{Aim, Asked, How, LaidOut, aim, check_length, planned_target};
use crate::prepare::checking::Check;
use crate::prepare::problem::Plans;
use crate::prepare::region;
use crate::prepare::route::{cheapest_plan, memory_of_comparing};
use crate::request::Request;

/// One array of a request. It is opened when it is its turn: metadata may be large, and arrays many.
#[derive(Debug)]
pub struct Item {
    found: Found,
    asked: Asked,
    decision: Packed,
    /// Its source is read in slices of this shape.
    slice: Option<Box<[u64]>>,
    /// How it is checked, where all of it is compared part by part.
    check: Option<Check>,
    /// Codecs of the source that the target does not have, although it was to keep them.
    pub(crate) dropped: Vec<String>,
    /// Why its elements cannot be read, where they cannot.
    pub(crate) opaque: Option<Box<str>>,
    /// Its parts, where there is no plan that has them.
    unplanned: Parts,
    /// Stored objects of its source, and of its target.
    objects: u64,
    pub(crate) target_objects: u64,
    /// Length of its document in the target.
    document_bytes: u64,
    /// Chunks of its source: inner chunks, where they can be read.
    pub(crate) source_chunks: u64,
    /// Its elements, and the bytes of one.
    pub(crate) elements: u64,
    pub(crate) element_bytes: u64,
}

/// How an array will be moved.
#[derive(Debug)]
pub(crate) enum Decision {
    /// As the planner decided.
    Planned(Box<Plan>),
    /// As it is stored, without being understood.
    Stored,
    /// Text and bytes, put together chunk by chunk.
    Text,
}

/// A decision, packed: plans of a group are many, and mostly alike.
#[derive(Debug)]
enum Packed {
    Planned(Arc<[u8]>),
    Stored,
    Text,
}

/// An item opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) source: Sliced,
    pub(crate) target: ArrayMetadata,
}

/// A source, and how it is read.
#[derive(Debug)]
pub(crate) struct Sliced {
    array: Array,
    /// It is read in slices of this shape.
    slice: Option<Box<[u64]>>,
}

impl Sliced {
    /// Its chunks, as they are read.
    pub(crate) fn read_chunks(&self) -> Result<Chunks<'_>, ArrayError> {
        let sliced = match &self.slice {
            Some(slice) => self.array.slices(slice)?,
            None => None,
        };
        sliced.map_or_else(|| self.array.chunks(), Ok)
    }
}

impl Deref for Sliced {
    type Target = Array;

    fn deref(&self) -> &Array {
        &self.array
    }
}

impl Item {
    /// Its path within the hierarchy; empty for the root.
    pub fn path(&self) -> &str {
        self.found.path()
    }

    /// The layout that was chosen for the mix asked for.
    pub fn layout(&self) -> Option<&Chosen> {
        self.asked.chosen.as_ref().map(|chosen| &chosen.0)
    }

    /// That layout, and the names of the dimensions.
    pub(crate) fn laid_out(&self) -> Option<&LaidOut> {
        self.asked.chosen.as_deref()
    }

    /// Whether a shape, a mix or a region is for it.
    pub(crate) const fn is_asked(&self) -> bool {
        !self.asked.is_nothing() || self.asked.within.is_some()
    }

    /// Whether another process has planned it.
    pub(crate) const fn is_planned(&self) -> bool {
        self.asked.planned.is_some()
    }

    /// Opens it below the `root` of the source; what was planned is what there is.
    pub(crate) fn open(&self, request: &Request, root: &Store) -> Result<Opened, RechunkError> {
        let array = region::window(request, self.found.array(root)?)?;
        let target = match &self.asked.planned {
            Some(members) => planned_target(request, self.path(), &array, members)?,
            None => aimed(request, self.path(), &array, &self.asked)?.target,
        };
        Ok(Opened { source: Sliced { array, slice: self.slice.clone() }, target })
    }

    /// How it will be moved; `None` if its stored bytes are copied without being understood, or put together.
    pub fn plan(&self) -> Option<Plan> {
        if let Decision::Planned(plan) = self.decision() { Some(*plan) } else { None }
    }

    /// How many stages it is moved in: what a part of one needs, parts of the one before may have made.
    pub fn stage_count(&self) -> u64 {
        self.plan().map_or(1, |plan| plan.stage_count())
    }

    /// How it is checked part by part, where all of it shall be compared.
    pub(crate) const fn check(&self) -> Option<&Check> {
        self.check.as_ref()
    }

    /// Whether its source is digested when it is moved.
    pub(crate) fn is_digested(&self) -> bool {
        self.check.as_ref().is_some_and(|check| check.is_digested)
    }

    /// Whether its stored bytes are copied without being understood.
    pub(crate) const fn is_stored(&self) -> bool {
        matches!(self.decision, Packed::Stored)
    }

    /// Whether its stored bytes are copied, as they are.
    pub(crate) fn is_copy(&self) -> bool {
        match self.decision() {
            Decision::Planned(plan) => plan.route == Route::Copy,
            Decision::Stored => true,
            Decision::Text => false,
        }
    }

    /// Whether it is copied, and several such arrays may well be at once: one thread copies it as fast as several, soon, and the documents
    /// of all of them together take no memory to speak of.
    pub(crate) fn is_small_copy(&self) -> bool {
        /// Array data. When one array fails, the others are finished first.
        const SMALL_BYTES: u64 = 1_000_000_000;
        const SMALL_DOCUMENT_BYTES: u64 = 1 << 16;
        self.objects <= COPIED_TOGETHER
            && self.elements.saturating_mul(self.element_bytes) <= SMALL_BYTES
            && self.document_bytes <= SMALL_DOCUMENT_BYTES
            && self.is_copy()
    }

    /// The parts of a stage.
    ///
    /// # Panics
    /// If there is no such stage.
    pub fn parts(&self, stage: u64) -> Parts {
        assert!(stage < self.stage_count(), "a stage of {}", self.stage_count());
        self.plan().map_or(self.unplanned, |plan| plan.parts(stage))
    }

    /// How it will be moved.
    pub(crate) fn decision(&self) -> Decision {
        match &self.decision {
            Packed::Planned(packed) => {
                let unpacked = postcard::from_bytes(packed);
                let plan = unpacked.unwrap_or_else(|error| unreachable!("a plan was packed here: {error}"));
                Decision::Planned(Box::new(plan))
            }
            Packed::Stored => Decision::Stored,
            Packed::Text => Decision::Text,
        }
    }

    /// The memory that it takes, about; items that share a plan share what that takes.
    pub(crate) fn bytes(&self) -> u64 {
        let plan = match &self.decision {
            Packed::Planned(packed) => packed.len() / Arc::strong_count(packed),
            Packed::Stored | Packed::Text => 0,
        };
        let chosen = self.asked.chosen.as_ref().map_or(0, |_| CHOSEN_BYTES);
        let check = self.check.as_ref().map_or(0, Check::bytes);
        self.found.bytes() + (size_of::<Self>() + plan + chosen) as u64 + check
    }
}

/// What an array shall become: a new one, or a region of one that is there.
fn aimed(request: &Request, path: &str, source: &Array, asked: &Asked) -> Result<Aim, RechunkError> {
    match &asked.within {
        Some(within) => region::aim(request, source, within),
        None => aim(request, path, source, asked),
    }
}

/// What a layout that was chosen for a mix takes, about.
const CHOSEN_BYTES: usize = 512;

/// An array, planned.
pub(crate) fn prepare_item(
    request: &Request,
    found: Found,
    source: &Array,
    asked: Asked,
    plans: &mut Plans,
) -> Result<Item, RechunkError> {
    let aim = aimed(request, found.path(), source, &asked)?;
    let plan = match aim.how {
        How::Planned => {
            memory_of_comparing(request, source, &aim.target, plans)?;
            Some(cheapest_plan(request, source, &aim.target, plans)?)
        }
        How::Stored | How::Text => None,
    };
    let plan = plan.as_ref().map(|(plan, slice)| (&**plan, slice.as_deref()));
    item(request, found, source, asked, (aim, plan), plans)
}

/// A plan, and the slices in which it reads the source, where not in whole chunks.
type Sliceable<'a> = (&'a Plan, Option<&'a [u64]>);

/// An array that is moved as `plan` says, in slices where it says so, or as it can be moved without one.
pub(super) fn item(
    request: &Request,
    found: Found,
    source: &Array,
    asked: Asked,
    (Aim { target, dropped, how }, plan): (Aim, Option<Sliceable<'_>>),
    plans: &mut Plans,
) -> Result<Item, RechunkError> {
    let document_bytes = check_length(&target)?;
    let decision = match (plan, how) {
        (Some((plan, _)), _) => Packed::Planned(plans.packed(plan)),
        (None, How::Text) => Packed::Text,
        (None, How::Stored | How::Planned) => Packed::Stored,
    };
    Ok(Item {
        found,
        asked,
        decision,
        slice: plan.and_then(|(_, slice)| slice).map(Into::into),
        check: match plan {
            Some((plan, _)) => Check::of(request, (source, &target), plan, plans)?,
            None => None,
        },
        dropped,
        opaque: match source.contents() {
            Contents::Unknown(reason) => Some(reason.as_str().into()),
            Contents::Elements(_) | Contents::Variable(_) => None,
        },
        unplanned: match how {
            How::Planned | How::Stored => copy::parts(source, request.part_bytes),
            How::Text => text::parts(&target, request.part_bytes),
        },
        objects: source.objects().count(),
        target_objects: target.objects().count(),
        document_bytes,
        source_chunks: match source.contents() {
            Contents::Elements(elements) => elements.chunks.count(),
            Contents::Variable(elements) => elements.chunks.count(),
            Contents::Unknown(_) => source.objects().count(),
        },
        elements: elements(source),
        element_bytes: source.elements().map_or(1, |e| e.item_bytes() as u64),
    })
}

impl Item {
    /// What workers would take for an array without a plan, whose bytes nobody knows: about eight for each element, in and out.
    #[expect(clippy::cast_precision_loss, reason = "a guess")]
    pub(crate) fn unplanned_work(&self) -> StageWork {
        /// Seconds of a byte that is decoded and encoded.
        const BYTE_S: f64 = 10e-9;
        let bytes = self.elements.saturating_mul(8);
        let seconds = bytes as f64 * BYTE_S;
        StageWork {
            parts: self.parts(0).count(),
            seconds,
            cpu_seconds: seconds,
            reads: self.source_chunks,
            writes: self.target_objects,
            bytes: bytes.saturating_mul(2),
        }
    }

    /// What progress counts to while it is checked: into tiles, and out of them.
    pub(crate) const fn check_bytes(&self) -> u64 {
        self.elements.saturating_mul(self.element_bytes).saturating_mul(2)
    }

    /// What progress counts to while it is moved, one pass over it counting twice (in and out).
    pub(crate) fn work_bytes(&self) -> u64 {
        match self.decision() {
            Decision::Planned(plan) if matches!(plan.route, Route::Tiled(_)) => {
                let passes = 2 * plan.stage_count();
                self.elements.saturating_mul(plan.problem.item_bytes).saturating_mul(passes)
            }
            Decision::Planned(_) | Decision::Stored | Decision::Text => self.elements,
        }
    }
}
