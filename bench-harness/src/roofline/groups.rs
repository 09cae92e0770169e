//! Case G: a group of many small arrays against one array of the same bytes, copied and rechunked. Chunks and files are the same ones.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Group, Layout, RegionWriter, publish_metadata};
use zarrange_grid::Region;
use zarrange_io::{Location, Store};
use zarrange_rechunk::{ChunkSpec, Codecs, Durability, Named, NoProgress, Request, prepare, run};

use super::cases::ITEM_BYTES;
use crate::compare::Ratio;
use crate::engine;
use crate::random::Random;
use crate::report::{Bound, Report};

/// Arrays of the group.
const ARRAYS: u64 = 200;
/// Elements of one of them: 1 MB.
const SHAPE: [u64; 2] = [500, 500];
/// Chunks as they are, and as they are wanted.
const CHUNKS: [[u64; 2]; 2] = [[500, 50], [50, 500]];

/// What is done to the group.
#[derive(Clone, Copy, Debug)]
enum Work {
    Copy,
    Rechunk,
}

/// Copies and rechunks the group and the array in turns, on `threads` threads.
///
/// # Errors
/// If the data cannot be written or a job fails.
pub fn measure(dir: &Path, (threads, turns): (u64, usize), report: &mut Report) -> anyhow::Result<()> {
    let sources = [group(dir)?, one(dir)?];
    let work = tempfile::Builder::new().prefix("roofline-").tempdir_in(dir)?;
    for what in [Work::Copy, Work::Rechunk] {
        let mut ratios = Vec::new();
        for turn in 0..=turns {
            let target = |k: usize| work.path().join(format!("{what:?}-{turn}-{k}.zarr"));
            let time = |k: usize| seconds(what, &sources[k], &Location::Path(target(k)), threads);
            // A B, then B A: writing leaves something to do for who comes next.
            let (group, one) = if turn % 2 == 0 {
                (time(0)?, time(1)?)
            } else {
                let one = time(1)?;
                (time(0)?, one)
            };
            let line = json!({"case": "G", "work": format!("{what:?}"), "threads": threads, "turn": turn, "group": group, "one": one});
            report.line(&line)?;
            if turn > 0 {
                ratios.push(group / one);
            }
        }
        let ratio = Ratio::of(ratios).context("there were turns")?;
        say!("G, {what:?}, on {threads} threads: the group takes {ratio} times as long as one array");
        let name = format!("G, {what:?}, {threads} threads: group / one array of the same bytes");
        report.bound(&name, Bound::AtMost(1.3), ratio)?;
    }
    Ok(())
}

fn seconds(what: Work, source: &Location, target: &Location, threads: u64) -> anyhow::Result<f64> {
    let sizes = CHUNKS[1].iter().map(|n| i64::try_from(*n)).collect::<Result<_, _>>()?;
    let chunks = match what {
        Work::Copy => Vec::new(),
        Work::Rechunk => vec![Named { array: None, spec: ChunkSpec::Sizes(sizes) }],
    };
    let job = engine::job(source.clone(), target.clone());
    let job = Request { chunks, threads, durability: Durability::None, ..job };
    rustix::fs::sync();
    let begin = Instant::now();
    run(prepare(job)?, &NoProgress)?;
    Ok(begin.elapsed().as_secs_f64())
}

fn group(dir: &Path) -> anyhow::Result<Location> {
    make(dir, "case-G-group.zarr", |store| {
        for k in 0..ARRAYS {
            write(store.below(&format!("a{k:03}"))?, SHAPE, k)?;
        }
        let root = Group::new(store.below("")?, Map::new());
        Ok(publish_metadata(store, &[], &[(String::new(), root)], false)?)
    })
}

fn one(dir: &Path) -> anyhow::Result<Location> {
    make(dir, "case-G-one.zarr", |store| write(store.below("")?, [SHAPE[0] * ARRAYS, SHAPE[1]], 0))
}

/// What `write` writes, unless it is there.
fn make(dir: &Path, name: &str, write: impl Fn(&Store) -> anyhow::Result<()>) -> anyhow::Result<Location> {
    let location = Location::Path(dir.join(name));
    std::fs::create_dir_all(dir.join(name))?;
    let store = location.open()?;
    if zarrange_array::open(&store).is_err() {
        write(&store)?;
    }
    Ok(location)
}

/// Noise, rounded, so that it compresses somewhat.
fn write(store: Store, shape: [u64; 2], seed: u64) -> anyhow::Result<()> {
    let now = Layout { chunk: CHUNKS[0].to_vec(), shard: None, codecs: Vec::new() };
    let codecs = Codecs::Zstd(3).resolve(&now, zarrange_grid::index(ITEM_BYTES));
    let document = Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "float32",
        fill_value: json!(0.0),
        layout: Layout { codecs, ..now },
        dimension_names: vec!["object", "epoch"],
        attributes: Map::new(),
    });
    let array = Array::new(store, document, 3)?;
    let mut random = Random::new(seed);
    let mut value = || {
        #[expect(clippy::cast_possible_truncation, reason = "float32 is what is stored")]
        let value = ((random.normal()[0] * 64.0).round() / 64.0) as f32;
        value.to_le_bytes()
    };
    let mut writer = RegionWriter::new(&array)?;
    for row in (0..shape[0]).step_by(zarrange_grid::index(CHUNKS[0][0])) {
        let region = Region::new(vec![row, 0], vec![CHUNKS[0][0], shape[1]]);
        let bytes: Vec<u8> = (0..region.elements()).flat_map(|_| value()).collect();
        writer.write(&region, &bytes)?;
    }
    Ok(array.write_metadata()?)
}
