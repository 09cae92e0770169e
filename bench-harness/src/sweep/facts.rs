//! What is known of a dataset and of a layout: a part of every record.

use serde::{Deserialize, Serialize};
use zarrange_rechunk::Dimensions;

/// What is known of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DatasetFacts {
    /// Its name.
    pub name: String,
    /// Elements in each dimension.
    pub shape: Vec<u64>,
    /// Bytes of an element.
    pub item_bytes: u64,
    /// The dimension of objects, and that of epochs.
    pub axes: (usize, usize),
}

/// What is known of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayoutFacts {
    /// Its name.
    pub name: String,
    /// Chunks (inner chunks of shards).
    pub chunk: Vec<u64>,
    /// Shards, if there are any.
    pub shard: Option<Vec<u64>>,
    /// Codecs, as on the command line.
    pub codecs: String,
}

impl DatasetFacts {
    /// Its dimensions: `object`, `epoch`, and others by their numbers.
    pub fn dimensions(&self) -> Dimensions {
        let mut names = vec![None; self.shape.len()];
        (names[self.axes.0], names[self.axes.1]) = (Some("object".to_owned()), Some("epoch".to_owned()));
        Dimensions::named(names, self.shape.len())
    }
}
