//! Labels and side variables are copied as they are: whether two arrays are stored the same, and making them so.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use zarrange_array::{Array, ArrayError, Node, Stored, open};
use zarrange_io::{Change, IoError, Store};

use crate::LightCurveError;

/// Bytes that are compared at once.
const PIECE_BYTES: usize = 1 << 16;

/// Whether the array `name` of `a` is in `b` too, with the same document and the same stored bytes.
///
/// # Errors
/// If one of them cannot be read.
pub(super) fn is_same((a, b): (&Store, &Store), name: &str) -> Result<bool, LightCurveError> {
    let (Some(a), Some(b)) = (array(a, name)?, array(b, name)?) else { return Ok(false) };
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

/// Gives the array `name` of `copy` what that of `source` holds, object by object, if both are stored in the same way but for their size and
/// their attributes; whether they are, and `copy` takes pieces of objects. A reader sees each object as it was or as it is to be.
///
/// # Errors
/// If something cannot be read or written; the same can be done again.
pub(super) fn bring((source, copy): (&Store, &Store), name: &str) -> Result<bool, LightCurveError> {
    let (Some(a), Some(b)) = (array(source, name)?, array(copy, name)?) else { return Ok(false) };
    let wanted = a.document();
    let document = b.document().with_shape(a.shape()).with_attributes(wanted.attributes());
    // What is replaced piece by piece has no bound.
    let pieces = copy.abilities().partial_writes;
    if document != *wanted || a.zarr_format() != b.zarr_format() || !pieces {
        return Ok(false);
    }
    let (mut stored, mut result) = (BTreeSet::new(), Ok(()));
    a.scan(false, &mut |found| {
        if let Stored::Chunk(object, _) = found {
            let key = a.key(object);
            result = bring_object((a.store(), b.store()), &key);
            stored.insert(key);
        }
        result.is_ok()
    })?;
    result?;
    let mut gone = Vec::new();
    b.scan(false, &mut |found| {
        if let Stored::Chunk(object, _) = found {
            gone.extend(Some(b.key(object)).filter(|key| !stored.contains(key)));
        }
        true
    })?;
    gone.iter().try_for_each(|key| b.store().change(Change::Remove(key)))?;
    Array::new(b.store().clone(), document, b.zarr_format())?.write_metadata()?;
    Ok(true)
}

fn bring_object((from, to): (&Store, &Store), key: &str) -> Result<(), LightCurveError> {
    let Some(mut reader) = from.reader(key)? else { return Ok(()) };
    let failed = |source| IoError::Os { operation: "copy", location: key.to_owned(), source };
    let (mut piece, mut replacement) = (vec![0; PIECE_BYTES], to.replacement(key));
    loop {
        let n = fill(&mut reader, key, &mut piece)?;
        replacement.write_all(&piece[..n]).map_err(failed)?;
        if n < PIECE_BYTES {
            return Ok(replacement.finish()?);
        }
    }
}

/// The array `name` of a store, if that is one.
fn array(store: &Store, name: &str) -> Result<Option<Array>, LightCurveError> {
    match open(&store.below(name)?) {
        Ok(Node::Array(array)) => Ok(Some(*array)),
        Ok(Node::Group(_)) | Err(ArrayError::NotZarr { .. }) => Ok(None),
        Err(error) => Err(LightCurveError::from(error)),
    }
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
