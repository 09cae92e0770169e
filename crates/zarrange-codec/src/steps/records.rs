//! Elements of several parts: records whose fields swap on their own, and texts that are stored as numbers of labels.

use serde_json::Value;

use crate::steps::config::Config;
use crate::{CodecError, NumpyType};

/// Reverses the bytes of scalars within records.
#[derive(Debug)]
pub(crate) struct SwapFields {
    pub(crate) record_bytes: usize,
    /// Offset and bytes of each.
    units: Vec<(usize, usize)>,
}

impl SwapFields {
    /// For records of so many bytes; `None` if nothing in them swaps.
    ///
    /// # Panics
    /// If a unit is not within a record.
    pub(crate) fn new(record_bytes: usize, units: impl Iterator<Item = (usize, usize)>) -> Option<Self> {
        let units: Vec<_> = units.filter(|(_, bytes)| *bytes > 1).collect();
        assert!(units.iter().all(|(at, bytes)| at + bytes <= record_bytes), "units lie within their record");
        (!units.is_empty()).then_some(Self { record_bytes, units })
    }

    /// The step that [`crate::SWAP_FIELDS`] names.
    pub(crate) fn parse(mut config: Config<'_>) -> Result<Option<Self>, CodecError> {
        let record_bytes = config.size("record_bytes", crate::ELEMENT_BYTES_MAX)?.unwrap_or(1).max(1);
        let value = config.get("units").unwrap_or(&Value::Null);
        let unit = |pair: &Value| {
            let number = |k: usize| usize::try_from(pair.get(k)?.as_u64()?).ok();
            let (at, bytes) = (number(0)?, number(1)?);
            at.checked_add(bytes).filter(|end| *end <= record_bytes).map(|_| (at, bytes))
        };
        let units: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(unit).collect());
        let units = units.ok_or_else(|| config.wrong("units", value, "offsets and sizes within a record"))?;
        config.finish()?;
        Ok(Self::new(record_bytes, units.into_iter()))
    }

    /// Of whole records.
    pub(crate) fn swap(&self, bytes: &mut [u8]) {
        for record in bytes.chunks_exact_mut(self.record_bytes) {
            for (at, unit) in &self.units {
                record[*at..at + unit].reverse();
            }
        }
    }
}

/// Text of a fixed size that is stored as numbers of labels, from 1; what has no label is empty. To read only.
#[derive(Debug)]
pub(crate) struct Labels {
    /// Each as an element.
    texts: Vec<Vec<u8>>,
    pub(crate) element_bytes: usize,
    pub(crate) numbers: NumpyType,
}

impl Labels {
    /// For elements of `U` type `text`, in native byte order.
    pub(crate) fn parse(mut config: Config<'_>, text: &NumpyType) -> Result<Self, CodecError> {
        let value = config.get("labels").unwrap_or(&Value::Null);
        let element = |label: &Value| {
            let mut element: Vec<u8> =
                label.as_str()?.chars().flat_map(|c| u32::from(c).to_ne_bytes()).collect();
            element.resize(text.bytes, 0);
            Some(element)
        };
        let labels: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(element).collect());
        let labels = labels.ok_or_else(|| config.wrong("labels", value, "a list of texts"))?;
        let _ = config.numpy_type("dtype")?;
        let numbers = config.numpy_type("astype")?.unwrap_or_else(NumpyType::byte);
        if !matches!(numbers.kind, b'i' | b'u') {
            let given = Value::String(numbers.to_string());
            return Err(config.wrong("astype", &given, "a type of integers"));
        }
        config.finish()?;
        Ok(Self { texts: labels, element_bytes: text.bytes, numbers })
    }

    /// Decodes whole numbers into as many elements.
    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) {
        let elements = dst.chunks_exact_mut(self.element_bytes);
        for (number, element) in src.chunks_exact(self.numbers.bytes).zip(elements) {
            let label = self.numbers.natural(number).and_then(|n| self.texts.get(n.checked_sub(1)?));
            match label {
                Some(label) => element.copy_from_slice(label),
                None => element.fill(0),
            }
        }
    }
}
