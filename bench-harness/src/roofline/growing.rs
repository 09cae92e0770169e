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
use crate::data;
use crate::field::Field;
use crate::report::{Bound, Report};

/// Epochs that are added to each field, whole blocks of them.
const ADDED: u64 = 8;

/// Memory of copying, in bytes.
const MEMORY_BYTES: u64 = 512_000_000;

const FAST: Kind = Kind { durability: Durability::None, verify: Verify::None, codecs: Codecs::Keep };
const SAFE: Kind = Kind { durability: Durability::Commit, verify: Verify::Full, codecs: Codecs::Keep };
// How much of the time is the codecs of the field.
const ZSTD3: Kind = Kind { codecs: Codecs::Zstd(3), ..FAST };

/// Epochs of the field, epochs of a block, and how each is copied: both change how much of a copy one epoch is.
const SETTINGS: [Setting; 10] = [
    Setting { epochs: 120, block: 8, kind: FAST },
    Setting { epochs: 120, block: 8, kind: SAFE },
    Setting { epochs: 120, block: 8, kind: ZSTD3 },
    Setting { epochs: 120, block: 4, kind: FAST },
    Setting { epochs: 120, block: 2, kind: FAST },
    Setting { epochs: 120, block: 2, kind: SAFE },
    Setting { epochs: 120, block: 2, kind: ZSTD3 },
    Setting { epochs: 120, block: 1, kind: FAST },
    Setting { epochs: 480, block: 8, kind: FAST },
    Setting { epochs: 480, block: 4, kind: FAST },
];

#[derive(Clone, Debug)]
struct Kind {
    durability: Durability,
    verify: Verify,
    codecs: Codecs,
}

#[derive(Clone, Debug)]
struct Setting {
    epochs: u64,
    block: u64,
    kind: Kind,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epochs, block, kind: Kind { durability, verify, codecs } } = self;
        write!(
            f,
            "{epochs} epochs, blocks of {block}, durability {durability}, verify {verify}, codecs {codecs}"
        )
    }
}

/// Lets copies of fields below `dir` grow, in `turns` turns.
///
/// # Errors
/// If that fails, or a copy holds something else than its field.
pub fn measure(dir: &Path, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("growing-").tempdir_in(dir)?;
    let (source, copy) = (work.path().join("field.zarr"), work.path().join("copy.zarr"));
    let field = Field::recipe()?;
    let mut shares = SETTINGS.map(|setting| (setting, Vec::new(), Vec::new()));
    for turn in 0..turns {
        for (setting, dearest, mean) in &mut shares {
            if source.exists() {
                std::fs::remove_dir_all(&source)?;
            }
            data::copy_tree(&field.kept(dir, setting.epochs)?, &source)?;
            let places = [&source, &copy].map(|path| Location::Path(path.clone()));
            let (anew, synced) = setting.grown(&field, &places)?;
            report.line(&serde_json::json!({
                "case": "C", "turn": turn, "setting": setting.to_string(), "anew": anew, "synced": synced,
            }))?;
            let texts: Vec<String> = synced.iter().map(|seconds| format!("{:.0}", seconds * 1e3)).collect();
            say!("C, {setting}: anew {anew:.2} s, with each epoch {} ms", texts.join(" "));
            #[expect(clippy::cast_precision_loss, reason = "a few")]
            mean.push(100.0 * synced.iter().sum::<f64>() / synced.len() as f64 / anew);
            dearest.push(100.0 * synced.iter().copied().fold(0.0, f64::max) / anew);
        }
    }
    for (setting, dearest, mean) in shares {
        for (what, shares) in [("the dearest", dearest), ("the mean", mean)] {
            let share = Ratio::of(shares).context("there were turns")?;
            let name = format!("C, {setting}: {what} epoch / a copy anew, %");
            report.bound(&name, Bound::AtMost(2.0), share)?;
        }
    }
    Ok(())
}

impl Setting {
    /// Seconds of a copy, and of bringing each of the epochs that are added then.
    fn grown(&self, field: &Field, places: &[Location; 2]) -> anyhow::Result<(f64, Vec<f64>)> {
        let options = self.options();
        let begin = Instant::now();
        LightCurveStore::copy((&places[0], &places[1]), &options, &NoProgress)?;
        let anew = begin.elapsed().as_secs_f64();
        let added = self.epochs..self.epochs + ADDED;
        let synced = added.map(|epoch| grown_by_one(field, places, epoch, &options));
        Ok((anew, synced.collect::<anyhow::Result<_>>()?))
    }

    fn options(&self) -> CopyOptions {
        CopyOptions {
            cut: Cut::ObjectBlocks(self.block),
            codecs: self.kind.codecs.clone(),
            memory_bytes_max: MEMORY_BYTES,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            verify: self.kind.verify,
            durability: self.kind.durability,
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
