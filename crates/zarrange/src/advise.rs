//! Which layouts suit an access mix, and why.
//!
//! The planner weighs layouts ([`zarrange_plan::Question`], as for `zarrange rechunk --for`). A [`Sample`] replaces what is known of
//! codecs by what they do to real data, [`text`] says it all. `zarrange-bench advise` makes the best layouts beside, and reads them.

pub mod advice;
pub mod ask;
pub mod codecs;
mod payback;
pub mod text;

use std::sync::Arc;

use zarrange_array::Array;
use zarrange_grid::Region;
use zarrange_plan::{CodecModel, Design, Limits, Mix, Needed};
use zarrange_rechunk::{Sample, Weighed, distinct};

use advice::{Advice, Copies, Measured};
use ask::{Ask, usage};
use codecs::{Candidates, Chosen};

/// Memory to take a sample.
const MEMORY_BYTES: u64 = 1 << 30;

/// Measures the best layouts: the sample, what is known of codecs, and the first so many layouts.
pub type Measure<'a> = dyn Fn(Option<&Sample>, &[CodecModel], &dyn Fn(usize) -> Vec<Weighed>) -> anyhow::Result<Vec<Measured>>
    + 'a;

/// Weighs layouts. Of the best of them, `measure`, if there is one, is told the sample and what is known of codecs, and says what it measured of them.
///
/// # Errors
/// [`ask::Usage`] if no layout keeps the limits; others if the sample cannot be read, or those of `measure`.
pub fn advise(ask: &Ask, measure: Option<&Measure<'_>>) -> anyhow::Result<Advice> {
    let of =
        |(_, array): &(String, Arc<Array>)| Sample::of(array, &Region::whole(array.shape()), MEMORY_BYTES);
    let candidates = Candidates::of(ask, ask.sample.as_ref().map(of).transpose()?)?;
    let weighing = ask.weighing();
    let Chosen { rows, why: codec_why, codecs, found } = candidates.weighed(ask, &weighing)?;
    if found.is_empty() {
        return Err(usage(impossible(&weighing.question(&codecs).needed(), ask)));
    }
    let weigh = |designs: Vec<(f64, Design)>| -> Vec<Weighed> {
        designs.into_iter().map(|(_, design)| weighing.weigh(&ask.dimensions, &codecs, design)).collect()
    };
    let layouts = weigh(distinct(&found, ask.top));
    let measured = measure
        .map(|measure| measure(candidates.sample.as_ref(), &codecs, &|count| weigh(distinct(&found, count))));
    let measured = measured.transpose()?.unwrap_or_default();
    let mix = ask.mix.weights();
    Ok(Advice {
        subject: ask.subject.clone(),
        names: ask.dimensions.words(),
        mix: mix.iter().map(|(access, share)| (ask.dimensions.text_of(access), *share)).collect(),
        per_day: ask.per_day,
        byte_price: ask.byte_price,
        profile: ask.place.name.clone(),
        reader: ask.reader,
        sample: ask.sample.as_ref().map(|(name, _)| name.clone()),
        why: layouts.get(1).map(|second| text::why(&layouts[0], second)),
        copies: copies(ask, &codecs, &layouts[0])?,
        payback: payback::payback(ask, candidates.sample.as_ref(), &layouts[0])?,
        command: text::command(ask, measured.first().map_or(&layouts[0], |first| &first.layout)),
        codecs: rows,
        codec_why,
        codecs_left_out: candidates.left_out,
        layouts,
        measured,
        unused: ask.unused.clone(),
    })
}

/// A copy for each kind of access; `None` where there is one kind only. Only that which is read by object has to keep the time of an object.
fn copies(ask: &Ask, codecs: &[CodecModel], single: &Weighed) -> anyhow::Result<Option<Copies>> {
    if ask.mix.weights().len() < 2 {
        return Ok(None);
    }
    let mut layouts = Vec::new();
    for (access, share) in ask.mix.weights() {
        let picked = |axis: usize| access.picks().iter().any(|pick| pick.axis == axis);
        let access_ns_max = ask.limits.access_ns_max.filter(|(object, _)| picked(*object));
        let limits = Limits { access_ns_max, ..ask.limits };
        let alone = Ask { mix: Mix::new([(access.clone(), 1.0)])?, limits, ..ask.clone() };
        let Some((_, design)) = alone.weighing().question(codecs).best() else { return Ok(None) };
        layouts.push((share, alone.weighing().weigh(&ask.dimensions, codecs, design)));
    }
    Ok(Some(Copies {
        weighted_ms: layouts.iter().map(|(share, layout)| *share * layout.weighted_ms).sum(),
        single_ms: single.weighted_ms,
        extra_bytes: layouts.iter().map(|(_, layout)| layout.stored_bytes).sum::<f64>() - single.stored_bytes,
        layouts: layouts.into_iter().map(|(_, layout)| layout).collect(),
    }))
}

fn impossible(needed: &Needed, ask: &Ask) -> String {
    let mut ways = Vec::new();
    if let Some(files) = needed.files_max {
        ways.push(format!("--max-files {files}"));
    }
    if let Some(bytes) = needed.file_bytes_max {
        ways.push(format!("--max-mem {bytes}"));
    }
    if let Some(ns) = needed.access_ns_max.filter(|_| ask.limits.access_ns_max.is_some()) {
        ways.push(format!("--max-object-ms {}", (ns / 1e3).ceil() / 1e3));
    }
    if let Some(bytes) = needed.stored_bytes_max.filter(|_| ask.limits.stored_bytes_max.is_some()) {
        ways.push(format!("--max-stored {:.0}", bytes.ceil()));
    }
    if ways.is_empty() {
        "no layout keeps these limits, whichever one of them gives way: loosen more than one".to_owned()
    } else {
        format!("no layout keeps these limits: {} would do", ways.join(", or "))
    }
}
