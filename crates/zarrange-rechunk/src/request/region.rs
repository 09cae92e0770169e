//! A region of arrays, by the names of their dimensions.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use zarrange_grid::{Dims, Region};

use crate::dimensions::Dimensions;
use crate::error::SpecError;

/// A part of all arrays that have its dimensions: `epoch=96:128`, from the first index to before the last one; of other dimensions
/// everything. Either number may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRegion(Vec<(String, Range<u64>)>);

/// A range without an end.
const OPEN: u64 = u64::MAX;

impl NamedRegion {
    /// A range of one dimension.
    pub fn along(dimension: &str, range: Range<u64>) -> Self {
        Self(vec![(dimension.to_owned(), range)])
    }

    /// The names of its dimensions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// What it is of an array; `None` if that lacks one of the dimensions.
    pub(crate) fn of(&self, shape: &[u64], dimensions: &Dimensions) -> Option<Region> {
        let (mut start, mut end): (Dims, Dims) = (shape.iter().map(|_| 0).collect(), shape.into());
        for (name, range) in &self.0 {
            let d = dimensions.axis(name)?;
            start[d] = range.start;
            end[d] = if range.end == OPEN { shape[d].max(range.start) } else { range.end };
        }
        let shape: Dims = start.iter().zip(&end).map(|(start, end)| end - start).collect();
        Some(Region::new(start, shape))
    }
}

impl FromStr for NamedRegion {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong =
            |reason: &str| SpecError::Region { region: format!("{text:?}"), reason: reason.to_owned() };
        let number = |text: &str, otherwise: u64| match text.trim() {
            "" => Ok(otherwise),
            text => text.parse().map_err(|_| wrong(&format!("{text:?} is not an index"))),
        };
        let mut ranges: Vec<(String, Range<u64>)> = Vec::new();
        for part in text.split(',') {
            let (name, range) = part
                .split_once('=')
                .ok_or_else(|| wrong("write NAME=FROM:TO, with commas between several"))?;
            let (start, end) = range
                .split_once(':')
                .ok_or_else(|| wrong("write NAME=FROM:TO, with commas between several"))?;
            let (name, range) = (name.trim(), number(start, 0)?..number(end, OPEN)?);
            if range.is_empty() {
                return Err(wrong("a region has the indices from the first number to before the second"));
            }
            if ranges.iter().any(|(known, _)| known == name) {
                return Err(wrong(&format!("{name:?} is there twice")));
            }
            ranges.push((name.to_owned(), range));
        }
        Ok(Self(ranges))
    }
}

impl fmt::Display for NamedRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, (name, Range { start, end })) in self.0.iter().enumerate() {
            let comma = if k == 0 { "" } else { "," };
            write!(f, "{comma}{name}={start}:")?;
            if *end != OPEN {
                write!(f, "{end}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_read_and_applied() {
        let check = |text: &str, expected: Result<(&[u64], &[u64]), &str>| {
            let names = ["object", "epoch"].map(|name| Some(name.to_owned())).to_vec();
            let found = text.parse::<NamedRegion>().map(|region| {
                assert_eq!(region.to_string().parse::<NamedRegion>().unwrap(), region);
                region
                    .of(&[10, 30], &Dimensions::named(names, 2))
                    .map(|r| (r.start().to_vec(), r.shape().to_vec()))
            });
            match (found, expected) {
                (Ok(Some((start, shape))), Ok(expected)) => {
                    assert_eq!((&start[..], &shape[..]), expected, "{text}");
                }
                (Ok(None), Err(reason)) => assert_eq!(reason, "lacking", "{text}"),
                (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{text}: {error}"),
                other => panic!("{text}: {other:?}"),
            }
        };
        check("epoch=8:16", Ok((&[0, 8], &[10, 8])));
        check("epoch=8:", Ok((&[0, 8], &[10, 22])));
        check(" epoch = :8 , object=2:3", Ok((&[2, 0], &[1, 8])));
        // Where it begins beyond the array nothing is left, which is told where the array is known.
        check("epoch=40:", Ok((&[0, 40], &[10, 0])));
        check("band=0:1", Err("lacking"));
        check("epoch=8", Err("NAME=FROM:TO"));
        check("8:16", Err("NAME=FROM:TO"));
        check("epoch=8:8", Err("from the first"));
        check("epoch=9:8", Err("from the first"));
        check("epoch=-1:8", Err("not an index"));
        check("epoch=1:2,epoch=3:4", Err("twice"));
    }
}
