//! Some rows of a table, column by column.

use std::borrow::Cow;
use std::ops::Range;

/// Rows of a batch at most.
pub(crate) const ROWS_MAX: usize = 8192;

/// Bytes of text in a batch at which it ends; a row more may be in it.
pub(crate) const TEXT_BYTES: usize = 4 << 20;

impl std::fmt::Display for NotANumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const CHARS: usize = 100;
        match self.0.char_indices().nth(CHARS) {
            Some((end, _)) => write!(f, "{:?}... is no number", &self.0[..end]),
            None => write!(f, "{:?} is no number", self.0),
        }
    }
}

/// Some rows of a table. It is used again for the next ones.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What was read of each column that was asked for.
    pub(crate) columns: Vec<Cells>,
    /// Where in the file each row is.
    pub(crate) places: Vec<u64>,
    /// Rows that are left out.
    pub(crate) bad: Vec<BadRow>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Where in the file it is.
    pub place: u64,
    /// What is wrong.
    pub reason: String,
}

/// The elements of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Text, or numbers as they are written.
    Text(Texts),
    /// Numbers; NaN where there is none.
    Float(Vec<f64>),
    /// The same with fewer digits.
    Single(Vec<f32>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Yes or no.
    Bool(Vec<Option<bool>>),
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Numbers of 64 bits.
    Float,
    /// Numbers of 32 bits.
    Single,
    /// Whole numbers.
    Integer,
    /// Yes or no.
    Bool,
}

/// Text after text, in one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

/// Text where a number was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotANumber(pub String);

impl Batch {
    /// How many rows there are.
    pub const fn rows(&self) -> usize {
        self.places.len()
    }

    /// The elements of the `k`-th of the columns that were asked for.
    ///
    /// # Panics
    /// If there were fewer.
    pub fn cells(&self, k: usize) -> &Cells {
        &self.columns[k]
    }

    /// The columns that were asked for.
    pub fn columns(&self) -> &[Cells] {
        &self.columns
    }

    /// Where in the file a row is, as [`Places`](crate::Places) says.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub fn place(&self, row: usize) -> u64 {
        self.places[row]
    }

    /// Rows that are left out, and why.
    pub fn bad(&self) -> &[BadRow] {
        &self.bad
    }

    /// Nothing is in it, in so many columns of text; allocations are kept.
    pub(crate) fn begin_texts(&mut self, columns: usize) {
        self.begin_rows();
        self.columns.truncate(columns);
        self.columns.resize_with(columns, || Cells::Text(Texts::default()));
        for cells in &mut self.columns {
            match cells {
                Cells::Text(texts) => texts.clear(),
                other => *other = Cells::Text(Texts::default()),
            }
        }
    }

    /// Nothing is in it, in columns of these kinds; allocations of those that stay what they are are kept.
    pub(crate) fn begin(&mut self, kinds: &[Kind]) {
        self.begin_rows();
        self.columns.resize_with(kinds.len(), || Cells::Bool(Vec::new()));
        for (cells, kind) in self.columns.iter_mut().zip(kinds) {
            match (cells, kind) {
                (Cells::Text(texts), Kind::Text) => texts.clear(),
                (Cells::Float(values), Kind::Float) => values.clear(),
                (Cells::Single(values), Kind::Single) => values.clear(),
                (Cells::Integer(values), Kind::Integer) => values.clear(),
                (Cells::Bool(values), Kind::Bool) => values.clear(),
                (cells, kind) => *cells = Cells::empty(*kind),
            }
        }
    }

    fn begin_rows(&mut self) {
        self.places.clear();
        self.bad.clear();
    }

    /// Notes what was added of a row: a bad one is taken out again.
    pub(crate) fn end_row(&mut self, place: u64, reason: Option<String>) {
        let Some(reason) = reason else {
            return self.places.push(place);
        };
        let rows = self.rows();
        for cells in &mut self.columns {
            match cells {
                Cells::Text(texts) => texts.truncate(rows),
                Cells::Float(values) => values.truncate(rows),
                Cells::Single(values) => values.truncate(rows),
                Cells::Integer(values) => values.truncate(rows),
                Cells::Bool(values) => values.truncate(rows),
            }
        }
        self.bad.push(BadRow { place, reason });
    }

    /// Whether there is room for a row more.
    pub(crate) fn has_room(&self) -> bool {
        self.rows() + self.bad.len() < ROWS_MAX && self.data_bytes() < TEXT_BYTES
    }

    /// Adds an element to column `k`, which is of floats.
    pub(crate) fn push_float(&mut self, k: usize, value: f64) {
        if let Cells::Float(values) = &mut self.columns[k] {
            values.push(value);
        }
    }

    /// Adds an element to column `k`, which is of integers.
    pub(crate) fn push_integer(&mut self, k: usize, value: Option<i64>) {
        if let Cells::Integer(values) = &mut self.columns[k] {
            values.push(value);
        }
    }

    /// Adds an element to column `k`, which is of truths.
    pub(crate) fn push_bool(&mut self, k: usize, value: Option<bool>) {
        if let Cells::Bool(values) = &mut self.columns[k] {
            values.push(value);
        }
    }

    /// Adds an element to column `k`, which is of text.
    pub(crate) fn push_text(&mut self, k: usize, text: &str) {
        if let Cells::Text(texts) = &mut self.columns[k] {
            texts.push(text);
        }
    }

    /// Bytes of text and numbers in it.
    pub(crate) fn data_bytes(&self) -> usize {
        let bytes = |cells: &Cells| match cells {
            Cells::Text(texts) => texts.bytes.len(),
            Cells::Float(values) => size_of_val(&values[..]),
            Cells::Single(values) => size_of_val(&values[..]),
            Cells::Integer(values) => size_of_val(&values[..]),
            Cells::Bool(values) => values.len(),
        };
        self.columns.iter().map(bytes).sum()
    }
}

impl Cells {
    /// How many there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Text(texts) => texts.len(),
            Self::Float(values) => values.len(),
            Self::Single(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// None of this kind.
    pub(crate) fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Texts::default()),
            Kind::Float => Self::Float(Vec::new()),
            Kind::Single => Self::Single(Vec::new()),
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Bool => Self::Bool(Vec::new()),
        }
    }

    /// What they are.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Float(_) => Kind::Float,
            Self::Single(_) => Kind::Single,
            Self::Integer(_) => Kind::Integer,
            Self::Bool(_) => Kind::Bool,
        }
    }

    /// Appends some of `other`, which are of the same kind.
    pub(crate) fn append(&mut self, other: &Self, range: Range<usize>) {
        match (self, other) {
            (Self::Text(into), Self::Text(from)) => range.for_each(|k| into.push(from.get(k))),
            (Self::Float(into), Self::Float(from)) => into.extend_from_slice(&from[range]),
            (Self::Single(into), Self::Single(from)) => into.extend_from_slice(&from[range]),
            (Self::Integer(into), Self::Integer(from)) => into.extend_from_slice(&from[range]),
            (Self::Bool(into), Self::Bool(from)) => into.extend_from_slice(&from[range]),
            (Self::Text(_) | Self::Float(_) | Self::Single(_) | Self::Integer(_) | Self::Bool(_), _) => {}
        }
    }

    /// Bytes that they take.
    pub const fn bytes(&self) -> usize {
        match self {
            Self::Text(texts) => texts.bytes.len() + size_of_val(texts.ends.as_slice()),
            Self::Float(values) => size_of_val(values.as_slice()),
            Self::Single(values) => size_of_val(values.as_slice()),
            Self::Integer(values) => size_of_val(values.as_slice()),
            Self::Bool(values) => size_of_val(values.as_slice()),
        }
    }

    /// A number; NaN where there is none. Truth is 1.
    ///
    /// # Errors
    /// [`NotANumber`] for text that is none.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub fn number(&self, row: usize) -> Result<f64, NotANumber> {
        /// What catalogues write for nothing.
        const NOTHING: [&str; 8] = ["", "nan", "null", "none", "na", "n/a", "--", "-"];
        Ok(match self {
            Self::Text(texts) => {
                let text = texts.get(row).trim();
                match text.parse::<f64>() {
                    Ok(number) => number,
                    Err(_) if NOTHING.iter().any(|nothing| nothing.eq_ignore_ascii_case(text)) => f64::NAN,
                    Err(_) => return Err(NotANumber(text.to_owned())),
                }
            }
            Self::Float(values) => values[row],
            Self::Single(values) => f64::from(values[row]),
            // As whoever computes with it would have it.
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is the nearest number")]
            Self::Integer(values) => values[row].map_or(f64::NAN, |value| value as f64),
            Self::Bool(values) => values[row].map_or(f64::NAN, f64::from),
        })
    }

    /// What stands there, as it would be written; empty where there is nothing.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub fn text(&self, row: usize) -> Cow<'_, str> {
        match self {
            Self::Text(texts) => Cow::Borrowed(texts.get(row)),
            Self::Float(values) if values[row].is_nan() => Cow::Borrowed(""),
            Self::Float(values) => Cow::Owned(values[row].to_string()),
            Self::Single(values) if values[row].is_nan() => Cow::Borrowed(""),
            Self::Single(values) => Cow::Owned(values[row].to_string()),
            Self::Integer(values) => {
                values[row].map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string()))
            }
            Self::Bool(values) => {
                values[row].map_or(Cow::Borrowed(""), |value| Cow::Owned(value.to_string()))
            }
        }
    }
}

impl Texts {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn get(&self, k: usize) -> &str {
        let start = k.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[k]]
    }

    /// All of them, and where each ends.
    pub(crate) fn parts(&self) -> (&str, &[usize]) {
        (&self.bytes, &self.ends)
    }

    /// Adds one.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// Leaves the first `texts` of them.
    fn truncate(&mut self, texts: usize) {
        self.ends.truncate(texts);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}
