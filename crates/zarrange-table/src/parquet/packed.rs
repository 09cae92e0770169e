//! Looks over what is packed in pages, without unpacking it.

use super::thrift::Thrift;

/// Values of a block of deltas at most, and small blocks in it: the crate multiplies them.
const BLOCK_VALUES_MAX: u64 = 1 << 20;

/// Texts of a page at most whose lengths are deltas: the crate holds all of these.
const TEXTS_MAX: usize = 1 << 24;

/// Of repetition levels of one bit, so many: how many there are from one that begins a record to the next at most. `None` if there are
/// fewer. What comes before the first that begins one counts as well.
pub(super) fn longest_record(levels: &[u8], values: usize) -> Option<usize> {
    let (mut longest, mut record) = (1, 0_usize);
    runs(levels, 1, values, |level, count| {
        if level == 1 {
            record += count;
        } else if count > 0 {
            longest = longest.max(record);
            record = 1;
        }
    })?;
    Some(longest.max(record))
}

/// Of definition levels up to `max`, so many: how many are `max`. `None` if there are fewer.
pub(super) fn defined(levels: &[u8], max: i16, values: usize) -> Option<usize> {
    let max = u64::try_from(max).ok()?;
    let bits = u64::BITS - max.leading_zeros();
    let mut defined = 0;
    runs(levels, bits as usize, values, |level, count| defined += if level == max { count } else { 0 })?;
    Some(defined)
}

/// Calls `each` with so many levels of a few bits, as many of the same at once as are packed so. `None` if there are fewer. See
/// <https://github.com/apache/parquet-format/blob/master/Encodings.md#run-length-encoding--bit-packing-hybrid-rle--3>.
fn runs(levels: &[u8], bits: usize, values: usize, mut each: impl FnMut(u64, usize)) -> Option<()> {
    let (mut thrift, mut left) = (Thrift::new(levels), values);
    while left > 0 {
        let head = thrift.varint()?;
        let count = usize::try_from(head >> 1).ok()?;
        if head & 1 == 0 {
            let level = u64::from(*levels.get(thrift.at())?);
            thrift.pass(1)?;
            each(level, count.min(left));
            left -= count.min(left);
            continue;
        }
        // Some writers leave out the bytes after the last value.
        let bytes = levels.get(thrift.at()..)?;
        let bytes = &bytes[..bytes.len().min(count.checked_mul(bits)?)];
        thrift.pass(bytes.len())?;
        let count = left.min(bytes.len() * 8 / bits.max(1));
        if count == 0 {
            return None;
        }
        let packed = Packed { bytes, bits, count };
        for k in 0..count {
            each(packed.get(k)?, 1);
        }
        left -= count;
    }
    Some(())
}

/// Where deltas end that begin `bytes`, of so many values at most. `None` if there are more, or they are broken. See
/// <https://github.com/apache/parquet-format/blob/master/Encodings.md#delta-encoding-delta_binary_packed--5>.
pub(super) fn delta(bytes: &[u8], values_max: usize) -> Option<usize> {
    deltas(bytes, values_max, |_, _| Some(()))
}

/// The same of how long texts are: where that ends, how long all of them are, and how many. `None` if one would be of less than no bytes as well.
pub(super) fn lengths(bytes: &[u8], texts_max: usize) -> Option<(usize, u64, usize)> {
    let (mut length, mut sum, mut texts) = (0_i64, 0_u64, 0);
    let mut add = |delta: i64| {
        // They are of 32 bits, and so are their deltas, which may wrap.
        #[expect(clippy::cast_possible_truncation, reason = "numbers of 32 bits wrap")]
        let next = length.wrapping_add(delta) as i32;
        length = i64::from(next);
        sum = sum.checked_add(u64::try_from(next).ok()?)?;
        texts += 1;
        Some(())
    };
    let end = deltas(bytes, texts_max.min(TEXTS_MAX), |first, packed| match packed {
        None => add(first),
        Some(packed) => {
            (0..packed.count).try_for_each(|k| add(first.wrapping_add(packed.get(k)?.cast_signed())))
        }
    })?;
    Some((end, sum, texts))
}

/// How many texts bytes are, each after how long it is. `None` if they are none.
pub(super) fn texts(mut bytes: &[u8]) -> Option<usize> {
    let mut texts = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        bytes = rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)?;
        texts += 1;
    }
    bytes.is_empty().then_some(texts)
}

/// Numbers of so many bits, the lowest first.
struct Packed<'a> {
    bytes: &'a [u8],
    bits: usize,
    count: usize,
}

impl Packed<'_> {
    fn get(&self, k: usize) -> Option<u64> {
        let begin = k.checked_mul(self.bits)?;
        // Nine bytes have all of its bits.
        let rest = self.bytes.get(begin / 8..)?;
        let mut window = [0; 16];
        let length = rest.len().min(9);
        window[..length].copy_from_slice(&rest[..length]);
        if begin % 8 + self.bits > 8 * length {
            return None;
        }
        let value = u128::from_le_bytes(window) >> (begin % 8);
        u64::try_from(value & ((1 << self.bits) - 1)).ok()
    }
}

/// Passes over deltas, and calls `each` with the first value, and then for each small block with its least delta and what is packed. Where
/// they end, as above.
fn deltas(
    bytes: &[u8],
    values_max: usize,
    mut each: impl FnMut(i64, Option<&Packed<'_>>) -> Option<()>,
) -> Option<usize> {
    let mut thrift = Thrift::new(bytes);
    let (block, small) = (thrift.varint()?, thrift.varint()?);
    let values = thrift.varint()?;
    let first = thrift.integer()?;
    if block > BLOCK_VALUES_MAX || small == 0 || values > values_max as u64 || !block.is_multiple_of(small) {
        return None;
    }
    let size = usize::try_from(block / small).ok()?;
    if size == 0 || !size.is_multiple_of(32) {
        return None;
    }
    // The first value is in the head.
    let mut left = usize::try_from(values).ok()?;
    if left > 0 {
        each(first, None)?;
        left -= 1;
    }
    while left > 0 {
        let least = thrift.integer()?;
        let widths = bytes.get(thrift.at()..)?.get(..usize::try_from(small).ok()?)?;
        thrift.pass(widths.len())?;
        for width in widths {
            if left == 0 {
                break;
            }
            let bits = usize::from(*width);
            if bits > 64 {
                return None;
            }
            let begin = thrift.at();
            thrift.pass(bits.checked_mul(size)? / 8)?;
            let packed = Packed { bytes: bytes.get(begin..thrift.at())?, bits, count: size.min(left) };
            each(least, Some(&packed))?;
            left -= packed.count;
        }
    }
    Some(thrift.at())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_levels_are_counted() {
        let check = |levels: &[u8], values: usize, longest: Option<usize>, ones: Option<usize>| {
            assert_eq!(longest_record(levels, values), longest, "{levels:?}");
            assert_eq!(defined(levels, 1, values), ones, "{levels:?}");
        };
        // Runs of 5 zeros and 9 ones; eight packed; both.
        check(&[10, 0, 18, 1], 14, Some(10), Some(9));
        check(&[3, 0b1011_0110], 8, Some(3), Some(5));
        check(&[10, 0, 3, 0b0111_1111], 13, Some(8), Some(7));
        check(&[3, 0b1011_0110], 5, Some(3), Some(3));
        check(&[10, 0], 6, None, None);
        check(&[3], 1, None, None);
        check(&[], 0, Some(1), Some(0));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 9, None, None);
        // Of two bits: 0 to 3, twice.
        assert_eq!(defined(&[3, 0b1110_0100, 0b1110_0100], 3, 8), Some(2));
        assert_eq!(defined(&[16, 3], 3, 8), Some(8));
    }

    #[test]
    fn deltas_are_looked_over() {
        // Blocks of 128 in 4 parts: 3 values from 5 on, with 0 and 3 more than the least delta of -1, of 2 bits.
        let packed = [&[128, 1, 4, 3, 10, 1, 2, 0, 0, 0][..], &[0b1100, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(delta(&packed, 3), Some(packed.len()));
        assert_eq!(lengths(&packed, 3), Some((packed.len(), 5 + 4 + 6, 3)));
        assert_eq!(delta(&[&packed[..], b"rest"].concat(), 9), Some(packed.len()));
        let check = |at: usize, byte: u8| {
            let mut broken = packed.clone();
            broken[at] = byte;
            assert_eq!((delta(&broken, 3), lengths(&broken, 3)), (None, None), "{at} {byte}");
        };
        assert_eq!(delta(&packed, 2), None);
        assert_eq!(delta(&packed[..packed.len() - 1], 3), None);
        check(2, 0);
        check(2, 3);
        check(3, 4);
        check(6, 65);
        check(6, 64);
        // A first length below nothing.
        let mut negative = packed;
        negative[4] = 9;
        assert_eq!((delta(&negative, 3).is_some(), lengths(&negative, 3)), (true, None));
        assert_eq!(texts(b"\x01\0\0\0a\0\0\0\0"), Some(2));
        assert_eq!(texts(b"\x02\0\0\0a"), None);
        assert_eq!(texts(b"\x01\0\0\0a\0"), None);
    }
}
