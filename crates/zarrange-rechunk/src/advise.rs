//! Layouts weighed for a mix of accesses, with codecs as they are measured on data: what advice is made of.
//!
//! [`Question`] chooses by what is known of codecs. Here that is measured: first on chunks of some sizes, then on chunks of exactly the
//! shapes that came out best, until no new ones do.

mod sample;
mod weighed;

pub use sample::{Sample, SampleError};
pub use weighed::{Weighed, WeighedRead};
use zarrange_plan::{
    Access, CodecModel, CodecSpeed, Design, Limits, Mix, MixError, Question, Reading, Subject, chunk_for,
};

use crate::dimensions::Dimensions;

/// Layouts whose lengths all differ by less than this factor are nearly the same.
const NEAR: u64 = 2;
/// Layouts whose costs differ by less are the same to a reader.
const SAME: f64 = 1.001;
/// Bytes of the chunks on which codecs are measured before layouts are known.
const SAMPLED_BYTES: [u64; 6] = [256, 2 << 10, 16 << 10, 128 << 10, 1 << 20, 8 << 20];
/// How often at most the best layouts are measured, and the best are searched for again.
const REFINEMENTS: usize = 4;

/// What is weighed.
#[derive(Clone, Copy, Debug)]
pub struct Weighing<'a> {
    /// The array, where it is stored and who reads it.
    pub reading: Reading<'a>,
    /// How often what is read.
    pub mix: &'a Mix,
    /// What a layout may be.
    pub limits: Limits,
}

/// Measures a codec, by its number, on chunks of a shape.
pub type Measure<'a, E> = dyn FnMut(usize, &[u64]) -> Result<CodecSpeed, E> + 'a;

impl<'a> Weighing<'a> {
    /// The question for the chooser.
    pub const fn question(&self, codecs: &'a [CodecModel]) -> Question<'a> {
        Question { reading: self.reading, codecs, mix: self.mix, limits: self.limits }
    }

    /// The layouts that were weighed, the best first, with their costs; none if no layout keeps the limits. What `measure` finds is added
    /// to what is known of `codecs`: on chunks of some sizes, and of the shapes of the best `refined` layouts.
    ///
    /// # Errors
    /// Those of `measure`, and [`MixError`] if the mix does not fit the array.
    pub fn search<E: From<MixError>>(
        &self,
        codecs: &mut [CodecModel],
        refined: usize,
        measure: &mut Measure<'_, E>,
    ) -> Result<Vec<(f64, Design)>, E> {
        self.measure_sizes(codecs, measure)?;
        self.refine(codecs, refined, measure)
    }

    /// The same, of codecs that have been measured on chunks of some sizes before.
    ///
    /// # Errors
    /// Those of `measure`.
    pub fn refine<E>(
        &self,
        codecs: &mut [CodecModel],
        refined: usize,
        measure: &mut Measure<'_, E>,
    ) -> Result<Vec<(f64, Design)>, E> {
        let mut found = Weighing::question(self, codecs).search();
        // What is measured to be slower than it was taken for lets others be the best: until they have been measured too.
        for _ in 0..REFINEMENTS {
            let mut new = false;
            for (_, Design { chunk, codec, .. }) in distinct(&found, refined) {
                let known = &mut codecs[codec].by_shape;
                if known.iter().all(|(shape, _)| *shape != chunk) {
                    let speed = measure(codec, &chunk)?;
                    known.push((chunk, speed));
                    new = true;
                }
            }
            if !new {
                break;
            }
            found = Weighing::question(self, codecs).search();
        }
        Ok(found)
    }

    /// Measures every codec on chunks of some sizes, of the shape that the mix wants.
    fn measure_sizes<E: From<MixError>>(
        &self,
        codecs: &mut [CodecModel],
        measure: &mut Measure<'_, E>,
    ) -> Result<(), E> {
        let Subject { shape, item_bytes } = self.reading.subject;
        for chunk_bytes in SAMPLED_BYTES {
            let shape = chunk_for(shape, *item_bytes, self.mix, chunk_bytes)?;
            for (k, codec) in codecs.iter_mut().enumerate() {
                if codec.by_size.iter().all(|(known, _)| *known != shape) {
                    codec.by_size.push((shape.clone(), measure(k, &shape)?));
                }
            }
        }
        for codec in codecs {
            codec.by_size.dedup_by_key(|(shape, _)| self.reading.subject.bytes(shape));
        }
        Ok(())
    }

    /// What the accesses of the mix cost in `design`, dimensions by name.
    pub fn weigh(&self, dimensions: &Dimensions, codecs: &[CodecModel], design: Design) -> Weighed {
        let (subject, codec) = (self.reading.subject, &codecs[design.codec]);
        let access = |(access, share): &(Access, f64)| {
            let cost = self.reading.read(&design, codec, access);
            WeighedRead {
                name: dimensions.text_of(access),
                share: *share,
                ms: cost.ns() / 1e6,
                amplification: subject.amplification(
                    if access.writes() {
                        design.shard.as_ref().unwrap_or(&design.chunk)
                    } else {
                        &design.chunk
                    },
                    access,
                ),
                memory_bytes: self.reading.memory_bytes(&design, codec, access),
                cost,
            }
        };
        let accesses: Vec<WeighedRead> = self.mix.weights().iter().map(access).collect();
        Weighed {
            codecs: codec.name.clone(),
            speed: codec.speed(&design.chunk),
            files: subject.files(design.shard.as_ref().unwrap_or(&design.chunk)),
            stored_bytes: subject.stored_bytes(&design, codec),
            weighted_ms: accesses.iter().map(|access| access.share * access.ms).sum(),
            accesses,
            design,
        }
    }
}

/// The first layouts of which none is nearly the same as a better one.
pub fn distinct(found: &[(f64, Design)], count: usize) -> Vec<(f64, Design)> {
    let near = |(better, a): &(f64, Design), (cost, b): &(f64, Design)| {
        let lengths = a.chunk.iter().zip(&b.chunk).all(|(x, y)| *x < y * NEAR && *y < x * NEAR);
        let kind = a.codec == b.codec && a.shard.is_some() == b.shard.is_some();
        kind && (lengths || *cost < better * SAME)
    };
    let mut out: Vec<(f64, Design)> = Vec::new();
    for layout in found {
        if out.len() == count {
            break;
        }
        if out.iter().all(|better| !near(better, layout)) {
            out.push(layout.clone());
        }
    }
    out
}
