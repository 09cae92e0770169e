//! An index as it is stored: an object at the place of the array of labels, with a header and then entries in their order.

use zarrange_array::{Array, DERIVED};
use zarrange_grid::index;
use zarrange_io::{Access, Object, Store};

use super::entry::{ENTRY_BYTES, Entry};
use super::error::NoIndex;
use super::stamp::Stamp;

/// What it begins with: what it is, in its first version.
const MAGIC: &[u8; 16] = b"zarrange labels\x01";

/// Bytes before the entries: what it is, the digest of the stamp of its labels, their number, and room.
pub(super) const HEADER_BYTES: usize = 64;

/// The name of an index.
pub(super) fn name() -> String {
    format!("{DERIVED}labels")
}

/// The header of the index of so many labels.
pub(super) fn header(stamp: &Stamp, count: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..16].copy_from_slice(MAGIC);
    header[16..32].copy_from_slice(&stamp.digest.to_le_bytes());
    header[32..40].copy_from_slice(&count.to_le_bytes());
    header
}

/// An open index. It stays what it is when another one gets its name.
#[derive(Debug)]
pub(super) struct IndexFile {
    store: Store,
    object: Object,
    count: u64,
    digest: u128,
}

impl IndexFile {
    /// That of `labels`, whose stamp is `stamp`; `None` if there is none, or only one of labels as they were.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn open(labels: &Array, stamp: &Stamp) -> Result<Option<Self>, NoIndex> {
        let Some(object) = labels.store().open(&name(), Access::Read)? else { return Ok(None) };
        let count = labels.shape().first().copied().ok_or(NoIndex)?;
        let expected = header(stamp, count);
        let bytes = count.checked_mul(ENTRY_BYTES as u64).and_then(|n| n.checked_add(HEADER_BYTES as u64));
        if object.bytes().ok() != bytes {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        labels.store().read_at(&object, 0, &mut header)?;
        let file = Self { store: labels.store().clone(), object, count, digest: stamp.digest };
        Ok((header == expected).then_some(file))
    }

    /// Whether it is of labels with this stamp.
    pub(super) fn is_of(&self, stamp: &Stamp) -> bool {
        self.digest == stamp.digest
    }

    /// How many entries it has.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Reads entries from `row` on, as many as `bytes` has room for and there are, to `entries`.
    ///
    /// # Errors
    /// If they cannot be read, or are none: out of order, or of places that are not there.
    pub(super) fn read(&self, row: u64, bytes: &mut [u8], entries: &mut Vec<Entry>) -> Result<(), NoIndex> {
        let rows = index(self.count.saturating_sub(row)).min(bytes.len() / ENTRY_BYTES);
        let bytes = &mut bytes[..rows * ENTRY_BYTES];
        self.store.read_at(&self.object, HEADER_BYTES as u64 + row * ENTRY_BYTES as u64, bytes)?;
        entries.clear();
        entries.extend(bytes.as_chunks().0.iter().map(Entry::from_bytes));
        let sound = entries.is_sorted_by(|a, b| a < b) && entries.iter().all(|e| e.place() < self.count);
        if sound { Ok(()) } else { Err(NoIndex) }
    }
}
