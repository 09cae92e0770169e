//! Case C: a copy that is read by object, in blocks of epochs, grows with the field: an epoch is added and filled, and the copy is
//! brought up to date. Against it, making such a copy anew.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{CopyOptions, Cut, LightCurveStore, Picked, Wanted};
use zarrange_rechunk::{Codecs, Durability, NoProgress, Verify};

use crate::compare::Ratio;
use crate::field::Field;
use crate::report::{Bound, Report};

/// Epochs of a block.
const BLOCK: u64 = 8;
const SYNCS: f64 = 8.0;

/// Memory of copying, in bytes.
const MEMORY_BYTES: u64 = 512_000_000;

/// What is asked of copying and of bringing up to date.
const KINDS: [Kind; 4] = [
    Kind { durability: Durability::None, verify: Verify::None, codecs: Codecs::Keep },
    Kind { durability: Durability::Commit, verify: Verify::None, codecs: Codecs::Keep },
    Kind { durability: Durability::Commit, verify: Verify::Full, codecs: Codecs::Keep },
    // How much of the time is the codecs of the field.
    Kind { durability: Durability::None, verify: Verify::None, codecs: Codecs::Zstd(3) },
];

#[derive(Clone, Debug)]
struct Kind {
    durability: Durability,
    verify: Verify,
    codecs: Codecs,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { durability, verify, codecs } = self;
        write!(f, "durability {durability}, verify {verify}, codecs {codecs}")
    }
}

/// Lets a copy of a field below `dir` grow by a block, in `turns` turns.
///
/// # Errors
/// If that fails, or the copy holds something else than the field.
pub fn measure(dir: &Path, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("growing-").tempdir_in(dir)?;
    let (source, copy) = (work.path().join("field.zarr"), work.path().join("copy.zarr"));
    let field = Field::recipe()?;
    // In whole blocks.
    let mut epochs = field.epochs() / BLOCK * BLOCK;
    field.make(&source, epochs)?;
    let places = [Location::Path(source), Location::Path(copy)];
    let mut shares = KINDS.map(|_| (Vec::new(), Vec::new()));
    for turn in 0..turns {
        for (kind, (first, mean)) in KINDS.iter().zip(&mut shares) {
            let options = kind.options();
            let begin = Instant::now();
            LightCurveStore::copy((&places[0], &places[1]), &options, &NoProgress)?;
            let anew = begin.elapsed().as_secs_f64();
            let mut synced = Vec::new();
            for _ in 0..BLOCK {
                synced.push(grown_by_one(&field, &places, epochs, &options)?);
                epochs += 1;
            }
            let name = kind.to_string();
            report.line(&serde_json::json!({
                "case": "C", "turn": turn, "kind": name, "epochs": epochs, "anew": anew, "synced": synced,
            }))?;
            let texts: Vec<String> = synced.iter().map(|seconds| format!("{:.0}", seconds * 1e3)).collect();
            say!("C, {name}: anew {anew:.2} s, with each epoch of a block {} ms", texts.join(" "));
            first.push(100.0 * synced[0] / anew);
            mean.push(100.0 * synced.iter().sum::<f64>() / SYNCS / anew);
        }
    }
    for (kind, (first, mean)) in KINDS.iter().zip(shares) {
        for (what, shares) in [("the first", first), ("the mean", mean)] {
            let share = Ratio::of(shares).context("there were turns")?;
            let name = format!("C, {kind}: {what} epoch of a block / a copy anew, %");
            report.bound(&name, Bound::AtMost(2.0), share)?;
        }
    }
    Ok(())
}

impl Kind {
    fn options(&self) -> CopyOptions {
        CopyOptions {
            cut: Cut::ObjectBlocks(BLOCK),
            codecs: self.codecs.clone(),
            memory_bytes_max: MEMORY_BYTES,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            verify: self.verify,
            durability: self.durability,
            overwrite: true,
            io: Opener::auto(),
        }
    }
}

/// Seconds of bringing the copy up to date after epoch `epoch` was added and filled.
fn grown_by_one(
    field: &Field,
    [source, copy]: &[Location; 2],
    epoch: u64,
    options: &CopyOptions,
) -> anyhow::Result<f64> {
    let wait = Duration::ZERO;
    let store = LightCurveStore::open(source, &options.io)?;
    store.append(&field.new_epochs(epoch..epoch + 1), (wait, MEMORY_BYTES))?;
    field.fill(&LightCurveStore::open(source, &options.io)?, epoch..epoch + 1)?;
    let begin = Instant::now();
    let synced = LightCurveStore::sync((copy, None), options, wait, &NoProgress)?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(synced.epochs == [epoch] && synced.new == 1, "one epoch was brought");
    let last = Wanted { epochs: Picked::Range(epoch..epoch + 1), ..Wanted::default() };
    let there = LightCurveStore::open(copy, &options.io)?.read(Field::VALUES, &last)?;
    ensure!(there.data == field.values(epoch), "the copy holds epoch {epoch}");
    Ok(seconds)
}
