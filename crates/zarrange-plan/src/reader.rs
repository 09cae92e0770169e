//! Who reads a layout: what is fetched of a chunk, and what a chunk takes beside its bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::UnknownWord;

/// A kind of reader.
///
/// ```
/// use zarrange_plan::Reader;
///
/// assert_eq!("whole-chunks".parse(), Ok(Reader::WholeChunks));
/// let error = "dask".parse::<Reader>().unwrap_err();
/// assert_eq!(error.to_string(), r#""dask" is no reader: use whole-chunks or zarrange"#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// Fetches chunks (of shards: inner chunks) whole, and the index of a shard each time, as zarr-python, `TensorStore` and zarrs do.
    #[default]
    WholeChunks,
    /// `zarrange_array::RegionReader`: of chunks stored as they are only what is wanted; the shards read last stay open.
    Zarrange,
}

impl Reader {
    /// All of them, the default first.
    pub const ALL: [Self; 2] = [Self::WholeChunks, Self::Zarrange];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WholeChunks => "whole-chunks",
            Self::Zarrange => "zarrange",
        }
    }

    /// What it reads, for a sentence.
    pub const fn reads(self) -> &'static str {
        match self {
            Self::WholeChunks => "whole chunks (zarr-python, TensorStore, zarrs)",
            Self::Zarrange => "parts of chunks (zarrange)",
        }
    }

    /// Whether it fetches parts of chunks that are stored as they are.
    pub(crate) const fn fetches_parts(self) -> bool {
        match self {
            Self::WholeChunks => false,
            Self::Zarrange => true,
        }
    }

    /// Shards that it keeps open with their indexes.
    pub const fn shards_kept(self) -> u64 {
        match self {
            Self::WholeChunks => 0,
            Self::Zarrange => 64,
        }
    }

    /// Time that a chunk takes beside its codecs: to be found, and its elements to be put where they are wanted.
    pub(crate) const fn chunk_ns(self) -> f64 {
        match self {
            // zarr-python 3.1.6 takes 90,000 to 280,000, TensorStore 0.1.86 4,000 to 13,000 (1,000 chunks of 256 bytes, warm): most
            // people read with the first.
            Self::WholeChunks => 100_000.0,
            Self::Zarrange => 600.0,
        }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reader {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        UnknownWord::find("reader", Self::ALL, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for reader in Reader::ALL {
            assert_eq!(reader.to_string().parse(), Ok(reader));
        }
        let error = "dask".parse::<Reader>().unwrap_err().to_string();
        assert_eq!(error, "\"dask\" is no reader: use whole-chunks or zarrange");
    }
}
