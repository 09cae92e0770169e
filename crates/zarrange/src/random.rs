//! Random numbers that are the same in every run.

/// A small seeded generator (splitmix64, Steele, Lea and Flood 2014): the same requests in every run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Two normal numbers: two uniform ones make them (Box and Muller 1958).
    pub fn normal(&mut self) -> [f64; 2] {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (self.uniform() * std::f64::consts::TAU).sin_cos();
        [radius * sin, radius * cos]
    }

    /// `count` distinct numbers below `bound`, in random order.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn distinct(&mut self, count: usize, bound: u64) -> Vec<u64> {
        assert!(count as u64 <= bound, "{count} distinct numbers below {bound}");
        let mut seen = std::collections::HashSet::new();
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            let number = self.next() % bound;
            if seen.insert(number) {
                out.push(number);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_numbers_are_all_different() {
        let numbers = Random::new(1).distinct(50, 50);
        assert_eq!(numbers.iter().sum::<u64>(), 49 * 50 / 2);
    }
}
