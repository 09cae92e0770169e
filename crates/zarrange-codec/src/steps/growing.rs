//! Steps over bytes of which it is not known how many they are, only how many they may be at most.

use std::mem;

use crate::CodecError;
use crate::memory::grow;
use crate::scratch::Work;
use crate::steps::Steps;
use crate::steps::step::{Flow, Size, Stage};

/// What a decompressor is given first, for each byte that it gets; and how many times as much when that is too little.
const FIRST: usize = 4;
const MORE: usize = 4;

/// Not less than this, so that small chunks decode at once.
const FIRST_MIN: usize = 4096;

impl Steps {
    /// Decodes `src`, to at most `bytes_max`. Buffers grow as they are needed, never beyond what so many bytes can encode to, and are
    /// kept for the next chunk.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] where it is more.
    pub(crate) fn decode_growing<'a>(
        &self,
        src: &'a [u8],
        bytes_max: usize,
        Work { contexts, buffers: [near, far] }: &'a mut Work,
    ) -> Result<&'a [u8], CodecError> {
        let (mut near, mut far) = (near, far);
        let (mut outside, mut range) = (true, 0..src.len());
        for (Stage { step, .. }, bound) in self.stages.iter().zip(self.bounds(bytes_max)).rev() {
            match step.decode_flow() {
                Flow::None => {}
                Flow::InPlace => {
                    if outside {
                        grow(near, range.len())?;
                        near[..range.len()].copy_from_slice(&src[range.clone()]);
                        (outside, range) = (false, 0..range.len());
                    }
                    step.change(&mut near[range.clone()])?;
                }
                Flow::Narrow => {
                    let part =
                        step.payload(if outside { &src[range.clone()] } else { &near[range.clone()] })?;
                    range = range.start + part.start..range.start + part.end;
                }
                Flow::Append | Flow::Copy => {
                    let bytes = if outside { &src[range.clone()] } else { &near[range.clone()] };
                    let mut room = bytes.len().saturating_mul(FIRST).max(FIRST_MIN).max(far.len()).min(bound);
                    let written = loop {
                        grow(far, room)?;
                        match step.decode(bytes, &mut far[..room], contexts) {
                            Err(CodecError::TooLong { .. }) if room < bound => {
                                room = room.saturating_mul(MORE).min(bound);
                            }
                            result => break result?,
                        }
                    };
                    mem::swap(&mut near, &mut far);
                    (outside, range) = (false, 0..written);
                }
            }
            Size { max: bound, exact: false }.check(step.name(), range.len())?;
        }
        let near: &'a Vec<u8> = near;
        Ok(if outside { &src[range] } else { &near[range] })
    }

    /// Encodes `src` to `dst`, of which nothing is kept.
    pub(crate) fn encode_growing(
        &self,
        src: &[u8],
        dst: &mut Vec<u8>,
        work: &mut Work,
    ) -> Result<(), CodecError> {
        let largest = self.bounds(src.len()).into_iter().fold(self.bound(src.len()), usize::max);
        if isize::try_from(largest).is_err() {
            let detail = "what it encodes to overflows".to_owned();
            return Err(CodecError::Encode { codec: "codecs", bytes: src.len() as u64, detail });
        }
        work.buffers.iter_mut().try_for_each(|buffer| grow(buffer, largest))?;
        dst.clear();
        grow(dst, largest)?;
        let end = self.encode_into(src, dst, work, |_| largest)?;
        dst.truncate(end);
        Ok(())
    }

    /// The most bytes that go into each step, if at most `bytes_max` go into the first.
    fn bounds(&self, bytes_max: usize) -> Vec<usize> {
        let mut bound = bytes_max;
        let next = |stage: &Stage| {
            let encoded = stage.step.encoded_bytes_max(bound);
            mem::replace(&mut bound, encoded)
        };
        self.stages.iter().map(next).collect()
    }

    /// The most bytes that so many encode to.
    pub(crate) fn bound(&self, bytes_max: usize) -> usize {
        self.stages.iter().fold(bytes_max, |bound, stage| stage.step.encoded_bytes_max(bound))
    }
}
