//! Labels and side variables that get longer: values behind those that there are.

use zarrange_array::{
    Array, Contents, Elements, RegionReader, RegionWriter, VariableElements, VariableReader, VariableWriter,
};
use zarrange_codec::{ArrayCodec, Kind, Variable, VariableCodec};
use zarrange_grid::{Region, index};
use zarrange_io::Change;

use crate::LightCurveError;
use crate::store::columns::Column;
use crate::store::side::Number;

/// Up to here floats have all whole numbers.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Memory that a chunk of text may take.
const CHUNK_BYTES_MAX: usize = 64 << 20;

/// Writes `added` behind the elements of `array`, which has one dimension, or the fill value so many times. The array as it is afterwards;
/// its document is not written yet, so that nobody sees what was added.
///
/// # Errors
/// [`LightCurveError::Unfit`] if a value does not fit the type of the array, or if chunks cannot be read or written.
pub(super) fn grow(array: &Array, added: Option<&Column>, count: u64) -> Result<Array, LightCurveError> {
    let old = array.shape()[0];
    let size = old.checked_add(count).ok_or_else(|| LightCurveError::TooMuch { shape: vec![old, count] })?;
    let document = array.document().with_shape(&[size]);
    let grown = Array::new(array.store().clone(), document, array.zarr_format())?;
    let (end, length) = (array.shape()[0], grown.objects().chunk_shape()[0].max(1));
    // What broke off before may have left chunks there; those that are not there are fill value.
    for chunk in end.div_ceil(length)..grown.objects().counts()[0] {
        grown.store().change(Change::Remove(&grown.key(&[chunk])))?;
    }
    let beside = end.next_multiple_of(length).min(size) - end;
    match array.contents() {
        Contents::Elements(elements) => {
            let encoded = match added {
                Some(column) => encode(array, elements, column)?,
                None => elements.fill.repeat(index(beside)),
            };
            write_elements((array, &grown), elements.item_bytes(), &encoded)?;
        }
        Contents::Variable(elements) => {
            let texts: Vec<&[u8]> = match added {
                Some(column) => texts(array, column)?,
                None => vec![&elements.fill; index(beside)],
            };
            write_texts((array, elements), &grown, &texts)?;
        }
        Contents::Unknown(_) => return Err(unfit(array, "values")),
    }
    Ok(grown)
}

/// Looks whether `added` fits the type of `array`, and could be written.
///
/// # Errors
/// [`LightCurveError::Unfit`].
pub(super) fn check_growth(array: &Array, added: Option<&Column>) -> Result<(), LightCurveError> {
    match array.contents() {
        Contents::Elements(elements) if matches!(elements.codec, ArrayCodec::Chunks(_)) => {
            added.map_or(Ok(()), |column| encode(array, elements, column).map(drop))
        }
        Contents::Variable(elements) if matches!(elements.codec, VariableCodec::Chunks(_)) => {
            added.map_or(Ok(()), |column| texts(array, column).map(drop))
        }
        Contents::Elements(_) | Contents::Variable(_) => Err(unfit(array, "more elements in its shards")),
        Contents::Unknown(_) => Err(unfit(array, "values")),
    }
}

/// Text as it is added.
fn texts<'a>(array: &Array, column: &'a Column) -> Result<Vec<&'a [u8]>, LightCurveError> {
    match column {
        Column::Text(texts) => Ok(texts.iter().map(String::as_bytes).collect()),
        Column::Float(_) | Column::Integer(_) | Column::Bool(_) => Err(unfit(array, "numbers")),
    }
}

fn unfit(array: &Array, value: &str) -> LightCurveError {
    let data_type = array.document().get("data_type").to_string();
    LightCurveError::Unfit { array: array.location().to_owned(), data_type, value: value.to_owned() }
}

/// Elements in native byte order, as those of `array`.
fn encode(array: &Array, elements: &Elements, column: &Column) -> Result<Vec<u8>, LightCurveError> {
    let mut out = Vec::new();
    match column {
        Column::Text(texts) => {
            let item = elements.item_bytes();
            if *elements.element.kind() != Kind::Utf32 {
                return Err(unfit(array, "text"));
            }
            for text in texts {
                let end = out.len() + item;
                text.chars().for_each(|c| out.extend(u32::from(c).to_ne_bytes()));
                if out.len() > end {
                    return Err(unfit(array, &format!("{text:?}")));
                }
                out.resize(end, 0);
            }
        }
        Column::Bool(values) if Number::of(elements) == Some(Number::Bool) => {
            out.extend(values.iter().map(|value| u8::from(*value)));
        }
        Column::Bool(_) => return Err(unfit(array, "yes or no")),
        Column::Integer(values) => {
            for value in values {
                put_integer(elements, *value, &mut out).ok_or_else(|| unfit(array, &value.to_string()))?;
            }
        }
        Column::Float(values) => {
            for value in values {
                let told = || if value.is_nan() { "a gap".to_owned() } else { value.to_string() };
                put_float(elements, *value, &mut out).ok_or_else(|| unfit(array, &told()))?;
            }
        }
    }
    Ok(out)
}

/// Appends a whole number; `None` if the type does not have it.
fn put_integer(elements: &Elements, value: i64, out: &mut Vec<u8>) -> Option<()> {
    let Some(Number::Integer { bytes, signed }) = Number::of(elements) else {
        // Beyond 2^53 floats have not all of them.
        #[expect(clippy::cast_precision_loss, reason = "it is looked at afterwards whether it is the same")]
        let float = value as f64;
        return if value.unsigned_abs() <= 1 << 53 { put_float(elements, float, out) } else { None };
    };
    let bits = 8 * u32::try_from(bytes).ok()?;
    let fits = match (signed, bits) {
        (true, 64) => true,
        (true, bits) => (-(1_i64 << (bits - 1))..1_i64 << (bits - 1)).contains(&value),
        (false, 64) => value >= 0,
        (false, bits) => (0..1_i64 << bits).contains(&value),
    };
    let native = value.to_ne_bytes();
    let low = if cfg!(target_endian = "little") { &native[..bytes] } else { &native[8 - bytes..] };
    fits.then(|| out.extend(low))
}

/// Appends a number; `None` if the type does not have it.
fn put_float(elements: &Elements, value: f64, out: &mut Vec<u8>) -> Option<()> {
    match Number::of(elements)? {
        Number::Float64 => out.extend(value.to_ne_bytes()),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the nearest number is what an array of this type has"
        )]
        Number::Float32 => out.extend((value as f32).to_ne_bytes()),
        #[expect(clippy::cast_possible_truncation, reason = "it is a whole number that 64 bits have")]
        Number::Integer { .. } if value.fract() == 0.0 && value.abs() <= WHOLE_MAX => {
            put_integer(elements, value as i64, out)?;
        }
        Number::Float16 | Number::Integer { .. } | Number::Bool => return None,
    }
    Some(())
}

/// Writes the chunks that hold `added`, the last old one with what it had.
fn write_elements((old, grown): (&Array, &Array), item: usize, added: &[u8]) -> Result<(), LightCurveError> {
    if added.is_empty() {
        return Ok(());
    }
    let end = old.shape()[0];
    let size = end + (added.len() / item.max(1)) as u64;
    let length = grown.objects().chunk_shape()[0].max(1);
    let start = end / length * length;
    let mut data = vec![0; index(end - start) * item];
    RegionReader::new(old)?.read_into(&Region::new(&[start][..], &[end - start][..]), &mut data)?;
    data.extend(added);
    Ok(RegionWriter::replacing(grown)?.write(&Region::new(&[start][..], &[size - start][..]), &data)?)
}

/// The same of text.
fn write_texts(
    (old, elements): (&Array, &VariableElements),
    grown: &Array,
    added: &[&[u8]],
) -> Result<(), LightCurveError> {
    let Some(written) = grown.variable() else { return Err(unfit(old, "text")) };
    if added.is_empty() {
        return Ok(());
    }
    let (grid, whole) = (&written.chunks, written.chain().elements());
    let end = old.shape()[0];
    let mut writer = VariableWriter::new(grown, written, true, CHUNK_BYTES_MAX);
    let (mut chunk, mut kept) = (Variable::new(), Variable::new());
    let last = (end + added.len() as u64).div_ceil(whole as u64);
    let mut added = added.iter();
    for k in end / whole as u64..last {
        let region = grid.region(&[k]);
        chunk.clear();
        let before = index(end.saturating_sub(region.start()[0]));
        if before > 0 {
            let stored =
                VariableReader::new(old, elements).read(&[k][..].into(), CHUNK_BYTES_MAX, &mut kept)?;
            (0..before).for_each(|k| chunk.push(if stored { kept.get(k) } else { &elements.fill }));
        }
        let room = index(region.shape()[0]) - before;
        added.by_ref().take(room).for_each(|text| chunk.push(text));
        (chunk.len()..whole).for_each(|_| chunk.push(&elements.fill));
        if writer.write(&[k][..].into(), &chunk)? == 0 {
            grown.store().change(Change::Remove(&grown.key(&[k])))?;
        }
    }
    Ok(())
}
