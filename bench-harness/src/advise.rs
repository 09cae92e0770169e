//! Which layouts suit an access mix, and why.
//!
//! The planner weighs layouts ([`zarrange_plan::Question`], as for `zarrange rechunk --for`). Here [`sample`] replaces what is known of
//! codecs by what they do to real data, [`measured`] makes the best layouts and reads them, [`text`] says it all.

pub mod advice;
pub mod ask;
pub mod measured;
pub mod sample;
pub mod text;
pub mod weighed;

use zarrange_plan::{CodecModel, Design, Limits, Mix, Needed, Question, Subject, chunk_for};

use advice::{Advice, Copies};
use ask::{Ask, usage};
use weighed::Weighed;

/// Layouts whose lengths all differ by less than this factor are nearly the same.
const NEAR: u64 = 2;
/// Layouts whose costs differ by less are the same to a reader.
const SAME: f64 = 1.001;
/// Bytes of the chunks on which codecs are measured before layouts are known.
const SAMPLED_BYTES: [u64; 6] = [256, 2 << 10, 16 << 10, 128 << 10, 1 << 20, 8 << 20];
/// How often at most the best layouts are measured, and the best are searched for again.
const REFINEMENTS: usize = 4;
/// Layouts whose codecs are measured on chunks of exactly their shape.
const REFINED: usize = 32;
/// Layouts that are made and read.
const MEASURED: usize = 8;

/// Weighs layouts.
///
/// # Errors
/// [`ask::Usage`] if no layout keeps the limits; others if the sample cannot be read, or a layout cannot be measured.
pub fn advise(ask: &Ask) -> anyhow::Result<Advice> {
    let mut codecs = sample::known(&ask.codecs, ask.subject.item_bytes)?;
    let sample = ask.sample.as_ref().map(|(_, array)| sample::Sample::of(array)).transpose()?;
    if let Some(sample) = &sample {
        measure_sizes(ask, sample, &mut codecs)?;
    }
    let mut found = question(ask, &codecs).search();
    // What is measured to be slower than it was taken for lets others be the best: until they have been measured too.
    for _ in 0..REFINEMENTS {
        let Some(sample) = &sample else { break };
        if !refine(sample, &distinct(&found, REFINED), &mut codecs)? {
            break;
        }
        found = question(ask, &codecs).search();
    }
    let question = question(ask, &codecs);
    if found.is_empty() {
        return Err(usage(impossible(&question.needed(), ask)));
    }
    let weigh = |designs: Vec<(f64, Design)>| -> Vec<Weighed> {
        designs.into_iter().map(|(_, design)| Weighed::of(ask, &codecs, design)).collect()
    };
    let layouts = weigh(distinct(&found, ask.top));
    let measured = if ask.measure {
        measured::measure(ask, sample.as_ref(), &codecs, &weigh(distinct(&found, MEASURED)))?
    } else {
        Vec::new()
    };
    let mix = ask.mix.weights();
    Ok(Advice {
        subject: ask.subject.clone(),
        names: ask.dimensions.words(),
        mix: mix.iter().map(|(access, share)| (ask.dimensions.text_of(access), *share)).collect(),
        profile: ask.place.name.clone(),
        reader: ask.reader,
        sample: ask.sample.as_ref().map(|(name, _)| name.clone()),
        why: layouts.get(1).map(|second| text::why(&layouts[0], second)),
        copies: copies(ask, &codecs, &layouts[0])?,
        command: text::command(ask, measured.first().map_or(&layouts[0], |first| &first.layout)),
        codecs,
        layouts,
        measured,
    })
}

fn question<'a>(ask: &'a Ask, codecs: &'a [CodecModel]) -> Question<'a> {
    Question { reading: ask.reading(), codecs, mix: &ask.mix, limits: ask.limits }
}

/// Measures the codecs of layouts on chunks of just their shape; whether one had not been before.
fn refine(
    sample: &sample::Sample,
    layouts: &[(f64, Design)],
    codecs: &mut [CodecModel],
) -> anyhow::Result<bool> {
    let mut new = false;
    for (_, Design { chunk, codec, .. }) in layouts {
        let codec = &mut codecs[*codec];
        if codec.by_shape.iter().all(|(shape, _)| shape != chunk) {
            codec.by_shape.push((chunk.clone(), sample.measure(&codec.name, chunk)?));
            new = true;
        }
    }
    Ok(new)
}

/// Measures every codec on chunks of some sizes, of the shape that the mix wants.
fn measure_sizes(ask: &Ask, sample: &sample::Sample, codecs: &mut [CodecModel]) -> anyhow::Result<()> {
    let Subject { shape, item_bytes } = &ask.subject;
    for chunk_bytes in SAMPLED_BYTES {
        let shape = chunk_for(shape, *item_bytes, &ask.mix, chunk_bytes)?;
        for codec in codecs.iter_mut().filter(|codec| codec.by_size.iter().all(|(known, _)| *known != shape))
        {
            let speed = sample.measure(&codec.name, &shape)?;
            codec.by_size.push((shape.clone(), speed));
        }
    }
    for codec in codecs {
        codec.by_size.dedup_by_key(|(shape, _)| ask.subject.bytes(shape));
    }
    Ok(())
}

/// The first layouts of which none is nearly the same as a better one.
fn distinct(found: &[(f64, Design)], count: usize) -> Vec<(f64, Design)> {
    let near = |(better, a): &(f64, Design), (cost, b): &(f64, Design)| {
        let lengths = a.chunk.iter().zip(&b.chunk).all(|(x, y)| *x < y * NEAR && *y < x * NEAR);
        let kind = a.codec == b.codec && a.shard.is_some() == b.shard.is_some();
        kind && (lengths || *cost < better * SAME)
    };
    let mut out: Vec<(f64, Design)> = Vec::new();
    for layout in found {
        if out.len() == count {
            break;
        }
        if out.iter().all(|better| !near(better, layout)) {
            out.push(layout.clone());
        }
    }
    out
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
        let Some((_, design)) = question(&alone, codecs).best() else { return Ok(None) };
        layouts.push((share, Weighed::of(&alone, codecs, design)));
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
    if ways.is_empty() {
        "no layout keeps these limits, whichever one of them gives way: loosen more than one".to_owned()
    } else {
        format!("no layout keeps these limits: {} would do", ways.join(", or "))
    }
}
