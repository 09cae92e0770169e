//! Fill values: writing them and recognising them.

/// What is filled so far is copied on in pieces of about this much, which stay in the first-level cache.
const PIECE: usize = 8192;

/// Writes `pattern` over and over; `dst` holds whole elements of its size.
pub fn fill_with(dst: &mut [u8], pattern: &[u8]) {
    if pattern.iter().all(|b| *b == pattern[0]) {
        dst.fill(pattern.first().copied().unwrap_or(0));
        return;
    }
    let first = pattern.len().min(dst.len());
    dst[..first].copy_from_slice(&pattern[..first]);
    let mut done = first;
    while done < dst.len() && done < PIECE {
        let n = done.min(dst.len() - done);
        dst.copy_within(..n, done);
        done += n;
    }
    // Whole patterns, so that every piece is the same.
    let (piece, rest) = dst.split_at_mut(done);
    for part in rest.chunks_mut(piece.len().max(1)) {
        part.copy_from_slice(&piece[..part.len()]);
    }
}

/// Whether every element of `data` has the bytes of `pattern` (bitwise, as the Zarr ecosystem compares).
pub fn is_filled(data: &[u8], pattern: &[u8]) -> bool {
    let n = pattern.len();
    // An array repeats with period n exactly if it equals itself shifted by n: one memcmp, at the speed of reading.
    data.is_empty() || (data.len() >= n && data[..n] == *pattern && data[n..] == data[..data.len() - n])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &[u8], items: usize, change: Option<usize>, expected: bool) {
        let mut data = vec![0xAA; pattern.len() * items];
        fill_with(&mut data, pattern);
        if let Some(at) = change {
            data[at] ^= 1;
        }
        assert_eq!(is_filled(&data, pattern), expected, "{pattern:?} x {items}, changed {change:?}");
    }

    #[test]
    fn fills_and_recognises() {
        let nan = f64::NAN.to_le_bytes();
        for (pattern, items) in [
            (&[7u8][..], 1),
            (&[1, 2, 3], 1000),
            (&nan, 77),
            (&[0; 16], 5),
            (&nan, 0),
            (&[3; 2], 40_000),
            (&[1, 2, 3, 4, 5, 6, 7], 5000),
        ] {
            check(pattern, items, None, true);
            if items > 0 {
                check(pattern, items, Some(0), false);
                check(pattern, items, Some(pattern.len() * items / 2), false);
                check(pattern, items, Some(pattern.len() * items - 1), false);
            }
        }
    }
}
