//! What measuring costs: warm reads of one object, bare, against the same reads counted and recorded in a histogram as a cell of a
//! sweep does it. A second bare competitor says how far apart equals are.
//!
//! `cargo bench -p bench-harness --bench recording`

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bench_harness::backend::opener;
use bench_harness::compare::{Competitor, interleaved};
use bench_harness::machine::Machine;
use bench_harness::report::{Bound, Report};
use bench_harness::sweep::dataset::{Size, dataset};
use bench_harness::sweep::layout::layouts;
use bench_harness::sweep::recorder::Recorder;
use bench_harness::sweep::stored::stored;
use bench_harness::sweep::workload::{Operation, Workload};
use bench_harness::{arrays, data};
use zarrange_array::{Array, RegionReader};
use zarrange_grid::index;
use zarrange_io::Location;
use zarrange_io::wrappers::counting::{IoCounters, counting};

const TURNS: usize = 101;
const OPERATIONS: u64 = 500;
/// The chunks that are advised most for light curves: 16 objects, decoded for one.
const LAYOUT: &str = "16x500-s10000x500-zstd3";

fn main() -> anyhow::Result<()> {
    let dir = data::folder()?;
    let survey = dataset("photometry", Some(Size { objects: 10_000, epochs: 500 }), &dir)?;
    let layout = layouts("quick", &survey.facts)?.into_iter().find(|layout| layout.name == LAYOUT);
    let layout = layout.context("the layout")?;
    let path = stored(&survey, &layout, &dir)?.path;
    let operations = Workload::parse("object")?.operations(&survey.facts, &layout.chunk, OPERATIONS)?;
    let counters = Arc::new(IoCounters::default());
    let counted = counters.clone();
    let place = Location::Path(path);
    let bare = arrays::open(&place, &opener("std")?)?;
    let recorded = arrays::open(&place, &opener("std")?.wrapped(move |store| counting(store, &counted)))?;
    let mut report = Report::new(&dir.join("recording.jsonl"), &Machine::here(&dir))?;
    let competitors = vec![
        Competitor::new("bare", || time(&bare, &operations, false)),
        Competitor::new("recorded", || time(&recorded, &operations, true)),
        Competitor::new("bare again", || time(&bare, &operations, false)),
    ];
    let times = interleaved(format!("{OPERATIONS} warm reads of one object, std"), TURNS, competitors)?;
    ensure!(counters.counts().reads > OPERATIONS, "reads were not counted");
    report.times(&times)?;
    let ratio = |slow| times.ratio(slow, "bare").context("a ratio");
    println!("bare again / bare: {}", ratio("bare again")?);
    report.bound("counting and recording / bare", Bound::AtMost(1.02), ratio("recorded")?)?;
    report.end();
    Ok(())
}

/// Reads all operations, recorded or not.
fn time(array: &Array, operations: &[Operation], record: bool) -> anyhow::Result<Duration> {
    let item_bytes = array.elements()?.item_bytes();
    let mut reader = RegionReader::new(array)?;
    let mut buffer = Vec::new();
    let mut read = |operation: &Operation| -> anyhow::Result<()> {
        for region in &operation.regions {
            buffer.resize(index(region.elements()) * item_bytes, 0);
            reader.read_into(region, &mut buffer)?;
        }
        Ok(())
    };
    let mut recorder = record.then(|| Recorder::new(None)).transpose()?;
    let begin = Instant::now();
    for operation in operations {
        if let Some(recorder) = &mut recorder {
            recorder.wait();
        }
        read(operation)?;
        if let Some(recorder) = &mut recorder {
            recorder.done()?;
        }
    }
    Ok(begin.elapsed())
}
