//! The best layouts made, of the sample or of a survey, and read in the mix: predicted beside measured.
//!
//! Everything is read from the page cache, so the prediction beside it is for the page cache, and for the array that is read, not the whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use zarrange_plan::{
    Access, CodecModel, Design, Limits, Pick, Question, Reader, Reading, StoreProfile, Subject,
};
use zarrange_rechunk::{Dimensions, Sample, Weighed};

use zarrange::advise::advice::Measured;
use zarrange::advise::ask::Ask;

use super::Measuring;
use super::sample::{store, synthetic};
use crate::data;
use crate::program::Program;
use crate::sweep::others::Others;
use crate::sweep::record::{self, CacheState, Outcome};
use crate::sweep::{Options, Runner, sweep};

/// Operations of the mix that are timed.
const OPERATIONS: u64 = 200;
/// Array bytes that they may handle.
const BYTES_MAX: u64 = 256 << 20;

/// Makes `layouts` of `sample`, or of a survey, and reads them; the fastest first.
///
/// # Errors
/// If one cannot be made or read.
pub fn measure(
    (ask, measuring): (&Ask, &Measuring),
    sample: Option<&Sample>,
    codecs: &[CodecModel],
    layouts: &[Weighed],
) -> anyhow::Result<Vec<Measured>> {
    let axes = axes(ask);
    let made;
    let sample = if let Some(sample) = sample {
        sample
    } else {
        made = synthetic(&ask.subject, axes)?;
        &made
    };
    let mut designs: Vec<(&Weighed, Design)> = Vec::new();
    for layout in layouts {
        let design = clipped(&layout.design, &sample.subject().shape);
        // What is larger than the sample is the same layout there.
        if designs.iter().all(|(_, known)| *known != design) {
            designs.push((layout, design));
        }
    }
    let dir = measuring.dir.clone().map_or_else(data::folder, Ok)?;
    std::fs::create_dir_all(&dir)?;
    let dir = tempfile::tempdir_in(dir)?;
    let source = dir.path().join("sample.zarr");
    store(sample, &source, axes)?;
    let list = dir.path().join("layouts.toml");
    std::fs::write(&list, layouts_toml(&designs, axes)?)?;
    let records =
        run(workload(ask, sample.subject(), axes)?, (&source, &list), (dir.path(), &measuring.program))?;
    let cached = StoreProfile::built_in("page-cache").context("the page cache is built in")?;
    // It is our reader that reads them.
    let (subject, reader) = (sample.subject(), Reader::Zarrange);
    let reading = Reading { subject, place: &cached, reader, reads: OPERATIONS };
    let question = Question { reading, codecs, mix: &ask.mix, limits: Limits::default() };
    ensure!(records.len() == designs.len(), "{} of {} layouts were measured", records.len(), designs.len());
    let mut out = Vec::new();
    for (record, (layout, design)) in records.iter().zip(designs) {
        let measures = match &record.outcome {
            Outcome::Measured(measures) => measures,
            Outcome::Unmeasured(why) => anyhow::bail!("layout {:?} was not measured: {why}", design.chunk),
        };
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let measured_ms = measures.elapsed_s * 1e3 / measures.latency.count.max(1) as f64;
        let predicted_ms = question.cost(&design) / 1e6;
        let stored_bytes = measures.layout_bytes;
        let Design { chunk, shard, .. } = design;
        out.push(Measured { layout: layout.clone(), chunk, shard, predicted_ms, measured_ms, stored_bytes });
    }
    out.sort_by(|a, b| a.measured_ms.total_cmp(&b.measured_ms));
    Ok(out)
}

/// Reads every layout once, warm, in processes of their own.
fn run(
    workload: String,
    (source, list): (&Path, &Path),
    (dir, program): (&Path, &Program),
) -> anyhow::Result<Vec<record::Record>> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path is not UTF-8");
    let options = Options {
        dataset: text(source)?,
        sizes: Vec::new(),
        layouts: text(list)?,
        readers: vec![Reader::Zarrange],
        others: Others::default(),
        backends: vec!["std".to_owned()],
        caches: vec![CacheState::Warm],
        latency_ms: 0,
        workloads: vec![workload],
        operations: OPERATIONS,
        bytes_max: BYTES_MAX,
        dir: dir.to_owned(),
        turns: 1,
    };
    let out: PathBuf = dir.join("raw.jsonl");
    let runner = Runner { program: program.clone(), out: out.clone(), inject: None };
    sweep(&options, &[runner], &mut |_, _, _| {})?;
    record::read(&out)
}

/// The mix, as the sample is read: its first dimensions are objects and epochs, and it may have fewer indices.
fn workload(ask: &Ask, sample: &Subject, axes: [usize; 2]) -> anyhow::Result<String> {
    let mut names = vec![None; sample.shape.len()];
    (names[axes[0]], names[axes[1]]) = (Some("object".to_owned()), Some("epoch".to_owned()));
    let dimensions = Dimensions::named(names, sample.shape.len());
    let part = |(access, share): &(Access, f64)| {
        let there = |pick: &Pick| Pick { count: pick.count.min(sample.shape[pick.axis]), ..*pick };
        let access = Access::new(access.picks().iter().map(there).collect())?;
        Ok(format!("{}={share}", dimensions.text_of(&access)))
    };
    Ok(ask.mix.weights().iter().map(part).collect::<anyhow::Result<Vec<_>>>()?.join(","))
}

/// The dimensions that are read as objects and epochs: the first two of the mix, the second any other where there is one only.
fn axes(ask: &Ask) -> [usize; 2] {
    let mut picked = ask.mix.weights().iter().flat_map(|(access, _)| access.picks()).map(|pick| pick.axis);
    let first = picked.next().unwrap_or(0);
    [first, picked.find(|axis| *axis != first).unwrap_or(usize::from(first == 0))]
}

/// A layout of a smaller array.
fn clipped(design: &Design, shape: &[u64]) -> Design {
    let chunk: Vec<u64> = design.chunk.iter().zip(shape).map(|(c, n)| *c.min(n)).collect();
    let shard = |shard: &Vec<u64>| {
        let most = shard.iter().zip(shape).zip(&chunk);
        most.map(|((s, n), c)| s.min(n).next_multiple_of(*c)).collect()
    };
    Design { shard: design.shard.as_ref().map(shard), chunk, codec: design.codec }
}

fn layouts_toml(designs: &[(&Weighed, Design)], axes: [usize; 2]) -> anyhow::Result<String> {
    let word = |d: usize| match axes.iter().position(|axis| *axis == d) {
        Some(0) => "object".to_owned(),
        Some(_) => "epoch".to_owned(),
        None => d.to_string(),
    };
    let lengths =
        |shape: &[u64]| shape.iter().enumerate().map(|(d, n)| (word(d), *n)).collect::<BTreeMap<_, _>>();
    let one = |(k, (layout, design)): (usize, &(&Weighed, Design))| {
        let mut one = serde_json::json!({
            "name": format!("layout-{k}"), "chunk": lengths(&design.chunk), "codecs": layout.codecs,
        });
        if let Some(shard) = &design.shard {
            one["shard"] = serde_json::json!(lengths(shard));
        }
        one
    };
    let list: Vec<_> = designs.iter().enumerate().map(one).collect();
    Ok(toml::to_string(&serde_json::json!({ "layout": list }))?)
}
