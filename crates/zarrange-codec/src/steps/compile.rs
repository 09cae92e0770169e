//! From a codec list to steps.

use serde_json::Value;
use zarrs::metadata::v3::MetadataV3;

use crate::bytes::Compressor;
use crate::names::{FILTERS, SWAP_FIELDS, known};
use crate::numpy::Order;
use crate::steps::bits::fraction_bits;
use crate::steps::config::Config;
use crate::steps::number::Number;
use crate::steps::records::{Labels, SwapFields};
use crate::steps::step::{Size, Stage, Step, Transpose};
use crate::steps::sums::Sum;
use crate::steps::typed::Typed;
use crate::steps::values::Values;
use crate::{CodecError, ElementType, Kind, NumpyType};

/// The largest element that can be shuffled.
const SHUFFLED_BYTES_MAX: usize = 1 << 20;

/// A list that is being compiled.
pub(crate) struct Compiler {
    stages: Vec<Stage>,
    size: Size,
    /// The array that goes into the next step; after the codec to bytes, what these are the elements of.
    shape: Vec<u64>,
    elements: NumpyType,
    /// What the type of the array is called, if numpy has none like it.
    type_name: String,
    /// Bytes that swap with the byte order.
    unit: usize,
    is_array: bool,
    /// Where the elements are records: offset and bytes of their scalars.
    fields: Option<Vec<(usize, usize)>>,
    /// Whether it is known how large a chunk is.
    bounded: bool,
}

impl Compiler {
    /// For an array in memory; `None` if it is not known how its elements are stored.
    pub(crate) fn of_elements(element: &ElementType, shape: &[u64], bytes: usize) -> Option<Self> {
        let is_record = matches!(element.kind(), Kind::Struct(_));
        let fields = is_record.then(|| element.units().collect());
        Some(Self {
            stages: Vec::new(),
            size: Size::exactly(bytes),
            shape: shape.to_vec(),
            elements: NumpyType::of(element),
            type_name: element.name().to_owned(),
            unit: if fields.is_some() { 1 } else { element.swap()? },
            is_array: true,
            fields,
            bounded: true,
        })
    }

    /// For at most so many bytes, the elements of which matter to codecs that would ask an array for them.
    pub(crate) fn of_bytes(elements: NumpyType, bytes_max: usize) -> Self {
        Self {
            stages: Vec::new(),
            size: Size { max: bytes_max, exact: false },
            shape: Vec::new(),
            elements,
            type_name: String::new(),
            unit: 1,
            is_array: false,
            fields: None,
            bounded: bytes_max < usize::MAX,
        }
    }

    /// The steps of `codecs` and what the last one makes, or `None` if not all are known here.
    pub(crate) fn compile(mut self, codecs: &[MetadataV3]) -> Result<Option<(Vec<Stage>, Size)>, CodecError> {
        if !codecs.iter().all(|codec| known(codec.name()).is_some()) {
            return Ok(None);
        }
        let names = || codecs.iter().map(MetadataV3::name).collect::<Vec<_>>().join(", ");
        let unsupported =
            |detail: &str| CodecError::Unsupported { codecs: names(), detail: detail.to_owned() };
        for codec in codecs {
            let name = known(codec.name()).unwrap_or_default();
            let fits = match name {
                "transpose" | "cast_value" | "scale_offset" | "bytes" | "categorize" => self.is_array,
                name => !self.is_array || FILTERS.contains(&name),
            };
            if !fits {
                return Err(unsupported(
                    "they are not in order: array to array, one array to bytes, bytes to bytes",
                ));
            }
            if name == "bitround" && self.is_array && self.elements.kind != b'f' {
                // Numbers that numpy does not round, but others may.
                return Ok(None);
            }
            self.add(name, Config::new(codec))?;
        }
        if self.is_array {
            return Err(unsupported(
                "the codec from array to bytes is missing: `bytes` after those on the array",
            ));
        }
        let mut sizes = self.stages.iter().map(|stage| stage.unencoded).chain([self.size]);
        if self.bounded && sizes.any(|size| isize::try_from(size.max).is_err()) {
            return Err(unsupported("the size of an encoded chunk overflows"));
        }
        Ok(Some((self.stages, self.size)))
    }

    fn add(&mut self, name: &str, config: Config<'_>) -> Result<(), CodecError> {
        let codec = config.codec();
        match name {
            "transpose" => self.transpose(config),
            "bytes" => self.bytes(config),
            "categorize" => self.labels(config),
            SWAP_FIELDS => match SwapFields::parse(config)? {
                Some(fields) => self.push("bytes", Step::SwapFields(fields), self.elements.clone()),
                None => Ok(()),
            },
            "cast_value" | "scale_offset" => {
                let values = Values::parse(config, Number::of(&self.elements), &self.type_name)?;
                let elements = values.encoded().elements();
                self.push(codec, Step::Values(Box::new(values)), elements)
            }
            "bitround" => self.bit_round(config),
            "packbits" => self.pack_bits(config),
            "shuffle" => self.shuffle(config),
            "base64" => {
                config.finish()?;
                self.push(codec, Step::Base64, NumpyType::byte())
            }
            _ => {
                let again = || Config::new(config.metadata());
                if let Some(typed) = Typed::parse(name, again(), &self.elements, self.is_array) {
                    return self.typed(&config, typed?);
                }
                if let Some(sum) = Sum::parse(name, again()) {
                    return self.push(codec, Step::Sum(sum?), NumpyType::byte());
                }
                let unsupported = config.unsupported("not known".to_owned());
                let compressor =
                    Compressor::configured(name, config, self.elements.bytes).ok_or(unsupported)?;
                self.push(codec, Step::Compress(compressor?), NumpyType::byte())
            }
        }
    }

    /// Adds a step that makes `elements`.
    fn push(&mut self, codec: &str, step: Step, elements: NumpyType) -> Result<(), CodecError> {
        let unencoded = self.size;
        self.size = step
            .encoded_size(unencoded)
            .map_err(|detail| CodecError::Unsupported { codecs: codec.to_owned(), detail })?;
        self.stages.push(Stage { step, unencoded });
        self.unit = elements.unit_bytes();
        self.elements = elements;
        Ok(())
    }

    /// Adds an order of axes, to the one before if there is one.
    fn transpose(&mut self, mut config: Config<'_>) -> Result<(), CodecError> {
        let (value, rank) = (config.get("order").unwrap_or(&Value::Null), self.shape.len() as u64);
        let order: Option<Vec<u64>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
        let sorted = order.clone().map(|mut order| {
            order.sort_unstable();
            order
        });
        let (Some(order), true) = (order, sorted.is_some_and(|sorted| sorted.into_iter().eq(0..rank))) else {
            return Err(config.wrong("order", value, &format!("each of the {rank} dimensions once")));
        };
        config.finish()?;
        let before = self.stages.pop_if(|stage| matches!(stage.step, Step::Transpose(_)));
        let (shape, first) =
            if let Some(Step::Transpose(Transpose { shape, order, .. })) = before.map(|stage| stage.step) {
                (shape, order)
            } else {
                (self.shape.clone(), (0..rank).collect())
            };
        let at = |axis: &u64| zarrange_grid::index(*axis);
        let order: Vec<u64> = order.iter().map(|axis| first[at(axis)]).collect();
        self.shape = order.iter().map(|axis| shape[at(axis)]).collect();
        if order.is_sorted() {
            return Ok(());
        }
        let step = Step::Transpose(Transpose { shape, order, item_bytes: self.elements.bytes });
        let (elements, unit) = (self.elements.clone(), self.unit);
        self.push("transpose", step, elements)?;
        self.unit = unit;
        Ok(())
    }

    /// The byte order, and the end of the array.
    fn bytes(&mut self, mut config: Config<'_>) -> Result<(), CodecError> {
        let order = match config.choice("endian", &["little", "big"])? {
            Some(0) => Order::Little,
            Some(_) => Order::Big,
            None if self.unit == 1 => Order::NATIVE,
            None => return Err(config.wrong("endian", &Value::Null, "little or big")),
        };
        config.finish()?;
        self.is_array = false;
        let elements = self.elements.clone().ordered(order);
        // Records whose order is not said are in that of zarr-python 3.1: little endian.
        if let Some(fields) = self.fields.take()
            && (order == Order::Big) != cfg!(target_endian = "big")
            && let Some(fields) = SwapFields::new(elements.bytes, fields.into_iter())
        {
            return self.push("bytes", Step::SwapFields(fields), elements);
        }
        if self.unit > 1 && order != Order::NATIVE {
            self.push("bytes", Step::Swap(self.unit), elements)?;
        } else {
            self.elements = elements;
        }
        Ok(())
    }

    /// Text as numbers, which is the codec from array to bytes.
    fn labels(&mut self, config: Config<'_>) -> Result<(), CodecError> {
        if self.elements.kind != b'U' {
            return Err(config.unsupported(format!("takes text, not {}", self.elements)));
        }
        let labels = Labels::parse(config, &self.elements)?;
        self.is_array = false;
        let numbers = labels.numbers.clone();
        self.push("categorize", Step::Labels(labels), numbers)
    }

    fn bit_round(&mut self, mut config: Config<'_>) -> Result<(), CodecError> {
        let bytes = self.elements.bytes;
        let Some(bits) = fraction_bits(bytes).filter(|_| self.elements.kind == b'f') else {
            return Err(
                config.unsupported(format!("rounds floats of 2, 4 or 8 bytes, not {}", self.elements))
            );
        };
        let Some(_) = config.get("keepbits") else {
            return Err(config.wrong("keepbits", &Value::Null, &format!("a whole number from 0 to {bits}")));
        };
        let (codec, keep) = (config.codec(), config.int("keepbits", 0..=bits, bits)?);
        config.finish()?;
        if keep == bits {
            return Ok(());
        }
        let (swapped, order) = (self.elements.is_swapped(), self.elements.order);
        // numcodecs goes on with integers.
        let elements = if self.is_array { self.elements.clone() } else { NumpyType::new(b'i', bytes, order) };
        self.push(codec, Step::BitRound { bytes, keep, swapped }, elements)
    }

    fn pack_bits(&mut self, config: Config<'_>) -> Result<(), CodecError> {
        if self.is_array && self.elements.bytes != 1 {
            return Err(config.unsupported(format!("packs elements of one byte, not {}", self.elements)));
        }
        let codec = config.codec();
        config.finish()?;
        let bools = self.elements.kind == b'b';
        self.push(codec, Step::PackBits { bools }, NumpyType::byte())?;
        self.shape = vec![self.size.max as u64];
        Ok(())
    }

    /// Elements are those of the array where the configuration does not say.
    fn shuffle(&mut self, mut config: Config<'_>) -> Result<(), CodecError> {
        let codec = config.codec();
        let bytes = config.size("elementsize", SHUFFLED_BYTES_MAX)?.unwrap_or(self.elements.bytes);
        config.finish()?;
        if bytes > 1 {
            self.push(codec, Step::Shuffle(bytes), NumpyType::byte())?;
        }
        self.elements = NumpyType::byte();
        Ok(())
    }

    /// On an array, elements stay as many as they are.
    fn typed(&mut self, config: &Config<'_>, typed: Typed) -> Result<(), CodecError> {
        let (decoded, elements) = (&typed.decoded.kind, typed.encoded.kind.clone());
        if self.is_array && decoded.bytes != self.elements.bytes {
            let detail = format!(
                "takes elements of type {decoded}, those of the array have type {}: a type of {} bytes is expected",
                self.elements, self.elements.bytes
            );
            return Err(config.unsupported(detail));
        }
        self.push(config.codec(), Step::Typed(Box::new(typed)), elements)
    }
}
