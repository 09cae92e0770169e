//! Case F: a field of light curves filled epoch by epoch, against its codec and one copy; and by two processes, each with its channel,
//! against one that makes the same contributions.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use zarrange_codec::Scratch;
use zarrange_grid::index;
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{Contribution, FillOptions, LightCurveStore, NewStore, Picked, Wanted};

use crate::compare::Ratio;
use crate::program::Program;
use crate::random::Random;
use crate::report::{Bound, Report};

/// Objects, and measurements of each: the field of `datasets/light-curves.toml`.
const OBJECTS: u64 = 47_287;
const MEASUREMENTS: u64 = 32;

/// Epochs of a turn by one process, and of the store that two fill.
const EPOCHS: u64 = 8;
const EPOCHS_OF_TWO: u64 = 20;

/// The codecs of the field.
const CODECS: &str = "blosc:zstd:5:shuffle";

/// The array.
const VALUES: &str = "lightcurves";

/// Fills in `turns` turns, below `dir`; `two` runs this program as one of two processes.
///
/// # Errors
/// If a store cannot be made or filled, or does not hold what was filled.
pub fn measure((dir, program): (&Path, &Program), turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let (mut to_codec, mut to_one) = (Vec::new(), Vec::new());
    for turn in 0..=turns {
        let (filled, codec) = one_epoch(dir, turn as u64)?;
        let (two, one) = (by_processes(dir, 2, program)?, by_processes(dir, 1, program)?);
        report.line(&serde_json::json!({
            "case": "F", "turn": turn, "filled_s": filled, "codec_and_copy_s": codec, "two_processes_s": two, "one_process_s": one,
        }))?;
        // The first fills the page cache and starts what is started once.
        if turn > 0 {
            to_codec.push(filled / codec);
            to_one.push(two / one);
        }
        if turn == turns {
            say!(
                "F: an epoch of {OBJECTS} x {MEASUREMENTS} x 2 is filled in {:.0} ms, {CODECS} and a copy take {:.0} ms; {EPOCHS_OF_TWO} \
                 epochs by two processes {two:.2} s, by one {one:.2} s",
                filled * 1e3,
                codec * 1e3
            );
        }
    }
    let ratio = |ratios| Ratio::of(ratios).context("there were turns");
    report.bound("F: filled / codec and copy", Bound::AtMost(1.3), ratio(to_codec)?)?;
    report.bound("F: two processes / one", Bound::AtMost(0.65), ratio(to_one)?)?;
    Ok(())
}

/// A new store with so many epochs.
fn store(dir: &Path, epochs: u64) -> anyhow::Result<(PathBuf, LightCurveStore)> {
    let path = dir.join("filling.zarr");
    let location = Location::Path(path.clone());
    let new = NewStore::labelled(OBJECTS, MEASUREMENTS, epochs).codecs(CODECS.parse()?);
    new.create(&location, (true, &Opener::auto()))?;
    Ok((path, LightCurveStore::open(&location, &Opener::auto())?))
}

/// Values of some measurements of all objects at an epoch, of which a tenth is missing.
fn values(epoch: u64, measurements: u64) -> Vec<u8> {
    let mut random = Random::new(epoch + 1);
    let mut out = Vec::with_capacity(index(OBJECTS * measurements * 2 * 4));
    for object in 0..OBJECTS {
        let missing = random.uniform() < 0.1;
        for k in 0..measurements * 2 {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a few thousand steps"
            )]
            let value =
                (object % 1000) as f32 + k as f32 + ((random.uniform() * 640.0).round() / 64.0) as f32;
            out.extend_from_slice(&(if missing { f32::NAN } else { value }).to_ne_bytes());
        }
    }
    out
}

/// Seconds that filling an epoch takes, and its codec with a copy, the median of several epochs in turns.
fn one_epoch(dir: &Path, seed: u64) -> anyhow::Result<(f64, f64)> {
    let (_, store) = store(dir, EPOCHS)?;
    let array = store.values(VALUES).context("the store has values")?;
    let chain = array.elements()?.chain();
    let (mut scratch, mut filler) = (Scratch::new(chain), store.filler());
    let (mut copy, mut out) = (vec![0; chain.chunk_bytes()], vec![0; chain.encoded_bytes_max()]);
    let (mut times, mut codec) = (Vec::new(), Vec::new());
    for epoch in 0..EPOCHS {
        let data = values(seed * EPOCHS + epoch, MEASUREMENTS);
        let begin = Instant::now();
        copy.copy_from_slice(&data);
        chain.encode(&copy, &mut out, &mut scratch)?;
        codec.push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let all = Picked::All;
        let contribution =
            Contribution { epoch, objects: all.clone(), measurements: all, values: &[(VALUES, &data)] };
        filler.fill(&contribution, &FillOptions::default())?;
        times.push(begin.elapsed().as_secs_f64());
        let there =
            store.read(VALUES, &Wanted { epochs: Picked::Range(epoch..epoch + 1), ..Wanted::default() })?;
        ensure!(same(&there.data, &data), "epoch {epoch} holds what was filled");
    }
    Ok((median(times), median(codec)))
}

/// Whether values are the same; NaN is NaN.
fn same(a: &[u8], b: &[u8]) -> bool {
    let number = |bytes: &[u8; 4]| f32::from_ne_bytes(*bytes);
    let pairs = a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0);
    a.len() == b.len() && pairs.into_iter().all(|(a, b)| a == b || (number(a).is_nan() && number(b).is_nan()))
}

/// Seconds that so many processes take to fill both channels of all epochs: each of two fills one, a single one both.
fn by_processes(dir: &Path, processes: u64, program: &Program) -> anyhow::Result<f64> {
    let (path, _) = store(dir, EPOCHS_OF_TWO)?;
    let begin = Instant::now();
    let mut running: Vec<Child> = Vec::new();
    for process in 0..processes {
        let channels = if processes == 1 { "both".to_owned() } else { process.to_string() };
        running.push(program.bench().arg("fill").arg(&path).arg(channels).spawn()?);
    }
    for mut child in running {
        ensure!(child.wait()?.success(), "a process that fills has failed");
    }
    let seconds = begin.elapsed().as_secs_f64();
    let store = LightCurveStore::open(&Location::Path(path), &Opener::auto())?;
    let half = values(0, MEASUREMENTS / 2);
    for epoch in 0..EPOCHS_OF_TWO {
        let there =
            store.read(VALUES, &Wanted { epochs: Picked::Range(epoch..epoch + 1), ..Wanted::default() })?;
        for (objects, half) in
            there.data.chunks_exact(index(MEASUREMENTS * 8)).zip(half.chunks_exact(index(MEASUREMENTS * 4)))
        {
            let (first, second) = objects.split_at(half.len());
            ensure!(same(first, half) && same(second, half), "epoch {epoch} holds both channels");
        }
    }
    Ok(seconds)
}

/// What one process fills: a channel of all epochs, or both, one contribution after the other.
///
/// # Errors
/// If that fails.
pub fn fill(path: &Path, channels: &str) -> anyhow::Result<()> {
    let store = LightCurveStore::open(&Location::Path(path.to_owned()), &Opener::auto())?;
    let half = MEASUREMENTS / 2;
    let channels: Vec<u64> = if channels == "both" { vec![0, 1] } else { vec![channels.parse()?] };
    // Making them is not filling.
    let data = values(0, half);
    let mut filler = store.filler();
    for epoch in 0..EPOCHS_OF_TWO {
        for channel in &channels {
            let measurements = Picked::Range(channel * half..(channel + 1) * half);
            let contribution =
                Contribution { epoch, objects: Picked::All, measurements, values: &[(VALUES, &data)] };
            filler.fill(&contribution, &FillOptions::default())?;
        }
    }
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
