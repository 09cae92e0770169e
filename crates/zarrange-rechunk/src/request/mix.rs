//! A mix of accesses, as a user names it.

use std::fmt;
use std::str::FromStr;

use zarrange_plan::{Limits, Mix, Reader};

use crate::access::{access, without_count};
use crate::dimensions::Dimensions;
use crate::error::{AccessError, SpecError};

/// Weights of accesses, in the order given: an access reads one index of a dimension (`object`), so many neighbouring ones (`object:50`) or
/// scattered ones (`object~50`), or of several dimensions (`object~50+band`), and all of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedMix(Vec<(String, f64)>);

/// A mix, who reads, and the limits of the layouts chosen for it.
#[derive(Clone, Debug, PartialEq)]
pub struct MixRequest {
    /// How often what is accessed.
    pub mix: NamedMix,
    /// Who reads.
    pub reader: Reader,
    /// What a layout may be.
    pub limits: Limits,
}

/// Understands `epoch=0.2,object+band=0.8`, or `0=0.8,1=0.2` for dimensions without names.
impl FromStr for NamedMix {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = |reason: String| SpecError::Mix { given: text.to_owned(), reason };
        if text.trim().is_empty() {
            return Err(wrong("no dimension is named".to_owned()));
        }
        let mut weights: Vec<(String, f64)> = Vec::new();
        for pair in text.split(',') {
            let (name, weight) =
                pair.split_once('=').ok_or_else(|| wrong(format!("{pair:?} is not DIMENSION=WEIGHT")))?;
            let (name, weight) = (name.trim(), weight.trim());
            if name.is_empty() {
                return Err(wrong(format!("{pair:?} names no dimension")));
            }
            if weights.iter().any(|(seen, _)| seen == name) {
                return Err(wrong(format!("{name:?} has two weights")));
            }
            match weight.parse::<f64>() {
                Ok(weight) if weight.is_finite() && weight > 0.0 => weights.push((name.to_owned(), weight)),
                _ => {
                    return Err(wrong(format!("the weight {weight:?} of {name:?} is not a positive number")));
                }
            }
        }
        Ok(Self(weights))
    }
}

impl fmt::Display for NamedMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
        f.write_str(&pairs.join(","))
    }
}

impl NamedMix {
    /// The mix for an array of these dimensions and this shape.
    ///
    /// # Errors
    /// [`AccessError`] if the array lacks what is read, or two accesses are the same.
    pub fn of(&self, dimensions: &Dimensions, shape: &[u64]) -> Result<Mix, AccessError> {
        let weights = self.0.iter().map(|(name, weight)| Ok((access(name, dimensions, shape)?, *weight)));
        Ok(Mix::new(weights.collect::<Result<Vec<_>, AccessError>>()?)?)
    }

    /// The dimensions that are named, where no name looks like several or like one with a number.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().flat_map(|(name, _)| name.split('+')).map(|part| without_count(part.trim()).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_as_text() {
        let check =
            |text: &str, expected: Result<&[(&str, f64)], &str>| match (text.parse::<NamedMix>(), expected) {
                (Ok(mix), Ok(expected)) => {
                    assert_eq!(mix.to_string().parse().as_ref(), Ok(&mix), "{text}");
                    let NamedMix(found) = mix;
                    let expected: Vec<_> =
                        expected.iter().map(|(name, w)| ((*name).to_owned(), *w)).collect();
                    assert_eq!(found, expected, "{text}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
                other => panic!("{text}: {other:?}"),
            };
        check("epoch=0.2,object=0.8", Ok(&[("epoch", 0.2), ("object", 0.8)]));
        check(" epoch = 2, object=8e0 ", Ok(&[("epoch", 2.0), ("object", 8.0)]));
        check("0=1", Ok(&[("0", 1.0)]));
        check("object~50 + band=2,a:b=1", Ok(&[("object~50 + band", 2.0), ("a:b", 1.0)]));
        check("", Err("no dimension is named"));
        check("epoch", Err("\"epoch\" is not DIMENSION=WEIGHT"));
        check("epoch=1,", Err("\"\" is not DIMENSION=WEIGHT"));
        check("=1", Err("names no dimension"));
        check("epoch=1,object=2,epoch=3", Err("\"epoch\" has two weights"));
        for bad in ["0", "-1", "nan", "inf", "x", "", "1/2"] {
            check(&format!("epoch={bad}"), Err("of \"epoch\" is not a positive number"));
        }
    }
}
