//! What a place costs: latency and bandwidth by size of request, as the planner wants them (`StoreProfile`).
//!
//! Everything goes through `zarrange-io`, as the engine's own requests do, in a hidden directory below the place, which is
//! removed again. Random ranges of one large object are read, one at a time and in batches, each at most once in a turn that
//! begins with none of them in the page cache, where the cache can be told so and asked. Writes return when the page cache has
//! them, as those of the engine do; what the device takes is in the times until a sync. [`Measured`] turns the medians into a
//! profile.
//!
//! Rejected: direct I/O throughout, which needs no page cache to be dropped. The engine goes through the page cache unless it is
//! told otherwise, and a profile shall be of what the engine will meet; `direct` is a property of the opener here too.

mod codecs;
pub mod fit;
mod measured;

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail, ensure};
use zarrange_io::cache::{self, Dropped, Proof};
use zarrange_io::{
    Access, Change, Extent, IoError, Location, Object, Opener, ReadRequest, Source, Store, WriteRequest,
};

use zarrange_plan::bytes_text;

pub use codecs::codec_times;
use measured::number;
pub use measured::{BATCHES, Bulk, Cache, Measured, Row, Small};

use crate::random::Random;

/// Everything is measured so often, one after the other: what else the machine does for a while is in few of the times.
const TURNS: usize = 3;
/// Reads of a size in batches of one number at most, in a turn: more say nothing new.
const READS_MAX: usize = 2048;
/// Writes of a size at most, in a turn.
const WRITES_MAX: usize = 512;
/// The large object is written in so many parts, each made durable; one counts that was not disturbed.
const PARTS: usize = 4;
/// The parts are written in requests of this size, as long as the engine's batches.
const BLOCK_BYTES: usize = 1 << 20;
/// What reads past the page cache want of their buffer's address.
const ALIGNMENT: usize = 4096;

/// A few pages that are in use for a moment may stay: they are gone the next time.
const EVICTIONS_MAX: usize = 3;

/// Shares of the time.
const BULK_SHARE: f64 = 0.25;
const READS_SHARE: f64 = 0.45;
const WRITES_SHARE: f64 = 0.1;
const CREATIONS_SHARE: f64 = 0.1;
const OPENS_SHARE: f64 = 0.1;

/// Keys of the objects.
const LARGE: &str = "large";
const WRITTEN: &str = "written";
const SMALL: &str = "small";

/// How much is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Sizes of requests in bytes, ascending; small objects have the first.
    pub sizes_bytes: Vec<usize>,
    /// Bytes of the object that is read; less where writing takes too long.
    pub object_bytes: usize,
    /// Larger batches are left out.
    pub batch_bytes_max: usize,
    /// Bytes written in requests of one size, in a turn.
    pub writes_bytes_max: usize,
    /// Objects that are created and read again, in a turn.
    pub small_objects: usize,
    /// Time for all of it, about: where requests take long, one of each kind is measured nevertheless.
    pub time: Duration,
    /// Whether names are made cold too, which concerns the whole machine ([`cache::drop_names`]).
    pub drop_names: bool,
}

impl Default for Settings {
    /// 4 KiB to 16 MiB in 20 seconds, with at most 326 MiB at the place at once.
    fn default() -> Self {
        Self {
            sizes_bytes: (0..7).map(|k| (4 << 10) << (2 * k)).collect(),
            object_bytes: 256 << 20,
            batch_bytes_max: 64 << 20,
            writes_bytes_max: 64 << 20,
            small_objects: WRITES_MAX,
            time: Duration::from_secs(20),
            drop_names: true,
        }
    }
}

impl Settings {
    /// The most bytes that lie at the place at once.
    pub fn bytes_max(&self) -> usize {
        let small = TURNS * self.small_objects * self.sizes_bytes.first().unwrap_or(&0);
        self.object_bytes + self.writes_bytes_max + small
    }
}

/// Measures the place at `location`, which must exist.
///
/// # Errors
/// If there is no room, nothing can be written there, or a request fails. What was written is removed in any case.
pub fn probe(location: &Location, opener: &Opener, settings: &Settings) -> anyhow::Result<Measured> {
    let wanted = settings.bytes_max();
    if let Some(room) = location.room().filter(|room| room.bytes < wanted as u64) {
        let (mebibytes, free) = (wanted.div_ceil(1 << 20), bytes_text(room.bytes));
        bail!("a probe writes up to {mebibytes} MiB, but {free} are free at {location}: make room");
    }
    let scratch = Scratch::new(location, opener)?;
    let measured = Probe::new(&scratch, settings)?.measure()?;
    scratch.remove()?;
    Ok(measured)
}

/// A hidden directory at a place, removed at the end.
struct Scratch {
    place: Store,
    location: Location,
    key: String,
}

impl Scratch {
    fn new(location: &Location, opener: &Opener) -> anyhow::Result<Self> {
        let place = opener.open(location).context("a probe needs a directory that exists")?;
        // Several machines may share the place: the number of a process is not enough.
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let key = format!(".zarrange-probe-{}-{nanos}", std::process::id());
        Ok(Self { place, location: location.clone(), key })
    }

    fn store(&self) -> anyhow::Result<Store> {
        Ok(self.place.below(&self.key)?)
    }

    /// Drops what the page cache holds of `key` and below it.
    fn evict(&self, key: &str) -> anyhow::Result<Cache> {
        let Location::Path(path) = &self.location else { return Ok(Cache::None) };
        let path = path.join(&self.key).join(key);
        let mut left = None;
        for _ in 0..EVICTIONS_MAX {
            match cache::evict(&path)?.proof {
                Proof::Cold => return Ok(Cache::Cold),
                other => left = Some(other.to_string()),
            }
        }
        Ok(left.map_or(Cache::None, Cache::Unproven))
    }

    /// Removes it, and says so if that fails.
    fn remove(self) -> anyhow::Result<()> {
        Ok(self.place.change(Change::Remove(&self.key))?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // After an error, which is what is reported; or once more, when there is nothing left.
        let _ = self.place.change(Change::Remove(&self.key));
    }
}

/// A probe under way.
struct Probe<'a> {
    scratch: &'a Scratch,
    settings: &'a Settings,
    store: Store,
    random: Random,
    /// Bytes that do not compress, as many as the largest request has.
    data: Vec<u8>,
    /// Room for the largest batch, touched before anything is timed.
    buffer: Vec<u8>,
}

/// Times of requests of one size, of all turns.
#[derive(Default)]
struct OfSize {
    reads: [Vec<f64>; BATCHES.len()],
    cache: Cache,
    writes: Written,
}

/// Times of small objects, of all turns.
#[derive(Default)]
struct OfSmall {
    creations: Written,
    reads: Vec<f64>,
    cache: Cache,
}

/// Times of writes, and their shares in the syncs that followed.
#[derive(Default)]
struct Written {
    each: Vec<f64>,
    syncs: Vec<f64>,
}

impl<'a> Probe<'a> {
    fn new(scratch: &'a Scratch, settings: &'a Settings) -> anyhow::Result<Self> {
        let largest = settings.sizes_bytes.last().copied().unwrap_or(0);
        ensure!(
            largest > 0 && settings.sizes_bytes.is_sorted() && settings.object_bytes >= PARTS * largest,
            "sizes must ascend, and the large object hold {PARTS} of the largest"
        );
        let mut random = Random::new(42);
        let mut data = vec![0; largest];
        for word in data.chunks_mut(8) {
            word.copy_from_slice(&random.next().to_le_bytes()[..word.len()]);
        }
        let room = settings.batch_bytes_max.max(largest) + ALIGNMENT;
        Ok(Self { scratch, settings, store: scratch.store()?, random, data, buffer: vec![1; room] })
    }

    fn measure(mut self) -> anyhow::Result<Measured> {
        let bulk = self.bulk()?;
        let sizes = self.settings.sizes_bytes.iter();
        let mut sizes: Vec<_> = sizes.map(|bytes| (*bytes, OfSize::default())).collect();
        let mut small = OfSmall::default();
        for turn in 0..TURNS {
            for (bytes, times) in &mut sizes {
                self.reads(*bytes, bulk.bytes, times)?;
                self.writes(*bytes, &bulk, &mut times.writes)?;
            }
            self.small(&format!("{SMALL}/{turn}"), &mut small)?;
        }
        let bytes = self.settings.sizes_bytes[0];
        let rows = sizes.into_iter().map(|(bytes, times)| times.row(bytes)).collect::<anyhow::Result<_>>()?;
        Ok(Measured { backend: self.store.backend(), rows, bulk, small: small.measured(bytes)? })
    }

    /// Writes the large object in order, and makes it durable.
    fn bulk(&self) -> anyhow::Result<Bulk> {
        let clock = self.clock(BULK_SHARE);
        let part = self.settings.object_bytes / PARTS;
        let object = self.create(LARGE).with_context(|| {
            let mebibytes = self.settings.bytes_max().div_ceil(1 << 20);
            format!("a probe writes up to {mebibytes} MiB, for a short while, at a place where it may")
        })?;
        let block_bytes = BLOCK_BYTES.min(self.data.len());
        let (mut bytes, mut times) = (0, Vec::new());
        while times.len() < PARTS && (times.is_empty() || !clock.is_over()) {
            let end = bytes + part;
            let time = timed(|| {
                while bytes < end {
                    bytes += self.write_blocks(&object, block_bytes, bytes, end)?;
                }
                self.store.change(Change::Sync)
            })?;
            times.push(time / number(part));
        }
        let at_once = self.data.len() / block_bytes;
        Ok(Bulk { bytes, block_bytes, at_once, ns_per_byte: median(times)? })
    }

    /// Writes all data, or less of it at the end of a part, in one batch of blocks. The bytes written.
    fn write_blocks(
        &self,
        object: &Object,
        block: usize,
        begin: usize,
        end: usize,
    ) -> Result<usize, IoError> {
        let data = &self.data[..self.data.len().min(end - begin)];
        let offsets = (begin as u64..).step_by(block);
        let requests = data.chunks(block).zip(offsets);
        let mut batch: Vec<_> =
            requests.map(|(data, offset)| WriteRequest::at(object, offset, data)).collect();
        self.store.write(&mut batch);
        batch.into_iter().try_for_each(|request| request.result)?;
        object.begin_writeback(begin as u64, data.len() as u64);
        Ok(data.len())
    }

    /// Reads ranges of the large object in batches of every number that is not too many bytes.
    fn reads(&mut self, bytes: usize, object_bytes: usize, times: &mut OfSize) -> anyhow::Result<()> {
        for (times_of_batch, batch) in times.reads.iter_mut().zip(BATCHES) {
            if batch * bytes <= self.settings.batch_bytes_max.min(object_bytes) {
                times.cache.add(self.scratch.evict(LARGE)?);
                self.batches(bytes, batch, object_bytes, times_of_batch)?;
            }
        }
        Ok(())
    }

    /// Reads batches at random places of the large object, none twice.
    fn batches(
        &mut self,
        bytes: usize,
        batch: usize,
        object_bytes: usize,
        times: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        let clock = self.clock(READS_SHARE / number(TURNS * self.settings.sizes_bytes.len() * BATCHES.len()));
        // Opened after the eviction: pages that are mapped stay.
        let object = self.store.open(LARGE, Access::Read)?.context("the large object was written")?;
        let places = object_bytes / bytes;
        let places = self.random.distinct(places.min(READS_MAX), places as u64);
        let aligned = self.buffer.as_ptr().align_offset(ALIGNMENT);
        let source = Source::Open(&object);
        for places in places.chunks_exact(batch) {
            let requests = places.iter().zip(self.buffer[aligned..].chunks_mut(bytes));
            let mut requests: Vec<_> = requests
                .map(|(place, buffer)| ReadRequest::new(source, Extent::From(place * bytes as u64), buffer))
                .collect();
            times.push(timed(|| {
                self.store.read(&mut requests);
                Ok(())
            })?);
            requests.into_iter().try_for_each(|request| request.result.map(|_| ()))?;
            if clock.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// Writes into an open object, one after the other, and makes them durable.
    fn writes(&self, bytes: usize, bulk: &Bulk, times: &mut Written) -> anyhow::Result<()> {
        let clock = self.clock(WRITES_SHARE / number(TURNS * self.settings.sizes_bytes.len()));
        let object = self.create(WRITTEN)?;
        // What was emptied is not a part of this.
        self.store.change(Change::Sync)?;
        let affordable = clock.limit.as_secs_f64() * 1e9 / bulk.ns_per_byte;
        let (mut end, mut written) = (0, Vec::new());
        while written.len() < WRITES_MAX {
            written.push(timed(|| self.store.write_at(&object, end as u64, &self.data[..bytes]))?);
            end += bytes;
            let next = end + bytes;
            if next > self.settings.writes_bytes_max || number(next) > affordable || clock.is_over() {
                break;
            }
        }
        self.make_durable(written, times)
    }

    /// Small objects: created one after the other, then opened and read in another order.
    fn small(&mut self, place: &str, times: &mut OfSmall) -> anyhow::Result<()> {
        let bytes = self.settings.sizes_bytes[0];
        let (clock, mut created) = (self.clock(CREATIONS_SHARE / number(TURNS)), Vec::new());
        while created.len() < self.settings.small_objects && (created.is_empty() || !clock.is_over()) {
            let name = format!("{place}/{}", created.len());
            created.push(timed(|| self.store.write_whole(&name, &self.data[..bytes]))?);
        }
        let objects = created.len();
        self.make_durable(created, &mut times.creations)?;

        times.cache.add(self.forget(place)?);
        let (clock, mut found) = (self.clock(OPENS_SHARE / number(TURNS)), None);
        for name in self.random.distinct(objects, objects as u64) {
            let (name, buffer) = (format!("{place}/{name}"), &mut self.buffer[..bytes]);
            times.reads.push(timed(|| self.store.read_whole(&name, buffer).map(|read| found = read))?);
            ensure!(found == Some(bytes), "{name} is not what was written");
            if clock.is_over() {
                break;
            }
        }
        Ok(())
    }

    /// Drops what the kernel keeps of objects at `place`, bytes and names.
    fn forget(&self, place: &str) -> anyhow::Result<Cache> {
        let cache = self.scratch.evict(place)?;
        if cache != Cache::Cold {
            return Ok(cache);
        }
        Ok(match self.settings.drop_names.then(cache::drop_names) {
            Some(Dropped::Done) => Cache::Cold,
            Some(Dropped::Refused { reason }) => Cache::Unproven(format!("names were not dropped: {reason}")),
            None => Cache::Unproven("names were not dropped".to_owned()),
        })
    }

    /// Waits until the writes that took `written` are durable, and adds them to `times`.
    fn make_durable(&self, written: Vec<f64>, times: &mut Written) -> anyhow::Result<()> {
        times.syncs.push(timed(|| self.store.change(Change::Sync))? / number(written.len()));
        times.each.extend(written);
        Ok(())
    }

    fn create(&self, key: &str) -> anyhow::Result<Object> {
        self.store.open(key, Access::Create)?.context("what is created can be opened")
    }

    /// A clock for a share of the time.
    fn clock(&self, share: f64) -> Clock {
        Clock { begin: Instant::now(), limit: self.settings.time.mul_f64(share) }
    }
}

impl OfSize {
    fn row(self, bytes: usize) -> anyhow::Result<Row> {
        let reads_ns = self.reads.map(|times| median(times).ok());
        let (write_ns, durable_ns) = self.writes.medians()?;
        Ok(Row { bytes, cache: self.cache, reads_ns, write_ns, durable_ns })
    }
}

impl OfSmall {
    fn measured(self, bytes: usize) -> anyhow::Result<Small> {
        let objects = self.creations.each.len();
        let (create_ns, durable_ns) = self.creations.medians()?;
        Ok(Small { objects, bytes, create_ns, durable_ns, read_ns: median(self.reads)?, cache: self.cache })
    }
}

impl Written {
    /// The median time of a write, and that with a share of the sync.
    fn medians(self) -> anyhow::Result<(f64, f64)> {
        let each = median(self.each)?;
        Ok((each, each + median(self.syncs)?))
    }
}

/// Says when the time for something is over.
struct Clock {
    begin: Instant,
    limit: Duration,
}

impl Clock {
    fn is_over(&self) -> bool {
        self.begin.elapsed() > self.limit
    }
}

/// Nanoseconds that `work` takes.
fn timed(work: impl FnOnce() -> Result<(), IoError>) -> Result<f64, IoError> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64() * 1e9)
}

fn median(mut times: Vec<f64>) -> anyhow::Result<f64> {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let upper = *times.get(middle).context("nothing was measured")?;
    Ok(if times.len().is_multiple_of(2) { f64::midpoint(times[middle - 1], upper) } else { upper })
}
