//! Advice to the kernel about memory.
#![expect(unsafe_code, reason = "madvise takes a raw range")]

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
