//! What moving a byte costs.

/// Rates of a machine with a local disk, in nanoseconds; only their ratios decide between the ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// CPU time to decode a byte of a chunk (zstd level 3, 600 MB/s).
    pub decode_ns_per_byte: f64,
    /// CPU time to encode a byte of a chunk (zstd level 3, 120 MB/s).
    pub encode_ns_per_byte: f64,
    /// CPU time to copy a byte between a chunk and a tile.
    pub copy_ns_per_byte: f64,
    /// Time to read a byte.
    pub read_ns_per_byte: f64,
    /// Time to write a byte.
    pub write_ns_per_byte: f64,
    /// Time of one request beyond its bytes.
    pub request_ns: f64,
    /// Time to begin and end a tile.
    pub tile_ns: f64,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            decode_ns_per_byte: 1.6,
            encode_ns_per_byte: 8.0,
            copy_ns_per_byte: 0.4,
            read_ns_per_byte: 0.3,
            write_ns_per_byte: 0.8,
            request_ns: 15_000.0,
            tile_ns: 100_000.0,
        }
    }
}
