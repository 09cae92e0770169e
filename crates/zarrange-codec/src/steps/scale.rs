//! `scale_offset`: `(x - offset) * scale`, in the type of the array.
//!
//! Floats are rounded after each of the two operations, as numpy rounds them. Integers are computed exactly: what is then no integer
//! of the type is an error, which it is not in zarr-python where 8 signed bytes overflow.

use serde_json::{Value, json};

use crate::CodecError;
use crate::steps::arithmetic::{Op, Operand};
use crate::steps::config::Config;
use crate::steps::exact::{Exact, range};
use crate::steps::lanes::{BLOCK, Before, Block};
use crate::steps::number::Number;

/// The codec for numbers of a type.
#[derive(Debug)]
pub(crate) struct Scale {
    number: Number,
    arithmetic: Arithmetic,
}

#[derive(Debug)]
enum Arithmetic {
    Floats { encode: [Op; 2], decode: [Op; 2] },
    Ints(Ints),
}

/// Integers of a type, and the numbers that are subtracted from them and multiplied with them.
#[derive(Debug)]
struct Ints {
    name: Number,
    least: i128,
    most: i128,
    offset: i128,
    scale: i128,
}

/// The same in numbers of 8 bytes, as far as these go.
#[derive(Clone, Copy)]
struct Narrow {
    least: i64,
    most: i64,
    offset: i64,
    scale: i64,
}

impl Scale {
    pub(crate) fn parse(mut config: Config<'_>, number: Number) -> Result<Self, CodecError> {
        let mut scalar = |key, default| {
            let default = json!(default);
            let value = config.get(key).unwrap_or(&default);
            let scalar = Exact::parse(value, number);
            scalar.ok_or_else(|| config.wrong(key, value, &format!("a number that {number} holds")))
        };
        let (offset, scale) = (scalar("offset", 0)?, scalar("scale", 1)?);
        if matches!(scale, Exact::Int(0) | Exact::Float(0.0)) {
            let value = config.get("scale").unwrap_or(&Value::Null);
            return Err(config.wrong("scale", value, &format!("a number that is not zero in {number}")));
        }
        config.finish()?;
        let arithmetic = match (number, offset, scale) {
            (Number::Int { bytes, signed }, Exact::Int(offset), Exact::Int(scale)) => {
                let (least, most) = range(bytes, signed).into_inner();
                Arithmetic::Ints(Ints { name: number, least, most, offset, scale })
            }
            (_, offset, scale) => {
                let [offset, scale] = [offset, scale].map(|value| match value {
                    Exact::Float(x) => Operand::Float(x),
                    // No float is read as an integer.
                    Exact::Int(_) => Operand::Int(0),
                });
                Arithmetic::Floats {
                    encode: [Op::Subtract(offset), Op::Multiply(scale)],
                    decode: [Op::Divide(scale), Op::Add(offset)],
                }
            }
        };
        Ok(Self { number, arithmetic })
    }

    pub(crate) const fn number(&self) -> Number {
        self.number
    }

    pub(crate) const fn loses(&self) -> bool {
        matches!(self.arithmetic, Arithmetic::Floats { .. })
    }

    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        match &self.arithmetic {
            Arithmetic::Floats { decode, .. } => self.floats(decode, src, dst),
            Arithmetic::Ints(ints) => match ints.narrow() {
                Some(Narrow { scale: 1, offset, least, most }) => {
                    let sum = |x: i64| x.checked_add(offset).filter(|y| (least..=most).contains(y));
                    self.ints((src, dst), sum, |x| ints.decode(x))
                }
                Some(narrow) => self.ints((src, dst), |x| narrow.decode(x), |x| ints.decode(x)),
                None => self.ints((src, dst), |_| None, |x| ints.decode(x)),
            },
        }
    }

    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        match &self.arithmetic {
            Arithmetic::Floats { encode, .. } => self.floats(encode, src, dst),
            Arithmetic::Ints(ints) => match ints.narrow() {
                Some(narrow) => self.ints((src, dst), |x| narrow.encode(x), |x| ints.encode(x)),
                None => self.ints((src, dst), |_| None, |x| ints.encode(x)),
            },
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as integers do")]
    fn floats(&self, ops: &[Op; 2], src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        let mut block = Block::new();
        let bytes = BLOCK * self.number.bytes();
        for (src, dst) in src.chunks(bytes).zip(dst.chunks_mut(bytes)) {
            block.load(src, self.number, false);
            for op in ops {
                block.apply(op, &mut Before::first(op));
            }
            block.store(dst, false);
        }
        Ok(())
    }

    /// Does `narrow` to each, or `exact` where that gives nothing.
    fn ints(
        &self,
        (src, dst): (&[u8], &mut [u8]),
        narrow: impl Fn(i64) -> Option<i64>,
        exact: impl Fn(i128) -> Result<i128, String>,
    ) -> Result<(), String> {
        let mut block = Block::new();
        let bytes = BLOCK * self.number.bytes();
        let wide = self.number == Number::Int { bytes: 8, signed: false };
        for (src, dst) in src.chunks(bytes).zip(dst.chunks_mut(bytes)) {
            block.load(src, self.number, false);
            for lane in block.lanes_mut().0 {
                // Lanes are signed: what is negative there may be large.
                *lane = match narrow(*lane).filter(|_| !wide || *lane >= 0) {
                    Some(y) => y,
                    None if wide => {
                        let y = exact(lane.cast_unsigned().into())?;
                        u64::try_from(y).map_or(0, u64::cast_signed)
                    }
                    None => i64::try_from(exact((*lane).into())?).unwrap_or(0),
                };
            }
            block.store(dst, false);
        }
        Ok(())
    }
}

impl Narrow {
    fn decode(self, x: i64) -> Option<i64> {
        if x.checked_rem(self.scale)? != 0 {
            return None;
        }
        let y = x.checked_div(self.scale)?.checked_add(self.offset)?;
        (self.least..=self.most).contains(&y).then_some(y)
    }

    fn encode(self, x: i64) -> Option<i64> {
        let y = x.checked_sub(self.offset)?.checked_mul(self.scale)?;
        (self.least..=self.most).contains(&y).then_some(y)
    }
}

impl Ints {
    fn narrow(&self) -> Option<Narrow> {
        let [least, offset, scale] = [self.least, self.offset, self.scale].map(i64::try_from);
        let most = i64::try_from(self.most).unwrap_or(i64::MAX);
        Some(Narrow { least: least.ok()?, most, offset: offset.ok()?, scale: scale.ok()? })
    }

    fn decode(&self, x: i128) -> Result<i128, String> {
        let Self { offset, scale, .. } = self;
        if x % scale != 0 {
            return Err(format!("{x} is not {scale} times a whole number, as scale says"));
        }
        self.within(Some(x / scale + offset), || format!("{x} / {scale} + {offset}"))
    }

    fn encode(&self, x: i128) -> Result<i128, String> {
        let Self { offset, scale, .. } = self;
        self.within((x - offset).checked_mul(*scale), || format!("({x} - {offset}) * {scale}"))
    }

    /// A result that the type holds.
    fn within(&self, y: Option<i128>, term: impl Fn() -> String) -> Result<i128, String> {
        let Self { name, least, most, .. } = self;
        y.filter(|y| (least..=most).contains(&y)).ok_or_else(|| {
            let is = y.map_or_else(String::new, |y| format!(" = {y}"));
            format!("{}{is} is out of the range of {name}, from {least} to {most}", term())
        })
    }
}
