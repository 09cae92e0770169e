//! Which chunks and shards suit a mix of accesses.
//!
//! An access reads one index of one dimension and all of the others: one epoch of all objects, or one object at all
//! epochs. A [`Mix`] gives the share of accesses `p_i` for each dimension i that is accessed so. (An [`Access`] may also read several
//! indices, of several dimensions: see below.) The formula below gives the first candidates; [`crate::Question`] weighs them and others by what a read of them takes, and chooses. Sarawagi and
//! Stonebraker ("Efficient organization of large multidimensional arrays", ICDE 1994) weigh accesses like this, Otoo, Rotem
//! and Seshadri ("Optimal chunking of large multidimensional arrays for data warehousing", DOLAP 2007) give the best shapes.
//!
//! **Shape.** In an array of extents `n`, N elements in all, an access that fixes dimension i fetches the product of
//! `ceil(n_j / c_j)` over `j != i` chunks of extents `c`. With C elements in a chunk, and without the ceilings, that is on average
//! `(N / C) * sum of p_i * c_i / n_i`. The product of the `c_i` is given, so the sum is least where its terms are equal:
//! `c_i` is proportional to `n_i / p_i`. In two dimensions, with the share p of accesses to epochs, a chunk of a objects x
//! b epochs has `a / b = p * n_objects / ((1 - p) * n_epochs)`. A dimension without a share is read whole each time: the same
//! formula makes it infinite, so chunks hold it whole.
//!
//! **Size.** Fetching a chunk of B bytes takes `request_ns + B * byte_ns`. With m dimensions in the mix the number of chunks
//! falls as `B^(1/m - 1)`, so the time is least where its derivative is zero, at `B = (m - 1) * request_ns / byte_ns`: for the
//! usual two dimensions the bytes that take as long as a request. It is flat there: that size costs three dimensions 6 %
//! more than theirs. With one dimension any size up to it fetches one chunk, and larger chunks compress better.
//!
//! **Joint accesses.** One that reads k indices of a dimension touches fewer chunks there the longer they are, and of one that reads indices
//! of two dimensions each matters less. At the least sum, lengthening a chunk by the same factor along any dimension costs the same.
//! Shares for which the formula gives such a shape are found by iteration.
//!
//! **Ceilings.** The formula is where the search begins; extents around it are compared by the exact number of chunks.
//! Shards are chosen in the same way, with inner chunks for elements.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "extents are estimated in floating point, clamped to their range, and then compared exactly"
)]

use serde::Serialize;
use zarrange_grid::checked_bytes;

use crate::error::MixError;
use crate::picks::{Access, Pick, held};

/// The sizes between which chunks are aimed at, whatever a request costs.
const CHUNK_BYTES: (u64, u64) = (16 << 10, 16 << 20);
/// Chunks smaller than this make poor files.
const FILE_BYTES_MIN: u64 = 1 << 20;
/// Of shapes whose costs differ by less, the rounder is better.
pub(crate) const NEAR_TIE: f64 = 1.02;
/// Extents up to this many times larger or smaller than the formula's are tried; for joint accesses, whose formula is rougher, further ones.
const WINDOW: (f64, f64) = (8.0, 32.0);
/// Combinations of extents tried, of all dimensions but the last.
const COMBINATIONS_MAX: f64 = 20_000.0;

/// How often what is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Accesses and shares; the shares add up to 1.
    shares: Vec<(Access, f64)>,
}

/// What the formula aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    /// Bytes of a decoded chunk to aim at; chunks are not larger, except to hold dimensions that are always read whole.
    pub(crate) chunk_bytes: u64,
    /// The most bytes of a decoded chunk, which holds at least one element.
    pub(crate) chunk_bytes_max: u64,
    /// The most bytes of a decoded shard.
    pub(crate) shard_bytes_max: u64,
    /// The most objects (files) that the array is stored in.
    pub(crate) objects_max: u64,
}

/// A layout and what accesses to it cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chosen {
    /// Shape of a chunk (of inner chunks, where there are shards).
    pub chunk: Vec<u64>,
    /// Shape of a shard, if there are shards: a multiple of the chunk.
    pub shard: Option<Vec<u64>>,
    /// Chunks that an access fetches, on average over the mix.
    pub chunks_per_access: f64,
    /// Their bytes, decoded, without the indexes of shards.
    pub bytes_per_access: f64,
    /// Objects (files) that the array is stored in.
    pub objects: u64,
    /// Each kind of access.
    pub accesses: Vec<AccessRead>,
}

/// An access of a mix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessRead {
    /// What it picks.
    #[serde(flatten)]
    pub picks: Access,
    /// The share of all accesses.
    pub share: f64,
    /// Chunks that it fetches, on average.
    pub chunks: f64,
}

impl Mix {
    /// A mix of accesses (or dimensions, of which one index is read) and weights, which need not add up to 1.
    ///
    /// # Errors
    /// [`MixError`] if there is none, a weight is not positive, or an access is repeated.
    pub fn new(weights: impl IntoIterator<Item = (impl Into<Access>, f64)>) -> Result<Self, MixError> {
        let mut shares: Vec<(Access, f64)> = Vec::new();
        for (access, weight) in weights {
            let access = access.into();
            if !(weight.is_finite() && weight > 0.0) {
                return Err(MixError::Weight { weight: weight.to_string() });
            }
            if let Some(seen) = shares.iter().position(|(seen, _)| *seen == access) {
                return Err(MixError::Repeated { first: seen + 1, second: shares.len() + 1 });
            }
            shares.push((access, weight));
        }
        // Scaled first: the sum of large weights must not overflow, nor a small one become nothing.
        let largest = shares.iter().map(|(_, w)| *w).reduce(f64::max).ok_or(MixError::Empty)?;
        let sum: f64 = shares.iter().map(|(_, w)| w / largest).sum();
        for (_, weight) in &mut shares {
            *weight = (*weight / largest / sum).max(f64::MIN_POSITIVE);
        }
        Ok(Self { shares })
    }

    /// Accesses and shares, which add up to 1, in the order given.
    pub fn weights(&self) -> &[(Access, f64)] {
        &self.shares
    }

    /// Whether an array of this shape has what is read.
    ///
    /// # Errors
    /// [`MixError`] if it lacks a dimension, or indices of one.
    pub fn check(&self, shape: &[u64]) -> Result<(), MixError> {
        self.shares.iter().try_for_each(|(access, _)| access.check(shape))
    }

    /// Whether indices of this dimension are picked by any access; all others are always read whole.
    pub(crate) fn picks(&self, axis: usize) -> bool {
        self.shares.iter().any(|(access, _)| access.picks().iter().any(|pick| pick.axis == axis))
    }

    /// Of every dimension, the share of the accesses that pick indices of it; 0 for those that are always read whole.
    fn shares(&self, rank: usize) -> Vec<f64> {
        let mut out = vec![0.0; rank];
        for (access, share) in &self.shares {
            for pick in access.picks() {
                out[pick.axis] += *share;
            }
        }
        out
    }

    /// Whether every access picks one index of one dimension.
    pub(crate) fn is_plain(&self) -> bool {
        self.shares.iter().all(|(access, _)| matches!(access.picks(), [pick] if pick.count == 1))
    }

    /// Chunks that an access touches, on average, of an array of this shape.
    fn expected(&self, shape: &[u64], chunk: &[u64]) -> f64 {
        self.shares.iter().map(|(access, share)| share * touched(access.picks(), shape, chunk)).sum()
    }
}

/// Chunks that hold what `picks` read, on average.
fn touched(picks: &[Pick], shape: &[u64], chunk: &[u64]) -> f64 {
    let along = shape.iter().zip(chunk).enumerate();
    along.map(|(axis, (n, c))| held(picks, axis, *n, *c).chunks).product()
}

/// Bytes of a chunk that take as long to fetch as asking for it, where a request takes `request_ns` beyond its bytes and each byte
/// takes `byte_ns`; within bounds.
pub(crate) fn efficient_bytes(request_ns: f64, byte_ns: f64) -> u64 {
    let (least, most) = CHUNK_BYTES;
    // In this order a ratio that is not a number gives the least.
    (request_ns / byte_ns).max(least as f64).min(most as f64) as u64
}

/// The chunk of about `chunk_bytes` that suits `mix`, by the formula.
///
/// # Errors
/// [`MixError`] if the mix names a dimension that the array does not have, or a size overflows.
pub fn chunk_for(shape: &[u64], item_bytes: u64, mix: &Mix, chunk_bytes: u64) -> Result<Vec<u64>, MixError> {
    let (most, any) = (chunk_bytes.max(CHUNK_BYTES.1), u64::MAX);
    let aim = Aim { chunk_bytes, chunk_bytes_max: most, shard_bytes_max: any, objects_max: any };
    Ok(layout_for(shape, item_bytes, mix, &aim)?.chunk)
}

/// The layout that the formula gives an array of `shape`, in elements of `item_bytes`, for `mix` within `limits`.
///
/// Chunks are stored in shards where they would be more than `objects_max` files, or smaller than 1 MiB.
///
/// # Errors
/// [`MixError`] if the mix names a dimension that the array does not have, a size overflows, or the limits would need more
/// objects than they allow.
pub(crate) fn layout_for(
    shape: &[u64],
    item_bytes: u64,
    mix: &Mix,
    limits: &Aim,
) -> Result<Chosen, MixError> {
    checked_bytes(shape, item_bytes)?;
    mix.check(shape)?;
    let shares = mix.shares(shape.len());
    // Dimensions of no length take part as if they had one.
    let extents: Vec<u64> = shape.iter().map(|n| (*n).max(1)).collect();
    let item_bytes = item_bytes.max(1);
    let always_whole = extents.iter().zip(&shares).filter(|(_, share)| **share == 0.0).map(|(n, _)| *n);
    // Pieces of what is always read whole would all be fetched: better in one request.
    let bytes = limits.chunk_bytes.max(volume(always_whole) * item_bytes).min(limits.chunk_bytes_max);
    let volume_max = (bytes / item_bytes).max(1);
    let cells = vec![1; shape.len()];
    let subject = Reads { shape: &extents, cell: &cells, mix };
    let chunk = subject.search(volume_max, u64::MAX).best().unwrap_or_else(|| cells.clone());
    let chunk_bytes = volume(chunk.iter().copied()) * item_bytes;

    let chunks = pieces(shape, &chunk);
    let wanted = chunks > 1 && (chunk_bytes < FILE_BYTES_MIN || chunks > limits.objects_max);
    let inner = Reads { shape, cell: &chunk, mix };
    let shard = if wanted { shard_for(&inner, chunk_bytes, limits)? } else { None };
    let shard = shard.map(|factors| factors.iter().zip(&chunk).map(|(f, c)| f * c).collect());
    Ok(Chosen::of((shape, item_bytes), chunk, shard, mix))
}

impl Chosen {
    /// What accesses to a layout of an array of this shape and these bytes of an element touch.
    pub(crate) fn of(
        (shape, item_bytes): (&[u64], u64),
        chunk: Vec<u64>,
        shard: Option<Vec<u64>>,
        mix: &Mix,
    ) -> Self {
        let read = |(access, share): &(Access, f64)| {
            // No index of an empty array can be read.
            let chunks = if shape.contains(&0) { 0.0 } else { touched(access.picks(), shape, &chunk) };
            AccessRead { picks: access.clone(), share: *share, chunks }
        };
        let accesses: Vec<AccessRead> = mix.shares.iter().map(read).collect();
        let chunks_per_access = accesses.iter().map(|a| a.share * a.chunks).sum::<f64>();
        Self {
            objects: pieces(shape, shard.as_ref().unwrap_or(&chunk)),
            chunks_per_access,
            bytes_per_access: chunks_per_access
                * (volume(chunk.iter().copied()).saturating_mul(item_bytes)) as f64,
            chunk,
            shard,
            accesses,
        }
    }
}

/// How many chunks a shard has in each dimension; `None` if one is enough.
fn shard_for(reads: &Reads<'_>, chunk_bytes: u64, limits: &Aim) -> Result<Option<Vec<u64>>, MixError> {
    let Aim { shard_bytes_max, objects_max, .. } = *limits;
    let volume_max = (shard_bytes_max / chunk_bytes).max(1);
    if let Some(factors) = reads.search(volume_max, objects_max).best() {
        return Ok(Some(factors).filter(|factors| factors.iter().any(|f| *f > 1)));
    }
    let all = reads.search(volume_max, u64::MAX);
    let objects = all.best().map_or(u64::MAX, |factors| pieces(&all.shape, &factors));
    Err(MixError::Objects { objects, objects_max, shard_bytes_max })
}

/// Cells of a box; saturates where limits are larger than any array.
fn volume(extents: impl IntoIterator<Item = u64>) -> u64 {
    extents.into_iter().fold(1, u64::saturating_mul)
}

fn counts(shape: &[u64], part: &[u64]) -> Vec<u64> {
    shape.iter().zip(part).map(|(n, c)| n.div_ceil(*c)).collect()
}

fn pieces(shape: &[u64], part: &[u64]) -> u64 {
    volume(counts(shape, part))
}

/// What is read of an array that is made of cells: elements, or chunks that are put into shards.
struct Reads<'a> {
    /// Elements of the array.
    shape: &'a [u64],
    /// Elements of a cell.
    cell: &'a [u64],
    mix: &'a Mix,
}

impl<'a> Reads<'a> {
    /// The search for parts of at most `volume_max` cells, and at most so many of them.
    fn search(&'a self, volume_max: u64, pieces_max: u64) -> Search<'a> {
        let shape = counts(self.shape, self.cell);
        let shares = self.mix.shares(shape.len());
        let mut search = Search { reads: self, shape, shares, volume_max, pieces_max };
        if !self.mix.is_plain() {
            search.refine();
        }
        search
    }
}

/// The part into which a box is cut, so that accesses touch the fewest parts.
struct Search<'a> {
    reads: &'a Reads<'a>,
    /// Extents of the box in cells, at least 1.
    shape: Vec<u64>,
    /// The share of each dimension in the formula; those of 0 stay whole.
    shares: Vec<f64>,
    /// The most cells of a part.
    volume_max: u64,
    /// The most parts.
    pieces_max: u64,
}

/// A dimension to cut, and the extents to try.
type Trial = (usize, Vec<u64>);

impl Search<'_> {
    /// The roundest of the parts that are nearly best; `None` if all would be too many.
    fn best(&self) -> Option<Vec<u64>> {
        let whole = self.with_whole_dimensions();
        let room = self.volume_max / volume(whole.iter().copied()).max(1);
        let trials = self.trials(room);
        let uneven = self.uneven();
        let each = |visit: &mut dyn FnMut(&[u64])| {
            try_all((&self.shape, uneven), &trials, room, &mut whole.clone(), visit);
        };
        let few_enough = |part: &[u64]| pieces(&self.shape, part) <= self.pieces_max;
        let mut least: Option<f64> = None;
        each(&mut |part| {
            if few_enough(part) {
                least = Some(least.unwrap_or(f64::INFINITY).min(self.expected(part)));
            }
        });
        let bound = least? * NEAR_TIE;
        let mut best: Option<((u32, f64, u64), Vec<u64>)> = None;
        each(&mut |part| {
            let expected = self.expected(part);
            if expected <= bound && few_enough(part) {
                let merit = (roundness(&self.shape, part), -expected, volume(part.iter().copied()));
                if best.as_ref().is_none_or(|(known, _)| merit > *known) {
                    best = Some((merit, part.to_vec()));
                }
            }
        });
        best.map(|(_, part)| part)
    }

    /// One cell in the dimensions with a share, the others whole or, where that is too much, the largest cut first.
    fn with_whole_dimensions(&self) -> Vec<u64> {
        let mut part: Vec<u64> =
            self.shape.iter().zip(&self.shares).map(|(n, share)| if *share > 0.0 { 1 } else { *n }).collect();
        let mut axes: Vec<usize> = (0..part.len()).filter(|k| self.shares[*k] == 0.0).collect();
        axes.sort_by_key(|k| std::cmp::Reverse(part[*k]));
        for axis in axes {
            let others = volume(part.iter().copied()) / part[axis];
            part[axis] = even(self.shape[axis], (self.volume_max / others).clamp(1, part[axis]));
        }
        part
    }

    /// Whether parts may be cut unevenly: several indices seldom touch one that is cut short.
    fn uneven(&self) -> bool {
        !self.reads.mix.is_plain()
    }

    /// The dimensions that can be cut.
    fn cut(&self) -> Vec<usize> {
        (0..self.shape.len()).filter(|k| self.shares[*k] > 0.0 && self.shape[*k] > 1).collect()
    }

    /// The dimensions to cut, that with the largest extent last, for it takes what room the others leave.
    fn trials(&self, room: u64) -> Vec<Trial> {
        let mut axes = self.cut();
        let ideal = self.ideal(&axes, room);
        axes.sort_by(|a, b| ideal[*a].total_cmp(&ideal[*b]));
        let keep = COMBINATIONS_MAX.powf(1.0 / axes.len().saturating_sub(1).max(1) as f64) as usize;
        let keep_of = |k: usize| if k + 1 == axes.len() { usize::MAX } else { keep };
        let trial = |(k, axis): (usize, &usize)| {
            let found = candidates((self.shape[*axis], self.uneven()), ideal[*axis], keep_of(k));
            (*axis, found)
        };
        axes.iter().enumerate().map(trial).collect()
    }

    /// Extents `lambda * n / p` within 1 to n, with the `lambda` that fills `room`; by dimension, 1 for those not in `axes`.
    fn ideal(&self, axes: &[usize], room: u64) -> Vec<f64> {
        let logs: Vec<(f64, f64)> =
            axes.iter().map(|k| ((self.shape[*k] as f64).ln(), self.shares[*k].ln())).collect();
        let extent = |lambda: f64, (n, p): (f64, f64)| (lambda + n - p).clamp(0.0, n);
        let (mut low, mut high) =
            logs.iter().fold((0.0, 0.0), |(a, b): (f64, f64), (n, p)| (a.min(p - n), b.max(*p)));
        // Clamping one dimension leaves room to the others: halving finds the lambda where all of it is used.
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            let filled: f64 = logs.iter().map(|log| extent(middle, *log)).sum();
            if filled < (room as f64).ln() { low = middle } else { high = middle }
        }
        let mut out = vec![1.0; self.shape.len()];
        for (axis, log) in axes.iter().zip(logs) {
            out[*axis] = extent(high, log).exp();
        }
        out
    }

    /// Finds the shares for which the formula gives the best shape, where accesses are not to one index of one dimension: a dimension
    /// along which a longer part costs more than along the others gets a larger share.
    fn refine(&mut self) {
        /// Each halves what is amiss, about.
        const STEPS: usize = 50;
        let axes = self.cut();
        let room = self.volume_max / volume(self.with_whole_dimensions()).max(1);
        for _ in 0..STEPS {
            let part = self.ideal(&axes, room);
            let costs: Vec<f64> = axes.iter().map(|axis| self.cost_of_length(&part, *axis)).collect();
            let mean = costs.iter().sum::<f64>() / costs.len() as f64;
            for (axis, cost) in axes.iter().zip(costs) {
                self.shares[*axis] *= (cost / mean).clamp(1e-6, 1e6).sqrt();
            }
            let largest = self.shares.iter().copied().fold(0.0, f64::max);
            self.shares
                .iter_mut()
                .filter(|share| **share > 0.0)
                .for_each(|share| *share = (*share / largest).max(1e-100));
        }
    }

    /// Parts that are touched, and by what power of its length they grow if `part` is lengthened along `axis` and holds as much as before.
    fn cost_of_length(&self, part: &[f64], axis: usize) -> f64 {
        const FACTOR: f64 = 1.01;
        let Reads { cell, mix, .. } = self.reads;
        let cost = |(access, share): &(Access, f64)| {
            let along = |k: usize, extent: f64| {
                let pick = access.picks().iter().find(|pick| pick.axis == k);
                smooth(pick, self.shape[k] as f64, cell[k] as f64, extent)
            };
            let all: f64 = (0..part.len()).map(|k| along(k, part[k])).product();
            let power = (along(axis, part[axis] * FACTOR) / along(axis, part[axis])).ln() / FACTOR.ln();
            share * all * (1.0 + power)
        };
        mix.shares.iter().map(cost).sum::<f64>().max(f64::MIN_POSITIVE)
    }

    /// Parts that an access touches, on average.
    fn expected(&self, part: &[u64]) -> f64 {
        let Reads { shape, cell, mix } = self.reads;
        let elements: Vec<u64> = part.iter().zip(*cell).map(|(cells, c)| cells.saturating_mul(*c)).collect();
        mix.expected(shape, &elements)
    }
}

/// Parts of a dimension of `n` cells that hold what is picked, without ceilings; extents may be fractions.
fn smooth(pick: Option<&Pick>, n: f64, cell: f64, extent: f64) -> f64 {
    let parts = (n / extent).max(1.0);
    match pick {
        None => parts,
        Some(Pick { count, scattered: false, .. }) => {
            (1.0 + (*count - 1) as f64 / (extent * cell)).min(parts)
        }
        Some(Pick { count, .. }) if parts > 1.0 => -parts * (*count as f64 * (-1.0 / parts).ln_1p()).exp_m1(),
        Some(_) => 1.0,
    }
}

/// How much the extents of a part of a box look chosen: dividing the box, leaving little of the last part empty, round numbers.
pub(crate) fn roundness(shape: &[u64], part: &[u64]) -> u32 {
    let of_axis = |n: u64, c: u64| {
        let padding = (n.div_ceil(c) as f64 * c as f64 - n as f64) / n as f64;
        u32::from(padding == 0.0) * 4 + u32::from(padding <= 0.02) * 2 + u32::from(is_round(c)) * 2
    };
    shape.iter().zip(part).map(|(n, c)| of_axis(*n, *c)).sum()
}

/// Calls `visit` with each part that takes one of the extents of each trial, and as much of the last as there is room: cut evenly, or
/// `uneven` too.
fn try_all(
    (shape, uneven): (&[u64], bool),
    trials: &[Trial],
    room: u64,
    part: &mut Vec<u64>,
    visit: &mut dyn FnMut(&[u64]),
) {
    match trials {
        [] => visit(part),
        [(axis, extents)] => {
            // More of the last dimension never costs a chunk, but less may be rounder.
            let most = room.clamp(1, shape[*axis]);
            let near = extents.iter().copied().filter(|c| *c <= most && *c > most / 2);
            for extent in near.chain([even(shape[*axis], most)]).chain(uneven.then_some(most)) {
                part[*axis] = extent;
                visit(part);
            }
        }
        [(axis, extents), rest @ ..] => {
            let least = [room];
            let fitting = match &extents[..extents.partition_point(|c| *c <= room)] {
                [] => &least[..],
                fitting => fitting,
            };
            for extent in fitting {
                part[*axis] = *extent;
                try_all((shape, uneven), rest, room / extent, part, visit);
            }
        }
    }
}

/// Extents to try for a dimension of `n` where the formula gives `ideal`: those that cut it evenly (or `uneven` too), and round
/// numbers; the nearest, at most `keep`. In ascending order.
fn candidates((n, uneven): (u64, bool), ideal: f64, keep: usize) -> Vec<u64> {
    let window = if uneven { WINDOW.1 } else { WINDOW.0 };
    let low = ((ideal / window) as u64).max(1);
    let high = ((ideal * window).min(n as f64) as u64).clamp(low, n);
    let mut out = Vec::new();
    let mut next = high;
    while next >= low {
        out.push(even(n, next));
        let extent = if uneven { next } else { even(n, next) };
        out.push(extent);
        // Of large extents every hundredth part is enough.
        next = extent - (extent / 100).max(1);
        if next == 0 {
            break;
        }
    }
    let tens = (1..17).flat_map(|power| (1..100).map(move |digits| digits * 10_u64.pow(power)));
    let powers = (0..63).map(|power| 1 << power);
    out.extend(tens.chain(powers).filter(|c| (low..=high).contains(c)));
    let distance = |c: u64| ((c as f64).ln() - ideal.ln()).abs();
    out.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    out.dedup();
    out.truncate(keep.max(1));
    out.sort_unstable();
    out
}

/// The least extent that cuts `n` into as many pieces as `extent` does.
fn even(n: u64, extent: u64) -> u64 {
    n.div_ceil(n.div_ceil(extent))
}

/// A power of two, or up to two digits and then zeros.
fn is_round(c: u64) -> bool {
    let mut digits = c;
    while digits.is_multiple_of(10) && digits > 0 {
        digits /= 10;
    }
    c.is_power_of_two() || (c.is_multiple_of(10) && digits < 100)
}

#[cfg(test)]
mod tests;
