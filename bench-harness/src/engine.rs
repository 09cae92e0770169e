//! Jobs for the engine, as benches ask for them.

use zarrange_io::{Location, Opener};
use zarrange_rechunk::Request;

/// Memory for the engine where nobody says otherwise.
pub const MEMORY_BYTES: u64 = 4 << 30;

/// A job that keeps everything as it is, on all processors: what is to be different is set by the caller.
pub fn job(source: Location, target: Location) -> Request {
    Request {
        memory_bytes_max: MEMORY_BYTES,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        io: Opener::auto(),
        ..Request::new(source, target)
    }
}
