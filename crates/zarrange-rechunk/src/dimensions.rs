//! The dimensions of an array by name: the one place where a name becomes a number.

use zarrange_array::Array;

use crate::error::SpecError;

/// The name of each dimension, as far as it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimensions(Vec<Option<String>>);

impl Dimensions {
    /// Those of `array`.
    pub fn of(array: &Array) -> Self {
        let names = array.document().dimension_names().unwrap_or_default();
        Self::named(names, array.shape().len())
    }

    /// `rank` dimensions, of which the first have `names`. A name that several have is the name of none.
    pub fn named(mut names: Vec<Option<String>>, rank: usize) -> Self {
        names.resize(rank, None);
        let unique = |name: &Option<String>| names.iter().filter(|other| *other == name).count() == 1;
        let names = names.iter().map(|name| name.clone().filter(|_| unique(name))).collect();
        Self(names)
    }

    /// The dimension of a name, or of a number if it has no name.
    pub fn axis(&self, name: &str) -> Option<usize> {
        let numbered = |k: usize| self.0[k].is_none() && name == k.to_string();
        let named = self.0.iter().position(|n| n.as_deref() == Some(name));
        named.or_else(|| (0..self.0.len()).find(|k| numbered(*k)))
    }

    /// What [`Self::axis`] understands for each dimension: its name, or its number.
    pub fn words(&self) -> Vec<String> {
        let word = |(k, name): (usize, &Option<String>)| name.clone().unwrap_or_else(|| k.to_string());
        self.0.iter().enumerate().map(word).collect()
    }

    /// The names.
    pub fn names(&self) -> &[Option<String>] {
        &self.0
    }
}

/// Arrays that lack dimensions which are asked for, as far as somebody reads of them.
#[derive(Default)]
pub(crate) struct Unfit(Vec<(String, Dimensions)>);

impl Unfit {
    pub(crate) fn push(&mut self, path: &str, dimensions: Dimensions) {
        /// Nobody reads more.
        const NAMED: usize = 100;
        if self.0.len() < NAMED {
            self.0.push((path.to_owned(), dimensions));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The error where no array fits: the dimensions that are nowhere, or else all, which no array has together.
    pub(crate) fn error<'a>(
        &self,
        what: &'static str,
        asked: impl Iterator<Item = &'a str> + Clone,
    ) -> SpecError {
        let nowhere = |name: &&str| self.0.iter().all(|(_, dimensions)| dimensions.axis(name).is_none());
        let mut dimensions: Vec<&str> = asked.clone().filter(nowhere).collect();
        if dimensions.is_empty() {
            dimensions = asked.collect();
        }
        let listed = |(path, dimensions): &(String, Dimensions)| {
            let space = if path.is_empty() { "" } else { " " };
            format!("{path}{space}({})", dimensions.words().join(", "))
        };
        SpecError::Dimensions {
            what,
            dimensions: dimensions.into_iter().map(str::to_owned).collect(),
            arrays: self.0.iter().map(listed).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_by_name_or_number() {
        let check = |names: &[Option<&str>], name: &str, expected: Option<usize>| {
            let names: Vec<_> = names.iter().map(|n| n.map(str::to_owned)).collect();
            let dimensions = Dimensions::named(names, 2);
            assert_eq!(dimensions.axis(name), expected, "{dimensions:?} {name}");
            if let Some(axis) = expected {
                assert_eq!(dimensions.axis(&dimensions.words()[axis]), expected, "{dimensions:?}");
            }
        };
        check(&[Some("object"), Some("epoch")], "epoch", Some(1));
        check(&[Some("object"), Some("epoch")], "1", None);
        check(&[None, None], "1", Some(1));
        check(&[None, None], "2", None);
        check(&[None, Some("0")], "0", Some(1));
        check(&[], "0", Some(0));
        check(&[], "00", None);
        check(&[Some("x"), Some("x")], "x", None);
        check(&[Some("x"), Some("x")], "1", Some(1));
    }
}
