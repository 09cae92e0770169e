//! Advice to the kernel: about memory, and about what was written.
#![expect(unsafe_code, reason = "madvise takes a raw range, sync_file_range a raw descriptor")]

use std::fs::File;
use std::os::fd::AsRawFd as _;

use rustix::fs::FallocateFlags;
use rustix::mm::{Advice, madvise};

/// Pages are advised in whole multiples of this; a range that begins or ends elsewhere is rounded inwards.
const PAGE_BYTES: usize = 4096;

/// Asks for huge pages behind `buffer`: a large tile is then faulted in hundreds of steps instead of hundreds of
/// thousands, and copies across it miss the TLB less. Where the kernel has none, nothing changes.
pub fn advise_huge_pages(buffer: &mut [u8]) {
    let start = buffer.as_mut_ptr();
    let skip = start.align_offset(PAGE_BYTES);
    let Some(bytes) = buffer.len().checked_sub(skip).map(|n| n / PAGE_BYTES * PAGE_BYTES).filter(|n| *n > 0)
    else {
        return;
    };
    // SAFETY: the range is inside the buffer, which is borrowed mutably; the advice changes no contents.
    let advised = unsafe { madvise(start.add(skip).cast(), bytes, Advice::LinuxHugepage) };
    // Only speed depends on it.
    let _ = advised;
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
