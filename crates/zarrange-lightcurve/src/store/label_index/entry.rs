//! An entry of an index: a hash of a label, and its place.

use twox_hash::XxHash3_128;

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 16;

/// Bits of an entry that are its place.
const PLACE_BITS: u32 = 40;

/// Places that an entry can have.
pub(super) const PLACES_MAX: u64 = 1 << PLACE_BITS;

/// The upper 88 bits of the hash of a label (XXH3, 128 bits), then 40 bits of its place. In their order, those of one label follow each
/// other by place. That two of 10^8 labels have the same 88 bits has a chance of 2 in 10^11, and is noticed; that a label which is not
/// there has those of one that is, 3 in 10^19.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    leading: u64,
    /// The other bits of the hash, and the place.
    rest: u64,
}

impl Entry {
    /// That of a label at a place below [`PLACES_MAX`].
    pub(super) fn new(label: &str, place: u64) -> Self {
        let hash = XxHash3_128::oneshot(label.as_bytes()).to_be_bytes();
        let [leading, rest] = [0, 1].map(|k| u64::from_be_bytes(hash.as_chunks().0[k]));
        Self { leading, rest: rest & !(PLACES_MAX - 1) | place }
    }

    /// Its place.
    pub(super) const fn place(self) -> u64 {
        self.rest & (PLACES_MAX - 1)
    }

    /// The first bits of its hash: as a share of 2^64 about its share of all entries.
    pub(super) const fn leading(self) -> u64 {
        self.leading
    }

    /// Whether both are of the same label, as far as hashes tell.
    pub(super) const fn has_hash_of(self, other: Self) -> bool {
        self.leading == other.leading && self.rest >> PLACE_BITS == other.rest >> PLACE_BITS
    }

    /// As it is stored.
    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.leading.to_le_bytes());
        bytes[8..].copy_from_slice(&self.rest.to_le_bytes());
        bytes
    }

    /// The entry that is stored as `bytes`.
    pub(super) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [leading, rest] = [0, 1].map(|k| u64::from_le_bytes(bytes.as_chunks().0[k]));
        Self { leading, rest }
    }
}
