//! Whether two arrays are stored the same: labels and side variables are copied as they are.

use std::io::Read;

use zarrange_array::{Array, ArrayError, Node, Stored, open};
use zarrange_io::{IoError, Store};

use crate::LightCurveError;

/// Bytes that are compared at once.
const PIECE_BYTES: usize = 1 << 16;

/// Whether the array `name` of `a` is in `b` too, with the same document and the same stored bytes.
///
/// # Errors
/// If one of them cannot be read.
pub(super) fn is_same((a, b): (&Store, &Store), name: &str) -> Result<bool, LightCurveError> {
    let array = |store: &Store| match open(&store.below(name)?) {
        Ok(Node::Array(array)) => Ok(Some(*array)),
        Ok(Node::Group(_)) | Err(ArrayError::NotZarr { .. }) => Ok(None),
        Err(error) => Err(LightCurveError::from(error)),
    };
    let (Some(a), Some(b)) = (array(a)?, array(b)?) else { return Ok(false) };
    if a.document() != b.document() {
        return Ok(false);
    }
    // By what is stored: there may be few objects of a large grid.
    let (mut stored, mut result) = (0_u64, Ok(true));
    a.scan(false, &mut |found| {
        if let Stored::Chunk(object, _) = found {
            stored += 1;
            result = is_same_object((&a, &a.key(object)), (&b, &b.key(object)));
        }
        matches!(result, Ok(true))
    })?;
    let mut there = 0_u64;
    b.scan(false, &mut |found| {
        there += u64::from(matches!(found, Stored::Chunk(..)));
        there <= stored
    })?;
    Ok(result? && there == stored)
}

fn is_same_object((a, at): (&Array, &str), (b, there): (&Array, &str)) -> Result<bool, LightCurveError> {
    let (mut a, mut b) = match (a.store().reader(at)?, b.store().reader(there)?) {
        (Some(a), Some(b)) => (a, b),
        (None, None) => return Ok(true),
        (Some(_), None) | (None, Some(_)) => return Ok(false),
    };
    let (mut ours, mut theirs) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let (n, m) = (fill(&mut a, at, &mut ours)?, fill(&mut b, there, &mut theirs)?);
        if ours[..n] != theirs[..m] {
            return Ok(false);
        }
        if n < PIECE_BYTES {
            return Ok(true);
        }
    }
}

/// Reads until `buffer` is full or nothing is left.
fn fill(from: &mut impl Read, key: &str, buffer: &mut [u8]) -> Result<usize, LightCurveError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(source) if source.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(IoError::Os { operation: "read", location: key.to_owned(), source }.into());
            }
        }
    }
    Ok(filled)
}
