//! Labels and side variables that get longer: values behind those that there are.

use zarrange_array::{
    Array, Contents, Elements, RegionReader, RegionWriter, VariableElements, VariableReader, VariableWriter,
};
use zarrange_codec::{ArrayCodec, Kind, Variable, VariableCodec};
use zarrange_grid::{Region, index};
use zarrange_io::Change;

use crate::LightCurveError;
use crate::store::columns::Column;
use crate::store::memory::{Share, bounded, filling};
use crate::store::number::Number;

/// Writes `added` behind the elements of `array`, which has one dimension, or the fill value so many times. The array as it is afterwards;
/// its document is not written yet, so that nobody sees what was added.
///
/// # Errors
/// [`LightCurveError::Unfit`] if a value does not fit the type of the array, or if chunks cannot be read or written.
pub(super) fn grow(
    array: &Array,
    (added, count): (Option<&Column>, u64),
    share: Share,
) -> Result<Array, LightCurveError> {
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
            write_texts((array, elements), (&grown, share), &texts)?;
        }
        Contents::Unknown(_) => return Err(unfit(array, "values")),
    }
    Ok(grown)
}

/// Looks whether `added` fits the type of `array`, and could be written.
///
/// # Errors
/// [`LightCurveError::Unfit`], or [`LightCurveError::Room`] if a chunk takes more than `share`.
pub(super) fn check_growth(
    array: &Array,
    added: Option<&Column>,
    share: Share,
) -> Result<(), LightCurveError> {
    match array.contents() {
        Contents::Elements(elements) if matches!(elements.codec, ArrayCodec::Chunks(_)) => {
            share.fits(&format!("a chunk of {}", array.location()), filling(array)?)?;
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
    let (item, number) = (elements.item_bytes(), Number::of(elements));
    let numbers = |count: usize, encode: &dyn Fn(usize, Number, &mut [u8]) -> bool| {
        let mut out = vec![0; item.saturating_mul(count)];
        let fits = |(k, out)| number.is_some_and(|number| encode(k, number, out));
        match out.chunks_exact_mut(item).enumerate().position(|element| !fits(element)) {
            None => Ok(out),
            Some(k) => Err(unfit(array, &column.text(k))),
        }
    };
    match column {
        Column::Text(texts) if *elements.element.kind() == Kind::Utf32 => {
            let mut out = Vec::new();
            for (k, text) in texts.iter().enumerate() {
                text.chars().for_each(|c| out.extend(u32::from(c).to_ne_bytes()));
                if out.len() > (k + 1) * item {
                    return Err(unfit(array, &format!("{text:?}")));
                }
                out.resize((k + 1) * item, 0);
            }
            Ok(out)
        }
        Column::Text(_) => Err(unfit(array, "text")),
        Column::Bool(values) => numbers(values.len(), &|k, number, out| {
            number == Number::Bool && number.encode(f64::from(u8::from(values[k])), out)
        }),
        Column::Integer(values) => {
            numbers(values.len(), &|k, number, out| number.encode_whole(values[k], out))
        }
        Column::Float(values) => numbers(values.len(), &|k, number, out| number.encode(values[k], out)),
    }
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
    (grown, share): (&Array, Share),
    added: &[&[u8]],
) -> Result<(), LightCurveError> {
    let Some(written) = grown.variable() else { return Err(unfit(old, "text")) };
    if added.is_empty() {
        return Ok(());
    }
    let (grid, whole) = (&written.chunks, written.chain().elements());
    let end = old.shape()[0];
    // A chunk is in memory as it was, as it will be, encoded, and in a buffer of its codecs.
    let chunk_bytes_max = bounded(share.bytes) / 4;
    let mut writer = VariableWriter::new(grown, written, true, chunk_bytes_max);
    let (mut chunk, mut kept) = (Variable::new(), Variable::new());
    let last = (end + added.len() as u64).div_ceil(whole as u64);
    let mut added = added.iter();
    for k in end / whole as u64..last {
        let region = grid.region(&[k]);
        chunk.clear();
        let before = index(end.saturating_sub(region.start()[0]));
        if before > 0 {
            let stored =
                VariableReader::new(old, elements).read(&[k][..].into(), chunk_bytes_max, &mut kept)?;
            (0..before).for_each(|k| chunk.push(if stored { kept.get(k) } else { &elements.fill }));
        }
        let room = index(region.shape()[0]) - before;
        added.by_ref().take(room).for_each(|text| chunk.push(text));
        (chunk.len()..whole).for_each(|_| chunk.push(&elements.fill));
        writer.write(&[k][..].into(), &chunk)?;
    }
    Ok(())
}
