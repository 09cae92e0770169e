//! Case O: objects found by their labels among many, by an index on disk: one and many at a time, in a store that is open, in one that is
//! opened for it, and by the command. Against it, reading all labels, which is what happens without an index.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use zarrange_io::cache::{self, Proof};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{Column, Cut, LightCurveStore, NewStore, OBJECT};

use crate::compare::Ratio;
use crate::program::Program;
use crate::random::Random;
use crate::report::{Bound, Report};

/// Objects of the store.
const OBJECTS: u64 = 10_000_000;

/// Memory for making an index, and memory that does for reading labels but not for that.
const MEMORY_BYTES: u64 = 1 << 30;
const READING_BYTES: u64 = 8 << 20;

/// Objects that are looked for one at a time, in a store that is open and in one that is opened for it, and together.
const SINGLE: u64 = 2000;
const OPENED: u64 = 50;
const TOGETHER: [u64; 4] = [100, 10_000, 100_000, 2_000_000];

/// How long labels must not have changed before an index of them is made, and a little more.
const SETTLED: Duration = Duration::from_millis(2500);

/// Looks for objects in `turns` turns, in stores below `dir`.
///
/// # Errors
/// If a store cannot be made or read, or an object is found in the wrong place.
pub fn measure((dir, program): (&Path, &Program), turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("finding-").tempdir_in(dir)?;
    for kind in ["text", "integer"] {
        let path = work.path().join(format!("{kind}.zarr"));
        let location = Location::Path(path.clone());
        let labels = match kind {
            "text" => Column::Text((0..OBJECTS).map(label).collect()),
            _ => Column::Integer((0..OBJECTS).map(|k| label(k).parse()).collect::<Result<_, _>>()?),
        };
        // What the command reads beside labels shall be little.
        let new = NewStore::flux(OBJECTS, 1, 1).cut(Cut::ObjectOptimized).labels(OBJECT, labels)?;
        new.create(&location, (true, &Opener::auto()))?;
        std::thread::sleep(SETTLED);
        let mut all: Vec<Vec<f64>> = Vec::new();
        for turn in 0..=turns {
            let times = one_turn(&path, turn as u64, program)?;
            report.line(&serde_json::json!({"case": "O", "labels": kind, "turn": turn, "seconds": times}))?;
            // The first fills the page cache.
            if turn > 0 {
                all.push(times.iter().map(|(_, seconds)| *seconds).collect());
            }
            if turn == turns {
                let text: Vec<String> =
                    times.iter().map(|(what, seconds)| format!("{what} {:.3} ms", seconds * 1e3)).collect();
                say!("O, {kind}, of {OBJECTS} objects: {}", text.join("; "));
            }
        }
        let one = Ratio::of(all.iter().map(|times| times[2] * 1e3)).context("there were turns")?;
        report.bound(&format!("O, {kind}: one of {OBJECTS}, warm, ms"), Bound::AtMost(2.0), one)?;
    }
    Ok(())
}

/// The label of object `k`, as Gaia numbers its sources: 19 digits without an order.
fn label(k: u64) -> String {
    format!("{}", 1_000_000_000_000_000_000 + Random::new(k).next() % 5_000_000_000_000_000_000)
}

/// What looking took, in seconds.
fn one_turn(path: &Path, turn: u64, program: &Program) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let location = Location::Path(path.to_owned());
    let index = path.join("object/.zarrange-labels");
    if index.exists() {
        std::fs::remove_file(&index)?;
    }
    let mut random = Random::new(turn + 1);
    let store = LightCurveStore::open(&location, &Opener::auto())?;
    let read = find(&store, &random.distinct(1, OBJECTS), READING_BYTES)?;
    ensure!(!index.exists(), "no index is made without memory for it");
    let made = find(&store, &random.distinct(1, OBJECTS), MEMORY_BYTES)?;
    ensure!(index.exists(), "an index was made");
    let mut single = Vec::new();
    for object in random.distinct(usize::try_from(SINGLE)?, OBJECTS) {
        single.push(find(&store, &[object], READING_BYTES)?);
    }
    single.sort_by(f64::total_cmp);
    let at = |share: usize| single[single.len() * share / 100];
    let mut times = vec![("read all", read), ("made", made), ("one p50", at(50)), ("one p99", at(99))];
    let names = ["100 together", "10^4 together", "10^5 together", "2*10^6 together"];
    for (name, count) in names.into_iter().zip(TOGETHER) {
        times.push((name, find(&store, &random.distinct(usize::try_from(count)?, OBJECTS), READING_BYTES)?));
    }
    let open = |object: u64| -> anyhow::Result<f64> {
        let io = Opener::auto();
        let begin = Instant::now();
        let store = LightCurveStore::open(&location, &io)?;
        let opened = begin.elapsed().as_secs_f64();
        Ok(opened + find(&store, &[object], READING_BYTES)?)
    };
    let mut opened: Vec<f64> = (0..OPENED).map(open).collect::<Result<_, _>>()?;
    opened.sort_by(f64::total_cmp);
    times.push(("opened and one p50", opened[opened.len() / 2]));
    if cache::evict(&index)?.proof == Proof::Cold {
        times.push(("opened and one, index not in the page cache", open(turn)?));
    }
    if let Some(seconds) = command(program, path, &label(turn))? {
        times.push(("the command", seconds));
    }
    Ok(times)
}

/// Seconds that finding objects takes; they are those that they should be.
fn find(store: &LightCurveStore, objects: &[u64], bytes_max: u64) -> anyhow::Result<f64> {
    let labels: Vec<String> = objects.iter().map(|k| label(*k)).collect();
    let begin = Instant::now();
    let found = store.find(OBJECT, &labels, bytes_max)?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(found.iter().zip(objects).all(|(found, object)| *found == Some(*object)), "what was looked for");
    Ok(seconds)
}

/// Seconds of the command `zarrange lightcurve get`; `None` if there is none.
fn command(program: &Program, path: &Path, label: &str) -> anyhow::Result<Option<f64>> {
    let Some(mut get) = program.zarrange() else { return Ok(None) };
    let begin = Instant::now();
    get.args(["lightcurve", "get"]).arg(path).args(["--object", label, "--gaps"]);
    ensure!(get.stdout(Stdio::null()).status()?.success(), "the command failed");
    Ok(Some(begin.elapsed().as_secs_f64()))
}
