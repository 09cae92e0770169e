//! The device's own rate: aligned `O_DIRECT` reads, 128 in flight, nothing else.

use std::alloc::{Layout, alloc, dealloc};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use io_uring::{IoUring, opcode, types};

const DEPTH: usize = 128;
const BLOCK: usize = 4096;

/// A ring, a file, and room for every read.
pub(crate) struct BareRing {
    ring: IoUring,
    file: File,
    room: *mut u8,
    layout: Layout,
    bytes: usize,
}

impl BareRing {
    pub(crate) fn new(path: &Path, reads: usize, bytes: usize) -> anyhow::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)?;
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(128)?;
        let layout = Layout::from_size_align(reads * bytes, BLOCK)?;
        // SAFETY: the layout is not empty.
        let room = unsafe { alloc(layout) };
        ensure!(!room.is_null(), "no memory");
        Ok(Self { ring, file, room, layout, bytes })
    }

    /// Reads at every offset.
    pub(crate) fn read(&mut self, offsets: &[u64]) -> anyhow::Result<Duration> {
        ensure!(offsets.len() * self.bytes <= self.layout.size(), "a place for every read");
        let begin = Instant::now();
        let (mut next, mut done, mut short) = (0, 0, 0);
        while done < offsets.len() {
            while next < offsets.len() && next - done < DEPTH {
                // SAFETY: within the room, as checked above.
                let to = unsafe { self.room.add(next * self.bytes) };
                let length = u32::try_from(self.bytes)?;
                let read = opcode::Read::new(types::Fd(self.file.as_raw_fd()), to, length)
                    .offset(offsets[next])
                    .build();
                // SAFETY: the room lives until every read was reaped, below.
                unsafe { self.ring.submission().push(&read)? };
                next += 1;
            }
            self.ring.submit_and_wait(1)?;
            for entry in self.ring.completion() {
                short += usize::from(usize::try_from(entry.result()) != Ok(self.bytes));
                done += 1;
            }
        }
        ensure!(short == 0, "{short} reads failed or were short");
        Ok(begin.elapsed())
    }
}

impl Drop for BareRing {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; nothing is in flight.
        unsafe { dealloc(self.room, self.layout) };
    }
}
