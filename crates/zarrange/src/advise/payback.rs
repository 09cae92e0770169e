//! When rechunking the sample to what is advised has paid back.

use std::sync::Arc;

use zarrange_array::Array;
use zarrange_io::{Location, Opener};
use zarrange_plan::{CodecModel, Costs, Design};
use zarrange_rechunk::{ChunkSpec, Named, Request, Sample, Weighed, Weighing, prepare, unsampled};

use super::advice::Payback;
use super::ask::Ask;

/// What the sample takes as it is, and when a copy in the `first` layout has paid back; `None` where it is not the array that is asked for, or
/// cannot be rechunked.
///
/// # Errors
/// If its elements cannot be read.
pub(super) fn payback(
    ask: &Ask,
    sample: Option<&Sample>,
    first: &Weighed,
) -> anyhow::Result<Option<Payback>> {
    let (Some((name, array)), Some(sample)) = (&ask.sample, sample) else { return Ok(None) };
    if array.shape() != ask.subject.shape {
        return Ok(None);
    }
    let Some(now_ms) = now_ms(ask, array, sample)? else { return Ok(None) };
    let Some(rechunk_s) = rechunk_s(name, ask, first) else { return Ok(None) };
    let saved_ms = now_ms - first.weighted_ms;
    let accesses = (saved_ms > 0.0).then(|| (rechunk_s * 1e3 / saved_ms).ceil());
    Ok(Some(Payback { now_ms, rechunk_s, accesses }))
}

/// The mean time of an access to the array as it is.
fn now_ms(ask: &Ask, array: &Arc<Array>, sample: &Sample) -> anyhow::Result<Option<f64>> {
    let elements = array.elements()?;
    let layout = &elements.layout;
    if array.objects().edges().is_some() {
        return Ok(None);
    }
    // Codecs that lose something are none to measure, and no reason to give no advice.
    let Ok(speed) = sample.measure(&layout.codecs, &layout.chunk) else { return Ok(None) };
    let codec = unsampled("as it is".to_owned(), elements.chain());
    let codec = CodecModel { by_shape: vec![(layout.chunk.clone(), speed)], ..codec };
    let design = Design { chunk: layout.chunk.clone(), shard: layout.shard.clone(), codec: 0 };
    let weighing: Weighing<'_> = ask.weighing();
    Ok(Some(weighing.question(&[codec]).cost(&design) / 1e6))
}

/// How long it would take to rechunk it, by the plan.
fn rechunk_s(name: &str, ask: &Ask, first: &Weighed) -> Option<f64> {
    let named = |shape: &[u64]| {
        let sizes = shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect();
        Named { array: None, spec: ChunkSpec::Sizes(sizes) }
    };
    // Nothing is written: it may go anywhere.
    let target = Location::Memory("advised".to_owned());
    let request = Request {
        chunks: vec![named(&first.design.chunk)],
        shards: first.design.shard.iter().map(|shard| named(shard)).collect(),
        codecs: first.codecs.parse().ok()?,
        costs: Costs::all_on(&ask.place),
        io: Opener::auto(),
        ..Request::new(name.parse().ok()?, target)
    };
    Some(prepare(request).ok()?.predicted().cost.elapsed_s)
}
