//! Local files read through memory mappings; written by positioned writes.
//!
//! A page of a mapping that lies beyond the end of its file kills the process (SIGBUS), and bytes that change while they are
//! read are undefined behaviour. No check can exclude either once the file is mapped, so the constructor is `unsafe`: who calls
//! it promises that nobody changes the files. What can be seen is refused: a file that somebody has open for writing, and
//! one that became shorter than its mapping. Files that this backend itself writes are not mapped.
#![expect(unsafe_code, reason = "mapping files, and advising the kernel about them")]

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::{Arc, OnceLock};

use memmap2::{Advice, MmapOptions};

use super::directory::{Directory, LocalFile};
use super::mapping::{AROUND_BYTES, Mapping};
use super::std_files::{read_range, write_one};
use crate::backend::{Backend, ReadRequest, Source, WriteRequest};
use crate::{IoError, key};

/// Requests that the disk works on at the same time.
const GROUP: usize = 64;

/// Mapped pages count in the process's resident set until they are given back: all threads together keep about this much.
const KEPT_BYTES: usize = 16 << 20;

/// A large range is copied, and given back, in steps of this size.
const STEP_BYTES: usize = 1 << 20;

/// The `fcntl` command that chooses a lease's signal; the libc crate leaves it out.
const F_SETSIG: libc::c_int = 10;

/// Mappings of a directory's files.
#[derive(Debug)]
pub(crate) struct MappedFiles {
    directory: Arc<Directory>,
}

impl MappedFiles {
    /// The files of `directory`, mapped when they are read.
    ///
    /// # Safety
    /// Nobody, in this process or another, truncates or changes a file between its opening and the end of the last read of
    /// it. Chunks and shards that were renamed into place and are never written again keep this promise.
    pub(crate) unsafe fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    /// Maps what `request` wants; requests that no mapping serves get their result at once.
    fn prepare<'a>(
        &self,
        within: &str,
        request: &mut ReadRequest<'a>,
        last: &mut Option<&'a Mapping>,
    ) -> Result<Prepared<'a>, IoError> {
        let ReadRequest { source, extent, buffer, .. } = request;
        match *source {
            Source::Open(object) => {
                let (file, key) = (object.handle::<LocalFile>()?, object.place());
                let Some(mapping) = &file.mapping else {
                    let (offset, wanted) =
                        self.directory.wanted((&file.file, false), key, *extent, buffer.len())?;
                    let read = read_range(&self.directory, file, key, offset, &mut buffer[..wanted]);
                    request.result = read;
                    return Ok(Prepared::Done);
                };
                let mapping = self.mapping(file, mapping, key)?;
                // The size is looked up once for a run of requests to a file, not for each of them.
                if last.replace(mapping).is_none_or(|last| !std::ptr::eq(last, mapping)) {
                    self.check_size(mapping, &file.file, key)?;
                }
                let wanted = self.directory.wanted((&file.file, false), key, *extent, buffer.len())?;
                let range = self.range(mapping, (&file.file, key), wanted)?;
                Ok(Prepared::Open(mapping, range))
            }
            Source::Key(key) => key::with(within, key, |key| {
                let file = self.directory.file(key)?;
                // Before it is mapped: a directory or a file that is too large says so.
                let wanted = self.directory.wanted((&file.file, true), key, *extent, buffer.len())?;
                let mapping = self.map(&file.file, key)?;
                let range = self.range(&mapping, (&file.file, key), wanted)?;
                Ok(Prepared::Own(mapping, range))
            }),
        }
    }

    /// Reads the requests of `batch` that `group` numbers; where they may be `cold`, asks for all before it waits for one.
    fn read_group<'a>(
        &self,
        (within, cold): (&str, bool),
        batch: &mut [ReadRequest<'a>],
        group: &[usize],
        last: &mut Option<&'a Mapping>,
        resident: &mut Resident<'a>,
    ) {
        let mut prepared = [const { Prepared::Done }; GROUP];
        for (k, prepared) in group.iter().zip(&mut prepared) {
            match self.prepare(within, &mut batch[*k], last) {
                Ok(ready) => *prepared = ready,
                Err(e) => batch[*k].result = Err(e),
            }
            match prepared {
                Prepared::Open(mapping, range) if cold => mapping.will_need(range),
                // Mapping it cost more than the advice does.
                Prepared::Own(mapping, range) => mapping.will_need(range),
                _ => {}
            }
        }
        for (k, prepared) in group.iter().zip(&prepared) {
            if let Prepared::Open(mapping, range) = prepared {
                resident.enter(mapping, range);
            }
            if let Some(bytes) = prepared.copy(batch[*k].buffer) {
                batch[*k].result = Ok(bytes);
            }
        }
    }

    /// The mapping of an open file, made by the first who needs it.
    fn mapping<'f>(
        &self,
        file: &LocalFile,
        mapping: &'f OnceLock<Mapping>,
        key: &str,
    ) -> Result<&'f Mapping, IoError> {
        if let Some(mapping) = mapping.get() {
            return Ok(mapping);
        }
        let made = self.map(&file.file, key)?;
        Ok(mapping.get_or_init(|| made))
    }

    fn map(&self, file: &File, key: &str) -> Result<Mapping, IoError> {
        let failed = |e| self.directory.error("map", key, e);
        if is_being_written(file).map_err(failed)? {
            return Err(IoError::Mutable { location: self.directory.locate(key) });
        }
        let bytes = file.metadata().map_err(failed)?.len();
        let Some(length) = usize::try_from(bytes).ok().filter(|n| *n > 0) else {
            return Ok(Mapping::new(None));
        };
        // SAFETY: who made `self` promised that nobody changes the file.
        let map = unsafe { MmapOptions::new().len(length).map(file) }.map_err(failed)?;
        // Without it the kernel reads ahead: megabytes for a chunk of kilobytes.
        map.advise(Advice::Random).map_err(failed)?;
        Ok(Mapping::new(Some(map)))
    }

    /// Refuses a file that has become shorter than its mapping: reading its last pages would end the process.
    fn check_size(&self, mapping: &Mapping, file: &File, key: &str) -> Result<(), IoError> {
        let bytes = mapping.bytes().len();
        let available = file.metadata().map_err(|e| self.directory.error("read size", key, e))?.len();
        if available >= bytes as u64 { Ok(()) } else { Err(self.directory.short(key, file, (0, bytes))) }
    }

    /// The bytes of `mapping` from an offset, as many as are wanted.
    fn range(
        &self,
        mapping: &Mapping,
        (file, key): (&File, &str),
        (offset, wanted): (u64, usize),
    ) -> Result<Range<usize>, IoError> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(wanted)?));
        let range = range.filter(|range| range.end <= mapping.bytes().len());
        range.ok_or_else(|| self.directory.short(key, file, (offset, wanted)))
    }
}

/// A request on its way.
enum Prepared<'a> {
    /// It has its result.
    Done,
    /// A range of an open object's mapping.
    Open(&'a Mapping, Range<usize>),
    /// A range of a mapping made for this request.
    Own(Mapping, Range<usize>),
}

impl Prepared<'_> {
    /// Copies what is wanted into `buffer`; the bytes copied.
    fn copy(&self, buffer: &mut [u8]) -> Option<usize> {
        let (mapping, range) = match self {
            Prepared::Done => return None,
            Prepared::Open(mapping, range) => (*mapping, range),
            Prepared::Own(mapping, range) => (mapping, range),
        };
        let from = &mapping.bytes()[range.clone()];
        let mut start = range.start;
        for (piece, bytes) in buffer.chunks_mut(STEP_BYTES).zip(from.chunks(STEP_BYTES)) {
            piece[..bytes.len()].copy_from_slice(bytes);
            if from.len() > STEP_BYTES {
                mapping.give_back(start..start + bytes.len());
                start += bytes.len();
            }
        }
        Some(from.len())
    }
}

/// What one thread keeps.
fn kept_bytes() -> usize {
    static KEPT: OnceLock<usize> = OnceLock::new();
    let threads = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    *KEPT.get_or_init(|| (KEPT_BYTES / threads()).max(STEP_BYTES))
}

/// What has become resident: pages of the mapping that was read last.
#[derive(Default)]
struct Resident<'a> {
    mapping: Option<&'a Mapping>,
    /// Where those pages are, and an upper bound of their bytes.
    span: Range<usize>,
    bytes: usize,
}

impl<'a> Resident<'a> {
    /// Notes that `range` of `mapping` is about to be read.
    fn enter(&mut self, mapping: &'a Mapping, range: &Range<usize>) {
        if self.bytes >= kept_bytes() || self.mapping.is_none_or(|last| !std::ptr::eq(last, mapping)) {
            self.leave();
            (self.mapping, self.span) = (Some(mapping), range.clone());
        }
        self.span = self.span.start.min(range.start)..self.span.end.max(range.end);
        let around = range.start / AROUND_BYTES..range.end.div_ceil(AROUND_BYTES);
        self.bytes += around.len() * AROUND_BYTES;
    }

    fn leave(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            mapping.give_back(self.span.clone());
        }
        self.bytes = 0;
    }
}

/// Sorts the numbers of requests so that those to one object stand together, by offset: pages to give back then lie close
/// together, and giving back walks the page tables of what lies between.
fn sort(batch: &[ReadRequest<'_>], order: &mut Vec<usize>) {
    order.clear();
    order.extend(0..batch.len());
    order.sort_unstable_by_key(|k| {
        let object = match batch[*k].source {
            Source::Key(_) => 0,
            Source::Open(object) => std::ptr::from_ref(object).addr(),
        };
        (object, batch[*k].extent.offset(), *k)
    });
}

/// Whether somebody has the file open for writing. A read lease can only be had while nobody has; it is given up at once. Where
/// there are no leases (another owner's file, a network file system) the caller's promise has to do.
fn is_being_written(file: &File) -> io::Result<bool> {
    let fd = file.as_raw_fd();
    // SAFETY: fcntl with these commands takes integers and touches no memory. Who opens the file for writing in between
    // sends a signal, which is set to one that is ignored by default.
    let leased = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGWINCH);
        libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK)
    };
    if leased == 0 {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
        return Ok(false);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Network file systems answer so when their server grants no delegation, whoever has the file open.
        Some(libc::EAGAIN) => Ok(!is_remote(file)),
        Some(libc::EACCES | libc::EPERM | libc::EINVAL | libc::ENOLCK) => Ok(false),
        _ => Err(error),
    }
}

/// How often this thread slept: to wait for a device, or (which does no harm) for something else.
fn waits_of_thread() -> i64 {
    // SAFETY: a structure of numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a structure of the right type.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    usage.ru_nvcsw
}

/// Whether the file is on a network file system (NFS, SMB, CIFS).
fn is_remote(file: &File) -> bool {
    const REMOTE: [i64; 3] = [0x6969, 0xfe53_4d42, 0xff53_4d42];
    #[expect(clippy::useless_conversion, reason = "the width of the field depends on the machine")]
    rustix::fs::fstatfs(file).is_ok_and(|fs| REMOTE.contains(&(i64::from(fs.f_type) & 0xffff_ffff)))
}

impl Backend for MappedFiles {
    fn name(&self) -> &'static str {
        "mmap"
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        thread_local! {
            static ORDER: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
        }
        ORDER.with_borrow_mut(|order| {
            sort(batch, order);
            let (mut last, mut resident) = (None, Resident::default());
            let (mut cold, mut waits) = (true, waits_of_thread());
            for group in order.chunks(GROUP) {
                self.read_group((within, cold), batch, group, &mut last, &mut resident);
                // Nothing had to be waited for: what follows is probably in the page cache too.
                let before = std::mem::replace(&mut waits, waits_of_thread());
                cold = waits != before;
            }
            resident.leave();
        });
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        for request in batch {
            request.result = write_one(&self.directory, within, request);
        }
    }
}
