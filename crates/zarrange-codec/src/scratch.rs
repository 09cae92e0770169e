//! What a thread keeps between chunks: warm codec contexts and buffers.

use crate::CodecError;
use crate::bytes::Contexts;
use crate::chain::Chain;
use crate::memory::buffer;

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

    /// As [`Self::new`], with an error where the system refuses the memory.
    ///
    /// # Errors
    /// [`CodecError::Refused`].
    pub fn try_new(chain: &Chain) -> Result<Self, CodecError> {
        let [near, far, unpacked] = chain.buffer_bytes().map(buffer);
        Ok(Self { work: Work { contexts: Contexts::default(), buffers: [near?, far?] }, unpacked: unpacked? })
    }

    /// Memory of its buffers as they are now, without what the codecs' libraries hold.
    pub fn memory_bytes(&self) -> usize {
        let [near, far] = &self.work.buffers;
        near.capacity().saturating_add(far.capacity()).saturating_add(self.unpacked.capacity())
    }
}
