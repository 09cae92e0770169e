//! What a request does, one operation after the other.
#![expect(unsafe_code, reason = "promises where the pointers of operations lead")]

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use rustix::fs::OFlags;

use super::ring::{Operation, Requests, Slot, Stage, Step};
use crate::backend::{ReadRequest, Source, WriteRequest};
use crate::backends::direct::{Alignment, take};
use crate::backends::directory::{Directory, FILE_MODE, LocalFile, temporary};
use crate::backends::std_files::{read_one, write_one};
use crate::{IoError, advice, key};

/// An operation is repeated this often when it was interrupted.
const REPEATS_MAX: u32 = 100;

/// What would have to wait, and so needs a thread of the kernel, ends with this where a limit lets there be none: it is carried out by the
/// caller then.
const NO_THREAD: i32 = -libc::ECANCELED;

/// Reads past the page cache in flight from one thread: each may need a buffer for its blocks, two megabytes together.
const DIRECT_DEPTH: usize = 64;

/// Reads: open where needed, read, close.
pub(super) struct Reads<'d> {
    directory: &'d Directory,
    /// Where the store of the keys lies.
    within: &'d str,
}

impl<'d> Reads<'d> {
    pub(super) const fn new(directory: &'d Directory, within: &'d str) -> Self {
        Self { directory, within }
    }
}

/// Writes: create, write, close, rename where wanted.
pub(super) struct Writes<'d> {
    directory: &'d Directory,
    /// Where the store of the keys lies.
    within: &'d str,
    /// The last object lay in a directory that was missing: the next one probably does too. Finding that out by a failure
    /// would cost a turn of the ring.
    missing: Cell<bool>,
}

impl<'d> Writes<'d> {
    pub(super) const fn new(directory: &'d Directory, within: &'d str) -> Self {
        Self { directory, within, missing: Cell::new(false) }
    }
}

/// Puts `key` of the store at `within` into `path` as the kernel wants it.
fn set_path(path: &mut String, within: &str, key: &str) {
    path.clear();
    key::push(within, key, path);
    path.push('\0');
}

fn open(directory: &Directory, path: &str, flags: OFlags) -> Step {
    // Flags are bits; the kernel's type for them is signed.
    let (dir, flags, mode) = (directory.fd().as_raw_fd(), flags.bits().cast_signed(), FILE_MODE.bits());
    Step::Submit(Operation::Open { dir, path: path.as_ptr(), flags, mode })
}

/// What the end of an operation means.
enum Outcome {
    Moved(usize),
    /// Interrupted: the same once more.
    Repeat,
    /// No free descriptor.
    Full,
    Failed(io::Error),
}

fn outcome(slot: &mut Slot, result: i32) -> Outcome {
    if let Ok(moved) = usize::try_from(result) {
        return Outcome::Moved(moved);
    }
    let number = result.saturating_neg();
    match number {
        libc::EINTR | libc::EAGAIN if slot.repeats < REPEATS_MAX => {
            slot.repeats += 1;
            Outcome::Repeat
        }
        libc::EMFILE | libc::ENFILE => Outcome::Full,
        _ => Outcome::Failed(io::Error::from_raw_os_error(number)),
    }
}

/// The open object of a request, if that is what it is about.
fn opened<'a>(source: &Source<'a>) -> Option<&'a LocalFile> {
    match source {
        Source::Open(object) => object.handle().ok(),
        Source::Key(_) => None,
    }
}

impl Reads<'_> {
    /// The file is open: what to read of it.
    fn begin(&self, request: &mut ReadRequest<'_>, slot: &mut Slot) -> Result<Step, IoError> {
        (slot.stage, slot.done) = (Stage::Transfer, 0);
        let range = match (request.source, slot.file.take()) {
            (Source::Open(object), _) => {
                let file: &LocalFile = object.handle()?;
                self.range((&file.file, false), object.place(), request)
            }
            (Source::Key(_), Some(fd)) => {
                let key = &slot.path[..slot.path.len().saturating_sub(1)];
                let file = self.directory.opened(fd, key)?;
                let range = self.range((&file.file, true), key, request);
                if self.directory.reads_block() {
                    self.directory.let_block(&file.file);
                }
                slot.direct = file.direct;
                slot.file = Some(file.file.into());
                range
            }
            (Source::Key(_), None) => {
                let key = request.source.place(self.within);
                Err(self.directory.error("open", &key, io::ErrorKind::NotFound))
            }
        };
        (slot.offset, slot.wanted) = range?;
        Ok(self.read_on(request, slot))
    }

    fn range(
        &self,
        file: (&File, bool),
        key: &str,
        request: &ReadRequest<'_>,
    ) -> Result<(u64, usize), IoError> {
        let range = self.directory.wanted(file, key, request.extent, request.buffer.len())?;
        self.directory.check_range(key, file.0, range).map(|()| range)
    }

    /// The next read, or the end.
    fn read_on(&self, request: &mut ReadRequest<'_>, slot: &mut Slot) -> Step {
        if slot.done == slot.wanted {
            request.result = Ok(slot.wanted);
            return Step::Done;
        }
        let (file, direct) = match (&slot.file, opened(&request.source)) {
            (Some(file), _) => (file.as_raw_fd(), slot.direct),
            (None, Some(file)) => (file.file.as_raw_fd(), file.direct),
            (None, None) => return self.fail(request, slot, io::ErrorKind::NotFound.into()),
        };
        let buffer = &mut request.buffer[slot.done..slot.wanted];
        Step::Submit(read(slot_offset(slot), slot, file, direct, buffer))
    }

    /// Nothing came at once: here reads have to be waited for, and the ring does so only for a file that says that it may.
    fn wait(&self, request: &ReadRequest<'_>, slot: &Slot) {
        match (&slot.file, opened(&request.source)) {
            (Some(file), _) => self.directory.let_block(file),
            (None, Some(file)) => self.directory.let_block(&file.file),
            (None, None) => {}
        }
    }

    /// Somebody has a lease on the file: it is waited for.
    fn leased(&self, request: &mut ReadRequest<'_>, slot: &mut Slot) -> Result<Step, IoError> {
        slot.file = Some(self.directory.leased(&request.source.place(self.within))?.file.into());
        self.begin(request, slot)
    }

    /// Takes what was read out of aligned blocks, where it went through them; the bytes won.
    fn arrived(request: &mut ReadRequest<'_>, slot: &mut Slot, moved: usize) -> usize {
        match slot.blocks.take() {
            None => moved,
            Some((start, bytes)) => {
                let at = slot_offset(slot);
                let blocks = slot.bounce.get(bytes.min(moved));
                take(blocks, start, at, &mut request.buffer[slot.done..slot.wanted])
            }
        }
    }

    fn fail(&self, request: &mut ReadRequest<'_>, slot: &Slot, error: io::Error) -> Step {
        let key = &request.source.place(self.within);
        request.result = Err(match slot.stage {
            Stage::Open if error.raw_os_error() == Some(libc::EINVAL) && self.directory.is_direct() => {
                self.directory.no_direct(key)
            }
            Stage::Open => self.directory.error("open", key, error),
            Stage::Transfer | Stage::Rename => {
                self.directory.transfer_error("read", key, (slot.offset, slot.wanted), error)
            }
        });
        Step::Done
    }

    fn ended(&self, request: &mut ReadRequest<'_>, slot: &Slot) -> Step {
        let (key, range) = (&request.source.place(self.within), (slot.offset, slot.wanted));
        let short = |file: &File| self.directory.short(key, file, range);
        request.result = Err(match (&slot.file, opened(&request.source)) {
            (None, Some(file)) => short(&file.file),
            (Some(fd), _) => match fd.try_clone() {
                Ok(fd) => short(&fd.into()),
                Err(e) => self.directory.transfer_error("read", key, range, e),
            },
            (None, None) => self.directory.transfer_error("read", key, range, io::ErrorKind::UnexpectedEof),
        });
        Step::Done
    }
}

const fn slot_offset(slot: &Slot) -> u64 {
    slot.offset + slot.done as u64
}

/// A read into `buffer`, through aligned blocks where the file wants them and the buffer does not fit.
fn read(
    offset: u64,
    slot: &mut Slot,
    file: RawFd,
    direct: Option<Alignment>,
    buffer: &mut [u8],
) -> Operation {
    match direct {
        Some(alignment) if !alignment.fits(offset, buffer) => {
            let (start, bytes) = alignment.blocks(offset, buffer.len());
            slot.blocks = Some((start, bytes));
            Operation::Read { file, to: slot.bounce.get(bytes).as_mut_ptr(), bytes, offset: start }
        }
        _ => Operation::Read { file, to: buffer.as_mut_ptr(), bytes: buffer.len(), offset },
    }
}

// SAFETY: operations point to `slot.path`, `slot.bounce` or into `request.buffer`, with the lengths of those; none of them is
// reallocated before the next call.
unsafe impl Requests<ReadRequest<'_>> for Reads<'_> {
    fn depth_max(&self) -> usize {
        if self.directory.is_direct() { DIRECT_DEPTH } else { usize::MAX }
    }

    fn start(&self, request: &mut ReadRequest<'_>, slot: &mut Slot) -> Step {
        let started = match request.source {
            Source::Open(_) => self.begin(request, slot),
            Source::Key(key) => key::check(key).map(|()| {
                set_path(&mut slot.path, self.within, key);
                open(self.directory, &slot.path, self.directory.read_flags())
            }),
        };
        started.unwrap_or_else(|e| {
            request.result = Err(e);
            Step::Done
        })
    }

    fn advance(&self, request: &mut ReadRequest<'_>, slot: &mut Slot, result: i32) -> Step {
        if result == NO_THREAD {
            slot.file = None;
            request.result = read_one(self.directory, self.within, request);
            return Step::Done;
        }
        let begun = match (slot.stage, outcome(slot, result)) {
            (Stage::Open, Outcome::Failed(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                self.leased(request, slot)
            }
            (_, Outcome::Failed(e)) => Ok(self.fail(request, slot, e)),
            (Stage::Open, Outcome::Full) => Ok(Step::Wait),
            (_, Outcome::Full) => Ok(self.fail(request, slot, io::Error::from_raw_os_error(libc::EMFILE))),
            (Stage::Open, Outcome::Repeat) => {
                Ok(open(self.directory, &slot.path, self.directory.read_flags()))
            }
            (Stage::Open, Outcome::Moved(_)) => self.begin(request, slot),
            (_, Outcome::Repeat) => {
                if result == -libc::EAGAIN {
                    self.wait(request, slot);
                }
                Ok(self.read_on(request, slot))
            }
            (_, Outcome::Moved(moved)) => match Self::arrived(request, slot, moved) {
                0 => Ok(self.ended(request, slot)),
                moved => {
                    (slot.done, slot.repeats) = (slot.done + moved, 0);
                    Ok(self.read_on(request, slot))
                }
            },
        };
        begun.unwrap_or_else(|e| {
            request.result = Err(e);
            Step::Done
        })
    }

    fn lost(&self, request: &mut ReadRequest<'_>, _: Option<&Slot>, reason: &io::Error) {
        let range = (request.extent.offset(), request.buffer.len());
        request.result = Err(self.directory.transfer_error(
            "read",
            &request.source.place(self.within),
            range,
            lost(reason),
        ));
    }
}

/// The same error once more, for each request that it hit.
fn lost(reason: &io::Error) -> io::Error {
    if let Some(number @ (libc::EMFILE | libc::ENFILE)) = reason.raw_os_error() {
        return io::Error::from_raw_os_error(number);
    }
    let text = format!("not carried out, for the io_uring of this thread failed: {reason}");
    io::Error::new(reason.kind(), text)
}

impl Writes<'_> {
    /// Creates the object at `key` of the backend, or a temporary one beside it.
    fn create(&self, key: &str, atomic: bool, slot: &mut Slot) -> Step {
        if atomic {
            temporary(key, &mut slot.temp);
            set_path(&mut slot.path, "", &slot.temp);
        } else {
            set_path(&mut slot.path, "", key);
        }
        open(self.directory, &slot.path, Directory::create_flags())
    }

    /// Makes the directories around `key`, where they are likely to be missing.
    fn make_parents(&self, key: &str, slot: &mut Slot) -> Result<(), IoError> {
        if self.missing.get() && !slot.parents {
            slot.parents = true;
            self.missing.set(self.directory.make_parents(key)?);
        }
        Ok(())
    }

    /// The next write, the rename, or the end.
    fn write_on(&self, request: &mut WriteRequest<'_>, slot: &mut Slot) -> Step {
        let Some(file) = slot.file.as_ref().map(AsRawFd::as_raw_fd) else {
            return self.fail(request, slot, io::ErrorKind::NotFound.into());
        };
        let rest = &request.data[slot.done..];
        if !rest.is_empty() {
            let offset = slot_offset(slot);
            let operation = Operation::Write { file, from: rest.as_ptr(), bytes: rest.len(), offset };
            return Step::Submit(operation);
        }
        if let Some(Err(e)) = slot.file.take().map(advice::close) {
            if request.atomic {
                self.directory.discard(&slot.temp);
            }
            request.result = Err(self.directory.error("close", &request.target.place(self.within), e));
            return Step::Done;
        }
        match request.target {
            Source::Key(key) if request.atomic => {
                slot.stage = Stage::Rename;
                self.rename(key, slot)
            }
            _ => {
                request.result = Ok(());
                Step::Done
            }
        }
    }

    /// Gives what was written under the temporary name its own.
    fn rename(&self, key: &str, slot: &mut Slot) -> Step {
        set_path(&mut slot.path, "", &slot.temp);
        let from = slot.path.len();
        key::push(self.within, key, &mut slot.path);
        slot.path.push('\0');
        let dir = self.directory.fd().as_raw_fd();
        let (from, to) = (slot.path.as_ptr(), slot.path[from..].as_ptr());
        Step::Submit(Operation::Rename { dir, from, to })
    }

    fn fail(&self, request: &mut WriteRequest<'_>, slot: &Slot, error: io::Error) -> Step {
        let key = &request.target.place(self.within);
        if request.atomic && slot.stage != Stage::Open {
            self.directory.discard(&slot.temp);
        }
        request.result = Err(match slot.stage {
            Stage::Open => self.directory.error("create", key, error),
            Stage::Transfer => {
                self.directory.transfer_error("write", key, (slot.offset, request.data.len()), error)
            }
            Stage::Rename => self.directory.error("rename to", key, error),
        });
        Step::Done
    }
}

// SAFETY: operations point to `slot.path` or into `request.data`, with the lengths of those; neither is reallocated before
// the next call.
unsafe impl Requests<WriteRequest<'_>> for Writes<'_> {
    fn depth_max(&self) -> usize {
        usize::MAX
    }

    fn start(&self, request: &mut WriteRequest<'_>, slot: &mut Slot) -> Step {
        match request.target {
            // It goes to the page cache. A file system that may wait for that (ext4) makes the ring hand it to kernel threads,
            // which then contend for the file's lock: written here it takes a seventh less time.
            Source::Open(_) => {
                request.result = write_one(self.directory, self.within, request);
                Step::Done
            }
            Source::Key(key) => {
                let created = key::with(self.within, key, |key| {
                    self.make_parents(key, slot)?;
                    Ok(self.create(key, request.atomic, slot))
                });
                created.unwrap_or_else(|e| {
                    request.result = Err(e);
                    Step::Done
                })
            }
        }
    }

    fn advance(&self, request: &mut WriteRequest<'_>, slot: &mut Slot, result: i32) -> Step {
        if result == NO_THREAD {
            if request.atomic && slot.stage != Stage::Open {
                self.directory.discard(&slot.temp);
            }
            slot.file = None;
            request.result = write_one(self.directory, self.within, request);
            return Step::Done;
        }
        match (slot.stage, outcome(slot, result)) {
            (Stage::Open, Outcome::Failed(e)) if e.kind() == io::ErrorKind::NotFound && !slot.parents => {
                self.missing.set(true);
                match self.make_parents(&request.target.place(self.within), slot) {
                    Ok(()) => open(self.directory, &slot.path, Directory::create_flags()),
                    Err(e) => {
                        request.result = Err(e);
                        Step::Done
                    }
                }
            }
            (_, Outcome::Failed(e)) => self.fail(request, slot, e),
            (Stage::Open, Outcome::Full) => Step::Wait,
            (_, Outcome::Full) => self.fail(request, slot, io::Error::from_raw_os_error(libc::EMFILE)),
            (Stage::Open, Outcome::Repeat) => open(self.directory, &slot.path, Directory::create_flags()),
            (Stage::Open, Outcome::Moved(_)) => {
                slot.stage = Stage::Transfer;
                self.write_on(request, slot)
            }
            (Stage::Transfer, Outcome::Moved(0)) if !request.data.is_empty() => {
                self.fail(request, slot, io::ErrorKind::WriteZero.into())
            }
            (Stage::Transfer, Outcome::Moved(moved)) => {
                (slot.done, slot.repeats) = (slot.done + moved, 0);
                self.write_on(request, slot)
            }
            (Stage::Transfer, Outcome::Repeat) => self.write_on(request, slot),
            (Stage::Rename, Outcome::Moved(_)) => {
                request.result = Ok(());
                Step::Done
            }
            (Stage::Rename, Outcome::Repeat) => self.rename(request.target.key(), slot),
        }
    }

    fn lost(&self, request: &mut WriteRequest<'_>, slot: Option<&Slot>, reason: &io::Error) {
        if let Some(slot) = slot.filter(|slot| request.atomic && slot.stage != Stage::Open) {
            self.directory.discard(&slot.temp);
        }
        let range = (request.offset, request.data.len());
        request.result = Err(self.directory.transfer_error(
            "write",
            &request.target.place(self.within),
            range,
            lost(reason),
        ));
    }
}
