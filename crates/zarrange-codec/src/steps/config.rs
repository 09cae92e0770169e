//! Reading a codec's configuration, with errors that name the codec, the key, its value and what would be right.

use std::ops::RangeInclusive;

use serde_json::Value;
use zarrs::metadata::v3::MetadataV3;

use crate::{CodecError, NumpyType};

/// A configuration, and which of its keys were asked for. A key that is `null` counts as missing.
pub(crate) struct Config<'a> {
    metadata: &'a MetadataV3,
    known: Vec<&'static str>,
}

/// A number as Python reads it: whole ones are not floats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) whole: Option<i128>,
    pub(crate) float: f64,
}

impl<'a> Config<'a> {
    pub(crate) const fn new(metadata: &'a MetadataV3) -> Self {
        Self { metadata, known: Vec::new() }
    }

    pub(crate) const fn metadata(&self) -> &'a MetadataV3 {
        self.metadata
    }

    pub(crate) fn codec(&self) -> &'a str {
        self.metadata.name()
    }

    /// The value of a key.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.metadata.configuration()?.get(key).filter(|value| !value.is_null())
    }

    /// A whole number in `range`, `default` where it is missing.
    pub(crate) fn int(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> Result<i64, CodecError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_i64().filter(|n| range.contains(n)).ok_or_else(|| {
            self.wrong(key, value, &format!("a whole number from {} to {}", range.start(), range.end()))
        })
    }

    pub(crate) fn size(&mut self, key: &'static str, max: usize) -> Result<Option<usize>, CodecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= max);
        size.map(Some).ok_or_else(|| self.wrong(key, value, &format!("a whole number from 0 to {max}")))
    }

    pub(crate) fn bool(&mut self, key: &'static str, default: bool) -> Result<bool, CodecError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(key, value, "true or false"))
    }

    /// Which of `names` it is.
    pub(crate) fn choice(&mut self, key: &'static str, names: &[&str]) -> Result<Option<usize>, CodecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let at = value.as_str().and_then(|name| names.iter().position(|n| *n == name));
        at.map(Some).ok_or_else(|| self.wrong(key, value, &format!("one of {}", names.join(", "))))
    }

    /// A number that must be there.
    pub(crate) fn scalar(&mut self, key: &'static str) -> Result<Scalar, CodecError> {
        let value = self.get(key).unwrap_or(&Value::Null);
        let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
        let float = value.as_f64().ok_or_else(|| self.wrong(key, value, "a number"))?;
        Ok(Scalar { whole, float })
    }

    pub(crate) fn numpy_type(&mut self, key: &'static str) -> Result<Option<NumpyType>, CodecError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let kind = value.as_str().and_then(NumpyType::parse);
        kind.map(Some).ok_or_else(|| self.wrong(key, value, "a data type of numpy, as \"<i4\""))
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), CodecError> {
        let keys = self.metadata.configuration().into_iter().flat_map(|c| c.keys());
        match keys.into_iter().find(|key| !self.known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) if self.known.is_empty() => {
                Err(self.unsupported(format!("{key:?} is not known: it is configured by nothing")))
            }
            Some(key) => Err(self.unsupported(format!("{key:?} is none of {}", self.known.join(", ")))),
        }
    }

    /// An error about one value.
    pub(crate) fn wrong(&self, key: &str, value: &Value, expected: &str) -> CodecError {
        let is = if value.is_null() { "missing".to_owned() } else { value.to_string() };
        self.unsupported(format!("{key} is {is}, expected {expected}"))
    }

    pub(crate) fn unsupported(&self, detail: String) -> CodecError {
        CodecError::Unsupported { codecs: self.codec().to_owned(), detail }
    }
}
