//! Arrays that are measured: opened in one place.

use anyhow::Context as _;
use zarrange_array::{Array, Node};
use zarrange_io::{Location, Opener};

/// The array at `location`, read through `io`.
///
/// # Errors
/// If there is none.
pub fn open(location: &Location, io: &Opener) -> anyhow::Result<Array> {
    match zarrange_array::open(&io.open(location)?).with_context(|| location.to_string())? {
        Node::Array(array) => Ok(*array),
        Node::Group(_) => anyhow::bail!("{location} is a group: name one of its arrays"),
    }
}
