//! Side variables and labels as they are read: element by element, or some of them.

use zarrange_array::{Array, Contents, Elements, RegionReader, VariableReader};
use zarrange_codec::{Kind, Variable};
use zarrange_grid::index;

use crate::LightCurveError;

/// Memory that one chunk of text may take, decoded.
const CHUNK_BYTES_MAX: usize = 256 << 20;

/// Calls `each` with the elements of a one-dimensional array, in their order, as a table would have them.
///
/// # Errors
/// The first of `each`; [`LightCurveError::NoText`] if they are neither text nor numbers; or if they cannot be read.
pub(crate) fn each_text(
    array: &Array,
    each: &mut dyn FnMut(&str) -> Result<(), LightCurveError>,
) -> Result<(), LightCurveError> {
    let chunks = match array.contents() {
        Contents::Elements(elements) => elements.chunks.all(),
        Contents::Variable(elements) => elements.chunks.all(),
        Contents::Unknown(_) => return Err(no_text(array)),
    };
    let mut texts = ChunkTexts::new(array)?;
    for k in 0..chunks.elements() {
        let count = texts.read(chunks.unravel(k)[0])?;
        for k in 0..count {
            texts.with(k, each)?;
        }
    }
    Ok(())
}

/// The elements of a one-dimensional array at `places`, which are in their order, as a table would have them. Only their chunks are read.
///
/// # Errors
/// As [`each_text`].
pub(crate) fn texts_at(array: &Array, places: &[u64]) -> Result<Vec<String>, LightCurveError> {
    let grid = match array.contents() {
        Contents::Elements(elements) => &elements.chunks,
        Contents::Variable(elements) => &elements.chunks,
        Contents::Unknown(_) => return Err(no_text(array)),
    };
    let (mut texts, mut out, mut chunk) = (ChunkTexts::new(array)?, Vec::with_capacity(places.len()), None);
    for place in places {
        let (at, start, _) = grid.chunk_at(0, *place);
        if chunk != Some(at) {
            texts.read(at)?;
            chunk = Some(at);
        }
        texts.with(index(place - start), &mut |text| {
            out.push(text.to_owned());
            Ok(())
        })?;
    }
    Ok(out)
}

/// Calls `each` with the numbers of a one-dimensional array, in their order; with NaN where text is empty.
///
/// # Errors
/// [`LightCurveError::NoNumbers`] if they are none, or if they cannot be read.
pub(crate) fn each_number(array: &Array, each: &mut dyn FnMut(f64)) -> Result<(), LightCurveError> {
    let Contents::Elements(elements) = array.contents() else {
        return each_text(array, &mut |text| {
            let number = if text.is_empty() { Ok(f64::NAN) } else { text.parse() };
            let no_numbers =
                |_| LightCurveError::NoNumbers { name: array.location().to_owned(), value: text.to_owned() };
            each(number.map_err(no_numbers)?);
            Ok(())
        });
    };
    let of = number_of(elements).ok_or_else(|| {
        let value = elements.element.name().to_owned();
        LightCurveError::NoNumbers { name: array.location().to_owned(), value }
    })?;
    let (mut reader, mut data) = (RegionReader::new(array)?, Vec::new());
    let (chunks, item) = (elements.chunks.all(), elements.item_bytes());
    for position in (0..chunks.elements()).map(|k| chunks.unravel(k)) {
        let region = elements.chunks.region(&position);
        data.clear();
        data.resize(index(region.elements()).saturating_mul(item), 0);
        reader.read_into(&region, &mut data)?;
        data.chunks_exact(item).for_each(|value| each(of(value)));
    }
    Ok(())
}

/// What numbers the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Float32,
    Float64,
    Integer { bytes: usize, signed: bool },
    Bool,
}

impl Number {
    /// Those of an array; `None` if its elements are no numbers, or of a kind that is not read here.
    pub(crate) fn of(elements: &Elements) -> Option<Self> {
        let bytes = elements.item_bytes();
        match (elements.element.kind(), bytes) {
            (Kind::Float, 4) => Some(Self::Float32),
            (Kind::Float, 8) => Some(Self::Float64),
            (&Kind::Integer { signed }, _) => Some(Self::Integer { bytes, signed }),
            (Kind::Bool, _) => Some(Self::Bool),
            (
                Kind::Float
                | Kind::Complex
                | Kind::Time
                | Kind::Utf32
                | Kind::NullTerminated
                | Kind::Raw
                | Kind::Struct(_)
                | Kind::Other,
                _,
            ) => None,
        }
    }
}

/// How an element, in native byte order, is a number; `None` if it is none.
pub(crate) fn number_of(elements: &Elements) -> Option<fn(&[u8]) -> f64> {
    macro_rules! number {
        ($type:ty, $of:expr) => {
            |value| value.try_into().map_or(f64::NAN, |bytes| $of(<$type>::from_ne_bytes(bytes)))
        };
    }
    Some(match Number::of(elements)? {
        Number::Float32 => number!(f32, f64::from),
        Number::Float64 => number!(f64, f64::from),
        Number::Bool => number!(u8, f64::from),
        Number::Integer { bytes, signed } => match (bytes, signed) {
            (1, true) => number!(i8, f64::from),
            (2, true) => number!(i16, f64::from),
            (4, true) => number!(i32, f64::from),
            (8, true) => number!(i64, nearest),
            (1, false) => number!(u8, f64::from),
            (2, false) => number!(u16, f64::from),
            (4, false) => number!(u32, f64::from),
            (8, false) => number!(u64, nearest_unsigned),
            _ => return None,
        },
    })
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is the nearest number")]
fn nearest(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 it is the nearest number")]
fn nearest_unsigned(value: u64) -> f64 {
    value as f64
}

fn no_text(array: &Array) -> LightCurveError {
    LightCurveError::NoText { array: array.location().to_owned() }
}

/// One chunk of a one-dimensional array at a time, as text.
struct ChunkTexts<'a> {
    array: &'a Array,
    reader: Chunk<'a>,
}

enum Chunk<'a> {
    Elements { elements: &'a Elements, reader: Box<RegionReader<'a>>, data: Vec<u8> },
    Variable { reader: Box<VariableReader<'a>>, fill: &'a [u8], chunk: Variable, stored: bool },
}

impl<'a> ChunkTexts<'a> {
    fn new(array: &'a Array) -> Result<Self, LightCurveError> {
        let reader = match array.contents() {
            Contents::Elements(elements) => {
                Chunk::Elements { elements, reader: Box::new(RegionReader::new(array)?), data: Vec::new() }
            }
            Contents::Variable(elements) => Chunk::Variable {
                reader: Box::new(VariableReader::new(array, elements)),
                fill: &elements.fill,
                chunk: Variable::new(),
                stored: false,
            },
            Contents::Unknown(_) => return Err(no_text(array)),
        };
        Ok(Self { array, reader })
    }

    /// Reads chunk `at`; how many elements there are in it.
    fn read(&mut self, at: u64) -> Result<usize, LightCurveError> {
        match &mut self.reader {
            Chunk::Elements { elements, reader, data } => {
                let region = elements.chunks.region(&[at]);
                data.clear();
                data.resize(index(region.elements()).saturating_mul(elements.item_bytes()), 0);
                reader.read_into(&region, data)?;
                Ok(index(region.elements()))
            }
            Chunk::Variable { reader, chunk, stored, .. } => {
                *stored = reader.read(&[at][..].into(), CHUNK_BYTES_MAX, chunk)?;
                let size =
                    self.array.variable().map_or(0, |elements| elements.chunks.region(&[at]).elements());
                Ok(index(size))
            }
        }
    }

    /// Calls `each` with element `k` of the chunk.
    fn with(
        &self,
        k: usize,
        each: &mut dyn FnMut(&str) -> Result<(), LightCurveError>,
    ) -> Result<(), LightCurveError> {
        match &self.reader {
            Chunk::Elements { elements, data, .. } => {
                let item = elements.item_bytes();
                each(&elements.element.text(&data[k * item..][..item]).ok_or_else(|| no_text(self.array))?)
            }
            Chunk::Variable { fill, chunk, stored, .. } => {
                let text = if *stored { chunk.get(k) } else { fill };
                each(std::str::from_utf8(text).map_err(|_| no_text(self.array))?)
            }
        }
    }
}
