//! A region of arrays that are there already: what of the source goes where in the target.
//!
//! Both sides are windows, arrays of their own whose chunks have the keys of the whole. Nothing else of the engine knows of regions.

use zarrange_array::{Array, ArrayMetadata, Contents, Found, Survey};
use zarrange_grid::Region;
use zarrange_io::Store;

use crate::dimensions::{Dimensions, Unfit};
use crate::error::{RechunkError, SpecError};
use crate::prepare::aim::{Aim, Asked, How};
use crate::prepare::members;
use crate::request::{Codecs, Foreign, KeySeparator, NamedRegion, Request};

/// Refuses what a region leaves as it is.
pub(crate) fn check(request: &Request) -> Result<(), SpecError> {
    let Some(region) = &request.region else { return Ok(()) };
    let laid_out = !request.chunks.is_empty() || !request.shards.is_empty() || request.mix.is_some();
    let stored = request.codecs != Codecs::Keep || request.key_separator != KeySeparator::Auto;
    let whole = request.overwrite || request.only_named || request.foreign != Foreign::Skip;
    let asked = [
        (laid_out, "chunks and shards are those of the target"),
        (stored, "codecs and keys are those of the target"),
        (whole, "nothing but chunks of the target is replaced"),
        (
            !request.skip.is_empty() && !request.arrays.is_empty(),
            "arrays are named, so that there are no others to leave out",
        ),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, reason)) => Err(SpecError::Region { region: region.to_string(), reason: reason.to_owned() }),
        None => Ok(()),
    }
}

/// Looks at the source: at the arrays that are named, if some are, otherwise at everything.
pub(crate) fn look(request: &Request, root: &Store) -> Result<Survey, RechunkError> {
    if request.region.is_none() || request.arrays.is_empty() {
        return members::look(request, root);
    }
    let found = request.arrays.iter().map(|path| Found::look(root, path)).collect::<Result<_, _>>()?;
    Ok(Survey { nodes: found, ..Survey::default() })
}

/// Those of `arrays` that have the dimensions of the region, each with what it is of the target.
///
/// # Errors
/// If none has them, or one is another array in the target.
pub(crate) fn items(
    request: &Request,
    region: &NamedRegion,
    (root, arrays): (&Store, Vec<Found>),
) -> Result<Vec<(Found, Asked)>, RechunkError> {
    let target = request.io.open(&request.target)?;
    let (mut items, mut unfit) = (Vec::new(), Unfit::default());
    for found in arrays {
        let source = found.array(root)?;
        let dimensions = Dimensions::of(&source);
        let Some(part) = region.of(source.shape(), &dimensions) else {
            unfit.push(found.path(), dimensions);
            continue;
        };
        let within = Found::look(&target, found.path())?;
        if let Some(reason) = unlike(&source, &within.array(&target)?, &part) {
            return Err(SpecError::Region { region: region.to_string(), reason }.into());
        }
        items.push((found, Asked { within: Some(Box::new(within)), ..Asked::default() }));
    }
    if items.is_empty() {
        return Err(unfit.error("region", region.names()).into());
    }
    Ok(items)
}

/// Why `part` of one array cannot be put into another: that is no copy of it, or its chunks end elsewhere.
fn unlike(source: &Array, target: &Array, part: &Region) -> Option<String> {
    let (from, to) = (source.document(), target.document());
    let (at, there) = (source.location(), target.location());
    let differs = |what: &&str| from.get(what) != to.get(what);
    if let Some(what) = ["shape", "data_type", "fill_value", "dimension_names"].iter().find(|w| differs(w)) {
        return Some(format!("{at} has {what} {}, {there} has {}", from.get(what), to.get(what)));
    }
    if target.zarr_format() != 3 {
        return Some(format!("{there} is of Zarr v2, which is read only"));
    }
    if [source, target].iter().any(|array| matches!(array.contents(), Contents::Unknown(_))) {
        return Some(format!("elements of {at} cannot be read"));
    }
    let lengths = target.objects().chunk_shape();
    let cuts = |d: &usize| part.end(*d) < target.shape()[*d] && !part.end(*d).is_multiple_of(lengths[*d]);
    let d = (0..lengths.len()).find(cuts)?;
    let length = lengths[d];
    Some(format!(
        "along dimension {d} it must end at a multiple of {length}, where a chunk or shard of {there} does, or at the end"
    ))
}

/// What of `array` the request is about: the window of its region, if it has one.
pub(crate) fn window(request: &Request, array: Array) -> Result<Array, RechunkError> {
    let Some(region) = &request.region else { return Ok(array) };
    match region.of(array.shape(), &Dimensions::of(&array)) {
        Some(region) => Ok(array.window(&region)?),
        None => Ok(array),
    }
}

/// The same region of the target, where it is to be written.
pub(crate) fn aim(request: &Request, source: &Array, within: &Found) -> Result<Aim, RechunkError> {
    let target = within.array(&request.io.open(&request.target)?)?;
    let how = if matches!(source.contents(), Contents::Variable(_)) { How::Text } else { How::Planned };
    let target: ArrayMetadata = window(request, target)?.into_metadata();
    Ok(Aim { target, dropped: Vec::new(), how })
}
