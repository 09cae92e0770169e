//! What a thread keeps between chunks: warm codec contexts and buffers.

use crate::bytes::Contexts;

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
    /// With these buffers: two between codecs, one of what `zarrs` gets or made.
    pub(crate) fn of([near, far, unpacked]: [Vec<u8>; 3]) -> Self {
        Self { work: Work { contexts: Contexts::default(), buffers: [near, far] }, unpacked }
    }

    /// Memory of its buffers as they are now, without what the codecs' libraries hold.
    pub fn memory_bytes(&self) -> usize {
        let [near, far] = &self.work.buffers;
        near.capacity().saturating_add(far.capacity()).saturating_add(self.unpacked.capacity())
    }
}
