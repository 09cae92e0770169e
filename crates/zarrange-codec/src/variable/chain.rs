//! A codec list for chunks of elements without a fixed size.

use serde_json::Value;
use zarrange_grid::{checked_bytes, index};
use zarrs::metadata::v3::MetadataV3;

use crate::memory::reserve;
use crate::names::own_name;
use crate::steps::Steps;
use crate::steps::config::Config;
use crate::variable::order::StoredOrder;
use crate::variable::{Variable, VariableKind, check_memory};
use crate::{CodecError, NumpyType, Scratch};

/// Bytes of a count, and of the size of an element: little endian.
const WORD_BYTES: usize = 4;

/// Encodes and decodes whole chunks of text or bytes. Decoded chunks are in C order.
///
/// A list is `transpose`, if it is there, then `vlen-utf8`, `vlen-bytes` or (to read only) numcodecs' `categorize`, then any codecs
/// from bytes to bytes. The format of the first two is numcodecs': how many elements there are, then for each how many bytes it has, and
/// these.
#[derive(Debug)]
pub struct VariableChain {
    kind: VariableKind,
    shape: Vec<u64>,
    elements: usize,
    order: StoredOrder,
    serializer: Serializer,
    packers: Steps,
    fill: Vec<u8>,
}

#[derive(Debug)]
enum Serializer {
    Lengths(&'static str),
    /// Numbers of labels, from 1; what has none is empty.
    Categories {
        labels: Vec<String>,
        numbers: NumpyType,
    },
}

impl VariableChain {
    /// Compiles `codecs` for chunks of `shape` elements; where nothing is stored, they are `fill`.
    ///
    /// # Errors
    /// If the list is not a valid one for such elements, or the chunk's size overflows.
    pub fn new(
        codecs: &[MetadataV3],
        kind: VariableKind,
        shape: &[u64],
        fill: &[u8],
    ) -> Result<Self, CodecError> {
        let names = || codecs.iter().map(MetadataV3::name).collect::<Vec<_>>().join(", ");
        let unsupported =
            |detail: &str| CodecError::Unsupported { codecs: names(), detail: detail.to_owned() };
        let elements = index(checked_bytes(shape, size_of::<usize>() as u64)?) / size_of::<usize>();
        let mut order = StoredOrder::c_order(shape);
        let filters = codecs.iter().take_while(|codec| codec.name() == "transpose").count();
        for transpose in &codecs[..filters] {
            order = order.transposed(transpose)?;
        }
        let [serializer, packers @ ..] = &codecs[filters..] else {
            return Err(unsupported("the codec from elements to bytes is missing: vlen-utf8 or vlen-bytes"));
        };
        let serializer = Serializer::parse(serializer, kind)?;
        let numbers = if let Serializer::Categories { numbers, .. } = &serializer {
            numbers.clone()
        } else {
            NumpyType::byte()
        };
        let packers = Steps::of_any(packers, numbers).unwrap_or_else(|| {
            Err(unsupported("after the codec from elements to bytes, only those on bytes that are known"))
        })?;
        Ok(Self { kind, shape: shape.to_vec(), elements, order, serializer, packers, fill: fill.to_vec() })
    }

    /// What its elements are.
    pub const fn kind(&self) -> VariableKind {
        self.kind
    }

    /// Elements of a chunk in each dimension.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Elements of a chunk.
    pub const fn elements(&self) -> usize {
        self.elements
    }

    /// The most bytes that a chunk is encoded to whose elements take `bytes_max` of memory.
    pub fn encoded_bytes_max(&self, bytes_max: usize) -> usize {
        self.packers.bound(self.packed_bytes_max(bytes_max))
    }

    /// Memory that a [`Scratch`] grows to while chunks of up to `bytes_max` are decoded or encoded, and that codecs' libraries take.
    pub fn scratch_bytes(&self, bytes_max: usize) -> usize {
        let packed = self.packed_bytes_max(bytes_max);
        let buffers = self.packers.bound(packed).max(packed).saturating_mul(3);
        buffers.saturating_add(self.packers.context_bytes_for(packed))
    }

    /// Decodes `encoded` to `elements`, which will take at most `bytes_max` bytes of memory: those of the elements, and 8 for each.
    /// What they held before is gone, also after an error.
    ///
    /// # Errors
    /// [`CodecError::Memory`] if they need more, before it is allocated; others if the bytes are not a whole, valid chunk.
    pub fn decode(
        &self,
        encoded: &[u8],
        bytes_max: usize,
        elements: &mut Variable,
        scratch: &mut Scratch,
    ) -> Result<(), CodecError> {
        elements.clear();
        check_memory(self.elements, 0, bytes_max)?;
        let packed =
            self.packers.decode_growing(encoded, self.packed_bytes_max(bytes_max), &mut scratch.work);
        let packed = packed.map_err(|e| match e {
            // As much as it would be at least.
            CodecError::TooLong { .. } => CodecError::Memory {
                bytes: (bytes_max as u64).saturating_add(1),
                bytes_max: bytes_max as u64,
            },
            e => e,
        })?;
        match &self.serializer {
            Serializer::Lengths(codec) => self.decode_lengths(codec, packed, bytes_max, elements),
            Serializer::Categories { labels, numbers } => {
                self.decode_categories((labels, numbers), packed, bytes_max, elements)
            }
        }
    }

    /// A chunk of nothing but the fill value.
    ///
    /// # Errors
    /// [`CodecError::Memory`] if it needs more than `bytes_max`.
    pub fn fill(&self, bytes_max: usize, elements: &mut Variable) -> Result<(), CodecError> {
        elements.clear();
        let bytes = self.fill.len().saturating_mul(self.elements);
        check_memory(self.elements, bytes, bytes_max)?;
        elements.lay_out(self.elements, bytes, (0..self.elements).map(|k| (k, self.fill.len())))?;
        (0..self.elements).for_each(|k| elements.get_mut(k).copy_from_slice(&self.fill));
        Ok(())
    }

    /// Encodes a chunk to `encoded`, of which nothing is kept.
    ///
    /// # Errors
    /// [`CodecError::Encode`] if an element is no text where it must be, or has 4 GiB, or a library refuses.
    ///
    /// # Panics
    /// If `elements` are more or fewer than a chunk has.
    pub fn encode(
        &self,
        elements: &Variable,
        encoded: &mut Vec<u8>,
        Scratch { work, unpacked }: &mut Scratch,
    ) -> Result<(), CodecError> {
        assert_eq!(elements.len(), self.elements, "a chunk encodes from all of its elements");
        let Serializer::Lengths(codec) = self.serializer else {
            return Err(failed("categorize", elements.data_bytes(), "only chunks that are there are read"));
        };
        if self.packers.is_empty() {
            return self.encode_lengths(codec, elements, encoded);
        }
        self.encode_lengths(codec, elements, unpacked)?;
        self.packers.encode_growing(unpacked, encoded, work)
    }

    /// The most bytes before codecs on bytes, of elements that take `bytes_max` of memory.
    fn packed_bytes_max(&self, bytes_max: usize) -> usize {
        match &self.serializer {
            Serializer::Lengths(_) => {
                let data = bytes_max.saturating_sub(Variable::memory_bytes(self.elements, 0));
                self.elements.saturating_add(1).saturating_mul(WORD_BYTES).saturating_add(data)
            }
            Serializer::Categories { numbers, .. } => self.elements.saturating_mul(numbers.bytes),
        }
    }

    fn decode_lengths(
        &self,
        codec: &'static str,
        src: &[u8],
        bytes_max: usize,
        elements: &mut Variable,
    ) -> Result<(), CodecError> {
        let mut items = Items { codec, rest: src };
        let count = items.word()?;
        if count != self.elements {
            let detail = format!("{count} elements, the metadata says {}", self.elements);
            return Err(CodecError::corrupt(codec, detail));
        }
        let (all, mut data_bytes) = (Items { ..items }, 0);
        for (position, _) in self.order.positions().zip(0..count) {
            let item = items.next()?;
            if self.kind == VariableKind::Text && std::str::from_utf8(item).is_err() {
                return Err(CodecError::corrupt(codec, format!("element {position} is not valid UTF-8")));
            }
            data_bytes += item.len();
        }
        if !items.rest.is_empty() {
            let detail = format!("{} bytes follow the last element", items.rest.len());
            return Err(CodecError::corrupt(codec, detail));
        }
        check_memory(count, data_bytes, bytes_max)?;
        let sizes = self.order.positions().zip(all.lengths());
        elements.lay_out(count, data_bytes, sizes)?;
        let mut items = all;
        for position in self.order.positions() {
            elements.get_mut(position).copy_from_slice(items.next()?);
        }
        Ok(())
    }

    fn decode_categories(
        &self,
        (labels, numbers): (&[String], &NumpyType),
        src: &[u8],
        bytes_max: usize,
        elements: &mut Variable,
    ) -> Result<(), CodecError> {
        CodecError::check_size("categorize", src.len(), self.elements.saturating_mul(numbers.bytes))?;
        let label = |number: &[u8]| {
            let place = numbers.natural(number).and_then(|n| labels.get(n.checked_sub(1)?));
            place.map_or(&b""[..], String::as_bytes)
        };
        let chosen = || src.chunks_exact(numbers.bytes).map(label);
        let data_bytes = chosen().map(<[u8]>::len).fold(0, usize::saturating_add);
        check_memory(self.elements, data_bytes, bytes_max)?;
        elements.lay_out(self.elements, data_bytes, self.order.positions().zip(chosen().map(<[u8]>::len)))?;
        self.order.positions().zip(chosen()).for_each(|(k, text)| elements.get_mut(k).copy_from_slice(text));
        Ok(())
    }

    fn encode_lengths(
        &self,
        codec: &'static str,
        elements: &Variable,
        dst: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let failed = |detail: &str| failed(codec, elements.data_bytes(), detail);
        dst.clear();
        let bytes = elements.len().saturating_add(1).saturating_mul(WORD_BYTES);
        reserve(dst, bytes.saturating_add(elements.data_bytes()))?;
        let word = |n: usize| u32::try_from(n).map(u32::to_le_bytes);
        dst.extend(word(elements.len()).map_err(|_| failed("it holds less than 2^32 elements"))?);
        for k in self.order.positions() {
            let element = elements.get(k);
            if self.kind == VariableKind::Text && std::str::from_utf8(element).is_err() {
                return Err(failed(&format!("element {k} is not valid UTF-8")));
            }
            dst.extend(word(element.len()).map_err(|_| failed(&format!("element {k} has 4 GiB or more")))?);
            dst.extend_from_slice(element);
        }
        Ok(())
    }
}

fn failed(codec: &'static str, bytes: usize, detail: &str) -> CodecError {
    CodecError::Encode { codec, bytes: bytes as u64, detail: detail.to_owned() }
}

impl Serializer {
    fn parse(codec: &MetadataV3, kind: VariableKind) -> Result<Self, CodecError> {
        let mut config = Config::new(codec);
        match (own_name(codec.name()), kind) {
            (Some("vlen-utf8"), VariableKind::Text) => config.finish().map(|()| Self::Lengths("vlen-utf8")),
            (Some("vlen-bytes"), VariableKind::Bytes) => {
                config.finish().map(|()| Self::Lengths("vlen-bytes"))
            }
            (Some("categorize"), VariableKind::Text) => {
                let categories = categories(&mut config)?;
                config.finish().map(|()| categories)
            }
            (_, VariableKind::Text) => Err(config.unsupported("text is stored by vlen-utf8".to_owned())),
            (_, VariableKind::Bytes) => Err(config.unsupported("bytes are stored by vlen-bytes".to_owned())),
        }
    }
}

fn categories(config: &mut Config<'_>) -> Result<Serializer, CodecError> {
    let value = config.get("labels").unwrap_or(&Value::Null);
    let label = |label: &Value| label.as_str().map(str::to_owned);
    let labels: Option<Vec<String>> = value.as_array().and_then(|list| list.iter().map(label).collect());
    let labels = labels.ok_or_else(|| config.wrong("labels", value, "a list of texts"))?;
    let wrong = |config: &Config<'_>, key, kind: &NumpyType, expected| {
        config.wrong(key, &Value::String(kind.to_string()), expected)
    };
    match config.numpy_type("dtype")? {
        Some(kind) if kind.kind != b'O' => {
            return Err(wrong(config, "dtype", &kind, "|O, for text of any size"));
        }
        _ => {}
    }
    let numbers = config.numpy_type("astype")?.unwrap_or_else(NumpyType::byte);
    if !matches!(numbers.kind, b'i' | b'u') {
        return Err(wrong(config, "astype", &numbers, "a type of integers"));
    }
    Ok(Serializer::Categories { labels, numbers })
}

/// What is left of the stored elements.
#[derive(Clone, Copy)]
struct Items<'a> {
    codec: &'static str,
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    fn word(&mut self) -> Result<usize, CodecError> {
        let (word, rest) = self.rest.split_first_chunk::<WORD_BYTES>().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(index(u32::from_le_bytes(*word).into()))
    }

    fn next(&mut self) -> Result<&'a [u8], CodecError> {
        let bytes = self.word()?;
        let (item, rest) = self.rest.split_at_checked(bytes).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(item)
    }

    fn lengths(mut self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || self.next().ok().map(<[u8]>::len))
    }

    fn truncated(&self) -> CodecError {
        CodecError::corrupt(
            self.codec,
            format!("ends within an element ({} bytes are left)", self.rest.len()),
        )
    }
}
