//! Who reads a layout: what is fetched of a chunk and of a shard, how much at once, and what a call takes beside that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::UnknownWord;

/// A kind of reader.
///
/// ```
/// use zarrange_plan::Reader;
///
/// assert_eq!("tensorstore".parse(), Ok(Reader::TensorStore));
/// let error = "dask".parse::<Reader>().unwrap_err();
/// assert!(error.to_string().starts_with(r#""dask" is no reader: use zarr-python"#));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// zarr-python before 3.3: whole chunks, those of a shard one after the other.
    #[default]
    ZarrPython,
    /// zarr-python from 3.3 on: neighbouring chunks of a shard in one request.
    #[serde(rename = "zarr-python-3.3")]
    ZarrPython33,
    /// xarray over zarr-python before 3.3.
    Xarray,
    /// `TensorStore`: whole chunks, all at once.
    #[serde(rename = "tensorstore")]
    TensorStore,
    /// The codec pipeline of zarrs in zarr-python: of uncompressed chunks every run of bytes.
    ZarrsPython,
    /// `zarrange_array::RegionReader`: of uncompressed chunks what is wanted, from the first byte to the last; the shards read last stay open.
    Zarrange,
}

/// Whether a reader decodes a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decodes {
    /// As it is installed.
    Yes,
    /// With this package beside it.
    With(&'static str),
    /// Not at all.
    No,
}

/// What is fetched of a chunk that is stored as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// All of it.
    Whole,
    /// From the first byte that is wanted to the last.
    Span,
    /// Every run of bytes that is wanted, with a request for each.
    Runs,
}

/// Ranges of an object that are read together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Merging {
    /// Bytes between two of them at most.
    pub(crate) gap_bytes: f64,
    /// Bytes of a read at most.
    pub(crate) read_bytes: f64,
    /// Whether also chunks of scattered indices are, which another reads row of chunks by row of chunks.
    pub(crate) scattered: bool,
}

/// How a reader goes about it. Times are of one core, beside what the place and the codecs take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Habits {
    pub(crate) fetched: Fetched,
    /// Whether a shard of which all chunks are wanted is one request.
    pub(crate) whole_shards: bool,
    /// Whether the chunks of a shard are asked for one after the other, and decoded as they come; shards are read at once.
    pub(crate) in_turn: bool,
    pub(crate) merging: Option<Merging>,
    /// Whether every request opens the object.
    pub(crate) opens_each: bool,
    /// Shards that stay open with their indexes; they are opened one after the other.
    pub(crate) shards_kept: u64,
    /// Requests under way at once, at most.
    pub(crate) in_flight: f64,
    /// How many times as much as our own threads, with which places are probed, it gains from requests under way beyond the first.
    pub(crate) in_flight_gain: f64,
    /// How many times as fast as one thread all decode together.
    pub(crate) decoders: f64,
    /// The same of encoding.
    pub(crate) encoders: f64,
    /// What one thread does before another has begun.
    pub(crate) alone_ns: f64,
    /// An access.
    pub(crate) access_ns: f64,
    /// A request.
    pub(crate) request_ns: f64,
    /// A shard, to find its chunks.
    pub(crate) shard_ns: f64,
    /// A chunk, to put its elements where they are wanted.
    pub(crate) chunk_ns: f64,
    /// A chunk that is decoded, to call its codec.
    pub(crate) codec_ns: f64,
    pub(crate) memory: Memory,
}

/// What a reader holds while an access goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Memory {
    /// Chunks that are decoded at once.
    pub(crate) chunks: f64,
    /// Whether all that was fetched is held to the end; else as many bytes as those chunks have.
    pub(crate) fetched: bool,
    /// What both together take, for each byte of them.
    pub(crate) times: f64,
}

/// As asyncio does it, with a thread for each request and each codec of a chunk, behind one lock of the interpreter. Fitted to what
/// zarr-python 3.1.6 takes for 1 to 256 chunks of 4 kB to 1 MB, warm, also in shards, on two cores (`results/2026-11-28-readers`), and to
/// a hundred layouts of three arrays (`results/2026-11-28-advice`): chunks of a whole shard, which come at once, are decoded half as fast again by two threads.
const ZARR_PYTHON: Habits = Habits {
    fetched: Fetched::Whole,
    whole_shards: true,
    in_turn: true,
    merging: None,
    opens_each: true,
    shards_kept: 0,
    in_flight: 10.0,
    in_flight_gain: 1.0,
    decoders: 1.5,
    encoders: 1.0,
    alone_ns: 0.0,
    access_ns: 150_000.0,
    request_ns: 75_000.0,
    shard_ns: 150_000.0,
    chunk_ns: 46_000.0,
    codec_ns: 100_000.0,
    memory: Memory { chunks: 10.0, fetched: true, times: 1.7 },
};

/// As documented for 3.3: gaps up to 1 MiB, reads up to 16 MiB. Not fitted.
const ZARR_PYTHON_33: Habits = Habits {
    in_turn: false,
    merging: Some(Merging { gap_bytes: 1_048_576.0, read_bytes: 16_777_216.0, scattered: true }),
    ..ZARR_PYTHON
};

/// 0.1.86, fitted in the same way, and to a hundred layouts of two arrays (`results/2026-11-28-advice`). Two threads decode half as fast again as
/// one, and so little that one has done it before the other begins takes as long as one takes. Its 32 threads gain more from a disk than ours.
const TENSORSTORE: Habits = Habits {
    fetched: Fetched::Whole,
    whole_shards: true,
    in_turn: false,
    merging: None,
    opens_each: true,
    shards_kept: 0,
    in_flight: 32.0,
    in_flight_gain: 1.6,
    decoders: 1.5,
    encoders: 2.0,
    alone_ns: 1_200_000.0,
    access_ns: 90_000.0,
    request_ns: 500.0,
    shard_ns: 1_000.0,
    chunk_ns: 1_500.0,
    codec_ns: 500.0,
    memory: Memory { chunks: 32.0, fetched: true, times: 1.1 },
};

/// 0.2.3, fitted in the same way. Of uncompressed chunks every run is a read of its own.
const ZARRS_PYTHON: Habits = Habits {
    fetched: Fetched::Runs,
    whole_shards: false,
    in_turn: false,
    merging: None,
    opens_each: true,
    shards_kept: 0,
    in_flight: 2.0,
    in_flight_gain: 1.0,
    decoders: 2.0,
    encoders: 2.0,
    alone_ns: 0.0,
    access_ns: 180_000.0,
    request_ns: 300.0,
    shard_ns: 10_000.0,
    chunk_ns: 10_000.0,
    codec_ns: 8_000.0,
    memory: Memory { chunks: 2.0, fetched: false, times: 1.1 },
};

const ZARRANGE: Habits = Habits {
    fetched: Fetched::Span,
    whole_shards: false,
    in_turn: false,
    // Those of a local disk (`zarrange_io::Coalescing`).
    merging: Some(Merging { gap_bytes: 4096.0, read_bytes: 1_048_576.0, scattered: false }),
    opens_each: false,
    shards_kept: 64,
    in_flight: f64::INFINITY,
    in_flight_gain: 1.0,
    decoders: 1.0,
    encoders: 1.0,
    alone_ns: 0.0,
    access_ns: 0.0,
    request_ns: 0.0,
    shard_ns: 0.0,
    chunk_ns: 600.0,
    codec_ns: 0.0,
    memory: Memory { chunks: 1.0, fetched: false, times: 1.0 },
};

impl Habits {
    /// How long it takes to decode so many chunks, of what one core takes.
    pub(crate) fn decoded_ns(&self, ns: f64, chunks: f64) -> f64 {
        self.shared_ns(ns, self.decoders.min(chunks))
    }

    /// The same of encoding, and decoding before where that is needed.
    pub(crate) fn encoded_ns(&self, ns: f64, chunks: f64) -> f64 {
        self.shared_ns(ns, self.encoders.min(chunks))
    }

    fn shared_ns(&self, ns: f64, threads: f64) -> f64 {
        (ns / threads.max(1.0)).max(ns.min(self.alone_ns))
    }
}

impl Reader {
    /// All of them, the default first.
    pub const ALL: [Self; 6] = [
        Self::ZarrPython,
        Self::ZarrPython33,
        Self::Xarray,
        Self::TensorStore,
        Self::ZarrsPython,
        Self::Zarrange,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ZarrPython => "zarr-python",
            Self::ZarrPython33 => "zarr-python-3.3",
            Self::Xarray => "xarray",
            Self::TensorStore => "tensorstore",
            Self::ZarrsPython => "zarrs-python",
            Self::Zarrange => "zarrange",
        }
    }

    /// Who it is, for a sentence.
    pub const fn reads(self) -> &'static str {
        match self {
            Self::ZarrPython => "zarr-python before 3.3 (whole chunks)",
            Self::ZarrPython33 => "zarr-python from 3.3 on (whole chunks, neighbours together)",
            Self::Xarray => "xarray over zarr-python before 3.3 (whole chunks)",
            Self::TensorStore => "TensorStore (whole chunks)",
            Self::ZarrsPython => "zarrs in zarr-python (of uncompressed chunks each run)",
            Self::Zarrange => "zarrange (of uncompressed chunks parts)",
        }
    }

    /// Whether it decodes a codec of this name in `zarr.json`, of those that can be asked for by a word.
    pub fn decodes(self, codec: &str) -> Decodes {
        let python = match codec {
            "numcodecs.pcodec" => Decodes::With("pcodec"),
            _ => Decodes::Yes,
        };
        match self {
            Self::ZarrPython | Self::ZarrPython33 | Self::Xarray | Self::ZarrsPython => python,
            Self::TensorStore if codec.starts_with("numcodecs.") => Decodes::No,
            Self::TensorStore | Self::Zarrange => Decodes::Yes,
        }
    }

    /// Whether it fetches parts of chunks that are stored as they are.
    pub fn takes_parts(self) -> bool {
        self.habits().fetched != Fetched::Whole
    }

    /// Shards that it keeps open with their indexes.
    pub const fn shards_kept(self) -> u64 {
        self.habits().shards_kept
    }

    /// How it goes about it.
    pub(crate) const fn habits(self) -> Habits {
        match self {
            Self::ZarrPython => ZARR_PYTHON,
            Self::ZarrPython33 => ZARR_PYTHON_33,
            // What it puts around an array takes a while, once for each access.
            Self::Xarray => Habits { access_ns: ZARR_PYTHON.access_ns + 70_000.0, ..ZARR_PYTHON },
            Self::TensorStore => TENSORSTORE,
            Self::ZarrsPython => ZARRS_PYTHON,
            Self::Zarrange => ZARRANGE,
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
    fn not_every_reader_decodes_every_codec() {
        let check = |reader: Reader, codec: &str, expected: Decodes| {
            assert_eq!(reader.decodes(codec), expected, "{reader} {codec}");
        };
        for reader in Reader::ALL {
            check(reader, "zstd", Decodes::Yes);
        }
        check(Reader::TensorStore, "numcodecs.lz4", Decodes::No);
        check(Reader::ZarrPython, "numcodecs.lz4", Decodes::Yes);
        check(Reader::Xarray, "numcodecs.pcodec", Decodes::With("pcodec"));
        check(Reader::Zarrange, "numcodecs.pcodec", Decodes::Yes);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for reader in Reader::ALL {
            assert_eq!(reader.to_string().parse(), Ok(reader));
        }
        let error = "dask".parse::<Reader>().unwrap_err().to_string();
        let known = "zarr-python, zarr-python-3.3, xarray, tensorstore, zarrs-python or zarrange";
        assert_eq!(error, format!("\"dask\" is no reader: use {known}"));
    }
}
