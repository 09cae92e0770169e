//! Copying stored objects as they are: nothing is decoded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zarrange_array::{Array, ArrayError, Elements, StoredCheck};
use zarrange_codec::{ArrayCodec, ShardIndex};
use zarrange_grid::{Dims, index};
use zarrange_io::{Access, Extent, IoError, ReadRequest, Source, WriteRequest};
use zarrange_plan::{COPIED_TOGETHER, copying};

use crate::RechunkError;
use crate::budget::{Budget, Buffer};
use crate::job::elements;
use crate::presence::{Look, Sparse};
use crate::progress::Progress;
use crate::report::{Counters, add};
use crate::threads::together;

/// Copies every object of `source` that exists to its key in `target`; where few do, only those are looked for. Each must be as long
/// as its codecs can make it; with `sums`, checksums of chunks must be right, too.
pub(crate) fn run(
    (source, target): (&Array, &Array),
    (threads, sparse, sums): (u64, Sparse, bool),
    budget: &Arc<Budget>,
    counters: &Counters,
    progress: &dyn Progress,
) -> Result<(), RechunkError> {
    let copied_elements = AtomicU64::new(0);
    let whole = Mutex::new(budget);
    let count = over_objects(source, (threads, sparse), (budget, progress), &|check, objects, buffer| {
        copy_batch((source, target), objects, (check, sums), (buffer, &whole), counters)?;
        let elements = objects.iter().map(|object| source.objects().region(object).elements()).sum();
        add(&copied_elements, elements);
        progress.advance(elements);
        Ok(())
    })?;
    counters.not_moved(source.objects().count() - count);
    progress.advance(elements(source).saturating_sub(copied_elements.into_inner()));
    Ok(())
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
pub(crate) fn check_shards(
    source: &Array,
    (threads, sparse): (u64, Sparse),
    (budget, progress): (&Arc<Budget>, &dyn Progress),
) -> Result<(), RechunkError> {
    let Ok(Elements { codec: ArrayCodec::Shards(codec), .. }) = source.elements() else { return Ok(()) };
    // And the order in which its chunks lie in the shard.
    let order_bytes = codec.grid().count().saturating_mul(size_of::<usize>() as u64);
    let index_bytes = ShardIndex::memory_bytes(codec.grid().count()).saturating_add(order_bytes);
    let threads = (budget.free() / 2).checked_div(index_bytes).unwrap_or(threads).clamp(1, threads);
    let _indexes = budget.lease(threads.saturating_mul(index_bytes))?;
    over_objects(source, (threads, sparse), (budget, progress), &|check, objects, buffer| {
        Ok(objects.iter().try_for_each(|object| check.shard(object, buffer))?)
    })?;
    Ok(())
}

/// Work on a few objects with a thread's buffer.
type Work<'a> = dyn Fn(&mut StoredCheck<'_>, &[Dims], &mut [u8]) -> Result<(), RechunkError> + Sync + 'a;

/// Does `work` on the objects of `source`, on all of those that are stored at least; how many they are.
fn over_objects(
    source: &Array,
    (threads, sparse): (u64, Sparse),
    (budget, progress): (&Arc<Budget>, &dyn Progress),
    work: &Work<'_>,
) -> Result<u64, RechunkError> {
    let (objects, memory) = (source.objects().count(), budget.free());
    let (most, bytes) = copying(objects, threads, memory);
    let look = Look { sparse, budget, needed_bytes: most.saturating_mul(bytes) };
    let stored = look.objects(&[source], source.objects());
    let count = stored.as_ref().map_or(objects, |stored| stored.items().len() as u64);
    let (threads, buffer_bytes) = copying(count, threads, memory);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let worker = || -> Result<(), RechunkError> {
        let Buffer { data: mut buffer, lease: _lease, .. } = budget.take(buffer_bytes)?;
        let (all, mut check) = (source.objects().all(), StoredCheck::new(source)?);
        loop {
            let first = next.fetch_add(COPIED_TOGETHER, Ordering::Relaxed);
            if first >= count || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let number = |k: u64| stored.as_ref().map_or(k, |stored| stored.items()[index(k)]);
            let numbers = (first..count.min(first + COPIED_TOGETHER)).map(number);
            let objects: Vec<Dims> = numbers.map(|number| all.unravel(number)).collect();
            work(&mut check, &objects, &mut buffer)?;
        }
    };
    let worker = |_| worker().inspect_err(|_| failed.store(true, Ordering::Relaxed));
    together(threads, progress, worker)?;
    Ok(count)
}

/// The memory for objects that a target takes only whole: one at a time.
type Whole<'a> = Mutex<&'a Arc<Budget>>;

/// Copies `objects` through `buffer`: small ones read in one batch and written in another, large ones each on its own.
fn copy_batch(
    (source, target): (&Array, &Array),
    objects: &[Dims],
    (check, sums): (&mut StoredCheck<'_>, bool),
    (buffer, whole): (&mut [u8], &Whole<'_>),
    counters: &Counters,
) -> Result<(), RechunkError> {
    let room = buffer.len() / objects.len().max(1);
    let from: Vec<String> = objects.iter().map(|object| source.key(object)).collect();
    let to: Vec<String> = objects.iter().map(|object| target.key(object)).collect();
    let mut large = Vec::new();
    if room > 0 {
        let pieces = buffer.chunks_mut(room);
        let mut reads: Vec<_> = from
            .iter()
            .zip(pieces)
            .map(|(key, piece)| ReadRequest::new(Source::Key(key), Extent::Whole, piece))
            .collect();
        source.store().read(&mut reads);
        let mut writes = Vec::new();
        for (k, request) in reads.into_iter().enumerate() {
            match request.result {
                Ok(bytes) => {
                    let stored = &request.buffer[..bytes];
                    let mut sum = check.begin(&objects[k], bytes as u64, sums)?;
                    if let Some(sum) = &mut sum {
                        sum.add(stored);
                    }
                    check.finish(&objects[k], sum)?;
                    add(&counters.bytes_read, bytes as u64);
                    writes.push(WriteRequest::whole(&to[k], stored, false));
                }
                Err(e) if e.is_not_found() => counters.moved(false),
                Err(IoError::TooLarge { .. }) => large.push(k),
                Err(e) => return Err(failed(source, &source.key(&objects[k]), e)),
            }
        }
        target.store().write(&mut writes);
        for request in writes {
            request.result.map_err(|e| failed(target, request.target.key(), e))?;
            add(&counters.bytes_written, request.data.len() as u64);
            counters.moved(true);
        }
    } else {
        large.extend(0..objects.len());
    }
    for object in large.into_iter().map(|k| &objects[k]) {
        let bytes = copy_object((source, target), object, (check, sums), (buffer, whole))?;
        add(&counters.bytes_read, bytes);
        add(&counters.bytes_written, bytes);
        counters.moved(bytes > 0);
    }
    Ok(())
}

fn failed(array: &Array, key: &str, source: IoError) -> RechunkError {
    ArrayError::ChunkIo { array: array.location().to_owned(), key: key.to_owned(), source }.into()
}

/// Copies one object through `buffer`, piece by piece; its bytes, 0 if it is missing.
fn copy_object(
    (source, target): (&Array, &Array),
    index: &Dims,
    (check, sums): (&mut StoredCheck<'_>, bool),
    (buffer, whole): (&mut [u8], &Whole<'_>),
) -> Result<u64, RechunkError> {
    let (from, to) = (&source.key(index), &target.key(index));
    let (read, write) = (source.store(), target.store());
    let Some(object) = read.open(from, Access::Read).map_err(|e| failed(source, from, e))? else {
        return Ok(0);
    };
    let os =
        |e| failed(source, from, IoError::Os { operation: "read size", location: from.clone(), source: e });
    let bytes = object.bytes().map_err(os)?;
    let mut sum = check.begin(index, bytes, sums)?;
    if !write.abilities().partial_writes {
        let budget = whole.lock().unwrap_or_else(PoisonError::into_inner);
        let what = "write parts of an object, and the memory does not hold all of this one";
        let unable = |_| failed(target, to, IoError::Unable { location: to.clone(), what });
        let mut whole = budget.take(bytes).map_err(unable)?;
        read.read_at(&object, 0, &mut whole.data).map_err(|e| failed(source, from, e))?;
        if let Some(sum) = &mut sum {
            sum.add(&whole.data);
        }
        check.finish(index, sum)?;
        write.write_whole(to, &whole.data).map_err(|e| failed(target, to, e))?;
        return Ok(bytes);
    }
    let no_room = || failed(target, to, IoError::NotFound { location: to.clone() });
    let copy = write.open(to, Access::Create).map_err(|e| failed(target, to, e))?.ok_or_else(no_room)?;
    for offset in (0..bytes).step_by(buffer.len()) {
        let step = (bytes - offset).min(buffer.len() as u64);
        let piece = &mut buffer[..zarrange_grid::index(step)];
        read.read_at(&object, offset, piece).map_err(|e| failed(source, from, e))?;
        if let Some(sum) = &mut sum {
            sum.add(piece);
        }
        write.write_at(&copy, offset, piece).map_err(|e| failed(target, to, e))?;
    }
    write.close(copy).map_err(|e| failed(target, to, e))?;
    check.finish(index, sum)?;
    Ok(bytes)
}
