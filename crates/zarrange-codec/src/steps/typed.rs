//! Codecs of numcodecs that compute with the elements: `delta`, `fixedscaleoffset`, `quantize` and `astype`.
//!
//! Each is compiled to passes over blocks of numbers, every pass in the type in which numpy computes it. The results are numpy's to the
//! last bit, as far as C defines them.

use serde_json::Value;

use crate::element::swap_bytes;
use crate::steps::arithmetic::{Op, Operand};
use crate::steps::config::{Config, Scalar};
use crate::steps::lanes::{BLOCK, Before, Block};
use crate::steps::number::{DEFAULT_FLOAT, DEFAULT_INT, Number, half_bits, half_to_single, to_single};
use crate::{CodecError, NumpyType};

/// No codec has more passes.
const PASSES_MAX: usize = 3;

/// A codec from numbers of one type to numbers of another, as many of them.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) name: &'static str,
    /// Elements before encoding.
    pub(crate) decoded: Elements,
    /// Elements after encoding.
    pub(crate) encoded: Elements,
    /// Passes, or why numpy cannot encode with this configuration.
    encode: Result<Vec<Pass>, String>,
    decode: Vec<Pass>,
    /// Whether values may not come back.
    pub(crate) loses: bool,
}

/// Numbers of a type that lie in memory.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    pub(crate) kind: NumpyType,
    number: Number,
}

/// An operation, and the type that it is done in.
#[derive(Debug)]
struct Pass {
    number: Number,
    op: Op,
}

impl Typed {
    /// The codec that `config` describes, for elements of type `current`; with `native`, the byte order in the names of types is not
    /// looked at. `None` if it is none of these.
    pub(crate) fn parse(
        name: &str,
        mut config: Config<'_>,
        current: &NumpyType,
        native: bool,
    ) -> Option<Result<Self, CodecError>> {
        let parse = match name {
            "delta" => delta,
            "fixedscaleoffset" => fixed_scale_offset,
            "quantize" => quantize,
            "astype" => as_type,
            _ => return None,
        };
        let types = Types { current, native };
        Some(parse(&mut config, &types).and_then(|codec| config.finish().map(|()| codec)))
    }

    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) {
        run(&self.decode, (src, &self.encoded), (dst, &self.decoded));
    }

    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let passes = self.encode.as_ref().map_err(|detail| CodecError::Encode {
            codec: self.name,
            bytes: src.len() as u64,
            detail: detail.clone(),
        })?;
        run(passes, (src, &self.decoded), (dst, &self.encoded));
        Ok(())
    }
}

/// Reads the types of a configuration.
struct Types<'a> {
    current: &'a NumpyType,
    native: bool,
}

impl Types<'_> {
    /// The type of a key, `default` where it is missing.
    fn read(
        &self,
        config: &mut Config<'_>,
        key: &'static str,
        default: &NumpyType,
    ) -> Result<NumpyType, CodecError> {
        let kind = config.numpy_type(key)?.unwrap_or_else(|| default.clone());
        Ok(if self.native { kind.ordered(crate::numpy::Order::NATIVE) } else { kind })
    }

    /// The numbers that keys `dtype` and `astype` name.
    fn pair(&self, config: &mut Config<'_>, expected: Expected) -> Result<[Elements; 2], CodecError> {
        let decoded = self.read(config, "dtype", self.current)?;
        let encoded = self.read(config, "astype", &decoded)?;
        Ok([
            Elements::new(config, "dtype", decoded, expected)?,
            Elements::new(config, "astype", encoded, expected)?,
        ])
    }
}

/// What types a codec takes.
#[derive(Clone, Copy)]
struct Expected {
    takes: fn(Number) -> bool,
    what: &'static str,
}

const NUMBERS: Expected =
    Expected { takes: |_| true, what: "a type of numbers: b1, i1 to i8, u1 to u8, f2 to f8, c8 or c16" };
const FLOATS: Expected = Expected {
    takes: |number| matches!(number, Number::Float { .. }),
    what: "a type of floats: f2, f4 or f8",
};

impl Elements {
    fn new(config: &Config<'_>, key: &str, kind: NumpyType, expected: Expected) -> Result<Self, CodecError> {
        match Number::of(&kind).filter(|number| (expected.takes)(*number)) {
            Some(number) => Ok(Self { kind, number }),
            None => Err(config.wrong(key, &Value::String(kind.to_string()), expected.what)),
        }
    }
}

/// Differences of neighbours, and their sums. numpy adds in a type that holds both.
fn delta(config: &mut Config<'_>, types: &Types<'_>) -> Result<Typed, CodecError> {
    let [decoded, encoded] = types.pair(config, NUMBERS)?;
    let sum = decoded.number.promoted(encoded.number);
    // Sums of floats are rounded; so are those of eight bytes with and without sign, which only floats hold both. A sum of bools is
    // whether any is set.
    let integer = |number| matches!(number, Number::Int { .. });
    let exact = [sum, decoded.number, encoded.number].into_iter().all(integer)
        && encoded.number.bytes() >= decoded.number.bytes();
    Ok(Typed {
        name: "delta",
        encode: Ok(vec![Pass { number: decoded.number, op: Op::Difference }]),
        decode: vec![Pass { number: sum, op: Op::Sum }],
        loses: !exact,
        decoded,
        encoded,
    })
}

/// `(x - offset) * scale`, rounded.
fn fixed_scale_offset(config: &mut Config<'_>, types: &Types<'_>) -> Result<Typed, CodecError> {
    let (offset, scale) = (config.scalar("offset")?, config.scalar("scale")?);
    let [decoded, encoded] = types.pair(config, NUMBERS)?;
    let encode = || {
        let shifted = with_scalar(decoded.number, &offset);
        let scaled = with_scalar(shifted, &scale);
        Ok(vec![
            Pass { number: shifted, op: Op::Subtract(operand("offset", &offset, shifted)?) },
            Pass { number: scaled, op: Op::Multiply(operand("scale", &scale, scaled)?) },
            Pass { number: scaled, op: Op::Round },
        ])
    };
    // Integers are divided as floats.
    let number = if encoded.number.is_integer() { DEFAULT_FLOAT } else { encoded.number };
    let decode = vec![
        Pass { number, op: Op::Divide(float_operand(scale.float, number)) },
        Pass { number, op: Op::Add(float_operand(offset.float, number)) },
    ];
    Ok(Typed { name: "fixedscaleoffset", encode: encode(), decode, loses: true, decoded, encoded })
}

/// Rounds to so many decimal digits, or rather to the power of two that keeps them.
fn quantize(config: &mut Config<'_>, types: &Types<'_>) -> Result<Typed, CodecError> {
    let digits = config.scalar("digits")?;
    let [decoded, encoded] = types.pair(config, FLOATS)?;
    let exponent = 10f64.powf(-digits.float).log10();
    let exponent = if exponent < 0.0 { exponent.floor() } else { exponent.ceil() };
    let scale = 2f64.powf(10f64.powf(-exponent).log2().ceil());
    if !scale.is_normal() {
        let value = config.get("digits").unwrap_or(&Value::Null);
        return Err(config.wrong(
            "digits",
            value,
            "few enough that a power of ten holds them, as from -300 to 300",
        ));
    }
    let (number, scale) = (decoded.number, float_operand(scale, decoded.number));
    let ops = [Op::Multiply(scale), Op::Round, Op::Divide(scale)];
    let encode = Ok(ops.map(|op| Pass { number, op }).into());
    Ok(Typed { name: "quantize", encode, decode: Vec::new(), loses: true, decoded, encoded })
}

/// A type for another.
fn as_type(config: &mut Config<'_>, types: &Types<'_>) -> Result<Typed, CodecError> {
    let decoded = types.read(config, "decode_dtype", types.current)?;
    let encoded = match config.numpy_type("encode_dtype")? {
        Some(_) => types.read(config, "encode_dtype", &decoded)?,
        None => return Err(config.wrong("encode_dtype", &Value::Null, "the type of the encoded data")),
    };
    // Times are counts to integers; to other times only if they count the same.
    let time = |kind: &NumpyType| matches!(kind.kind, b'M' | b'm');
    let integer = |kind: &NumpyType| matches!(kind.kind, b'i' | b'u');
    let same = (decoded.kind, &decoded.unit) == (encoded.kind, &encoded.unit);
    if same || (time(&decoded) && integer(&encoded)) || (integer(&decoded) && time(&encoded)) {
        let of = |kind: NumpyType| {
            Number::of(&kind).or(time(&kind).then_some(DEFAULT_INT)).map(|number| Elements { kind, number })
        };
        if let (Some(decoded), Some(encoded)) = (of(decoded.clone()), of(encoded.clone())) {
            return Ok(converted(decoded, encoded));
        }
    }
    let decoded = Elements::new(config, "decode_dtype", decoded, NUMBERS)?;
    Ok(converted(decoded, Elements::new(config, "encode_dtype", encoded, NUMBERS)?))
}

fn converted(decoded: Elements, encoded: Elements) -> Typed {
    let holds = encoded.number.holds(decoded.number);
    Typed { name: "astype", encode: Ok(Vec::new()), decode: Vec::new(), loses: !holds, decoded, encoded }
}

/// The type of `number` and a Python number: a float makes floats of integers.
fn with_scalar(number: Number, scalar: &Scalar) -> Number {
    match (number, scalar.whole) {
        (Number::Bool, Some(_)) => DEFAULT_INT,
        (Number::Bool | Number::Int { .. }, None) => DEFAULT_FLOAT,
        (Number::Int { .. }, Some(_)) | (Number::Float { .. } | Number::Complex { .. }, _) => number,
    }
}

/// A Python number in arithmetic of type `number`.
fn operand(key: &str, scalar: &Scalar, number: Number) -> Result<Operand, String> {
    let Number::Int { bytes, signed } = number else {
        return Ok(float_operand(scalar.float, number));
    };
    let whole = scalar.whole.filter(|n| {
        let bits = 8 * u32::try_from(bytes).unwrap_or(8);
        let (least, end) = if signed { (-(1 << (bits - 1)), 1 << (bits - 1)) } else { (0, 1 << bits) };
        (least..end).contains(n)
    });
    let lowest = |n: i128| i64::from_le_bytes(std::array::from_fn(|k| n.to_le_bytes()[k]));
    whole.map(|n| Operand::Int(lowest(n))).ok_or_else(|| {
        let (sign, bits) = (if signed { "" } else { "u" }, 8 * bytes);
        format!(
            "{key} {} is not in the range of {sign}int{bits}, so that numpy cannot encode either",
            scalar.float
        )
    })
}

fn float_operand(value: f64, number: Number) -> Operand {
    Operand::Float(match number.part() {
        Number::Float { bytes: 2 } => half_to_single(half_bits(value)).into(),
        Number::Float { bytes: 4 } => to_single(value).into(),
        Number::Bool | Number::Int { .. } | Number::Float { .. } | Number::Complex { .. } => value,
    })
}

/// From bytes of one type to bytes of another, as many elements.
fn run(passes: &[Pass], (src, from): (&[u8], &Elements), (dst, to): (&mut [u8], &Elements)) {
    if passes.is_empty() && from.number == to.number {
        dst.copy_from_slice(src);
        if from.kind.is_swapped() != to.kind.is_swapped() {
            swap_bytes(dst, from.kind.unit_bytes());
        }
        return;
    }
    let mut block = Block::new();
    let mut before: [Before; PASSES_MAX] =
        std::array::from_fn(|k| Before::first(passes.get(k).map_or(&Op::Round, |pass| &pass.op)));
    let blocks = src.chunks(BLOCK * from.number.bytes()).zip(dst.chunks_mut(BLOCK * to.number.bytes()));
    for (src, dst) in blocks {
        block.load(src, from.number, from.kind.is_swapped());
        for (pass, before) in passes.iter().zip(&mut before) {
            block.convert(pass.number);
            block.apply(&pass.op, before);
        }
        block.convert(to.number);
        block.store(dst, to.kind.is_swapped());
    }
}
