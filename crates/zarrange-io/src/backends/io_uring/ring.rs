//! One thread's ring, and the loop that keeps it full.
//!
//! Soundness: the kernel holds pointers into a batch's buffers while operations are in flight. [`Local::drive`] does not
//! return, and does not unwind, before every one of them was reaped; that is what makes borrowed buffers safe here.
#![expect(unsafe_code, reason = "operations hand pointers to the kernel")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, squeue, types};

use crate::backends::direct::{Alignment, Bounce};
use crate::backends::patience;

/// No single operation moves more: the kernel counts in 31 bits.
const OPERATION_BYTES_MAX: usize = 1 << 30;

/// How long completions of a ring that takes no more calls are waited for.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// What an operation asks of the kernel.
pub(super) enum Operation {
    /// Opens `path` (ends in NUL) below `dir`.
    Open { dir: RawFd, path: *const u8, flags: i32, mode: u32 },
    /// Reads into memory.
    Read { file: RawFd, to: *mut u8, bytes: usize, offset: u64 },
    /// Writes from memory.
    Write { file: RawFd, from: *const u8, bytes: usize, offset: u64 },
    /// Renames `from` to `to` (both end in NUL) below `dir`.
    Rename { dir: RawFd, from: *const u8, to: *const u8 },
}

/// What a request does next.
pub(super) enum Step {
    Submit(Operation),
    /// It has its result.
    Done,
    /// No descriptor is free: again once another request is done.
    Wait,
}

/// How requests of type `T` are carried out, one operation after the other.
///
/// # Safety
/// Every pointer of a returned [`Operation`] points into the request or the slot that were passed, at memory that stays in
/// its place until the next call for that request, and is as long as the operation says.
pub(super) unsafe trait Requests<T> {
    /// Requests to have in flight at most.
    fn depth_max(&self) -> usize;

    /// Its first step.
    fn start(&self, request: &mut T, slot: &mut Slot) -> Step;

    /// The step after an operation ended with `result` (negative: an error number).
    fn advance(&self, request: &mut T, slot: &mut Slot, result: i32) -> Step;

    /// It will not be carried out, or not to its end; `slot` is where it got to.
    fn lost(&self, request: &mut T, slot: Option<&Slot>, reason: &io::Error);
}

/// What a request in flight owns. Its memory is used again by later ones.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Number of the request in the batch, while it has no result.
    request: Option<usize>,
    pub(super) stage: Stage,
    pub(super) file: Option<OwnedFd>,
    /// Names for the kernel, each ending in NUL: what is opened, or what is renamed and what to.
    pub(super) path: String,
    /// The temporary name of an object that is replaced in one step.
    pub(super) temp: String,
    /// Range wanted, and how much of it is done.
    pub(super) offset: u64,
    pub(super) wanted: usize,
    pub(super) done: usize,
    /// Repeats of an operation that was interrupted.
    pub(super) repeats: u32,
    /// Missing directories were made for it.
    pub(super) parents: bool,
    /// The open file wants aligned blocks.
    pub(super) direct: Option<Alignment>,
    pub(super) bounce: Bounce,
    /// Blocks in flight through the bounce buffer: first byte and number.
    pub(super) blocks: Option<(u64, usize)>,
}

/// Where a request is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Open,
    Transfer,
    Rename,
}

impl Slot {
    /// Ready for another request.
    fn reset(&mut self, request: Option<usize>) {
        (self.request, self.stage, self.file) = (request, Stage::Open, None);
        (self.offset, self.wanted, self.done, self.repeats) = (0, 0, 0, 0);
        (self.parents, self.direct, self.blocks) = (false, None, None);
    }
}

/// A ring and its slots.
pub(super) struct Local {
    ring: Ring,
    slots: Vec<Slot>,
    /// Slots without a request.
    free: Vec<usize>,
    /// Slots whose request waits for a descriptor.
    waiting: Vec<usize>,
}

impl Local {
    /// A ring that keeps `depth` requests in flight.
    pub(super) fn new(depth: u32) -> io::Result<Self> {
        let count = 0..depth as usize;
        let slots = count.clone().map(|_| Slot::default()).collect();
        let waiting = Vec::with_capacity(count.len());
        Ok(Self { ring: Ring::new(depth)?, slots, free: count.collect(), waiting })
    }

    /// Carries out every request of `batch`; each has its result then. An error says that the ring must not be used again.
    pub(super) fn drive<T>(&mut self, batch: &mut [T], requests: &impl Requests<T>) -> io::Result<()> {
        let Self { ring, slots, free, waiting } = self;
        let spare = slots.len() - requests.depth_max().min(slots.len());
        let mut flight = Flight { ring, slots, free, waiting, batch, requests };
        let mut next = 0;
        let outcome = loop {
            while next < flight.batch.len()
                && flight.waiting.is_empty()
                && flight.free.len() > spare
                && let Some(at) = flight.free.pop()
            {
                flight.slots[at].reset(Some(next));
                let step = requests.start(&mut flight.batch[next], &mut flight.slots[at]);
                flight.take(at, step);
                next += 1;
            }
            if flight.ring.flying == 0 && flight.waiting.is_empty() {
                break Ok(());
            }
            if let Err(e) = flight.turn() {
                break Err(e);
            }
        };
        if let Err(e) = &outcome {
            flight.drain();
            for slot in flight.slots.iter() {
                if let Some(request) = slot.request {
                    requests.lost(&mut flight.batch[request], Some(slot), e);
                }
            }
            flight.batch[next..].iter_mut().for_each(|request| requests.lost(request, None, e));
        }
        outcome
    }
}

/// A batch in flight.
struct Flight<'f, T, M: Requests<T>> {
    ring: &'f mut Ring,
    slots: &'f mut [Slot],
    free: &'f mut Vec<usize>,
    waiting: &'f mut Vec<usize>,
    batch: &'f mut [T],
    requests: &'f M,
}

impl<T, M: Requests<T>> Flight<'_, T, M> {
    /// Does what a request wants next.
    fn take(&mut self, at: usize, step: Step) {
        let slot = &mut self.slots[at];
        match step {
            Step::Submit(operation) => {
                // SAFETY: what the operation points to belongs to the slot or to the batch, as `Requests` promises, and
                // neither is touched or freed before the completion: `drive` and `Drop` reap all.
                unsafe { self.ring.push(&operation, at as u64) };
            }
            Step::Wait => self.waiting.push(at),
            Step::Done => {
                slot.reset(None);
                self.free.push(at);
            }
        }
    }

    /// Submits what is queued, waits for at least one completion, and moves those requests on.
    fn turn(&mut self) -> io::Result<()> {
        if self.ring.flying > 0 {
            self.ring.enter()?;
        }
        let before = self.free.len();
        while let Some((at, result)) = self.ring.completion() {
            let step = advance(self.requests, self.batch, &mut self.slots[at], result);
            self.take(at, step);
        }
        let given_back = self.free.len().saturating_sub(before);
        for _ in 0..given_back {
            self.start_waiting();
        }
        if self.ring.flying == 0 && !self.waiting.is_empty() {
            // Others hold all descriptors: another thread, or the run's own shards.
            if !patience::wait() {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            self.start_waiting();
        }
        Ok(())
    }

    /// Begins a request again that found no descriptor.
    fn start_waiting(&mut self) {
        let Some(at) = self.waiting.pop() else { return };
        let slot = &mut self.slots[at];
        let Some(request) = slot.request else { return };
        let step = self.requests.start(&mut self.batch[request], slot);
        self.take(at, step);
    }

    /// Reaps everything in flight without beginning anything.
    fn drain(&mut self) {
        self.ring.drain(&mut |at, result| {
            let slot = &mut self.slots[at];
            if let Step::Done = advance(self.requests, self.batch, slot, result) {
                slot.request = None;
            }
        });
    }
}

/// The descriptor that an operation of `slot` has opened, if that is what it was.
fn adopt(slot: &Slot, result: i32) -> Option<OwnedFd> {
    // SAFETY: the kernel has just opened this descriptor for this request; nobody else knows it.
    (slot.stage == Stage::Open && result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result) })
}

/// Moves the request of `slot` on, whose operation ended with `result`.
fn advance<T>(requests: &impl Requests<T>, batch: &mut [T], slot: &mut Slot, result: i32) -> Step {
    let Some(request) = slot.request else { return Step::Done };
    if let Some(file) = adopt(slot, result) {
        slot.file = Some(file);
        patience::found();
    }
    requests.advance(&mut batch[request], slot, result)
}

impl<T, M: Requests<T>> Drop for Flight<'_, T, M> {
    /// Nothing is in flight on the ordinary ways out; this is for a panic.
    fn drop(&mut self) {
        let slots = &mut *self.slots;
        self.ring.drain(&mut |at, result| {
            // What is dropped here is closed.
            drop(adopt(&slots[at], result));
        });
    }
}

/// A ring.
struct Ring {
    uring: IoUring,
    /// Operations pushed and not reaped.
    flying: usize,
}

impl Ring {
    fn new(depth: u32) -> io::Result<Self> {
        let modern = IoUring::builder().setup_single_issuer().setup_defer_taskrun().dontfork().build(depth);
        let uring = match modern {
            // Kernels before 6.1 do not know the flags.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => IoUring::builder().dontfork().build(depth)?,
            other => other?,
        };
        Ok(Self { uring, flying: 0 })
    }

    /// Queues an operation; its completion carries `tag`.
    ///
    /// # Safety
    /// What the operation points to must stay valid and in its place until its completion was reaped.
    unsafe fn push(&mut self, operation: &Operation, tag: u64) {
        let length = |bytes: usize| u32::try_from(bytes.min(OPERATION_BYTES_MAX)).unwrap_or(u32::MAX);
        let entry = match *operation {
            Operation::Open { dir, path, flags, mode } => {
                opcode::OpenAt::new(types::Fd(dir), path.cast()).flags(flags).mode(mode).build()
            }
            Operation::Read { file, to, bytes, offset } => {
                opcode::Read::new(types::Fd(file), to, length(bytes)).offset(offset).build()
            }
            Operation::Write { file, from, bytes, offset } => {
                opcode::Write::new(types::Fd(file), from, length(bytes)).offset(offset).build()
            }
            Operation::Rename { dir, from, to } => {
                opcode::RenameAt::new(types::Fd(dir), from.cast(), types::Fd(dir), to.cast()).build()
            }
        };
        let entry: squeue::Entry = entry.user_data(tag);
        // SAFETY: by this function's contract.
        let pushed = unsafe { self.uring.submission().push(&entry) };
        // One operation for each slot, and as many slots as entries.
        assert!(pushed.is_ok(), "the submission queue has room for every slot");
        self.flying += 1;
    }

    /// Submits what is queued and waits for a completion.
    fn enter(&mut self) -> io::Result<()> {
        let patience = Instant::now() + LAST_WAIT;
        loop {
            #[cfg(test)]
            crate::backends::io_uring::tests::fail_if_told()?;
            match self.uring.submit_and_wait(1) {
                Ok(_) => return Ok(()),
                // Busy: completions have to be reaped before more can be submitted.
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) && !self.uring.completion().is_empty() => {
                    return Ok(());
                }
                Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
                // The kernel is short of memory for requests.
                Err(e) if e.raw_os_error() == Some(libc::EAGAIN) && Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// The next completion: its tag and result.
    fn completion(&mut self) -> Option<(usize, i32)> {
        let entry = self.uring.completion().next()?;
        self.flying -= 1;
        // A tag is the number of a slot.
        Some((usize::try_from(entry.user_data()).unwrap_or(usize::MAX), entry.result()))
    }

    /// Takes back what the kernel has not seen, and waits for the rest.
    ///
    /// # Aborts
    /// If the kernel keeps operations without ever completing them: their buffers could not be given back to their owner, who
    /// would read bytes that still change.
    fn drain(&mut self, reap: &mut dyn FnMut(usize, i32)) {
        let mut deadline = None;
        loop {
            // What is queued was never submitted: nobody works on it.
            let queued = self.uring.submission().len();
            while let Some((at, result)) = self.completion() {
                reap(at, result);
            }
            if self.flying <= queued {
                self.flying = 0;
                return;
            }
            // SAFETY: no arguments are passed, nothing is submitted.
            let waited = unsafe { self.uring.submitter().enter::<libc::sigset_t>(0, 1, GETEVENTS, None) };
            match waited {
                Ok(_) => deadline = None,
                Err(e) if e.raw_os_error() == Some(libc::EINTR) => {}
                Err(_) => {
                    let end = *deadline.get_or_insert_with(|| Instant::now() + LAST_WAIT);
                    if Instant::now() > end {
                        std::process::abort();
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
}

/// `IORING_ENTER_GETEVENTS`.
const GETEVENTS: u32 = 1;
