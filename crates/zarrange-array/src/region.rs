//! Reading and writing regions: any part of an array, again and again.

mod read;
mod write;

pub use read::{RegionReader, SHARDS_MAX};
pub use write::RegionWriter;
