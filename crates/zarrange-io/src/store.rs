//! A place opened: the conveniences over one backend and its names.

use std::sync::Arc;

use crate::backend::{
    Abilities, Access, Backend, Change, Entry, Extent, FileId, Mark, Namespace, Object, ReadRequest, Seen,
    Source, Visit, WriteRequest,
};
use crate::backends::directory::temporary;
use crate::{Coalescing, IoError, key};

/// The largest metadata document that is read; real ones are a few kilobytes.
pub const METADATA_BYTES_MAX: u64 = 16 << 20;

/// Keys below one place, and the backend that reads and writes them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Arc<dyn Backend>,
    names: Arc<dyn Namespace>,
    label: String,
    /// Its key in the backend.
    within: String,
    coalescing: Coalescing,
}

impl Store {
    /// The store of the objects that `names` names and `backend` reads and writes, called `label` in messages.
    pub const fn new(
        backend: Arc<dyn Backend>,
        names: Arc<dyn Namespace>,
        label: String,
        coalescing: Coalescing,
    ) -> Self {
        Self { backend, names, label, within: String::new(), coalescing }
    }

    /// The same store behind a wrapper, which gets the backend and the names that it wraps.
    #[must_use]
    pub fn wrapped<W: Backend + Namespace + 'static>(
        self,
        wrap: impl FnOnce(Arc<dyn Backend>, Arc<dyn Namespace>) -> Arc<W>,
    ) -> Self {
        let wrapped = wrap(self.backend, self.names);
        Self { backend: wrapped.clone(), names: wrapped, ..self }
    }

    /// The same store, keys relative to `key`.
    ///
    /// # Errors
    /// [`IoError::BadKey`].
    pub fn below(&self, key: &str) -> Result<Self, IoError> {
        key::check(key)?;
        let mut below = self.clone();
        if !key.is_empty() {
            below.label = format!("{}/{key}", self.label);
            below.within = key::joined(&self.within, key);
        }
        Ok(below)
    }

    /// What this store is called in messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether `key` of this store is `other_key` of the other, as far as both have the same backend.
    pub(crate) fn is_at(&self, key: &str, other: &Self, other_key: &str) -> bool {
        self.has_backend_of(other) && key::joined(&self.within, key) == key::joined(&other.within, other_key)
    }

    /// Whether `key` of this store is `other_key` of the other, or lies below it.
    pub(crate) fn is_below(&self, key: &str, other: &Self, other_key: &str) -> bool {
        let (inner, outer) = (key::joined(&self.within, key), key::joined(&other.within, other_key));
        self.has_backend_of(other) && key::is_within(&inner, &outer)
    }

    fn has_backend_of(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.backend), Arc::as_ptr(&other.backend))
            && std::ptr::addr_eq(Arc::as_ptr(&self.names), Arc::as_ptr(&other.names))
    }

    /// Name of the backend that does the work.
    pub fn backend(&self) -> &'static str {
        self.backend.name()
    }

    /// What can be done here.
    pub fn abilities(&self) -> Abilities {
        self.names.abilities(&self.within)
    }

    /// How ranges of one object are best read here.
    pub const fn coalescing(&self) -> Coalescing {
        self.coalescing
    }

    /// Carries out every read.
    pub fn read(&self, batch: &mut [ReadRequest<'_>]) {
        if !batch.is_empty() {
            self.backend.read(&self.within, batch);
        }
    }

    /// Carries out every write.
    pub fn write(&self, batch: &mut [WriteRequest<'_>]) {
        if !batch.is_empty() {
            self.backend.write(&self.within, batch);
        }
    }

    /// Reads the whole object at `key` into `buffer`; `None` if there is none, else its size.
    ///
    /// # Errors
    /// [`IoError::TooLarge`] if it does not fit.
    pub fn read_whole(&self, key: &str, buffer: &mut [u8]) -> Result<Option<usize>, IoError> {
        found(self.read_one(ReadRequest::new(Source::Key(key), Extent::Whole, buffer)))
    }

    /// Fills `buffer` from `offset` of an open object.
    ///
    /// # Errors
    /// [`IoError::Short`] if the object ends before.
    pub fn read_at(&self, object: &Object, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.read_one(ReadRequest::new(Source::Open(object), Extent::From(offset), buffer)).map(|_| ())
    }

    /// A small object, such as metadata; `None` if there is none.
    ///
    /// # Errors
    /// [`IoError::TooLarge`] above `bytes_max`, before anything is allocated.
    pub fn get(&self, key: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, IoError> {
        let Some(object) = self.open(key, Access::Read)? else { return Ok(None) };
        let location = || format!("{}/{key}", self.label);
        let bytes = self.size(&object)?;
        let length = usize::try_from(bytes).ok().filter(|_| bytes <= bytes_max);
        let length = length.ok_or_else(|| IoError::TooLarge { location: location(), bytes, bytes_max })?;
        let mut data = vec![0; length];
        self.read_at(&object, 0, &mut data)?;
        Ok(Some(data))
    }

    /// Creates the object at `key` with exactly `data`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_whole(&self, key: &str, data: &[u8]) -> Result<(), IoError> {
        self.write_one(WriteRequest::whole(key, data, false))
    }

    /// Writes `data` at `offset` of an open object.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_at(&self, object: &Object, offset: u64, data: &[u8]) -> Result<(), IoError> {
        self.write_one(WriteRequest::at(object, offset, data))
    }

    /// Replaces the small object at `key` in one step: a reader finds the old or the new one, never a part.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put(&self, key: &str, data: &[u8]) -> Result<(), IoError> {
        self.write_one(WriteRequest::whole(key, data, true))
    }

    /// Makes the small object at `key` in one step, unless something is there; whether it was made. [`IoError::Unable`] where names cannot
    /// be changed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put_new(&self, key: &str, data: &[u8]) -> Result<bool, IoError> {
        key::check(key)?;
        let mut temp = String::new();
        temporary(key, &mut temp);
        let moved =
            self.write_whole(&temp, data).and_then(|()| self.change(Change::Move { from: &temp, to: key }));
        if moved.is_err() {
            // That error is the one to report.
            let _ = self.change(Change::Remove(&temp));
        }
        match moved {
            Err(error) if error.is_taken() => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Replaces the object at `key` in one step, as [`Self::put`] does, by what is written piece by piece until
    /// [`Replacement::finish`].
    pub fn replacement(&self, key: &str) -> Replacement {
        Replacement { store: self.clone(), key: key.to_owned(), piece: Vec::new(), made: None }
    }

    /// The object at `key`, to be read from its begin; `None` if it is missing.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn reader(&self, key: &str) -> Result<Option<impl std::io::Read>, IoError> {
        let Some(object) = self.open(key, Access::Read)? else { return Ok(None) };
        let end = self.size(&object)?;
        Ok(Some(Reader { store: self.clone(), object, at: 0, end }))
    }

    /// Bytes of an open object.
    ///
    /// # Errors
    /// If nobody can tell.
    pub fn size(&self, object: &Object) -> Result<u64, IoError> {
        let location = || format!("{}/{}", self.label, object.key());
        object.bytes().map_err(|e| IoError::os("read size", location(), e))
    }

    /// Opens the object at `key`; `None` if it is missing and `access` does not create it.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(&self, key: &str, access: Access) -> Result<Option<Object>, IoError> {
        let opened = self.names.open(&self.within, key, access);
        if matches!(access, Access::Read | Access::Write) { found(opened) } else { opened.map(Some) }
    }

    /// Opens the objects at `keys` for reading, at once where that takes less time; `None` for one that is missing.
    pub fn open_all(&self, keys: &[&str]) -> Vec<Result<Option<Object>, IoError>> {
        self.names.open_all(&self.within, keys).into_iter().map(found).collect()
    }

    /// Closes an object that was written; dropped instead, it would not tell what was lost.
    ///
    /// # Errors
    /// If what was written may be lost.
    pub fn close(&self, object: Object) -> Result<(), IoError> {
        self.names.close(object)
    }

    /// Calls `visit` with everything directly below `prefix`, as [`Namespace::list`] does.
    ///
    /// # Errors
    /// If the listing fails.
    pub fn visit(&self, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        self.names.list(&self.within, prefix, sizes, visit)
    }

    /// What lies directly below `prefix`, sorted by name.
    ///
    /// # Errors
    /// If the listing fails, or something cannot be looked at.
    pub fn list(&self, prefix: &str) -> Result<Vec<Entry>, IoError> {
        Ok(self.entries(prefix)?.into_iter().map(|(entry, _)| entry).collect())
    }

    /// The same, each with whether it is a directory that a link leads to.
    pub(crate) fn entries(&self, prefix: &str) -> Result<Vec<(Entry, bool)>, IoError> {
        let (mut entries, mut unseen) = (Vec::new(), None);
        self.visit(prefix, true, &mut |name, seen| {
            let (bytes, linked) = match seen {
                Seen::Object(bytes) => (bytes.or(Some(0)), false),
                Seen::Other => (Some(0), false),
                Seen::Directory { link } => (None, link),
                Seen::Unseen(error) => {
                    unseen = Some(error);
                    return false;
                }
            };
            entries.push((Entry { name: name.to_owned(), bytes }, linked));
            true
        })?;
        entries.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        unseen.map_or(Ok(entries), Err)
    }

    /// What is at `key`, whichever name or link leads there; `None`, without a look, in a store where
    /// nothing has two names.
    ///
    /// # Errors
    /// [`IoError::NotFound`] if there is nothing, another one if it cannot be looked at.
    pub fn identity(&self, key: &str) -> Result<Option<FileId>, IoError> {
        self.names.identity(&self.within, key)
    }

    /// What changes when the object at `key` is written or replaced; `None`, without a look, in a store that does not tell.
    ///
    /// # Errors
    /// As those of [`Self::identity`].
    pub fn mark(&self, key: &str) -> Result<Option<Mark>, IoError> {
        self.names.mark(&self.within, key)
    }

    /// Changes names.
    ///
    /// # Errors
    /// If the change fails.
    pub fn change(&self, change: Change<'_>) -> Result<(), IoError> {
        self.names.change(&self.within, change)
    }

    fn read_one(&self, request: ReadRequest<'_>) -> Result<usize, IoError> {
        let mut batch = [request];
        self.backend.read(&self.within, &mut batch);
        let [request] = batch;
        request.result
    }

    fn write_one(&self, request: WriteRequest<'_>) -> Result<(), IoError> {
        let mut batch = [request];
        self.backend.write(&self.within, &mut batch);
        let [request] = batch;
        request.result
    }
}

/// How much of a replacement is written at a time.
const PIECE_BYTES: usize = 64 << 10;

/// The new content of an object, in the making. Dropped before [`Self::finish`], it leaves the object as it was. Where parts of objects
/// cannot be written, all of it stays in memory, [`METADATA_BYTES_MAX`] at most.
pub struct Replacement {
    store: Store,
    key: String,
    piece: Vec<u8>,
    /// A temporary object, and the bytes in it; none as long as all fits a piece.
    made: Option<(Object, u64)>,
}

impl Replacement {
    /// Gives the object what was written.
    ///
    /// # Errors
    /// If it cannot be written; the object is then as it was.
    pub fn finish(mut self) -> Result<(), IoError> {
        if self.made.is_none() {
            return self.store.put(&self.key, &self.piece);
        }
        self.flush_piece()?;
        let Some((object, _)) = self.made.take() else { return Ok(()) };
        let temp = object.key().to_owned();
        let closed = self.store.close(object);
        let renamed = closed.and_then(|()| self.store.change(Change::Rename { from: &temp, to: &self.key }));
        if renamed.is_err() {
            // That error is the one to report.
            let _ = self.store.change(Change::Remove(&temp));
        }
        renamed
    }

    fn flush_piece(&mut self) -> Result<(), IoError> {
        if self.made.is_none() {
            let mut temp = String::new();
            temporary(&self.key, &mut temp);
            let missing = || IoError::NotFound { location: format!("{}/{temp}", self.store.label) };
            let object = self.store.open(&temp, Access::Create)?.ok_or_else(missing)?;
            self.made = Some((object, 0));
        }
        if let Some((object, bytes)) = &mut self.made {
            self.store.write_at(object, *bytes, &self.piece)?;
            *bytes += self.piece.len() as u64;
        }
        self.piece.clear();
        Ok(())
    }
}

impl Replacement {
    /// Keeps `data` until all is there.
    fn hold(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if (self.piece.len() + data.len()) as u64 > METADATA_BYTES_MAX {
            let location = format!("{}/{}", self.store.label, self.key);
            let what = "write more than 16 MiB of metadata, for it writes whole objects only";
            return Err(std::io::Error::other(IoError::Unable { location, what }));
        }
        self.piece.extend_from_slice(data);
        Ok(data.len())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some((object, _)) = &self.made {
            // Whoever drops it has failed already.
            let _ = self.store.change(Change::Remove(object.key()));
        }
    }
}

impl std::io::Write for Replacement {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        if !self.store.abilities().partial_writes {
            return self.hold(data);
        }
        let bytes = data.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&data[..bytes]);
        if self.piece.len() == PIECE_BYTES {
            self.flush_piece().map_err(std::io::Error::other)?;
        }
        Ok(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An object that is read piece by piece.
struct Reader {
    store: Store,
    object: Object,
    at: u64,
    end: u64,
}

impl std::io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let bytes = left.min(buffer.len());
        let read = self.store.read_at(&self.object, self.at, &mut buffer[..bytes]);
        read.map_err(std::io::Error::other)?;
        self.at += bytes as u64;
        Ok(bytes)
    }
}

/// A missing object is an answer, not a failure.
fn found<T>(result: Result<T, IoError>) -> Result<Option<T>, IoError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}
