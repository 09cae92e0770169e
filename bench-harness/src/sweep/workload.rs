//! What is read: operations on an array of objects and epochs.

use std::fmt;
use std::hash::{Hash, Hasher};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use zarrange_grid::{Dims, Region, index};
use zarrange_plan::{Access, Pick};
use zarrange_rechunk::NamedMix;

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
    /// Whether that is written, behind what is there already, instead of read.
    pub writes: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Epoch,
    Object,
    Block(u64),
    Window(u64),
    Random(u64),
    /// An access as in a mix: indices of `object`, of `epoch` and of other dimensions by their numbers.
    Access(NamedMix),
}

/// What is read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The regions, one after the other.
    pub regions: Vec<Region>,
    /// Elements of them that are wanted.
    pub elements: u64,
    /// What is wanted of each dimension, for readers that take indices that are scattered in one call.
    pub scattered: Option<Vec<Selected>>,
}

/// What an operation wants along a dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Selected {
    /// Neighbouring indices: the first, and how many.
    Run(u64, u64),
    /// These, in order.
    Indices {
        /// The indices.
        indices: Vec<u64>,
    },
}

impl Operation {
    /// What it wants, call by call, along each dimension.
    pub fn calls(&self) -> Vec<Vec<Selected>> {
        let of = |region: &Region| {
            region
                .start()
                .iter()
                .zip(region.shape())
                .map(|(start, count)| Selected::Run(*start, *count))
                .collect()
        };
        self.scattered.as_ref().map_or_else(|| self.regions.iter().map(of).collect(), |all| vec![all.clone()])
    }
}

/// What a workload may be, for messages.
pub const KINDS: &str = "epoch, object, block:N (N objects that follow each other), window:N (N epochs), random:N (N objects at once), \
     object+2 (one index of both, other dimensions than object and epoch by number), object:N, object~N (N neighbouring or scattered \
     ones, chunk by chunk), a mix such as epoch=0.2,object+2=0.8, each also @RATE (operations a second); write:epoch, write:epoch:N (the \
     next N epochs are written)";

impl Workload {
    /// Understands [`KINDS`].
    ///
    /// # Errors
    /// If `text` is none of them.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let unknown = || format!("workload {text:?} is none of {KINDS}");
        if let Some(written) = text.strip_prefix("write:") {
            let of = Kind::parse(written).with_context(unknown)?;
            ensure!(matches!(of, Kind::Epoch | Kind::Object | Kind::Access(_)), unknown());
            return Ok(Self { name: text.to_owned(), kinds: vec![(of, 1.0)], rate: None, writes: true });
        }
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
        Ok(Self { name: text.to_owned(), kinds, rate, writes: false })
    }

    /// The accesses that an operation consists of, and how many of each it has on average.
    ///
    /// # Errors
    /// If the dataset lacks what is read.
    pub fn accesses(&self, dataset: &DatasetFacts) -> anyhow::Result<Vec<(Access, f64)>> {
        let total: f64 = self.kinds.iter().map(|(_, share)| share).sum();
        let (objects, epochs) = dataset.axes;
        let run = |axis: usize, count: u64| Access::new(vec![Pick { axis, count, scattered: false }]);
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let of = |(kind, share): &(Kind, f64)| {
            let (access, times) = match kind {
                Kind::Epoch => (epochs.into(), 1.0),
                Kind::Object => (objects.into(), 1.0),
                Kind::Block(n) => (run(objects, *n)?, 1.0),
                Kind::Window(n) => (run(epochs, *n)?, 1.0),
                Kind::Random(n) => (objects.into(), *n as f64),
                Kind::Access(mix) => {
                    let mix = mix.of(&dataset.dimensions(), &dataset.shape)?;
                    (mix.weights().first().context("a mix has an access")?.0.clone(), 1.0)
                }
            };
            Ok((if self.writes { access.written() } else { access }, times * share / total))
        };
        self.kinds.iter().map(of).collect()
    }

    /// `count` operations on an array in chunks of this shape; what is wanted is always the same for the same dataset.
    ///
    /// # Errors
    /// If the dataset has fewer objects or epochs than an operation wants.
    pub fn operations(
        &self,
        dataset: &DatasetFacts,
        chunk: &[u64],
        count: u64,
    ) -> anyhow::Result<Vec<Operation>> {
        let mut random = Random::new(1 + count);
        let axis = self.writes.then(|| self.written_axis(dataset)).transpose()?;
        let total: f64 = self.kinds.iter().map(|(_, share)| share).sum();
        (0..count)
            .map(|number| {
                #[expect(clippy::cast_precision_loss, reason = "32 bits")]
                let mut point = (random.next() >> 32) as f64 / (1u64 << 32) as f64 * total;
                let kind = self.kinds.iter().find(|(_, share)| {
                    point -= share;
                    point < 0.0
                });
                let (kind, _) = kind.or(self.kinds.last()).context("a workload has a kind")?;
                let operation = kind.operation(dataset, chunk, &mut random)?;
                match axis {
                    Some(axis) => behind(operation, number, (axis, dataset.shape[axis])),
                    None => Ok(operation),
                }
            })
            .collect()
    }

    /// The dimension along which it writes.
    ///
    /// # Errors
    /// If those are several.
    pub fn written_axis(&self, dataset: &DatasetFacts) -> anyhow::Result<usize> {
        let accesses = self.accesses(dataset)?;
        match accesses.as_slice() {
            [(access, _)] if let [Pick { axis, scattered: false, .. }] = access.picks() => Ok(*axis),
            _ => bail!("{:?}: what is written are neighbouring indices of one dimension", self.name),
        }
    }
}

/// The same where whoever always writes so many of `n` indices along an axis has come to. Multiples of the golden ratio fall evenly on objects
/// of any length, so that a few operations meet them empty, half full and nearly full.
fn behind(operation: Operation, number: u64, (axis, n): (usize, u64)) -> anyhow::Result<Operation> {
    /// Of 2^64.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let [region] = operation.regions.as_slice() else {
        bail!("{} regions are written at once: one is possible", operation.regions.len());
    };
    let count = region.shape()[axis];
    let place = (u128::from(number.wrapping_mul(GOLDEN)) * u128::from(n / count)) >> 64;
    let mut start: Dims = region.start().into();
    start[axis] = u64::try_from(place)? * count;
    Ok(Operation { regions: vec![Region::new(start, region.shape())], ..operation })
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
        let numbered =
            text.split_once(':').and_then(|(name, count)| Some((name, count.parse::<u64>().ok()?)));
        let (name, count) =
            numbered.filter(|(_, n)| *n > 0).map_or((text, None), |(name, n)| (name, Some(n)));
        match (name, count) {
            ("epoch", None) => Some(Self::Epoch),
            ("object", None) => Some(Self::Object),
            ("block", Some(n)) => Some(Self::Block(n)),
            ("window", Some(n)) => Some(Self::Window(n)),
            ("random", Some(n)) => Some(Self::Random(n)),
            _ => Some(Self::Access(of_dimensions(text)?)),
        }
    }

    fn operation(
        &self,
        dataset: &DatasetFacts,
        chunk: &[u64],
        random: &mut Random,
    ) -> anyhow::Result<Operation> {
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
        let regions = match self {
            Self::Epoch => run(epochs, 1, random)?,
            Self::Object => run(objects, 1, random)?,
            Self::Block(n) => run(objects, *n, random)?,
            Self::Window(n) => run(epochs, *n, random)?,
            Self::Random(n) => {
                let batches = (0..*n).map(|_| run(objects, 1, random)).collect::<anyhow::Result<Vec<_>>>()?;
                batches.into_iter().flatten().collect()
            }
            Self::Access(mix) => {
                let mix = mix.of(&dataset.dimensions(), &dataset.shape)?;
                let (access, _) = mix.weights().first().context("a mix has an access")?;
                return Ok(accessed(access.picks(), &dataset.shape, chunk, random));
            }
        };
        let elements = regions.iter().map(Region::elements).sum();
        Ok(Operation { regions, elements, scattered: None })
    }
}

/// Indices of dimensions that datasets have: `object`, `epoch`, and numbers.
fn of_dimensions(text: &str) -> Option<NamedMix> {
    let known = |part: &str| {
        let (name, count) = part.split_once([':', '~']).map_or((part, None), |(name, n)| (name, Some(n)));
        let counted = count.is_none_or(|n| n.parse::<u64>().is_ok());
        counted && (matches!(name, "object" | "epoch") || name.parse::<usize>().is_ok())
    };
    // Sums of names and numbers are understood once there is a dataset.
    text.split('+').all(known).then(|| format!("{text}=1").parse().ok()).flatten()
}

/// What `picks` read, so that no chunk is fetched twice: of each chunk the smallest region that holds all that is wanted of it along a
/// dimension with scattered indices.
fn accessed(picks: &[Pick], shape: &[u64], chunk: &[u64], random: &mut Random) -> Operation {
    let mut regions = vec![(Dims::new(), Dims::new())];
    let (mut elements, mut selected) = (1, Vec::new());
    for (axis, (n, length)) in shape.iter().zip(chunk).enumerate() {
        let pick = picks.iter().find(|pick| pick.axis == axis);
        elements *= pick.map_or(*n, |pick| pick.count);
        let runs = match pick {
            None => vec![(0, *n)],
            Some(Pick { count, scattered: false, .. }) => vec![(random.next() % (n - count + 1), *count)],
            Some(Pick { count, .. }) => {
                let mut indices = random.distinct(index(*count), *n);
                indices.sort_unstable();
                let of_chunk = indices.chunk_by(|a, b| a / length == b / length);
                let runs = of_chunk.map(|some| (some[0], some[some.len() - 1] - some[0] + 1)).collect();
                selected.push(Selected::Indices { indices });
                runs
            }
        };
        if selected.len() == axis {
            selected.push(Selected::Run(runs[0].0, runs[0].1));
        }
        let longer = |(start, shape): &(Dims, Dims)| {
            let with = |dims: &Dims, more: u64| dims.iter().copied().chain([more]).collect::<Dims>();
            runs.iter().map(|(at, count)| (with(start, *at), with(shape, *count))).collect::<Vec<_>>()
        };
        regions = regions.iter().flat_map(longer).collect();
    }
    let regions = regions.into_iter().map(|(start, shape)| Region::new(start, shape)).collect();
    let scattered = selected.iter().any(|one| matches!(one, Selected::Indices { .. })).then_some(selected);
    Operation { regions, elements, scattered }
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
            let operations = workload.operations(&dataset(), &[10, 4, 2], 30).unwrap();
            assert_eq!(operations.len(), 30);
            for operation in &operations {
                assert_eq!(operation.regions.len(), regions, "{text}");
                assert_eq!(operation.elements, regions as u64 * shape.iter().product::<u64>(), "{text}");
                for region in &operation.regions {
                    assert_eq!(region.shape(), shape, "{text}");
                    assert!(Region::whole(&dataset().shape).contains(region));
                }
            }
            assert!(
                operations.iter().any(|operation| operation != &operations[0]),
                "{text}: always the same"
            );
            assert_eq!(operations, workload.operations(&dataset(), &[10, 4, 2], 30).unwrap(), "seeded");
        };
        check("epoch", 1, [100, 1, 2]);
        check("object", 1, [1, 20, 2]);
        check("block:7", 1, [7, 20, 2]);
        check("window:3@50", 1, [100, 3, 2]);
        check("random:5", 5, [1, 20, 2]);
        check("object:7", 1, [7, 20, 2]);
        check("object+2", 1, [1, 20, 1]);
        check("epoch:3+2", 1, [100, 3, 1]);
    }

    #[test]
    fn what_is_written_falls_evenly_on_objects() {
        let check = |text: &str, count: u64| {
            let workload = Workload::parse(text).unwrap();
            assert!(workload.writes && workload.accesses(&dataset()).unwrap()[0].0.writes());
            let operations = workload.operations(&dataset(), &[10, 4, 2], 20).unwrap();
            let starts: Vec<u64> =
                operations.iter().map(|operation| operation.regions[0].start()[1]).collect();
            assert!(starts.iter().all(|start| start.is_multiple_of(count)), "{text}: {starts:?}");
            let half = starts.iter().filter(|start| **start < 10).count();
            let first = starts.iter().filter(|start| (**start / count).is_multiple_of(2)).count();
            assert!((8..=12).contains(&half) && (8..=12).contains(&first), "{text}: {starts:?}");
        };
        check("write:epoch", 1);
        check("write:epoch:5", 5);
        for wrong in ["write:epoch@50", "write:epoch=0.2,object=0.8", "write:random:5", "write:"] {
            assert!(Workload::parse(wrong).is_err(), "{wrong}");
        }
        for several in ["write:epoch+2", "write:object~5"] {
            assert!(
                Workload::parse(several).unwrap().operations(&dataset(), &[10, 4, 2], 1).is_err(),
                "{several}"
            );
        }
    }

    #[test]
    fn scattered_indices_are_read_chunk_by_chunk() {
        let operations =
            Workload::parse("object~30+2").unwrap().operations(&dataset(), &[10, 4, 2], 20).unwrap();
        for Operation { regions, elements, scattered } in operations {
            let of = |selected: &Selected| match selected {
                Selected::Run(start, count) => (*start, *count),
                Selected::Indices { indices } => (indices[0], indices.len() as u64),
            };
            let all: Vec<_> = scattered.unwrap().iter().map(of).collect();
            assert_eq!((all[0].1, all[1], all[2].1), (30, (0, 20), 1), "{all:?}");
            assert_eq!(all[0].0, regions[0].start()[0]);
            assert_eq!(elements, 30 * 20);
            let chunks: std::collections::BTreeSet<u64> = regions.iter().map(|r| r.start()[0] / 10).collect();
            assert_eq!(chunks.len(), regions.len());
            assert!(regions.iter().all(|r| (r.end(0) - 1) / 10 == r.start()[0] / 10));
            assert!(regions.iter().map(Region::elements).sum::<u64>() > elements, "{regions:?}");
        }
        let apart = Workload::parse("object~30+2").unwrap().operations(&dataset(), &[1, 4, 2], 20).unwrap();
        assert!(apart.iter().all(|o| o.regions.len() == 30), "{apart:?}");
    }

    #[test]
    fn a_mix_has_its_shares() {
        let operations =
            Workload::parse("epoch=1,object=3").unwrap().operations(&dataset(), &[1, 1, 1], 1000).unwrap();
        let epochs = operations.iter().filter(|o| o.regions[0].shape()[1] == 1).count();
        assert!((200..300).contains(&epochs), "{epochs}");
    }

    #[test]
    fn others_are_refused_with_what_there_is() {
        for text in [
            "",
            "epok",
            "block",
            "block:0",
            "block:x",
            "object+band",
            "object:",
            "epoch@0",
            "epoch=0",
            "epoch=x",
            "object@fast",
        ] {
            let error = Workload::parse(text).unwrap_err().to_string();
            assert!(error.contains("random:N"), "{text}: {error}");
        }
        for text in ["block:200", "object~101", "object:0", "object+3", "object+0"] {
            assert!(Workload::parse(text).unwrap().operations(&dataset(), &[1, 1, 1], 1).is_err(), "{text}");
        }
    }
}
