//! Backends by name: the one place that decides.
#![expect(unsafe_code, reason = "the promise that the mmap backend asks for is given here")]

use zarrange_io::{Opener, STD_THREADS};

/// The backends that can be asked for.
pub const BACKENDS: [&str; 3] = ["std", "mmap", "io_uring"];

/// The opener of the backend `name`.
///
/// # Errors
/// If there is no such backend, or it does not work here.
pub fn opener(name: &str) -> anyhow::Result<Opener> {
    match name {
        "std" => Ok(Opener::std_pool(STD_THREADS)),
        "io_uring" => Ok(Opener::io_uring()?),
        // SAFETY: only layouts and datasets that are complete are opened by name, and the directory of a probe; nobody changes
        // what is read there meanwhile.
        "mmap" => Ok(unsafe { Opener::mmap() }),
        other => anyhow::bail!("backend {other:?} is none of {}", BACKENDS.join(", ")),
    }
}
