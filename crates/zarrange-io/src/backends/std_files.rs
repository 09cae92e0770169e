//! Local files through positioned reads and writes, by the caller or by a pool of threads.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use rustix::fs::RenameFlags;

use super::direct::{Bounce, take};
use super::directory::{Directory, LocalFile, temporary};
use crate::backend::{Backend, ReadRequest, Source, WriteRequest};
use crate::{IoError, key};

/// Requests that a thread of the pool takes at once: fewer would cost more to hand over than to carry out.
const SHARE: usize = 4;

/// Positioned reads and writes of a directory's files.
#[derive(Debug)]
pub(crate) struct StdFiles {
    directory: Arc<Directory>,
    pool: Option<Arc<ThreadPool>>,
}

impl StdFiles {
    /// The files of `directory`; the reads of a batch are carried out by `pool` at the same time, or one after the other.
    pub(crate) fn new(directory: Arc<Directory>, pool: Option<Arc<ThreadPool>>) -> Self {
        Self { directory, pool }
    }
}

/// A pool of `threads` for blocking I/O.
///
/// # Errors
/// If the threads cannot be started.
pub(crate) fn pool(threads: usize) -> Result<Arc<ThreadPool>, ThreadPoolBuildError> {
    let name = |k| format!("io-{k}");
    ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build().map(Arc::new)
}

impl Backend for StdFiles {
    fn name(&self) -> &'static str {
        if self.directory.is_direct() { "std+direct" } else { "std" }
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        let read =
            |request: &mut ReadRequest<'_>| request.result = read_one(&self.directory, within, request);
        match &self.pool {
            Some(pool) if batch.len() > SHARE => {
                pool.install(|| batch.par_iter_mut().with_min_len(SHARE).for_each(read));
            }
            _ => batch.iter_mut().for_each(read),
        }
    }

    /// By the caller alone: a write goes to the page cache, and names of one directory are made one after the other anyway,
    /// so that more threads only wait for each other.
    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        for request in batch {
            request.result = write_one(&self.directory, within, request);
        }
    }
}

/// Carries out one read, of a key of the store at `within` or of an open object.
pub(super) fn read_one(
    directory: &Directory,
    within: &str,
    request: &mut ReadRequest<'_>,
) -> Result<usize, IoError> {
    let ReadRequest { source, extent, buffer, .. } = request;
    let mut read = |file: &LocalFile, key: &str, new: bool| {
        let (offset, wanted) = directory.wanted((&file.file, new), key, *extent, buffer.len())?;
        read_range(directory, file, key, offset, &mut buffer[..wanted])
    };
    match *source {
        Source::Key(key) => key::with(within, key, |key| read(&directory.file(key)?, key, true)),
        Source::Open(object) => read(object.handle()?, object.place(), false),
    }
}

/// Fills `buffer` from `offset`.
pub(super) fn read_range(
    directory: &Directory,
    file: &LocalFile,
    key: &str,
    offset: u64,
    buffer: &mut [u8],
) -> Result<usize, IoError> {
    let (wanted, mut done) = (buffer.len(), 0);
    directory.check_range(key, &file.file, (offset, wanted))?;
    while done < wanted {
        match read_some(file, offset + done as u64, &mut buffer[done..]) {
            Ok(0) => return Err(directory.short(key, &file.file, (offset, wanted))),
            Ok(bytes) => done += bytes,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(directory.transfer_error("read", key, (offset, wanted), e)),
        }
    }
    Ok(wanted)
}

/// One read: some bytes from `offset`, 0 at the end of the file.
fn read_some(file: &LocalFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    thread_local! {
        static BOUNCE: RefCell<Bounce> = RefCell::default();
    }
    match file.direct {
        Some(alignment) if !alignment.fits(offset, buffer) => BOUNCE.with_borrow_mut(|bounce| {
            let (start, bytes) = alignment.blocks(offset, buffer.len());
            let blocks = bounce.get(bytes);
            let read = file.file.read_at(blocks, start)?;
            Ok(take(&blocks[..read], start, offset, buffer))
        }),
        _ => file.file.read_at(buffer, offset),
    }
}

/// Carries out one write, of a key of the store at `within` or of an open object.
pub(super) fn write_one(
    directory: &Directory,
    within: &str,
    request: &WriteRequest<'_>,
) -> Result<(), IoError> {
    let write = |file: &LocalFile, key: &str, offset: u64| {
        let range = (offset, request.data.len());
        directory.check_room(key, range)?;
        let written = file.file.write_all_at(request.data, offset);
        written.map_err(|e| directory.transfer_error("write", key, range, e))
    };
    let whole = |file: LocalFile, key: &str| {
        write(&file, key, 0)?;
        directory.close(file.file, key)
    };
    match request.target {
        Source::Key(key) if request.atomic => key::with(within, key, |key| {
            let mut temp = String::new();
            temporary(key, &mut temp);
            let written = directory
                .create(&temp)
                .and_then(|file| whole(file, key))
                .and_then(|()| directory.rename(&temp, key, RenameFlags::empty()));
            written.inspect_err(|_| directory.discard(&temp))
        }),
        Source::Key(key) => key::with(within, key, |key| whole(directory.create(key)?, key)),
        Source::Open(object) => write(object.handle()?, object.place(), request.offset),
    }
}
