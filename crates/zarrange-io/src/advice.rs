//! Memory that may be refused, and advice to the kernel: about memory, and about what was written; and its last word on that.
#![expect(
    unsafe_code,
    reason = "madvise takes a raw range, sync_file_range, fcntl and close raw descriptors; only the allocator itself gives zeroed memory or says no"
)]

use std::alloc::{Layout, alloc_zeroed};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::time::Duration;

use rustix::fs::FallocateFlags;
use rustix::mm::{Advice, madvise};

/// Zeroed memory, which becomes resident only as it is written (`resize` would write all of it); `None` where the system refuses it
/// (`vec![0; n]` would abort).
pub fn zeroed(bytes: usize) -> Option<Vec<u8>> {
    if bytes == 0 {
        return Some(Vec::new());
    }
    let layout = Layout::array::<u8>(bytes).ok()?;
    // SAFETY: the layout is not of size zero.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        return None;
    }
    let whole = std::ptr::slice_from_raw_parts_mut(start, bytes);
    // SAFETY: the global allocator has just given this memory with the layout of so many bytes, and all of them are set.
    Some(unsafe { Box::from_raw(whole) }.into_vec())
}

/// Lets all threads allocate from one place. The C library takes 64 MiB of addresses for each thread otherwise, which is much where
/// addresses are limited.
pub fn one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes integers; it may be made at any time.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Locks a range of a file for whoever opened it, not for the process: two that open it in one process are two. Does not wait.
pub(crate) fn lock_range(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let wrong = |_| io::Error::from_raw_os_error(libc::EINVAL);
    #[expect(clippy::cast_possible_truncation, reason = "the constants of C are small")]
    let range = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset.try_into().map_err(wrong)?,
        l_len: bytes.try_into().map_err(wrong)?,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the call reads the record that it is given.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Bytes of a huge page, on most processors.
const HUGE_BYTES: usize = 2 << 20;

/// A huge page that takes longer to get was not only cleared, which takes a fifth of that.
const SLOW: Duration = Duration::from_millis(1);

/// The huge pages within a buffer.
#[derive(Clone, Copy, Debug)]
pub struct HugePages {
    start: usize,
    count: usize,
}

impl HugePages {
    /// Asks for huge pages behind `buffer`: a large tile is then faulted in hundreds of steps instead of hundreds of
    /// thousands, and copies across it miss the TLB less. Where the kernel has none, nothing changes.
    pub fn ask(buffer: &mut [u8]) -> Self {
        let start = buffer.as_mut_ptr().expose_provenance();
        let skip = start.next_multiple_of(HUGE_BYTES) - start;
        let pages =
            Self { start: start + skip, count: buffer.len().checked_sub(skip).map_or(0, |n| n / HUGE_BYTES) };
        pages.advise(0, pages.count, Advice::LinuxHugepage);
        pages
    }

    /// Gets their memory from the kernel as long as it is `wanted` and that is quick; where it is slow, asks for small pages for the
    /// rest.
    ///
    /// A host that takes free memory of a virtual machine back takes whole huge pages, and has to find each of them anew. Of small
    /// pages many are still backed: with them a run that needs 800 MB was a fifth faster (`results/2026-11-21-one-writer`).
    pub fn populate(self, wanted: impl Fn() -> bool) {
        let mut slow = 0;
        for page in (0..self.count).take_while(|_| wanted()) {
            let begin = thread_time();
            if !self.advise(page, page + 1, Advice::LinuxPopulateWrite) {
                return;
            }
            slow = if thread_time().saturating_sub(begin) > SLOW { slow + 1 } else { 0 };
            // One alone may have had to wait for something else.
            if slow == 2 {
                self.advise(page + 1, self.count, Advice::LinuxNoHugepage);
                return;
            }
        }
    }

    /// Advises on pages `from .. to`; whether the kernel took it.
    fn advise(self, from: usize, to: usize, advice: Advice) -> bool {
        let start = std::ptr::with_exposed_provenance_mut(self.start + from * HUGE_BYTES);
        // SAFETY: none of the advices given changes what memory holds, whoever owns it by now; only how soon and in what pages it
        // is there.
        unsafe { madvise(start, (to - from) * HUGE_BYTES, advice) }.is_ok()
    }
}

/// How long this thread has run: a time that does not count others that ran instead.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Gives the blocks of a range of a file back to the file system; the range then reads as zeros.
pub(crate) fn release(file: &File, offset: u64, bytes: u64) {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // Only room on the disk depends on it, and not every file system can.
    let _ = rustix::fs::fallocate(file, hole, offset, bytes);
}

/// Takes room for a range behind the end of a file, whose size stays as it is; whether that was done.
///
/// Only ext4 is asked: it reserves room block by block while data is written, and writing into room that it has already takes
/// a third less time. Others reserve in large steps by themselves, or would fill the room with zeros (tmpfs).
pub(crate) fn reserve(file: &File, offset: u64, bytes: u64) -> bool {
    let is_ext4 = || rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type == libc::EXT4_SUPER_MAGIC);
    is_ext4() && rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, offset, bytes).is_ok()
}

/// Begins to write a range of a file to its device without waiting for it, so that making it durable later waits for less.
pub(crate) fn begin_writeback(file: &File, offset: u64, bytes: u64) {
    let (Ok(offset), Ok(bytes)) = (i64::try_from(offset), i64::try_from(bytes)) else { return };
    // SAFETY: the call takes integers and touches no memory; the descriptor is open as long as `file` is borrowed.
    let begun =
        unsafe { libc::sync_file_range(file.as_raw_fd(), offset, bytes, libc::SYNC_FILE_RANGE_WRITE) };
    // Only speed depends on it: what fails here fails again, and is reported, when the file is made durable.
    let _ = begun;
}

/// Closes a file; the error is the kernel's last word on what was written to it. The descriptor is free in any case.
pub(crate) fn close(file: OwnedFd) -> io::Result<()> {
    // SAFETY: the descriptor was owned, and is given up here.
    match unsafe { libc::close(file.into_raw_fd()) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            // A signal came; the file is closed all the same.
            e if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            e => Err(e),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_had_is_refused() {
        for bytes in [0, 1, 100_000, 40 << 20] {
            assert_eq!(zeroed(bytes), Some(vec![0; bytes]));
        }
        for bytes in [isize::MAX as usize, usize::MAX] {
            assert_eq!(zeroed(bytes), None);
        }
    }

    #[test]
    fn populating_changes_nothing() {
        for (bytes, count) in [(0, 0..1), (HUGE_BYTES - 1, 0..1), (5 * HUGE_BYTES, 4..6)] {
            let mut buffer: Vec<u8> = (0..bytes).map(|k| k.to_le_bytes()[0]).collect();
            let pages = HugePages::ask(&mut buffer);
            pages.populate(|| true);
            assert!(count.contains(&pages.count), "{bytes} bytes hold {} huge pages", pages.count);
            assert!(buffer.iter().enumerate().all(|(k, byte)| *byte == k.to_le_bytes()[0]), "{bytes}");
            let within = buffer.as_ptr_range();
            let end = pages.start + pages.count * HUGE_BYTES;
            assert!(pages.count == 0 || (pages.start >= within.start.addr() && end <= within.end.addr()));
        }
    }
}
