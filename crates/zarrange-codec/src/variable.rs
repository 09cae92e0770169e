//! Chunks of elements that have no fixed size: text, and bytes.

mod chain;
mod codec;
mod order;

use crate::CodecError;
use crate::memory::{grow, reserve};
pub use crate::variable::chain::VariableChain;
pub use crate::variable::codec::VariableCodec;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// Text in UTF-8.
    Text,
    /// Any bytes.
    Bytes,
}

/// Elements of any size, one after the other, in C order if they are a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    data: Vec<u8>,
    /// Where each element ends; the next one begins there.
    ends: Vec<usize>,
}

impl Variable {
    /// No elements.
    pub const fn new() -> Self {
        Self { data: Vec::new(), ends: Vec::new() }
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Element `k`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn get(&self, k: usize) -> &[u8] {
        let start = k.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.data[start..self.ends[k]]
    }

    /// All elements.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|k| self.get(k))
    }

    /// Adds an element.
    pub fn push(&mut self, element: &[u8]) {
        self.data.extend_from_slice(element);
        self.ends.push(self.data.len());
    }

    /// Removes all elements; the memory is kept.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    /// Bytes of all elements together.
    pub const fn data_bytes(&self) -> usize {
        self.data.len()
    }

    /// Memory of `elements` that have `data_bytes` together; as much as their own.
    pub const fn memory_bytes(elements: usize, data_bytes: usize) -> usize {
        elements.saturating_mul(size_of::<usize>()).saturating_add(data_bytes)
    }

    /// Makes it `elements` of which `sizes` gives, by position, how large they are, in any order. Their bytes are then anything.
    fn lay_out(
        &mut self,
        elements: usize,
        data_bytes: usize,
        sizes: impl Iterator<Item = (usize, usize)>,
    ) -> Result<(), CodecError> {
        self.clear();
        reserve(&mut self.ends, elements)?;
        self.ends.resize(elements, 0);
        sizes.for_each(|(at, bytes)| self.ends[at] = bytes);
        let mut end = 0;
        for place in &mut self.ends {
            end += *place;
            *place = end;
        }
        grow(&mut self.data, data_bytes)
    }

    fn get_mut(&mut self, k: usize) -> &mut [u8] {
        let start = k.checked_sub(1).map_or(0, |before| self.ends[before]);
        &mut self.data[start..self.ends[k]]
    }
}

/// An error if so many elements of so many bytes need more memory than `bytes_max`.
fn check_memory(elements: usize, data_bytes: usize, bytes_max: usize) -> Result<(), CodecError> {
    let bytes = Variable::memory_bytes(elements, data_bytes);
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(CodecError::Memory { bytes: bytes as u64, bytes_max: bytes_max as u64 })
}
