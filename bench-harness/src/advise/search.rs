//! The layouts that are weighed, and the best of them within limits.
//!
//! Along each dimension: powers of two, round numbers, even parts of the array and what [`layout_for`] picks. What a shard adds does not depend
//! on the codecs, so each chunk is weighed with its best shard only.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of candidates"
)]

use std::collections::BTreeSet;

use zarrange_plan::{Limits as PickLimits, Mix, StoreProfile, layout_for};

use super::model::{Codec, Design, Subject, volume};

/// Shapes of chunks that are weighed, about.
const CHUNKS_MAX: f64 = 4000.0;
/// Shards of each of them, about.
const SHARDS_MAX: f64 = 1000.0;
/// Even parts of a dimension up to this many are tried.
const PARTS_MAX: u64 = 10;

/// What a layout may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Files at most.
    pub files_max: u64,
    /// Decoded bytes of a chunk or shard at most.
    pub bytes_max: u64,
    /// The longest that an access to one index of this dimension may take, in nanoseconds.
    pub object: Option<(usize, f64)>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The array.
    pub subject: &'a Subject,
    /// Where it is stored.
    pub place: &'a StoreProfile,
    /// Codecs that it may have.
    pub codecs: &'a [Codec],
    /// Dimensions and the shares of accesses to one index of them, adding up to 1.
    pub shares: &'a [(usize, f64)],
    /// What it may be.
    pub limits: Limits,
}

/// Which limits a layout would need, if all of the others stay: `None` where that alone does not help.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needed {
    /// Files.
    pub files_max: Option<u64>,
    /// Bytes of a chunk or shard.
    pub bytes_max: Option<u64>,
    /// Time of an access, in nanoseconds.
    pub object_ns: Option<f64>,
}

impl Question<'_> {
    /// All layouts that were weighed within the limits, the best first, with their costs.
    pub fn search(&self) -> Vec<(f64, Design)> {
        let mut found = Vec::new();
        for chunk in self.chunks() {
            let shards = self.best_objects(&chunk);
            for (codec, kind) in self.codecs.iter().enumerate() {
                let of = |axis: usize| self.subject.chunks(self.place, &chunk, kind, axis).ns();
                let chunks_ns = self.weighted(of);
                for Objects { shard, limited_ns, mix_ns } in &shards {
                    if self.limits.object.is_none_or(|(axis, most)| of(axis) + limited_ns <= most) {
                        let design = Design { chunk: chunk.clone(), shard: shard.clone(), codec };
                        found.push((chunks_ns + mix_ns, design));
                    }
                }
            }
        }
        // Of equal costs the fewer files.
        let files = |design: &Design| self.subject.files(design.shard.as_ref().unwrap_or(&design.chunk));
        found.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| files(x).cmp(&files(y))));
        found
    }

    /// Which limit alone would have to give way, and how far.
    pub fn needed(&self) -> Needed {
        let Limits { files_max, bytes_max, object } = self.limits;
        let free = Limits { files_max: u64::MAX, bytes_max: u64::MAX, object };
        let relaxed = Question { limits: free, ..self.clone() };
        let mut needed = Needed::default();
        for chunk in relaxed.chunks() {
            let least = |axis: usize| {
                let codecs = self.codecs.iter();
                codecs
                    .map(|codec| self.subject.chunks(self.place, &chunk, codec, axis).ns())
                    .fold(f64::INFINITY, f64::min)
            };
            let chunks_ns = object.map_or(0.0, |(axis, _)| least(axis));
            relaxed.each_object(&chunk, &mut |shard| {
                let stored = shard.unwrap_or(&chunk);
                let (files, bytes) = (self.subject.files(stored), self.subject.bytes(stored));
                let of = |axis: usize| self.subject.objects(self.place, &chunk, shard, axis).ns();
                let ns = chunks_ns + object.map_or(0.0, |(axis, _)| of(axis));
                let (few, small) = (files <= files_max, bytes <= bytes_max);
                let quick = object.is_none_or(|(_, most)| ns <= most);
                if small && quick {
                    needed.files_max = Some(needed.files_max.map_or(files, |n| n.min(files)));
                }
                if few && quick {
                    needed.bytes_max = Some(needed.bytes_max.map_or(bytes, |n| n.min(bytes)));
                }
                if few && small {
                    needed.object_ns = Some(needed.object_ns.map_or(ns, |n| n.min(ns)));
                }
            });
        }
        needed
    }

    /// The cost of a layout over the mix.
    pub fn cost(&self, design: &Design) -> f64 {
        let codec = &self.codecs[design.codec];
        self.weighted(|axis| self.subject.access(self.place, design, codec, axis).ns())
    }

    fn weighted(&self, of: impl Fn(usize) -> f64) -> f64 {
        self.shares.iter().map(|(axis, share)| share * of(*axis)).sum()
    }

    /// Of all shards of a chunk, and none: that which costs the mix least and, where an access is limited, that which costs it least.
    fn best_objects(&self, chunk: &[u64]) -> Vec<Objects> {
        let mut all = Vec::new();
        self.each_object(chunk, &mut |shard| {
            if self.subject.files(shard.unwrap_or(chunk)) <= self.limits.files_max {
                let of = |axis: usize| self.subject.objects(self.place, chunk, shard, axis).ns();
                let limited_ns = self.limits.object.map_or(0.0, |(axis, _)| of(axis));
                all.push(Objects {
                    shard: shard.map(<[u64]>::to_vec),
                    limited_ns,
                    mix_ns: self.weighted(of),
                });
            }
        });
        let least = |by: fn(&Objects) -> f64| all.iter().min_by(|a, b| by(a).total_cmp(&by(b))).cloned();
        let mut best: Vec<Objects> = least(|objects| objects.mix_ns).into_iter().collect();
        if self.limits.object.is_some() {
            best.extend(least(|objects| objects.limited_ns).filter(|other| best[0].shard != other.shard));
        }
        best
    }

    /// Calls `visit` with no shard, and with every shard of a chunk that is small enough.
    fn each_object(&self, chunk: &[u64], visit: &mut dyn FnMut(Option<&[u64]>)) {
        visit(None);
        let counts = self.subject.counts(chunk);
        let mut factors: Vec<Vec<u64>> = counts.iter().map(|n| extents(*n, &[])).collect();
        thin(&mut factors, SHARDS_MAX);
        each(&factors, &mut |factor| {
            let shard: Vec<u64> = chunk.iter().zip(factor).map(|(c, f)| c.saturating_mul(*f)).collect();
            if volume(factor) > 1 && self.subject.bytes(&shard) <= self.limits.bytes_max {
                visit(Some(&shard));
            }
        });
    }

    /// The chunks that are weighed.
    fn chunks(&self) -> Vec<Vec<u64>> {
        let shape = &self.subject.shape;
        let picked = self.picked();
        let cut = |d: usize| {
            self.shares.iter().any(|(axis, _)| *axis == d)
                || self.limits.object.is_some_and(|(axis, _)| axis == d)
        };
        let whole: Vec<u64> = shape.iter().enumerate().filter(|(d, _)| !cut(*d)).map(|(_, n)| *n).collect();
        // Dimensions that are always read whole stay whole where there is room.
        let room = self.subject.bytes(&whole) <= self.limits.bytes_max;
        let along = |(d, n): (usize, &u64)| {
            let picks: Vec<u64> = picked.iter().map(|chunk| chunk[d]).collect();
            if cut(d) || !room { extents(*n, &picks) } else { vec![*n] }
        };
        let mut lists: Vec<Vec<u64>> = shape.iter().enumerate().map(along).collect();
        thin(&mut lists, CHUNKS_MAX);
        let mut out = picked;
        each(&lists, &mut |chunk| out.push(chunk.to_vec()));
        out.retain(|chunk| self.subject.bytes(chunk) <= self.limits.bytes_max);
        out.sort_unstable();
        out.dedup();
        out
    }

    /// What [`layout_for`] picks.
    fn picked(&self) -> Vec<Vec<u64>> {
        let StoreProfile { read_request_ns, in_flight, read_ns_per_byte, .. } = self.place;
        let sizes =
            [read_request_ns / in_flight, *read_request_ns].map(|ns| PickLimits::of(ns, *read_ns_per_byte));
        let Ok(mix) = Mix::new(self.shares.iter().copied()) else { return Vec::new() };
        let Subject { shape, item_bytes, .. } = self.subject;
        let pick = |limits: PickLimits| layout_for(shape, *item_bytes, &mix, &limits).ok();
        sizes.into_iter().filter_map(pick).map(|chosen| chosen.chunk).collect()
    }
}

/// A way to put chunks into objects, and what it adds to the limited access and to the mix.
#[derive(Clone)]
struct Objects {
    shard: Option<Vec<u64>>,
    limited_ns: f64,
    mix_ns: f64,
}

/// Lengths to try along a dimension of `n`, from 1 to `n`.
fn extents(n: u64, picks: &[u64]) -> Vec<u64> {
    let binary = (0..63).map(|k| 1 << k);
    let decimal = (0..18).flat_map(|k| [1, 2, 5].map(|m| m * 10u64.pow(k)));
    let parts = (1..=PARTS_MAX).map(|k| n.div_ceil(k));
    let all = binary.chain(decimal).chain(parts).chain(picks.iter().copied());
    all.filter(|length| (1..=n).contains(length)).collect::<BTreeSet<u64>>().into_iter().collect()
}

/// Takes lengths away, evenly, until at most about `combinations_max` combinations remain; the shortest and the longest stay.
fn thin(lists: &mut [Vec<u64>], combinations_max: f64) {
    let combinations = |lists: &[Vec<u64>]| lists.iter().map(|list| list.len() as f64).product::<f64>();
    while combinations(lists) > combinations_max {
        let Some(longest) = lists.iter_mut().max_by_key(|list| list.len()).filter(|list| list.len() > 2)
        else {
            return;
        };
        let keep = longest.len() - 1;
        let last = longest.len() - 1;
        *longest = (0..keep)
            .map(|k| longest[(k as f64 * last as f64 / (keep - 1) as f64).round() as usize])
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
mod tests {
    use super::*;
    use crate::advise::model::Speed;

    fn codecs() -> Vec<Codec> {
        let codec = |name: &str, partial: bool, ratio: f64, decode_ns_per_byte: f64| {
            let table = Speed { ratio, decode_ns_per_byte, encode_ns_per_byte: 1.0 };
            Codec { name: name.to_owned(), partial, table, by_size: Vec::new(), by_shape: Vec::new() }
        };
        vec![codec("none", true, 1.0, 0.1), codec("packed", false, 3.0, 0.5)]
    }

    /// The best of all chunks and shards whatsoever.
    fn exhaustive(question: &Question<'_>) -> f64 {
        let Question { subject, limits, .. } = question;
        let all = |n: &u64| (1..=*n).collect::<Vec<u64>>();
        let mut best = f64::INFINITY;
        each(&subject.shape.iter().map(all).collect::<Vec<_>>(), &mut |chunk| {
            let factors: Vec<Vec<u64>> = subject.counts(chunk).iter().map(all).collect();
            each(&factors, &mut |factor| {
                let shard: Vec<u64> = chunk.iter().zip(factor).map(|(c, f)| c * f).collect();
                if subject.bytes(&shard) > limits.bytes_max || subject.files(&shard) > limits.files_max {
                    return;
                }
                for (codec, kind) in question.codecs.iter().enumerate() {
                    let shard = (volume(factor) > 1).then(|| shard.clone());
                    let design = Design { chunk: chunk.to_vec(), shard, codec };
                    let ns = |axis| subject.access(question.place, &design, kind, axis).ns();
                    if limits.object.is_none_or(|(axis, most)| ns(axis) <= most) {
                        best = best.min(question.cost(&design));
                    }
                }
            });
        });
        best
    }

    #[test]
    fn nearly_the_best_of_all_layouts() {
        let nvme = StoreProfile::built_in("nvme").unwrap();
        let place = |read_request_ns: f64, in_flight: f64| StoreProfile {
            read_request_ns,
            in_flight,
            read_ns_per_byte: 1.0,
            open_ns: 50.0,
            ..nvme.clone()
        };
        let check = |shape: &[u64], shares: &[(usize, f64)], place: &StoreProfile, limits: Limits| {
            let subject = Subject { shape: shape.to_vec(), item_bytes: 4, accesses: 1 };
            let codecs = codecs();
            let question = Question { subject: &subject, place, codecs: &codecs, shares, limits };
            let (found, best) = (question.search(), exhaustive(&question));
            let (cost, design) = &found[0];
            assert!(
                *cost >= best - 1e-6 && *cost <= best * 1.1,
                "{shape:?} {shares:?}: {design:?} {cost} {best}"
            );
            assert!((question.cost(design) - cost).abs() < 1e-6);
        };
        let even = [(0, 0.5), (1, 0.5)];
        let skewed = [(0, 0.8), (1, 0.2)];
        for (bytes_max, files_max) in [(64, 10_000), (256, 100), (1024, 64), (4096, 16), (1 << 20, 4)] {
            let limits = Limits { files_max, bytes_max, object: None };
            for place in [place(20.0, 1.0), place(300.0, 4.0), place(5000.0, 16.0)] {
                for shape in [[17, 12], [32, 30], [40, 13], [64, 8]] {
                    if shape[0] * shape[1] * 4 > bytes_max * files_max / 2 {
                        continue;
                    }
                    check(&shape, &even, &place, limits);
                    check(&shape, &skewed, &place, limits);
                    check(&shape, &[(1, 1.0)], &place, limits);
                }
            }
        }
        let limits = Limits { files_max: 64, bytes_max: 1 << 20, object: Some((0, 4000.0)) };
        check(&[40, 30], &skewed, &place(300.0, 4.0), limits);
        check(&[9, 8, 5], &[(0, 0.5), (2, 0.5)], &place(300.0, 4.0), Limits { object: None, ..limits });
    }

    #[test]
    fn impossible_limits_name_what_would_do() {
        let place = StoreProfile::built_in("nvme").unwrap();
        let subject = Subject { shape: vec![64, 64], item_bytes: 4, accesses: 1 };
        let codecs = codecs();
        let check = |limits: Limits| {
            let shares = [(0, 0.5), (1, 0.5)];
            let question =
                Question { subject: &subject, place: &place, codecs: &codecs, shares: &shares, limits };
            assert!(question.search().is_empty(), "{limits:?}");
            let needed = question.needed();
            let given = |limits| !Question { limits, ..question.clone() }.search().is_empty();
            if let Some(files_max) = needed.files_max {
                assert!(
                    given(Limits { files_max, ..limits })
                        && !given(Limits { files_max: files_max - 1, ..limits })
                );
            }
            if let Some(bytes_max) = needed.bytes_max {
                assert!(
                    given(Limits { bytes_max, ..limits })
                        && !given(Limits { bytes_max: bytes_max - 1, ..limits })
                );
            }
            if let (Some(ns), Some((axis, _))) = (needed.object_ns, limits.object) {
                assert!(given(Limits { object: Some((axis, ns * 1.000_001)), ..limits }));
                assert!(!given(Limits { object: Some((axis, ns * 0.999_999)), ..limits }));
            }
            needed
        };
        let needed = check(Limits { files_max: 3, bytes_max: 4096, object: None });
        assert_eq!((needed.files_max, needed.bytes_max), (Some(4), Some(64 * 22 * 4)));
        let needed = check(Limits { files_max: 10, bytes_max: 1 << 20, object: Some((0, 100.0)) });
        assert!(needed.object_ns.is_some() && needed.files_max.is_none(), "{needed:?}");
    }

    #[test]
    fn lengths_are_thinned_but_keep_their_ends() {
        let mut lists = vec![extents(1000, &[77]), extents(3, &[])];
        assert!(lists[0].contains(&77) && lists[0].contains(&334) && lists[1] == [1, 2, 3]);
        thin(&mut lists, 30.0);
        assert!(
            lists[0].len() * lists[1].len() <= 30
                && lists[0].first() == Some(&1)
                && lists[0].last() == Some(&1000)
        );
    }
}
