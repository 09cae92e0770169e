//! The one place where a 64-bit size becomes an index into memory.

const _: () = assert!(usize::BITS == 64, "zarrange addresses memory with 64 bits");

/// A size or offset as an index into memory; lossless, because only 64-bit targets compile.
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, asserted above")]
pub const fn index(n: u64) -> usize {
    n as usize
}
