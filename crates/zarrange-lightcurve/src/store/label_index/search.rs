//! Search in an index. Hashes are spread evenly, so that a look at about the right place nearly always is at the right one.

use super::entry::{ENTRY_BYTES, Entry};
use super::error::NoIndex;
use super::file::IndexFile;

/// Entries that are read at once: 64 KiB. Of 10^7 labels nine in ten are among those around the place where they would be on average.
const WINDOW: usize = 4096;

/// After so many guesses hashes are not spread evenly, and what is left is halved.
const GUESSES_MAX: u32 = 4;

/// A search for entries in their order.
pub(super) struct Search<'a> {
    file: &'a IndexFile,
    bytes: Vec<u8>,
    /// Entries that were read, the first of them at a row.
    window: Vec<Entry>,
    start: u64,
    /// The last answer: rows before it are smaller than what is looked for next.
    from: Bound,
}

/// A row, and the begin of the hash at it or before it.
#[derive(Clone, Copy)]
struct Bound {
    row: u64,
    leading: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(file: &'a IndexFile) -> Self {
        let from = Bound { row: 0, leading: 0 };
        Self { file, bytes: vec![0; WINDOW * ENTRY_BYTES], window: Vec::new(), start: 0, from }
    }

    /// Places of the entries with the hash of `first`, which is the first that one of its label can be and not before that of the last
    /// call; `count_max` of them at most.
    ///
    /// # Errors
    /// If the index cannot be read or is damaged.
    pub(super) fn places(
        &mut self,
        first: Entry,
        count_max: usize,
        places: &mut Vec<u64>,
    ) -> Result<(), NoIndex> {
        places.clear();
        let mut row = self.row_of(first)?;
        while row < self.file.count() && places.len() < count_max {
            let inside = row.checked_sub(self.start).and_then(|k| self.window.get(usize::try_from(k).ok()?));
            let Some(entry) = inside else {
                self.load(row)?;
                continue;
            };
            if !entry.has_hash_of(first) {
                break;
            }
            places.push(entry.place());
            row += 1;
        }
        Ok(())
    }

    /// The row of the first entry that is not smaller than `wanted`; the number of entries if all are.
    fn row_of(&mut self, wanted: Entry) -> Result<u64, NoIndex> {
        let mut low = self.from;
        let mut high = Bound { row: self.file.count(), leading: u64::MAX };
        let mut guesses = 0;
        loop {
            let smaller = self.window.partition_point(|entry| *entry < wanted);
            let row = self.start + smaller as u64;
            if let Some(last) = smaller.checked_sub(1).filter(|_| row > low.row) {
                low = Bound { row, leading: self.window[last].leading() };
            }
            if let Some(next) = self.window.get(smaller).filter(|_| row < high.row) {
                high = Bound { row, leading: next.leading() };
            }
            if low.row == high.row {
                self.from = low;
                return Ok(low.row);
            }
            // Rows that contradict each other.
            if low.row > high.row {
                return Err(NoIndex);
            }
            let guess = if guesses < GUESSES_MAX {
                between(low, high, wanted.leading())
            } else {
                low.row.midpoint(high.row)
            };
            guesses += 1;
            self.load(guess.saturating_sub(WINDOW as u64 / 2).clamp(low.row, high.row - 1))?;
        }
    }

    fn load(&mut self, row: u64) -> Result<(), NoIndex> {
        self.start = row;
        self.file.read(row, &mut self.bytes, &mut self.window)
    }
}

/// About the row of a hash between two others.
fn between(low: Bound, high: Bound, leading: u64) -> u64 {
    let (all, before) = (high.leading.saturating_sub(low.leading), leading.saturating_sub(low.leading));
    let rows = u128::from(high.row - low.row) * u128::from(before) / (u128::from(all) + 1);
    low.row + u64::try_from(rows).unwrap_or(0).min(high.row - low.row)
}
