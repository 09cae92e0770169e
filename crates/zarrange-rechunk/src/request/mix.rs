//! A mix of accesses, as a user names it.

use std::fmt;
use std::str::FromStr;

use zarrange_plan::{Access, Limits, Mix, Pick, Reader};

use crate::access::{access, without_count, written};
use crate::dimensions::Dimensions;
use crate::error::{AccessError, SpecError};

/// Weights of accesses, in the order given: an access reads one index of a dimension (`object`), so many neighbouring ones (`object:50`) or
/// scattered ones (`object~50`), or of several dimensions (`object~50+band`), and all of the others. One that is written begins with `write:`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedMix {
    weights: Vec<(String, f64)>,
    per_day: bool,
    fixed: Fixed,
}

/// Dimensions of which every access reads so many neighbouring indices, unless it says otherwise: `measurement=1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixed(Vec<(String, u64)>);

impl FromStr for Fixed {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let one = |pair: &str| {
            let (name, count) = pair.rsplit_once('=')?;
            let count = count.trim().parse().ok().filter(|count| *count > 0)?;
            Some((name.trim().to_owned(), count)).filter(|(name, _)| !name.is_empty())
        };
        let wrong = |pair: &str| SpecError::Fixed { given: pair.to_owned() };
        text.split(',').map(|pair| one(pair).ok_or_else(|| wrong(pair))).collect::<Result<_, _>>().map(Self)
    }
}

/// Behind a number of accesses in a day.
const PER_DAY: &str = "/day";

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
        let mut counted = 0;
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
            let count = weight.strip_suffix(PER_DAY);
            counted += usize::from(count.is_some());
            match count.unwrap_or(weight).trim_end().parse::<f64>() {
                Ok(weight) if weight.is_finite() && weight > 0.0 => weights.push((name.to_owned(), weight)),
                _ => {
                    return Err(wrong(format!("the weight {weight:?} of {name:?} is not a positive number")));
                }
            }
        }
        if counted != 0 && counted != weights.len() {
            return Err(wrong("some of it is a day and some a share: say all of it in one way".to_owned()));
        }
        Ok(Self { weights, per_day: counted > 0, fixed: Fixed::default() })
    }
}

impl fmt::Display for NamedMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.per_day { PER_DAY } else { "" };
        let pairs: Vec<String> =
            self.weights.iter().map(|(name, weight)| format!("{name}={weight}{unit}")).collect();
        f.write_str(&pairs.join(","))
    }
}

impl NamedMix {
    /// The mix for an array of these dimensions and this shape.
    ///
    /// # Errors
    /// [`AccessError`] if the array lacks what is read, or two accesses are the same.
    pub fn of(&self, dimensions: &Dimensions, shape: &[u64]) -> Result<Mix, AccessError> {
        let fixed = self.fixed.picks(dimensions, shape)?;
        let of = |(name, weight): &(String, f64)| {
            let found = access(name, dimensions, shape)?;
            if found.writes() {
                return Ok((found, *weight));
            }
            let free = |pick: &&Pick| found.picks().iter().all(|own| own.axis != pick.axis);
            let picks = found.picks().iter().chain(fixed.iter().filter(free)).copied().collect();
            Ok((Access::new(picks)?, *weight))
        };
        Ok(Mix::new(self.weights.iter().map(of).collect::<Result<Vec<_>, AccessError>>()?)?)
    }

    /// The same, with dimensions of which every access that reads has so many indices.
    #[must_use]
    pub fn fixing(self, fixed: Fixed) -> Self {
        Self { fixed, ..self }
    }

    /// Dimensions that are fixed to no end: every access that reads says itself how many of their indices it takes.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn needless(&self, dimensions: &Dimensions, shape: &[u64]) -> Result<Vec<&str>, AccessError> {
        let accesses = self.weights.iter().map(|(name, _)| access(name, dimensions, shape));
        let accesses = accesses.collect::<Result<Vec<_>, _>>()?;
        let fixed = self.fixed.picks(dimensions, shape)?;
        let takes = |access: &Access, axis: usize| access.picks().iter().any(|own| own.axis == axis);
        let needless =
            |pick: &Pick| accesses.iter().all(|access| access.writes() || takes(access, pick.axis));
        // Each has one pick.
        let pairs = self.fixed.0.iter().zip(&fixed);
        Ok(pairs.filter(|(_, pick)| needless(pick)).map(|((name, _), _)| name.as_str()).collect())
    }

    /// Accesses in a day, where that is what the weights are.
    pub fn per_day(&self) -> Option<f64> {
        self.per_day.then(|| self.weights.iter().map(|(_, count)| count).sum())
    }

    /// The dimensions that are named, where no name looks like several or like one with a number.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = &str> + Clone {
        let names = self.weights.iter().flat_map(|(name, _)| written(name).unwrap_or(name).split('+'));
        names
            .map(|part| without_count(part.trim()).0)
            .chain(self.fixed.0.iter().map(|(name, _)| name.as_str()))
    }
}

impl Fixed {
    fn picks(&self, dimensions: &Dimensions, shape: &[u64]) -> Result<Vec<Pick>, AccessError> {
        let text = |(name, count): &(String, u64)| access(&format!("{name}:{count}"), dimensions, shape);
        let found = self.0.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok(found.iter().flat_map(Access::picks).copied().collect())
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
                    let found = mix.weights;
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
        check("write:epoch=20/day, object = 5000 /day", Ok(&[("write:epoch", 20.0), ("object", 5000.0)]));
        check("write:epoch=20/day,object=0.8", Err("some of it is a day and some a share"));
        check("epoch=20/week", Err("\"20/week\" of \"epoch\" is not a positive number"));
        check("", Err("no dimension is named"));
        check("epoch", Err("\"epoch\" is not DIMENSION=WEIGHT"));
        check("epoch=1,", Err("\"\" is not DIMENSION=WEIGHT"));
        check("=1", Err("names no dimension"));
        check("epoch=1,object=2,epoch=3", Err("\"epoch\" has two weights"));
        for bad in ["0", "-1", "nan", "inf", "x", "", "1/2"] {
            check(&format!("epoch={bad}"), Err("of \"epoch\" is not a positive number"));
        }
    }

    #[test]
    fn dimensions_are_fixed_where_an_access_does_not_name_them() {
        let dimensions =
            Dimensions::named(["object", "epoch", "band"].map(|name| Some(name.to_owned())).to_vec(), 3);
        let check = |mix: &str, fixed: &str, expected: Result<&str, &str>| {
            let found = fixed.parse().map_err(|error: SpecError| error.to_string()).and_then(|fixed| {
                let mix = mix.parse::<NamedMix>().unwrap().fixing(fixed);
                mix.of(&dimensions, &[100, 20, 7]).map_err(|error| error.to_string())
            });
            match (found, expected) {
                (Ok(mix), Ok(expected)) => {
                    let all: Vec<String> =
                        mix.weights().iter().map(|(access, _)| dimensions.text_of(access)).collect();
                    assert_eq!(all.join(" "), expected);
                }
                (Err(error), Err(part)) => assert!(error.contains(part), "{fixed}: {error}"),
                other => panic!("{mix} {fixed}: {other:?}"),
            }
        };
        check("object=1,epoch=1", "band=1", Ok("object+band epoch+band"));
        check("object+band:3=1,write:epoch=1", "band=1", Ok("object+band:3 write:epoch"));
        check("object=1", "band=2,epoch=5", Ok("object+epoch:5+band:2"));
        check("object=1", "band=8", Err("reads 8 of dimension \"band\": from 1 to 7"));
        check("object=1", "night=1", Err("\"night\" is none of the dimensions"));
        for wrong in ["band", "band=0", "band=x", "=1", ""] {
            check("object=1", wrong, Err("is not DIMENSION=COUNT"));
        }
    }
}
