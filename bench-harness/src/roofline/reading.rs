//! Case R: one light curve in one measurement, and those of many objects together, from a field laid out for that: warm, through the store.
//!
//! Against it, in turns with each read, and before it as often as behind it: a bare `pread` of the inner chunk and its codec alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use zarrange_codec::Scratch;
use zarrange_grid::index;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{LightCurveStore, OBJECT, Picked, ValuesReader, Wanted};
use zarrange_rechunk::{NoProgress, Request, Verify, prepare, run};

use crate::compare::Ratio;
use crate::data;
use crate::engine::{self, MEMORY_BYTES};
use crate::field::Field;
use crate::random::Random;
use crate::report::{Bound, Report};
use crate::roofline::bare::Shards;

/// Light curves that are read in a turn, one at a time, and in a batch.
const READS: usize = 2000;
const TOGETHER: usize = 100;

/// Batches of a turn.
const BATCHES: usize = 20;

/// Chunks of one measurement of some objects, and shards of many with all.
const CHUNKS: &str = "lightcurves:object=16,measurement=1,value=-1,epoch=-1";
const SHARDS: &str = "lightcurves:object=1504,measurement=-1,value=-1,epoch=-1";

/// Objects of a chunk.
const CHUNK_OBJECTS: u64 = 16;

/// Reads light curves in `turns` turns, from a field below `dir`.
///
/// # Errors
/// If it cannot be made or read, or something else is read than is stored.
pub fn measure(dir: &Path, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let field = Field::recipe()?;
    let path = laid_out(&field, dir)?;
    requests(&path, report)?;
    let store = LightCurveStore::open(&Location::Path(path.clone()), &Opener::auto())?;
    let mut ratios = Vec::new();
    for turn in 0..=turns {
        let (ours, bare) = one_at_a_time(&store, &path, turn as u64)?;
        let by_labels = by_labels(&store, turn as u64)?;
        let (batch, all) = (together(&store, Some(7), turn as u64)?, together(&store, None, turn as u64)?);
        report.line(&serde_json::json!({
            "case": "R", "turn": turn, "ours": ours, "pread and codec": bare, "by labels": by_labels, "batch": batch, "batch, all": all,
        }))?;
        // The first opens shards and fills the page cache.
        if turn > 0 {
            ratios.push(ours / bare);
        }
        if turn == turns {
            say!(
                "R: median of {READS} light curves: {:.1} us, pread and codec {:.1} us, found by labels {:.1} us; {TOGETHER} objects together: \
                 {:.2} ms, in all measurements {:.1} ms",
                ours * 1e6,
                bare * 1e6,
                by_labels * 1e6,
                batch * 1e3,
                all * 1e3
            );
        }
    }
    let ratio = Ratio::of(ratios).context("there were turns")?;
    Ok(report.bound("R: one light curve / pread and codec, median", Bound::AtMost(1.3), ratio)?)
}

/// The field laid out for light curves of one measurement, made if it is missing.
fn laid_out(field: &Field, dir: &Path) -> anyhow::Result<PathBuf> {
    let path = dir.join(format!("field-{}-by-object.zarr", field.epochs()));
    let note = path.with_extension("unfinished");
    if path.exists() && !note.exists() {
        return Ok(path);
    }
    data::take(&path, &note)?;
    let source = Location::Path(field.kept(dir, field.epochs())?);
    let request = engine::job(source, Location::Path(path.clone())).chunks(CHUNKS)?.shards(SHARDS)?;
    let request = Request { overwrite: true, ..request.within(MEMORY_BYTES).verified(Verify::Full) };
    run(prepare(request)?, &NoProgress)?;
    std::fs::remove_file(&note)?;
    Ok(path)
}

/// Requests for a light curve in a shard that was not read before, and in one that was.
fn requests(path: &Path, report: &mut Report) -> anyhow::Result<()> {
    let counters: Arc<IoCounters> = Arc::default();
    let counted = counters.clone();
    let io = Opener::auto().wrapped(move |store| counting(store, &counted));
    let store = LightCurveStore::open(&Location::Path(path.to_owned()), &io)?;
    let mut reader = store.reader(Field::VALUES)?;
    let mut counts = |object: u64| -> anyhow::Result<_> {
        let before = counters.counts();
        reader.read(&wanted(object, 3))?;
        let after = counters.counts();
        Ok((after.reads - before.reads, after.batches - before.batches, after.opens - before.opens))
    };
    // Two chunks of one shard.
    let (cold, warm) = (counts(0)?, counts(CHUNK_OBJECTS)?);
    for (what, (reads, batches, opens), asked) in [("not known", cold, 2), ("known", warm, 1)] {
        let name = format!("R: requests where the index of the shard is {what}");
        let measured = format!("{reads}, in {batches} steps, with {opens} files opened");
        report.asked(&name, &asked.to_string(), measured, reads == asked && batches == asked)?;
    }
    Ok(())
}

/// A light curve in one measurement.
const fn wanted(object: u64, measurement: u64) -> Wanted<'static> {
    let (objects, measurements) =
        (Picked::Range(object..object + 1), Picked::Range(measurement..measurement + 1));
    Wanted { objects, measurements, epochs: Picked::All }
}

/// Objects and measurements of a turn.
fn places(store: &LightCurveStore, turn: u64) -> Vec<(u64, u64)> {
    let shape = store.values(Field::VALUES).map_or(&[][..], |array| array.shape());
    let mut random = Random::new(turn + 1);
    let objects = random.distinct(READS, shape[0]);
    objects.into_iter().map(|object| (object, random.next() % shape[1])).collect()
}

/// Median seconds of a light curve whose number is known, by our reader and by a bare read.
fn one_at_a_time(store: &LightCurveStore, path: &Path, turn: u64) -> anyhow::Result<(f64, f64)> {
    let array = store.values(Field::VALUES).context("the store has values")?;
    let chain = array.elements()?.chain();
    let (mut reader, mut shards) =
        (store.reader(Field::VALUES)?, Shards::new(array, &path.join(Field::VALUES))?);
    let (mut scratch, mut chunk) = (Scratch::new(chain), vec![0; chain.chunk_bytes()]);
    let (mut ours, mut bare) = (Vec::with_capacity(READS), Vec::with_capacity(READS));
    // Shards stay open: the first light curve of each is not what is measured.
    for first in (0..array.shape()[0]).step_by(index(array.objects().chunk_shape()[0])) {
        reader.read(&wanted(first, 0))?;
    }
    for (k, (object, measurement)) in places(store, turn).into_iter().enumerate() {
        let mut read_bare = || -> anyhow::Result<()> {
            let begin = Instant::now();
            chain.decode(shards.read(&[object, measurement, 0, 0])?, &mut chunk, &mut scratch)?;
            bare.push(begin.elapsed().as_secs_f64());
            Ok(())
        };
        // Who reads second finds the chunk in the processor's cache, so each does as often.
        if k % 2 == 1 {
            read_bare()?;
        }
        let begin = Instant::now();
        let block = reader.read(&wanted(object, measurement))?;
        ours.push(begin.elapsed().as_secs_f64());
        if k % 2 == 0 {
            read_bare()?;
        }
        let from = index(object % CHUNK_OBJECTS) * block.data.len();
        ensure!(
            chunk[from..from + block.data.len()] == block.data,
            "object {object}: not the bytes of the chunk"
        );
    }
    Ok((median(ours), median(bare)))
}

/// Median seconds of a light curve whose object and measurement are found by their labels.
fn by_labels(store: &LightCurveStore, turn: u64) -> anyhow::Result<f64> {
    let mut reader = store.reader(Field::VALUES)?;
    let mut times = Vec::with_capacity(READS);
    for (object, measurement) in places(store, turn) {
        let labels = ([Field::object(object)], [Field::measurement(measurement)]);
        let begin = Instant::now();
        let found = (
            store.find(OBJECT, &labels.0, MEMORY_BYTES)?,
            store.find("measurement", &labels.1, MEMORY_BYTES)?,
        );
        let at = (found.0[0].context("an object")?, found.1[0].context("a measurement")?);
        reader.read(&wanted(at.0, at.1))?;
        times.push(begin.elapsed().as_secs_f64());
        ensure!(at == (object, measurement), "what was looked for");
    }
    Ok(median(times))
}

/// Median seconds of reading many objects together, in one measurement or all. No chunk is decoded twice.
fn together(store: &LightCurveStore, measurement: Option<u64>, turn: u64) -> anyhow::Result<f64> {
    let array = store.values(Field::VALUES).context("the store has values")?;
    let mut reader = store.reader(Field::VALUES)?;
    let (mut random, mut times) = (Random::new(turn + 1), Vec::new());
    for _ in 0..BATCHES {
        let objects = random.distinct(TOGETHER, array.shape()[0]);
        let measurements = measurement.map_or(Picked::All, |m| Picked::Range(m..m + 1));
        let wanted = Wanted { objects: Picked::List(&objects), measurements, epochs: Picked::All };
        let begin = Instant::now();
        let block = reader.read(&wanted)?;
        times.push(begin.elapsed().as_secs_f64());
        let mut chunks: Vec<u64> = objects.iter().map(|object| object / CHUNK_OBJECTS).collect();
        chunks.sort_unstable();
        chunks.dedup();
        let expected = chunks.len() as u64 * if measurement.is_some() { 1 } else { array.shape()[1] };
        ensure!(block.cost.chunks == expected, "{} chunks were decoded, not {expected}", block.cost.chunks);
        ensure!(is_first(&mut reader, &block.data, objects[0], measurement)?, "what one at a time reads");
    }
    Ok(median(times))
}

/// Whether what was read of many objects begins with the light curve of `object`.
fn is_first(
    reader: &mut ValuesReader<'_>,
    data: &[u8],
    object: u64,
    measurement: Option<u64>,
) -> anyhow::Result<bool> {
    let one = reader.read(&wanted(object, measurement.unwrap_or_default()))?;
    Ok(data.starts_with(&one.data))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
