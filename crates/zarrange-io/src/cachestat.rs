//! `cachestat`: what the page cache holds of an open file (Linux 6.5 and later).
#![expect(unsafe_code, reason = "the call has no wrapper in libc or rustix")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The same number on x86-64 and aarch64.
const SYS_CACHESTAT: libc::c_long = 451;

/// `struct cachestat_range`; a length of 0 reaches to the end of the file.
#[repr(C)]
#[derive(Default)]
struct Range {
    offset: u64,
    bytes: u64,
}

/// `struct cachestat`, as the kernel fills it: numbers of pages.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CacheStat {
    pub(crate) cached: u64,
    pub(crate) dirty: u64,
    pub(crate) writeback: u64,
    /// Evicted ever, and recently.
    _evicted: [u64; 2],
}

/// The pages of the whole file.
///
/// # Errors
/// `ENOSYS` before Linux 6.5, `EPERM` for a file of somebody else, or whatever a sandbox answers.
pub(crate) fn cachestat(file: &File) -> io::Result<CacheStat> {
    if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let (range, mut stat) = (Range::default(), CacheStat::default());
    // SAFETY: both structs have the layout of the kernel and outlive the call, which writes only `stat`.
    let code = unsafe {
        libc::syscall(SYS_CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut stat, libc::c_uint::MIN)
    };
    if code == 0 { Ok(stat) } else { Err(io::Error::last_os_error()) }
}
