//! Copying stored objects as they are: nothing is decoded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zarrange_array::{Array, ArrayError, StoredCheck};
use zarrange_codec::{ArrayCodec, ShardIndex, SumCheck};
use zarrange_grid::Dims;
use zarrange_io::{Access, Extent, IoError, Object, ReadRequest, Source, WriteRequest};
use zarrange_plan::{COPIED_TOGETHER, Counts, Parts, copying};

use crate::engine::budget::{Budget, Lease};
use crate::engine::context::{Context, LookAt, elements};
use crate::engine::crew::{Work, work_off};
use crate::engine::objects::{ObjectWalk, Taken};
use crate::engine::parts::{Alone, Recorded, StageParts};
use crate::engine::permits::Permit;
use crate::engine::presence::Look;
use crate::error::RechunkError;

/// Copies every object of `source` that exists to its key in `target`; where few do, only those are looked for. Each must be as long
/// as its codecs can make it; where asked for, checksums of chunks must be right, too.
pub(crate) fn run(
    source: &Array,
    target: &Array,
    parts: Parts,
    context: &Context<'_>,
) -> Result<(), RechunkError> {
    let parts = StageParts::only(parts, context.ledger, context.recorded);
    let (copied_elements, whole) = (AtomicU64::new(0), Mutex::new(()));
    let work = |check: &mut StoredCheck<'_>, taken: &Taken<'_>, buffer: &mut [u8]| {
        let Context { budget, look, shared, .. } = *context;
        let sums = look == LookAt::Sums;
        let whole = &whole;
        let mut batch =
            Copy { source, target, whole, budget, check, sums, replaces: shared, counts: Counts::default() };
        batch.copy(&taken.objects, buffer)?;
        taken.part.count(batch.counts);
        let elements = taken.objects.iter().map(|object| source.objects().region(object).elements()).sum();
        copied_elements.fetch_add(elements, Ordering::Relaxed);
        context.progress.advance(elements);
        Ok(())
    };
    let visited = over_objects(source, &parts, context, context.threads, &work)?;
    if let Some(visited) = visited {
        let mut counts = Counts::default();
        counts.not_moved(source.objects().count() - visited);
        context.recorded.add(counts);
    }
    context.progress.advance(elements(source).saturating_sub(copied_elements.into_inner()));
    Ok(())
}

/// The parts of copying an array whose elements may not be known.
pub(crate) fn parts(source: &Array, part_bytes: u64) -> Parts {
    /// What an element may take, where nobody knows.
    const ELEMENT_BYTES: u64 = 32;
    let objects = source.objects();
    let item_bytes = source.elements().map_or(ELEMENT_BYTES, |elements| elements.item_bytes() as u64);
    let bytes = objects.chunk_shape().iter().fold(item_bytes, |n, c| n.saturating_mul(*c));
    Parts::new(objects.count(), bytes, part_bytes)
}

/// Whether the stored objects of one array may be those of the other.
pub(crate) fn is_copy(source: &Array, target: &Array) -> bool {
    match (source.elements(), target.elements()) {
        (Ok(from), Ok(to)) => from.layout == to.layout && source.objects() == target.objects(),
        _ => false,
    }
}

/// Checks the shards of an array that were copied as they are: their indexes, and what can be told of their inner chunks without
/// decoding them.
pub(crate) fn check_shards(source: &Array, context: &Context<'_>) -> Result<(), RechunkError> {
    let Ok(elements) = source.elements() else { return Ok(()) };
    let ArrayCodec::Shards(codec) = &elements.codec else { return Ok(()) };
    // And the order in which its chunks lie in the shard.
    let order_bytes = codec.grid().count().saturating_mul(size_of::<usize>() as u64);
    let index_bytes = ShardIndex::memory_bytes(codec.grid().count()).saturating_add(order_bytes);
    let budget = context.budget;
    let threads =
        (budget.free() / 2).checked_div(index_bytes).unwrap_or(context.threads).clamp(1, context.threads);
    let _indexes = budget.lease(threads.saturating_mul(index_bytes))?;
    let (recorded, parts) = (Recorded::default(), Parts::new(source.objects().count(), 1, u64::MAX));
    let parts = StageParts::only(parts, &Alone, &recorded);
    over_objects(source, &parts, context, threads, &|check, taken, buffer| {
        Ok(taken.objects.iter().try_for_each(|object| check.shard(object, buffer))?)
    })?;
    Ok(())
}

/// Work on a few objects with a worker's buffer.
type OnObjects<'a> =
    dyn Fn(&mut StoredCheck<'_>, &Taken<'_>, &mut [u8]) -> Result<(), RechunkError> + Sync + 'a;

/// Does `work` on the objects of `source`, on all of those that are stored at least; how many they are, unless parts were left out.
fn over_objects(
    source: &Array,
    parts: &StageParts<'_>,
    context: &Context<'_>,
    threads: u64,
    work: &OnObjects<'_>,
) -> Result<Option<u64>, RechunkError> {
    let (objects, memory) = (source.objects().count(), context.budget.free());
    let (most, bytes) = copying(objects, threads, memory);
    let needed_bytes = most.saturating_mul(bytes);
    let look = Look { sparse: context.sparse, budget: context.budget, needed_bytes };
    let stored = look.objects(&[source], source.objects());
    let count = stored.as_ref().map_or(objects, |stored| stored.items().len() as u64);
    let (threads, buffer_bytes) = copying(count, threads, memory);
    let walk = ObjectWalk::new(source.objects(), stored, parts);
    let copying = Copying { source, walk, buffer_bytes, context, work };
    work_off(&copying, (threads, threads), context.progress)?;
    Ok((!copying.walk.left_out()).then_some(count))
}

struct Copying<'a> {
    source: &'a Array,
    walk: ObjectWalk<'a>,
    buffer_bytes: u64,
    context: &'a Context<'a>,
    work: &'a OnObjects<'a>,
}

/// One worker's means.
struct Hand<'w> {
    buffer: Vec<u8>,
    check: StoredCheck<'w>,
    permit: Permit<'w>,
    _lease: Lease,
}

impl<'a> Work for Copying<'a> {
    type Worker<'w>
        = Hand<'w>
    where
        Self: 'w;
    type Task = Taken<'a>;

    fn worker<'w>(&'w self, permit: Permit<'w>, _: bool) -> Result<Hand<'w>, RechunkError> {
        let buffer = self.context.budget.take(self.buffer_bytes)?;
        Ok(Hand { buffer: buffer.data, check: StoredCheck::new(self.source)?, permit, _lease: buffer.lease })
    }

    fn next(&self) -> Option<Taken<'a>> {
        self.walk.take(COPIED_TOGETHER)
    }

    fn step<'w>(&'w self, hand: &mut Hand<'w>, taken: Taken<'a>) -> Result<(), RechunkError> {
        hand.permit.hold();
        (self.work)(&mut hand.check, &taken, &mut hand.buffer)?;
        taken.part.finish(taken.objects.len() as u64);
        hand.permit.release();
        Ok(())
    }

    fn stop(&self) {
        self.walk.stop();
    }
}

/// A few objects on their way.
struct Copy<'c, 'a> {
    source: &'c Array,
    target: &'c Array,
    /// Objects that the target takes only whole are held in memory one at a time.
    whole: &'c Mutex<()>,
    budget: &'c Arc<Budget>,
    check: &'c mut StoredCheck<'a>,
    /// Whether checksums are looked at.
    sums: bool,
    /// Others may write the same objects at the same time.
    replaces: bool,
    counts: Counts,
}

impl Copy<'_, '_> {
    /// Copies `objects` through `buffer`: small ones read in one batch and written in another, large ones each on its own.
    fn copy(&mut self, objects: &[Dims], buffer: &mut [u8]) -> Result<(), RechunkError> {
        let room = buffer.len() / objects.len().max(1);
        let large =
            if room > 0 { self.copy_small(objects, room, buffer)? } else { (0..objects.len()).collect() };
        for object in large.into_iter().map(|k| &objects[k]) {
            self.copy_large(object, buffer)?;
        }
        Ok(())
    }

    /// Copies those of `objects` that fit `room`; which are larger.
    fn copy_small(
        &mut self,
        objects: &[Dims],
        room: usize,
        buffer: &mut [u8],
    ) -> Result<Vec<usize>, RechunkError> {
        let (source, target) = (self.source, self.target);
        let from: Vec<String> = objects.iter().map(|object| source.key(object)).collect();
        let to: Vec<String> = objects.iter().map(|object| target.key(object)).collect();
        let mut reads = Vec::with_capacity(objects.len());
        for (key, place) in from.iter().zip(buffer.chunks_mut(room)) {
            reads.push(ReadRequest::new(Source::Key(key), Extent::Whole, place));
        }
        source.store().read(&mut reads);
        let (mut writes, mut large) = (Vec::new(), Vec::new());
        for (k, request) in reads.into_iter().enumerate() {
            match request.result {
                Ok(bytes) => {
                    let stored = &request.buffer[..bytes];
                    let mut sum = self.check.begin(&objects[k], bytes as u64, self.sums)?;
                    if let Some(sum) = &mut sum {
                        sum.add(stored);
                    }
                    self.check.finish(&objects[k], sum)?;
                    writes.push(WriteRequest::whole(&to[k], stored, self.replaces));
                }
                Err(e) if e.is_not_found() => self.counts.not_moved(1),
                Err(IoError::TooLarge { .. }) => large.push(k),
                Err(e) => return Err(failed(source, &source.key(&objects[k]), e)),
            }
        }
        target.store().write(&mut writes);
        for request in writes {
            request.result.map_err(|e| failed(target, request.target.key(), e))?;
            let bytes = request.data.len() as u64;
            self.counts.moved(bytes, bytes);
        }
        Ok(large)
    }

    /// Copies one object through `buffer`, piece by piece, if it is stored.
    fn copy_large(&mut self, object: &Dims, buffer: &mut [u8]) -> Result<(), RechunkError> {
        let (source, target) = (self.source, self.target);
        let (from, to) = (&source.key(object), &target.key(object));
        let (read, write) = (source.store(), target.store());
        let Some(stored) = read.open(from, Access::Read).map_err(|e| failed(source, from, e))? else {
            self.counts.not_moved(1);
            return Ok(());
        };
        let os = |e| {
            failed(source, from, IoError::Os { operation: "read size", location: from.clone(), source: e })
        };
        let bytes = stored.bytes().map_err(os)?;
        let mut sum = self.check.begin(object, bytes, self.sums)?;
        if !(write.abilities().partial_writes && read.abilities().partial_reads) {
            return self.copy_whole(object, &stored, bytes, sum);
        }
        let copy = write.make(to, self.replaces).map_err(|e| failed(target, to, e))?;
        for offset in (0..bytes).step_by(buffer.len()) {
            let step = (bytes - offset).min(buffer.len() as u64);
            let piece = &mut buffer[..zarrange_grid::index(step)];
            read.read_at(&stored, offset, piece).map_err(|e| failed(source, from, e))?;
            if let Some(sum) = &mut sum {
                sum.add(piece);
            }
            write.write_at(&copy, offset, piece).map_err(|e| failed(target, to, e))?;
        }
        copy.finish().map_err(|e| failed(target, to, e))?;
        self.check.finish(object, sum)?;
        self.counts.moved(bytes, bytes);
        Ok(())
    }
}

impl Copy<'_, '_> {
    /// Copies one object at once.
    fn copy_whole(
        &mut self,
        object: &Dims,
        stored: &Object,
        bytes: u64,
        mut sum: Option<SumCheck>,
    ) -> Result<(), RechunkError> {
        let (source, target) = (self.source, self.target);
        let to = target.key(object);
        let _one = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let what = "move an object in parts, and the memory does not hold all of this one: more would do";
        let unable = |_| failed(target, &to, IoError::Unable { location: to.clone(), what });
        let mut whole = self.budget.take(bytes).map_err(unable)?;
        let read = source.store().read_at(stored, 0, &mut whole.data);
        read.map_err(|e| failed(source, stored.key(), e))?;
        if let Some(sum) = &mut sum {
            sum.add(&whole.data);
        }
        self.check.finish(object, sum)?;
        let mut write = [WriteRequest::whole(&to, &whole.data, self.replaces)];
        target.store().write(&mut write);
        let [WriteRequest { result, .. }] = write;
        result.map_err(|e| failed(target, &to, e))?;
        self.counts.moved(bytes, bytes);
        Ok(())
    }
}

fn failed(array: &Array, key: &str, source: IoError) -> RechunkError {
    ArrayError::ChunkIo { array: array.location().to_owned(), key: key.to_owned(), source }.into()
}
