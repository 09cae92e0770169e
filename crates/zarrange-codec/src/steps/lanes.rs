//! Numbers on their way from one type to another, a block at a time, each operation rounded as numpy rounds it.
//!
//! A block is loaded from bytes of any type into numbers of three widths of arithmetic (integers, floats of 4 and of 8 bytes), and
//! stored as bytes of any type: a few loops for all pairs of types.

use crate::steps::arithmetic::{Op, apply_to_bools, apply_to_ints, apply_to_reals};
use crate::steps::exact::Exact;
use crate::steps::number::{
    Number, half_bits, half_to_single, int_to_double, int_to_single, to_single, truncated, wrapped,
};

/// Elements of a block.
pub(crate) const BLOCK: usize = 512;

/// Reals of a block: complex numbers have two.
const LANES: usize = 2 * BLOCK;

/// The number before the block, and the sum of all before it; by part.
pub(crate) struct Before {
    ints: [i64; 2],
    singles: [f32; 2],
    doubles: [f64; 2],
}

impl Before {
    /// Before the first number: nothing. What is added to it keeps its sign, also if it is zero.
    pub(crate) const fn first(op: &Op) -> Self {
        if matches!(op, Op::Sum) {
            Self { ints: [0; 2], singles: [-0.0; 2], doubles: [-0.0; 2] }
        } else {
            Self { ints: [0; 2], singles: [0.0; 2], doubles: [0.0; 2] }
        }
    }
}

/// Up to [`BLOCK`] elements. Those of `number` are kept in the lanes of its width, as values of that type.
pub(crate) struct Block {
    number: Number,
    /// Reals in use.
    count: usize,
    ints: [i64; LANES],
    singles: [f32; LANES],
    doubles: [f64; LANES],
}

/// Which lanes hold a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lanes {
    Ints,
    Singles,
    Doubles,
}

const fn lanes(number: Number) -> Lanes {
    match number.part() {
        Number::Bool | Number::Int { .. } => Lanes::Ints,
        Number::Float { bytes: 8 } => Lanes::Doubles,
        Number::Float { .. } | Number::Complex { .. } => Lanes::Singles,
    }
}

/// Reads numbers of a Rust type into lanes.
macro_rules! load {
    ($type:ty, $bytes:literal, $src:expr, $swapped:expr, $lanes:expr, $value:expr) => {
        for (lane, bytes) in $lanes.iter_mut().zip($src.as_chunks::<$bytes>().0) {
            let mut bytes = *bytes;
            if $swapped {
                bytes.reverse();
            }
            *lane = $value(<$type>::from_ne_bytes(bytes));
        }
    };
}

/// Writes lanes as numbers of so many bytes, which `$bits` gives lowest first.
macro_rules! store {
    ($bytes:literal, $dst:expr, $big:expr, $lanes:expr, $bits:expr) => {
        for (bytes, lane) in $dst.as_chunks_mut::<$bytes>().0.iter_mut().zip(&$lanes) {
            *bytes = $bits(*lane);
            if $big {
                bytes.reverse();
            }
        }
    };
}

impl Block {
    pub(crate) const fn new() -> Self {
        let number = Number::Bool;
        Self { number, count: 0, ints: [0; LANES], singles: [0.0; LANES], doubles: [0.0; LANES] }
    }

    /// Takes the elements of `src`, at most [`BLOCK`].
    pub(crate) fn load(&mut self, src: &[u8], number: Number, swapped: bool) {
        self.number = number;
        self.count = src.len() / number.part().bytes();
        match number.part() {
            Number::Bool => load!(u8, 1, src, false, self.ints, |x| i64::from(x != 0)),
            Number::Int { bytes: 1, signed: true } => load!(i8, 1, src, false, self.ints, i64::from),
            Number::Int { bytes: 1, signed: false } => load!(u8, 1, src, false, self.ints, i64::from),
            Number::Int { bytes: 2, signed: true } => load!(i16, 2, src, swapped, self.ints, i64::from),
            Number::Int { bytes: 2, signed: false } => load!(u16, 2, src, swapped, self.ints, i64::from),
            Number::Int { bytes: 4, signed: true } => load!(i32, 4, src, swapped, self.ints, i64::from),
            Number::Int { bytes: 4, signed: false } => load!(u32, 4, src, swapped, self.ints, i64::from),
            Number::Int { .. } => load!(i64, 8, src, swapped, self.ints, |x| x),
            Number::Float { bytes: 2 } => load!(u16, 2, src, swapped, self.singles, half_to_single),
            Number::Float { bytes: 4 } => load!(f32, 4, src, swapped, self.singles, |x| x),
            Number::Float { .. } | Number::Complex { .. } => load!(f64, 8, src, swapped, self.doubles, |x| x),
        }
    }

    /// Writes the elements to `dst`, which has their size.
    pub(crate) fn store(&self, dst: &mut [u8], swapped: bool) {
        // Bytes are taken lowest first.
        let big = swapped != cfg!(target_endian = "big");
        match self.number.part() {
            Number::Bool | Number::Int { bytes: 1, .. } => {
                store!(1, dst, false, self.ints, |x: i64| [x.to_le_bytes()[0]]);
            }
            Number::Int { bytes: 2, .. } => store!(2, dst, big, self.ints, low::<2>),
            Number::Int { bytes: 4, .. } => store!(4, dst, big, self.ints, low::<4>),
            Number::Int { .. } => store!(8, dst, big, self.ints, low::<8>),
            Number::Float { bytes: 2 } => {
                store!(2, dst, big, self.singles, |x: f32| half_bits(f64::from(x)).to_le_bytes());
            }
            Number::Float { bytes: 4 } => store!(4, dst, big, self.singles, f32::to_le_bytes),
            Number::Float { .. } | Number::Complex { .. } => {
                store!(8, dst, big, self.doubles, f64::to_le_bytes);
            }
        }
    }

    /// The lanes in use of every width: integers, floats of up to 4 and of 8 bytes.
    pub(crate) fn lanes_mut(&mut self) -> (&mut [i64], &mut [f32], &mut [f64]) {
        let n = self.count;
        (&mut self.ints[..n], &mut self.singles[..n], &mut self.doubles[..n])
    }

    /// Reals in use.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// A real number as it is.
    pub(crate) fn get(&self, k: usize) -> Exact {
        match lanes(self.number) {
            Lanes::Ints if self.number == (Number::Int { bytes: 8, signed: false }) => {
                Exact::Int(self.ints[k].cast_unsigned().into())
            }
            Lanes::Ints => Exact::Int(self.ints[k].into()),
            Lanes::Singles => Exact::Float(self.singles[k].into()),
            Lanes::Doubles => Exact::Float(self.doubles[k]),
        }
    }

    /// Makes a real number one of type `number`, which holds it. When all are, [`Self::take_as`] says so.
    pub(crate) fn set(&mut self, k: usize, number: Number, value: Exact) {
        match (lanes(number), value) {
            (Lanes::Ints, Exact::Int(n)) => self.ints[k] = lane(n),
            (Lanes::Singles, Exact::Float(x)) => self.singles[k] = to_single(x),
            (Lanes::Doubles, Exact::Float(x)) => self.doubles[k] = x,
            // Integers are of integer types, and floats of those of floats.
            (Lanes::Ints, Exact::Float(_)) | (Lanes::Singles | Lanes::Doubles, Exact::Int(_)) => {}
        }
    }

    pub(crate) fn set_zero(&mut self, k: usize) {
        match lanes(self.number) {
            Lanes::Ints => self.ints[k] = 0,
            Lanes::Singles => self.singles[k] = 0.0,
            Lanes::Doubles => self.doubles[k] = 0.0,
        }
    }

    /// Makes zeros of the reals that are `value`, or any NaN if it is one, and sets their `marks` to `mark`; whether there are any.
    #[expect(clippy::float_cmp, reason = "the same number is meant")]
    pub(crate) fn zero(&mut self, value: Exact, marks: &mut [u32], mark: u32) -> bool {
        let kind = lanes(self.number);
        let (ints, singles, doubles) = self.lanes_mut();
        match (kind, value) {
            (Lanes::Ints, Exact::Int(n)) => {
                let n = lane(n);
                zero(ints, (marks, mark), 0, |x| x == n)
            }
            (Lanes::Singles, Exact::Float(y)) if y.is_nan() => zero(singles, (marks, mark), 0.0, f32::is_nan),
            (Lanes::Singles, Exact::Float(y)) => zero(singles, (marks, mark), 0.0, |x| f64::from(x) == y),
            (Lanes::Doubles, Exact::Float(y)) if y.is_nan() => zero(doubles, (marks, mark), 0.0, f64::is_nan),
            (Lanes::Doubles, Exact::Float(y)) => zero(doubles, (marks, mark), 0.0, |x| x == y),
            (Lanes::Ints, Exact::Float(_)) | (Lanes::Singles | Lanes::Doubles, Exact::Int(_)) => false,
        }
    }

    /// Takes what the lanes of its width hold as numbers of type `number`.
    pub(crate) const fn take_as(&mut self, number: Number) {
        self.number = number;
    }

    /// Makes numbers of another type of them, as `numpy.ndarray.astype` does.
    pub(crate) fn convert(&mut self, to: Number) {
        let from = self.number;
        if from == to {
            return;
        }
        if to == Number::Bool {
            return self.convert_to_bools(from);
        }
        if from.parts() > to.parts() {
            self.count /= 2;
            for k in 0..self.count {
                self.move_part(2 * k, k);
            }
        }
        self.convert_parts(from.part(), to.part());
        self.number = to;
        if from.parts() < to.parts() {
            for k in (0..self.count).rev() {
                self.move_part(k, 2 * k);
                self.singles[2 * k + 1] = 0.0;
                self.doubles[2 * k + 1] = 0.0;
            }
            self.count *= 2;
        }
    }

    /// Copies one real in all lanes, of which one is in use.
    const fn move_part(&mut self, from: usize, to: usize) {
        self.singles[to] = self.singles[from];
        self.doubles[to] = self.doubles[from];
        self.ints[to] = self.ints[from];
    }

    /// Whether they are anything but zero.
    fn convert_to_bools(&mut self, from: Number) {
        let parts = from.parts();
        self.count /= parts;
        let lanes = lanes(from);
        for k in 0..self.count {
            let reals = k * parts..(k + 1) * parts;
            let set = match lanes {
                Lanes::Ints => self.ints[k] != 0,
                Lanes::Singles => self.singles[reals].iter().any(|x| *x != 0.0),
                Lanes::Doubles => self.doubles[reals].iter().any(|x| *x != 0.0),
            };
            self.ints[k] = i64::from(set);
        }
        self.number = Number::Bool;
    }

    fn convert_parts(&mut self, from: Number, to: Number) {
        let n = self.count;
        let (ints, singles, doubles) = (&mut self.ints[..n], &mut self.singles[..n], &mut self.doubles[..n]);
        let signed = from != Number::Int { bytes: 8, signed: false };
        let half = to == Number::Float { bytes: 2 };
        match (lanes(from), lanes(to), to) {
            (Lanes::Ints, _, Number::Int { bytes, signed }) => {
                for x in ints {
                    *x = wrapped(*x, bytes, signed);
                }
            }
            (Lanes::Singles, _, Number::Int { bytes, signed }) => {
                ints.iter_mut().zip(singles).for_each(|(y, x)| *y = truncated((*x).into(), bytes, signed));
            }
            (Lanes::Doubles, _, Number::Int { bytes, signed }) => {
                ints.iter_mut().zip(doubles).for_each(|(y, x)| *y = truncated(*x, bytes, signed));
            }
            (Lanes::Ints, Lanes::Singles, _) => {
                singles.iter_mut().zip(ints).for_each(|(y, x)| *y = int_to_single(*x, signed));
            }
            (Lanes::Ints, Lanes::Doubles, _) => {
                doubles.iter_mut().zip(ints).for_each(|(y, x)| *y = int_to_double(*x, signed));
            }
            (Lanes::Singles, Lanes::Doubles, _) => {
                doubles.iter_mut().zip(singles).for_each(|(y, x)| *y = (*x).into());
            }
            (Lanes::Doubles, Lanes::Singles, _) if half => {
                let halved = |x: f64| half_to_single(half_bits(x));
                return singles.iter_mut().zip(doubles).for_each(|(y, x)| *y = halved(*x));
            }
            (Lanes::Doubles, Lanes::Singles, _) => {
                singles.iter_mut().zip(doubles).for_each(|(y, x)| *y = to_single(*x));
            }
            // Lanes hold them already, and bools are not made here.
            (_, Lanes::Ints, _)
            | (Lanes::Singles, Lanes::Singles, _)
            | (Lanes::Doubles, Lanes::Doubles, _) => {}
        }
        if half {
            self.singles[..n].iter_mut().for_each(|x| *x = halved(*x));
        }
    }

    /// Does `op` to each, in their own type. `before` is that of the elements before the block, and is that of the next one
    /// afterwards.
    pub(crate) fn apply(&mut self, op: &Op, before: &mut Before) {
        let (n, parts) = (self.count, self.number.parts());
        match self.number.part() {
            Number::Bool => apply_to_bools(&mut self.ints[..n], op, &mut before.ints[0]),
            Number::Int { bytes, signed } => {
                apply_to_ints(&mut self.ints[..n], op, &mut before.ints[0], |x| wrapped(x, bytes, signed));
            }
            Number::Float { bytes: 2 } => {
                apply_to_reals(&mut self.singles[..n], op, parts, &mut before.singles, halved);
            }
            Number::Float { bytes: 4 } => {
                apply_to_reals(&mut self.singles[..n], op, parts, &mut before.singles, |x| x);
            }
            Number::Float { .. } | Number::Complex { .. } => {
                apply_to_reals(&mut self.doubles[..n], op, parts, &mut before.doubles, |x| x);
            }
        }
    }
}

/// An integer of up to 8 bytes as it lies in a lane.
fn lane(value: i128) -> i64 {
    let large = || u64::try_from(value).map_or(0, u64::cast_signed);
    i64::try_from(value).unwrap_or_else(|_| large())
}

fn zero<T: Copy>(lanes: &mut [T], (marks, mark): (&mut [u32], u32), zero: T, is: impl Fn(T) -> bool) -> bool {
    let mut any = false;
    for (lane, to) in lanes.iter_mut().zip(marks) {
        let hit = is(*lane);
        any |= hit;
        *to = if hit { mark } else { *to };
        *lane = if hit { zero } else { *lane };
    }
    any
}

/// The nearest number of two bytes.
fn halved(value: f32) -> f32 {
    half_to_single(half_bits(value.into()))
}

fn low<const BYTES: usize>(value: i64) -> [u8; BYTES] {
    let bytes = value.to_le_bytes();
    std::array::from_fn(|k| bytes[k])
}
