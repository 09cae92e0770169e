//! The layout that suits a mix of accesses at a place for a reader: candidates, and the best of them within limits.
//!
//! Along each dimension: powers of two, round numbers, even parts of the array and what the formula gives ([`crate::mix`]). Each candidate is
//! weighed by what a read of it takes ([`Reading`]). What a shard adds does not depend on the codecs.
//!
//! Costs are estimates, so of near ties the roundest lengths are taken. Nothing says yet what small files cost whoever lists, copies or
//! removes them: objects are at least [`Limits::file_bytes_min`], but for an array that is one.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of candidates"
)]

use std::cell::OnceCell;
use std::collections::BTreeSet;

use zarrange_grid::checked_bytes;

use crate::mix::{Aim, NEAR_TIE, efficient_bytes, layout_for, roundness};
use crate::reader::Habits;
use crate::{Access, Chosen, CodecModel, Design, Mix, MixError, Reading, StoreProfile, Subject};

/// Shapes of chunks that are weighed, about.
const CHUNKS_MAX: f64 = 4000.0;
/// Shards of each of them, about.
const SHARDS_MAX: f64 = 250.0;
/// Steps from the best layout that was weighed to a better one nearby.
const STEPS_MAX: usize = 30;
/// Even parts of a dimension up to this many are tried.
const PARTS_MAX: u64 = 10;

/// What a layout may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Files at most.
    pub files_max: u64,
    /// Decoded bytes of a chunk (of an inner chunk, where there are shards) at most; it holds at least one element.
    pub chunk_bytes_max: u64,
    /// Decoded bytes of a file at most, chunk or shard.
    pub file_bytes_max: u64,
    /// Decoded bytes of a file at least, where there is more than one; given up where no layout keeps it.
    pub file_bytes_min: u64,
    /// The longest that an access to one index of this dimension may take, in nanoseconds.
    pub access_ns_max: Option<(usize, f64)>,
    /// Stored bytes of the whole array at most.
    pub stored_bytes_max: Option<u64>,
}

impl Default for Limits {
    /// More files than that make directories slow, larger ones are hard to move, and smaller ones are many.
    fn default() -> Self {
        Self {
            files_max: 10_000,
            chunk_bytes_max: 16 << 20,
            file_bytes_max: 256_000_000,
            file_bytes_min: 1 << 20,
            access_ns_max: None,
            stored_bytes_max: None,
        }
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The array, where it is stored and who reads it.
    pub reading: Reading<'a>,
    /// Codecs that it may have.
    pub codecs: &'a [CodecModel],
    /// How often what is read.
    pub mix: &'a Mix,
    /// What it may be.
    pub limits: Limits,
}

/// Which limits a layout would need, if all of the others stay: `None` where that alone does not help.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needed {
    /// Files.
    pub files_max: Option<u64>,
    /// Bytes of a file.
    pub file_bytes_max: Option<u64>,
    /// Time of an access, in nanoseconds.
    pub access_ns_max: Option<f64>,
    /// Stored bytes.
    pub stored_bytes_max: Option<f64>,
}

impl Question<'_> {
    /// The best layout of an array of this shape, and what accesses to it touch.
    ///
    /// # Errors
    /// [`MixError`] if the mix names a dimension or indices that the array does not have, a size overflows, or the limits would need more files
    /// than they allow.
    pub fn chosen(&self, shape: &[u64]) -> Result<Chosen, MixError> {
        let item_bytes = self.subject().item_bytes;
        checked_bytes(shape, item_bytes)?;
        self.mix.check(shape)?;
        let Some((_, Design { chunk, shard, .. })) = self.best() else {
            let Limits { files_max, file_bytes_max, .. } = self.limits;
            let objects = self.needed().files_max.unwrap_or(u64::MAX);
            return Err(MixError::Objects {
                objects,
                objects_max: files_max,
                shard_bytes_max: file_bytes_max,
            });
        };
        Ok(Chosen::of((shape, item_bytes), chunk, shard, self.mix))
    }

    /// The best layout within the limits and its cost; of near ties that with the roundest lengths.
    pub fn best(&self) -> Option<(f64, Design)> {
        self.kept().map(|(_, best)| best)
    }

    /// All layouts that were weighed within the limits, with their costs: [`Self::best`], then the others by cost.
    pub fn search(&self) -> Vec<(f64, Design)> {
        let Some((question, best)) = self.kept() else { return Vec::new() };
        let mut found = Vec::new();
        for chunk in question.chunks() {
            question.best_objects(&chunk, &mut found);
        }
        found.retain(|(_, design)| *design != best.1);
        // Of equal costs the fewer files.
        let files = |design: &Design| self.subject().files(design.shard.as_ref().unwrap_or(&design.chunk));
        found.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| files(x).cmp(&files(y))));
        found.insert(0, best);
        found
    }

    /// Which limit alone would have to give way, and how far.
    pub fn needed(&self) -> Needed {
        let Limits { files_max, file_bytes_max, .. } = self.limits;
        let free = Limits { files_max: u64::MAX, file_bytes_max: u64::MAX, file_bytes_min: 0, ..self.limits };
        let relaxed = Question { limits: free, ..*self };
        let mut needed = Needed::default();
        for chunk in relaxed.chunks() {
            relaxed.each_object(&chunk, &mut |shard| {
                let stored = shard.unwrap_or(&chunk.shape);
                let (files, bytes) = (self.subject().files(stored), self.subject().bytes(stored));
                let (few, small) = (files <= files_max, bytes <= file_bytes_max);
                for (codec, weight) in chunk.codecs.iter().enumerate() {
                    let ns = weight.limited_ns + relaxed.objects(&chunk, shard, codec).0;
                    let all = self.subject().stored(&chunk.shape, shard, &self.codecs[codec]);
                    let (quick, lean) = (self.is_quick(ns), self.is_lean(all));
                    if small && quick && lean {
                        needed.files_max = Some(needed.files_max.map_or(files, |n| n.min(files)));
                    }
                    if few && quick && lean {
                        needed.file_bytes_max = Some(needed.file_bytes_max.map_or(bytes, |n| n.min(bytes)));
                    }
                    if few && small && lean {
                        needed.access_ns_max = Some(needed.access_ns_max.map_or(ns, |n| n.min(ns)));
                    }
                    if few && small && quick {
                        needed.stored_bytes_max = Some(needed.stored_bytes_max.map_or(all, |n| n.min(all)));
                    }
                }
            });
        }
        needed
    }

    /// The cost of a layout over the mix.
    pub fn cost(&self, design: &Design) -> f64 {
        let codec = &self.codecs[design.codec];
        let read = |(access, share): &(Access, f64)| share * self.reading.read(design, codec, access).ns();
        self.mix.weights().iter().map(read).sum()
    }

    const fn subject(&self) -> &Subject {
        self.reading.subject
    }

    fn weighted(&self, of: impl Fn(&Access) -> f64) -> f64 {
        self.mix.weights().iter().map(|(access, share)| share * of(access)).sum()
    }

    /// The time of the access that is limited, if one is.
    fn limited(&self, of: impl Fn(&Access) -> f64) -> f64 {
        self.limits.access_ns_max.map_or(0.0, |(axis, _)| of(&Access::from(axis)))
    }

    /// This question, without the least size of files where nothing keeps it, and its best layout; `None` if nothing keeps the other
    /// limits either.
    fn kept(&self) -> Option<(Self, (f64, Design))> {
        let without = Self { limits: Limits { file_bytes_min: 0, ..self.limits }, ..*self };
        let best = |question: Self| Some((question, question.nearby(question.roundest()?)));
        [*self, without].into_iter().find_map(best)
    }

    /// The best layout that is reached from `best` by other lengths along one dimension after the other, each step for the better by more
    /// than a near tie. Of joint accesses more dimensions are cut, so that fewer lengths of each were weighed.
    fn nearby(&self, mut best: (f64, Design)) -> (f64, Design) {
        if self.mix.is_plain() {
            return best;
        }
        let shape = &self.subject().shape;
        let lists: Vec<Vec<u64>> = shape.iter().map(|n| extents(*n, &[])).collect();
        for _ in 0..STEPS_MAX {
            let now = best.clone();
            let chunk = now.1.chunk.clone();
            let object = now.1.shard.clone().unwrap_or_else(|| chunk.clone());
            let chunks: Vec<u64> = object.iter().zip(&chunk).map(|(object, chunk)| object / chunk).collect();
            let mut weigh = |axis: usize, length: u64, count: u64| {
                let (mut chunk, mut chunks) = (chunk.clone(), chunks.clone());
                (chunk[axis], chunks[axis]) = (length, count);
                let object: Vec<u64> = chunk.iter().zip(&chunks).map(|(c, n)| c.saturating_mul(*n)).collect();
                let shard = chunks.iter().any(|n| *n > 1).then_some(object);
                let design = Design { chunk, shard, codec: now.1.codec };
                if self.keeps_all(&design) {
                    let ns = self.cost(&design);
                    if ns * NEAR_TIE < now.0 && ns < best.0 {
                        best = (ns, design);
                    }
                }
            };
            for (axis, list) in lists.iter().enumerate() {
                for length in list {
                    // Chunks of another length in an object of about the same, or in so many, and objects of other lengths.
                    weigh(axis, *length, (object[axis] / length).max(1));
                    weigh(axis, *length, chunks[axis].min(shape[axis].div_ceil(*length)));
                    weigh(axis, chunk[axis], length.div_ceil(chunk[axis]));
                }
            }
            if best.1 == now.1 {
                break;
            }
        }
        best
    }

    /// Whether a layout keeps all limits.
    fn keeps_all(&self, design: &Design) -> bool {
        let Limits { chunk_bytes_max, access_ns_max, .. } = self.limits;
        let object = design.shard.as_ref().unwrap_or(&design.chunk);
        let small = self.subject().bytes(&design.chunk) <= chunk_bytes_max.max(self.subject().item_bytes);
        let ns = |axis: usize| self.reading.read(design, &self.codecs[design.codec], &axis.into()).ns();
        let lean = self.is_lean(self.subject().stored_bytes(design, &self.codecs[design.codec]));
        let quick = access_ns_max.is_none_or(|(axis, most)| ns(axis) <= most);
        small && self.keeps_files(object) && lean && quick
    }

    /// Whether files of this shape keep their limits.
    fn keeps_files(&self, object: &[u64]) -> bool {
        let (files, bytes) = (self.subject().files(object), self.subject().bytes(object));
        let Limits { files_max, file_bytes_max, file_bytes_min, .. } = self.limits;
        files <= files_max && bytes <= file_bytes_max && (files == 1 || bytes >= file_bytes_min)
    }

    /// The best layout that keeps all limits.
    fn roundest(&self) -> Option<(f64, Design)> {
        let objects_ns_min = self.weighted(|access| self.reading.objects_ns_min(access.writes()));
        let chunks = self.chunks();
        let mut least = f64::INFINITY;
        let mut near = Vec::new();
        for chunk in &chunks {
            if chunk.least_ns() + objects_ns_min > least * NEAR_TIE {
                break;
            }
            let mut own = f64::INFINITY;
            self.each_layout(chunk, &mut |ns, _, _| own = own.min(ns));
            least = least.min(own);
            near.push((own, chunk));
        }
        let mut best: Option<((u32, f64), Design)> = None;
        let bound = least * NEAR_TIE;
        for (_, chunk) in near.into_iter().filter(|(own, _)| *own <= bound && own.is_finite()) {
            let round = roundness(&self.subject().shape, &chunk.shape);
            self.each_layout(chunk, &mut |ns, shard, codec| {
                let stored = shard.unwrap_or(&chunk.shape);
                let merit = (round + roundness(&self.subject().shape, stored), -ns);
                if ns <= bound && best.as_ref().is_none_or(|(known, _)| merit > *known) {
                    let (chunk, shard) = (chunk.shape.clone(), shard.map(<[u64]>::to_vec));
                    best = Some((merit, Design { chunk, shard, codec }));
                }
            });
        }
        best.map(|((_, ns), design)| (-ns, design))
    }

    /// Calls `visit` with every way to store a chunk that keeps the limits.
    fn each_layout(&self, chunk: &Chunk, visit: &mut Visit<'_>) {
        self.each_object(chunk, &mut |shard| {
            for (codec, weight) in chunk.codecs.iter().enumerate() {
                if !self.is_lean(self.subject().stored(&chunk.shape, shard, &self.codecs[codec])) {
                    continue;
                }
                let (limited_ns, mix_ns) = self.objects(chunk, shard, codec);
                if self.is_quick(weight.limited_ns + limited_ns) {
                    visit(weight.mix_ns + mix_ns, shard, codec);
                }
            }
        });
    }

    /// Whether the limited access may take so long.
    fn is_quick(&self, ns: f64) -> bool {
        self.limits.access_ns_max.is_none_or(|(_, most)| ns <= most)
    }

    /// Whether so many bytes may be stored.
    fn is_lean(&self, bytes: f64) -> bool {
        self.limits.stored_bytes_max.is_none_or(|most| bytes <= most as f64)
    }

    /// What objects add to the limited access and to the mix.
    fn objects(&self, chunk: &Chunk, shard: Option<&[u64]>, codec: usize) -> (f64, f64) {
        let codec = &self.codecs[codec];
        let of = |access: &Access| self.reading.objects(&chunk.shape, shard, codec, access).ns();
        (self.limited(of), self.weighted(of))
    }

    /// Adds to `found`, for each codec: of all shards of a chunk, and none, that which costs the mix least and keeps the limits.
    fn best_objects(&self, chunk: &Chunk, found: &mut Vec<(f64, Design)>) {
        let mut best: Vec<Option<(f64, Option<Vec<u64>>)>> = vec![None; chunk.codecs.len()];
        self.each_layout(chunk, &mut |ns, shard, codec| {
            if best[codec].as_ref().is_none_or(|(least, _)| ns < *least) {
                best[codec] = Some((ns, shard.map(<[u64]>::to_vec)));
            }
        });
        let best = best.into_iter().enumerate().filter_map(|(codec, best)| Some((codec, best?)));
        found.extend(
            best.map(|(codec, (ns, shard))| (ns, Design { chunk: chunk.shape.clone(), shard, codec })),
        );
    }

    /// Calls `visit` with no shard and with every shard of a chunk, as far as the limits of files allow.
    fn each_object(&self, chunk: &Chunk, visit: &mut dyn FnMut(Option<&[u64]>)) {
        if self.keeps_files(&chunk.shape) {
            visit(None);
        }
        if let Some(shard) = chunk.shard.as_ref().filter(|shard| self.keeps_files(shard)) {
            visit(Some(shard));
        }
        each(chunk.factors.get_or_init(|| self.factors(&chunk.shape)), &mut |factor| {
            let shard: Vec<u64> = chunk.shape.iter().zip(factor).map(|(c, f)| c.saturating_mul(*f)).collect();
            if factor.iter().any(|f| *f > 1) && self.keeps_files(&shard) {
                visit(Some(&shard));
            }
        });
    }

    /// The chunks that are weighed, those that cost least first.
    fn chunks(&self) -> Vec<Chunk> {
        let mut shapes: Vec<(Vec<u64>, Option<Vec<u64>>)> = self.picked();
        let picked: Vec<Vec<u64>> = shapes.iter().map(|(chunk, _)| chunk.clone()).collect();
        each(&self.lengths(&picked), &mut |chunk| shapes.push((chunk.to_vec(), None)));
        let Limits { chunk_bytes_max, file_bytes_max, .. } = self.limits;
        let most = chunk_bytes_max.min(file_bytes_max).max(self.subject().item_bytes);
        shapes.retain(|(chunk, _)| self.subject().bytes(chunk) <= most);
        // With the shard before without it.
        shapes.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
        shapes.dedup_by(|b, a| a.0 == b.0);
        let mut out: Vec<Chunk> = shapes.into_iter().map(|(shape, shard)| self.weigh(shape, shard)).collect();
        out.sort_by(|a, b| a.least_ns().total_cmp(&b.least_ns()));
        out
    }

    fn weigh(&self, shape: Vec<u64>, shard: Option<Vec<u64>>) -> Chunk {
        let weight = |codec: &CodecModel| {
            let of = |access: &Access| self.reading.chunks(&shape, codec, access).ns();
            Weight { mix_ns: self.weighted(of), limited_ns: self.limited(of) }
        };
        Chunk { codecs: self.codecs.iter().map(weight).collect(), shape, shard, factors: OnceCell::new() }
    }

    /// Along each dimension, how many chunks of this shape a shard may hold.
    fn factors(&self, chunk: &[u64]) -> Vec<Vec<u64>> {
        let counts = self.subject().shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c));
        let mut factors: Vec<Vec<u64>> = counts.map(|n| extents(n, &[])).collect();
        thin(&mut factors, SHARDS_MAX);
        factors
    }

    /// Lengths of chunks to try along each dimension.
    fn lengths(&self, picked: &[Vec<u64>]) -> Vec<Vec<u64>> {
        let shape = &self.subject().shape;
        let limited = self.limits.access_ns_max.map(|(axis, _)| axis);
        let cut = |d: usize| self.mix.picks(d) || limited == Some(d);
        let whole: Vec<u64> = shape.iter().enumerate().filter(|(d, _)| !cut(*d)).map(|(_, n)| *n).collect();
        // Dimensions that are always read whole stay whole where there is room.
        let room =
            self.subject().bytes(&whole) <= self.limits.chunk_bytes_max.min(self.limits.file_bytes_max);
        let along = |(d, n): (usize, &u64)| {
            let picks: Vec<u64> = picked.iter().map(|chunk| chunk[d]).collect();
            if cut(d) || !room { extents(*n, &picks) } else { vec![*n] }
        };
        let mut lists: Vec<Vec<u64>> = shape.iter().enumerate().map(along).collect();
        thin(&mut lists, CHUNKS_MAX);
        lists
    }

    /// What the formula picks, chunk and shard, for the sizes that take as long to fetch as asking for them.
    fn picked(&self) -> Vec<(Vec<u64>, Option<Vec<u64>>)> {
        let Reading { subject, place, reader, .. } = self.reading;
        let StoreProfile { read_request_ns, in_flight, read_ns_per_byte, .. } = place;
        let Limits { files_max, chunk_bytes_max, file_bytes_max, .. } = self.limits;
        let chunk_bytes_max = chunk_bytes_max.min(file_bytes_max);
        let mut sizes = BTreeSet::from([chunk_bytes_max]);
        let Habits { request_ns, chunk_ns, .. } = reader.habits();
        let call_ns = request_ns + chunk_ns;
        for codec in self.codecs {
            let byte_ns = read_ns_per_byte / codec.table.ratio + codec.table.decode_ns_per_byte;
            for request_ns in [read_request_ns / in_flight, *read_request_ns] {
                let bytes = efficient_bytes(request_ns + call_ns, byte_ns);
                sizes.insert(bytes.min(chunk_bytes_max));
            }
        }
        let pick = |chunk_bytes: u64| {
            let (shard_bytes_max, objects_max) = (file_bytes_max, files_max);
            let aim = Aim { chunk_bytes, chunk_bytes_max, shard_bytes_max, objects_max };
            let Chosen { chunk, shard, .. } =
                layout_for(&subject.shape, subject.item_bytes, self.mix, &aim).ok()?;
            Some((chunk, shard))
        };
        sizes.into_iter().filter_map(pick).collect()
    }
}

/// Is told the cost, the shard and the codec of a way to store a chunk.
type Visit<'a> = dyn FnMut(f64, Option<&[u64]>, usize) + 'a;

/// A chunk that is weighed.
struct Chunk {
    shape: Vec<u64>,
    /// The shard that the formula picks for it, if it does.
    shard: Option<Vec<u64>>,
    /// Shards to try: along each dimension, how many chunks.
    factors: OnceCell<Vec<Vec<u64>>>,
    /// What it costs with each codec, its objects apart.
    codecs: Vec<Weight>,
}

/// What chunks cost the mix, and the limited access.
struct Weight {
    mix_ns: f64,
    limited_ns: f64,
}

impl Chunk {
    fn least_ns(&self) -> f64 {
        self.codecs.iter().map(|weight| weight.mix_ns).fold(f64::INFINITY, f64::min)
    }
}

/// Lengths to try along a dimension of `n`, from 1 to `n`.
fn extents(n: u64, picks: &[u64]) -> Vec<u64> {
    let binary = (0..63).map(|k| 1 << k);
    let decimal = (0..18).flat_map(|k| [1, 2, 5].map(|m| m * 10u64.pow(k)));
    let parts = (1..=PARTS_MAX).map(|k| n.div_ceil(k));
    let all = binary.chain(decimal).chain(parts).chain(picks.iter().copied());
    all.filter(|length| (1..=n).contains(length)).collect::<BTreeSet<u64>>().into_iter().collect()
}

/// Takes lengths away, evenly, until at most about `combinations_max` combinations remain; the shortest and the longest stay, but in more
/// dimensions than that leaves room for only the longest.
fn thin(lists: &mut [Vec<u64>], combinations_max: f64) {
    let combinations = |lists: &[Vec<u64>]| lists.iter().map(|list| list.len() as f64).product::<f64>();
    while combinations(lists) > combinations_max {
        let Some(longest) = lists.iter_mut().max_by_key(|list| list.len()).filter(|list| list.len() > 1)
        else {
            return;
        };
        let last = longest.len() - 1;
        if last == 1 {
            longest.remove(0);
            continue;
        }
        let keep = last;
        *longest = (0..keep)
            .map(|k| longest[(k as f64 * last as f64 / (keep - 1).max(1) as f64).round() as usize])
            .collect();
    }
}

/// Calls `visit` with every combination of one entry of each list.
fn each(lists: &[Vec<u64>], visit: &mut dyn FnMut(&[u64])) {
    let mut at = vec![0; lists.len()];
    let mut current: Vec<u64> = lists.iter().map(|list| list[0]).collect();
    loop {
        visit(&current);
        let Some(d) = (0..lists.len()).rev().find(|d| at[*d] + 1 < lists[*d].len()) else { return };
        at[d] += 1;
        at[d + 1..].fill(0);
        for k in d..lists.len() {
            current[k] = lists[k][at[k]];
        }
    }
}

#[cfg(test)]
mod tests;
