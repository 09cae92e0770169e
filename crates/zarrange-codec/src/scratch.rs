//! What a thread keeps between chunks: warm codec contexts and a buffer.

use crate::bytes::Contexts;
use crate::chain::Chain;

/// Working memory of one thread for one chain.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) contexts: Contexts,
    /// A chunk in its stored axis and byte order.
    pub(crate) reordered: Vec<u8>,
}

impl Scratch {
    /// Working memory for `chain`: [`Chain::scratch_bytes`] and, once used, [`Chain::context_bytes`].
    pub fn new(chain: &Chain) -> Self {
        Self { contexts: Contexts::default(), reordered: vec![0; chain.reordered_bytes()] }
    }
}
