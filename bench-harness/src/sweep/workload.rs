//! What is read: operations on an array of objects and epochs.

use std::fmt;
use std::hash::{Hash, Hasher};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use zarrange_grid::{Dims, Region};

use crate::random::Random;
use crate::sweep::facts::DatasetFacts;

/// Kinds of operations with their shares, and when operations begin. In a record it is the text that it was written as.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Workload {
    /// What it was written as.
    pub name: String,
    kinds: Vec<(Kind, f64)>,
    /// Operations a second that begin whether the one before has ended or not; `None`: one after the other.
    pub rate: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Epoch,
    Object,
    Block(u64),
    Window(u64),
    Random(u64),
}

/// What a workload may be, for messages.
pub const KINDS: &str = "epoch, object, block:N (N objects that follow each other), window:N (N epochs), random:N (N objects at once), \
     a mix such as epoch=0.2,object=0.8, each also @RATE (operations a second)";

impl Workload {
    /// Understands [`KINDS`].
    ///
    /// # Errors
    /// If `text` is none of them.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let unknown = || format!("workload {text:?} is none of {KINDS}");
        let (mix, rate) = match text.split_once('@') {
            Some((mix, rate)) => (mix, Some(rate.parse::<f64>().ok().with_context(unknown)?)),
            None => (text, None),
        };
        ensure!(rate.is_none_or(|rate| rate.is_finite() && rate > 0.0), unknown());
        let kinds = mix.split(',').map(|part| {
            let (kind, share) = part.split_once('=').unwrap_or((part, "1"));
            let share: f64 = share.parse().ok().with_context(unknown)?;
            ensure!(share.is_finite() && share > 0.0, unknown());
            Ok((Kind::parse(kind).with_context(unknown)?, share))
        });
        let kinds = kinds.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { name: text.to_owned(), kinds, rate })
    }

    /// `count` operations, each the regions that it reads; always the same for the same dataset.
    ///
    /// # Errors
    /// If the dataset has fewer objects or epochs than an operation wants.
    pub fn operations(&self, dataset: &DatasetFacts, count: u64) -> anyhow::Result<Vec<Vec<Region>>> {
        let mut random = Random::new(1 + count);
        let total: f64 = self.kinds.iter().map(|(_, share)| share).sum();
        (0..count)
            .map(|_| {
                #[expect(clippy::cast_precision_loss, reason = "32 bits")]
                let mut point = (random.next() >> 32) as f64 / (1u64 << 32) as f64 * total;
                let kind = self.kinds.iter().find(|(_, share)| {
                    point -= share;
                    point < 0.0
                });
                let (kind, _) = kind.or(self.kinds.last()).context("a workload has a kind")?;
                kind.regions(dataset, &mut random)
            })
            .collect()
    }
}

impl TryFrom<String> for Workload {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        Self::parse(&text)
    }
}

impl From<Workload> for String {
    fn from(workload: Workload) -> Self {
        workload.name
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

// All else follows from the text.
impl PartialEq for Workload {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Workload {}

impl Hash for Workload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        let (name, count) = match text.split_once(':') {
            Some((name, count)) => (name, Some(count.parse::<u64>().ok().filter(|n| *n > 0)?)),
            None => (text, None),
        };
        match (name, count) {
            ("epoch", None) => Some(Self::Epoch),
            ("object", None) => Some(Self::Object),
            ("block", Some(n)) => Some(Self::Block(n)),
            ("window", Some(n)) => Some(Self::Window(n)),
            ("random", Some(n)) => Some(Self::Random(n)),
            _ => None,
        }
    }

    fn regions(self, dataset: &DatasetFacts, random: &mut Random) -> anyhow::Result<Vec<Region>> {
        let (objects, epochs) = dataset.axes;
        let run = |axis: usize, length: u64, random: &mut Random| -> anyhow::Result<Vec<Region>> {
            let n = dataset.shape[axis];
            if length > n {
                bail!("{length} of {n} along dimension {axis} of {:?} are wanted", dataset.shape);
            }
            let mut start: Dims = dataset.shape.iter().map(|_| 0).collect();
            let mut shape: Dims = dataset.shape.as_slice().into();
            (start[axis], shape[axis]) = (random.next() % (n - length + 1), length);
            Ok(vec![Region::new(start, shape)])
        };
        match self {
            Self::Epoch => run(epochs, 1, random),
            Self::Object => run(objects, 1, random),
            Self::Block(n) => run(objects, n, random),
            Self::Window(n) => run(epochs, n, random),
            Self::Random(n) => {
                let batches = (0..n).map(|_| run(objects, 1, random)).collect::<anyhow::Result<Vec<_>>>()?;
                Ok(batches.into_iter().flatten().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> DatasetFacts {
        DatasetFacts { name: "d".to_owned(), shape: vec![100, 20, 2], item_bytes: 4, axes: (0, 1) }
    }

    #[test]
    fn operations_read_what_they_are_called() {
        let check = |text: &str, regions: usize, shape: [u64; 3]| {
            let workload = Workload::parse(text).unwrap();
            let operations = workload.operations(&dataset(), 30).unwrap();
            assert_eq!(operations.len(), 30);
            for operation in &operations {
                assert_eq!(operation.len(), regions, "{text}");
                for region in operation {
                    assert_eq!(region.shape(), shape, "{text}");
                    assert!(Region::whole(&dataset().shape).contains(region));
                }
            }
            assert!(
                operations.iter().any(|operation| operation != &operations[0]),
                "{text}: always the same"
            );
            assert_eq!(operations, workload.operations(&dataset(), 30).unwrap(), "seeded");
        };
        check("epoch", 1, [100, 1, 2]);
        check("object", 1, [1, 20, 2]);
        check("block:7", 1, [7, 20, 2]);
        check("window:3@50", 1, [100, 3, 2]);
        check("random:5", 5, [1, 20, 2]);
    }

    #[test]
    fn a_mix_has_its_shares() {
        let operations = Workload::parse("epoch=1,object=3").unwrap().operations(&dataset(), 1000).unwrap();
        let epochs = operations.iter().filter(|o| o[0].shape()[1] == 1).count();
        assert!((200..300).contains(&epochs), "{epochs}");
    }

    #[test]
    fn others_are_refused_with_what_there_is() {
        for text in
            ["", "epok", "block", "block:0", "epoch:3", "epoch@0", "epoch=0", "epoch=x", "object@fast"]
        {
            let error = Workload::parse(text).unwrap_err().to_string();
            assert!(error.contains("random:N"), "{text}: {error}");
        }
        assert!(Workload::parse("block:200").unwrap().operations(&dataset(), 1).is_err());
    }
}
