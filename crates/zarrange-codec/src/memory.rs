//! Memory whose size a chunk or its metadata decides: where the system refuses it, that is an error.

use crate::CodecError;

/// Room for exactly `more` items; not by doubling, for memory is counted.
pub(crate) fn reserve<T>(buffer: &mut Vec<T>, more: usize) -> Result<(), CodecError> {
    let bytes = more.saturating_mul(size_of::<T>()) as u64;
    buffer.try_reserve_exact(more).map_err(|_| CodecError::Refused { bytes })
}

/// Makes `buffer` at least so long.
///
/// # Errors
/// [`CodecError::Refused`].
pub fn grow(buffer: &mut Vec<u8>, bytes: usize) -> Result<(), CodecError> {
    if buffer.len() < bytes {
        reserve(buffer, bytes - buffer.len())?;
        buffer.resize(bytes, 0);
    }
    Ok(())
}

/// A buffer of so many bytes.
///
/// # Errors
/// [`CodecError::Refused`].
pub fn buffer(bytes: usize) -> Result<Vec<u8>, CodecError> {
    let mut buffer = Vec::new();
    grow(&mut buffer, bytes).map(|()| buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_system_gives_is_an_error() {
        assert_eq!(buffer(3).unwrap(), [0; 3]);
        let mut full = vec![7; 3];
        grow(&mut full, 2).unwrap();
        grow(&mut full, 4).unwrap();
        assert_eq!(full, [7, 7, 7, 0]);
        for bytes in [isize::MAX as usize - 100, usize::MAX] {
            assert!(matches!(buffer(bytes), Err(CodecError::Refused { bytes: b }) if b == bytes as u64));
            assert!(grow(&mut full, bytes).is_err());
        }
        assert_eq!(full, [7, 7, 7, 0]);
    }
}
