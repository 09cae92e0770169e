//! Side variables and labels as they are read: element by element, or some of them.

use zarrange_array::{Array, Contents, Elements, RegionReader, VariableReader};
use zarrange_codec::Variable;
use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::memory::{Share, bounded, chunk_bytes, reading};
use crate::store::number::number_of;

/// A chunk of text is in memory twice, decoded and as it is stored, and its codecs have a buffer.
const CHUNK_COPIES: usize = 3;

/// Calls `each` with the elements of a one-dimensional array, in their order, as a table would have them. What a chunk takes is within
/// `share`.
///
/// # Errors
/// The first of `each`; [`LightCurveError::NoText`] if they are neither text nor numbers; [`LightCurveError::Room`] if a chunk needs more
/// memory; or if they cannot be read.
pub(crate) fn each_text(
    array: &Array,
    share: Share,
    each: &mut dyn FnMut(&str) -> Result<(), LightCurveError>,
) -> Result<(), LightCurveError> {
    let chunks = match array.contents() {
        Contents::Elements(elements) => elements.chunks.all(),
        Contents::Variable(elements) => elements.chunks.all(),
        Contents::Unknown(_) => return Err(no_text(array)),
    };
    let mut texts = ChunkTexts::new(array, share)?;
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
/// As [`each_text`], and [`LightCurveError::LabelMemory`] if they and a chunk take more than `share`.
pub(crate) fn texts_at(array: &Array, places: &[u64], share: Share) -> Result<Vec<String>, LightCurveError> {
    let texts = texts_within(array, places, (share.bytes / 2, share.part(2)), &text_bytes)?;
    if texts.len() == places.len() {
        return Ok(texts);
    }
    let (dimension, count) = (array.location().to_owned(), texts.len() as u64);
    Err(LightCurveError::LabelMemory { dimension, count, bytes_max: share.bytes })
}

/// What a text of so many bytes takes, in a list and in a column.
pub(crate) const fn text_bytes(length: usize) -> u64 {
    2 * length as u64 + 64
}

/// The first of the elements at `places` that take no more than `bytes_max`, as `bytes` says what one takes; a chunk is
/// within `share`.
///
/// # Errors
/// As [`each_text`].
pub(crate) fn texts_within(
    array: &Array,
    places: &[u64],
    (bytes_max, share): (u64, Share),
    bytes: &dyn Fn(usize) -> u64,
) -> Result<Vec<String>, LightCurveError> {
    let grid = match array.contents() {
        Contents::Elements(elements) => &elements.chunks,
        Contents::Variable(elements) => &elements.chunks,
        Contents::Unknown(_) => return Err(no_text(array)),
    };
    let (mut texts, mut out, mut chunk) = (ChunkTexts::new(array, share)?, Vec::new(), None);
    let (mut taken, mut is_full) = (0_u64, false);
    for place in places {
        let (at, start, _) = grid.chunk_at(0, *place);
        if chunk != Some(at) {
            texts.read(at)?;
            chunk = Some(at);
        }
        texts.with(index(place - start), &mut |text| {
            taken = taken.saturating_add(bytes(text.len()));
            is_full = taken > bytes_max;
            if !is_full {
                out.push(text.to_owned());
            }
            Ok(())
        })?;
        if is_full {
            break;
        }
    }
    Ok(out)
}

/// Calls `each` with the numbers of a one-dimensional array, in their order; with NaN where text is empty. Dates are days (MJD). What a chunk takes is within
/// `share`.
///
/// # Errors
/// [`LightCurveError::NoNumbers`] if they are none, [`LightCurveError::Room`] if a chunk needs more memory, or if they cannot be read.
pub(crate) fn each_number(
    array: &Array,
    share: Share,
    each: &mut dyn FnMut(f64),
) -> Result<(), LightCurveError> {
    let Contents::Elements(elements) = array.contents() else {
        return each_text(array, share, &mut |text| {
            let number = if text.is_empty() { Ok(f64::NAN) } else { text.parse() };
            let no_numbers =
                |_| LightCurveError::NoNumbers { name: array.location().to_owned(), value: text.to_owned() };
            each(number.map_err(no_numbers)?);
            Ok(())
        });
    };
    let days = |value: &[u8]| elements.element.mjd(value).unwrap_or(f64::NAN);
    let number = number_of(elements);
    let of: &dyn Fn(&[u8]) -> f64 = match &number {
        Some(number) => number,
        None if elements.element.is_date() => &days,
        None => {
            let value = elements.element.name().to_owned();
            return Err(LightCurveError::NoNumbers { name: array.location().to_owned(), value });
        }
    };
    fit_chunk(array, share)?;
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

/// An error if a chunk of fixed elements takes more than `share`, with what reads it.
fn fit_chunk(array: &Array, share: Share) -> Result<(), LightCurveError> {
    let bytes = reading(array)?.saturating_add(chunk_bytes(array)?);
    share.fits(&format!("a chunk of {}", array.location()), bytes)
}

fn no_text(array: &Array) -> LightCurveError {
    LightCurveError::NoText { array: array.location().to_owned() }
}

/// One chunk of a one-dimensional array at a time, as text.
struct ChunkTexts<'a> {
    array: &'a Array,
    reader: Chunk<'a>,
    share: Share,
}

enum Chunk<'a> {
    Elements { elements: &'a Elements, reader: Box<RegionReader<'a>>, data: Vec<u8> },
    Variable { reader: Box<VariableReader<'a>>, fill: &'a [u8], chunk: Variable, stored: bool },
}

impl<'a> ChunkTexts<'a> {
    fn new(array: &'a Array, share: Share) -> Result<Self, LightCurveError> {
        let reader = match array.contents() {
            Contents::Elements(elements) => {
                fit_chunk(array, share)?;
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
        Ok(Self { array, reader, share })
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
                let bytes_max = bounded(self.share.bytes) / CHUNK_COPIES;
                *stored = reader.read(&[at][..].into(), bytes_max, chunk)?;
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
