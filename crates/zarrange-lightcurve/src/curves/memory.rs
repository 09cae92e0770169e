//! What reading light curves takes of memory, and how much of it is for what.

use zarrange_array::Array;

use crate::LightCurveError;
use crate::curves::values::ValueColumn;
use crate::store::memory::{ALLOWANCE, Share, chunk_bytes, reading};

/// What a row takes in columns of labels and times, and while rows are chosen, beside the text of labels.
const ROW_BYTES: u64 = 112;

/// What a value takes in its column, beside its element in a block.
const CELL_BYTES: u64 = 24;

/// The bound on what is held, and what of it is taken before the first row is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// What was asked for.
    asked: u64,
    /// What may be taken, which is more where that is very little.
    bytes_max: u64,
    taken: u64,
}

impl Budget {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { asked: bytes_max, bytes_max: bytes_max.max(ALLOWANCE), taken: 0 }
    }

    /// All of it.
    pub(super) const fn all(&self) -> Share {
        Share::all(self.bytes_max)
    }

    /// A part of it for one thing: lists, labels, and chunks of them.
    pub(super) const fn share(&self) -> Share {
        self.all().part(8)
    }

    /// Notes what was taken.
    pub(super) fn take(&mut self, bytes: u64) {
        self.taken = self.taken.saturating_add(bytes);
    }

    /// An error unless a list of `count` things of `bytes` each fits its share; it is taken.
    pub(super) fn list(&mut self, what: &str, count: u64, bytes: u64) -> Result<(), LightCurveError> {
        let bytes = count.saturating_mul(bytes);
        self.all().part(4).fits(what, bytes)?;
        self.take(bytes);
        Ok(())
    }

    /// Takes what reads an array, and a chunk that it is read from.
    pub(super) fn array(&mut self, array: &Array) -> Result<(), LightCurveError> {
        self.take(reading(array)?.saturating_add(chunk_bytes(array)?));
        Ok(())
    }

    /// How many objects of so many bytes are read at once. A half is for rows, the rest for their labels and what writes them.
    ///
    /// # Errors
    /// [`LightCurveError::Room`] if there is no room for one.
    pub(super) fn objects(&self, bytes: u64) -> Result<u64, LightCurveError> {
        let one = self.taken.saturating_add(bytes.saturating_mul(2));
        if one > self.bytes_max {
            // With rows of many objects, so that chunks are not decoded for each.
            let needed = one.saturating_add(self.taken / 8);
            let what = "the chunks and rows of one object".to_owned();
            return Err(LightCurveError::Room { what, needed, bytes_max: self.bytes_max });
        }
        Ok((self.asked.saturating_sub(self.taken) / 2 / bytes.max(1)).max(1))
    }

    /// What labels of objects may take, where they stand in rows.
    pub(super) const fn labels(&self) -> u64 {
        self.bytes_max.saturating_sub(self.taken) / 4
    }

    /// An error unless one of them may take so many bytes.
    pub(super) fn label(&self, bytes: u64) -> Result<(), LightCurveError> {
        let needed = self.taken.saturating_add(bytes.saturating_mul(4));
        self.all().fits("the label of an object in all of its rows", needed)
    }
}

/// What the rows of one object take at most, of so many rows with labels of so many bytes.
pub(super) fn object_bytes(columns: &[ValueColumn], rows: u64, label_bytes: u64) -> u64 {
    let values = columns.iter().map(|column| column.item_bytes.saturating_add(CELL_BYTES));
    let row = values.fold(ROW_BYTES.saturating_add(label_bytes.saturating_mul(2)), u64::saturating_add);
    row.saturating_mul(rows)
}
