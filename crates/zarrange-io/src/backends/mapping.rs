//! A file in memory, as the kernel maps it.
#![expect(unsafe_code, reason = "giving mapped pages back")]

use std::ops::Range;

use memmap2::{Advice, Mmap, UncheckedAdvice};

/// The kernel reads no more for one advice than it reads ahead: 8 MiB here, 128 KiB by default.
const ADVISED_BYTES: usize = 128 << 10;

/// The kernel maps pages around a fault (`fault_around_bytes`); those have to be given back too.
pub(super) const AROUND_BYTES: usize = 64 << 10;

/// A mapped file; an empty one has no pages.
#[derive(Debug)]
pub(crate) struct Mapping(Option<Mmap>);

impl Mapping {
    pub(super) const fn new(map: Option<Mmap>) -> Self {
        Self(map)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Begins to read a range, and does not wait: a fault would read one page and wait for it.
    pub(super) fn will_need(&self, range: &Range<usize>) {
        let Some(map) = &self.0 else { return };
        for start in range.clone().step_by(ADVISED_BYTES) {
            // Without it the range is read all the same, more slowly.
            let _ = map.advise_range(Advice::WillNeed, start, ADVISED_BYTES.min(range.end - start));
        }
    }

    /// Takes the pages of `range`, and those around, out of the resident set; they stay in the page cache.
    pub(super) fn give_back(&self, range: Range<usize>) {
        let Some(map) = &self.0 else { return };
        let start = range.start / AROUND_BYTES * AROUND_BYTES;
        let end = range.end.next_multiple_of(AROUND_BYTES).min(map.len());
        // SAFETY: the mapping is read-only and of a file: its pages come back unchanged when they are read again.
        let advised = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        // Only the resident set depends on it.
        let _ = advised;
    }
}
