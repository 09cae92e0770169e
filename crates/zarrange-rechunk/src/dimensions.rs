//! The dimensions of an array by name: the one place where a name becomes a number.

use zarrange_array::Array;

/// The name of each dimension, as far as it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimensions(Vec<Option<String>>);

impl Dimensions {
    /// Those of `array`.
    pub fn of(array: &Array) -> Self {
        let names = array.document().dimension_names().unwrap_or_default();
        Self::named(names, array.shape().len())
    }

    /// `rank` dimensions, of which the first have `names`.
    pub fn named(mut names: Vec<Option<String>>, rank: usize) -> Self {
        names.resize(rank, None);
        Self(names)
    }

    /// The dimension of a name, or of a number if it has no name.
    pub fn axis(&self, name: &str) -> Option<usize> {
        let numbered = || name.parse::<usize>().ok().filter(|k| self.0.get(*k).is_some_and(Option::is_none));
        self.0.iter().position(|n| n.as_deref() == Some(name)).or_else(numbered)
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
    }
}
