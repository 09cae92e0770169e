//! Digests of arrays: numbers that say whether two arrays far from each other hold the same.

use std::fmt;

use twox_hash::XxHash3_128;
use zarrange_array::{Array, ArrayError, Failed};
use zarrange_codec::VariableKind;
use zarrange_io::{Location, Opener, Stopped};
use zarrange_plan::{Purpose, plan};

use crate::engine::budget::Budget;
use crate::engine::context::{Context, elements};
use crate::engine::parts::Recorded;
use crate::engine::reading;
use crate::engine::text::{self, Side};
use crate::error::{METADATA_BYTES_FREE, RechunkError, Refusals};
use crate::prepare::problem::problem;
use crate::progress::Progress;
use crate::verify::Whole;

/// What an array holds, in 128 bits: its shape, data type, fill value and every element at its place, whatever its chunks, shards, codecs and
/// version of Zarr are. Bits count, those of NaN, too. It finds errors and does not resist forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u128);

/// 32 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The digest of an array of a hierarchy.
#[derive(Debug)]
pub struct ArrayDigest {
    /// Its path; empty for the root.
    pub path: String,
    /// Its digest, or why there is none.
    pub digest: Result<Digest, RechunkError>,
}

/// The digests of all arrays at a place, by path, within `memory_bytes_max`. An array that cannot be read does not keep the others from theirs.
///
/// # Errors
/// [`RechunkError`] if the place cannot be looked through, or it was asked to stop.
pub fn digest(
    location: &Location,
    io: &Opener,
    (memory_bytes_max, threads): (u64, u64),
    progress: &dyn Progress,
) -> Result<Vec<ArrayDigest>, RechunkError> {
    let (whole, failed) = Whole::open(location, io, (1, memory_bytes_max))?;
    let (count, failed) = (failed.count, failed.first);
    if count > failed.len() as u64 || failed.iter().any(|(path, _)| path.is_empty()) {
        // The place itself cannot be opened, or more members than are told one by one.
        Refusals::of(Failed { count, first: failed }).into_result()?;
        return Ok(Vec::new());
    }
    let budget =
        Budget::new(memory_bytes_max - whole.bytes_beyond(METADATA_BYTES_FREE).min(memory_bytes_max));
    let recorded = Recorded::default();
    let context = Context::reading(&budget, threads, &recorded, progress);
    // What cannot be opened is told of below.
    let works = whole.arrays().filter_map(|found| found.array(&whole.root).ok());
    progress.begin("digest", works.map(|array| digest_work(&array)).fold(0, u64::saturating_add));
    let refused = |(path, error): (String, ArrayError)| ArrayDigest { path, digest: Err(error.into()) };
    let mut digests: Vec<ArrayDigest> = failed.into_iter().map(refused).collect();
    for found in whole.arrays() {
        let digest = found.array(&whole.root).map_err(RechunkError::from);
        let digest = digest.and_then(|array| of_array(&array, &context));
        match digest {
            Err(error) if Stopped::is_cause_of(&error) => return Err(error),
            digest => digests.push(ArrayDigest { path: found.path().to_owned(), digest }),
        }
    }
    digests.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(digests)
}

/// Bytes that progress counts to: into tiles, and out of them.
fn digest_work(array: &Array) -> u64 {
    let item_bytes = array.elements().map_or(1, |e| e.item_bytes() as u64);
    elements(array).saturating_mul(2 * item_bytes)
}

/// The digest of one array.
fn of_array(array: &Array, context: &Context<'_>) -> Result<Digest, RechunkError> {
    let (kind, fill, sum) = if let Some(e) = array.variable() {
        let kind = match e.chain().kind() {
            VariableKind::Text => "text",
            VariableKind::Bytes => "bytes",
        };
        (kind.to_owned(), &e.fill, text::digest(Side::of(array)?, context)?)
    } else {
        let e = array.elements()?;
        (e.element.to_string(), &e.fill, of_elements(array, context)?)
    };
    let mut once = format!("zarrange digest 1\n{:?}\n{kind}\n", array.shape()).into_bytes();
    once.extend_from_slice(fill);
    Ok(Digest(sum.wrapping_add(XxHash3_128::oneshot(&once))))
}

/// The sum over the elements of an array, which have a fixed size.
fn of_elements(array: &Array, context: &Context<'_>) -> Result<u128, RechunkError> {
    let (chunks, budget) = (array.chunks()?, context.budget);
    let problem = problem(chunks.view(), chunks.view(), (budget.max(), context.threads), Purpose::Read);
    let plan =
        plan(&problem).map_err(|source| RechunkError::Plan { array: array.location().to_owned(), source })?;
    let recorded = Recorded::default();
    reading::digest(&plan, &chunks, &Context { recorded: &recorded, ..*context })?;
    Ok(recorded.digest())
}
