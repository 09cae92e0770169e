//! What numpy does to numbers, in the three widths of arithmetic that lanes have.

use std::ops::{Add, Div, Mul, Sub};

use crate::steps::number::{int_to_double, to_single};

/// What is done to each number. Operands are exact in the type of their pass; complex numbers have real operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// From the number before.
    Difference,
    /// Of all numbers up to it.
    Sum,
    Add(Operand),
    Subtract(Operand),
    Multiply(Operand),
    Divide(Operand),
    /// To the nearest integer, half to even.
    Round,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operand {
    Int(i64),
    Float(f64),
}

/// Of bools the difference is whether they differ, and the sum whether any is set; nothing else is done to them.
pub(crate) fn apply_to_bools(lanes: &mut [i64], op: &Op, before: &mut i64) {
    for lane in lanes {
        let x = *lane;
        match op {
            Op::Difference => {
                *lane ^= *before;
                *before = x;
            }
            Op::Sum => {
                *before |= x;
                *lane = *before;
            }
            Op::Add(_) | Op::Subtract(_) | Op::Multiply(_) | Op::Divide(_) | Op::Round => {}
        }
    }
}

pub(crate) fn apply_to_ints(lanes: &mut [i64], op: &Op, before: &mut i64, wrap: impl Fn(i64) -> i64) {
    let each =
        |lanes: &mut [i64], work: &dyn Fn(i64) -> i64| lanes.iter_mut().for_each(|x| *x = wrap(work(*x)));
    match *op {
        Op::Difference => {
            for lane in lanes {
                let x = *lane;
                *lane = wrap(x.wrapping_sub(*before));
                *before = x;
            }
        }
        Op::Sum => {
            for lane in lanes {
                *before = wrap(before.wrapping_add(*lane));
                *lane = *before;
            }
        }
        Op::Add(Operand::Int(y)) => each(lanes, &|x| x.wrapping_add(y)),
        Op::Subtract(Operand::Int(y)) => each(lanes, &|x| x.wrapping_sub(y)),
        Op::Multiply(Operand::Int(y)) => each(lanes, &|x| x.wrapping_mul(y)),
        // Integers are whole, and what has a float operand or divides is not done to integers.
        Op::Add(Operand::Float(_))
        | Op::Subtract(Operand::Float(_))
        | Op::Multiply(Operand::Float(_))
        | Op::Divide(_)
        | Op::Round => {}
    }
}

/// Floats of either width.
pub(crate) trait Real:
    Copy + PartialEq + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    fn exact(operand: Operand) -> Self;
    fn rounded(self) -> Self;
    fn absolute(self) -> Self;
}

macro_rules! real {
    ($type:ty, $from:expr) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            fn exact(operand: Operand) -> Self {
                match operand {
                    Operand::Float(y) => $from(y),
                    Operand::Int(y) => $from(int_to_double(y, true)),
                }
            }

            fn rounded(self) -> Self {
                self.round_ties_even()
            }

            fn absolute(self) -> Self {
                self.abs()
            }
        }
    };
}

real!(f32, to_single);
real!(f64, |x| x);

pub(crate) fn apply_to_reals<T: Real>(
    lanes: &mut [T],
    op: &Op,
    parts: usize,
    before: &mut [T; 2],
    settle: impl Fn(T) -> T,
) {
    match *op {
        Op::Difference => {
            for (k, lane) in lanes.iter_mut().enumerate() {
                let (x, last) = (*lane, &mut before[k % parts]);
                *lane = settle(x - *last);
                *last = x;
            }
        }
        Op::Sum => {
            for (k, lane) in lanes.iter_mut().enumerate() {
                let sum = &mut before[k % parts];
                *sum = settle(*sum + *lane);
                *lane = *sum;
            }
        }
        Op::Round => lanes.iter_mut().for_each(|x| *x = settle(x.rounded())),
        Op::Add(y) | Op::Subtract(y) | Op::Multiply(y) | Op::Divide(y) if parts == 2 => {
            let y = T::exact(y);
            lanes.as_chunks_mut::<2>().0.iter_mut().for_each(|z| *z = complex(*z, op, y));
        }
        Op::Add(y) => each(lanes, T::exact(y), |x, y| settle(x + y)),
        Op::Subtract(y) => each(lanes, T::exact(y), |x, y| settle(x - y)),
        Op::Multiply(y) => each(lanes, T::exact(y), |x, y| settle(x * y)),
        Op::Divide(y) => each(lanes, T::exact(y), |x, y| settle(x / y)),
    }
}

fn each<T: Real>(lanes: &mut [T], y: T, work: impl Fn(T, T) -> T) {
    for x in lanes {
        *x = work(*x, y);
    }
}

/// A complex number and a real one, which numpy takes as complex too: its part of zero counts where a number is infinite. Division
/// is that of Smith (Algorithm 116, 1962).
fn complex<T: Real>([re, im]: [T; 2], op: &Op, y: T) -> [T; 2] {
    let zero = T::ZERO;
    match op {
        Op::Add(_) => [re + y, im + zero],
        Op::Subtract(_) => [re - y, im - zero],
        Op::Multiply(_) => [re * y - im * zero, re * zero + im * y],
        Op::Divide(_) if y == zero => [re / y.absolute(), im / y.absolute()],
        Op::Divide(_) => {
            let ratio = zero / y;
            let scale = T::ONE / (y + zero * ratio);
            [(re + im * ratio) * scale, (im - re * ratio) * scale]
        }
        Op::Difference | Op::Sum | Op::Round => [re, im],
    }
}
