//! The two small traits behind every store.

use std::any::Any;
use std::fmt;
use std::io;

use crate::{IoError, key};

/// Reads and writes batches of requests. A batch blocks until every request has its result.
///
/// Keys are those of a [`crate::Store`], which lies at the key `within` of the backend: the backend joins the two where it needs them.
pub trait Backend: Send + Sync + fmt::Debug {
    /// Its name, as reported in results.
    fn name(&self) -> &'static str;

    /// Carries out every read and leaves its outcome in the request.
    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]);

    /// Carries out every write and leaves its outcome in the request.
    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]);
}

/// The names of a store: opening, listing, renaming. Keys are those of the store at `within`, as with [`Backend`].
pub trait Namespace: Send + Sync + fmt::Debug {
    /// What can be done in the store at `within`.
    fn abilities(&self, within: &str) -> Abilities;

    /// Opens the object at `key`.
    ///
    /// # Errors
    /// [`IoError::NotFound`] if it is missing and `access` does not create it.
    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError>;

    /// Opens the objects at `keys` for reading, each as [`Self::open`] does: at once, where a server is asked for each.
    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        keys.iter().map(|key| self.open(within, key, Access::Read)).collect()
    }

    /// Closes an object that was written. Some file systems (NFS, FUSE, those with quotas) tell only then that something of it was
    /// not.
    ///
    /// # Errors
    /// If what was written may be lost.
    fn close(&self, object: Object) -> Result<(), IoError>;

    /// Calls `visit` with the name of everything directly below `prefix`, in any order, as long as it returns true; with nothing if
    /// `prefix` does not exist. Sizes are looked up where `sizes` asks for them: that may take a call for each.
    ///
    /// # Errors
    /// If the listing fails.
    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError>;

    /// What is at `key`, whichever name or link leads there; `None`, without a look, in a store where
    /// nothing has two names.
    ///
    /// # Errors
    /// [`IoError::NotFound`] if there is nothing, another one if it cannot be looked at.
    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError>;

    /// What changes when the object at `key` is written or replaced; `None`, without a look, in a store that does not tell.
    ///
    /// # Errors
    /// As those of [`Self::identity`].
    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError>;

    /// Changes names or makes what was written durable.
    ///
    /// # Errors
    /// If the change fails.
    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError>;
}

/// What a store can do beyond reading, listing, removing and replacing whole objects. What it cannot do is
/// [`IoError::Unable`], and nothing of it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Objects can be made or changed by writing parts of them ([`Access::Create`], [`Access::New`], [`Access::Write`]).
    pub partial_writes: bool,
    /// A part of an object costs less to read than all of it.
    pub partial_reads: bool,
    /// Names can be changed, and directories made ([`Change`]), by whoever is first and in one step.
    pub renames: bool,
}

impl Abilities {
    /// Everything.
    pub const ALL: Self = Self { partial_writes: true, partial_reads: true, renames: true };
}

/// What tells whether two names lead to the same file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The file system that it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// What changes when an object is written or replaced. Times are those of the file system, in seconds and nanoseconds since 1970: two
/// writes that are closer than its clock is fine have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its number in the file system.
    pub inode: u64,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written last; whoever owns it can set this.
    pub modified: (i64, u64),
    /// When it was written, named or described last; nobody can set this.
    pub changed: (i64, u64),
}

/// Gets a name of a listing and what it is; returns whether the listing goes on.
pub type Visit<'a> = dyn FnMut(&str, Seen) -> bool + 'a;

/// What a name of a listing is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Seen {
    /// An object, with its bytes if they were asked for.
    Object(Option<u64>),
    /// A prefix of keys: a directory.
    Directory {
        /// A link leads there.
        link: bool,
    },
    /// Neither: a pipe, a socket, a device.
    Other,
    /// Something that cannot be looked at, or not by its name: a link that leads nowhere, a name that is not UTF-8.
    Unseen(IoError),
}

/// How to open an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist, and keeps what it holds.
    Write,
    /// For reading and writing; created empty (parent directories too), an existing one emptied.
    Create,
    /// As [`Self::Create`], but nothing may be there, not even a link.
    New,
}

/// What a backend has of an open object. Where an operation has nothing that it could do, it does nothing.
pub trait Handle: Any + Send + Sync + fmt::Debug {
    /// Bytes of the object.
    ///
    /// # Errors
    /// If nobody can tell.
    fn bytes(&self) -> io::Result<u64>;

    /// Begins to make a range durable without waiting for it.
    fn begin_writeback(&self, offset: u64, bytes: u64) {
        let _ = (offset, bytes);
    }

    /// Takes room for a range behind the end where that makes writing it cheaper; whether that was done.
    fn reserve(&self, offset: u64, bytes: u64) -> bool {
        let _ = (offset, bytes);
        false
    }

    /// Gives back what was reserved behind the end.
    fn trim(&self) {}

    /// Locks it for whoever opened it, without waiting; the lock ends with this process at the latest.
    ///
    /// # Errors
    /// If the operating system fails.
    fn lock(&self) -> io::Result<Lock> {
        Ok(Lock::Unknown)
    }

    /// Locks so many bytes from an offset for whoever opened it, without waiting; other ranges can be locked by others. The object need
    /// not be that long.
    ///
    /// # Errors
    /// If the operating system fails.
    fn lock_range(&self, offset: u64, bytes: u64) -> io::Result<Lock> {
        let _ = (offset, bytes);
        Ok(Lock::Unknown)
    }

    /// Gives the room that a range takes back to the store, where that can be; its bytes are not needed any more.
    fn release(&self, offset: u64, bytes: u64) {
        let _ = (offset, bytes);
    }
}

/// An open object: its key, and the handle that its backend made for it.
#[derive(Debug)]
pub struct Object {
    /// The key as the backend knows it; where the one of the store begins.
    place: String,
    key_at: usize,
    handle: Box<dyn Handle>,
}

impl Object {
    /// What `handle` opened at `place` of its backend, which the store at `within` knows by the end of that key.
    pub fn new(within: &str, place: String, handle: impl Handle) -> Self {
        let key = if within.is_empty() { &place } else { place.get(within.len() + 1..).unwrap_or_default() };
        Self { key_at: place.len() - key.len(), place, handle: Box::new(handle) }
    }

    /// Its key in the store that opened it.
    pub fn key(&self) -> &str {
        &self.place[self.key_at..]
    }

    /// Its key as the backend knows it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What the backend that calls this made of it.
    ///
    /// # Errors
    /// [`IoError::Foreign`] if another one opened it.
    pub fn handle<H: Handle>(&self) -> Result<&H, IoError> {
        let handle: &dyn Any = self.handle.as_ref();
        handle.downcast_ref().ok_or_else(|| IoError::Foreign { location: self.place.clone() })
    }

    /// The same, of an object that is done with, and its key as the backend knows it.
    ///
    /// # Errors
    /// [`IoError::Foreign`] if another one opened it.
    pub fn into_handle<H: Handle>(self) -> Result<(Box<H>, String), IoError> {
        let Self { place, handle, .. } = self;
        let handle: Box<dyn Any> = handle;
        match handle.downcast() {
            Ok(handle) => Ok((handle, place)),
            Err(_) => Err(IoError::Foreign { location: place }),
        }
    }

    /// Bytes of the object.
    ///
    /// # Errors
    /// If nobody can tell.
    pub fn bytes(&self) -> io::Result<u64> {
        self.handle.bytes()
    }

    /// Begins to make a range durable without waiting for it, where that can be begun.
    pub fn begin_writeback(&self, offset: u64, bytes: u64) {
        self.handle.begin_writeback(offset, bytes);
    }

    /// Takes room for a range behind the end where that makes writing it cheaper; whether that was done.
    pub fn reserve(&self, offset: u64, bytes: u64) -> bool {
        self.handle.reserve(offset, bytes)
    }

    /// Gives back what was reserved behind the end.
    pub fn trim(&self) {
        self.handle.trim();
    }

    /// Locks it for whoever opened it, without waiting; the lock ends with this process at the latest.
    ///
    /// # Errors
    /// If the operating system fails.
    pub fn lock(&self) -> io::Result<Lock> {
        self.handle.lock()
    }

    /// Locks so many bytes from an offset for whoever opened it, without waiting; other ranges can be locked by others. The object need
    /// not be that long. The lock ends when the object is closed, or with this process.
    ///
    /// # Errors
    /// If the operating system fails.
    pub fn lock_range(&self, offset: u64, bytes: u64) -> io::Result<Lock> {
        self.handle.lock_range(offset, bytes)
    }

    /// Gives the room that a range takes back to the store, where that can be; its bytes are not needed any more.
    pub fn release(&self, offset: u64, bytes: u64) {
        self.handle.release(offset, bytes);
    }
}

/// What locking an object told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It is locked now.
    Taken {
        /// No other machine can have it, for it lies on this one.
        local: bool,
    },
    /// Somebody else has it.
    Busy,
    /// There are no locks here, or none that tell anything.
    Unknown,
}

/// One name in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Last segment of the key.
    pub name: String,
    /// Bytes of an object; `None` for a prefix (a directory).
    pub bytes: Option<u64>,
}

/// A change of names.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Removes the object at a key, or everything below it; nothing if it does not exist.
    Remove(&'a str),
    /// Gives what is at `from` (with everything below it) the name `to`, replacing an object but never a directory.
    Rename {
        /// The name now.
        from: &'a str,
        /// The new name.
        to: &'a str,
    },
    /// As [`Self::Rename`], but nothing may have the new name.
    Move {
        /// The name now.
        from: &'a str,
        /// The new name.
        to: &'a str,
    },
    /// Makes a directory that must be new (those around it too, where they are missing).
    MakeDirectory(&'a str),
    /// Removes a directory that is empty.
    RemoveEmpty(&'a str),
    /// Swaps what is at two names in one step, where the system can.
    Exchange {
        /// One name.
        a: &'a str,
        /// The other.
        b: &'a str,
    },
    /// Makes everything written so far durable.
    Sync,
    /// Makes the names directly in the store durable, whose objects are durable already: less than [`Self::Sync`], which waits for
    /// everybody's data on the same file system.
    SyncNames,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An object by name: opened and closed for this request.
    Key(&'a str),
    /// An open object.
    Open(&'a Object),
}

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole object; it may be shorter than the buffer but not longer.
    Whole,
    /// As many bytes as the buffer holds, from this offset.
    From(u64),
    /// As many bytes as the buffer holds, from `offset` of an object that must have exactly `of` bytes.
    Part {
        /// First byte.
        offset: u64,
        /// Bytes of the whole object.
        of: u64,
    },
}

impl Extent {
    /// The first byte.
    pub const fn offset(self) -> u64 {
        match self {
            Self::Whole => 0,
            Self::From(offset) | Self::Part { offset, .. } => offset,
        }
    }
}

impl<'a> Source<'a> {
    /// The key, for messages.
    pub fn key(&self) -> &'a str {
        match self {
            Source::Key(key) => key,
            Source::Open(object) => object.key(),
        }
    }

    /// The key as the backend knows it, for messages.
    pub fn place(&self, within: &str) -> String {
        match self {
            Source::Key(key) => key::joined(within, key),
            Source::Open(object) => object.place().to_owned(),
        }
    }
}

/// A read of a batch.
#[derive(Debug)]
pub struct ReadRequest<'a> {
    /// What to read.
    pub source: Source<'a>,
    /// Which bytes.
    pub extent: Extent,
    /// Where to put them.
    pub buffer: &'a mut [u8],
    /// The number of bytes read, once the batch is done.
    pub result: Result<usize, IoError>,
}

impl<'a> ReadRequest<'a> {
    /// A request without a result yet.
    pub const fn new(source: Source<'a>, extent: Extent, buffer: &'a mut [u8]) -> Self {
        Self { source, extent, buffer, result: Ok(0) }
    }

    /// An empty vector in the memory of `used`: a loop of batches allocates once.
    #[expect(clippy::unnecessary_filter_map, reason = "a filter would keep the old lifetime")]
    pub fn recycle(mut used: Vec<ReadRequest<'_>>) -> Vec<Self> {
        used.clear();
        used.into_iter().filter_map(|_| None).collect()
    }
}

/// A write of a batch.
#[derive(Debug)]
pub struct WriteRequest<'a> {
    /// What to write: a key is created (parent directories too) with exactly `data`.
    pub target: Source<'a>,
    /// First byte in an open object; unused for a key.
    pub offset: u64,
    /// The bytes.
    pub data: &'a [u8],
    /// For a key: a reader finds the old object or the new one, never a part. The bytes are written under a temporary name
    /// beside it, which is then given to the object.
    pub atomic: bool,
    /// Done or failed, once the batch is done.
    pub result: Result<(), IoError>,
}

impl<'a> WriteRequest<'a> {
    /// The object at `key`, with exactly `data`.
    pub const fn whole(key: &'a str, data: &'a [u8], atomic: bool) -> Self {
        Self { target: Source::Key(key), offset: 0, data, atomic, result: Ok(()) }
    }

    /// `data` at `offset` of an open object.
    pub const fn at(object: &'a Object, offset: u64, data: &'a [u8]) -> Self {
        Self { target: Source::Open(object), offset, data, atomic: false, result: Ok(()) }
    }

    /// An empty vector in the memory of `used`: a loop of batches allocates once.
    #[expect(clippy::unnecessary_filter_map, reason = "a filter would keep the old lifetime")]
    pub fn recycle(mut used: Vec<WriteRequest<'_>>) -> Vec<Self> {
        used.clear();
        used.into_iter().filter_map(|_| None).collect()
    }
}
