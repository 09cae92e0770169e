//! A digest of the elements of an array that no layout changes.
//!
//! It is the sum over all elements of `(bits ^ fill bits) * key(place)`, modulo 2^128: a multilinear hash (Lemire and Kaser, "Strongly
//! universal string hashing is fast", 2014) whose keys are made of places. So elements can be added in any order, by many threads and
//! machines. Elements that have the bits of the fill value add nothing, so nobody need look for chunks that are not stored. An element of
//! more than eight bytes is so many words, each with a place of its own.
//!
//! It finds errors: one wrong element of at most eight bytes always changes it, and several miss each other by chance only, as random
//! keys of 64 bits would. It does not resist forgery, for the keys are known.
//!
//! Rejected: keys that are only multiplied, modulo 2^64. Of rows and columns that change signs together the lowest bits vanish, and elements
//! can be named whose changes cancel. Rejected: a key that is mixed anew for each place. Chunks of one epoch hold elements that are far from
//! each other, and it took more than twice as long. Rejected: AES, which wants `unsafe` and hardware.

use smallvec::SmallVec;

use crate::{Region, Strides, index};

/// Bytes of what is multiplied at once.
const WORD_BYTES: usize = 8;

/// Bits of a place that choose from a table; there are two of them, and what is above is mixed.
const BITS: u32 = 10;

/// Numbers of a table.
const LEN: usize = 1 << BITS;

/// Places that differ in those bits only.
const WITHIN: usize = LEN * LEN;

/// Neighbours from which on it pays to take those of one key together.
const TOGETHER: u64 = 16;

/// Elements of a column that are taken before the next column: with their neighbours they fit the second cache of a core.
const COLUMN: usize = 4096;

/// Digests elements of one array.
#[derive(Clone, Debug)]
pub struct Digester {
    /// Words from one element to the next in each dimension of the array.
    places: SmallVec<[u128; 6]>,
    /// The bytes of the fill value.
    fill: SmallVec<[u8; 16]>,
    keys: Box<Keys>,
}

/// A loop over elements.
#[derive(Clone, Copy, Debug)]
struct Axis {
    len: u64,
    /// Words of the array from one to the next.
    place: u128,
    /// Bytes of memory from one to the next.
    bytes: usize,
}

impl Axis {
    const NONE: Self = Self { len: 1, place: 0, bytes: 0 };
}

impl Digester {
    /// For elements of an array of this shape and fill value, as they lie in memory.
    pub fn new(shape: &[u64], fill: &[u8]) -> Self {
        let mut place = fill.len().div_ceil(WORD_BYTES) as u128;
        let mut places: SmallVec<[u128; 6]> = SmallVec::from_elem(0, shape.len());
        for (d, length) in shape.iter().enumerate().rev() {
            places[d] = place;
            // An array without elements has no places either.
            place = place.wrapping_mul(u128::from(*length));
        }
        Self { places, fill: fill.into(), keys: Box::new(Keys::new()) }
    }

    /// The sum over the elements of `region`, which lie in `data` as `strides` says.
    ///
    /// # Panics
    /// If they do not lie there.
    pub fn sum(&self, region: &Region, data: &[u8], strides: &Strides) -> u128 {
        if region.is_empty() || self.fill.is_empty() {
            return 0;
        }
        let mut axes = self.axes(region, strides);
        let inner = axes.pop().unwrap_or(Axis::NONE);
        let outer = axes.pop().unwrap_or(Axis::NONE);
        let starts = region.start().iter().zip(&self.places);
        let first = starts
            .fold(0u128, |sum, (start, place)| sum.wrapping_add(place.wrapping_mul(u128::from(*start))));
        let (mut place, mut at) = (first, index(strides.offset(region.start())));
        let mut counter: SmallVec<[u64; 6]> = SmallVec::from_elem(0, axes.len());
        let mut sum = 0u128;
        loop {
            sum = sum.wrapping_add(self.plane(place, &data[at..], [outer, inner]));
            let Some(d) = (0..axes.len()).rev().find(|d| counter[*d] + 1 < axes[*d].len) else { return sum };
            for (axis, count) in axes.iter().zip(&mut counter).skip(d + 1) {
                place = place.wrapping_sub(axis.place.wrapping_mul(u128::from(*count)));
                at -= axis.bytes * index(*count);
                *count = 0;
            }
            counter[d] += 1;
            place = place.wrapping_add(axes[d].place);
            at += axes[d].bytes;
        }
    }

    /// The element at `place` (in C order) that is no fixed number of bytes, nor the fill value: `hash` is one of its bytes.
    pub fn hashed(&self, place: u128, hash: u128) -> u128 {
        let places = (0..).map(|k| place.wrapping_mul(2).wrapping_add(k));
        let sums = halves(hash).into_iter().zip(places);
        sums.fold(0, |sum, (word, place)| sum.wrapping_add(product(word, self.keys.of(place))))
    }

    /// The loops over `region`, those outermost first that take the longest steps in memory.
    fn axes(&self, region: &Region, strides: &Strides) -> SmallVec<[Axis; 6]> {
        let along = |d: usize| Axis {
            len: region.shape()[d],
            place: self.places[d],
            bytes: index(strides.of_axes()[d]),
        };
        let mut axes: SmallVec<[Axis; 6]> = (0..region.rank()).map(along).filter(|a| a.len > 1).collect();
        axes.sort_by_key(|axis| std::cmp::Reverse(axis.bytes));
        axes.dedup_by(|inner, outer| {
            let place = inner.place.wrapping_mul(u128::from(inner.len));
            let one = outer.place == place && outer.bytes == inner.bytes * index(inner.len);
            if one {
                *outer = Axis { len: outer.len * inner.len, ..*inner };
            }
            one
        });
        axes
    }

    /// The sum of two loops; the first element is that of `place`, at the beginning of `data`.
    fn plane(&self, place: u128, data: &[u8], axes: [Axis; 2]) -> u128 {
        match self.fill.len() {
            1 => self.numbers(place, data, axes, |bytes: [u8; 1]| u64::from(bytes[0])),
            2 => self.numbers(place, data, axes, |bytes| u64::from(u16::from_le_bytes(bytes))),
            4 => self.numbers(place, data, axes, |bytes| u64::from(u32::from_le_bytes(bytes))),
            8 => self.numbers(place, data, axes, u64::from_le_bytes),
            _ => self.records(place, data, axes),
        }
    }

    /// Of elements of one word.
    fn numbers<const N: usize>(
        &self,
        place: u128,
        data: &[u8],
        [outer, inner]: [Axis; 2],
        word: impl Fn([u8; N]) -> u64 + Copy,
    ) -> u128 {
        let fill = word(first(&self.fill));
        let differs = |bytes: [u8; N]| word(bytes) ^ fill;
        let (mut sum, mut upper) = (0u128, Upper::of(place));
        let together = inner.len >= TOGETHER && inner.place == 1 && inner.bytes == N;
        if inner.len < TOGETHER && inner.len < outer.len {
            // To begin a line takes longer than an element of it: down the columns, as far as the cache holds them.
            for first in (0..outer.len).step_by(COLUMN) {
                let column = Axis { len: outer.len.min(first + COLUMN as u64) - first, ..outer };
                let place = place.wrapping_add(outer.place.wrapping_mul(u128::from(first)));
                let data = &data[index(first) * outer.bytes..];
                for k in 0..inner.len {
                    let place = place.wrapping_add(inner.place.wrapping_mul(u128::from(k)));
                    let data = &data[index(k) * inner.bytes..];
                    sum = sum.wrapping_add(self.apart(place, &mut upper, data, column, differs));
                }
            }
            return sum;
        }
        for j in 0..outer.len {
            let place = place.wrapping_add(outer.place.wrapping_mul(u128::from(j)));
            let data = &data[index(j) * outer.bytes..];
            sum = sum.wrapping_add(if together {
                let (elements, _) = data[..index(inner.len) * N].as_chunks::<N>();
                self.neighbours(place, &mut upper, elements, differs)
            } else {
                self.apart(place, &mut upper, data, inner, differs)
            });
        }
        sum
    }

    /// Of elements that are neighbours in memory and in the array.
    fn neighbours<const N: usize>(
        &self,
        mut place: u128,
        upper: &mut Upper,
        mut elements: &[[u8; N]],
        differs: impl Fn([u8; N]) -> u64,
    ) -> u128 {
        let mut sum = 0u128;
        while !elements.is_empty() {
            upper.go_to(place);
            let (middle, first) = (self.keys.middle(*upper, within(place)), within(place) % LEN);
            let (now, later) = elements.split_at(elements.len().min(LEN - first));
            for (bytes, lower) in now.iter().zip(&self.keys.lower[first..]) {
                sum = sum.wrapping_add(product(differs(*bytes), folded(middle, *lower)));
            }
            (elements, place) = (later, place.wrapping_add(now.len() as u128));
        }
        sum
    }

    /// Of elements along an axis.
    fn apart<const N: usize>(
        &self,
        mut place: u128,
        upper: &mut Upper,
        data: &[u8],
        axis: Axis,
        differs: impl Fn([u8; N]) -> u64,
    ) -> u128 {
        let mut elements = data.chunks(axis.bytes.max(N)).take(index(axis.len));
        let step = usize::try_from(axis.place).unwrap_or(WITHIN).clamp(1, WITHIN);
        let mut sum = 0u128;
        while elements.len() > 0 {
            upper.go_to(place);
            let mut at = within(place);
            let now = elements.len().min((WITHIN - 1 - at) / step + 1);
            for element in elements.by_ref().take(now) {
                sum = sum.wrapping_add(product(differs(first(element)), self.keys.at(*upper, at)));
                at += step;
            }
            place = place.wrapping_add(axis.place.wrapping_mul(now as u128));
        }
        sum
    }

    /// Of elements of any size, at any places.
    fn records(&self, place: u128, data: &[u8], [outer, inner]: [Axis; 2]) -> u128 {
        let (mut sum, mut upper) = (0u128, Upper::of(place));
        for j in 0..outer.len {
            let mut place = place.wrapping_add(outer.place.wrapping_mul(u128::from(j)));
            let data = &data[index(j) * outer.bytes..];
            for k in 0..index(inner.len) {
                let record = &data[k * inner.bytes..][..self.fill.len()];
                let words = record.chunks(WORD_BYTES).zip(self.fill.chunks(WORD_BYTES));
                for (number, (word, fill)) in words.enumerate() {
                    let place = place.wrapping_add(number as u128);
                    upper.go_to(place);
                    let differs = padded(word) ^ padded(fill);
                    sum = sum.wrapping_add(product(differs, self.keys.at(upper, within(place))));
                }
                place = place.wrapping_add(inner.place);
            }
        }
        sum
    }
}

/// Keys of places, of an odd number for each third of their bits.
#[derive(Clone, Debug)]
struct Keys {
    lower: [u64; LEN],
    middle: [u64; LEN],
}

/// What is above the two tables' bits of a place, and its number.
#[derive(Clone, Copy)]
struct Upper {
    bits: u128,
    number: u64,
}

impl Upper {
    fn of(place: u128) -> Self {
        let bits = place >> (2 * BITS);
        let [low, high] = halves(bits);
        Self { bits, number: mixed(mixed(low) ^ high) | 1 }
    }

    /// Becomes that of another place, which mostly is the same.
    fn go_to(&mut self, place: u128) {
        if self.bits != place >> (2 * BITS) {
            *self = Self::of(place);
        }
    }
}

impl Keys {
    fn new() -> Self {
        let number = |k: usize| mixed(k as u64) | 1;
        Self { lower: std::array::from_fn(number), middle: std::array::from_fn(|k| number(LEN + k)) }
    }

    fn of(&self, place: u128) -> u64 {
        self.at(Upper::of(place), within(place))
    }

    /// That of the place `within` below `upper`.
    fn at(&self, upper: Upper, within: usize) -> u64 {
        folded(self.middle(upper, within), self.lower[within % LEN])
    }

    fn middle(&self, upper: Upper, within: usize) -> u64 {
        upper.number.wrapping_mul(self.middle[within / LEN % LEN])
    }
}

/// Both halves of the product.
fn folded(one: u64, other: u64) -> u64 {
    let [low, high] = halves(u128::from(one) * u128::from(other));
    (low ^ high) | 1
}

/// The bits of a place that choose from the tables.
fn within(place: u128) -> usize {
    (place % WITHIN as u128) as usize
}

fn product(word: u64, key: u64) -> u128 {
    u128::from(word) * u128::from(key)
}

/// The first bytes of an element.
fn first<const N: usize>(element: &[u8]) -> [u8; N] {
    let Some(bytes) = element.first_chunk::<N>() else { panic!("elements lie in their buffer") };
    *bytes
}

/// A word, filled up with zeros.
fn padded(bytes: &[u8]) -> u64 {
    if let Ok(bytes) = bytes.try_into() {
        return u64::from_le_bytes(bytes);
    }
    let mut word = [0; WORD_BYTES];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// The lower and the upper half.
#[expect(clippy::cast_possible_truncation, reason = "what is cut off is the other half")]
fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

/// Numbers that look like chance (the finalizer of splitmix64, by Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
