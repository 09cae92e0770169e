//! Which layout suits what is read of a store: today's and the best, and what each read takes in both.

use std::ops::Range;

use serde::Serialize;
use zarrange_array::Array;
use zarrange_grid::Region;
use zarrange_plan::{CodecSpeed, Design, Limits, Mix, Reader, Reading, StoreProfile, Subject};
use zarrange_rechunk::{
    AccessError, Dimensions, NamedMix, Sample, SampleError, Weighed, Weighing, unsampled,
};

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// Objects that people read at once.
const SOME: u64 = 50;
/// Layouts whose compression is measured on chunks of exactly their shape.
const REFINED: usize = 16;
/// A layout that is not better than today's by this factor is not worth the rewriting.
const WORTH: f64 = 1.05;

/// What is asked.
#[derive(Clone, Debug)]
pub struct AdviceOptions<'a> {
    /// What is read how often; without it, what people read of light curves.
    pub mix: Option<&'a NamedMix>,
    /// Who reads.
    pub reader: Reader,
    /// What the place costs.
    pub place: &'a StoreProfile,
    /// The bound on what is held of the store.
    pub memory_bytes_max: u64,
}

/// What is advised for arrays of values that are alike.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutAdvice {
    /// Their names.
    pub arrays: Vec<String>,
    /// The names of their dimensions.
    pub dimensions: Vec<String>,
    /// How long these are.
    pub shape: Vec<u64>,
    /// Array bytes of each.
    pub bytes: u64,
    /// What is read how often.
    pub mix: String,
    /// Array bytes on which it was measured how well they compress; `None` where nothing is stored, so that they are taken not to.
    pub sampled_bytes: Option<u64>,
    /// The layout that they have.
    pub today: Weighed,
    /// The best one; `None` if today's is as good.
    pub proposed: Option<Weighed>,
}

impl LightCurveStore {
    /// The layout for what is read, for each kind of arrays of values that has all dimensions of the mix. The codecs stay.
    ///
    /// # Errors
    /// [`LightCurveError::Layout`] if the mix fits no array, [`LightCurveError::Sample`] if no sample can be taken.
    pub fn advise(&self, options: &AdviceOptions<'_>) -> Result<Vec<LayoutAdvice>, LightCurveError> {
        let mut kinds: Vec<(&Array, Vec<String>)> = Vec::new();
        for (name, array) in self.schema.values.iter().zip(&self.values) {
            match kinds.iter_mut().find(|(other, _)| alike(other, array)) {
                Some((_, names)) => names.push(name.clone()),
                None => kinds.push((array, vec![name.clone()])),
            }
        }
        let filled = self.longest_filled()?;
        let (mut out, mut unfit) = (Vec::new(), None);
        for (array, names) in kinds {
            let dimensions = Dimensions::of(array);
            let usual = usual(&dimensions, array.shape());
            let asked = options.mix.unwrap_or(&usual);
            let refused = |error: AccessError| LightCurveError::Layout {
                layout: asked.to_string(),
                reason: error.to_string(),
            };
            match asked.of(&dimensions, array.shape()) {
                Ok(mix) => {
                    let kind = Kind { array, dimensions, filled: &filled, options };
                    out.push(kind.advise(names, (&mix, asked.to_string()))?);
                }
                Err(error @ AccessError::Dimension { .. }) => unfit = unfit.or(Some(refused(error))),
                Err(error) => return Err(refused(error)),
            }
        }
        match unfit {
            Some(error) if out.is_empty() => Err(error),
            _ => Ok(out),
        }
    }

    /// The most epochs one after the other that are recorded as filled; all, where nobody has recorded any.
    fn longest_filled(&self) -> Result<Range<u64>, LightCurveError> {
        let epochs = self.schema.epochs().size;
        let (mut longest, mut now) = (0..0, 0..0);
        let Some(filled) = self.filled_measurements()? else { return Ok(0..epochs) };
        for epoch in (0..).zip(filled).filter(|(_, filled)| *filled > 0).map(|(epoch, _)| epoch) {
            now = if now.end == epoch { now.start..epoch + 1 } else { epoch..epoch + 1 };
            if now.end - now.start > longest.end - longest.start {
                longest = now.clone();
            }
        }
        Ok(if longest.is_empty() { 0..epochs } else { longest })
    }
}

/// Whether arrays have the same dimensions, elements, chunks and codecs.
fn alike(a: &Array, b: &Array) -> bool {
    let known = |array: &Array| {
        let elements = array.elements().ok()?;
        let names = array.document().dimension_names()?;
        Some((names, array.shape().to_vec(), elements.item_bytes(), elements.layout.clone()))
    };
    known(a).is_some_and(|a| known(b).is_some_and(|b| a == b))
}

/// What people read of light curves: mostly one object, seldom some, in one measurement where there are several; and epochs, where all objects
/// share them.
fn usual(dimensions: &Dimensions, shape: &[u64]) -> NamedMix {
    let size = |name: &str| dimensions.axis(name).map(|axis| shape[axis]);
    let within = if size(MEASUREMENT).is_some() { format!("+{MEASUREMENT}") } else { String::new() };
    let mut parts = vec![format!("{OBJECT}{within}=0.8")];
    if let Some(objects) = size(OBJECT).filter(|objects| *objects > 1) {
        parts.push(format!("{OBJECT}~{}{within}=0.1", objects.min(SOME)));
    }
    if size(EPOCHS[0]).is_some() {
        parts.push(format!("{}=0.1", EPOCHS[0]));
    }
    parts.join(",").parse().unwrap_or_else(|error| unreachable!("it is a mix: {error}"))
}

/// Arrays that are alike.
struct Kind<'a> {
    /// One of them.
    array: &'a Array,
    dimensions: Dimensions,
    /// Epochs that may have values.
    filled: &'a Range<u64>,
    options: &'a AdviceOptions<'a>,
}

impl Kind<'_> {
    fn advise(
        &self,
        arrays: Vec<String>,
        (mix, asked): (&Mix, String),
    ) -> Result<LayoutAdvice, LightCurveError> {
        let elements = self.array.elements()?;
        let subject = Subject::new(self.array.shape(), elements.item_bytes() as u64);
        let AdviceOptions { place, reader, .. } = *self.options;
        let reading = Reading { subject: &subject, place, reader, reads: 1 };
        let mut weighing = Weighing { reading, mix, limits: Limits::default() };
        let mut codecs = [unsampled("keep".to_owned(), elements.chain())];
        let sample = self.sample()?;
        let list = &elements.layout.codecs;
        let table = codecs[0].table;
        let mut measure = |_: usize, chunk: &[u64]| -> Result<CodecSpeed, SampleError> {
            let ratio = sample.as_ref().map_or(Ok(table.ratio), |sample| sample.ratio(list, chunk))?;
            Ok(CodecSpeed { ratio, ..table })
        };
        let mut found = weighing.search(&mut codecs, REFINED, &mut measure)?;
        if let (true, Some(files_max)) = (found.is_empty(), weighing.question(&codecs).needed().files_max) {
            // A large store has as many files as it needs.
            weighing.limits.files_max = files_max;
            found = weighing.search(&mut codecs, REFINED, &mut measure)?;
        }
        let now = &elements.layout;
        let today = Design { chunk: now.chunk.clone(), shard: now.shard.clone(), codec: 0 };
        let speed = measure(0, &today.chunk)?;
        codecs[0].by_shape.insert(0, (today.chunk.clone(), speed));
        let today = weighing.weigh(&self.dimensions, &codecs, today);
        let best = found.into_iter().next();
        let best = best.map(|(_, design)| weighing.weigh(&self.dimensions, &codecs, design));
        Ok(LayoutAdvice {
            arrays,
            dimensions: self.dimensions.words(),
            shape: self.array.shape().to_vec(),
            bytes: subject.bytes(&subject.shape),
            mix: asked,
            sampled_bytes: sample.map(|sample| sample.data().len() as u64),
            proposed: best.filter(|best| best.weighted_ms * WORTH < today.weighted_ms),
            today,
        })
    }

    /// From the epochs that have values, as far as there are any.
    fn sample(&self) -> Result<Option<Sample>, LightCurveError> {
        let mut start = vec![0; self.array.shape().len()];
        let mut shape = self.array.shape().to_vec();
        if let Some(axis) = EPOCHS.iter().find_map(|name| self.dimensions.axis(name)) {
            (start[axis], shape[axis]) = (self.filled.start, self.filled.end - self.filled.start);
        }
        if shape.contains(&0) {
            return Ok(None);
        }
        let part = Region::new(start.as_slice(), shape.as_slice());
        let sample = Sample::of(self.array, &part, self.options.memory_bytes_max)?;
        let fill = &self.array.elements()?.fill;
        Ok(Some(sample).filter(|sample| !sample.is_all(fill)))
    }
}
