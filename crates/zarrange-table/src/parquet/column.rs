//! A column of a group of rows, decoded a piece at a time.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type,
};
use parquet::errors::{ParquetError, Result as Decoded};

use super::label::{Label, without_panic};
use super::leaf::{Leaf, Of};
use super::pages::Pages;
use crate::batch::{Cells, TEXT_BYTES, Texts};
use crate::error::TableError;

/// Bytes of a text at most.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Values that are decoded at once, where a record has not more.
const PIECE_VALUES: usize = 1 << 16;

/// Elements of a record at most: all of them are held until it is known that all of its lists are as long.
const ELEMENTS_MAX: usize = 1 << 23;

/// Bytes of text that the values decoded at once may be made of.
const PIECE_BYTES_MAX: usize = 1 << 30;

/// A column that is being read.
pub(super) struct Column {
    label: Label,
    name: String,
    leaf: Arc<Leaf>,
    pages: Pages,
    feed: Feed,
    decoder: Decoder,
    levels: Levels,
    /// Values of the page that are left, and records that may be decoded at once.
    left: usize,
    step: usize,
    /// What is decoded, and how much of it is taken already.
    pub(super) values: Values,
    pub(super) taken: usize,
    /// Elements of each whole record that is not taken, and of that which may go on.
    lengths: VecDeque<usize>,
    open: Option<usize>,
    /// Elements of the first of them that are taken.
    part: usize,
}

/// What is decoded: elements, with what stands for null.
pub(super) enum Values {
    Bool(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    Unsigned(Vec<Option<u64>>),
    Float(Vec<f64>),
    Text(Vec<ByteArray>),
}

/// The levels of what was decoded last.
#[derive(Default)]
struct Levels {
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

/// A reader of a physical type with what it read last.
struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

enum Decoder {
    Bool(Typed<BoolType>),
    Int32(Typed<Int32Type>),
    Int64(Typed<Int64Type>),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Text(Typed<ByteArrayType>),
    Fixed(Typed<FixedLenByteArrayType>),
}

/// The pages that a reader may have: one at a time, so that it decodes no more than was looked over.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<VecDeque<Page>>>);

impl Column {
    /// The column called `name`, of these pages.
    pub(super) fn new(label: &Label, name: &str, leaf: &Arc<Leaf>, pages: Pages) -> Self {
        let feed = Feed::default();
        let (decoder, values) = Decoder::new(leaf, &feed);
        Self {
            label: label.clone(),
            name: name.to_owned(),
            leaf: leaf.clone(),
            pages,
            feed,
            decoder,
            levels: Levels::default(),
            left: 0,
            step: 1,
            values,
            taken: 0,
            lengths: VecDeque::new(),
            open: None,
            part: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn nested(&self) -> bool {
        self.leaf.nested
    }

    /// Of a column without lists: how many values can be taken, some at least.
    pub(super) fn ready(&mut self) -> Result<usize, TableError> {
        while self.values.len() == self.taken {
            if !self.decode()? {
                return Err(self.wrong("it has fewer values than there are rows"));
            }
        }
        Ok(self.values.len() - self.taken)
    }

    /// Of a column of lists: how many elements are left of the next record, once it is decoded as a whole.
    pub(super) fn record(&mut self) -> Result<usize, TableError> {
        loop {
            if !self.lengths.is_empty() {
                return Ok(self.rest());
            }
            if !self.decode()? {
                let last =
                    self.open.take().ok_or_else(|| self.wrong("it has fewer lists than there are rows"))?;
                self.lengths.push_back(last);
            }
        }
    }

    /// Elements that are left of the next record.
    pub(super) fn rest(&self) -> usize {
        self.lengths.front().map_or(0, |elements| elements - self.part)
    }

    /// Of a column without lists: passes so many values over.
    pub(super) fn take(&mut self, values: usize) {
        self.taken += values;
    }

    /// Of a column of lists: passes so many elements over, and the record if they are the `last` ones.
    pub(super) fn take_elements(&mut self, elements: usize, last: bool) {
        self.taken += elements;
        self.part += elements;
        if last {
            self.lengths.pop_front();
            self.part = 0;
        }
    }

    /// Bytes of the text that is so many values on, or what is wrong with it. Once is enough to be `checked`.
    pub(super) fn text(&self, at: usize, checked: bool) -> Result<usize, String> {
        let Values::Text(texts) = &self.values else { return Ok(0) };
        let text = texts[self.taken + at].data();
        if text.len() > TEXT_BYTES_MAX {
            let bytes = text.len();
            return Err(format!("{:?} has {bytes} bytes of text, more than {TEXT_BYTES_MAX}", self.name));
        }
        if checked && std::str::from_utf8(text).is_err() {
            return Err(format!("{:?} is not UTF-8", self.name));
        }
        Ok(text.len())
    }

    /// Decodes more; `false` if there is none.
    fn decode(&mut self) -> Result<bool, TableError> {
        // A record that goes on is moved seldom.
        if self.taken > self.values.len() / 2 {
            self.values.drop_first(self.taken);
            self.taken = 0;
        }
        loop {
            if self.left == 0 && !self.next_page()? {
                return Ok(false);
            }
            let (decoder, levels, values) = (&mut self.decoder, &mut self.levels, &mut self.values);
            let (leaf, step) = (&self.leaf, self.step);
            let read = without_panic(|| decoder.decode(leaf, step, levels, values));
            let (records, count) = read.map_err(|reason| self.wrong(&reason))?;
            self.left =
                self.left.checked_sub(count).ok_or_else(|| self.wrong("a page has too many values"))?;
            if self.leaf.nested {
                self.count_elements()?;
            }
            match (records, count) {
                (0, 0) => return Err(self.wrong("a page has fewer values than it says")),
                // Only that a record ended where the page before did.
                (_, 0) => {}
                (_, _) => return Ok(true),
            }
        }
    }

    /// Hands the next page to the decoder; `false` if there is none.
    fn next_page(&mut self) -> Result<bool, TableError> {
        let Some(data) = self.pages.next()? else { return Ok(false) };
        if data.longest > ELEMENTS_MAX {
            return Err(self.too_many());
        }
        self.left = data.values;
        self.step = (PIECE_VALUES / data.longest).max(1);
        // Texts that share their beginnings become far more than the page has.
        if let Some(fit) = TEXT_BYTES.checked_div(data.text_max) {
            self.step = fit.clamp(1, self.step);
            let bytes =
                data.longest.checked_mul(self.step).and_then(|texts| texts.checked_mul(data.text_max));
            if bytes.is_none_or(|bytes| bytes > PIECE_BYTES_MAX) {
                return Err(self.wrong("its lists of text may become too large"));
            }
        }
        self.feed.give(data.pages);
        Ok(true)
    }

    /// Counts the elements of records by the levels of what was decoded.
    fn count_elements(&mut self) -> Result<(), TableError> {
        let Levels { definition, repetition } = &self.levels;
        for (repeats, defined) in repetition.iter().zip(definition) {
            if *repeats == 0 {
                self.lengths.extend(self.open.replace(0));
            }
            let Some(open) = &mut self.open else { return Err(self.wrong("it begins within a list")) };
            *open += usize::from(*defined >= self.leaf.element_level);
            if *open > ELEMENTS_MAX {
                return Err(self.too_many());
            }
        }
        Ok(())
    }

    fn too_many(&self) -> TableError {
        let reason = format!("a list has more than {ELEMENTS_MAX} elements, the most that are read of a row");
        self.wrong(&reason)
    }

    fn wrong(&self, reason: &str) -> TableError {
        self.label.format(format!("column {:?}: {reason}", self.name))
    }
}

impl Values {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Unsigned(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Appends these of them to `cells`, which are of their kind. A number that is too large for it makes them all text.
    pub(super) fn add(&self, range: Range<usize>, cells: &mut Cells) {
        match (self, cells) {
            (Self::Bool(values), Cells::Bool(into)) => into.extend_from_slice(&values[range]),
            (Self::Integer(values), Cells::Integer(into)) => into.extend_from_slice(&values[range]),
            (Self::Float(values), Cells::Float(into)) => into.extend_from_slice(&values[range]),
            (Self::Text(values), Cells::Text(into)) => {
                values[range].iter().for_each(|text| into.push(text.as_utf8().unwrap_or_default()));
            }
            (Self::Unsigned(values), cells) => {
                let small = |value: &Option<u64>| value.is_none_or(|value| i64::try_from(value).is_ok());
                if !values[range.clone()].iter().all(small) {
                    let mut texts = Texts::default();
                    (0..cells.len()).for_each(|k| texts.push(&cells.text(k)));
                    *cells = Cells::Text(texts);
                }
                let values = &values[range];
                match cells {
                    Cells::Integer(into) => {
                        into.extend(
                            values.iter().map(|value| value.and_then(|value| i64::try_from(value).ok())),
                        );
                    }
                    Cells::Text(into) => values
                        .iter()
                        .for_each(|value| into.push(&value.map_or(String::new(), |value| value.to_string()))),
                    Cells::Float(_) | Cells::Single(_) | Cells::Bool(_) => {}
                }
            }
            (Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_), _) => {}
        }
    }

    fn drop_first(&mut self, count: usize) {
        match self {
            Self::Bool(values) => drop(values.drain(..count)),
            Self::Integer(values) => drop(values.drain(..count)),
            Self::Unsigned(values) => drop(values.drain(..count)),
            Self::Float(values) => drop(values.drain(..count)),
            Self::Text(values) => drop(values.drain(..count)),
        }
    }
}

impl Decoder {
    /// That of a column, and what it decodes into.
    fn new(leaf: &Leaf, feed: &Feed) -> (Self, Values) {
        let integers = || Values::Integer(Vec::new());
        let floats = || Values::Float(Vec::new());
        match leaf.of {
            Of::Bool => (Self::Bool(Typed::new(leaf, feed)), Values::Bool(Vec::new())),
            Of::Signed32 | Of::Unsigned32 => (Self::Int32(Typed::new(leaf, feed)), integers()),
            Of::Signed64 => (Self::Int64(Typed::new(leaf, feed)), integers()),
            Of::Unsigned64 => (Self::Int64(Typed::new(leaf, feed)), Values::Unsigned(Vec::new())),
            Of::Float => (Self::Float(Typed::new(leaf, feed)), floats()),
            Of::Double => (Self::Double(Typed::new(leaf, feed)), floats()),
            Of::Half => (Self::Fixed(Typed::new(leaf, feed)), floats()),
            Of::FixedText => (Self::Fixed(Typed::new(leaf, feed)), Values::Text(Vec::new())),
            Of::Text | Of::Odd(_) => (Self::Text(Typed::new(leaf, feed)), Values::Text(Vec::new())),
        }
    }

    /// Decodes so many records at most: how many were whole, and how many levels they had.
    fn decode(
        &mut self,
        leaf: &Leaf,
        records: usize,
        levels: &mut Levels,
        values: &mut Values,
    ) -> Decoded<(usize, usize)> {
        let unsigned = leaf.of == Of::Unsigned32;
        let none = || ByteArray::from(Vec::new());
        match (self, values) {
            (Self::Bool(typed), Values::Bool(into)) => {
                typed.decode(leaf, records, levels, || None, |value| Some(*value), into)
            }
            (Self::Int32(typed), Values::Integer(into)) => {
                let value = |value: &i32| {
                    Some(if unsigned { i64::from(value.cast_unsigned()) } else { i64::from(*value) })
                };
                typed.decode(leaf, records, levels, || None, value, into)
            }
            (Self::Int64(typed), Values::Integer(into)) => {
                typed.decode(leaf, records, levels, || None, |value| Some(*value), into)
            }
            (Self::Int64(typed), Values::Unsigned(into)) => {
                typed.decode(leaf, records, levels, || None, |value| Some(value.cast_unsigned()), into)
            }
            (Self::Float(typed), Values::Float(into)) => {
                typed.decode(leaf, records, levels, || f64::NAN, |value| f64::from(*value), into)
            }
            (Self::Double(typed), Values::Float(into)) => {
                typed.decode(leaf, records, levels, || f64::NAN, |value| *value, into)
            }
            (Self::Fixed(typed), Values::Float(into)) => {
                let half = |bytes: &[u8]| match bytes {
                    [low, high] => half::f16::from_le_bytes([*low, *high]).to_f64(),
                    _ => f64::NAN,
                };
                typed.decode(leaf, records, levels, || f64::NAN, |value| half(value.data()), into)
            }
            (Self::Fixed(typed), Values::Text(into)) => {
                typed.decode(leaf, records, levels, none, |value| (**value).clone(), into)
            }
            (Self::Text(typed), Values::Text(into)) => {
                typed.decode(leaf, records, levels, none, Clone::clone, into)
            }
            (_, _) => Err(ParquetError::General("a column is read as what it is not".to_owned())),
        }
    }
}

impl<T: DataType> Typed<T> {
    fn new(leaf: &Leaf, feed: &Feed) -> Self {
        let reader = ColumnReaderImpl::new(leaf.descriptor.clone(), Box::new(feed.clone()));
        Self { reader, values: Vec::new() }
    }

    fn decode<V>(
        &mut self,
        leaf: &Leaf,
        records: usize,
        levels: &mut Levels,
        none: impl Fn() -> V,
        value: impl Fn(&T::T) -> V,
        into: &mut Vec<V>,
    ) -> Decoded<(usize, usize)> {
        self.values.clear();
        levels.definition.clear();
        levels.repetition.clear();
        let (definition, repetition) = (Some(&mut levels.definition), Some(&mut levels.repetition));
        let (records, _, count) =
            self.reader.read_records(records, definition, repetition, &mut self.values)?;
        let mut values = self.values.iter().map(value);
        let max = leaf.descriptor.max_def_level();
        if max == 0 {
            into.extend(values);
            return Ok((records, count));
        }
        for level in &levels.definition {
            if *level == max {
                into.extend(values.next());
            } else if *level >= leaf.element_level {
                into.push(none());
            }
        }
        Ok((records, count))
    }
}

impl Feed {
    fn give(&self, pages: Vec<Page>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(pages);
    }
}

impl Iterator for Feed {
    type Item = Decoded<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().map(Ok)
    }
}

impl PageReader for Feed {
    fn get_next_page(&mut self) -> Decoded<Option<Page>> {
        self.next().transpose()
    }

    fn peek_next_page(&mut self) -> Decoded<Option<PageMetadata>> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> Decoded<()> {
        self.next().transpose().map(drop)
    }

    /// A record may go on in the next page: nothing is known of it here.
    fn at_record_boundary(&mut self) -> Decoded<bool> {
        Ok(false)
    }
}
