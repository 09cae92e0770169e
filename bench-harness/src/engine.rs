//! Jobs for the engine, as benches ask for them.

use zarrange_io::{Location, Opener};
use zarrange_plan::Costs;
use zarrange_rechunk::{Codecs, Durability, Foreign, Job, KeySeparator, Verify};

/// Memory for the engine where nobody says otherwise.
pub const MEMORY_BYTES: u64 = 4 << 30;

/// A job that keeps everything as it is, on all processors: what is to be different is set by the caller.
pub fn job(source: Location, target: Location) -> Job {
    Job {
        source,
        target,
        chunks: Vec::new(),
        shards: Vec::new(),
        mix: None,
        arrays: Vec::new(),
        only_named: false,
        codecs: Codecs::Keep,
        key_separator: KeySeparator::Auto,
        memory_bytes_max: MEMORY_BYTES,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        temp: None,
        verify: Verify::None,
        durability: Durability::Commit,
        overwrite: false,
        skip: Vec::new(),
        foreign: Foreign::Skip,
        io: Opener::auto(),
        costs: Costs::default(),
        way: None,
    }
}
