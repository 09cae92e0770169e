//! Seeded synthetic photometry: realistic enough to compress like the real thing, the same bytes everywhere.

use serde::Deserialize;

/// A recipe of a survey: `datasets/*.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// What all values derive from.
    pub seed: u64,
    /// Number of objects.
    pub objects: u64,
    /// Number of epochs.
    pub epochs: u64,
    /// Mean magnitudes are uniform between these.
    pub magnitude: [f64; 2],
    /// Standard deviation of a magnitude, at the bright and at the faint end.
    pub error: [f64; 2],
    /// Fraction of (object, epoch) pairs without a measurement.
    pub missing: f64,
    /// Values are rounded to multiples of 1 / this.
    pub steps_per_mag: f64,
}

/// A recipe that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("survey recipe: {0}")]
pub struct SurveyError(#[from] toml::de::Error);

impl Survey {
    /// Reads a recipe.
    ///
    /// # Errors
    /// [`SurveyError`] naming what is wrong.
    pub fn parse(recipe: &str) -> Result<Self, SurveyError> {
        Ok(toml::from_str(recipe)?)
    }

    /// One epoch of all objects: magnitude and error for each, NaN where there is no measurement. Shape (objects, 2).
    pub fn epoch(&self, epoch: u64) -> Vec<f32> {
        (0..self.objects).flat_map(|object| self.measurement(object, epoch)).collect()
    }

    /// Magnitude and error of one object at one epoch, or NaN.
    #[expect(clippy::cast_possible_truncation, reason = "values are stored as f32")]
    pub fn measurement(&self, object: u64, epoch: u64) -> [f32; 2] {
        let depth = uniform(mix(self.seed, object, u64::MAX));
        let random = mix(self.seed, object, epoch);
        if uniform(random) < self.missing {
            return [f32::NAN; 2];
        }
        let between = |[a, b]: [f64; 2], x: f64| a + (b - a) * x;
        let error = between(self.error, depth * depth);
        let magnitude = between(self.magnitude, depth) + error * normal(mix(random, object, epoch));
        let round = |x: f64| ((x * self.steps_per_mag).round() / self.steps_per_mag) as f32;
        [round(magnitude), round(error)]
    }
}

/// A number of 64 random bits for a pair, from any pair: the finaliser of splitmix64 over a running sum.
fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let mut state = seed;
    for word in [a, b] {
        state = state.wrapping_add(word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    state
}

/// Uniform in [0, 1).
#[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
fn uniform(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// Normal with mean 0 and variance 1, to the accuracy of a sum of four uniforms: integer steps, so that no mathematical
/// library can make a difference.
fn normal(random: u64) -> f64 {
    let sum: f64 = [0, 16, 32, 48]
        .map(|shift| f64::from(u16::try_from(random >> shift & 0xFFFF).unwrap_or(0)))
        .iter()
        .sum();
    // Variance of a uniform of width 65536 is 65536^2 / 12.
    (sum / 65536.0 - 2.0) * 3f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = include_str!("../../../datasets/photometry.toml");

    #[test]
    fn a_survey_looks_like_its_recipe() {
        let survey = Survey { objects: 2000, epochs: 50, ..Survey::parse(RECIPE).unwrap() };
        let epochs: Vec<Vec<f32>> = (0..survey.epochs).map(|e| survey.epoch(e)).collect();
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert!(bits(&epochs[7]) == bits(&survey.epoch(7)), "seeded");
        let values: Vec<f32> = epochs.iter().flatten().copied().collect();
        let mean =
            |values: &[f64]| values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap());
        let missing = mean(&values.iter().map(|v| f64::from(u8::from(v.is_nan()))).collect::<Vec<_>>());
        assert!((missing - survey.missing).abs() < 0.01, "{missing}");
        let mags: Vec<f64> = values.chunks(2).map(|m| f64::from(m[0])).filter(|m| !m.is_nan()).collect();
        let middle = f64::midpoint(survey.magnitude[0], survey.magnitude[1]);
        assert!((mean(&mags) - middle).abs() < 0.2, "{}", mean(&mags));
        let steps = f64::from(values[0]) * survey.steps_per_mag;
        assert!(values[0].is_nan() || (steps - steps.round()).abs() < 1e-2, "{steps}");
    }

    #[test]
    fn the_bytes_never_change() {
        let survey = Survey { objects: 3, epochs: 2, ..Survey::parse(RECIPE).unwrap() };
        let bits: Vec<u32> = survey.epoch(1).iter().map(|v| v.to_bits()).collect();
        assert_eq!(
            bits,
            [1_100_816_384, 1_040_187_392, 1_101_329_408, 1_043_333_120, 1_098_844_160, 1_017_118_720]
        );
    }

    #[test]
    fn a_wrong_recipe_is_named() {
        let error = Survey::parse("seed = 1\nobject = 5").unwrap_err().to_string();
        assert!(error.contains("object"), "{error}");
    }
}
