//! Which objects have a value at an epoch, for each measurement: a bit each.

use std::ops::Range;

use zarrange_grid::index;

/// Bits of a word.
const BITS: usize = u64::BITS as usize;

/// For each object and measurement, whether any array has a value.
pub(super) struct Seen {
    bits: Vec<u64>,
    measurements: usize,
}

impl Seen {
    /// None of so many objects and measurements.
    pub(super) fn none(objects: u64, measurements: usize) -> Self {
        Self { bits: vec![0; (index(objects) * measurements).div_ceil(BITS)], measurements }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(objects: u64, measurements: u64) -> u64 {
        objects.saturating_mul(measurements) / 8 + 8
    }

    /// How many measurements there are.
    pub(super) const fn measurements(&self) -> usize {
        self.measurements
    }

    fn place(&self, object: usize, measurement: usize) -> (usize, u64) {
        let k = object * self.measurements + measurement;
        (k / BITS, 1 << (k % BITS))
    }

    pub(super) fn has(&self, object: usize, measurement: usize) -> bool {
        let (word, bit) = self.place(object, measurement);
        self.bits[word] & bit != 0
    }

    pub(super) fn set(&mut self, object: usize, measurement: usize) {
        let (word, bit) = self.place(object, measurement);
        self.bits[word] |= bit;
    }

    /// Whether all of these are seen.
    pub(super) fn has_all(&self, mut objects: Range<u64>, measurements: &Range<usize>) -> bool {
        objects.all(|o| measurements.clone().all(|m| self.has(index(o), m)))
    }

    /// How many objects, for each measurement.
    pub(super) fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0_u32; self.measurements];
        for (word, bits) in self.bits.iter().enumerate() {
            let mut rest = *bits;
            while rest != 0 {
                let k = word * BITS + rest.trailing_zeros() as usize;
                counts[k % self.measurements] += 1;
                rest &= rest - 1;
            }
        }
        counts
    }
}
