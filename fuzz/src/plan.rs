//! Planning: every problem has a plan or an error, and a plan keeps within its memory and its array.

use arbitrary::{Result, Unstructured};
use zarrange_grid::{ChunkGrid, Edges};
use zarrange_plan::{
    Costs, Format, Plan, PlanError, Problem, Purpose, Route, Stage, StoreProfile, Way, plan,
};

use crate::size;

/// Grids of more chunks are not counted one by one.
const COUNTED_MAX: u64 = 5_000;

/// Reads a problem from `data`, and checks its plan.
pub fn run(data: &[u8]) {
    // An input that ends early is a shorter problem, not a finding.
    let _ = solve(&mut Unstructured::new(data));
}

fn solve(u: &mut Unstructured<'_>) -> Result<()> {
    // Ranks of real arrays, and now and then the highest.
    let rank = if u.ratio(15, 16)? { u.int_in_range(0..=5)? } else { u.int_in_range(6..=65)? };
    let item_bytes = if u.ratio(7, 8)? { *u.choose(&[1, 2, 3, 4, 8, 16])? } else { size(u)?.max(1) };
    // A format whose sizes follow from its chunks, as those of real codecs do.
    let real = u.ratio(3, 4)?;
    let problem = Problem {
        shape: dims(u, rank, false)?,
        item_bytes,
        source: format(u, rank, item_bytes, real)?,
        target: format(u, rank, item_bytes, real)?,
        same_encoding: u.arbitrary()?,
        memory_bytes_max: size(u)?,
        threads: if real { u.int_in_range(1..=64)? } else { size(u)? },
        purpose: if u.ratio(3, 4)? { Purpose::Write } else { Purpose::Compare },
        costs: costs(u)?,
        way: if u.ratio(1, 4)? { Some(*u.choose(&Way::ALL)?) } else { None },
        part_bytes: u.arbitrary()?,
    };
    check(&problem, real);
    Ok(())
}

/// A built-in place, or any numbers.
fn costs(u: &mut Unstructured<'_>) -> Result<Costs> {
    let names: Vec<&str> = StoreProfile::names().collect();
    let Some(place) = StoreProfile::built_in(u.choose(&names)?) else { return Ok(Costs::default()) };
    let mut costs = Costs::all_on(&place);
    if u.ratio(1, 8)? {
        costs.spill.write_ns_per_byte = u.arbitrary()?;
        costs.source.in_flight = u.arbitrary()?;
    }
    Ok(costs)
}

/// A shape; that of a chunk has no zeros, mostly.
fn dims(u: &mut Unstructured<'_>, rank: usize, chunk: bool) -> Result<Vec<u64>> {
    (0..rank)
        .map(|_| {
            let extent = size(u)?;
            Ok(if extent == 0 && (chunk || !u.ratio(1, 4)?) { u64::from(!u.ratio(1, 8)?) } else { extent })
        })
        .collect()
}

fn format(u: &mut Unstructured<'_>, rank: usize, item_bytes: u64, real: bool) -> Result<Format> {
    // A rank that does not fit, now and then.
    let rank = if u.ratio(1, 64)? { rank + 1 } else { rank };
    let chunk = dims(u, rank, true)?;
    let shard = match u.int_in_range(0..=7)? {
        0..=4 => None,
        5 => Some(dims(u, rank, true)?),
        _ => {
            let times = dims(u, rank, true)?;
            Some(chunk.iter().zip(times).map(|(c, k)| c.saturating_mul(k)).collect())
        }
    };
    // Whatever lengths a document lists, of which many do not cover the array.
    let edges =
        if u.ratio(1, 4)? { Some((0..rank).map(|_| lengths(u)).collect::<Result<_>>()?) } else { None };
    let product = |shape: &[u64], one: u64| shape.iter().fold(one, |n, s| n.saturating_mul(*s));
    let bytes = product(&chunk, item_bytes);
    let inner = shard.as_ref().map_or(0, |s: &Vec<u64>| product(s, 1) / product(&chunk, 1).max(1));
    Ok(if real {
        Format {
            encoded_bytes_max: bytes.saturating_add(bytes / 8 + 64),
            scratch_bytes: if u.arbitrary()? { bytes } else { 0 },
            context_bytes: u64::from(u.arbitrary::<u32>()?),
            shard_index_bytes: inner.saturating_mul(48),
            whole_shard_bytes: 0,
            decode_ns_per_byte: 1.6,
            encode_ns_per_byte: 8.0,
            stored_ratio: 1.0,
            slices: shard.is_some() && u.arbitrary()?,
            chunk,
            shard,
            edges,
        }
    } else {
        Format {
            encoded_bytes_max: size(u)?,
            scratch_bytes: size(u)?,
            context_bytes: size(u)?,
            shard_index_bytes: size(u)?,
            whole_shard_bytes: size(u)?,
            decode_ns_per_byte: 1.6,
            encode_ns_per_byte: 8.0,
            stored_ratio: 1.0,
            slices: shard.is_some() && u.arbitrary()?,
            chunk,
            shard,
            edges,
        }
    })
}

fn lengths(u: &mut Unstructured<'_>) -> Result<Vec<(u64, u64)>> {
    (0..u.int_in_range(0..=4)?).map(|_| Ok((size(u)?, size(u)?))).collect()
}

fn check(problem: &Problem, real: bool) {
    match plan(problem) {
        Ok(plan) => check_plan(&plan),
        Err(PlanError::Way { .. }) => assert!(problem.way.is_some()),
        Err(error @ PlanError::Memory { needed, have, .. }) => {
            assert!(!error.to_string().is_empty());
            assert!(needed > have, "{error}");
            if real && needed < u64::MAX {
                let enough = Problem { memory_bytes_max: needed, ..problem.clone() };
                assert!(plan(&enough).is_ok(), "{needed} bytes were said to be enough: {enough:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_plan(made: &Plan) {
    let problem = &made.problem;
    assert_eq!(plan(problem).as_ref(), Ok(made), "the same problem gives the same plan");
    assert!(made.predicted.peak_budget_bytes <= problem.memory_bytes_max, "{made}");
    if let Route::Repack(repack) = &made.route {
        // Encoded chunks are moved: nothing is decoded.
        assert!(repack.threads >= 1 && repack.memory_bytes <= problem.memory_bytes_max);
        assert_eq!(made.predicted.counts.source_chunk_decodes, 0);
        return;
    }
    let (stages, spills) = (made.stages(), made.spills());
    for (k, stage) in stages.iter().enumerate() {
        let (first, last) = (k == 0, k + 1 == stages.len());
        check_stage(problem, stage, (first, last));
    }
    for (spill, pair) in spills.iter().zip(stages.windows(2)) {
        assert_eq!((&spill.written, &spill.read), (&pair[0].tile, &pair[1].tile));
        assert!(pair[0].memory_bytes + spill.held_bytes() <= problem.memory_bytes_max);
        assert!(pair[1].memory_bytes + spill.held_bytes() <= problem.memory_bytes_max);
    }
    assert_eq!(!spills.is_empty(), made.strategy() == "staged");
    assert_eq!(stages.len(), if stages.is_empty() { 0 } else { spills.len() + 1 });
    check_parts(made);
    check_decodes(made);
}

/// The parts of each stage are all of its groups, each once.
fn check_parts(made: &Plan) {
    for (k, stage) in made.stages().iter().enumerate() {
        let parts = made.parts(k as u64);
        let groups = ChunkGrid::new(&made.problem.shape, &stage.group).expect("groups form a grid");
        assert_eq!(parts.units, groups.count());
        let mut next = 0;
        for part in (0..parts.count()).take(1000) {
            let units = parts.units(part);
            assert!(units.start == next && units.end > next && units.end <= parts.units, "{parts:?}");
            assert_eq!((parts.of(units.start), parts.of(units.end - 1)), (part, part));
            next = units.end;
        }
        assert!(parts.count() > 1000 || next == parts.units);
    }
}

fn check_stage(problem: &Problem, stage: &Stage, (first, last): (bool, bool)) {
    assert!(stage.memory_bytes <= problem.memory_bytes_max, "{stage:?}");
    assert!(stage.threads >= 1 && matches!(stage.slots, 1 | 2));
    // Tiles cover the array, each with at least one element.
    let tiles = ChunkGrid::new(&problem.shape, &stage.tile).expect("tiles form a grid");
    assert!(tiles.count() > 0);
    let held = (stage.tile.iter().zip(&problem.shape)).map(|(w, n)| u128::from(*w.min(n))).product::<u128>();
    assert!(
        held * u128::from(problem.item_bytes * stage.slots) <= u128::from(stage.memory_bytes),
        "{stage:?}"
    );
    let mut order = stage.order.clone();
    order.sort_unstable();
    assert!(order.iter().copied().eq(0..problem.shape.len() as u64), "the axes, each once");
    let unit = match (first, last) {
        (_, true) => Some(&problem.target.chunk),
        (true, false) => Some(&problem.source.chunk),
        (false, false) => None,
    };
    for d in 0..problem.shape.len() {
        assert!(unit.is_none_or(|unit| stage.tile[d].is_multiple_of(unit[d])), "a tile holds whole chunks");
        assert_eq!(stage.group[d] % stage.tile[d], 0, "a group holds whole tiles");
        assert!(
            !last || stage.group[d].is_multiple_of(problem.target.object()[d]),
            "a shard is written in one go"
        );
    }
}

/// Decodes are predicted as they will be counted.
fn check_decodes(made: &Plan) {
    let (problem, predicted) = (&made.problem, &made.predicted);
    let Some(stage) = made.stages().first() else { return };
    let tiles = ChunkGrid::new(&problem.shape, &stage.tile).expect("tiles form a grid");
    let chunks = match (&problem.source.edges, &problem.source.shard) {
        (Some(edges), None) => {
            let edges =
                edges.iter().zip(&problem.shape).map(|(runs, n)| Edges::new(*n, runs.iter().copied()));
            ChunkGrid::rectilinear(&problem.shape, edges.collect::<Result<_, _>>().expect("a plan was made"))
        }
        _ => ChunkGrid::new(&problem.shape, &problem.source.chunk),
    };
    let chunks = chunks.expect("chunks form a grid");
    assert_eq!(predicted.source_chunks, chunks.count());
    if made.spills().is_empty() {
        assert_eq!(
            made.strategy() == "reread",
            predicted.counts.source_chunk_decodes > predicted.source_chunks
        );
    }
    if tiles.count() <= COUNTED_MAX {
        let all = tiles.all();
        let decodes = (0..tiles.count()).map(|t| {
            let tile = tiles.region(&all.unravel(t));
            let covering = chunks.covering(&tile);
            let Some(axis) = stage.sweep.map(zarrange_grid::index) else { return covering.elements() };
            // In a sweep, a chunk that begins in the tile before is not read again.
            let carried = u64::from(covering.start()[axis] * problem.source.chunk[axis] < tile.start()[axis]);
            covering.elements() / covering.shape()[axis] * (covering.shape()[axis] - carried)
        });
        assert_eq!(predicted.counts.source_chunk_decodes, decodes.fold(0, u64::saturating_add));
    }
}
