//! What a thread keeps between chunks: warm codec contexts and buffers.

use crate::bytes::Contexts;
use crate::chain::Chain;

/// Working memory of one thread for one chain.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) work: Work,
    /// The bytes that `zarrs` gets, or made.
    pub(crate) unpacked: Vec<u8>,
}

/// What codecs work with that are run here.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) contexts: Contexts,
    /// A chunk between two codecs: in its stored axis and byte order, or between steps.
    pub(crate) buffers: [Vec<u8>; 2],
}

impl Scratch {
    /// Working memory for `chain`: [`Chain::scratch_bytes`] and, once used, [`Chain::context_bytes`].
    pub fn new(chain: &Chain) -> Self {
        let [near, far, unpacked] = chain.buffer_bytes().map(|bytes| vec![0; bytes]);
        Self { work: Work { contexts: Contexts::default(), buffers: [near, far] }, unpacked }
    }

    /// Memory of its buffers as they are now, without what the codecs' libraries hold.
    pub fn memory_bytes(&self) -> usize {
        let [near, far] = &self.work.buffers;
        near.capacity().saturating_add(far.capacity()).saturating_add(self.unpacked.capacity())
    }
}
