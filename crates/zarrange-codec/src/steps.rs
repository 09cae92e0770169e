//! Codec lists in general: any number of steps from bytes to bytes.
//!
//! The elements of a chunk, in C order and native byte order, go through the steps one after the other. The codecs on numbers that
//! stand before `bytes` in a list work on the flat array, so that they are steps too, with the type of their numbers written into
//! them. How many bytes go into each step is known beforehand, exactly or at most, so that nothing a chunk says sizes a buffer: two
//! buffers of a thread hold what is between two steps.

mod arithmetic;
mod bits;
mod cast;
mod compile;
pub(crate) mod config;
mod exact;
mod growing;
mod lanes;
pub(crate) mod number;
mod records;
mod run;
mod scale;
mod step;
mod sums;
mod typed;
mod values;

use zarrs::metadata::v3::MetadataV3;

use crate::rates::PLAIN;
use crate::scratch::Work;
use crate::steps::compile::Compiler;
use crate::steps::run::Run;
use crate::steps::step::{Flow, Size, Stage, Step};
pub(crate) use crate::steps::sums::Sum;
pub use crate::steps::sums::SumCheck;
pub(crate) use crate::steps::values::Values;
use crate::{CodecError, ElementType, NumpyType, Rates};

/// A codec list as steps, in the order in which a chunk is encoded.
#[derive(Debug)]
pub(crate) struct Steps {
    stages: Vec<Stage>,
    encoded: Size,
}

impl Steps {
    /// The steps of `codecs` for chunks of `shape`, which have `chunk_bytes`; `None` if not every codec of the list is known here.
    pub(crate) fn parse(
        codecs: &[MetadataV3],
        element: &ElementType,
        shape: &[u64],
        chunk_bytes: usize,
    ) -> Option<Result<Self, CodecError>> {
        Self::compiled(Compiler::of_elements(element, shape, chunk_bytes)?, codecs)
    }

    /// The steps of `codecs`, all from bytes to bytes, for at most `bytes_max`; `None` if not every codec of the list is known here.
    pub(crate) fn of_bytes(codecs: &[MetadataV3], bytes_max: usize) -> Option<Result<Self, CodecError>> {
        Self::compiled(Compiler::of_bytes(NumpyType::byte(), bytes_max), codecs)
    }

    /// The steps of `codecs`, all from bytes to bytes, for any number of `elements`; `None` if not every codec of the list is known
    /// here.
    pub(crate) fn of_any(codecs: &[MetadataV3], elements: NumpyType) -> Option<Result<Self, CodecError>> {
        Self::compiled(Compiler::of_bytes(elements, usize::MAX), codecs)
    }

    fn compiled(compiler: Compiler, codecs: &[MetadataV3]) -> Option<Result<Self, CodecError>> {
        let steps = compiler.compile(codecs).transpose()?;
        Some(steps.map(|(stages, encoded)| Self { stages, encoded }))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The most bytes that they make.
    pub(crate) const fn encoded_bytes_max(&self) -> usize {
        self.encoded.max
    }

    /// The fewest bytes that they make: of compressed ones nothing is known.
    pub(crate) const fn encoded_bytes_min(&self) -> usize {
        if self.encoded.exact { self.encoded.max } else { 1 }
    }

    /// The checksum that the encoded bytes begin or end with, if the last step adds one.
    pub(crate) fn outermost_sum(&self) -> Option<&Sum> {
        if let Step::Sum(sum) = &self.stages.last()?.step { Some(sum) } else { None }
    }

    /// Bytes of the working memory.
    pub(crate) fn buffer_bytes(&self) -> [usize; 2] {
        let largest = self.stages.iter().map(|stage| stage.unencoded.max).max().unwrap_or(0);
        let largest = largest.max(self.encoded.max);
        let decoded = self.stages.iter().rev().map(|stage| stage.step.decode_flow());
        let encoded = self.stages.iter().map(|stage| stage.step.encode_flow());
        match run::intermediates(decoded).max(run::intermediates(encoded)) {
            0 => [0, 0],
            1 => [largest, 0],
            _ => [largest, largest],
        }
    }

    /// Memory inside the libraries, for one thread.
    pub(crate) fn context_bytes(&self) -> usize {
        let of = |stage: &Stage| stage.step.context_bytes(stage.unencoded.max);
        self.stages.iter().map(of).fold(0, usize::saturating_add)
    }

    /// As [`Self::context_bytes`], for chunks of `bytes`.
    pub(crate) fn context_bytes_for(&self, bytes: usize) -> usize {
        self.stages.iter().map(|stage| stage.step.context_bytes(bytes)).fold(0, usize::saturating_add)
    }

    pub(crate) fn rates(&self) -> Rates {
        self.stages.iter().map(|stage| stage.step.rates()).fold(PLAIN, |a, b| Rates {
            decode_ns_per_byte: a.decode_ns_per_byte + b.decode_ns_per_byte,
            encode_ns_per_byte: a.encode_ns_per_byte + b.encode_ns_per_byte,
        })
    }

    /// Whether values that were decoded may not be those that decoding gives after they were encoded again.
    pub(crate) fn loses(&self) -> bool {
        self.stages.iter().any(|stage| stage.step.loses())
    }

    /// Decodes `src` into the start of `dst`, which has room for all that goes into the first step; the number of bytes written.
    pub(crate) fn decode(
        &self,
        src: &[u8],
        dst: &mut [u8],
        Work { contexts, buffers }: &mut Work,
    ) -> Result<usize, CodecError> {
        if self.is_empty() {
            // No step looks at the size.
            self.encoded.check("bytes", src.len())?;
        }
        let mut run = Run::new(src, dst, buffers);
        for (k, Stage { step, unencoded }) in self.stages.iter().enumerate().rev() {
            let before = self.stages[..k].iter();
            let last =
                before.clone().all(|stage| matches!(stage.step.decode_flow(), Flow::None | Flow::InPlace));
            match step.decode_flow() {
                Flow::None => {}
                Flow::InPlace => step.change(run.bytes_mut(last))?,
                Flow::Narrow => run.narrow(|bytes| step.payload(bytes))?,
                Flow::Append | Flow::Copy => {
                    run.copy(last, unencoded.max, |src, dst| step.decode(src, dst, contexts))?;
                }
            }
            unencoded.check(step.name(), run.len())?;
        }
        Ok(run.finish())
    }

    /// Encodes `src` into the start of `dst`, which has room for all that the last step makes; the number of bytes written.
    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8], work: &mut Work) -> Result<usize, CodecError> {
        let room = |k| self.stages.get(k + 1).map_or(self.encoded, |next: &Stage| next.unencoded).max;
        self.encode_into(src, dst, work, room)
    }

    /// As [`Self::encode`], with `room` for what step `k` makes.
    fn encode_into(
        &self,
        src: &[u8],
        dst: &mut [u8],
        Work { contexts, buffers }: &mut Work,
        room: impl Fn(usize) -> usize,
    ) -> Result<usize, CodecError> {
        let mut run = Run::new(src, dst, buffers);
        for (k, Stage { step, .. }) in self.stages.iter().enumerate() {
            let last = self.stages[k + 1..].iter().all(|stage| stage.step.encode_flow() != Flow::Copy);
            match step.encode_flow() {
                Flow::None | Flow::Narrow => {}
                Flow::InPlace => step.change(run.bytes_mut(last))?,
                Flow::Append => run.append(last, &step.sum(run.bytes())),
                Flow::Copy => run.copy(last, room(k), |src, dst| step.encode(src, dst, contexts))?,
            }
        }
        Ok(run.finish())
    }
}
