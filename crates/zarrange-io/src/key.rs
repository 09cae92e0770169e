//! Keys come from untrusted metadata and listings: none may lead out of its store.

use crate::IoError;

/// Checks that `key` is a relative path of plain segments; the empty key is the root.
pub(crate) fn check(key: &str) -> Result<(), IoError> {
    let plain = |s: &str| !s.is_empty() && s != "." && s != ".." && !s.contains('\0');
    if key.is_empty() || key.split('/').all(plain) { Ok(()) } else { Err(IoError::BadKey(key.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_plain_relative_keys() {
        for good in ["", "zarr.json", "a/b/c.0.1", "c/0/1", "..x", ".zarray"] {
            assert!(check(good).is_ok(), "{good:?}");
        }
        for bad in ["/etc", "a//b", "../x", "a/..", "a/./b", "a/", "\0", "a/\0b"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
