//! What can go wrong with a chunk's bytes.

/// A codec failure. The chunk is named by whoever read it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The stored bytes are not what the codec writes.
    #[error("{codec}: {detail}")]
    Corrupt {
        /// Name of the codec.
        codec: &'static str,
        /// What does not fit.
        detail: String,
    },
    /// No chunk has so many stored bytes.
    #[error("{bytes} bytes are stored, {} can be valid", among(*.least, *.most))]
    Stored {
        /// Bytes that are stored.
        bytes: u64,
        /// The fewest that the codecs make of a chunk.
        least: u64,
        /// The most.
        most: u64,
    },
    /// The chunk decodes to another size than the metadata says.
    #[error("{codec}: decodes to {bytes} bytes, the metadata says {expected}")]
    Size {
        /// Name of the codec.
        codec: &'static str,
        /// Bytes decoded.
        bytes: u64,
        /// Bytes of a chunk.
        expected: u64,
    },
    /// The chunk decodes to more than there is room for; how much more is not known, for decoding ended there.
    #[error("{codec}: decodes to more bytes than the metadata says")]
    TooLong {
        /// Name of the codec.
        codec: &'static str,
    },
    /// The elements of the chunk need more memory than the caller allows; with more they may be decoded.
    #[error("its elements take at least {bytes} bytes of memory, not more than {bytes_max} are allowed")]
    Memory {
        /// Bytes that they need at least.
        bytes: u64,
        /// Bytes that are allowed.
        bytes_max: u64,
    },
    /// The system does not give the memory that the chunk needs.
    #[error(
        "the system refuses {bytes} bytes of memory: give less with --max-mem or --threads, or let the process have more (ulimit -v)"
    )]
    Refused {
        /// Bytes asked for.
        bytes: u64,
    },
    /// The chunk cannot be encoded.
    #[error("{codec}: cannot encode {bytes} bytes: {detail}")]
    Encode {
        /// Name of the codec.
        codec: &'static str,
        /// Bytes to encode.
        bytes: u64,
        /// Why not.
        detail: String,
    },
    /// The codec list cannot be used.
    #[error("codecs {codecs}: {detail}")]
    Unsupported {
        /// Names of the codecs.
        codecs: String,
        /// Why not.
        detail: String,
    },
    /// A data type of which nothing is known.
    #[error("data type {name} is not known")]
    UnknownType {
        /// Name of the data type.
        name: String,
    },
    /// The data type cannot be used.
    #[error("data type {name}: {detail}")]
    DataType {
        /// Name of the data type.
        name: String,
        /// Why not.
        detail: String,
    },
    /// A shape that no chunk can have.
    #[error(transparent)]
    Shape(#[from] zarrange_grid::GridError),
}

fn among(least: u64, most: u64) -> String {
    if least == most { most.to_string() } else { format!("{least} to {most}") }
}

impl CodecError {
    pub(crate) fn corrupt(codec: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupt { codec, detail: detail.into() }
    }

    /// An error if a chunk decodes to another size than the expected one.
    pub(crate) fn check_size(codec: &'static str, bytes: usize, expected: usize) -> Result<(), Self> {
        if bytes == expected {
            return Ok(());
        }
        Err(Self::Size { codec, bytes: bytes as u64, expected: expected as u64 })
    }
}
