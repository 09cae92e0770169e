//! Case L: one object's light curve from a sharded array, warm, with the shards' indexes known.
//!
//! Object by object in turns: our reader, a bare `pread` of the inner chunk with zstd's own decoding, zarrs with its cache of
//! shard indexes, and zarrs' plain read, which knows no index.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use zarrange_array::{Array, RegionReader};
use zarrange_grid::{Region, index};
use zarrange_io::{Location, Opener};
use zarrs::array::{
    Array as ZarrsArray, ArrayShardedReadableExt as _, ArrayShardedReadableExtCache, ArraySubset,
    CodecOptions,
};
use zarrs_filesystem::FilesystemStore;

use crate::arrays;
use crate::compare::Ratio;
use crate::random::Random;
use crate::report::{Bound, Report};
use crate::roofline::bare::Shards;
use crate::roofline::cases::{Case, ITEM_BYTES};

/// Objects read in a turn.
const READS: usize = 2000;

/// Reads light curves from `target`, the sharded target of `case`, in `turns` turns.
///
/// # Errors
/// If it cannot be read, or the readers disagree.
pub fn measure(case: &Case, target: &Path, turns: usize, report: &mut Report) -> anyhow::Result<()> {
    let array = arrays::open(&Location::Path(target.to_owned()), &Opener::auto())?;
    let mut ours = RegionReader::new(&array)?;
    let mut bare = Bare::new(&array, target)?;
    let zarrs = ZarrsArray::open(Arc::new(FilesystemStore::new(target)?), "/")?;
    let cache = ArrayShardedReadableExtCache::new(&zarrs);
    let [objects, epochs, values] = case.shape[..] else { anyhow::bail!("{} is no light curves", case.name) };
    let mut curve = vec![0; index(epochs * values * ITEM_BYTES)];
    let (mut to_bare, mut to_zarrs) = (Vec::new(), Vec::new());
    let mut random = Random::new(2);
    for turn in 0..=turns {
        let mut times: [Vec<f64>; 4] = std::array::from_fn(|_| Vec::with_capacity(READS));
        for object in random.distinct(READS, objects) {
            let begin = Instant::now();
            ours.read_into(&Region::new(vec![object, 0, 0], vec![1, epochs, values]), &mut curve)?;
            times[0].push(begin.elapsed().as_secs_f64());
            let begin = Instant::now();
            let chunk = bare.read(object)?;
            times[1].push(begin.elapsed().as_secs_f64());
            let from = index(object % case.chunk[0]) * curve.len();
            ensure!(chunk[from..from + curve.len()] == curve, "object {object}: not the bytes of the chunk");
            let begin = Instant::now();
            let subset = ArraySubset::new_with_ranges(&[object..object + 1, 0..epochs, 0..values]);
            let theirs: Vec<f32> =
                zarrs.retrieve_array_subset_sharded_opt(&cache, &subset, &CodecOptions::default())?;
            times[2].push(begin.elapsed().as_secs_f64());
            let begin = Instant::now();
            let plain: Vec<f32> = zarrs.retrieve_array_subset(&subset)?;
            times[3].push(begin.elapsed().as_secs_f64());
            ensure!(plain.len() == theirs.len(), "object {object}: zarrs reads two different things");
            let same = theirs.iter().zip(curve.as_chunks().0).all(|(a, b)| a.to_ne_bytes() == *b);
            ensure!(same && theirs.len() * 4 == curve.len(), "object {object}: zarrs reads something else");
        }
        let [ours, bare, zarrs, plain] = times.map(median);
        report.line(&serde_json::json!({"case": "L", "turn": turn, "ours": ours, "pread and zstd": bare, "zarrs": zarrs, "zarrs, plain": plain}))?;
        // The first opens shards and fills the page cache.
        if turn > 0 {
            to_bare.push(ours / bare);
            to_zarrs.push(zarrs / ours);
        }
        if turn == turns {
            say!(
                "L: median of {READS} objects: ours {:.0} us, pread and zstd {:.0} us, zarrs {:.0} us (plain {:.0} us)",
                ours * 1e6,
                bare * 1e6,
                zarrs * 1e6,
                plain * 1e6
            );
        }
    }
    let ratio = |ratios| Ratio::of(ratios).context("there were turns");
    report.bound("L: ours / pread and zstd, median", Bound::AtMost(1.3), ratio(to_bare)?)?;
    report.bound("L: zarrs / ours, median", Bound::AtLeast(2.0), ratio(to_zarrs)?)?;
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What a program does that knows where everything lies.
struct Bare<'a> {
    shards: Shards<'a>,
    context: zstd_safe::DCtx<'static>,
    chunk: Vec<u8>,
}

impl<'a> Bare<'a> {
    fn new(array: &'a Array, target: &Path) -> anyhow::Result<Self> {
        let chunk = vec![0; array.elements()?.chain().chunk_bytes()];
        Ok(Self { shards: Shards::new(array, target)?, context: zstd_safe::DCtx::create(), chunk })
    }

    /// The inner chunk with `object`.
    fn read(&mut self, object: u64) -> anyhow::Result<&[u8]> {
        let encoded = self.shards.read(&[object, 0, 0])?;
        let bytes = self.context.decompress(&mut self.chunk[..], encoded);
        let bytes = bytes.map_err(|code| anyhow::anyhow!("zstd: {}", zstd_safe::get_error_name(code)))?;
        ensure!(bytes == self.chunk.len(), "a chunk decodes to its size");
        Ok(&self.chunk)
    }
}
