//! Comparing two hierarchies: shapes, types, attributes and every value.

use std::collections::BTreeMap;
use std::sync::Arc;

use zarrange_array::{Array, Beside, Chunks, Contents, Failed, Found, Node, Survey, Text, Without, survey};
use zarrange_grid::index;
use zarrange_io::{Access, IoError, Location, Object, Opener, Store};
use zarrange_plan::{Plan, Purpose, plan};

use crate::difference::Difference;
use crate::engine::budget::Budget;
use crate::engine::context::{Context, elements};
use crate::engine::parts::Recorded;
use crate::engine::presence::Look;
use crate::engine::reading;
use crate::engine::sink::{CompareSink, Compared};
use crate::engine::source::ArraySource;
use crate::engine::text::{self, Side};
use crate::error::{METADATA_BYTES_FREE, RechunkError, Refusals};
use crate::prepare::members::left_behind;
use crate::prepare::problem::problem;
use crate::progress::Progress;

/// Stored bytes are compared in pieces of at most this size.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// What comparing two hierarchies found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The first difference; `None` if they are equal.
    pub difference: Option<Difference>,
    /// What was not compared, one line each.
    pub not_compared: Vec<String>,
}

/// Compares two hierarchies within `memory_bytes_max`: members, shapes, data types, fill values, dimension names, attributes and
/// values, where NaN equals NaN unless `payloads` count. Of v2, what its conventions mean in v3 is compared.
///
/// # Errors
/// [`RechunkError`] if one of them cannot be read, or the memory does not suffice.
pub fn verify(
    (a, b): (&Location, &Location),
    io: &Opener,
    (memory_bytes_max, threads): (u64, u64),
    payloads: bool,
    progress: &dyn Progress,
) -> Result<Comparison, RechunkError> {
    let whole = |place| {
        let (whole, failed) = Whole::open(place, io, (2, memory_bytes_max))?;
        Refusals::of(failed).into_result().map(|()| whole)
    };
    let (a, b) = (whole(a)?, whole(b)?);
    let lines = [("first", &a.beside), ("second", &b.beside)];
    let lines = lines.map(|(which, beside)| {
        let verb = format!("not compared, in the {which}");
        left_behind(beside, &verb, &verb)
    });
    let mut not_compared: Vec<String> = lines.into_iter().flatten().collect();
    let taken = [&a, &b].into_iter().flat_map(|whole| &whole.nodes).map(Found::bytes).sum::<u64>();
    let budget =
        Budget::new(memory_bytes_max - taken.saturating_sub(METADATA_BYTES_FREE).min(memory_bytes_max));
    let recorded = Recorded::default();
    let context = Context::reading(&budget, threads, &recorded, progress);
    let work = match compare_structure(&a, &b)? {
        Ok(work) => work,
        Err(difference) => return Ok(Comparison { difference: Some(difference), not_compared }),
    };
    progress.begin("verify", work);
    for (one, other) in a.nodes.iter().zip(&b.nodes).filter(|(one, _)| one.is_array()) {
        let (path, a, b) = (one.path(), one.array(&a.root)?, other.array(&b.root)?);
        let compared = match a.contents() {
            Contents::Elements(_) => compare_arrays(Compared { path, payloads }, &a, &b, u64::MAX, &context),
            Contents::Variable(_) => compare_variable(path, &a, &b, &context),
            Contents::Unknown(_) => {
                not_compared.push(format!("{path:?}: only its stored bytes, for its values cannot be read"));
                compare_stored(path, &a, &b, &context)
            }
        };
        match compared {
            Err(RechunkError::Differs(difference)) => {
                return Ok(Comparison { difference: Some(*difference), not_compared });
            }
            other => other?,
        }
    }
    Ok(Comparison { difference: None, not_compared })
}

/// Everything at a place.
pub(crate) struct Whole {
    pub(crate) root: Store,
    nodes: Vec<Found>,
    beside: Beside,
}

impl Whole {
    /// The arrays.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &Found> {
        self.nodes.iter().filter(|found| found.is_array())
    }

    /// Memory of what is known of it, beyond so much.
    pub(crate) fn bytes_beyond(&self, free: u64) -> u64 {
        self.nodes.iter().map(Found::bytes).sum::<u64>().saturating_sub(free)
    }

    /// Looks at a place, one of so many; and what cannot be opened there.
    pub(crate) fn open(
        location: &Location,
        io: &Opener,
        (places, memory_bytes_max): (u64, u64),
    ) -> Result<(Self, Failed), RechunkError> {
        let root = io.open(location)?;
        let nodes_bytes_max = METADATA_BYTES_FREE.saturating_add(memory_bytes_max / 2) / places;
        let Survey { nodes, failed, beside } = survey(&root, Without { nodes_bytes_max, ..Without::NOTHING })
            .map_err(|error| RechunkError::of_survey(error, (places, memory_bytes_max)))?;
        Ok((Self { root, nodes, beside }, failed))
    }

    /// What is at each path.
    fn kinds(&self) -> BTreeMap<&str, &'static str> {
        let kind = |node: &Found| if node.is_array() { "an array" } else { "a group" };
        self.nodes.iter().map(|node| (node.path(), kind(node))).collect()
    }
}

/// The first difference of structure and metadata; without one, what comparing the values counts to.
fn compare_structure(a: &Whole, b: &Whole) -> Result<Result<u64, Difference>, RechunkError> {
    let (in_a, in_b) = (a.kinds(), b.kinds());
    for path in a.nodes.iter().chain(&b.nodes).map(Found::path) {
        let kind = |kinds: &BTreeMap<&str, &'static str>| kinds.get(path).copied().unwrap_or("nothing");
        if kind(&in_a) != kind(&in_b) {
            let (a, b) = (kind(&in_a), kind(&in_b));
            return Ok(Err(Difference::Missing { path: path.to_owned(), a, b }));
        }
    }
    let mut work = 0u64;
    for (one, other) in a.nodes.iter().zip(&b.nodes) {
        let path = one.path();
        let difference = match (one.open(&a.root)?, other.open(&b.root)?) {
            (Node::Group(a), Node::Group(b)) => compare_attributes(path, &a.attributes(), &b.attributes()),
            (Node::Array(a), Node::Array(b)) => {
                work = work.saturating_add(compare_work(&a));
                compare_metadata(path, &a, &b)
            }
            (Node::Group(_), Node::Array(_)) | (Node::Array(_), Node::Group(_)) => None,
        };
        if let Some(difference) = difference {
            return Ok(Err(difference));
        }
    }
    Ok(Ok(work))
}

fn compare_metadata(path: &str, a: &Array, b: &Array) -> Option<Difference> {
    let property = |property: &str, a: String, b: String| {
        (a != b).then(|| Difference::Property { path: path.to_owned(), property: property.to_owned(), a, b })
    };
    let member = |array: &Array, name: &str| array.document().get(name).to_string();
    let fill = |array: &Array| match array.contents() {
        Contents::Elements(e) => e.element.format(&e.fill),
        Contents::Variable(e) => format!("{:?}", String::from_utf8_lossy(&e.fill)),
        Contents::Unknown(_) => member(array, "fill_value"),
    };
    let same_type = match (a.elements(), b.elements()) {
        (Ok(a), Ok(b)) => a.element == b.element,
        _ => a.document().get("data_type") == b.document().get("data_type"),
    };
    let data_type = || {
        let (a, b) = (member(a, "data_type"), member(b, "data_type"));
        if same_type { None } else { property("data type", a, b) }
    };
    property("shape", format!("{:?}", a.shape()), format!("{:?}", b.shape()))
        .or_else(data_type)
        .or_else(|| property("fill value", fill(a), fill(b)))
        .or_else(|| property("dimension names", member(a, "dimension_names"), member(b, "dimension_names")))
        .or_else(|| compare_attributes(path, &a.document().attributes(), &b.document().attributes()))
}

fn compare_attributes(path: &str, a: &Text, b: &Text) -> Option<Difference> {
    let (name, a, b) = a.first_difference(b)?;
    let text = |value: Option<String>| value.unwrap_or_else(|| "missing".to_owned());
    let property = format!("attribute {name:?}");
    Some(Difference::Property { path: path.to_owned(), property, a: text(a), b: text(b) })
}

/// Bytes that progress counts to while an array is compared: into tiles, and with the other array.
fn compare_work(array: &Array) -> u64 {
    let item_bytes = array.elements().map_or(1, |e| e.item_bytes() as u64);
    elements(array).saturating_mul(2 * item_bytes)
}

/// Compares the values of two arrays of one shape and type, at most `tiles_max` tiles of them, where few chunks are stored tiles with
/// some.
pub(crate) fn compare_arrays(
    compared: Compared<'_>,
    a: &Array,
    b: &Array,
    tiles_max: u64,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let (a, b, budget) = (a.chunks()?, b.chunks()?, context.budget);
    let problem = problem(a.view(), b.view(), (budget.max(), context.threads), Purpose::Compare);
    let plan = plan(&problem)
        .map_err(|source| RechunkError::Plan { array: a.metadata().location().to_owned(), source })?;
    compare_chunks(&plan, compared, (a, b), tiles_max, context)
}

/// As [`compare_arrays`], as `plan` says.
pub(crate) fn compare_chunks(
    plan: &Plan,
    compared: Compared<'_>,
    (a, b): (Chunks<'_>, Chunks<'_>),
    tiles_max: u64,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let budget = context.budget;
    let source = ArraySource { chunks: a, budget, digester: None };
    let sink = CompareSink { chunks: b, compared, budget };
    let recorded = Recorded::default();
    reading::run(plan, (&source, &sink), tiles_max, &Context { recorded: &recorded, ..*context })
}

/// Compares the values of two arrays of text or bytes; where those of one cannot be read, the stored bytes.
pub(crate) fn compare_variable(
    path: &str,
    a: &Array,
    b: &Array,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    match (a.variable(), b.variable()) {
        (Some(ours), Some(theirs)) => {
            let (a, b) = (Side { array: a, elements: ours }, Side { array: b, elements: theirs });
            text::compare(path, a, b, context)
        }
        _ => compare_stored(path, a, b, context),
    }
}

/// Compares the stored objects of two arrays whose elements cannot be read, piece by piece.
pub(crate) fn compare_stored(
    path: &str,
    a: &Array,
    b: &Array,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let budget: &Arc<Budget> = context.budget;
    let differs =
        |key: String| RechunkError::Differs(Box::new(Difference::Stored { array: path.to_owned(), key }));
    if a.document().get("codecs") != b.document().get("codecs") || a.objects() != b.objects() {
        return Err(differs("the codecs and chunks".to_owned()));
    }
    let piece = (budget.max() / 4).clamp(1, PIECE_BYTES_MAX);
    let (mut ours, mut theirs) = (budget.take(piece)?, budget.take(piece)?);
    let stored = Look { sparse: context.sparse, budget, needed_bytes: 0 }.objects(&[a, b], a.objects());
    let all = a.objects().all();
    let count = stored.as_ref().map_or(all.elements(), |stored| stored.items().len() as u64);
    let number = |k: u64| stored.as_ref().map_or(k, |stored| stored.items()[index(k)]);
    for object in (0..count).map(|k| all.unravel(number(k))) {
        let (at_a, at_b) = (a.key(&object), b.key(&object));
        let stored = (a.store().open(&at_a, Access::Read)?, b.store().open(&at_b, Access::Read)?);
        let (one, other) = match stored {
            (None, None) => continue,
            (Some(one), Some(other)) => (one, other),
            _ => return Err(differs(format!("chunk {at_a}"))),
        };
        let size = |object: &Object| {
            object.bytes().map_err(|source| IoError::Os {
                operation: "read size",
                location: object.key().to_owned(),
                source,
            })
        };
        let bytes = size(&one)?;
        let mut same = bytes == size(&other)?;
        for offset in (0..bytes).step_by(index(piece)) {
            if !same {
                break;
            }
            let step = index(piece.min(bytes - offset));
            let (ours, theirs) = (&mut ours.data[..step], &mut theirs.data[..step]);
            a.store().read_at(&one, offset, ours)?;
            b.store().read_at(&other, offset, theirs)?;
            same = ours == theirs;
        }
        if !same {
            return Err(differs(format!("chunk {at_a}")));
        }
    }
    Ok(())
}
