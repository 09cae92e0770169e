//! Decoding blosc frames that were compressed with blosclz, in safe code.
//!
//! The C decoder of blosclz can write out of bounds on damaged streams (c-blosc issue 405), so untrusted frames never reach
//! it. Layout of a frame after its header: the offset of each block (4 bytes, little endian); a block is one stream, or one
//! for each byte of the element type; a stream is its length (4 bytes) and its bytes, stored as they are when the length is
//! that of the content.

/// What the 16 bytes before the blocks say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) type_bytes: usize,
    pub(crate) block_bytes: usize,
}

const HEADER_BYTES: usize = 16;

// Bits of the flags.
const SHUFFLED: u8 = 0x1;
const STORED: u8 = 0x2;
const BIT_SHUFFLED: u8 = 0x4;
const NOT_SPLIT: u8 = 0x10;

/// The compressor is the number in the upper three bits of the flags; 0 is blosclz.
const COMPRESSOR_SHIFT: u8 = 5;

/// Larger element types, and smaller streams, are not split by byte.
const SPLIT_TYPE_BYTES_MAX: usize = 16;
const SPLIT_STREAM_BYTES_MIN: usize = 128;

/// Distances beyond what thirteen bits hold begin here.
const FAR: usize = 8191;

/// A frame that does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

impl Header {
    /// Whether the blocks were compressed with blosclz.
    pub(crate) const fn is_blosclz(self) -> bool {
        self.flags >> COMPRESSOR_SHIFT == 0 && self.flags & STORED == 0
    }
}

/// Decodes the blocks of `frame` into `dst`, whose size is that of the content; `shuffled` is working memory.
pub(crate) fn decode(
    frame: &[u8],
    header: Header,
    dst: &mut [u8],
    shuffled: &mut Vec<u8>,
) -> Result<(), Damaged> {
    if header.block_bytes == 0 || header.type_bytes == 0 {
        return Err(Damaged);
    }
    let block_bytes = header.block_bytes.min(dst.len());
    shuffled.resize(block_bytes, 0);
    for (k, block) in dst.chunks_mut(block_bytes).enumerate() {
        let mut input = Input { frame, at: HEADER_BYTES + 4 * k };
        input.at = input.length()?;
        let whole = block.len() == header.block_bytes;
        let splits = whole
            && header.flags & NOT_SPLIT == 0
            && header.type_bytes <= SPLIT_TYPE_BYTES_MAX
            && header.block_bytes / header.type_bytes >= SPLIT_STREAM_BYTES_MIN;
        let streams = if splits { header.type_bytes } else { 1 };
        let bits = header.flags & BIT_SHUFFLED != 0 && block.len() >= header.type_bytes;
        let bytes = header.flags & SHUFFLED != 0 && header.type_bytes > 1;
        if bytes || bits {
            let shuffled = &mut shuffled[..block.len()];
            decode_block(&mut input, shuffled, streams)?;
            if bytes {
                unshuffle_bytes(shuffled, block, header.type_bytes);
            } else {
                unshuffle_bits(shuffled, block, header.type_bytes);
            }
        } else {
            decode_block(&mut input, block, streams)?;
        }
    }
    Ok(())
}

struct Input<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Damaged> {
        let end = self.at.checked_add(bytes).ok_or(Damaged)?;
        let taken = self.frame.get(self.at..end).ok_or(Damaged)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<usize, Damaged> {
        Ok(usize::from(self.take(1)?[0]))
    }

    fn length(&mut self) -> Result<usize, Damaged> {
        let word: [u8; 4] = self.take(4)?.try_into().map_err(|_| Damaged)?;
        usize::try_from(i32::from_le_bytes(word)).map_err(|_| Damaged)
    }

    fn is_empty(&self) -> bool {
        self.at >= self.frame.len()
    }
}

fn decode_block(input: &mut Input<'_>, block: &mut [u8], streams: usize) -> Result<(), Damaged> {
    let bytes = block.len() / streams;
    for part in block[..bytes * streams].chunks_mut(bytes.max(1)) {
        let length = input.length()?;
        let stream = input.take(length)?;
        if length == part.len() {
            part.copy_from_slice(stream);
        } else {
            decode_stream(stream, part)?;
        }
    }
    Ok(())
}

/// A stream of literals and matches; a control byte below 32 counts literals, others hold length and distance.
fn decode_stream(stream: &[u8], out: &mut [u8]) -> Result<(), Damaged> {
    let mut input = Input { frame: stream, at: 0 };
    let mut at = 0;
    // The upper bits of the first control byte are a version.
    let mut control = input.byte()? & 31;
    loop {
        if control < 32 {
            let literals = input.take(control + 1)?;
            out.get_mut(at..at + literals.len()).ok_or(Damaged)?.copy_from_slice(literals);
            at += literals.len();
        } else {
            let (length, distance) = read_match(&mut input, control)?;
            let from = at.checked_sub(distance).ok_or(Damaged)?;
            let end = at.checked_add(length).filter(|end| *end <= out.len()).ok_or(Damaged)?;
            if distance >= length {
                out.copy_within(from..from + length, at);
            } else {
                // The match overlaps what it writes: it repeats.
                for k in at..end {
                    out[k] = out[k - distance];
                }
            }
            at = end;
        }
        if input.is_empty() {
            break;
        }
        control = input.byte()?;
    }
    if at == out.len() { Ok(()) } else { Err(Damaged) }
}

/// Length and distance of a match.
fn read_match(input: &mut Input<'_>, control: usize) -> Result<(usize, usize), Damaged> {
    let mut length = (control >> 5) - 1;
    let high = (control & 31) << 8;
    if length == 6 {
        loop {
            let more = input.byte()?;
            length += more;
            if more < 255 {
                break;
            }
        }
    }
    let low = input.byte()?;
    let far = low == 255 && high == 31 << 8;
    let distance = if far { (input.byte()? << 8) + input.byte()? + FAR } else { high + low };
    Ok((length + 3, distance + 1))
}

/// From all first bytes, all second bytes, ... to elements; what does not fill an element stays.
fn unshuffle_bytes(src: &[u8], dst: &mut [u8], type_bytes: usize) {
    let items = src.len() / type_bytes;
    for (i, element) in dst.chunks_exact_mut(type_bytes).enumerate() {
        for (j, byte) in element.iter_mut().enumerate() {
            *byte = src[j * items + i];
        }
    }
    dst[items * type_bytes..].copy_from_slice(&src[items * type_bytes..]);
}

/// From all first bits, all second bits, ... to elements; only multiples of eight elements were shuffled.
fn unshuffle_bits(src: &[u8], dst: &mut [u8], type_bytes: usize) {
    let items = src.len() / type_bytes;
    if !items.is_multiple_of(8) {
        dst.copy_from_slice(src);
        return;
    }
    for (i, element) in dst.chunks_exact_mut(type_bytes).enumerate() {
        for (j, byte) in element.iter_mut().enumerate() {
            let bit = |b: usize| (src[(j * 8 + b) * (items / 8) + i / 8] >> (i % 8) & 1) << b;
            *byte = (0..8).map(bit).sum();
        }
    }
    dst[items * type_bytes..].copy_from_slice(&src[items * type_bytes..]);
}
