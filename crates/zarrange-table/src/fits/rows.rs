//! Rows of a binary table, a batch at a time.

use super::columns::{Column, Kind, Layout, Whole};
use super::stream::Stream;
use crate::batch::{BadRow, Batch, Cells, ROWS_MAX, TEXT_BYTES, Texts};
use crate::error::TableError;
use crate::table::Rows;

/// Rows that are left of a table.
pub(super) struct Records {
    stream: Stream,
    layout: Layout,
    /// Rows that were read.
    done: u64,
    buffer: Vec<u8>,
    /// Where in the buffer each row begins that can be read.
    starts: Vec<usize>,
}

impl Records {
    pub(super) const fn new(stream: Stream, layout: Layout) -> Self {
        Self { stream, layout, done: 0, buffer: Vec::new(), starts: Vec::new() }
    }

    /// Rows of a batch of these columns: in the file and in memory it has some megabytes.
    fn rows_at_once(&self, wanted: &[usize]) -> usize {
        let cells = |k: &usize| self.layout.columns[*k].cell_bytes();
        let row_bytes = wanted.iter().map(cells).fold(0, usize::saturating_add).max(self.layout.row_bytes);
        TEXT_BYTES.checked_div(row_bytes).unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX)
    }

    /// Notes the rows of the buffer that cannot be read, and where the others begin.
    fn check(&mut self, wanted: &[usize], batch: &mut Batch) {
        self.starts.clear();
        let columns: Vec<&Column> = wanted.iter().map(|k| &self.layout.columns[*k]).collect();
        for (row, place) in self.buffer.chunks_exact(self.layout.row_bytes).zip(self.done + 1..) {
            if let Some(reason) = columns.iter().find_map(|column| column.wrong(row)) {
                batch.bad.push(BadRow { place, reason });
                continue;
            }
            // Its place in the buffer, which has only these rows.
            self.starts.push((batch.places.len() + batch.bad.len()) * self.layout.row_bytes);
            batch.places.push(place);
        }
    }
}

impl Rows for Records {
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        let columns = || wanted.iter().map(|k| &self.layout.columns[*k]);
        for column in columns() {
            if let Kind::Odd(what) = &column.kind {
                let (path, column) = (self.stream.path().to_owned(), column.name.clone());
                return Err(TableError::Column { path, column, what: what.clone() });
            }
        }
        batch.places.clear();
        batch.bad.clear();
        batch.columns.resize_with(wanted.len(), || Cells::Text(Texts::default()));
        columns().zip(&mut batch.columns).for_each(|(column, cells)| column.begin(cells));
        let rows = (self.rows_at_once(wanted) as u64).min(self.layout.rows - self.done);
        if rows == 0 {
            return Ok(false);
        }
        // No more than a batch, or one row: both are small.
        let row_bytes = self.layout.row_bytes as u64;
        self.stream.fill(&mut self.buffer, rows * row_bytes)?;
        let whole = self.buffer.len() as u64 / row_bytes;
        if whole < rows {
            let (row, of) = (self.done + whole, self.layout.rows);
            return Err(self.stream.broken(format!("it ends after row {row} of {of}")));
        }
        self.check(wanted, batch);
        for (k, cells) in wanted.iter().zip(&mut batch.columns) {
            self.layout.columns[*k].decode(&self.buffer, &self.starts, cells);
        }
        self.done += rows;
        Ok(true)
    }
}

impl Column {
    /// Bytes that an element takes in a batch, at most.
    fn cell_bytes(&self) -> usize {
        match &self.kind {
            Kind::Text(bytes) => bytes + size_of::<usize>(),
            Kind::Unsigned { .. } => 20 + size_of::<usize>(),
            Kind::Bool => size_of::<Option<bool>>(),
            Kind::Whole { .. } => size_of::<Option<i64>>(),
            Kind::Scaled { .. } | Kind::Real { .. } | Kind::Odd(_) => size_of::<f64>(),
        }
    }

    /// Makes cells of its type without elements; an allocation is kept.
    fn begin(&self, cells: &mut Cells) {
        match (&self.kind, cells) {
            (Kind::Text(_) | Kind::Unsigned { .. } | Kind::Odd(_), Cells::Text(texts)) => texts.clear(),
            (Kind::Bool, Cells::Bool(values)) => values.clear(),
            (Kind::Whole { .. }, Cells::Integer(values)) => values.clear(),
            (Kind::Scaled { .. } | Kind::Real { .. }, Cells::Float(values)) => values.clear(),
            (Kind::Text(_) | Kind::Unsigned { .. } | Kind::Odd(_), cells) => {
                *cells = Cells::Text(Texts::default());
            }
            (Kind::Bool, cells) => *cells = Cells::Bool(Vec::new()),
            (Kind::Whole { .. }, cells) => *cells = Cells::Integer(Vec::new()),
            (Kind::Scaled { .. } | Kind::Real { .. }, cells) => *cells = Cells::Float(Vec::new()),
        }
    }

    /// Why this row cannot be read.
    fn wrong(&self, row: &[u8]) -> Option<String> {
        let offset = self.offset?;
        match self.kind {
            Kind::Text(bytes) => text(&row[offset..offset + bytes])
                .is_none()
                .then(|| format!("column {:?} has bytes that are not ASCII", self.name)),
            Kind::Bool => {
                let byte = row[offset];
                let reason = || format!("column {:?} has byte {byte}, where T, F or 0 belongs", self.name);
                (!matches!(byte, b'T' | b'F' | 0)).then(reason)
            }
            Kind::Whole { .. }
            | Kind::Unsigned { .. }
            | Kind::Scaled { .. }
            | Kind::Real { .. }
            | Kind::Odd(_) => None,
        }
    }

    /// Adds its element of each row that starts there.
    fn decode(&self, data: &[u8], starts: &[usize], cells: &mut Cells) {
        let Some(offset) = self.offset else { return nothing(starts.len(), cells) };
        let rows = Elements { data, starts, offset };
        match (&self.kind, cells) {
            (Kind::Text(bytes), Cells::Text(texts)) => {
                for at in starts {
                    let bytes = &data[at + offset..at + offset + bytes];
                    texts.push(text(bytes).unwrap_or_default());
                }
            }
            (Kind::Unsigned { null }, Cells::Text(texts)) => {
                for at in starts {
                    let raw = i64::from_be_bytes(bytes(data, at + offset));
                    let number = (Some(raw) != *null).then(|| raw.cast_unsigned() ^ (1 << 63));
                    texts.push(&number.map_or(String::new(), |number| number.to_string()));
                }
            }
            (Kind::Bool, Cells::Bool(values)) => {
                rows.each(values, |[byte]| (byte != 0).then_some(byte == b'T'));
            }
            (Kind::Whole { stored, null, zero }, Cells::Integer(values)) => {
                rows.whole(*stored, values, |raw| (Some(raw) != *null).then(|| raw.wrapping_add(*zero)));
            }
            #[expect(clippy::cast_precision_loss, reason = "the standard computes in floating point")]
            (Kind::Scaled { stored, null, scale, zero }, Cells::Float(values)) => {
                let scaled = |raw| raw as f64 * scale + zero;
                let value = |raw| if Some(raw) == *null { f64::NAN } else { scaled(raw) };
                rows.whole(*stored, values, value);
            }
            (Kind::Real { double, scaling }, Cells::Float(values)) => {
                if *double {
                    rows.each(values, f64::from_be_bytes);
                } else {
                    rows.each(values, |bytes| f64::from(f32::from_be_bytes(bytes)));
                }
                // Those before are of other batches: there are none.
                if let Some((scale, zero)) = scaling {
                    for value in values {
                        *value = *value * scale + zero;
                    }
                }
            }
            (kind, cells) => unreachable!("{kind:?} in {cells:?}: begin() made them"),
        }
    }
}

/// An element of each of some rows.
struct Elements<'a> {
    data: &'a [u8],
    starts: &'a [usize],
    offset: usize,
}

impl Elements<'_> {
    /// Adds what `make` makes of the bytes of each.
    fn each<const N: usize, T>(&self, values: &mut Vec<T>, make: impl Fn([u8; N]) -> T) {
        values.extend(self.starts.iter().map(|at| make(bytes(self.data, at + self.offset))));
    }

    /// Adds what `make` makes of the whole number of each.
    fn whole<T>(&self, stored: Whole, values: &mut Vec<T>, make: impl Fn(i64) -> T) {
        match stored {
            Whole::Byte => self.each(values, |[byte]| make(i64::from(byte))),
            Whole::Short => self.each(values, |bytes| make(i64::from(i16::from_be_bytes(bytes)))),
            Whole::Int => self.each(values, |bytes| make(i64::from(i32::from_be_bytes(bytes)))),
            Whole::Long => self.each(values, |bytes| make(i64::from_be_bytes(bytes))),
        }
    }
}

/// The bytes there.
fn bytes<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&data[at..at + N]);
    bytes
}

/// The text in these bytes: up to the first that is 0, without blanks at its end. `None` if it is not ASCII.
fn text(bytes: &[u8]) -> Option<&str> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = bytes.is_ascii().then_some(bytes).and_then(|bytes| str::from_utf8(bytes).ok())?;
    Some(text.trim_end_matches(' '))
}

/// Adds so many elements that are missing.
fn nothing(count: usize, cells: &mut Cells) {
    match cells {
        Cells::Text(texts) => (0..count).for_each(|_| texts.push("")),
        Cells::Float(values) => values.resize(count, f64::NAN),
        Cells::Single(values) => values.resize(count, f32::NAN),
        Cells::Integer(values) => values.resize(count, None),
        Cells::Bool(values) => values.resize(count, None),
    }
}
