//! pcodec: the numbers of a chunk through `pco`, never more of them than the chunk has.
//!
//! A stream is in parts, each with its own count of numbers. `pco` decodes a whole stream into as much memory as the counts
//! ask for. So the parts are taken apart here, and what they are about to allocate is checked before they do.

use half::f16;
use pco::data_types::{Number, NumberType};
use pco::errors::PcoError;
use pco::metadata::{ChunkMeta, DeltaEncoding};
use pco::{FULL_BATCH_N, standalone, wrapped};
use zarrange_grid::index;
use zarrs::array::codec::PcodecElementType as Kind;

use crate::CodecError;

/// Numbers that are decoded at a time.
const BATCH: usize = 8 * FULL_BATCH_N;

/// How a part begins that is indices into a dictionary.
const DICTIONARY: u64 = 4;

/// No version of `pco` writes windows of more than 2 to this power; its format has room for 512 times as many.
const WINDOW_LOG_MAX: u32 = 15;

/// Decodes the stream `src` into `chunk`, which holds whole elements.
///
/// # Errors
/// [`CodecError`] if the stream is damaged, or has more or fewer numbers than the chunk.
pub(crate) fn decode(kind: Kind, src: &[u8], chunk: &mut [u8]) -> Result<(), CodecError> {
    match kind {
        Kind::U16 => numbers(NumberType::U16, u16::to_ne_bytes, src, chunk),
        Kind::U32 => numbers(NumberType::U32, u32::to_ne_bytes, src, chunk),
        Kind::U64 => numbers(NumberType::U64, u64::to_ne_bytes, src, chunk),
        Kind::I16 => numbers(NumberType::I16, i16::to_ne_bytes, src, chunk),
        Kind::I32 => numbers(NumberType::I32, i32::to_ne_bytes, src, chunk),
        Kind::I64 => numbers(NumberType::I64, i64::to_ne_bytes, src, chunk),
        Kind::F16 => numbers(NumberType::F16, f16::to_ne_bytes, src, chunk),
        Kind::F32 => numbers(NumberType::F32, f32::to_ne_bytes, src, chunk),
        Kind::F64 => numbers(NumberType::F64, f64::to_ne_bytes, src, chunk),
    }
}

fn numbers<T: Number, const BYTES: usize>(
    number: NumberType,
    to_bytes: fn(T) -> [u8; BYTES],
    src: &[u8],
    chunk: &mut [u8],
) -> Result<(), CodecError> {
    let (stream, mut src) = standalone::FileDecompressor::new(src).map_err(damaged)?;
    let version = [stream.format_version().major, stream.format_version().minor];
    let (stream, _) = wrapped::FileDecompressor::new(&version[..]).map_err(damaged)?;
    let (expected, mut room) = (chunk.len(), chunk.as_chunks_mut::<BYTES>().0);
    let mut batch = [T::default(); BATCH];
    while let Some((count, body)) = next_part(src, number)? {
        if count > room.len() {
            return Err(CodecError::TooLong { codec: "pcodec" });
        }
        check_dictionary(body, BYTES)?;
        let (mut part, body) = stream.chunk_decompressor::<T, _>(body).map_err(damaged)?;
        check_window(part.meta())?;
        let mut page = part.page_decompressor(body, count).map_err(damaged)?;
        let (places, rest) = room.split_at_mut(count);
        for places in places.chunks_mut(BATCH) {
            let batch = &mut batch[..places.len()];
            page.read(batch).map_err(damaged)?;
            places.iter_mut().zip(batch).for_each(|(place, number)| *place = to_bytes(*number));
        }
        (room, src) = (rest, page.into_src());
    }
    let bytes = expected - room.len() * BYTES;
    if bytes == expected {
        return Ok(());
    }
    Err(CodecError::Size { codec: "pcodec", bytes: bytes as u64, expected: expected as u64 })
}

/// How many numbers the next part has, and what follows its header; `None` at the end of the stream.
fn next_part(src: &[u8], number: NumberType) -> Result<Option<(usize, &[u8])>, CodecError> {
    match src {
        [0, ..] => Ok(None),
        [kind, a, b, c, body @ ..] if *kind == number as u8 => {
            let less_one = u32::from_le_bytes([*a, *b, *c, 0]);
            Ok(Some((index(u64::from(less_one)) + 1, body)))
        }
        [kind, _, _, _, ..] => {
            Err(CodecError::corrupt("pcodec", format!("numbers of type {kind}, expected {number:?}")))
        }
        _ => Err(CodecError::corrupt("pcodec", "truncated")),
    }
}

/// A dictionary is allocated before it is read, so that it must be there.
fn check_dictionary(body: &[u8], number_bytes: usize) -> Result<(), CodecError> {
    let head = body.iter().take(4).rev().fold(0, |head, byte| head << 8 | u64::from(*byte));
    let (mode, entries) = (head & 0xF, index(head >> 4 & 0x1FF_FFFF));
    if mode == DICTIONARY && entries * number_bytes > body.len() {
        let detail = format!("a dictionary of {entries} entries in {} bytes", body.len());
        return Err(CodecError::corrupt("pcodec", detail));
    }
    Ok(())
}

/// Earlier numbers that later ones refer to are kept in a window, allocated for each part.
fn check_window(part: &ChunkMeta) -> Result<(), CodecError> {
    match &part.delta_encoding {
        DeltaEncoding::Lookback { config, .. } if config.window_n_log > WINDOW_LOG_MAX => {
            let detail = format!(
                "a window of 2^{} numbers, at most 2^{WINDOW_LOG_MAX} are allowed",
                config.window_n_log
            );
            Err(CodecError::corrupt("pcodec", detail))
        }
        _ => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn damaged(error: PcoError) -> CodecError {
    CodecError::corrupt("pcodec", error.to_string())
}
