//! `cast_value`: numbers of one type as numbers of another, rounded and kept in range as the configuration says.
//!
//! Most blocks hold nothing but numbers that simple loops convert. Where one does not, every number of its block is converted on its
//! own, exactly.

mod map;

use serde_json::Value;

use crate::CodecError;
use crate::steps::cast::map::{Map, Marks};
use crate::steps::config::Config;
use crate::steps::exact::{Exact, Rounding, largest, nearest, range, to_whole};
use crate::steps::lanes::{BLOCK, Block};
use crate::steps::number::{Number, int_to_double};

/// The codec between two types.
#[derive(Debug)]
pub(crate) struct Cast {
    encode: Way,
    decode: Way,
}

/// What becomes of numbers, in one direction.
#[derive(Debug)]
struct Way {
    from: Number,
    to: Number,
    rounding: Rounding,
    out_of_range: Option<OutOfRange>,
    map: Map,
}

/// What becomes of numbers that their new type does not hold even after they are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutOfRange {
    /// The last number on that side: of floats, infinity.
    Clamp,
    /// The integer with the same lowest bits.
    Wrap,
}

/// The types that there are.
const TYPES: [(&str, Number); 11] = [
    ("int8", Number::Int { bytes: 1, signed: true }),
    ("int16", Number::Int { bytes: 2, signed: true }),
    ("int32", Number::Int { bytes: 4, signed: true }),
    ("int64", Number::Int { bytes: 8, signed: true }),
    ("uint8", Number::Int { bytes: 1, signed: false }),
    ("uint16", Number::Int { bytes: 2, signed: false }),
    ("uint32", Number::Int { bytes: 4, signed: false }),
    ("uint64", Number::Int { bytes: 8, signed: false }),
    ("float16", Number::Float { bytes: 2 }),
    ("float32", Number::Float { bytes: 4 }),
    ("float64", Number::Float { bytes: 8 }),
];

impl Cast {
    /// The codec for numbers of type `decoded`.
    pub(crate) fn parse(mut config: Config<'_>, decoded: Number) -> Result<Self, CodecError> {
        let names = TYPES.map(|(name, _)| name);
        let Some(at) = config.choice("data_type", &names)? else {
            return Err(config.wrong("data_type", &Value::Null, &format!("one of {}", names.join(", "))));
        };
        let encoded = TYPES[at].1;
        let rounding = Rounding::ALL[config.choice("rounding", &Rounding::NAMES)?.unwrap_or(0)];
        let out_of_range = match config.choice("out_of_range", &["clamp", "wrap"])? {
            None => None,
            Some(0) => Some(OutOfRange::Clamp),
            Some(_) if encoded.is_integer() => Some(OutOfRange::Wrap),
            Some(_) => {
                let expected = format!("clamp or nothing: integers wrap, {encoded} does not");
                return Err(config.wrong("out_of_range", &Value::from("wrap"), &expected));
            }
        };
        let maps = config.get("scalar_map");
        let map = |direction, from, to| Map::parse(&config, maps, direction, (from, to));
        let (encode, decode) = (map("encode", decoded, encoded)?, map("decode", encoded, decoded)?);
        config.finish()?;
        Ok(Self {
            encode: Way { from: decoded, to: encoded, rounding, out_of_range, map: encode },
            decode: Way { from: encoded, to: decoded, rounding, out_of_range, map: decode },
        })
    }

    pub(crate) const fn decoded(&self) -> Number {
        self.encode.from
    }

    pub(crate) const fn encoded(&self) -> Number {
        self.encode.to
    }

    pub(crate) fn loses(&self) -> bool {
        let maps = [&self.encode.map, &self.decode.map];
        !self.encoded().holds(self.decoded()) || maps.iter().any(|map| !map.is_empty())
    }

    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        self.decode.run(src, dst)
    }

    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        self.encode.run(src, dst)
    }
}

impl Way {
    /// From bytes of one type to bytes of another, as many elements.
    fn run(&self, src: &[u8], dst: &mut [u8]) -> Result<(), String> {
        if self.from == self.to && self.map.is_empty() {
            dst.copy_from_slice(src);
            return Ok(());
        }
        let (mut block, mut marks) = (Block::new(), Marks::new());
        let blocks = src.chunks(BLOCK * self.from.bytes()).zip(dst.chunks_mut(BLOCK * self.to.bytes()));
        for (src, dst) in blocks {
            block.load(src, self.from, false);
            let marked = self.map.mark(&mut block, &mut marks);
            if !self.convert_all(&mut block) {
                for k in 0..src.len() / self.from.bytes() {
                    let value = self.convert(block.get(k))?;
                    block.set(k, self.to, value);
                }
                block.take_as(self.to);
            }
            if marked {
                self.map.replace(&mut block, &mut marks);
            }
            block.store(dst, false);
        }
        Ok(())
    }

    /// One number that is not mapped.
    fn convert(&self, value: Exact) -> Result<Exact, String> {
        let Self { to, rounding, out_of_range, .. } = *self;
        let (clamps, wraps) =
            (out_of_range == Some(OutOfRange::Clamp), out_of_range == Some(OutOfRange::Wrap));
        let Number::Int { bytes, signed } = to else {
            return match value {
                Exact::Float(x) if !x.is_finite() => Ok(Exact::Float(nearest(x, to.bytes()))),
                value => {
                    let (rounded, largest) = (rounding.float(value, to.bytes()), largest(to.bytes()));
                    if rounded.abs() <= largest {
                        Ok(Exact::Float(rounded))
                    } else if clamps {
                        Ok(Exact::Float(f64::INFINITY.copysign(rounded)))
                    } else {
                        Err(format!(
                            "{value} is out of the range of {to}, from {:?} to {largest:?}",
                            -largest
                        ))
                    }
                }
            };
        };
        let (least, most) = range(bytes, signed).into_inner();
        let whole = match value {
            Exact::Int(n) => n,
            Exact::Float(x) if !x.is_finite() => {
                return Err(format!(
                    "{value} is none of the integers of {to}, and scalar_map has none for it"
                ));
            }
            Exact::Float(x) => to_whole(rounding.whole(x)),
        };
        if (least..=most).contains(&whole) {
            Ok(Exact::Int(whole))
        } else if clamps {
            Ok(Exact::Int(whole.clamp(least, most)))
        } else if wraps {
            // What is larger than any of these is a multiple of all that they wrap at.
            let whole = if matches!(whole, i128::MIN | i128::MAX) { 0 } else { whole };
            let (wrapped, values) = (whole.rem_euclid(most - least + 1), most - least + 1);
            Ok(Exact::Int(if wrapped > most { wrapped - values } else { wrapped }))
        } else {
            Err(format!("{value} is out of the range of {to}, from {least} to {most}"))
        }
    }

    /// Converts a block in which each number is easy; `false`, and nothing is changed, if one is not.
    fn convert_all(&self, block: &mut Block) -> bool {
        let wraps = self.out_of_range == Some(OutOfRange::Wrap);
        let easy = match (self.from, self.to) {
            (Number::Int { signed: from, .. }, Number::Int { bytes, signed }) if !wraps => {
                let within = Whole::new(bytes, signed);
                let (least, most) = (if from { within.least } else { within.least.max(0) }, within.most);
                let fits = self.to.holds(self.from) || all(block.lanes_mut().0, |n| least <= n && n <= most);
                // Lanes hold them as they are.
                if fits {
                    block.take_as(self.to);
                }
                return fits;
            }
            (Number::Int { .. }, Number::Int { .. }) => true,
            (from, to) if to.holds(from) => true,
            (Number::Int { signed, .. }, Number::Float { bytes }) => match self.int_limit(bytes) {
                // Lanes are signed: what is negative there may be large.
                Some(limit) => {
                    let least = if signed { -limit } else { 0 };
                    all(block.lanes_mut().0, |n| least <= n && n <= limit)
                }
                None => true,
            },
            (Number::Float { bytes: from }, Number::Float { bytes }) => {
                let (_, singles, doubles) = block.lanes_mut();
                if (from, bytes) == (8, 2) {
                    for x in doubles.iter_mut() {
                        *x = quiet(*x);
                    }
                }
                // The first that rounds to infinity.
                let limit = if bytes == 2 { 65520.0 } else { f64::from(f32::MAX) + 2f64.powi(103) };
                let fits = |x: f64| x.abs() < limit || !x.is_finite();
                self.rounding == Rounding::NearestEven
                    && (self.out_of_range == Some(OutOfRange::Clamp)
                        || if from == 8 { all(doubles, fits) } else { all(singles, |x: f32| fits(x.into())) })
            }
            (Number::Float { bytes: from }, Number::Int { bytes, signed }) => {
                let (ints, singles, doubles) = block.lanes_mut();
                if from < 8 {
                    doubles.iter_mut().zip(&*singles).for_each(|(y, x)| *y = (*x).into());
                }
                let clamps = self.out_of_range == Some(OutOfRange::Clamp);
                let rounded = round_all(ints, doubles, self.rounding, Whole::new(bytes, signed), clamps);
                if rounded {
                    block.take_as(self.to);
                }
                return rounded;
            }
            (Number::Bool | Number::Complex { .. }, _) | (_, Number::Bool | Number::Complex { .. }) => false,
        };
        if easy {
            block.convert(self.to);
        }
        easy
    }

    /// Integers up to this size become floats of so many bytes as the usual conversion makes them; `None` if all do.
    fn int_limit(&self, bytes: usize) -> Option<i64> {
        match (self.rounding == Rounding::NearestEven, bytes) {
            (true, 2) if self.out_of_range != Some(OutOfRange::Clamp) => Some(65519),
            (true, _) => None,
            (false, 2) => Some(1 << 11),
            (false, 4) => Some(1 << 24),
            (false, _) => Some(1 << 53),
        }
    }
}

/// Whether it holds for all; without leaving early, which takes longer.
fn all<T: Copy>(lanes: &[T], holds: impl Fn(T) -> bool) -> bool {
    lanes.iter().fold(true, |all, lane| all & holds(*lane))
}

/// NaN as arithmetic leaves it.
const fn quiet(value: f64) -> f64 {
    const QUIET: u64 = 1 << 51;
    if value.is_nan() { f64::from_bits(value.to_bits() | QUIET) } else { value }
}

/// The integers of a type, those of 8 unsigned bytes as far as lanes hold them.
#[derive(Clone, Copy)]
struct Whole {
    least: i64,
    most: i64,
}

impl Whole {
    fn new(bytes: usize, signed: bool) -> Self {
        let (least, most) = range(bytes, signed).into_inner();
        Self {
            least: i64::try_from(least).unwrap_or(i64::MIN),
            most: i64::try_from(most).unwrap_or(i64::MAX),
        }
    }
}

/// Added to a float that is less than a quarter of it, it leaves no room for a fraction: the sum is rounded, and its lowest bits are
/// those of the integer.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// Rounds floats to integers `within` a range; `false` if one is none of them, or `clamps` does not make it one.
fn round_all(ints: &mut [i64], doubles: &[f64], rounding: Rounding, within: Whole, clamps: bool) -> bool {
    let near = |x: f64| (x + SHIFT) - SHIFT;
    let down = |x: f64| near(x) - f64::from(near(x) > x);
    let up = |x: f64| near(x) + f64::from(near(x) < x);
    let (lanes, range) = ((ints, doubles), (within, clamps));
    match rounding {
        Rounding::NearestEven => round_each(lanes, range, near),
        Rounding::TowardsNegative => round_each(lanes, range, down),
        Rounding::TowardsPositive => round_each(lanes, range, up),
        Rounding::TowardsZero => round_each(lanes, range, |x| down(x.abs()).copysign(x)),
        Rounding::NearestAway => round_each(lanes, range, |x: f64| {
            let (size, even) = (x.abs(), near(x.abs()));
            (even + f64::from(size - even >= 0.5)).copysign(x)
        }),
    }
}

fn round_each(
    (ints, doubles): (&mut [i64], &[f64]),
    (Whole { least, most }, clamps): (Whole, bool),
    whole: impl Fn(f64) -> f64,
) -> bool {
    /// Up to this size [`SHIFT`] gives the right integer.
    const LIMIT: i64 = 1 << 50;
    let float = |n: i64| int_to_double(n.clamp(-LIMIT, LIMIT), true);
    let (least, most) = (float(least), float(most));
    // Of types that end beyond the limit, this is not the end.
    let clamps = clamps && most < float(LIMIT);
    let mut fits = true;
    for (y, x) in ints.iter_mut().zip(doubles) {
        let rounded = whole(*x);
        let rounded = if clamps { rounded.max(least).min(most) } else { rounded };
        fits &= rounded >= least;
        fits &= rounded <= most;
        fits &= x.is_finite();
        *y = ((rounded + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits())).cast_signed();
    }
    fits
}
