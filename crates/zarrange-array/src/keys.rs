//! Where the chunks of an array are stored: keys by chunk index.

use std::fmt::Write as _;

use serde_json::json;

use crate::json::Json;

/// What stands between the numbers of a chunk key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `/`: a directory for each dimension.
    Slash,
    /// `.`: one directory for all chunks.
    Dot,
}

/// A chunk key encoding of the Zarr v3 specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEncoding {
    /// `c/0/1`; `c` for an array without dimensions.
    Default(Separator),
    /// `0.1`; `0` for an array without dimensions.
    V2(Separator),
}

impl Separator {
    const fn text(self) -> char {
        match self {
            Self::Slash => '/',
            Self::Dot => '.',
        }
    }
}

impl KeyEncoding {
    /// The same encoding with another separator.
    #[must_use]
    pub const fn with_separator(self, separator: Separator) -> Self {
        match self {
            Self::Default(_) => Self::Default(separator),
            Self::V2(_) => Self::V2(separator),
        }
    }

    /// Directories that the keys of a grid of `counts` chunks need in a file system; saturates.
    pub fn directories(self, counts: &[u64]) -> u64 {
        let (separator, top) = match self {
            Self::Default(separator) => (separator, 1),
            Self::V2(separator) => (separator, 0),
        };
        let (Separator::Slash, [outer @ .., _]) = (separator, counts) else { return 0 };
        let levels = outer.iter().scan(1u64, |n, count| {
            *n = n.saturating_mul(*count);
            Some(*n)
        });
        levels.fold(top, u64::saturating_add)
    }

    /// The encoding that `metadata` (a `chunk_key_encoding`) describes, if it is one of the specification's.
    pub(crate) fn parse(metadata: &Json) -> Option<Self> {
        let name = metadata.as_str().or_else(|| metadata.get("name")?.as_str())?;
        let separator = match metadata.get("configuration").and_then(|c| c.get("separator")).map(Json::as_str)
        {
            None => None,
            Some(Some("/")) => Some(Separator::Slash),
            Some(Some(".")) => Some(Separator::Dot),
            Some(_) => return None,
        };
        match name {
            "default" => Some(Self::Default(separator.unwrap_or(Separator::Slash))),
            "v2" => Some(Self::V2(separator.unwrap_or(Separator::Dot))),
            _ => None,
        }
    }

    pub(crate) fn metadata(self) -> Json {
        let (name, separator) = match self {
            Self::Default(separator) => ("default", separator),
            Self::V2(separator) => ("v2", separator),
        };
        json!({"name": name, "configuration": {"separator": separator.text().to_string()}}).into()
    }

    /// Writes the key of chunk `index` to `key`, without allocating once `key` has grown.
    pub fn write(self, index: &[u64], key: &mut String) {
        key.clear();
        self.append(index, key);
    }

    /// Appends the key of chunk `index` to `keys`, without allocating once `keys` has grown.
    pub fn append(self, index: &[u64], keys: &mut String) {
        let begin = keys.len();
        let separator = match self {
            Self::Default(separator) => {
                keys.push('c');
                separator
            }
            Self::V2(separator) => {
                if index.is_empty() {
                    keys.push('0');
                }
                separator
            }
        };
        for number in index {
            if keys.len() > begin {
                keys.push(separator.text());
            }
            // Writing to a String does not fail.
            let _ = write!(keys, "{number}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn directories_of_a_grid() {
        let check = |encoding: KeyEncoding, counts: &[u64], expected: u64| {
            assert_eq!(encoding.directories(counts), expected, "{encoding:?} {counts:?}");
        };
        check(KeyEncoding::Default(Separator::Slash), &[10, 3, 5], 1 + 10 + 30);
        check(KeyEncoding::V2(Separator::Slash), &[10, 3, 5], 10 + 30);
        check(KeyEncoding::Default(Separator::Slash), &[10], 1);
        check(KeyEncoding::Default(Separator::Slash), &[], 0);
        check(KeyEncoding::Default(Separator::Dot), &[10, 3, 5], 0);
        check(KeyEncoding::V2(Separator::Slash), &[u64::MAX, 3, 5], u64::MAX);
    }

    #[test]
    fn keys_as_the_specification_writes_them() {
        let check = |metadata: Value, index: &[u64], expected: &str| {
            let encoding = KeyEncoding::parse(&metadata.clone().into()).unwrap();
            let mut key = "old".to_owned();
            encoding.write(index, &mut key);
            assert_eq!(key, expected, "{metadata}");
            assert_eq!(KeyEncoding::parse(&encoding.metadata()), Some(encoding));
        };
        check(json!("default"), &[1, 23], "c/1/23");
        check(json!({"name": "default", "configuration": {"separator": "."}}), &[1, 23], "c.1.23");
        check(json!({"name": "default"}), &[], "c");
        check(json!({"name": "v2"}), &[1, 23], "1.23");
        check(json!({"name": "v2", "configuration": {"separator": "/"}}), &[0, 7, 9], "0/7/9");
        check(json!("v2"), &[], "0");
        assert_eq!(KeyEncoding::parse(&json!({"name": "fancy"}).into()), None);
        assert_eq!(
            KeyEncoding::parse(&json!({"name": "v2", "configuration": {"separator": ".."}}).into()),
            None
        );
    }
}
