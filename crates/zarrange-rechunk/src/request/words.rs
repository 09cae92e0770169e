//! Answers of one word. The words are those that plans are written with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zarrange_plan::UnknownWord;

/// What becomes of files of the source that are neither metadata nor chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// They are left behind, and that is said.
    Skip,
    /// They are copied.
    Copy,
    /// They are an error.
    Fail,
}

/// What is compared with the source before the target is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Nothing.
    None,
    /// A few tiles of each array, spread evenly.
    Sample,
    /// Everything, by digests: the target is read, and the source once only, when it is moved. What went wrong on the way from the source is
    /// not found.
    Digest,
    /// Everything: both are read.
    Full,
}

impl Verify {
    /// Whether all of the target is looked at.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Digest | Self::Full)
    }
}

/// What survives a crash of the machine right after the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Nothing is promised.
    None,
    /// The whole target.
    Commit,
}

/// Text for types whose words serde knows.
macro_rules! words {
    ($($kind:ident is a $what:literal of $all:expr;)+) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.serialize(f)
            }
        }

        impl FromStr for $kind {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                UnknownWord::find($what, $all, text)
            }
        }
    )+};
}

words! {
    Foreign is a "way to treat files that are not Zarr" of [Self::Skip, Self::Copy, Self::Fail];
    Verify is a "amount to compare" of [Self::None, Self::Sample, Self::Digest, Self::Full];
    Durability is a "durability" of [Self::None, Self::Commit];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        fn check<T>(words: &str, last: &T, wrong: &str)
        where
            T: FromStr<Err = UnknownWord> + fmt::Display + fmt::Debug + PartialEq,
        {
            let read: Vec<T> = words.split(' ').map(|word| word.parse().unwrap()).collect();
            let written: Vec<String> = read.iter().map(ToString::to_string).collect();
            assert_eq!(written.join(" "), words);
            assert_eq!(read.last(), Some(last));
            assert_eq!("Full-ish".parse::<T>().unwrap_err().to_string(), wrong);
        }
        check(
            "skip copy fail",
            &Foreign::Fail,
            "\"Full-ish\" is no way to treat files that are not Zarr: use skip, copy or fail",
        );
        check(
            "none sample digest full",
            &Verify::Full,
            "\"Full-ish\" is no amount to compare: use none, sample, digest or full",
        );
        check("none commit", &Durability::Commit, "\"Full-ish\" is no durability: use none or commit");
    }
}
