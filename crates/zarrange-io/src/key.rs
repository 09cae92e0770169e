//! Keys come from untrusted metadata and listings: none may lead out of its store.

use std::cell::Cell;

use crate::IoError;

/// Checks that `key` is a relative path of plain segments; the empty key is the root.
pub(crate) fn check(key: &str) -> Result<(), IoError> {
    let plain = |s: &str| !s.is_empty() && s != "." && s != ".." && !s.contains('\0');
    if key.is_empty() || key.split('/').all(plain) { Ok(()) } else { Err(IoError::BadKey(key.to_owned())) }
}

/// Appends `key` of the store at `within`, as its backend knows it.
pub(crate) fn push(within: &str, key: &str, joined: &mut String) {
    joined.push_str(within);
    if !within.is_empty() && !key.is_empty() {
        joined.push('/');
    }
    joined.push_str(key);
}

/// Whether `key` is `around`, or lies below it.
pub(crate) fn is_within(key: &str, around: &str) -> bool {
    let rest = key.strip_prefix(around);
    rest.is_some_and(|rest| rest.is_empty() || around.is_empty() || rest.starts_with('/'))
}

/// `key` of the store at `within`, as its backend knows it.
///
/// # Errors
/// [`IoError::BadKey`].
pub(crate) fn join(within: &str, key: &str) -> Result<String, IoError> {
    check(key)?;
    Ok(joined(within, key))
}

/// The same, for a key that was checked, or that a message names.
pub(crate) fn joined(within: &str, key: &str) -> String {
    let mut joined = String::with_capacity(within.len() + 1 + key.len());
    push(within, key, &mut joined);
    joined
}

/// Calls `then` with `key` of the store at `within` as its backend knows it. It is put together in a buffer that the thread keeps:
/// nothing is allocated for a request.
///
/// # Errors
/// [`IoError::BadKey`], or that of `then`.
pub(crate) fn with<T>(
    within: &str,
    key: &str,
    then: impl FnOnce(&str) -> Result<T, IoError>,
) -> Result<T, IoError> {
    thread_local! {
        static JOINED: Cell<String> = const { Cell::new(String::new()) };
    }
    check(key)?;
    if within.is_empty() {
        return then(key);
    }
    let mut joined = JOINED.take();
    joined.clear();
    push(within, key, &mut joined);
    let outcome = then(&joined);
    JOINED.set(joined);
    outcome
}

#[cfg(test)]
mod tests {
    use super::{check, is_within, join, with};

    #[test]
    fn only_plain_relative_keys() {
        for good in ["", "zarr.json", "a/b/c.0.1", "c/0/1", "..x", ".zarray"] {
            assert!(check(good).is_ok(), "{good:?}");
        }
        for bad in ["/etc", "a//b", "../x", "a/..", "a/./b", "a/", "\0", "a/\0b"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_within_keys() {
        let check = |key: &str, around: &str, within: bool| {
            assert_eq!(is_within(key, around), within, "{key:?} in {around:?}");
        };
        check("a/b", "a", true);
        check("a/b", "a/b", true);
        check("a/b", "", true);
        check("", "", true);
        check("ab", "a", false);
        check("a", "a/b", false);
    }

    #[test]
    fn keys_of_a_backend() {
        let check = |within: &str, key: &str, expected: &str| {
            assert_eq!(join(within, key).unwrap(), expected);
            let nested = with(within, key, |outer| {
                with("other", "key", |inner| Ok((outer.to_owned(), inner.to_owned())))
            });
            assert_eq!(nested.unwrap(), (expected.to_owned(), "other/key".to_owned()));
            assert!(join(within, "../x").is_err() && with(within, "..", |_| Ok(())).is_err());
        };
        check("", "", "");
        check("", "a/b", "a/b");
        check("a", "", "a");
        check("a/b", "c/0", "a/b/c/0");
    }
}
