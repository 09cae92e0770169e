//! Values as columns of rows.

use std::collections::BTreeMap;

use zarrange_array::Array;
use zarrange_grid::index;
use zarrange_table::{self as table, Cells, Texts};

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::flags::flags;
use crate::store::memory::Share;
use crate::store::number::{Number, number_of};
use crate::store::read;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT, packed};

/// Columns that the other dimensions of an array may make at most.
const COLUMNS_MAX: u64 = 1000;

/// An object, an epoch and a measurement, by their places in a block.
pub(super) type Place = (usize, usize, usize);

/// A column of values: an array, at one place along its other dimensions.
#[derive(Debug)]
pub(super) struct ValueColumn {
    pub(super) name: String,
    pub(super) array: String,
    pub(super) item_bytes: u64,
    /// The place along each of the other dimensions, in their order.
    inner: Vec<u64>,
    out: Out,
    /// The element that says that nothing was measured, where one of whole numbers does.
    missing: Option<Vec<u8>>,
    item: usize,
    number: fn(&[u8]) -> f64,
}

/// What a column is made of.
#[derive(Debug)]
enum Out {
    Single,
    Float,
    Integer,
    /// Whole numbers beyond those that tables have, as text.
    Large,
    Bool,
    /// Whole numbers that mean something.
    Flags(BTreeMap<i64, String>),
}

/// Elements of an array, and what a step along its dimensions is, in bytes.
#[derive(Debug)]
pub(super) struct Block {
    data: Vec<u8>,
    object: usize,
    epoch: usize,
    measurement: usize,
    inner: Vec<usize>,
}

/// The columns of the arrays of values that are named, or of all that hold numbers, and the arrays that do not. An array that is named
/// twice is there once. Labels in names are read within `share`.
pub(super) fn value_columns(
    store: &LightCurveStore,
    names: &[String],
    share: Share,
) -> Result<(Vec<ValueColumn>, Vec<String>), LightCurveError> {
    let all: Vec<String> = store.schema().values.clone();
    let (mut columns, mut others) = (Vec::new(), Vec::new());
    let wanted = if names.is_empty() { &all } else { names };
    for (k, name) in wanted.iter().enumerate() {
        if wanted[..k].contains(name) {
            continue;
        }
        let array = store.named(name)?;
        let elements = array.elements()?;
        if let Some(attribute) = packed(array) {
            let (array, attribute) = (array.location().to_owned(), attribute.to_owned());
            return Err(LightCurveError::Packed { array, attribute });
        }
        let Some(number) = number_of(elements) else {
            if names.is_empty() {
                others.push(name.clone());
                continue;
            }
            let data_type = elements.element.name().to_owned();
            return Err(LightCurveError::NoNumber { array: name.clone(), data_type });
        };
        let inner = inner_dimensions(array);
        let count = inner.iter().fold(1_u64, |count, (_, size)| count.saturating_mul(*size));
        if count > COLUMNS_MAX {
            return Err(LightCurveError::TooMuch { shape: array.shape().to_vec() });
        }
        for k in 0..count {
            let (mut rest, mut at) = (k, vec![0; inner.len()]);
            for (d, (_, size)) in inner.iter().enumerate().rev() {
                at[d] = rest % size;
                rest /= size;
            }
            let mut words = Vec::new();
            for ((dimension, _), place) in inner.iter().zip(&at) {
                words.push(store.labels_at(dimension, &[*place], share)?.text(0).into_owned());
            }
            if words.is_empty() || all.len() > 1 {
                words.insert(0, name.clone());
            }
            let (name, array) = (words.join("_"), name.clone());
            let (out, item) = (Out::of(store.named(&array)?)?, elements.item_bytes());
            let missing = says_missing(store, store.named(&array)?, &out).then(|| elements.fill.clone());
            let item_bytes = item as u64;
            columns.push(ValueColumn { name, array, item_bytes, inner: at, out, missing, item, number });
        }
    }
    if columns.is_empty() {
        let array = all.first().cloned().unwrap_or_default();
        let data_type = store.named(&array)?.elements()?.element.name().to_owned();
        return Err(LightCurveError::NoNumber { array, data_type });
    }
    Ok((columns, others))
}

/// Whether the fill value of an array of whole numbers says that nothing was measured: in stores that were made here, where the array says so,
/// and where it is none of the numbers that mean something. Elsewhere it is a number as others.
fn says_missing(store: &LightCurveStore, array: &Array, out: &Out) -> bool {
    let attributes = array.document().attributes();
    let told = ["_FillValue", "missing_value"].iter().any(|name| attributes.get(name).is_some());
    store.is_own() || told || matches!(out, Out::Flags(_))
}

/// Dimensions of an array that rows do not have, with their sizes.
fn inner_dimensions(array: &Array) -> Vec<(String, u64)> {
    let names = array.document().dimension_names().unwrap_or_default();
    let known = |name: &str| name == OBJECT || name == MEASUREMENT || EPOCHS.contains(&name);
    names.into_iter().flatten().zip(array.shape().iter().copied()).filter(|(name, _)| !known(name)).collect()
}

impl Out {
    fn of(array: &Array) -> Result<Self, LightCurveError> {
        let elements = array.elements()?;
        Ok(match Number::of(elements) {
            Some(Number::Bool) => Self::Bool,
            Some(Number::Float16 | Number::Float32) => Self::Single,
            Some(Number::Integer { bytes: 8, signed: false }) => Self::Large,
            Some(Number::Integer { .. }) => {
                flags(array).map_or(Self::Integer, |flags| Self::Flags(flags.into_iter().collect()))
            }
            Some(Number::Float64) | None => Self::Float,
        })
    }
}

impl Block {
    pub(super) fn new(
        store: &LightCurveStore,
        name: &str,
        block: read::Block,
    ) -> Result<Self, LightCurveError> {
        let array = store.named(name)?;
        let names = array.document().dimension_names().unwrap_or_default();
        let mut this = Self { data: block.data, object: 0, epoch: 0, measurement: 0, inner: Vec::new() };
        let mut stride = array.elements()?.item_bytes();
        for (name, size) in names.iter().zip(&block.shape).rev() {
            match name.as_deref().unwrap_or_default() {
                OBJECT => this.object = stride,
                MEASUREMENT => this.measurement = stride,
                name if EPOCHS.contains(&name) => this.epoch = stride,
                _ => this.inner.insert(0, stride),
            }
            stride = stride.saturating_mul(index(*size));
        }
        Ok(this)
    }
}

impl ValueColumn {
    fn element<'b>(&self, block: &'b Block, (o, e, m): Place) -> &'b [u8] {
        let inner: usize = self.inner.iter().zip(&block.inner).map(|(k, stride)| index(*k) * stride).sum();
        let at = o * block.object + e * block.epoch + m * block.measurement + inner;
        &block.data[at..at + self.item]
    }

    /// What it holds.
    pub(super) const fn kind(&self) -> table::Kind {
        match self.out {
            Out::Single => table::Kind::Single,
            Out::Float => table::Kind::Float,
            Out::Integer => table::Kind::Integer,
            Out::Bool => table::Kind::Bool,
            Out::Large | Out::Flags(_) => table::Kind::Text,
        }
    }

    /// Whether nothing was measured there.
    pub(super) fn is_missing(&self, block: &Block, place: Place) -> bool {
        let element = self.element(block, place);
        match self.out {
            Out::Single | Out::Float => (self.number)(element).is_nan(),
            Out::Integer | Out::Large | Out::Bool | Out::Flags(_) => self.missing.as_deref() == Some(element),
        }
    }

    /// The number there.
    pub(super) fn value(&self, block: &Block, place: Place) -> f64 {
        (self.number)(self.element(block, place))
    }

    /// The values at `places`.
    pub(super) fn cells(&self, block: &Block, places: &[Place]) -> Cells {
        let elements = places.iter().map(|place| self.element(block, *place));
        let number = self.number;
        let known = |element: &[u8]| self.missing.as_deref() != Some(element);
        match &self.out {
            Out::Single => {
                #[expect(clippy::cast_possible_truncation, reason = "they are numbers of 32 bits or fewer")]
                let single = |element: &[u8]| number(element) as f32;
                Cells::Single(elements.map(single).collect())
            }
            Out::Float => Cells::Float(elements.map(number).collect()),
            Out::Integer => Cells::Integer(
                elements.map(|element| known(element).then(|| whole(element, number))).collect(),
            ),
            Out::Large => {
                let mut texts = Texts::default();
                let large = |element: &[u8]| element.try_into().map_or(0, u64::from_ne_bytes).to_string();
                elements.for_each(|element| {
                    texts.push(&if known(element) { large(element) } else { String::new() });
                });
                Cells::Text(texts)
            }
            Out::Bool => {
                Cells::Bool(elements.map(|element| known(element).then_some(element != [0])).collect())
            }
            Out::Flags(words) => {
                let mut texts = Texts::default();
                for element in elements {
                    let value = whole(element, number);
                    match words.get(&value) {
                        Some(word) => texts.push(word),
                        None if !known(element) => texts.push(""),
                        // What has no word is told as it is.
                        None => texts.push(&value.to_string()),
                    }
                }
                Cells::Text(texts)
            }
        }
    }
}

/// A whole number; those of 64 bits exactly.
fn whole(element: &[u8], number: fn(&[u8]) -> f64) -> i64 {
    if let Ok(bytes) = element.try_into() {
        return i64::from_ne_bytes(bytes);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole numbers of up to 32 bits")]
    let whole = number(element) as i64;
    whole
}
