//! Reading a region with several threads, within a bound on memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use zarrange_array::{Array, ReadCost, RegionReader};
use zarrange_grid::{LentTile, Region, Strides};
use zarrange_io::{IoError, Stop};

use crate::engine::batches::{Batch, Batches, Pace};
use crate::engine::crew::{Work, work_off};
use crate::engine::permits::Permit;
use crate::error::RechunkError;
use crate::progress::NoProgress;

/// Chunks of so many array bytes are worth another thread.
const THREAD_BYTES: u64 = 1 << 20;

/// Chunks of so many array bytes are read in one go by one thread, which nothing stops.
const ONE_GO_BYTES: u64 = 16 << 20;

/// Whether reading `region` is too short to be watched: it is then done in one go.
///
/// # Errors
/// If its elements cannot be read.
pub fn is_short(array: &Array, region: &Region) -> Result<bool, RechunkError> {
    Ok(region_bytes(array, region)? <= ONE_GO_BYTES)
}

/// How much of an array has to be handled to read `region`: the bytes of the chunks that it overlaps, whole.
fn region_bytes(array: &Array, region: &Region) -> Result<u64, RechunkError> {
    let elements = array.elements()?;
    let chunks = elements.chunks.covering(region);
    Ok(elements.chunks.whole_elements(&chunks).saturating_mul(elements.item_bytes() as u64))
}

/// Reads `region` of `array` into `out`, in C order and native byte order, with at most so many `threads`, this one among them. Beside
/// `out` they take at most `memory_bytes_max` together.
///
/// # Errors
/// [`RechunkError::Budget`] if the memory does not suffice for one thread; [`IoError::Stopped`] if `stop` is requested meanwhile; or if a
/// chunk cannot be read or decoded. What `out` holds is then not specified.
///
/// # Panics
/// If `region` is not inside the array, or `out` has another size.
pub fn read_region(
    array: &Array,
    region: &Region,
    out: &mut [u8],
    (memory_bytes_max, threads): (u64, u64),
    stop: &Stop,
) -> Result<ReadCost, RechunkError> {
    let (each, bytes) = (RegionReader::memory_bytes(array)?, region_bytes(array, region)?);
    let fit = memory_bytes_max / each.max(1);
    if fit == 0 {
        return Err(RechunkError::Budget { wanted: each, used: 0, max: memory_bytes_max });
    }
    let threads = threads.min(fit).min(bytes / THREAD_BYTES).max(1);
    if out.is_empty() || (threads == 1 && bytes <= ONE_GO_BYTES) {
        let mut reader = RegionReader::new(array)?;
        reader.read_into(region, out)?;
        return Ok(reader.cost());
    }
    let chunks = array.chunks()?;
    let item_bytes = chunks.item_bytes() as u64;
    let strides = Strides::c_order(region.clone(), item_bytes);
    assert_eq!(out.len() as u64, strides.bytes(), "a region fits its buffer");
    let pace = Pace::new(chunks.grid().chunk_shape(), item_bytes, threads);
    let reading = Reading {
        array,
        tile: &LentTile::new(out, strides, chunks.grid().clone(), chunks.item_bytes()),
        batches: Mutex::new(Batches::new(region, chunks.grid(), chunks.shards(), pace)),
        cost: Mutex::default(),
        failed: AtomicBool::new(false),
        stop,
    };
    work_off(&reading, (threads, threads), &NoProgress)?;
    stop.check().map_err(IoError::Stopped)?;
    Ok(reading.cost.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A region that is being read.
struct Reading<'a> {
    array: &'a Array,
    tile: &'a LentTile<'a>,
    batches: Mutex<Batches>,
    cost: Mutex<ReadCost>,
    failed: AtomicBool,
    stop: &'a Stop,
}

impl Work for Reading<'_> {
    type Worker<'w>
        = RegionReader<'w>
    where
        Self: 'w;
    type Task = Batch;

    fn worker<'w>(&'w self, _: Permit<'w>, _: bool) -> Result<RegionReader<'w>, RechunkError> {
        Ok(RegionReader::new(self.array)?)
    }

    fn next(&self) -> Option<Batch> {
        let over = self.failed.load(Ordering::Relaxed) || self.stop.is_requested();
        if over { None } else { self.batches.lock().unwrap_or_else(PoisonError::into_inner).next() }
    }

    fn step<'w>(&'w self, reader: &mut RegionReader<'w>, batch: Batch) -> Result<(), RechunkError> {
        let before = reader.cost();
        let Batch { object, chunks, first, count } = batch;
        reader.fill(self.tile, &object, &chunks, first..first + count)?;
        *self.cost.lock().unwrap_or_else(PoisonError::into_inner) += reader.cost().since(&before);
        Ok(())
    }

    fn stop(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}
