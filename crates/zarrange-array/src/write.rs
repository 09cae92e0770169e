//! Writing: shards as streams, and metadata last.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zarrange_codec::{ArrayCodec, Scratch, ShardCodec, ShardIndex};
use zarrange_grid::{Layout, Region, copy_region, fill_with, index, is_filled};
use zarrange_io::{Access, Change, IoError, Object, Replacement, Store, WriteRequest};

use crate::ArrayError;
use crate::array::Array;
use crate::document::{CONSOLIDATED, Watch, keep, read_object};
use crate::hierarchy::Group;
use crate::json::{Fields, write_consolidated, write_fields};
use crate::read::BATCH_BYTES;

/// A shard smaller than this takes its room as it is written.
const RESERVE_BYTES_MIN: u64 = 4 << 20;
/// Room is taken in steps of at most this: what is too much is given back when the shard is complete.
const RESERVE_BYTES_MAX: u64 = 64 << 20;

/// Chunks to be written together, for one thread.
#[derive(Debug)]
pub struct ChunkWriter<'a> {
    array: &'a Array,
    /// The keys one after the other; where each ends, and where its chunk ends in the buffer.
    keys: String,
    ends: Vec<(usize, usize)>,
    requests: Vec<WriteRequest<'static>>,
}

impl<'a> ChunkWriter<'a> {
    /// A writer of chunks of `array`, which has no shards.
    pub const fn new(array: &'a Array) -> Self {
        Self { array, keys: String::new(), ends: Vec::new(), requests: Vec::new() }
    }

    /// Notes that the next `bytes` of the buffer are chunk `chunk`.
    pub fn push(&mut self, chunk: &[u64], bytes: usize) {
        self.array.keys().append(chunk, &mut self.keys);
        self.ends.push((self.keys.len(), self.bytes() + bytes));
    }

    /// Bytes of the buffer that are noted.
    pub fn bytes(&self) -> usize {
        self.ends.last().map_or(0, |(_, end)| *end)
    }

    /// Writes what was noted in one batch, and forgets it.
    ///
    /// # Errors
    /// [`ArrayError::ChunkIo`].
    pub fn write(&mut self, encoded: &[u8]) -> Result<(), ArrayError> {
        let mut batch = WriteRequest::recycle(std::mem::take(&mut self.requests));
        let starts = std::iter::once((0, 0)).chain(self.ends.iter().copied());
        batch.extend(starts.zip(&self.ends).map(|((key, data), (key_end, data_end))| {
            WriteRequest::whole(&self.keys[key..*key_end], &encoded[data..*data_end], false)
        }));
        self.array.store().write(&mut batch);
        let failed = batch.iter_mut().find_map(|request| {
            let source = std::mem::replace(&mut request.result, Ok(())).err()?;
            let key = request.target.key().to_owned();
            let array = self.array.location().to_owned();
            Some(ArrayError::ChunkIo { array, key, source })
        });
        self.requests = WriteRequest::recycle(batch);
        self.keys.clear();
        self.ends.clear();
        failed.map_or(Ok(()), Err)
    }
}

/// What a shard will hold: inner chunks in any order, then the index. The bytes go to its [`ShardFile`].
#[derive(Debug)]
pub struct ShardWriter {
    index: ShardIndex,
    end: u64,
}

/// The open object of a shard; threads write their inner chunks to it at the same time.
#[derive(Debug)]
pub struct ShardFile {
    store: Store,
    object: Object,
    /// Up to here the store was asked to have room.
    reserved: AtomicU64,
}

impl ShardFile {
    /// Creates the object of shard `shard` of `array`.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(array: &Array, shard: &[u64]) -> Result<Arc<Self>, ArrayError> {
        let mut key = String::new();
        array.keys().write(shard, &mut key);
        let store = array.store().clone();
        let object = store.open(&key, Access::Create)?;
        let object =
            object.ok_or_else(|| IoError::NotFound { location: format!("{}/{key}", store.label()) })?;
        Ok(Arc::new(Self { store, object, reserved: AtomicU64::new(0) }))
    }

    /// Writes `data` at an offset that [`ShardWriter::reserve`] gave.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), ArrayError> {
        self.reserve(offset, data.len() as u64);
        Ok(self.store.write_at(&self.object, offset, data)?)
    }

    /// Takes room ahead of what is written: as much again, in steps that are worth a call.
    fn reserve(&self, offset: u64, bytes: u64) {
        let (end, reserved) = (offset + bytes, self.reserved.load(Ordering::Relaxed));
        if end > RESERVE_BYTES_MIN && end > reserved {
            let (start, bytes) = (reserved.max(offset), end.min(RESERVE_BYTES_MAX).max(bytes));
            // Where it is not done, it is not asked for again.
            let now = if self.object.reserve(start, bytes) { start + bytes } else { u64::MAX };
            self.reserved.store(now, Ordering::Relaxed);
        }
    }

    /// Gives back what was reserved and not written.
    fn trim(&self) {
        if !matches!(self.reserved.load(Ordering::Relaxed), 0 | u64::MAX) {
            self.object.trim();
        }
    }

    /// Begins to make a range durable without waiting for it.
    pub fn begin_writeback(&self, offset: u64, bytes: u64) {
        self.object.begin_writeback(offset, bytes);
    }
}

impl ShardWriter {
    /// A shard of `array`, of which nothing is stored yet.
    ///
    /// # Errors
    /// If the array has no shards.
    pub fn new(array: &Array) -> Result<Self, ArrayError> {
        let codec = shard_codec(array)?;
        Ok(Self { index: ShardIndex::empty(index(codec.grid().count())), end: codec.data_offset() })
    }

    /// Takes room for inner chunk `inner` of `bytes`; its offset.
    pub fn reserve(&mut self, inner: u64, bytes: u64) -> u64 {
        let offset = self.end;
        self.index.set(index(inner), offset, bytes);
        self.end += bytes;
        offset
    }

    /// Writes the index to the shard's `file`, and closes that; the shard is then complete. Returns the bytes of the index.
    ///
    /// # Errors
    /// If it cannot be written, or if somebody still has the file.
    pub fn finish(self, array: &Array, file: Arc<ShardFile>) -> Result<u64, ArrayError> {
        let codec = shard_codec(array)?;
        let mut encoded = vec![0; codec.index_bytes()];
        codec.encode_index(&self.index, &mut encoded);
        let offset = if codec.data_offset() == 0 { self.end } else { 0 };
        file.write(offset, &encoded)?;
        file.trim();
        match Arc::into_inner(file) {
            Some(ShardFile { store, object, .. }) => store.close(object)?,
            None => return Err(in_use(array)),
        }
        Ok(encoded.len() as u64)
    }
}

/// A shard cannot be complete while somebody may write to it.
fn in_use(array: &Array) -> ArrayError {
    let (location, source) = (array.location().to_owned(), std::io::ErrorKind::ResourceBusy.into());
    IoError::Os { operation: "close a shard", location, source }.into()
}

fn shard_codec(array: &Array) -> Result<&ShardCodec, ArrayError> {
    match &array.elements()?.codec {
        ArrayCodec::Shards(codec) => Ok(codec),
        ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => {
            let detail = "the array has no shards".to_owned();
            Err(ArrayError::Opaque { array: array.location().to_owned(), detail })
        }
    }
}

impl Array {
    /// Writes `data`, the elements of `region` in C order; the region is made of whole chunks (up to the array's edge), the
    /// array has no shards. Chunks of nothing but the fill value are left out.
    ///
    /// # Errors
    /// If a chunk cannot be encoded or written, or the array has shards.
    pub fn write_region(
        &self,
        region: &Region,
        data: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(), ArrayError> {
        let elements = self.elements()?;
        let (chain, item) = (elements.chain(), elements.item_bytes());
        if !matches!(elements.codec, ArrayCodec::Chunks(_)) {
            let detail =
                "a region can only be written to an array of whole chunks, without shards".to_owned();
            return Err(ArrayError::Opaque { array: self.location().to_owned(), detail });
        }
        let from = Layout::c_order(region.clone(), item as u64);
        let chunks = self.objects().covering(region);
        let (room, mut writer) = (chain.encoded_bytes_max(), ChunkWriter::new(self));
        let together = index(chunks.elements()).clamp(1, 1 + BATCH_BYTES / room);
        let (mut plain, mut encoded) = (vec![0; chain.chunk_bytes()], vec![0; room * together]);
        for chunk in (0..chunks.elements()).map(|k| chunks.unravel(k)) {
            let part = self.objects().region(&chunk);
            if part.shape() != self.objects().chunk_shape() {
                fill_with(&mut plain, &elements.fill);
            }
            let to = Layout::c_order(self.objects().cell(&chunk), item as u64);
            copy_region(&part, (data, &from), (&mut plain, &to), item);
            if is_filled(&plain, &elements.fill) {
                // What was stored before must not show through.
                self.store().change(Change::Remove(&self.key(&chunk)))?;
                continue;
            }
            if encoded.len() - writer.bytes() < room {
                writer.write(&encoded)?;
            }
            let bytes = chain.encode(&plain, &mut encoded[writer.bytes()..], scratch);
            let bytes = bytes.map_err(|source| {
                let (array, key) = (self.location().to_owned(), self.key(&chunk));
                ArrayError::Chunk { array, key, source }
            })?;
            writer.push(&chunk, bytes);
        }
        writer.write(&encoded)
    }

    /// Writes the array's `zarr.json`: from now on readers find it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_metadata(&self) -> Result<(), ArrayError> {
        put_document(self.store(), |out| write_fields(self.document().members(), 0, None, out))
    }
}

/// Writes the `zarr.json` of arrays first and of groups last, so that a group that can be opened is complete. Paths are
/// relative to `root`; `consolidated` repeats all documents in the root group's.
///
/// # Errors
/// If a document cannot be written.
pub fn publish_metadata(
    root: &Store,
    arrays: &[(String, &Array)],
    groups: &[(String, Group)],
    consolidated: bool,
) -> Result<(), ArrayError> {
    for (_, array) in arrays.iter().rev() {
        array.write_metadata()?;
    }
    let explicit = || groups.iter().filter(|(_, group)| !group.is_implicit());
    let arrays = arrays.iter().map(|(path, _)| path.as_str());
    let documented: BTreeSet<&str> = arrays.chain(explicit().map(|(path, _)| path.as_str())).collect();
    // Children before parents: the root is last.
    for (path, group) in explicit().rev() {
        let repeats = if path.is_empty() { consolidated } else { group.is_consolidated() };
        publish_group(root, (path, group), repeats.then_some(&documented))?;
    }
    Ok(())
}

/// Writes the `zarr.json` of the group at `path`; those of `repeated` that lie below it are repeated in it as they are stored by now.
///
/// # Errors
/// If a document cannot be read or written.
pub fn publish_group(
    root: &Store,
    (path, group): (&str, &Group),
    repeated: Option<&BTreeSet<&str>>,
) -> Result<(), ArrayError> {
    let store = root.below(path)?;
    let below = |inner: &str| match path {
        "" => Some(inner.to_owned()).filter(|inner| !inner.is_empty()),
        path => inner.strip_prefix(path)?.strip_prefix('/').map(str::to_owned),
    };
    let Some(repeated) = repeated else {
        return put_document(&store, |out| write_fields(group.members(), 0, None, out));
    };
    let mut failed = None;
    let mut inline = |out: &mut Pieces, depth: usize| {
        let entries = repeated.iter().filter_map(|inner| below(inner));
        let each = |inner: String, depth: usize, out: &mut Pieces| match document_below(&store, &inner) {
            Ok(members) => write_fields(&members, depth, None, out),
            Err(error) => {
                failed = Some(error);
                Err(fmt::Error)
            }
        };
        write_consolidated(entries, each, depth, out)
    };
    let written =
        put_document(&store, |out| write_fields(group.members(), 0, Some((CONSOLIDATED, &mut inline)), out));
    failed.map_or(written, Err)
}

/// The document of a member, without what it repeats itself.
fn document_below(store: &Store, path: &str) -> Result<Fields, ArrayError> {
    let store = store.below(path)?;
    let members = read_object(&store, "zarr.json", &mut Watch::new(), keep)?;
    let mut members = members.ok_or_else(|| ArrayError::NotZarr { location: store.label().to_owned() })?;
    members.shift_remove(CONSOLIDATED);
    Ok(members)
}

/// Replaces `zarr.json` by what `write` writes.
fn put_document(store: &Store, write: impl FnOnce(&mut Pieces) -> fmt::Result) -> Result<(), ArrayError> {
    let mut pieces = Pieces { replacement: store.replacement("zarr.json"), failed: None };
    let written = write(&mut pieces);
    let Pieces { replacement, failed } = pieces;
    match failed.map(std::io::Error::downcast::<IoError>) {
        Some(Ok(error)) => Err(error.into()),
        Some(Err(source)) => {
            let location = format!("{}/zarr.json", store.label());
            Err(IoError::Os { operation: "write", location, source }.into())
        }
        // Somebody else's error, who tells it.
        None if written.is_err() => Err(ArrayError::NotZarr { location: store.label().to_owned() }),
        None => Ok(replacement.finish()?),
    }
}

/// Text on its way to a store.
pub(crate) struct Pieces {
    replacement: Replacement,
    failed: Option<std::io::Error>,
}

impl fmt::Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.replacement.write_all(text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}
