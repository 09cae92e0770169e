//! Layouts chosen for a mix of accesses: for the arrays of a source, and explained.

use std::collections::{BTreeMap, BTreeSet};

use zarrange_array::{Array, Contents};
use zarrange_codec::Chain;
use zarrange_plan::{
    AccessRead, Chosen, CodecModel, CodecSpeed, Mix, Question, Reading, StoreProfile, Subject, bytes_text,
};

use crate::dimensions::{Dimensions, Unfit};
use crate::error::{AccessError, RechunkError, SpecError};
use crate::prepare::aim::LaidOut;
use crate::prepare::members::Sources;
use crate::request::{Codecs, MixRequest, Request};

/// The layouts for the mix that is asked for, by path: of all arrays, or those that it selects, that have its dimensions; and what is fixed to no
/// end.
///
/// # Errors
/// [`RechunkError`] if the mix fits no array, the elements of one cannot be read, or no layout keeps the limits.
pub(crate) fn layouts(
    request: &Request,
    sources: &Sources<'_>,
) -> Result<(BTreeMap<String, LaidOut>, BTreeSet<String>), RechunkError> {
    let (mut out, mut needless) = (BTreeMap::new(), BTreeSet::new());
    let Some(mix) = &request.mix else { return Ok((out, needless)) };
    let mut others = Unfit::default();
    for opened in sources.open(&request.arrays) {
        let (path, array) = opened?;
        let dimensions = Dimensions::of(&array);
        match mix.mix.of(&dimensions, array.shape()) {
            Ok(weights) => {
                let fixed = mix.mix.needless(&dimensions, array.shape());
                needless.extend(fixed.into_iter().flatten().map(str::to_owned));
                let asked =
                    Asked { mix, weights, codecs: request.codecs_of(path), place: &request.costs.target };
                out.insert(path.to_owned(), (asked.layout(path, &array)?, dimensions.names().to_vec()));
            }
            Err(AccessError::Dimension { .. }) => others.push(path, dimensions),
            Err(source) => return Err(SpecError::Access { array: path.to_owned(), source }.into()),
        }
    }
    if out.is_empty() && !others.is_empty() {
        return Err(others.error("mix", mix.mix.dimensions()).into());
    }
    Ok((out, needless))
}

/// What is asked for one array.
struct Asked<'a> {
    mix: &'a MixRequest,
    weights: Mix,
    codecs: &'a Codecs,
    place: &'a StoreProfile,
}

impl Asked<'_> {
    fn layout(self, path: &str, array: &Array) -> Result<Chosen, RechunkError> {
        if let Contents::Variable(_) = array.contents() {
            let reason =
                "its elements have no fixed size, so that nobody knows how large a chunk is".to_owned();
            return Err(SpecError::Opaque { array: path.to_owned(), reason }.into());
        }
        let MixRequest { reader, limits, .. } = *self.mix;
        let subject = Subject::new(array.shape(), array.elements()?.item_bytes() as u64);
        let codecs = [codec_model(array, self.codecs)?];
        let reading = Reading { subject: &subject, place: self.place, reader, reads: 1 };
        let chosen = Question { reading, codecs: &codecs, mix: &self.weights, limits }.chosen(array.shape());
        Ok(chosen.map_err(|source| SpecError::MixFor { array: path.to_owned(), source })?)
    }
}

/// What is known of the codecs that an array will have.
fn codec_model(array: &Array, codecs: &Codecs) -> Result<CodecModel, RechunkError> {
    let elements = array.elements()?;
    let (now, item_bytes) = (elements.chain(), elements.item_bytes());
    let list = codecs.resolve(&elements.layout, item_bytes);
    let chain = if *codecs == Codecs::Keep {
        None
    } else {
        // A list that fits no chunk is refused where the target is made.
        Chain::new(&list, &elements.element, now.shape(), &vec![0; item_bytes]).ok()
    };
    Ok(unsampled(codecs.to_string(), chain.as_ref().unwrap_or(now)))
}

/// What is known of a codec list without a sample of the data: how long it takes, not how well it compresses.
pub fn unsampled(name: String, chain: &Chain) -> CodecModel {
    let rates = chain.rates();
    let (decode_ns_per_byte, encode_ns_per_byte) = (rates.decode_ns_per_byte, rates.encode_ns_per_byte);
    CodecModel {
        name,
        partial: chain.stores_c_order(),
        table: CodecSpeed { ratio: 1.0, decode_ns_per_byte, encode_ns_per_byte },
        by_size: Vec::new(),
        by_shape: Vec::new(),
    }
}

/// What was chosen for an array whose dimensions have `names` and why, in two lines.
pub(crate) fn explain(chosen: &Chosen, names: &[Option<String>], item_bytes: u64) -> String {
    let bytes = |shape: &[u64]| bytes_text(shape.iter().fold(item_bytes, |n, c| n.saturating_mul(*c)));
    let plural = |one: bool| if one { "" } else { "s" };
    let shards = chosen.shard.as_ref().map(|shard| format!(", in shards of {}", bytes(shard)));
    let dimensions = Dimensions::named(names.to_vec(), names.len().max(chosen.chunk.len()));
    let access = |AccessRead { picks, share, chunks }: &AccessRead| {
        let read = match picks.picks() {
            [pick] if pick.count == 1 && !picks.writes() => match names.get(pick.axis) {
                Some(Some(name)) => format!("one {name}"),
                _ => format!("one index of dimension {}", pick.axis),
            },
            _ => dimensions.text_of(picks),
        };
        // Ten times of what is exact have no fraction.
        let decimals = usize::from((chunks * 10.0).round() % 10.0 != 0.0);
        let plural = plural(chunks.to_bits() == 1.0_f64.to_bits());
        format!("{read} ({:.1} % of accesses) is in {chunks:.decimals$} chunk{plural}", share * 100.0)
    };
    let accesses: Vec<String> = chosen.accesses.iter().map(access).collect();
    let (chunk, objects) = (bytes(&chosen.chunk), chosen.objects);
    let (chunks, fetched) = (chosen.chunks_per_access, bytes_text(rounded(chosen.bytes_per_access)));
    format!(
        "layout     chunks of {chunk}{}, {objects} file{}; on average an access fetches {chunks:.1} chunks, {fetched}\n           {}",
        shards.unwrap_or_default(),
        plural(objects == 1),
        accesses.join(", "),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "for display; a count is not negative"
)]
fn rounded(n: f64) -> u64 {
    n.round() as u64
}
